"""Finds the part of a response that is its final answer."""
