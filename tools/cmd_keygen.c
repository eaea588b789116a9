/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tutti keygen: the keys of a network. */
#include "base/config.h"
#include "fronthaul/keys.h"
#include "tools/tool.h"
#include "tools/words.h"

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

struct count {
    const char *name;
    int max, *value;
    bool *counted;
};

static int take_count(void *context, const char *text)
{
    const struct count *const count = context;
    char *end;
    const long n = strtol(text, &end, 10);
    if (end == text || *end || n < 0 || n > count->max) {
        return tool_usage_error("keygen", "%s %s: a number from 0 to %d is expected", count->name, text, count->max);
    }
    *count->value = (int)n;
    *count->counted = true;
    return 0;
}

/* 0, 1 after --help, or TOOL_USAGE. */
static int parse(struct keygen_options *options, int argc, char **argv)
{
    struct keys_network *const network = &options->network;
    struct count counts[] = {{"--aps", TUTTI_MAX_AP, &network->n_ap, &options->counted},
                             {"--users", TUTTI_MAX_UE, &network->n_ue, &options->counted},
                             {"--eves", TUTTI_MAX_UE, &network->n_eve, &options->counted},
                             {"--cpus", TUTTI_MAX_CPU, &network->n_cpu, &options->counted}};
    struct tool_word own[1 + sizeof counts / sizeof counts[0]] = {{.name = "--out", .text = &options->out}};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        own[1 + i] = (struct tool_word){.name = counts[i].name, .take = take_count, .context = &counts[i]};
    }
    const struct tool_words words = {
        .command = "keygen", .help = help, .common = &options->common, .word = own, .n = sizeof own / sizeof own[0]};
    const int status = tool_words_take(&words, argc, argv);
    if (!status && !options->out) {
        return tool_usage_error("keygen", "--out DIR is missing");
    }
    if (!status && options->counted == (options->common.path != NULL)) {
        return tool_usage_error("keygen", "either --config FILE or --aps N --users N is needed");
    }
    return status;
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
