"""The Dask cluster and what runs on its workers."""
