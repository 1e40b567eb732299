"""Overlap with benchmarks."""
