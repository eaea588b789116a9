/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cpu_node/calibrate.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/rt.h"
#include "calib/run.h"
#include "fronthaul/wire.h"
#include "node/thread.h"

#include <inttypes.h>
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    LEARN_BLOCKS = 16,      /* before the first run of its own: noise is learnt */
    TELL_BLOCKS = 3,        /* one AP's measurements come one a block; and so many more until the last is here */
    SLACK_BLOCKS = 200,     /* paced: how long after that somebody may still be late */
    AHEAD_BLOCKS = 2,       /* lock-step: an order surely counts in the block after next */
    AHEAD_PACED_BLOCKS = 8, /* paced and radios: on its way meanwhile */
    MESSAGE_VALUES = 1500   /* numbers in one message */
};

struct calibrate {
    struct calibrate_settings settings;
    struct calib_run run;     /* block thread's, the thread's while it solves */
    struct calib_table next;  /* the same */
    struct calib_table table; /* in force, or on its way to the APs */
    bool have_table;
    uint32_t in_force, before;        /* numbers of calibrations */
    uint64_t from_block;              /* of in_force */
    uint64_t begin_block, end_block;  /* of the run under way */
    uint64_t newest, all_alive_since; /* block numbers */
    bool began_by_itself, all_alive;
    uint64_t *strange_until;        /* [n_ap] its phase is not what it was calibrated with, if ever: up to this block */
    tutti_cf32 *values;             /* [n_sb][n_ant][n_ant] */
    float *statistic;               /* [3 + n_sb n_ant] */
    _Atomic uint32_t number, asked; /* of the newest run; of the newest one asked for */
    _Atomic int state;              /* enum calibrate_state */
    _Atomic uint64_t progress;      /* in 1/1000 */
    struct node_thread thread;
    int wake, done;
    _Atomic bool stop;
    int status; /* of the last solve */
    pthread_mutex_t mutex;
    struct calibrate_report last; /* under the mutex: figures and sentence */
};

/* Life ------------------------------------------------------------------------------------------------------------- */

static int create_buffers(calibrate_t *c)
{
    const struct block_shape *s = &c->settings.shape;
    const size_t n_sb = (size_t)s->n_sb, n_ant = (size_t)s->n_ant;
    c->values = calloc(n_sb * n_ant * n_ant, sizeof *c->values);
    c->statistic = calloc(3 + n_sb * n_ant, sizeof *c->statistic);
    c->strange_until = calloc((size_t)s->n_ap, sizeof *c->strange_until);
    if (!c->values || !c->statistic || !c->strange_until) {
        return error_set(TUTTI_ENOMEM, "out of memory for calibrations");
    }
    int status = calib_run_create(&c->run, c->settings.frame, s->n_ap, s->n_ant);
    status = status < 0 ? status : calib_table_create(&c->next, s->n_sb, s->n_ap, s->n_ant);
    return status < 0 ? status : calib_table_create(&c->table, s->n_sb, s->n_ap, s->n_ant);
}

static int read_file(calibrate_t *c)
{
    const struct block_shape *s = &c->settings.shape;
    const char *path = c->settings.config->calibration.file;
    if (!path[0] || access(path, F_OK) != 0) {
        return TUTTI_OK;
    }
    calib_table_destroy(&c->table);
    int status = calib_table_try(path, s->n_sb, s->n_ap, s->n_ant);
    status = status < 0 ? status : calib_table_load(&c->table, path, s->n_sb, s->n_ap, s->n_ant);
    if (status >= 0) {
        char text[200];
        c->have_table = true;
        c->in_force = 1;
        atomic_store(&c->number, 1);
        atomic_store(&c->asked, 1);
        atomic_store(&c->state, CALIBRATE_DONE);
        snprintf(text, sizeof text, "CALIBRATION-READ run=1 error_deg=%.2f",
                 sqrt(c->table.error_variance) * 180 / M_PI);
        c->settings.say(c->settings.context, 0, text);
    }
    return status;
}

/* What follows a reference over the air has a phase of its own until calibration knows it: together they would only
 * spoil each other's beams, so the reference serves alone. Without C symbols there is nothing to wait for. */
