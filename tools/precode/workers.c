/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tools/precode/workers.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/rt.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

struct worker {
    precode_workers_t *all;
    precoder_t *precoder;
    precode_noise_t *noise;
    pthread_t thread;
    bool running;
};

struct precode_workers {
    struct mimo_shape shape;
    int n_sb, n_threads;
    struct precode_job job;
    float *ap_power, *data_power; /* [n_ap] whole budgets; what the data gets of them */
    float *no_error;              /* [n_ap][n_ue] zeros: the true channel is known exactly */
    struct worker *worker;
    const struct channel_batch *batch; /* this round */
    uint64_t first_block;
    struct precode_result *result;
    _Atomic int next, n_done; /* subbands of this round taken, solved */
    pthread_mutex_t lock;     /* guards what follows */
    pthread_cond_t changed;
    unsigned round;
    int n_busy;
    bool quit;
};

int precode_result_create(struct precode_result **result, const struct channel_file_info *info, int room)
{
    struct precode_result *r = *result = calloc(1, sizeof *r);
    const size_t n = (size_t)room * (size_t)info->n_sb, k = (size_t)info->shape.n_ue;
    if (r) {
        r->W = calloc(n * (size_t)info->shape.n_ap * (size_t)info->shape.n_ant * k, sizeof *r->W);
        r->sinr = calloc(n * k, sizeof *r->sinr);
        r->sinr_true = info->has_truth ? calloc(n * k, sizeof *r->sinr_true) : NULL;
        r->bound = calloc(n, sizeof *r->bound);
        r->solve_time_s = calloc(n, sizeof *r->solve_time_s);
        r->reason = calloc(n, sizeof *r->reason);
        r->power_use = calloc(n, sizeof *r->power_use);
        r->an = calloc(n * (size_t)info->shape.n_ap * (size_t)info->shape.n_ant, sizeof *r->an);
        r->an_failed = calloc(n, sizeof *r->an_failed);
    }
    if (!r || !r->W || !r->sinr || (info->has_truth && !r->sinr_true) || !r->bound || !r->solve_time_s || !r->reason ||
        !r->power_use || !r->an || !r->an_failed) {
        return error_set(TUTTI_ENOMEM, "%s: no memory for the precoders of %d blocks", info->path, room);
    }
    return 0;
}

void precode_result_destroy(struct precode_result *r)
{
    if (!r) {
        return;
    }
    free(r->W);
    free(r->sinr);
    free(r->sinr_true);
    free(r->bound);
    free(r->solve_time_s);
    free(r->reason);
    free(r->power_use);
    free(r->an);
    free(r->an_failed);
    free(r);
}

static double power_of(size_t n, const tutti_cf32 *v)
{
    double power = 0;
    for (size_t i = 0; i < n; i++) {
        power += (double)crealf(v[i]) * (double)crealf(v[i]) + (double)cimagf(v[i]) * (double)cimagf(v[i]);
    }
    return power;
}

/* Largest share of its budget that an AP sends with, data and noise together. */
static float power_use(const precode_workers_t *all, const tutti_cf32 *W, const tutti_cf32 *an)
{
    const size_t n_ant = (size_t)all->shape.n_ant, per_ap = n_ant * (size_t)all->shape.n_ue;
    if (all->job.noise.an == PRECODE_AN_NONE) {
        return mimo_power_use(&all->shape, all->ap_power, W);
    }
    double most = 0;
    for (size_t m = 0; m < (size_t)all->shape.n_ap; m++) {
        const double power = power_of(per_ap, W + m * per_ap) + power_of(n_ant, an + m * n_ant);
        if (power > 0) {
            most = fmax(most, power / (double)all->ap_power[m]);
        }
    }
    return (float)most;
}

/* Subband `at` of the round, counted over its blocks. */
static void solve(const struct worker *worker, size_t at)
{
    const precode_workers_t *const all = worker->all;
    const size_t m = (size_t)all->shape.n_ap, k = (size_t)all->shape.n_ue, one = m * (size_t)all->shape.n_ant * k;
    const struct channel_batch *const b = all->batch;
    struct precode_result *const r = all->result;
    const size_t block = at / (size_t)all->n_sb;
    struct mimo_channel channel = {.H_hat = b->H_hat + at * one,
                                   .error_variance = b->error_variance + at * m * k,
                                   .ap_power = all->data_power,
                                   .ap_active = b->ap_active + block * m,
                                   .ue_active = b->ue_active + block * k,
                                   .beta = b->beta ? b->beta + block * m * k : NULL};
    struct mimo_solution solution = {.W = r->W + at * one, .sinr = r->sinr + at * k};
    const uint64_t start_ns = clock_mono_ns();
    precoder_execute(worker->precoder, all->job.scheme, all->job.power, &channel, &solution);
    r->solve_time_s[at] = (double)(clock_mono_ns() - start_ns) * 1e-9;
    r->bound[at] = solution.sinr_bound;
    r->reason[at] = solution.reason;
    tutti_cf32 *const an = r->an + at * m * (size_t)all->shape.n_ant;
    const uint64_t index = all->first_block * (uint64_t)all->n_sb + at;
    r->an_failed[at] = !precode_noise_execute(worker->noise, index, &channel, an);
    r->power_use[at] = power_use(all, solution.W, an);
    if (!b->H) {
        return;
    }
    channel.H_hat = b->H + at * one;
    channel.error_variance = all->no_error;
    mimo_sinr(&all->shape, &channel, solution.W, r->sinr_true + at * k);
}

