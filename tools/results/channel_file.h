/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A channel file (docs/files.md) read a few blocks at a time and checked entry by entry. The recording of a run is one,
 * too: entries of APs and users that were not used in a block are not looked at. Errors name file, dataset and index.
 */
#ifndef TUTTI_TOOLS_RESULTS_CHANNEL_FILE_H
#define TUTTI_TOOLS_RESULTS_CHANNEL_FILE_H

#include "mimo/precoder.h"

/* Largest values taken, noise being 1: beyond them SINRs leave the range of a float. */
#define CHANNEL_FILE_MAX_GAIN 1e10
#define CHANNEL_FILE_MAX_VARIANCE 1e20
#define CHANNEL_FILE_MAX_POWER 1e10

typedef struct channel_file channel_file_t;

struct channel_file_info {
    const char *path;
    struct mimo_shape shape;
    int n_sb;
    uint64_t n_block;
    bool has_truth, has_beta;
    bool columns;    /* its dimensions are in reverse order, as MATLAB, Octave and Julia write them */
    float *ap_power; /* [n_ap], until channel_file_close */
};

/* Order of the dimensions in the file: [block]..[user] (rows), reversed (columns), or whichever makes sense: what the
 * writer says, then what the shapes of /H_hat and /error_variance allow; rows if they allow both. */
enum channel_layout { CHANNEL_AUTO, CHANNEL_ROWS, CHANNEL_COLUMNS, CHANNEL_N_LAYOUTS };

/* Opens it and checks names, types and shapes, no values yet. */
int channel_file_open(channel_file_t **file, const char *path, enum channel_layout layout);
void channel_file_close(channel_file_t *file); /* NULL allowed */
const struct channel_file_info *channel_file_info(const channel_file_t *file);

/* Some consecutive blocks. */
struct channel_batch {
    int n; /* blocks in it now */
    int room;
    tutti_cf32 *H_hat;     /* [room][n_sb][n_ap][n_ant][n_ue] */
    tutti_cf32 *H;         /* the same, or NULL without truth */
    float *error_variance; /* [room][n_sb][n_ap][n_ue] */
    float *beta;           /* [room][n_ap][n_ue], or NULL */
    uint8_t *ap_active;    /* [room][n_ap] */
    uint8_t *ue_active;    /* [room][n_ue] */
    double *wide;          /* work area [room][n_sb][n_ap][n_ue] */
};

int channel_batch_create(struct channel_batch **batch, const struct channel_file_info *info, int room);
void channel_batch_destroy(struct channel_batch *batch); /* NULL allowed */

/* Blocks first..first+n-1, n <= room, all within the file. TUTTI_EFORMAT when an entry is not allowed. */
int channel_file_read(channel_file_t *file, uint64_t first, int n, struct channel_batch *batch);

#endif
