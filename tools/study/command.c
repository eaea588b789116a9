/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tutti study: figures of the source papers. */
#include "base/clock.h"
#include "base/error.h"
#include "tools/study/options.h"
#include "tools/tool.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char usage[] =
    "Usage: tutti study list | show NAME | merge NAME DIR... --out DIR\n"
    "       tutti study NAME|all [--out DIR] [--drops N] [--seed S] [--jobs J] [--set KEY=VALUE]... [--quick] "
    "[--check]\n"
    "                            [--shard I/N]\n\n"
    "Computes a figure of a source paper from drops of its own and writes NAME.csv, NAME.json, NAME.svg and "
    "index.html\n"
    "into DIR (default: study). A study that was interrupted goes on where it ended. --quick: few drops, the shapes\n"
    "only. --check: exit 1 when a check fails. --shard I/N computes every Nth drop from I on; merge joins the "
    "folders.\n";

static volatile int stopped;

static void stop(int signal_number)
{
    (void)signal_number;
    stopped = 1;
}

static int list(void)
{
    for (const struct study *const *s = study_table(); *s; s++) {
        printf("%-16s %-34s %c  %s\n", (*s)->name, (*s)->item, (*s)->duration, (*s)->summary);
    }
    return TOOL_OK;
}

static int show(const struct study *study)
{
    printf("study: %s\nitem: %s\nsummary: %s\ndrops: %d\nparameters: # T in the text, I inferred, A assumed\n",
           study->name, study->item, study->summary, study->n_drop);
    for (const struct study_parameter *p = study->parameters; p->key; p++) {
        printf("  %s: %g # %c: %s\n", p->key, p->value, p->provenance, p->note);
    }
    puts("checks:");
    for (const char *const *c = study->checks; c && *c; c++) {
        printf("  - \"%s\"\n", *c);
    }
    puts("caveats:");
    for (const char *const *c = study->caveats; c && *c; c++) {
        printf("  - \"%s\"\n", *c);
    }
    return TOOL_OK;
}

static int run_chosen(const struct study_options *o)
{
    int end = TOOL_OK;
    const struct study *const one = study_find(o->name);
    if (!one && strcmp(o->name, "all") != 0) {
        return tool_usage_error("study", "%s: no study of that name; `tutti study list` names them", o->name);
    }
    signal(SIGINT, stop);
    signal(SIGTERM, stop);
    for (const struct study *const *s = study_table(); *s && !stopped; s++) {
        if (!one || *s == one) {
            end = study_carry_out(*s, o, study_run_drops, &stopped) == TOOL_OK ? end : TOOL_FAILED;
        }
    }
    return study_index(o->out) ? tool_fault("study") : end;
}

int tool_study(int argc, char **argv)
{
    struct study_options o = {.out = "study", .seed = 1, .n_shard = 1};
    const long processors = sysconf(_SC_NPROCESSORS_ONLN);
    o.jobs = processors > 0 && processors < 256 ? (int)processors : 1;
    if (argc > 1 && strcmp(argv[1], "--help") == 0) {
        fputs(usage, stdout);
        return TOOL_OK;
    }
    const int status = study_options_parse(argc, argv, &o);
    if (status) {
        return status;
    }
    if (strcmp(o.name, "list") == 0) {
        return list();
    }
    if (strcmp(o.name, "show") == 0) {
        const struct study *const study = o.n_folder ? study_find(o.folder[0]) : NULL;
        return study ? show(study) : tool_usage_error("study", "show which one? `tutti study list` names them");
    }
    if (strcmp(o.name, "merge") == 0) {
        if (o.n_folder < 2) {
            return tool_usage_error("study", "merge NAME DIR...: a study and folders of its shards");
        }
        o.name = o.folder[0];
        memmove(o.folder, o.folder + 1, (size_t)(--o.n_folder) * sizeof *o.folder);
    } else if (o.n_folder) {
        return tool_usage_error("study", "%s: one study at a time, or all", o.folder[0]);
    }
    return run_chosen(&o);
}
