"""Removes duplicates: equal questions, near-duplicates, and questions that are published already."""
