/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The MMSE combiner of one stream at several antennas, in double precision. Pure; no allocation; O(n_ant^3 + n_stream
 * n_ant^2). */
#ifndef TUTTI_PHY_MMSE_H
#define TUTTI_PHY_MMSE_H

/* Effective channels g_j of all streams at these antennas and the covariance of what is no stream. */
struct mmse_channel {
    int n_ant, n_stream;
    const double *gain_re, *gain_im;   /* [n_stream][n_ant] */
    const double *noise_re, *noise_im; /* [n_ant][n_ant], Hermitian */
};

struct mmse_combined {
    double gain_re, gain_im; /* w^H g of the stream */
    double disturbance;      /* w^H R w: the other streams and the noise */
    double dimensions;       /* tr R^-1 noise: how many of the antennas' dimensions hold mostly noise */
};

/* Doubles that mmse_combine works on. */
int mmse_work_size(int n_ant);
/* w = R^-1 g scaled to unit norm (one antenna is left as it is), R = noise + sum of g_j g_j^H over the other streams;
 * combined = w^H y. Without a usable R the antennas are combined for the most signal; without a signal the first is
 * taken. w_re, w_im [n_ant]. */
void mmse_combine(const struct mmse_channel *channel, int stream, double *work, double *w_re, double *w_im,
                  struct mmse_combined *combined);

#endif
