/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cpu_node/record/recorder.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/rt.h"
#include "cpu_node/record/recorder_state.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Life ------------------------------------------------------------------------------------------------------------- */

static int create_rings(recorder_t *r)
{
    const size_t n_ap = (size_t)r->settings.shape.n_ap;
    int status = ring_create(&r->blocks, RECORD_BLOCKS, sizeof(struct cpu_block *));
    status = status < 0 ? status : ring_create(&r->free_blocks, RECORD_BLOCKS + 1, sizeof(struct cpu_block *));
    status =
        status < 0 ? status : ring_create(&r->accounts, RECORD_ACCOUNTS_PER_AP * n_ap, sizeof(struct account_message));
    status = status < 0 ? status : ring_create(&r->events, RECORD_EVENTS, sizeof(struct event_message));
    status = status < 0 ? status : ring_create(&r->welcomes, 4, sizeof(struct fh_welcome));
    status = status < 0 ? status : ring_create(&r->rosters, 8, sizeof(struct roster_message));
    r->event = rt_event_create();
    r->roster_event = rt_event_create();
    r->space = rt_event_create();
    if (r->event < 0 || r->space < 0 || r->roster_event < 0) {
        return error_set(TUTTI_EIO, "cannot create a wake-up descriptor");
    }
    for (int i = 0; i < RECORD_BLOCKS - 1 && status >= 0; i++) {
        status = block_create(&r->spare[i], &r->settings.shape);
        if (status >= 0) {
            *(struct cpu_block **)ring_write_slot(r->free_blocks) = r->spare[i];
            ring_push(r->free_blocks);
        }
    }
    return status;
}

static struct record_shape shape_of(const struct recorder_settings *s)
{
    const struct config *c = s->config;
    return (struct record_shape){
        .n_sb = s->shape.n_sb,
        .n_ap = s->shape.n_ap,
        .n_ant = s->shape.n_ant,
        .n_ue = s->shape.n_ue,
        .n_eve = c->network.n_eve,
        .n_zone = config_n_zone(c),
        .n_cpu = config_n_cpu(c) > 1 ? config_n_cpu(c) : 0,
        .n_points = c->record.constellation_points,
        .csi = c->record.csi,
        .precoders = c->record.precoders,
        .noise = c->precoding.an != CONFIG_AN_NONE,
        .noise_vectors = c->precoding.an == CONFIG_AN_PHASE_ONLY,
        .schedule = c->scheduler.n_served > 0,
        .clusters = c->cluster.enabled,
        .parts = s->shape.parts,
        .controller = c->resilience.controller,
        .powers = slow_has_powers(c),
        .uplink = c->uplink.mode != CONFIG_UPLINK_NONE,
        .sync = s->frame->beacon_ap >= 0,
    };
}

static int create_files(recorder_t *r)
{
    const struct config *c = r->settings.config;
    const struct record_shape shape = shape_of(&r->settings);
    char *const name = config_record_name(c, r->settings.id);
    char *const path = name && name[0] ? config_file_path(c, name) : NULL;
    free(name);
    r->config_text = config_to_yaml(c);
    if (!r->config_text || (c->record.file[0] && !path)) {
        free(path);
        return error_set(TUTTI_ENOMEM, "out of memory for the configuration text");
    }
    const struct run_file_settings settings = {.path = path ? path : "", .config = r->config_text, .shape = shape};
    int status = run_file_create(&r->file, &settings);
    free(path);
    status = status < 0 ? status : record_rows_create(&r->rows, r->file, &shape);
    status = status < 0 ? status : record_reports_create(&r->reports, r->file, &shape);
    status = status < 0 ? status : record_uplink_create(&r->uplink, r->file, &shape, r->settings.lockstep);
    status = status < 0 ? status : losses_create(&r->losses, c, r->settings.frame, r->file);
    return status < 0 ? status : secrecy_create(&r->secrecy, c, r->settings.frame, r->file);
}

