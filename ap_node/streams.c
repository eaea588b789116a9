/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ap_node/streams.h"

#include "base/error.h"
#include "mimo/apply.h"
#include "mimo/noise.h"
#include "mimo/ppzf.h"
#include "mimo/precoder.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void *room(size_t n, size_t bytes, bool *ok)
{
    void *p = calloc(n, bytes);
    *ok = *ok && p;
    return p;
}

int streams_create(struct streams *s, const struct streams_settings *settings)
{
    *s = (struct streams){.settings = *settings, .private_random = settings->private_random};
    const size_t n_sb = (size_t)settings->n_sb, n_ant = (size_t)settings->n_ant, n_ue = (size_t)settings->n_ue;
    const size_t n_stream = (size_t)settings->room, n_sc = n_sb * (size_t)settings->sc_per_sb;
    bool ok = true;
    s->list = room(n_stream, sizeof *s->list, &ok);
    s->V = room(n_sb * n_ant * n_stream, sizeof *s->V, &ok);
    s->own = room(n_sb * n_ant * n_stream, sizeof *s->own, &ok);
    s->symbols = room(n_stream * n_sc, sizeof *s->symbols, &ok);
    s->extra = room(n_sb, sizeof *s->extra, &ok);
    s->scale = room(n_sb, sizeof *s->scale, &ok);
    s->basis = room(n_sb * n_ant * n_ant, sizeof *s->basis, &ok);
    s->rank = room(n_sb, sizeof *s->rank, &ok);
    s->draw = room(n_ant, sizeof *s->draw, &ok);
    s->beta = room(n_ue, sizeof *s->beta, &ok);
    s->gamma = room(n_ue, sizeof *s->gamma, &ok);
    s->strong = room(n_ue, 1, &ok);
    s->H = room(n_ant * n_ue, sizeof *s->H, &ok);
    s->W = room(n_ant * n_ue, sizeof *s->W, &ok);
    return ok ? TUTTI_OK : error_set(TUTTI_ENOMEM, "out of memory for the streams");
}

void streams_destroy(struct streams *s)
{
    free(s->list);
    free(s->V);
    free(s->own);
    free(s->symbols);
    free(s->extra);
    free(s->scale);
    free(s->basis);
    free(s->rank);
    free(s->draw);
    free(s->beta);
    free(s->gamma);
    free(s->strong);
    free(s->H);
    free(s->W);
    *s = (struct streams){0};
}

static bool is_local(const struct wire_stream *stream, enum wire_stream_kind kind)
{
    return stream->kind == kind && stream->source == WIRE_SOURCE_LOCAL;
}

static bool any_local(const struct streams *s, enum wire_stream_kind kind)
{
    for (int i = 0; i < s->n_stream; i++) {
        if (is_local(&s->list[i], kind)) {
            return true;
        }
    }
    return false;
}

/* Users this AP keeps its noise away from; the beams group by the same rule with their own scheme. */
static void group(struct streams *s, enum mimo_scheme scheme, const struct ap_rules *rules)
{
    ppzf_group(scheme, s->settings.n_ant, s->settings.n_ue, s->beta, (double)rules->upsilon, s->strong);
}

/* Beams of one subband with long-term normalisation, times the root of the power the central node gave each user. */
static void build_beams(struct streams *s, enum mimo_scheme scheme, int sb, const tutti_cf32 *H_hat)
{
    const int n_ant = s->settings.n_ant, n_ue = s->settings.n_ue, n = n_ant * n_ue;
    for (int i = 0; i < n; i++) {
        s->H[i] = (double complex)H_hat[(size_t)sb * (size_t)n + (size_t)i];
    }
    ppzf_beams(scheme, n_ant, n_ue, s->strong, s->gamma, s->H, s->W); /* MRT to all where it fails */
    for (int i = 0; i < s->n_stream; i++) {
        if (!is_local(&s->list[i], WIRE_STREAM_DATA)) {
            continue;
        }
        const double amplitude = sqrt((double)s->list[i].power);
        for (int a = 0; a < n_ant; a++) {
            s->V[((size_t)sb * (size_t)n_ant + (size_t)a) * (size_t)s->n_stream + (size_t)i] =
                (tutti_cf32)(amplitude * s->W[a * n_ue + s->list[i].user]);
        }
    }
}

