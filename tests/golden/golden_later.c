/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Kinds of cases that are known, and whose algorithms this program does not have yet: counted as skipped, by name. */
#include "golden.h"

#include <stdio.h>
#include <string.h>

static const char *const ISAC[] = {"evaluate", "feasibility", "fixed_modes", "optimise_cp", "optimise_sp", NULL};
static const char *const BEYOND[] = {"clusters", "joint_pilots_clusters", "lsfd_mr", "uplink_combining", NULL};

/* Which family, NULL if none: by schema, or by inputs (zeta: sensing) and expected. */
static const char *family_of(const json_t *root, const char *const **kinds)
{
    const char *const schema = json_string_value(json_object_get(root, "schema"));
    const json_t *const inputs = json_object_get(root, "inputs");
    if (schema) {
        *kinds = BEYOND;
        return strcmp(schema, "beyond-1") == 0 ? "beyond" : NULL;
    }
    *kinds = ISAC;
    return json_is_object(json_object_get(root, "expected")) && golden_has(inputs, "zeta") ? "isac" : NULL;
}

bool golden_later_recognises(const json_t *root)
{
    const char *const kind = json_string_value(json_object_get(root, "kind"));
    const char *const *kinds = NULL;
    if (!kind || !family_of(root, &kinds)) {
        return false;
    }
    while (*kinds && strcmp(*kinds, kind) != 0) {
        kinds++;
    }
    return *kinds != NULL;
}

void golden_later_check(const json_t *root, struct golden *golden)
{
    const char *const *kinds = NULL;
    char what[96];
    golden_begin(golden, family_of(root, &kinds), json_string_value(json_object_get(root, "name")));
    snprintf(what, sizeof what, "kind %s, not computed here yet", json_string_value(json_object_get(root, "kind")));
    golden_skip(golden, what);
    golden_end(golden);
}
