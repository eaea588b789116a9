/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tutti latency compare: the probe with two sets of options in turn, so that both meet the same machine, and whether
 * what they measured differs by more than chance. */
#include "base/error.h"
#include "base/stats.h"
#include "tools/json_file.h"
#include "tools/latency/latency.h"
#include "tools/terminal/bar.h"
#include "tools/terminal/table.h"
#include "tools/tool.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <math.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum { MAX_REPEATS = 64, MAX_WORDS = 128, N_SIDES = 2, DEFAULT_REPEATS = 6 };

enum metric { BLOCK_P50, BLOCK_P99, ROUND_TRIP_P50, ROUND_TRIP_P99, N_METRICS = LATENCY_N_FIGURES };
static const struct {
    const char *name, *series, *quantile;
} metrics[N_METRICS] = {{"block p50, us", "block", "p50_us"},
                        {"block p99, us", "block", "p99_us"},
                        {"round trip p50, us", "round_trip", "p50_us"},
                        {"round trip p99, us", "round_trip", "p99_us"}};

struct comparison {
    char *words[N_SIDES][MAX_WORDS + 1]; /* of the probe's command line */
    int n_words[N_SIDES], n_repeats;
    char *split[N_SIDES]; /* the memory of --a and --b */
    const char *text[N_SIDES], *json;
    bool quiet, help;
    double value[N_METRICS][N_SIDES][MAX_REPEATS], late_percent[N_SIDES][MAX_REPEATS];
    char file[32]; /* what a probe writes */
};

/* Statistics ------------------------------------------------------------------------------------------------------- */

/* Student's t beyond which 2.5 % lie, by degrees of freedom. */
static double student(int freedom)
{
    static const double t[] = {12.71, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228,
                               2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086};
    const int n = (int)(sizeof t / sizeof t[0]);
    return freedom <= n ? t[freedom - 1] : 1.96 + 2.5 / freedom;
}

/* Of the mean of n differences. */
static struct latency_interval mean_interval(const double *difference, int n)
{
    struct stats_mean mean = {0};
    for (int i = 0; i < n; i++) {
        stats_mean_add(&mean, difference[i]);
    }
    if (n < 2) {
        return (struct latency_interval){NAN, NAN, NAN};
    }
    const double half = student(n - 1) * stats_mean_stderr(&mean);
    return (struct latency_interval){mean.mean, mean.mean - half, mean.mean + half};
}

struct latency_interval latency_ratio(const double *a, const double *b, int n)
{
    double difference[MAX_REPEATS];
    for (int i = 0; i < n && i < MAX_REPEATS; i++) {
        if (!(a[i] > 0 && b[i] > 0)) {
            return (struct latency_interval){NAN, NAN, NAN};
        }
        difference[i] = log(b[i] / a[i]);
    }
    const struct latency_interval log_ratio = mean_interval(difference, n < MAX_REPEATS ? n : MAX_REPEATS);
    return (struct latency_interval){exp(log_ratio.middle), exp(log_ratio.low), exp(log_ratio.high)};
}

/* Running ---------------------------------------------------------------------------------------------------------- */

static double number_at(const json_t *root, const char *series, const char *name)
{
    const json_t *value = json_object_get(json_object_get(json_object_get(root, "series"), series), name);
    return json_is_number(value) ? json_number_value(value) : NAN;
}

static double count_of(const json_t *root, const char *name)
{
    return json_number_value(json_object_get(root, name));
}

int latency_figures_load(struct latency_figures *figures, const char *path)
{
    json_error_t error;
    json_t *root = json_load_file(path, 0, &error);
    if (!root) {
        return error_set(TUTTI_EFORMAT, "%s: %.200s", path, error.text);
    }
    for (int m = 0; m < N_METRICS; m++) {
        figures->us[m] = number_at(root, metrics[m].series, metrics[m].quantile);
    }
    const double due = count_of(root, "sent") + count_of(root, "skipped");
    figures->late_percent = 100 * (count_of(root, "late") + count_of(root, "nof_dropped_messages")) / fmax(due, 1);
    json_decref(root);
    return TUTTI_OK;
}

static int take_result(struct comparison *c, int side, int repeat)
{
    struct latency_figures figures;
    const int status = latency_figures_load(&figures, c->file);
    for (int m = 0; status >= 0 && m < N_METRICS; m++) {
        c->value[m][side][repeat] = figures.us[m];
    }
    c->late_percent[side][repeat] = status >= 0 ? figures.late_percent : NAN;
    return status;
}

