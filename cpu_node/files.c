/* SPDX-License-Identifier: GPL-3.0-or-later */
/* run.h5, as docs/files.md describes it. Rows that arrive in pieces (stamps of an earlier block, users' reports) are
 * kept in a small window and written at every flush or when they leave it. */
#include "cpu_node/files.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/h5file.h"
#include "base/log.h"
#include "base/stats.h"
#include "cpu_node/cpu.h"
#include "cpu_node/secrecy.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { STAMP_ROWS = 16, REPORT_ROWS = 64, CONSTELLATION_ROWS = 4, CONSTELLATION_EVERY = 16, N_COUNTS = 6 };

/* Per block and AP. */
struct stamp_row {
    uint64_t block;
    bool used;
    uint64_t received_ns[TUTTI_MAX_AP], applied_ns[TUTTI_MAX_AP];
    uint8_t kind[TUTTI_MAX_AP], arrival[TUTTI_MAX_AP];
};

/* Per block and user. */
struct report_row {
    uint64_t block;
    bool used, dirty;
    double sinr[TUTTI_MAX_UE], evm[TUTTI_MAX_UE];
    int64_t count[N_COUNTS][TUTTI_MAX_UE];
};

static const char *const COUNT_NAMES[N_COUNTS] = {"bits",        "bit_errors",       "coded_bits", "coded_bit_errors",
                                                  "code_blocks", "code_block_errors"};

struct constellation_row {
    uint64_t row;
    bool used;
    tutti_cf32 *points; /* [n_ue][n_points] */
};

struct recorder_files {
    h5file_t *h5; /* NULL: nothing is recorded */
    int n_points;
    int H_hat, error_variance, W, an, an_share, sinr, bound, solve_time, scheme, reason, tick, ap_used, user_used, beta,
        noise, events;
    int capture_end, csi_sent, csi_received, precoder_sent, precoder_received, applied, solve_start, solve_end, kind,
        arrival, faults;
    int user_sinr, user_evm, user_count[N_COUNTS], constellation;
    struct stamp_row stamps[STAMP_ROWS];
    struct report_row reports[REPORT_ROWS];
    struct secrecy *secrecy;
    struct constellation_row constellations[CONSTELLATION_ROWS];
    double *wide; /* work area for one row of doubles */
    uint64_t start_ns;
    struct stats_mean sinr_db[TUTTI_MAX_UE];
    uint64_t block_errors, newest, write_errors;
};

/* After a failed write (a full disk) HDF5's state of the file cannot be relied on: nothing more is written, only
 * counted, and what had been flushed stays readable. The network goes on. */
static void write_failed(struct recorder_files *f)
{
    if (f->write_errors++ == 0) {
        log_write(LOG_ERROR, "record", "WRITE-FAILED %s; the network goes on without recording", error_text());
    }
}

void files_write_row(struct recorder_files *f, int handle, uint64_t row, const void *data)
{
    if (!f->h5 || handle < 0) {
        return;
    }
    if (f->write_errors) {
        f->write_errors++;
    } else if (h5file_write_row(f->h5, handle, row, data) < 0) {
        write_failed(f);
    }
}

uint64_t files_errors(const struct recorder_files *f)
{
    return f ? f->write_errors : 0;
}

int files_declare(struct recorder_files *f, const char *path, enum h5_type type, size_t a, size_t b, size_t c, size_t d,
                  size_t e)
{
    const size_t all[] = {a, b, c, d, e};
    int n = 0;
    while (n < 5 && all[n] > 0) {
        n++;
    }
    return h5file_declare(f->h5, path, type, n + 1, all);
}

