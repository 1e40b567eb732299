"""The problem templates, one topic a file."""
