/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tools/study/rlspa_worker.h"

#include "base/error.h"
#include "base/stats.h"
#include "rlspa/descent.h"
#include "rlspa/yardstick.h"

#include <math.h>
#include <stdlib.h>

struct rlspa_drop_setting rlspa_worker_setting(const struct study_run *run)
{
    return (struct rlspa_drop_setting){
        .n_ap = (int)study_value(run, "n_ap"),
        .n_ant = (int)study_value(run, "n_ant"),
        .n_ue = (int)study_value(run, "n_ue"),
        .n = (int)study_value(run, "n_served"),
        .alpha = study_value(run, "alpha"),
        .side_km = study_value(run, "side_m") / 1000,
    };
}

static int check(const struct rlspa_drop_setting *s)
{
    if (s->n_ap < 1 || s->n_ap > TUTTI_MAX_AP || s->n_ant < 1 || s->n_ant > TUTTI_MAX_ANT || s->n < 1 ||
        s->n > RLSPA_MOST || s->n_ue < s->n || s->n_ue > 4096 || !(s->alpha >= 0 && s->alpha < 1) ||
        !(s->side_km > 0)) {
        return error_set(
            TUTTI_EINVAL,
            "study: n_ap %d (1 to %d), n_ant %d (1 to %d), n_served %d (1 to %d), n_ue %d (n_served to 4096), "
            "alpha %g (0 to below 1), side_m above 0",
            s->n_ap, TUTTI_MAX_AP, s->n_ant, TUTTI_MAX_ANT, s->n, RLSPA_MOST, s->n_ue, s->alpha);
    }
    return 0;
}

static void release(struct rlspa_worker *w)
{
    rlspa_drop_destroy(&w->drop);
    symbol_destroy(w->symbol);
    gmi_destroy(w->gmi);
    nnls_destroy(w->nnls);
    w->symbol = NULL;
    w->gmi = NULL;
    w->nnls = NULL;
}

/* Solvers of this size. */
static int prepare(struct rlspa_worker *w, const struct rlspa_drop_setting *s)
{
    const struct rlspa_drop_setting *const old = &w->drop.set;
    if (w->drop.storage && old->n_ap == s->n_ap && old->n_ant == s->n_ant && old->n_ue == s->n_ue && old->n == s->n) {
        w->drop.set = *s;
        return 0;
    }
    release(w);
    int status = check(s);
    status = status ? status : rlspa_drop_create(&w->drop, s);
    status = status ? status : symbol_create(&w->symbol, s->n);
    status = status ? status : gmi_create(&w->gmi, s->n_ap * s->n_ant, s->n);
    return status ? status : nnls_create(&w->nnls, s->n);
}

int rlspa_worker_open(const struct study_run *run, void **worker)
{
    const struct rlspa_drop_setting setting = rlspa_worker_setting(run);
    const size_t symbols = (size_t)RLSPA_MOST * RLSPA_GMI_SYMBOLS;
    const size_t work = rate_work(RLSPA_MOST) + yardstick_wmmse_work(RLSPA_MOST) + block_work(RLSPA_MOST);
    struct rlspa_worker *const w = calloc(1, sizeof *w);
    *worker = w;
    if (w) {
        w->storage = calloc(3 * symbols + RLSPA_GMI_SYMBOLS + work, sizeof *w->storage);
    }
    if (!w || !w->storage) {
        return error_set(TUTTI_ENOMEM, "study: out of memory");
    }
    w->x_re = w->storage;
    w->x_im = w->x_re + symbols;
    w->P = w->x_im + symbols;
    w->lambda = w->P + symbols;
    w->work = w->lambda + RLSPA_GMI_SYMBOLS;
    return prepare(w, &setting);
}

int rlspa_worker_begin(struct rlspa_worker *w, const struct study_run *run, const struct rlspa_drop_setting *setting,
                       uint64_t drop)
{
    const struct rlspa_drop_setting standard = rlspa_worker_setting(run);
    const int status = prepare(w, setting ? setting : &standard);
    if (!status) {
        rlspa_drop_draw(&w->drop, study_seed(run), (int)drop);
    }
    return status;
}

void rlspa_worker_close(void *worker)
{
    struct rlspa_worker *const w = worker;
    if (w) {
        release(w);
        free(w->storage);
        free(w);
    }
}

/* Powers and rates of a drop --------------------------------------------------------------------------------------- */

void rlspa_worker_allocate(struct rlspa_worker *w, bool qpsk, int T, double factor, enum links_policy policy)
{
    struct split X = {w->x_re, w->x_im};
    rlspa_drop_symbols(&w->drop, T * 2 + qpsk, qpsk, T, &X);
    symbol_load(w->symbol, &w->drop.links);
    symbol_lambda(&w->drop.links, w->drop.block.eps2, T, &X, w->lambda);
    for (int t = 0; t < T; t++) {
        w->lambda[t] *= factor;
    }
    symbol_execute(w->symbol, T, &X, w->lambda, policy, w->P);
}

