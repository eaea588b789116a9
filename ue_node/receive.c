/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One user's receiver. The precoded downlink pilots give the effective channel of every stream at this user, so the
 * interference is known as well as the gain; data are equalised per subband, decoded, and measured against the known
 * payload. */
#include <math.h>
#include <stdlib.h>

#include "base/error.h"
#include "phy/pilot.h"
#include "ue_node/ue.h"

static float power(tutti_cf32 v)
{
    return crealf(v) * crealf(v) + cimagf(v) * cimagf(v);
}

static int n_data_symbols(const struct frame *f)
{
    return f->n_dl - f->n_dl_pilot;
}

static int fill_pilots(struct ue_receiver *r)
{
    const struct frame *f = r->frame;
    const int tau = f->n_dl_pilot;
    tutti_cf32 *phi = malloc((size_t)(tau * tau) * sizeof *phi),
               *scrambling = malloc((size_t)f->n_sc * sizeof *scrambling);
    if (phi && scrambling) {
        pilot_sequences(tau, phi);
        pilot_scrambling(f->n_sc, scrambling);
        for (int k = 0; k < r->n_ue; k++)
            for (int t = 0; t < tau; t++)
                pilot_symbol(tau, k, t, f->n_sc, phi, scrambling, r->dl_pilots + (size_t)((k * tau + t) * f->n_sc));
    }
    const bool ok = phi && scrambling;
    free(phi);
    free(scrambling);
    return ok ? TUTTI_OK : error_set(TUTTI_ENOMEM, "out of memory for the downlink pilots");
}

int receiver_create(struct ue_receiver *r, const struct frame *frame, const struct config *config, int user)
{
    r->frame = frame;
    r->user = user;
    r->n_ue = config->network.n_ue;
    const size_t n_data = (size_t)frame->n_data_re, n_sb = (size_t)frame->n_sb, n_ue = (size_t)r->n_ue;
    r->dl_pilots = calloc(n_ue * (size_t)frame->n_dl_pilot * (size_t)frame->n_sc, sizeof(tutti_cf32));
    r->gain = calloc(n_sb * n_ue, sizeof(tutti_cf32));
    r->disturbance = calloc(n_sb, sizeof(float));
    r->equalised = calloc(n_data, sizeof(tutti_cf32));
    r->truth = calloc(n_data, sizeof(tutti_cf32));
    r->noise_variance = calloc(n_data, sizeof(float));
    if (!r->dl_pilots || !r->gain || !r->disturbance || !r->equalised || !r->truth || !r->noise_variance)
        return error_set(TUTTI_ENOMEM, "out of memory for the receiver");
    const int status = fill_pilots(r);
    return status < 0 ? status : payload_create(&r->payload, frame, &config->payload, config->network.seed);
}

void receiver_destroy(struct ue_receiver *r)
{
    payload_destroy(r->payload);
    free(r->dl_pilots);
    free(r->gain);
    free(r->disturbance);
    free(r->equalised);
    free(r->truth);
    free(r->noise_variance);
}

/* Least-squares gain of every stream in one subband: a_j = sum conj(p_j) y / (tau S). */
static void estimate_gains(struct ue_receiver *r, int sb, const tutti_cf32 *Y)
{
    const struct frame *f = r->frame;
    const int first = sb * f->sc_per_sb;
    for (int j = 0; j < r->n_ue; j++) {
        tutti_cf32 sum = 0;
        for (int t = 0; t < f->n_dl_pilot; t++) {
            const tutti_cf32 *p = r->dl_pilots + (size_t)((j * f->n_dl_pilot + t) * f->n_sc + first);
            const tutti_cf32 *y = Y + (size_t)(t * f->n_sc + first);
            for (int i = 0; i < f->sc_per_sb; i++)
                sum += conjf(p[i]) * y[i];
        }
        r->gain[sb * r->n_ue + j] = sum / (float)(f->n_dl_pilot * f->sc_per_sb);
    }
}

/* Noise power: what the pilots leave when every stream's share is taken out, over the degrees of freedom that remain.
 */
