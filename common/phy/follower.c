/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "phy/follower.h"

#include "base/error.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    TURN_BLOCKS = 8,     /* at least so many before the loop closes */
    VAIN_BLOCKS = 100,   /* what is no clearer after so many is no beacon */
    ANCHOR_BLOCKS = 64,  /* the anchor's channel is renewed over so many */
    MISFIT_BLOCKS = 256, /* and what is left of innovations averaged over so many */
    SEARCH_BLOCKS = 400  /* without a beacon: its time may have changed */
};
static const double TWO_PI = 6.28318530717958647692;
static const double CLOSE_HZ = 30;   /* sigma of the offset at which the loop closes; +-100 Hz are ambiguous at 5 ms */
static const double NEAR_RAD = 0.05; /* error that is near enough to the steady state */
static const double FALSE_RATE = 1e-6; /* noise taken for a beacon */
static const double INTRUDER = 100;    /* power over the anchor's of what is not the beacon */
/* Sample clocks: drift of 1 sample/s to begin with, walking slowly. */
static const double DRIFT_VARIANCE = 1, DRIFT_WALK = 1e-4;

static size_t n_all(const struct follower *f)
{
    return (size_t)f->settings.n_ant * (size_t)f->settings.frame->n_sc;
}

static double block_s(const struct follower *f)
{
    return f->settings.frame->n_block_samples / f->settings.frame->sample_rate_hz;
}

static double symbol_s(const struct follower *f)
{
    return f->settings.frame->n_symbol_samples / f->settings.frame->sample_rate_hz;
}

int follower_create(struct follower *f, const struct follower_settings *settings)
{
    *f = (struct follower){.settings = *settings};
    f->anchor = calloc(n_all(f), sizeof *f->anchor);
    f->mean = calloc(n_all(f), sizeof *f->mean);
    return f->anchor && f->mean ? TUTTI_OK : error_set(TUTTI_ENOMEM, "out of memory for following the reference");
}

void follower_destroy(struct follower *f)
{
    free(f->anchor);
    free(f->mean);
    *f = (struct follower){0};
}

/* Time and state --------------------------------------------------------------------------------------------------- */

double follower_phase(const struct follower *f, double after_s)
{
    return phase_loop_phase(&f->phase, after_s);
}

double follower_frequency(const struct follower *f)
{
    return f->phase.frequency_rad_per_s;
}

double follower_delay_samples(const struct follower *f)
{
    return f->delay.phase_rad;
}

int follower_window(const struct follower *f)
{
    return (int)lrint(f->delay.phase_rad);
}

bool follower_in_step(const struct follower *f)
{
    return f->state == FOLLOWER_LOCKED || f->state == FOLLOWER_HOLDING;
}

/* If innovations are larger than the loop expects, so are its errors. */
double follower_error_rad(const struct follower *f)
{
    if (!f->closed) {
        return INFINITY;
    }
    const double variance = phase_loop_error_variance(&f->phase, f->settings.pilot_s, f->settings.data_s);
    return sqrt(variance * fmax(f->misfit, 1));
}

const char *follower_state_name(enum follower_state state)
{
    static const char *const names[] = {"searching", "acquired", "locked", "hold", "lost"};
    return names[state];
}

/* Learning begins anew; frequency, delay and anchor stay. */
static void open_loop(struct follower *f, enum follower_state state)
{
    f->state = state;
    f->closed = false;
    f->turn = 0;
    f->n_turn = f->n_missing = 0;
    f->noise_sum = f->power_sum = 0;
    f->phase.phase_rad = 0;
}

void follower_found(struct follower *f, double cfo_hz)
{
    open_loop(f, FOLLOWER_ACQUIRED);
    f->phase.frequency_rad_per_s = TWO_PI * cfo_hz;
}

void follower_relocated(struct follower *f, double delay_samples)
{
    f->delay.phase_rad = delay_samples;
    f->delay.now[0][0] = 1;
    f->delay.now[0][1] = f->delay.now[1][0] = 0;
    f->delay.now[1][1] = DRIFT_VARIANCE;
}

void follower_pass(struct follower *f, int n)
{
    for (int i = 0; i < n; i++) {
        if (f->closed) {
            phase_loop_predict(&f->phase);
        }
        if (f->has_anchor) {
            phase_loop_predict(&f->delay);
        }
    }
}

/* Once the beacon of the block has been looked at, or was not there. */
static void give_up_if_lost(struct follower *f)
{
    if (follower_in_step(f) && follower_error_rad(f) > FOLLOWER_LOST_RAD) {
        open_loop(f, FOLLOWER_LOST);
    }
}

void follower_miss(struct follower *f)
{
    f->n_missed++;
    f->n_missing++;
    if (f->state == FOLLOWER_LOCKED) {
        f->state = FOLLOWER_HOLDING;
    } else if (f->state == FOLLOWER_ACQUIRED && (f->closed || f->n_missing > TURN_BLOCKS)) {
        open_loop(f, f->has_anchor ? FOLLOWER_LOST : FOLLOWER_SEARCHING);
    }
    if (f->n_missing >= SEARCH_BLOCKS && !f->closed) {
        open_loop(f, FOLLOWER_SEARCHING);
    }
    give_up_if_lost(f);
}

