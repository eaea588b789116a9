/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tutti study: figures of the source papers. */
#include "base/clock.h"
#include "base/error.h"
#include "tools/study/study_run.h"
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

enum { MOST_SETS = 32, MOST_FOLDERS = 64 };
struct options {
    const char *name, *out, *set[MOST_SETS], *folder[MOST_FOLDERS];
    int drops, jobs, shard, n_shard, n_set, n_folder;
    uint64_t seed;
    bool quick, check;
};

static volatile int stopped;

static void stop(int signal_number)
{
    (void)signal_number;
    stopped = 1;
}

static bool whole(const char *text, long low, long high, long *value)
{
    char *end = NULL;
    errno = 0;
    *value = text ? strtol(text, &end, 10) : 0;
    return text && *text && !*end && !errno && *value >= low && *value <= high;
}

/* An option with a value; false: not one of them, or its value cannot be. */
static bool take_value(struct options *o, const char *name, const char *value)
{
    long number = 0, of = 1;
    if (strcmp(name, "--out") == 0) {
        o->out = value;
        return true;
    }
    if (strcmp(name, "--set") == 0 && o->n_set < MOST_SETS) {
        o->set[o->n_set++] = value;
        return true;
    }
    if (strcmp(name, "--shard") == 0) {
        char *slash = NULL;
        number = strtol(value, &slash, 10);
        const bool ok = *slash == '/' && whole(slash + 1, 1, 100000, &of) && number >= 0 && number < of;
        o->shard = (int)number;
        o->n_shard = (int)of;
        return ok;
    }
    const bool is_seed = strcmp(name, "--seed") == 0;
    if (!whole(value, is_seed ? 0 : 1, is_seed ? 0x7fffffffffffffff : 1000000, &number)) {
        return false;
    }
    if (is_seed) {
        o->seed = (uint64_t)number;
        return true;
    }
    int *const slot = strcmp(name, "--drops") == 0 ? &o->drops : strcmp(name, "--jobs") == 0 ? &o->jobs : NULL;
    if (slot) {
        *slot = (int)number;
    }
    return slot != NULL;
}

static int parse(int argc, char **argv, struct options *o)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--quick") == 0) {
            o->quick = true;
        } else if (strcmp(argv[i], "--check") == 0) {
            o->check = true;
        } else if (strncmp(argv[i], "--", 2) == 0) {
            if (i + 1 >= argc || !take_value(o, argv[i], argv[i + 1])) {
                return tool_usage_error("study", "%s: unknown, or its value cannot be", argv[i]);
            }
            i++;
        } else if (!o->name) {
            o->name = argv[i];
        } else if (o->n_folder < MOST_FOLDERS) {
            o->folder[o->n_folder++] = argv[i];
        }
    }
    return o->name ? TOOL_OK : tool_usage_error("study", "which one? `tutti study list` names them");
}

static const struct study *find(const char *name)
{
    for (const struct study *const *s = study_table(); *s; s++) {
        if (strcmp((*s)->name, name) == 0) {
            return *s;
        }
    }
    return NULL;
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

static int prepare(struct study_run *run, const struct study *study, const struct options *o)
{
    const int n_drop = o->drops ? o->drops : o->quick ? study->n_quick : study->n_drop;
    int status = study_run_create(run, study, n_drop);
    run->seed = o->seed;
    run->n_job = o->jobs;
    run->shard = o->shard;
    run->n_shard = o->n_shard;
    run->quick = o->quick;
    for (int i = 0; i < o->n_set && !status; i++) {
        status = study_run_set(run, o->set[i]);
    }
    return status;
}

/* Rows of the folders given, or computed; then evaluated and written. */
static int carry_out(struct study_run *run, const struct options *o)
{
    char rows[4096];
    const uint64_t begin = clock_mono_ns();
    int status = 0;
    if (mkdir(o->out, 0777) != 0 && errno != EEXIST) {
        return error_set(TUTTI_EIO, "study: %s: %s", o->out, strerror(errno));
    }
    for (int i = 0; i < o->n_folder && !status; i++) {
        snprintf(rows, sizeof rows, "%s/%s.rows", o->folder[i], run->study->name);
        status = study_run_take(run, rows);
    }
    if (o->n_folder == 0) {
        snprintf(rows, sizeof rows, "%s/%s.rows", o->out, run->study->name);
        status = study_run_drops(run, rows, &stopped);
    }
    if (!status) {
        run->seconds = 1e-9 * (double)(clock_mono_ns() - begin);
        study_run_evaluate(run);
        status = study_output(run, o->out);
    }
    return status;
}

/* TOOL_OK, or TOOL_FAILED: an error, or with --check a check. */
static int run_study(const struct study *study, const struct options *o)
{
    struct study_run run = {0};
    int status = prepare(&run, study, o);
    status = status ? status : carry_out(&run, o);
    int end = TOOL_OK;
    if (status) {
        end = tool_fault("study");
    } else {
        study_print(&run);
        end = o->check && run.n_failed > 0 ? TOOL_FAILED : TOOL_OK;
    }
    study_run_destroy(&run);
    return end;
}

static int run_chosen(const struct options *o)
{
    int end = TOOL_OK;
    const struct study *const one = find(o->name);
    if (!one && strcmp(o->name, "all") != 0) {
        return tool_usage_error("study", "%s: no study of that name; `tutti study list` names them", o->name);
    }
    signal(SIGINT, stop);
    signal(SIGTERM, stop);
    for (const struct study *const *s = study_table(); *s && !stopped; s++) {
        if (!one || *s == one) {
            end = run_study(*s, o) == TOOL_OK ? end : TOOL_FAILED;
        }
    }
    return study_index(o->out) ? tool_fault("study") : end;
}

int tool_study(int argc, char **argv)
{
    struct options o = {.out = "study", .seed = 1, .n_shard = 1};
    const long processors = sysconf(_SC_NPROCESSORS_ONLN);
    o.jobs = processors > 0 && processors < 256 ? (int)processors : 1;
    if (argc > 1 && strcmp(argv[1], "--help") == 0) {
        fputs(usage, stdout);
        return TOOL_OK;
    }
    const int status = parse(argc, argv, &o);
    if (status) {
        return status;
    }
    if (strcmp(o.name, "list") == 0) {
        return list();
    }
    if (strcmp(o.name, "show") == 0) {
        const struct study *const study = o.n_folder ? find(o.folder[0]) : NULL;
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