/* A process of its own, so that nothing of the last run is left in this one. */
static int run_once(struct comparison *c, int side, int repeat)
{
    posix_spawn_file_actions_t actions;
    int status = 0;
    pid_t pid;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    const int failed = posix_spawn(&pid, "/proc/self/exe", &actions, NULL, c->words[side], environ);
    posix_spawn_file_actions_destroy(&actions);
    if (failed) {
        return error_set(TUTTI_EIO, "cannot start a probe: %s", strerror(failed));
    }
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
        continue;
    }
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        return error_set(TUTTI_EIO, "the probe with the options of --%c failed", 'a' + side);
    }
    return take_result(c, side, repeat);
}

/* ABBA: a drift of the machine falls on both alike. */
static int run_all(struct comparison *c)
{
    struct bar bar;
    int status = TUTTI_OK;
    bar_begin(&bar, "measuring", "runs", (uint64_t)(N_SIDES * c->n_repeats), c->quiet);
    for (int i = 0; status == TUTTI_OK && i < N_SIDES * c->n_repeats; i++) {
        const int repeat = i / N_SIDES, side = (i + repeat) % N_SIDES;
        status = run_once(c, side, repeat);
        bar_update(&bar, (uint64_t)i + 1);
    }
    bar_end(&bar);
    return status;
}

/* Telling ---------------------------------------------------------------------------------------------------------- */

static double median(const double *values, int n)
{
    double sorted[MAX_REPEATS];
    memcpy(sorted, values, (size_t)n * sizeof *values);
    qsort(sorted, (size_t)n, sizeof *sorted, stats_ascending);
    return stats_sorted_quantile(sorted, (size_t)n, 0.5);
}

static const char *verdict(const struct latency_interval *i, double same)
{
    return isnan(i->middle) ? "not judged" : i->low > same || i->high < same ? "differs" : "does not differ";
}

static void add_row(table_t *table, json_t *rows, const char *name, const double *const side[N_SIDES], int n,
                    const struct latency_interval *i, double same)
{
    table_cell(table, "%s", name);
    table_number(table, 2, median(side[0], n));
    table_number(table, 2, median(side[1], n));
    table_number(table, 3, i->middle);
    table_cell(table, isnan(i->middle) ? "-" : "%.3f to %.3f", i->low, i->high);
    table_cell(table, "%s", verdict(i, same));
    json_t *row = json_pack("{s:s, s:s}", "what", name, "verdict", verdict(i, same));
    const double numbers[] = {median(side[0], n), median(side[1], n), i->middle, i->low, i->high};
    static const char *const names[] = {"median_a", "median_b", "b_against_a", "low", "high"};
    for (int k = 0; k < 5; k++) {
        json_object_set_new(row, names[k], json_file_number(numbers[k]));
    }
    json_array_append_new(rows, row);
}

static table_t *make_table(const struct comparison *c, json_t *rows)
{
    static const char *const headers[] = {"what", "a (median)", "b (median)", "b/a", "95 % interval", "verdict", NULL};
    table_t *table = table_create(NULL, headers);
    double difference[MAX_REPEATS];
    for (int m = 0; m < N_METRICS; m++) {
        const double *const side[N_SIDES] = {c->value[m][0], c->value[m][1]};
        const struct latency_interval ratio = latency_ratio(side[0], side[1], c->n_repeats);
        add_row(table, rows, metrics[m].name, side, c->n_repeats, &ratio, 1);
    }
    for (int i = 0; i < c->n_repeats; i++) {
        difference[i] = c->late_percent[1][i] - c->late_percent[0][i];
    }
    const double *const side[N_SIDES] = {c->late_percent[0], c->late_percent[1]};
    const struct latency_interval late = mean_interval(difference, c->n_repeats);
    add_row(table, rows, "late or lost, % (b - a)", side, c->n_repeats, &late, 0);
    return table;
}

static int tell(const struct comparison *c)
{
    json_t *rows = json_array(), *root = json_pack("{s:s, s:s, s:i, s:o}", "a", c->text[0], "b", c->text[1], "repeats",
                                                   c->n_repeats, "comparison", rows);
    table_t *table = make_table(c, rows);
    printf("a: %s\nb: %s\n%d runs each, in turn\n\n", c->text[0], c->text[1], c->n_repeats);
    table_print(table, stdout);
    table_destroy(table);
    const int failed = c->json && json_dump_file(root, c->json, JSON_INDENT(1) | JSON_REAL_PRECISION(10));
    json_decref(root);
    return failed ? error_set(TUTTI_EIO, "cannot write %s: %s", c->json, strerror(errno)) : TUTTI_OK;
}

