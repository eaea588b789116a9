/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tutti power: the powers that the scheme of a network file gets, offline. */
#include "base/error.h"
#include "tools/power/allocation.h"
#include "tools/tool.h"

#include <stdio.h>
#include <string.h>

static const char help[] =
    "Usage: tutti power --config FILE [options]\n\n"
    "The powers that scheme and power rule of a network file give for the large-scale gains of its emulated air\n"
    "(`air.large_scale`), without running it: per access point and user, what they yield against equal powers, and "
    "how\n"
    "near to the best that is.\n"
    "  ppzf, pzf, fzf with equal_shares    towards the targets of section `resilience`, as its controller solves it\n"
    "  cb with power: maxmin               the least SINR as large as possible, with a bound that no powers pass\n"
    "  zf, rzf with rlspa_wc, rlspa_wiener robust least squares at block level, mean over channels drawn\n\n"
    "  --set KEY=VALUE    another value for a key of the file, such as precoding.scheme=cb\n"
    "  --json FILE        everything as JSON; a file that is there stays, the new one is called FILE.2...\n";

struct power_options {
    struct config_options common;
    const char *json;
};

/* 0, 1 after --help, or TOOL_USAGE. */
static int parse(struct power_options *options, int argc, char **argv)
{
    for (int i = 1; i < argc;) {
        const int taken = config_options_take(&options->common, argc, argv, &i);
        if (taken < 0) {
            return tool_usage_error("power", "%s", error_text());
        }
        if (taken) {
            continue;
        }
        const char *const word = argv[i++];
        if (strcmp(word, "--help") == 0) {
            return 1;
        }
        if (strcmp(word, "--json") != 0) {
            return tool_usage_error("power", "unknown argument %s", word);
        }
        if (i >= argc) {
            return tool_usage_error("power", "--json needs a value");
        }
        options->json = argv[i++];
    }
    return options->common.path ? 0 : tool_usage_error("power", "--config FILE is missing");
}

static int show(const struct config *config, const struct power_options *options)
{
    struct allocation allocation;
    int status = allocation_create(&allocation, config);
    if (status >= 0) {
        allocation_print(&allocation);
        status = options->json ? allocation_json(&allocation, options->json) : 0;
    }
    allocation_destroy(&allocation);
    return status < 0 ? tool_fault("power") : TOOL_OK;
}

int tool_power(int argc, char **argv)
{
    struct power_options options = {0};
    struct config *config = NULL;
    int status = parse(&options, argc, argv);
    if (status == 1) {
        fputs(help, stdout);
        status = TOOL_OK;
    } else if (status == 0) {
        status = config_load(&config, options.common.path, options.common.overrides, options.common.n_overrides) < 0
                     ? tool_fault("power")
                     : show(config, &options);
    }
    config_free(config);
    config_options_free(&options.common);
    return status;
}
