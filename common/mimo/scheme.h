/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a precoder's own file sees: the subband packed by problem.h, workspace for beams and powers, and the helpers
 * that several precoders need. Row `name` of base/schemes.h is solved by scheme_NAME_solve. Private to this folder. */
#ifndef TUTTI_MIMO_SCHEME_H
#define TUTTI_MIMO_SCHEME_H

#include "cluster/vectors.h"
#include "control/maxmin_cb.h"
#include "mimo/batch.h"
#include "mimo/cluster_lanes.h"
#include "mimo/ob.h"
#include "mimo/precoder.h"
#include "mimo/problem.h"

/* Subscript r and i: real and imaginary part. Sizes are those of the shape; what is used is packed (problem.n_*). */
struct precoder {
    struct mimo_shape shape;
    struct precoder_settings settings;
    unsigned schemes; /* bit of each scheme it was created for */
    struct mimo_problem problem;
    ob_t *ob;                       /* NULL unless created for MIMO_OB */
    batch_t *batch;                 /* NULL unless created for a scheme that it serves */
    maxmin_cb_t *maxmin_cb;         /* NULL unless created for MIMO_CB */
    vectors_t *vectors;             /* NULL unless created for one of MIMO_CLUSTER_SCHEMES */
    cluster_lanes_t *cluster_lanes; /* the same */
    double *storage;
    double *Ur, *Ui;                     /* [n_row][n_ue] beams */
    double *Gr, *Gi, *Xr, *Xi, *Yr, *Yi; /* [n_ue][n_ue] */
    double *F, *work;                    /* [n_ue][n_ue], [n_ue][n_ue + 1] at least */
    double *noise, *p, *amplitude;       /* [n_ue] */
    double *B, *beta, *gamma;            /* [n_ap][n_ue] */
    double *eta;                         /* [n_ap][n_ue] powers of cb maxmin, for the figures that follow */
    double *eta_beta, *eta_gamma;        /* [n_ap][n_ue] */
    double *eta_P;                       /* [n_ap] */
    int eta_n_ap, eta_n_ue, eta_reason;  /* eta_n_ap 0: none yet */
    double complex *H_ap, *W_ap;         /* [n_ant][n_ue], one AP */
    uint8_t *strong;                     /* [n_ue] */
    double *Vr, *Vi;                     /* [n_row] one user's beam */
    uint8_t *served, *loaded;            /* [n_ap][n_ue] packed: who serves whom; what vectors has listed */
    int loaded_n_ap, loaded_n_ue;        /* packed; 0: nothing yet */
    bool sinr_told;                      /* the scheme has written solution->sinr itself */
};

/* Smallest pivot (sine squared of a user's angle to the others) down to which zero-forcing is not compared with RZF.
 * The batch leaves what is below to the one-by-one solver. */
#define MIMO_NEAR_SINGULAR 1e-2

/* Writes solution->W of a subband with at least one AP and one user; returns an enum mimo_reason, MIMO_REASON_ASKED
 * unless it fell back. Must not allocate. */
typedef int scheme_solve_fn(struct precoder *p, enum mimo_power power, const struct mimo_channel *channel,
                            struct mimo_solution *solution);
#define SCHEME_DECLARE(id, name, ...) scheme_solve_fn scheme_##name##_solve;
MIMO_SCHEME_MAP(SCHEME_DECLARE)
#undef SCHEME_DECLARE

/* Of clusters: lists p->served [n_ap][n_ue] unless it is what is listed; users' powers of the dual uplink, the sum of
 * P_m / |D_m| over their APs, to power [n_ue]; large-scale gains of the links that serve to beta: those known, or the
 * estimates' own where none of a user's is. */
bool scheme_cluster_list(struct precoder *p); /* whether it was anything else */
void scheme_cluster_powers(struct precoder *p, double *power);
void scheme_cluster_gains(struct precoder *p, const float *known);
/* amplitude = 1. */
void scheme_amplitudes_one(struct precoder *p);
/* amplitude_k = c weight_k with c as large as the worst AP allows. */
void scheme_amplitudes_common(struct precoder *p, const double *weight);
/* Powers of rlspa/block.h for the beams in U, which are left at unit norm, the budgets held strictly; their shape is
 * told, and another one taken where the channel has it. */
void scheme_amplitudes_rlspa(struct precoder *p, enum mimo_power power, const struct mimo_channel *channel,
                             struct mimo_solution *solution);
/* The same power sent to every user for the beams in U. */
void scheme_amplitudes_sent(struct precoder *p);
/* The same power received by every user for the beams in U; users are left out as with max-min. */
void scheme_amplitudes_received(struct precoder *p);
/* Max-min over one power per user for the beams in U, the budgets held strictly. Users whose beam misses them are left
 * out of the problem (mimo_problem_drop) and of U. */
void scheme_amplitudes_maxmin(struct precoder *p);
/* The one of these that a power rule of all APs together asks for; max-min unless it is another. */
void scheme_amplitudes_by(struct precoder *p, enum mimo_power power, const struct mimo_channel *channel,
                          struct mimo_solution *solution);
/* W from U and amplitude, the budgets held strictly. */
void scheme_store(const struct precoder *p, struct mimo_solution *solution);
/* The least SINR that solution->W gives a user of the problem; overwrites solution->sinr. */
float scheme_least_sinr(const struct precoder *p, const struct mimo_channel *channel, struct mimo_solution *solution);

#endif
