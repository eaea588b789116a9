/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "faults.h"

#include "base/clock.h"
#include "base/error.h"
#include "channel/random.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void cut_pps(struct device *d, double cut)
{
    timekeeper_cut(&d->time, world_count(d->world, d->rate), d->rate, cut > 0);
}

static void vanish(struct device *d, double gone)
{
    device_end_session(d);
    d->gone = gone > 0;
    if (!d->gone) { /* what was connected before is not any more, and the time is not set */
        for (int i = 0; i < DEVICE_N_CONNECTION; i++) {
            rpc_close(d, &d->connection[i]);
        }
        d->time = (struct timekeeper){0};
    }
}

static void unlock(struct device *d, double unlocked)
{
    d->unlocked = unlocked > 0;
}

static void mismatch(struct device *d, double wrong)
{
    d->mismatch = wrong > 0;
}

/* As after a retuning: every transmitter's gain (1 dB) and phase (any) drawn anew; 0: straight again. */
static void turn_chains(struct device *d, double seed)
{
    for (int c = 0; c < DEVICE_N_CHANNEL; c++) {
        float z, unused;
        double re, im;
        const uint64_t key = random_key((uint64_t)seed, RANDOM_HARDWARE, (uint64_t)d->id, 0, (uint64_t)c);
        random_normal(key, 0, &z, &unused);
        random_phasor(random_uniform(key, 1), &re, &im);
        const float gain = powf(10, z / 20);
        d->chain[c] = seed > 0 ? __builtin_complex(gain * (float)re, gain * (float)im) : 1;
    }
    d->turned = seed > 0;
}

static void deafen(struct device *d, double seconds)
{
    d->deaf_until_ns = clock_mono_ns() + (uint64_t)(seconds * 1e9);
}

static void overrun(struct device *d, double number)
{
    (void)number;
    for (int c = 0; c < DEVICE_N_CHANNEL; c++) {
        if (d->channel[c].receive.state == RECEIVE_RUNNING) {
            receive_overrun(&d->channel[c], device_now(d));
        }
    }
}

/* A counter of every channel. */
static void count(struct device *d, size_t offset, double number)
{
    for (int c = 0; c < DEVICE_N_CHANNEL; c++) {
        *(int *)((char *)&d->channel[c] + offset) += number > 0 ? (int)number : 1;
    }
}

static void be_late(struct device *d, double number)
{
    count(d, offsetof(struct channel, transmit.n_to_be_late), number);
}

static void starve(struct device *d, double number)
{
    count(d, offsetof(struct channel, transmit.n_to_starve), number);
}

static void start_late(struct device *d, double number)
{
    count(d, offsetof(struct channel, receive.n_to_start_late), number);
}

static void lose_rx(struct device *d, double number)
{
    count(d, offsetof(struct channel, receive.n_to_lose), number);
}

static void lose_tx(struct device *d, double number)
{
    count(d, offsetof(struct channel, transmit.n_to_lose), number);
}

static const struct {
    const char *name;
    void (*apply)(struct device *device, double number);
    double number; /* that it always has; < 0 = the caller's */
} kinds[] = {
    {"late", be_late, -1},    {"underrun", starve, -1},  {"overrun", overrun, 0}, {"late-start", start_late, -1},
    {"lose-rx", lose_rx, -1}, {"lose-tx", lose_tx, -1},  {"no-pps", cut_pps, 1},  {"pps", cut_pps, 0},
    {"unlock", unlock, 1},    {"lock", unlock, 0},       {"vanish", vanish, 1},   {"return", vanish, 0},
    {"deaf", deafen, -1},     {"mismatch", mismatch, 1}, {"match", mismatch, 0},  {"chains", turn_chains, -1}};

int fault_apply(struct device *d, const char *text)
{
    char name[32] = "";
    double number = 0;
    sscanf(text, "%31s %lf", name, &number);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (strcmp(kinds[i].name, name) == 0) {
            device_say(d, "fault %s", text);
            kinds[i].apply(d, kinds[i].number < 0 ? number : kinds[i].number);
            return TUTTI_OK;
        }
    }
    return error_set(TUTTI_EINVAL, "no such fault: '%s'; see tests/usrp/faults.h", text);
}

int fault_plan(struct world *w, const char *text)
{
    struct planned_fault plan = {0};
    char kind[32] = "", rest[64] = "";
    if (w->n_planned == WORLD_N_PLANNED || sscanf(text, "%d:%31[a-z-]%63s", &plan.device, kind, rest) < 2) {
        return error_set(TUTTI_EINVAL, "--fault %s: DEVICE:KIND[=NUMBER][@SECONDS] expected", text);
    }
    const char *number = strchr(rest, '='), *at = strchr(rest, '@');
    snprintf(plan.text, sizeof plan.text, "%s %g", kind, number ? atof(number + 1) : 0);
    plan.at_s = at ? atof(at + 1) : 0;
    w->planned[w->n_planned++] = plan;
    return TUTTI_OK;
}

static bool due(const struct world *w, const struct planned_fault *plan)
{
    const struct device *d = &w->device[plan->device];
    return !plan->done &&
           (plan->at_s <= 0 || (d->has_streamed && (double)(w->now - d->first_stream) >= plan->at_s * (double)w->rate));
}

void fault_advance(struct world *w)
{
    for (int i = 0; i < w->n_planned; i++) {
        struct planned_fault *plan = &w->planned[i];
        if (plan->device >= 0 && plan->device < w->n_device && due(w, plan)) {
            plan->done = true;
            if (fault_apply(&w->device[plan->device], plan->text) != TUTTI_OK) {
                fprintf(stderr, "emulated-usrp: %s\n", error_text());
            }
        }
    }
}
