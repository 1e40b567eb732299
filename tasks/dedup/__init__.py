"""Duplicates: equal questions, near-duplicates, and those that are published already."""
