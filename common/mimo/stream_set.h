/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The streams of one coherence block, from the solve to the antenna: data of a user, artificial noise, sensing beams,
 * calibration, all alike. The solve fills it, noise sharing scales it, push slices it per AP, the recorder writes it.
 * Users' vectors lie as a precoder W, every other stream's as a vector over all antennas, so that the solvers write in
 * place and the files are views. Sizes come from create; nothing else allocates, locks or blocks. */
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
    float power;               /* local and phases: per AP and subband; vectors: not used, the vectors have it */
};

struct stream_set {
    int n_sb, n_ap, n_ant, n_ue, n_extra; /* room for one data stream per user and n_extra others */
    int n_stream;
    struct stream *stream; /* [n_ue + n_extra], the first n_stream in use, in the order in which an AP sends them */
    int *column;           /* [n_ue + n_extra]: a user's own number, or n_ue + which of the extra vectors */
    float *power;          /* [n_ue + n_extra][n_ap]: stream.power, unless somebody wrote one per AP */
    tutti_cf32 *W;         /* [n_sb][n_ap][n_ant][n_ue], ue fastest, power included; zero for who is not served */
    tutti_cf32 *extra;     /* [n_extra][n_sb][n_ap][n_ant], power included */
};

int stream_set_create(struct stream_set **set, int n_sb, int n_ap, int n_ant, int n_ue, int n_extra);
void stream_set_destroy(struct stream_set *set); /* NULL allowed */
/* No streams; W and extra are zero. */
void stream_set_reset(struct stream_set *set);
/* No streams; W and extra stay as they are, for solvers that write them whole. */
void stream_set_clear(struct stream_set *set);
/* Adds a stream: data of a user (once each), or the next extra one. Returns its index, or TUTTI_EINVAL when there is
 * no room or no such user. */
int stream_set_add(struct stream_set *set, struct stream stream);
/* The vectors of an extra stream, [n_sb][n_ap][n_ant]; NULL for a user's. */
tutti_cf32 *stream_set_vectors(struct stream_set *set, int stream);
/* A copy of everything into a set of the same shape. */
void stream_set_copy(struct stream_set *to, const struct stream_set *from);
/* Multiplies vectors and powers of all streams of a kind. O(size of W). */
void stream_set_scale(struct stream_set *set, enum stream_kind kind, float amplitude);
/* One AP's part: out [n_sb][n_ant][n_stream], stream fastest; power [n_stream]: of streams with vectors the mean over
 * subbands of their squared norm, else as given. */
void stream_set_slice(const struct stream_set *set, int ap, tutti_cf32 *out, float *power);
/* an [n_sb][n_ap][n_ant]: the sum of the noise streams that have vectors here (those drawn at the APs have none). */
void stream_set_noise(const struct stream_set *set, tutti_cf32 *an);

/* One AP's power limits, kept by the AP itself whatever it is told to send. Zeroed before the first block; blocks that
 * have not been yet count as if they had used the mean, so that nobody starts with 50 blocks of credit. */
enum { STREAM_POWER_BLOCKS = 50 };
struct stream_power {
    double used[STREAM_POWER_BLOCKS]; /* mean power over subbands of the last blocks, in a ring */
    int n, next;
};
/* Once per block. V [n_sb][n_ant][n_stream] is scaled so that no subband is above `peak` and the mean over the last
 * STREAM_POWER_BLOCKS blocks is at most `mean`; values that are not finite become silence. extra [n_sb]: power that is
 * added outside V (noise drawn afresh every symbol), NULL = none. scale [n_sb]: the amplitude each subband got, for
 * those streams; NULL = not asked. Returns true if anything was scaled by more than the
 * fronthaul's encodings round. */
#define STREAM_POWER_ROUNDING 0.01
bool stream_power_limit(struct stream_power *power, int n_sb, int n_ant, int n_stream, float mean, float peak,
                        tutti_cf32 *V, const float *extra, float *scale);

#endif
