/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tutti fault: changes fronthaul.faults of a running network, as an observer on the lab link. */
#include "base/config.h"
#include "base/error.h"
#include "tools/observer.h"
#include "tools/tool.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
    "Usage: tutti fault --config FILE [--set KEY=VALUE]... NAME=VALUE...\n"
    "\n"
    "Changes the faults that the CPU node of a running network injects into its links with the APs, at once and until\n"
    "changed again. NAME is a key of fronthaul.faults (see `tutti config show --defaults`): loss, delay_us, "
    "jitter_us,\n"
    "reorder, silent_ap, partition_ap, from_block, to_block. The CPU node must have been started with\n"
    "fronthaul.faults.allow_command: true. For a network started by `tutti run`, FILE is DIR/config.yaml.\n"
    "\n"
    "  tutti fault --config run-x/config.yaml loss=0.05 to_block=2000\n";

struct fault_options {
    struct config_options common;
    json_t *set;
};

static int take_setting(json_t *set, const char *argument)
{
    char name[32], *end;
    const char *const equals = strchr(argument, '=');
    const size_t length = equals ? (size_t)(equals - argument) : 0;
    if (length == 0 || length >= sizeof name) {
        return tool_usage_error("fault", "%s: NAME=VALUE is expected", argument);
    }
    memcpy(name, argument, length);
    name[length] = '\0';
    const double value = strtod(equals + 1, &end);
    if (end == equals + 1 || *end) {
        return tool_usage_error("fault", "%s: a number is expected after the =", argument);
    }
    json_object_set_new(set, name, json_real(value));
    return 0;
}

static int parse(struct fault_options *options, int argc, char **argv)
{
    for (int i = 1; i < argc;) {
        const int taken = config_options_take(&options->common, argc, argv, &i);
        if (taken < 0) {
            return tool_usage_error("fault", "%s", error_text());
        }
        if (taken) {
            continue;
        }
        if (strcmp(argv[i], "--help") == 0) {
            return 1;
        }
        if (argv[i][0] == '-') {
            return tool_usage_error("fault", "unknown argument %s", argv[i]);
        }
        if (take_setting(options->set, argv[i++])) {
            return TOOL_USAGE;
        }
    }
    if (!options->common.path) {
        return tool_usage_error("fault", "--config FILE is missing");
    }
    return json_object_size(options->set) ? 0 : tool_usage_error("fault", "no NAME=VALUE is given");
}

/* 1: the answer to our command, printed; 0: something else; negative: refused. */
static int hear(void *unused, const char *text)
{
    (void)unused;
    json_t *root = json_loads(text, 0, NULL);
    const char *type = json_string_value(json_object_get(root, "type"));
    const char *problem = json_string_value(json_object_get(root, "error"));
    const char *effective = json_string_value(json_object_get(root, "faults"));
    int status = type && strcmp(type, "fault_answer") == 0;
    if (status && problem) {
        status = error_set(TUTTI_EREFUSED, "refused by the CPU node: %s", problem);
    } else if (status) {
        printf("%s\n", effective ? effective : "done");
    }
    json_decref(root);
    return status;
}

static int command_cpu(const struct config *config, json_t *set)
{
    json_t *root = json_pack("{s:s, s:O}", "type", "fault", "set", set);
    char *text = root ? json_dumps(root, JSON_COMPACT) : NULL;
    struct observer_question question = {.text = text, .hear = hear, .deadline_ns = observer_deadline_ns()};
    const int status = text ? observer_ask(&question, config) : error_set(TUTTI_ENOMEM, "out of memory");
    free(text);
    json_decref(root);
    return status;
}

int tool_fault_command(int argc, char **argv)
{
    struct fault_options options = {.set = json_object()};
    struct config *config = NULL;
    int status = parse(&options, argc, argv);
    if (status == 1) {
        fputs(help, stdout);
        status = TOOL_OK;
    } else if (status == 0 &&
               (config_load(&config, options.common.path, options.common.overrides, options.common.n_overrides) < 0 ||
                command_cpu(config, options.set) < 0)) {
        status = tool_fault("fault");
    }
    config_free(config);
    config_options_free(&options.common);
    json_decref(options.set);
    return status;
}
