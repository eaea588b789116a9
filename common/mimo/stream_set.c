/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "mimo/stream_set.h"

#include "base/error.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static size_t antennas(const struct stream_set *set)
{
    return (size_t)set->n_sb * (size_t)set->n_ap * (size_t)set->n_ant;
}

static size_t room(const struct stream_set *set)
{
    return (size_t)set->n_ue + (size_t)set->n_extra;
}

int stream_set_create(struct stream_set **set, int n_sb, int n_ap, int n_ant, int n_ue, int n_extra)
{
    *set = NULL;
    if (n_sb < 1 || n_ap < 1 || n_ant < 1 || n_ue < 0 || n_extra < 0) {
        return error_set(TUTTI_EINVAL, "no streams of %d subbands, %d APs, %d antennas, %d users and %d others", n_sb,
                         n_ap, n_ant, n_ue, n_extra);
    }
    struct stream_set *s = *set = calloc(1, sizeof *s);
    if (!s) {
        return error_set(TUTTI_ENOMEM, "out of memory for the streams");
    }
    *s = (struct stream_set){.n_sb = n_sb, .n_ap = n_ap, .n_ant = n_ant, .n_ue = n_ue, .n_extra = n_extra};
    s->stream = calloc(room(s) + 1, sizeof *s->stream);
    s->column = calloc(room(s) + 1, sizeof *s->column);
    s->power = calloc(room(s) * (size_t)n_ap + 1, sizeof *s->power);
    s->W = calloc(antennas(s) * (size_t)n_ue + 1, sizeof *s->W);
    s->extra = calloc(antennas(s) * (size_t)n_extra + 1, sizeof *s->extra);
    const bool whole = s->stream && s->column && s->power && s->W && s->extra;
    return whole ? TUTTI_OK : error_set(TUTTI_ENOMEM, "out of memory for the streams");
}

void stream_set_destroy(struct stream_set *set)
{
    if (!set) {
        return;
    }
    free(set->stream);
    free(set->column);
    free(set->power);
    free(set->W);
    free(set->extra);
    free(set);
}

void stream_set_clear(struct stream_set *set)
{
    set->n_stream = 0;
}

void stream_set_reset(struct stream_set *set)
{
    stream_set_clear(set);
    memset(set->W, 0, antennas(set) * (size_t)set->n_ue * sizeof *set->W);
    memset(set->extra, 0, antennas(set) * (size_t)set->n_extra * sizeof *set->extra);
}

/* The column a new stream gets; negative: there is none. */
static int next_column(const struct stream_set *set, const struct stream *stream)
{
    int taken = 0;
    for (int s = 0; s < set->n_stream; s++) {
        const bool data = set->stream[s].kind == STREAM_DATA;
        if (stream->kind == STREAM_DATA && data && set->stream[s].user == stream->user) {
            return TUTTI_EINVAL;
        }
        taken += !data;
    }
    if (stream->kind == STREAM_DATA) {
        return stream->user >= 0 && stream->user < set->n_ue ? stream->user : TUTTI_EINVAL;
    }
    return taken < set->n_extra ? set->n_ue + taken : TUTTI_EINVAL;
}

int stream_set_add(struct stream_set *set, struct stream stream)
{
    const int column = next_column(set, &stream);
    if (column < 0) {
        return TUTTI_EINVAL;
    }
    const int s = set->n_stream++;
    set->stream[s] = stream;
    set->column[s] = column;
    for (int ap = 0; ap < set->n_ap; ap++) {
        set->power[(size_t)s * (size_t)set->n_ap + (size_t)ap] = stream.power;
    }
    return s;
}

static tutti_cf32 *extra_of(const struct stream_set *set, int stream)
{
    const int which = set->column[stream] - set->n_ue;
    return which < 0 ? NULL : set->extra + (size_t)which * antennas(set);
}

tutti_cf32 *stream_set_vectors(struct stream_set *set, int stream)
{
    return extra_of(set, stream);
}

