"""The figures that a report shows, read from a published version."""
