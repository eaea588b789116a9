/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tools/results/channel_file.h"

#include "base/error.h"
#include "base/h5file.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_ROOM = 160, NAME_ROOM = 40 };

struct channel_file {
    struct channel_file_info info;
    char *path;
    h5file_t *h5;
    bool has_ap_mask, has_ue_mask;
    bool recorded; /* has masks: the recording of a run */
    bool octave;   /* every dataset is the `value` of a group of its name */
    const char *beta_name;
    double *variance, *beta; /* [n_ap][n_ue] when one is for all blocks; else NULL */
};

/* What dimensions are called and how large they may be; 0 = the block, as many as there are. */
static const struct {
    const char *name;
    size_t most;
} dimensions[] = {
    {"block", 0}, {"subband", TUTTI_MAX_SB}, {"ap", TUTTI_MAX_AP}, {"antenna", TUTTI_MAX_ANT}, {"user", TUTTI_MAX_UE}};

/* Names and layouts ----------------------------------------------------------------------------------------------- */

/* A dataset's own name, as Octave's `save -hdf5` has it or as everybody else. */
static const char *name_of(const channel_file_t *f, const char *name, char room[NAME_ROOM])
{
    snprintf(room, NAME_ROOM, f->octave ? "%s/value" : "%s", name);
    return room;
}

/* A shape with the block first, at least this rank if it is in reverse order: MATLAB and Octave leave out ones at the
 * end, which are the first of the file. */
static void turn_round(struct h5_info *info, int least_rank)
{
    for (int d = 0; d < info->rank / 2; d++) {
        const size_t other = info->dims[info->rank - 1 - d];
        info->dims[info->rank - 1 - d] = info->dims[d];
        info->dims[d] = other;
    }
    for (int d = info->rank > 0 ? info->rank : 0; d < least_rank && d < H5FILE_MAX_RANK; d++) {
        info->dims[d] = 1;
        info->rank = d + 1;
    }
}

static int look(const channel_file_t *f, const char *name, int rank, struct h5_info *info)
{
    char own[NAME_ROOM];
    const int status = h5file_info(f->h5, name_of(f, name, own), info);
    if (status >= 0 && f->info.columns) {
        turn_round(info, rank);
    }
    return status;
}

static int read_blocks(channel_file_t *f, const char *name, enum h5_type type, uint64_t first, uint64_t n, void *data)
{
    char own[NAME_ROOM];
    name_of(f, name, own);
    return f->info.columns ? h5file_read_turned(f->h5, own, type, first, n, data)
                           : h5file_read_rows(f->h5, own, type, first, n, data);
}

/* Attributes and presence -----------------------------------------------------------------------------------------
 */

/* 0 no attribute, 1 read; one value is for all APs. */
static int read_power(channel_file_t *f, const char *name, int n_ap, double *value, float *power)
{
    uint64_t n = 0;
    const int status = h5file_attribute_numbers(f->h5, name, "ap_power", (uint64_t)n_ap, value, &n);
    if (status < 0 && status != TUTTI_EFORMAT) {
        return status;
    }
    if (status == 0 && n == 0) {
        return 0;
    }
    if (status < 0 || (n != 1 && n != (uint64_t)n_ap)) {
        return error_set(TUTTI_EFORMAT,
                         "%s: attribute ap_power of %s is %" PRIu64
                         " value(s) of %s; allowed are one number or one per access point (%d)",
                         f->path, name, n, status == 0 ? "numbers" : "text or another type", n_ap);
    }
    for (int m = 0; m < n_ap; m++) {
        const double p = value[n == 1 ? 0 : m];
        if (!(p >= 0 && p <= CHANNEL_FILE_MAX_POWER)) {
            return error_set(TUTTI_EFORMAT, "%s: attribute ap_power of %s is %g for ap %d; allowed are 0 to %g",
                             f->path, name, p, m, CHANNEL_FILE_MAX_POWER);
        }
        power[m] = (float)p;
    }
    return 1;
}