static void leave_out_slaves(calibrate_t *c)
{
    const struct config *config = c->settings.config;
    if (config->sync.mode != CONFIG_SYNC_AIR || c->settings.frame->n_cal == 0 || c->have_table) {
        return;
    }
    for (int ap = 0; ap < c->settings.shape.n_ap; ap++) {
        c->strange_until[ap] = ap == config->sync.reference_ap ? 0 : UINT64_MAX;
    }
}

int calibrate_create(calibrate_t **calibrate, const struct calibrate_settings *settings)
{
    calibrate_t *c = *calibrate = calloc(1, sizeof *c);
    if (!c) {
        return error_set(TUTTI_ENOMEM, "out of memory for calibrations");
    }
    c->settings = *settings;
    pthread_mutex_init(&c->mutex, NULL);
    c->wake = rt_event_create();
    c->done = rt_event_create();
    if (c->wake < 0 || c->done < 0) {
        return error_set(TUTTI_EIO, "cannot create a wake-up descriptor");
    }
    int status = create_buffers(c);
    status = status < 0 ? status : read_file(c);
    if (status >= 0) {
        leave_out_slaves(c);
    }
    return status;
}

void calibrate_destroy(calibrate_t *c)
{
    if (!c) {
        return;
    }
    atomic_store(&c->stop, true);
    if (c->thread.running) {
        rt_event_signal(c->wake);
    }
    node_thread_join(&c->thread);
    calib_run_destroy(&c->run);
    calib_table_destroy(&c->next);
    calib_table_destroy(&c->table);
    if (c->wake >= 0) {
        close(c->wake);
    }
    if (c->done >= 0) {
        close(c->done);
    }
    pthread_mutex_destroy(&c->mutex);
    free(c->values);
    free(c->statistic);
    free(c->strange_until);
    free(c);
}

/* What is known of it ---------------------------------------------------------------------------------------------- */

static void tell(calibrate_t *c, double error_rad, double residual_ratio, const char *sentence)
{
    pthread_mutex_lock(&c->mutex);
    c->last.error_rad = error_rad;
    c->last.residual_ratio = residual_ratio;
    snprintf(c->last.sentence, sizeof c->last.sentence, "%s", sentence);
    pthread_mutex_unlock(&c->mutex);
}

void calibrate_report(calibrate_t *c, struct calibrate_report *report)
{
    pthread_mutex_lock(&c->mutex);
    *report = c->last;
    pthread_mutex_unlock(&c->mutex);
    report->run = atomic_load(&c->number);
    report->state =
        atomic_load(&c->asked) != report->run ? CALIBRATE_ASKED : (enum calibrate_state)atomic_load(&c->state);
    report->done = 1e-3 * (double)atomic_load(&c->progress);
}

int64_t calibrate_request(calibrate_t *c)
{
    if (c->settings.frame->n_cal == 0) {
        return error_set(TUTTI_ECONFIG, "frame.schedule has no C symbols, in which access points could hear each "
                                        "other; for example \"B G P4 U20 C4 G D38 G\"");
    }
    if (c->settings.shape.n_ap < 2) {
        return error_set(TUTTI_ECONFIG, "a single access point has nobody to hear it");
    }
    const uint32_t asked = atomic_load(&c->number) + 1; /* twice while one waits: the same one */
    atomic_store(&c->asked, asked);
    return asked;
}

uint32_t calibrate_in_force(const calibrate_t *c, uint64_t block)
{
    return !c->have_table ? 0 : block >= c->from_block ? c->in_force : c->before;
}

/* Tables out ------------------------------------------------------------------------------------------------------- */

/* Subbands first..first+n-1 of one AP as a message. */
static void send_rows(calibrate_t *c, int ap, int first, int n, uint64_t from_block)
{
    const struct calib_table *t = &c->table;
    const size_t room = 256 + 64 * (size_t)(n * t->n_ant);
    char *text = malloc(room);
    if (!text) {
        return;
    }
    int at = snprintf(text, room,
                      "{\"type\":\"calibration\",\"run\":%" PRIu32 ",\"from_block\":%" PRIu64
                      ",\"first_sb\":%d,\"delay_samples\":%.9g,\"error_variance\":%.9g,\"shift_samples\":%d,\"c\":[",
                      c->in_force, from_block, first, t->delay_samples[ap], t->error_variance, t->shift_samples[ap]);
    for (int i = 0; i < n * t->n_ant; i++) {
        const tutti_cf32 v = t->c[((size_t)(first + i / t->n_ant) * (size_t)t->n_ap + (size_t)ap) * (size_t)t->n_ant +
                                  (size_t)(i % t->n_ant)];
        at += snprintf(text + at, room - (size_t)at, "%s%.9g,%.9g", i ? "," : "", (double)crealf(v), (double)cimagf(v));
    }
    snprintf(text + at, room - (size_t)at, "]}");
    c->settings.send(c->settings.context, ap, text);
    free(text);
}

