/* SPDX-License-Identifier: GPL-3.0-or-later */
/* C11's CMPLX and CMPLXF, which older clang with glibc lacks. */
#ifndef TUTTI_LINALG_CMPLX_H
#define TUTTI_LINALG_CMPLX_H

#include <complex.h>

#ifndef CMPLX
#define CMPLX(re, im) __builtin_complex((double)(re), (double)(im))
#define CMPLXF(re, im) __builtin_complex((float)(re), (float)(im))
#endif

#endif
