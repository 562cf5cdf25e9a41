/* A HiPPO implementation that hippo-verify can check as it is: JSON lines on stdin and stdout. C11, no libraries.
 *
 *     cc -O2 -o hippo_exec hippo_exec.c -lm
 *     hippo-verify check exec:./hippo_exec
 *
 * Offers legs and legt at every level but gradient and factors, under euler, bilinear and backward_euler.
 * One argument plants a mistake, to see it named: late-clock, doubled-b or theta-ignored.
 */
#define _POSIX_C_SOURCE 200809L
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *bug = "";

static int has(const char *name)
{
    return !strcmp(bug, name);
}

static void *room(size_t count, size_t size)
{
    void *memory = calloc(count ? count : 1, size);
    if (!memory)
        exit(3);
    return memory;
}

/* ---- Reading. hippo-verify writes no space between tokens and no quote inside a string, so searching is parsing. */

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
    size_t length = from && *from == '"' ? strcspn(++from, "\"") : 0;
    if (length >= size)
        length = size - 1;
    if (from)
        memcpy(out, from, length);
    out[length] = '\0';
}

static double number_of(const char *line, const char *key, double otherwise)
{
    const char *at = value_of(line, key);
    return at ? strtod(at + (*at == '"'), NULL) : otherwise;
}

/* The numbers of a list, or of a list of lists one after another; strtod reads hex floats. */
static double *list_of(const char *line, const char *key, size_t *count, size_t *lists)
{
    const char *at = value_of(line, key);
    size_t size = 16;
    double *numbers = room(size, sizeof *numbers);
    int depth = 0;
    *count = *lists = 0;
    if (!at || *at != '[')
        return numbers;
    do {
        depth += (*at == '[') - (*at == ']');
        *lists += *at == '[';
        if (*at == '"') {
            char *end;
            if (*count == size && !(numbers = realloc(numbers, (size *= 2) * sizeof *numbers)))
                exit(3);
            numbers[(*count)++] = strtod(at + 1, &end);
            at = end; /* the closing quote */
        }
        at++;
    } while (depth > 0 && *at);
    *lists -= *lists > 1; /* the outer one holds the others */
    return numbers;
}

/* ---- Computing. Matrices are row by row. */

typedef struct {
    int legs;
    size_t N;
    double weight, dt; /* of the rule; of an invariant law */
    double *A, *B;
} System;

/* dc/dt = A c + B f; for legs divided by t. */
static System make_system(const char *measure, const char *method, size_t N, double theta, double dt)
{
    int legs = !strcmp(measure, "legs");
    double weight = !strcmp(method, "bilinear") ? 0.5 : !strcmp(method, "backward_euler") ? 1 : 0;
    System system = {legs, N, weight, dt, room(N * N, sizeof(double)), room(N, sizeof(double))};
    if (legs || has("theta-ignored"))
        theta = 1;
    for (size_t n = 0; n < N; n++) {
        double s = sqrt(2.0 * n + 1);
        for (size_t k = 0; k < N; k++) {
            double r = sqrt(2.0 * k + 1), sign = (n + k) % 2 ? -1 : 1;
            if (legs)
                system.A[n * N + k] = n > k ? -s * r : n == k ? -(n + 1.0) : 0;
            else
                system.A[n * N + k] = -s * r * (k <= n ? 1 : sign) / theta;
        }
        system.B[n] = (has("doubled-b") ? 2 : 1) * s / theta;
    }
    return system;
}

/* x <- M^-1 x by elimination with row exchanges; M is used up. */
static void solve(size_t N, double *M, double *x)
{
    for (size_t p = 0; p < N; p++) {
        size_t best = p;
        for (size_t i = p + 1; i < N; i++)
            if (fabs(M[i * N + p]) > fabs(M[best * N + p]))
                best = i;
        for (size_t j = p; j < N && best != p; j++) {
            double swap = M[p * N + j];
            M[p * N + j] = M[best * N + j], M[best * N + j] = swap;
        }
        double swap = x[p];
        x[p] = x[best], x[best] = swap;
        for (size_t i = p + 1; i < N; i++) {
            double factor = M[i * N + p] / M[p * N + p];
            for (size_t j = p + 1; j < N && factor != 0; j++)
                M[i * N + j] -= factor * M[p * N + j];
            x[i] -= factor * x[p];
        }
    }
    for (size_t i = N; i-- > 0;) {
        for (size_t j = i + 1; j < N; j++)
            x[i] -= M[i * N + j] * x[j];
        x[i] /= M[i * N + i];
    }
}

/* The generalized bilinear step (I - a h A) c' = (I + (1-a) h A) c + h B u. */
static void step(const System *system, double h, double u, double *c)
{
    size_t N = system->N;
    double a = system->weight, *M = room(N * N, sizeof *M), *right = room(N, sizeof *right);
    for (size_t i = 0; i < N; i++) {
        double sum = 0;
        for (size_t j = 0; j < N; j++) {
            sum += system->A[i * N + j] * c[j];
            M[i * N + j] = (i == j) - a * h * system->A[i * N + j];
        }
        right[i] = c[i] + (1 - a) * h * sum + h * system->B[i] * u;
    }
    if (a != 0)
        solve(N, M, right);
    memcpy(c, right, N * sizeof *c);
    free(M), free(right);
}

/* Reads samples number first, first + 1, ...; states[k] is the state after samples[0..k]. Sample k of legs is at time k,
 * or at times[k]. */
