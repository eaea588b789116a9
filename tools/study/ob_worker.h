/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the studies of max-min optimum beamforming share: random drops in a wrapped square, pilots and what is estimated
 * with them, four precoders, and the SINRs that users see. Units: receiver noise 1, power 1 per AP. A number depends on
 * seed, drop and realisation alone: all pilot lengths, powers and schemes meet the same places and fading. */
#ifndef TUTTI_TOOLS_STUDY_OB_WORKER_H
#define TUTTI_TOOLS_STUDY_OB_WORKER_H

#include "control/maxmin_cb.h"
#include "mimo/precoder.h"
#include "tools/study/study.h"

enum { OB_MOST_UE = 64 };

/* ZF_INST: max-min power per realisation. ZF_LSF: one set of powers per drop, from the means over fading of what
 * errors and budgets cost, as the paper has it. */
enum ob_scheme { OB_OB, OB_ZF_INST, OB_ZF_LSF, OB_CB, OB_N_SCHEME };
extern const char *const OB_SCHEME_NAMES[OB_N_SCHEME];
enum ob_metric { OB_GENIE, OB_ESTIMATED, OB_N_METRIC };

struct ob_worker {
    int n_ap, n_ue, most_ap;
    double *beta, *c, *gamma;           /* [n_ap][n_ue] */
    double *truth_re, *truth_im;        /* [n_ap][n_ue] channels of this realisation */
    double *phi, *budget, *mean_budget; /* [n_ue][n_ue], [n_ap][n_ue] of zero-forcing with unit gains */
    double *mean_phi, *eta_zf, *work, *eta, *P;
    int *pilot;
    double *pilot_power;
    float *E, *sinr, *power;
    tutti_cf32 *H, *W, *before;
    uint8_t *active;
    precoder_t *precoder;
    maxmin_cb_t *cb;
    struct mimo_shape shape;
    struct mimo_channel channel;
    struct mimo_solution solution;
    double cb_sinr, cb_gap; /* of the closed form: every user's with max-min powers; distance from its bound */
    int tau_u, cb_iterations;
    int n_handed_over; /* of this drop: zero-forcing that was too near singular */
};

int ob_worker_open(const struct study_run *run, void **worker);
void ob_worker_close(void *worker);
/* Another drop, no larger than the parameters'. */
int ob_worker_draw(struct ob_worker *w, const struct study_run *run, uint64_t drop, int n_ap, int n_ue);
/* Pilots of this drop and what they let the APs know on average. */
void ob_worker_pilots(struct ob_worker *w, const struct study_run *run, uint64_t drop, int tau_u, double pilot_dbm);
/* Channels and estimates of a realisation. */
void ob_worker_realise(struct ob_worker *w, const struct study_run *run, uint64_t drop, uint64_t realisation);
/* Estimates of the block after (the channel itself stays), correlated with these. */
void ob_worker_next(struct ob_worker *w, const struct study_run *run, uint64_t drop, double correlation);
/* Once per drop and pilots, before ob_worker_solve of that scheme. */
void ob_worker_power_cb(struct ob_worker *w, double tolerance);
void ob_worker_power_zf(struct ob_worker *w, const struct study_run *run, uint64_t drop, int n_realisation);
/* W for the estimates of this realisation. */
void ob_worker_solve(struct ob_worker *w, enum ob_scheme scheme);
/* Largest power of an AP with W; the least SINR that W gives by the estimates and their errors, in double precision. */
double ob_worker_peak(const struct ob_worker *w);
double ob_worker_predicted(const struct ob_worker *w);
/* Net throughput (22) of every user in bit/s, NAN up to OB_MOST_UE: W on the true channel. */
void ob_worker_throughput(const struct ob_worker *w, const struct study_run *run, uint64_t drop, enum ob_metric metric,
                          double tau_c, double *out);
double ob_worker_net(const struct ob_worker *w, const struct study_run *run, double tau_c, double sinr);

#define OB_PARAMETERS                                                                                                  \
    {"side_m", 1000, 'A', "square, wrapped (T), APs and users uniform"},                                               \
        {"n_ap", 100, 'A', "M, one antenna each (T)"},                                                                 \
        {"n_ue", 40, 'I', "K: tau_u = 40 is without, 20 with contamination"},                                          \
        {"shadowing_db", 8, 'I', "beta = -140.7 dB - 35 log10 km + 8 z; exponent T, rest Hata-COST231"},               \
        {"bandwidth_hz", 20e6, 'A', "bandwidth"}, {"noise_figure_db", 9, 'I', "at 290 K"},                             \
        {"ap_dbm", 23, 'T', "downlink, per AP"}, {"tau_d", 40, 'I', "downlink pilots; the text demands tau_d >= K"},   \
    {                                                                                                                  \
        "pilots_random", 0, 'A', "0: balanced reuse after a permutation; 1: drawn independently, the paper's words"    \
    }
/* The end of every study's struct that is the same. */
#define OB_STUDY .counterpart = "tutti run examples/ob-campus.yaml", .open = ob_worker_open, .close = ob_worker_close

#define OB_CAVEAT_LOST                                                                                                 \
    "side, M, K, bandwidth and tau_d are lost in our copy of the paper, and which two powers are 23 dBm. With 23 "     \
    "dBm pilots our OB is 49, with 10 dBm 28.0/25.6/8.6 against the paper's 28/25/9.5, but Fig. 2's peak at 40 fits "  \
    "23 dBm: no single parameter set found reproduces both."
#define OB_CAVEAT_ZF                                                                                                   \
    "The contaminated ZF level (19.5) is not reproduced: two users with one pilot make ZF ill-conditioned; levels "    \
    "depend on reuse pattern and power control."
#define OB_CAVEAT_TIMES "The paper's CPU times are CVX on a 2014 workstation."

#endif
