/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/config_internal.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_FILE_BYTES = 4 << 20, MESSAGE_ROOM = 512 };

/* Errors ---------------------------------------------------------------------------------------------------------- */

/* One line whatever the user put into a value, a key or a file name. */
static int fail_line(char *message)
{
    for (char *p = message; *p; p++) {
        if ((unsigned char)*p < ' ' || *p == 0x7f) {
            *p = '?';
        }
    }
    return error_set(TUTTI_ECONFIG, "%s", message);
}

static int vfail_at(const struct config_layer *layer, size_t line, const char *path, const char *format, va_list args)
{
    char message[2 * MESSAGE_ROOM], detail[MESSAGE_ROOM - 128];
    vsnprintf(detail, sizeof(detail), format, args);
    const bool name_path = *path && (!layer->set || strcmp(path, layer->path) != 0);
    const char *const colon = name_path ? ": " : "";
    if (layer->set) {
        snprintf(message, sizeof(message), "--set %.160s: %s%s%s", layer->set, name_path ? path : "", colon, detail);
    } else {
        snprintf(message, sizeof(message), "%.200s:%zu: %s%s%s", layer->file, line, path, colon, detail);
    }
    return fail_line(message);
}

int config_fail_at(const struct config_layer *layer, size_t line, const char *path, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const int rc = vfail_at(layer, line, path, format, args);
    va_end(args);
    return rc;
}

int config_fail(struct config_layers *layers, const char *paths, const char *format, ...)
{
    struct config_layer *blamed = NULL;
    char blamed_path[CONFIG_PATH_ROOM] = "";
    size_t line = 0;
    for (const char *p = paths; *p; p += strcspn(p, " "), p += strspn(p, " ")) {
        char path[CONFIG_PATH_ROOM];
        struct config_layer *layer;
        snprintf(path, sizeof(path), "%.*s", (int)strcspn(p, " "), p);
        const yaml_node_t *node = config_layers_find(layers, path, &layer);
        if (!node || (blamed && layer <= blamed)) {
            continue;
        }
        blamed = layer;
        line = node->start_mark.line + 1;
        memcpy(blamed_path, path, sizeof(path));
    }
    va_list args;
    va_start(args, format);
    const int rc = vfail_at(blamed ? blamed : &layers->layer[0], line, blamed_path, format, args);
    va_end(args);
    return rc;
}

/* Reading one document -------------------------------------------------------------------------------------------- */

static const char *line_start(const char *text, size_t line)
{
    while (line > 0 && (text = strchr(text, '\n')) != NULL) {
        text++;
        line--;
    }
    return text ? text : "";
}

static int fail_syntax(const struct config_layer *layer, const yaml_parser_t *parser, const char *text)
{
    if (parser->error == YAML_MEMORY_ERROR) {
        return error_set(TUTTI_ENOMEM, "out of memory");
    }
    size_t line = parser->problem_mark.line;
    if (parser->error == YAML_READER_ERROR) { /* libyaml gives a byte offset instead of a mark */
        line = 0;
        for (size_t i = 0; i < parser->problem_offset && text[i]; i++) {
            line += text[i] == '\n';
        }
    }
    const char *start = line_start(text, line);
    if (memchr(start, '\t', strspn(start, " \t"))) {
        return config_fail_at(layer, line + 1, layer->path, "a tab cannot indent YAML, use blanks");
    }
    return config_fail_at(layer, line + 1, layer->path, "not valid YAML: %s%s%s",
                          parser->problem ? parser->problem : "cannot be read", parser->context ? " " : "",
                          parser->context ? parser->context : "");
}

static int load_single(struct config_layer *layer, yaml_parser_t *parser, const char *text)
{
    if (!yaml_parser_load(parser, &layer->document)) {
        return fail_syntax(layer, parser, text);
    }
    layer->open = true;
    if (!yaml_document_get_root_node(&layer->document)) {
        return config_fail_at(layer, 1, layer->path, layer->set ? "there is no value" : "the file holds no keys");
    }
    yaml_document_t second;
    if (!yaml_parser_load(parser, &second)) {
        return fail_syntax(layer, parser, text);
    }
    const yaml_node_t *root = yaml_document_get_root_node(&second);
    const size_t line = root ? root->start_mark.line + 1 : 0;
    yaml_document_delete(&second);
    return root ? config_fail_at(layer, line, layer->path, "a second YAML document begins here, one is allowed") : 0;
}

static int load_escaped(struct config_layer *layer, const char *text, size_t length)
{
    const size_t deep = config_text_too_deep(text, length);
    if (deep) {
        return config_fail_at(layer, deep, layer->path, "nested deeper than %d levels", CONFIG_MAX_DEPTH);
    }
    yaml_parser_t parser;
    if (!yaml_parser_initialize(&parser)) {
        return error_set(TUTTI_ENOMEM, "out of memory");
    }
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, length);
    const int rc = load_single(layer, &parser, text);
    yaml_parser_delete(&parser);
    return rc;
}

static int load_text(struct config_layer *layer, const char *text, size_t length)
{
    size_t n;
    char *const escaped = config_text_escape(text, length, &n);
    const int rc = escaped ? load_escaped(layer, escaped, n) : error_set(TUTTI_ENOMEM, "out of memory");
    free(escaped);
    return rc;
}

/* One text, whatever it looks like. */
static int load_literal(struct config_layer *layer, const char *text)
{
    size_t n;
    char *const escaped = config_text_escape(text, strlen(text), &n);
    bool good = escaped && yaml_document_initialize(&layer->document, NULL, NULL, NULL, 1, 1);
    if (good) {
        layer->open = true;
        good = yaml_document_add_scalar(&layer->document, NULL, (const yaml_char_t *)escaped, (int)n,
                                        YAML_DOUBLE_QUOTED_SCALAR_STYLE) > 0;
    }
    free(escaped);
    return good ? 0 : error_set(TUTTI_ENOMEM, "out of memory");
}

