/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cpu_node/solve.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/rt.h"
#include "cpu_node/cluster_streams.h"
#include "mimo/an_share.h"
#include "mimo/between.h"
#include "mimo/ppzf.h"
#include "mimo/spzf.h"
#include "node/thread.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct worker {
    solver_t *solver;
    struct node_thread thread;
    int index, wake;
    precoder_t *precoder;
    spzf_t *spzf;             /* phase-only noise; NULL when not asked for */
    double complex *H, *beam; /* [n_ue][n_ap * n_ant], [n_ap * n_ant] */
    bool an_solved;           /* of this worker's subbands */
    uint64_t noise_ns;        /* what their noise took */
    double *work;             /* [5][n_ue] of closed forms */
    uint8_t *work_strong;     /* [n_ue] */
};

struct solver {
    struct solver_settings settings;
    struct mimo_shape shape;
    float *ap_power; /* [n_ap] for data: what a fixed share of noise leaves of 1 */
    double *eta;     /* [n_ap][n_ue] powers given to this block, as mimo/precoder.h wants them */
    struct mimo_channel *channel;
    struct mimo_solution *solution; /* [n_sb] */
    bool given;                     /* eta holds */
    struct worker *worker;          /* [n_workers] */
    struct interpolate *precoders;  /* how they go between subbands */
    struct between *between;
    int n_workers, done;
    _Atomic int n_pending;
    _Atomic bool stop;
    struct cpu_block *block;
    struct solver_deadline deadline;
};

int solver_extra_streams(const struct config_precoding *precoding)
{
    return precoding->an != CONFIG_AN_NONE;
}

int solver_n_each(const solver_t *solver)
{
    return (solver->settings.shape.n_sb + solver->n_workers - 1) / solver->n_workers;
}

/* One subband ------------------------------------------------------------------------------------------------------ */

/* An equal part of what is left for each subband this worker still has to do. */
static uint64_t part_of(uint64_t deadline_ns, int n_left)
{
    const uint64_t now_ns = clock_mono_ns(), left_ns = now_ns < deadline_ns ? deadline_ns - now_ns : 0;
    return now_ns + left_ns / (uint64_t)n_left + 1;
}

static void limit_optimum(struct worker *worker, int n_left)
{
    const solver_t *s = worker->solver;
    struct precoder_settings settings;
    precoder_settings_default(&settings);
    settings.upsilon = s->settings.precoding->upsilon;
    settings.ob_tolerance = s->settings.precoding->ob_gap;
    settings.deadline_mono_ns = s->deadline.data_ns > 0 ? part_of(s->deadline.data_ns, n_left) : 0;
    precoder_configure(worker->precoder, &settings);
}

/* Phase-only noise of one subband: all antennas of all APs together, nulled at every user that is there. Its rows
 * multiply without conjugation, so they are conj(h_k); users and APs left out are rows and columns of zeros. */
static bool solve_noise(struct worker *worker, struct cpu_block *block, int sb, int n_left)
{
    const size_t n_ue = (size_t)block->shape.n_ue;
    const size_t n_all = (size_t)block->shape.n_ap * (size_t)block->shape.n_ant;
    const tutti_cf32 *H_hat = block->H_hat + (size_t)sb * n_all * n_ue;
    for (size_t k = 0; k < n_ue; k++) {
        for (size_t l = 0; l < n_all; l++) {
            worker->H[k * n_all + l] = block->user_alive[k] ? conj((double complex)H_hat[l * n_ue + k]) : 0;
        }
    }
    const uint64_t deadline_ns = worker->solver->deadline.all_ns;
    spzf_limit(worker->spzf, deadline_ns > 0 ? part_of(deadline_ns, n_left) : 0);
    spzf_reset(worker->spzf, (block->number << 12) | (uint64_t)sb); /* the answer depends on the block alone */
    struct spzf_result result;
    spzf_execute(worker->spzf, worker->H, worker->beam, &result);
    tutti_cf32 *an = block->streams->extra + (size_t)sb * n_all;
    for (size_t l = 0; l < n_all; l++) {
        an[l] = (tutti_cf32)worker->beam[l];
    }
    return result.residual <= 1e-6; /* far below what the estimates and 16-bit phases leave */
}

