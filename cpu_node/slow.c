/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cpu_node/slow.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/ring.h"
#include "base/rt.h"
#include "channel/channel.h"
#include "cpu_node/recovery.h"
#include "node/thread.h"

#include <inttypes.h>
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { HEARD_BLOCKS = 64, TABLES = 16, EVENTS = 256, EVENT_POLL_US = 20000, FIRST_TRACKED = 2 };
static const uint64_t PATIENCE_NS = 5000000000u; /* lock-step: then the thread counts as stuck */

/* Slots of the rings: a header, then arrays. */
struct heard {
    uint64_t number;
    float *beta, *error_variance; /* into the slow clock's own memory, one set per slot */
    double *power;
    uint8_t *present, *served, *suspected;
};
struct table {
    uint64_t from_block;
    double *eta;
};
struct event_line {
    uint64_t block;
    char text[SLOW_EVENT_BYTES];
};

struct slow {
    struct slow_settings settings;
    recovery_t *recovery;
    struct node_thread thread;
    ring_t *heard, *tables, *events;
    struct heard *heard_slot; /* [HEARD_BLOCKS] memory behind the ring's slots */
    double *table_memory;     /* [TABLES][n_ap][n_ue] */
    int event, done;
    _Atomic bool stop;
    _Atomic uint64_t n_done; /* blocks that are through, as many as were heard */
    uint64_t n_heard;        /* record thread */
    uint64_t n_lost;
    uint64_t n_table; /* slow thread */
    /* block thread */
    uint64_t n_expected;
    double *eta;
    bool chosen, stuck;
};

static size_t pairs(const slow_t *s)
{
    return (size_t)s->settings.shape.n_ap * (size_t)s->settings.shape.n_ue;
}

/* The time line ---------------------------------------------------------------------------------------------------- */

static void say(void *context, const struct recovery_note *n)
{
    slow_t *const s = context;
    struct event_line *const line = ring_write_slot(s->events);
    if (!line) {
        return;
    }
    char *const t = line->text;
    const char *const kind = recovery_kind_name(n->kind);
    line->block = n->block;
    if (n->note == RECOVERY_NOTE_BEGIN) {
        snprintf(t, SLOW_EVENT_BYTES,
                 "RESILIENCE-BEGIN kind=%s ap=%d ue=%d onset=%" PRIu64 " onset_known=%d detected=%" PRIu64, kind, n->ap,
                 n->user, n->onset, n->onset_known, n->detected);
    } else if (n->note == RECOVERY_NOTE_ABSORBED) {
        snprintf(t, SLOW_EVENT_BYTES, "RESILIENCE-ABSORBED kind=%s gap=%.6f r_abs=%.6f", kind, n->gap, n->absorption);
    } else if (n->note == RECOVERY_NOTE_CANDIDATE) {
        snprintf(
            t, SLOW_EVENT_BYTES,
            "RESILIENCE-CANDIDATE kind=%s n=%d block=%" PRIu64 " ms=%.3f gap=%.6f r_ada=%.6f r_rec=%.6f score=%.6f "
            "deployed=%d",
            kind, n->n, n->block, n->ms, n->gap, n->score.adaptation, n->score.recovery, n->score.score, n->deployed);
    } else {
        snprintf(t, SLOW_EVENT_BYTES,
                 "RESILIENCE-END kind=%s n=%d block=%" PRIu64 " blocks=%" PRIu64 " ms=%.3f gap=%.6f r_abs=%.6f", kind,
                 n->n, n->block, n->block - n->onset, n->ms, n->gap, n->absorption);
    }
    log_write(LOG_INFO, "slow", "%s", t);
    ring_push(s->events);
}

bool slow_event(slow_t *s, uint64_t *block, char text[SLOW_EVENT_BYTES])
{
    const struct event_line *const line = s ? ring_peek(s->events, 0) : NULL;
    if (!line) {
        return false;
    }
    *block = line->block;
    memcpy(text, line->text, SLOW_EVENT_BYTES);
    ring_pop(s->events);
    return true;
}

/* Handing over ----------------------------------------------------------------------------------------------------- */

