/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Golden cases: inputs and expected outputs as JSON. A schema is one file golden_<schema>.c with a function that
 * recognises its JSON and one that checks it; both are listed in golden_check.c. A check opens a case, compares, closes
 * it; it never stops early at a wrong value. */
#ifndef TESTS_GOLDEN_GOLDEN_H
#define TESTS_GOLDEN_GOLDEN_H

#include "linalg/cmplx.h"

#include <jansson.h>
#include <stdbool.h>

struct golden {
    int passed, failed, skipped_cases; /* a case that passes but for a skipped part counts as skipped */
    /* the open case */
    int compared, wrong;
    char name[96], first_wrong[256], skipped[256];
};

void golden_begin(struct golden *golden, const char *schema, const char *name);
/* |value - want| <= tolerance * scale; what is a printf format for people. A value that is NaN is wrong; a wanted NaN
 * is a field that the case does not have, and is not checked. */
void golden_close(struct golden *golden, double value, double want, double tolerance, double scale, const char *what,
                  ...) __attribute__((format(printf, 6, 7)));
void golden_true(struct golden *golden, bool ok, const char *what, ...) __attribute__((format(printf, 3, 4)));
/* A part that no program here computes yet. */
void golden_skip(struct golden *golden, const char *part);
void golden_end(struct golden *golden); /* prints the case's line */

/* Reading; a missing or mistyped member gives NaN or 0, never a crash. */
bool golden_has(const json_t *object, const char *key); /* there, and not null */
double golden_number(const json_t *object, const char *key);
int golden_int(const json_t *object, const char *key);
double golden_at(const json_t *array, int i);         /* array[i] */
double golden_at2(const json_t *array, int i, int j); /* array[i][j] */
double complex golden_complex(const json_t *value);   /* {"re": .., "im": ..} */

#define GOLDEN_SCHEMAS(X) X(ob) X(maxmin_cb) X(ppzf) X(isac) X(rlspa) X(spzf) X(uplink) X(beyond) X(cluster)
#define GOLDEN_DECLARE(name)                                                                                           \
    bool golden_##name##_recognises(const json_t *root);                                                               \
    void golden_##name##_check(const json_t *root, struct golden *golden);
GOLDEN_SCHEMAS(GOLDEN_DECLARE)
#undef GOLDEN_DECLARE

#endif
