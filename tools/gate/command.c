/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tutti gate: a radio of somebody else's takes a seat in the emulated air. */
#include "base/error.h"
#include "base/log.h"
#include "base/rt.h"
#include "tools/gate/gate.h"
#include "tools/tool.h"
#include "tools/words.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
    "Usage: tutti gate --config FILE --as SEAT --tx ADDRESS[,...] --rx ADDRESS[,...] [options]\n\n"
    "Lets a GNU Radio flowgraph, srsRAN, or whoever exchanges samples as they do over ZeroMQ, take the seat of a node "
    "in\n"
    "the emulated air of a network (air.mode: lockstep). docs/gnuradio.md has the wire and the rules.\n\n"
    "  --config FILE      the network's file: of a run by `tutti run`, DIR/config.yaml\n"
    "  --set KEY=VALUE    as the network was started with\n"
    "  --as SEAT          ap0, ue1, eve0, ...: a node that nobody else is\n"
    "  --tx ADDRESS,...   tcp://HOST:PORT where the other radio gives what it sends (it binds), one per antenna\n"
    "  --rx ADDRESS,...   tcp://HOST:PORT where it asks for what arrives (we bind), one per antenna\n"
    "  --gone-ms MS       so long without a byte: it has left, the seat is silent (default 3000)\n"
    "  --help             this text\n";

struct options {
    struct config_options common;
    const char *seat, *gone;
    char *tx, *rx; /* copies, cut at commas */
};

/* A list that may be cut. */
static int take_list(void *context, const char *value)
{
    char **const list = context;
    free(*list);
    *list = strdup(value);
    return 0;
}

/* 0, 1 after --help, or TOOL_USAGE. */
static int parse(struct options *o, int argc, char **argv)
{
    const struct tool_word own[] = {{.name = "--as", .text = &o->seat},
                                    {.name = "--gone-ms", .text = &o->gone},
                                    {.name = "--tx", .take = take_list, .context = &o->tx},
                                    {.name = "--rx", .take = take_list, .context = &o->rx}};
    const struct tool_words words = {
        .command = "gate", .help = help, .common = &o->common, .word = own, .n = sizeof own / sizeof own[0]};
    const int status = tool_words_take(&words, argc, argv);
    return status || (o->common.path && o->seat && o->tx && o->rx)
               ? status
               : tool_usage_error("gate", "--config, --as, --tx and --rx are needed");
}

static int cut(char *list, const char *addresses[GATE_MAX_ANT])
{
    int n = 0;
    for (char *rest = list, *one; (one = strsep(&rest, ","));) {
        if (n < GATE_MAX_ANT) {
            addresses[n] = one;
        }
        n++;
    }
    return n;
}

static int choose_seat(struct gate_settings *s, const char *seat)
{
    const struct config_network *n = &s->config->network;
    const int count[CONFIG_N_ROLES] = {n->n_ap, n->n_ue, n->n_eve};
    const int n_ant[CONFIG_N_ROLES] = {n->n_ant, 1, s->config->eve.n_ant};
    for (int role = 0; role < CONFIG_N_ROLES; role++) {
        const char *const name = config_role_name((enum config_role)role), *const number = seat + strlen(name);
        char *end;
        if (strncmp(seat, name, strlen(name)) != 0 || *number < '0' || *number > '9') {
            continue;
        }
        const long id = strtol(number, &end, 10);
        s->role = (enum config_role)role, s->id = (int)id, s->n_ant = n_ant[role];
        if (!*end && id < count[role]) {
            return TUTTI_OK;
        }
    }
    return error_set(TUTTI_EINVAL, "--as %s is no node of this network: ap0..ap%d, ue0..ue%d%s", seat, n->n_ap - 1,
                     n->n_ue - 1, n->n_eve > 0 ? ", eve0.." : "");
}

static int settle(struct gate_settings *s, struct options *o)
{
    char *end = NULL;
    s->gone_ms = o->gone ? strtod(o->gone, &end) : 3000;
    if (o->gone && (end == o->gone || *end || !(s->gone_ms > 0))) {
        return error_set(TUTTI_EINVAL, "--gone-ms %s is no time", o->gone);
    }
    if (s->config->air.mode != CONFIG_AIR_LOCKSTEP) {
        return error_set(TUTTI_ECONFIG, "a gate needs air.mode: lockstep: others' radios do not keep real time");
    }
    const int status = choose_seat(s, o->seat), n_tx = cut(o->tx, s->tx), n_rx = cut(o->rx, s->rx);
    if (!status && (n_tx != s->n_ant || n_rx != s->n_ant)) {
        return error_set(TUTTI_EINVAL,
                         "%s has %d antenna(s): as many addresses after --tx and --rx are needed, not %d and %d",
                         o->seat, s->n_ant, n_tx, n_rx);
    }
    return status;
}

static int gate(struct options *o)
{
    struct config *config = NULL;
    int status = config_load(&config, o->common.path, o->common.overrides, o->common.n_overrides);
    struct gate_settings settings = {.config = config};
    status = status ? status : settle(&settings, o);
    status = status ? status : rt_stop_install();
    status = status ? status : gate_run(&settings);
    config_free(config);
    return status ? tool_fault("gate") : TOOL_OK;
}

int tool_gate(int argc, char **argv)
{
    struct options o = {0};
    const int status = parse(&o, argc, argv);
    const int result = status == 0 ? gate(&o) : status == 1 ? TOOL_OK : status;
    free(o.tx);
    free(o.rx);
    config_options_free(&o.common);
    return result;
}