static void declare_blocks(struct recorder_files *f, const struct cpu *cpu)
{
    const size_t n_sb = (size_t)cpu->frame.n_sb, n_ap = (size_t)cpu->shape.n_ap, n_ant = (size_t)cpu->shape.n_ant;
    const size_t n_ue = (size_t)cpu->shape.n_ue;
    const struct config_record *c = &cpu->config->record;
    f->H_hat = c->csi ? files_declare(f, "/H_hat", H5_C64, n_sb, n_ap, n_ant, n_ue, 0) : -1;
    f->error_variance = c->csi ? files_declare(f, "/error_variance", H5_F64, n_sb, n_ap, n_ue, 0, 0) : -1;
    f->W = c->precoders ? files_declare(f, "/W", H5_C64, n_sb, n_ap, n_ant, n_ue, 0) : -1;
    f->an = c->precoders && cpu->config->precoding.an == CONFIG_AN_PHASE_ONLY
                ? files_declare(f, "/an", H5_C64, n_sb, n_ap, n_ant, 0, 0)
                : -1;
    f->an_share =
        cpu->config->precoding.an != CONFIG_AN_NONE ? files_declare(f, "/an_share", H5_F64, 0, 0, 0, 0, 0) : -1;
    f->sinr = files_declare(f, "/sinr_predicted", H5_F64, n_sb, n_ue, 0, 0, 0);
    f->bound = files_declare(f, "/sinr_bound", H5_F64, n_sb, 0, 0, 0, 0);
    f->solve_time = files_declare(f, "/solve_time_s", H5_F64, 0, 0, 0, 0, 0);
    f->scheme = files_declare(f, "/scheme", H5_I32, 0, 0, 0, 0, 0);
    f->reason = files_declare(f, "/reason", H5_I32, 0, 0, 0, 0, 0);
    f->tick = files_declare(f, "/block/tick", H5_U64, 0, 0, 0, 0, 0);
    f->ap_used = files_declare(f, "/block/ap_used", H5_U8, n_ap, 0, 0, 0, 0);
    f->user_used = files_declare(f, "/block/user_used", H5_U8, n_ue, 0, 0, 0, 0);
    f->beta = files_declare(f, "/block/beta", H5_F64, n_ap, n_ue, 0, 0, 0);
    f->noise = files_declare(f, "/block/noise_power", H5_F64, n_ap, 0, 0, 0, 0);
    f->events = files_declare(f, "/radio/events", H5_I64, n_ap, 5, 0, 0, 0);
}

static void declare_hops(struct recorder_files *f, size_t n_ap)
{
    f->capture_end = files_declare(f, "/hops/capture_end_ns", H5_U64, n_ap, 0, 0, 0, 0);
    f->csi_sent = files_declare(f, "/hops/csi_sent_ns", H5_U64, n_ap, 0, 0, 0, 0);
    f->csi_received = files_declare(f, "/hops/csi_received_ns", H5_U64, n_ap, 0, 0, 0, 0);
    f->precoder_sent = files_declare(f, "/hops/precoder_sent_ns", H5_U64, n_ap, 0, 0, 0, 0);
    f->precoder_received = files_declare(f, "/hops/precoder_received_ns", H5_U64, n_ap, 0, 0, 0, 0);
    f->applied = files_declare(f, "/hops/applied_ns", H5_U64, n_ap, 0, 0, 0, 0);
    f->solve_start = files_declare(f, "/hops/solve_start_ns", H5_U64, 0, 0, 0, 0, 0);
    f->solve_end = files_declare(f, "/hops/solve_end_ns", H5_U64, 0, 0, 0, 0, 0);
    f->kind = files_declare(f, "/applied/kind", H5_U8, n_ap, 0, 0, 0, 0);
    f->arrival = files_declare(f, "/applied/arrival", H5_U8, n_ap, 0, 0, 0, 0);
    f->faults = files_declare(f, "/faults/injected", H5_I64, n_ap, 0, 0, 0, 0);
}