/* Local precoding: no estimates come up, so there is nothing to solve; the SINR follows from large-scale figures. */
static void predict_local(struct worker *worker, struct cpu_block *block, int sb)
{
    const solver_t *s = worker->solver;
    const struct config_precoding *p = s->settings.precoding;
    const struct ppzf_report report = {
        .n_ap = s->shape.n_ap,
        .n_ant = s->shape.n_ant,
        .n_ue = s->shape.n_ue,
        .scheme = p->scheme,
        .upsilon = p->upsilon,
        .beta = block->beta,
        .error_variance = block->error_variance,
        .ap_power = s->ap_power,
        .ap_active = block->gathered,
        .ue_active = block->user_used,
        .noise_power = p->an == CONFIG_AN_NULLSPACE ? p->an_share : 0,
        .work = worker->work,
        .work_strong = worker->work_strong,
    };
    ppzf_predict(&report, block->sinr + (size_t)sb * (size_t)s->shape.n_ue);
    block->bound[sb] = NAN;
    block->reason[sb] = MIMO_REASON_ASKED;
}

/* A worker's subbands ---------------------------------------------------------------------------------------------- */

/* The optimum subband by subband, each within its deadline; the others in one batch. */
static void execute(struct worker *worker, const struct cpu_block *block, int first, int n)
{
    const solver_t *s = worker->solver;
    const struct config_precoding *const precoding = s->settings.precoding;
    const enum mimo_scheme scheme = (enum mimo_scheme)block->scheme;
    const enum mimo_power power = mimo_power_on_rung(precoding->scheme, scheme, precoding->power);
    limit_optimum(worker, n);
    if (scheme != MIMO_OB || s->deadline.data_ns == 0) {
        precoder_execute_batch(worker->precoder, scheme, power, n, s->channel + first, s->solution + first);
        return;
    }
    for (int i = 0; i < n; i++) {
        limit_optimum(worker, n - i);
        precoder_execute(worker->precoder, scheme, power, &s->channel[first + i], &s->solution[first + i]);
    }
}

/* Precoders of clusters keep to them, and know that users know their gains. */
static bool knows_clusters(const solver_t *s, const struct cpu_block *block)
{
    const struct config_precoding *const p = s->settings.precoding;
    const enum mimo_scheme scheme = (enum mimo_scheme)block->scheme;
    const enum mimo_power power = mimo_power_on_rung(scheme, scheme, mimo_power_on_rung(p->scheme, scheme, p->power));
    return block->serves && MIMO_CLUSTER_SCHEMES & MIMO_ONLY(scheme) &&
           (power == MIMO_POWER_FRACTIONAL || power == MIMO_POWER_FRACTIONAL_AP);
}

static void keep_to_clusters(const struct worker *worker, struct cpu_block *block, int first, int last)
{
    const solver_t *const s = worker->solver;
    for (int sb = first; block->serves && !knows_clusters(s, block) && sb < last; sb++) {
        cluster_streams_mask(&s->shape, block->serves, s->solution[sb].W);
        cluster_streams_sinr(&s->shape, &s->channel[sb], s->solution[sb].W, worker->work, s->solution[sb].sinr);
    }
}

/* With other central nodes: what users hear of this part is kept, then it gets its weights. */
static void weigh_part(const struct worker *worker, struct cpu_block *block, int first, int last)
{
    const solver_t *const s = worker->solver;
    const bool fill = !mimo_holds_mean((enum mimo_scheme)block->scheme, s->settings.precoding->power);
    for (int sb = first; block->part && sb < last; sb++) {
        const struct parts_heard heard = block_part_heard(block, sb);
        const struct mimo_solution *const solution = &s->solution[sb];
        parts_measure(&s->shape, &s->channel[sb], solution->W, &heard);
        block->part->factor[sb] = parts_apply(&s->shape, s->ap_power, block->part->weight, fill, solution->W);
        mimo_sinr(&s->shape, &s->channel[sb], solution->W, solution->sinr);
    }
}