void slow_hear(slow_t *s, const struct cpu_block *b, const double *power, const uint8_t *suspected)
{
    if (!s) {
        return;
    }
    uint64_t *const slot = ring_write_slot(s->heard);
    s->n_heard++;
    if (!slot) { /* it will be one short; in lock-step the block thread waits, so that this does not happen */
        s->n_lost++;
        atomic_fetch_add(&s->n_done, 1);
        rt_event_signal(s->done);
        return;
    }
    *slot = s->n_heard % HEARD_BLOCKS;
    struct heard *const h = &s->heard_slot[*slot];
    h->number = power ? b->number : UINT64_MAX;
    if (power) {
        memcpy(h->beta, b->beta, pairs(s) * sizeof *h->beta);
        memcpy(h->error_variance, b->error_variance, pairs(s) * sizeof *h->error_variance);
        memcpy(h->power, power, pairs(s) * sizeof *h->power);
        memcpy(h->present, b->gathered, (size_t)b->shape.n_ap);
        memcpy(h->served, b->user_used, (size_t)b->shape.n_ue);
        memcpy(h->suspected, suspected, (size_t)b->shape.n_ue);
    }
    ring_push(s->heard);
    rt_event_signal(s->event);
}

static void offer(slow_t *s, const double *eta, uint64_t from_block)
{
    struct table *const t = ring_write_slot(s->tables);
    if (!t) {
        return; /* sixteen are waiting: the block thread stands still */
    }
    t->from_block = from_block;
    t->eta = s->table_memory + (s->n_table++ % TABLES) * pairs(s);
    memcpy(t->eta, eta, pairs(s) * sizeof *eta);
    ring_push(s->tables);
}

static void take(slow_t *s, const struct heard *h)
{
    const struct recovery_input in = {.block = h->number,
                                      .beta = h->beta,
                                      .error_variance = h->error_variance,
                                      .power = h->power,
                                      .ap_present = h->present,
                                      .user_served = h->served,
                                      .suspected = h->suspected};
    const double *eta;
    uint64_t from_block;
    if (recovery_block(s->recovery, &in, &eta, &from_block)) {
        offer(s, eta, from_block);
    }
}

static int body(void *argument)
{
    slow_t *const s = argument;
    while (!atomic_load(&s->stop)) {
        rt_event_wait(s->event, EVENT_POLL_US * 50);
        for (const uint64_t *slot; (slot = ring_peek(s->heard, 0)) != NULL; ring_pop(s->heard)) {
            const struct heard *const h = &s->heard_slot[*slot];
            if (h->number != UINT64_MAX) {
                take(s, h);
            }
            atomic_fetch_add(&s->n_done, 1);
            rt_event_signal(s->done);
        }
    }
    return TUTTI_OK;
}

void slow_expect(slow_t *s)
{
    if (s) {
        s->n_expected++;
    }
}

/* Lock-step: all blocks before this one have been seen. */
static void wait_for_all(slow_t *s)
{
    const uint64_t start_ns = clock_mono_ns();
    while (!s->stuck && atomic_load(&s->n_done) < s->n_expected && !rt_stop_requested()) {
        rt_event_wait(s->done, EVENT_POLL_US);
        if (clock_mono_ns() - start_ns > PATIENCE_NS) {
            s->stuck = true;
            log_write(LOG_WARNING, "slow",
                      "SLOW-CLOCK-STUCK blocks=%" PRIu64 " of %" PRIu64 ": powers come when they come",
                      atomic_load(&s->n_done), s->n_expected);
        }
    }
}

const double *slow_powers(slow_t *s, uint64_t number)
{
    if (!s) {
        return NULL;
    }
    if (s->settings.lockstep) {
        wait_for_all(s);
    }
    for (const struct table *t; (t = ring_peek(s->tables, 0)) != NULL && t->from_block <= number; ring_pop(s->tables)) {
        memcpy(s->eta, t->eta, pairs(s) * sizeof *s->eta);
        s->chosen = true;
    }
    return s->chosen ? s->eta : NULL;
}

/* Life ------------------------------------------------------------------------------------------------------------- */