static void declare_users(struct recorder_files *f, size_t n_ue)
{
    f->user_sinr = files_declare(f, "/user/sinr_measured", H5_F64, n_ue, 0, 0, 0, 0);
    f->user_evm = files_declare(f, "/user/evm", H5_F64, n_ue, 0, 0, 0, 0);
    for (int i = 0; i < N_COUNTS; i++) {
        char path[64];
        snprintf(path, sizeof path, "/user/%s", COUNT_NAMES[i]);
        f->user_count[i] = files_declare(f, path, H5_I64, n_ue, 0, 0, 0, 0);
    }
    f->constellation =
        f->n_points > 0 ? files_declare(f, "/user/constellation", H5_C64, n_ue, (size_t)f->n_points, 0, 0, 0) : -1;
}

static int create_file(struct recorder_files *f, const struct cpu *cpu)
{
    const char *path = cpu->config->record.file;
    if (path[0] == '\0') {
        return TUTTI_OK;
    }
    int status = h5file_create(&f->h5, path);
    char *yaml = config_to_yaml(cpu->config);
    if (status >= 0 && !yaml) {
        status = error_set(TUTTI_ENOMEM, "out of memory for the configuration text");
    }
    if (status >= 0) {
        status = h5file_put_text(f->h5, "/config", yaml);
    }
    if (status >= 0) {
        status = h5file_put_text(f->h5, "/version", TUTTI_VERSION);
    }
    free(yaml);
    if (status < 0) {
        return status;
    }
    declare_blocks(f, cpu);
    declare_hops(f, (size_t)cpu->shape.n_ap);
    declare_users(f, (size_t)cpu->shape.n_ue);
    secrecy_declare(f->secrecy, f);
    return h5file_seal(f->h5);
}

int files_create(struct recorder_files **files, const struct cpu *cpu)
{
    struct recorder_files *f = *files = calloc(1, sizeof *f);
    if (!f) {
        return error_set(TUTTI_ENOMEM, "out of memory for the recorder");
    }
    f->n_points = cpu->config->record.constellation_points;
    f->start_ns = clock_mono_ns();
    const size_t n_ue = (size_t)cpu->shape.n_ue, n_ap = (size_t)cpu->shape.n_ap;
    const size_t widest = (size_t)cpu->frame.n_sb * n_ap * n_ue + n_ap * 5u;
    f->wide = malloc(widest * sizeof *f->wide);
    for (int r = 0; r < CONSTELLATION_ROWS; r++) {
        f->constellations[r].points = calloc(n_ue * (size_t)f->n_points + 1, sizeof(tutti_cf32));
        if (!f->constellations[r].points) {
            return error_set(TUTTI_ENOMEM, "out of memory for the recorder");
        }
    }
    if (!f->wide) {
        return error_set(TUTTI_ENOMEM, "out of memory for the recorder");
    }
    const int status = secrecy_create(&f->secrecy, cpu);
    return status < 0 ? status : create_file(f, cpu);
}

static void write_stamps(struct recorder_files *f, const struct stamp_row *row)
{
    files_write_row(f, f->precoder_received, row->block, row->received_ns);
    files_write_row(f, f->applied, row->block, row->applied_ns);
    files_write_row(f, f->kind, row->block, row->kind);
    files_write_row(f, f->arrival, row->block, row->arrival);
}

/* The stamps each AP sent along belong to an earlier block, usually the same for all. */
static void merge_stamps(struct recorder_files *f, const struct cpu *cpu, const struct cpu_block *block)
{
    bool touched[STAMP_ROWS] = {false};
    for (int ap = 0; ap < cpu->shape.n_ap; ap++) {
        const struct wire_ap_stamps *s = &block->previous[ap];
        if (!block->gathered[ap] || s->applied_kind == WIRE_APPLIED_NONE || s->block >= block->number ||
            (cpu->config->network.n_blocks && s->block >= cpu->config->network.n_blocks)) {
            continue;
        }
        struct stamp_row *row = &f->stamps[s->block % STAMP_ROWS];
        if (!row->used || row->block != s->block) {
            *row = (struct stamp_row){.block = s->block, .used = true};
        }
        row->received_ns[ap] = s->precoder_received_ns;
        row->applied_ns[ap] = s->applied_ns;
        row->kind[ap] = s->applied_kind;
        row->arrival[ap] = s->arrival;
        touched[s->block % STAMP_ROWS] = true;
    }
    for (int r = 0; r < STAMP_ROWS; r++) {
        if (touched[r]) {
            write_stamps(f, &f->stamps[r]);
        }
    }
}

