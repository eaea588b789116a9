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

/* What the parsers accept. Nothing is sized by these: tables take their sizes from the configuration; the bounds only
 * keep hostile or mistyped numbers from asking for absurd memory. */
enum {
    TUTTI_MAX_AP = 512,
    TUTTI_MAX_CPU = 16,     /* central nodes */
    TUTTI_MAX_ANT = 64,     /* antennas of one radio */
    TUTTI_MAX_UE = 128,     /* users; eavesdroppers have their own bound in the configuration */
    TUTTI_MAX_STREAM = 192, /* streams of one precoder message: users, noise, sensing, calibration */
    TUTTI_MAX_SB = 512,     /* subbands: 273 resource blocks of 100 MHz fit */
    TUTTI_MAX_SC = 8192,    /* used subcarriers */
    TUTTI_MAX_SYMBOL = 1024 /* OFDM symbols of one block */
};

#endif