static void solve_subbands(struct worker *worker, struct cpu_block *block, int first, int last)
{
    const solver_t *s = worker->solver;
    const size_t n_ue = (size_t)s->shape.n_ue, one = (size_t)s->shape.n_ap * (size_t)s->shape.n_ant * n_ue;
    for (int sb = first; sb < last; sb++) {
        s->channel[sb] = (struct mimo_channel){
            .H_hat = block->H_hat + (size_t)sb * one,
            .error_variance = block->error_variance,
            .ap_power = s->ap_power,
            .ap_active = block->gathered,
            .ue_active = block->user_used,
            .beta = block->beta,
            .eta = s->given ? s->eta : NULL,
            .serves = block->serves,
            .knows_gain = knows_clusters(s, block),
        };
        if (block->P) {
            s->channel[sb].pilots =
                (struct mimo_pilots){.P = block->P + (size_t)sb * one / n_ue * (size_t)s->settings.shape.n_pilot,
                                     .factor = block->factor,
                                     .pilot = block->sequence,
                                     .n_pilot = s->settings.shape.n_pilot};
        }
        s->solution[sb] = (struct mimo_solution){.zeroed = block->written_known,
                                                 .W = block->streams->W + (size_t)sb * one,
                                                 .sinr = block->sinr + (size_t)sb * n_ue,
                                                 .shape = block->shape_of_powers + (size_t)sb * n_ue};
    }
    memset(block->shape_of_powers + (size_t)first * n_ue, 0, (size_t)(last - first) * n_ue * sizeof(double));
    execute(worker, block, first, last - first);
    keep_to_clusters(worker, block, first, last);
    weigh_part(worker, block, first, last);
    for (int sb = first; sb < last; sb++) {
        const int reason = s->solution[sb].reason;
        block->bound[sb] = s->solution[sb].sinr_bound;
        block->reason[sb] = reason == MIMO_REASON_ASKED && block->stepped_down ? MIMO_REASON_LADDER : reason;
    }
}

/* All subbands need it: after one without, the others are not tried. */
static void solve_noises(struct worker *worker, struct cpu_block *block, int first, int last)
{
    const uint64_t start_ns = clock_mono_ns();
    worker->an_solved = true;
    for (int sb = first; sb < last && worker->an_solved; sb++) {
        worker->an_solved = solve_noise(worker, block, sb, last - sb);
    }
    worker->noise_ns = clock_mono_ns() - start_ns;
}

/* Which links the block's W holds something of: as long as the same ones are written, the rest stays zero. */
static void clear_other_links(const solver_t *s, struct cpu_block *block)
{
    const int n_ue = s->shape.n_ue;
    if (!knows_clusters(s, block)) {
        block->written_known = false;
        return;
    }
    bool same = block->written_known;
    for (int i = 0; i < s->shape.n_ap * n_ue; i++) {
        const uint8_t now = block->serves[i] && block->gathered[i / n_ue] && block->user_used[i % n_ue];
        same = same && block->written[i] == now;
        block->written[i] = now;
    }
    if (!same) {
        const size_t all = (size_t)(s->settings.shape.n_sb * s->shape.n_ap) * (size_t)(s->shape.n_ant * n_ue);
        memset(block->streams->W, 0, all * sizeof *block->streams->W);
    }
    block->written_known = true;
}

static void solve_share(struct worker *worker)
{
    solver_t *s = worker->solver;
    const int n_sb = s->settings.shape.n_sb;
    const int first = worker->index * n_sb / s->n_workers, last = (worker->index + 1) * n_sb / s->n_workers;
    worker->an_solved = false;
    if (!s->settings.precoding->local) {
        solve_subbands(worker, s->block, first, last);
        if (worker->spzf) {
            solve_noises(worker, s->block, first, last);
        }
        return;
    }
    for (int sb = first; sb < last; sb++) {
        predict_local(worker, s->block, sb);
    }
}

