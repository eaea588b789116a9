/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "mimo/expect.h"

#include "base/error.h"

#include <math.h>
#include <string.h>

static const double TWO_PI = 6.28318530717958647692;

struct expect_times expect_times_of(const struct frame *frame)
{
    double pilots = 0;
    for (int t = 0; t < frame->n_pilot; t++) {
        pilots += frame->pilot_symbol[t] + 0.5;
    }
    const double symbol_s = frame->n_symbol_samples / frame->sample_rate_hz;
    const double lag_s = frame->lag_blocks * (frame->n_block_samples / frame->sample_rate_hz);
    return (struct expect_times){
        .pilot_s = pilots / frame->n_pilot * symbol_s - lag_s,
        .first_data_s = (frame->dl_symbol[frame->n_dl_pilot] + 0.5) * symbol_s,
        .symbol_s = symbol_s,
        .spacing_hz = frame->sample_rate_hz / frame->fft_size,
        .n_data = frame->n_dl - frame->n_dl_pilot,
        .n_pilot = frame->n_pilot,
    };
}

/* Ageing ----------------------------------------------------------------------------------------------------------- */

/* Every lag between two data symbols comes up n - lag times, in both orders. */
static double mean_correlation(const struct expect_times *times, double doppler_hz)
{
    double sum = times->n_data;
    for (int lag = 1; lag < times->n_data; lag++) {
        sum += 2.0 * (times->n_data - lag) * j0(TWO_PI * doppler_hz * lag * times->symbol_s);
    }
    return sum / ((double)times->n_data * times->n_data);
}

struct expect_ageing expect_ageing(const struct expect_times *times, double doppler_hz)
{
    double sum = 0, square = 0;
    for (int d = 0; d < times->n_data; d++) {
        const double age_s = times->first_data_s + d * times->symbol_s - times->pilot_s;
        const double rho = j0(TWO_PI * doppler_hz * age_s);
        sum += rho;
        square += rho * rho;
    }
    const double mean = sum / times->n_data, mean_square = square / times->n_data;
    return (struct expect_ageing){
        .rho_mean = mean,
        .rho_square = mean_square,
        .rho_variance = fmax(mean_square - mean * mean, 0),
        .v1 = 1 - mean_square,
        .v2 = mean_correlation(times, doppler_hz) - mean * mean,
    };
}

double expect_ageing_zf(const struct expect_ageing *a, int n_all_ant, int n_ue)
{
    const double free = n_all_ant - n_ue; /* |a|^2 over the power of one stream */
    const double signal = free * a->rho_mean * a->rho_mean + a->v2;
    return (a->v1 * (n_ue - 1) + a->v1 - a->v2 + free * a->rho_variance) / signal;
}

/* Carrier offsets -------------------------------------------------------------------------------------------------- */

/* mean of e^{j 2 pi f t} over n instants a step apart, about their middle: real. */
static double mean_phasor(double turns_per_step, int n)
{
    const double half = 0.5 * TWO_PI * turns_per_step, below = n * sin(half);
    return fabs(below) < 1e-12 ? 1 : sin(n * half) / below;
}

double expect_cfo_kept(const struct expect_times *times, double cfo_hz)
{
    const double mean = mean_phasor(cfo_hz * times->symbol_s, times->n_data);
    return mean * mean;
}

double expect_cfo_leak(const struct expect_times *times, double cfo_hz)
{
    const double x = 0.5 * TWO_PI * cfo_hz / times->spacing_hz;
    return x * x / 3;
}

void expect_mixing(const struct expect_times *times, int n, const double *cfo_hz, const int *pilot, double complex *X)
{
    const int tau = times->n_pilot;
    for (int q = 0; q < n; q++) {
        for (int p = 0; p < n; p++) {
            double complex sum = 0;
            for (int t = 0; t < tau; t++) {
                const double since_s = (t - 0.5 * (tau - 1)) * times->symbol_s;
                sum += cexp(I * TWO_PI * (cfo_hz[q] * since_s - (double)(pilot[q] - pilot[p]) * t / tau));
            }
            X[q * n + p] = sum / tau;
        }
    }
}

/* The row of column k's largest entry from row k on. */
static int pivot_of(int n, const double complex *A, int k)
{
    int best = k;
    for (int i = k + 1; i < n; i++) {
        best = cabs(A[i * n + k]) > cabs(A[best * n + k]) ? i : best;
    }
    return best;
}

static void swap_rows(int n, double complex *A, int i, int k)
{
    for (int j = 0; i != k && j < n; j++) {
        const double complex kept = A[i * n + j];
        A[i * n + j] = A[k * n + j];
        A[k * n + j] = kept;
    }
}

