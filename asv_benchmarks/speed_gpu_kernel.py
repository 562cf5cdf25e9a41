"""A kernel that does nothing but fused multiplications, to measure their rate; apart, because triton is a guest."""

CHAINS = 8
"""Independent chains in each thread."""

try:
    import triton
    import triton.language as tl
except ModuleNotFoundError:  # asv lists every file of this folder, also where triton is not
    pass
else:

    @triton.jit
    def fused(values, repeats, THREADS: tl.constexpr):
        """Run CHAINS times ``repeats`` fused multiplications on each value; the stored sum keeps all in the code."""
        at = values + tl.program_id(0) * THREADS + tl.arange(0, THREADS)
        x = tl.load(at)
        a, b, c, d, e, f, g, h = x, x + 1.0, x + 2.0, x + 3.0, x + 4.0, x + 5.0, x + 6.0, x + 7.0
        for _ in range(repeats):
            a, b, c, d = tl.fma(a, x, x), tl.fma(b, x, x), tl.fma(c, x, x), tl.fma(d, x, x)
            e, f, g, h = tl.fma(e, x, x), tl.fma(f, x, x), tl.fma(g, x, x), tl.fma(h, x, x)
        tl.store(at, ((a + b) + (c + d)) + ((e + f) + (g + h)))
