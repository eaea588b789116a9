/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tools/precode/noise.h"

#include "base/error.h"
#include "mimo/noise.h"
#include "mimo/ppzf.h"
#include "mimo/spzf.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Largest residual (spzf.h) sent, as at the CPU node: far below what estimates leave. */
static const double RESIDUAL_LIMIT = 1e-6;

struct precode_noise {
    struct precode_noise_settings settings;
    struct mimo_shape shape;
    double *amplitude; /* [n_ap] of the whole vector of an AP */
    spzf_t *spzf;
    double complex *H;    /* [n_ue][n_ap * n_ant] */
    double complex *beam; /* [n_ap * n_ant] */
    double *beta;         /* [n_ue] */
    uint8_t *strong;      /* [n_ue] */
    tutti_cf32 *Q;        /* [n_ant][n_ant] */
};

const char *precode_an_name(enum precode_an an)
{
    static const char *const names[] = {"none", "nullspace", "phase-only"};
    return names[an];
}

float precode_noise_left(const struct precode_noise_settings *settings, float ap_power)
{
    return settings->an == PRECODE_AN_NONE ? ap_power : (float)((1 - settings->share) * (double)ap_power);
}

static int create_spzf(precode_noise_t *noise)
{
    const size_t n_all = (size_t)noise->shape.n_ap * (size_t)noise->shape.n_ant;
    noise->H = calloc(n_all * (size_t)noise->shape.n_ue, sizeof *noise->H);
    noise->beam = calloc(n_all, sizeof *noise->beam);
    if (!noise->H || !noise->beam) {
        return error_set(TUTTI_ENOMEM, "no memory for the artificial noise");
    }
    const struct spzf_settings settings = spzf_settings_default(SPZF_PLUS, (int)n_all, noise->shape.n_ue);
    return spzf_create(&noise->spzf, &settings);
}

int precode_noise_create(precode_noise_t **out, const struct precode_noise_settings *settings,
                         const struct mimo_shape *shape, const float *ap_power)
{
    precode_noise_t *noise = *out = calloc(1, sizeof *noise);
    if (!noise) {
        return error_set(TUTTI_ENOMEM, "no memory for the artificial noise");
    }
    noise->settings = *settings;
    noise->shape = *shape;
    noise->amplitude = calloc((size_t)shape->n_ap, sizeof *noise->amplitude);
    noise->beta = calloc((size_t)shape->n_ue, sizeof *noise->beta);
    noise->strong = calloc((size_t)shape->n_ue, sizeof *noise->strong);
    noise->Q = calloc((size_t)shape->n_ant * (size_t)shape->n_ant, sizeof *noise->Q);
    if (!noise->amplitude || !noise->beta || !noise->strong || !noise->Q) {
        return error_set(TUTTI_ENOMEM, "no memory for the artificial noise");
    }
    for (int m = 0; m < shape->n_ap; m++) { /* what is left, so that the budget is met to the last bit */
        noise->amplitude[m] = sqrt((double)ap_power[m] - (double)precode_noise_left(settings, ap_power[m]));
    }
    return settings->an == PRECODE_AN_PHASE_ONLY ? create_spzf(noise) : 0;
}

void precode_noise_destroy(precode_noise_t *noise)
{
    if (!noise) {
        return;
    }
    spzf_destroy(noise->spzf);
    free(noise->H);
    free(noise->beam);
    free(noise->amplitude);
    free(noise->beta);
    free(noise->strong);
    free(noise->Q);
    free(noise);
}

/* The rows of spzf.h multiply without conjugation, so they are conj(h_k); an AP's amplitude belongs to the row, because
 * the phasors are of unit length: sum conj(h_kn) a_n b_n = 0. What is not in use is a row or column of zeros. */