/* Disruptions that the configuration scripts. */
static struct recovery_onset *scripted_onsets(const struct config *c, int *n)
{
    size_t most = 2;
    for (unsigned i = 0; i < c->air.events_count; i++) {
        most += (size_t)c->air.events[i].ap_count * c->air.events[i].ue_count;
    }
    struct recovery_onset *const list = calloc(most, sizeof *list);
    *n = 0;
    if (!list) {
        return NULL;
    }
    if (c->network.n_eve > 0 && c->eve.attack == CONFIG_ATTACK_PILOT) {
        list[(*n)++] = (struct recovery_onset){RECOVERY_ATTACK, -1, c->eve.target_user, c->eve.from_block};
    }
    if (c->fronthaul.faults.silent_ap >= 0) {
        list[(*n)++] = (struct recovery_onset){RECOVERY_AP_LOST, c->fronthaul.faults.silent_ap, -1,
                                               c->fronthaul.faults.from_block};
    }
    for (unsigned i = 0; i < c->air.events_count; i++) {
        const struct config_event *const e = &c->air.events[i];
        for (unsigned j = 0; j < e->ap_count * e->ue_count; j++) {
            list[(*n)++] =
                (struct recovery_onset){RECOVERY_BLOCKAGE, e->ap[j / e->ue_count], e->ue[j % e->ue_count], e->block};
        }
    }
    return list;
}

/* Gains of the eavesdropper as the emulated air has them, downlink units of the users' noise. */
static int known_eve(const struct config *c, double *beta_eve)
{
    const int n_eve = c->network.n_eve;
    double *const all = calloc((size_t)(c->network.n_ap * n_eve) + 1, sizeof *all);
    if (!all) {
        return error_set(TUTTI_ENOMEM, "out of memory for the slow clock");
    }
    const int status = n_eve > 0 ? channel_eve_large_scale(c, all) : 0;
    for (int m = 0; m < c->network.n_ap; m++) {
        beta_eve[m] = n_eve > 0 ? channel_eve_downlink_snr_scale(c) * pow(10, all[m * n_eve] / 10) : 0;
    }
    free(all);
    return status;
}

static struct recovery_settings controller_settings(slow_t *s)
{
    const struct config *const c = s->settings.config;
    const struct config_resilience *const r = &c->resilience;
    const struct frame *const f = s->settings.frame;
    const double effective = f->sc_per_sb * (double)f->n_pilot;
    const double user = effective * channel_uplink_snr_scale(c) / channel_downlink_snr_scale(c);
    const double eve = effective * channel_eve_uplink_snr_scale(c) / channel_eve_downlink_snr_scale(c);
    const bool known = r->eve_knowledge == CONFIG_EVE_KNOWN;
    return (struct recovery_settings){
        .n_ap = s->settings.shape.n_ap,
        .n_ant = s->settings.shape.n_ant,
        .n_ue = s->settings.shape.n_ue,
        .target = c->eve.target_user,
        .scheme = c->precoding.scheme,
        .upsilon = c->precoding.upsilon,
        .omega = (double)(f->n_dl - f->n_dl_pilot) / f->n_symbol,
        .pilot_power = user,
        .eve_pilot_power = known ? eve : user,
        .targets = {.r_min = r->r_min, .r_des = r->r_des, .s_des = r->s_des, .w_sec = r->w_sec, .w_qos = r->w_qos},
        .weights = {r->lam_abs, r->lam_ada, r->lam_rec},
        .n_max = r->n_max,
        .average_blocks = r->average_blocks,
        .step_blocks = r->step_blocks,
        .block_ms = c->frame.block_us / 1e3,
        .desired_recovery_ms = r->desired_recovery_ms,
        .start_equal = r->start == CONFIG_START_EPA,
        .deploy_final = r->deploy == CONFIG_DEPLOY_FINAL,
        .first_block = (uint64_t)(FIRST_TRACKED * c->pilots.tracking_blocks),
        .note = say,
        .context = s,
    };
}

static int create_controller(slow_t *s)
{
    const struct config *const c = s->settings.config;
    struct recovery_settings settings = controller_settings(s);
    double *const beta_eve = calloc((size_t)settings.n_ap, sizeof *beta_eve);
    struct recovery_onset *const onsets = scripted_onsets(c, &settings.n_onset);
    int status = beta_eve && onsets ? 0 : error_set(TUTTI_ENOMEM, "out of memory for the slow clock");
    if (!status && c->resilience.eve_knowledge == CONFIG_EVE_KNOWN) {
        status = known_eve(c, beta_eve);
        settings.beta_eve = beta_eve;
    }
    settings.onsets = onsets;
    status = status ? status : recovery_create(&s->recovery, &settings);
    free(beta_eve);
    free(onsets);
    return status;
}

