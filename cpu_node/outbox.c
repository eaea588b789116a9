/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What goes out over the fronthaul: each AP that reported gets its part of the block. */
#include "base/clock.h"
#include "cpu_node/cpu.h"

#include <stdio.h>

/* In lock-step an AP waits for its precoder: it must hear that there is none. */
void outbox_tell_none(struct cpu *cpu, int ap, uint64_t block)
{
    char text[64];
    if (!cpu->lockstep || !fh_hub_alive(cpu->hub, FH_ROLE_AP, ap)) {
        return;
    }
    snprintf(text, sizeof text, "{\"type\":\"no_precoder\",\"block\":%llu}", (unsigned long long)block);
    fh_hub_send_control(cpu->hub, FH_ROLE_AP, ap, text);
}

void outbox_send(struct cpu *cpu, int ap, const uint8_t *data, size_t n_bytes)
{
    if (fh_hub_send(cpu->hub, FH_ROLE_AP, ap, data, n_bytes) < 0) {
        cpu->counters.push_failed++;
    } else {
        cpu->counters.bytes_down += n_bytes;
    }
}

static void push_one(struct cpu *cpu, struct cpu_block *block, int ap)
{
    const uint8_t *message;
    block->precoder_sent_ns[ap] = clock_wall_ns();
    const size_t n = push_pack(cpu->push, block, ap, cpu->account_ack[ap], block->precoder_sent_ns[ap], &message);
    const enum fault_verdict verdict =
        n == 0 ? FAULT_PASS : faults_judge(cpu->faults, ap, block->number, FAULT_DOWN, clock_mono_ns(), message, n);
    if (verdict == FAULT_LOST) {
        outbox_tell_none(cpu, ap, block->number);
    }
    if (verdict != FAULT_PASS) {
        return;
    }
    if (n == 0 || fh_hub_send(cpu->hub, FH_ROLE_AP, ap, message, n) < 0) {
        block->precoder_sent_ns[ap] = 0;
        cpu->counters.push_failed++;
    } else {
        cpu->counters.bytes_down += n;
    }
}

void outbox_push(struct cpu *cpu, struct cpu_block *block)
{
    for (int ap = 0; ap < cpu->shape.n_ap; ap++) {
        if (block->gathered[ap]) {
            push_one(cpu, block, ap);
        } else {
            outbox_tell_none(cpu, ap, block->number);
        }
    }
    faults_of_block(cpu->faults, block->number, block->faults);
    cpu->counters.blocks++;
}
