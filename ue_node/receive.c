/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The receiver. The precoded downlink pilots give the effective channel of every stream at these antennas, so the
 * interference is known as well as the gain. For a wanted stream the antennas are combined (MMSE), the data equalised
 * per subband, decoded, and measured against the known payload. A user has one antenna and wants its own stream; an
 * eavesdropper wants everybody's. */
#include "base/error.h"
#include "linalg/small.h"
#include "node/pilots.h"
#include "ue_node/ue.h"

#include <math.h>
#include <stdlib.h>

static float power(tutti_cf32 v)
{
    return crealf(v) * crealf(v) + cimagf(v) * cimagf(v);
}

static int n_data_symbols(const struct frame *f)
{
    return f->n_dl - f->n_dl_pilot;
}

int receiver_create(struct ue_receiver *r, const struct frame *frame, const struct config *config, int n_ant)
{
    r->frame = frame;
    r->n_ant = n_ant;
    r->n_ue = config->network.n_ue;
    const size_t n_data = (size_t)frame->n_data_re, n_sb = (size_t)frame->n_sb, n_ue = (size_t)r->n_ue;
    const size_t antennas = (size_t)n_ant;
    r->dl_pilots = calloc(n_ue * (size_t)frame->n_dl_pilot * (size_t)frame->n_sc, sizeof(tutti_cf32));
    r->gain = calloc(n_sb * n_ue * antennas, sizeof(tutti_cf32));
    r->noise = calloc(n_sb * antennas * antennas, sizeof(tutti_cf32));
    r->combiner = calloc(n_sb * antennas, sizeof(tutti_cf32));
    r->stream_gain = calloc(n_sb, sizeof(tutti_cf32));
    r->disturbance = calloc(n_sb, sizeof(float));
    r->combined = calloc(n_data, sizeof(tutti_cf32));
    r->equalised = calloc(n_data, sizeof(tutti_cf32));
    r->truth = calloc(n_data, sizeof(tutti_cf32));
    r->noise_variance = calloc(n_data, sizeof(float));
    r->matrix = calloc(6 * antennas * antennas, sizeof(double));
    r->vector = calloc(2 * antennas, sizeof(double complex));
    if (!r->matrix || !r->vector || !r->dl_pilots || !r->gain || !r->noise || !r->combiner || !r->stream_gain ||
        !r->disturbance || !r->combined || !r->equalised || !r->truth || !r->noise_variance) {
        return error_set(TUTTI_ENOMEM, "out of memory for the receiver");
    }
    const int status = node_pilots_downlink(frame, r->n_ue, r->dl_pilots);
    return status < 0 ? status : payload_create(&r->payload, frame, &config->payload, config->network.seed);
}

void receiver_destroy(struct ue_receiver *r)
{
    payload_destroy(r->payload);
    free(r->dl_pilots);
    free(r->gain);
    free(r->noise);
    free(r->combiner);
    free(r->stream_gain);
    free(r->disturbance);
    free(r->combined);
    free(r->equalised);
    free(r->truth);
    free(r->noise_variance);
    free(r->matrix);
    free(r->vector);
}

/* Estimation ---------------------------------------------------------------------------------------------------- */

static const tutti_cf32 *antenna(const struct ue_receiver *r, const tutti_cf32 *Y, int m)
{
    return Y + (size_t)m * (size_t)(r->frame->n_dl * r->frame->n_sc);
}

static tutti_cf32 *gains_of(const struct ue_receiver *r, int sb, int user)
{
    return r->gain + (size_t)((sb * r->n_ue + user) * r->n_ant);
}

/* Least-squares gain of every stream at one antenna in one subband: a_j = sum conj(p_j) y / (tau S). */
static void estimate_gains(struct ue_receiver *r, int sb, int m, const tutti_cf32 *Y)
{
    const struct frame *f = r->frame;
    const int first = sb * f->sc_per_sb;
    for (int j = 0; j < r->n_ue; j++) {
        tutti_cf32 sum = 0;
        for (int t = 0; t < f->n_dl_pilot; t++) {
            const tutti_cf32 *p = r->dl_pilots + (size_t)((j * f->n_dl_pilot + t) * f->n_sc + first);
            const tutti_cf32 *y = Y + (size_t)(t * f->n_sc + first);
            for (int i = 0; i < f->sc_per_sb; i++) {
                sum += conjf(p[i]) * y[i];
            }
        }
        gains_of(r, sb, j)[m] = sum / (float)(f->n_dl_pilot * f->sc_per_sb);
    }
}

/* Covariance of what the pilots leave between two antennas when every stream's share is taken out, over the degrees of
 * freedom that remain: receiver noise and artificial noise. */
