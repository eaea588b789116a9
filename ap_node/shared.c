/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ap_node/shared.h"

#include "base/error.h"
#include "cluster/split.h"

#include <stdlib.h>
#include <string.h>

int shared_create(struct shared *s, const struct config *config, int n_sb)
{
    *s = (struct shared){.n_ue = config->network.n_ue, .n_row = n_sb * config->network.n_ant};
    if (!config->cluster.enabled) {
        return TUTTI_OK;
    }
    s->n_pilot = config->cluster.pilots;
    s->n_track = s->n_pilot + s->n_ue;
    const size_t n_ue = (size_t)s->n_ue, n_track = (size_t)s->n_track, n_row = (size_t)s->n_row;
    s->pilot_of_track = calloc(n_track, sizeof *s->pilot_of_track);
    s->joined = calloc(n_ue, sizeof *s->joined);
    s->member = calloc(n_ue, sizeof *s->member);
    s->H = calloc(n_row * n_track, sizeof *s->H);
    s->beta = calloc(n_track, sizeof *s->beta);
    s->error = calloc(n_track, sizeof *s->error);
    s->gains = calloc(2 * n_ue, sizeof *s->gains);
    s->user_H = calloc(n_row * n_ue, sizeof *s->user_H);
    s->user_beta = calloc(n_ue, sizeof *s->user_beta);
    s->user_error = calloc(n_ue, sizeof *s->user_error);
    s->factor = calloc(n_ue, sizeof *s->factor);
    if (!s->pilot_of_track || !s->joined || !s->member || !s->H || !s->beta || !s->error || !s->gains || !s->user_H ||
        !s->user_beta || !s->user_error || !s->factor) {
        return error_set(TUTTI_ENOMEM, "out of memory for shared pilots");
    }
    for (int k = 0; k < s->n_ue; k++) {
        s->joined[k] = -1;
    }
    return TUTTI_OK;
}

void shared_destroy(struct shared *s)
{
    free(s->pilot_of_track);
    free(s->joined);
    free(s->member);
    free(s->H);
    free(s->beta);
    free(s->error);
    free(s->gains);
    free(s->user_H);
    free(s->user_beta);
    free(s->user_error);
    free(s->factor);
    *s = (struct shared){0};
}

/* Others than before are on a pilot: its track begins with what is known of each of them. */
static void join(const struct shared *s, estimate_t *estimate, const int *sequence, int p)
{
    bool other = false;
    int n = 0;
    for (int k = 0; k < s->n_ue; k++) {
        other = other || (s->joined[k] == p) != (sequence[k] == p);
        if (sequence[k] == p) {
            s->member[n++] = k + s->n_pilot;
        }
    }
    if (!other) {
        return;
    }
    estimate_join(estimate, p, n, s->member);
}

/* After all pilots have been looked at: whoever goes from one to another is missing there as well as new here. */
static void note_joined(struct shared *s, const int *sequence)
{
    for (int k = 0; k < s->n_ue; k++) {
        const int now = sequence[k], before = s->joined[k];
        if (now >= 0 && s->pilot_of_track[now] == now) {
            s->joined[k] = now;
        } else if (before >= 0 && s->pilot_of_track[before] == before) {
            s->joined[k] = -1;
        }
    }
}

void shared_turns(struct shared *s, estimate_t *estimate, const int *sequence, const struct roster *roster)
{
    for (int t = 0; t < s->n_track; t++) {
        s->pilot_of_track[t] = -1;
    }
    s->news = false;
    for (int p = 0; p < s->n_pilot; p++) {
        int n_sent = 0, n_on_it = 0, last = 0;
        for (int k = 0; k < s->n_ue; k++) {
            n_on_it += roster_downlink(roster, k) == p;
            n_sent += sequence[k] == p;
            last = sequence[k] == p ? k : last;
        }
        s->news = s->news || (n_sent == 1 && n_on_it > 1);
        if (n_sent == 1) {
            s->pilot_of_track[s->n_pilot + last] = p;
        } else if (n_sent > 1) {
            join(s, estimate, sequence, p);
            s->pilot_of_track[p] = p;
        }
    }
    note_joined(s, sequence);
    estimate_turns(estimate, s->pilot_of_track);
}

static void take_column(const struct shared *s, int track, int p, tutti_cf32 *H)
{
    for (int row = 0; row < s->n_row; row++) {
        H[row * s->n_pilot + p] = s->H[row * s->n_track + track];
    }
}

void shared_fold(struct shared *s, const estimate_t *estimate, tutti_cf32 *H, float *beta, float *error_variance)
{
    for (int p = 0; p < s->n_pilot; p++) { /* zeros, if nobody sent it */
        take_column(s, p, p, H);
        beta[p] = s->beta[p];
        error_variance[p] = s->error[p];
    }
    for (int t = s->n_pilot; t < s->n_track; t++) {
        const int p = s->pilot_of_track[t];
        double variance;
        s->gains[t - s->n_pilot] = (float)estimate_gain(estimate, t, &variance);
        s->gains[s->n_ue + t - s->n_pilot] = (float)variance;
        if (p >= 0) {
            take_column(s, t, p, H);
            beta[p] = s->beta[t];
            error_variance[p] = s->error[t];
        }
    }
}

void shared_split(struct shared *s, const int *sequence, const tutti_cf32 *H, const float *beta,
                  const float *error_variance)
{
    const struct split_pilots pilots = {.n_pilot = s->n_pilot,
                                        .n_ue = s->n_ue,
                                        .sequence = sequence,
                                        .beta = beta,
                                        .error_variance = error_variance,
                                        .gain = s->gains,
                                        .gain_variance = s->gains + s->n_ue};
    split_factors(&pilots, s->factor, s->user_beta, s->user_error);
    split_rows(s->n_row, &pilots, s->factor, H, s->user_H);
}

static struct wire_header header_of(const struct wire_header *estimates)
{
    struct wire_header header = *estimates;
    header.type = WIRE_GAINS;
    header.encoding = WIRE_NONE;
    header.mantissa_bits = 0;
    header.n_sb = header.n_ant = header.n_stream = 1;
    return header;
}

size_t shared_message_bytes(const struct shared *s)
{
    const struct wire_header header = header_of(&(struct wire_header){0});
    return s->n_pilot > 0 ? wire_array_bytes(&header, 2 * (uint32_t)s->n_ue) : 0;
}

size_t shared_tell(struct shared *s, const struct wire_header *estimates, uint8_t *out, size_t room)
{
    const struct wire_header header = header_of(estimates);
    const struct wire_array_meta meta = {.n_statistic = 2 * (uint32_t)s->n_ue, .statistic = s->gains};
    return wire_pack_array(out, room, &header, &meta, NULL);
}
