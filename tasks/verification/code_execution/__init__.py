"""Verifies solutions that are Python programs: finds them, runs them in a sandbox, and compares their output."""