double rlspa_worker_logdet(struct rlspa_worker *w, const double *p)
{
    return rate_logdet(&w->drop.links, w->drop.F, p, w->work);
}

double rlspa_worker_separate(struct rlspa_worker *w, const double *p)
{
    return rate_sinr(&w->drop.links, w->drop.F, p, NULL);
}

double rlspa_worker_symbol_rate(struct rlspa_worker *w, bool qpsk, double factor, enum links_policy policy)
{
    double sum = 0;
    rlspa_worker_allocate(w, qpsk, RLSPA_RATE_SYMBOLS, factor, policy);
    for (int t = 0; t < RLSPA_RATE_SYMBOLS; t++) {
        for (int k = 0; k < w->drop.links.n; k++) {
            w->p[k] = w->P[k * RLSPA_RATE_SYMBOLS + t];
        }
        sum += rlspa_worker_logdet(w, w->p);
    }
    return sum / RLSPA_RATE_SYMBOLS;
}

double rlspa_worker_gmi(struct rlspa_worker *w, bool qpsk, double factor, enum links_policy policy, double *energy)
{
    const struct split X = {w->x_re, w->x_im};
    rlspa_worker_allocate(w, qpsk, RLSPA_GMI_SYMBOLS, factor, policy);
    gmi_load(w->gmi, &w->drop.links, &w->drop.W);
    gmi_add(w->gmi, RLSPA_GMI_SYMBOLS, &X, w->P);
    if (energy) {
        *energy = gmi_energy(w->gmi);
    }
    return gmi_rate(w->gmi, w->drop.set.n_ant, w->drop.error, 1);
}

const double *rlspa_worker_equal(struct rlspa_worker *w)
{
    links_equal(&w->drop.links, w->p);
    return w->p;
}

const double *rlspa_worker_wmmse(struct rlspa_worker *w)
{
    yardstick_wmmse(&w->drop.links, w->drop.F, 100, w->work, w->p);
    return w->p;
}

const double *rlspa_worker_block(struct rlspa_worker *w, enum block_ridge kind)
{
    block_ridge(kind, &w->drop.links, &w->drop.block, NULL, w->ridge);
    block_solve(&w->drop.links, w->ridge, LINKS_FULL, w->p);
    return w->p;
}

const double *rlspa_worker_descent(struct rlspa_worker *w, bool robust, bool unit_noise)
{
    const struct links links = unit_noise ? rlspa_drop_unit_noise(&w->drop) : w->drop.links;
    block_ridge(BLOCK_BAYES, &links, &w->drop.block, NULL, w->ridge);
    descent_solve(&links, robust ? w->ridge : NULL, RLSPA_DESCENTS, LINKS_PAPER, w->h, w->p);
    if (unit_noise) {
        links_project(&links, LINKS_FULL, w->p, 1);
    }
    return w->p;
}

/* Tables ----------------------------------------------------------------------------------------------------------- */

void rlspa_table_panel(struct study_run *run, const struct rlspa_table *table, int from, int to, const char *title,
                       const char *x, const char *y)
{
    study_panel(run, title, x, y);
    for (int s = from; s < to; s++) {
        study_series(run, table->series[s], false);
        for (int i = 0; i < table->n_x; i++) {
            study_point(run, table->x[i], rlspa_table_mean(run, table, s, i));
        }
    }
}

struct study_estimate rlspa_table_mean(const struct study_run *run, const struct rlspa_table *table, int series, int x)
{
    return study_mean(run, series * table->n_x + x);
}

struct study_estimate rlspa_table_paired(const struct study_run *run, const struct rlspa_table *table, int series,
                                         int minus, int x)
{
    return study_paired(run, series * table->n_x + x, minus * table->n_x + x);
}

double rlspa_table_below(const struct study_run *run, const struct rlspa_table *table, int series, int other, int x)
{
    int below = 0, n = 0;
    for (int i = 0; i < study_n_drop(run); i++) {
        const double a = study_at(run, i, series * table->n_x + x), b = study_at(run, i, other * table->n_x + x);
        n += !isnan(a) && !isnan(b);
        below += a < b;
    }
    return n ? (double)below / n : (double)NAN;
}

double rlspa_table_largest(const struct study_run *run, const struct rlspa_table *table, int series, int x)
{
    double largest = -INFINITY;
    for (int i = 0; i < study_n_drop(run); i++) {
        largest = fmax(largest, study_at(run, i, series * table->n_x + x));
    }
    return largest;
}

double rlspa_table_median(const struct study_run *run, const struct rlspa_table *table, int series, int x)
{
    const int n = study_n_drop(run);
    double *const sorted = calloc((size_t)n, sizeof *sorted), median = NAN;
    if (sorted) {
        for (int i = 0; i < n; i++) {
            sorted[i] = study_at(run, i, series * table->n_x + x);
        }
        qsort(sorted, (size_t)n, sizeof *sorted, stats_ascending);
        median = stats_sorted_quantile(sorted, (size_t)n, 0.5);
    }
    free(sorted);
    return median;
}
