/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Microseconds per phase-only zero-forcing solve: bench_spzf [--solves T] [--json]. The solves walk through 2048
 * Rayleigh channels, too many for the branch predictor to learn; the median is the machine's, p99 holds the retries
 * too, and the mean over the run is what a budget sees. Best: the least of the means of 64 solves in a row. The clock's
 * own cost (printed) is included. "ratio": how many zero-forcings of the same channels (with amplitudes, by LAPACK per
 * matrix) one solve would pay for, above 1 it is the cheaper one. One variant: sorting, comparing and short sums in
 * double precision; a solve is limited by branches that depend on the channel and by chains of sums, not by the
 * multiply-add peak. */
#include "base/clock.h"
#include "base/stats.h"
#include "baton.h"
#include "measure.h"
#include "mimo/secrecy.h"
#include "mimo/spzf.h"
#include "row.h"

#include <cblas.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N_CHANNEL = 2048, MAX_N = 128, MAX_K = 3, ROW_OF = 64, N_PAIR = 10 };

static double complex channels[N_CHANNEL * MAX_K * MAX_N];

static int compare(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

void zpotrf_(const char *uplo, const int *n, double complex *a, const int *lda, int *info);

/* Mean microseconds of A = H (H^H H)^-1 in the best of some passes over part of the channels, column-major. */
static double lapack_us(int n_ant, int n_user)
{
    enum { PASSES = 20, N = 64 };
    static double complex A[MAX_K * MAX_N];
    double complex G[MAX_K * MAX_K];
    const double complex one = 1;
    double best = INFINITY;
    for (int pass = 0; pass < PASSES; pass++) {
        const uint64_t start = clock_mono_ns();
        for (int c = 0; c < N; c++) {
            const double complex *H = channels + (size_t)(c * n_user * n_ant);
            int info;
            memcpy(A, H, (size_t)(n_user * n_ant) * sizeof *A);
            cblas_zherk(CblasColMajor, CblasLower, CblasConjTrans, n_user, n_ant, 1, H, n_ant, 0, G, n_user);
            zpotrf_("L", &n_user, G, &n_user, &info);
            cblas_ztrsm(CblasColMajor, CblasRight, CblasLower, CblasConjTrans, CblasNonUnit, n_ant, n_user, &one, G,
                        n_user, A, n_ant);
            cblas_ztrsm(CblasColMajor, CblasRight, CblasLower, CblasNoTrans, CblasNonUnit, n_ant, n_user, &one, G,
                        n_user, A, n_ant);
        }
        best = fmin(best, 1e-3 * (double)(clock_mono_ns() - start) / N);
    }
    return best;
}

/* Least mean of ROW_OF in a row. */
static double best_us(const uint64_t *ns, int n)
{
    double best = INFINITY;
    for (int first = 0; first + ROW_OF <= n || first == 0; first += ROW_OF) {
        double sum = 0;
        const int some = n - first < ROW_OF ? n - first : ROW_OF;
        for (int i = 0; i < some; i++) {
            sum += 1e-3 * (double)ns[first + i];
        }
        best = fmin(best, sum / some);
    }
    return best;
}

/* In turn with another build: processor time of a solve, N_PAIR means of ROW_OF. */
static void measure_pairs(spzf_t *spzf, size_t stride)
{
    double complex beam[MAX_N];
    struct spzf_result result;
    double us[N_PAIR];
    for (int p = 0; p < N_PAIR && baton_is_open(); p++) {
        baton_pass();
        const double start = measure_us();
        for (int i = 0; i < ROW_OF; i++) {
            spzf_execute(spzf, channels + (size_t)(p * ROW_OF + i) * stride, beam, &result);
        }
        us[p] = (measure_us() - start) / ROW_OF;
    }
    row_samples("best_us", N_PAIR, us);
}

/* Solves until half a second has passed or the count is reached; at least 20. */
static int measure(const struct spzf_settings *settings, const char *name, int count, uint64_t *ns)
{
    double complex beam[MAX_N];
    struct splitmix rng = splitmix_make(1, (uint64_t)settings->n_ant);
    spzf_t *spzf;
    if (spzf_create(&spzf, settings)) {
        return -1;
    }
    size_t stride = (size_t)settings->n_user * (size_t)settings->n_ant;
    secrecy_rayleigh(&rng, N_CHANNEL * settings->n_user, settings->n_ant, channels);
    measure_pairs(spzf, stride);
    uint64_t sum = 0;
    int n = 0, outages = 0;
    for (int t = 0; t < count && (sum < 500000000u || n < 20); t++) {
        struct spzf_result result;
        uint64_t start = clock_mono_ns();
        spzf_execute(spzf, channels + (size_t)(t % N_CHANNEL) * stride, beam, &result);
        ns[n] = clock_mono_ns() - start;
        sum += ns[n++];
        outages += result.outage != 0;
    }
    spzf_destroy(spzf);
    const double best = best_us(ns, n);
    qsort(ns, (size_t)n, sizeof(*ns), compare);
    ROW(name, {"best_us", best}, {"median_us", 1e-3 * (double)ns[n / 2]},
        {"p99_us", 1e-3 * (double)ns[(size_t)n * 99 / 100]}, {"mean_us", 1e-3 * (double)sum / n},
        {"ratio", lapack_us(settings->n_ant, settings->n_user) / best}, {"outage", (double)outages / n});
    return 0;
}

static double clock_cost_us(uint64_t *ns)
{
    for (int i = 0; i < 1000; i++) {
        uint64_t start = clock_mono_ns();
        ns[i] = clock_mono_ns() - start;
    }
    qsort(ns, 1000, sizeof(*ns), compare);
    return 1e-3 * (double)ns[500];
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        enum spzf_method method;
    } methods[] = {
        {"random", SPZF_RANDOM},
        {"iterative", SPZF_ITERATIVE},
        {"iterative FC", SPZF_ITERATIVE_FC},
        {"genetic", SPZF_GENETIC},
        {"pair and fill", SPZF_PAIR_FILL},
        {"best fit", SPZF_BEST_FIT},
        {"SPZF+", SPZF_PLUS},
        {"LM", SPZF_LM},
    };
    static const int shapes[][2] = {{2, 16}, {2, 32}, {2, 64}, {2, 128}, {3, 64}};
    row_open(&argc, argv);
    openblas_set_num_threads(1);
    int count = argc == 3 && strcmp(argv[1], "--solves") == 0 ? atoi(argv[2]) : 20000;
    count = baton_is_open() ? 20 : count < 1000 ? 1000 : count; /* in turn: measure_pairs has its own */
    uint64_t *ns = calloc((size_t)count + 1000, sizeof(*ns));   /* the clock is read 1000 times */
    if (!ns) {
        fprintf(stderr, "bench_spzf: out of memory for %d samples\n", count);
        return 1;
    }
    row_section("the clock itself");
    ROW("one reading", {"median_us", clock_cost_us(ns)});
    for (size_t s = 0; s < sizeof(shapes) / sizeof(*shapes); s++) {
        row_section("phase-only ZF, %d users, %d antennas, portable", shapes[s][0], shapes[s][1]);
        for (size_t m = 0; m < sizeof(methods) / sizeof(*methods); m++) {
            struct spzf_settings settings = spzf_settings_default(methods[m].method, shapes[s][1], shapes[s][0]);
            if (measure(&settings, methods[m].name, count, ns)) {
                fprintf(stderr, "bench_spzf: cannot create %s\n", methods[m].name);
                return 1;
            }
        }
    }
    free(ns);
    return 0;
}
