/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The record thread's loop: blocks, accounts and events out of the rings, words from the lab link, the live status. */
#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/rt.h"
#include "cpu_node/calibrate_talk.h"
#include "cpu_node/record/recorder_state.h"

#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const uint64_t STATUS_PERIOD_NS = 250000000u, LAST_REPORTS_NS = 3000000000u;
enum {
    TRAILING_BLOCKS = 2, /* accounts of block b travel with the estimates of later blocks */
    MAX_OBSERVERS = 16,
    MOST_SYNC_EVENTS = 10000,
    ACCOUNT_BLOCKS = 400, /* accounts come late, after a stall of an AP by all that it slept over, 32 with a message;
                             after so many blocks (or LAST_REPORTS_NS) they are not waited for */
    REPORT_SLACK_BLOCKS = 400
};

/* Blocks ----------------------------------------------------------------------------------------------------------- */

/* First block after the run; UINT64_MAX: it has no end. */
static uint64_t end_of_run(const recorder_t *r)
{
    const uint64_t n = r->settings.config->network.n_blocks;
    return n == 0 || !run_file_has_begun(r->file) ? UINT64_MAX : run_file_first_block(r->file) + n;
}

/* Those that come all the same go in their place. */
static void lose_accounts(recorder_t *r)
{
    for (int ap = 0; ap < r->settings.shape.n_ap; ap++) {
        record_rows_lose(r->rows, ap);
    }
}

/* Time begins, or begins again: what was told about other times does not count any more. */
static void begin_time(recorder_t *r, const struct cpu_block *block)
{
    const bool back = block->number < r->newest, begun = run_file_has_begun(r->file);
    const uint64_t first = begun ? run_file_first_block(r->file) : 0;
    lose_accounts(r);
    run_file_begin(r->file, block->number);
    if (!begun || back || run_file_first_block(r->file) != first) {
        record_rows_begin(r->rows, block->number);
    }
    r->session = block->session;
    r->ended_ns = 0;
    for (int ap = 0; back && ap < r->settings.shape.n_ap; ap++) {
        r->last_account[ap] = 0;
    }
    for (int e = 0; back && e < r->settings.config->network.n_eve; e++) {
        r->last_eve_report[e] = 0;
    }
    for (int k = 0; back && k < r->settings.shape.n_ue; k++) {
        atomic_store(&r->heard[k], block->number);
    }
}

static void see_joins(recorder_t *r)
{
    for (int ap = 0; ap < r->settings.shape.n_ap; ap++) {
        const uint32_t joins = atomic_load(&r->ap_joins[ap]);
        if (joins != r->joins_seen[ap]) {
            r->joins_seen[ap] = joins;
            record_rows_joined(r->rows, ap);
            record_rows_lose(r->rows, ap); /* those of an earlier life */
        }
    }
}

/* Estimates are of another size from here on: what was learnt of their power does not count any more. */
static void see_calibration(recorder_t *r, const struct cpu_block *block)
{
    for (int k = 0; block->calibration != r->calibration && k < r->settings.shape.n_ue; k++) {
        secrecy_user_joined(r->secrecy, k);
    }
    r->calibration = block->calibration;
}

/* The hardware is not any more what it was when it was calibrated. */
static void see_losses(recorder_t *r, const struct cpu_block *block)
{
    char text[RUN_FILE_EVENT_BYTES];
    double loss_db = 0;
    if (losses_block(r->losses, block, &loss_db)) {
        snprintf(text, sizeof text, "CALIB-STALE run=%" PRIu32 " loss_db=%.2f", block->calibration, loss_db);
        run_file_event(r->file, clock_wall_ns(), block->number, text);
        log_write(LOG_WARNING, "calibrate", "%s block=%" PRIu64, text, block->number);
        if (r->settings.config->calibration.when_stale) {
            calibrate_request(r->settings.calibrate);
        }
    }
}

