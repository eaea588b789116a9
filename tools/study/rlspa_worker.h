/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the studies of robust power allocation share: a job's drop and solvers, powers and rates of a drop, and a drop's
 * numbers as a table [n_series][n_x], from which the figure's series follow. */
#ifndef TUTTI_TOOLS_STUDY_RLSPA_WORKER_H
#define TUTTI_TOOLS_STUDY_RLSPA_WORKER_H

#include "rlspa/nnls.h"
#include "rlspa/rate.h"
#include "rlspa/symbol.h"
#include "tools/study/rlspa_drop.h"
#include "tools/study/study.h"

enum { RLSPA_RATE_SYMBOLS = 32, RLSPA_GMI_SYMBOLS = 2000, RLSPA_DESCENTS = 30, RLSPA_MOST = 32 };

struct rlspa_worker {
    struct rlspa_drop drop;
    symbol_t *symbol;
    gmi_t *gmi;
    nnls_t *nnls;
    double *storage, *x_re, *x_im, *P, *lambda, *work; /* X, P [n][up to RLSPA_GMI_SYMBOLS] */
    double p[RLSPA_MOST], ridge[RLSPA_MOST], h[RLSPA_MOST];
};

int rlspa_worker_open(const struct study_run *run, void **worker);
void rlspa_worker_close(void *worker);
/* The parameters' setting. */
struct rlspa_drop_setting rlspa_worker_setting(const struct study_run *run);
/* Draws a drop in a setting, NULL: the parameters'; 0 or a negative code. */
int rlspa_worker_begin(struct rlspa_worker *w, const struct study_run *run, const struct rlspa_drop_setting *setting,
                       uint64_t drop);

/* Powers of T symbols at factor times lambda (27), into w->P; x into w->x_re, w->x_im. */
void rlspa_worker_allocate(struct rlspa_worker *w, bool qpsk, int T, double factor, enum links_policy policy);
/* Powers of the block, valid until the next call. */
const double *rlspa_worker_equal(struct rlspa_worker *w);
const double *rlspa_worker_wmmse(struct rlspa_worker *w);
const double *rlspa_worker_block(struct rlspa_worker *w, enum block_ridge kind);
/* GDPA, or RGDPA with the ridge bayes; in the scale of unit noise rescaled to the budget. */
const double *rlspa_worker_descent(struct rlspa_worker *w, bool robust, bool unit_noise);
double rlspa_worker_logdet(struct rlspa_worker *w, const double *p);   /* sum rate (3) */
double rlspa_worker_separate(struct rlspa_worker *w, const double *p); /* separate decoding */
/* Mean of (3) over the powers of the symbols, as the paper has it. */
double rlspa_worker_symbol_rate(struct rlspa_worker *w, bool qpsk, double factor, enum links_policy policy);
/* Achievable rate at the radiated energy Pt; energy (may be NULL) is what the rule radiates by itself. */
double rlspa_worker_gmi(struct rlspa_worker *w, bool qpsk, double factor, enum links_policy policy, double *energy);

struct rlspa_table {
    const char *const *series; /* up to NULL */
    const double *x;
    int n_x;
};
/* Series from..to - 1 as curves of one panel. */
void rlspa_table_panel(struct study_run *run, const struct rlspa_table *table, int from, int to, const char *title,
                       const char *x, const char *y);
struct study_estimate rlspa_table_mean(const struct study_run *run, const struct rlspa_table *table, int series, int x);
struct study_estimate rlspa_table_paired(const struct study_run *run, const struct rlspa_table *table, int series,
                                         int minus, int x);
/* Share of drops in which one series is below another. */
double rlspa_table_below(const struct study_run *run, const struct rlspa_table *table, int series, int other, int x);
double rlspa_table_largest(const struct study_run *run, const struct rlspa_table *table, int series, int x);
double rlspa_table_median(const struct study_run *run, const struct rlspa_table *table, int series, int x);
/* side, antennas and the rest of the scenario; to be followed by the end mark */
#define RLSPA_PARAMETERS                                                                                               \
    {"side_m", 400, 'T', "square, uniform APs and users, 2-D distance without wrap (A)"},                              \
        {"n_ap", 16, 'A', "access points"}, {"n_ant", 4, 'A', "antennas of each"},                                     \
        {"n_ue", 128, 'A', "candidates; more than antennas is T"}, {"n_served", 16, 'A', "scheduled at once"},         \
    {                                                                                                                  \
        "alpha", 0.1, 'A', "share of a channel's variance that the estimate misses"                                    \
    }

/* The end of every study's struct that is the same. */
#define RLSPA_STUDY                                                                                                    \
    .counterpart = "tutti run examples/scheduling.yaml (block-level powers; the symbol level is offline)",             \
    .open = rlspa_worker_open, .close = rlspa_worker_close

#endif
