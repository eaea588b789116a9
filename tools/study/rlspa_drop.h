/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One drop of the studies of robust power allocation: places, gains, estimates, and at a given SNR the users scheduled,
 * their beams and links. A drop is a function of (seed, index) alone, so all schemes see the same ones. */
#ifndef TUTTI_TOOLS_STUDY_RLSPA_DROP_H
#define TUTTI_TOOLS_STUDY_RLSPA_DROP_H

#include "rlspa/block.h"
#include "rlspa/cesg.h"
#include "rlspa/links.h"

#include <stdint.h>

struct rlspa_drop_setting {
    int n_ap, n_ant, n_ue, n; /* n scheduled of n_ue */
    double alpha;             /* share of a channel's variance that the estimate misses */
    double side_km;
};

enum rlspa_drop_choice { RLSPA_DROP_CESG, RLSPA_DROP_GREEDY, RLSPA_DROP_STRONGEST, RLSPA_DROP_RANDOM };

struct rlspa_drop {
    struct rlspa_drop_setting set;
    uint64_t key;
    int M;
    double mean;            /* gain over all links */
    double *storage, *beta; /* [n_ap][n_ue] */
    uint8_t *served;        /* [n_ap][n_ue] */
    struct split G, Ga;     /* [M][n_ue] */
    const double *Gr, *Gi;  /* Gram matrix of Ga */
    cesg_t *cesg;
    struct cesg_result result; /* of the last schedule */
    int *chosen;               /* [n] */
    /* of the users scheduled, n = links.n of them */
    struct split S, Sa, W; /* [M][n] */
    double *error, *F;     /* [n_ap][n] alpha beta; [n][n] */
    double *gamma, *w2, *power, *work;
    struct links links;       /* rho = 1, Pt = 1: sigma2 carries the SNR */
    struct block_error block; /* eps2 = mean of ||Gtil||^2 */
};

int rlspa_drop_create(struct rlspa_drop *drop,
                      const struct rlspa_drop_setting *setting); /* 0, or negative with error_text */
void rlspa_drop_destroy(struct rlspa_drop *drop);
void rlspa_drop_draw(struct rlspa_drop *drop, uint64_t seed, int index);
/* Users, beams and links at a nominal SNR rho Pt mean(beta) / sigma2. */
void rlspa_drop_schedule(struct rlspa_drop *drop, double snr_db, enum rlspa_drop_choice choice);
/* The same links with noise 1 and rho carrying the SNR (another scale for gradient steps; the channel is the same). */
struct links rlspa_drop_unit_noise(const struct rlspa_drop *drop);
/* X [n][T]: complex Gaussian, or QPSK; number tells apart what is drawn for one drop. */
void rlspa_drop_symbols(const struct rlspa_drop *drop, int number, int qpsk, int T, struct split *X);
/* Standard normal pairs that go with the drop. */
void rlspa_drop_normals(const struct rlspa_drop *drop, int number, size_t count, struct split *out);

#endif