/* On /H_hat, else on the root, else 1. */
static int find_power(channel_file_t *f)
{
    const int n_ap = f->info.shape.n_ap;
    double *const value = calloc((size_t)n_ap, sizeof *value);
    f->info.ap_power = calloc((size_t)n_ap, sizeof *f->info.ap_power);
    if (!value || !f->info.ap_power) {
        free(value);
        return error_set(TUTTI_ENOMEM, "%s: no memory for the power budgets", f->path);
    }
    for (int m = 0; m < n_ap; m++) {
        f->info.ap_power[m] = 1;
    }
    int status = read_power(f, "/H_hat", n_ap, value, f->info.ap_power);
    if (status == 0) {
        status = read_power(f, "/", n_ap, value, f->info.ap_power);
    }
    free(value);
    return status < 0 ? status : 0;
}

/* Which datasets there are; one that is there and cannot be read is an error later. */
struct probe {
    const char *name;
    bool found;
};

static int probe_presence(channel_file_t *f, struct probe *probes)
{
    const int octave = h5file_exists(f->h5, "/H_hat/value");
    f->octave = octave > 0;
    for (struct probe *p = probes; p->name; p++) {
        char own[NAME_ROOM];
        const int there = octave < 0 ? octave : h5file_exists(f->h5, name_of(f, p->name, own));
        if (there < 0) {
            return there;
        }
        p->found = there;
    }
    return 0;
}

/* Shapes ---------------------------------------------------------------------------------------------------------- */

static const char *dims_text(int rank, const size_t *dims, char *text)
{
    size_t used = (size_t)snprintf(text, TEXT_ROOM, "[");
    for (int d = 0; d < rank && used < TEXT_ROOM; d++) {
        used += (size_t)snprintf(text + used, TEXT_ROOM - used, "%s%zu", d ? " " : "", dims[d]);
    }
    if (used < TEXT_ROOM) {
        snprintf(text + used, TEXT_ROOM - used, "]");
    }
    return text;
}

static int check_kind(const channel_file_t *f, const char *name, bool complex_wanted, const struct h5_info *info)
{
    const bool complex_found = info->type == H5_C64;
    if (info->type != H5_STRING && complex_found == complex_wanted) {
        return 0;
    }
    return error_set(TUTTI_EFORMAT, "%s: dataset %s holds %s; needed are %s", f->path, name,
                     info->type == H5_STRING ? "text"
                     : complex_found         ? "complex numbers"
                                             : "real numbers",
                     complex_wanted ? "complex numbers (compound {r, i}, numpy complex64)" : "real numbers");
}

static int check_estimates(channel_file_t *f)
{
    struct h5_info info;
    char text[TEXT_ROOM];
    int status = look(f, "/H_hat", 5, &info);
    if (status >= 0) {
        status = check_kind(f, "/H_hat", true, &info);
    }
    if (status < 0) {
        return status;
    }
    if (info.rank != 5) {
        return error_set(TUTTI_EFORMAT,
                         "%s: dataset /H_hat has rank %d, shape %s; needed is rank 5, [block][subband][ap][antenna]"
                         "[user]",
                         f->path, info.rank, dims_text(info.rank, info.dims, text));
    }
    for (int d = 0; d < 5; d++) {
        const size_t most = dimensions[d].most;
        if (info.dims[d] < 1 || (most && info.dims[d] > most)) {
            char limit[32] = "at least 1";
            if (most) {
                snprintf(limit, sizeof limit, "1 to %zu", most);
            }
            return error_set(TUTTI_EFORMAT, "%s: dataset /H_hat, dimension %d (%s) is %zu; allowed is %s", f->path, d,
                             dimensions[d].name, info.dims[d], limit);
        }
    }
    status = h5file_check_claim(f->h5, "/H_hat", h5file_rows_bytes(&info, info.dims[0], sizeof(tutti_cf32)));
    if (status < 0) {
        return status;
    }
    f->info.n_block = info.dims[0];
    f->info.n_sb = (int)info.dims[1];
    f->info.shape = (struct mimo_shape){(int)info.dims[2], (int)info.dims[3], (int)info.dims[4]};
    return 0;
}

/* Does the dataset look like `dims`, whose first is the block when per_block? A recording may have been cut off between
 * two datasets: then it has as many blocks as the shortest. */
