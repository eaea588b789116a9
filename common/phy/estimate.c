/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "phy/estimate.h"

#include "base/error.h"
#include "linalg/cmplx.h"
#include "phy/pilot.h"
#include "phy/spread.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Smallest large-scale gain a tracker may report, as received pilot power over the averaged noise: -60 dB. */
static const double FLOOR_POWER = 1e-6;
/* Smallest noise power in sample units squared: -200 dB below full scale; only an artificial silence is below it. */
static const double FLOOR_NOISE = 1e-20;

/* Plain mean of the first `window` values, then exponential with 1 / window. */
struct track {
    double mean;
    double spread; /* variance of the mean over that of one value: sum of the squared weights */
    long count, window;
    long silent; /* so many of the last values in a row were noise alone */
};

struct estimate {
    int n_ant, n_ue, n_sc, n_sb, sc_per_sb, tau;
    int n_used_pilot;   /* distinct pilots in use */
    int *used_pilot;    /* [n_used_pilot] pilot index */
    int *slot_of_user;  /* [n_ue] index into used_pilot; -1: sends no pilot in this block */
    int n_track;        /* received powers that are tracked: one per pilot, or, where users take turns, per user */
    int *track_of_user; /* [n_ue] */
    int *track_of_slot; /* [n_used_pilot]; -1: nobody sends it */
    int *sharing;       /* [n_track] users on it */
    bool in_turns;
    bool known;
    double a; /* effective pilot power S tau rho over the averaged noise */
    double to_downlink;
    double *beta;           /* [n_ue] downlink units */
    float *coefficient;     /* [n_ue] c_k */
    tutti_cf32 *unspread;   /* [n_used_pilot][tau] conj(phi) */
    tutti_cf32 *unscramble; /* [n_sc] conj(scrambling) */
    struct spread *spread;  /* NULL: no delay is followed */
    tutti_cf32 *straight;   /* [n_sc] unscramble with the slope inside subbands taken off */
    tutti_cf32 *sums;       /* [n_sb][n_ant][tau] descrambled sums over the subband */
    tutti_cf32 *z;          /* [n_sb][n_ant][n_used_pilot] */
    struct track noise;
    struct track *power; /* [n_track] mean |z|^2 */
};

static void track_add(struct track *track, double value)
{
    if (track->count < track->window) {
        track->count++;
    }
    const double gain = 1.0 / (double)track->count;
    track->mean += (value - track->mean) * gain;
    track->spread = (1.0 - gain) * (1.0 - gain) * track->spread + gain * gain;
}

/* `value` is the mean of `rows` powers that are exponential with mean 1 where nobody sends. A user that begins to send,
 * or comes back after so long that little of it is left in the mean, is averaged from there on: silence from before
 * would make it look weak, and every AP would shrink its estimates differently. A fade is not taken for silence: it
 * must last, and what follows must stand far above the noise and the mean. */
static void track_power(struct track *track, double value, int rows)
{
    const double sd = 1.0 / sqrt(rows);
    const bool was_silent = track->silent > 0 && track->silent >= (track->count < 8 ? track->count : 8);
    if (was_silent && value - 1.0 > 8.0 * sd + 12.0 * sd * sd && value - 1.0 > 4.0 * (track->mean - 1.0)) {
        track->mean = track->spread = 0.0;
        track->count = 0;
    }
    track_add(track, value);
    track->silent = value - 1.0 < 4.0 * sd ? track->silent + 1 : 0;
}

static int check_settings(const struct frame *frame, const struct estimate_settings *s)
{
    if (s->n_ant < 1 || s->n_ant > TUTTI_MAX_ANT || s->n_ue < 1 || s->n_ue > TUTTI_MAX_UE) {
        return error_set(TUTTI_EINVAL, "estimate: %d antennas and %d users, allowed 1 to %d and 1 to %d", s->n_ant,
                         s->n_ue, TUTTI_MAX_ANT, TUTTI_MAX_UE);
    }
    if (s->tracking_blocks < 1 || !(s->uplink_to_downlink > 0)) {
        return error_set(TUTTI_EINVAL, "estimate: tracking_blocks %d and uplink_to_downlink %g must be positive",
                         s->tracking_blocks, s->uplink_to_downlink);
    }
    for (int k = 0; k < s->n_ue && !s->in_turns; k++) {
        if (s->pilot_of_user[k] < 0 || s->pilot_of_user[k] >= frame->n_pilot) {
            return error_set(TUTTI_EINVAL, "estimate: pilot %d of user %d, allowed 0 to %d", s->pilot_of_user[k], k,
                             frame->n_pilot - 1);
        }
    }
    for (int k = 0; s->beta_known && k < s->n_ue; k++) {
        if (!(s->beta_known[k] >= 0) || !isfinite(s->beta_known[k])) {
            return error_set(TUTTI_EINVAL, "estimate: known large-scale gain %g of user %d, allowed finite and >= 0",
                             s->beta_known[k], k);
        }
    }
    return 0;
}

