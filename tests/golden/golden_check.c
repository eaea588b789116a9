/* SPDX-License-Identifier: GPL-3.0-or-later */
/* golden_check FILE_OR_DIR...: checks golden cases and prints one line per case; the last line counts them. Exit 0 when
 * none fails, 1 when one does (a case that nobody recognises is one), 2 when something cannot be read. */
#include "golden.h"

#include <dirent.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const struct schema {
    const char *name;
    bool (*recognises)(const json_t *root);
    void (*check)(const json_t *root, struct golden *golden);
} SCHEMAS[] = {
#define GOLDEN_ROW(name) {#name, golden_##name##_recognises, golden_##name##_check},
    GOLDEN_SCHEMAS(GOLDEN_ROW)
#undef GOLDEN_ROW
};

void golden_begin(struct golden *golden, const char *schema, const char *name)
{
    golden->compared = golden->wrong = 0;
    golden->first_wrong[0] = golden->skipped[0] = '\0';
    snprintf(golden->name, sizeof golden->name, "%s %s", schema, name ? name : "(unnamed)");
}

static void note_wrong(struct golden *golden, const char *what, va_list arguments)
{
    if (golden->wrong++ == 0) {
        vsnprintf(golden->first_wrong, sizeof golden->first_wrong, what, arguments);
    }
}

void golden_close(struct golden *golden, double value, double want, double tolerance, double scale, const char *what,
                  ...)
{
    if (isnan(want)) {
        return;
    }
    golden->compared++;
    if (fabs(value - want) <= tolerance * fabs(scale)) {
        return;
    }
    const bool first = golden->wrong == 0;
    va_list arguments;
    va_start(arguments, what);
    note_wrong(golden, what, arguments);
    va_end(arguments);
    const size_t used = strlen(golden->first_wrong);
    if (first) {
        snprintf(golden->first_wrong + used, sizeof golden->first_wrong - used, ": %.12g, expected %.12g", value, want);
    }
}

void golden_true(struct golden *golden, bool ok, const char *what, ...)
{
    golden->compared++;
    if (ok) {
        return;
    }
    va_list arguments;
    va_start(arguments, what);
    note_wrong(golden, what, arguments);
    va_end(arguments);
}

void golden_skip(struct golden *golden, const char *part)
{
    const size_t used = strlen(golden->skipped);
    snprintf(golden->skipped + used, sizeof golden->skipped - used, "%s%s", used ? ", " : "", part);
}

void golden_end(struct golden *golden)
{
    if (golden->compared == 0 && !golden->skipped[0]) {
        golden_skip(golden, "everything: the case has nothing that is known here");
    }
    const char *const and = golden->skipped[0] ? "; not checked: " : "";
    if (golden->wrong) {
        golden->failed++;
        printf("FAIL %s: %d of %d values wrong, first %s%s%s\n", golden->name, golden->wrong, golden->compared,
               golden->first_wrong, and, golden->skipped);
    } else if (golden->skipped[0]) {
        golden->skipped_cases++;
        printf("SKIPPED %s: %d values right%s%s\n", golden->name, golden->compared, and, golden->skipped);
    } else {
        golden->passed++;
        printf("pass %s: %d values\n", golden->name, golden->compared);
    }
}

bool golden_has(const json_t *object, const char *key)
{
    const json_t *const value = json_object_get(object, key);
    return value && !json_is_null(value);
}

double golden_number(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return json_is_number(value) ? json_number_value(value) : (double)NAN;
}

int golden_int(const json_t *object, const char *key)
{
    return (int)json_integer_value(json_object_get(object, key));
}

double golden_at(const json_t *array, int i)
{
    const json_t *value = json_array_get(array, (size_t)i);
    return json_is_number(value) ? json_number_value(value) : (double)NAN;
}

double golden_at2(const json_t *array, int i, int j)
{
    return golden_at(json_array_get(array, (size_t)i), j);
}

double complex golden_complex(const json_t *value)
{
    return CMPLX(golden_number(value, "re"), golden_number(value, "im"));
}

static int check_file(const char *path, struct golden *golden)
{
    json_error_t error;
    json_t *root = json_load_file(path, 0, &error);
    if (!root) {
        fprintf(stderr, "golden_check: %s: line %d: %s\n", path, error.line, error.text);
        return 2;
    }
    bool known = false;
    for (size_t i = 0; i < sizeof SCHEMAS / sizeof *SCHEMAS && !known; i++) {
        known = SCHEMAS[i].recognises(root);
        if (known) {
            SCHEMAS[i].check(root, golden);
        }
    }
    if (!known) {
        golden->failed++;
        printf("FAIL %s: no kind of case that is known here\n", path);
    }
    json_decref(root);
    return 0;
}

static int check_path(const char *path, struct golden *golden);

static int wanted(const struct dirent *entry)
{
    const char *dot = strrchr(entry->d_name, '.');
    return entry->d_name[0] != '.' && (!dot || strcmp(dot, ".json") == 0); /* directories have no dot */
}

static int check_directory(const char *path, struct golden *golden)
{
    struct dirent **entries;
    const int n = scandir(path, &entries, wanted, alphasort);
    if (n < 0) {
        fprintf(stderr, "golden_check: cannot list %s\n", path);
        return 2;
    }
    int rc = 0;
    for (int i = 0; i < n; i++) {
        char child[4096];
        snprintf(child, sizeof child, "%s/%s", path, entries[i]->d_name);
        rc |= check_path(child, golden);
        free(entries[i]);
    }
    free(entries);
    return rc;
}

static int check_path(const char *path, struct golden *golden)
{
    struct stat info;
    if (stat(path, &info)) {
        fprintf(stderr, "golden_check: cannot open %s\n", path);
        return 2;
    }
    return S_ISDIR(info.st_mode) ? check_directory(path, golden) : check_file(path, golden);
}

int main(int argc, char **argv)
{
    if (argc < 2 || strcmp(argv[1], "--help") == 0) {
        fprintf(argc < 2 ? stderr : stdout, "usage: golden_check FILE_OR_DIR...\n");
        return argc < 2 ? 2 : 0;
    }
    struct golden golden = {0};
    int rc = 0;
    for (int i = 1; i < argc; i++) {
        rc |= check_path(argv[i], &golden);
    }
    printf("%d passed, %d failed, %d skipped\n", golden.passed, golden.failed, golden.skipped_cases);
    return rc ? rc : golden.failed > 0;
}
