/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The solve: subbands in parallel over the workers, each an equal run of neighbours. */
#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/rt.h"
#include "cpu_node/cpu.h"
#include "mimo/ppzf.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The optimum may use an equal part of what is left for each subband this worker still has to do. */
static void limit_optimum(struct cpu_worker *worker, uint64_t deadline_ns, int n_left)
{
    struct precoder_settings settings;
    precoder_settings_default(&settings);
    settings.upsilon = worker->cpu->config->precoding.upsilon;
    settings.ob_tolerance = worker->cpu->config->precoding.ob_gap;
    const uint64_t now_ns = clock_mono_ns();
    if (deadline_ns > 0) {
        settings.deadline_mono_ns = now_ns + (now_ns < deadline_ns ? (deadline_ns - now_ns) / (uint64_t)n_left : 1u);
    }
    precoder_configure(worker->precoder, &settings);
}

/* Phase-only noise of one subband: all antennas of all APs together, nulled at every user that is there (spec spzf).
 * Its rows multiply without conjugation, so they are conj(h_k); users and APs left out are rows and columns of zeros.
 */
static bool solve_noise(struct cpu_worker *worker, struct cpu_block *block, int sb)
{
    struct cpu *cpu = worker->cpu;
    const size_t n_ue = (size_t)cpu->shape.n_ue, n_ant = (size_t)cpu->shape.n_ant;
    const size_t n_all = (size_t)cpu->shape.n_ap * n_ant;
    const tutti_cf32 *H_hat = block->H_hat + (size_t)sb * n_all * n_ue;
    for (size_t k = 0; k < n_ue; k++) {
        for (size_t l = 0; l < n_all; l++) {
            worker->H[k * n_all + l] = block->user_alive[k] ? conj((double complex)H_hat[l * n_ue + k]) : 0;
        }
    }
    spzf_reset(worker->spzf, block->number * TUTTI_MAX_SB + (uint64_t)sb); /* the answer depends on the block alone */
    struct spzf_result result;
    spzf_execute(worker->spzf, worker->H, worker->beam, &result);
    for (size_t l = 0; l < n_all; l++) {
        block->an[(size_t)sb * n_all + l] = (tutti_cf32)worker->beam[l];
    }
    return result.residual <= 1e-6; /* far below what the estimates and 16-bit phases leave */
}

/* Local precoding: no estimates come up, so there is nothing to solve; the SINR follows from large-scale figures. */
static void predict_local(const struct cpu *cpu, struct cpu_block *block, int sb)
{
    const struct ppzf_report report = {
        .n_ap = cpu->shape.n_ap,
        .n_ant = cpu->shape.n_ant,
        .n_ue = cpu->shape.n_ue,
        .scheme = cpu->config->precoding.scheme,
        .upsilon = cpu->config->precoding.upsilon,
        .beta = block->beta,
        .error_variance = block->error_variance,
        .ap_power = cpu->ap_power,
        .ap_active = block->gathered,
        .ue_active = block->user_used,
        .noise_power = cpu->config->precoding.an == CONFIG_AN_NULLSPACE ? cpu->config->precoding.an_share : 0,
    };
    ppzf_predict(&report, block->sinr + (size_t)sb * (size_t)cpu->shape.n_ue);
    block->bound[sb] = NAN;
    block->reason[sb] = MIMO_REASON_ASKED;
}

/* The optimum subband by subband, each within its deadline; the others in one batch, a vector lane per subband. */
static void execute(struct cpu_worker *worker, struct cpu_block *block, int n, const struct mimo_channel *channel,
                    struct mimo_solution *solution)
{
    const struct config_precoding *c = &worker->cpu->config->precoding;
    const enum mimo_power power = c->power;
    const enum mimo_scheme scheme = (enum mimo_scheme)block->scheme;
    const uint64_t deadline_ns = ladder_deadline_ns(worker->cpu, block);
    limit_optimum(worker, deadline_ns, n);
    if (scheme != MIMO_OB || deadline_ns == 0) {
        precoder_execute_batch(worker->precoder, scheme, power, n, channel, solution);
        return;
    }
    for (int i = 0; i < n; i++) {
        limit_optimum(worker, deadline_ns, n - i);
        precoder_execute(worker->precoder, scheme, power, &channel[i], &solution[i]);
    }
}

