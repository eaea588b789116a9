/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The deadline ladder: the best scheme whose expected solve time fits what is left of the block's budget. The rungs are
 * in the table of base/schemes.h; the scheme asked for is the top one. Durations are monotonic and never negative. Pure
 * bookkeeping. */
#ifndef TUTTI_CPU_NODE_LADDER_H
#define TUTTI_CPU_NODE_LADDER_H

#include "mimo/precoder.h"

/* What a subband costs with each scheme on this machine, learnt as blocks pass. */
struct ladder {
    double subband_ns[MIMO_N_SCHEMES]; /* of one worker; 0 = never tried */
    double noise_ns;                   /* of a subband's phase-only noise, which comes after the precoders */
};

/* left_ns: of the budget, negative: nothing; n_each: subbands that one worker solves. The noise has its part kept, but
 * half of the budget at most: what does not fit there ends at its own deadline. */
enum mimo_scheme ladder_choose(const struct ladder *ladder, enum mimo_scheme asked, double left_ns, int n_each);
/* Of what is left, the part for the precoders. */
double ladder_left_ns(const struct ladder *ladder, double left_ns, int n_each);
/* What the noise took. */
void ladder_learn_noise(struct ladder *ladder, uint64_t took_ns, int n_each);
/* What a solve took, the noise left out. Moving average; schemes that were left out are forgiven slowly, so that one
 * slow block does not ban any for ever. */
void ladder_learn(struct ladder *ladder, enum mimo_scheme scheme, uint64_t took_ns, int n_each);

#endif
