/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "mimo/width.h"

#include "base/error.h"
#include "mimo/expect.h"
#include "phy/interpolate.h"

#include <complex.h>
#include <math.h>

static const double TWO_PI = 6.28318530717958647692;

static double complex slope(const struct interpolate *t, double delay, double place)
{
    return cexp(-I * TWO_PI * place * delay / t->fft_size);
}

/* What averaging over subband sb leaves of a tap, in the frame of the carrier. */
static double complex averaged(const struct interpolate *t, double delay, int sb)
{
    double complex sum = 0;
    for (int i = sb * t->sc_per_sb; i < (sb + 1) * t->sc_per_sb; i++) {
        sum += slope(t, delay, t->place[i]);
    }
    return sum / t->sc_per_sb;
}

/* Interpolated less true at subcarrier i. */
static double complex missed(const struct interpolate *t, double delay, int i)
{
    double complex sum = -slope(t, delay, t->place[i]);
    for (int r = 0; r < t->n_tap; r++) {
        sum += (double)t->weight[i * t->n_tap + r] * averaged(t, delay, t->first[i] + r);
    }
    return sum;
}

static double mean_delay(const struct interpolate *t, const struct width_taps *taps)
{
    double complex turn = 0;
    for (int d = 0; d < taps->n; d++) {
        turn += taps->powers[d] * slope(t, taps->delays_samples[d], 1);
    }
    return -carg(turn) * t->fft_size / TWO_PI;
}

/* expect_spread with another error of each tap; the signal is next to 1. */
static double smooth_error(const struct interpolate *t, const struct width_taps *taps, int n_all, int n_ue)
{
    const double mean = mean_delay(t, taps);
    double total = 0, own = 0, leak = 0;
    for (int d = 0; d < taps->n; d++) {
        total += taps->powers[d];
    }
    for (int i = 0; i < t->n_sc; i++) {
        double complex in_step = 0;
        for (int d = 0; d < taps->n; d++) {
            const double delay = taps->delays_samples[d] - mean, power = taps->powers[d] / total;
            const double complex e = missed(t, delay, i);
            in_step += power * e * conj(slope(t, delay, t->place[i]));
            leak += power * creal(e * conj(e)) / t->n_sc;
        }
        own += creal(in_step * conj(in_step)) / t->n_sc;
    }
    return own + n_ue * leak / (n_all - n_ue);
}

double width_error(const struct config *config, int sc_per_sb, const struct width_taps *taps)
{
    struct config c = *config;
    struct frame frame;
    struct interpolate *table = NULL;
    const int n_all = c.network.n_ap * c.network.n_ant, n_ue = config_n_served(config);
    c.frame.subcarriers_per_subband = sc_per_sb;
    int status = frame_init(&frame, &c);
    if (status < 0 || n_all <= n_ue) {
        return status < 0 ? status : 0;
    }
    if (config->precoding.subband == CONFIG_SUBBAND_FLAT) {
        const struct expect_spread s =
            expect_spread(taps->n, taps->powers, taps->delays_samples, sc_per_sb, frame.fft_size, n_all, n_ue);
        return s.own + n_ue * s.leak;
    }
    status = interpolate_create(&table, &frame, INTERPOLATE_PRECODERS);
    const double error = status < 0 ? status : smooth_error(table, taps, n_all, n_ue);
    interpolate_destroy(table);
    return error;
}

int width_asked(const struct config *config, const struct width_taps *taps, double *left)
{
    for (int width = config->frame.n_used_subcarriers; width > 0; width--) {
        if (config->frame.n_used_subcarriers % width != 0) {
            continue;
        }
        *left = width_error(config, width, taps);
        if (*left == TUTTI_ENOMEM) {
            return 0;
        }
        if (width == 1 || (*left >= 0 && -10 * log10(*left) >= WIDTH_ENOUGH_DB)) {
            return width;
        }
    }
    return 0;
}

int width_narrower(int n_sc, int sc_per_sb, bool smooth, double loses_db, double lost_db)
{
    const double less = (pow(10, lost_db / 10) - 1) / (pow(10, loses_db / 10) - 1);
    int width = (int)fmin(floor(sc_per_sb * pow(less, smooth ? 0.2 : 0.5)), sc_per_sb);
    while (width > 1 && n_sc % width != 0) {
        width--;
    }
    return width < 1 ? 1 : width;
}

static double bits_of(enum config_encoding encoding, int mantissa_bits)
{
    return encoding == CONFIG_CF32 ? 64 : encoding == CONFIG_SC16 ? 32 : 2 * mantissa_bits;
}

double width_bytes(const struct config *config, int sc_per_sb)
{
    const struct config_fronthaul *f = &config->fronthaul;
    const double n =
        (double)config->frame.n_used_subcarriers / sc_per_sb * config->network.n_ant * config_n_served(config);
    return n / 8 * (bits_of(f->uplink_encoding, f->mantissa_bits) + bits_of(f->downlink_encoding, f->mantissa_bits));
}
