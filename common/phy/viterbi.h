/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Viterbi decoder of the K=7 rate-1/2 convolutional code (171, 133 octal), tail-terminated: starts and ends in state 0.
 * Maximum likelihood on 8-bit soft bits, equal bit for bit to libfec's viterbi27 with soft bits 128 higher. No
 * allocation, no state. */
#ifndef TUTTI_PHY_VITERBI_H
#define TUTTI_PHY_VITERBI_H

#include <stdint.h>

/* Taps of the two coded bits, newest input in the lowest bit. */
enum { VITERBI_STATES = 64, VITERBI_TAIL_BITS = 6, VITERBI_FIRST = 0x4f, VITERBI_SECOND = 0x6d };

/* soft [n_bits + 6][2]: -128..127, positive for 1, in code order; bytes [n_bits / 8], first bit on top; decisions
 * [n_bits + 6] is work. n_bits is a multiple of 8. */
void viterbi_decode(int n_bits, const int16_t *soft, uint64_t *decisions, uint8_t *bytes);
/* The second half of it: from the decisions (bit s of step t: state s was reached from (s >> 1) + 32) back to the
 * bits. */
void viterbi_trace(int n_bits, const uint64_t *decisions, uint8_t *bytes);

#endif