static void build_local_beams(struct streams *s, const struct ap_rules *rules, const struct streams_estimates *e)
{
    const enum mimo_scheme scheme = (enum mimo_scheme)rules->local_scheme;
    group(s, scheme, rules);
    for (int k = 0; k < s->settings.n_ue; k++) {
        s->gamma[k] = fmax((double)e->beta[k] - (double)e->error_variance[k], 0);
    }
    for (int sb = 0; sb < s->settings.n_sb; sb++) {
        build_beams(s, scheme, sb, e->H_hat);
    }
}

static void build_noise_bases(struct streams *s, const struct ap_rules *rules, const struct streams_estimates *e)
{
    const size_t n_ant = (size_t)s->settings.n_ant, n_ue = (size_t)s->settings.n_ue;
    group(s, MIMO_PPZF, rules);
    for (size_t sb = 0; sb < (size_t)s->settings.n_sb; sb++) {
        s->rank[sb] =
            noise_basis((int)n_ant, (int)n_ue, e->H_hat + sb * n_ant * n_ue, s->strong, s->basis + sb * n_ant * n_ant);
    }
}

/* Power of what streams_renew draws, which is not in V yet. */
static void sum_extra(struct streams *s)
{
    float power = 0;
    for (int i = 0; i < s->n_stream; i++) {
        power += is_local(&s->list[i], WIRE_STREAM_AN) ? s->list[i].power : 0;
    }
    for (int sb = 0; sb < s->settings.n_sb; sb++) {
        s->extra[sb] = s->rank[sb] < s->settings.n_ant ? power : 0;
    }
}

static bool limit(struct streams *s, const struct ap_rules *rules)
{
    return stream_power_limit(&s->power, s->settings.n_sb, s->settings.n_ant, s->n_stream, rules->power_mean,
                              rules->power_peak, s->V, s->extra, s->scale);
}

static bool has_place(const struct streams *s, int user)
{
    return !s->roster || (roster_place(s->roster, user) >= 0 && roster_serves(s->roster, user));
}

bool streams_prepare(struct streams *s, uint64_t block, const struct ap_rules *rules,
                     const struct wire_precoder_meta *meta, int n_stream, const tutti_cf32 *V,
                     const struct streams_estimates *e)
{
    const size_t n = (size_t)s->settings.n_sb * (size_t)s->settings.n_ant * (size_t)n_stream;
    s->block = block;
    s->noise_key = meta->noise_key;
    s->n_stream = n_stream;
    s->fresh_every_symbol = false;
    memcpy(s->list, meta->stream, (size_t)n_stream * sizeof *s->list);
    memcpy(s->V, V, n * sizeof *V);
    for (int i = 0; i < n_stream; i++) {
        s->fresh_every_symbol |= s->list[i].kind != WIRE_STREAM_DATA;
    }
    for (int k = 0; k < s->settings.n_ue; k++) {
        const bool usable = e->beta[k] > e->error_variance[k] && has_place(s, k);
        s->beta[k] = usable ? (double)e->beta[k] : 0;
    }
    memset(s->extra, 0, (size_t)s->settings.n_sb * sizeof *s->extra);
    if (any_local(s, WIRE_STREAM_DATA)) {
        build_local_beams(s, rules, e);
    }
    if (any_local(s, WIRE_STREAM_AN)) {
        build_noise_bases(s, rules, e);
        sum_extra(s);
    }
    return limit(s, rules);
}

