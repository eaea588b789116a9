/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/config_internal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* The merged layers, as libcyaml wants them ----------------------------------------------------------------------- */

static void emit_scalar(FILE *out, const yaml_node_t *node)
{
    fputc('"', out);
    for (const unsigned char *p = node->data.scalar.value; *p; p++) {
        fprintf(out, *p == '"' || *p == '\\' ? "\\%c" : "%c", *p);
    }
    fputc('"', out);
}

static void emit_node(FILE *out, yaml_document_t *document, const yaml_node_t *node,
                      const cyaml_schema_value_t *schema);

/* An entry of a list of mappings: the keys it has. */
static void emit_entry(FILE *out, yaml_document_t *document, const yaml_node_t *node,
                       const cyaml_schema_value_t *schema)
{
    fputc('{', out);
    const yaml_node_pair_t *pair = node->data.mapping.pairs.start;
    for (; pair < node->data.mapping.pairs.top; pair++) {
        const yaml_node_t *const key = yaml_document_get_node(document, pair->key);
        const char *const name = (const char *)key->data.scalar.value;
        fprintf(out, "\"%s\": ", name);
        emit_node(out, document, yaml_document_get_node(document, pair->value),
                  &config_schema_field(schema, name)->value);
        fputs(",\n", out);
    }
    fputc('}', out);
}

static void emit_node(FILE *out, yaml_document_t *document, const yaml_node_t *node, const cyaml_schema_value_t *schema)
{
    if (node->type == YAML_SCALAR_NODE) {
        emit_scalar(out, node);
        return;
    }
    if (node->type == YAML_MAPPING_NODE) {
        emit_entry(out, document, node, schema);
        return;
    }
    const bool row = config_schema_is_row(schema);
    const cyaml_schema_value_t *const entry =
        row ? schema->mapping.fields[0].value.sequence.entry : schema->sequence.entry;
    fputs(row ? "{\"value\": [" : "[", out);
    const yaml_node_item_t *item = node->data.sequence.items.start;
    for (; item < node->data.sequence.items.top; item++) {
        emit_node(out, document, yaml_document_get_node(document, *item), entry);
        fputs(",\n", out);
    }
    fputs(row ? "]}" : "]", out);
}

/* All radios of a role, each with all its keys. */
static void emit_radios(FILE *out, struct config_layers *layers, const cyaml_schema_value_t *entry, const char *path)
{
    char role[16];
    snprintf(role, sizeof(role), "%.*s", (int)strcspn(path + strlen("radio."), "_"), path + strlen("radio."));
    const long n = config_radios_n(layers, role);
    fputs("[", out);
    for (long id = 0; id < n; id++) {
        fprintf(out, "{\"id\": %ld", id);
        for (const cyaml_schema_field_t *field = entry->mapping.fields + 1; field->key; field++) {
            struct config_layer *layer;
            const yaml_node_t *const node = config_radios_find(layers, role, id, field->key, &layer);
            fprintf(out, ",\n\"%s\": ", field->key);
            emit_node(out, &layer->document, node, &field->value);
        }
        fputs("},\n", out);
    }
    fputs("]", out);
}

static void emit_mapping(FILE *out, struct config_layers *layers, const cyaml_schema_value_t *mapping,
                         const char *prefix)
{
    fputs("{\n", out);
    for (const cyaml_schema_field_t *field = mapping->mapping.fields; field->key; field++) {
        char path[CONFIG_PATH_ROOM];
        config_path_join(path, prefix, field->key);
        fprintf(out, "\"%s\": ", field->key);
        if (field->value.type == CYAML_MAPPING) {
            emit_mapping(out, layers, &field->value, path);
        } else if (config_schema_is_radios(&field->value)) {
            emit_radios(out, layers, field->value.sequence.entry, path);
        } else {
            struct config_layer *layer;
            const yaml_node_t *node = config_layers_find(layers, path, &layer);
            if (node) { /* config_layers_validate saw to it */
                emit_node(out, &layer->document, node, &field->value);
            }
        }
        fputs(",\n", out);
    }
    fputs("}", out);
}

char *config_finish_text(FILE *out, char **text)
{
    const int failed = out ? ferror(out) | fclose(out) : 1;
    if (!failed) {
        return *text;
    }
    free(*text);
    return NULL;
}

char *config_layers_text(struct config_layers *layers)
{
    char *text = NULL;
    size_t length;
    FILE *out = open_memstream(&text, &length);
    if (out) {
        emit_mapping(out, layers, &config_schema, "");
    }
    return config_finish_text(out, &text);
}

/* The effective values, for people -------------------------------------------------------------------------------- */

/* The shortest decimal that reads back as the same double. */
static void write_real(FILE *out, double value)
{
    char text[32];
    if (value > -1e15 && value < 1e15 && value == (double)(int64_t)value) {
        fprintf(out, "%" PRId64, (int64_t)value);
        return;
    }
    for (int digits = 6; digits <= 17; digits++) {
        snprintf(text, sizeof(text), "%.*g", digits, value);
        if (strtod(text, NULL) == value) {
            break;
        }
    }
    fputs(text, out);
}

static bool is_plain(const char *text)
{
    static const char *const nulls[] = {"null", "Null", "NULL"};
    for (size_t i = 0; i < CYAML_ARRAY_LEN(nulls); i++) {
        if (strcmp(text, nulls[i]) == 0) {
            return false;
        }
    }
    const size_t length = strlen(text);
    const char *const allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./-:";
    return length > 0 && strspn(text, allowed) == length && !strchr("-:.", text[0]) && text[length - 1] != ':';
}

