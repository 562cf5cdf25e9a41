"""How jax is asked by the adapters of the libraries that are built on it."""

from __future__ import annotations

from verify.folders import cache_folder


def use_jax(dtype: str) -> None:
    """Set jax up in the worker: the precision, which is a switch of the whole process, and its own cache.

    jax compiles each operation for each shape, half a minute in all, so what it compiled is kept between runs.
    """
    import jax  # noqa: PLC0415 -- a guest, imported in the worker

    jax.config.update("jax_enable_x64", dtype == "float64")
    if jax.config.jax_compilation_cache_dir is None:
        jax.config.update("jax_compilation_cache_dir", str(cache_folder() / "jax"))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
        jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
