"""The questmill command: its verbs, and how a recipe is read from the command line."""
