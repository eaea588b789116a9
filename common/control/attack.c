/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "control/attack.h"

#include "base/error.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Of one AP and user. */
struct trace {
    double window_sum; /* over the present blocks of the window */
    int window_count;
    double reference_mean; /* of the blocks before the window */
    int reference_count;
    double complex cross; /* moving sums of z conj(z before) and of the product of their lengths */
    double energy;
};

struct attack {
    struct attack_settings set;
    int *pilot;          /* [n_ue] */
    int *position;       /* [n_ue] next place in the user's window */
    struct trace *trace; /* [n_ap][n_ue] */
    double *window;      /* [window_blocks][n_ap][n_ue] received power, 0 = not present */
    tutti_cf32 *before;  /* [n_sb][n_ap][n_ant][n_ue] z of the block before */
    uint8_t *was_here;   /* [n_ap][n_ue] in the block before */
    uint8_t *suspected;  /* [n_ue] in the block before */
};

/* F tail ---------------------------------------------------------------------------------------------------------- */

/* Continued fraction of the incomplete beta function, modified Lentz (DLMF 8.17.22). */
static double beta_fraction(double a, double b, double x)
{
    const double tiny = 1e-300;
    const int most = 100 + 20 * (int)sqrt(a + b);
    double c = 1, d = 1 - (a + b) * x / (a + 1);
    d = 1 / (fabs(d) > tiny ? d : tiny);
    double value = d;
    for (int m = 1; m <= most; m++) {
        const double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
        const double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
        const double step[2] = {even, odd};
        double change = 1;
        for (int i = 0; i < 2; i++) {
            d = 1 + step[i] * d;
            d = 1 / (fabs(d) > tiny ? d : tiny);
            c = 1 + step[i] / c;
            c = fabs(c) > tiny ? c : tiny;
            change = c * d;
            value *= change;
        }
        if (fabs(change - 1) < 1e-13) {
            break;
        }
    }
    return value;
}

static double log_gamma(double x)
{
    int sign;
    return lgamma_r(x, &sign);
}

/* P(X > x) = I_z(b, a), z = b / (b + a x). */
double attack_log_tail(double x, double a, double b)
{
    if (!(x > 0)) {
        return 0;
    }
    const double z = b / (b + a * x), y = a * x / (b + a * x);
    const double front = b * log(z) + a * log(y) + log_gamma(a + b) - log_gamma(a) - log_gamma(b);
    if (z < (b + 1) / (a + b + 2)) {
        return fmin(front + log(beta_fraction(b, a, z)) - log(b), 0);
    }
    const double lower = exp(front + log(beta_fraction(a, b, y)) - log(a));
    return log1p(-fmin(lower, 1 - 1e-16));
}

/* Life ------------------------------------------------------------------------------------------------------------ */

void attack_settings_default(struct attack_settings *settings)
{
    settings->window_blocks = 16;
    settings->reference_blocks = 256;
    settings->least_blocks = 32;
    settings->false_alarm = 1e-6;
}

static int check(const struct attack_settings *s)
{
    if (s->n_sb < 1 || s->n_sb > TUTTI_MAX_SB || s->n_ap < 1 || s->n_ap > TUTTI_MAX_AP || s->n_ant < 1 ||
        s->n_ant > TUTTI_MAX_ANT || s->n_ue < 1 || s->n_ue > TUTTI_MAX_UE) {
        return error_set(TUTTI_EINVAL, "attack: impossible shape %d %d %d %d", s->n_sb, s->n_ap, s->n_ant, s->n_ue);
    }
    if (s->window_blocks < 1 || s->least_blocks < 2 || s->reference_blocks < s->least_blocks || !(s->pilot_power > 0) ||
        !(s->false_alarm > 0 && s->false_alarm < 1)) {
        return error_set(TUTTI_EINVAL,
                         "attack: window %d, reference %d to %d blocks, pilot power %g, false alarm %g: out of range",
                         s->window_blocks, s->least_blocks, s->reference_blocks, s->pilot_power, s->false_alarm);
    }
    return TUTTI_OK;
}

