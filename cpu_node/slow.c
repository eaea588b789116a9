/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cpu_node/slow.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/ring.h"
#include "base/rt.h"
#include "channel/channel.h"
#include "cpu_node/clusters_live.h"
#include "cpu_node/powers.h"
#include "cpu_node/recovery.h"
#include "cpu_node/scheduler.h"
#include "cpu_node/sensing.h"
#include "node/thread.h"

#include <inttypes.h>
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { HEARD_BLOCKS = 64, TABLES = 16, EVENTS = 256, EVENT_POLL_US = 20000, FIRST_TRACKED = 2, ROSTERS = 8 };
/* From a choice of users to its first block: everybody must have heard of it, and users send pilots ahead of time. */
enum { LEAD_BLOCKS = 4 };
static const double LEAD_US = 50000;             /* besides, where time does not wait */
static const uint64_t PATIENCE_NS = 5000000000u; /* lock-step: then the thread counts as stuck */

/* Slots of the rings: a header, then arrays. */
struct heard {
    uint64_t number;
    float *beta, *error_variance; /* into the slow clock's own memory, one set per slot */
    double *power, *shape;
    uint8_t *present, *served, *suspected, *alive, *sounded;
    tutti_cf32 *gram; /* NULL without a scheduler */
};
struct table {
    uint64_t from_block;
    double *eta;
    uint8_t *present, *served; /* APs and users that it is for */
};
struct gap_value {
    uint64_t block;
    double gap;
};
struct event_line {
    uint64_t block;
    char text[SLOW_EVENT_BYTES];
};

struct slow {
    struct slow_settings settings;
    recovery_t *recovery;      /* NULL: no controller */
    scheduler_t *scheduler;    /* NULL: everybody is served */
    clusters_live_t *clusters; /* NULL: every access point serves everybody */
    powers_t *powers;          /* NULL: no such powers */
    sensing_t *sensing;        /* NULL: nothing is illuminated */
    size_t table_doubles;      /* powers of users, or a whole plan of sensing, which begins with them */
    struct node_thread thread;
    ring_t *heard, *tables, *events, *rosters, *gaps;
    struct heard *heard_slot; /* [HEARD_BLOCKS] memory behind the ring's slots */
    double *table_memory;     /* [TABLES][table_doubles] */
    uint8_t *table_masks;     /* [TABLES][n_ap + n_ue] */
    int event, done;
    _Atomic bool stop;
    _Atomic uint64_t n_done; /* blocks that are through, as many as were heard */
    uint64_t n_heard;        /* record thread */
    uint64_t n_lost;
    uint64_t n_table;     /* slow thread */
    uint8_t *next_served; /* [n_ue] */
    uint8_t *offered_for; /* [n_ue] users of the newest table */
    uint64_t offered_from;
    /* block thread */
    uint64_t n_expected;
    double *eta;
    uint8_t *for_ap, *for_user; /* whom it is for */
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

bool slow_gap(slow_t *s, uint64_t *block, double *gap)
{
    const struct gap_value *const value = s ? ring_peek(s->gaps, 0) : NULL;
    if (!value) {
        return false;
    }
    *block = value->block;
    *gap = value->gap;
    ring_pop(s->gaps);
    return true;
}

/* Handing over ----------------------------------------------------------------------------------------------------- */

/* Over the subbands. */
static void mean_shape(const struct cpu_block *b, double *shape)
{
    const int n_ue = b->shape.n_ue;
    memset(shape, 0, (size_t)n_ue * sizeof *shape);
    for (int i = 0; i < b->shape.n_sb * n_ue; i++) {
        shape[i % n_ue] += b->shape_of_powers[i] / b->shape.n_sb;
    }
}

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
        mean_shape(b, h->shape);
        memcpy(h->present, b->gathered, (size_t)b->shape.n_ap);
        memcpy(h->served, b->user_used, (size_t)b->shape.n_ue);
        memcpy(h->suspected, suspected, (size_t)b->shape.n_ue);
        memcpy(h->alive, b->user_here, (size_t)b->shape.n_ue);
        for (int k = 0; k < b->shape.n_ue; k++) {
            h->sounded[k] = b->age_blocks[k] == 0;
        }
        if (s->scheduler) {
            scheduler_gram(s->scheduler, b, h->gram);
        }
    }
    ring_push(s->heard);
    rt_event_signal(s->event);
}

