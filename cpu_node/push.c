/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Pushing: each AP that reported gets its rows of W as streams, valid until the stale limit. */
#include "base/clock.h"
#include "base/error.h"
#include "cpu_node/cpu.h"
#include "fronthaul/encoding.h"

#include <stdio.h>

/* Copies this AP's rows of user k into stream column s of n; returns their mean squared norm per subband. */
static float copy_vectors(struct cpu *cpu, const struct cpu_block *block, int ap, int k, int s, int n)
{
    const size_t n_ue = (size_t)cpu->shape.n_ue, n_ant = (size_t)cpu->shape.n_ant;
    double power = 0;
    for (size_t sb = 0; sb < (size_t)cpu->frame.n_sb; sb++) {
        for (size_t a = 0; a < n_ant; a++) {
            const tutti_cf32 w = block->W[((sb * (size_t)cpu->shape.n_ap + (size_t)ap) * n_ant + a) * n_ue + (size_t)k];
            cpu->push[(sb * n_ant + a) * (size_t)n + (size_t)s] = w;
            power += (double)(crealf(w) * crealf(w) + cimagf(w) * cimagf(w));
        }
    }
    return (float)(power / cpu->frame.n_sb);
}

static void copy_noise(struct cpu *cpu, const struct cpu_block *block, int ap, int s, int n)
{
    const size_t n_ant = (size_t)cpu->shape.n_ant;
    for (size_t sb = 0; sb < (size_t)cpu->frame.n_sb; sb++) {
        for (size_t a = 0; a < n_ant; a++) {
            cpu->push[(sb * n_ant + a) * (size_t)n + (size_t)s] =
                block->an[(sb * (size_t)cpu->shape.n_ap + (size_t)ap) * n_ant + a];
        }
    }
}

/* This AP's vectors [n_sb][n_ant][n_stream] and stream list; returns n_stream. */
static int select_streams(struct cpu *cpu, const struct cpu_block *block, int ap, struct wire_precoder_meta *meta)
{
    int user[TUTTI_MAX_STREAM], n_user = 0;
    for (int k = 0; k < cpu->shape.n_ue; k++) {
        if (block->user_used[k]) {
            user[n_user++] = k;
        }
    }
    const bool noise = block->an_share > 0, local = cpu->config->precoding.local;
    const int n = n_user + noise;
    const float equal_power = cpu->ap_power[ap] / (float)n_user;
    for (int s = 0; s < n_user; s++) {
        meta->stream[s] = (struct wire_stream){
            .kind = WIRE_STREAM_DATA,
            .source = local ? WIRE_SOURCE_LOCAL : WIRE_SOURCE_VECTORS,
            .user = (uint16_t)user[s],
            .power = local ? equal_power : copy_vectors(cpu, block, ap, user[s], s, n),
        };
    }
    if (noise) {
        const bool phases = cpu->config->precoding.an == CONFIG_AN_PHASE_ONLY;
        meta->stream[n_user] = (struct wire_stream){.kind = WIRE_STREAM_AN,
                                                    .source = phases ? WIRE_SOURCE_PHASES : WIRE_SOURCE_LOCAL,
                                                    .power = (float)block->an_share};
        meta->noise_key = cpu->noise_key;
        if (phases) {
            copy_noise(cpu, block, ap, n_user, n);
        }
    }
    return n;
}

/* In lock-step an AP waits for its precoder: it must hear that there is none. */
static void tell_none(struct cpu *cpu, const struct cpu_block *block, int ap)
{
    char text[64];
    if (!cpu->lockstep || !fh_hub_alive(cpu->hub, FH_ROLE_AP, ap)) {
        return;
    }
    snprintf(text, sizeof text, "{\"type\":\"no_precoder\",\"block\":%llu}", (unsigned long long)block->number);
    fh_hub_send_control(cpu->hub, FH_ROLE_AP, ap, text);
}

static void push_one(struct cpu *cpu, struct cpu_block *block, int ap)
{
    struct wire_precoder_meta meta;
    const int n_stream = select_streams(cpu, block, ap, &meta);
    block->precoder_sent_ns[ap] = clock_wall_ns();
    struct wire_header header = {
        .type = WIRE_PRECODER,
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
    encoding_of_network(&header, cpu->config, WIRE_PRECODER);
    const size_t n = wire_pack_precoder(cpu->message, cpu->message_bytes, &header, &meta, cpu->push);
    const enum cpu_verdict verdict = n == 0 ? CPU_PASS : faults_judge_precoder(cpu, ap, block->number, cpu->message, n);
    if (verdict == CPU_LOST) {
        tell_none(cpu, block, ap);
    }
    if (verdict != CPU_PASS) {
        return;
    }
    if (n == 0 || fh_hub_send(cpu->hub, FH_ROLE_AP, ap, cpu->message, n) < 0) {
        block->precoder_sent_ns[ap] = 0;
        cpu->counters.push_failed++;
    } else {
        cpu->counters.bytes_down += n;
    }
}

void push_block(struct cpu *cpu, struct cpu_block *block)
{
    for (int ap = 0; ap < cpu->shape.n_ap; ap++) {
        if (block->gathered[ap]) {
            push_one(cpu, block, ap);
        } else {
            tell_none(cpu, block, ap);
        }
    }
    faults_of_block(cpu, block->number, block->faults);
    cpu->counters.blocks++;
}