/* Looking ---------------------------------------------------------------------------------------------------------- */

static double energy_of(tutti_cf32 y)
{
    return (double)crealf(y) * (double)crealf(y) + (double)cimagf(y) * (double)cimagf(y);
}

/* What is in the two symbols. */
struct glance {
    double complex turn; /* sum of conj(Y0) Y1 */
    double energy;       /* of both */
    double noise, power; /* sums: variance of one symbol's noise; signal of one symbol and half of it */
};

/* Half the sum of the two symbols to f->mean, the delay that is expected taken off; how they differ. */
static struct glance look_over(struct follower *f, const tutti_cf32 *Y)
{
    const struct frame *frame = f->settings.frame;
    const double early = f->delay.phase_rad - follower_window(f);
    struct glance g = {0};
    for (int i = 0; i < frame->n_sc; i++) {
        const double angle = TWO_PI * frame_sc_hz(frame, i) * early / frame->sample_rate_hz;
        const tutti_cf32 slope = CMPLXF((float)cos(angle), (float)sin(angle));
        for (int a = 0; a < f->settings.n_ant; a++) {
            const size_t at = (size_t)a * (size_t)frame->n_sc + (size_t)i;
            const tutti_cf32 y0 = Y[at], y1 = Y[n_all(f) + at], mean = 0.5f * (y0 + y1);
            g.turn += (double complex)(conjf(y0) * y1);
            g.energy += energy_of(y0) + energy_of(y1);
            g.noise += 0.5 * energy_of(y1 - y0);
            g.power += energy_of(mean);
            f->mean[at] = mean * slope;
        }
    }
    return g;
}

/* Two symbols of noise agree by chance with P(|turn| > x energy / 2) = e^{-n x^2}. */
static bool is_beacon(const struct follower *f, const struct glance *g)
{
    const double least = sqrt(-log(FALSE_RATE) / (double)n_all(f));
    return cabs(g->turn) > least * 0.5 * g->energy;
}

static double complex against_anchor(const struct follower *f)
{
    double complex sum = 0;
    for (size_t i = 0; i < n_all(f); i++) {
        sum += (double complex)(conjf(f->anchor[i]) * f->mean[i]);
    }
    return sum;
}

/* Delay of what is in f->mean against the anchor, small after what was expected is taken off: weighted least squares of
 * the phases that are left when the common one, seen, is taken off too. */
static double delay_against_anchor(const struct follower *f, double seen_rad)
{
    const struct frame *frame = f->settings.frame;
    const tutti_cf32 back = (tutti_cf32)cexp(-I * seen_rad);
    double slope = 0, weight = 0;
    for (int i = 0; i < frame->n_sc; i++) {
        const double turns = frame_sc_hz(frame, i) / frame->sample_rate_hz; /* per sample of delay */
        tutti_cf32 sum = 0;
        for (int a = 0; a < f->settings.n_ant; a++) {
            const size_t at = (size_t)a * (size_t)frame->n_sc + (size_t)i;
            sum += conjf(f->anchor[at]) * f->mean[at];
        }
        sum *= back;
        slope += turns * (double)cimagf(sum);
        weight += turns * turns * fabs((double)crealf(sum));
    }
    return weight > 0 ? -slope / (TWO_PI * weight) : 0;
}

static void note_snr(struct follower *f, const struct glance *g, double weight)
{
    const double noise = fmax(g->noise, 1e-12 * g->power);
    const double snr = fmax(g->power - 0.5 * g->noise, 1e-3 * noise) / noise;
    f->snr += weight * (snr - f->snr);
}

/* The anchor follows the channel, turned and shifted back by what was measured: it does not turn with its own noise. */
static void renew_anchor(struct follower *f, double phase_rad, double delay_samples)
{
    const struct frame *frame = f->settings.frame;
    f->n_averaged += f->n_averaged < ANCHOR_BLOCKS;
    const float weight = 1 / (float)f->n_averaged;
    for (int i = 0; i < frame->n_sc; i++) {
        const double angle = TWO_PI * frame_sc_hz(frame, i) * delay_samples / frame->sample_rate_hz - phase_rad;
        const tutti_cf32 back = CMPLXF((float)cos(angle), (float)sin(angle));
        for (int a = 0; a < f->settings.n_ant; a++) {
            const size_t at = (size_t)a * (size_t)frame->n_sc + (size_t)i;
            f->anchor[at] += weight * (f->mean[at] * back - f->anchor[at]);
        }
    }
}

/* Acquiring -------------------------------------------------------------------------------------------------------- */

static double offset_sigma_hz(const struct follower *f)
{
    return 1 / (TWO_PI * symbol_s(f) * sqrt((double)n_all(f) * f->n_turn * f->snr));
}

