/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tutti-cpu: the central node. This loop is its table of contents. */
#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/rt.h"
#include "cpu_node/cpu.h"
#include "cpu_node/schedule.h"
#include "node/host/host.h"
#include "node/program.h"

#include <inttypes.h>
#include <string.h>

/* As the run did. */
static void solve_again(struct cpu *cpu, struct cpu_block *block)
{
    replay_decide(cpu->replay, block, (int)cpu->config->precoding.scheme);
    block->stepped_down = block->scheme != (int)cpu->config->precoding.scheme;
    solver_execute(cpu->solver, block, &(struct solver_deadline){0});
}

/* Who is served, with which scheme; then the solve. */
void cpu_solve(struct cpu *cpu, struct cpu_block *block)
{
    const struct config *c = cpu->config;
    const enum mimo_scheme asked = c->precoding.scheme;
    const double budget_us = c->engine.block_budget_us;
    const int n_each = solver_n_each(cpu->solver);
    struct solver_deadline deadline = {0};
    recorder_users(cpu->recorder, cpu->user);
    if (cpu->id > 0) { /* users report to the first central node */
        partners_users(cpu->partners, cpu->user);
    }
    schedule_users(cpu->shape.n_ue, cpu->user, block->number, config_user_silent_blocks(c),
                   mimo_scheme_row((int)asked)->kind == MIMO_PHASE, block->user_alive, block->user_used);
    memcpy(block->user_here, block->user_alive, (size_t)cpu->shape.n_ue);
    schedule_places(cpu->shape.n_ue, block->place, block->user_alive, block->user_used);
    block->scheme = (int)asked;
    if (budget_us > 0) {
        const uint64_t now_ns = clock_mono_ns();
        deadline.all_ns = block->first_arrival_ns + (uint64_t)(budget_us * 1e3);
        const double left_ns = (double)deadline.all_ns - (double)now_ns;
        const double data_ns = ladder_left_ns(&cpu->ladder, left_ns, n_each);
        deadline.data_ns = data_ns > 0 ? now_ns + (uint64_t)data_ns : deadline.all_ns;
        block->scheme = (int)ladder_choose(&cpu->ladder, asked, left_ns, n_each);
    }
    block->stepped_down = block->scheme != (int)asked;
    block->calibration = calibrate_in_force(cpu->calibrate, block->number);
    slow_powers(cpu->slow, block);
    cpu_begin_part(cpu, block);
    solver_execute(cpu->solver, block, &deadline);
    illuminate_execute(cpu->illuminate, block);
    const uint64_t noise_ns = solver_noise_ns(cpu->solver);
    ladder_learn(&cpu->ladder, (enum mimo_scheme)block->scheme, block->solve_ns - noise_ns, n_each);
    ladder_learn_noise(&cpu->ladder, noise_ns, n_each);
}

/* In a replay the messages of a block that the run had, if it had any of it. */
static void tell_uplink(struct cpu *cpu, const struct cpu_block *block)
{
    const uint8_t *aps = NULL, *users = NULL;
    struct uplink_homes homes;
    if (!cpu->replay || replay_uplink(cpu->replay, block->number, &aps, &users)) {
        uplink_block(cpu->uplink, block, aps, users, cpu_homes(cpu, &homes));
    }
}

static int loop(struct cpu *cpu)
{
    while (!rt_stop_requested()) {
        struct cpu_block *block;
        const int status = inbox_turn(cpu, &block); /* all live APs, or the deadline */
        if (status < 0) {
            return status;
        }
        if (!block) {
            continue;
        }
        cpu_follow_schedule(cpu, block);
        cpu_follow_homes(cpu, block);
        if (cpu->replay && replay_powers(cpu->replay, block) < 0) {
            return TUTTI_EIO;
        }
        rt_hot_enter();
        if (cpu->replay) {
            solve_again(cpu, block);
        } else {
            cpu_solve(cpu, block);
        }
        rt_hot_leave();
        outbox_push(cpu, block);
        solver_predict(cpu->solver, block);
        cpu_end_part(cpu, block);
        cpu_tell_partners(cpu, block);
        tell_uplink(cpu, block); /* behind the precoders: nobody waits for it */
        sync_watch_copy(cpu->sync, block->sync_state, block->sync_figures);
        calibrate_turn(cpu->calibrate, block->number, sync_watch_fit(cpu->sync, cpu->gather->alive));
        struct cpu_block *const other = recorder_exchange(cpu->recorder, block);
        if (other != block) {
            slow_expect(cpu->slow);
        }
        gather_replace(cpu->gather, block, other);
    }
    return TUTTI_OK;
}

static int run(const struct config *config, const struct node_options *options)
{
    static struct cpu cpu; /* zeroed: cpu_destroy handles any stage */
    cpu.replay_path = options->replay;
    cpu.own_scheme = options->own_scheme;
    cpu.id = options->id < 0 ? 0 : options->id;
    int status = node_check_id(cpu.id, config_n_cpu(config), "central nodes");
    status = status < 0 ? status : cpu_create(&cpu, config);
    if (status >= 0 && config->sensing.zones_m_count > 0 && !config->sensing.live) {
        log_write(
            LOG_WARNING, "config",
            "sensing.zones_m has no effect in a running network without sensing.live: `tutti isac` plans with it");
    }
    if (status >= 0) {
        host_log_worst(config, HOST_ROLE_CPU, -1);
        status = loop(&cpu);
        cpu_stop(&cpu);
        cpu_log_counters(&cpu);
        const uint64_t failed = recorder_write_errors(cpu.recorder);
        if (status >= 0 && failed > 0) {
            status = error_set(TUTTI_EIO, "recording %s is incomplete: %" PRIu64 " writes failed", config->record.file,
                               failed);
        }
    }
    cpu_destroy(&cpu);
    return status;
}

int main(int argc, char **argv)
{
    static const struct node_program program = {
        .name = "tutti-cpu",
        .usage =
            "Usage: tutti-cpu --config NET.yaml [--id C] [--set KEY=VALUE]... [--log LEVEL]\n"
            "The central node: gathers the APs' channel estimates every block, solves, pushes precoders, records.\n"
            "Ends after network.n_blocks blocks (0 = runs until stopped) and then ends the APs and users too.\n"
            "Started again, it goes on in the same recording when the configuration is the same, else in a new\n"
            "numbered one.\n"
            "  --config FILE     network file (see `tutti config show --defaults`)\n"
            "  --id C            which of several central nodes (cpus in the network file), 0 by default\n"
            "  --replay RUN.h5   the APs play recordings of samples: take what else a solve depends on from this run\n"
            "  --own-scheme      but the scheme from the network file\n"
            "  --set KEY=VALUE   override a key of the file\n"
            "  --log LEVEL       error, warning, info or debug\n"
            "  --version         print the version",
        .takes = NODE_TAKES_REPLAY | NODE_MAY_TAKE_ID,
        .run = run,
    };
    return node_main(&program, argc, argv);
}
