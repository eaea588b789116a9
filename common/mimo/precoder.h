/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Precoders of one coherence block, all subbands. Scaling: receiver noise 1, AP power budget ap_power[m], the signal at
 * user k is h_k^H x. Every AP keeps its budget in one of two ways (mimo_holds_mean says which): strictly, sum_k
 * ||w_mk||^2
 * <= ap_power[m] on every subband of every block; or, where beams are normalised over the fading (E||w||^2 = 1, what
 * the closed forms of mimo/ppzf.h are about), on average, and never more than MIMO_PEAK_RATIO times the budget on any
 * subband. Create allocates, execute does not allocate, lock or block. One handle per thread; different handles may
 * work on different subbands at once. docs/precoders.md has the formulas. */
#ifndef TUTTI_MIMO_PRECODER_H
#define TUTTI_MIMO_PRECODER_H

#include "base/schemes.h"

/* Schemes and power rules are rows of the table in base/schemes.h; a rule that a scheme does not have is read as
 * MIMO_POWER_EQUAL, and that as the scheme's own of the first four.
 * - MIMO_POWER_EQUAL_RECEIVED. zf, rzf: every user receives the same power of its own stream, the worst AP at its
 *   budget.
 * - MIMO_POWER_EQUAL_SENT. zf, rzf: the same transmit power for all users, the worst AP at its budget.
 * - MIMO_POWER_EQUAL_SHARES. cb, fzf, pzf, ppzf: AP m gives each of the K served users ap_power[m] / K on average; the
 *   share of a user that it has no estimate of stays unused. What APs do by themselves (precoding.local).
 * - MIMO_POWER_BY_STRENGTH. cb: every AP at its whole budget, one factor for all its estimates.
 * - MIMO_POWER_MAXMIN. zf, rzf, fzf, pzf, ppzf: one power per user on top of the beams, chosen so that the least SINR
 * is as large as per-AP power allows. cb: one coefficient per AP and user from large-scale fading alone
 *   (control/maxmin_cb.h), W = sqrt(eta_mk) H_hat: handed in as channel->eta, or solved here from beta as if all pilots
 *   were different, once for all subbands with the same figures.
 * - MIMO_POWER_MAXMIN_USER. cb: every AP's estimates scaled to its budget, then one power per user; the others: as
 *   MIMO_POWER_MAXMIN.
 * - MIMO_POWER_RLSPA_WC, _WIENER. zf, rzf: robust least squares at block level (rlspa/block.h, docs/power.md) on the
 *   beams at unit norm, of this subband alone (solution->shape says what they are) or with the shape handed in as
 *   channel->eta; then one factor so that the worst AP is at its budget.
 * - MIMO_POWER_FRACTIONAL. p_mmse, p_rzf: by large-scale gains and each beam's largest share (cluster/shares.h,
 *   upsilon -0.5, kappa 0.5), with this subband's own shares, so that budgets hold strictly.
 * - MIMO_POWER_FRACTIONAL_AP. lp_mmse: AP m gives its users shares of ap_power[m] by the square root of their gains.
 * analog gives all power to one user. */

/* A budget that holds on average is exceeded by at most this on one subband of one block: 3 dB. */
#define MIMO_PEAK_RATIO 1.9952623149688795
/* Whether AP budgets hold on average (and within MIMO_PEAK_RATIO) rather than strictly. */
bool mimo_holds_mean(enum mimo_scheme scheme, enum mimo_power power);

/* Why a subband got the precoder it got. When several hold, the one reported is the first of: no user, no AP, what the
 * scheme fell back from (5, 6, 8 to 11), users left out (4), the ladder (7). Over the subbands of a block
 * recordings keep the largest number. */
#define MIMO_REASON_MAP(X)                                                                                             \
    X(MIMO_REASON_ASKED, 0, "as asked")                                                                                \
    X(MIMO_REASON_SINGULAR_CB, 1,                                                                                      \
      "channel matrix singular, fell back to CB") /* in recordings of version 0.1.0 only */                            \
    X(MIMO_REASON_NO_USER, 2, "no active user")                                                                        \
    X(MIMO_REASON_NO_AP, 3, "no active AP")                                                                            \
    X(MIMO_REASON_ZERO_CHANNEL, 4, "a served user has no usable estimate, left out")                                   \
    X(MIMO_REASON_DEADLINE, 5, "deadline reached, best precoder so far")                                               \
    X(MIMO_REASON_ITERATIONS, 6, "iteration limit reached, best precoder so far")                                      \
    X(MIMO_REASON_LADDER, 7, "too little time left for the scheme asked for, stepped down")                            \
    X(MIMO_REASON_FEW_ANTENNAS, 8, "fewer active antennas than the scheme needs, fell back")                           \
    X(MIMO_REASON_NEAR_SINGULAR, 9, "users' channels nearly dependent, RZF serves the worst user better")              \
    X(MIMO_REASON_AP_DEPENDENT, 10, "an AP's strong users have dependent estimates, conjugate beams there")            \
    X(MIMO_REASON_SINGULAR, 11, "channel matrix singular, fell back to RZF")
enum mimo_reason {
#define MIMO_REASON_ENUM(name, value, text) name = (value),
    MIMO_REASON_MAP(MIMO_REASON_ENUM)
#undef MIMO_REASON_ENUM
};
enum { MIMO_N_REASONS = MIMO_REASON_MAP(MIMO_COUNT) }; /* numbers 0 to MIMO_N_REASONS - 1, no gaps */
const char *mimo_reason_text(int reason);

/* Users of one solve, more than networks have: for studies of what comes next. */
enum { MIMO_MAX_UE = 256 };

struct mimo_shape {
    int n_ap, n_ant, n_ue;
};

