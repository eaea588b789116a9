/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "control/attack.h"

#include "base/error.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    RECENT = 5,        /* blocks whose median is the typical power: two wild ones do not move it */
    CORRELATED_SB = 8, /* subbands in which successive blocks are compared: the fading in time is alike in all */
};
static const double WILD = 1e6;           /* times the typical power: neither a user nor a likely attacker */
static const double REFERENCE_MOST = 100; /* times the typical power: fading at one antenna does not reach it */

/* Of one AP and user. */
struct trace {
    double window_sum; /* over the present blocks of the window */
    int window_count;
    int reference_count;
    double reference_mean; /* of the blocks before the window */
    double complex cross;  /* moving sums of z conj(z before) and of the product of their lengths */
    double energy;
    double recent[RECENT]; /* received power of the last blocks with a pilot, wild ones too */
    int n_recent, next_recent;
    double typical; /* their median, 0 while they are fewer */
};

/* Sums over one block's estimates, made before anything of it is believed. */
struct sums {
    double *square;    /* [n_ap][n_ue][2] of re and im, all subbands and antennas */
    double *like;      /* [n_ap][n_ue] |H_hat|^2 in the compared subbands */
    double *like_then; /* the same of the block before */
    double *re, *im;   /* [n_ap][n_ue] H_hat conj(H_hat before) in the compared subbands */
};