static void write_text(FILE *out, const char *text)
{
    if (is_plain(text)) {
        fputs(text, out);
        return;
    }
    fputc('"', out);
    for (; *text; text++) {
        fprintf(out, *text == '"' || *text == '\\' ? "\\%c" : "%c", *text);
    }
    fputc('"', out);
}

static const char *enum_name(const cyaml_schema_value_t *schema, const void *data)
{
    for (uint32_t i = 0; i < schema->enumeration.count; i++) {
        if (schema->enumeration.strings[i].val == (int64_t)(*(const unsigned *)data)) {
            return schema->enumeration.strings[i].str;
        }
    }
    return "";
}

static void write_value(FILE *out, const cyaml_schema_value_t *schema, const void *data)
{
    switch (schema->type) {
    case CYAML_INT:
        fprintf(out, "%d", *(const int *)data);
        break;
    case CYAML_UINT:
        fprintf(out, "%" PRIu64, *(const uint64_t *)data);
        break;
    case CYAML_FLOAT:
        write_real(out, *(const double *)data);
        break;
    case CYAML_BOOL:
        fputs(*(const bool *)data ? "true" : "false", out);
        break;
    case CYAML_ENUM:
        fputs(enum_name(schema, data), out);
        break;
    default:
        write_text(out, *(char *const *)data);
    }
}

static bool same_value(const cyaml_schema_field_t *field, const void *a, const void *b)
{
    return field->value.type == CYAML_STRING ? strcmp(*(char *const *)a, *(char *const *)b) == 0
                                             : memcmp(a, b, field->value.data_size) == 0;
}

/* What differs from the common default, which lies in the same section: "ap_list" over "ap". */
static void write_radios(FILE *out, const cyaml_schema_value_t *section, const cyaml_schema_field_t *field,
                         const char *base, int depth)
{
    char role[16];
    snprintf(role, sizeof(role), "%.*s", (int)strcspn(field->key, "_"), field->key);
    const char *const common = base + config_schema_field(section, role)->data_offset;
    const cyaml_schema_value_t *const entry = field->value.sequence.entry;
    const char *radio = *(const char *const *)(base + field->data_offset);
    const unsigned n = *(const unsigned *)(base + field->count_offset);
    const char *separator = "";
    fputc('[', out);
    for (unsigned i = 0; i < n; i++, radio += entry->data_size) {
        bool open = false;
        for (const cyaml_schema_field_t *key = entry->mapping.fields + 1; key->key; key++) {
            if (same_value(key, radio + key->data_offset, common + key->data_offset)) {
                continue;
            }
            if (!open) {
                fprintf(out, "%s\n%*s{id: %u", separator, 2 * depth + 2, "", i);
                separator = ",";
                open = true;
            }
            fprintf(out, ", %s: ", key->key);
            write_value(out, &key->value, radio + key->data_offset);
        }
        fputs(open ? "}" : "", out);
    }
    fputc(']', out);
}

static void write_list(FILE *out, const cyaml_schema_field_t *field, const char *base, int depth);

/* An entry of a list of mappings; lists that are empty are left out. */
static void write_entry(FILE *out, const cyaml_schema_value_t *entry, const char *base, int depth)
{
    const char *separator = "";
    fprintf(out, "\n%*s{", 2 * depth + 2, "");
    for (const cyaml_schema_field_t *field = entry->mapping.fields; field->key; field++) {
        const bool list = field->value.type == CYAML_SEQUENCE;
        if (list && *(const unsigned *)(base + field->count_offset) == 0) {
            continue;
        }
        fprintf(out, "%s%s: ", separator, field->key);
        separator = ", ";
        if (list) {
            write_list(out, field, base, depth);
        } else {
            write_value(out, &field->value, base + field->data_offset);
        }
    }
    fputc('}', out);
}

static void write_list(FILE *out, const cyaml_schema_field_t *field, const char *base, int depth)
{
    const cyaml_schema_value_t *const entry = field->value.sequence.entry;
    const char *data = *(const char *const *)(base + field->data_offset);
    const unsigned n = *(const unsigned *)(base + field->count_offset);
    fputc('[', out);
    for (unsigned i = 0; i < n; i++, data += entry->data_size) {
        const bool row = config_schema_is_row(entry);
        const bool mapping = !row && entry->type == CYAML_MAPPING;
        if (i > 0) {
            fputs(row || mapping ? "," : ", ", out);
        }
        if (mapping) {
            write_entry(out, entry, data, depth);
        } else if (row) {
            fprintf(out, "\n%*s", 2 * depth + 2, "");
            write_list(out, entry->mapping.fields, data, depth);
        } else {
            write_value(out, entry, data);
        }
    }
    fputc(']', out);
}

static void write_mapping(FILE *out, const cyaml_schema_value_t *mapping, const char *base, int depth)
{
    for (const cyaml_schema_field_t *field = mapping->mapping.fields; field->key; field++) {
        fprintf(out, "%*s%s:", 2 * depth, "", field->key);
        if (field->value.type == CYAML_MAPPING) {
            fputc('\n', out);
            write_mapping(out, &field->value, base + field->data_offset, depth + 1);
            continue;
        }
        fputc(' ', out);
        if (config_schema_is_radios(&field->value)) {
            write_radios(out, mapping, field, base, depth);
        } else if (field->value.type == CYAML_SEQUENCE) {
            write_list(out, field, base, depth);
        } else {
            write_value(out, &field->value, base + field->data_offset);
        }
        fputc('\n', out);
    }
}

char *config_struct_text(const struct config *config)
{
    char *text = NULL;
    size_t length;
    FILE *out = open_memstream(&text, &length);
    if (out) {
        write_mapping(out, &config_schema, (const char *)config, 0);
    }
    return config_finish_text(out, &text);
}
