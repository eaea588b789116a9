/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tutti power: the powers that the scheme of a network file gets, offline. */
#include "base/error.h"
#include "base/schemes.h"
#include "tools/contained.h"
#include "tools/power/allocation.h"
#include "tools/results/channel_file.h"
#include "tools/tool.h"
#include "tools/words.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
    "Usage: tutti power --config FILE [options]\n"
    "       tutti power --channel IN.h5 --scheme NAME [options]\n\n"
    "The powers that scheme and power rule of a network file give for the large-scale gains of its emulated air\n"
    "(`air.large_scale`), without running it, or for those of a channel file or of the run.h5 of a run "
    "(docs/files.md):\n"
    "per access point and user, what they yield against equal powers, and how near to the best that is.\n"
    "  ppzf, pzf, fzf with equal_shares    towards the targets of section `resilience`, as its controller solves it\n"
    "  cb with maxmin                      the least SINR as large as possible, with a bound that no powers pass\n"
    "  zf, rzf with rlspa_wc, rlspa_wiener robust least squares at block level, mean over channels: drawn, or each "
    "block\n"
    "                                      and subband of the file\n\n"
    "  --channel FILE     /H_hat, /error_variance; optional /beta; attribute ap_power. No eavesdropper, no overhead in "
    "rates\n"
    "  --layout NAME      order of its dimensions: rows, columns, auto, as of tutti precode\n"
    "  --blocks A:B       its blocks A to B-1 only; either may be left out\n"
    "  --scheme NAME      the same as --set precoding.scheme=NAME\n"
    "  --power NAME       the same as --set precoding.power=NAME; with --scheme alone the first that is named above\n"
    "  --set KEY=VALUE    another value for a key of the file, such as precoding.scheme=cb, resilience.r_des=4\n"
    "  --json FILE        everything as JSON; a file that is there stays, the new one is called FILE.2...\n";

struct power_options {
    struct config_options common;
    const char *json, *channel, *layout, *blocks, *scheme, *power;
    char scheme_text[64], power_text[64];
    struct allocation_channel input;
};

static int take_layout(struct power_options *o)
{
    static const char *const layouts[CHANNEL_N_LAYOUTS] = {"auto", "rows", "columns"};
    while (o->layout && o->input.layout < CHANNEL_N_LAYOUTS && strcmp(o->layout, layouts[o->input.layout]) != 0) {
        o->input.layout++;
    }
    return o->input.layout < CHANNEL_N_LAYOUTS
               ? 0
               : tool_usage_error("power", "--layout %s is unknown; allowed are auto, rows, columns", o->layout);
}

/* Digits only; none leave the value. */
static const char *take_block(const char *text, uint64_t *value)
{
    const size_t n = strspn(text, "0123456789");
    if (n > 0 && n <= 18) {
        *value = strtoull(text, NULL, 10);
    }
    return n <= 18 ? text + n : "?";
}

static int take_blocks(struct power_options *o)
{
    o->input.end = UINT64_MAX;
    if (!o->blocks) {
        return 0;
    }
    const char *const colon = take_block(o->blocks, &o->input.first);
    const bool good = *colon == ':' && *take_block(colon + 1, &o->input.end) == '\0' && o->input.first < o->input.end;
    return good ? 0 : tool_usage_error("power", "--blocks %s; allowed is A:B with A < B, e.g. 0:100", o->blocks);
}

/* The rule that a scheme has a power problem for. */
static const char *usual_power(const char *scheme)
{
    const int s = mimo_scheme_find(scheme);
    return mimo_power_name(s == MIMO_CB                    ? MIMO_POWER_MAXMIN
                           : s == MIMO_ZF || s == MIMO_RZF ? MIMO_POWER_RLSPA_WC
                                                           : MIMO_POWER_EQUAL_SHARES);
}

static int take_names(struct power_options *o)
{
    const char *const power = o->power ? o->power : o->scheme ? usual_power(o->scheme) : NULL;
    int status = 0;
    if (o->scheme) {
        snprintf(o->scheme_text, sizeof o->scheme_text, "precoding.scheme=%s", o->scheme);
        status = config_options_add(&o->common, o->scheme_text);
    }
    if (power && status >= 0) {
        snprintf(o->power_text, sizeof o->power_text, "precoding.power=%s", power);
        status = config_options_add(&o->common, o->power_text);
    }
    if (o->channel && !o->common.path && status >= 0) {
        status = config_options_add(&o->common, "network.n_ant=64"); /* how many there are the channel file says */
    }
    return status < 0 ? tool_usage_error("power", "%s", error_text()) : 0;
}

static int check(struct power_options *o)
{
    if (!o->common.path && !o->channel) {
        return tool_usage_error("power", "--config FILE or --channel FILE is missing");
    }
    if (!o->channel && (o->layout || o->blocks)) {
        return tool_usage_error("power", "--layout and --blocks are about --channel FILE");
    }
    o->input.path = o->channel;
    int status = take_layout(o);
    status = status ? status : take_blocks(o);
    return status ? status : take_names(o);
}

/* 0, 1 after --help, or TOOL_USAGE. */
static int parse(struct power_options *o, int argc, char **argv)
{
    const struct tool_word own[] = {
        {.name = "--json", .text = &o->json},     {.name = "--channel", .text = &o->channel},
        {.name = "--layout", .text = &o->layout}, {.name = "--blocks", .text = &o->blocks},
        {.name = "--scheme", .text = &o->scheme}, {.name = "--power", .text = &o->power}};
    const struct tool_words words = {
        .command = "power", .help = help, .common = &o->common, .word = own, .n = sizeof own / sizeof own[0]};
    const int status = tool_words_take(&words, argc, argv);
    return status ? status : check(o);
}

struct power_job {
    const struct config *config;
    const struct power_options *options;
};

static int show(void *context)
{
    const struct power_job *const job = context;
    const struct power_options *const o = job->options;
    struct allocation allocation;
    int status = o->channel ? allocation_create_channel(&allocation, job->config, &o->input)
                            : allocation_create(&allocation, job->config);
    if (status >= 0) {
        allocation_print(&allocation);
        status = o->json ? allocation_json(&allocation, o->json) : 0;
    }
    allocation_destroy(&allocation);
    return status < 0 ? tool_fault("power") : TOOL_OK;
}

/* A channel file may be damaged. */
static int run(const struct config *config, const struct power_options *options)
{
    struct power_job job = {config, options};
    const struct contained contained = {.command = "power", .path = options->channel, .body = show, .context = &job};
    return options->channel ? contained_run(&contained) : show(&job);
}

int tool_power(int argc, char **argv)
{
    struct power_options options = {0};
    struct config *config = NULL;
    int status = parse(&options, argc, argv);
    if (status == 1) {
        status = TOOL_OK;
    } else if (status == 0) {
        status = config_load(&config, options.common.path, options.common.overrides, options.common.n_overrides) < 0
                     ? tool_fault("power")
                     : run(config, &options);
    }
    config_free(config);
    config_options_free(&options.common);
    return status;
}