struct attack {
    struct attack_settings set;
    int n_correlated;          /* compared subbands */
    int *pilot;                /* [n_ue] */
    int *sharer;               /* [n_ue] the first user with the same pilot */
    int *position;             /* [n_ue] next place in the user's window */
    struct trace *trace;       /* [n_ap][n_ue] */
    double *window;            /* [n_ap][n_ue][window_blocks] received power, 0 = not present */
    tutti_cf32 *before;        /* [n_correlated][n_ap][n_ant][n_ue] H_hat of the block before */
    double *scale_before;      /* [n_ap][n_ue] of the block before */
    uint8_t *was_here;         /* [n_ap][n_ue] in the block before, and believed */
    uint8_t *suspected;        /* [n_ue] in the block before */
    uint64_t *passed_over;     /* [n_ue] */
    struct sums sums;          /* of this block, as all below */
    double *scale, *gain;      /* [n_ap][n_ue] unscale, and the mean power its tracked gains let expect */
    double *power;             /* [n_ap][n_ue] received, 0 = nothing finite */
    double *pilot_beta;        /* [n_ue] sum of beta over the sharers */
    uint8_t *taken, *admitted; /* [n_ap][n_ue] not wild, [n_ue] here with a pilot */
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

double attack_false_alarm(double per_hour, double block_us, int n_user)
{
    return per_hour * block_us / (3600e6 * n_user);
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

static int allocate(attack_t *a)
{
    const size_t n_ue = (size_t)a->set.n_ue, pairs = (size_t)a->set.n_ap * n_ue;
    double **const of_pairs[] = {&a->sums.like, &a->sums.like_then, &a->sums.re, &a->sums.im,
                                 &a->scale,     &a->scale_before,   &a->gain,    &a->power};
    bool ok = true;
    for (size_t i = 0; i < sizeof of_pairs / sizeof of_pairs[0]; i++) {
        *of_pairs[i] = calloc(pairs, sizeof(double));
        ok = ok && *of_pairs[i];
    }
    a->sums.square = calloc(2 * pairs, sizeof *a->sums.square);
    a->pilot_beta = calloc(n_ue, sizeof *a->pilot_beta);
    a->pilot = calloc(n_ue, sizeof *a->pilot);
    a->sharer = calloc(n_ue, sizeof *a->sharer);
    a->position = calloc(n_ue, sizeof *a->position);
    a->trace = calloc(pairs, sizeof *a->trace);
    a->window = calloc((size_t)a->set.window_blocks * pairs, sizeof *a->window);
    a->before = calloc((size_t)a->n_correlated * (size_t)a->set.n_ant * pairs, sizeof *a->before);
    a->was_here = calloc(pairs, 1);
    a->taken = calloc(pairs, 1);
    a->suspected = calloc(n_ue, 1);
    a->admitted = calloc(n_ue, 1);
    a->passed_over = calloc(n_ue, sizeof *a->passed_over);
    ok = ok && a->sums.square && a->pilot_beta && a->pilot && a->sharer && a->position && a->trace && a->window;
    ok = ok && a->before && a->was_here && a->taken && a->suspected && a->admitted && a->passed_over;
    return ok ? TUTTI_OK : error_set(TUTTI_ENOMEM, "attack: out of memory");
}

static void copy_pilots(attack_t *a, const int *pilot)
{
    for (int k = 0; k < a->set.n_ue; k++) {
        a->pilot[k] = pilot[k];
        a->sharer[k] = 0;
        while (pilot[a->sharer[k]] != pilot[k]) {
            a->sharer[k]++;
        }
    }
    a->set.pilot_of_user = a->pilot;
}

int attack_create(attack_t **attack, const struct attack_settings *settings)
{
    *attack = NULL;
    int status = check(settings);
    if (status < 0) {
        return status;
    }
    attack_t *a = calloc(1, sizeof *a);
    if (!a) {
        return error_set(TUTTI_ENOMEM, "attack: out of memory");
    }
    a->set = *settings;
    a->n_correlated = settings->n_sb < CORRELATED_SB ? settings->n_sb : CORRELATED_SB;
    status = allocate(a);
    if (status < 0) {
        attack_destroy(a);
        return status;
    }
    copy_pilots(a, settings->pilot_of_user);
    *attack = a;
    return TUTTI_OK;
}

void attack_destroy(attack_t *a)
{
    if (!a) {
        return;
    }
    void *const parts[] = {a->sums.square, a->sums.like,  a->sums.like_then, a->sums.re,  a->sums.im, a->scale,
                           a->gain,        a->power,      a->scale_before,   a->pilot,    a->sharer,  a->position,
                           a->trace,       a->window,     a->before,         a->was_here, a->taken,   a->suspected,
                           a->admitted,    a->pilot_beta, a->passed_over};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        free(parts[i]);
    }
    free(a);
}

void attack_reset(attack_t *a, int user)
{
    const size_t n_ue = (size_t)a->set.n_ue, window = (size_t)a->set.window_blocks;
    for (size_t m = 0; m < (size_t)a->set.n_ap; m++) {
        const size_t pair = m * n_ue + (size_t)user;
        a->trace[pair] = (struct trace){0};
        a->was_here[pair] = 0;
        memset(a->window + pair * window, 0, window * sizeof *a->window);
    }
    a->position[user] = 0;
    a->suspected[user] = 0;
    a->passed_over[user] = 0;
}

const double *attack_power(const attack_t *attack)
{
    return attack->power;
}

uint64_t attack_passed_over(const attack_t *a, int user)
{
    return a->passed_over[user];
}

/* A block's power, all users at once ------------------------------------------------------------------------------- */

/* 1 / c_k of estimate.h: H_hat times this is the despread pilot in units of its noise; 0 without a large-scale gain. */
static void find_scales(attack_t *a, const struct attack_block *block)
{
    const size_t n_ue = (size_t)a->set.n_ue;
    const double pilot_power = a->set.pilot_power;
    for (size_t m = 0; m < (size_t)a->set.n_ap; m++) {
        const float *beta = block->beta + m * n_ue;
        memset(a->pilot_beta, 0, n_ue * sizeof *a->pilot_beta);
        for (size_t k = 0; k < n_ue; k++) {
            a->pilot_beta[a->sharer[k]] += (double)beta[k];
        }
        for (size_t k = 0; k < n_ue; k++) {
            const double mean = pilot_power * a->pilot_beta[a->sharer[k]] + 1;
            a->gain[m * n_ue + k] = beta[k] > 0 ? mean : 0;
            a->scale[m * n_ue + k] = beta[k] > 0 ? mean / (sqrt(pilot_power) * (double)beta[k]) : 0;
        }
    }
}

/* An AP's antennas in one subband, x [n_ant][n]; the compiler's vectors run along n. A square beyond float is inf: such
 * a block is passed over as it is. */
static void add_squares(double *restrict sum, const float *restrict x, size_t n_ant, size_t n)
{
    enum { LANES = 16 };
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        float s[LANES] = {0};
        for (size_t ant = 0; ant < n_ant; ant++) {
            for (size_t l = 0; l < LANES; l++) {
                s[l] += x[ant * n + i + l] * x[ant * n + i + l];
            }
        }
        for (size_t l = 0; l < LANES; l++) {
            sum[i + l] += (double)s[l];
        }
    }
    for (; i < n; i++) {
        for (size_t ant = 0; ant < n_ant; ant++) {
            sum[i] += (double)(x[ant * n + i] * x[ant * n + i]);
        }
    }
}

