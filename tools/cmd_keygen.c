/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tutti keygen: the keys of a network. */
#include "base/config.h"
#include "base/error.h"
#include "fronthaul/keys.h"
#include "tools/tool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
    "Usage: tutti keygen --out DIR --config FILE [--set KEY=VALUE]...\n"
    "       tutti keygen --out DIR --aps N --users N [--eves N] [--cpus N]\n"
    "\n"
    "Makes one key pair per node of the network, and the list of public keys:\n"
    "\n"
    "  DIR/cpu.key, ap0.key .., ue0.key .., eve0.key .., observer.key   secret, mode 0600\n"
    "  DIR/cpu1.key ..                                                 of further central nodes\n"
    "  DIR/public.keys                                                 whom the CPU node lets in\n"
    "\n"
    "Give each host public.keys and the .key files of the nodes it runs, and nothing else; name the directory in\n"
    "fronthaul.key_dir. Existing files are never overwritten. See docs/security.md.\n";

struct keygen_options {
    struct config_options common;
    const char *out;
    struct keys_network network;
    bool counted; /* --aps, --users or --eves was given */
};

static int take_count(const char *name, const char *text, int max, int *value)
{
    char *end;
    const long n = strtol(text, &end, 10);
    if (end == text || *end || n < 0 || n > max) {
        return tool_usage_error("keygen", "%s %s: a number from 0 to %d is expected", name, text, max);
    }
    *value = (int)n;
    return 0;
}

/* 0 go on, 1 help was asked for, TOOL_USAGE wrong. */
static int parse(struct keygen_options *options, int argc, char **argv)
{
    const struct {
        const char *name;
        int max, *value;
    } counts[] = {{"--aps", TUTTI_MAX_AP, &options->network.n_ap},
                  {"--users", TUTTI_MAX_UE, &options->network.n_ue},
                  {"--eves", TUTTI_MAX_UE, &options->network.n_eve},
                  {"--cpus", TUTTI_MAX_CPU, &options->network.n_cpu}};
    const size_t n = sizeof counts / sizeof counts[0];
    for (int i = 1; i < argc;) {
        const int taken = config_options_take(&options->common, argc, argv, &i);
        if (taken < 0) {
            return tool_usage_error("keygen", "%s", error_text());
        }
        if (taken) {
            continue;
        }
        const char *const argument = argv[i++];
        if (strcmp(argument, "--help") == 0) {
            return 1;
        }
        size_t c = 0;
        while (c < n && strcmp(argument, counts[c].name) != 0) {
            c++;
        }
        if (c == n && strcmp(argument, "--out") != 0) {
            return tool_usage_error("keygen", "unknown argument %s", argument);
        }
        if (i == argc) {
            return tool_usage_error("keygen", "%s needs a value", argument);
        }
        if (c == n) {
            options->out = argv[i++];
        } else if (take_count(argument, argv[i++], counts[c].max, counts[c].value)) {
            return TOOL_USAGE;
        }
        options->counted = options->counted || c < n;
    }
    if (!options->out) {
        return tool_usage_error("keygen", "--out DIR is missing");
    }
    if (options->counted == (options->common.path != NULL)) {
        return tool_usage_error("keygen", "either --config FILE or --aps N --users N is needed");
    }
    return 0;
}

static int read_network(struct keygen_options *options)
{
    struct config *config = NULL;
    const int status =
        config_load(&config, options->common.path, options->common.overrides, options->common.n_overrides);
    if (status < 0) {
        return status;
    }
    options->network =
        (struct keys_network){config->network.n_ap, config->network.n_ue, config->network.n_eve, config_n_cpu(config)};
    config_free(config);
    return 0;
}

static int make_keys(struct keygen_options *options, int argc, char **argv)
{
    const int parsed = parse(options, argc, argv);
    if (parsed == 1) {
        fputs(help, stdout);
        return TOOL_OK;
    }
    if (parsed) {
        return parsed;
    }
    if ((!options->counted && read_network(options) < 0) || keys_generate(options->out, &options->network) < 0) {
        return tool_fault("keygen");
    }
    printf("%s: keys of the CPU node, the observers, %d APs, %d users, %d eavesdroppers, and public.keys\n",
           options->out, options->network.n_ap, options->network.n_ue, options->network.n_eve);
    return TOOL_OK;
}

int tool_keygen(int argc, char **argv)
{
    struct keygen_options options = {0};
    const int status = make_keys(&options, argc, argv);
    config_options_free(&options.common);
    return status;
}