static void work(const struct worker *worker)
{
    precode_workers_t *const all = worker->all;
    const int n = all->batch->n * all->n_sb;
    while (!rt_stop_requested()) {
        const int at = atomic_fetch_add(&all->next, 1);
        if (at >= n) {
            return;
        }
        solve(worker, (size_t)at);
        atomic_fetch_add(&all->n_done, 1);
    }
}

static void *worker_main(void *argument)
{
    struct worker *const worker = argument;
    precode_workers_t *const all = worker->all;
    unsigned seen = 0;
    for (;;) {
        pthread_mutex_lock(&all->lock);
        while (all->round == seen && !all->quit) {
            pthread_cond_wait(&all->changed, &all->lock);
        }
        seen = all->round;
        const bool quit = all->quit;
        pthread_mutex_unlock(&all->lock);
        if (quit) {
            return NULL;
        }
        work(worker);
        pthread_mutex_lock(&all->lock);
        all->n_busy--;
        pthread_cond_broadcast(&all->changed);
        pthread_mutex_unlock(&all->lock);
    }
}

int precode_workers_run(precode_workers_t *all, uint64_t first_block, const struct channel_batch *batch,
                        struct precode_result *result)
{
    pthread_mutex_lock(&all->lock);
    all->batch = batch;
    all->first_block = first_block;
    all->result = result;
    atomic_store(&all->next, 0);
    atomic_store(&all->n_done, 0);
    all->n_busy = all->n_threads - 1;
    all->round++;
    pthread_cond_broadcast(&all->changed);
    pthread_mutex_unlock(&all->lock);
    work(&all->worker[0]);
    pthread_mutex_lock(&all->lock);
    while (all->n_busy > 0) {
        pthread_cond_wait(&all->changed, &all->lock);
    }
    pthread_mutex_unlock(&all->lock);
    if (atomic_load(&all->n_done) == batch->n * all->n_sb) {
        return 0;
    }
    return error_set(TUTTI_ESTOPPED, "stopped on request");
}

/* The calling thread is worker 0. */
static int start(precode_workers_t *all, int n_threads)
{
    for (int w = 0; w < n_threads; w++) {
        struct worker *const worker = &all->worker[w];
        worker->all = all;
        int status = precoder_create_for(&worker->precoder, &all->shape, MIMO_ONLY(all->job.scheme));
        if (status >= 0) {
            status = precode_noise_create(&worker->noise, &all->job.noise, &all->shape, all->ap_power);
        }
        all->n_threads = w + 1;
        if (status < 0) {
            return status;
        }
        precoder_configure(worker->precoder, &all->job.settings);
        if (w > 0 && pthread_create(&worker->thread, NULL, worker_main, worker) != 0) {
            return error_set(TUTTI_ENOMEM, "cannot start thread %d of %d; choose a smaller --threads", w + 1,
                             n_threads);
        }
        worker->running = w > 0;
    }
    return 0;
}

int precode_workers_create(precode_workers_t **workers, const struct channel_file_info *info,
                           const struct precode_job *job, int n_threads)
{
    precode_workers_t *all = *workers = calloc(1, sizeof *all);
    if (!all) {
        return error_set(TUTTI_ENOMEM, "no memory for the solvers");
    }
    pthread_mutex_init(&all->lock, NULL);
    pthread_cond_init(&all->changed, NULL);
    all->shape = info->shape;
    all->n_sb = info->n_sb;
    all->job = *job;
    all->ap_power = calloc((size_t)info->shape.n_ap, sizeof *all->ap_power);
    all->data_power = calloc((size_t)info->shape.n_ap, sizeof *all->data_power);
    for (int m = 0; all->ap_power && all->data_power && m < info->shape.n_ap; m++) {
        all->data_power[m] = precode_noise_left(&job->noise, all->ap_power[m] = info->ap_power[m]);
    }
    all->no_error = calloc((size_t)info->shape.n_ap * (size_t)info->shape.n_ue, sizeof *all->no_error);
    all->worker = calloc((size_t)n_threads, sizeof *all->worker);
    if (!all->no_error || !all->worker || !all->ap_power || !all->data_power) {
        return error_set(TUTTI_ENOMEM, "no memory for the solvers");
    }
    return start(all, n_threads);
}

void precode_workers_destroy(precode_workers_t *all)
{
    if (!all) {
        return;
    }
    pthread_mutex_lock(&all->lock);
    all->quit = true;
    pthread_cond_broadcast(&all->changed);
    pthread_mutex_unlock(&all->lock);
    for (int w = 0; w < all->n_threads; w++) {
        if (all->worker[w].running) {
            pthread_join(all->worker[w].thread, NULL);
        }
        precoder_destroy(all->worker[w].precoder);
        precode_noise_destroy(all->worker[w].noise);
    }
    pthread_cond_destroy(&all->changed);
    pthread_mutex_destroy(&all->lock);
    free(all->worker);
    free(all->ap_power);
    free(all->data_power);
    free(all->no_error);
    free(all);
}