static bool allocate(estimate_t *e)
{
    const size_t tau = (size_t)e->tau, rows = (size_t)e->n_sb * (size_t)e->n_ant;
    const size_t n_ue = e->in_turns && e->tau > e->n_ue ? tau : (size_t)e->n_ue; /* slots may be more than users */
    e->used_pilot = calloc(n_ue, sizeof *e->used_pilot);
    e->slot_of_user = calloc(n_ue, sizeof *e->slot_of_user);
    e->track_of_user = calloc(n_ue, sizeof *e->track_of_user);
    e->track_of_slot = calloc(n_ue, sizeof *e->track_of_slot);
    e->sharing = calloc(n_ue, sizeof *e->sharing);
    e->beta = calloc(n_ue, sizeof *e->beta);
    e->coefficient = calloc(n_ue, sizeof *e->coefficient);
    e->power = calloc(n_ue, sizeof *e->power);
    e->unspread = calloc(n_ue * tau, sizeof *e->unspread);
    e->unscramble = calloc((size_t)e->n_sc, sizeof *e->unscramble);
    e->straight = calloc((size_t)e->n_sc, sizeof *e->straight);
    e->sums = calloc(rows * tau, sizeof *e->sums);
    e->z = calloc(rows * n_ue, sizeof *e->z);
    return e->used_pilot && e->slot_of_user && e->track_of_user && e->track_of_slot && e->sharing && e->beta &&
           e->coefficient && e->power && e->unspread && e->unscramble && e->straight && e->sums && e->z;
}

static void collect_pilots(estimate_t *e, const int *pilot_of_user)
{
    for (int k = 0; k < e->n_ue; k++) {
        int slot = 0;
        while (slot < e->n_used_pilot && e->used_pilot[slot] != pilot_of_user[k]) {
            slot++;
        }
        if (slot == e->n_used_pilot) {
            e->used_pilot[e->n_used_pilot++] = pilot_of_user[k];
        }
        e->slot_of_user[k] = e->track_of_user[k] = slot;
        e->track_of_slot[slot] = slot;
        e->sharing[slot]++;
    }
    e->n_track = e->n_used_pilot;
}

/* All pilots are looked at; who sends which changes from block to block. */
static void prepare_turns(estimate_t *e)
{
    e->n_used_pilot = e->tau;
    e->n_track = e->n_ue;
    for (int q = 0; q < e->tau; q++) {
        e->used_pilot[q] = q;
        e->track_of_slot[q] = -1;
    }
    for (int k = 0; k < e->n_ue; k++) {
        e->slot_of_user[k] = -1;
        e->track_of_user[k] = k;
        e->sharing[k] = 1;
    }
}

void estimate_turns(estimate_t *e, const int *pilot_of_user)
{
    for (int q = 0; q < e->tau; q++) {
        e->track_of_slot[q] = -1;
    }
    for (int k = 0; k < e->n_ue; k++) {
        const int q = pilot_of_user[k];
        e->slot_of_user[k] = q >= 0 && q < e->tau && e->track_of_slot[q] < 0 ? q : -1;
        if (e->slot_of_user[k] >= 0) {
            e->track_of_slot[q] = k;
        }
    }
}

static int fill_sequences(estimate_t *e)
{
    tutti_cf32 *phi = calloc((size_t)e->tau * (size_t)e->tau, sizeof *phi);
    if (!phi) {
        return TUTTI_ENOMEM;
    }
    pilot_sequences(e->tau, phi);
    for (int q = 0; q < e->n_used_pilot; q++) {
        for (int t = 0; t < e->tau; t++) {
            e->unspread[q * e->tau + t] = conjf(phi[e->used_pilot[q] * e->tau + t]);
        }
    }
    free(phi);
    pilot_scrambling(e->n_sc, e->unscramble);
    for (int i = 0; i < e->n_sc; i++) {
        e->straight[i] = e->unscramble[i] = conjf(e->unscramble[i]);
    }
    return 0;
}

