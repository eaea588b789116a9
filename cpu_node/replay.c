/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cpu_node/replay.h"

#include "base/error.h"
#include "base/h5file.h"
#include "base/h5file_trial.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct ap_state {
    bool expected, came, alive, holds;
    uint64_t block;
    uint8_t *data;
    size_t n_bytes, room;
};

struct replay {
    struct replay_settings settings;
    uint64_t first_block, n_row;
    tutti_tick epoch;
    uint8_t *solved;                  /* [n_row] */
    uint8_t *ap_used, *user_used;     /* [n_row][n_ap], [n_row][n_ue] */
    int32_t *scheme;                  /* [n_row] */
    uint8_t *uplink_ap, *uplink_user; /* [n_uplink_row][n_ap], [n_uplink_row][n_ue] */
    uint64_t n_uplink_row;
    h5file_t *file; /* open where the run has powers */
    double *power;  /* [n_ap][n_ue] of the row read last */
    /* the schedule: every roster once */
    int32_t *seat; /* [n_roster][n_ue] */
    uint64_t *roster_from;
    size_t n_roster, n_told, room_roster;
    struct roster *roster;
    int *user_of_place;  /* [n_served] */
    struct ap_state *ap; /* [n_ap] */
};

static const double MAX_POWER = 1e30; /* of one AP for one user: a file's numbers are not trusted */

/* The run's recording ---------------------------------------------------------------------------------------------- */

static int check_shape(h5file_t *file, const char *path, int n, uint64_t *n_row)
{
    struct h5_info info;
    const int status = h5file_info(file, path, &info);
    if (status >= 0 && (info.rank != (n ? 2 : 1) || (n && info.dims[1] != (size_t)n))) {
        return error_set(TUTTI_EFORMAT, "%s of the run is not of this network", path);
    }
    *n_row = status < 0 || info.dims[0] > *n_row ? *n_row : info.dims[0];
    return status;
}

/* Numbers that index tables later: a damaged file must not choose what is not there. */
static int check_decisions(const struct replay *r)
{
    for (uint64_t row = 0; row < r->n_row; row++) {
        if (r->solved[row] && !mimo_scheme_row(r->scheme[row])) {
            return error_set(TUTTI_EFORMAT, "%s: /scheme of row %llu is %d, which no precoder has", r->settings.path,
                             (unsigned long long)row, r->scheme[row]);
        }
    }
    return TUTTI_OK;
}

static int read_masks(struct replay *r, h5file_t *file)
{
    const struct replay_settings *s = &r->settings;
    r->n_row = UINT64_MAX;
    int status = check_shape(file, "/block/solved", 0, &r->n_row);
    status = status < 0 ? status : check_shape(file, "/block/ap_used", s->n_ap, &r->n_row);
    status = status < 0 ? status : check_shape(file, "/block/user_used", s->n_ue, &r->n_row);
    status = status < 0 ? status : check_shape(file, "/scheme", 0, &r->n_row);
    const uint64_t each = (uint64_t)s->n_ap + (uint64_t)s->n_ue + 1 + sizeof *r->scheme;
    status =
        status < 0 ? status : h5file_check_claim(file, "/block", r->n_row > UINT32_MAX ? UINT64_MAX : r->n_row * each);
    if (status < 0) {
        return status;
    }
    const size_t n = (size_t)r->n_row, n_ap = n * (size_t)s->n_ap, n_ue = n * (size_t)s->n_ue;
    r->solved = calloc(n + 1, 1);
    r->ap_used = calloc(n_ap + 1, 1);
    r->user_used = calloc(n_ue + 1, 1);
    r->scheme = calloc(n + 1, sizeof *r->scheme);
    if (!r->solved || !r->ap_used || !r->user_used || !r->scheme) {
        return error_set(TUTTI_ENOMEM, "out of memory for the decisions of the run");
    }
    status = h5file_read_rows(file, "/block/solved", H5_U8, 0, n, r->solved);
    status = status < 0 ? status : h5file_read_rows(file, "/block/ap_used", H5_U8, 0, n, r->ap_used);
    status = status < 0 ? status : h5file_read_rows(file, "/block/user_used", H5_U8, 0, n, r->user_used);
    status = status < 0 ? status : h5file_read_rows(file, "/scheme", H5_I32, 0, n, r->scheme);
    return status < 0 ? status : check_decisions(r);
}

