"""What the benchmarks share; none of these modules is a benchmark."""
