/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Microseconds per phase-only zero-forcing solve: bench_spzf [--solves T] [--json]. The solves walk through 2048
 * Rayleigh channels, too many for the branch predictor to learn; the median is the machine's, p99 holds the retries
 * too, and the mean over the run is what a budget sees. The clock's own cost (printed) is included. */
#include "base/clock.h"
#include "base/stats.h"
#include "mimo/secrecy.h"
#include "mimo/spzf.h"
#include "row.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N_CHANNEL = 2048, MAX_N = 128, MAX_K = 3 };

static double complex channels[N_CHANNEL * MAX_K * MAX_N];

static int compare(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
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
    qsort(ns, (size_t)n, sizeof(*ns), compare);
    ROW(name, {"median_us", 1e-3 * (double)ns[n / 2]}, {"p99_us", 1e-3 * (double)ns[(size_t)n * 99 / 100]},
        {"mean_us", 1e-3 * (double)sum / n}, {"outage", (double)outages / n});
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
    int count = argc == 3 && strcmp(argv[1], "--solves") == 0 ? atoi(argv[2]) : 20000;
    count = count < 1000 ? 1000 : count;
    uint64_t *ns = calloc((size_t)count, sizeof(*ns));
    if (!ns) {
        fprintf(stderr, "bench_spzf: out of memory for %d samples\n", count);
        return 1;
    }
    row_section("the clock itself");
    ROW("one reading", {"median_us", clock_cost_us(ns)});
    for (size_t s = 0; s < sizeof(shapes) / sizeof(*shapes); s++) {
        row_section("phase-only ZF, %d users, %d antennas", shapes[s][0], shapes[s][1]);
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
