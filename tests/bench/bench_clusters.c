/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Vectors of user-centric clusters as the network grows at constant density (100 APs x 4 antennas and 40 users per
 * square kilometre, wrapped, 10 pilots, the 16 best APs of each user), and of whole precoders as the central node makes
 * them, beams, powers and predictions of many subbands: bench_clusters [--json]. */
#include "baton.h"
#include "channel/random.h"
#include "cluster/clusters.h"
#include "cluster/vectors.h"
#include "linalg/cmplx.h"
#include "measure.h"
#include "mimo/precoder.h"
#include "row.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N = 4, TAU = 10, ROUNDS = 9, N_SB = 16, ROUNDS_WHOLE = 24 };
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

/* What precoder_execute_batch takes. */
struct block {
    tutti_cf32 *H, *W, *P; /* estimates of users that access points hear, and of the pilots that they share */
    float *error, *beta, *budget, *sinr, *factor;
    uint8_t *active;
    struct mimo_channel channels[N_SB];
    struct mimo_solution solutions[N_SB];
    precoder_t *precoder;
};

static void block_destroy(struct block *b)
{
    precoder_destroy(b->precoder);
    free(b->H);
    free(b->W);
    free(b->P);
    free(b->factor);
    free(b->error);
    free(b->active);
}

/* Estimates of users on one pilot are in proportion at an AP (cluster/split.h): P is the pilot's, of power 1. */
static void draw_pilots(struct block *b, const struct network *w)
{
    for (int i = 0; i < N_SB * w->L * N * TAU; i++) {
        float re, im;
        random_normal(4, (uint64_t)i, &re, &im);
        b->P[i] = CMPLXF(re * sqrtf(0.5f), im * sqrtf(0.5f));
    }
    for (int i = 0; i < N_SB * w->L * N * w->K; i++) {
        const int k = i % w->K, link = i / w->K / N % w->L * w->K + k;
        b->H[i] = b->factor[link] * b->P[i / w->K * TAU + w->pilot[k]];
    }
}

/* Estimates of every subband, all else alike. An AP hears those whose pilots arrive above its noise; of the others it
 * knows how strong they are. */
static bool block_create(struct block *b, const struct network *w)
{
    const size_t links = (size_t)(w->L * w->K), one = N * links;
    const struct mimo_shape shape = {w->L, N, w->K};
    *b = (struct block){.H = calloc(N_SB * one, sizeof *b->H), .W = calloc(N_SB * one, sizeof *b->W)};
    b->error = calloc(2 * links + (size_t)w->L + N_SB * (size_t)w->K, sizeof *b->error);
    b->active = calloc((size_t)(w->L + w->K), 1);
    b->P = calloc((size_t)(N_SB * w->L * N * TAU), sizeof *b->P);
    b->factor = calloc(links, sizeof *b->factor);
    if (!b->H || !b->W || !b->P || !b->factor || !b->error || !b->active ||
        precoder_create_for(&b->precoder, &shape, precoder_schemes_below(MIMO_P_MMSE))) {
        return false;
    }
    b->beta = b->error + links;
    b->budget = b->beta + links;
    b->sinr = b->budget + w->L;
    memset(b->active, 1, (size_t)(w->L + w->K));
    for (size_t link = 0; link < links; link++) {
        const bool heard = TAU * w->beta[link] > 1 || w->served[link];
        b->factor[link] = heard ? (float)sqrt(w->beta[link] - w->error[link]) : 0;
        b->beta[link] = (float)w->beta[link];
        b->error[link] = (float)(heard ? w->error[link] : w->beta[link]);
    }
    draw_pilots(b, w);
    for (int l = 0; l < w->L; l++) {
        b->budget[l] = 1;
    }
    for (int s = 0; s < N_SB; s++) {
        b->channels[s] = (struct mimo_channel){.H_hat = b->H + (size_t)s * one,
                                               .error_variance = b->error,
                                               .ap_power = b->budget,
                                               .ap_active = b->active,
                                               .ue_active = b->active + w->L,
                                               .beta = b->beta,
                                               .serves = w->served,
                                               .knows_gain = true,
                                               .pilots = {b->P + s * w->L * N * TAU, b->factor, w->pilot, TAU}};
        b->solutions[s] =
            (struct mimo_solution){.zeroed = true, .W = b->W + (size_t)s * one, .sinr = b->sinr + s * w->K};
    }
    return true;
}

/* Microseconds per user and subband. */
static double execute(const struct network *w, struct block *b)
{
    const double start = measure_us();
    precoder_execute_batch(b->precoder, MIMO_P_MMSE, MIMO_POWER_FRACTIONAL, N_SB, b->channels, b->solutions);
    return (measure_us() - start) / N_SB / w->K;
}

struct whole {
    double us, alone_us, reference_us;
    unsigned long allocations;
};

/* Best of some: in lanes; one subband alone in double precision; and the network that this one is compared with, in
 * turn with it, for other work on the machine counts for both then. */
static bool measure_whole(const struct network *w, const struct network *reference, struct whole *best)
{
    struct block b, r;
    const bool made = block_create(&b, w), both = block_create(&r, reference) && made;
    *best = (struct whole){INFINITY, INFINITY, INFINITY, 0};
    measure_count(true);
    const unsigned long before = measure_allocations();
    for (int i = 0; i < ROUNDS_WHOLE && both; i++) {
        best->reference_us = fmin(best->reference_us, execute(reference, &r));
        best->us = fmin(best->us, execute(w, &b));
        const double start = measure_us();
        precoder_execute(b.precoder, MIMO_P_MMSE, MIMO_POWER_FRACTIONAL, &b.channels[i % N_SB], &b.solutions[i % N_SB]);
        best->alone_us = fmin(best->alone_us, (measure_us() - start) / w->K);
    }
    best->allocations = measure_allocations() - before;
    measure_count(false);
    block_destroy(&b);
    block_destroy(&r);
    return both;
}

/* One size: vectors alone, then whole precoders. False: out of memory. */
static bool measure_size(int n_ap, const struct network *reference, double *at_100)
{
    struct network w;
    struct whole whole;
    char name[64];
    double neighbours;
    unsigned long allocations;
    bool made = create(&w, n_ap);
    if (made) {
        draw(&w);
        const double us = measure(&w, &neighbours, &allocations);
        *at_100 = n_ap == reference->L ? us : *at_100;
        snprintf(name, sizeof name, "%d APs x %d, %d users", w.L, N, w.K);
        ROW(name, {"best_us", us}, {"ratio_to_100_aps", us / *at_100}, {"neighbours", neighbours},
            {"allocations", (double)allocations});
        made = measure_whole(&w, reference, &whole);
        snprintf(name, sizeof name, "%d APs x %d, %d users, whole precoder", w.L, N, w.K);
        ROW(name, {"best_us", whole.us}, {"ratio_to_100_aps", whole.us / whole.reference_us},
            {"ratio", whole.alone_us / whole.us}, {"allocations", (double)whole.allocations});
    }
    destroy(&w);
    return made;
}

int main(int argc, char **argv)
{
    static const int APS[] = {50, 100, 200, 320, 400};
    double at_100 = NAN;
    struct network reference;
    row_open(&argc, argv);
    row_section("P-MMSE, per user and subband, constant density");
    bool made = create(&reference, 100);
    if (made) {
        draw(&reference);
    }
    for (size_t i = 0; i < sizeof APS / sizeof *APS && made; i++) {
        made = measure_size(APS[i], &reference, &at_100);
    }
    destroy(&reference);
    if (!made) {
        fprintf(stderr, "bench_clusters: out of memory\n");
    }
    return !made;
}
