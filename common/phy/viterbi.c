/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "phy/viterbi.h"

#include "phy/simd.h"

/* The state is the top six bits of a shift register that takes the decided bits from the top: what has left the state
 * are the decoded bits, first bit on top of each byte. */
void viterbi_trace(int n_bits, const uint64_t *decisions, uint8_t *bytes)
{
    const uint64_t *step = decisions + n_bits + VITERBI_TAIL_BITS;
    uint64_t path = 0;
    for (int i = n_bits / 8 - 1; i >= 0; i--) {
        for (int b = 0; b < 8; b++) {
            path = path >> 1 | *--step >> (path >> 58) << 63;
        }
        bytes[i] = (uint8_t)(path >> 56);
    }
}

void viterbi_decode(int n_bits, const int16_t *soft, uint64_t *decisions, uint8_t *bytes)
{
    simd_get()->viterbi_forward(n_bits + VITERBI_TAIL_BITS, soft, decisions);
    viterbi_trace(n_bits, decisions, bytes);
}
