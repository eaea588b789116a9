/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tutti config: what the programs would read. */
#include "base/config.h"
#include "base/error.h"
#include "mimo/width.h"
#include "tools/tool.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
    "Usage: tutti config check FILE...                     say whether each file is a valid configuration\n"
    "       tutti config show FILE [--set KEY=VALUE]...    print the effective configuration (defaults, file, "
    "overrides)\n"
    "       tutti config show --defaults                   print every key with its default and meaning\n";

enum { MAX_TAPS = 64 }; /* of air.fading */

/* Delays of the emulated air against the width of subbands, where that costs anything. */
static int check_width(const char *path, const struct config *config)
{
    const struct config_fading_model *const f = &config->air.fading;
    const int n = (int)f->tap_delays_samples_count, now = config->frame.subcarriers_per_subband;
    double powers[MAX_TAPS], delays[MAX_TAPS], left;
    if (!config_has_emulated(config) || f->model != CONFIG_FADING_TDL || n < 2 || n > MAX_TAPS) {
        return TUTTI_OK;
    }
    for (int d = 0; d < n; d++) {
        powers[d] = pow(10, f->tap_powers_db[d] / 10);
        delays[d] = f->tap_delays_samples[d];
    }
    const struct width_taps taps = {.n = n, .powers = powers, .delays_samples = delays};
    const double error = width_error(config, now, &taps);
    const int asked = width_asked(config, &taps, &left);
    if (asked == 0 || asked >= now) {
        return asked == 0 ? TUTTI_ENOMEM : TUTTI_OK;
    }
    printf("%s: the delays of air.fading alone leave users about %.0f dB with frame.subcarriers_per_subband: %d; for "
           "%.0f dB they ask for %d, at %.3g times the coefficients on the fronthaul (%.0f bytes per access point and "
           "block, not %.0f)%s\n",
           path, -10 * log10(error), now, WIDTH_ENOUGH_DB, asked, (double)now / asked, width_bytes(config, asked),
           width_bytes(config, now),
           config->precoding.subband == CONFIG_SUBBAND_FLAT ? "; precoding.subband: smooth asks for less" : "");
    return TUTTI_OK;
}

static int check(int argc, char **argv)
{
    int status = TOOL_OK;
    if (argc < 2) {
        return tool_usage_error("config", "check needs a file");
    }
    for (int i = 1; i < argc; i++) {
        struct config *config = NULL;
        if (config_load(&config, argv[i], NULL, 0) == 0) {
            printf("%s: ok\n", argv[i]);
            status = check_width(argv[i], config) < 0 ? tool_fault("config") : status;
        } else {
            fprintf(stderr, "%s\n", error_text());
            status = TOOL_FAILED;
        }
        config_free(config);
    }
    return status;
}

static int show_effective(const struct config_options *options)
{
    struct config *config = NULL;
    if (config_load(&config, options->path, options->overrides, options->n_overrides) < 0) {
        return tool_fault("config");
    }
    char *yaml = config_to_yaml(config);
    if (yaml) {
        fputs(yaml, stdout);
    }
    config_free(config);
    free(yaml);
    return yaml ? TOOL_OK : tool_fault("config");
}

static int show_as_asked(struct config_options *options, int argc, char **argv)
{
    bool defaults = false;
    for (int i = 1; i < argc;) {
        const int taken = config_options_take(options, argc, argv, &i);
        if (taken < 0) {
            return tool_usage_error("config", "%s", error_text());
        }
        if (taken) {
            continue;
        }
        const char *const argument = argv[i++];
        if (strcmp(argument, "--defaults") == 0) {
            defaults = true;
        } else if (argument[0] == '-' || options->path) {
            return tool_usage_error("config", "unknown argument %s", argument);
        } else {
            options->path = argument;
        }
    }
    if (!defaults) {
        return show_effective(options);
    }
    fputs(config_defaults_yaml(), stdout);
    return TOOL_OK;
}

static int show(int argc, char **argv)
{
    struct config_options options = {0};
    const int status = show_as_asked(&options, argc, argv);
    config_options_free(&options);
    return status;
}

int tool_config(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0) {
            fputs(help, stdout);
            return TOOL_OK;
        }
    }
    if (argc > 1 && strcmp(argv[1], "check") == 0) {
        return check(argc - 1, argv + 1);
    }
    if (argc > 1 && strcmp(argv[1], "show") == 0) {
        return show(argc - 1, argv + 1);
    }
    return tool_usage_error("config", argc > 1 ? "unknown command %s" : "check or show is missing", argv[1]);
}