/* How alike this block and the one before are, at one antenna in one subband; the new one takes the old one's place. */
static void compare(struct sums *sums, size_t first, tutti_cf32 *before, const tutti_cf32 *now, size_t n_ue)
{
    double *restrict like = sums->like + first, *restrict re = sums->re + first, *restrict im = sums->im + first;
    for (size_t k = 0; k < n_ue; k++) {
        const double x = (double)crealf(now[k]), y = (double)cimagf(now[k]);
        const double u = (double)crealf(before[k]), v = (double)cimagf(before[k]);
        like[k] += x * x + y * y;
        re[k] += x * u + y * v;
        im[k] += y * u - x * v;
    }
    memcpy(before, now, n_ue * sizeof *before);
}

static void clear_sums(attack_t *a)
{
    const size_t pairs = (size_t)a->set.n_ap * (size_t)a->set.n_ue;
    struct sums *s = &a->sums;
    double *const then = s->like;
    s->like = s->like_then;
    s->like_then = then;
    memset(s->square, 0, 2 * pairs * sizeof *s->square);
    memset(s->like, 0, pairs * sizeof *s->like);
    memset(s->re, 0, pairs * sizeof *s->re);
    memset(s->im, 0, pairs * sizeof *s->im);
}

/* Once over the estimates, in their order. */
static void sum_up(attack_t *a, const struct attack_block *block)
{
    const size_t n_sb = (size_t)a->set.n_sb, n_ap = (size_t)a->set.n_ap, n_ant = (size_t)a->set.n_ant;
    const size_t n_ue = (size_t)a->set.n_ue, n_correlated = (size_t)a->n_correlated;
    clear_sums(a);
    size_t c = 0; /* next compared subband; they are spread evenly */
    for (size_t sb = 0; sb < n_sb; sb++) {
        const bool compared = c < n_correlated && sb == c * n_sb / n_correlated;
        for (size_t m = 0; m < n_ap; m++) {
            if (!block->ap_present[m]) {
                continue;
            }
            const tutti_cf32 *H = block->H_hat + (sb * n_ap + m) * n_ant * n_ue;
            add_squares(a->sums.square + 2 * m * n_ue, (const float *)H, n_ant, 2 * n_ue);
            for (size_t ant = 0; compared && ant < n_ant; ant++) {
                compare(&a->sums, m * n_ue, a->before + ((c * n_ap + m) * n_ant + ant) * n_ue, H + ant * n_ue, n_ue);
            }
        }
        c += compared;
    }
}

/* Look before anything is added: what is not finite or far beyond the typical power of the last blocks is not taken. */
static void look(attack_t *a, const struct attack_block *block)
{
    const size_t n_ue = (size_t)a->set.n_ue;
    const double estimates = (double)a->set.n_sb * a->set.n_ant;
    for (size_t m = 0; m < (size_t)a->set.n_ap; m++) {
        for (size_t k = 0; k < n_ue; k++) {
            const size_t pair = m * n_ue + k;
            const double square = a->sums.square[2 * pair] + a->sums.square[2 * pair + 1];
            const double power = a->scale[pair] * a->scale[pair] * square / estimates;
            const double typical = a->trace[pair].typical;
            const bool here = block->ap_present[m] && block->user_present[k];
            const bool wild = here && (!isfinite(power) || (typical > 0 && power > WILD * typical));
            a->power[pair] = here && isfinite(power) ? power : 0;
            a->taken[pair] = here && !wild && power > 0;
            a->passed_over[k] += wild;
        }
    }
}

/* Is the pilot not there at all (samples lost, a user that was late)? So little power at all APs together would come by
 * chance in one block of a million. Against the reference, or while there is none against what the APs track. */
