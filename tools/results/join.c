/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tools/results/join.h"

#include "base/error.h"
#include "base/h5file.h"
#include "mimo/parts.h"
#include "tools/results/join_uplink.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* One of the files, and its row of the block that is looked at. */
struct part {
    h5file_t *file;
    uint64_t first_block, n_row;
    tutti_cf32 *gain; /* [n_sb][n_ue][n_ue] */
    double *error;    /* the same */
    tutti_cf32 *weight;
};

struct joint {
    struct recording *recording;
    int n;
    struct part *part;       /* [n] */
    const tutti_cf32 **gain; /* [n] of one subband */
    const double **error;    /* [n] */
};

static int open_part(const struct recording *r, struct part *p, const char *path)
{
    const size_t n_ue = (size_t)r->n_ue, n_sb = (size_t)r->n_sb, n = n_sb * n_ue * n_ue;
    struct h5_info gain, error, weight;
    double first = 0;
    uint64_t n_first = 0;
    int status = h5file_open(&p->file, path);
    status = status < 0 ? status : h5file_info(p->file, "/parts/gain", &gain);
    status = status < 0 ? status : h5file_info(p->file, "/parts/error", &error);
    status = status < 0 ? status : h5file_info(p->file, "/parts/weight", &weight);
    status = status < 0 ? status : h5file_attribute_numbers(p->file, "/", "first_block", 1, &first, &n_first);
    if (status < 0) {
        return status;
    }
    const bool fits = gain.rank == 4 && error.rank == 4 && weight.rank == 2 && gain.dims[1] == n_sb &&
                      gain.dims[2] == n_ue && gain.dims[3] == n_ue && error.dims[1] == n_sb && error.dims[2] == n_ue &&
                      error.dims[3] == n_ue && weight.dims[1] == n_ue;
    if (!fits) {
        return error_set(TUTTI_EFORMAT, "%s: its parts are not of a network of %d users and %d subbands", path, r->n_ue,
                         r->n_sb);
    }
    p->first_block = n_first && first >= 0 && first < 9e15 ? (uint64_t)first : 0;
    p->n_row = gain.dims[0] < error.dims[0] ? gain.dims[0] : error.dims[0];
    p->n_row = weight.dims[0] < p->n_row ? weight.dims[0] : p->n_row;
    p->gain = malloc(n * sizeof *p->gain);
    p->error = malloc(n * sizeof *p->error);
    p->weight = malloc(n_ue * sizeof *p->weight);
    return p->gain && p->error && p->weight ? 0 : error_set(TUTTI_ENOMEM, "%s: out of memory", path);
}

static int create(struct joint *j, struct recording *r, int n, const char *const *files)
{
    const size_t parts = (size_t)n, pairs = parts * (size_t)r->n_ue;
    *j = (struct joint){.recording = r, .n = n};
    j->part = calloc(parts, sizeof *j->part);
    j->gain = calloc(parts, sizeof *j->gain);
    j->error = calloc(parts, sizeof *j->error);
    r->parts.n_sent = calloc(pairs, sizeof *r->parts.n_sent);
    r->parts.weight = calloc(pairs, sizeof *r->parts.weight);
    r->parts.alone_db = calloc(pairs, sizeof *r->parts.alone_db);
    if (!j->part || !j->gain || !j->error || !r->parts.n_sent || !r->parts.weight || !r->parts.alone_db) {
        return error_set(TUTTI_ENOMEM, "out of memory for the parts of the run");
    }
    r->parts.n_part = n;
    int status = 0;
    for (int c = 0; status == 0 && c < n; c++) {
        status = open_part(r, &j->part[c], files[c]);
    }
    return status;
}

static void destroy(struct joint *j)
{
    for (int c = 0; j->part && c < j->n; c++) {
        h5file_close(j->part[c].file);
        free(j->part[c].gain);
        free(j->part[c].error);
        free(j->part[c].weight);
    }
    free(j->part);
    free(j->gain);
    free(j->error);
}

/* 1: the block is in the file, solved, and its row read; 0: not; negative: the file is broken. */
static int read_block(struct part *p, uint64_t block)
{
    uint8_t solved = 0;
    const uint64_t row = block - p->first_block;
    if (block < p->first_block || row >= p->n_row) {
        return 0;
    }
    int status = h5file_read_entry(p->file, "/block/solved", H5_U8, row, &solved);
    if (status < 0 || !solved) {
        return status < 0 ? status : 0;
    }
    status = h5file_read_rows(p->file, "/parts/gain", H5_C64, row, 1, p->gain);
    status = status < 0 ? status : h5file_read_rows(p->file, "/parts/error", H5_F64, row, 1, p->error);
    status = status < 0 ? status : h5file_read_rows(p->file, "/parts/weight", H5_C64, row, 1, p->weight);
    return status < 0 ? status : 1;
}

