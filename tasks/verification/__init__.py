"""Verifiers, which decide whether an answer is right, and ways to combine them."""
