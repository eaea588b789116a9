/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The bits of the payload: pseudo-random data, CRC-32, the K=7 rate-1/2 convolutional encoder. Pure; 64 bits at a time
 * where it can be. */
#ifndef TUTTI_PHY_CODE_H
#define TUTTI_PHY_CODE_H

#include <stdint.h>

/* SplitMix64: an equidistributed 64-bit counter generator (Steele, Lea, Flood, OOPSLA 2014). */
uint64_t code_random(uint64_t *state);
/* Eight bytes of each number, lowest first. */
void code_random_bytes(uint64_t *state, uint8_t *out, int n);

/* IEEE 802.3, reflected; byte[k] moves a byte k places further. */
struct code_crc {
    uint32_t byte[8][256];
};
void code_crc_init(struct code_crc *crc);
uint32_t code_crc_of(const struct code_crc *crc, const uint8_t *data, int n);

/* The two coded streams (generators 171 and 133 octal) of n_bytes and six zeros, from state 0: code_words(n_bytes)
 * words each, bit i of a stream in word i / 64, bit 63 - i % 64. Bytes are sent top bit first. */
void code_convolve(const uint8_t *bytes, int n_bytes, uint64_t *first, uint64_t *second);
static inline int code_words(int n_bytes)
{
    return (8 * n_bytes + 6 + 63) / 64;
}

#endif