static void scan(const System *system, double *c, const double *samples, size_t L, size_t first, const double *times,
                 double *states)
{
    for (size_t k = 0; k < L; k++) {
        size_t index = first + k;
        double h = system->dt;
        if (system->legs && index == 0) {
            memset(c, 0, system->N * sizeof *c);
            c[0] = samples[k];
        } else {
            if (system->legs)
                h = times ? (times[k] - times[k - 1]) / times[k] : 1.0 / (index + has("late-clock"));
            step(system, h, samples[k], c);
        }
        memcpy(states + k * system->N, c, system->N * sizeof *c);
    }
}

/* sum_n c_n sqrt(2n+1) P_n(2y - 1), y from 0, the oldest end of the window, to 1, now. */
static double read_out(size_t N, const double *c, double y)
{
    double z = 2 * y - 1, older = 0, newer = 1, sum = 0;
    for (size_t n = 0; n < N; n++) {
        double next = ((2.0 * n + 1) * z * newer - n * older) / (n + 1);
        sum += c[n] * sqrt(2.0 * n + 1) * newer;
        older = newer, newer = next;
    }
    return sum;
}

/* ---- Answering. */

static void print_array(const size_t *shape, size_t axes, const double *values)
{
    size_t count = 1;
    printf("{\"shape\":[");
    for (size_t i = 0; i < axes; i++) {
        printf(i ? ",%zu" : "%zu", shape[i]);
        count *= shape[i];
    }
    printf("],\"values\":[");
    for (size_t i = 0; i < count; i++)
        printf(i ? ",\"%a\"" : "\"%a\"", values[i]); /* a hex float: not a bit is lost; nan and inf are spelled */
    printf("]}");
}

static void answer(const char *line)
{
    char level[32], measure[32], method[32];
    text_of(line, "level", level, sizeof level);
    text_of(line, "measure", measure, sizeof measure);
    text_of(line, "method", method, sizeof method);
    if (!strcmp(level, "timed_scan") && strcmp(measure, "legs")) {
        printf("{\"id\":%.0f,\"unsupported\":\"only legs takes times\"}\n", number_of(line, "id", 0));
        return;
    }
    size_t N = (size_t)number_of(line, "order", 1), length, L, S, P, T, lists;
    System system = make_system(measure, method, N, number_of(line, "theta", 1), number_of(line, "dt", 0));
    double *state = list_of(line, "state", &length, &lists), *samples = list_of(line, "samples", &L, &S);
    double *points = list_of(line, "points", &P, &lists), *times = list_of(line, "timestamps", &T, &lists);
    double sample = number_of(line, "sample", 0), *states = room((L + 1) * N, sizeof *states);
    size_t first = (size_t)number_of(line, "k", 0);
    if (length < N) {
        free(state);
        state = room(N, sizeof *state);
    }
    printf("{\"id\":%.0f,\"answer\":", number_of(line, "id", 0));
    if (!strcmp(level, "matrices")) {
        printf("{\"A\":");
        print_array((size_t[]){N, N}, 2, system.A);
        printf(",\"B\":");
        print_array((size_t[]){N}, 1, system.B);
        printf("}");
    } else if (!strcmp(level, "step")) {
        scan(&system, state, &sample, 1, first, NULL, states);
        print_array((size_t[]){N}, 1, states);
    } else if (!strcmp(level, "reconstruct")) {
        for (size_t i = 0; i < P; i++)
            points[i] = read_out(N, state, points[i]);
        print_array((size_t[]){P}, 1, points);
    } else if (!strcmp(level, "batch_scan")) {
        for (size_t i = 0; i < S; i++) {
            memset(state, 0, N * sizeof *state);
            scan(&system, state, samples + i * (L / S), L / S, 0, NULL, states + i * (L / S) * N);
        }
        print_array((size_t[]){S, L / S, N}, 3, states);
    } else { /* scan, timed_scan, resume */
        scan(&system, state, samples, L, first, T ? times : NULL, states);
        print_array((size_t[]){L, N}, 2, states);
    }
    printf("}\n");
    free(system.A), free(system.B), free(state), free(samples), free(points), free(times), free(states);
}

int main(int count, char **words)
{
    char *line = NULL, spoken[32] = "";
    size_t size = 0;
    bug = count > 1 ? words[1] : "";
    if (getline(&line, &size, stdin) > 0)
        text_of(line, "protocol", spoken, sizeof spoken);
    if (strcmp(spoken, "hippo-exec/1")) {
        fprintf(stderr, "stdin does not speak hippo-exec/1\n");
        return 2;
    }
    printf("{\"protocol\":\"hippo-exec/1\",\"name\":\"hippo_exec.c\",\"version\":\"1.0\",\"capabilities\":{"
           "\"levels\":[\"matrices\",\"step\",\"scan\",\"reconstruct\",\"timed_scan\",\"batch_scan\",\"resume\"],"
           "\"measures\":{\"legs\":{},\"legt\":{}},\"methods\":[\"bilinear\",\"backward_euler\",\"euler\"],"
           "\"orders\":[1,256]}}\n");
    fflush(stdout);
    while (getline(&line, &size, stdin) > 0) {
        answer(line);
        fflush(stdout); /* a pipe is not a terminal: without this the answer stays here and hippo-verify waits */
    }
    free(line);
    return 0;
}
