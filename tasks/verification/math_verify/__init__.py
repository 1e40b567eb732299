"""Runs Math-Verify in a child process, with a deadline for every pair."""
