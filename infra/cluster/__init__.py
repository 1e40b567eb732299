"""The Dask cluster, and the code that runs on its workers."""