static float residual_noise(const struct ue_receiver *r, int sb, const tutti_cf32 *Y)
{
    const struct frame *f = r->frame;
    const int first = sb * f->sc_per_sb, n = f->n_dl_pilot * f->sc_per_sb;
    float total = 0, explained = 0;
    for (int t = 0; t < f->n_dl_pilot; t++)
        for (int i = 0; i < f->sc_per_sb; i++)
            total += power(Y[t * f->n_sc + first + i]);
    for (int j = 0; j < r->n_ue; j++)
        explained += (float)n * power(r->gain[sb * r->n_ue + j]);
    const float residual = total - explained;
    const int freedom = n - r->n_ue;
    return residual > 0 && freedom > 0 ? residual / (float)freedom : 0;
}

static void estimate_channel(struct ue_receiver *r, const tutti_cf32 *Y)
{
    for (int sb = 0; sb < r->frame->n_sb; sb++) {
        estimate_gains(r, sb, Y);
        r->disturbance[sb] = residual_noise(r, sb, Y);
        for (int j = 0; j < r->n_ue; j++)
            if (j != r->user)
                r->disturbance[sb] += power(r->gain[sb * r->n_ue + j]);
    }
}

static void equalise(struct ue_receiver *r, const tutti_cf32 *data)
{
    const struct frame *f = r->frame;
    for (int d = 0; d < n_data_symbols(f); d++)
        for (int i = 0; i < f->n_sc; i++) {
            const int sb = i / f->sc_per_sb;
            const tutti_cf32 a = r->gain[sb * r->n_ue + r->user];
            const float strength = power(a) + 1e-30f;
            const size_t at = (size_t)(d * f->n_sc + i);
            r->equalised[at] = data[at] * conjf(a) / strength;
            r->noise_variance[at] = r->disturbance[sb] / strength + 1e-12f;
        }
}

/* SINR of one subband against the known symbols: y = a s + e with a the least-squares gain; the fit takes one degree of
 * freedom from the error and adds error / n to the signal, both undone. Sums are added up over subbands. */
static void measure_subband(const struct ue_receiver *r, int sb, const tutti_cf32 *data, double *signal, double *error)
{
    const struct frame *f = r->frame;
    tutti_cf32 cross = 0;
    float s_power = 0, y_power = 0;
    const int n_symbols = n_data_symbols(f), first = sb * f->sc_per_sb;
    for (int d = 0; d < n_symbols; d++)
        for (int i = first; i < first + f->sc_per_sb; i++) {
            const tutti_cf32 s = r->truth[d * f->n_sc + i], y = data[d * f->n_sc + i];
            cross += conjf(s) * y;
            s_power += power(s);
            y_power += power(y);
        }
    const double n = (double)n_symbols * f->sc_per_sb;
    const double fitted = (double)power(cross) / (double)s_power;
    const double residual = ((double)y_power - fitted) * n / (n - 1.0) / n; /* per symbol */
    *signal += fitted / n - residual / n;
    *error += residual;
}

static double measure_evm(const struct ue_receiver *r)
{
    double error = 0, reference = 0;
    for (int i = 0; i < r->frame->n_data_re; i++) {
        error += (double)power(r->equalised[i] - r->truth[i]);
        reference += (double)power(r->truth[i]);
    }
    return sqrt(error / reference);
}

void receiver_execute(struct ue_receiver *r, uint64_t block, const tutti_cf32 *Y, struct ue_measurement *m)
{
    const struct frame *f = r->frame;
    const tutti_cf32 *data = Y + (size_t)(f->n_dl_pilot * f->n_sc);
    estimate_channel(r, Y);
    equalise(r, data);
    payload_decode(r->payload, r->user, block, r->equalised, r->noise_variance, &m->payload);
    payload_encode(r->payload, r->user, block, r->truth);
    double signal = 0, error = 0;
    for (int sb = 0; sb < f->n_sb; sb++)
        measure_subband(r, sb, data, &signal, &error);
    m->sinr = signal > 0 && error > 0 ? signal / error : 0;
    m->evm = measure_evm(r);
}
