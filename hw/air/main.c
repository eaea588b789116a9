/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tutti-air: the emulated medium every emulated radio talks to. */
#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/rt.h"
#include "hw/air/medium.h"
#include "hw/air/mixer.h"
#include "hw/air/outside.h"
#include "hw/air/tap.h"
#include "hw/air/truth.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "Usage: tutti-air --config FILE [--set KEY=VALUE]... [--log LEVEL] [--exit-when-empty]\n"
    "\n"
    "The emulated medium: sample-level channels between every emulated radio of the network file.\n"
    "\n"
    "  --config FILE      the network file; without it the built-in defaults\n"
    "  --set KEY=VALUE    override one key, for example --set air.mode=paced\n"
    "  --log LEVEL        error, warning, info (default) or debug\n"
    "  --exit-when-empty  end when the last radio has left\n"
    "  --help             this text\n"
    "  --version          the version\n"
    "\n"
    "Radios connect to air.endpoint. Ends cleanly on SIGINT and SIGTERM.\n";

enum { HELLO_TIMEOUT_MS = 5000 };

struct air {
    struct config *config;
    struct frame frame;
    struct links *links;
    mixer_t *mixer;     /* the channels, or */
    outside_t *outside; /* somebody else's */
    truth_t *truth;
    tap_t *tap; /* NULL: nobody listens in */
    medium_t *medium;
};

static int setup(struct air *air, const struct config_options *options, bool exit_when_empty)
{
    int status = config_load(&air->config, options->path, options->overrides, options->n_overrides);
    status = status ? status : frame_init(&air->frame, air->config);
    status = status ? status : links_create(&air->links, air->config, &air->frame);
    if (status) {
        return status;
    }
    const struct config *c = air->config;
    const int chunk = air->frame.chunk_samples;
    status =
        c->air.medium == CONFIG_MEDIUM_OWN ? mixer_create(&air->mixer, air->links, c->network.seed, chunk) : TUTTI_OK;
    status = status ? status : tap_create(&air->tap, c, air->links, chunk);
    const struct medium_settings settings = {.endpoint = c->air.endpoint,
                                             .n_ap = c->network.n_ap,
                                             .n_ue = c->network.n_ue,
                                             .n_eve = c->network.n_eve,
                                             .n_ant = c->network.n_ant,
                                             .n_eve_ant = c->eve.n_ant,
                                             .sample_rate_hz = c->frame.sample_rate_hz,
                                             .chunk = chunk,
                                             .paced = c->air.mode == CONFIG_AIR_PACED,
                                             .wait_for_all = c->air.wait_for_all,
                                             .exit_when_empty = exit_when_empty,
                                             .needed = tap_needs(air->tap),
                                             .radio_timeout_ms = c->air.radio_timeout_ms,
                                             .hello_timeout_ms = HELLO_TIMEOUT_MS};
    status = status ? status : medium_create(&air->medium, &settings); /* owns its place before it writes a file */
    status = status ? status : truth_create(&air->truth, c, &air->frame, air->links);
    status = status ? status : rt_stop_install();
    if (!status && c->air.medium == CONFIG_MEDIUM_ZMQ) {
        status = outside_create(&air->outside, c, air->links, chunk);
    }
    if (!status) {
        log_write(LOG_INFO, "air",
                  "READY version=%s endpoint=%s mode=%s aps=%d users=%d eves=%d chunk_samples=%d taps=%d",
                  TUTTI_VERSION, settings.endpoint, settings.paced ? "paced" : "lockstep", settings.n_ap, settings.n_ue,
                  settings.n_eve, chunk, air->links->n_tap);
    }
    return status;
}

/* Paced, the medium is everybody's radio: as urgent as the threads that own one. */
static void be_urgent(const struct config *config)
{
    if (config->air.mode == CONFIG_AIR_PACED && rt_priority(config->engine.realtime_priority) != TUTTI_OK) {
        log_write(LOG_WARNING, "air", "NOT-REALTIME %s", error_text());
    }
}

/* Writing the truth file is not part of the hot path. */
static void on_change(void *truth)
{
    if (truth) {
        rt_hot_leave();
        truth_update(truth);
        rt_hot_enter();
    }
}

static void pass_on(struct air *air)
{
    tap_send(air->tap, medium_tick(air->medium), medium_input(air->medium), medium_output(air->medium));
    medium_deliver(air->medium);
}