/* Users and eavesdroppers are at the first central node; who watches another one does so on its host. */
static int create_lab(recorder_t *r)
{
    const struct config *c = r->settings.config;
    const bool first = r->settings.id == 0;
    r->lab_endpoint = config_cpu_lab(c, r->settings.id);
    if (!r->lab_endpoint) {
        return error_set(TUTTI_ENOMEM, "out of memory for the lab link");
    }
    const struct fh_hub_settings settings = {
        .endpoint = r->lab_endpoint,
        .cpu = r->settings.id,
        .n_ue = first ? c->network.n_ue : 0,
        .n_eve = first ? c->network.n_eve : 0,
        .observers = true,
        .fingerprint = config_fingerprint(c),
        .agreement = r->settings.agreement,
        .welcome = r->settings.welcome,
        .peer_timeout_ms = config_peer_timeout_ms(c),
        .key_dir = config_key_dir(c, r->lab_endpoint),
    };
    return fh_hub_create(&r->lab, &settings);
}

/* With clusters whoever comes is told at once: another life of this node may have assigned other pilots. */
static int begin_rosters(recorder_t *r)
{
    const struct config *const c = r->settings.config;
    if (!c->cluster.enabled) {
        return TUTTI_OK;
    }
    struct roster *const first = calloc(1, roster_bytes(c));
    if (!first) {
        return error_set(TUTTI_ENOMEM, "out of memory for the recorder");
    }
    roster_first(c, first);
    const int status = roster_write(first, r->roster, sizeof r->roster);
    free(first);
    return status;
}

int recorder_create(recorder_t **recorder, const struct recorder_settings *settings)
{
    recorder_t *r = *recorder = calloc(1, sizeof *r);
    if (!r) {
        return error_set(TUTTI_ENOMEM, "out of memory for the recorder");
    }
    r->settings = *settings;
    r->event = r->space = r->roster_event = -1;
    r->last_account = calloc((size_t)settings->shape.n_ap, sizeof *r->last_account);
    r->last_eve_report = calloc((size_t)settings->config->network.n_eve + 1, sizeof *r->last_eve_report);
    r->heard = calloc((size_t)settings->shape.n_ue, sizeof *r->heard);
    r->roster_heard = calloc((size_t)(settings->shape.n_ue + settings->config->network.n_eve), sizeof *r->roster_heard);
    r->ap_alive = calloc((size_t)settings->shape.n_ap, sizeof *r->ap_alive);
    r->ap_joins = calloc((size_t)settings->shape.n_ap, sizeof *r->ap_joins);
    r->joins_seen = calloc((size_t)settings->shape.n_ap, sizeof *r->joins_seen);
    r->alive = calloc((size_t)(settings->shape.n_ap + settings->shape.n_ue), 1);
    if (!r->last_account || !r->last_eve_report || !r->heard || !r->roster_heard || !r->ap_alive || !r->ap_joins ||
        !r->joins_seen || !r->alive) {
        return error_set(TUTTI_ENOMEM, "out of memory for the recorder");
    }
    int status = create_files(r); /* own first, then everything else */
    status = status < 0 ? status : begin_rosters(r);
    status =
        status < 0 ? status : live_create(&r->live, settings->shape.n_ap, settings->shape.n_ue, settings->shape.n_zone);
    if (status >= 0 && r->reports) {
        r->reports->live = r->live;
    }
    if (status >= 0 && r->uplink) {
        r->uplink->live = r->live;
    }
    const int n_reporting = settings->shape.n_ue + settings->config->network.n_eve;
    status = status < 0 ? status : early_create(&r->early, EARLY_EACH * n_reporting);
    status = status < 0 ? status : create_rings(r);
    return status < 0 ? status : create_lab(r);
}

int recorder_start(recorder_t *r)
{
    r->start_ns = clock_mono_ns();
    r->thread = (struct node_thread){.name = "record",
                                     .duty = NODE_DUTY_BACKGROUND,
                                     .engine = &r->settings.config->engine,
                                     .core = -1,
                                     .body = recorder_body,
                                     .argument = r};
    return node_thread_start(&r->thread);
}

