/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What goes into the YAML parser and comes out of it. File names are bytes and not letters: a byte that is no UTF-8
 * travels through the parser as the private character U+10FF00 + byte and is a byte again in the struct. The depth of
 * nesting is bounded before the parser builds anything, for its time grows with the square of it. */
#include "base/config_internal.h"

#include <stdlib.h>
#include <string.h>

/* U+10FF80..U+10FFFF in UTF-8: two fixed bytes, then one of two, then one of 64. */
enum { MARK_0 = 0xf4, MARK_1 = 0x8f, MARK_2_LOW = 0xbe, MARK_2_HIGH = 0xbf, MARK_BYTES = 4 };

/* Bytes of the UTF-8 letter at text, 0 if it is none. */
static size_t letter_bytes(const unsigned char *text, size_t length)
{
    static const struct {
        unsigned char low, high, second_low, second_high;
        size_t n;
    } leads[] = {{0x00, 0x7f, 0, 0, 1},       {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
                 {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
                 {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4}};
    for (size_t i = 0; i < CYAML_ARRAY_LEN(leads); i++) {
        if (text[0] < leads[i].low || text[0] > leads[i].high) {
            continue;
        }
        if (leads[i].n > length ||
            (leads[i].n > 1 && (text[1] < leads[i].second_low || text[1] > leads[i].second_high))) {
            return 0;
        }
        for (size_t k = 2; k < leads[i].n; k++) {
            if ((text[k] & 0xc0) != 0x80) {
                return 0;
            }
        }
        return leads[i].n;
    }
    return 0;
}

char *config_text_escape(const char *text, size_t length, size_t *escaped)
{
    const unsigned char *in = (const unsigned char *)text;
    unsigned char *const out = malloc(MARK_BYTES * length + 1);
    size_t n = 0;
    for (size_t i = 0; out && i < length;) {
        const size_t letter = letter_bytes(in + i, length - i);
        if (letter) {
            memcpy(out + n, in + i, letter);
            n += letter;
            i += letter;
            continue;
        }
        const unsigned char mark[MARK_BYTES] = {MARK_0, MARK_1, in[i] & 0x40 ? MARK_2_HIGH : MARK_2_LOW,
                                                (unsigned char)(0x80 | (in[i] & 0x3f))};
        memcpy(out + n, mark, sizeof(mark));
        n += sizeof(mark);
        i++;
    }
    if (out) {
        out[n] = '\0';
        *escaped = n;
    }
    return (char *)out;
}

static void unescape(char *text)
{
    unsigned char *out = (unsigned char *)text;
    for (const unsigned char *in = out; *in; out++) {
        if (in[0] == MARK_0 && in[1] == MARK_1 && (in[2] == MARK_2_LOW || in[2] == MARK_2_HIGH)) {
            *out = (unsigned char)(0x80 | (in[2] == MARK_2_HIGH ? 0x40 : 0) | (in[3] & 0x3f));
            in += MARK_BYTES;
        } else {
            *out = *in++;
        }
    }
    *out = '\0';
}

static void unescape_mapping(const cyaml_schema_value_t *mapping, char *base);

static void unescape_value(const cyaml_schema_field_t *field, char *base)
{
    char *const data = base + field->data_offset;
    if (field->value.type == CYAML_MAPPING) {
        unescape_mapping(&field->value, data);
    } else if (field->value.type == CYAML_STRING) {
        if (*(char **)data) { /* an entry's own, left out */
            unescape(*(char **)data);
        }
    } else if (field->value.type == CYAML_SEQUENCE && field->value.sequence.entry->type == CYAML_MAPPING) {
        const unsigned n = *(const unsigned *)(base + field->count_offset);
        const cyaml_schema_value_t *const entry = field->value.sequence.entry;
        for (unsigned i = 0; i < n; i++) {
            unescape_mapping(entry, *(char **)data + (size_t)i * entry->data_size);
        }
    } else if (field->value.type == CYAML_SEQUENCE && field->value.sequence.entry->type == CYAML_STRING) {
        for (unsigned i = 0; i < *(const unsigned *)(base + field->count_offset); i++) {
            unescape((*(char ***)data)[i]);
        }
    }
}

static void unescape_mapping(const cyaml_schema_value_t *mapping, char *base)
{
    for (const cyaml_schema_field_t *field = mapping->mapping.fields; field->key; field++) {
        unescape_value(field, base);
    }
}

void config_text_unescape(struct config *config)
{
    unescape_mapping(&config_schema, (char *)config);
}

size_t config_text_too_deep(const char *text, size_t length)
{
    yaml_parser_t parser;
    size_t line = 0;
    int depth = 0;
    bool done = false;
    if (!yaml_parser_initialize(&parser)) {
        return 0; /* out of memory: whoever parses next says so */
    }
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, length);
    while (!done && !line) {
        yaml_event_t event;
        if (!yaml_parser_parse(&parser, &event)) {
            break; /* the same error waits for the real parser, no deeper than this */
        }
        depth += event.type == YAML_SEQUENCE_START_EVENT || event.type == YAML_MAPPING_START_EVENT;
        depth -= event.type == YAML_SEQUENCE_END_EVENT || event.type == YAML_MAPPING_END_EVENT;
        done = event.type == YAML_STREAM_END_EVENT;
        line = depth > CONFIG_MAX_DEPTH ? event.start_mark.line + 1 : 0;
        yaml_event_delete(&event);
    }
    yaml_parser_delete(&parser);
    return line;
}