/* What a report may be of: nothing before the recording, and no later than now can be. */
static struct report_span span_of(const recorder_t *r)
{
    if (!run_file_has_begun(r->file)) {
        return (struct report_span){0};
    }
    const double speed = r->settings.lockstep ? 50 : 1.1; /* of emulated time against ours, at most */
    const double passed_us = 1e-3 * (double)(clock_mono_ns() - r->newest_ns);
    const uint64_t ahead = (uint64_t)(speed * passed_us / r->settings.config->frame.block_us) + REPORT_SLACK_BLOCKS;
    return (struct report_span){
        .first = run_file_first_block(r->file), .end = r->newest + ahead, .over = end_of_run(r), .solved = r->newest};
}

static void judge_report(recorder_t *r, enum fh_role role, int id, const char *json)
{
    const struct report_span span = span_of(r);
    uint64_t block;
    if (role == FH_ROLE_UE && record_reports_user(r->reports, id, json, span, &block) >= 0 &&
        block + 1 > atomic_load(&r->heard[id])) {
        atomic_store(&r->heard[id], block + 1);
    }
    if (role == FH_ROLE_EVE && record_reports_eve(r->reports, id, json, span, &block) >= 0 &&
        block + 1 > r->last_eve_report[id]) {
        r->last_eve_report[id] = block + 1;
    }
}

static void judge_early(recorder_t *r)
{
    for (const struct early_report *e; (e = early_take(r->early)) != NULL;) {
        judge_report(r, e->role, e->id, e->json);
    }
}

/* One block at a time: the lab link must be served even when writing is the bottleneck. */
static bool write_block(recorder_t *r)
{
    const void *slot = ring_peek(r->blocks, 0);
    if (!slot) {
        return false;
    }
    struct cpu_block *block = *(struct cpu_block *const *)slot;
    if (!run_file_has_begun(r->file) || block->session != r->session || block->number < r->newest) {
        begin_time(r, block);
    }
    r->newest = block->number + 1;
    r->newest_ns = clock_mono_ns();
    if (block->number < end_of_run(r)) {
        see_joins(r);
        see_calibration(r, block);
        record_rows_block(r->rows, block);
        see_losses(r, block);
        secrecy_block(r->secrecy, block);
        live_block(r->live, block);
        slow_hear(r->settings.slow, block, secrecy_power(r->secrecy), secrecy_suspected(r->secrecy));
        r->n_blocks_seen++;
    } else {
        slow_hear(r->settings.slow, block, NULL, NULL);
    }
    judge_early(r);
    ring_pop(r->blocks);
    *(struct cpu_block **)ring_write_slot(r->free_blocks) = block;
    ring_push(r->free_blocks);
    if (r->settings.lockstep) {
        rt_event_signal(r->space);
    }
    return true;
}

static void tell_account(recorder_t *r, int ap, const struct wire_account *account)
{
    const uint64_t *const sent_ns = run_file_peek(r->file, R_PRECODER_SENT, account->block);
    if (record_rows_account(r->rows, ap, account)) {
        live_account(r->live, ap, account, sent_ns ? sent_ns[ap] : 0);
    }
}

/* Accounts of blocks that are (or will be) rows: not before the recording, not after the run. */
static void write_accounts(recorder_t *r)
{
    for (const struct account_message *m; run_file_has_begun(r->file) && (m = ring_peek(r->accounts, 0)) != NULL;
         ring_pop(r->accounts)) {
        const uint64_t block = m->account.block, first = run_file_first_block(r->file);
        if (block >= first && block < end_of_run(r)) {
            tell_account(r, m->ap, &m->account);
        }
        if (block + 1 > r->last_account[m->ap]) {
            r->last_account[m->ap] = block + 1;
        }
    }
}

static void write_uplink(recorder_t *r)
{
    if (run_file_has_begun(r->file)) {
        record_uplink_write(r->uplink, run_file_first_block(r->file), end_of_run(r));
    }
}

static void write_events(recorder_t *r)
{
    for (const struct event_message *m; (m = ring_peek(r->events, 0)) != NULL; ring_pop(r->events)) {
        run_file_event(r->file, m->wall_ns, m->block, m->text);
    }
}

