"""Runs a recipe: its operations, its progress and its history. Prefect's and Dask's task machinery is imported here."""