static tutti_cf32 residual_covariance(const struct ue_receiver *r, int sb, int m, int q, const tutti_cf32 *Y)
{
    const struct frame *f = r->frame;
    const int first = sb * f->sc_per_sb, n = f->n_dl_pilot * f->sc_per_sb, freedom = n - r->n_ue;
    const tutti_cf32 *y = antenna(r, Y, m), *z = antenna(r, Y, q);
    tutti_cf32 total = 0, explained = 0;
    for (int t = 0; t < f->n_dl_pilot; t++) {
        for (int i = t * f->n_sc + first; i < t * f->n_sc + first + f->sc_per_sb; i++) {
            total += y[i] * conjf(z[i]);
        }
    }
    for (int j = 0; j < r->n_ue; j++) {
        explained += (float)n * gains_of(r, sb, j)[m] * conjf(gains_of(r, sb, j)[q]);
    }
    if (freedom <= 0) {
        return 0;
    }
    const tutti_cf32 residual = (total - explained) / (float)freedom;
    return m != q ? residual : fmaxf(crealf(residual), 0);
}

static void estimate_channel(struct ue_receiver *r, const tutti_cf32 *Y)
{
    for (int sb = 0; sb < r->frame->n_sb; sb++) {
        tutti_cf32 *noise = r->noise + (size_t)(sb * r->n_ant * r->n_ant);
        for (int m = 0; m < r->n_ant; m++) {
            estimate_gains(r, sb, m, antenna(r, Y, m));
        }
        for (int m = 0; m < r->n_ant; m++) {
            for (int q = 0; q <= m; q++) {
                noise[m * r->n_ant + q] = residual_covariance(r, sb, m, q, Y);
                noise[q * r->n_ant + m] = conjf(noise[m * r->n_ant + q]);
            }
        }
    }
}

/* Combining ----------------------------------------------------------------------------------------------------- */

/* A wanted stream's disturbance: all other streams and the noise. Re, Im [n_ant][n_ant]. */
static void disturbance_covariance(const struct ue_receiver *r, int sb, int user, double *Re, double *Im)
{
    const tutti_cf32 *noise = r->noise + (size_t)(sb * r->n_ant * r->n_ant);
    for (int m = 0; m < r->n_ant; m++) {
        for (int q = 0; q < r->n_ant; q++) {
            tutti_cf32 sum = noise[m * r->n_ant + q];
            for (int j = 0; j < r->n_ue; j++) {
                if (j != user) {
                    sum += gains_of(r, sb, j)[m] * conjf(gains_of(r, sb, j)[q]);
                }
            }
            Re[m * r->n_ant + q] = (double)crealf(sum);
            Im[m * r->n_ant + q] = (double)cimagf(sum);
        }
    }
}

/* w = R^-1 g by the inverse factor X of R: X^H X g; work [4][n][n], u [n]. false: R is singular. */
static bool solve(int n, const double *Re, const double *Im, const tutti_cf32 *g, double *work, double complex *u,
                  double complex *w)
{
    static const double LOADING = 1e-9; /* of the mean diagonal: below what single-precision gains can tell */
    double *Ar = work, *Ai = work + n * n, *Xr = work + 2 * n * n, *Xi = work + 3 * n * n, trace = 0;
    for (int i = 0; i < n * n; i++) {
        Ar[i] = Re[i], Ai[i] = Im[i];
    }
    for (int i = 0; i < n; i++) {
        trace += Ar[i * n + i];
    }
    for (int i = 0; i < n; i++) {
        Ar[i * n + i] += LOADING * trace / n;
    }
    if (small_cholesky(n, Ar, Ai, 0.0) != 0) {
        return false;
    }
    small_lower_inverse(n, Ar, Ai, Xr, Xi);
    for (int i = 0; i < n; i++) {
        u[i] = 0;
        for (int j = 0; j <= i; j++) {
            u[i] += CMPLX(Xr[i * n + j], Xi[i * n + j]) * (double complex)g[j];
        }
    }
    for (int i = 0; i < n; i++) {
        w[i] = 0;
        for (int j = i; j < n; j++) {
            w[i] += CMPLX(Xr[j * n + i], -Xi[j * n + i]) * u[j];
        }
    }
    return true;
}

/* The MMSE combiner of one stream in one subband, scaled to unit norm so that one antenna is left as it is. Without a
 * usable covariance the antennas are combined for the most signal; without a signal the first is taken. */