/* The same with channels that somebody else computes. */
static int run_outside(struct air *air)
{
    int event, status = TUTTI_OK;
    while (status == TUTTI_OK && (event = medium_gather(air->medium)) == MEDIUM_CHUNK) {
        status = outside_execute(air->outside, medium_tick(air->medium), medium_input(air->medium),
                                 medium_output(air->medium));
        if (status == TUTTI_OK) {
            pass_on(air);
        }
    }
    const struct outside_counters *const n = outside_counters(air->outside);
    log_write(LOG_INFO, "air", "OUTSIDE restarts=%llu stalls=%llu bad_peers=%llu not_finite=%llu",
              (unsigned long long)n->restarts, (unsigned long long)n->stalls, (unsigned long long)n->bad_peers,
              (unsigned long long)n->not_finite);
    return status == TUTTI_ESTOPPED ? TUTTI_OK : status < 0 ? status : event < 0 ? event : TUTTI_OK;
}

/* THE loop. */
static int run(struct air *air)
{
    int event;
    if (air->outside) {
        return run_outside(air);
    }
    while ((event = medium_gather(air->medium)) == MEDIUM_CHUNK) {
        rt_hot_enter();
        mixer_execute(air->mixer, medium_tick(air->medium), medium_input(air->medium), medium_output(air->medium),
                      on_change, air->truth);
        rt_hot_leave();
        pass_on(air);
    }
    return event < 0 ? event : TUTTI_OK;
}

static void print_counters(const struct air *air)
{
    const struct medium_counters *n = medium_counters(air->medium);
    const double air_s = (double)n->chunks * air->frame.chunk_samples / air->frame.sample_rate_hz;
    const double wall_s = (double)(n->last_ns - n->first_ns) / 1e9;
    log_write(LOG_INFO, "air",
              "DONE chunks=%llu late=%llu overflow=%llu behind=%llu joins=%llu leaves=%llu refused=%llu bad_peers=%llu "
              "put_out=%llu wakeups=%llu bells=%llu air_s=%.3f wall_s=%.3f real_time_factor=%.2f",
              (unsigned long long)n->chunks, (unsigned long long)n->late, (unsigned long long)n->overflow,
              (unsigned long long)n->behind, (unsigned long long)n->joins, (unsigned long long)n->leaves,
              (unsigned long long)n->refused, (unsigned long long)n->bad_peers, (unsigned long long)n->put_out,
              (unsigned long long)n->wakeups, (unsigned long long)n->bells, air_s, wall_s,
              wall_s > 0 ? air_s / wall_s : 0);
}

static void print_config(const struct config *config)
{
    char *yaml = config_to_yaml(config);
    if (yaml) {
        fputs(yaml, stdout);
        fflush(stdout);
    }
    free(yaml);
}

static int teardown(struct air *air)
{
    medium_destroy(air->medium);
    const int status = truth_close(air->truth);
    mixer_destroy(air->mixer);
    outside_destroy(air->outside);
    tap_destroy(air->tap);
    links_destroy(air->links);
    config_free(air->config);
    return status;
}

/* 1 = go on, 0 = done (help, version), negative = wrong usage. */
static int parse(int argc, char **argv, struct config_options *options, bool *exit_when_empty)
{
    for (int i = 1; i < argc;) {
        const int taken = config_options_take(options, argc, argv, &i);
        if (taken < 0) {
            return taken;
        }
        if (taken) {
            continue;
        }
        if (strcmp(argv[i], "--exit-when-empty") == 0) {
            *exit_when_empty = true;
        } else if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            fputs(usage, stdout);
            return 0;
        } else if (strcmp(argv[i], "--version") == 0) {
            puts("tutti-air " TUTTI_VERSION);
            return 0;
        } else {
            return error_set(TUTTI_EINVAL, "unknown option '%s'; see --help", argv[i]);
        }
        i++;
    }
    return 1;
}

int main(int argc, char **argv)
{
    struct air air = {0};
    struct config_options options = {0};
    bool exit_when_empty = false;
    log_set_component("AIR");
    int status = parse(argc, argv, &options, &exit_when_empty);
    if (status == 0) {
        config_options_free(&options);
        return 0;
    }
    status = status < 0 ? status : setup(&air, &options, exit_when_empty);
    if (!status) {
        print_config(air.config);
        be_urgent(air.config);
        status = run(&air);
        print_counters(&air);
    }
    const int closed = teardown(&air);
    config_options_free(&options);
    status = status ? status : closed;
    if (status) {
        fprintf(stderr, "tutti-air: %s\n", error_text());
    }
    return status ? 1 : 0;
}