static bool has_shape(channel_file_t *f, const struct h5_info *info, int rank, const size_t *dims, bool per_block)
{
    if (info->rank != rank ||
        memcmp(info->dims + per_block, dims + per_block, (size_t)(rank - per_block) * sizeof *dims)) {
        return false;
    }
    if (!per_block || info->dims[0] == dims[0]) {
        return true;
    }
    if (f->recorded && info->dims[0] < f->info.n_block) {
        f->info.n_block = info->dims[0];
    }
    return f->recorded;
}

/* Whether the dataset would do in the other order: those of a file have one order. */
static bool is_in_other_order(const struct h5_info *info, int rank, const size_t *dims)
{
    bool turned = info->rank == rank;
    for (int d = 0; turned && d < rank; d++) {
        turned = info->dims[d] == dims[rank - 1 - d];
    }
    return turned;
}

/* `whole` and, when there is one, `part` are the shapes the dataset may have; *is_part tells which it has. */
static int check_like(channel_file_t *f, const char *name, bool complex_wanted, int rank, const size_t *whole,
                      int part_rank, const size_t *part, bool *is_part)
{
    struct h5_info info;
    char found[TEXT_ROOM], needed[TEXT_ROOM], other[TEXT_ROOM] = "";
    int status = look(f, name, 0, &info);
    if (status >= 0) {
        status = check_kind(f, name, complex_wanted, &info);
    }
    if (status < 0) {
        return status;
    }
    if (f->info.columns && info.rank != part_rank) {
        look(f, name, rank, &info);
    }
    const bool fits_part = part_rank && has_shape(f, &info, part_rank, part, false);
    if (is_part) {
        *is_part = fits_part;
    }
    if (fits_part || has_shape(f, &info, rank, whole, true)) {
        return 0;
    }
    return error_set(TUTTI_EFORMAT, "%s: dataset %s has shape %s; to go with /H_hat it needs %s%s%s%s", f->path, name,
                     dims_text(info.rank, info.dims, found), dims_text(rank, whole, needed), part_rank ? " or " : "",
                     part_rank ? dims_text(part_rank, part, other) : "",
                     is_in_other_order(&info, rank, whole) || (part_rank && is_in_other_order(&info, part_rank, part))
                         ? "; its dimensions are in another order than those of /H_hat"
                         : "");
}

static int read_fixed(channel_file_t *f, const char *name, double **data)
{
    const size_t n = (size_t)f->info.shape.n_ap * (size_t)f->info.shape.n_ue;
    *data = malloc(n * sizeof **data);
    if (!*data) {
        return error_set(TUTTI_ENOMEM, "%s: no memory for %s", f->path, name);
    }
    return read_blocks(f, name, H5_F64, 0, (uint64_t)f->info.shape.n_ap, *data);
}

enum { AT_H_HAT, AT_VARIANCE, AT_H, AT_BLOCK_BETA, AT_BETA, AT_AP_USED, AT_USER_USED };

static int check_datasets(channel_file_t *f, const struct probe *p)
{
    const struct channel_file_info *const i = &f->info;
    int status = check_estimates(f);
    if (status < 0) {
        return status;
    }
    const size_t n = i->n_block, s = (size_t)i->n_sb, m = (size_t)i->shape.n_ap, a = (size_t)i->shape.n_ant;
    const size_t k = (size_t)i->shape.n_ue;
    const size_t channel[] = {n, s, m, a, k}, variance[] = {n, s, m, k}, gain[] = {n, m, k}, aps[] = {n, m},
                 users[] = {n, k}, fixed[] = {m, k};
    bool is_fixed = false;
    f->has_ap_mask = p[AT_AP_USED].found;
    f->has_ue_mask = p[AT_USER_USED].found;
    f->recorded = f->has_ap_mask || f->has_ue_mask;
    status = check_like(f, "/error_variance", false, 4, variance, 2, fixed, &is_fixed);
    if (status >= 0 && is_fixed) {
        status = read_fixed(f, "/error_variance", &f->variance);
    }
    f->info.has_truth = p[AT_H].found;
    if (status >= 0 && p[AT_H].found) {
        status = check_like(f, "/H", true, 5, channel, 0, NULL, NULL);
    }
    f->beta_name = p[AT_BLOCK_BETA].found ? "/block/beta" : "/beta";
    f->info.has_beta = p[AT_BLOCK_BETA].found || p[AT_BETA].found;
    if (status >= 0 && f->info.has_beta) {
        status = check_like(f, f->beta_name, false, 3, gain, 2, fixed, &is_fixed);
    }
    if (status >= 0 && f->info.has_beta && is_fixed) {
        status = read_fixed(f, f->beta_name, &f->beta);
    }
    if (status >= 0 && f->has_ap_mask) {
        status = check_like(f, "/block/ap_used", false, 2, aps, 0, NULL, NULL);
    }
    if (status >= 0 && f->has_ue_mask) {
        status = check_like(f, "/block/user_used", false, 2, users, 0, NULL, NULL);
    }
    return status;
}