static void send_table(calibrate_t *c, int ap, uint64_t from_block)
{
    const int each = MESSAGE_VALUES / (2 * c->table.n_ant) > 1 ? MESSAGE_VALUES / (2 * c->table.n_ant) : 1;
    for (int first = 0; first < c->table.n_sb; first += each) {
        send_rows(c, ap, first, c->table.n_sb - first < each ? c->table.n_sb - first : each, from_block);
    }
}

static uint64_t ahead(const calibrate_t *c)
{
    return (uint64_t)c->settings.frame->lag_blocks + (c->settings.lockstep ? AHEAD_BLOCKS : AHEAD_PACED_BLOCKS);
}

/* What an AP measures its phase against is its own from when it began: a table from before is not about it. */
static bool is_strange(const calibrate_t *c)
{
    const struct config *config = c->settings.config;
    return c->have_table && config->sync.mode == CONFIG_SYNC_AIR && c->settings.frame->n_cal > 0 &&
           (config->calibration.at_start || config->calibration.when_stale);
}

bool calibrate_excludes(const calibrate_t *c, int ap, uint64_t block)
{
    return block < c->strange_until[ap];
}

void calibrate_joined(calibrate_t *c, int ap, uint64_t now)
{
    if (is_strange(c)) {
        c->strange_until[ap] = UINT64_MAX;
        c->began_by_itself = false;
    }
    if (c->strange_until[ap] == UINT64_MAX) {
        c->settings.send(c->settings.context, ap, "{\"type\":\"silent\"}");
        return;
    }
    if (c->have_table && atomic_load(&c->state) != CALIBRATE_SOLVING) {
        c->from_block = c->from_block ? c->from_block : now + ahead(c); /* of the file */
        send_table(c, ap, now + ahead(c));
    }
}

/* A run ------------------------------------------------------------------------------------------------------------ */

static void fail(calibrate_t *c, uint64_t block, const char *sentence)
{
    char text[200];
    tell(c, NAN, NAN, sentence);
    atomic_store(&c->state, CALIBRATE_FAILED);
    snprintf(text, sizeof text, "CALIBRATION-FAILED run=%" PRIu32 " %.140s", atomic_load(&c->number), sentence);
    c->settings.say(c->settings.context, block, text);
}

static void begin(calibrate_t *c, uint64_t number, const uint8_t *alive)
{
    const struct block_shape *s = &c->settings.shape;
    const int n_cal = c->settings.frame->n_cal, n_repeats = c->settings.config->calibration.n_repeats;
    char text[160];
    atomic_store(&c->number, atomic_load(&c->asked));
    atomic_store(&c->progress, 0);
    for (int ap = 0; ap < s->n_ap; ap++) {
        if (!alive[ap]) {
            snprintf(text, sizeof text, "access point %d is not there", ap);
            fail(c, number, text);
            return;
        }
    }
    c->begin_block = number + ahead(c);
    c->end_block = c->begin_block + (uint64_t)((n_repeats + n_cal - 1) / n_cal * s->n_ap); /* one AP a block */
    calib_run_reset(&c->run);
    snprintf(text, sizeof text,
             "{\"type\":\"sound\",\"run\":%" PRIu32 ",\"from_block\":%" PRIu64 ",\"n_blocks\":%" PRIu64 "}",
             atomic_load(&c->number), c->begin_block, c->end_block - c->begin_block);
    for (int ap = 0; ap < s->n_ap; ap++) {
        c->settings.send(c->settings.context, ap, text);
    }
    atomic_store(&c->state, CALIBRATE_SOUNDING);
    snprintf(text, sizeof text, "CALIBRATION-BEGAN run=%" PRIu32 " from_block=%" PRIu64 " n_blocks=%" PRIu64,
             atomic_load(&c->number), c->begin_block, c->end_block - c->begin_block);
    c->settings.say(c->settings.context, number, text);
}