static int fail_file(const char *path, const char *reason)
{
    char message[MESSAGE_ROOM];
    snprintf(message, sizeof(message), "%.300s: %s", path, reason);
    return fail_line(message);
}

static int load_file(struct config_layer *layer)
{
    FILE *file = fopen(layer->file, "rb");
    char *text = file ? malloc(MAX_FILE_BYTES + 1) : NULL;
    int rc = 0;
    if (!file) {
        rc = fail_file(layer->file, strerror(errno));
    } else if (!text) {
        rc = error_set(TUTTI_ENOMEM, "out of memory");
    } else {
        const size_t length = fread(text, 1, MAX_FILE_BYTES + 1, file);
        if (ferror(file)) {
            rc = fail_file(layer->file, strerror(errno));
        } else if (length > MAX_FILE_BYTES) {
            rc = fail_file(layer->file, "larger than 4 MiB, not a network file");
        } else {
            text[length] = '\0';
            rc = load_text(layer, text, length);
        }
    }
    if (file) {
        fclose(file);
    }
    free(text);
    return rc;
}

static int load_override(struct config_layer *layer)
{
    const char *const equals = strchr(layer->set, '=');
    const bool literal = equals && equals > layer->set && equals[-1] == ':';
    const size_t length = equals ? (size_t)(equals - layer->set) - literal : 0;
    if (length == 0) {
        return config_fail_at(layer, 0, "", "expected path.to.key=value");
    }
    if (length >= sizeof(layer->path)) {
        return config_fail_at(layer, 0, "", "unknown key");
    }
    memcpy(layer->path, layer->set, length);
    layer->path[length] = '\0';
    const char *value = equals + 1;
    if (literal) {
        return load_literal(layer, value);
    }
    if (value[strspn(value, " ")] == '\0') { /* --set record.file= means the empty text */
        value = "\"\"";
    }
    return load_text(layer, value, strlen(value));
}

/* The layers ------------------------------------------------------------------------------------------------------ */

/* The defaults are the same for every configuration of a process, and longer than any of them: parsed once, never
 * written to, kept until the process ends. */
static struct config_layer defaults;
static int defaults_rc;

static void load_defaults(void)
{
    const char *const text = config_defaults_yaml();
    defaults.file = "defaults.yaml";
    defaults_rc = load_text(&defaults, text, strlen(text));
    defaults.open = false; /* no configuration's to delete */
}

int config_layers_open(struct config_layers **out, const char *path, const char *const *overrides, int n_overrides)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    const size_t room = (size_t)n_overrides + 2;
    struct config_layers *layers = calloc(1, sizeof(*layers) + room * sizeof(layers->layer[0]));
    if (!layers) {
        return error_set(TUTTI_ENOMEM, "out of memory");
    }
    *out = layers;
    struct config_layer *layer = &layers->layer[layers->n++];
    pthread_once(&once, load_defaults);
    *layer = defaults;
    int rc = defaults_rc ? error_set(defaults_rc, "out of memory") : 0; /* the text itself is tried by the tests */
    if (rc == 0 && path) {
        layer = &layers->layer[layers->n++];
        layer->file = path;
        rc = load_file(layer);
    }
    for (int i = 0; rc == 0 && i < n_overrides; i++) {
        layer = &layers->layer[layers->n++];
        layer->set = overrides[i];
        rc = load_override(layer);
    }
    return rc;
}

void config_layers_close(struct config_layers *layers)
{
    for (int i = 0; layers && i < layers->n; i++) {
        if (layers->layer[i].open) {
            yaml_document_delete(&layers->layer[i].document);
        }
    }
    free(layers);
}

static yaml_node_t *find_key(yaml_document_t *document, const yaml_node_t *mapping, const char *key, size_t length)
{
    const yaml_node_pair_t *pair = mapping->data.mapping.pairs.start;
    for (; pair < mapping->data.mapping.pairs.top; pair++) {
        const yaml_node_t *node = yaml_document_get_node(document, pair->key);
        if (node->type == YAML_SCALAR_NODE && node->data.scalar.length == length &&
            memcmp(node->data.scalar.value, key, length) == 0) {
            return yaml_document_get_node(document, pair->value);
        }
    }
    return NULL;
}

/* path is relative to the document's root: "key.key[i][j]", "" for the root itself. */
static yaml_node_t *find_in(yaml_document_t *document, const char *path)
{
    yaml_node_t *node = yaml_document_get_root_node(document);
    while (node && *path) {
        if (*path == '[') {
            char *end;
            const long i = strtol(path + 1, &end, 10);
            if (node->type != YAML_SEQUENCE_NODE ||
                i >= node->data.sequence.items.top - node->data.sequence.items.start) {
                return NULL;
            }
            node = yaml_document_get_node(document, node->data.sequence.items.start[i]);
            path = end + 1;
        } else {
            path += *path == '.';
            const size_t length = strcspn(path, ".[");
            node = node->type == YAML_MAPPING_NODE ? find_key(document, node, path, length) : NULL;
            path += length;
        }
    }
    return node;
}

yaml_node_t *config_layers_find(struct config_layers *layers, const char *path, struct config_layer **layer)
{
    for (int i = layers->n - 1; i >= 0; i--) {
        *layer = &layers->layer[i];
        const size_t length = strlen((*layer)->path);
        if (strncmp(path, (*layer)->path, length) != 0 || (length > 0 && path[length] && !strchr(".[", path[length]))) {
            continue;
        }
        yaml_node_t *node = find_in(&(*layer)->document, path + length);
        if (node) {
            return node;
        }
    }
    return NULL;
}
