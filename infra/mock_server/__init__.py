"""An OpenAI-compatible server without a model, for tests, benchmarks and dry runs."""