void stream_set_copy(struct stream_set *to, const struct stream_set *from)
{
    const size_t n = (size_t)from->n_stream;
    to->n_stream = from->n_stream;
    memcpy(to->stream, from->stream, n * sizeof *to->stream);
    memcpy(to->column, from->column, n * sizeof *to->column);
    memcpy(to->power, from->power, n * (size_t)from->n_ap * sizeof *to->power);
    memcpy(to->W, from->W, antennas(from) * (size_t)from->n_ue * sizeof *to->W);
    memcpy(to->extra, from->extra, antennas(from) * (size_t)from->n_extra * sizeof *to->extra);
}

/* All users' vectors at once: those without a stream are zero. */
static void scale_users(struct stream_set *set, float amplitude)
{
    float *values = (float *)set->W;
    const size_t n = 2 * antennas(set) * (size_t)set->n_ue;
    for (size_t i = 0; i < n; i++) {
        values[i] *= amplitude;
    }
}

void stream_set_scale(struct stream_set *set, enum stream_kind kind, float amplitude)
{
    const size_t n_ap = (size_t)set->n_ap;
    if (kind == STREAM_DATA) {
        scale_users(set, amplitude);
    }
    for (int s = 0; s < set->n_stream; s++) {
        if (set->stream[s].kind != kind) {
            continue;
        }
        set->stream[s].power *= amplitude * amplitude;
        for (size_t ap = 0; ap < n_ap; ap++) {
            set->power[(size_t)s * n_ap + ap] *= amplitude * amplitude;
        }
        tutti_cf32 *v = extra_of(set, s);
        for (size_t i = 0; v && i < antennas(set); i++) {
            v[i] *= amplitude;
        }
    }
}

static bool is_whole_precoder(const struct stream_set *set)
{
    bool in_order = set->n_stream == set->n_ue;
    for (int s = 0; in_order && s < set->n_stream; s++) {
        in_order = set->column[s] == s && set->stream[s].source == STREAM_VECTORS;
    }
    return in_order;
}

static void slice_stream(const struct stream_set *set, int ap, int s, tutti_cf32 *out)
{
    const size_t n_ant = (size_t)set->n_ant, n = (size_t)set->n_stream, column = (size_t)set->column[s];
    const tutti_cf32 *extra = extra_of(set, s);
    const bool none = set->stream[s].source == STREAM_LOCAL;
    for (size_t sb = 0; sb < (size_t)set->n_sb; sb++) {
        const size_t first = (sb * (size_t)set->n_ap + (size_t)ap) * n_ant;
        for (size_t a = 0; a < n_ant; a++) {
            const tutti_cf32 v = extra ? extra[first + a] : set->W[(first + a) * (size_t)set->n_ue + column];
            out[(sb * n_ant + a) * n + (size_t)s] = none ? 0 : v;
        }
    }
}

/* The part of one AP when every user has its stream and there is nothing else: whole rows. */
static void slice_rows(const struct stream_set *set, int ap, tutti_cf32 *out)
{
    const size_t row = (size_t)set->n_ant * (size_t)set->n_ue;
    for (size_t sb = 0; sb < (size_t)set->n_sb; sb++) {
        memcpy(out + sb * row, set->W + (sb * (size_t)set->n_ap + (size_t)ap) * row, row * sizeof *out);
    }
}

/* Squared norms of all streams, summed over subbands. */
static void sum_powers(const struct stream_set *set, const tutti_cf32 *out, float *power)
{
    const size_t n = (size_t)set->n_stream, rows = (size_t)set->n_sb * (size_t)set->n_ant;
    memset(power, 0, n * sizeof *power);
    for (size_t r = 0; r < rows; r++) {
        for (size_t s = 0; s < n; s++) {
            const float re = crealf(out[r * n + s]), im = cimagf(out[r * n + s]);
            power[s] += re * re + im * im;
        }
    }
}

