"""Finds and drops questions that overlap with benchmarks."""
