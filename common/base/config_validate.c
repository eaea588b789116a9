/* SPDX-License-Identifier: GPL-3.0-or-later */
/* libcyaml reads numbers with strtol and takes any word for true, so "5 ms", "1e3" and "maybe" would pass as 5, 1 and
 * true. Hence every node is checked here first, against the same schema and with its line at hand; libcyaml only fills
 * the struct. Checking before anything is copied also bounds what aliases in a file can grow to. */
#include "base/config_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { FOUND_ROOM = 48 };

static size_t line_of(const yaml_node_t *node)
{
    return node->start_mark.line + 1;
}

/* What the user wrote, for a message. */
static const char *found(const yaml_node_t *node, char room[FOUND_ROOM])
{
    const char *const text = node->type == YAML_SCALAR_NODE ? (const char *)node->data.scalar.value : "";
    if (node->type == YAML_MAPPING_NODE) {
        return "keys";
    }
    if (node->type == YAML_SEQUENCE_NODE) {
        return "a list";
    }
    if (!*text) {
        return "nothing";
    }
    const char quote = node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE ? '\'' : '"';
    snprintf(room, FOUND_ROOM, "%c%.40s%s%c", quote, text, strlen(text) > 40 ? "..." : "", quote);
    return room;
}

/* Unknown keys ---------------------------------------------------------------------------------------------------- */

enum { KEY_ROOM = 64 };

/* Levenshtein distance, one row at a time. */
static size_t edit_distance(const char *a, const char *b)
{
    size_t row[KEY_ROOM + 1];
    const size_t n = strlen(b);
    if (n > KEY_ROOM || strlen(a) > KEY_ROOM) {
        return KEY_ROOM;
    }
    for (size_t j = 0; j <= n; j++) {
        row[j] = j;
    }
    for (size_t i = 1; a[i - 1]; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= n; j++) {
            const size_t above = row[j];
            size_t best = diagonal + (a[i - 1] != b[j - 1]);
            best = above + 1 < best ? above + 1 : best;
            best = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
            diagonal = above;
            row[j] = best;
        }
    }
    return row[n];
}

struct nearest {
    const char *wanted;
    char path[CONFIG_PATH_ROOM];
    size_t distance;
};

static const char *last_key(const char *path)
{
    const char *const dot = strrchr(path, '.');
    return dot ? dot + 1 : path;
}

/* The right key in the wrong section counts as nearer than a wrong key in the right one, a wrong key in the wrong
 * section as further. */
static void consider(void *context, const char *path)
{
    struct nearest *nearest = context;
    const size_t whole = 2 * edit_distance(path, nearest->wanted);
    const size_t mistyped = edit_distance(last_key(path), last_key(nearest->wanted));
    const size_t key = 2 * mistyped + (mistyped ? 2 : 1);
    const size_t distance = whole < key ? whole : key;
    if (distance >= nearest->distance) {
        return;
    }
    nearest->distance = distance;
    memcpy(nearest->path, path, strlen(path) + 1);
}

/* The innermost known section that path lies in. */
static const cyaml_schema_value_t *find_section(const char *path, char section[CONFIG_PATH_ROOM])
{
    const cyaml_schema_value_t *schema;
    snprintf(section, CONFIG_PATH_ROOM, "%s", path);
    do {
        char *const dot = strrchr(section, '.');
        *(dot ? dot : section) = '\0';
        schema = config_schema_find(section);
    } while (!schema || schema->type != CYAML_MAPPING);
    return schema;
}

/* In an entry of a list only its own keys can be meant. */
static void consider_entry(struct nearest *nearest)
{
    char section[CONFIG_PATH_ROOM], path[CONFIG_PATH_ROOM];
    const cyaml_schema_value_t *const schema = find_section(nearest->wanted, section);
    for (const cyaml_schema_field_t *field = schema->mapping.fields; field->key; field++) {
        config_path_join(path, section, field->key);
        consider(nearest, path);
    }
}

/* "frame has sample_rate_hz, fft_size, ...". */
static void list_keys(const char *path, char *text, size_t room)
{
    char section[CONFIG_PATH_ROOM];
    const cyaml_schema_value_t *const schema = find_section(path, section);
    size_t n = (size_t)snprintf(text, room, "%s has", *section ? section : "a network file");
    const char *separator = " ";
    for (const cyaml_schema_field_t *field = schema->mapping.fields; field->key && n < room; field++) {
        n += (size_t)snprintf(text + n, room - n, "%s%s", separator, field->key);
        separator = ", ";
    }
}

static int fail_unknown(const struct config_layer *layer, size_t line, const char *path)
{
    struct nearest nearest = {.wanted = path, .distance = 2 * KEY_ROOM};
    char keys[400];
    if (strchr(path, '[')) {
        consider_entry(&nearest);
    } else {
        config_schema_each(consider, &nearest);
    }
    if (nearest.distance <= strlen(last_key(path)) + 1) { /* at most half of the key mistyped */
        return config_fail_at(layer, line, path, "unknown key, did you mean %s?", nearest.path);
    }
    list_keys(path, keys, sizeof(keys));
    return config_fail_at(layer, line, path, "unknown key, %s", keys);
}

