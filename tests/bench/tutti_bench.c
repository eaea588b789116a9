/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Runs the bench programs beside it and shows their rows as tables; --json FILE keeps them for a comparison. */
#include "row.h"

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const char usage[] = "usage: tutti-bench [--only NAME] [--fronthaul] [--json FILE]\n";
static const char help[] =
    "Times Tutti's kernels on this processor. Run it on an otherwise idle machine.\n"
    "  --only NAME   one of mimo, phy, spzf, attack, encoding, fronthaul; may be repeated\n"
    "  --fronthaul   the fronthaul round trips too; they take minutes\n"
    "  --json FILE   also write {\"processor\": ..., \"programs\": [{\"program\": ..., \"complete\": true, \"rows\":\n"
    "                [{\"section\": ..., \"what\": ..., \"median_us\": ..., ...}]}]}; null: does not apply\n";

static struct program {
    const char *name;
    bool chosen;
} programs[] = {{"mimo", false},   {"phy", false},      {"spzf", false},
                {"attack", false}, {"encoding", false}, {"fronthaul", false}};
enum { N_PROGRAM = sizeof programs / sizeof *programs, FRONTHAUL = N_PROGRAM - 1 };

struct options {
    const char *json_file;
};

static int choose(const char *name)
{
    if (strncmp(name, "bench_", 6) == 0) {
        name += 6;
    }
    for (int p = 0; p < N_PROGRAM; p++) {
        if (strcmp(name, programs[p].name) == 0) {
            programs[p].chosen = true;
            return 0;
        }
    }
    fprintf(stderr, "tutti-bench: --only %s: not one of mimo, phy, spzf, attack, encoding, fronthaul\n", name);
    return 2;
}

/* 0 to go on, 1 for --help, 2 for wrong usage. */
static int parse(int argc, char **argv, struct options *o)
{
    bool only = false, fronthaul = false;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0) {
            printf("%s%s", usage, help);
            return 1;
        } else if (strcmp(argv[i], "--fronthaul") == 0) {
            fronthaul = true;
        } else if (strcmp(argv[i], "--only") == 0 && i + 1 < argc) {
            only = true;
            if (choose(argv[++i]) != 0) {
                return 2;
            }
        } else if (strcmp(argv[i], "--json") == 0 && i + 1 < argc) {
            o->json_file = argv[++i];
        } else {
            fprintf(stderr, "tutti-bench: %s: unknown, or its value is missing\n%s", argv[i], usage);
            return 2;
        }
    }
    for (int p = 0; p < N_PROGRAM && !only; p++) {
        programs[p].chosen = p != FRONTHAUL;
    }
    programs[FRONTHAUL].chosen |= fronthaul;
    return 0;
}

/* The child's standard output, or NULL. */
static FILE *start(const char *path, pid_t *child)
{
    int ends[2];
    fflush(stdout);
    if (pipe(ends) != 0) {
        return NULL;
    }
    *child = fork();
    if (*child == 0) {
        dup2(ends[1], STDOUT_FILENO);
        close(ends[0]);
        close(ends[1]);
        execl(path, path, "--json", (char *)NULL);
        fprintf(stderr, "tutti-bench: %s: %s\n", path, strerror(errno));
        _exit(127);
    }
    close(ends[1]);
    FILE *out = *child > 0 ? fdopen(ends[0], "r") : NULL;
    if (!out) {
        close(ends[0]);
    }
    return out;
}

/* Shows and keeps rows until the child ends. 0 if it ended well and every line was a row. */
static int collect(FILE *out, pid_t child, json_t *rows)
{
    char *text = NULL;
    size_t room = 0;
    int bad = 0, status = 0;
    while (getline(&text, &room, out) > 0) {
        json_t *row = json_loads(text, 0, NULL);
        if (!row || !row_show(row)) {
            bad = 1;
        }
        if (row) {
            bad |= json_array_append_new(rows, row) != 0;
        }
    }
    free(text);
    fclose(out);
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    return bad || !WIFEXITED(status) || WEXITSTATUS(status) != 0 || json_array_size(rows) == 0;
}

static int run(const char *directory, const char *name, json_t *results)
{
    char path[PATH_MAX + 32];
    pid_t child;
    json_t *rows = json_array();
    snprintf(path, sizeof path, "%s/bench_%s", directory, name);
    printf("\n== bench_%s\n", name);
    FILE *out = start(path, &child);
    const int rc = out ? collect(out, child, rows) : 1;
    if (rc != 0) {
        fprintf(stderr, "tutti-bench: bench_%s did not finish; its rows so far are kept\n", name);
    }
    json_array_append_new(results,
                          json_pack("{s:s+, s:b, s:o}", "program", "bench_", name, "complete", rc == 0, "rows", rows));
    return rc;
}

/* As /proc/cpuinfo names it; NULL if it does not. */
static json_t *processor(void)
{
    char text[256];
    json_t *name = NULL;
    FILE *info = fopen("/proc/cpuinfo", "r");
    while (info && !name && fgets(text, sizeof text, info)) {
        const char *value = strchr(text, ':');
        text[strcspn(text, "\n")] = '\0';
        if (value && strncmp(text, "model name", 10) == 0) {
            name = json_string(value + strspn(value, ": \t"));
        }
    }
    if (info) {
        fclose(info);
    }
    return name;
}

/* Closes the file. 0 or 1 with a line on stderr. */
static int write_results(const char *name, FILE *file, json_t *results)
{
    json_t *all = json_pack("{s:o?, s:O}", "processor", processor(), "programs", results);
    int rc = !all || json_dumpf(all, file, JSON_INDENT(1) | JSON_REAL_PRECISION(6)) != 0 || fputc('\n', file) == EOF;
    json_decref(all);
    rc |= fclose(file) != 0;
    if (rc != 0) {
        fprintf(stderr, "tutti-bench: --json %s: cannot write: %s\n", name, strerror(errno));
    }
    return rc;
}

int main(int argc, char **argv)
{
    struct options options = {0};
    char self[PATH_MAX];
    const int asked = parse(argc, argv, &options);
    if (asked != 0) {
        return asked == 1 ? 0 : asked;
    }
    FILE *file = options.json_file ? fopen(options.json_file, "we") : NULL; /* now: the run takes a while */
    if (options.json_file && !file) {
        fprintf(stderr, "tutti-bench: --json %s: %s\n", options.json_file, strerror(errno));
        return 1;
    }
    const ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    json_t *results = json_array();
    int rc = 0;
    if (length < 0 || !results) {
        fprintf(stderr, "tutti-bench: cannot find the bench programs: %s\n", strerror(errno));
        return 1;
    }
    self[length] = '\0';
    const char *directory = dirname(self);
    for (int p = 0; p < N_PROGRAM; p++) {
        if (programs[p].chosen) {
            rc |= run(directory, programs[p].name, results);
        }
    }
    if (file) {
        rc |= write_results(options.json_file, file, results);
    }
    json_decref(results);
    return rc;
}