int attack_create(attack_t **attack, const struct attack_settings *settings)
{
    *attack = NULL;
    const int status = check(settings);
    if (status < 0) {
        return status;
    }
    attack_t *a = calloc(1, sizeof *a);
    if (!a) {
        return error_set(TUTTI_ENOMEM, "attack: out of memory");
    }
    a->set = *settings;
    const size_t n_ue = (size_t)settings->n_ue, pairs = (size_t)settings->n_ap * n_ue;
    a->pilot = calloc(n_ue, sizeof *a->pilot);
    a->position = calloc(n_ue, sizeof *a->position);
    a->trace = calloc(pairs, sizeof *a->trace);
    a->window = calloc((size_t)settings->window_blocks * pairs, sizeof *a->window);
    a->before = calloc((size_t)settings->n_sb * (size_t)settings->n_ant * pairs, sizeof *a->before);
    a->was_here = calloc(pairs, 1);
    a->suspected = calloc(n_ue, 1);
    if (!a->pilot || !a->position || !a->trace || !a->window || !a->before || !a->was_here || !a->suspected) {
        attack_destroy(a);
        return error_set(TUTTI_ENOMEM, "attack: out of memory");
    }
    memcpy(a->pilot, settings->pilot_of_user, n_ue * sizeof *a->pilot);
    a->set.pilot_of_user = a->pilot;
    *attack = a;
    return TUTTI_OK;
}

void attack_destroy(attack_t *a)
{
    if (!a) {
        return;
    }
    free(a->pilot);
    free(a->position);
    free(a->trace);
    free(a->window);
    free(a->before);
    free(a->was_here);
    free(a->suspected);
    free(a);
}

void attack_reset(attack_t *a, int user)
{
    const size_t n_ap = (size_t)a->set.n_ap, n_ue = (size_t)a->set.n_ue, k = (size_t)user;
    for (size_t m = 0; m < n_ap; m++) {
        a->trace[m * n_ue + k] = (struct trace){0};
        a->was_here[m * n_ue + k] = 0;
    }
    for (size_t w = 0; w < (size_t)a->set.window_blocks; w++) {
        for (size_t m = 0; m < n_ap; m++) {
            a->window[(w * n_ap + m) * n_ue + k] = 0;
        }
    }
    a->position[k] = 0;
    a->suspected[k] = 0;
}

/* A block --------------------------------------------------------------------------------------------------------- */

/* 1 / c_k of estimate.h: H_hat times this is the despread pilot in units of its noise; 0 without a large-scale gain. */
static double unscale(const attack_t *a, const struct attack_block *block, int m, int k)
{
    const float *beta = block->beta + (size_t)m * (size_t)a->set.n_ue;
    double sum = 0;
    for (int j = 0; j < a->set.n_ue; j++) {
        if (a->pilot[j] == a->pilot[k]) {
            sum += (double)beta[j];
        }
    }
    return beta[k] > 0 ? (a->set.pilot_power * sum + 1) / (sqrt(a->set.pilot_power) * (double)beta[k]) : 0;
}

/* Received power, and how alike this block and the one before are. */
static double receive(attack_t *a, const struct attack_block *block, int m, int k)
{
    const size_t n_ue = (size_t)a->set.n_ue, n_ant = (size_t)a->set.n_ant, pair = (size_t)m * n_ue + (size_t)k;
    struct trace *trace = &a->trace[pair];
    const double scale = unscale(a, block, m, k), forget = 1 - 1.0 / a->set.reference_blocks;
    double now = 0, then = 0;
    double complex cross = 0;
    for (size_t sb = 0; sb < (size_t)a->set.n_sb; sb++) {
        for (size_t ant = 0; ant < n_ant; ant++) {
            const size_t at = ((sb * (size_t)a->set.n_ap + (size_t)m) * n_ant + ant) * n_ue + (size_t)k;
            const double complex z = scale * (double complex)block->H_hat[at], old = (double complex)a->before[at];
            now += creal(z) * creal(z) + cimag(z) * cimag(z);
            then += creal(old) * creal(old) + cimag(old) * cimag(old);
            cross += z * conj(old);
            a->before[at] = (tutti_cf32)z;
        }
    }
    if (a->was_here[pair]) {
        trace->cross = forget * trace->cross + cross;
        trace->energy = forget * trace->energy + sqrt(now * then);
    }
    a->was_here[pair] = now > 0 && isfinite(now);
    return a->was_here[pair] ? now / (a->set.n_sb * a->set.n_ant) : 0;
}

/* Is the pilot not there at all (samples lost, a user that was late)? So little power at all APs together would come by
 * chance in one block of a million. Against the reference, or while there is none against what the APs track. */
static bool pilot_missing(const attack_t *a, const struct attack_block *block, const double *power, int k)
{
    double sum = 0;
    int n = 0;
    for (int m = 0; m < a->set.n_ap; m++) {
        const struct trace *t = &a->trace[(size_t)m * (size_t)a->set.n_ue + (size_t)k];
        const double c = unscale(a, block, m, k), beta = (double)block->beta[m * a->set.n_ue + k];
        const double expected =
            t->reference_count >= a->set.least_blocks ? t->reference_mean : c * sqrt(a->set.pilot_power) * beta;
        if (power[m] > 0 && expected > 0) {
            sum += power[m] / expected;
            n++;
        }
    }
    const double shape = a->set.n_ant * n, huge = 1e6; /* Gamma is F with a reference without end */
    return n > 0 && attack_log_tail(n / sum, huge, shape) < log(1e-6);
}