/* Subbands first..last-1 of a block whose estimates are here. */
static void solve_subbands(struct cpu_worker *worker, struct cpu_block *block, int first, int last)
{
    const struct cpu *cpu = worker->cpu;
    const size_t n_ue = (size_t)cpu->shape.n_ue;
    const size_t one = (size_t)cpu->shape.n_ap * (size_t)cpu->shape.n_ant * n_ue;
    for (int sb = first; sb < last; sb++) {
        worker->channel[sb] = (struct mimo_channel){
            .H_hat = block->H_hat + (size_t)sb * one,
            .error_variance = block->error_variance,
            .ap_power = cpu->ap_power,
            .ap_active = block->gathered,
            .ue_active = block->user_used,
            .beta = block->beta,
        };
        worker->solution[sb] =
            (struct mimo_solution){.W = block->W + (size_t)sb * one, .sinr = block->sinr + (size_t)sb * n_ue};
    }
    execute(worker, block, last - first, worker->channel + first, worker->solution + first);
    for (int sb = first; sb < last; sb++) {
        const int reason = worker->solution[sb].reason;
        block->bound[sb] = worker->solution[sb].sinr_bound;
        block->reason[sb] = reason == MIMO_REASON_ASKED && block->stepped_down ? MIMO_REASON_LADDER : reason;
        if (worker->spzf) {
            worker->an_solved &= solve_noise(worker, block, sb);
        }
    }
}

static void solve_share(struct cpu_worker *worker)
{
    const struct cpu *cpu = worker->cpu;
    struct cpu_block *block = cpu->solver.block;
    const int first = worker->index * cpu->frame.n_sb / cpu->solver.n_workers;
    const int last = (worker->index + 1) * cpu->frame.n_sb / cpu->solver.n_workers;
    worker->an_solved = worker->spzf != NULL;
    if (cpu->config->precoding.local) {
        for (int sb = first; sb < last; sb++) {
            predict_local(cpu, block, sb);
        }
    } else {
        solve_subbands(worker, block, first, last);
    }
}

static void *worker_main(void *argument)
{
    struct cpu_worker *worker = argument;
    struct cpu *cpu = worker->cpu;
    const struct config_engine *e = &cpu->config->engine;
    if ((unsigned)worker->index < e->solve_cores_count && rt_pin(e->solve_cores[worker->index]) < 0) {
        log_write(LOG_WARNING, "rt", "%s", error_text());
    }
    if (e->realtime_priority > 0 && rt_priority(e->realtime_priority) < 0) {
        log_write(LOG_WARNING, "rt", "%s", error_text());
    }
    for (;;) {
        rt_event_wait(worker->wake, -1);
        if (atomic_load(&cpu->solver.stop)) {
            return NULL;
        }
        rt_hot_enter();
        solve_share(worker);
        rt_hot_leave();
        if (atomic_fetch_sub(&cpu->solver.n_pending, 1) == 1) {
            rt_event_signal(cpu->solver.done);
        }
    }
}

/* A user is served while it is alive on the lab link and has reported a block lately. */
static bool user_is_used(const struct cpu *cpu, uint64_t number, int user)
{
    if (!fh_hub_alive(cpu->recorder.lab, FH_ROLE_UE, user)) {
        return false;
    }
    const uint64_t reported = atomic_load(&cpu->recorder.last_report[user]);
    const uint64_t since = atomic_load(&cpu->user_since[user]);
    const uint64_t newest = reported > since ? reported : since;
    return number <= newest + (uint64_t)cpu->config->engine.user_silent_blocks;
}

