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
};

/* left_ns: of the budget, negative: nothing; n_each: subbands that one worker solves. */
enum mimo_scheme ladder_choose(const struct ladder *ladder, enum mimo_scheme asked, double left_ns, int n_each);
/* What a solve took. Moving average; schemes that were left out are forgiven slowly, so that one slow block does not
 * ban any for ever. */
void ladder_learn(struct ladder *ladder, enum mimo_scheme scheme, uint64_t took_ns, int n_each);

#endif