/* The oldest block of the window makes room; unless it is under suspicion it goes into the reference. */
static void shift(attack_t *a, int m, int k, double power)
{
    const size_t n_ap = (size_t)a->set.n_ap, n_ue = (size_t)a->set.n_ue;
    struct trace *trace = &a->trace[(size_t)m * n_ue + (size_t)k];
    double *place = &a->window[((size_t)a->position[k] * n_ap + (size_t)m) * n_ue + (size_t)k];
    if (*place > 0 && !a->suspected[k]) {
        if (trace->reference_count < a->set.reference_blocks) {
            trace->reference_count++;
        }
        trace->reference_mean += (*place - trace->reference_mean) / trace->reference_count;
    }
    *place = power;
    trace->window_sum = 0; /* summed anew: nothing drifts */
    trace->window_count = 0;
    for (size_t w = 0; w < (size_t)a->set.window_blocks; w++) {
        const double value = a->window[(w * n_ap + (size_t)m) * n_ue + (size_t)k];
        trace->window_sum += value;
        trace->window_count += value > 0;
    }
}

/* Squared correlation of successive blocks, over all APs. */
static double correlation(const attack_t *a, int k)
{
    double cross = 0, energy = 0;
    for (int m = 0; m < a->set.n_ap; m++) {
        const struct trace *t = &a->trace[(size_t)m * (size_t)a->set.n_ue + (size_t)k];
        cross += creal(t->cross) * creal(t->cross) + cimag(t->cross) * cimag(t->cross);
        energy += t->energy * t->energy;
    }
    return energy > 0 ? fmin(cross / energy, 1) : 0;
}

/* ln of the probability of the window's power, NaN while the reference or the window is too short. */
static double judge(const attack_t *a, int k)
{
    const double rho2 = correlation(a, k), worth = (1 - rho2) / (1 + rho2);
    double shape = 0, reference_shape = 0, sum = 0, mean = 0;
    for (int m = 0; m < a->set.n_ap; m++) {
        const struct trace *t = &a->trace[(size_t)m * (size_t)a->set.n_ue + (size_t)k];
        if (2 * t->window_count < a->set.window_blocks || t->reference_count < a->set.least_blocks) {
            continue;
        }
        const double n = a->set.n_ant * fmax(1, worth * t->window_count);
        const double r = fmax(2, a->set.n_ant * fmax(1, worth * t->reference_count)); /* F has a mean above 1 only */
        shape += n;
        reference_shape += r;
        sum += n * t->window_sum / (t->window_count * t->reference_mean);
        mean += n * r / (r - 1);
    }
    if (!(shape > 0)) {
        return NAN;
    }
    const double own_mean = reference_shape / (reference_shape - 1); /* make the means agree */
    return attack_log_tail(sum / mean * own_mean, shape, reference_shape);
}

void attack_execute(attack_t *a, const struct attack_block *block, double *score, uint8_t *suspected)
{
    const int n_ap = a->set.n_ap, n_ue = a->set.n_ue;
    for (int k = 0; k < n_ue; k++) {
        score[k] = NAN;
        suspected[k] = 0;
        if (!block->user_present[k]) {
            for (int m = 0; m < n_ap; m++) {
                a->was_here[m * n_ue + k] = 0;
            }
            continue;
        }
        double power[TUTTI_MAX_AP];
        for (int m = 0; m < n_ap; m++) {
            if (!block->ap_present[m]) {
                a->was_here[m * n_ue + k] = 0;
            }
            power[m] = block->ap_present[m] ? receive(a, block, m, k) : 0;
        }
        if (pilot_missing(a, block, power, k)) {
            for (int m = 0; m < n_ap; m++) {
                a->was_here[m * n_ue + k] = 0;
            }
            continue;
        }
        for (int m = 0; m < n_ap; m++) {
            shift(a, m, k, power[m]);
        }
        a->position[k] = (a->position[k] + 1) % a->set.window_blocks;
        const double log_p = judge(a, k);
        if (!isnan(log_p)) {
            score[k] = -log_p / M_LN10;
            suspected[k] = log_p < log(a->set.false_alarm);
        }
        a->suspected[k] = suspected[k];
    }
}