/* As the user measures: signals of all subbands over what disturbs them, of n parts from the first one on. */
static double sinr_of(struct joint *j, int first, int n, int k)
{
    const size_t each = (size_t)j->recording->n_ue * (size_t)j->recording->n_ue;
    double signal = 0, disturbance = 0;
    for (int sb = 0; sb < j->recording->n_sb; sb++) {
        double s, d;
        for (int c = 0; c < n; c++) {
            j->gain[c] = j->part[first + c].gain + (size_t)sb * each;
            j->error[c] = j->part[first + c].error + (size_t)sb * each;
        }
        parts_sum(n, j->recording->n_ue, j->gain, j->error, k, &s, &d);
        signal += s;
        disturbance += d;
    }
    return signal > 0 && isfinite(disturbance) ? signal / disturbance : NAN;
}

static void take_block(struct joint *j, uint64_t row)
{
    struct recording *const r = j->recording;
    for (int k = 0; k < r->n_ue; k++) {
        r->sinr_predicted[row * (uint64_t)r->n_ue + (uint64_t)k] = sinr_of(j, 0, j->n, k);
        for (int c = 0; c < j->n; c++) {
            const int at = c * r->n_ue + k;
            const double alone = sinr_of(j, c, 1, k), weight = (double)cabsf(j->part[c].weight[k]);
            if (alone > 0 && weight > 0) {
                const double rate = 1 / (double)++r->parts.n_sent[at];
                r->parts.alone_db[at] += rate * (10 * log10(alone) - r->parts.alone_db[at]);
                r->parts.weight[at] += rate * (weight - r->parts.weight[at]);
            }
        }
    }
    r->parts.n_joined++;
}

static int join_rows(struct joint *j)
{
    struct recording *const r = j->recording;
    for (uint64_t row = 0; row < r->n_block; row++) {
        bool all = true;
        for (int c = 0; c < j->n; c++) {
            const int there = read_block(&j->part[c], j->part[0].first_block + row);
            if (there < 0) {
                return there;
            }
            all = all && there;
        }
        for (int k = 0; k < r->n_ue; k++) {
            r->sinr_predicted[row * (uint64_t)r->n_ue + (uint64_t)k] = NAN;
        }
        if (all) {
            take_block(j, row);
        }
    }
    return 0;
}

int recording_join(struct recording *r, int n, const char *const *files)
{
    struct joint j;
    int status = create(&j, r, n, files);
    status = status < 0 ? status : join_rows(&j);
    status = status < 0 ? status : recording_join_uplink(r, n, files);
    for (int i = 0; status == 0 && i < n * r->n_ue; i++) {
        r->parts.alone_db[i] = r->parts.n_sent[i] > 0 ? r->parts.alone_db[i] : NAN;
    }
    destroy(&j);
    if (status < 0) {
        r->parts.n_part = 0;
        return status;
    }
    r->parts.n_apart = r->n_block - r->parts.n_joined;
    r->n_predicted_exact = r->n_block;
    free(r->sinr_expected);
    free(r->loss_db);
    r->sinr_expected = r->loss_db = NULL;
    return 0;
}

/* Beside `file`, as the central nodes name them. */
static char *sibling(const struct recording *r, const char *file, int cpu)
{
    char *const name = config_record_name(r->config, cpu), *path = NULL;
    const char *const slash = strrchr(file, '/'), *const own = name ? strrchr(name, '/') : NULL;
    if (name && asprintf(&path, "%.*s%s", slash ? (int)(slash - file + 1) : 0, file, own ? own + 1 : name) < 0) {
        path = NULL;
    }
    free(name);
    return path;
}

int recording_files(const struct recording *r, const char *file, char ***files, int *n)
{
    const int n_cpu = r->config ? config_n_cpu(r->config) : 1;
    *n = 0;
    *files = calloc((size_t)n_cpu, sizeof **files);
    int status = *files ? 0 : TUTTI_ENOMEM;
    for (int c = 0; status == 0 && n_cpu > 1 && c < n_cpu; c++) {
        char *const path = c == 0 ? strdup(file) : sibling(r, file, c);
        status = path ? 0 : TUTTI_ENOMEM;
        if (path && access(path, R_OK) == 0) {
            (*files)[(*n)++] = path;
        } else {
            free(path);
        }
    }
    return status == 0 ? 0 : error_set(TUTTI_ENOMEM, "out of memory for the files of the run");
}

void recording_files_free(char **files, int n)
{
    for (int i = 0; files && i < n; i++) {
        free(files[i]);
    }
    free(files);
}