/* Does the file make sense in this order, as far as /H_hat and /error_variance tell? */
static bool makes_sense(channel_file_t *f, bool columns)
{
    struct h5_info h, v;
    f->info.columns = columns;
    if (look(f, "/H_hat", 5, &h) < 0 || h.rank != 5 || look(f, "/error_variance", 0, &v) < 0) {
        return false;
    }
    for (int d = 0; d < 5; d++) {
        if (h.dims[d] < 1 || (dimensions[d].most && h.dims[d] > dimensions[d].most)) {
            return false;
        }
    }
    if (v.rank == 2) {
        return v.dims[0] == h.dims[2] && v.dims[1] == h.dims[4];
    }
    return look(f, "/error_variance", 4, &v) >= 0 && v.rank == 4 && v.dims[1] == h.dims[1] && v.dims[2] == h.dims[2] &&
           v.dims[3] == h.dims[4];
}

/* Files of MATLAB say so themselves. */
static bool is_of_matlab(const channel_file_t *f)
{
    double none;
    uint64_t n = 0;
    return h5file_attribute_numbers(f->h5, "/H_hat", "MATLAB_class", 1, &none, &n) == TUTTI_EFORMAT;
}

/* As it was asked for, as the file says, or the order that makes sense; if both do, rows. */
static void choose_layout(channel_file_t *f, enum channel_layout layout)
{
    const bool known = layout != CHANNEL_AUTO || f->octave || is_of_matlab(f);
    f->info.columns = known ? layout != CHANNEL_ROWS : !makes_sense(f, false) && makes_sense(f, true);
}

static int load(channel_file_t *f, enum channel_layout layout)
{
    struct probe probes[] = {[AT_H_HAT] = {"/H_hat", false},
                             [AT_VARIANCE] = {"/error_variance", false},
                             [AT_H] = {"/H", false},
                             [AT_BLOCK_BETA] = {"/block/beta", false},
                             [AT_BETA] = {"/beta", false},
                             [AT_AP_USED] = {"/block/ap_used", false},
                             [AT_USER_USED] = {"/block/user_used", false},
                             {NULL, false}};
    int status = h5file_open(&f->h5, f->path);
    if (status >= 0) {
        status = probe_presence(f, probes);
    }
    if (status < 0) {
        return status;
    }
    for (int d = AT_H_HAT; d <= AT_VARIANCE; d++) {
        if (!probes[d].found) {
            return error_set(TUTTI_EFORMAT,
                             "%s: dataset %s is missing; a channel file has /H_hat [block][subband][ap][antenna][user] "
                             "and /error_variance [ap][user] or [block][subband][ap][user]",
                             f->path, probes[d].name);
        }
    }
    choose_layout(f, layout);
    status = check_datasets(f, probes);
    if (status >= 0 && f->info.n_block == 0) {
        status = error_set(TUTTI_EFORMAT, "%s: no complete block is recorded yet", f->path);
    }
    return status < 0 ? status : find_power(f);
}

int channel_file_open(channel_file_t **file, const char *path, enum channel_layout layout)
{
    channel_file_t *f = *file = calloc(1, sizeof *f);
    if (!f) {
        return error_set(TUTTI_ENOMEM, "%s: no memory", path);
    }
    f->path = strdup(path);
    f->info.path = f->path;
    const int status = f->path ? load(f, layout) : error_set(TUTTI_ENOMEM, "%s: no memory", path);
    if (status < 0) {
        channel_file_close(f);
        *file = NULL;
    }
    return status;
}

