/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "phy/phase_loop.h"

#include <math.h>
#include <string.h>

static const double TWO_PI = 6.28318530717958647692;

double phase_loop_beacon_variance(int n_ant, int n_sc, double snr)
{
    return 1 / (4.0 * n_sc * n_ant * snr);
}

/* P = F P F^T + Q. */
static void pass_interval(const struct phase_loop_settings *s, double P[2][2])
{
    const double t = s->interval_s, d = TWO_PI * s->linewidth_hz, q = s->frequency_walk;
    const double p00 = P[0][0] + 2 * t * P[0][1] + t * t * P[1][1], p01 = P[0][1] + t * P[1][1];
    P[0][0] = p00 + d * t + q * t * t * t / 3;
    P[0][1] = P[1][0] = p01 + q * t * t / 2;
    P[1][1] += q * t;
}

/* P = (I - K H) P; the gain that does it. */
static void take_measurement(double R, double P[2][2], double gain[2])
{
    const double total = P[0][0] + R, p01 = P[0][1];
    gain[0] = P[0][0] / total;
    gain[1] = p01 / total;
    P[1][1] -= gain[1] * p01;
    P[0][1] = P[1][0] = p01 * (1 - gain[0]);
    P[0][0] *= 1 - gain[0];
}

void phase_loop_start(struct phase_loop *loop, const struct phase_loop_settings *settings, double phase_rad,
                      double frequency_rad_per_s, double phase_variance, double frequency_variance)
{
    *loop =
        (struct phase_loop){.settings = *settings, .phase_rad = phase_rad, .frequency_rad_per_s = frequency_rad_per_s};
    loop->P[0][0] = loop->P[1][1] = 1;
    for (int i = 0; i < 100000; i++) { /* start-up only; ends when nothing moves any more */
        const double before = loop->P[1][1];
        pass_interval(settings, loop->P);
        take_measurement(settings->measured_variance, loop->P, loop->gain);
        if (i > 10 && fabs(loop->P[1][1] - before) <= 1e-15 * before) {
            break;
        }
    }
    loop->now[0][0] = phase_variance;
    loop->now[1][1] = frequency_variance;
}

void phase_loop_predict(struct phase_loop *loop)
{
    loop->phase_rad += loop->frequency_rad_per_s * loop->settings.interval_s;
    pass_interval(&loop->settings, loop->now);
}

/* The first measurements count by what is known then, the later ones by the steady state. */
double phase_loop_correct(struct phase_loop *loop, double measured_rad)
{
    double gain[2];
    const double innovation = remainder(measured_rad - loop->phase_rad, TWO_PI);
    take_measurement(loop->settings.measured_variance, loop->now, gain);
    const bool settled = gain[0] < loop->gain[0] * (1 + 1e-6);
    loop->phase_rad += (settled ? loop->gain[0] : gain[0]) * innovation;
    loop->frequency_rad_per_s += (settled ? loop->gain[1] : gain[1]) * innovation;
    loop->n_measured++;
    return innovation;
}

double phase_loop_phase(const struct phase_loop *loop, double after_s)
{
    return loop->phase_rad + loop->frequency_rad_per_s * after_s;
}

double phase_loop_sigma_rad(const struct phase_loop *loop)
{
    return sqrt(loop->now[0][0]);
}

static double channel_variance(const struct phase_loop_settings *settings, const double P[2][2], double pilot_s,
                               double data_s)
{
    const double d = TWO_PI * settings->linewidth_hz, q = settings->frequency_walk;
    const double t1 = pilot_s, t2 = data_s, a1 = t1 + t2;
    const double state = 4 * P[0][0] + 4 * a1 * P[0][1] + a1 * a1 * P[1][1];
    const double walk = t1 * t1 * t1 / 3 + t2 * t2 * t2 / 3 + t1 * t1 * (3 * t2 - t1) / 3;
    return state + d * (4 * t1 + (t2 - t1)) + q * walk;
}

double phase_loop_channel_variance(const struct phase_loop *loop, double pilot_s, double data_s)
{
    return channel_variance(&loop->settings, loop->P, pilot_s, data_s);
}

double phase_loop_error_variance(const struct phase_loop *loop, double pilot_s, double data_s)
{
    return channel_variance(&loop->settings, loop->now, pilot_s, data_s);
}
