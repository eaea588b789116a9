/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "mimo/an_share.h"

#include <math.h>

double an_share_spare(int n_sb, int n_ue, const float *sinr, const uint8_t *used, double target_sinr_db, double most)
{
    double worst = INFINITY;
    for (int i = 0; i < n_sb * n_ue; i++) {
        if (used[i % n_ue]) {
            worst = fmin(worst, (double)sinr[i]);
        }
    }
    if (!(worst > 0) || isinf(worst)) {
        return 0;
    }
    return fmin(fmax(1.0 - pow(10.0, target_sinr_db / 10.0) / worst, 0.0), most);
}