static int create_memory(slow_t *s)
{
    const size_t n = pairs(s), n_ap = (size_t)s->settings.shape.n_ap, n_ue = (size_t)s->settings.shape.n_ue;
    bool ok = true;
    s->heard_slot = calloc(HEARD_BLOCKS, sizeof *s->heard_slot);
    s->table_memory = calloc(TABLES * n, sizeof *s->table_memory);
    s->eta = calloc(n, sizeof *s->eta);
    for (int i = 0; s->heard_slot && i < HEARD_BLOCKS; i++) {
        struct heard *const h = &s->heard_slot[i];
        ok = (h->beta = calloc(n, sizeof *h->beta)) && ok;
        ok = (h->error_variance = calloc(n, sizeof *h->error_variance)) && ok;
        ok = (h->power = calloc(n, sizeof *h->power)) && ok;
        ok = (h->present = calloc(n_ap, 1)) && ok;
        ok = (h->served = calloc(n_ue, 1)) && ok;
        ok = (h->suspected = calloc(n_ue, 1)) && ok;
    }
    if (!ok || !s->heard_slot || !s->table_memory || !s->eta) {
        return error_set(TUTTI_ENOMEM, "out of memory for the slow clock");
    }
    /* half as many slots as there is memory behind them: what is read is never written */
    int status = ring_create(&s->heard, HEARD_BLOCKS / 2, sizeof(uint64_t));
    status = status < 0 ? status : ring_create(&s->tables, TABLES / 2, sizeof(struct table));
    return status < 0 ? status : ring_create(&s->events, EVENTS, sizeof(struct event_line));
}

int slow_create(slow_t **slow, const struct slow_settings *settings)
{
    *slow = NULL;
    if (!settings->config->resilience.controller) {
        return TUTTI_OK;
    }
    slow_t *const s = *slow = calloc(1, sizeof *s);
    if (!s) {
        return error_set(TUTTI_ENOMEM, "out of memory for the slow clock");
    }
    s->settings = *settings;
    s->event = rt_event_create();
    s->done = rt_event_create();
    if (s->event < 0 || s->done < 0) {
        return error_set(TUTTI_EIO, "cannot create a wake-up descriptor");
    }
    const int status = create_memory(s);
    return status < 0 ? status : create_controller(s);
}

int slow_start(slow_t *s)
{
    if (!s) {
        return TUTTI_OK;
    }
    s->thread = (struct node_thread){.name = "slow",
                                     .duty = NODE_DUTY_BACKGROUND,
                                     .engine = &s->settings.config->engine,
                                     .core = -1,
                                     .body = body,
                                     .argument = s};
    return node_thread_start(&s->thread);
}

void slow_stop(slow_t *s)
{
    if (!s) {
        return;
    }
    atomic_store(&s->stop, true);
    if (s->thread.running) {
        rt_event_signal(s->event);
    }
    node_thread_join(&s->thread);
}

static void close_event(int fd)
{
    if (fd > 0) {
        close(fd);
    }
}

void slow_destroy(slow_t *s)
{
    if (!s) {
        return;
    }
    slow_stop(s);
    if (s->n_lost > 0) {
        log_write(LOG_WARNING, "slow", "COUNTERS blocks_not_seen=%" PRIu64, s->n_lost);
    }
    for (int i = 0; s->heard_slot && i < HEARD_BLOCKS; i++) {
        const struct heard *const h = &s->heard_slot[i];
        void *const memory[] = {h->beta, h->error_variance, h->power, h->present, h->served, h->suspected};
        for (size_t j = 0; j < sizeof memory / sizeof *memory; j++) {
            free(memory[j]);
        }
    }
    free(s->heard_slot);
    free(s->table_memory);
    free(s->eta);
    ring_destroy(s->heard);
    ring_destroy(s->tables);
    ring_destroy(s->events);
    recovery_destroy(s->recovery);
    close_event(s->event);
    close_event(s->done);
    free(s);
}
