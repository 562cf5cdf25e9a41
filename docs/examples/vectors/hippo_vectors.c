/* Answers HiPPO test vectors: reads JSON Lines on stdin, writes JSON Lines on stdout. C11, no libraries.
 *
 *     cc -O2 -o hippo_vectors hippo_vectors.c -lm
 *     ./hippo_vectors < vectors.jsonl > answers.jsonl
 *
 * Offers matrices and scans of legs, legt and lmu under euler, bilinear, backward_euler and zoh.
 * -DBUG=1 .. 5 plants a mistake, to see it named by the checker.
 */
#define _POSIX_C_SOURCE 200809L
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NONE, LATE_CLOCK, DOUBLED_B, THETA_IGNORED, ONE_BASED, SHORT_PRINT };
#ifndef BUG
#define BUG NONE
#endif

#define LARGEST_EXPONENTIAL 64 /* a dense exponential costs N^3 many times over, and LegS needs one for each step */

/* ---- Reading. Every key occurs once at the level we look at, and no string holds a quote, so searching is parsing. */

static const char *value_of(const char *line, const char *key)
{
    char quoted[64];
    snprintf(quoted, sizeof quoted, "\"%s\":", key);
    const char *found = strstr(line, quoted);
    return found ? found + strlen(quoted) : NULL;
}

static void text_of(const char *line, const char *key, char *out, size_t size)
{
    const char *from = value_of(line, key);
    size_t length = from ? strcspn(++from, "\"") : 0;
    if (length >= size)
        length = size - 1;
    if (from)
        memcpy(out, from, length);
    out[length] = '\0';
}

/* A list of numbers: hex floats in quotes, or integers. strtod reads both. NULL and 0 if there is none. */
static double *list_of(const char *line, const char *key, int *count)
{
    const char *at = value_of(line, key);
    double *numbers = NULL;
    *count = 0;
    if (!at)
        return NULL;
    while (*at != ']') {
        at += strspn(at, "[\",");
        if (*at == ']')
            break;
        char *end;
        double number = strtod(at, &end);
        if (end == at)
            exit(2);
        numbers = realloc(numbers, (size_t)(*count + 1) * sizeof *numbers);
        numbers[(*count)++] = number;
        at = end + strspn(end, "\"");
    }
    return numbers;
}

static double number_of(const char *line, const char *key, double otherwise)
{
    const char *at = value_of(line, key);
    return at ? strtod(at + (*at == '"'), NULL) : otherwise;
}

/* ---- Computing. Matrices are row by row. */

static int operators(const char *measure, int N, double theta, double *A, double *B)
{
    int first = BUG == ONE_BASED;
    if (BUG == THETA_IGNORED)
        theta = 1;
    for (int i = 0; i < N; i++) {
        int n = i + first;
        double odd = n % 2 ? -1 : 1, s = sqrt(2 * n + 1);
        for (int j = 0; j < N; j++) {
            int k = j + first;
            double r = sqrt(2 * k + 1), sign = (n - k) % 2 ? -1 : 1, *a = &A[i * N + j];
            if (!strcmp(measure, "legs"))
                *a = n > k ? -s * r : n == k ? -(n + 1) : 0;
            else if (!strcmp(measure, "legt"))
                *a = -s * r * (k <= n ? 1 : sign) / theta;
            else if (!strcmp(measure, "lmu"))
                *a = -(2 * n + 1) * (k <= n ? sign : 1) / theta;
            else
                return 0;
        }
        B[i] = !strcmp(measure, "legs") ? s : !strcmp(measure, "legt") ? s / theta : odd * (2 * n + 1) / theta;
        if (BUG == DOUBLED_B)
            B[i] *= 2;
    }
    return 1;
}