static const double *widen(struct recorder_files *f, const float *values, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        f->wide[i] = (double)values[i];
    }
    return f->wide;
}

/* [n_ap][n_ue] of the message, repeated for every subband as the channel file wants it. */
static const double *repeat(struct recorder_files *f, const float *values, size_t n, size_t times)
{
    for (size_t t = 0; t < times; t++) {
        for (size_t i = 0; i < n; i++) {
            f->wide[t * n + i] = (double)values[i];
        }
    }
    return f->wide;
}

static void write_solution(struct recorder_files *f, const struct cpu *cpu, const struct cpu_block *block)
{
    const size_t n_sb = (size_t)cpu->frame.n_sb, n_ue = (size_t)cpu->shape.n_ue;
    const double solve_s = 1e-9 * (double)(block->solve_end_ns - block->solve_start_ns);
    int32_t reason = 0;
    for (size_t sb = 0; sb < n_sb; sb++) {
        if (block->reason[sb] > reason) {
            reason = block->reason[sb];
        }
    }
    const int32_t scheme = block->scheme;
    files_write_row(f, f->W, block->number, block->W);
    files_write_row(f, f->an, block->number, block->an);
    files_write_row(f, f->an_share, block->number, &block->an_share);
    files_write_row(f, f->sinr, block->number, widen(f, block->sinr, n_sb * n_ue));
    files_write_row(f, f->bound, block->number, block->bound);
    files_write_row(f, f->solve_time, block->number, &solve_s);
    files_write_row(f, f->scheme, block->number, &scheme);
    files_write_row(f, f->reason, block->number, &reason);
}

static void write_inputs(struct recorder_files *f, const struct cpu *cpu, const struct cpu_block *block)
{
    const size_t n_sb = (size_t)cpu->frame.n_sb, n_ue = (size_t)cpu->shape.n_ue, n_ap = (size_t)cpu->shape.n_ap;
    const uint64_t tick = frame_symbol_tick(&cpu->frame, cpu->welcome.epoch, block->number, 0);
    int64_t events[TUTTI_MAX_AP * 5];
    for (size_t i = 0; i < n_ap * 5; i++) {
        events[i] = block->radio_events[i / 5][i % 5];
    }
    files_write_row(f, f->H_hat, block->number, block->H_hat);
    files_write_row(f, f->error_variance, block->number, repeat(f, block->error_variance, n_ap * n_ue, n_sb));
    files_write_row(f, f->tick, block->number, &tick);
    files_write_row(f, f->ap_used, block->number, block->gathered);
    files_write_row(f, f->user_used, block->number, block->user_used);
    files_write_row(f, f->beta, block->number, widen(f, block->beta, n_ap * n_ue));
    files_write_row(f, f->noise, block->number, widen(f, block->noise_power, n_ap));
    files_write_row(f, f->events, block->number, events);
}

static void write_hops(struct recorder_files *f, const struct cpu_block *block)
{
    files_write_row(f, f->capture_end, block->number, block->capture_end_ns);
    files_write_row(f, f->csi_sent, block->number, block->csi_sent_ns);
    files_write_row(f, f->csi_received, block->number, block->csi_received_ns);
    files_write_row(f, f->precoder_sent, block->number, block->precoder_sent_ns);
    files_write_row(f, f->solve_start, block->number, &block->solve_start_ns);
    files_write_row(f, f->solve_end, block->number, &block->solve_end_ns);
    files_write_row(f, f->faults, block->number, block->faults);
}