/* The epoch follows from the tick of any solved block. */
static int read_epoch(struct replay *r, h5file_t *file)
{
    double first = 0;
    uint64_t n = 0, row = 0;
    tutti_tick tick = 0;
    int status = h5file_attribute_numbers(file, "/", "first_block", 1, &first, &n);
    r->first_block = n && first >= 0 && first < 9e15 ? (uint64_t)first : 0;
    while (row < r->n_row && !r->solved[row]) {
        row++;
    }
    if (status >= 0 && row == r->n_row) {
        return error_set(TUTTI_EFORMAT, "%s: no block of it was solved", r->settings.path);
    }
    uint64_t n_tick = r->n_row;
    status = status < 0 ? status : check_shape(file, "/block/tick", 0, &n_tick);
    status = status < 0 ? status : h5file_read_rows(file, "/block/tick", H5_U64, row, 1, &tick);
    r->epoch = tick - (r->first_block + row) * (uint64_t)r->settings.n_block_samples;
    return status;
}

/* Whose data in the U symbols the run had: messages may have been lost. */
static int read_uplink(struct replay *r, h5file_t *file)
{
    const struct replay_settings *s = &r->settings;
    if (s->config->uplink.mode == CONFIG_UPLINK_NONE || h5file_exists(file, "/uplink/bits") <= 0) {
        return TUTTI_OK;
    }
    uint64_t n = r->n_row;
    int status = check_shape(file, "/uplink/ap_used", s->n_ap, &n);
    status = status < 0 ? status : check_shape(file, "/uplink/bits", s->n_ue, &n);
    if (status < 0) {
        return status;
    }
    const size_t n_ue = (size_t)s->n_ue;
    int64_t *const bits = calloc(n_ue, sizeof *bits);
    r->uplink_ap = calloc((size_t)n * (size_t)s->n_ap + 1, 1);
    r->uplink_user = calloc((size_t)n * n_ue + 1, 1);
    status = bits && r->uplink_ap && r->uplink_user ? TUTTI_OK : error_set(TUTTI_ENOMEM, "out of memory for the run");
    status = status < 0 ? status : h5file_read_rows(file, "/uplink/ap_used", H5_U8, 0, n, r->uplink_ap);
    for (uint64_t row = 0; status >= 0 && row < n; row++) {
        status = h5file_read_rows(file, "/uplink/bits", H5_I64, row, 1, bits);
        for (size_t k = 0; k < n_ue; k++) {
            r->uplink_user[row * n_ue + k] = bits[k] > 0;
        }
    }
    free(bits);
    r->n_uplink_row = status < 0 ? 0 : n;
    return status;
}

/* Powers are read block by block: a long run has many. */
static int find_powers(struct replay *r, h5file_t *file)
{
    const struct replay_settings *s = &r->settings;
    struct h5_info info;
    if (h5file_exists(file, "/power") <= 0) {
        return TUTTI_OK;
    }
    const int status = h5file_info(file, "/power", &info);
    if (status >= 0 && (info.rank != 3 || info.dims[1] != (size_t)s->n_ap || info.dims[2] != (size_t)s->n_ue ||
                        info.dims[0] < r->n_row)) {
        return error_set(TUTTI_EFORMAT, "/power of the run is not of this network");
    }
    r->power = calloc((size_t)(s->n_ap * s->n_ue), sizeof *r->power);
    if (!r->power) {
        return error_set(TUTTI_ENOMEM, "out of memory for the powers of the run");
    }
    return status < 0 ? status : h5file_open(&r->file, s->path);
}

static int keep_roster(struct replay *r, uint64_t from, const int32_t *seat)
{
    const size_t n_ue = (size_t)r->settings.n_ue;
    if (r->n_roster == r->room_roster) {
        const size_t room = 2 * r->room_roster + 16;
        int32_t *const seats = realloc(r->seat, room * n_ue * sizeof *seats);
        r->seat = seats ? seats : r->seat;
        uint64_t *const froms = seats ? realloc(r->roster_from, room * sizeof *froms) : NULL;
        if (!froms) {
            return error_set(TUTTI_ENOMEM, "out of memory for the schedule of the run");
        }
        r->roster_from = froms;
        r->room_roster = room;
    }
    r->roster_from[r->n_roster] = from;
    memcpy(r->seat + r->n_roster++ * n_ue, seat, n_ue * sizeof *seat);
    return TUTTI_OK;
}

