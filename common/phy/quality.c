/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "phy/quality.h"

#include <math.h>

struct task {
    const struct frame *frame;
    const struct simd_ops *simd;
    size_t n_re;
    const tutti_cf32 *y, *s;
    const struct quality_work *work;
};

/* cross: sum y conj(s), power: sum |s|^2, of every subband. */
static void correlate_with_truth(const struct task *t)
{
    const struct frame *f = t->frame;
    const struct quality_work *w = t->work;
    subband_clear(f, &w->rows);
    subband_clear(f, &w->factor);
    for (size_t at = 0; at < t->n_re; at += (size_t)f->n_sc) {
        const float *y = (const float *)(t->y + at), *s = (const float *)(t->s + at);
        t->simd->rows_dot(f->n_sc, y, s, w->rows.direct, w->rows.crossed);
        t->simd->rows_dot(f->n_sc, s, s, w->factor.direct, w->factor.crossed);
    }
    subband_sum(f, &w->rows, w->cross, w->cross + f->n_sb);
    subband_sum(f, &w->factor, w->power, NULL);
}

/* sums: sum |y - fitted gain s|^2 of every subband; the errors themselves are squared, so that the noise of a strong
 * signal is not the difference of two large sums. */
static void measure_errors(const struct task *t)
{
    const struct frame *f = t->frame;
    const struct quality_work *w = t->work;
    for (int sb = 0; sb < f->n_sb; sb++) {
        subband_factor(f, sb, w->cross[sb] / w->power[sb], w->cross[f->n_sb + sb] / w->power[sb], &w->factor);
    }
    subband_clear(f, &w->rows);
    for (size_t at = 0; at < t->n_re; at += (size_t)f->n_sc) {
        t->simd->rows_residual(f->n_sc, w->factor.direct, w->factor.crossed, (const float *)(t->s + at),
                               (const float *)(t->y + at), w->rows.direct);
    }
    subband_sum(f, &w->rows, w->sums, NULL);
}

struct quality quality_measure(const struct frame *frame, const struct simd_ops *simd, int n_symbol,
                               const tutti_cf32 *y, const tutti_cf32 *s, const double *weight,
                               const struct quality_work *work)
{
    const struct task task = {frame, simd, (size_t)n_symbol * (size_t)frame->n_sc, y, s, work};
    const double n = (double)n_symbol * frame->sc_per_sb;
    double signal = 0, error = 0, deviation = 0, reference = 0;
    correlate_with_truth(&task);
    measure_errors(&task);
    for (int sb = 0; sb < frame->n_sb; sb++) {
        const double power = work->power[sb], counts = weight ? weight[sb] : 1;
        const double re = work->cross[sb] / power, im = work->cross[frame->n_sb + sb] / power;
        const double residual = work->sums[sb] / (n - 1.0); /* per symbol */
        signal += counts * ((re * re + im * im) * power / n - residual / n);
        error += counts * residual;
        deviation += work->sums[sb] + ((re - 1) * (re - 1) + im * im) * power; /* from the truth, not from g times it */
        reference += power;
    }
    return (struct quality){.sinr = signal > 0 && error > 0 ? signal / error : 0, .evm = sqrt(deviation / reference)};
}
