/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Block floating point written plainly from docs/wire.md, a value and a bit at a time: the yardstick of bench_encoding.
 */
#ifndef TESTS_BENCH_PLAIN_ENCODING_H
#define TESTS_BENCH_PLAIN_ENCODING_H

#include <stddef.h>
#include <stdint.h>

/* Rows of n finite values each: exponent, then mantissas of `bits` bits, the first on top, zeros up to a whole byte. */
void plain_bfp_pack(uint8_t *out, const float *in, size_t n_rows, size_t n, int bits);
void plain_bfp_unpack(float *out, const uint8_t *in, size_t n_rows, size_t n, int bits);
/* n_rows scales (float) and n integers of 16 bits each. */
void plain_sc16_pack(uint8_t *out, const float *in, size_t n_rows, size_t n);
void plain_sc16_unpack(float *out, const uint8_t *in, size_t n_rows, size_t n);

#endif