void channel_file_close(channel_file_t *f)
{
    if (!f) {
        return;
    }
    h5file_close(f->h5);
    free(f->variance);
    free(f->beta);
    free(f->info.ap_power);
    free(f->path);
    free(f);
}

const struct channel_file_info *channel_file_info(const channel_file_t *f)
{
    return &f->info;
}

/* Blocks ---------------------------------------------------------------------------------------------------------- */

int channel_batch_create(struct channel_batch **batch, const struct channel_file_info *info, int room)
{
    struct channel_batch *b = *batch = calloc(1, sizeof *b);
    const size_t n = (size_t)room, s = (size_t)info->n_sb, m = (size_t)info->shape.n_ap;
    const size_t a = (size_t)info->shape.n_ant, k = (size_t)info->shape.n_ue;
    if (b) {
        b->room = room;
        b->H_hat = calloc(n * s * m * a * k, sizeof *b->H_hat);
        b->H = info->has_truth ? calloc(n * s * m * a * k, sizeof *b->H) : NULL;
        b->error_variance = calloc(n * s * m * k, sizeof *b->error_variance);
        b->wide = calloc(n * s * m * k, sizeof *b->wide);
        b->beta = info->has_beta ? calloc(n * m * k, sizeof *b->beta) : NULL;
        b->ap_active = calloc(n * m, 1);
        b->ue_active = calloc(n * k, 1);
    }
    if (!b || !b->H_hat || (info->has_truth && !b->H) || !b->error_variance || !b->wide ||
        (info->has_beta && !b->beta) || !b->ap_active || !b->ue_active) {
        return error_set(TUTTI_ENOMEM, "%s: no memory for %d blocks", info->path, room);
    }
    return 0;
}

void channel_batch_destroy(struct channel_batch *b)
{
    if (!b) {
        return;
    }
    free(b->H_hat);
    free(b->H);
    free(b->error_variance);
    free(b->wide);
    free(b->beta);
    free(b->ap_active);
    free(b->ue_active);
    free(b);
}

static int read_masks(channel_file_t *f, uint64_t first, struct channel_batch *b)
{
    const uint64_t n = (uint64_t)b->n;
    memset(b->ap_active, 1, (size_t)b->n * (size_t)f->info.shape.n_ap);
    memset(b->ue_active, 1, (size_t)b->n * (size_t)f->info.shape.n_ue);
    int status = 0;
    if (f->has_ap_mask) {
        status = read_blocks(f, "/block/ap_used", H5_U8, first, n, b->ap_active);
    }
    if (status >= 0 && f->has_ue_mask) {
        status = read_blocks(f, "/block/user_used", H5_U8, first, n, b->ue_active);
    }
    return status;
}

static int complain_complex(const channel_file_t *f, const char *name, uint64_t block, size_t at, tutti_cf32 value)
{
    const size_t k = (size_t)f->info.shape.n_ue, a = (size_t)f->info.shape.n_ant, m = (size_t)f->info.shape.n_ap;
    return error_set(TUTTI_EFORMAT,
                     "%s: %s at block %" PRIu64 ", subband %zu, ap %zu, antenna %zu, user %zu is %g%+gi; allowed are "
                     "finite values of magnitude 0 to %g",
                     f->path, name, block, at / k / a / m, at / k / a % m, at / k % a, at % k, (double)crealf(value),
                     (double)cimagf(value), CHANNEL_FILE_MAX_GAIN);
}

static int check_channel(const channel_file_t *f, const char *name, uint64_t first, const struct channel_batch *b,
                         const tutti_cf32 *H)
{
    const size_t k = (size_t)f->info.shape.n_ue, a = (size_t)f->info.shape.n_ant, m = (size_t)f->info.shape.n_ap;
    const size_t one = (size_t)f->info.n_sb * m * a * k;
    for (size_t n = 0; n < (size_t)b->n; n++) {
        for (size_t i = 0; i < one; i++) {
            const tutti_cf32 h = H[n * one + i];
            const double re = (double)crealf(h), im = (double)cimagf(h);
            const bool ok = re * re + im * im <= CHANNEL_FILE_MAX_GAIN * CHANNEL_FILE_MAX_GAIN; /* false for NaN */
            if (!ok && b->ap_active[n * m + i / k / a % m] && b->ue_active[n * k + i % k]) {
                return complain_complex(f, name, first + n, i, h);
            }
        }
    }
    return 0;
}

