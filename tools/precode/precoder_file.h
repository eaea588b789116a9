/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A precoder file (docs/files.md) in the making. It grows as PATH.part, readable at any time (h5py: swmr=True after
 * kill -9), and gets its name when it is whole. */
#ifndef TUTTI_TOOLS_PRECODE_PRECODER_FILE_H
#define TUTTI_TOOLS_PRECODE_PRECODER_FILE_H

#include "mimo/precoder.h"

typedef struct precoder_file precoder_file_t;

struct precoder_file_info {
    struct mimo_shape shape;
    int n_sb, scheme;
    uint64_t first_block; /* row 0 is this block of the channel file */
    bool has_truth;
    const char *settings; /* text kept in the file */
    bool *owns_part; /* true while PATH.part is unfinished and ours: for who cleans up after a crash; may be NULL */
};

/* One block. */
struct precoder_file_row {
    const tutti_cf32 *W;                     /* [n_sb][n_ap][n_ant][n_ue] */
    const float *sinr_predicted, *sinr_true; /* [n_sb][n_ue]; sinr_true NULL without truth */
    const double *sinr_bound, *solve_time_s; /* [n_sb] */
    const int32_t *reason;                   /* [n_sb] */
    const tutti_cf32 *an;                    /* [n_sb][n_ap][n_ant] */
};

/* Refuses a path that exists unless force, is the input, or is being written by another process. *file is to be
 * destroyed even then. */
int precoder_file_create(precoder_file_t **file, const char *path, const char *input, bool force,
                         const struct precoder_file_info *info);
int precoder_file_write(precoder_file_t *file, const struct precoder_file_row *row); /* the next one */
int precoder_file_flush(precoder_file_t *file);
/* All there: gives the file its name. */
int precoder_file_commit(precoder_file_t *file);
/* Ends the file as PATH.part with the rows it has. Returns that name, valid until destroy; NULL when that failed. */
const char *precoder_file_keep(precoder_file_t *file);
/* Something could not be written: HDF5 then no longer survives its own clean-up at exit. */
bool precoder_file_failed(const precoder_file_t *file);
/* Removes PATH.part unless committed or kept; NULL allowed. */
void precoder_file_destroy(precoder_file_t *file);

#endif
