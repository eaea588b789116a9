/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What an eavesdropper in a sensing zone measures besides what it decodes. */
#include "ue_node/ue.h"

static double power_of_data(const struct frame *f, const tutti_cf32 *Y)
{
    const size_t first = (size_t)f->n_dl_pilot * (size_t)f->n_sc, end = (size_t)f->n_dl * (size_t)f->n_sc;
    double sum = 0;
    for (size_t i = first; i < end; i++) {
        const double re = (double)crealf(Y[i]), im = (double)cimagf(Y[i]);
        sum += re * re + im * im;
    }
    return sum / (double)(end - first);
}

bool probe_measure(struct ue *ue, const tutti_cf32 *Y, struct probe_powers *p)
{
    const int n_zone = config_n_zone(ue->config), n_user = ue->n_stream - n_zone;
    if (ue->role != UE_EVE || ue->id >= n_zone) {
        return false;
    }
    *p = (struct probe_powers){.total = power_of_data(&ue->frame, Y)};
    for (int j = 0; j < ue->n_stream; j++) {
        const double power = receiver_power(ue->receiver, j, &p->noise);
        double *const share = j < n_user ? &p->communication : j == n_user + ue->id ? &p->own : &p->cross;
        *share += power;
    }
    return true;
}
