/* SPDX-License-Identifier: GPL-3.0-or-later */
/* This central node's part of the downlink, from who serves a user to the words for the others. */
#include "base/error.h"
#include "cpu_node/cpu.h"

#include <stdlib.h>

int cpu_create_part(struct cpu *cpu)
{
    const struct config *const c = cpu->config;
    const size_t n_ue = (size_t)cpu->shape.n_ue, n_cpu = (size_t)config_n_cpu(c);
    const struct parts_live_settings settings = {.n_cpu = (int)n_cpu,
                                                 .n_ue = (int)n_ue,
                                                 .self = cpu->id,
                                                 .every_blocks = (uint64_t)c->partners.weights_every_blocks,
                                                 .lead_blocks = (uint64_t)c->partners.lead_blocks};
    if (!cpu->shape.parts) {
        return TUTTI_OK;
    }
    cpu->home_of = calloc(n_ue, sizeof *cpu->home_of);
    if (!cpu->home_of) {
        return error_set(TUTTI_ENOMEM, "out of memory for the weights of central nodes' parts");
    }
    return parts_live_create(&cpu->parts, &settings);
}

void cpu_destroy_part(struct cpu *cpu)
{
    parts_live_destroy(cpu->parts);
    free(cpu->home_of);
}

/* A user whose home is dead has none: all that hear it send. */
void cpu_begin_part(struct cpu *cpu, struct cpu_block *block)
{
    for (int k = 0; cpu->parts && k < cpu->shape.n_ue; k++) {
        const int home = cpu->home[k];
        cpu->home_of[k] = home >= 0 && cpu->partner[home] ? home : HOMES_NONE;
    }
    if (cpu->parts) {
        parts_live_turn(cpu->parts, cpu->serves_user, cpu->home_of, block);
    }
}

void cpu_end_part(struct cpu *cpu, struct cpu_block *block)
{
    if (!cpu->parts) {
        return;
    }
    parts_live_learn(cpu->parts, block);
    char *const line = parts_live_told(cpu->parts);
    if (line) {
        partners_tell_all(cpu->partners, line);
    }
    free(line);
}
