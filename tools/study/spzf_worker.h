/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the studies of phase-only zero-forcing share: methods, cases of channel and method, their outages in a drop. A
 * drop is a batch of channels; every method of a case meets the same channels. */
#ifndef TUTTI_TOOLS_STUDY_SPZF_WORKER_H
#define TUTTI_TOOLS_STUDY_SPZF_WORKER_H

#include "mimo/secrecy.h"
#include "mimo/spzf.h"
#include "tools/study/study.h"

enum { SPZF_STUDY_ANT = 128, SPZF_STUDY_USER = 4, SPZF_STUDY_EVE = 16 };

/* Those of the paper first; then ours. */
enum spzf_variant {
    SPZF_V_RANDOM,
    SPZF_V_ITERATIVE, /* balanced start, which the paper's Proposition 8 needs */
    SPZF_V_UNIFORM,   /* uniform start, as its text says */
    SPZF_V_FC,
    SPZF_V_GENETIC,
    SPZF_V_BEST_FIT, /* with mirrors */
    SPZF_V_PLUS,     /* without its numerical fallback */
    SPZF_V_LM,       /* one random start */
    SPZF_V_LM_TEN,   /* ten */
    SPZF_V_N
};
const char *spzf_variant_name(enum spzf_variant variant);

struct spzf_case {
    int n_path; /* 0: Rayleigh */
    int n_user, n_ant, n_sets;
    enum spzf_variant variant;
};

enum spzf_value { SPZF_SHARE_E1, SPZF_SHARE_OUTAGE, SPZF_SHARE_INFEASIBLE, SPZF_N_SHARE }; /* per case in a row */

struct spzf_worker {
    int n_case, n_channel; /* channels per drop; the genetic search takes every fifth */
    const struct spzf_case *cases;
    spzf_t **solvers;
    double complex H[SPZF_STUDY_USER * SPZF_STUDY_ANT], He[SPZF_STUDY_EVE * SPZF_STUDY_ANT], beam[SPZF_STUDY_ANT];
};

/* cases stay the caller's. 0, TUTTI_EINVAL, TUTTI_ENOMEM. */
int spzf_worker_open(const struct study_run *run, const struct spzf_case *cases, int n_case, void **worker);
void spzf_worker_close(void *worker);
/* Rows of users into w->H, a key for whatever else this channel needs. */
struct splitmix spzf_worker_channel(const struct study_run *run, struct spzf_worker *w, uint64_t drop, int channel,
                                    const struct spzf_case *c);
/* Channels per drop that a case looks at, and the step between them. */
int spzf_worker_step(const struct spzf_case *c);
/* Solves case i for the channel in w->H; outage bits. */
unsigned spzf_worker_solve(struct spzf_worker *w, int i);
/* Shares of the drop's channels, values [n_case][SPZF_N_SHARE]. */
void spzf_worker_outages(const struct study_run *run, struct spzf_worker *w, uint64_t drop, double *values);

/* For evaluate: a share over all channels with the half-width of its Wilson 95 % interval as 1.96 standard errors. */
struct study_estimate spzf_share(const struct study_run *run, const struct spzf_case *cases, int i,
                                 enum spzf_value value);
/* Within 4 combined standard errors of a share seen in so many trials (a zero: at most 5 / trials). */
void spzf_check_share(struct study_run *run, struct study_estimate found, double want, double trials,
                      const char *format, ...) __attribute__((format(printf, 5, 6)));

/* Probability that n Rayleigh magnitudes cannot close a polygon: n E[exp(-S^2)], S the sum of n - 1 (spzf 4.5). */
double spzf_polygon_failure(int n);
/* (42)-(44), the random partition of n_ant antennas into equal sets: P(E1), P(outage). */
double spzf_formula_e1(int n_ant, int n_sets);
double spzf_formula_outage(int n_ant, int n_sets);

#define SPZF_CHANNELS                                                                                                  \
    {                                                                                                                  \
        "channels", 100, 'A', "channels per drop; the genetic search takes every fifth"                                \
    }
#define SPZF_SPACING 0.5 /* wavelengths, A */
#define SPZF_COUNTERPART "tutti run examples/analog-noise.yaml"

#endif