void files_write_block(struct recorder_files *f, const struct cpu *cpu, const struct cpu_block *block)
{
    merge_stamps(f, cpu, block);
    if (cpu->config->network.n_blocks && block->number >= cpu->config->network.n_blocks) {
        return;
    }
    write_inputs(f, cpu, block);
    secrecy_block(f->secrecy, f, cpu, block);
    write_solution(f, cpu, block);
    write_hops(f, block);
    f->newest = block->number + 1;
}

static void write_report_row(struct recorder_files *f, struct report_row *row)
{
    if (!row->dirty) {
        return;
    }
    row->dirty = false;
    files_write_row(f, f->user_sinr, row->block, row->sinr);
    files_write_row(f, f->user_evm, row->block, row->evm);
    for (int i = 0; i < N_COUNTS; i++) {
        files_write_row(f, f->user_count[i], row->block, row->count[i]);
    }
}

static struct report_row *report_row_of(struct recorder_files *f, uint64_t block)
{
    struct report_row *row = &f->reports[block % REPORT_ROWS];
    if (row->used && row->block == block) {
        return row;
    }
    write_report_row(f, row);
    *row = (struct report_row){.block = block, .used = true};
    for (int k = 0; k < TUTTI_MAX_UE; k++) {
        row->sinr[k] = row->evm[k] = NAN;
    }
    return row;
}

static void keep_points(struct recorder_files *f, int n_ue, int user, uint64_t block, json_t *points)
{
    if (!json_is_array(points) || f->n_points == 0 || block % CONSTELLATION_EVERY != 0) {
        return;
    }
    struct constellation_row *c = &f->constellations[block / CONSTELLATION_EVERY % CONSTELLATION_ROWS];
    if (!c->used || c->row != block / CONSTELLATION_EVERY) {
        for (int i = 0; i < n_ue * f->n_points; i++) {
            c->points[i] = CMPLXF(NAN, NAN);
        }
        c->used = true;
        c->row = block / CONSTELLATION_EVERY;
    }
    for (int p = 0; p < f->n_points && (size_t)(2 * p + 1) < json_array_size(points); p++) {
        c->points[user * f->n_points + p] =
            CMPLXF((float)json_number_value(json_array_get(points, (size_t)(2 * p))),
                   (float)json_number_value(json_array_get(points, (size_t)(2 * p + 1))));
    }
    files_write_row(f, f->constellation, c->row, c->points);
}

static int keep_report(struct recorder_files *f, const struct cpu *cpu, int user, json_t *root, uint64_t *block)
{
    json_int_t number, count[N_COUNTS];
    double sinr, evm;
    json_t *points = NULL;
    if (json_unpack(root, "{s:I, s:F, s:F, s:I, s:I, s:I, s:I, s:I, s:I, s?o}", "block", &number, "sinr", &sinr, "evm",
                    &evm, COUNT_NAMES[0], &count[0], COUNT_NAMES[1], &count[1], COUNT_NAMES[2], &count[2],
                    COUNT_NAMES[3], &count[3], COUNT_NAMES[4], &count[4], COUNT_NAMES[5], &count[5], "constellation",
                    &points) != 0 ||
        number < 0) {
        return TUTTI_EFORMAT;
    }
    *block = (uint64_t)number;
    const uint64_t n_blocks = cpu->config->network.n_blocks;
    if ((n_blocks && *block >= n_blocks) || *block > f->newest + REPORT_ROWS) {
        return TUTTI_OK; /* after the end, or from another time */
    }
    struct report_row *row = report_row_of(f, *block);
    row->sinr[user] = sinr;
    row->evm[user] = evm;
    for (int i = 0; i < N_COUNTS; i++) {
        row->count[i][user] = count[i];
    }
    f->block_errors += count[5] > 0 ? (uint64_t)count[5] : 0u;
    if (sinr > 0) {
        stats_mean_add(&f->sinr_db[user], 10.0 * log10(sinr));
    }
    keep_points(f, cpu->shape.n_ue, user, *block, points);
    secrecy_user(f->secrecy, f, *block, user, sinr);
    row->dirty = true;
    return TUTTI_OK;
}

