/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cluster/shares.h"

#include <math.h>

/* Largest share of user k, and the sum of its gains, over the APs that serve it. */
static double largest_share(int n_ap, int n_ue, const uint8_t *served, const double *beta, const double *w, int k,
                            double *gain)
{
    double most = 0;
    *gain = 0;
    for (int l = 0; l < n_ap; l++) {
        if (served[l * n_ue + k]) {
            most = fmax(most, w[l * n_ue + k]);
            *gain += beta[l * n_ue + k];
        }
    }
    return most;
}

void shares_central(int n_ap, int n_ue, const uint8_t *served, const double *beta, const double *w, const double *P,
                    double upsilon, double kappa, double *weight, double *rho)
{
    double gain;
    for (int k = 0; k < n_ue; k++) {
        const double most = largest_share(n_ap, n_ue, served, beta, w, k, &gain);
        weight[k] = most > 0 && gain > 0 ? pow(gain, upsilon) * pow(most, 1 - kappa) : 0;
        rho[k] = INFINITY; /* until the busiest of its APs says how much of its budget a weight of 1 is */
    }
    for (int l = 0; l < n_ap; l++) {
        double load = 0;
        for (int i = 0; i < n_ue; i++) {
            load += served[l * n_ue + i] ? weight[i] : 0;
        }
        for (int k = 0; k < n_ue && load > 0; k++) {
            rho[k] = served[l * n_ue + k] ? fmin(rho[k], P[l] / load) : rho[k];
        }
    }
    for (int k = 0; k < n_ue; k++) {
        const double most = largest_share(n_ap, n_ue, served, beta, w, k, &gain);
        rho[k] = weight[k] > 0 ? rho[k] * weight[k] / most : 0;
    }
}

void shares_local(int n_ap, int n_ue, const uint8_t *served, const double *beta, double P, double *rho)
{
    for (int l = 0; l < n_ap; l++) {
        double sum = 0;
        for (int k = 0; k < n_ue; k++) {
            sum += served[l * n_ue + k] ? sqrt(beta[l * n_ue + k]) : 0;
        }
        for (int k = 0; k < n_ue; k++) {
            const int i = l * n_ue + k;
            rho[i] = served[i] && sum > 0 ? P * sqrt(beta[i]) / sum : 0;
        }
    }
}