int estimate_create(estimate_t **estimate, const struct frame *frame, const struct estimate_settings *settings)
{
    *estimate = NULL;
    const int rc = check_settings(frame, settings);
    if (rc != 0) {
        return rc;
    }
    estimate_t *e = calloc(1, sizeof *e);
    if (!e) {
        return error_set(TUTTI_ENOMEM, "estimate: out of memory");
    }
    e->n_ant = settings->n_ant;
    e->n_ue = settings->n_ue;
    e->n_sc = frame->n_sc;
    e->n_sb = frame->n_sb;
    e->sc_per_sb = frame->sc_per_sb;
    e->tau = frame->n_pilot;
    e->to_downlink = settings->uplink_to_downlink;
    e->a = e->sc_per_sb * (double)e->tau / (e->to_downlink * e->to_downlink);
    e->known = settings->beta_known != NULL;
    e->in_turns = settings->in_turns;
    e->noise.window = (long)settings->tracking_blocks * (frame->n_guard > 0 ? frame->n_guard : 1);
    if (!allocate(e)) {
        goto out_of_memory;
    }
    if (e->in_turns) {
        prepare_turns(e);
    } else {
        collect_pilots(e, settings->pilot_of_user);
    }
    if (fill_sequences(e) != 0 ||
        (settings->interpolate && spread_create(&e->spread, frame, settings->interpolate, e->n_used_pilot) != 0)) {
        goto out_of_memory;
    }
    for (int k = 0; k < e->n_ue; k++) {
        e->beta[k] = e->known ? settings->beta_known[k] : FLOOR_POWER / e->a;
    }
    for (int i = 0; i < e->n_track; i++) {
        e->power[i].window = settings->tracking_blocks;
    }
    *estimate = e;
    return 0;
out_of_memory:
    estimate_destroy(e);
    return error_set(TUTTI_ENOMEM, "estimate: out of memory");
}

void estimate_destroy(estimate_t *estimate)
{
    if (!estimate) {
        return;
    }
    free(estimate->used_pilot);
    free(estimate->slot_of_user);
    free(estimate->track_of_user);
    free(estimate->track_of_slot);
    free(estimate->sharing);
    free(estimate->beta);
    free(estimate->coefficient);
    free(estimate->power);
    free(estimate->unspread);
    free(estimate->unscramble);
    free(estimate->straight);
    spread_destroy(estimate->spread);
    free(estimate->sums);
    free(estimate->z);
    free(estimate);
}

_Static_assert(ESTIMATE_HISTORY(0) == 4 + SPREAD_HISTORY, "room for what the spread keeps");

static int n_history(const estimate_t *e)
{
    return 4 * (e->n_track + 1) + (e->spread ? SPREAD_HISTORY : 0);
}

int estimate_keep(const estimate_t *e, double *values)
{
    for (int q = -1; q < e->n_track; q++, values += 4) {
        const struct track *track = q < 0 ? &e->noise : &e->power[q];
        values[0] = track->mean;
        values[1] = track->spread;
        values[2] = (double)track->count;
        values[3] = (double)track->silent;
    }
    if (e->spread) {
        spread_keep(e->spread, values);
    }
    return n_history(e);
}

int estimate_recall(estimate_t *e, const double *values, int n)
{
    if (n != n_history(e)) {
        return TUTTI_EINVAL;
    }
    for (int q = -1; q < e->n_track; q++, values += 4) {
        struct track *track = q < 0 ? &e->noise : &e->power[q];
        track->mean = values[0];
        track->spread = values[1];
        track->count = values[2] > 0 && values[2] < (double)track->window ? (long)values[2] : track->window;
        track->count = values[2] > 0 ? track->count : 0;
        track->silent = values[3] > 0 && values[3] < 1e9 ? (long)values[3] : 0;
    }
    if (e->spread) {
        spread_recall(e->spread, values);
    }
    for (int k = 0; k < e->n_ue && !e->known; k++) {
        const int i = e->track_of_user[k];
        e->beta[k] = fmax(e->power[i].mean - 1.0, FLOOR_POWER) / (e->a * e->sharing[i]);
    }
    return TUTTI_OK;
}

static double energy(const tutti_cf32 *x, size_t n)
{
    const float *v = (const float *)x;
    double sum = 0.0;
    for (size_t i = 0; i < 2 * n; i++) {
        sum += (double)v[i] * (double)v[i];
    }
    return sum;
}

void estimate_noise(estimate_t *estimate, const tutti_cf32 *silent)
{
    const size_t n = (size_t)estimate->n_ant * (size_t)estimate->n_sc;
    const double power = energy(silent, n) / (double)n;
    if (isfinite(power)) { /* one bad buffer must not spoil the mean for ever */
        track_add(&estimate->noise, power);
    }
}

