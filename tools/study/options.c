/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tools/study/options.h"

#include "base/clock.h"
#include "base/error.h"
#include "tools/tool.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool whole(const char *text, long low, long high, long *value)
{
    char *end = NULL;
    errno = 0;
    *value = text ? strtol(text, &end, 10) : 0;
    return text && *text && !*end && !errno && *value >= low && *value <= high;
}

/* An option with a value; false: not one of them, or its value cannot be. */
static bool take_value(struct study_options *o, const char *name, const char *value)
{
    long number = 0, of = 1;
    if (strcmp(name, "--out") == 0) {
        o->out = value;
        return true;
    }
    if (strcmp(name, "--set") == 0 && o->n_set < STUDY_MOST_SETS) {
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

int study_options_parse(int argc, char **argv, struct study_options *o)
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
        } else if (o->n_folder < STUDY_MOST_FOLDERS) {
            o->folder[o->n_folder++] = argv[i];
        }
    }
    return o->name ? TOOL_OK : tool_usage_error("study", "which one? `tutti study list` names them");
}

const struct study *study_find(const char *name)
{
    for (const struct study *const *s = study_table(); *s; s++) {
        if (strcmp((*s)->name, name) == 0) {
            return *s;
        }
    }
    return NULL;
}

int study_prepare(struct study_run *run, const struct study *study, const struct study_options *o)
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

/* A quick run's drops may be shorter ones: they never become part of another. */
static void rows_path(const struct study_run *run, const char *folder, char *path, size_t room)
{
    snprintf(path, room, "%s/%s%s.rows", folder, run->study->name, run->quick ? ".quick" : "");
}

/* Rows of the folders given, or computed; then evaluated and written. */
static int obtain(struct study_run *run, const struct study_options *o, study_drops drops, const volatile int *stop)
{
    char rows[4096];
    const uint64_t begin = clock_mono_ns();
    int status = tool_make_folders(o->out, 0777);
    for (int i = 0; i < o->n_folder && !status; i++) {
        rows_path(run, o->folder[i], rows, sizeof rows);
        status = study_run_take(run, rows);
    }
    if (!status && o->n_folder == 0) {
        rows_path(run, o->out, rows, sizeof rows);
        status = drops(run, rows, stop);
    }
    if (!status) {
        run->seconds = 1e-9 * (double)(clock_mono_ns() - begin);
        study_run_evaluate(run);
        status = study_output(run, o->out);
    }
    return status;
}

int study_carry_out(const struct study *study, const struct study_options *o, study_drops drops,
                    const volatile int *stop)
{
    struct study_run run = {0};
    int status = study_prepare(&run, study, o);
    status = status ? status : obtain(&run, o, drops, stop);
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