static void write_slow_events(recorder_t *r)
{
    char text[SLOW_EVENT_BYTES];
    uint64_t block;
    while (slow_event(r->settings.slow, &block, text)) {
        run_file_event(r->file, clock_wall_ns(), block, text);
        live_slow_event(&r->live->slow, text);
    }
    for (double gap; slow_gap(r->settings.slow, &block, &gap);) {
        run_file_put(r->file, R_GAP, block, &gap);
    }
}

static void tell_rosters(recorder_t *r)
{
    for (const struct roster_message *m; (m = ring_peek(r->rosters, 0)) != NULL; ring_pop(r->rosters)) {
        memcpy(r->roster, m->text, sizeof r->roster);
        fh_hub_broadcast_control(r->lab, FH_ROLE_UE, r->roster);
        fh_hub_broadcast_control(r->lab, FH_ROLE_EVE, r->roster);
    }
}

static void take_all(recorder_t *r)
{
    for (const struct fh_welcome *w; (w = ring_peek(r->welcomes, 0)) != NULL; ring_pop(r->welcomes)) {
        fh_hub_rewelcome(r->lab, w);
    }
    tell_rosters(r);
    write_events(r);
    write_slow_events(r);
    if (write_block(r) && ring_count(r->blocks) > 0) {
        rt_event_signal(r->event);
    }
    write_accounts(r);
    write_uplink(r);
}

/* The lab link ----------------------------------------------------------------------------------------------------- */

static void say(recorder_t *r, enum log_level level, const char *what, int id, const char *who)
{
    char text[RUN_FILE_EVENT_BYTES];
    snprintf(text, sizeof text, "%s %s=%d", what, who, id);
    run_file_event(r->file, clock_wall_ns(), r->newest, text);
    log_write(level, "lab", "%s block=%" PRIu64, text, r->newest);
}

static void hear_coming_or_going(recorder_t *r, const struct fh_event *event)
{
    const bool up = event->kind == FH_EVENT_UP;
    if (up && r->roster[0]) {
        fh_hub_send_control(r->lab, event->role, event->id, r->roster);
    }
    if (event->role == FH_ROLE_EVE) {
        say(r, LOG_INFO, up ? "EVE-UP" : "EVE-DOWN", event->id, "eve");
    }
    if (event->role != FH_ROLE_UE) {
        return;
    }
    say(r, up ? LOG_INFO : LOG_WARNING, up ? "UE-UP" : "UE-DOWN", event->id, "ue");
    if (up) {
        atomic_store(&r->heard[event->id], atomic_load(&r->last_block));
        secrecy_user_joined(r->secrecy, event->id);
    }
}

static void hear_observer(recorder_t *r, const struct fh_event *event)
{
    char *answer = NULL;
    const char *const words = (const char *)event->data;
    const bool faults = faults_command(r->settings.faults, words, &answer);
    if (!faults && !calibrate_command(r->settings.calibrate, words, &answer)) {
        r->reports->n_bad++;
    }
    if (answer) {
        fh_hub_send_control(r->lab, FH_ROLE_OBSERVER, event->id, answer);
    }
    if (answer && faults) {
        run_file_event(r->file, clock_wall_ns(), r->newest, "FAULTS-CHANGED");
    }
    free(answer);
}

/* The first thing in a report is its type. */
static bool hear_roster_heard(recorder_t *r, const struct fh_event *event)
{
    uint64_t from_block;
    const bool eve = event->role == FH_ROLE_EVE;
    if (strncmp((const char *)event->data, "{\"type\":\"roster", 15) != 0 ||
        !roster_read_heard((const char *)event->data, &from_block)) {
        return false;
    }
    atomic_store(&r->roster_heard[eve ? r->settings.shape.n_ue + event->id : event->id], from_block + 1);
    rt_event_signal(r->roster_event);
    return true;
}