double estimate_noise_power(const estimate_t *estimate)
{
    return fmax(estimate->noise.mean, FLOOR_NOISE);
}

double estimate_delay_samples(const estimate_t *estimate)
{
    return estimate->spread ? delay_samples(&estimate->spread->delay) : 0;
}

void estimate_moved(estimate_t *estimate, int earlier_samples)
{
    if (estimate->spread) {
        delay_move(&estimate->spread->delay, earlier_samples);
        spread_restart(estimate->spread);
    }
}

double estimate_spread(const estimate_t *estimate)
{
    return estimate->spread ? spread_ratio(estimate->spread) : 0;
}

static void take_off_slope(estimate_t *e, const tutti_cf32 *Y)
{
    if (e->spread) {
        spread_follow(e->spread, e->n_ant, Y, e->unscramble);
        for (int i = 0; i < e->n_sc; i++) {
            e->straight[i] = e->unscramble[i] * e->spread->undo[i];
        }
    }
}

/* z is in units of the averaged noise: times root(noise / S) it is a channel. */
static void measure_spread(estimate_t *e, const tutti_cf32 *Y)
{
    const double noise = estimate_noise_power(e);
    if (e->spread) {
        const struct spread_heard heard = {.Y = Y,
                                           .unscramble = e->unscramble,
                                           .unspread = e->unspread,
                                           .z = e->z,
                                           .scale = (float)sqrt(noise / e->sc_per_sb)};
        spread_measure(e->spread, e->n_ant, e->n_used_pilot, &heard, noise,
                       e->noise.spread / ((double)e->n_ant * e->n_sc));
    }
}

/* sums[sb][ant][t] = sum over the subband of Y conj(scrambling): one pass over Y. */
static void sum_subbands(estimate_t *e, const tutti_cf32 *Y)
{
    for (int m = 0; m < e->n_ant; m++) {
        for (int t = 0; t < e->tau; t++) {
            const tutti_cf32 *y = Y + ((size_t)m * (size_t)e->tau + (size_t)t) * (size_t)e->n_sc;
            for (int b = 0; b < e->n_sb; b++) {
                tutti_cf32 sum = 0.0f;
                for (int i = b * e->sc_per_sb; i < (b + 1) * e->sc_per_sb; i++) {
                    sum += cmplx_product(y[i], e->straight[i]);
                }
                e->sums[(b * e->n_ant + m) * e->tau + t] = sum;
            }
        }
    }
}

/* z: despread, in units of the averaged noise; S terms were summed, so the noise of a sum is S times that of one. */
static void despread(estimate_t *e)
{
    const float unit = (float)(1.0 / sqrt(e->sc_per_sb * estimate_noise_power(e)));
    for (int row = 0; row < e->n_sb * e->n_ant; row++) {
        for (int q = 0; q < e->n_used_pilot; q++) {
            tutti_cf32 sum = 0.0f;
            for (int t = 0; t < e->tau; t++) {
                sum += cmplx_product(e->sums[row * e->tau + t], e->unspread[q * e->tau + t]);
            }
            e->z[row * e->n_used_pilot + q] = unit * sum;
        }
    }
}

/* Moving average of |z|^2 per pilot. Users on one pilot cannot be told apart by power, so each gets an equal share. */
static void track_large_scale(estimate_t *e)
{
    const int rows = e->n_sb * e->n_ant;
    for (int q = 0; q < e->n_used_pilot; q++) {
        double sum = 0.0;
        if (e->track_of_slot[q] < 0) {
            continue;
        }
        for (int row = 0; row < rows; row++) {
            const tutti_cf32 z = e->z[row * e->n_used_pilot + q];
            sum += (double)crealf(z) * (double)crealf(z) + (double)cimagf(z) * (double)cimagf(z);
        }
        track_power(&e->power[e->track_of_slot[q]], sum / rows, rows);
    }
    for (int k = 0; k < e->n_ue; k++) {
        const int i = e->track_of_user[k];
        e->beta[k] = fmax(e->power[i].mean - 1.0, FLOOR_POWER) / (e->a * e->sharing[i]);
    }
}

/* Of the mean of |z|^2 of user k, `signal` = a beta. Fades of the antennas are taken as independent, those of the
 * subbands as one; the noise is independent everywhere. */
static double power_variance(const estimate_t *e, int k, double signal)
{
    return e->power[e->track_of_user[k]].spread * (signal * signal + (2.0 * signal + 1.0) / e->n_sb) / e->n_ant;
}

