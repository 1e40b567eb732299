"""One table a file: its Arrow schema and the checks of a published version."""
