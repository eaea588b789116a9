/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cpu_node/uplink/unleak.h"

#include "base/error.h"
#include "phy/leak.h"
#include "phy/pilot.h"

#include <stdlib.h>
#include <string.h>

static const double LEAST_S = 0.01; /* of a user that an AP hardly hears nothing can be told */

int unleak_create(struct unleak *u, const struct uplink_shape *shape)
{
    const size_t n_ap = (size_t)shape->n_ap, n_ue = (size_t)shape->n_ue, tau = (size_t)shape->frame->n_pilot;
    *u = (struct unleak){.frame = shape->frame};
    u->phi = calloc(tau * tau, sizeof *u->phi);
    u->X = calloc(n_ue * n_ue, sizeof *u->X);
    u->R = calloc(n_ap * n_ue * n_ue, sizeof *u->R);
    u->turn = calloc(n_ue, sizeof *u->turn);
    u->pilot = calloc(n_ue, sizeof *u->pilot);
    u->rad = calloc(n_ue, sizeof *u->rad);
    u->s = calloc(n_ue, sizeof *u->s);
    if (!u->phi || !u->X || !u->R || !u->turn || !u->pilot || !u->rad || !u->s) {
        return error_set(TUTTI_ENOMEM, "out of memory for the offsets of %d users", shape->n_ue);
    }
    pilot_sequences(shape->frame->n_pilot, u->phi);
    return TUTTI_OK;
}

void unleak_destroy(struct unleak *u)
{
    free(u->phi);
    free(u->X);
    free(u->R);
    free(u->turn);
    free(u->pilot);
    free(u->rad);
    free(u->s);
    *u = (struct unleak){0};
}

void unleak_begin(struct unleak *u, int n_user, const int *user, const int32_t *pilot_of_user,
                  const double *rad_per_symbol)
{
    bool any = false;
    u->n_user = n_user;
    for (int k = 0; rad_per_symbol && k < n_user; k++) {
        u->pilot[k] = pilot_of_user[user[k]];
        u->rad[k] = rad_per_symbol[user[k]];
        any = any || u->rad[k] != 0;
    }
    u->active = any && leak_undo(u->frame, u->phi, n_user, u->pilot, u->rad, u->X);
}

void unleak_ap(struct unleak *u, int l, const int *user, const float *beta, const float *error_variance)
{
    const int n = u->n_user;
    double complex *const R = u->R + (size_t)l * (size_t)n * (size_t)n;
    for (int k = 0; k < n; k++) {
        const double b = (double)beta[user[k]];
        const double s = b > 0 ? 1 - (double)error_variance[user[k]] / b : 0;
        u->s[k] = s > LEAST_S ? s : 0;
    }
    for (int k = 0; k < n; k++) {
        for (int j = 0; j < n; j++) {
            R[k * n + j] = j == k ? u->X[k * n + k] : u->s[j] > 0 ? u->s[k] / u->s[j] * u->X[k * n + j] : 0;
        }
    }
}

void unleak_channels(const struct unleak *u, int l, tutti_cf32 *row)
{
    const int n = u->n_user;
    const double complex *R = u->R + (size_t)l * (size_t)n * (size_t)n;
    for (int k = 0; k < n; k++, R += n) {
        u->turn[k] = 0;
        for (int j = 0; j < n; j++) {
            u->turn[k] += R[j] * row[j];
        }
    }
    for (int k = 0; k < n; k++) {
        row[k] = (tutti_cf32)u->turn[k];
    }
}

void unleak_weights(const struct unleak *u, int l, double complex *row)
{
    const int n = u->n_user;
    const double complex *R = u->R + (size_t)l * (size_t)n * (size_t)n;
    memset(u->turn, 0, (size_t)n * sizeof *u->turn);
    for (int k = 0; k < n; k++, R += n) {
        for (int j = 0; j < n; j++) {
            u->turn[j] += row[k] * conj(R[j]);
        }
    }
    memcpy(row, u->turn, (size_t)n * sizeof *row);
}
