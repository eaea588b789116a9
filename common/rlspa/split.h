/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A complex matrix as two real ones, row-major, so that plain loops vectorise; dimensions go beside it. And the working
 * memory of a handle: its layout is walked twice, once to count and once to place. */
#ifndef TUTTI_RLSPA_SPLIT_H
#define TUTTI_RLSPA_SPLIT_H

#include <stddef.h>

struct split {
    double *re, *im;
};

struct slab {
    double *base; /* NULL while counting */
    size_t used;
};

static inline double *slab_take(struct slab *slab, size_t n)
{
    double *const at = slab->base ? slab->base + slab->used : NULL;
    slab->used += n;
    return at;
}

static inline struct split slab_split(struct slab *slab, size_t n)
{
    struct split at;
    at.re = slab_take(slab, n);
    at.im = slab_take(slab, n);
    return at;
}

#endif
