/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The body of every variant; included by simd_<variant>.c, each compiled with its own instruction set and with
 * SIMD_OPS, SIMD_NAME and SIMD_BYTES, the width of a vector, defined. GNU vector types throughout; the few operations
 * they do not express are intrinsics where the flags of the variant allow them, plain code elsewhere and with
 * SIMD_PLAIN, which lets a machine test the arithmetic of a width that it does not have. */
#include "phy/simd.h"

#include <string.h>

#if defined(__x86_64__) && !defined(SIMD_PLAIN)
#include <immintrin.h>
#if SIMD_BYTES == 64 && defined(__AVX512BW__)
#define SIMD_AVX512
#elif SIMD_BYTES == 32 && defined(__AVX2__)
#define SIMD_AVX2
#elif SIMD_BYTES == 16
#define SIMD_SSE2
#endif
#endif

#include "phy/simd_qam.h"
#include "phy/simd_runs.h"
#include "phy/simd_subcarriers.h"
#include "phy/simd_turn.h"
#include "phy/simd_viterbi.h"

const struct simd_ops SIMD_OPS = {
    .name = SIMD_NAME,
    .viterbi_forward = viterbi_forward,
    .soft_errors = soft_errors,
    .bits_spread = bits_spread,
    .runs_scatter = runs_scatter,
    .runs_gather = runs_gather,
    .qam_labels = qam_labels,
    .qam_levels = qam_levels,
    .qam_demap = qam_demap,
    .qam_angle = qam_angle,
    .rows_dot = rows_dot,
    .rows_scale_add = rows_scale_add,
    .rows_residual = rows_residual,
    .rows_turn = rows_turn,
};
