/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tutti flowgraph: a GNU Radio flowgraph to start from, for a network with air.medium zmq. */
#include "base/config.h"
#include "base/error.h"
#include "tools/tool.h"
#include "tools/words.h"

#include <stdio.h>
#include <string.h>

extern const unsigned char flowgraph_text[]; /* tools/flowgraph/flowgraph.py */

static const char help[] =
    "Usage: tutti flowgraph [--config] FILE\n"
    "\n"
    "Prints a GNU Radio flowgraph (Python, without windows) that is the air of a network with air.medium: zmq: a "
    "matrix of\n"
    "gains and noise, as the network file asks for them. It reads links.json, which tutti-air writes when it starts:\n"
    "\n"
    "  tutti flowgraph net.yaml > air.py\n"
    "  tutti run net.yaml --out out & /usr/bin/python3 air.py out/links.json\n"
    "\n"
    "  --config FILE      network file\n"
    "  --set KEY=VALUE    override one key (repeatable)\n"
    "  --help             this text\n"
    "\n"
    "docs/gnuradio.md says what a flowgraph must and must not do.\n";

/* The network's name stands in a comment: one line. */
static void print_flowgraph(const char *name)
{
    const char *const text = (const char *)flowgraph_text, *const at = strstr(text, "@NAME@");
    printf("%.*s", (int)(at - text), text);
    for (const char *c = name; *c; c++) {
        putchar(*c == '\n' || *c == '\r' ? ' ' : *c);
    }
    fputs(at + strlen("@NAME@"), stdout);
}

static int print_for(const struct config_options *options)
{
    struct config *config = NULL;
    int status = config_load(&config, options->path, options->overrides, options->n_overrides);
    if (status >= 0 && config->air.medium != CONFIG_MEDIUM_ZMQ) {
        status = error_set(TUTTI_ECONFIG, "air.medium of %s is not zmq: no flowgraph is asked for", options->path);
    }
    if (status >= 0) {
        print_flowgraph(config->network.name);
    }
    config_free(config);
    return status < 0 ? tool_fault("flowgraph") : TOOL_OK;
}

int tool_flowgraph(int argc, char **argv)
{
    struct config_options options = {0};
    const struct tool_words words = {.command = "flowgraph", .help = help, .common = &options, .rest = &options.path};
    int status = tool_words_take(&words, argc, argv);
    if (status == 1) {
        status = TOOL_OK;
    } else if (status == 0) {
        status = options.path ? print_for(&options) : tool_usage_error("flowgraph", "the network file is missing");
    }
    config_options_free(&options);
    return status;
}