/* A user found the reference's beacon, or lost it: an event of the run. */
static bool hear_sync(recorder_t *r, const struct fh_event *event)
{
    char state[16], text[RUN_FILE_EVENT_BYTES];
    unsigned long long block;
    double cfo_hz, offset_samples, snr_db;
    if (event->role != FH_ROLE_UE ||
        sscanf((const char *)event->data,
               "{\"type\":\"sync\",\"state\":\"%15[a-z]\",\"block\":%llu,\"cfo_hz\":%lf,\"offset_samples\":%lf,"
               "\"snr_db\":%lf}",
               state, &block, &cfo_hz, &offset_samples, &snr_db) != 5) {
        return false;
    }
    if (strcmp(state, "acquired") == 0) {
        snprintf(text, sizeof text, "SYNC-ACQUIRED ue=%d cfo_hz=%.1f offset_samples=%.2f beacon_snr_db=%.1f", event->id,
                 cfo_hz, offset_samples, snr_db);
    } else {
        snprintf(text, sizeof text, "SYNC-LOST ue=%d", event->id);
    }
    if (r->n_sync_events < MOST_SYNC_EVENTS) { /* of all users together: nobody fills the file with them */
        r->n_sync_events++;
        run_file_event(r->file, clock_wall_ns(), r->newest, text);
        log_write(LOG_INFO, "lab", "%s block=%" PRIu64, text, r->newest);
    }
    return true;
}

static void hear_report(recorder_t *r, const struct fh_event *event)
{
    const char *json = (const char *)event->data;
    if (hear_roster_heard(r, event) || hear_sync(r, event)) {
        return;
    }
    if (run_file_has_begun(r->file) || !early_keep(r->early, event->role, event->id, json)) {
        judge_report(r, event->role, event->id, json);
    }
}

static void handle(recorder_t *r, const struct fh_event *event)
{
    if (event->kind == FH_EVENT_UP || event->kind == FH_EVENT_DOWN) {
        hear_coming_or_going(r, event);
    } else if (event->kind == FH_EVENT_CONTROL && event->role == FH_ROLE_OBSERVER) {
        hear_observer(r, event);
    } else if (event->kind == FH_EVENT_CONTROL) {
        hear_report(r, event);
    }
}

/* The end ---------------------------------------------------------------------------------------------------------- */

/* Everybody who is there has told about the last block. */
static bool all_have_told(const recorder_t *r, uint64_t end)
{
    for (int k = 0; k < r->settings.shape.n_ue; k++) {
        if (fh_hub_alive(r->lab, FH_ROLE_UE, k) && atomic_load(&r->heard[k]) < end) {
            return false;
        }
    }
    for (int e = 0; e < r->settings.config->network.n_eve; e++) {
        if (fh_hub_alive(r->lab, FH_ROLE_EVE, e) && r->last_eve_report[e] < end) {
            return false;
        }
    }
    for (int ap = 0; ap < r->settings.shape.n_ap && r->newest < end + ACCOUNT_BLOCKS; ap++) {
        if (atomic_load(&r->ap_alive[ap]) && r->last_account[ap] < end) {
            return false;
        }
    }
    return !r->uplink || r->uplink->newest >= end;
}

/* The run is over when the last block is recorded with its accounts and the users' reports of it (or they do not
 * come). */
static bool is_over(recorder_t *r)
{
    const uint64_t end = end_of_run(r);
    if (end == UINT64_MAX || r->newest < end + TRAILING_BLOCKS) {
        return false;
    }
    if (r->ended_ns == 0) {
        r->ended_ns = clock_mono_ns();
    }
    return all_have_told(r, end) || clock_mono_ns() - r->ended_ns > LAST_REPORTS_NS;
}

/* The live status -------------------------------------------------------------------------------------------------- */

static json_t *sinr_of_users(const recorder_t *r)
{
    json_t *sinr = json_array();
    for (int k = 0; k < r->settings.shape.n_ue; k++) {
        const struct stats_mean *mean = &r->reports->sinr_db[k];
        json_array_append_new(sinr, mean->count ? json_real(mean->mean) : json_null());
    }
    return sinr;
}

enum { RATE_BLOCKS = 8 }; /* so many blocks ago both ends have reported */

