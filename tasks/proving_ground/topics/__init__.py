"""The problem templates: one file for each topic."""
