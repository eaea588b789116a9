/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The body of every kernel variant; included by kernel_<variant>.c, each compiled with its own instruction set and with
 * KERNEL_OPS, KERNEL_NAME and KERNEL_BYTES defined. KERNEL_BYTES is the width of the registers the variant is compiled
 * for: a wider vector type would be split by the compiler, and gcc splits it through the stack. */
#include "linalg/kernel.h"

#include <math.h>
#include <string.h>

enum { KERNEL_LANES = KERNEL_BYTES / 4, KERNEL_DOUBLES = KERNEL_BYTES / 8 };
_Static_assert((int)KERNEL_LANES <= (int)KERNEL_LANES_MAX && KERNEL_PAD % KERNEL_DOUBLES == 0, "width of a variant");

/* Loops over the registers of a tile: unrolled, so that the tile stays in registers. */
#ifdef __clang__
#define KERNEL_UNROLL _Pragma("clang loop unroll(full)")
#else
#define KERNEL_UNROLL _Pragma("GCC unroll 16")
#endif
/* Bounds of a tile are constants of the caller. */
#define KERNEL_INLINE static inline __attribute__((always_inline))
#define KERNEL_APART __attribute__((noinline))

#include "linalg/kernel_batch.h"
#include "linalg/kernel_cluster.h"
#include "linalg/kernel_combine.h"
#include "linalg/kernel_dense.h"
#include "linalg/kernel_local.h"
#include "linalg/kernel_product.h"
#include "linalg/kernel_schemes.h"

extern const struct kernel_ops KERNEL_OPS;
const struct kernel_ops KERNEL_OPS = {
    .name = KERNEL_NAME,
    .combine = combine,
    .gemm = gemm,
    .gram = gram,
    .hadamard = hadamard,
    .cholesky = cholesky,
    .cholesky_solve = cholesky_solve,
    .dots = dots,
    .n_lane = KERNEL_LANES,
    .pack = lane_pack,
    .unpack = lane_unpack,
    .zf = lane_zf,
    .cb = lane_cb,
    .cb_each = lane_cb_each,
    .rzf = lane_rzf,
    .cluster = lane_cluster,
    .heard = lane_heard,
    .unknown = lane_unknown,
    .gamma = lane_gamma,
    .local = lane_local,
    .couple = lane_couple,
    .weigh = lane_weigh,
    .one = lane_one,
    .unit = lane_unit,
    .received = lane_received,
    .maxmin = lane_maxmin,
    .finish = lane_finish,
};