static void tell_live(recorder_t *r, json_t *root)
{
    const int n_ap = r->settings.shape.n_ap, n_ue = r->settings.shape.n_ue;
    uint8_t *const users = r->alive + n_ap;
    for (int ap = 0; ap < n_ap; ap++) {
        r->alive[ap] = atomic_load(&r->ap_alive[ap]);
    }
    for (int k = 0; k < n_ue; k++) {
        users[k] = fh_hub_alive(r->lab, FH_ROLE_UE, k);
    }
    const uint64_t row = r->newest > RATE_BLOCKS ? r->newest - RATE_BLOCKS : 0;
    live_secrecy(r->live, run_file_peek(r->file, R_RATE_MEASURED, row),
                 run_file_peek(r->file, R_ATTACK_SUSPECTED, row));
    live_tell(r->live, root, r->alive, users);
}

static char *status_text(recorder_t *r)
{
    int users = 0;
    for (int k = 0; k < r->settings.shape.n_ue; k++) {
        users += fh_hub_alive(r->lab, FH_ROLE_UE, k);
    }
    const uint64_t first = run_file_has_begun(r->file) ? run_file_first_block(r->file) : 0;
    json_t *root = json_pack("{s:s, s:I, s:I, s:I, s:f, s:o, s:I, s:I, s:I, s:i, s:i, s:I}", "type", "status", "block",
                             (json_int_t)(r->newest > first ? r->newest - first : 0), "first_block", (json_int_t)first,
                             "n_blocks", (json_int_t)r->settings.config->network.n_blocks, "elapsed_s",
                             1e-9 * (double)(clock_mono_ns() - r->start_ns), "sinr_db", sinr_of_users(r), "early",
                             (json_int_t)r->rows->arrivals[WIRE_ARRIVAL_EARLY], "on_time",
                             (json_int_t)r->rows->arrivals[WIRE_ARRIVAL_ON_TIME], "late",
                             (json_int_t)r->rows->arrivals[WIRE_ARRIVAL_LATE], "aps_alive", atomic_load(&r->aps_alive),
                             "users_alive", users, "block_errors", (json_int_t)r->reports->block_errors);
    if (root) {
        tell_live(r, root);
        calibrate_tell(r->settings.calibrate, root);
        sync_watch_tell(r->settings.sync, root);
    }
    char *text = root ? json_dumps(root, JSON_COMPACT | JSON_REAL_PRECISION(9)) : NULL;
    json_decref(root);
    return text;
}

static void tell_observers(recorder_t *r)
{
    bool any = false;
    for (int o = 0; o < MAX_OBSERVERS && !any; o++) {
        any = fh_hub_alive(r->lab, FH_ROLE_OBSERVER, o);
    }
    char *json = any ? status_text(r) : NULL;
    if (json) {
        fh_hub_broadcast_control(r->lab, FH_ROLE_OBSERVER, json);
    }
    free(json);
}

static void do_what_is_due(recorder_t *r)
{
    const uint64_t now_ns = clock_mono_ns();
    run_file_turn(r->file, now_ns);
    if (now_ns >= r->next_status_ns) {
        tell_observers(r);
        r->next_status_ns = now_ns + STATUS_PERIOD_NS;
    }
    if (is_over(r)) {
        atomic_store(&r->complete, true);
    }
}

int recorder_body(void *argument)
{
    recorder_t *r = argument;
    int status = TUTTI_OK;
    while (status >= 0 && !rt_stop_requested() && !atomic_load(&r->complete)) {
        struct fh_event event;
        status = fh_hub_wait(r->lab, r->event, 100000, &event);
        if (status >= 0 && event.kind == FH_EVENT_FD) {
            rt_event_wait(r->event, 0);
            take_all(r);
        } else if (status >= 0) {
            handle(r, &event);
        }
        do_what_is_due(r);
    }
    while (write_block(r)) {
        continue;
    }
    write_events(r);
    write_accounts(r);
    write_uplink(r);
    lose_accounts(r);
    tell_observers(r);
    rt_event_signal(r->space);
    if (atomic_load(&r->complete)) {
        rt_stop_request();
    }
    return status;
}