static bool pilot_missing(const attack_t *a, int k)
{
    double sum = 0;
    int n = 0;
    for (int m = 0; m < a->set.n_ap; m++) {
        const size_t pair = (size_t)m * (size_t)a->set.n_ue + (size_t)k;
        const struct trace *t = &a->trace[pair];
        const double expected = t->reference_count >= a->set.least_blocks ? t->reference_mean : a->gain[pair];
        if (a->taken[pair] && expected > 0) {
            sum += a->power[pair] / expected;
            n++;
        }
    }
    const double shape = a->set.n_ant * n, ratio = sum / n, huge = 1e6; /* Gamma is F with a reference without end */
    if (n == 0 || ratio >= 1 || shape * (ratio - 1 - log(ratio)) < 9) {
        return false; /* Chernoff's exponent says at once that the tail, slow to work out, is above 1e-6 */
    }
    return attack_log_tail(1 / ratio, huge, shape) < log(1e-6);
}

/* What is believed of a block ------------------------------------------------------------------------------------- */

/* The last blocks' median: one wild block, even the very first, does not move it, and what lasts becomes typical. */
static void update_typical(struct trace *trace, double power)
{
    trace->recent[trace->next_recent] = power;
    trace->next_recent = (trace->next_recent + 1) % RECENT;
    trace->n_recent += trace->n_recent < RECENT;
    if (trace->n_recent < RECENT) {
        return;
    }
    double sorted[RECENT];
    for (int i = 0; i < RECENT; i++) {
        int at = i;
        for (; at > 0 && sorted[at - 1] > trace->recent[i]; at--) {
            sorted[at] = sorted[at - 1];
        }
        sorted[at] = trace->recent[i];
    }
    trace->typical = sorted[RECENT / 2];
}

static void correlate(attack_t *a, size_t pair)
{
    struct trace *trace = &a->trace[pair];
    const double forget = 1 - 1.0 / a->set.reference_blocks, both = a->scale[pair] * a->scale_before[pair];
    const bool here = a->taken[pair] && trace->typical > 0 && a->power[pair] <= REFERENCE_MOST * trace->typical;
    if (here && a->was_here[pair]) {
        trace->cross = forget * trace->cross + both * CMPLX(a->sums.re[pair], a->sums.im[pair]);
        trace->energy = forget * trace->energy + both * sqrt(a->sums.like[pair] * a->sums.like_then[pair]);
    }
    a->was_here[pair] = here;
}

/* The oldest block of the window makes room; unless it is under suspicion or stands out it goes into the reference. */
static void shift(attack_t *a, size_t pair, int k)
{
    struct trace *trace = &a->trace[pair];
    double *window = a->window + pair * (size_t)a->set.window_blocks, *place = window + a->position[k];
    const bool stands_out = !(*place <= REFERENCE_MOST * trace->typical);
    if (*place > 0 && !a->suspected[k] && !stands_out) {
        if (trace->reference_count < a->set.reference_blocks) {
            trace->reference_count++;
        }
        trace->reference_mean += (*place - trace->reference_mean) / trace->reference_count;
    }
    a->passed_over[k] += *place > 0 && !a->suspected[k] && stands_out;
    *place = a->taken[pair] ? a->power[pair] : 0;
    trace->window_sum = 0; /* summed anew: nothing drifts */
    trace->window_count = 0;
    const double most = trace->typical > 0 ? WILD * trace->typical : INFINITY; /* the first blocks were not judged */
    for (int w = 0; w < a->set.window_blocks; w++) {
        const bool counts = window[w] > 0 && window[w] <= most;
        trace->window_sum += counts ? window[w] : 0;
        trace->window_count += counts;
    }
}

static void take(attack_t *a)
{
    const size_t n_ue = (size_t)a->set.n_ue;
    for (size_t m = 0; m < (size_t)a->set.n_ap; m++) {
        for (size_t k = 0; k < n_ue; k++) {
            const size_t pair = m * n_ue + k;
            if (!a->admitted[k]) {
                a->was_here[pair] = 0;
                continue;
            }
            if (a->power[pair] > 0) {
                update_typical(&a->trace[pair], a->power[pair]);
            }
            correlate(a, pair);
            shift(a, pair, (int)k);
        }
    }
    memcpy(a->scale_before, a->scale, (size_t)a->set.n_ap * n_ue * sizeof *a->scale);
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
    find_scales(a, block);
    sum_up(a, block);
    look(a, block);
    for (int k = 0; k < a->set.n_ue; k++) {
        a->admitted[k] = block->user_present[k] && !pilot_missing(a, k);
    }
    take(a);
    for (int k = 0; k < a->set.n_ue; k++) {
        score[k] = NAN;
        suspected[k] = 0;
        if (!a->admitted[k]) {
            continue;
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
