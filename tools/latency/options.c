/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/error.h"
#include "tools/latency/latency.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const double DEFAULT_DURATION_S = 10;

/* What the command line gave; negative or NULL: nothing. */
struct given {
    struct config_options common;
    double aps, antennas, users, subbands, bytes, interval_us, budget_us, busy_poll_us, duration_s, blocks;
    const char *encoding, *keys, *transport;
};

static int read_number(const char *name, const char *text, double least, double most, bool whole, double *value)
{
    char *end;
    const double v = strtod(text, &end);
    if (end == text || *end || !(v >= least && v <= most) || (whole && v != floor(v))) {
        return error_set(TUTTI_EINVAL, "%s: '%s' is not a %s in %.10g..%.10g", name, text,
                         whole ? "whole number" : "number", least, most);
    }
    *value = v;
    return 0;
}

static int take_value(struct latency_options *options, struct given *given, const char *name, const char *value)
{
    const struct {
        const char *name;
        double least, most;
        bool whole;
        double *value;
    } numbers[] = {
        {"--aps", 1, TUTTI_MAX_AP, true, &given->aps},
        {"--antennas", 1, TUTTI_MAX_ANT, true, &given->antennas},
        {"--users", 1, TUTTI_MAX_UE, true, &given->users},
        {"--subbands", 1, TUTTI_MAX_SB, true, &given->subbands},
        {"--bytes", 0, WIRE_MAX_BYTES - WIRE_HEADER_BYTES, true, &given->bytes},
        {"--interval-us", 50, 1e7, false, &given->interval_us},
        {"--budget-us", 1, 1e7, false, &given->budget_us},
        {"--busy-poll-us", 0, 1e6, false, &given->busy_poll_us},
        {"--duration", 0.01, 1e6, false, &given->duration_s},
        {"--blocks", 1, 1e12, true, &given->blocks},
    };
    const struct {
        const char *name, **text;
    } texts[] = {{"--encoding", &given->encoding},  {"--keys", &given->keys}, {"--transport", &given->transport},
                 {"--json", &options->json},        {"--csv", &options->csv}, {"--plot", &options->plot},
                 {"--endpoint", &options->endpoint}};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        if (strcmp(name, numbers[i].name) == 0) {
            return !value ? error_set(TUTTI_EINVAL, "%s needs a number", name)
                          : read_number(name, value, numbers[i].least, numbers[i].most, numbers[i].whole,
                                        numbers[i].value);
        }
    }
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        if (strcmp(name, texts[i].name) == 0) {
            *texts[i].text = value;
            return value ? 0 : error_set(TUTTI_EINVAL, "%s needs a value", name);
        }
    }
    return error_set(TUTTI_EINVAL, "unknown argument %s", name);
}

static int take_all(struct latency_options *options, struct given *given, int argc, char **argv)
{
    for (int i = 1; i < argc;) {
        const int taken = config_options_take(&given->common, argc, argv, &i);
        if (taken < 0) {
            return taken;
        }
        if (taken) {
            continue;
        }
        const char *const name = argv[i++];
        if (strcmp(name, "--help") == 0) {
            options->help = true;
        } else if (strcmp(name, "--quiet") == 0) {
            options->quiet = true;
        } else if (name[0] != '-' && !options->endpoint) {
            options->endpoint = name;
        } else {
            const int status = take_value(options, given, name, i < argc ? argv[i] : NULL);
            if (status < 0) {
                return status;
            }
            i++;
        }
    }
    return 0;
}

static int read_encoding(struct config_fronthaul *encoding, const char *text)
{
    if (!text) {
        return 0;
    }
    if (strcmp(text, "cf32") == 0) {
        encoding->uplink_encoding = CONFIG_CF32;
    } else if (strcmp(text, "sc16") == 0) {
        encoding->uplink_encoding = CONFIG_SC16;
    } else {
        char *end = NULL;
        const long bits = strncmp(text, "bfp", 3) == 0 && text[3] ? strtol(text + 3, &end, 10) : 0;
        if (bits < 9 || bits > 14 || *end) {
            return error_set(TUTTI_EINVAL, "--encoding: '%s' is not cf32, sc16 or bfp9 to bfp14", text);
        }
        encoding->uplink_encoding = CONFIG_BFP;
        encoding->mantissa_bits = (int)bits;
    }
    encoding->downlink_encoding = encoding->uplink_encoding;
    return 0;
}

/* From the end of the last pilot to when an AP decides its downlink. */
static double frame_budget_us(const struct config *config)
{
    char letters[TUTTI_MAX_SYMBOL + 1];
    if (config_schedule_expand(config->frame.schedule, letters, sizeof letters) < 0) {
        return config->frame.block_us;
    }
    const long gap = strchr(letters, 'D') - strrchr(letters, 'P') - 1;
    const double symbol_us = 1e6 * (config->frame.fft_size + config->frame.n_cp_samples) / config->frame.sample_rate_hz;
    const double budget_us = (double)gap * symbol_us - config->engine.tx_lead_us;
    return budget_us > 1 ? budget_us : 1;
}

static double pick(double given, double otherwise)
{
    return given >= 0 ? given : otherwise;
}

static int resolve(struct latency_options *o, const struct given *given)
{
    const struct config *const c = o->config;
    o->aps = (int)pick(given->aps, c->network.n_ap);
    o->antennas = (int)pick(given->antennas, c->network.n_ant);
    o->users = (int)pick(given->users, c->network.n_ue);
    o->subbands = (int)pick(given->subbands, c->frame.n_used_subcarriers / c->frame.subcarriers_per_subband);
    o->encoding = c->fronthaul;
    o->encoding.busy_poll_us = pick(given->busy_poll_us, c->fronthaul.busy_poll_us);
    o->probe_bytes = given->bytes >= 0;
    o->n_probe_bytes = (size_t)pick(given->bytes, 0);
    o->interval_us = pick(given->interval_us, c->frame.block_us);
    o->budget_us = pick(given->budget_us, frame_budget_us(c));
    o->on_time_us = c->engine.on_time_us < o->budget_us ? c->engine.on_time_us : o->budget_us;
    const double n = pick(given->blocks, ceil(pick(given->duration_s, DEFAULT_DURATION_S) * 1e6 / o->interval_us));
    o->n_blocks = (uint64_t)n;
    o->key_dir = given->keys;
    if (given->transport && strcmp(given->transport, "ipc") != 0 && strcmp(given->transport, "tcp") != 0) {
        return error_set(TUTTI_EINVAL, "--transport: '%s' is not ipc or tcp", given->transport);
    }
    o->tcp = given->transport && strcmp(given->transport, "tcp") == 0;
    return read_encoding(&o->encoding, given->encoding);
}

int latency_options_parse(struct latency_options *options, int argc, char **argv)
{
    struct given given = {.aps = -1,
                          .antennas = -1,
                          .users = -1,
                          .subbands = -1,
                          .bytes = -1,
                          .interval_us = -1,
                          .budget_us = -1,
                          .busy_poll_us = -1,
                          .duration_s = -1,
                          .blocks = -1};
    *options = (struct latency_options){.argc = argc, .argv = argv};
    int status = take_all(options, &given, argc, argv);
    if (status == 0 && !options->help) {
        const struct config_options *const common = &given.common;
        status = config_load(&options->config, common->path, common->overrides, common->n_overrides);
        status = status < 0 ? status : resolve(options, &given);
    }
    config_options_free(&given.common);
    return status;
}

void latency_options_free(struct latency_options *options)
{
    config_free(options->config);
}
