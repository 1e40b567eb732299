"""The tables, one in each file: its Arrow schema and the checks that a published version must pass."""
