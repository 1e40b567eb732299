"""A server that answers as an OpenAI-compatible one does, without a model: for tests, benchmarks and dry runs."""
