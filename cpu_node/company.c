/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The other central nodes, as this one's parts hear of them. */
#include "base/error.h"
#include "base/log.h"
#include "cpu_node/cpu.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Homes ------------------------------------------------------------------------------------------------------------ */

enum { ORDER_BYTES = 160 };

static const char *write_order(const struct homes_order *o, char *text)
{
    snprintf(text, ORDER_BYTES, "{\"type\":\"handover\",\"user\":%d,\"from\":%d,\"to\":%d,\"at_block\":%" PRIu64 "}",
             o->user, o->from, o->to, o->at_block);
    return text;
}

static bool read_int(const json_t *root, const char *key, int *value)
{
    const json_t *const number = json_object_get(root, key);
    const json_int_t n = json_integer_value(number);
    *value = (int)n;
    return json_is_integer(number) && n >= -1 && n <= TUTTI_MAX_UE;
}

static bool hear_order(struct cpu *cpu, int other, const json_t *root)
{
    struct homes_order order;
    const json_t *const at = json_object_get(root, "at_block");
    if (!read_int(root, "user", &order.user) || !read_int(root, "from", &order.from) ||
        !read_int(root, "to", &order.to) || !json_is_integer(at) || json_integer_value(at) < 0) {
        return false;
    }
    order.at_block = (uint64_t)json_integer_value(at);
    return homes_hear(cpu->homes, other, &order);
}

static void tell_table(struct cpu *cpu, int other)
{
    char text[ORDER_BYTES];
    const int n = homes_table(cpu->homes, cpu->orders);
    for (int i = 0; i < n; i++) {
        partners_tell(cpu->partners, other, write_order(&cpu->orders[i], text));
    }
}

static void tell_order(struct cpu *cpu, const struct homes_order *o, uint64_t block)
{
    char text[ORDER_BYTES];
    partners_tell_all(cpu->partners, write_order(o, text));
    log_write(LOG_INFO, "homes", "HANDOVER user=%d from=cpu%d to=cpu%d at_block=%" PRIu64 " block=%" PRIu64, o->user,
              o->from, o->to, o->at_block, block);
    recorder_event(cpu->recorder, block, "HANDOVER user=%d from=cpu%d to=cpu%d at_block=%" PRIu64, o->user, o->from,
                   o->to, o->at_block);
}

/* What both directions go by in this block. */
static void ask_homes(struct cpu *cpu)
{
    const size_t n_ue = (size_t)cpu->shape.n_ue;
    homes_serves_all(cpu->homes, cpu->serves_user);
    for (int c = 0; c < config_n_cpu(cpu->config); c++) {
        cpu->partner[c] = partners_alive(cpu->partners, c);
        if (!cpu->partner[c]) {
            memset(cpu->serves_user + (size_t)c * n_ue, 0, n_ue);
        }
    }
    for (int k = 0; k < cpu->shape.n_ue; k++) {
        cpu->home[k] = homes_of(cpu->homes, k);
    }
}

void cpu_follow_homes(struct cpu *cpu, const struct cpu_block *block)
{
    if (!cpu->homes) {
        return;
    }
    const int n = homes_turn(cpu->homes, block->number, cpu->orders);
    for (int i = 0; i < n; i++) {
        tell_order(cpu, &cpu->orders[i], block->number);
    }
    ask_homes(cpu);
}

const struct uplink_homes *cpu_homes(const struct cpu *cpu, struct uplink_homes *homes)
{
    if (!cpu->homes) {
        return NULL;
    }
    *homes = (struct uplink_homes){
        .home = cpu->home, .helps = cpu->serves_user + cpu->id * cpu->shape.n_ue, .partner = cpu->partner};
    return homes;
}

bool cpu_waits_for_partners(struct cpu *cpu, uint64_t now_ns)
{
    static const uint64_t PATIENCE_NS = 2000000000u;
    if (!uplink_is_ahead(cpu->uplink)) {
        cpu->held_ns = 0;
        return false;
    }
    cpu->held_ns = cpu->held_ns > 0 ? cpu->held_ns : now_ns;
    if (now_ns - cpu->held_ns < PATIENCE_NS) {
        return true;
    }
    for (int c = 0; c < config_n_cpu(cpu->config); c++) { /* it is there and says nothing: until it does */
        uplink_partner_gone(cpu->uplink, c);
    }
    return false;
}

/* What comes ------------------------------------------------------------------------------------------------------- */

