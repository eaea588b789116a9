/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Secrecy of the single-RF-chain noise transmitter and the channels its studies use (spzf 8, 9). Noise of every
 * receiver has variance 1, rho is the total transmit power. Rows multiply with a PLAIN TRANSPOSE (y = h^T x), see
 * spzf.h. For studies and tests; only secrecy_misome_bits allocates. */
#ifndef TUTTI_MIMO_SECRECY_H
#define TUTTI_MIMO_SECRECY_H

#include "base/types.h"
#include "mimo/splitmix.h"

struct secrecy_rate {
    double legit_bits, eve_bits; /* mutual information per channel use */
    double rate_bits;            /* max(0, legit - eve) */
};

/* (55): x = sqrt(rho / 2N) (f1 s + f2 w), f1 = exp(-j arg h) matched to the served user, f2 = an the noise beam.
 * h [n_ant] served user, He [n_eve][n_ant], ant fastest, an [n_ant] unit phasors. O(n_eve n_ant). */
struct secrecy_rate secrecy_single_chain(int n_ant, int n_eve, const double complex *h, const double complex *He,
                                         const double complex *an, double rho);

/* MISOME bound (Khisti-Wornell): [log2 lambda_max(I + rho conj(h) h^T, I + rho He^H He)]^+ bits, to 1e-11. Returns 0,
 * or TUTTI_ENOMEM. O(n_ant m^2 + 50 m^3), m = min(n_ant, n_eve + 1). */
int secrecy_misome_bits(int n_ant, int n_eve, const double complex *h, const double complex *He, double rho,
                        double *bits);

/* H [n_row][n_ant] iid CN(0,1). */
void secrecy_rayleigh(struct splitmix *rng, int n_row, int n_ant, double complex *H);
/* Geometric multipath (6)-(7) on a uniform linear array: row = sqrt(1/L) sum_l alpha_l a(phi_l), alpha ~ CN(0,1), phi ~
 * U[0, 2 pi), a_n = exp(j 2 pi spacing (n - 1) cos phi); E|H|^2 = 1. H [n_row][n_ant]; n_path = L >= 1. */
void secrecy_geometric(struct splitmix *rng, int n_row, int n_ant, int n_path, double spacing_wavelengths,
                       double complex *H);

#endif
