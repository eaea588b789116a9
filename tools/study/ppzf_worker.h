/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a job of the studies of secure partial zero-forcing computes a drop with, and the parameters that they share. */
#ifndef TUTTI_TOOLS_STUDY_PPZF_WORKER_H
#define TUTTI_TOOLS_STUDY_PPZF_WORKER_H

#include "tools/study/ppzf_drop.h"
#include "tools/study/study.h"

/* What every study of them has, at sizes of its own. */
#define PPZF_SCENARIO(area_m, n_ap, n_ant, n_ue, eve_dbm, eve_says)                                                    \
    {"area_m", area_m, 'A', "side of the square, no wrap"}, {"n_ap", n_ap, 'A', "M"},                                  \
        {"n_ant", n_ant, 'A', "N per AP"}, {"n_ue", n_ue, 'A', "K; pilots of length K"},                               \
        {"eve_radius_m", 100, 'T', "disc around user 0"}, {"height_m", 10, 'A', "height difference"},                  \
        {"noise_dbm", -92, 'A', "20 MHz, noise figure 9 dB"}, {"ap_dbm", 23.0103, 'A', "200 mW"},                      \
        {"pilot_dbm", 20, 'A', "100 mW"}, {"eve_dbm", eve_dbm, 'A', eve_says},                                         \
        {"tau_c", 200, 'A', "coherence block, samples"},                                                               \
    {                                                                                                                  \
        "upsilon", 0.95, 'A', "share of the gain that makes users strong"                                              \
    }
#define PPZF_TARGETS                                                                                                   \
    {"r_des", 5, 'A', "bit/s/Hz"},                                                                                     \
    {                                                                                                                  \
        "s_des", 5, 'A', "bit/s/Hz"                                                                                    \
    }
#define PPZF_PARAMETERS PPZF_SCENARIO(1000, 32, 8, 8, 20, "100 mW"), PPZF_TARGETS
/* The end of every study's struct that is the same. */
#define PPZF_STUDY .counterpart = "tutti run examples/attack.yaml", .open = ppzf_worker_open, .close = ppzf_worker_close

struct ppzf_worker {
    struct ppzf_drop *drop;
    struct ppzf_tables *tables;
    gap_t *gap;
    double *eta, *eta_an;
};

/* For study's open and close. */
int ppzf_worker_open(const struct study_run *run, void **worker);
void ppzf_worker_close(void *worker);
/* The parameters as a scenario. */
struct ppzf_scenario ppzf_worker_scenario(const struct study_run *run);
/* Draws the drop in this scenario (no larger than the parameters'), and sets the problem; powers are equal, no noise.
 */
int ppzf_worker_set(struct ppzf_worker *worker, const struct ppzf_scenario *scenario, uint64_t seed, uint64_t index,
                    enum mimo_scheme scheme, const struct gap_targets *targets);
/* Other targets, same drop; powers are equal again. */
int ppzf_worker_aim(struct ppzf_worker *worker, const struct gap_targets *targets);
struct gap_targets ppzf_worker_targets(const struct study_run *run, double w_sec);

#endif
