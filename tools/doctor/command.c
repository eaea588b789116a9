/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tutti doctor: what about this host costs a network something. It only looks; --tune prints the commands that would
 * change it. */
#include "base/error.h"
#include "tools/doctor/doctor.h"
#include "tools/tool.h"
#include "tools/words.h"

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
    bool quick, json, tune;
};

/* Command line --------------------------------------------------------------------------------------------------- */

static int take_role(void *context, const char *text)
{
    struct host_question *const question = context;
    static const char *const roles[] = {"ap", "ue", "eve", "cpu", "air"};
    for (int role = 0; role < HOST_ROLE_ANY; role++) {
        if (strcmp(text, roles[role]) == 0) {
            question->role = (enum host_role)role;
            return 0;
        }
    }
    return tool_usage_error("doctor", "--role %s is not ap, ue, eve, cpu or air", text);
}

static int take_id(void *context, const char *text)
{
    struct host_question *const question = context;
    char *end;
    const long id = strtol(text, &end, 10);
    question->id = (int)id;
    return end != text && !*end && id >= 0 && id < 100000 ? 0
                                                          : tool_usage_error("doctor", "--id %s is no number", text);
}

/* 0, 1 after --help, or TOOL_USAGE. */
static int parse(struct options *options, int argc, char **argv)
{
    struct host_question *const question = &options->question;
    const struct tool_word own[] = {{.name = "--quick", .flag = &options->quick},
                                    {.name = "--json", .flag = &options->json},
                                    {.name = "--tune", .flag = &options->tune},
                                    {.name = "--role", .take = take_role, .context = question},
                                    {.name = "--id", .take = take_id, .context = question},
                                    {.name = "--out", .text = &question->folder},
                                    {.name = "--root", .text = &question->root}};
    const struct tool_words words = {
        .command = "doctor", .help = help, .common = &options->common, .word = own, .n = sizeof own / sizeof own[0]};
    return tool_words_take(&words, argc, argv);
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
    if (status == 1) {
        status = TOOL_OK;
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