void estimate_join(estimate_t *e, int user, int n, const int *others)
{
    struct track *const to = &e->power[e->track_of_user[user]];
    double sum = 0, variance = 0;
    long count = to->window;
    e->beta[user] = 0;
    for (int i = 0; i < n; i++) {
        const struct track *const t = &e->power[e->track_of_user[others[i]]];
        const double signal = fmax(t->mean - 1.0, 0);
        sum += signal;
        variance += t->spread * signal * signal;
        count = t->count < count ? t->count : count;
        e->beta[user] += e->beta[others[i]];
    }
    to->mean = count > 0 ? 1.0 + sum : 0;
    to->spread = count > 0 && sum > 0 ? variance / (sum * sum) : count > 0;
    to->count = n > 0 ? count : 0;
    to->silent = 0;
}

double estimate_gain(const estimate_t *e, int user, double *variance)
{
    const double beta = e->beta[user];
    const bool heard = e->power[e->track_of_user[user]].count > 0;
    *variance = e->known ? 0 : heard ? power_variance(e, user, e->a * beta) / (e->a * e->a) : beta * beta;
    return beta;
}

/* Variance of the error that the tracked quantities bring in, see estimate.h; `total` = a sum_j beta_j + 1. */
static double tracking_error(const estimate_t *e, int k, double total)
{
    const double noise = e->noise.spread / ((double)e->n_ant * e->n_sc), signal = total - 1.0;
    const double gamma = e->a * e->beta[k] * e->beta[k] / total;
    const double power = power_variance(e, k, signal);
    return 0.25 * noise * gamma + (e->known ? 0.0 : 2.0 * power / (e->a * total * total * total));
}

/* c_k, and e_k = beta_k - gamma_k written so that nothing cancels: e_k = beta_k (a sum_{j != k} beta_j + 1) / (a sum_j
 * beta_j + 1). Different pilots are orthogonal, so phi_j^H phi_k is 1 on the same pilot and 0 otherwise. */
static void mmse_coefficients(estimate_t *e, float *beta, float *error_variance)
{
    for (int k = 0; k < e->n_ue; k++) {
        double others = 0.0;
        if (e->slot_of_user[k] < 0) { /* nothing was heard of it: the mean, zero */
            e->coefficient[k] = 0;
            beta[k] = error_variance[k] = (float)e->beta[k];
            continue;
        }
        for (int j = 0; j < e->n_ue; j++) {
            if (j != k && e->slot_of_user[j] == e->slot_of_user[k]) {
                others += e->beta[j];
            }
        }
        const double total = e->a * (others + e->beta[k]) + 1.0;
        const double error =
            e->beta[k] * (e->a * others + 1.0) / total + tracking_error(e, k, total) + estimate_spread(e) * e->beta[k];
        e->coefficient[k] = (float)(sqrt(e->a) * e->beta[k] / total);
        beta[k] = (float)e->beta[k];
        error_variance[k] = (float)fmin(error, e->beta[k]);
    }
}

/* Before the noise is known, or with samples that are not finite, the best estimate is the mean: zero. */
static void estimate_nothing(const estimate_t *e, tutti_cf32 *H_hat, float *beta, float *error_variance)
{
    memset(H_hat, 0, sizeof *H_hat * (size_t)e->n_sb * (size_t)e->n_ant * (size_t)e->n_ue);
    for (int k = 0; k < e->n_ue; k++) {
        beta[k] = error_variance[k] = (float)e->beta[k];
    }
}

void estimate_execute(estimate_t *estimate, const tutti_cf32 *Y, tutti_cf32 *H_hat, float *beta, float *error_variance)
{
    estimate_t *e = estimate;
    const int rows = e->n_sb * e->n_ant;
    if (e->noise.count == 0) {
        estimate_nothing(e, H_hat, beta, error_variance);
        return;
    }
    take_off_slope(e, Y);
    sum_subbands(e, Y);
    despread(e);
    if (!isfinite(energy(e->z, (size_t)rows * (size_t)e->n_used_pilot))) {
        estimate_nothing(e, H_hat, beta, error_variance);
        return;
    }
    measure_spread(e, Y);
    if (!e->known) {
        track_large_scale(e);
    }
    mmse_coefficients(e, beta, error_variance);
    for (int row = 0; row < rows; row++) {
        for (int k = 0; k < e->n_ue; k++) {
            const int q = e->slot_of_user[k];
            H_hat[row * e->n_ue + k] = q < 0 ? 0 : e->coefficient[k] * conjf(e->z[row * e->n_used_pilot + q]);
        }
    }
}