void recorder_stop(recorder_t *r)
{
    if (!r || !r->thread.running) {
        return;
    }
    rt_stop_request();
    rt_event_signal(r->event);
    node_thread_join(&r->thread);
    if (atomic_load(&r->complete)) {
        fh_hub_broadcast_stop(r->lab);
    }
}

static void destroy_rings(recorder_t *r)
{
    for (const void *slot; r->free_blocks && (slot = ring_peek(r->free_blocks, 0)) != NULL; ring_pop(r->free_blocks)) {
        block_destroy(*(struct cpu_block *const *)slot);
    }
    for (const void *slot; r->blocks && (slot = ring_peek(r->blocks, 0)) != NULL; ring_pop(r->blocks)) {
        block_destroy(*(struct cpu_block *const *)slot);
    }
    ring_destroy(r->blocks);
    ring_destroy(r->free_blocks);
    ring_destroy(r->accounts);
    ring_destroy(r->events);
    ring_destroy(r->welcomes);
    ring_destroy(r->rosters);
}

void recorder_destroy(recorder_t *r)
{
    if (!r) {
        return;
    }
    recorder_stop(r);
    fh_hub_destroy(r->lab);
    destroy_rings(r);
    secrecy_destroy(r->secrecy);
    losses_destroy(r->losses);
    live_destroy(r->live);
    record_reports_destroy(r->reports);
    record_uplink_destroy(r->uplink);
    record_rows_destroy(r->rows);
    run_file_destroy(r->file);
    if (r->event >= 0) {
        close(r->event);
    }
    if (r->space >= 0) {
        close(r->space);
    }
    if (r->roster_event >= 0) {
        close(r->roster_event);
    }
    free(r->roster_heard);
    free(r->config_text);
    free(r->lab_endpoint);
    early_destroy(r->early);
    free(r->last_account);
    free(r->last_eve_report);
    free(r->alive);
    free(r->heard);
    free(r->ap_alive);
    free(r->ap_joins);
    free(r->joins_seen);
    free(r);
}

/* Block thread ----------------------------------------------------------------------------------------------------- */

struct cpu_block *recorder_exchange(recorder_t *r, struct cpu_block *block)
{
    const void *free_slot = ring_peek(r->free_blocks, 0);
    while (!free_slot && r->settings.lockstep && !rt_stop_requested() && !recorder_is_complete(r)) {
        rt_event_wait(r->space, 100000);
        free_slot = ring_peek(r->free_blocks, 0);
    }
    void *slot = free_slot ? ring_write_slot(r->blocks) : NULL;
    if (!slot) {
        r->dropped++;
        return block;
    }
    struct cpu_block *replacement = *(struct cpu_block *const *)free_slot;
    ring_pop(r->free_blocks);
    *(struct cpu_block **)slot = block;
    ring_push(r->blocks);
    atomic_store_explicit(&r->last_block, block->number, memory_order_relaxed);
    rt_event_signal(r->event);
    return replacement;
}

bool recorder_account(recorder_t *r, int ap, const struct wire_account *account)
{
    struct account_message *slot = ring_write_slot(r->accounts);
    if (!slot) {
        r->accounts_deferred++;
        return false;
    }
    *slot = (struct account_message){.ap = ap, .account = *account};
    ring_push(r->accounts);
    return true;
}

void recorder_event(recorder_t *r, uint64_t block, const char *format, ...)
{
    struct event_message *slot = ring_write_slot(r->events);
    if (!slot) {
        r->events_dropped++;
        return;
    }
    *slot = (struct event_message){.wall_ns = clock_wall_ns(), .block = block};
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(slot->text, sizeof slot->text, format, arguments);
    va_end(arguments);
    ring_push(r->events);
    rt_event_signal(r->event);
}

void recorder_uplink(recorder_t *r, const struct record_uplink_row *row)
{
    if (record_uplink_send(r->uplink, row)) {
        rt_event_signal(r->event);
    }
}

void recorder_rewelcome(recorder_t *r, const struct fh_welcome *welcome)
{
    struct fh_welcome *slot = ring_write_slot(r->welcomes);
    if (slot) { /* full: four are under way, the last of them is as good */
        *slot = *welcome;
        ring_push(r->welcomes);
        rt_event_signal(r->event);
    }
}

