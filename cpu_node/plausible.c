/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cpu_node/plausible.h"

#include "base/error.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *implausible_text(enum implausible why)
{
    static const char *const text[N_IMPLAUSIBLE] = {
        [PLAUSIBLE] = "plausible",
        [IMPLAUSIBLE_NOISE_FLOOR] = "noise_floor",
        [IMPLAUSIBLE_NOISE_JUMP] = "noise_jump",
        [IMPLAUSIBLE_POWER] = "power",
        [IMPLAUSIBLE_GAIN_JUMP] = "gain_jump",
        [IMPLAUSIBLE_VALUE] = "value",
        [IMPLAUSIBLE_PROBATION] = "probation",
    };
    return text[why];
}

int plausible_create(struct plausible **plausible, int n_ap, int n_ue, double noise_floor)
{
    struct plausible *p = *plausible = calloc(1, sizeof *p);
    if (!p) {
        return error_set(TUTTI_ENOMEM, "out of memory for the plausibility of estimates");
    }
    const size_t n = (size_t)n_ap * (size_t)n_ue;
    p->n_ap = n_ap;
    p->n_ue = n_ue;
    p->noise_floor = noise_floor;
    p->ap = calloc((size_t)n_ap, sizeof *p->ap);
    p->gain = calloc(n, sizeof *p->gain);
    p->n_seen = calloc(n, sizeof *p->n_seen);
    p->ratio = calloc((size_t)n_ue, sizeof *p->ratio);
    const bool whole = p->ap && p->gain && p->n_seen && p->ratio;
    return whole ? TUTTI_OK : error_set(TUTTI_ENOMEM, "out of memory for the plausibility of estimates");
}

void plausible_destroy(struct plausible *p)
{
    if (!p) {
        return;
    }
    free(p->ap);
    free(p->gain);
    free(p->n_seen);
    free(p->ratio);
    free(p);
}

static void forget_levels(struct plausible *p, int ap)
{
    const size_t n_ue = (size_t)p->n_ue;
    p->ap[ap].lowest_noise = 0;
    memset(p->gain + (size_t)ap * n_ue, 0, n_ue * sizeof *p->gain);
    memset(p->n_seen + (size_t)ap * n_ue, 0, n_ue * sizeof *p->n_seen);
}

void plausible_forget(struct plausible *p, int ap)
{
    forget_levels(p, ap);
    p->ap[ap].good_in_row = p->ap[ap].bad_in_row = 0;
    p->ap[ap].out = false;
}

static bool values_are_possible(const struct plausible *p, const struct plausible_report *r)
{
    for (int k = 0; k < p->n_ue; k++) {
        if (!(r->beta[k] >= 0) || !(r->error_variance[k] >= 0) || r->error_variance[k] > 1.001f * r->beta[k]) {
            return false;
        }
    }
    return true;
}

/* Mean |h|^2 of one antenna and subband, all users together, against what the gains say. */
static bool power_is_possible(const struct plausible *p, const struct plausible_report *r)
{
    const size_t n = (size_t)r->n_sb * (size_t)r->n_ant * (size_t)p->n_ue;
    const float *h = (const float *)r->H_hat;
    double seen = 0, said = 0;
    for (size_t i = 0; i < 2 * n;
         i += 2 * (size_t)p->n_ue) { /* sums in single precision per antenna are exact enough */
        float row = 0;
        for (size_t k = 0; k < 2 * (size_t)p->n_ue; k++) {
            row += h[i + k] * h[i + k];
        }
        seen += (double)row;
    }
    for (int k = 0; k < p->n_ue; k++) {
        said += (double)r->beta[k];
    }
    return seen <= PLAUSIBLE_POWER * said * r->n_sb * r->n_ant; /* false for what is not finite */
}

/* Median of the rises of users whose gain is known; 0 when none is. */
static float common_rise(struct plausible *p, int ap, const struct plausible_report *r)
{
    int n = 0;
    for (int k = 0; k < p->n_ue; k++) {
        const size_t at = (size_t)ap * (size_t)p->n_ue + (size_t)k;
        if (p->n_seen[at] < PLAUSIBLE_LEARN_BLOCKS || p->gain[at] <= 0) {
            continue;
        }
        const float ratio = r->beta[k] / p->gain[at];
        int i = n++;
        for (; i > 0 && p->ratio[i - 1] > ratio; i--) {
            p->ratio[i] = p->ratio[i - 1];
        }
        p->ratio[i] = ratio;
    }
    return n > 0 ? p->ratio[n / 2] : 0;
}

static enum implausible judge(struct plausible *p, int ap, const struct plausible_report *r)
{
    const float noise = r->noise_power, lowest = p->ap[ap].lowest_noise;
    if (!values_are_possible(p, r)) {
        return IMPLAUSIBLE_VALUE;
    }
    if (!power_is_possible(p, r)) {
        return IMPLAUSIBLE_POWER;
    }
    if ((double)noise < PLAUSIBLE_FLOOR * p->noise_floor) {
        return IMPLAUSIBLE_NOISE_FLOOR;
    }
    if (lowest > 0 && (double)noise < PLAUSIBLE_NOISE * (double)lowest) {
        return IMPLAUSIBLE_NOISE_JUMP;
    }
    return (double)common_rise(p, ap, r) > PLAUSIBLE_GAIN ? IMPLAUSIBLE_GAIN_JUMP : PLAUSIBLE;
}

/* A gain is known while there is more of it than of the noise: nobody knows that of a user who is not there, and it may
 * appear with any strength. */
static void learn_gain(float beta, float error_variance, float *gain, int *n_seen)
{
    static const float WEIGHT = 0.05f, MOST_ERROR = 0.3f;
    if (error_variance >= MOST_ERROR * beta) {
        *n_seen = 0;
        return;
    }
    *gain = *n_seen == 0 ? beta : *gain + WEIGHT * (beta - *gain);
    *n_seen += *n_seen < PLAUSIBLE_LEARN_BLOCKS;
}

static void learn(struct plausible *p, int ap, const struct plausible_report *r)
{
    struct plausible_ap *a = &p->ap[ap];
    a->lowest_noise = a->lowest_noise > 0 ? fminf(a->lowest_noise, r->noise_power) : r->noise_power;
    for (int k = 0; k < p->n_ue; k++) {
        const size_t at = (size_t)ap * (size_t)p->n_ue + (size_t)k;
        learn_gain(r->beta[k], r->error_variance[k], &p->gain[at], &p->n_seen[at]);
    }
}

/* What is wrong by itself stays wrong; what is only another level than before becomes normal in time. */
static bool is_relative(enum implausible why)
{
    return why == IMPLAUSIBLE_NOISE_JUMP || why == IMPLAUSIBLE_GAIN_JUMP;
}

enum implausible plausible_judge(struct plausible *p, int ap, const struct plausible_report *r, bool *changed)
{
    struct plausible_ap *a = &p->ap[ap];
    const bool was_out = a->out;
    enum implausible why = judge(p, ap, r);
    if (why == PLAUSIBLE) {
        a->bad_in_row = 0;
        a->good_in_row++;
        learn(p, ap, r);
        a->out = a->out && a->good_in_row < PLAUSIBLE_PROBATION_BLOCKS;
        why = a->out ? IMPLAUSIBLE_PROBATION : PLAUSIBLE;
    } else {
        a->good_in_row = 0;
        a->out = true;
        if (++a->bad_in_row >= PLAUSIBLE_RELEARN_BLOCKS && is_relative(why)) {
            forget_levels(p, ap);
        }
    }
    a->n_left_out += a->out;
    *changed = a->out != was_out;
    return why;
}
