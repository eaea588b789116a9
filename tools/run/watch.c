/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tutti watch: the progress line of a network that somebody else started. */
#include "base/error.h"
#include "base/rt.h"
#include "tools/run/progress.h"
#include "tools/tool.h"
#include "tools/words.h"

#include <inttypes.h>
#include <stdio.h>

static const char help[] = "Usage: tutti watch [--config] FILE [options]\n\n"
                           "Shows the progress of a network that runs, started by hand or by `tutti run`, until it "
                           "ends. A network that is not\n"
                           "there yet is waited for. It changes nothing; nodes do not notice.\n\n"
                           "  --config FILE    the network's file: of a run by `tutti run`, DIR/config.yaml\n"
                           "  --set KEY=VALUE  as the network was started with\n"
                           "  --once           print what the network tells first, and end\n"
                           "  --help           this text\n";

/* 0, 1 after --help, or TOOL_USAGE. */
static int parse(struct config_options *common, bool *once, int argc, char **argv)
{
    const struct tool_word own[] = {{.name = "--once", .flag = once}};
    const struct tool_words words = {.command = "watch",
                                     .help = help,
                                     .common = common,
                                     .rest = &common->path,
                                     .word = own,
                                     .n = sizeof own / sizeof own[0]};
    const int status = tool_words_take(&words, argc, argv);
    return status || common->path ? status : tool_usage_error("watch", "--config FILE is missing");
}

/* Until the network ends, or its central node is gone after it was there. */
static int follow(progress_t *progress, const struct config *config, bool once)
{
    enum { TURN_US = 200000 };
    bool seen = false;
    while (!rt_stop_requested() && !progress_stop_seen(progress) && !(once && progress_latest(progress)->known) &&
           (!seen || progress_linked(progress))) {
        progress_wait(progress, -1, TURN_US);
        if (progress_linked(progress) && !seen) {
            seen = true;
            fprintf(stderr, "tutti watch: network %s is there\n", config->network.name);
        }
        if (progress_over(progress) && !progress_stop_seen(progress) && !rt_stop_requested()) {
            return error_set(TUTTI_EREFUSED, "%s: the central node does not want us: %s",
                             config->fronthaul.lab_endpoint, error_text());
        }
    }
    return TUTTI_OK;
}

static int watch(const struct config *config, bool once)
{
    enum { WIDTH = 240 };
    progress_t *progress = NULL;
    char line[WIDTH + 1];
    int status = rt_stop_install();
    status = status ? status : progress_create(&progress, config, once);
    status = status ? status : follow(progress, config, once);
    if (status == 0) {
        progress_clear(progress);
    }
    if (status == 0 && progress_latest(progress)->known) {
        progress_format(progress_latest(progress), config, line, WIDTH);
        puts(line);
    }
    progress_destroy(progress);
    return status ? tool_fault("watch") : TOOL_OK;
}

int tool_watch(int argc, char **argv)
{
    struct config_options common = {0};
    struct config *config = NULL;
    bool once = false;
    int status = parse(&common, &once, argc, argv);
    if (status == 1) {
        status = TOOL_OK;
    } else if (status == 0 && config_load(&config, common.path, common.overrides, common.n_overrides)) {
        status = tool_fault("watch");
    } else if (status == 0) {
        status = watch(config, once);
    }
    config_free(config);
    config_options_free(&common);
    return status;
}
