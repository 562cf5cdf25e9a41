"""Benchmarks for asv: speed here, error against frozen vectors; nothing multiprecision while timing."""
