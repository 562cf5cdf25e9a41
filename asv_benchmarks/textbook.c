/* The textbook LegS step, GBT(1/2): one cumulative sum forms A c, a second one solves (I - A/(2k)) c' = right.
 *
 * (A c)_n = -(n + 1) c_n - s_n sum_{j<n} s_j c_j with s_n = sqrt(2 n + 1), and c = samples[0] e_0 at the start, as in
 * HiPPO (2020), section 2.4 and appendix E. Written for peers.py; each stream is run by itself.
 *
 * Plain: the second sum waits for one division in each row. Hoisted: both sides are divided before, in a loop whose rows
 * do not wait for each other, which is the best that the same two sums can do without vectors. */
#include <math.h>
#include <stdlib.h>

#define TEXTBOOK(NAME, REAL, ROOT, BEFORE, AFTER)                                                                      \
    /* samples (streams, length), last (streams, order); states (streams, length, order) or a null pointer.            \
     * Returns 0, or 1 where there is no memory. */                                                                    \
    int NAME(const REAL *samples, long streams, long length, long order, REAL *last, REAL *states) {                   \
        REAL *scale = malloc(2 * (size_t)order * sizeof(REAL));                                                        \
        if (!scale) return 1;                                                                                          \
        REAL *right = scale + order;                                                                                   \
        for (long n = 0; n < order; n++) scale[n] = ROOT((REAL)(2 * n + 1));                                           \
        for (long stream = 0; stream < streams; stream++) {                                                            \
            const REAL *input = samples + stream * length;                                                             \
            REAL *state = last + stream * order;                                                                       \
            REAL *row = states ? states + stream * length * order : 0;                                                 \
            for (long n = 0; n < order; n++) state[n] = 0;                                                             \
            state[0] = input[0];                                                                                       \
            for (long k = 0; k < length; k++) {                                                                        \
                if (k > 0) {                                                                                           \
                    REAL step = (REAL)1 / (REAL)k, half = step / 2, sum = 0;                                           \
                    for (long n = 0; n < order; n++) {                                                                 \
                        REAL product = (REAL)(n + 1) * state[n] + scale[n] * sum;                                      \
                        right[n] = (state[n] - half * product + step * scale[n] * input[k]) BEFORE;                    \
                        sum += scale[n] * state[n];                                                                    \
                    }                                                                                                  \
                    sum = 0;                                                                                           \
                    for (long n = 0; n < order; n++) {                                                                 \
                        state[n] = (right[n] - half * scale[n] BEFORE * sum) AFTER;                                    \
                        sum += scale[n] * state[n];                                                                    \
                    }                                                                                                  \
                }                                                                                                      \
                if (row)                                                                                               \
                    for (long n = 0; n < order; n++) row[k * order + n] = state[n];                                    \
            }                                                                                                          \
        }                                                                                                              \
        free(scale);                                                                                                   \
        return 0;                                                                                                      \
    }

#define DIVIDED / (1 + half * (n + 1))
#define AS_IT_IS
TEXTBOOK(textbook_plain_float64, double, sqrt, AS_IT_IS, DIVIDED)
TEXTBOOK(textbook_plain_float32, float, sqrtf, AS_IT_IS, DIVIDED)
TEXTBOOK(textbook_hoisted_float64, double, sqrt, DIVIDED, AS_IT_IS)
TEXTBOOK(textbook_hoisted_float32, float, sqrtf, DIVIDED, AS_IT_IS)
