"""In what order: one recipe a file, read top to bottom."""