static bool phase_only(precode_noise_t *noise, uint64_t index, const struct mimo_channel *channel, tutti_cf32 *an)
{
    const size_t n_ant = (size_t)noise->shape.n_ant, n_ue = (size_t)noise->shape.n_ue;
    const size_t n_all = (size_t)noise->shape.n_ap * n_ant;
    for (size_t k = 0; k < n_ue; k++) {
        for (size_t l = 0; l < n_all; l++) {
            noise->H[k * n_all + l] =
                channel->ue_active[k] && channel->ap_active[l / n_ant]
                    ? noise->amplitude[l / n_ant] * conj((double complex)channel->H_hat[l * n_ue + k])
                    : 0;
        }
    }
    spzf_reset(noise->spzf, splitmix_make(noise->settings.seed, index).key);
    struct spzf_result result;
    spzf_execute(noise->spzf, noise->H, noise->beam, &result);
    if (!(result.residual <= RESIDUAL_LIMIT)) {
        return false;
    }
    for (size_t l = 0; l < n_all; l++) {
        if (channel->ap_active[l / n_ant]) {
            an[l] = (tutti_cf32)(noise->amplitude[l / n_ant] / sqrt((double)n_ant) * noise->beam[l]);
        }
    }
    return true;
}

/* As the precoders take it: without beta the estimates' own power has to do. Users not served count nothing. */
static void large_scale(const precode_noise_t *noise, const struct mimo_channel *channel, int m, double *beta)
{
    const int n_ant = noise->shape.n_ant, n_ue = noise->shape.n_ue;
    for (int k = 0; k < n_ue; k++) {
        beta[k] = 0;
        if (!channel->ue_active[k]) {
            continue;
        }
        if (channel->beta) {
            beta[k] = (double)channel->beta[m * n_ue + k];
            continue;
        }
        double energy = 0;
        for (int a = 0; a < n_ant; a++) {
            const double complex h = (double complex)channel->H_hat[(m * n_ant + a) * n_ue + k];
            energy += creal(h) * creal(h) + cimag(h) * cimag(h);
        }
        beta[k] = energy / n_ant + (double)channel->error_variance[m * n_ue + k];
    }
}

static void nullspace(precode_noise_t *noise, uint64_t index, const struct mimo_channel *channel, tutti_cf32 *an)
{
    const int n_ant = noise->shape.n_ant, n_ue = noise->shape.n_ue;
    for (int m = 0; m < noise->shape.n_ap; m++) {
        if (!channel->ap_active[m]) {
            continue;
        }
        struct splitmix random = splitmix_make(noise->settings.seed, index * (uint64_t)noise->shape.n_ap + (uint64_t)m);
        large_scale(noise, channel, m, noise->beta);
        ppzf_group(MIMO_PPZF, n_ant, n_ue, noise->beta, noise->settings.upsilon, noise->strong);
        const int rank = noise_basis(n_ant, n_ue, channel->H_hat + m * n_ant * n_ue, noise->strong, noise->Q);
        noise_draw(n_ant, rank, noise->Q, (float)noise->amplitude[m], &random, an + m * n_ant);
    }
}

static bool any(int n, const uint8_t *mask)
{
    for (int i = 0; i < n; i++) {
        if (mask[i]) {
            return true;
        }
    }
    return false;
}

bool precode_noise_execute(precode_noise_t *noise, uint64_t index, const struct mimo_channel *channel, tutti_cf32 *an)
{
    memset(an, 0, (size_t)noise->shape.n_ap * (size_t)noise->shape.n_ant * sizeof *an);
    if (!any(noise->shape.n_ue, channel->ue_active) || !any(noise->shape.n_ap, channel->ap_active)) {
        return true; /* nothing is sent, not even noise */
    }
    if (noise->settings.an == PRECODE_AN_PHASE_ONLY) {
        return phase_only(noise, index, channel, an);
    }
    if (noise->settings.an == PRECODE_AN_NULLSPACE) {
        nullspace(noise, index, channel, an);
    }
    return true;
}