/* Estimates of users that share pilots: H_hat[m][a][k] = factor[m][k] P[m][a][pilot[k]], 0 without a pilot. They take
 * no room for links that are not there, so that what is read of them does not grow with APs times users. */
struct mimo_pilots {
    const tutti_cf32 *P; /* [n_ap][n_ant][n_pilot]; NULL: estimates are in H_hat alone */
    const float *factor; /* [n_ap][n_ue] */
    const int *pilot;    /* [n_ue] -1: none */
    int n_pilot;
};

/* Inputs of one subband. Users and APs with mask 0 get zero vectors and do not enter the solve. */
struct mimo_channel {
    const tutti_cf32 *H_hat;     /* [n_ap][n_ant][n_ue], ue fastest; finite */
    const float *error_variance; /* [n_ap][n_ue] per antenna, >= 0 */
    const float *ap_power;       /* [n_ap], >= 0 */
    const uint8_t *ap_active;    /* [n_ap] */
    const uint8_t *ue_active;    /* [n_ue] */
    const float *beta;     /* [n_ap][n_ue] large-scale gain for cb maxmin, FZF, PZF, PPZF and the rules fractional,
                              fractional_ap; NULL = from H_hat itself */
    const double *eta;     /* [n_ap][n_ue] >= 0, powers for cb maxmin and for fzf, pzf, ppzf on average; for rlspa_* the
                              users' parts, the same at all APs; NULL = solved here, or the rule's */
    const uint8_t *serves; /* [n_ap][n_ue] 1 where an AP serves a user (cluster/clusters.h); NULL = all serve all. Links
                              that do not serve have estimates, too, or H_hat 0 and the whole gain for an error. W is
                              zero where it is 0 with p_mmse, p_rzf, lp_mmse, cb, fzf, pzf and ppzf; zf, rzf, ob and
                              analog do not read it */
    struct mimo_pilots pilots; /* the same estimates, for whoever can use them: p_mmse and p_rzf in lanes */
    bool knows_gain; /* a user knows the gain of its stream: p_mmse, p_rzf (rule fractional) and lp_mmse count the error
                        of its own estimates as signal in what they predict; the others do not look at it */
};

struct mimo_solution {
    tutti_cf32 *W;     /* [n_ap][n_ant][n_ue], powers included */
    bool zeroed;       /* W is 0 but for links that serve, of APs and users that are active: p_mmse and p_rzf in lanes
                          write to these alone */
    float *sinr;       /* [n_ue] predicted with H_hat and error_variance, linear; 0 for inactive users */
    int reason;        /* enum mimo_reason */
    double sinr_bound; /* out: no precoder can give all served users more (OB only; else NaN) */
    int iterations;    /* out: OB only; else 0 */
    double *shape;     /* [n_ue] out, rlspa_*: each user's part of the powers by its own figures, sum 1; zeros: no
                          such powers. NULL: not wanted */
};

typedef struct precoder precoder_t;

/* A handle for the schemes whose bits (MIMO_ONLY(scheme)) are set in `schemes`: workspaces that no other scheme needs
 * (OB, the batch) are not allocated for the others. 0, TUTTI_EINVAL (shape out of range) or TUTTI_ENOMEM. */
int precoder_create_for(precoder_t **precoder, const struct mimo_shape *shape, unsigned schemes);
/* The same for all schemes. */
int precoder_create(precoder_t **precoder, const struct mimo_shape *shape);
/* Bits of a scheme and of all rungs of the deadline ladder below it. */
unsigned precoder_schemes_below(enum mimo_scheme scheme);
void precoder_destroy(precoder_t *precoder);

/* Knobs of the schemes that have any; precoder_create sets the defaults. */
struct precoder_settings {
    double upsilon;        /* PZF, PPZF: share of the large-scale gain held by the strong users, default 0.95 */
    double ob_tolerance;   /* OB: stop when (bound - least SINR) <= tolerance * bound, default 1e-2 */
    int ob_max_iterations; /* default 60 */
    bool ob_warm; /* start from this handle's last OB solution; default false: results do not depend on the past */
    uint64_t deadline_mono_ns; /* OB stops before this instant with the best so far; 0 = none, the default */
};
void precoder_settings_default(struct precoder_settings *settings);
void precoder_configure(precoder_t *precoder, const struct precoder_settings *settings);

/* Always writes a finite, feasible W. Returns 0, TUTTI_ENUMERIC when solution->reason is not MIMO_REASON_ASKED, or
 * TUTTI_EINVAL (and zeros) for a scheme that the handle was not created for. */
int precoder_execute(precoder_t *precoder, enum mimo_scheme scheme, enum mimo_power power,
                     const struct mimo_channel *channel, struct mimo_solution *solution);

/* The same for n_sb subbands: channels and solutions [n_sb]. ZF runs one vector lane per subband in single precision
 * where that keeps the nulls 60 dB down (predicted SINRs leave out what is below), everything else subband by subband.
 * Returns 0, or TUTTI_ENUMERIC when any subband fell back. */
int precoder_execute_batch(precoder_t *precoder, enum mimo_scheme scheme, enum mimo_power power, int n_sb,
                           const struct mimo_channel *channels, struct mimo_solution *solutions);

/* Instantaneous SINR of any W with the errors of [Zhou 2020]: sinr [n_ue], linear. Reads only active entries. No
 * allocation. */
void mimo_sinr(const struct mimo_shape *shape, const struct mimo_channel *channel, const tutti_cf32 *W, float *sinr);
/* Largest of sum_k ||w_mk||^2 / ap_power[m] over the APs; an AP with power budget 0 and a nonzero vector gives
 * infinity. */
float mimo_power_use(const struct mimo_shape *shape, const float *ap_power, const tutti_cf32 *W);

#endif
