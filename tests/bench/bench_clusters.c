/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Vectors of user-centric clusters as the network grows at constant density (100 APs x 4 antennas and 40 users per
 * square kilometre, wrapped, 10 pilots, the 16 best APs of each user): bench_clusters [--json]. */
#include "baton.h"
#include "channel/random.h"
#include "cluster/clusters.h"
#include "cluster/vectors.h"
#include "measure.h"
#include "row.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { N = 4, TAU = 10, ROUNDS = 9 };
static const double AT_ONE_KM_DB = -30.5 - 110.1 + 114; /* UMi at 1 km, 100 mW over -94 dBm */

struct network {
    int L, K;
    double *storage, *beta, *error, *Gr, *Gi, *Vr, *Vi, *sum, *us;
    uint8_t *served;
    int *pilot, *best;
    vectors_t *vectors;
};

static bool create(struct network *w, int L)
{
    const int K = L * 2 / 5;
    const size_t links = (size_t)(L * K);
    *w = (struct network){.L = L, .K = K};
    w->storage = calloc((2 + 2 * N) * links + 2 * (size_t)(L * N) + (size_t)K + TAU, sizeof *w->storage);
    w->served = calloc(links, sizeof *w->served);
    w->pilot = calloc((size_t)K, sizeof *w->pilot);
    w->best = calloc(TAU, sizeof *w->best);
    if (!w->storage || !w->served || !w->pilot || !w->best || vectors_create(&w->vectors, L, N, K)) {
        return false;
    }
    w->beta = w->storage;
    w->error = w->beta + links;
    w->Gr = w->error + links;
    w->Gi = w->Gr + N * links;
    w->Vr = w->Gi + N * links;
    w->Vi = w->Vr + L * N;
    w->sum = w->Vi + L * N;
    w->us = w->sum + TAU;
    return true;
}

static void destroy(struct network *w)
{
    free(w->storage);
    free(w->served);
    free(w->pilot);
    free(w->best);
    vectors_destroy(w->vectors);
}

/* Shorter way round on a ring. */
static double wrapped(double side, uint64_t a, uint64_t b, uint64_t axis)
{
    const double d = side * fabs(random_uniform(a, axis) - random_uniform(b, axis));
    return fmin(d, side - d);
}

static void draw(struct network *w)
{
    const double side = sqrt(w->L / 100.0);
    const struct clusters_settings settings = {TAU, 16, 1, NULL};
    for (int i = 0; i < w->L * w->K; i++) {
        const uint64_t ap = random_key(1, RANDOM_POSITION_AP, (uint64_t)(i / w->K), 0, 0);
        const uint64_t ue = random_key(1, RANDOM_POSITION_UE, (uint64_t)(i % w->K), 0, 0);
        float z, unused;
        random_normal(2, (uint64_t)i, &z, &unused);
        const double km = hypot(hypot(wrapped(side, ap, ue, 0), wrapped(side, ap, ue, 1)), 0.01);
        w->beta[i] = pow(10, (AT_ONE_KM_DB - 36.7 * log10(km) + 4 * (double)z) / 10);
        w->error[i] = w->beta[i] / (1 + TAU * w->beta[i]);
    }
    for (int i = 0; i < w->L * N * w->K; i++) {
        const double a = sqrt(w->beta[i / w->K / N * w->K + i % w->K] / 2);
        float re, im;
        random_normal(3, (uint64_t)i, &re, &im);
        w->Gr[i] = a * re;
        w->Gi[i] = a * im;
    }
    clusters_pilots(w->L, w->K, TAU, w->beta, w->sum, w->pilot);
    clusters_form(w->L, w->K, &settings, w->beta, w->pilot, w->best, w->served);
    vectors_load(w->vectors, w->served);
}

/* Median over the users of their best of some rounds, microseconds. */
static double measure(struct network *w, double *neighbours, unsigned long *allocations)
{
    const struct vectors_csi csi = {w->Gr, w->Gi, w->error, NULL};
    const unsigned long before = measure_allocations();
    *neighbours = 0;
    measure_count(true);
    for (int i = 0; i < ROUNDS * w->K; i++) {
        if (i % ROUNDS == 0) {
            baton_pass();
        }
        const int k = i / ROUNDS;
        const double start = measure_us();
        *neighbours += vectors_user(w->vectors, VECTORS_PMMSE, &csi, k, w->Vr, w->Vi);
        const double us = measure_us() - start;
        w->us[k] = i % ROUNDS ? fmin(us, w->us[k]) : us;
    }
    measure_count(false);
    row_samples("best_us", w->K, w->us);
    *neighbours /= ROUNDS * w->K;
    *allocations = measure_allocations() - before;
    return measure_summary(w->us, w->K).median_us;
}

int main(int argc, char **argv)
{
    static const int APS[] = {50, 100, 200, 400};
    double at_100 = NAN;
    row_open(&argc, argv);
    row_section("P-MMSE, per user and subband, constant density");
    for (size_t i = 0; i < sizeof APS / sizeof *APS; i++) {
        struct network w;
        char name[64];
        double neighbours;
        unsigned long allocations;
        if (!create(&w, APS[i])) {
            fprintf(stderr, "bench_clusters: out of memory\n");
            destroy(&w);
            return 1;
        }
        draw(&w);
        const double us = measure(&w, &neighbours, &allocations);
        at_100 = APS[i] == 100 ? us : at_100;
        snprintf(name, sizeof name, "%d APs x %d, %d users", w.L, N, w.K);
        ROW(name, {"best_us", us}, {"ratio_to_100_aps", us / at_100}, {"neighbours", neighbours},
            {"allocations", (double)allocations});
        destroy(&w);
    }
    return 0;
}
