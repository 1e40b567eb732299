"""The `questmill` command: its verbs, and the flags that set the fields of a recipe."""