void stream_set_slice(const struct stream_set *set, int ap, tutti_cf32 *out, float *power)
{
    if (is_whole_precoder(set)) {
        slice_rows(set, ap, out);
    } else {
        for (int s = 0; s < set->n_stream; s++) {
            slice_stream(set, ap, s, out);
        }
    }
    sum_powers(set, out, power);
    for (int s = 0; s < set->n_stream; s++) {
        power[s] = set->stream[s].source == STREAM_VECTORS ? power[s] / (float)set->n_sb
                                                           : set->power[(size_t)s * (size_t)set->n_ap + (size_t)ap];
    }
}

void stream_set_noise(const struct stream_set *set, tutti_cf32 *an)
{
    memset(an, 0, antennas(set) * sizeof *an);
    for (int s = 0; s < set->n_stream; s++) {
        const tutti_cf32 *v = extra_of(set, s);
        const bool noise = set->stream[s].kind == STREAM_AN && set->stream[s].source != STREAM_LOCAL;
        for (size_t i = 0; noise && v && i < antennas(set); i++) {
            an[i] += v[i];
        }
    }
}

/* The AP's own limits ---------------------------------------------------------------------------------------------- */

/* Amplitude factor that brings `power` to `limit`; slightly below it, so that rounding does not lead above. */
static double amplitude_for(double power, double limit)
{
    return power <= limit ? 1.0 : isfinite(power) ? sqrt(fmax(limit, 0) / power) * (1 - 1e-7) : 0.0;
}

static void scale_row(tutti_cf32 *v, size_t n, double amplitude)
{
    for (size_t i = 0; i < n; i++) {
        v[i] = amplitude > 0 ? v[i] * (float)amplitude : 0; /* 0 times infinity is not silence */
    }
}

static double row_power(const tutti_cf32 *v, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        const double re = (double)crealf(v[i]), im = (double)cimagf(v[i]);
        sum += re * re + im * im;
    }
    return sum;
}

/* What this block may use on average so that the mean of the last blocks with it keeps the limit. */
static double mean_left(const struct stream_power *power, double mean)
{
    double used = 0;
    for (int i = 1; i < STREAM_POWER_BLOCKS; i++) { /* all but the oldest, whose place the new one takes */
        const int at = (power->next + i) % STREAM_POWER_BLOCKS;
        used += at < power->n ? power->used[at] : mean;
    }
    return fmax(STREAM_POWER_BLOCKS * mean - used, 0);
}

bool stream_power_limit(struct stream_power *power, int n_sb, int n_ant, int n_stream, float mean, float peak,
                        tutti_cf32 *V, const float *extra, float *scale)
{
    const size_t row = (size_t)n_ant * (size_t)n_stream;
    bool scaled = false;
    double sum = 0;
    for (int sb = 0; sb < n_sb; sb++) {
        const double p = row_power(V + (size_t)sb * row, row) + (extra ? (double)extra[sb] : 0);
        sum += fmin(isfinite(p) ? p : 0, fmax((double)peak, 0)) / n_sb;
    }
    const double whole = amplitude_for(sum, mean_left(power, (double)mean));
    for (int sb = 0; sb < n_sb; sb++) {
        const double p = row_power(V + (size_t)sb * row, row) + (extra ? (double)extra[sb] : 0);
        const double amplitude = whole * amplitude_for(p, (double)peak);
        if (amplitude < 1) {
            scaled = scaled || amplitude * amplitude < 1 - STREAM_POWER_ROUNDING;
            scale_row(V + (size_t)sb * row, row, amplitude);
        }
        if (scale) {
            scale[sb] = (float)amplitude;
        }
    }
    power->used[power->next] = sum * whole * whole;
    power->next = (power->next + 1) % STREAM_POWER_BLOCKS;
    power->n += power->n < STREAM_POWER_BLOCKS;
    return scaled;
}