bool streams_prepare_local(struct streams *s, uint64_t block, const struct ap_rules *rules, const tutti_cf32 *H_hat)
{
    const int n_ue = s->settings.n_ue, n_row = s->settings.n_sb * s->settings.n_ant;
    s->block = block;
    s->n_stream = 0;
    s->fresh_every_symbol = false;
    for (int k = 0; k < n_ue; k++) {
        if (!has_place(s, k)) {
            continue;
        }
        for (int row = 0; row < n_row; row++) {
            s->own[row * s->settings.room + s->n_stream] = H_hat[row * n_ue + k];
        }
        s->list[s->n_stream++] = (struct wire_stream){.kind = WIRE_STREAM_DATA, .user = (uint16_t)k};
    }
    for (int row = 1; row < n_row; row++) { /* rows as long as there are streams */
        memmove(s->own + row * s->n_stream, s->own + row * s->settings.room, (size_t)s->n_stream * sizeof *s->own);
    }
    apply_local_cb(s->settings.n_sb, s->settings.n_ant, s->n_stream, s->own, s->V);
    memset(s->extra, 0, (size_t)s->settings.n_sb * sizeof *s->extra);
    return limit(s, rules);
}

static tutti_cf32 *symbols_of(const struct streams *s, int i)
{
    return s->symbols + (size_t)i * (size_t)(s->settings.n_sb * s->settings.sc_per_sb);
}

/* This AP's own noise: a new direction for every subband and symbol, new values for every subcarrier, from its private
 * numbers. */
static void renew_nullspace(struct streams *s, int i)
{
    const int n_ant = s->settings.n_ant;
    const float amplitude = sqrtf(s->list[i].power);
    for (int sb = 0; sb < s->settings.n_sb; sb++) {
        noise_draw(n_ant, s->rank[sb], s->basis + (size_t)(sb * n_ant * n_ant), amplitude * s->scale[sb],
                   &s->private_random, s->draw);
        for (int a = 0; a < n_ant; a++) {
            s->V[(size_t)(sb * n_ant + a) * (size_t)s->n_stream + (size_t)i] = s->draw[a];
        }
    }
    noise_symbols(s->settings.n_sb * s->settings.sc_per_sb, &s->private_random, symbols_of(s, i));
}

/* Of independent normal parts the signs: what illuminates a zone has a constant power. */
static void make_qpsk(int n, tutti_cf32 *symbols)
{
    static const float HALF = 0.70710678f;
    for (int i = 0; i < n; i++) {
        symbols[i] = CMPLXF(copysignf(HALF, crealf(symbols[i])), copysignf(HALF, cimagf(symbols[i])));
    }
}

/* Symbols that all APs draw alike: noise cancels at the users only if all send the same, from a secret key; sensing and
 * calibration beams are known to everybody. nth: of the streams of this kind. */
static void renew_common(struct streams *s, int i, int nth, int d)
{
    const struct wire_stream *stream = &s->list[i];
    const uint64_t key = stream->kind == WIRE_STREAM_AN ? s->noise_key + 0x9E3779B97F4A7C15u * (uint64_t)nth
                                                        : s->settings.network_seed ^ ((uint64_t)stream->user << 32);
    struct splitmix common = splitmix_make(key, s->block * TUTTI_MAX_SYMBOL + (uint64_t)d);
    noise_symbols(s->settings.n_sb * s->settings.sc_per_sb, &common, symbols_of(s, i));
    if (stream->kind == WIRE_STREAM_SENSING) {
        make_qpsk(s->settings.n_sb * s->settings.sc_per_sb, symbols_of(s, i));
    }
}

void streams_renew(struct streams *s, int d)
{
    int n_noise = 0;
    for (int i = 0; s->fresh_every_symbol && i < s->n_stream; i++) {
        if (s->list[i].kind == WIRE_STREAM_DATA) {
            continue;
        }
        if (is_local(&s->list[i], WIRE_STREAM_AN)) {
            renew_nullspace(s, i);
        } else {
            renew_common(s, i, n_noise++, d);
        }
    }
}