/* Delays are told modulo the FFT's length, counts are whole numbers, and no clock is off by more than a block: what
 * says otherwise would move the others' time and weigh their measurements. */
static bool is_possible(const calibrate_t *c)
{
    const struct frame *f = c->settings.frame;
    const float *const statistic = c->statistic;
    const int most = f->sc_per_sb * (c->settings.config->calibration.n_repeats + f->n_cal);
    bool good = fabsf(statistic[1]) <= (float)f->fft_size && fabsf(statistic[2]) <= (float)f->n_block_samples;
    for (int i = 0; i < c->settings.shape.n_sb * c->settings.shape.n_ant; i++) {
        const float count = statistic[3 + i];
        good = good && (count == 0 || (count >= 1 && count <= (float)most));
    }
    return good;
}

void calibrate_hear(calibrate_t *c, int ap, const uint8_t *data, size_t n_bytes)
{
    const struct block_shape *s = &c->settings.shape;
    const size_t room = (size_t)s->n_sb * (size_t)s->n_ant * (size_t)s->n_ant;
    struct wire_header header;
    struct wire_array_meta meta = {.statistic = c->statistic, .statistic_room = 3 + (uint32_t)(s->n_sb * s->n_ant)};
    if (wire_unpack_array(data, n_bytes, &header, &meta, c->values, room) != WIRE_OK || header.node != ap ||
        header.type != WIRE_CALIBRATION || header.n_sb != s->n_sb || header.n_ant != s->n_ant ||
        header.n_stream != s->n_ant || meta.n_statistic != meta.statistic_room || meta.subject >= s->n_ap ||
        meta.subject == ap) {
        return;
    }
    if (atomic_load(&c->state) != CALIBRATE_SOUNDING || c->statistic[0] != (float)atomic_load(&c->number)) {
        return;
    }
    if (!is_possible(c)) {
        char text[140];
        snprintf(text, sizeof text, "access point %d tells of access point %d what cannot be (delay %.3g, shift %.3g)",
                 ap, meta.subject, (double)c->statistic[1], (double)c->statistic[2]);
        fail(c, c->newest, text);
        return;
    }
    calib_run_add(&c->run, meta.subject, ap, c->values, c->statistic + 3, (double)c->statistic[1],
                  (int)c->statistic[2]);
}

/* Written whole or not at all. */
static int write_file(const calibrate_t *c)
{
    const char *path = c->settings.config->calibration.file;
    char *part = NULL;
    if (!path[0]) {
        return TUTTI_OK;
    }
    if (asprintf(&part, "%s.part", path) < 0) {
        return error_set(TUTTI_ENOMEM, "out of memory for the name of %s", path);
    }
    int status = calib_table_save(&c->next, part);
    if (status >= 0 && rename(part, path) != 0) {
        status = error_set(TUTTI_EIO, "%s cannot be renamed to %s", part, path);
    }
    free(part);
    return status;
}

/* The reference's beacon is everybody's time: it stays where it is, and the others move by the difference. */
static void keep_reference(const calibrate_t *c, struct calib_table *table)
{
    const struct config_sync *sync = &c->settings.config->sync;
    const int shift = sync->mode == CONFIG_SYNC_AIR ? table->shift_samples[sync->reference_ap] : 0;
    for (int ap = 0; ap < table->n_ap; ap++) {
        table->shift_samples[ap] -= shift;
    }
}

static void solve(calibrate_t *c)
{
    c->next.measured_ns = clock_wall_ns();
    c->status = calib_run_solve(&c->run, &c->settings.config->calibration, &c->next);
    if (c->status >= 0) {
        keep_reference(c, &c->next);
        c->status = write_file(c);
    }
    if (c->status < 0) {
        tell(c, NAN, NAN, error_text());
    } else {
        tell(c, sqrt(c->next.error_variance), c->next.residual / c->next.noise_residual, "");
    }
}

static int body(void *argument)
{
    calibrate_t *c = argument;
    for (;;) {
        rt_event_wait(c->wake, -1);
        if (atomic_load(&c->stop)) {
            return TUTTI_OK;
        }
        solve(c);
        rt_event_signal(c->done);
    }
}

int calibrate_start(calibrate_t *c)
{
    c->thread = (struct node_thread){.name = "calibrate",
                                     .duty = NODE_DUTY_BACKGROUND,
                                     .engine = &c->settings.config->engine,
                                     .core = -1,
                                     .body = body,
                                     .argument = c};
    return node_thread_start(&c->thread);
}