int files_write_report(struct recorder_files *f, const struct cpu *cpu, int user, const char *json, uint64_t *block)
{
    json_t *root = json_loads(json, 0, NULL);
    if (!root) {
        return TUTTI_EFORMAT;
    }
    const char *type = json_string_value(json_object_get(root, "type"));
    const int status = type && strcmp(type, "report") == 0 ? keep_report(f, cpu, user, root, block) : TUTTI_EFORMAT;
    json_decref(root);
    return status;
}

static int keep_eve_report(struct recorder_files *f, const struct cpu *cpu, int eve, json_t *root, uint64_t *block)
{
    json_int_t number;
    json_t *users;
    if (json_unpack(root, "{s:I, s:o}", "block", &number, "users", &users) != 0 || number < 0) {
        return TUTTI_EFORMAT;
    }
    *block = (uint64_t)number;
    const uint64_t n_blocks = cpu->config->network.n_blocks;
    if ((n_blocks && *block >= n_blocks) || *block > f->newest + REPORT_ROWS) {
        return TUTTI_OK; /* after the end, or from another time */
    }
    return secrecy_eve(f->secrecy, f, *block, eve, users);
}

int files_write_eve_report(struct recorder_files *f, const struct cpu *cpu, int eve, const char *json, uint64_t *block)
{
    json_t *root = json_loads(json, 0, NULL);
    if (!root) {
        return TUTTI_EFORMAT;
    }
    const char *type = json_string_value(json_object_get(root, "type"));
    const int status =
        type && strcmp(type, "eve_report") == 0 ? keep_eve_report(f, cpu, eve, root, block) : TUTTI_EFORMAT;
    json_decref(root);
    return status;
}

void files_user_joined(struct recorder_files *f, int user)
{
    secrecy_user_joined(f->secrecy, user);
}

char *files_status(const struct recorder_files *f, const struct cpu *cpu)
{
    json_t *sinr = json_array();
    int users = 0;
    for (int k = 0; k < cpu->shape.n_ue; k++) {
        json_array_append_new(sinr, f->sinr_db[k].count ? json_real(f->sinr_db[k].mean) : json_null());
        users += fh_hub_alive(cpu->recorder.lab, FH_ROLE_UE, k);
    }
    json_t *root =
        json_pack("{s:s, s:I, s:I, s:f, s:o, s:I, s:I, s:I, s:i, s:i, s:I}", "type", "status", "block",
                  (json_int_t)f->newest, "n_blocks", (json_int_t)cpu->config->network.n_blocks, "elapsed_s",
                  1e-9 * (double)(clock_mono_ns() - f->start_ns), "sinr_db", sinr, "early",
                  (json_int_t)cpu->arrivals[WIRE_ARRIVAL_EARLY], "on_time",
                  (json_int_t)cpu->arrivals[WIRE_ARRIVAL_ON_TIME], "late", (json_int_t)cpu->arrivals[WIRE_ARRIVAL_LATE],
                  "aps_alive", (int)cpu->aps_alive, "users_alive", users, "block_errors", (json_int_t)f->block_errors);
    char *text = root ? json_dumps(root, JSON_COMPACT) : NULL;
    json_decref(root);
    return text;
}

void files_flush(struct recorder_files *f)
{
    for (int r = 0; r < REPORT_ROWS; r++) {
        write_report_row(f, &f->reports[r]);
    }
    if (f->secrecy) {
        secrecy_flush(f->secrecy, f);
    }
    if (f->h5 && !f->write_errors && h5file_flush(f->h5) < 0) {
        write_failed(f);
    }
}

void files_destroy(struct recorder_files *f)
{
    if (!f) {
        return;
    }
    files_flush(f);
    h5file_close(f->h5);
    secrecy_destroy(f->secrecy);
    for (int r = 0; r < CONSTELLATION_ROWS; r++) {
        free(f->constellations[r].points);
    }
    free(f->wide);
    free(f);
}