/* present NULL: for whatever APs there are. */
static void offer(slow_t *s, const double *eta, const uint8_t *present, const uint8_t *served, uint64_t from_block)
{
    const size_t n_ap = (size_t)s->settings.shape.n_ap, n_ue = (size_t)s->settings.shape.n_ue;
    struct table *const t = ring_write_slot(s->tables);
    if (!t) {
        return; /* sixteen are waiting: the block thread stands still */
    }
    t->from_block = from_block;
    t->eta = s->table_memory + s->n_table % TABLES * s->table_doubles;
    t->present = s->table_masks + s->n_table++ % TABLES * (n_ap + n_ue);
    t->served = t->present + n_ap;
    memcpy(t->eta, eta, s->table_doubles * sizeof *eta);
    memset(t->present, 1, n_ap);
    if (present) {
        memcpy(t->present, present, n_ap);
    }
    memcpy(t->served, served, n_ue);
    memcpy(s->offered_for, served, n_ue);
    s->offered_from = from_block;
    ring_push(s->tables);
}

static struct recovery_input input_of(const struct heard *h)
{
    return (struct recovery_input){.block = h->number,
                                   .beta = h->beta,
                                   .error_variance = h->error_variance,
                                   .power = h->power,
                                   .ap_present = h->present,
                                   .user_served = h->served,
                                   .suspected = h->suspected};
}

/* Somebody whom the newest powers leave out: a schedule from before there were any, a user that has come back. */
static bool others_are_served(const slow_t *s, const struct heard *h)
{
    bool others = false;
    for (int k = 0; k < s->settings.shape.n_ue; k++) {
        others = others || (h->served[k] && !s->offered_for[k]);
    }
    return others && s->offered_from <= h->number;
}

static void recover(slow_t *s, const struct heard *h)
{
    const struct recovery_input in = input_of(h);
    const double *eta;
    uint64_t from_block;
    if (recovery_block(s->recovery, &in, &eta, &from_block)) {
        offer(s, eta, NULL, h->served, from_block);
    } else if (others_are_served(s, h) && recovery_serve(s->recovery, &in, h->number + 1, &eta)) {
        offer(s, eta, NULL, h->served, h->number + 1);
    }
    struct gap_value *const value = ring_write_slot(s->gaps);
    if (value) {
        *value = (struct gap_value){.block = h->number, .gap = recovery_gap(s->recovery)};
        ring_push(s->gaps);
    }
}

static void say_schedule(slow_t *s, uint64_t block, const struct roster *r, const struct scheduler_note *n)
{
    struct event_line *const line = ring_write_slot(s->events);
    if (!line) {
        return;
    }
    size_t at =
        (size_t)snprintf(line->text, SLOW_EVENT_BYTES,
                         "SCHEDULE from_block=%" PRIu64 " changed=%d eligible=%d rate=%.3f users=", r->from_block,
                         n->n_changed, n->n_eligible, n->rate);
    for (int i = 0; i < r->n_place && at < SLOW_EVENT_BYTES; i++) { /* a long list is cut, /schedule/place has it */
        at += (size_t)snprintf(line->text + at, SLOW_EVENT_BYTES - at, "%s%d", i ? "," : "", roster_user(r, i));
    }
    line->block = block;
    log_write(LOG_INFO, "slow", "%s", line->text);
    ring_push(s->events);
}

/* Powers for those that will be served, from the same block on. */
static void serve(slow_t *s, const struct heard *h, const struct roster *r)
{
    struct recovery_input in = input_of(h);
    const double *eta;
    for (int k = 0; k < s->settings.shape.n_ue; k++) {
        s->next_served[k] = roster_place(r, k) >= 0;
    }
    in.user_served = s->next_served;
    if (s->recovery && recovery_serve(s->recovery, &in, r->from_block, &eta)) {
        offer(s, eta, NULL, in.user_served, r->from_block);
    }
}

/* Of what is chosen now. */
static uint64_t first_block(const slow_t *s, const struct heard *h)
{
    const double block_us = s->settings.config->frame.block_us;
    return h->number + LEAD_BLOCKS + (s->settings.lockstep ? 0 : (uint64_t)(LEAD_US / block_us) + 1);
}