static void combine_subband(struct ue_receiver *r, int sb, int user)
{
    const int n = r->n_ant;
    const tutti_cf32 *g = gains_of(r, sb, user);
    tutti_cf32 *out = r->combiner + (size_t)(sb * n);
    double *Re = r->matrix, *Im = Re + n * n, norm = 0, disturbance = 0;
    double complex *w = r->vector, gain = 0;
    w[0] = 1;
    disturbance_covariance(r, sb, user, Re, Im);
    if (n > 1 && !solve(n, Re, Im, g, Im + n * n, w + n, w)) {
        for (int m = 0; m < n; m++) {
            w[m] = g[m];
        }
    }
    for (int m = 0; m < n; m++) {
        norm += creal(w[m]) * creal(w[m]) + cimag(w[m]) * cimag(w[m]);
    }
    for (int m = 0; m < n; m++) {
        w[m] = norm > 0 && isfinite(norm) ? w[m] / sqrt(norm) : m == 0;
    }
    for (int m = 0; m < n; m++) {
        out[m] = (tutti_cf32)w[m];
        gain += conj(w[m]) * (double complex)g[m];
        for (int q = 0; q < n; q++) {
            disturbance += creal(conj(w[m]) * CMPLX(Re[m * n + q], Im[m * n + q]) * w[q]);
        }
    }
    r->stream_gain[sb] = (tutti_cf32)gain;
    r->disturbance[sb] = (float)disturbance;
}

static void combine(struct ue_receiver *r, int user, const tutti_cf32 *Y)
{
    const struct frame *f = r->frame;
    for (int sb = 0; sb < f->n_sb; sb++) {
        combine_subband(r, sb, user);
        for (int m = 0; m < r->n_ant; m++) {
            const tutti_cf32 w = conjf(r->combiner[sb * r->n_ant + m]);
            for (int d = 0; d < n_data_symbols(f); d++) {
                const size_t at = (size_t)(d * f->n_sc + sb * f->sc_per_sb);
                const tutti_cf32 *y = antenna(r, Y, m) + (size_t)(f->n_dl_pilot * f->n_sc) + at;
                tutti_cf32 *out = r->combined + at;
                for (int i = 0; i < f->sc_per_sb; i++) {
                    out[i] = m == 0 ? w * y[i] : out[i] + w * y[i];
                }
            }
        }
    }
}

static void equalise(struct ue_receiver *r)
{
    const struct frame *f = r->frame;
    for (int d = 0; d < n_data_symbols(f); d++) {
        for (int i = 0; i < f->n_sc; i++) {
            const int sb = i / f->sc_per_sb;
            const tutti_cf32 a = r->stream_gain[sb];
            const float strength = power(a) + 1e-30f;
            const size_t at = (size_t)(d * f->n_sc + i);
            r->equalised[at] = r->combined[at] * conjf(a) / strength;
            r->noise_variance[at] = r->disturbance[sb] / strength + 1e-12f;
        }
    }
}

/* Measuring ----------------------------------------------------------------------------------------------------- */

/* SINR of one subband against the known symbols: y = a s + e with a the least-squares gain; the fit takes one degree of
 * freedom from the error and adds error / n to the signal, both undone. Sums are added up over subbands. */
static void measure_subband(const struct ue_receiver *r, int sb, double *signal, double *error)
{
    const struct frame *f = r->frame;
    tutti_cf32 cross = 0;
    float s_power = 0, y_power = 0;
    const int n_symbols = n_data_symbols(f), first = sb * f->sc_per_sb;
    for (int d = 0; d < n_symbols; d++) {
        for (int i = first; i < first + f->sc_per_sb; i++) {
            const tutti_cf32 s = r->truth[d * f->n_sc + i], y = r->combined[d * f->n_sc + i];
            cross += conjf(s) * y;
            s_power += power(s);
            y_power += power(y);
        }
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

static void receive_stream(struct ue_receiver *r, int user, uint64_t block, const tutti_cf32 *Y,
                           struct ue_measurement *m)
{
    combine(r, user, Y);
    equalise(r);
    payload_decode(r->payload, user, block, r->equalised, r->noise_variance, &m->payload);
    payload_encode(r->payload, user, block, r->truth);
    double signal = 0, error = 0;
    for (int sb = 0; sb < r->frame->n_sb; sb++) {
        measure_subband(r, sb, &signal, &error);
    }
    m->sinr = signal > 0 && error > 0 ? signal / error : 0;
    m->evm = measure_evm(r);
}

void receiver_execute(struct ue_receiver *r, uint64_t block, const tutti_cf32 *Y, int n_wanted, const int *wanted,
                      struct ue_measurement *measurements)
{
    estimate_channel(r, Y);
    for (int i = 0; i < n_wanted; i++) {
        receive_stream(r, wanted[i], block, Y, &measurements[i]);
    }
}