/* x <- M^-1 x by elimination with row exchanges; M is used up. */
static void solve(int N, double *M, double *x)
{
    for (int p = 0; p < N; p++) {
        int best = p;
        for (int i = p + 1; i < N; i++)
            if (fabs(M[i * N + p]) > fabs(M[best * N + p]))
                best = i;
        for (int j = p; j < N && best != p; j++) {
            double swap = M[p * N + j];
            M[p * N + j] = M[best * N + j], M[best * N + j] = swap;
        }
        double swap = x[p];
        x[p] = x[best], x[best] = swap;
        for (int i = p + 1; i < N; i++) {
            double factor = M[i * N + p] / M[p * N + p];
            for (int j = p + 1; j < N && factor; j++)
                M[i * N + j] -= factor * M[p * N + j];
            x[i] -= factor * x[p];
        }
    }
    for (int i = N - 1; i >= 0; i--) {
        for (int j = i + 1; j < N; j++)
            x[i] -= M[i * N + j] * x[j];
        x[i] /= M[i * N + i];
    }
}

/* The generalized bilinear step (I - a h A) c' = (I + (1-a) h A) c + h B u. */
static void bilinear_step(int N, const double *A, const double *B, double a, double h, double u, double *c, double *M)
{
    double *right = malloc((size_t)N * sizeof *right);
    for (int i = 0; i < N; i++) {
        double sum = 0;
        for (int j = 0; j < N; j++) {
            sum += A[i * N + j] * c[j];
            M[i * N + j] = (i == j) - a * h * A[i * N + j];
        }
        right[i] = c[i] + (1 - a) * h * sum + h * B[i] * u;
    }
    if (a != 0)
        solve(N, M, right);
    memcpy(c, right, (size_t)N * sizeof *right);
    free(right);
}

static void multiply(int N, const double *X, const double *Y, double *out)
{
    memset(out, 0, (size_t)(N * N) * sizeof *out);
    for (int i = 0; i < N; i++)
        for (int k = 0; k < N; k++)
            for (int j = 0; j < N; j++)
                out[i * N + j] += X[i * N + k] * Y[k * N + j];
}

/* E = exp(M): Taylor series of M / 2^s, then s squarings. */
static void exponential(int N, const double *M, double *E)
{
    size_t bytes = (size_t)(N * N) * sizeof *M;
    double *X = malloc(bytes), *term = malloc(bytes), *next = malloc(bytes), norm = 0;
    for (int i = 0; i < N; i++) {
        double sum = 0;
        for (int j = 0; j < N; j++)
            sum += fabs(M[i * N + j]);
        norm = fmax(norm, sum);
    }
    int squarings = norm > 0.5 ? (int)ceil(log2(norm)) + 1 : 0;
    for (int i = 0; i < N * N; i++) {
        X[i] = ldexp(M[i], -squarings);
        E[i] = term[i] = i % (N + 1) == 0;
    }
    for (int k = 1; k <= 18; k++) {
        multiply(N, term, X, next);
        for (int i = 0; i < N * N; i++)
            E[i] += term[i] = next[i] / k;
    }
    for (int k = 0; k < squarings; k++) {
        multiply(N, E, E, next);
        memcpy(E, next, bytes);
    }
    free(X), free(term), free(next);
}

/* Exact for input that is constant on the step: one exponential of [[A, B], [0, 0]] tau. For LegS, tau = ln(t'/t). */
static void hold_step(int N, const double *A, const double *B, double tau, double u, double *c)
{
    int W = N + 1;
    double *M = calloc((size_t)(W * W), sizeof *M), *E = malloc((size_t)(W * W) * sizeof *E);
    double *old = malloc((size_t)N * sizeof *old);
    for (int i = 0; i < N; i++) {
        for (int j = 0; j < N; j++)
            M[i * W + j] = A[i * N + j] * tau;
        M[i * W + N] = B[i] * tau;
    }
    exponential(W, M, E);
    memcpy(old, c, (size_t)N * sizeof *old);
    for (int i = 0; i < N; i++) {
        c[i] = E[i * W + N] * u;
        for (int j = 0; j < N; j++)
            c[i] += E[i * W + j] * old[j];
    }
    free(M), free(E), free(old);
}

/* states[k] is the state after samples[0..k]. LegS has times instead of dt; by default sample k is at k, or its cell
 * ends at k + 1 (zoh). */