static int worker_body(void *argument)
{
    struct worker *worker = argument;
    solver_t *s = worker->solver;
    for (;;) {
        rt_event_wait(worker->wake, -1);
        if (atomic_load(&s->stop)) {
            return TUTTI_OK;
        }
        rt_hot_enter();
        solve_share(worker);
        rt_hot_leave();
        if (atomic_fetch_sub(&s->n_pending, 1) == 1) {
            rt_event_signal(s->done);
        }
    }
}

/* The block -------------------------------------------------------------------------------------------------------- */

/* The precoders were solved for all of the power: data keep 1 - share, predictions follow. */
static void scale_data(const solver_t *s, struct cpu_block *block)
{
    const size_t n_ue = (size_t)s->shape.n_ue, one = (size_t)s->shape.n_ap * (size_t)s->shape.n_ant * n_ue;
    stream_set_scale(block->streams, STREAM_DATA, (float)sqrt(1.0 - block->an_share));
    for (size_t sb = 0; sb < (size_t)block->shape.n_sb; sb++) {
        mimo_sinr(&s->shape, &s->channel[sb], block->streams->W + sb * one, block->sinr + sb * n_ue);
    }
}

static void share_noise(const solver_t *s, struct cpu_block *block)
{
    const struct config_precoding *p = s->settings.precoding;
    const bool phases = p->an == CONFIG_AN_PHASE_ONLY;
    const bool possible = p->an != CONFIG_AN_NONE && (!phases || block->an_solved);
    const bool adaptive = possible && p->an_policy == CONFIG_AN_ADAPTIVE;
    block->an_share = !possible  ? 0
                      : adaptive ? an_share_spare(block->shape.n_sb, block->shape.n_ue, block->sinr, block->user_used,
                                                  p->an_target_sinr_db, p->an_share)
                                 : p->an_share;
    if (adaptive && block->an_share > 0) {
        scale_data(s, block);
    }
}

static bool goes_between(const solver_t *s)
{
    return !s->settings.precoding->local && s->settings.precoding->subband == CONFIG_SUBBAND_SMOOTH;
}

/* Whether this node's part of a user's downlink is more than silence. */
static bool sends_to(const struct cpu_block *block, int k)
{
    return block->user_used[k] && (!block->part || block->part->weight[k] != 0);
}

/* Streams of the users; zeros for somebody where nobody gets anything from here: a message without streams is none. */
static void list_users(const solver_t *s, struct cpu_block *block)
{
    const enum stream_source source = s->settings.precoding->local ? STREAM_LOCAL : STREAM_VECTORS;
    int n_user = 0, n_sent = 0;
    for (int k = 0; k < block->shape.n_ue; k++) {
        n_user += block->user_used[k];
        n_sent += sends_to(block, k);
    }
    for (int k = 0; k < block->shape.n_ue; k++) {
        if (n_sent > 0 ? sends_to(block, k) : block->user_used[k]) {
            stream_set_add(block->streams, (struct stream){.kind = STREAM_DATA,
                                                           .source = source,
                                                           .user = k,
                                                           .power = s->ap_power[0] / (float)n_user});
        }
    }
}

/* Users in order, then the noise. Its vector is there as phasors of amplitude 1 and gets its power here. */
static void list_streams(const solver_t *s, struct cpu_block *block)
{
    const struct config_precoding *p = s->settings.precoding;
    struct stream_set *set = block->streams;
    list_users(s, block);
    if (block->an_share > 0) {
        const bool phases = p->an == CONFIG_AN_PHASE_ONLY;
        const struct stream noise = {.kind = STREAM_AN, .source = phases ? STREAM_PHASES : STREAM_LOCAL, .power = 1};
        stream_set_add(set, noise);
        const float power = phases ? (float)(block->an_share / block->shape.n_ant) : 0;
        stream_set_scale(set, STREAM_AN, sqrtf(power));
        for (int ap = 0; ap < block->shape.n_ap; ap++) {
            set->power[(size_t)(set->n_stream - 1) * (size_t)set->n_ap + (size_t)ap] = (float)block->an_share;
        }
    } else if (p->an == CONFIG_AN_PHASE_ONLY) {
        memset(set->extra, 0, (size_t)(set->n_sb * set->n_ap * set->n_ant) * sizeof *set->extra);
    }
}

