/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "rlspa/network.h"

#include <math.h>

static const double F_MHZ = 1900, AP_HEIGHT_M = 15, UE_HEIGHT_M = 1.65, NEAR_KM = 0.010, FAR_KM = 0.050, SHADOW_DB = 8;

/* L0 of Hata-COST231: 140.715 dB. */
static double constant_db(void)
{
    const double lg = log10(F_MHZ);
    return 46.3 + 33.9 * lg - 13.82 * log10(AP_HEIGHT_M) - (1.1 * lg - 0.7) * UE_HEIGHT_M + (1.56 * lg - 0.8);
}

double network_gain(double distance_km, double shadow)
{
    double db = -constant_db();
    if (distance_km > FAR_KM) {
        db += -35 * log10(distance_km) + SHADOW_DB * shadow;
    } else {
        db += -15 * log10(FAR_KM) - 20 * log10(fmax(distance_km, NEAR_KM));
    }
    return pow(10, db / 10);
}

void network_gains(int n_ap, int n_ue, const double *ap_km, const double *ue_km, const double *shadow, double *beta)
{
    for (int l = 0; l < n_ap; l++) {
        for (int k = 0; k < n_ue; k++) {
            const double d = hypot(ap_km[2 * l] - ue_km[2 * k], ap_km[2 * l + 1] - ue_km[2 * k + 1]);
            beta[l * n_ue + k] = network_gain(d, shadow[l * n_ue + k]);
        }
    }
}

double network_mean_gain(int n_ap, int n_ue, const double *beta)
{
    double sum = 0;
    for (int i = 0; i < n_ap * n_ue; i++) {
        sum += beta[i];
    }
    return sum / (n_ap * n_ue);
}

void network_clusters(int n_ap, int n_ue, const double *beta, uint8_t *served)
{
    const double mean = network_mean_gain(n_ap, n_ue, beta);
    for (int k = 0; k < n_ue; k++) {
        int best = 0;
        for (int l = 0; l < n_ap; l++) {
            served[l * n_ue + k] = beta[l * n_ue + k] >= mean;
            best = beta[l * n_ue + k] > beta[best * n_ue + k] ? l : best;
        }
        served[best * n_ue + k] = 1;
    }
}

void network_mask(int n_ap, int n_ant, int n_ue, const uint8_t *served, const struct split *G, struct split *Ga)
{
    for (int m = 0; m < n_ap * n_ant; m++) {
        const uint8_t *const row = served + (m / n_ant) * n_ue;
        for (int k = 0; k < n_ue; k++) {
            Ga->re[m * n_ue + k] = row[k] ? G->re[m * n_ue + k] : 0;
            Ga->im[m * n_ue + k] = row[k] ? G->im[m * n_ue + k] : 0;
        }
    }
}
