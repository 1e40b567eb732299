"""Code that several engines share: the request window, server pools, batches and child processes."""
