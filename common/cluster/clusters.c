/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cluster/clusters.h"

#include <string.h>

static int best_ap(int n_ap, int n_ue, const double *beta, int k)
{
    int best = 0;
    for (int l = 1; l < n_ap; l++) {
        best = beta[l * n_ue + k] > beta[best * n_ue + k] ? l : best;
    }
    return best;
}

void clusters_pilots(int n_ap, int n_ue, int n_pilot, const double *beta, double *sum, int *pilot)
{
    for (int k = 0; k < n_ue; k++) {
        const double *const row = beta + best_ap(n_ap, n_ue, beta, k) * n_ue;
        int least = 0;
        memset(sum, 0, (size_t)n_pilot * sizeof *sum);
        for (int i = 0; i < k; i++) {
            sum[pilot[i]] += row[i];
        }
        for (int t = 1; t < n_pilot; t++) {
            least = sum[t] < sum[least] ? t : least;
        }
        pilot[k] = least;
    }
}

/* What two users on one pilot hear of each other at their best APs, over what is heard there of themselves. The same
 * for both, so that moves that lessen it for one lessen it in all, and come to an end. */
static double mutual(int n_ue, const double *beta, const int *master, int k, int i)
{
    const double *const mine = beta + master[k] * n_ue, *const its = beta + master[i] * n_ue;
    return mine[k] > 0 && its[i] > 0 ? mine[i] / mine[k] + its[k] / its[i] : 0;
}

int clusters_move(int n_ap, int n_ue, int n_pilot, const double *beta, double hysteresis, double *sum, int *master,
                  int *pilot)
{
    int n_moved = 0;
    for (int k = 0; k < n_ue; k++) {
        master[k] = best_ap(n_ap, n_ue, beta, k);
    }
    for (int k = 0; k < n_ue; k++) {
        int least = 0;
        memset(sum, 0, (size_t)n_pilot * sizeof *sum);
        for (int i = 0; i < n_ue; i++) {
            sum[pilot[i]] += i != k ? mutual(n_ue, beta, master, k, i) : 0;
        }
        for (int t = 1; t < n_pilot; t++) {
            least = sum[t] < sum[least] ? t : least;
        }
        if (sum[pilot[k]] > hysteresis * sum[least] && sum[pilot[k]] > CLUSTERS_QUIET) {
            pilot[k] = least;
            n_moved++;
        }
    }
    return n_moved;
}

/* One AP's strongest user on every pilot; whom it serves already counts for more. */
static void serve_strongest(int n_ue, const struct clusters_settings *s, const double *beta, const int *pilot,
                            const uint8_t *previous, int *best, uint8_t *served)
{
    for (int t = 0; t < s->n_pilot; t++) {
        best[t] = -1;
    }
    for (int k = 0; k < n_ue; k++) {
        const int rival = best[pilot[k]];
        const double own = beta[k] * (previous && previous[k] ? s->hysteresis : 1);
        if (rival < 0 || own > beta[rival] * (previous && previous[rival] ? s->hysteresis : 1)) {
            best[pilot[k]] = k;
        }
    }
    for (int t = 0; t < s->n_pilot; t++) {
        if (best[t] >= 0) {
            served[best[t]] = 1;
        }
    }
}

/* What AP l is worth to user k: more where it serves it already. */
static double worth(int n_ue, const struct clusters_settings *s, const double *beta, int l, int k)
{
    return beta[l * n_ue + k] * (s->previous && s->previous[l * n_ue + k] ? s->hysteresis : 1);
}

/* The weakest AP leaves user k's cluster while there are too many; of equals the one behind. */
static void prune(int n_ap, int n_ue, const struct clusters_settings *s, const double *beta, int k, int master,
                  uint8_t *served)
{
    int n = 0;
    for (int l = 0; l < n_ap; l++) {
        n += served[l * n_ue + k];
    }
    for (; n > s->max_aps; n--) {
        int weakest = -1;
        for (int l = 0; l < n_ap; l++) {
            if (served[l * n_ue + k] && l != master &&
                (weakest < 0 || worth(n_ue, s, beta, l, k) <= worth(n_ue, s, beta, weakest, k))) {
                weakest = l;
            }
        }
        served[weakest * n_ue + k] = 0;
    }
}

void clusters_form(int n_ap, int n_ue, const struct clusters_settings *s, const double *beta, const int *pilot,
                   int *best, uint8_t *served)
{
    memset(served, 0, (size_t)n_ap * (size_t)n_ue);
    for (int l = 0; l < n_ap; l++) {
        const uint8_t *const previous = s->previous ? s->previous + l * n_ue : NULL;
        serve_strongest(n_ue, s, beta + l * n_ue, pilot, previous, best, served + l * n_ue);
    }
    for (int k = 0; k < n_ue; k++) {
        const int master = best_ap(n_ap, n_ue, beta, k);
        served[master * n_ue + k] = 1;
        if (s->max_aps > 0) {
            prune(n_ap, n_ue, s, beta, k, master, served);
        }
    }
}

int clusters_neighbours(int n_ap, int n_ue, const uint8_t *served, int k, int *neighbours)
{
    int n = 0;
    for (int i = 0; i < n_ue; i++) {
        bool shares = false;
        for (int l = 0; l < n_ap && !shares; l++) {
            shares = served[l * n_ue + i] && served[l * n_ue + k];
        }
        if (shares) {
            neighbours[n++] = i;
        }
    }
    return n;
}
