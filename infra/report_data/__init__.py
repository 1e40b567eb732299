"""Reads the data that a report shows from a published version."""
