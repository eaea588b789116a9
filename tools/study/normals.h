/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Circular complex Gaussian numbers of variance 1, one after the other. */
#ifndef TUTTI_TOOLS_STUDY_NORMALS_H
#define TUTTI_TOOLS_STUDY_NORMALS_H

#include "channel/random.h"
#include "linalg/cmplx.h"

#include <complex.h>
#include <math.h>

struct normals {
    uint64_t key, n;
};

static inline double complex normals_next(struct normals *d)
{
    float re, im;
    random_normal(d->key, d->n++, &re, &im);
    return CMPLX((double)re, (double)im) * M_SQRT1_2;
}

#endif
