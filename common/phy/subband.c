/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "phy/subband.h"

#include <string.h>

void subband_clear(const struct frame *frame, const struct subband_rows *rows)
{
    memset(rows->direct, 0, sizeof(float) * 2 * (size_t)frame->n_sc);
    memset(rows->crossed, 0, sizeof(float) * 2 * (size_t)frame->n_sc);
}

void subband_sum(const struct frame *frame, const struct subband_rows *rows, double *re, double *im)
{
    const int n = 2 * frame->sc_per_sb;
    for (int sb = 0; sb < frame->n_sb; sb++) {
        const float *direct = rows->direct + sb * n, *crossed = rows->crossed + sb * n;
        double sum = 0, even = 0, odd = 0;
        for (int i = 0; i < n; i += 2) {
            sum += (double)direct[i] + (double)direct[i + 1];
            even += (double)crossed[i];
            odd += (double)crossed[i + 1];
        }
        re[sb] = sum;
        if (im) {
            im[sb] = even - odd;
        }
    }
}

void subband_factor(const struct frame *frame, int sb, double re, double im, const struct subband_rows *rows)
{
    const int n = 2 * frame->sc_per_sb;
    float *direct = rows->direct + sb * n, *crossed = rows->crossed + sb * n;
    for (int i = 0; i < n; i += 2) {
        direct[i] = direct[i + 1] = (float)re;
        crossed[i] = -(float)im;
        crossed[i + 1] = (float)im;
    }
}

void subband_row_factor(const struct frame *frame, const tutti_cf32 *factor, const struct subband_rows *rows)
{
    for (int i = 0; i < frame->n_sc; i++) {
        rows->direct[2 * i] = rows->direct[2 * i + 1] = crealf(factor[i]);
        rows->crossed[2 * i] = -cimagf(factor[i]);
        rows->crossed[2 * i + 1] = cimagf(factor[i]);
    }
}

void subband_covariance(const struct frame *frame, const struct simd_ops *simd, int n_ant, int n_row,
                        const tutti_cf32 *x, const struct subband_rows *work, double *sums, double *re, double *im)
{
    const size_t n_sc = (size_t)frame->n_sc, rows = (size_t)n_row;
    for (int m = 0; m < n_ant; m++) {
        for (int q = 0; q <= m; q++) {
            subband_clear(frame, work);
            for (size_t t = 0; t < rows; t++) {
                simd->rows_dot(frame->n_sc, (const float *)(x + ((size_t)m * rows + t) * n_sc),
                               (const float *)(x + ((size_t)q * rows + t) * n_sc), work->direct, work->crossed);
            }
            subband_sum(frame, work, sums, sums + frame->n_sb);
            for (int sb = 0; sb < frame->n_sb; sb++) {
                const int at = sb * n_ant * n_ant, below = at + m * n_ant + q, above = at + q * n_ant + m;
                re[below] = re[above] = sums[sb];
                im[above] = m == q ? 0 : -sums[frame->n_sb + sb];
                im[below] = m == q ? 0 : sums[frame->n_sb + sb];
            }
        }
    }
}
