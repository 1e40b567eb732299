"""Benchmarks: one a file, run by `make bench`, never part of the tests and never failed by the clock."""
