/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The other central nodes, as this one's parts hear of them. */
#include "base/log.h"
#include "cpu_node/cpu.h"

#include <inttypes.h>

static void hear_change(void *context, int other, bool up)
{
    struct cpu *const cpu = context;
    const uint64_t block = cpu->clock->now;
    log_write(up ? LOG_INFO : LOG_WARNING, "partners", "CPU-%s cpu=%d block=%" PRIu64, up ? "UP" : "DOWN", other,
              block);
    recorder_event(cpu->recorder, block, "CPU-%s cpu=%d", up ? "UP" : "DOWN", other);
}

/* By its type: a handover, weights, statistics. */
static void hear_control(void *context, int other, const char *type, const json_t *root)
{
    struct cpu *const cpu = context;
    (void)other;
    (void)type;
    (void)root;
    cpu->counters.other_data++;
}

static void hear_data(void *context, int other, const uint8_t *data, size_t n_bytes)
{
    struct cpu *const cpu = context;
    (void)other;
    (void)data;
    (void)n_bytes;
    cpu->counters.other_data++;
}

int cpu_join_partners(struct cpu *cpu)
{
    const struct partners_settings settings = {
        .config = cpu->config,
        .agreement = cpu->agreement,
        .id = cpu->id,
        .handlers = {.context = cpu, .change = hear_change, .control = hear_control, .data = hear_data}};
    const int status = partners_create(&cpu->partners, &settings);
    return status < 0 ? status : partners_start(cpu->partners, cpu->hub);
}

void cpu_tell_partners(struct cpu *cpu, const struct cpu_block *block)
{
    partners_block(cpu->partners, block, cpu->user);
}
