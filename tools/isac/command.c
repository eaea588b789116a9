/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tutti isac: modes and powers for the geometry of a network file, offline. */
#include "tools/isac/plan.h"
#include "tools/tool.h"
#include "tools/words.h"

#include <stdio.h>
#include <string.h>

static const char help[] =
    "Usage: tutti isac --config FILE [options]\n\n"
    "Plans which access points serve users and which illuminate the sensing zones of a network file, and with what "
    "powers:\n"
    "section `sensing` says what is wanted, `air.large_scale` (a geometry) where everybody is. Powers are optimal for\n"
    "every choice of modes that is looked at; the bound printed holds for all choices.\n\n"
    "  --set KEY=VALUE    another value for a key of the file, such as sensing.kappa_db=6\n"
    "  --modes 0110...    these modes instead of a search: 0 senses, 1 communicates, AP 0 first\n"
    "  --effort WORD      prefixes (quick) | flips | swaps (default): how far the search goes\n"
    "  --json FILE        everything as JSON; a file that is there stays, the new one is called FILE.2...\n"
    "  --map FILE         map of access points by mode, users and zones as SVG (needs gnuplot)\n";

struct isac_options {
    struct config_options common;
    const char *modes, *json, *map;
    enum isac_effort effort;
};

static int take_effort(void *context, const char *word)
{
    static const char *const WORDS[] = {"prefixes", "flips", "swaps"};
    struct isac_options *const options = context;
    for (int i = 0; i < 3; i++) {
        if (strcmp(word, WORDS[i]) == 0) {
            options->effort = (enum isac_effort)i;
            return 0;
        }
    }
    return tool_usage_error("isac", "--effort is prefixes, flips or swaps, not %s", word);
}

/* 0, 1 after --help, or TOOL_USAGE. */
static int parse(struct isac_options *options, int argc, char **argv)
{
    const struct tool_word own[] = {
        {.name = "--modes", .text = &options->modes},
        {.name = "--json", .text = &options->json},
        {.name = "--map", .text = &options->map},
        {.name = "--effort", .take = take_effort, .context = options, .needs = "prefixes, flips or swaps"}};
    const struct tool_words words = {
        .command = "isac", .help = help, .common = &options->common, .word = own, .n = sizeof own / sizeof own[0]};
    const int status = tool_words_take(&words, argc, argv);
    return status || options->common.path ? status : tool_usage_error("isac", "--config FILE is missing");
}

static int plan_for(const struct config *config, const struct isac_options *options)
{
    struct isac_plan plan;
    int status = isac_plan_create(&plan, config);
    status = status ? status : isac_plan_solve(&plan, options->effort, options->modes);
    if (!status) {
        isac_plan_print(&plan);
    }
    if (!status && options->json) {
        status = isac_plan_json(&plan, options->json);
    }
    if (!status && options->map) {
        status = isac_plan_map(&plan, options->map);
    }
    const bool feasible = !status && plan.decision.solution.verdict == ISAC_FEASIBLE;
    isac_plan_destroy(&plan);
    return status ? tool_fault("isac") : feasible ? TOOL_OK : TOOL_FAILED;
}

int tool_isac(int argc, char **argv)
{
    struct isac_options options = {.effort = ISAC_SWAPS};
    struct config *config = NULL;
    int status = parse(&options, argc, argv);
    if (status == 1) {
        status = TOOL_OK;
    } else if (status == 0) {
        status = config_load(&config, options.common.path, options.common.overrides, options.common.n_overrides)
                     ? tool_fault("isac")
                     : plan_for(config, &options);
    }
    config_free(config);
    config_options_free(&options.common);
    return status;
}
