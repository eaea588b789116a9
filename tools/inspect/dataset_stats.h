/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the values of a dataset look like, read in slices so that its size does not matter. */
#ifndef TUTTI_TOOLS_INSPECT_DATASET_STATS_H
#define TUTTI_TOOLS_INSPECT_DATASET_STATS_H

#include "base/h5file.h"

#include <stdbool.h>

enum { DATASET_MAX_DISTINCT = 8, DATASET_SAMPLE = 1 << 18 };

struct dataset_stats {
    uint64_t n, n_nan;
    double min, max; /* of the values that are not NaN; complex: of the magnitude */
    double median;   /* of at most DATASET_SAMPLE values, evenly spaced */
    bool sampled;    /* the median is of a sample */
    int n_distinct;  /* integers: number of different values; -1 = more than DATASET_MAX_DISTINCT, or not integers */
    int64_t value[DATASET_MAX_DISTINCT]; /* ascending */
    uint64_t count[DATASET_MAX_DISTINCT];
};

/* Not for text. TUTTI_EFORMAT when the shape claims more than the file can hold. */
int dataset_stats(h5file_t *file, const char *path, const struct h5_info *info, struct dataset_stats *stats);

#endif
