/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Pushing: each AP that reported gets its rows of W as streams, valid until the stale limit. */
#include "base/clock.h"
#include "base/error.h"
#include "cpu_node/cpu.h"

/* This AP's vectors [n_sb][n_ant][n_stream] and stream list; returns n_stream. */
static int select_streams(struct cpu *cpu, const struct cpu_block *block, int ap, struct wire_precoder_meta *meta)
{
    const int n_ue = cpu->shape.n_ue, n_ant = cpu->shape.n_ant;
    int user[TUTTI_MAX_STREAM], n = 0;
    for (int k = 0; k < n_ue; k++)
        if (block->user_used[k])
            user[n++] = k;
    double power[TUTTI_MAX_STREAM] = {0};
    for (int sb = 0; sb < cpu->frame.n_sb; sb++)
        for (int a = 0; a < n_ant; a++) {
            const tutti_cf32 *row =
                block->W +
                (((size_t)sb * (size_t)cpu->shape.n_ap + (size_t)ap) * (size_t)n_ant + (size_t)a) * (size_t)n_ue;
            tutti_cf32 *out = cpu->push + ((size_t)sb * (size_t)n_ant + (size_t)a) * (size_t)n;
            for (int s = 0; s < n; s++) {
                out[s] = row[user[s]];
                power[s] += (double)(crealf(out[s]) * crealf(out[s]) + cimagf(out[s]) * cimagf(out[s]));
            }
        }
    for (int s = 0; s < n; s++)
        meta->stream[s] = (struct wire_stream){
            .kind = WIRE_STREAM_DATA, .user = (uint16_t)user[s], .power = (float)(power[s] / cpu->frame.n_sb)};
    return n;
}

static void push_one(struct cpu *cpu, struct cpu_block *block, int ap)
{
    struct wire_precoder_meta meta;
    const int n_stream = select_streams(cpu, block, ap, &meta);
    block->precoder_sent_ns[ap] = clock_wall_ns();
    const struct wire_header header = {
        .type = WIRE_PRECODER,
        .encoding = WIRE_CF32,
        .node = (uint16_t)ap,
        .session = cpu->welcome.session,
        .block = block->number,
        .tick = frame_symbol_tick(&cpu->frame, cpu->welcome.epoch, block->number, 0),
        .send_time_ns = block->precoder_sent_ns[ap],
        .valid_until_block = block->number + (uint64_t)cpu->config->engine.stale_blocks,
        .n_sb = (uint16_t)cpu->frame.n_sb,
        .n_ant = (uint16_t)cpu->shape.n_ant,
        .n_stream = (uint16_t)n_stream,
    };
    const size_t n = wire_pack_precoder(cpu->message, cpu->message_bytes, &header, &meta, cpu->push);
    if (n == 0 || fh_hub_send(cpu->hub, FH_ROLE_AP, ap, cpu->message, n) < 0) {
        block->precoder_sent_ns[ap] = 0;
        cpu->counters.push_failed++;
    }
}

void push_block(struct cpu *cpu, struct cpu_block *block)
{
    for (int ap = 0; ap < cpu->shape.n_ap; ap++)
        if (block->gathered[ap])
            push_one(cpu, block, ap);
    cpu->counters.blocks++;
}