/* Gains and variances: [block][subband or not][n_ap][n_ue], or one [n_ap][n_ue] for all in `fixed`. */
struct gains {
    const char *name;
    const double *fixed;
    bool has_subbands;
    float *out;
};

/* Fills wide from the file, or with copies of what is the same for all. */
static int fetch(channel_file_t *f, const struct gains *g, uint64_t first, struct channel_batch *b)
{
    const size_t one = (size_t)f->info.shape.n_ap * (size_t)f->info.shape.n_ue;
    const size_t n = (size_t)b->n * (g->has_subbands ? (size_t)f->info.n_sb : 1);
    if (!g->fixed) {
        return read_blocks(f, g->name, H5_F64, first, (uint64_t)b->n, b->wide);
    }
    for (size_t i = 0; i < n; i++) {
        memcpy(b->wide + i * one, g->fixed, one * sizeof *g->fixed);
    }
    return 0;
}

static int complain_real(const channel_file_t *f, const struct gains *g, uint64_t block, size_t at, double value)
{
    const size_t k = (size_t)f->info.shape.n_ue, m = (size_t)f->info.shape.n_ap;
    char where[64] = "";
    if (!g->fixed && g->has_subbands) {
        snprintf(where, sizeof where, "block %" PRIu64 ", subband %zu, ", block, at / k / m);
    } else if (!g->fixed) {
        snprintf(where, sizeof where, "block %" PRIu64 ", ", block);
    }
    return error_set(TUTTI_EFORMAT, "%s: %s at %sap %zu, user %zu is %g; allowed are finite values 0 to %g", f->path,
                     g->name, where, at / k % m, at % k, value, CHANNEL_FILE_MAX_VARIANCE);
}

/* Reads, checks, rounds to float; entries not used become 0. */
static int read_gains(channel_file_t *f, const struct gains *g, uint64_t first, struct channel_batch *b)
{
    const size_t k = (size_t)f->info.shape.n_ue, m = (size_t)f->info.shape.n_ap;
    const size_t one = (g->has_subbands ? (size_t)f->info.n_sb : 1) * m * k;
    const int status = fetch(f, g, first, b);
    if (status < 0) {
        return status;
    }
    for (size_t n = 0; n < (size_t)b->n; n++) {
        for (size_t i = 0; i < one; i++) {
            const double value = b->wide[n * one + i];
            const bool used = b->ap_active[n * m + i / k % m] && b->ue_active[n * k + i % k];
            if (used && !(value >= 0 && value <= CHANNEL_FILE_MAX_VARIANCE)) {
                return complain_real(f, g, first + n, i, value);
            }
            g->out[n * one + i] = used ? (float)value : 0;
        }
    }
    return 0;
}

int channel_file_read(channel_file_t *f, uint64_t first, int n, struct channel_batch *b)
{
    const struct gains variance = {"/error_variance", f->variance, true, b->error_variance};
    const struct gains beta = {f->beta_name, f->beta, false, b->beta};
    b->n = n;
    int status = read_masks(f, first, b);
    if (status >= 0) {
        status = read_blocks(f, "/H_hat", H5_C64, first, (uint64_t)n, b->H_hat);
    }
    if (status >= 0) {
        status = check_channel(f, "/H_hat", first, b, b->H_hat);
    }
    if (status >= 0) {
        status = read_gains(f, &variance, first, b);
    }
    if (status >= 0 && b->H) {
        status = read_blocks(f, "/H", H5_C64, first, (uint64_t)n, b->H);
    }
    if (status >= 0 && b->H) {
        status = check_channel(f, "/H", first, b, b->H);
    }
    return status >= 0 && b->beta ? read_gains(f, &beta, first, b) : status;
}