static void hear_change(void *context, int other, bool up)
{
    struct cpu *const cpu = context;
    const uint64_t block = cpu->clock->now;
    log_write(up ? LOG_INFO : LOG_WARNING, "partners", "CPU-%s cpu=%d block=%" PRIu64, up ? "UP" : "DOWN", other,
              block);
    recorder_event(cpu->recorder, block, "CPU-%s cpu=%d", up ? "UP" : "DOWN", other);
    homes_alive(cpu->homes, other, up);
    parts_live_alive(cpu->parts, other, up);
    if (up) {
        tell_table(cpu, other);
    } else {
        uplink_partner_gone(cpu->uplink, other);
    }
}

static void hear_gains(void *context, int other, uint64_t block, const double *sums)
{
    struct cpu *const cpu = context;
    homes_gains(cpu->homes, other, block, sums);
}

/* By its type: a handover, weights, statistics. */
static void hear_control(void *context, int other, const char *type, const json_t *root)
{
    struct cpu *const cpu = context;
    const bool weights = strcmp(type, "weights") == 0 && parts_live_hear(cpu->parts, other, root);
    if (!weights && (strcmp(type, "handover") != 0 || !hear_order(cpu, other, root))) {
        cpu->counters.other_data++;
    }
}

static void hear_data(void *context, int other, const uint8_t *data, size_t n_bytes)
{
    struct cpu *const cpu = context;
    struct wire_header header;
    const bool ours = wire_unpack_header(data, n_bytes, &header) == WIRE_OK &&
                      header.tick == frame_symbol_tick(&cpu->frame, cpu->welcome.epoch, header.block, 0);
    if (!ours || !uplink_hear_part(cpu->uplink, other, data, n_bytes)) {
        cpu->counters.other_data++;
    }
}

/* Life ------------------------------------------------------------------------------------------------------------- */

static int send_part(void *context, int other, const uint8_t *data, size_t n_bytes)
{
    const struct cpu *const cpu = context;
    return partners_send(cpu->partners, other, data, n_bytes);
}

struct uplink_company cpu_company(struct cpu *cpu)
{
    return (struct uplink_company){
        .n_cpu = config_n_cpu(cpu->config), .self = cpu->id, .context = cpu, .send = send_part};
}

static int create_homes(struct cpu *cpu)
{
    const struct config_partners *const p = &cpu->config->partners;
    const size_t n_ue = (size_t)cpu->shape.n_ue;
    const struct homes_settings settings = {.n_cpu = config_n_cpu(cpu->config),
                                            .n_ue = cpu->shape.n_ue,
                                            .self = cpu->id,
                                            .margin_db = p->hysteresis_db,
                                            .help_db = p->help_db,
                                            .helpers = p->helpers,
                                            .hold_blocks = (uint64_t)p->hysteresis_blocks,
                                            .lead_blocks = (uint64_t)p->lead_blocks};
    if (settings.n_cpu < 2) {
        return TUTTI_OK;
    }
    cpu->home = calloc(n_ue, sizeof *cpu->home);
    cpu->serves_user = calloc((size_t)settings.n_cpu * n_ue, 1);
    cpu->partner = calloc((size_t)settings.n_cpu, 1);
    cpu->orders = calloc(n_ue, sizeof *cpu->orders);
    if (!cpu->home || !cpu->serves_user || !cpu->partner || !cpu->orders) {
        return error_set(TUTTI_ENOMEM, "out of memory for the users' homes");
    }
    return homes_create(&cpu->homes, &settings);
}

int cpu_join_partners(struct cpu *cpu)
{
    const struct partners_settings settings = {
        .config = cpu->config,
        .agreement = cpu->agreement,
        .id = cpu->id,
        .data_bytes = uplink_part_bytes(cpu->uplink),
        .handlers = {
            .context = cpu, .change = hear_change, .gains = hear_gains, .control = hear_control, .data = hear_data}};
    int status = create_homes(cpu);
    status = status < 0 ? status : partners_create(&cpu->partners, &settings);
    return status < 0 ? status : partners_start(cpu->partners, cpu->hub);
}

void cpu_log_homes(const struct cpu *cpu)
{
    if (cpu->homes) {
        const struct homes_counters c = homes_counters(cpu->homes);
        log_write(LOG_INFO, "homes",
                  "COUNTERS far_gains=%" PRIu64 " old_gains=%" PRIu64 " far_orders=%" PRIu64 " late_orders=%" PRIu64
                  " far_weights=%" PRIu64,
                  c.far_gains, c.old_gains, c.far_orders, c.late_orders, parts_live_far(cpu->parts));
    }
}

void cpu_tell_partners(struct cpu *cpu, const struct cpu_block *block)
{
    partners_block(cpu->partners, block, cpu->user);
}