/* The frequency is known: the next look is turned back by it, its phase begins the loop. */
static void close_loop(struct follower *f)
{
    const double r = phase_loop_beacon_variance(f->settings.n_ant, f->settings.frame->n_sc, f->snr);
    const double sigma = TWO_PI * offset_sigma_hz(f);
    const struct phase_loop_settings settings = {.interval_s = block_s(f),
                                                 .linewidth_hz = f->settings.linewidth_hz,
                                                 .frequency_walk = f->settings.frequency_walk,
                                                 .measured_variance = r};
    phase_loop_start(&f->phase, &settings, 0, f->phase.frequency_rad_per_s + carg(f->turn) / symbol_s(f),
                     f->has_anchor ? TWO_PI * TWO_PI : r, sigma * sigma);
    f->closed = true;
    f->misfit = 1;
}

/* The first anchor: from here on phase and delay are counted. */
static void drop_anchor(struct follower *f)
{
    const struct frame *frame = f->settings.frame;
    double square = 0;
    for (int i = 0; i < frame->n_sc; i++) {
        square += frame_sc_hz(frame, i) * frame_sc_hz(frame, i);
    }
    const double sigma = frame->sample_rate_hz / (TWO_PI * sqrt(4 * square * f->settings.n_ant * f->snr));
    const struct phase_loop_settings settings = {
        .interval_s = block_s(f), .frequency_walk = DRIFT_WALK, .measured_variance = sigma * sigma};
    memcpy(f->anchor, f->mean, n_all(f) * sizeof *f->anchor);
    phase_loop_start(&f->delay, &settings, 0, 0, sigma * sigma, DRIFT_VARIANCE);
    f->has_anchor = true;
    f->n_averaged = 1;
}

static void learn_offset(struct follower *f, const struct glance *g)
{
    f->state = FOLLOWER_ACQUIRED;
    f->turn += g->turn;
    f->n_turn++;
    f->noise_sum += g->noise;
    f->power_sum += g->power;
    note_snr(f, &(struct glance){.noise = f->noise_sum, .power = f->power_sum}, 1);
    if (f->n_turn >= TURN_BLOCKS && offset_sigma_hz(f) < CLOSE_HZ) {
        close_loop(f);
    } else if (f->n_turn >= VAIN_BLOCKS) {
        open_loop(f, FOLLOWER_SEARCHING);
    }
}

/* Following -------------------------------------------------------------------------------------------------------- */

static bool is_settled(const struct follower *f)
{
    const double t1 = f->settings.pilot_s, t2 = f->settings.data_s;
    const double steady = phase_loop_channel_variance(&f->phase, t1, t2);
    const double now = phase_loop_error_variance(&f->phase, t1, t2);
    return (now < NEAR_RAD * NEAR_RAD || now < 1.5 * steady) && follower_error_rad(f) < FOLLOWER_LOST_RAD;
}

static void follow_delay(struct follower *f, double delay_samples)
{
    phase_loop_correct(&f->delay, f->delay.phase_rad + delay_samples);
}

static void follow(struct follower *f, const struct glance *g)
{
    const double expected = f->phase.now[0][0] + f->phase.settings.measured_variance;
    const double seen = carg(against_anchor(f)), delay = delay_against_anchor(f, seen);
    const bool first = f->phase.n_measured == 0;
    phase_loop_correct(&f->phase, f->phase.phase_rad + seen);
    follow_delay(f, delay);
    note_snr(f, g, 1.0 / ANCHOR_BLOCKS);
    renew_anchor(f, seen, delay);
    if (!first) {
        f->misfit += (seen * seen / expected - f->misfit) / MISFIT_BLOCKS;
        f->n_slip += fabs(seen) > TWO_PI / 4;
    }
    if (f->state == FOLLOWER_HOLDING || is_settled(f)) {
        f->state = FOLLOWER_LOCKED;
    }
    give_up_if_lost(f);
}

/* What is far stronger than the beacon has been, sent by somebody else or a fault, would turn the anchor for hundreds
 * of blocks. What stays so is believed. */
static bool is_intruder(const struct follower *f, const struct glance *g)
{
    double anchor = 0;
    for (size_t i = 0; f->has_anchor && i < n_all(f); i++) {
        anchor += energy_of(f->anchor[i]);
    }
    return f->closed && f->has_anchor && f->n_missing < TURN_BLOCKS && g->power - 0.5 * g->noise > INTRUDER * anchor;
}

void follower_look(struct follower *f, const tutti_cf32 *Y)
{
    const struct glance g = look_over(f, Y);
    if (!is_beacon(f, &g) || is_intruder(f, &g)) {
        follower_miss(f);
        return;
    }
    f->n_heard++;
    f->n_missing = 0;
    if (!f->closed) {
        learn_offset(f, &g);
        return;
    }
    if (!f->has_anchor) {
        drop_anchor(f);
    }
    follow(f, &g);
}
