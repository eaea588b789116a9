/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Shared by the config_*.c files only. A configuration is a stack of layers, each a YAML document: the built-in
 * defaults, the user's file, then one per --set. A key's value is that of the topmost layer that has it, so mappings
 * merge while scalars and lists replace, and every value still knows the file and line it came from. */
#ifndef TUTTI_BASE_CONFIG_INTERNAL_H
#define TUTTI_BASE_CONFIG_INTERNAL_H

#include "base/config.h"
#include "base/error.h"

#include <cyaml/cyaml.h>
#include <stdio.h>
#include <yaml.h>

enum { CONFIG_PATH_ROOM = 160, CONFIG_MAX_DEPTH = 16 };

struct config_layer {
    yaml_document_t document;
    bool open;                   /* document must be deleted */
    const char *file;            /* NULL for a --set */
    const char *set;             /* the whole "path=value" or "path:=text"; NULL for a file */
    char path[CONFIG_PATH_ROOM]; /* where the document's root belongs; "" for a file */
};

struct config_layers {
    int n;
    struct config_layer layer[]; /* defaults first */
};

/* config_document.c */
int config_layers_open(struct config_layers **layers, const char *path, const char *const *overrides, int n_overrides);
void config_layers_close(struct config_layers *layers);
/* The node of a dotted path ("air.large_scale.gain_db[2][0]") in the topmost layer that has it; NULL if none has. */
yaml_node_t *config_layers_find(struct config_layers *layers, const char *path, struct config_layer **layer);
/* Sets the error "file:line: path: ..." or "--set path=value: ..." and returns TUTTI_ECONFIG. path may be "". */
int config_fail_at(const struct config_layer *layer, size_t line, const char *path, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* The same for a rule over several keys (blank-separated paths): blames the one set in the topmost layer, so what the
 * user wrote and not a default. */
int config_fail(struct config_layers *layers, const char *paths, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* config_schema.c */
extern const cyaml_schema_value_t config_schema;
extern const cyaml_schema_field_t config_row_fields[]; /* struct config_row: a plain list in YAML */
bool config_schema_is_row(const cyaml_schema_value_t *schema);
/* A list of radios: entries give some keys only. */
bool config_schema_is_radios(const cyaml_schema_value_t *schema);
const cyaml_schema_field_t *config_schema_field(const cyaml_schema_value_t *mapping, const char *key);
/* The schema of a dotted path, with or without indices; NULL if unknown. */
const cyaml_schema_value_t *config_schema_find(const char *path);
/* "prefix.key", or "key" for an empty prefix; overlong (unknown) keys are cut. */
void config_path_join(char path[CONFIG_PATH_ROOM], const char *prefix, const char *key);
/* Calls visit for every key, sections included. */
void config_schema_each(void (*visit)(void *context, const char *path), void *context);

/* config_validate.c: unknown and repeated keys, types, ranges */
int config_layers_validate(struct config_layers *layers);

/* config_range.c */
struct config_range {
    const char *path; /* without indices: a range holds for every entry of a list */
    double min, max;
    const char *note;
};
const struct config_range *config_range_find(const char *path);              /* NULL if the table lacks it */
const char *config_bare_path(const char *path, char bare[CONFIG_PATH_ROOM]); /* without indices */

/* config_check.c, with config_check_air.c and config_check_texts.c */
int config_check(struct config_layers *layers, const struct config *config); /* combinations */

/* config_text.c */
/* Allocated, NUL-terminated UTF-8 for the parser; NULL when out of memory. */
char *config_text_escape(const char *text, size_t length, size_t *escaped);
/* Every text of the struct gets its bytes back. */
void config_text_unescape(struct config *config);
/* The line on which nesting passes CONFIG_MAX_DEPTH; 0 if it never does. */
size_t config_text_too_deep(const char *text, size_t length);

/* config_radio.c */
bool config_radio_is_emulated(const struct config_radio *radio); /* by its backend */
bool config_radio_is_replay(const struct config_radio *radio);
int config_radios_check(struct config_layers *layers); /* ids there, known, once; after config_layers_validate */
/* Radios of a role ("ap") that the merged lists have: all of them, or none if nobody has an entry. */
long config_radios_n(struct config_layers *layers, const char *role);
/* A key of one radio: its own entry's, or the common default's. */
yaml_node_t *config_radios_find(struct config_layers *layers, const char *role, long id, const char *key,
                                struct config_layer **layer);

/* config_iq.c: the nodes that are to record, and those that are tapped, are there */
int config_iq_check(struct config_layers *layers, const struct config *config);

/* config_cluster.c: what user-centric clusters go with */
struct frame;
int config_cluster_check(struct config_layers *layers, const struct config *config, const struct frame *frame);

/* config_cpus.c: several central nodes: their endpoints in full, before the paths are resolved, and what they go with
 */
int config_cpus_resolve(struct config *config);
int config_cpus_check(struct config_layers *layers, const struct config *config, const struct frame *frame);

/* config_emit.c: allocated text, NULL when out of memory */
char *config_layers_text(struct config_layers *layers); /* the merged layers, for libcyaml */
char *config_struct_text(const struct config *config);  /* for people */
/* Closes a memory stream (or NULL) and gives its text, or frees it after an error. */
char *config_finish_text(FILE *out, char **text);

#endif
