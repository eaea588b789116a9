/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Streams the AP has a part in: beams it builds itself from its own estimates (local precoding), artificial noise in
 * the null space of its strong users, and phase-only noise whose symbols all APs draw alike. The vectors of a received
 * precoder are copied once per block; what is fresh every symbol is written over the copy. */
#include "ap_node/ap.h"
#include "mimo/noise.h"
#include "mimo/ppzf.h"

#include <math.h>
#include <string.h>

static bool is_plain(const struct ap_choice *choice)
{
    for (int s = 0; s < choice->n_stream; s++) {
        if (choice->stream[s].source != WIRE_SOURCE_VECTORS || choice->stream[s].kind != WIRE_STREAM_DATA) {
            return false;
        }
    }
    return true;
}

/* Users this AP keeps its noise away from; the beams group by the same rule with their own scheme. */
static void group(struct ap *ap, enum mimo_scheme scheme, uint8_t *strong)
{
    double beta[TUTTI_MAX_UE];
    for (int k = 0; k < ap->n_ue; k++) {
        beta[k] = (double)ap->meta.beta[k];
    }
    ppzf_group(scheme, ap->n_ant, ap->n_ue, beta, ap->config->precoding.upsilon, strong);
}

/* Beams of one subband with long-term normalisation, times the root of the power the CPU node gave each user. */
static void build_beams(struct ap *ap, const struct ap_choice *choice, int sb, const uint8_t *strong,
                        const double *gamma)
{
    static const enum mimo_scheme FALLBACK = MIMO_CB;
    const int n = ap->n_ant * ap->n_ue;
    double complex H[TUTTI_MAX_ANT * TUTTI_MAX_UE], W[TUTTI_MAX_ANT * TUTTI_MAX_UE];
    for (int i = 0; i < n; i++) {
        H[i] = (double complex)ap->H_hat[sb * n + i];
    }
    if (ppzf_beams(ap->config->precoding.scheme, ap->n_ant, ap->n_ue, strong, gamma, H, W) < 0) {
        uint8_t none[TUTTI_MAX_UE] = {0};
        ppzf_beams(FALLBACK, ap->n_ant, ap->n_ue, none, gamma, H, W);
    }
    for (int s = 0; s < choice->n_stream; s++) {
        const struct wire_stream *stream = &choice->stream[s];
        const double amplitude = sqrt((double)stream->power);
        for (int a = 0; stream->kind == WIRE_STREAM_DATA && stream->source == WIRE_SOURCE_LOCAL && a < ap->n_ant; a++) {
            ap->V_work[(sb * ap->n_ant + a) * choice->n_stream + s] =
                (tutti_cf32)(amplitude * W[a * ap->n_ue + stream->user]);
        }
    }
}

static void build_local_beams(struct ap *ap, const struct ap_choice *choice)
{
    bool any = false;
    for (int s = 0; s < choice->n_stream; s++) {
        any |= choice->stream[s].kind == WIRE_STREAM_DATA && choice->stream[s].source == WIRE_SOURCE_LOCAL;
    }
    if (!any) {
        return;
    }
    uint8_t strong[TUTTI_MAX_UE];
    double gamma[TUTTI_MAX_UE];
    group(ap, ap->config->precoding.scheme, strong);
    for (int k = 0; k < ap->n_ue; k++) {
        gamma[k] = fmax((double)ap->meta.beta[k] - (double)ap->meta.error_variance[k], 0);
    }
    for (int sb = 0; sb < ap->frame.n_sb; sb++) {
        build_beams(ap, choice, sb, strong, gamma);
    }
}

static void build_noise_bases(struct ap *ap)
{
    uint8_t strong[TUTTI_MAX_UE];
    group(ap, MIMO_PPZF, strong);
    for (int sb = 0; sb < ap->frame.n_sb; sb++) {
        ap->noise_rank[sb] = noise_basis(ap->n_ant, ap->n_ue, ap->H_hat + (size_t)(sb * ap->n_ant * ap->n_ue), strong,
                                         ap->noise_basis + (size_t)(sb * ap->n_ant * ap->n_ant));
    }
}

void streams_prepare(struct ap *ap, struct ap_choice *choice)
{
    if (!choice->V || is_plain(choice)) {
        return;
    }
    const size_t n = (size_t)ap->frame.n_sb * (size_t)ap->n_ant * (size_t)choice->n_stream;
    memcpy(ap->V_work, choice->V, n * sizeof *ap->V_work);
    choice->V = ap->V_work;
    choice->fresh_every_symbol = true;
    build_local_beams(ap, choice);
    build_noise_bases(ap);
}

/* This AP's own noise: a new direction for every subband and symbol, new values for every subcarrier, from its private
 * numbers. */
static void renew_nullspace(struct ap *ap, const struct ap_choice *choice, int s)
{
    const float amplitude = sqrtf(choice->stream[s].power);
    tutti_cf32 v[TUTTI_MAX_ANT];
    for (int sb = 0; sb < ap->frame.n_sb; sb++) {
        noise_draw(ap->n_ant, ap->noise_rank[sb], ap->noise_basis + (size_t)(sb * ap->n_ant * ap->n_ant), amplitude,
                   &ap->private_random, v);
        for (int a = 0; a < ap->n_ant; a++) {
            ap->V_work[(sb * ap->n_ant + a) * choice->n_stream + s] = v[a];
        }
    }
    noise_symbols(ap->frame.n_sc, &ap->private_random, ap->noise);
}

void streams_renew(struct ap *ap, const struct ap_choice *choice, int d)
{
    for (int s = 0; choice->fresh_every_symbol && s < choice->n_stream; s++) {
        if (choice->stream[s].kind != WIRE_STREAM_AN) {
            continue;
        }
        if (choice->stream[s].source == WIRE_SOURCE_LOCAL) {
            renew_nullspace(ap, choice, s);
        } else { /* one noise signal over all APs: it cancels at the users only if all send the same symbol */
            struct splitmix common = splitmix_make(choice->noise_key, ap->at.block * TUTTI_MAX_SYMBOL + (uint64_t)d);
            noise_symbols(ap->frame.n_sc, &common, ap->noise);
        }
    }
}
