/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The payload of one user in one block, downlink or uplink: pseudo-random bits from (seed, user, block), so the
 * receiver knows the truth; CRC-32 per code block; K=7 rate-1/2 convolutional code (171, 133 octal, tail-terminated);
 * interleaved over the block (phy/interleave.h); QAM with Gray labels and unit mean power (I in the upper half of a
 * label, Q in the lower, as liquid-dsp has it). The block's n_data_re * bits_per_symbol coded bits are filled by equal
 * code blocks of at most max_code_block_bits; the remainder is pseudo-random padding. Bits are sent first bit first =
 * most significant bit of each byte; the CRC follows its data, top byte first. Create allocates; the rest does not. One
 * handle per thread. */
#ifndef TUTTI_PHY_PAYLOAD_H
#define TUTTI_PHY_PAYLOAD_H

#include "phy/frame.h"

typedef struct payload payload_t;

/* Errors: TUTTI_ECONFIG with the key named, TUTTI_ENOMEM; *payload is NULL then. */
int payload_create(payload_t **payload, const struct frame *frame, const struct config_payload *config, uint64_t seed);
/* The same for what users send in the n_ul U symbols, [n_ul][n_sc] below in place of [n_dl - n_dl_pilot][n_sc]: other
 * bits of the same seed. */
int payload_create_uplink(payload_t **payload, const struct frame *frame, const struct config_payload *config,
                          uint64_t seed);
void payload_destroy(payload_t *payload);
int payload_bits_per_symbol(const payload_t *payload);
int payload_code_blocks(const payload_t *payload); /* per user and block */
int payload_info_bits(const payload_t *payload);   /* per user and block, CRC excluded */

/* What users 0..n_user-1 are sent in a block, as labels [n_user][payload_label_stride], a byte per axis value: a
 * quarter of the memory of symbols, and made for eight users at the price of little more than one. */
void payload_labels(payload_t *payload, int n_user, uint64_t block, int8_t *labels);
int payload_label_stride(const payload_t *payload);
/* Data symbols first..first+n-1 of a user's labels, of [n_dl - n_dl_pilot][n_sc] in a row, unit mean power. */
void payload_symbols(const payload_t *payload, const int8_t *labels, int first, int n, tutti_cf32 *symbols);
/* Both: the symbols user `user` is sent in block `block`: [n_dl - n_dl_pilot][n_sc]. */
void payload_encode(payload_t *payload, int user, uint64_t block, tutti_cf32 *symbols);

struct payload_result {
    int bits, bit_errors;               /* information bits after decoding, against the truth */
    int coded_bits, coded_bit_errors;   /* hard decisions before decoding, padding included */
    int code_blocks, code_block_errors; /* CRC failed or bits wrong */
    int undetected_errors;              /* CRC passed but bits wrong */
};
/* Equalised symbols [n_dl - n_dl_pilot][n_sc] and the noise-plus-interference variance of each, same shape (after
 * equalisation, relative to unit symbol power; > 0). */
void payload_decode(payload_t *payload, int user, uint64_t block, const tutti_cf32 *symbols,
                    const float *noise_variance, struct payload_result *result);

#endif
