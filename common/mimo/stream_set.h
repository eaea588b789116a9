/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The streams of one coherence block, from the solve to the antenna: data of a user, artificial noise, sensing beams,
 * calibration, all alike. The solve fills it, noise sharing scales it, push slices it per AP, the recorder writes it;
 * the precoder W and the noise vector `an` are views of it. Sizes come from create; nothing else allocates. */
#ifndef TUTTI_MIMO_STREAM_SET_H
#define TUTTI_MIMO_STREAM_SET_H

#include "base/types.h"

/* Same numbers as enum wire_stream_kind and enum wire_source. */
enum stream_kind { STREAM_DATA = 0, STREAM_AN = 1, STREAM_SENSING = 2, STREAM_CALIBRATION = 3 };
enum stream_source { STREAM_VECTORS = 0, STREAM_LOCAL = 1, STREAM_PHASES = 2 };

struct stream {
    enum stream_kind kind;
    enum stream_source source; /* where the vector comes from at the AP */
    int user;                  /* data: whose; sensing: zone; else 0 */
    float power;               /* local and phases: per AP and subband; vectors: informative */
};

/* V holds one column per stream that has vectors or phases, power included. The first n_ue columns belong to users 0..
 * n_ue - 1 (zero when not served), so that W is V with a stride of n_column. */
struct stream_set {
    int n_sb, n_ap, n_ant, n_ue, n_column; /* n_column >= n_ue: room; columns n_ue.. are noise, sensing, calibration */
    int n_stream;
    struct stream *stream; /* [n_column], the first n_stream in use, in the order in which an AP sends them */
    int *column;           /* [n_column] column of V of each stream */
    tutti_cf32 *V;         /* [n_sb][n_ap][n_ant][n_column], column fastest */
};

int stream_set_create(struct stream_set **set, int n_sb, int n_ap, int n_ant, int n_ue, int n_extra);
void stream_set_destroy(struct stream_set *set); /* NULL allowed */
/* No streams, V zero. */
void stream_set_reset(struct stream_set *set);
/* Adds a stream (a user's own column, or the next extra one); returns its index or TUTTI_EINVAL when there is no room.
 */
int stream_set_add(struct stream_set *set, struct stream stream);
/* A copy of everything into a set of the same shape. */
void stream_set_copy(struct stream_set *to, const struct stream_set *from);
/* Multiplies the columns of all streams of a kind. */
void stream_set_scale(struct stream_set *set, enum stream_kind kind, float amplitude);
/* One AP's part: out [n_sb][n_ant][n_stream], stream fastest; power [n_stream] = mean squared norm per subband of each
 * stream with vectors, else its own power. */
void stream_set_slice(const struct stream_set *set, int ap, tutti_cf32 *out, float *power);
/* Views for files: W [n_sb][n_ap][n_ant][n_ue], an [n_sb][n_ap][n_ant] (sum of the noise columns). */
void stream_set_precoder(const struct stream_set *set, tutti_cf32 *W);
void stream_set_noise(const struct stream_set *set, tutti_cf32 *an);

/* One AP's power limits, kept by the AP itself whatever it is told to send: V [n_sb][n_ant][n_stream]. Subbands above
 * `peak` are scaled down to it; `mean` is held over the last STREAM_POWER_BLOCKS blocks by scaling the block. Returns
 * true if anything was scaled. local_power [n_sb]: what streams built at the AP add that is not in V yet, or NULL. */
enum { STREAM_POWER_BLOCKS = 50 };
struct stream_power {
    double sum[STREAM_POWER_BLOCKS]; /* mean power over subbands of the last blocks */
    int next;
};
bool stream_power_limit(struct stream_power *power, int n_sb, int n_ant, int n_stream, float mean, float peak,
                        tutti_cf32 *V);

#endif