/* Of solved blocks, each roster once. */
static int read_rosters(struct replay *r, h5file_t *file)
{
    const size_t n_ue = (size_t)r->settings.n_ue;
    const int n_served = r->settings.config->scheduler.n_served;
    uint64_t n = r->n_row, from = 0;
    if (n_served == 0) {
        return TUTTI_OK;
    }
    int32_t *const seat = calloc(n_ue, sizeof *seat);
    r->roster = calloc(1, roster_bytes(r->settings.config));
    r->user_of_place = calloc((size_t)n_served, sizeof *r->user_of_place);
    int status = seat && r->roster && r->user_of_place
                     ? check_shape(file, "/schedule/seat", r->settings.n_ue, &n)
                     : error_set(TUTTI_ENOMEM, "out of memory for the schedule of the run");
    status = status < 0 ? status : check_shape(file, "/schedule/from_block", 0, &n);
    for (uint64_t row = 0; status >= 0 && row < n; row++) {
        status = r->solved[row] ? h5file_read_rows(file, "/schedule/from_block", H5_U64, row, 1, &from) : status;
        if (status >= 0 && r->solved[row] && (r->n_roster == 0 || from != r->roster_from[r->n_roster - 1])) {
            status = h5file_read_rows(file, "/schedule/seat", H5_I32, row, 1, seat);
            status = status < 0 ? status : keep_roster(r, from, seat);
        }
    }
    free(seat);
    return status;
}

static void expect_aps(struct replay *r)
{
    for (uint64_t row = 0; row < r->n_row; row++) {
        for (int ap = 0; ap < r->settings.n_ap; ap++) {
            r->ap[ap].expected |= r->solved[row] && r->ap_used[row * (uint64_t)r->settings.n_ap + (uint64_t)ap];
        }
    }
}

int replay_create(replay_t **replay, const struct replay_settings *settings)
{
    struct replay *r = *replay = calloc(1, sizeof *r);
    if (!r) {
        return error_set(TUTTI_ENOMEM, "out of memory for the replay");
    }
    r->settings = *settings;
    r->ap = calloc((size_t)settings->n_ap, sizeof *r->ap);
    h5file_t *file = NULL;
    int status = r->ap ? h5file_open(&file, settings->path) : error_set(TUTTI_ENOMEM, "out of memory for the replay");
    status = status < 0 ? status : read_masks(r, file);
    status = status < 0 ? status : read_epoch(r, file);
    status = status < 0 ? status : read_uplink(r, file);
    status = status < 0 ? status : find_powers(r, file);
    status = status < 0 ? status : read_rosters(r, file);
    h5file_close(file);
    if (status >= 0) {
        expect_aps(r);
    }
    return status;
}

void replay_destroy(replay_t *r)
{
    if (!r) {
        return;
    }
    for (int ap = 0; r->ap && ap < r->settings.n_ap; ap++) {
        free(r->ap[ap].data);
    }
    free(r->ap);
    free(r->solved);
    free(r->ap_used);
    free(r->user_used);
    free(r->scheme);
    free(r->uplink_ap);
    free(r->uplink_user);
    h5file_close(r->file);
    free(r->power);
    free(r->seat);
    free(r->roster_from);
    free(r->roster);
    free(r->user_of_place);
    free(r);
}

tutti_tick replay_epoch(const replay_t *r)
{
    return r->epoch;
}

/* Decisions -------------------------------------------------------------------------------------------------------- */

bool replay_was_solved(const replay_t *r, uint64_t block)
{
    return block >= r->first_block && block - r->first_block < r->n_row && r->solved[block - r->first_block];
}

bool replay_used(const replay_t *r, uint64_t block, int ap)
{
    return replay_was_solved(r, block) &&
           r->ap_used[(block - r->first_block) * (uint64_t)r->settings.n_ap + (uint64_t)ap];
}

bool replay_uplink(const replay_t *r, uint64_t block, const uint8_t **aps, const uint8_t **users)
{
    const uint64_t row = block - r->first_block; /* far beyond all of them before the first */
    if (row >= r->n_uplink_row) {
        return false;
    }
    *aps = r->uplink_ap + row * (uint64_t)r->settings.n_ap;
    *users = r->uplink_user + row * (uint64_t)r->settings.n_ue;
    return true;
}

void replay_decide(const replay_t *r, struct cpu_block *block, int asked)
{
    const uint64_t row = block->number - r->first_block;
    const size_t n_ue = (size_t)r->settings.n_ue;
    memcpy(block->user_used, r->user_used + row * n_ue, n_ue);
    memcpy(block->user_alive, block->user_used, n_ue);
    block->scheme = r->settings.own_scheme ? asked : r->scheme[row];
    block->powered = block->powered && block->scheme == r->scheme[row];
}