static void transpose(int n, double complex *X)
{
    for (int i = 0; i < n; i++) {
        for (int j = i + 1; j < n; j++) {
            const double complex kept = X[i * n + j];
            X[i * n + j] = X[j * n + i];
            X[j * n + i] = kept;
        }
    }
}

/* Row i less factor times row k; i == k: the row times 1 - factor. */
static void take_row(int n, double complex *A, int i, int k, double complex factor)
{
    for (int j = 0; j < n; j++) {
        A[i * n + j] -= factor * A[k * n + j];
    }
}

/* Gauss-Jordan on X^T C = G. */
int expect_mixing_undo(int n, double complex *X, const double complex *G, double complex *C)
{
    transpose(n, X);
    memcpy(C, G, sizeof *C * (size_t)n * (size_t)n);
    for (int k = 0; k < n; k++) {
        const int row = pivot_of(n, X, k);
        swap_rows(n, X, row, k);
        swap_rows(n, C, row, k);
        const double complex pivot = X[k * n + k];
        if (!(cabs(pivot) > 1e-9)) {
            return error_set(TUTTI_ENUMERIC, "users' pilots cannot be told apart at these carrier offsets");
        }
        take_row(n, X, k, k, 1 - 1 / pivot);
        take_row(n, C, k, k, 1 - 1 / pivot);
        for (int i = 0; i < n; i++) {
            const double complex factor = X[i * n + k];
            if (i != k) {
                take_row(n, X, i, k, factor);
                take_row(n, C, i, k, factor);
            }
        }
    }
    return TUTTI_OK;
}

/* Phase noise ------------------------------------------------------------------------------------------------------ */

double expect_phase_noise(const struct expect_times *times, double linewidth_hz)
{
    return TWO_PI * linewidth_hz * times->n_data * times->symbol_s / 6;
}

double expect_phase_noise_leak(const struct expect_times *times, double linewidth_hz)
{
    return TWO_PI * linewidth_hz / (6 * times->spacing_hz);
}

double expect_ap_phase(const struct expect_times *times, double linewidth_hz, double age_s)
{
    const double data_s = times->first_data_s + 0.5 * (times->n_data - 1) * times->symbol_s;
    return TWO_PI * linewidth_hz * (4 * age_s + data_s - times->pilot_s);
}

/* One AP turns by itself: what it sends to a user is out of step with what the others send. */
double expect_ratio_per_ap(int n_ap, int n_ant, int n_ue)
{
    return (n_ue - 1) * (1 - 1.0 / n_ap) / (n_ap * n_ant - n_ue);
}

double expect_ratio_per_antenna(int n_ap, int n_ant, int n_ue)
{
    const double all = n_ap * n_ant;
    return (n_ue - 1) * (1 - 1 / all) / (all - n_ue);
}

/* Delay spread ----------------------------------------------------------------------------------------------------- */

/* What averaging over the subband leaves of a tap. */
static double tap_kept(double delay, int sc_per_sb, int fft_size)
{
    return mean_phasor(delay / fft_size, sc_per_sb);
}

struct expect_spread expect_spread(int n_tap, const double *powers, const double *delays_samples, int sc_per_sb,
                                   int fft_size, int n_all_ant, int n_ue)
{
    double total = 0, kept = 0, own = 0, leak = 0;
    for (int d = 0; d < n_tap; d++) {
        const double mean = tap_kept(delays_samples[d], sc_per_sb, fft_size);
        total += powers[d];
        kept += powers[d] * mean * mean;
    }
    kept /= total;
    for (int i = 0; i < sc_per_sb; i++) {
        const double from_middle = i - 0.5 * (sc_per_sb - 1);
        double complex in_step = 0;
        double off = 0;
        for (int d = 0; d < n_tap; d++) {
            const double mean = tap_kept(delays_samples[d], sc_per_sb, fft_size), power = powers[d] / total;
            const double complex e = cexp(-I * TWO_PI * from_middle * delays_samples[d] / fft_size) - mean;
            in_step += power * mean * e;
            off += power * creal(e * conj(e));
        }
        const double q = creal(in_step * conj(in_step));
        own += q / sc_per_sb;
        leak += (off - q / kept) / sc_per_sb;
    }
    return (struct expect_spread){.own = own / (kept * kept), .leak = leak / (kept * (n_all_ant - n_ue))};
}

void expect_scatter_add(struct expect_scatter *s, bool own, double known, double unknown)
{
    const double variance = unknown * (unknown + 2 * known);
    *(own ? &s->signal : &s->disturbance) += known + unknown;
    *(own ? &s->signal_variance : &s->disturbance_variance) += variance;
}

double expect_scatter_factor(const struct expect_scatter *s)
{
    if (!(s->signal > 0 && s->disturbance > 0)) {
        return 1;
    }
    return exp(0.5 * (s->disturbance_variance / (s->disturbance * s->disturbance) -
                      s->signal_variance / (s->signal * s->signal)));
}