/* Command line ----------------------------------------------------------------------------------------------------- */

static int add_word(struct comparison *c, int side, char *word)
{
    if (c->n_words[side] == MAX_WORDS) {
        return error_set(TUTTI_EINVAL, "more than %d words of options", MAX_WORDS);
    }
    c->words[side][c->n_words[side]++] = word;
    return TUTTI_OK;
}

/* For both sides. */
static int add_both(struct comparison *c, char *word)
{
    const int status = add_word(c, 0, word);
    return status < 0 ? status : add_word(c, 1, word);
}

static int split_side(struct comparison *c, int side)
{
    char *rest = NULL;
    int status = TUTTI_OK;
    if (!c->text[side]) {
        return error_set(TUTTI_EINVAL, "compare needs --a OPTIONS and --b OPTIONS");
    }
    c->split[side] = strdup(c->text[side]);
    for (char *word = c->split[side] ? strtok_r(c->split[side], " ", &rest) : NULL; word && status == TUTTI_OK;
         word = strtok_r(NULL, " ", &rest)) {
        status = add_word(c, side, word);
    }
    return status;
}

static int take(struct comparison *c, const char *name, char *value)
{
    char *end = NULL;
    if (strcmp(name, "--a") == 0 || strcmp(name, "--b") == 0) {
        c->text[name[2] - 'a'] = value;
    } else if (strcmp(name, "--json") == 0) {
        c->json = value;
    } else {
        const long n = strtol(value, &end, 10);
        if (end == value || *end || n < 2 || n > MAX_REPEATS) {
            return error_set(TUTTI_EINVAL, "--repeats: '%s' is not a whole number in 2..%d", value, MAX_REPEATS);
        }
        c->n_repeats = (int)n;
    }
    return TUTTI_OK;
}

static int parse(struct comparison *c, int argc, char **argv)
{
    static char program[] = "tutti", command[] = "latency", probe[] = "probe", quiet[] = "--quiet", json[] = "--json";
    static const char *const own[] = {"--a", "--b", "--json", "--repeats"};
    char *const begin[] = {program, command, probe}, *const end[] = {quiet, json, c->file};
    int status = TUTTI_OK;
    for (int i = 0; i < 3; i++) {
        add_both(c, begin[i]);
    }
    for (int i = 1; status == TUTTI_OK && i < argc; i++) {
        bool mine = false;
        for (size_t k = 0; k < sizeof own / sizeof own[0]; k++) {
            mine = mine || strcmp(argv[i], own[k]) == 0;
        }
        if (mine) {
            status =
                i + 1 < argc ? take(c, argv[i], argv[i + 1]) : error_set(TUTTI_EINVAL, "%s needs a value", argv[i]);
            i++;
        } else if (strcmp(argv[i], "--quiet") == 0) {
            c->quiet = true;
        } else {
            status = add_both(c, argv[i]);
        }
    }
    for (int side = 0; status == TUTTI_OK && side < N_SIDES; side++) {
        status = split_side(c, side);
        for (int i = 0; status == TUTTI_OK && i < 3; i++) {
            status = add_word(c, side, end[i]);
        }
    }
    return status;
}

int latency_compare(int argc, char **argv)
{
    static struct comparison c;
    c.n_repeats = DEFAULT_REPEATS;
    snprintf(c.file, sizeof c.file, "/tmp/tutti-latency-XXXXXX");
    int status = parse(&c, argc, argv);
    if (status < 0) {
        status = tool_usage_error("latency", "%s", error_text());
    } else {
        const int fd = mkstemp(c.file);
        if (fd < 0) {
            status = error_set(TUTTI_EIO, "cannot make a file in /tmp: %s", strerror(errno));
        } else {
            close(fd);
            status = run_all(&c);
            status = status < 0 ? status : tell(&c);
            unlink(c.file);
        }
        status = status < 0 ? tool_fault("latency") : TOOL_OK;
    }
    for (int side = 0; side < N_SIDES; side++) {
        free(c.split[side]);
    }
    return status;
}
