/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The inner loop of rlspa/symbol.c: as many symbols at once as a register holds doubles. "[lane]" is the fastest
 * dimension. One source, symbol_lanes_impl.h, compiled once per instruction set. */
#ifndef TUTTI_RLSPA_SYMBOL_LANES_H
#define TUTTI_RLSPA_SYMBOL_LANES_H

#include "rlspa/split.h"

enum { SYMBOL_LANES_MAX = 8 };

struct symbol_lanes {
    const char *name;
    int n_lane;
    /* p [n][lane] = (Re(conj(x_i) x_j Q_ij) + lambda I)^-1 Re(conj(x) o B^H x); x [n][lane], lambda [lane], N
     * [n][n][lane] is work. pivot [lane]: the smallest pivot relative to the largest diagonal entry; where it is not
     * clearly above 0 p is not to be used. */
    void (*solve)(int n, const struct split *B, const struct split *Q, const struct split *x, const double *lambda,
                  double *N, double *p, double *pivot);
};

extern const struct symbol_lanes symbol_lanes_portable;
#ifdef SYMBOL_LANES_X86
extern const struct symbol_lanes symbol_lanes_avx2, symbol_lanes_avx512;
#endif

#endif
