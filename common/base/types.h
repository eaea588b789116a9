/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The vocabulary every folder shares: sample type, time, limits. */
#ifndef TUTTI_BASE_TYPES_H
#define TUTTI_BASE_TYPES_H

#include <complex.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* clang 14 with glibc lacks these C11 macros. */
#ifndef CMPLX
#define CMPLX(re, im) __builtin_complex((double)(re), (double)(im))
#endif
#ifndef CMPLXF
#define CMPLXF(re, im) __builtin_complex((float)(re), (float)(im))
#endif

/* One complex sample or coefficient, interleaved re, im: the layout of FFTW, liquid-dsp, UHD fc32 and HDF5 files. */
typedef float complex tutti_cf32;

/* Absolute sample index since the shared epoch of the network. */
typedef uint64_t tutti_tick;

/* Hard limits. The parsers refuse anything larger, so fixed-size tables indexed by these are safe. */
enum {
    TUTTI_MAX_AP = 128,
    TUTTI_MAX_ANT = 16,     /* antennas of one radio */
    TUTTI_MAX_UE = 64,      /* users and eavesdroppers together */
    TUTTI_MAX_STREAM = 64,  /* streams of one precoder message */
    TUTTI_MAX_SB = 256,     /* subbands */
    TUTTI_MAX_SC = 4096,    /* used subcarriers */
    TUTTI_MAX_SYMBOL = 1024 /* OFDM symbols of one block */
};

#endif
