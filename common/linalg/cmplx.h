/* SPDX-License-Identifier: GPL-3.0-or-later */
/* C11's CMPLX and CMPLXF, which older clang with glibc lacks, and products for inner loops. */
#ifndef TUTTI_LINALG_CMPLX_H
#define TUTTI_LINALG_CMPLX_H

#include <complex.h>

#ifndef CMPLX
#define CMPLX(re, im) __builtin_complex((double)(re), (double)(im))
#define CMPLXF(re, im) __builtin_complex((float)(re), (float)(im))
#endif

/* a b. Written with *, clang looks after every product whether it has become not a number, and loops stay scalar; gcc
 * is told that it need not (-fcx-limited-range, which this clang has not). The same bits where all is finite. */
static inline float complex cmplx_product(float complex a, float complex b)
{
    return CMPLXF(crealf(a) * crealf(b) - cimagf(a) * cimagf(b), crealf(a) * cimagf(b) + cimagf(a) * crealf(b));
}

static inline double complex cmplx_product_double(double complex a, double complex b)
{
    return CMPLX(creal(a) * creal(b) - cimag(a) * cimag(b), creal(a) * cimag(b) + cimag(a) * creal(b));
}

#endif