/* Conjugate beams at shares of the power for data: the estimates vary by beta - error, so that E||w||^2 = N eta gamma.
 * Equal ones until the slow clock has some: the max-min problem is never solved in the block path. */
static void give_shares(solver_t *s, const struct cpu_block *block)
{
    const int n_ue = s->shape.n_ue;
    int n_used = 0;
    for (int k = 0; k < n_ue; k++) {
        n_used += block->user_used[k];
    }
    for (int i = 0; i < s->shape.n_ap * n_ue; i++) {
        const double gamma = fmax((double)block->beta[i] - (double)block->error_variance[i], 0);
        const double share = !block->user_used[i % n_ue] ? 0 : block->powered ? block->power[i] : 1.0 / n_used;
        s->eta[i] = gamma > 0 ? share * (double)s->ap_power[i / n_ue] / (s->shape.n_ant * gamma) : 0;
    }
    s->given = true;
}

/* Powers of the slow clock are for the scheme asked for; a rung below shares power out by itself. */
static void give_powers(solver_t *s, const struct cpu_block *block)
{
    const struct config_precoding *const p = s->settings.precoding;
    s->given = false;
    if (block->scheme != (int)p->scheme) {
        return;
    }
    if (p->scheme == MIMO_CB && p->power == MIMO_POWER_MAXMIN) {
        give_shares(s, block);
    } else if (block->powered) {
        memcpy(s->eta, block->power, (size_t)(s->shape.n_ap * s->shape.n_ue) * sizeof *s->eta);
        s->given = true;
    }
}

uint64_t solver_noise_ns(const solver_t *s)
{
    uint64_t most_ns = 0;
    for (int w = 0; w < s->n_workers; w++) {
        most_ns = s->worker[w].noise_ns > most_ns ? s->worker[w].noise_ns : most_ns;
    }
    return most_ns;
}

void solver_execute(solver_t *s, struct cpu_block *block, const struct solver_deadline *deadline)
{
    const uint64_t start_ns = clock_mono_ns();
    block->solve_start_ns = clock_wall_ns();
    s->block = block;
    give_powers(s, block);
    s->deadline = *deadline;
    stream_set_clear(block->streams);
    clear_other_links(s, block);
    atomic_store(&s->n_pending, s->n_workers - 1);
    for (int w = 1; w < s->n_workers; w++) {
        rt_event_signal(s->worker[w].wake);
    }
    solve_share(&s->worker[0]);
    if (s->n_workers > 1) {
        rt_event_wait(s->done, -1);
    }
    block->an_solved = true;
    for (int w = 0; w < s->n_workers; w++) {
        block->an_solved &= s->worker[w].an_solved;
    }
    share_noise(s, block);
    /* APs interpolate; beams that they build themselves go over into one another as channels do. */
    if (goes_between(s) && !block->part) { /* parts of other central nodes would turn otherwise */
        between_align(s->between, block->delay_samples, block->gathered, block->user_used, block->streams->W);
    }
    list_streams(s, block);
    block->solve_ns = clock_mono_ns() - start_ns;
    block->solve_end_ns = clock_wall_ns();
}

void solver_predict(solver_t *s, struct cpu_block *block)
{
    if (goes_between(s) && !block->part) {
        between_lower(s->between, block->gathered, block->user_used, block->H_hat, block->error_variance,
                      block->streams->W, block->sinr);
    }
}

/* Life ------------------------------------------------------------------------------------------------------------- */

