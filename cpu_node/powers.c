/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cpu_node/powers.h"

#include "base/error.h"
#include "control/maxmin_cb.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double TOLERANCE = 1e-2; /* of the least SINR: 0.04 dB */
enum { MAX_ITERATIONS = 60 };

struct powers {
    struct powers_settings set;
    maxmin_cb_t *maxmin;            /* NULL: robust least squares */
    uint64_t next;                  /* block of the next solve */
    int n_solved;                   /* since APs or users came or went */
    uint8_t *present, *served;      /* [n_ap], [n_ue] of the last block */
    double *power;                  /* [n_ap][n_ue] */
    int *user, n_user;              /* [n_ue] those served */
    double *beta, *gamma, *eta, *P; /* [n_ap][n_user], [n_ap] */
    double *mean;                   /* [n_ue] averaged shape */
};

bool powers_wanted(const struct config *config)
{
    const struct config_precoding *const p = &config->precoding;
    return (p->scheme == MIMO_CB && p->power == MIMO_POWER_MAXMIN) ||
           (p->average_blocks > 1 && MIMO_RLSPA_POWER & MIMO_ONLY(p->power));
}

int powers_create(powers_t **powers, const struct powers_settings *settings)
{
    struct powers *const p = *powers = calloc(1, sizeof *p);
    if (!p) {
        return error_set(TUTTI_ENOMEM, "out of memory for the powers");
    }
    const size_t n_ap = (size_t)settings->n_ap, n_ue = (size_t)settings->n_ue, pairs = n_ap * n_ue;
    p->set = *settings;
    p->present = calloc(n_ap, 1);
    p->served = calloc(n_ue, 1);
    p->power = calloc(pairs, sizeof *p->power);
    p->user = calloc(n_ue, sizeof *p->user);
    p->beta = calloc(pairs, sizeof *p->beta);
    p->gamma = calloc(pairs, sizeof *p->gamma);
    p->eta = calloc(pairs, sizeof *p->eta);
    p->P = calloc(n_ap, sizeof *p->P);
    p->mean = calloc(n_ue, sizeof *p->mean);
    if (!p->present || !p->served || !p->power || !p->user || !p->beta || !p->gamma || !p->eta || !p->P || !p->mean) {
        return error_set(TUTTI_ENOMEM, "out of memory for the powers");
    }
    return settings->average_blocks > 0 ? TUTTI_OK
                                        : maxmin_cb_create(&p->maxmin, settings->n_ap, settings->n_ant, settings->n_ue);
}

void powers_destroy(powers_t *p)
{
    if (!p) {
        return;
    }
    maxmin_cb_destroy(p->maxmin);
    free(p->present);
    free(p->served);
    free(p->power);
    free(p->user);
    free(p->beta);
    free(p->gamma);
    free(p->eta);
    free(p->P);
    free(p->mean);
    free(p);
}

/* Whether APs or users are others than in the last block; remembers these. */
static bool see_changes(struct powers *p, const struct powers_input *in)
{
    const size_t n_ap = (size_t)p->set.n_ap, n_ue = (size_t)p->set.n_ue;
    const bool changed = memcmp(p->present, in->ap_present, n_ap) != 0 || memcmp(p->served, in->user_served, n_ue) != 0;
    memcpy(p->present, in->ap_present, n_ap);
    memcpy(p->served, in->user_served, n_ue);
    return changed;
}

/* Max-min of conjugate beams --------------------------------------------------------------------------------------- */

/* As the beams have it (mimo/scheme_local.c): gamma is what the estimates vary by; without one the link is none. */
static void pack(struct powers *p, const struct powers_input *in)
{
    p->n_user = 0;
    for (int k = 0; k < p->set.n_ue; k++) {
        if (in->user_served[k]) {
            p->user[p->n_user++] = k;
        }
    }
    for (int m = 0; m < p->set.n_ap; m++) {
        p->P[m] = in->ap_present[m] ? 1 : 0;
        for (int i = 0; i < p->n_user; i++) {
            const int from = m * p->set.n_ue + p->user[i], to = m * p->n_user + i;
            const double beta = (double)in->beta[from], gamma = fmax(beta - (double)in->error_variance[from], 0);
            p->gamma[to] = in->ap_present[m] ? gamma : 0;
            p->beta[to] = p->gamma[to] > 0 ? beta : 0;
        }
    }
}

static void balance(struct powers *p, const struct powers_input *in)
{
    struct maxmin_cb_result result;
    pack(p, in);
    const struct maxmin_cb_network network = {
        .n_ap = p->set.n_ap, .n_ant = p->set.n_ant, .n_ue = p->n_user, .beta = p->beta, .gamma = p->gamma, .P = p->P};
    maxmin_cb_execute(p->maxmin, &network, TOLERANCE, MAX_ITERATIONS, p->eta, &result);
    memset(p->power, 0, (size_t)(p->set.n_ap * p->set.n_ue) * sizeof *p->power);
    for (int i = 0; i < p->set.n_ap * p->n_user; i++) {
        p->power[i / p->n_user * p->set.n_ue + p->user[i % p->n_user]] = p->set.n_ant * p->eta[i] * p->gamma[i];
    }
}

static bool maxmin_block(struct powers *p, const struct powers_input *in, bool changed)
{
    p->n_solved = changed ? 0 : p->n_solved;
    if (!changed && in->block < p->next) {
        return false;
    }
    bool any = false;
    for (int k = 0; k < p->set.n_ue; k++) {
        any = any || in->user_served[k];
    }
    p->next = in->block + (p->n_solved++ < POWERS_LEARN ? 1 : POWERS_EVERY);
    if (any) {
        balance(p, in);
    }
    return any;
}

/* Robust least squares --------------------------------------------------------------------------------------------- */

/* Exponentially, over average_blocks blocks with these users; the first ones in the plain mean. */
static bool average_block(struct powers *p, const struct powers_input *in, bool changed)
{
    double sum = 0;
    p->n_solved = changed ? 0 : p->n_solved;
    for (int k = 0; k < p->set.n_ue; k++) {
        sum += in->shape[k];
    }
    if (!(sum > 0)) {
        return false; /* nothing was solved with this rule: the ladder, or nobody is there */
    }
    p->n_solved += p->n_solved < p->set.average_blocks;
    for (int k = 0; k < p->set.n_ue; k++) {
        p->mean[k] += (in->shape[k] / sum - p->mean[k]) / p->n_solved; /* by 1: what was before is gone */
    }
    for (int i = 0; i < p->set.n_ap * p->set.n_ue; i++) {
        p->power[i] = p->mean[i % p->set.n_ue];
    }
    return true;
}

bool powers_block(powers_t *p, const struct powers_input *in, const double **power)
{
    const bool changed = see_changes(p, in);
    *power = p->power;
    return p->maxmin ? maxmin_block(p, in, changed) : average_block(p, in, changed);
}
