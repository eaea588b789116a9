/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The family of precoders that each AP builds alone: maximum ratio (MRT, MIMO_CB), full (FZF), partial (PZF) and
 * protective partial zero-forcing (PPZF) of [Interdonato 2020], with the pilot attack and the noise of [Yu 2026]. Each
 * AP alone builds its beams and its artificial noise from its own estimates; the powers come from closed-form SINRs of
 * large-scale quantities only. Long-term normalisation: E||w_mk||^2 = 1. Users are k = 0..; user 0 is the one an active
 * eavesdropper contaminates. Units: noise variance 1.
 */
#ifndef TUTTI_MIMO_PPZF_H
#define TUTTI_MIMO_PPZF_H

#include "base/schemes.h"
#include "control/gap.h"

/* One AP ------------------------------------------------------------------------------------------------------------
 */

/* Strong users of an AP ([Interdonato 2020]): the smallest set of largest beta that holds the share upsilon of the sum,
 * at most n_ant - 1, never a user with beta 0; MRT none; FZF all (the caller checks n_ue < n_ant). beta, strong [n_ue].
 * Returns their number. */
int ppzf_group(enum mimo_scheme scheme, int n_ant, int n_ue, const double *beta, double upsilon, uint8_t *strong);

/* Beams of mean power 1: H_hat, W [n_ant][n_ue], gamma [n_ue]. A user with gamma 0 gets none, nor is it one of the
 * strong (its mark is cleared, all marks with MIMO_CB). Returns 0, or TUTTI_ENUMERIC when the strong users' estimates
 * are linearly dependent (pilot reuse) or as many as antennas: W is then MRT to all. No allocation. */
int ppzf_beams(enum mimo_scheme scheme, int n_ant, int n_ue, uint8_t *strong, const double *gamma,
               const double complex *H_hat, double complex *W);
/* Artificial noise vector of unit norm in the null space of the strong users' estimates, from a Gaussian z [n_ant];
 * work [n_ant][n_ue]. Returns 0, or TUTTI_ENUMERIC (v = 0) when the null space is empty or z lies outside it. */
int ppzf_noise(int n_ant, int n_ue, const uint8_t *strong, const double complex *H_hat, const double complex *z,
               double complex *work, double complex *v);

/* The network -------------------------------------------------------------------------------------------------------
 */

struct ppzf_network {
    int n_ap, n_ant, n_ue;
    int tau;                   /* pilot length, samples, >= n_ue */
    const double *beta;        /* [n_ap][n_ue] */
    const double *beta_group;  /* [n_ap][n_ue] by which the APs chose their strong users; NULL = beta */
    const double *beta_eve;    /* [n_ap], or NULL without eavesdropper */
    const double *pilot_power; /* [n_ue] */
    const double *gamma; /* [n_ap][n_ue] variance of the estimates where it is known; NULL = MMSE from these pilots */
    double eve_pilot_power; /* 0 = passive */
    double upsilon;
    enum mimo_scheme scheme;
};

/* What the closed forms need; all [n_ap][n_ue] or [n_ap]. */
struct ppzf_tables {
    int n_ap, n_ant, n_ue;
    enum mimo_scheme scheme;
    double *c, *gamma;                 /* MMSE coefficient, variance of the estimates */
    double *gamma_eve;                 /* [n_ap] */
    uint8_t *strong;                   /* [n_ap][n_ue] */
    int *n_free;                       /* [n_ap] L_m = n_ant - number of strong users */
    double *gain;                      /* coherent amplitude gain A_mk */
    double *leak;                      /* b_mk = beta_mk - delta_mk gamma_mk, seen from projected streams and noise */
    double *leak_plain;                /* beta_mk, seen from unprojected streams (weak users of PZF) */
    double *gain_eve;                  /* [n_ap] */
    double *leak_eve, *leak_plain_eve; /* [n_ap] */
};

int ppzf_tables_create(struct ppzf_tables **tables, const struct ppzf_network *network);
void ppzf_tables_destroy(struct ppzf_tables *tables); /* NULL allowed */

/* Closed-form SINRs for data powers eta [n_ap][n_ue] and noise powers eta_an [n_ap] ([Yu 2026]). sinr [n_ue]. */
void ppzf_sinr(const struct ppzf_tables *tables, const double *eta, const double *eta_an, double *sinr);
double ppzf_sinr_eve(const struct ppzf_tables *tables, const double *eta, const double *eta_an);
/* Equal power: P_m split over the users, or over the users and the artificial noise. */
void ppzf_equal_power(const struct ppzf_tables *tables, const double *P, bool with_noise, double *eta, double *eta_an);

/* The closed form straight from what the APs report (no tables, no allocation): beta, error_variance [n_ap][n_ue] in
 * downlink units, gamma = beta - error_variance; every active AP splits ap_power[m] equally over the active users and
 * radiates noise_power more in its null space. sinr [n_ue], 0 for inactive users. */
struct ppzf_report {
    int n_ap, n_ant, n_ue;
    enum mimo_scheme scheme;
    double upsilon;
    const float *beta, *error_variance, *ap_power;
    const uint8_t *ap_active, *ue_active;
    double noise_power;
    double *work;         /* [4][n_ue], the caller's */
    uint8_t *work_strong; /* [n_ue], the caller's */
};
void ppzf_predict(const struct ppzf_report *report, float *sinr);

/* Max-min over one factor p_k per user, eta_mk = p_k P_m / n_ue, no artificial noise: all closed-form SINRs equal
 * *sinr, no AP above its budget P [n_ap] > 0. Allocates: once per large-scale update, not per block. TUTTI_ENUMERIC
 * when a user has no beam anywhere. */
int ppzf_maxmin_power(const struct ppzf_tables *tables, const double *P, double *eta, double *sinr);

/* The tables as coefficients of the weighted-gap problem (control/gap.h), with budgets P [n_ap] and data's share of a
 * block omega. Borrows the tables and P. */
struct gap_model ppzf_gap_model(const struct ppzf_tables *tables, const double *P, double omega);

/* Rate in bit/s/Hz with the share of the block left after pilots, 1 - tau / tau_c. */
double ppzf_rate(int tau, int tau_c, double sinr);

#endif