/* While powers are being won back it stays as it is: candidates are of the users that were served. */
static void schedule(slow_t *s, const struct heard *h)
{
    const struct config *const c = s->settings.config;
    const int *user_of_place;
    struct scheduler_note note;
    int n_present = 0;
    for (int m = 0; m < s->settings.shape.n_ap; m++) {
        n_present += h->present[m];
    }
    if (s->recovery && recovery_is_busy(s->recovery)) {
        scheduler_hold(s->scheduler, h->number + 1);
    }
    if (!scheduler_hear(s->scheduler, h->number, h->gram, h->sounded, h->alive, n_present, &user_of_place, &note)) {
        return;
    }
    struct roster *const r = ring_write_slot(s->rosters);
    if (!r) {
        return; /* eight are waiting: the block thread stands still */
    }
    roster_fill(c, first_block(s, h), user_of_place, r);
    say_schedule(s, h->number, r, &note);
    serve(s, h, r);
    ring_push(s->rosters);
}

/* Behind a roster in its slot. */
static size_t roster_room(const slow_t *s)
{
    return (roster_bytes(s->settings.config) + 7) / 8 * 8;
}

const uint8_t *slow_roster_serves(const slow_t *s, const struct roster *roster)
{
    return (const uint8_t *)roster + roster_room(s);
}

static void cluster(slow_t *s, const struct heard *h)
{
    struct clusters_table table;
    if (!clusters_live_block(s->clusters, h->beta, h->present, &table)) {
        return;
    }
    struct roster *const r = ring_write_slot(s->rosters);
    struct event_line *const line = ring_write_slot(s->events);
    if (!r) {
        return; /* eight are waiting: the block thread stands still */
    }
    roster_fill_pilots(s->settings.config, first_block(s, h), table.pilot, r);
    memcpy((uint8_t *)r + roster_room(s), table.serves, pairs(s));
    if (line) {
        line->block = h->number;
        snprintf(line->text, SLOW_EVENT_BYTES, "CLUSTERS from_block=%" PRIu64 " links=%d changed=%d pilots_moved=%d",
                 r->from_block, table.n_link, table.n_changed, table.n_moved);
        log_write(LOG_INFO, "slow", "%s", line->text);
        ring_push(s->events);
    }
    ring_push(s->rosters);
}

static void follow_gains(slow_t *s, const struct heard *h)
{
    const struct powers_input in = {.block = h->number,
                                    .beta = h->beta,
                                    .error_variance = h->error_variance,
                                    .ap_present = h->present,
                                    .user_served = h->served,
                                    .shape = h->shape};
    const double *power;
    if (powers_block(s->powers, &in, &power)) {
        offer(s, power, h->present, h->served, h->number + 1);
    }
}

static void sense(slow_t *s, const struct heard *h)
{
    const struct sensing_input in = {.block = h->number,
                                     .beta = h->beta,
                                     .error_variance = h->error_variance,
                                     .ap_present = h->present,
                                     .user_served = h->served};
    const double *plan;
    char text[SENSING_TEXT_BYTES];
    if (!sensing_hear(s->sensing, &in, &plan, text)) {
        return;
    }
    if (plan) { /* an AP that comes is silent until the next */
        offer(s, plan, NULL, h->served, first_block(s, h));
    }
    log_write(plan ? LOG_INFO : LOG_WARNING, "slow", "%s from_block=%" PRIu64, text, first_block(s, h));
    struct event_line *const line = ring_write_slot(s->events);
    if (line) {
        line->block = plan ? first_block(s, h) : h->number;
        memcpy(line->text, text, sizeof text);
        ring_push(s->events);
    }
}

