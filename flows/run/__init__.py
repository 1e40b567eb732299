"""The words that a recipe is written in; everything that imports Prefect's and Dask's task machinery."""
