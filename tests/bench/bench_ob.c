/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "baton.h"
#include "bench_mimo.h"
#include "mimo/ob.h"
#include "plain_ob.h"
#include "row.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { DROPS = 10, BLOCKS = 20 };

/* One way to solve a block: what it took, and the times the plain references took on the same channel. */
enum { MAX_VARIANT = 3, COLD = 0, WARM = 1, PLAIN = 2 * MAX_VARIANT, PLAIN_LEAVE_OUT, N_WAY };
struct track {
    char name[64];
    ob_t *ob;
    double us[DROPS * BLOCKS]; /* NAN where not run */
    double iterations;
    int n_run, n_failed;
    unsigned long n_allocation;
};

static void run_ob(struct channel_case *c, double gap, bool warm, int at, struct track *track)
{
    struct ob_settings settings;
    struct ob_result result;
    ob_settings_default(&settings);
    settings.tolerance = gap;
    settings.warm = warm;
    measure_count(true);
    const double start = measure_us();
    ob_solve(track->ob, &c->channel, &settings, &c->solution, &result);
    track->us[at] = measure_us() - start;
    measure_count(false);
    track->n_allocation += measure_allocations();
    track->iterations += result.iterations;
    track->n_failed += result.stop != OB_CONVERGED;
    track->n_run++;
}

static void run_plain(struct channel_case *c, double gap, bool leave_out_own, int at, struct track *track)
{
    const struct plain_ob_settings settings = {
        .gap = gap, .max_iterations = 5000, .leave_out_own = leave_out_own, .exponent = 1};
    struct plain_ob_result result;
    const double start = measure_us();
    const int rc = plain_ob_solve(c, &settings, &result);
    track->us[at] = measure_us() - start;
    track->iterations += result.iterations;
    track->n_failed += rc != 0 || !result.converged;
    track->n_run++;
}

/* Median over the blocks both ran on of b's time over a's. */
static double ratio(const struct track *a, const struct track *b)
{
    double r[DROPS * BLOCKS];
    int n = 0;
    for (int i = 0; i < DROPS * BLOCKS; i++) {
        if (isfinite(a->us[i]) && isfinite(b->us[i])) {
            r[n++] = b->us[i] / a->us[i];
        }
    }
    return n > 0 ? measure_summary(r, n).median_us : NAN;
}

/* 0.995 correlated from one block to the next. */
static void next_block(struct channel_case *c, struct random *random)
{
    const int n_ant = c->shape.n_ant, n_ue = c->shape.n_ue;
    for (int i = 0; i < c->shape.n_ap * n_ant * n_ue; i++) {
        const int mk = i / (n_ant * n_ue) * n_ue + i % n_ue;
        const double gamma = (double)c->beta[mk] - (double)c->E[mk];
        c->H[i] = (tutti_cf32)(sqrt(0.99) * (double complex)c->H[i] + sqrt(0.01 * gamma) * random_cn(random));
    }
}

static void line_ob(const struct track *tracks, int way)
{
    const struct track *t = &tracks[way];
    double us[DROPS * BLOCKS];
    int n = 0;
    for (int i = 0; i < DROPS * BLOCKS; i++) {
        if (isfinite(t->us[i])) {
            us[n++] = t->us[i];
        }
    }
    if (n == 0) {
        return;
    }
    row_samples("best_us", n, us);
    const struct measure_times times = measure_summary(us, n);
    ROW(t->name, {"best_us", times.best_us}, {"median_us", times.median_us}, {"p99_us", n < 100 ? NAN : times.p99_us},
        {"iterations", t->iterations / t->n_run}, {"not_converged", t->n_failed}, {"of_cold", ratio(&tracks[COLD], t)},
        {"of_warm", ratio(&tracks[WARM], t)}, {"allocations", t->ob ? (double)t->n_allocation : NAN});
}

static void tracks_create(struct track *tracks, const struct mimo_shape *shape)
{
    for (int w = 0; w < N_WAY; w++) {
        tracks[w] = (struct track){0};
        for (int i = 0; i < DROPS * BLOCKS; i++) {
            tracks[w].us[i] = NAN;
        }
    }
    snprintf(tracks[PLAIN].name, sizeof tracks->name, "plain, fixed point");
    snprintf(tracks[PLAIN_LEAVE_OUT].name, sizeof tracks->name, "plain, own signal left out");
    for (int v = 0; v < MAX_VARIANT && kernel_variant(v); v++) {
        kernel_select(kernel_variant(v));
        for (int w = COLD; w <= WARM; w++) {
            struct track *t = &tracks[2 * v + w];
            snprintf(t->name, sizeof t->name, "ob_solve, %s, %s", w == WARM ? "warm" : "cold", kernel_variant(v)->name);
            if (ob_create(&t->ob, shape)) {
                abort();
            }
        }
    }
    kernel_select(NULL);
}

/* The plain references, if wanted, on the last block of each drop. */
static void run_drop(struct track *tracks, struct channel_case *c, struct random *random, int drop, double gap,
                     bool plain)
{
    for (int block = 0; block < BLOCKS; block++) {
        const int at = drop * BLOCKS + block;
        baton_pass();
        for (int v = 0; v < MAX_VARIANT && tracks[2 * v].ob; v++) {
            run_ob(c, gap, false, at, &tracks[2 * v + COLD]);
            run_ob(c, gap, block > 0, at, &tracks[2 * v + WARM]);
        }
        for (int leave_out = 0; plain && block == BLOCKS - 1 && leave_out < 2; leave_out++) {
            run_plain(c, gap, leave_out, at, &tracks[PLAIN + leave_out]);
        }
        next_block(c, random);
    }
}

void bench_ob(int n_ap, int n_ant, int n_ue, double gap, bool plain)
{
    static struct track tracks[N_WAY];
    const struct mimo_shape shape = {n_ap, n_ant, n_ue};
    struct random random = {78};
    tutti_cf32 *truth = calloc((size_t)(n_ap * n_ant) * (size_t)n_ue, sizeof *truth);
    if (!truth) {
        abort();
    }
    tracks_create(tracks, &shape);
    for (int drop = 0; drop < row_rounds(DROPS); drop++) {
        struct channel_case c;
        case_create_cell_free(&c, &random, n_ap, n_ant, n_ue, n_ue, truth);
        run_drop(tracks, &c, &random, drop, gap, plain);
        case_destroy(&c);
    }
    row_section("max-min optimum, M=%d N=%d K=%d, gap %g", n_ap, n_ant, n_ue, gap);
    for (int w = 0; w < N_WAY; w++) {
        line_ob(tracks, w);
        ob_destroy(tracks[w].ob);
    }
    free(truth);
}
