/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The parts of bench_mimo; each prints its rows. */
#ifndef TESTS_BENCH_BENCH_MIMO_H
#define TESTS_BENCH_BENCH_MIMO_H

#include "linalg/kernel.h"
#include "measure.h"
#include "mimo/precoder.h"

/* Zero-forcing of 100 subbands, every variant, against LAPACK per matrix in the same rounds. */
void bench_zf(int n_ap, int n_ant, int n_ue);
/* The max-min optimum on cell-free drops, every variant, and if wanted the plain references. */
void bench_ob(int n_ap, int n_ant, int n_ue, double gap, bool plain);
/* What each rung of the deadline ladder costs, in the variant that programs use. */
void bench_ladder(int n_ap, int n_ant, int n_ue, enum mimo_power power);

#endif
