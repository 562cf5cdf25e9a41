"""A Dask cluster that judges units: who may work in it, how exact arrays travel in it, and what is sent to it."""