void recorder_roster(recorder_t *r, const struct roster *roster)
{
    struct roster_message *slot = ring_write_slot(r->rosters);
    if (slot && roster_write(roster, slot->text, sizeof slot->text) >= 0) {
        ring_push(r->rosters);
        rt_event_signal(r->event);
    }
}

bool recorder_roster_heard(recorder_t *r, uint64_t from_block)
{
    const int n_ue = r->settings.shape.n_ue, n = n_ue + r->settings.config->network.n_eve;
    bool all = true;
    for (int i = 0; i < n; i++) {
        const bool here = i < n_ue ? fh_hub_alive(r->lab, FH_ROLE_UE, i) : fh_hub_alive(r->lab, FH_ROLE_EVE, i - n_ue);
        all = all && (!here || atomic_load(&r->roster_heard[i]) == from_block + 1);
    }
    if (!all) {
        rt_event_wait(r->roster_event, 100000);
    }
    return all;
}

void recorder_users(const recorder_t *r, struct schedule_user *user)
{
    for (int k = 0; k < r->settings.shape.n_ue; k++) {
        user[k] = (struct schedule_user){.alive = fh_hub_alive(r->lab, FH_ROLE_UE, k),
                                         .heard_block = atomic_load_explicit(&r->heard[k], memory_order_relaxed)};
    }
}

void recorder_aps_alive(recorder_t *r, int n_alive, int ap, bool up)
{
    atomic_store(&r->aps_alive, n_alive);
    atomic_store(&r->ap_alive[ap], up);
    atomic_fetch_add(&r->ap_joins[ap], up);
}

/* Any thread ------------------------------------------------------------------------------------------------------- */

bool recorder_is_complete(const recorder_t *r)
{
    return atomic_load(&r->complete);
}

uint64_t recorder_write_errors(const recorder_t *r)
{
    return r ? run_file_errors(r->file) : 0;
}

static void log_accounts(const recorder_t *r)
{
    const struct record_rows *a = r->rows;
    const uint64_t ap_blocks = r->n_blocks_seen * (uint64_t)r->settings.shape.n_ap;
    log_write(LOG_INFO, "record",
              "COUNTERS accounts=%" PRIu64 " of_ap_blocks=%" PRIu64 " accounts_twice=%" PRIu64
              " accounts_deferred=%" PRIu64 " fresh=%" PRIu64 " stale=%" PRIu64 " local_cb=%" PRIu64 " mute=%" PRIu64
              " late=%" PRIu64 " cut=%" PRIu64 " missed=%" PRIu64 " lost=%" PRIu64 " scaled=%" PRIu64,
              a->n_accounts, ap_blocks, a->n_accounts_twice, r->accounts_deferred, a->sent[WIRE_SENT_FRESH],
              a->sent[WIRE_SENT_STALE], a->sent[WIRE_SENT_LOCAL_CB], a->sent[WIRE_SENT_MUTE], a->sent[WIRE_SENT_LATE],
              a->sent[WIRE_SENT_CUT], a->sent[WIRE_SENT_MISSED], a->ledger->n_lost, a->scaled);
}

void recorder_log_counters(const recorder_t *r)
{
    struct fh_counters counters;
    log_write(LOG_INFO, "record",
              "COUNTERS blocks=%" PRIu64 " record_dropped=%" PRIu64 " events_dropped=%" PRIu64 " bad_reports=%" PRIu64
              " reports_outside=%" PRIu64 " reports_unsolved=%" PRIu64 " write_errors=%" PRIu64,
              r->n_blocks_seen, r->dropped, r->events_dropped, r->reports->n_bad, r->reports->n_outside,
              r->reports->n_unsolved, run_file_errors(r->file));
    log_accounts(r);
    secrecy_log_counters(r->secrecy);
    fh_hub_counters(r->lab, &counters);
    fh_counters_log(&counters, r->lab_endpoint);
}