/* Scalars --------------------------------------------------------------------------------------------------------- */

static bool is_null(const yaml_node_t *node)
{
    static const char *const nulls[] = {"", "~", "null", "Null", "NULL"};
    for (size_t i = 0; i < CYAML_ARRAY_LEN(nulls); i++) {
        if (node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
            strcmp((const char *)node->data.scalar.value, nulls[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* Decimal only: libcyaml would read 010 as octal. */
static bool is_whole(const char *text)
{
    text += *text == '-';
    const size_t digits = strspn(text, "0123456789");
    return digits > 0 && text[digits] == '\0' && (digits == 1 || *text != '0');
}

static bool parse_number(const yaml_node_t *node, bool whole, double *value)
{
    const char *const text = (const char *)node->data.scalar.value;
    char *end;
    if (node->data.scalar.style != YAML_PLAIN_SCALAR_STYLE || strspn(text, "0123456789+-.eE") != strlen(text)) {
        return false;
    }
    errno = 0;
    *value = strtod(text, &end);
    return end != text && *end == '\0' && errno == 0 && (!whole || is_whole(text));
}

static int check_number(const struct config_layer *layer, const yaml_node_t *node, const cyaml_schema_value_t *schema,
                        const char *path)
{
    const bool whole = schema->type != CYAML_FLOAT;
    char key[CONFIG_PATH_ROOM], room[FOUND_ROOM];
    const struct config_range *range = config_range_find(config_bare_path(path, key));
    double value;
    if (!range) {
        return config_fail_at(layer, line_of(node), path, "the range table of config_check.c lacks this key");
    }
    if (!parse_number(node, whole, &value)) {
        return config_fail_at(layer, line_of(node), path, "expected a %snumber, found %s", whole ? "whole " : "",
                              found(node, room));
    }
    if (value < range->min || value > range->max) {
        return config_fail_at(layer, line_of(node), path, "%.40s is outside %.16g..%.16g%s%s",
                              (const char *)node->data.scalar.value, range->min, range->max, *range->note ? ", " : "",
                              range->note);
    }
    return 0;
}

static int check_enum(const struct config_layer *layer, const yaml_node_t *node, const cyaml_schema_value_t *schema,
                      const char *path)
{
    char allowed[256] = "", room[FOUND_ROOM];
    for (uint32_t i = 0; i < schema->enumeration.count; i++) {
        const char *const name = schema->enumeration.strings[i].str;
        if (strcmp((const char *)node->data.scalar.value, name) == 0) {
            return 0;
        }
        const size_t n = strlen(allowed);
        snprintf(allowed + n, sizeof(allowed) - n, "%s%s", i ? ", " : "", name);
    }
    return config_fail_at(layer, line_of(node), path, "%s is not one of %s", found(node, room), allowed);
}

static int check_bool(const struct config_layer *layer, const yaml_node_t *node, const char *path)
{
    const char *const text = (const char *)node->data.scalar.value;
    char room[FOUND_ROOM];
    if (node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
        (strcmp(text, "true") == 0 || strcmp(text, "false") == 0)) {
        return 0;
    }
    return config_fail_at(layer, line_of(node), path, "%s is not one of true, false", found(node, room));
}

/* Texts become file names, titles and socket addresses: printable ASCII, or any UTF-8 letter beyond the C1 controls,
 * line separators and byte order marks, which YAML would fold or refuse when written again. */
static bool is_printable(const unsigned char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        const unsigned next = i + 1 < length ? text[i + 1] : 0, third = i + 2 < length ? text[i + 2] : 0;
        if (text[i] < 0x20 || text[i] == 0x7f || (text[i] == 0xc2 && next < 0xa0) ||
            (text[i] == 0xe2 && next == 0x80 && (third == 0xa8 || third == 0xa9)) ||
            (text[i] == 0xef && next >= 0xbb)) {
            return false;
        }
    }
    return true;
}

static int check_text(const struct config_layer *layer, const yaml_node_t *node, const char *path)
{
    if (is_null(node)) {
        return config_fail_at(layer, line_of(node), path,
                              "expected a text, found nothing (write \"\" for an empty one)");
    }
    if (!is_printable(node->data.scalar.value, node->data.scalar.length)) {
        return config_fail_at(layer, line_of(node), path, "control characters are not allowed in a text");
    }
    return 0;
}

/* Nodes ----------------------------------------------------------------------------------------------------------- */

static int check_node(struct config_layer *layer, const yaml_node_t *node, const cyaml_schema_value_t *schema,
                      const char *path);

static int check_list(struct config_layer *layer, const yaml_node_t *node, const cyaml_schema_value_t *schema,
                      const char *path)
{
    char room[FOUND_ROOM];
    if (node->type != YAML_SEQUENCE_NODE) {
        return config_fail_at(layer, line_of(node), path, "expected a list, found %s", found(node, room));
    }
    const yaml_node_item_t *const first = node->data.sequence.items.start;
    const long n = node->data.sequence.items.top - first;
    if (n > (long)schema->sequence.max) {
        return config_fail_at(layer, line_of(node), path, "%ld entries are more than the allowed %u", n,
                              schema->sequence.max);
    }
    for (long i = 0; i < n; i++) {
        char entry[CONFIG_PATH_ROOM];
        snprintf(entry, sizeof(entry), "%.130s[%ld]", path, i);
        const int rc =
            check_node(layer, yaml_document_get_node(&layer->document, first[i]), schema->sequence.entry, entry);
        if (rc) {
            return rc;
        }
    }
    return 0;
}

static int check_repeats(struct config_layer *layer, const yaml_node_t *mapping, const yaml_node_t *key,
                         const char *path)
{
    const yaml_node_pair_t *pair = mapping->data.mapping.pairs.start;
    for (; pair < mapping->data.mapping.pairs.top; pair++) {
        const yaml_node_t *other = yaml_document_get_node(&layer->document, pair->key);
        if (other == key) {
            return 0;
        }
        if (strcmp((const char *)other->data.scalar.value, (const char *)key->data.scalar.value) == 0) {
            return config_fail_at(layer, line_of(key), path, "given twice, first on line %zu", line_of(other));
        }
    }
    return 0;
}

static int check_mapping(struct config_layer *layer, const yaml_node_t *node, const cyaml_schema_value_t *schema,
                         const char *path)
{
    char room[FOUND_ROOM];
    if (node->type != YAML_MAPPING_NODE) {
        return config_fail_at(layer, line_of(node), path, "expected keys such as '%s:', found %s",
                              schema->mapping.fields[0].key, found(node, room));
    }
    const yaml_node_pair_t *pair = node->data.mapping.pairs.start;
    for (; pair < node->data.mapping.pairs.top; pair++) {
        const yaml_node_t *key = yaml_document_get_node(&layer->document, pair->key);
        char child[CONFIG_PATH_ROOM];
        if (key->type != YAML_SCALAR_NODE) {
            return config_fail_at(layer, line_of(key), path, "a key must be a word, found %s", found(key, room));
        }
        const char *const name = (const char *)key->data.scalar.value;
        config_path_join(child, path, name);
        const cyaml_schema_field_t *field = config_schema_field(schema, name);
        if (!field) {
            return fail_unknown(layer, line_of(key), child);
        }
        int rc = check_repeats(layer, node, key, child);
        if (rc == 0) {
            rc = check_node(layer, yaml_document_get_node(&layer->document, pair->value), &field->value, child);
        }
        if (rc) {
            return rc;
        }
    }
    return 0;
}

static int check_node(struct config_layer *layer, const yaml_node_t *node, const cyaml_schema_value_t *schema,
                      const char *path)
{
    char room[FOUND_ROOM];
    if (config_schema_is_row(schema)) {
        return check_list(layer, node, &schema->mapping.fields[0].value, path);
    }
    if (schema->type == CYAML_MAPPING) {
        return check_mapping(layer, node, schema, path);
    }
    if (schema->type == CYAML_SEQUENCE) {
        return check_list(layer, node, schema, path);
    }
    if (node->type != YAML_SCALAR_NODE) {
        return config_fail_at(layer, line_of(node), path, "expected a single value, found %s", found(node, room));
    }
    switch (schema->type) {
    case CYAML_BOOL:
        return check_bool(layer, node, path);
    case CYAML_ENUM:
        return check_enum(layer, node, schema, path);
    case CYAML_STRING:
        return check_text(layer, node, path);
    default:
        return check_number(layer, node, schema, path);
    }
}

struct completeness {
    struct config_layers *layers;
    int rc;
};

static void require(void *context, const char *path)
{
    struct completeness *all = context;
    struct config_layer *layer;
    if (all->rc == 0 && !config_layers_find(all->layers, path, &layer)) {
        all->rc = config_fail_at(&all->layers->layer[0], 1, path, "defaults.yaml lacks this key");
    }
}

int config_layers_validate(struct config_layers *layers)
{
    for (int i = 0; i < layers->n; i++) {
        struct config_layer *layer = &layers->layer[i];
        const bool index = strchr(layer->path, '[') != NULL; /* a list is replaced as a whole */
        const cyaml_schema_value_t *schema = index ? NULL : config_schema_find(layer->path);
        if (!schema) {
            return fail_unknown(layer, 1, layer->path);
        }
        const int rc = check_node(layer, yaml_document_get_root_node(&layer->document), schema, layer->path);
        if (rc) {
            return rc;
        }
    }
    struct completeness all = {.layers = layers};
    config_schema_each(require, &all);
    return all.rc;
}
