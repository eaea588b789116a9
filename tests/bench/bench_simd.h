/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The vector code of the physical layer, kernel by kernel: part of bench_phy. */
#ifndef TESTS_BENCH_BENCH_SIMD_H
#define TESTS_BENCH_BENCH_SIMD_H

/* One row per variant this processor can run beside libfec or the plain loop, all tried in turn, and the share of what
 * the processor could do in registers or copy. 0 or an error. */
int bench_simd(void);

#endif
