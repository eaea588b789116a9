/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tutti doctor: what about this host costs a network something. It only looks; --tune prints the commands that would
 * change it. */
#include "base/error.h"
#include "tools/doctor/doctor.h"
#include "tools/tool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
    "Usage: tutti doctor [--config FILE] [options]\n"
    "\n"
    "Looks at this host and says what costs a network time or samples, and what makes it impossible. Changes nothing.\n"
    "\n"
    "  --config FILE      network file: what it asks of this host is looked at, too\n"
    "  --set KEY=VALUE    override one of its keys (repeatable)\n"
    "  --role ROLE        what runs on this host: ap, ue, eve, cpu or air (default: everything)\n"
    "  --id N             which of them (default: all)\n"
    "  --out DIR          where the recording goes (default: the network file's folder)\n"
    "  --quick            only what can be seen at once: nothing is measured\n"
    "  --json             as JSON\n"
    "  --tune             print the commands (for root) that would change it, for you to judge and run\n"
    "  --root DIR         look at a folder with proc and sys in it instead of this host\n"
    "  --help             this text\n"
    "\n"
    "Ends with 0 when nothing costs anything, 1 when something does, 2 when something makes the network impossible.\n";

struct options {
    struct config_options common;
    struct host_question question;
    bool quick, json, tune, help;
};

/* Command line --------------------------------------------------------------------------------------------------- */

static int take_role(struct host_question *question, const char *text)
{
    static const char *const roles[] = {"ap", "ue", "eve", "cpu", "air"};
    for (int role = 0; role < HOST_ROLE_ANY; role++) {
        if (strcmp(text, roles[role]) == 0) {
            question->role = (enum host_role)role;
            return 0;
        }
    }
    return tool_usage_error("doctor", "--role %s is not ap, ue, eve, cpu or air", text);
}

static int take_id(struct host_question *question, const char *text)
{
    char *end;
    const long id = strtol(text, &end, 10);
    question->id = (int)id;
    return end != text && !*end && id >= 0 && id < 100000 ? 0
                                                          : tool_usage_error("doctor", "--id %s is no number", text);
}

static int take_value(struct options *options, const char *name, const char *value)
{
    if (!value) {
        return tool_usage_error("doctor", "unknown argument, or one without its value: %s", name);
    }
    if (strcmp(name, "--role") == 0) {
        return take_role(&options->question, value);
    }
    if (strcmp(name, "--id") == 0) {
        return take_id(&options->question, value);
    }
    if (strcmp(name, "--out") == 0) {
        options->question.folder = value;
    } else if (strcmp(name, "--root") == 0) {
        options->question.root = value;
    } else {
        return tool_usage_error("doctor", "unknown argument %s", name);
    }
    return 0;
}

static bool take_flag(struct options *options, const char *argument)
{
    const struct {
        const char *name;
        bool *flag;
    } flags[] = {{"--quick", &options->quick},
                 {"--json", &options->json},
                 {"--tune", &options->tune},
                 {"--help", &options->help}};
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        if (strcmp(argument, flags[i].name) == 0) {
            return *flags[i].flag = true;
        }
    }
    return false;
}

static int parse(struct options *options, int argc, char **argv)
{
    for (int i = 1; i < argc;) {
        const int taken = config_options_take(&options->common, argc, argv, &i);
        if (taken < 0) {
            return tool_usage_error("doctor", "%s", error_text());
        }
        if (taken || take_flag(options, argv[i])) {
            i += !taken;
            continue;
        }
        const int status = take_value(options, argv[i], i + 1 < argc ? argv[i + 1] : NULL);
        if (status) {
            return status;
        }
        i += 2;
    }
    return 0;
}

/* Printing ------------------------------------------------------------------------------------------------------- */

static void print_table(const struct doctor_table *table)
{
    static const char *const mark[HOST_N_VERDICTS] = {"ok   ", "     ", "?    ", "COSTS", "STOP "};
    for (int i = 0; i < table->n; i++) {
        const struct host_finding *const f = &table->findings[i];
        printf("%s  %-21s %s\n", mark[f->verdict], f->title, f->found);
        if (f->verdict >= HOST_COSTS) {
            printf("       %-21s wanted: %s (%s)\n       %-21s -> %s\n", "", f->wanted, f->source, "", f->cost);
        }
    }
}

static void print_commands(const struct doctor_table *table)
{
    puts("# Nothing has been changed. As root, what you find right:");
    for (int i = 0; i < table->n; i++) {
        const struct host_finding *const f = &table->findings[i];
        if (f->verdict >= HOST_COSTS && f->command) {
            printf("# %s: %s\n%s\n", f->title, f->found, f->command);
        }
    }
}

static int print_json(const struct doctor_table *table)
{
    json_t *const json = host_json(table->findings, table->n);
    const int status = json ? json_dumpf(json, stdout, JSON_INDENT(2)) : -1;
    putchar('\n');
    json_decref(json);
    return status ? error_set(TUTTI_EIO, "the table could not be written as JSON") : TUTTI_OK;
}

static int examine(struct options *options)
{
    struct host_measured measured;
    struct doctor_table table;
    options->question.programs = true;
    if (!options->quick) {
        doctor_measure(&options->question, &measured);
        options->question.measured = &measured;
    }
    int status = doctor_examine(&options->question, &table);
    if (status == TUTTI_OK && options->json) {
        status = print_json(&table);
    } else if (status == TUTTI_OK) {
        (options->tune ? print_commands : print_table)(&table);
    }
    const struct host_finding *const worst = host_worst(table.findings, table.n);
    const enum host_verdict verdict = worst ? worst->verdict : HOST_GOOD;
    doctor_free(&table);
    return status < 0 ? tool_fault("doctor") : verdict == HOST_IMPOSSIBLE ? 2 : verdict == HOST_COSTS ? 1 : TOOL_OK;
}

int tool_doctor(int argc, char **argv)
{
    struct options options = {.question = {.root = "", .role = HOST_ROLE_ANY, .id = -1, .programs = true}};
    struct config *config = NULL;
    int status = parse(&options, argc, argv);
    if (status == 0 && options.help) {
        fputs(help, stdout);
    } else if (status == 0 && options.common.path &&
               config_load(&config, options.common.path, options.common.overrides, options.common.n_overrides) < 0) {
        fprintf(stderr, "tutti doctor: %s\n", error_text());
        status = 2; /* a network file that is no network */
    } else if (status == 0) {
        options.question.config = config;
        status = examine(&options);
    }
    config_free(config);
    config_options_free(&options.common);
    return status;
}