/* With nobody known to be there (this node has just started) everybody is served. */
static void choose_users(const struct cpu *cpu, struct cpu_block *block)
{
    int alive[TUTTI_MAX_UE], n_alive = 0;
    for (int k = 0; k < cpu->shape.n_ue; k++) {
        if ((block->user_alive[k] = user_is_used(cpu, block->number, k))) {
            alive[n_alive++] = k;
        }
    }
    if (n_alive == 0) {
        memset(block->user_alive, 1, (size_t)cpu->shape.n_ue);
    }
    memcpy(block->user_used, block->user_alive, sizeof block->user_used);
    if (mimo_scheme_row((int)cpu->config->precoding.scheme)->kind != MIMO_PHASE) {
        return;
    }
    memset(block->user_used, 0, sizeof block->user_used);
    block->user_used[n_alive ? alive[block->number % (uint64_t)n_alive] : 0] = 1;
}

void solve_block(struct cpu *cpu, struct cpu_block *block)
{
    struct cpu_solver *solver = &cpu->solver;
    block->solve_start_ns = clock_wall_ns();
    choose_users(cpu, block);
    ladder_choose(cpu, block);
    solver->block = block;
    atomic_store(&solver->n_pending, solver->n_workers - 1);
    for (int w = 1; w < solver->n_workers; w++) {
        rt_event_signal(solver->worker[w].wake);
    }
    solve_share(&solver->worker[0]);
    if (solver->n_workers > 1) {
        rt_event_wait(solver->done, -1);
    }
    block->an_solved = true;
    for (int w = 0; w < solver->n_workers; w++) {
        block->an_solved &= solver->worker[w].an_solved;
    }
    share_noise(cpu, block);
    block->solve_end_ns = clock_wall_ns();
    ladder_learn(cpu, block);
    atomic_store(&cpu->last_block, block->number);
}

static int create_noise_solver(struct cpu_worker *worker)
{
    const struct mimo_shape *shape = &worker->cpu->shape;
    const size_t n_all = (size_t)shape->n_ap * (size_t)shape->n_ant;
    if (worker->cpu->config->precoding.an != CONFIG_AN_PHASE_ONLY) {
        return TUTTI_OK;
    }
    worker->H = calloc((size_t)shape->n_ue * n_all, sizeof *worker->H);
    worker->beam = calloc(n_all, sizeof *worker->beam);
    if (!worker->H || !worker->beam) {
        return error_set(TUTTI_ENOMEM, "out of memory for the artificial noise");
    }
    const struct spzf_settings settings = spzf_settings_default(SPZF_PLUS, (int)n_all, shape->n_ue);
    return spzf_create(&worker->spzf, &settings);
}

int solver_create(struct cpu *cpu)
{
    struct cpu_solver *solver = &cpu->solver;
    int n = cpu->config->engine.n_workers;
    if (n > CPU_MAX_WORKERS) {
        n = CPU_MAX_WORKERS;
    }
    solver->done = rt_event_create();
    if (solver->done < 0) {
        return error_set(TUTTI_EIO, "cannot create a wake-up descriptor");
    }
    for (int w = 0; w < n; w++) {
        struct cpu_worker *worker = &solver->worker[w];
        worker->cpu = cpu;
        worker->index = w;
        worker->wake = rt_event_create();
        if (precoder_create_for(&worker->precoder, &cpu->shape, precoder_schemes_below(cpu->config->precoding.scheme)) <
                0 ||
            worker->wake < 0) {
            return error_set(TUTTI_ENOMEM, "cannot create solver %d of %d", w, n);
        }
        solver->n_workers = w + 1;
        if (create_noise_solver(worker) < 0) {
            return TUTTI_ENOMEM;
        }
        if (w > 0 && pthread_create(&worker->thread, NULL, worker_main, worker) != 0) {
            return error_set(TUTTI_ENOMEM, "cannot start solver thread %d of %d", w, n);
        }
        worker->running = w > 0;
    }
    return TUTTI_OK;
}

void solver_destroy(struct cpu *cpu)
{
    atomic_store(&cpu->solver.stop, true);
    for (int w = 0; w < cpu->solver.n_workers; w++) {
        struct cpu_worker *worker = &cpu->solver.worker[w];
        if (worker->running) {
            rt_event_signal(worker->wake);
            pthread_join(worker->thread, NULL);
        }
        precoder_destroy(worker->precoder);
        spzf_destroy(worker->spzf);
        free(worker->H);
        free(worker->beam);
    }
}