static void take(slow_t *s, const struct heard *h)
{
    if (s->sensing) {
        sense(s, h);
    }
    if (s->powers) {
        follow_gains(s, h);
    }
    if (s->scheduler) {
        schedule(s, h);
    }
    if (s->clusters) {
        cluster(s, h);
    }
    if (s->recovery) {
        recover(s, h);
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

static bool is_for(const slow_t *s, const struct cpu_block *b)
{
    bool all = s->chosen;
    for (int m = 0; m < b->shape.n_ap; m++) {
        all = all && (s->for_ap[m] || !b->gathered[m]);
    }
    for (int k = 0; k < b->shape.n_ue; k++) {
        all = all && (s->for_user[k] || !b->user_used[k]);
    }
    return all;
}

void slow_powers(slow_t *s, struct cpu_block *block)
{
    if (!s) {
        return;
    }
    if (s->settings.lockstep) {
        wait_for_all(s);
    }
    for (const struct table *t; (t = ring_peek(s->tables, 0)) != NULL && t->from_block <= block->number;
         ring_pop(s->tables)) {
        memcpy(s->eta, t->eta, s->table_doubles * sizeof *s->eta);
        memcpy(s->for_ap, t->present, (size_t)block->shape.n_ap);
        memcpy(s->for_user, t->served, (size_t)block->shape.n_ue);
        s->chosen = true;
    }
    block->powered = is_for(s, block);
    if (block->powered) {
        memcpy(block->power, s->eta, pairs(s) * sizeof *s->eta);
    }
    block->planned = block->powered && s->sensing;
    if (block->planned) {
        memcpy(block->plan, s->eta, s->table_doubles * sizeof *s->eta);
    }
}

const struct roster *slow_roster(slow_t *s)
{
    if (!s || (!s->scheduler && !s->clusters)) {
        return NULL;
    }
    if (s->settings.lockstep) {
        wait_for_all(s);
    }
    return ring_peek(s->rosters, 0);
}

void slow_roster_taken(slow_t *s)
{
    ring_pop(s->rosters);
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

static int create_scheduler(slow_t *s)
{
    const struct config *const c = s->settings.config;
    const struct block_shape *const b = &s->settings.shape;
    struct roster *const first = calloc(1, roster_bytes(c));
    if (!first) {
        return error_set(TUTTI_ENOMEM, "out of memory for the slow clock");
    }
    roster_first(c, first);
    const struct scheduler_settings settings = {.n_sb = b->n_sb,
                                                .n_ap = b->n_ap,
                                                .n_ant = b->n_ant,
                                                .n_ue = b->n_ue,
                                                .n_served = c->scheduler.n_served,
                                                .metric = c->scheduler.metric,
                                                .blocks = c->scheduler.blocks,
                                                .average_blocks = c->scheduler.average_blocks,
                                                .always = c->scheduler.always,
                                                .n_always = (int)c->scheduler.always_count,
                                                .period = roster_period(c, s->settings.frame),
                                                .seed = c->network.seed,
                                                .first = first->user};
    const int status = scheduler_create(&s->scheduler, &settings);
    free(first);
    return status;
}

static int create_powers(slow_t *s)
{
    const struct config *const c = s->settings.config;
    const struct config_precoding *const p = &c->precoding;
    const struct powers_settings settings = {.n_ap = s->settings.shape.n_ap,
                                             .n_ant = s->settings.shape.n_ant,
                                             .n_ue = s->settings.shape.n_ue,
                                             .average_blocks = p->scheme == MIMO_CB ? 0 : p->average_blocks};
    return powers_create(&s->powers, &settings);
}

static int create_clusters(slow_t *s)
{
    const struct config_cluster *const c = &s->settings.config->cluster;
    const struct clusters_live_settings settings = {.n_ap = s->settings.shape.n_ap,
                                                    .n_ue = s->settings.shape.n_ue,
                                                    .n_pilot = c->pilots,
                                                    .max_aps = c->max_aps,
                                                    .every_blocks = c->every_blocks,
                                                    .hysteresis = pow(10, c->hysteresis_db / 10)};
    return clusters_live_create(&s->clusters, &settings);
}

static int create_memory(slow_t *s)
{
    const size_t n = pairs(s), n_ap = (size_t)s->settings.shape.n_ap, n_ue = (size_t)s->settings.shape.n_ue;
    const bool schedules = s->settings.config->scheduler.n_served > 0;
    bool ok = (s->next_served = calloc(n_ue, 1)) != NULL;
    ok = (s->offered_for = calloc(n_ue, 1)) && ok;
    s->heard_slot = calloc(HEARD_BLOCKS, sizeof *s->heard_slot);
    const struct sensing_shape sensing = {(int)n_ap, (int)n_ue, s->settings.shape.n_zone};
    s->table_doubles = sensing.n_zone > 0 ? sensing_plan_doubles(&sensing) : n;
    s->table_memory = calloc(TABLES * s->table_doubles, sizeof *s->table_memory);
    s->table_masks = calloc(TABLES * (n_ap + n_ue), 1);
    s->eta = calloc(s->table_doubles, sizeof *s->eta);
    ok = ok && s->table_masks && (s->for_ap = calloc(n_ap, 1)) && (s->for_user = calloc(n_ue, 1));
    for (int i = 0; s->heard_slot && i < HEARD_BLOCKS; i++) {
        struct heard *const h = &s->heard_slot[i];
        ok = (h->beta = calloc(n, sizeof *h->beta)) && ok;
        ok = (h->error_variance = calloc(n, sizeof *h->error_variance)) && ok;
        ok = (h->power = calloc(n, sizeof *h->power)) && ok;
        ok = (h->shape = calloc(n_ue, sizeof *h->shape)) && ok;
        ok = (h->present = calloc(n_ap, 1)) && ok;
        ok = (h->served = calloc(n_ue, 1)) && ok;
        ok = (h->suspected = calloc(n_ue, 1)) && ok;
        ok = (h->alive = calloc(n_ue, 1)) && ok;
        ok = (h->sounded = calloc(n_ue, 1)) && ok;
        ok = (!schedules || (h->gram = calloc(n_ue * n_ue, sizeof *h->gram))) && ok;
    }
    if (!ok || !s->heard_slot || !s->table_memory || !s->eta) {
        return error_set(TUTTI_ENOMEM, "out of memory for the slow clock");
    }
    /* half as many slots as there is memory behind them: what is read is never written */
    int status = ring_create(&s->heard, HEARD_BLOCKS / 2, sizeof(uint64_t));
    status = status < 0 ? status : ring_create(&s->gaps, EVENTS, sizeof(struct gap_value));
    status = status < 0 ? status : ring_create(&s->rosters, ROSTERS, roster_room(s) + n);
    status = status < 0 ? status : ring_create(&s->tables, TABLES / 2, sizeof(struct table));
    return status < 0 ? status : ring_create(&s->events, EVENTS, sizeof(struct event_line));
}

bool slow_has_powers(const struct config *config)
{
    return config->resilience.controller || powers_wanted(config);
}

int slow_create(slow_t **slow, const struct slow_settings *settings)
{
    *slow = NULL;
    const bool controls = settings->config->resilience.controller, schedules = settings->config->scheduler.n_served > 0;
    const bool senses = settings->shape.n_zone > 0, powers = powers_wanted(settings->config) && !senses;
    const bool clusters = settings->config->cluster.enabled;
    if (!controls && !schedules && !powers && !senses && !clusters) {
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
    int status = create_memory(s);
    status = status < 0 || !schedules ? status : create_scheduler(s);
    status = status < 0 || !clusters ? status : create_clusters(s);
    status = status < 0 || !powers ? status : create_powers(s);
    status = status < 0 || !senses ? status : sensing_create(&s->sensing, settings->config);
    return status < 0 || !controls ? status : create_controller(s);
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
        void *const memory[] = {h->beta,   h->error_variance, h->power, h->shape,   h->present,
                                h->served, h->suspected,      h->alive, h->sounded, h->gram};
        for (size_t j = 0; j < sizeof memory / sizeof *memory; j++) {
            free(memory[j]);
        }
    }
    free(s->heard_slot);
    free(s->table_memory);
    free(s->table_masks);
    free(s->for_ap);
    free(s->for_user);
    free(s->eta);
    free(s->next_served);
    free(s->offered_for);
    scheduler_destroy(s->scheduler);
    clusters_live_destroy(s->clusters);
    sensing_destroy(s->sensing);
    powers_destroy(s->powers);
    ring_destroy(s->rosters);
    ring_destroy(s->gaps);
    ring_destroy(s->heard);
    ring_destroy(s->tables);
    ring_destroy(s->events);
    recovery_destroy(s->recovery);
    close_event(s->event);
    close_event(s->done);
    free(s);
}