static void scan(int legs, int N, const double *A, const double *B, const char *method, double dt, const double *times,
                 const double *samples, int L, double *states)
{
    double a = !strcmp(method, "bilinear") ? 0.5 : !strcmp(method, "backward_euler") ? 1 : 0;
    int zoh = !strcmp(method, "zoh");
    double *c = calloc((size_t)N, sizeof *c), *M = malloc((size_t)(N * N) * sizeof *M);
    for (int k = 0; k < L; k++) {
        double now = times ? times[k] : k + zoh + (BUG == LATE_CLOCK);
        double then = times ? (k ? times[k - 1] : 0) : now - 1;
        if (legs && k == 0)
            c[0] = samples[0];
        else if (zoh)
            hold_step(N, A, B, legs ? log1p((now - then) / then) : dt, samples[k], c);
        else
            bilinear_step(N, A, B, a, legs ? (now - then) / now : dt, samples[k], c, M);
        memcpy(states + k * N, c, (size_t)N * sizeof *c);
    }
    free(c), free(M);
}

/* ---- Answering. */

static void print_rows(const char *id, const double *whole, int width, const double *rows, int count)
{
    printf("{\"id\":\"%s\",\"values\":[", id);
    for (int i = 0; i < count; i++)
        for (int j = 0; j < width; j++)
            printf(BUG == SHORT_PRINT ? "%s\"%g\"" : "%s\"%a\"", i || j ? "," : "", whole[(int)rows[i] * width + j]);
    printf("]}\n");
}

static const char *refusal(const char *kind, const char *measure, const char *method, int order)
{
    int matrices = !strcmp(kind, "matrices");
    if (!matrices && strcmp(kind, "scan"))
        return "kind";
    if (strcmp(measure, "legs") && strcmp(measure, "legt") && strcmp(measure, "lmu"))
        return "measure";
    if (!matrices && !strcmp(method, "zoh"))
        return order > LARGEST_EXPONENTIAL ? "order too large for zoh" : NULL;
    if (!matrices && strcmp(method, "euler") && strcmp(method, "bilinear") && strcmp(method, "backward_euler"))
        return "rule";
    return NULL;
}

static void answer(const char *line)
{
    char id[256], kind[32], measure[32], method[32];
    text_of(line, "id", id, sizeof id);
    text_of(line, "kind", kind, sizeof kind);
    text_of(line, "measure", measure, sizeof measure);
    text_of(line, "method", method, sizeof method);
    int N = (int)number_of(line, "order", 0), count, L, timed;
    const char *why = refusal(kind, measure, method, N);
    if (why) {
        printf("{\"id\":\"%s\",\"unsupported\":\"%s\"}\n", id, why);
        return;
    }
    double *A = malloc((size_t)(N * N) * sizeof *A), *B = malloc((size_t)N * sizeof *B);
    operators(measure, N, number_of(line, "theta", 1), A, B);
    double *rows = list_of(line, "rows", &count), *whole = NULL;
    if (!strcmp(kind, "matrices")) {
        whole = malloc((size_t)(N * (N + 1)) * sizeof *whole);
        for (int i = 0; i < N; i++) {
            memcpy(whole + i * (N + 1), A + i * N, (size_t)N * sizeof *A);
            whole[i * (N + 1) + N] = B[i];
        }
        print_rows(id, whole, N + 1, rows, count);
    } else {
        double *samples = list_of(line, "samples", &L), *times = list_of(line, "timestamps", &timed);
        whole = malloc((size_t)(L * N) * sizeof *whole);
        scan(!strcmp(measure, "legs"), N, A, B, method, number_of(line, "dt", 0), times, samples, L, whole);
        print_rows(id, whole, N, rows, count);
        free(samples), free(times);
    }
    free(A), free(B), free(rows), free(whole);
}

int main(void)
{
    char *line = NULL, checksum[128];
    size_t size = 0;
    if (getline(&line, &size, stdin) < 0 || !strstr(line, "\"format\":\"hippo-vectors/1\"")) {
        fprintf(stderr, "stdin is no hippo-vectors/1 in JSON Lines\n");
        return 2;
    }
    text_of(line, "document", checksum, sizeof checksum);
    printf("{\"format\":\"hippo-answers/1\",\"program\":\"hippo_vectors.c\",\"vectors\":\"%s\"}\n", checksum);
    while (getline(&line, &size, stdin) > 0)
        answer(line);
    free(line);
    return 0;
}
