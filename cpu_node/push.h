/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Pushing: each AP's part of a solved block as one message. The central node is the one authority for scheme, power
 * limits and the limits of old precoders: every message carries them. Packs only; sending is the outbox's. */
#ifndef TUTTI_CPU_NODE_PUSH_H
#define TUTTI_CPU_NODE_PUSH_H

#include "base/config.h"
#include "cpu_node/block.h"
#include "fronthaul/wire.h"

struct push_settings {
    struct block_shape shape;
    const struct config *config; /* outlives push */
    uint64_t noise_key;
    int lag_blocks; /* a block's precoder is for the block that comes so many later */
};
struct push;

/* Limits per subband, budget = 1: schemes whose powers come from closed forms hold the mean over blocks with a cap of
 * 3 dB above it, all others hold it in every block and subband. */
void push_power_limits(const struct config_precoding *precoding, float *mean, float *peak);
int push_create(struct push **push, const struct push_settings *settings);
void push_destroy(struct push *push); /* NULL and half-built allowed */
/* The message for one AP: its bytes in *message until the next call; 0 bytes if it does not fit. account_ack: accounts
 * of blocks before this one have arrived from this AP. No allocation. */
size_t push_pack(struct push *push, const struct cpu_block *block, int ap, uint64_t account_ack, uint64_t now_wall_ns,
                 const uint8_t **message);

#endif
