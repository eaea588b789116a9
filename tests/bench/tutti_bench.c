/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Runs the bench programs beside it and shows their rows as tables; --json FILE keeps them, --compare DIR holds them
 * against those of another build. */
#include "children.h"
#include "compare.h"
#include "row.h"

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NAMES "mimo, phy, spzf, attack, encoding, uplink, rlspa, clusters, gap, isac, fronthaul"
static const char usage[] = "usage: tutti-bench [--only NAME] [--fronthaul] [--quick] [--json FILE]\n"
                            "       tutti-bench --compare DIR [--turns N] [--only NAME] [--fronthaul] [--quick]\n";
static const char help[] =
    "Times Tutti's kernels on this processor. Run it on an otherwise idle machine.\n"
    "  --only NAME   one of " NAMES "; may be repeated\n"
    "  --fronthaul   the fronthaul round trips too; they take minutes\n"
    "  --quick       an eighth of the rounds\n"
    "  --json FILE   also write {\"processor\": ..., \"programs\": [{\"program\": ..., \"complete\": true, \"rows\":\n"
    "                [{\"section\": ..., \"what\": ..., \"median_us\": ..., ...}]}]}; null: does not apply\n"
    "  --compare DIR the bench programs in DIR, another build's, and those beside this one, on one processor and round "
    "by\n"
    "                round in turn: a line per row with the best figure of either and how much slower this one is, "
    "the\n"
    "                median over pairs of rounds; rows more than 1.3 apart are named\n"
    "  --turns N     how often both run for it; 3 if not said\n";

static struct program {
    const char *name;
    bool chosen;
} programs[] = {{"mimo", false},     {"phy", false},    {"spzf", false},     {"attack", false},
                {"encoding", false}, {"uplink", false}, {"rlspa", false},    {"clusters", false},
                {"gap", false},      {"isac", false},   {"fronthaul", false}};
enum { N_PROGRAM = sizeof programs / sizeof *programs, FRONTHAUL = N_PROGRAM - 1 };

struct options {
    const char *json_file, *other;
    int n_turn; /* 0: not said */
    bool quick;
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
    fprintf(stderr, "tutti-bench: --only %s: not one of " NAMES "\n", name);
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
        } else if (strcmp(argv[i], "--quick") == 0) {
            o->quick = true;
        } else if (strcmp(argv[i], "--only") == 0 && i + 1 < argc) {
            only = true;
            if (choose(argv[++i]) != 0) {
                return 2;
            }
        } else if (strcmp(argv[i], "--json") == 0 && i + 1 < argc) {
            o->json_file = argv[++i];
        } else if (strcmp(argv[i], "--compare") == 0 && i + 1 < argc) {
            o->other = argv[++i];
        } else if (strcmp(argv[i], "--turns") == 0 && i + 1 < argc && atoi(argv[i + 1]) > 0) {
            o->n_turn = atoi(argv[++i]);
        } else {
            fprintf(stderr, "tutti-bench: %s: unknown, or its value is missing\n%s", argv[i], usage);
            return 2;
        }
    }
    for (int p = 0; p < N_PROGRAM && !only; p++) {
        programs[p].chosen = p != FRONTHAUL;
    }
    programs[FRONTHAUL].chosen |= fronthaul;
    if (o->json_file && o->other) {
        fprintf(stderr, "tutti-bench: --json keeps one build's rows, --compare looks at two\n%s", usage);
        return 2;
    }
    return 0;
}

static int run(const char *directory, const char *name, bool quick, json_t *results)
{
    json_t *rows = json_array();
    printf("\n== bench_%s\n", name);
    const int rc = children_run(directory, name, quick, true, rows);
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

/* The folder of this program; NULL with a line on stderr. */
static const char *own_directory(void)
{
    static char self[PATH_MAX];
    const ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    if (length < 0) {
        fprintf(stderr, "tutti-bench: cannot find the bench programs: %s\n", strerror(errno));
        return NULL;
    }
    self[length] = '\0';
    return dirname(self);
}

static int run_all(const char *directory, const char *json_file, bool quick)
{
    FILE *file = json_file ? fopen(json_file, "we") : NULL; /* now: the run takes a while */
    if (json_file && !file) {
        fprintf(stderr, "tutti-bench: --json %s: %s\n", json_file, strerror(errno));
        return 1;
    }
    json_t *results = json_array();
    int rc = 0;
    for (int p = 0; p < N_PROGRAM; p++) {
        if (programs[p].chosen) {
            rc |= run(directory, programs[p].name, quick, results);
        }
    }
    if (file) {
        rc |= write_results(json_file, file, results);
    }
    json_decref(results);
    return rc;
}

int main(int argc, char **argv)
{
    struct options options = {0};
    const int asked = parse(argc, argv, &options);
    if (asked != 0) {
        return asked == 1 ? 0 : asked;
    }
    const char *directory = own_directory(), *names[N_PROGRAM];
    if (!directory) {
        return 1;
    }
    if (!options.other) {
        return run_all(directory, options.json_file, options.quick);
    }
    int n = 0;
    for (int p = 0; p < N_PROGRAM; p++) {
        if (programs[p].chosen) {
            names[n++] = programs[p].name;
        }
    }
    return compare_builds(directory, options.other, n, names, options.n_turn > 0 ? options.n_turn : 3, options.quick);
}
