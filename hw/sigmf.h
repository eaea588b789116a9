/* SPDX-License-Identifier: GPL-3.0-or-later */
/* SigMF 1.2.5: recordings of one antenna each, DIR/ap0_ant1.sigmf-data with DIR/ap0_ant1.sigmf-meta, and a collection
 * of them, DIR/NAME.sigmf-collection. docs/recordings.md has every field. Allocates, reads and writes files: never on
 * the slot path. */
#ifndef TUTTI_HW_SIGMF_H
#define TUTTI_HW_SIGMF_H

#include "base/types.h"

#include <limits.h>

#define SIGMF_VERSION "1.2.5"
enum { SIGMF_HASH_ROOM = 129, SIGMF_LABEL_ROOM = 16 }; /* SHA-512 in hexadecimal digits */

enum sigmf_type { SIGMF_CF32, SIGMF_CI16 };

/* Samples without a gap between them: sample `start` of the file is tick `tick`. */
struct sigmf_segment {
    uint64_t start;
    tutti_tick tick;
    uint64_t wall_ns; /* of that sample; 0 = not known */
};

enum sigmf_fault {
    SIGMF_NO_FAULT, /* an annotated symbol */
    SIGMF_LOST,     /* label O: n samples from `tick` on never came from the radio */
    SIGMF_DROPPED,  /* label iq_dropped: n samples from `tick` on, which the node had, are missing here */
    SIGMF_RESTART,  /* label restart: the node began again; n: its session */
    SIGMF_HISTORY,  /* label history: what the estimates of `block` depend on besides its samples: n numbers */
    SIGMF_N_FAULTS
};

struct sigmf_annotation {
    uint64_t start, count; /* samples of the file; count 0 = none, at that place */
    enum sigmf_fault fault;
    char letter;    /* of a symbol: frame letter; '\0': none */
    uint64_t block; /* it belongs to */
    tutti_tick tick;
    uint64_t n;
    uint64_t n_after; /* SIGMF_LOST: samples that the radio gave with the news of it; SIGMF_DROPPED: ticks from the
                       * first to behind the last of them, which need not lie side by side; SIGMF_HISTORY: where
                       * in the track's values its numbers begin */
};

/* What all antennas of a node have in common. */
struct sigmf_track {
    struct sigmf_segment *segment;
    size_t n_segment, segment_room;
    struct sigmf_annotation *annotation;
    size_t n_annotation, annotation_room;
    double *value; /* of SIGMF_HISTORY */
    size_t n_value, value_room;
};

struct sigmf_meta {
    enum sigmf_type type;
    double step; /* ci16: a sample is this times the integer */
    double rate_hz, freq_hz, full_scale_dbm;
    char *hw, *description, *collection, *schedule;
    char sha512[SIGMF_HASH_ROOM]; /* "": not known, the recording goes on or broke off */
    char role[4];
    int node, antenna;
    uint64_t session;
    tutti_tick epoch;
    int samples_per_block, samples_per_symbol;
    bool pilots_only;   /* the file has P and G symbols only; others are not lost, just not kept */
    uint64_t n_samples; /* in the file when this was written; with pilots_only the place of later ones is not told */
};

size_t sigmf_sample_bytes(enum sigmf_type type);
/* DIR/ROLEn_antA, for ".sigmf-meta" and ".sigmf-data". */
void sigmf_path(char path[PATH_MAX], const char *dir, const char *role, int node, int antenna, const char *ending);

/* Adds at the end. TUTTI_ENOMEM, and TUTTI_EAGAIN when there are so many that no more are taken: a bounded file. */
int sigmf_track_add(struct sigmf_track *track, const struct sigmf_segment *segment);
int sigmf_track_annotate(struct sigmf_track *track, const struct sigmf_annotation *annotation);
/* Numbers with a block, at the place `start` of the file. The same. */
int sigmf_track_history(struct sigmf_track *track, uint64_t start, uint64_t block, const double *values, size_t n);
void sigmf_track_free(struct sigmf_track *track);
/* Where tick is in the file; false: in no segment. n_samples: the file's. */
bool sigmf_track_find(const struct sigmf_track *track, uint64_t n_samples, tutti_tick tick, uint64_t *start);

/* Writes by rename: who reads sees the old one or the new one. TUTTI_EIO. */
int sigmf_meta_write(const char *path, const struct sigmf_meta *meta, const struct sigmf_track *track);
/* TUTTI_EIO, TUTTI_EFORMAT with the field's name. meta and track are to be freed even then. */
int sigmf_meta_read(struct sigmf_meta *meta, struct sigmf_track *track, const char *path);
void sigmf_meta_free(struct sigmf_meta *meta);

/* Lists every recording in the folder with the hash of its metadata. Nodes call it one after the other (a lock on the
 * folder). config: text kept with it, unless there is one already. */
int sigmf_collection_update(const char *dir, const char *name, const char *config);

/* SHA-512 of a file. TUTTI_EIO. */
int sigmf_hash_file(char hash[SIGMF_HASH_ROOM], const char *path);
void sigmf_hash_text(char hash[SIGMF_HASH_ROOM], const unsigned char digest[64]);

#endif
