/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What several central nodes cost the block thread of one: whose its users are and by which weights it sends to them,
 * before the solve; what it learns and tells behind the precoders; and what it reads of the others. bench_company
 * [--json]. Times are processor time of the thread, "allocations" calls of malloc in all runs of a row.
 * docs/several-cpus.md. */
#include "base/error.h"
#include "base/log.h"
#include "cpu_node/cpu.h"
#include "measure.h"
#include "row.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RUNS = 2000, N_SB = 6, EVERY = 100, MOST_CPU = 4, ROOM = 1 << 16 };

/* What would leave the process. */
void __wrap_recorder_event(recorder_t *recorder, uint64_t block, const char *format, ...);
int __wrap_fh_hub_send(fh_hub_t *hub, enum fh_role role, int id, const uint8_t *data, size_t n_bytes);
void __wrap_recorder_event(recorder_t *recorder, uint64_t block, const char *format, ...)
{
    (void)recorder, (void)block, (void)format;
}

int __wrap_fh_hub_send(fh_hub_t *hub, enum fh_role role, int id, const uint8_t *data, size_t n_bytes)
{
    (void)hub, (void)role, (void)id, (void)data, (void)n_bytes;
    return 0;
}

struct bench {
    int n_cpu, n_ue;
    struct config *config;
    struct cpu cpu;
    struct block_clock clock;
    struct cpu_block *block;
    char gains[ROOM], weights[ROOM];
};

/* Rows of what is measured in every block; sums over blocks that do the same. */
struct row {
    const char *what;
    double us[RUNS];
    int n;
    unsigned long allocations;
};

static double gain_of(const struct bench *b, int cpu, int user)
{
    return user % b->n_cpu == cpu ? 1000.25 : 500.125 / (1 + abs(user % b->n_cpu - cpu));
}

static void hear(const struct bench *b, int cpu, enum fh_event_kind kind, const char *line)
{
    const struct fh_event event = {.kind = kind,
                                   .role = FH_ROLE_CPU,
                                   .id = cpu,
                                   .data = (const uint8_t *)line,
                                   .n_bytes = line ? strlen(line) : 0};
    partners_hear(b->cpu.partners, &event);
}

static void open_network(struct bench *b)
{
    char sets[2][32], cpus[256] = "cpus=[";
    for (int c = 0; c < b->n_cpu; c++) {
        snprintf(cpus + strlen(cpus), sizeof cpus - strlen(cpus), "%s{aps: [%d, %d]}", c ? ", " : "", 2 * c, 2 * c + 1);
    }
    strcat(cpus, "]");
    snprintf(sets[0], sizeof sets[0], "network.n_ap=%d", 2 * b->n_cpu);
    snprintf(sets[1], sizeof sets[1], "network.n_ue=%d", b->n_ue);
    const char *const all[] = {sets[0],
                               sets[1],
                               "network.runtime_dir=/tmp/tutti-bench",
                               "precoding.scheme=rzf",
                               cpus,
                               "frame.schedule=B G P64 G D80 G",
                               "frame.n_dl_pilot_symbols=64",
                               "frame.block_us=40000"};
    const int status = config_load(&b->config, NULL, all, 8);
    const struct block_shape shape = {.n_sb = N_SB, .n_ap = 2 * b->n_cpu, .n_ant = 1, .n_ue = b->n_ue, .parts = true};
    b->cpu = (struct cpu){.config = b->config, .shape = shape, .agreement = (char *)(uintptr_t) "", .clock = &b->clock};
    b->cpu.user = calloc((size_t)b->n_ue, sizeof *b->cpu.user);
    for (int k = 0; b->cpu.user && k < b->n_ue; k++) {
        b->cpu.user[k] = (struct schedule_user){.alive = true, .heard_block = 1234};
    }
    if (status < 0 || !b->cpu.user || block_create(&b->block, &shape) < 0 || cpu_create_part(&b->cpu) < 0 ||
        cpu_join_partners(&b->cpu) < 0) {
        fprintf(stderr, "bench_company: %s\n", error_text());
        exit(1);
    }
    for (int c = 1; c < b->n_cpu; c++) {
        hear(b, c, FH_EVENT_UP, NULL);
    }
    memset(b->block->user_used, 1, (size_t)b->n_ue);
    memset(b->block->gathered, 1, 2);
    for (int i = 0; i < N_SB; i++) {
        b->block->part->factor[i] = 1;
    }
}

static void close_network(struct bench *b)
{
    partners_destroy(b->cpu.partners);
    homes_destroy(b->cpu.homes);
    cpu_destroy_part(&b->cpu);
    free(b->cpu.home);
    free(b->cpu.serves_user);
    free(b->cpu.partner);
    free(b->cpu.orders);
    free(b->cpu.user);
    block_destroy(b->block);
    config_free(b->config);
}

