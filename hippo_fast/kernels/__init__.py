"""Compiled kernels: numba for the processor, triton for a device. Imported by the backends that run them, when used."""
