/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tutti radio: what is to be run before the first experiment. */
#include "base/error.h"
#include "base/log.h"
#include "base/rt.h"
#include "tools/radio/trial.h"
#include "tools/tool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
    "Usage: tutti radio probe|check|lead ARGS [options]\n"
    "\n"
    "  probe   opens and sets up the radio as a node would, shows sources, lock, PPS and rate, receives, sends one "
    "burst\n"
    "  check   receives and sends for --seconds and accepts zero events only (U O D S L)\n"
    "  lead    finds how long ahead a burst must be handed over: engine.tx_lead_us\n"
    "\n"
    "ARGS are UHD's device arguments, such as addr=192.168.10.2; several boards: addr0=..,addr1=..\n"
    "with --backend soapy SoapySDR's, such as driver=lime\n"
    "  --backend NAME             uhd (default) | soapy\n"
    "  --rate HZ                  sample rate (default 1920000)\n"
    "  --master-clock-rate HZ     a multiple of it; default: the radio's\n"
    "  --freq HZ --bandwidth HZ   carrier, analogue filters (default: not set)\n"
    "  --tx-gain DB --rx-gain DB  (default 0)\n"
    "  --tx-ant NAME --rx-ant NAME\n"
    "  --antennas N               how many (default 1)\n"
    "  --channels LIST            which (default 0..N-1), such as 0,1\n"
    "  --subdev SPEC              such as \"A:0 B:0\"\n"
    "  --ref SOURCE --pps SOURCE  internal | external | gpsdo\n"
    "  --seconds S                check: how long (default 10)\n"
    "  --bursts N                 lead: per step (default 300)\n"
    "\n"
    "Exit status 0: ready, accepted, measured. It transmits: attenuators or antennas first.\n";

struct number_option {
    const char *name;
    double *value;
};
struct text_option {
    const char *name;
    const char **value;
};

static int take_number(const struct number_option *options, size_t n, const char *name, const char *text)
{
    for (size_t i = 0; i < n; i++) {
        char *end = NULL;
        if (strcmp(options[i].name, name) == 0) {
            *options[i].value = strtod(text, &end);
            return end != text && !*end ? 1
                                        : tool_usage_error("radio", "%s: a number is expected, '%s' found", name, text);
        }
    }
    return 0;
}

static int take_text(const struct text_option *options, size_t n, const char *name, const char *text)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(options[i].name, name) == 0) {
            *options[i].value = text;
            return 1;
        }
    }
    return 0;
}

static int take(struct trial_options *o, double *n_ant, double *n_burst, const char *name, const char *text)
{
    struct radio_settings *s = &o->radio;
    const struct number_option numbers[] = {
        {"--rate", &s->rate_hz},       {"--master-clock-rate", &s->master_clock_rate_hz},
        {"--freq", &s->freq_hz},       {"--bandwidth", &s->bandwidth_hz},
        {"--tx-gain", &s->tx_gain_db}, {"--rx-gain", &s->rx_gain_db},
        {"--antennas", n_ant},         {"--bursts", n_burst},
        {"--seconds", &o->seconds}};
    const struct text_option texts[] = {{"--backend", &s->backend},   {"--tx-ant", &s->tx_antenna},
                                        {"--rx-ant", &s->rx_antenna}, {"--channels", &s->channels},
                                        {"--subdev", &s->subdev},     {"--ref", &s->clock_source},
                                        {"--pps", &s->time_source}};
    if (!text) {
        return tool_usage_error("radio", "%s: its value is missing", name);
    }
    const int taken = take_number(numbers, sizeof numbers / sizeof numbers[0], name, text);
    return taken ? taken : take_text(texts, sizeof texts / sizeof texts[0], name, text);
}

static int parse(struct trial_options *o, int argc, char **argv)
{
    double n_ant = 1, n_burst = 300;
    for (int i = 2; i < argc; i++) {
        if (argv[i][0] != '-') {
            o->radio.args = argv[i];
            continue;
        }
        const int taken = take(o, &n_ant, &n_burst, argv[i], i + 1 < argc ? argv[i + 1] : NULL);
        if (taken != 1) {
            return taken == TOOL_USAGE ? taken : tool_usage_error("radio", "unknown argument %s", argv[i]);
        }
        i++;
    }
    if (!o->radio.args) {
        return tool_usage_error("radio", "which radio? ARGS are missing, such as addr=192.168.10.2");
    }
    if (!(n_ant >= 1 && n_ant <= TUTTI_MAX_ANT) || !(n_burst >= 1 && n_burst <= 1e6) ||
        !(o->seconds > 0 && o->seconds < 1e6)) {
        return tool_usage_error("radio", "--antennas 1 to %d, --bursts 1 to 1000000, --seconds above 0", TUTTI_MAX_ANT);
    }
    o->radio.n_ant = (int)n_ant;
    o->n_burst = (int)n_burst;
    o->radio.n_tx_buffer_samples = (int)(0.1 * o->radio.rate_hz);
    return TOOL_OK;
}

int tool_radio(int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*run)(const struct trial_options *options);
    } verbs[] = {{"probe", radio_probe}, {"check", radio_check}, {"lead", radio_lead}};
    struct trial_options options = {.radio = {.backend = "uhd", .role = "ap", .rate_hz = 1.92e6}, .seconds = 10};
    if (argc >= 2 && strcmp(argv[1], "--help") == 0) {
        fputs(help, stdout);
        return TOOL_OK;
    }
    for (size_t i = 0; argc >= 2 && i < sizeof verbs / sizeof verbs[0]; i++) {
        if (strcmp(argv[1], verbs[i].name) == 0) {
            const int status = parse(&options, argc, argv);
            if (status) {
                return status;
            }
            log_set_component("RADIO");
            return rt_stop_install() < 0 ? tool_fault("radio") : verbs[i].run(&options);
        }
    }
    return tool_usage_error("radio", "probe, check or lead is expected");
}