/* As a solve leaves it. */
static void solve(const struct bench *b)
{
    const struct block_part *const part = b->block->part;
    const int n_ue = b->n_ue;
    for (int i = 0; i < N_SB * n_ue; i++) {
        part->power[i] = 0.51;
        for (int k = 0; k < n_ue; k++) {
            part->gain[i * n_ue + k] = i % n_ue == k ? 7.123 : 0.0123;
            part->error[i * n_ue + k] = 0.00123;
        }
    }
    for (int i = 0; i < b->cpu.shape.n_ap * n_ue; i++) {
        b->block->beta[i] = (float)gain_of(b, 0, i % n_ue);
    }
}

static void write_lines(struct bench *b, int cpu, uint64_t block)
{
    static const char *const lists[] = {"own", "square", "power", "count"};
    size_t n =
        (size_t)snprintf(b->gains, ROOM, "{\"type\":\"gains\",\"block\":%llu,\"sum\":[", (unsigned long long)block);
    for (int k = 0; k < b->n_ue; k++) {
        n += (size_t)snprintf(b->gains + n, ROOM - n, "%s%.9g", k ? "," : "", gain_of(b, cpu, k));
    }
    snprintf(b->gains + n, ROOM - n, "]}");
    n = (size_t)snprintf(b->weights, ROOM, "{\"type\":\"weights\",\"from_block\":%llu", (unsigned long long)block + 9);
    for (int l = 0; l < 4; l++) {
        n += (size_t)snprintf(b->weights + n, ROOM - n, ",\"%s\":[", lists[l]);
        for (int k = 0; k < b->n_ue * (l == 0 ? 2 : 1); k++) {
            n += (size_t)snprintf(b->weights + n, ROOM - n, "%s%.17g", k ? "," : "", 0.1234567890123456 * (k + 1));
        }
        n += (size_t)snprintf(b->weights + n, ROOM - n, "]");
    }
    snprintf(b->weights + n, ROOM - n, "}");
}

static void end_row(struct row *row, double from_us)
{
    row->us[row->n++] = measure_us() - from_us;
    measure_count(false);
    row->allocations += measure_allocations();
}

static double begin_row(void)
{
    measure_count(true);
    return measure_us();
}

enum { BEFORE, BEHIND, BEHIND_GAINS, BEHIND_WEIGHTS, READ_GAINS, READ_WEIGHTS, N_ROW };

static struct row rows[N_ROW];

static void read_lines(struct bench *b, uint64_t number)
{
    for (int c = 1; c < b->n_cpu; c++) {
        write_lines(b, c, number);
        if (number % PARTNERS_EVERY_BLOCKS == 0) {
            const double from_us = begin_row();
            hear(b, c, FH_EVENT_CONTROL, b->gains);
            end_row(&rows[READ_GAINS], from_us);
        }
        if (number % EVERY == 0 && c == 1) {
            const double from_us = begin_row();
            hear(b, c, FH_EVENT_CONTROL, b->weights);
            end_row(&rows[READ_WEIGHTS], from_us);
        }
    }
}

static void run_block(struct bench *b, uint64_t number)
{
    b->block->number = b->clock.now = number;
    read_lines(b, number);
    solve(b);
    double from_us = begin_row();
    cpu_follow_homes(&b->cpu, b->block);
    cpu_begin_part(&b->cpu, b->block);
    end_row(&rows[BEFORE], from_us);
    const bool weights = number % EVERY == (PARTS_LIVE_FIRST_BLOCKS - 1) % EVERY;
    from_us = begin_row();
    cpu_end_part(&b->cpu, b->block);
    cpu_tell_partners(&b->cpu, b->block);
    end_row(&rows[weights ? BEHIND_WEIGHTS : number % PARTNERS_EVERY_BLOCKS == 0 ? BEHIND_GAINS : BEHIND], from_us);
}

static void run(int n_cpu, int n_ue, int n_blocks)
{
    static const char *const names[N_ROW] = {"whose users are, weights of its part",
                                             "learn",
                                             "learn, tell gains and who is alive",
                                             "learn, tell weights",
                                             "read a line of gains",
                                             "read a line of weights"};
    static struct bench b;
    b = (struct bench){.n_cpu = n_cpu, .n_ue = n_ue};
    memset(rows, 0, sizeof rows);
    open_network(&b);
    for (uint64_t number = 0; number < (uint64_t)n_blocks / (uint64_t)n_cpu; number++) {
        run_block(&b, number);
    }
    row_section("%d central nodes, %d users", n_cpu, n_ue);
    for (int i = 0; i < N_ROW; i++) {
        struct row *const row = &rows[i];
        const double allocations = (double)row->allocations / row->n;
        const struct measure_times t = measure_summary(row->us, row->n);
        row_samples("median_us", row->n, row->us);
        ROW(names[i], {"median_us", t.median_us}, {"p99_us", t.p99_us}, {"allocations", allocations});
    }
    close_network(&b);
}

int main(int argc, char **argv)
{
    row_open(&argc, argv);
    log_set_level(LOG_ERROR);
    json_set_alloc_funcs(malloc, free); /* those that are counted */
    const int n_blocks = row_rounds(RUNS);
    run(2, 6, n_blocks);
    run(2, 16, n_blocks);
    run(2, 64, n_blocks);
    run(4, 64, n_blocks);
    return 0;
}
