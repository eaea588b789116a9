/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Precoders of one coherence block, all subbands. Scaling (spec ob): receiver noise 1, AP power budget ap_power[m], the signal
 * at user k is h_k^H x. Every scheme keeps sum_k ||w_mk||^2 <= ap_power[m] on every subband. Create allocates, execute does
 * not allocate, lock or block. One handle per thread; different handles may work on different subbands at once. */
#ifndef TUTTI_MIMO_PRECODER_H
#define TUTTI_MIMO_PRECODER_H

#include "base/types.h"

enum mimo_scheme { MIMO_CB, MIMO_ZF };
enum mimo_power { MIMO_POWER_EQUAL, MIMO_POWER_MAXMIN };

/* Why a subband got the precoder it got. */
#define MIMO_REASON_MAP(X)                                                              \
    X(MIMO_REASON_ASKED, 0, "as asked")                                                 \
    X(MIMO_REASON_SINGULAR, 1, "channel matrix singular, fell back to CB")              \
    X(MIMO_REASON_NO_USER, 2, "no active user")                                         \
    X(MIMO_REASON_NO_AP, 3, "no active AP")                                             \
    X(MIMO_REASON_ZERO_CHANNEL, 4, "a served user has a zero channel")
enum mimo_reason {
#define MIMO_REASON_ENUM(name, value, text) name = (value),
    MIMO_REASON_MAP(MIMO_REASON_ENUM)
#undef MIMO_REASON_ENUM
};
const char *mimo_reason_text(int reason);

struct mimo_shape {
    int n_ap, n_ant, n_ue;
};

/* Inputs of one subband. Users and APs with mask 0 get zero vectors and do not enter the solve. */
struct mimo_channel {
    const tutti_cf32 *H_hat;     /* [n_ap][n_ant][n_ue], ue fastest; finite */
    const float *error_variance; /* [n_ap][n_ue] per antenna, >= 0 */
    const float *ap_power;       /* [n_ap], >= 0 */
    const uint8_t *ap_active;    /* [n_ap] */
    const uint8_t *ue_active;    /* [n_ue] */
};

struct mimo_solution {
    tutti_cf32 *W;      /* [n_ap][n_ant][n_ue], powers included */
    float *sinr;        /* [n_ue] predicted with H_hat and error_variance, linear; 0 for inactive users */
    int reason;         /* enum mimo_reason */
};

typedef struct precoder precoder_t;

int precoder_create(precoder_t **precoder, const struct mimo_shape *shape);
void precoder_destroy(precoder_t *precoder);
/* Always writes a finite, feasible W. Returns 0, or TUTTI_ENUMERIC when it fell back (solution->reason says why). */
int precoder_execute(precoder_t *precoder, enum mimo_scheme scheme, enum mimo_power power, const struct mimo_channel *channel,
                     struct mimo_solution *solution);

/* Instantaneous SINR of any W (spec ob): sinr [n_ue], linear. Reads only active entries. No allocation. */
void mimo_sinr(const struct mimo_shape *shape, const struct mimo_channel *channel, const tutti_cf32 *W, float *sinr);
/* Largest of sum_k ||w_mk||^2 / ap_power[m] over the APs; an AP with power budget 0 and a nonzero vector gives infinity. */
float mimo_power_use(const struct mimo_shape *shape, const float *ap_power, const tutti_cf32 *W);

#endif