static void finish(calibrate_t *c, uint64_t number)
{
    struct calibrate_report report;
    char text[200];
    calibrate_report(c, &report);
    if (c->status < 0) {
        fail(c, number, report.sentence);
        return;
    }
    const struct calib_table old = c->table;
    c->table = c->next;
    c->next = old;
    c->before = c->have_table ? c->in_force : 0;
    c->have_table = true;
    c->in_force = atomic_load(&c->number);
    c->from_block = number + ahead(c);
    for (int ap = 0; ap < c->settings.shape.n_ap; ap++) {
        c->strange_until[ap] = c->strange_until[ap] == UINT64_MAX ? c->from_block : 0;
        send_table(c, ap, c->from_block);
    }
    atomic_store(&c->state, CALIBRATE_DONE);
    snprintf(text, sizeof text, "CALIBRATED run=%" PRIu32 " from_block=%" PRIu64 " error_deg=%.3f misfit=%.2f",
             c->in_force, c->from_block, report.error_rad * 180 / M_PI, report.residual_ratio);
    c->settings.say(c->settings.context, number, text);
}

/* Lock-step: at a fixed block, when all must be here. */
static bool is_collected(const calibrate_t *c, uint64_t number)
{
    const uint64_t n_ap = (uint64_t)c->settings.shape.n_ap, due = c->end_block + n_ap + TELL_BLOCKS;
    const bool all = calib_run_heard(&c->run) == (int)(n_ap * (n_ap - 1));
    return c->settings.lockstep ? number >= due : number >= c->end_block && (all || number >= due + SLACK_BLOCKS);
}

static void go_on(calibrate_t *c, uint64_t number, const uint8_t *alive)
{
    for (int ap = 0; ap < c->settings.shape.n_ap && number < c->end_block; ap++) {
        if (!alive[ap]) {
            char text[100];
            snprintf(text, sizeof text, "access point %d went away, or out of step, in the middle of it", ap);
            c->began_by_itself = false;
            fail(c, number, text);
            return;
        }
    }
    const uint64_t length = c->end_block - c->begin_block, gone = number > c->begin_block ? number - c->begin_block : 0;
    atomic_store(&c->progress, gone < length ? 1000 * gone / length : 1000);
    if (is_collected(c, number)) {
        atomic_store(&c->state, CALIBRATE_SOLVING);
        rt_event_signal(c->wake);
    }
}

/* By itself once all APs have been there for a while. */
static void ask_at_start(calibrate_t *c, uint64_t number, const uint8_t *alive)
{
    bool all = true;
    for (int ap = 0; ap < c->settings.shape.n_ap; ap++) {
        all = all && alive[ap];
    }
    c->all_alive_since = all && c->all_alive ? c->all_alive_since : number;
    c->all_alive = all;
    bool strange = false;
    for (int ap = 0; ap < c->settings.shape.n_ap; ap++) {
        strange = strange || (c->have_table && c->strange_until[ap] == UINT64_MAX);
    }
    if ((c->settings.config->calibration.at_start || strange) && !c->began_by_itself && all &&
        number >= c->all_alive_since + LEARN_BLOCKS) {
        c->began_by_itself = true;
        calibrate_request(c);
    }
}

void calibrate_turn(calibrate_t *c, uint64_t number, const uint8_t *alive)
{
    ask_at_start(c, number, alive);
    if (number < c->newest && atomic_load(&c->state) == CALIBRATE_SOUNDING) {
        fail(c, number, "time began anew in the middle of it");
    }
    if (number < c->newest) {
        c->from_block = 0;
        for (int ap = 0; ap < c->settings.shape.n_ap; ap++) {
            c->strange_until[ap] = c->strange_until[ap] == UINT64_MAX ? UINT64_MAX : 0;
        }
    }
    c->newest = number;
    const int state = atomic_load(&c->state);
    if (state == CALIBRATE_SOUNDING) {
        go_on(c, number, alive);
    } else if (state != CALIBRATE_SOLVING && atomic_load(&c->asked) != atomic_load(&c->number)) {
        begin(c, number, alive);
    }
    if (atomic_load(&c->state) == CALIBRATE_SOLVING && rt_event_wait(c->done, c->settings.lockstep ? -1 : 0)) {
        finish(c, number);
    }
}
