/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Random networks of the studies of secure partial zero-forcing (scenario P): APs and users uniform in a square, the
 * eavesdropper uniform in a disc around user 0. Numbers depend on seed and drop alone. Powers over noise power. */
#ifndef TUTTI_TOOLS_STUDY_PPZF_DROP_H
#define TUTTI_TOOLS_STUDY_PPZF_DROP_H

#include "mimo/ppzf.h"

struct ppzf_scenario {
    int n_ap, n_ant, n_ue, tau, tau_c;
    double area_m, eve_radius_m, height_m; /* height difference between APs and users */
    bool three_slope;                      /* else UMi with 4 dB shadowing */
    double ap_dbm, pilot_dbm, eve_dbm, noise_dbm, upsilon;
};
extern const struct ppzf_scenario PPZF_SCENARIO; /* M = 32, N = 8, K = 8 in a square kilometre */

struct ppzf_drop {
    struct ppzf_scenario scenario;
    double *beta, *beta_eve, *pilot_power, *P; /* [n_ap][n_ue], [n_ap], [n_ue], [n_ap] */
};

/* 0, or TUTTI_ENOMEM. The pointer is filled before the numbers; destroy takes half-built drops and NULL. */
int ppzf_drop_create(struct ppzf_drop **drop, const struct ppzf_scenario *scenario);
void ppzf_drop_destroy(struct ppzf_drop *drop);
void ppzf_drop_fill(struct ppzf_drop *drop, uint64_t seed, uint64_t index);
/* Closed-form tables of a scheme in this drop. */
int ppzf_drop_tables(const struct ppzf_drop *drop, enum mimo_scheme scheme, struct ppzf_tables **tables);
double ppzf_drop_omega(const struct ppzf_drop *drop);

#endif