int replay_powers(replay_t *r, struct cpu_block *block)
{
    const size_t pairs = (size_t)(r->settings.n_ap * r->settings.n_ue);
    block->powered = false;
    if (!r->file || !replay_was_solved(r, block->number)) {
        return TUTTI_OK;
    }
    const int status = h5file_read_rows(r->file, "/power", H5_F64, block->number - r->first_block, 1, r->power);
    if (status < 0 || isnan(r->power[0])) {
        return status;
    }
    for (size_t i = 0; i < pairs; i++) {
        if (!(r->power[i] >= 0 && r->power[i] <= MAX_POWER)) {
            return error_set(TUTTI_EFORMAT, "%s: /power of block %llu is %g for AP %zu and user %zu", r->settings.path,
                             (unsigned long long)block->number, r->power[i], i / (size_t)r->settings.n_ue,
                             i % (size_t)r->settings.n_ue);
        }
    }
    block->powered = true;
    memcpy(block->power, r->power, pairs * sizeof *r->power);
    return status;
}

static int read_and_forget(void *settings)
{
    replay_t *r = NULL;
    int status = replay_create(&r, settings);
    for (uint64_t row = 0; status >= 0 && r->file && row < r->n_row; row++) { /* replay_powers judges the values */
        status = h5file_read_rows(r->file, "/power", H5_F64, row, 1, r->power);
    }
    replay_destroy(r);
    return status;
}

int replay_try(const struct replay_settings *settings)
{
    return h5file_trial(settings->path, read_and_forget, (void *)settings);
}

const struct roster *replay_roster(replay_t *r, uint64_t block)
{
    const int n_ue = r->settings.n_ue, n_served = r->settings.config->scheduler.n_served;
    if (r->n_told == r->n_roster || r->roster_from[r->n_told] > block) {
        return NULL;
    }
    const int32_t *const seat = r->seat + r->n_told * (size_t)n_ue;
    for (int i = 0; i < n_served; i++) {
        r->user_of_place[i] = -1;
    }
    for (int k = 0; k < n_ue; k++) {
        if (seat[k] >= 0 && seat[k] < n_served) {
            r->user_of_place[seat[k]] = k;
        }
    }
    roster_fill(r->settings.config, r->roster_from[r->n_told++], r->user_of_place, r->roster);
    return r->roster;
}

/* Reports ---------------------------------------------------------------------------------------------------------- */

void replay_set_alive(replay_t *r, int ap, bool alive)
{
    r->ap[ap].came |= alive;
    r->ap[ap].alive = alive;
    r->ap[ap].holds = alive && r->ap[ap].holds;
}

int replay_hold(replay_t *r, int ap, uint64_t block, const uint8_t *data, size_t n_bytes)
{
    struct ap_state *a = &r->ap[ap];
    if (n_bytes > a->room) {
        uint8_t *grown = realloc(a->data, n_bytes);
        if (!grown) {
            return error_set(TUTTI_ENOMEM, "out of memory for a report");
        }
        a->data = grown;
        a->room = n_bytes;
    }
    memcpy(a->data, data, n_bytes);
    a->n_bytes = n_bytes;
    a->block = block;
    a->holds = true;
    return TUTTI_OK;
}

bool replay_is_ready(const replay_t *r, uint64_t *block)
{
    bool any = false;
    for (int ap = 0; ap < r->settings.n_ap; ap++) {
        const struct ap_state *a = &r->ap[ap];
        if ((a->expected && !a->came) || (a->alive && !a->holds)) {
            return false;
        }
        if (a->holds && (!any || a->block < *block)) {
            *block = a->block;
            any = true;
        }
    }
    return any;
}

const uint8_t *replay_take(replay_t *r, int ap, uint64_t block, size_t *n_bytes)
{
    struct ap_state *a = &r->ap[ap];
    if (!a->holds || a->block != block) {
        return NULL;
    }
    a->holds = false;
    *n_bytes = a->n_bytes;
    return a->data;
}

bool replay_is_over(const replay_t *r)
{
    bool any = false;
    for (int ap = 0; ap < r->settings.n_ap; ap++) {
        const struct ap_state *a = &r->ap[ap];
        if (a->alive || (a->expected && !a->came)) {
            return false;
        }
        any |= a->came;
    }
    return any;
}
