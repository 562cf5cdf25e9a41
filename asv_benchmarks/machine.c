/* What this machine can do, one thread: each function does a known amount of work, and machine.py times it. */
#include <stddef.h>
#include <string.h>

/* Integer additions, each waiting for the one before: one a cycle on every current processor. */
long chain(long rounds) {
    long x = 0;
    for (long i = 0; i < rounds; i++) {
#define ONE x += 1; __asm__ volatile("" : "+r"(x));
#define EIGHT ONE ONE ONE ONE ONE ONE ONE ONE
        EIGHT EIGHT EIGHT EIGHT
    }
    return x;
}

#if defined(__AVX512F__)
#define BYTES 64
#elif defined(__AVX__)
#define BYTES 32
#else
#define BYTES 16
#endif

int vector_bytes(void) { return BYTES; }

#if defined(__x86_64__)
#define BARRIER(v) __asm__ volatile("" : "+v"(v))
#elif defined(__aarch64__)
#define BARRIER(v) __asm__ volatile("" : "+w"(v))
#else
#define BARRIER(v) __asm__ volatile("" : "+m"(v))
#endif

/* Twelve independent chains in registers, named one by one so that they stay there: enough for a latency of 4 cycles at
 * 3 operations a cycle. `rounds` times 12 operations, the chains of EVEN and of ODD in turn; the barrier keeps each. */
#define FMA(x) x = x * m + b; BARRIER(x);
#define ADD(x) x = x + b; BARRIER(x);
#define RATE(NAME, REAL, EVEN, ODD)                                                                                    \
    double NAME(long rounds, double multiplier, double addend) {                                                       \
        typedef REAL vector __attribute__((vector_size(BYTES)));                                                       \
        vector m = (vector){0} + (REAL)multiplier, b = (vector){0} + (REAL)addend;                                     \
        vector x0 = b, x1 = b, x2 = b, x3 = b, x4 = b, x5 = b, x6 = b, x7 = b, x8 = b, x9 = b, xa = b, xb = b;         \
        for (long i = 0; i < rounds; i++) {                                                                            \
            EVEN(x0) ODD(x1) EVEN(x2) ODD(x3) EVEN(x4) ODD(x5) EVEN(x6) ODD(x7) EVEN(x8) ODD(x9) EVEN(xa) ODD(xb)      \
        }                                                                                                              \
        vector sum = m + x0 + x1 + x2 + x3 + x4 + x5 + x6 + x7 + x8 + x9 + xa + xb;                                    \
        return (double)sum[0];                                                                                         \
    }
RATE(fma_float64, double, FMA, FMA)
RATE(fma_float32, float, FMA, FMA)
RATE(add_float64, double, ADD, ADD)
RATE(add_float32, float, ADD, ADD)
RATE(both_float64, double, FMA, ADD)
RATE(both_float32, float, FMA, ADD)

/* Stores into memory that was touched before. */
void fill(unsigned char *target, size_t bytes, int value) { memset(target, value, bytes); }

void store(double *target, size_t count, double value) {
    typedef double vector __attribute__((vector_size(BYTES), aligned(8)));
    const size_t lanes = BYTES / sizeof(double);
    vector held = (vector){0} + value;
    for (size_t i = 0; i + lanes <= count; i += lanes) {
        *(vector *)(target + i) = held;
        __asm__ volatile("" ::: "memory"); /* else the compiler makes it a memset */
    }
}