static int create_noise_solver(struct worker *worker)
{
    const struct block_shape *shape = &worker->solver->settings.shape;
    const size_t n_all = (size_t)shape->n_ap * (size_t)shape->n_ant;
    if (worker->solver->settings.precoding->an != CONFIG_AN_PHASE_ONLY) {
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

static int create_worker(solver_t *s, int w)
{
    const struct config_engine *engine = s->settings.engine;
    struct worker *worker = &s->worker[w];
    worker->solver = s;
    worker->index = w;
    worker->wake = rt_event_create();
    s->n_workers = w + 1;
    worker->work = calloc(5 * (size_t)s->shape.n_ue, sizeof *worker->work);
    worker->work_strong = calloc((size_t)s->shape.n_ue, sizeof *worker->work_strong);
    if (worker->wake < 0 || !worker->work || !worker->work_strong) {
        return error_set(TUTTI_ENOMEM, "cannot create solver %d: no wake-up descriptor or no memory", w);
    }
    int status =
        precoder_create_for(&worker->precoder, &s->shape, precoder_schemes_below(s->settings.precoding->scheme));
    status = status < 0 ? status : create_noise_solver(worker);
    if (status < 0 || w == 0) {
        return status;
    }
    worker->thread = (struct node_thread){
        .name = "solve",
        .duty = NODE_DUTY_SOLVE,
        .engine = engine,
        .core = (unsigned)w < engine->solve_cores_count ? engine->solve_cores[w] : -1,
        .body = worker_body,
        .argument = worker,
    };
    return node_thread_start(&worker->thread);
}

int solver_create(solver_t **solver, const struct solver_settings *settings)
{
    solver_t *s = *solver = calloc(1, sizeof *s);
    if (!s) {
        return error_set(TUTTI_ENOMEM, "out of memory for the solver");
    }
    const struct block_shape *shape = &settings->shape;
    const struct config_precoding *p = settings->precoding;
    const size_t n_sb = (size_t)shape->n_sb, n_workers = (size_t)settings->engine->n_workers;
    s->settings = *settings;
    s->shape = (struct mimo_shape){.n_ap = shape->n_ap, .n_ant = shape->n_ant, .n_ue = shape->n_ue};
    s->done = rt_event_create();
    s->ap_power = calloc((size_t)shape->n_ap, sizeof *s->ap_power);
    s->channel = calloc(n_sb, sizeof *s->channel);
    s->solution = calloc(n_sb, sizeof *s->solution);
    s->worker = calloc(n_workers, sizeof *s->worker);
    s->eta = calloc((size_t)(shape->n_ap * shape->n_ue), sizeof *s->eta);
    if (!s->ap_power || !s->eta || !s->channel || !s->solution || !s->worker || s->done < 0) {
        return error_set(TUTTI_ENOMEM, "out of memory for the solver");
    }
    int status = interpolate_create(&s->precoders, settings->frame, INTERPOLATE_PRECODERS);
    status = status < 0 ? status : between_create(&s->between, &s->shape, settings->frame, s->precoders);
    if (status < 0) {
        return status;
    }
    const bool fixed = p->an != CONFIG_AN_NONE && p->an_policy == CONFIG_AN_FIXED;
    for (int ap = 0; ap < shape->n_ap; ap++) {
        s->ap_power[ap] = fixed ? (float)(1.0 - p->an_share) : 1.0f;
    }
    for (size_t w = 0; status >= 0 && w < n_workers; w++) {
        status = create_worker(s, (int)w);
    }
    return status;
}

static void close_event(int fd)
{
    if (fd >= 0) {
        close(fd);
    }
}

void solver_destroy(solver_t *s)
{
    if (!s) {
        return;
    }
    atomic_store(&s->stop, true);
    for (int w = 0; w < s->n_workers; w++) {
        struct worker *worker = &s->worker[w];
        if (worker->thread.running) {
            rt_event_signal(worker->wake);
        }
        node_thread_join(&worker->thread);
        close_event(worker->wake);
        precoder_destroy(worker->precoder);
        spzf_destroy(worker->spzf);
        free(worker->H);
        free(worker->beam);
        free(worker->work);
        free(worker->work_strong);
    }
    close_event(s->done);
    between_destroy(s->between);
    interpolate_destroy(s->precoders);
    free(s->ap_power);
    free(s->eta);
    free(s->channel);
    free(s->solution);
    free(s->worker);
    free(s);
}
