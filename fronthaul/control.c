/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fronthaul/control.h"

#include "base/error.h"
#include "fronthaul/wire.h"

#include <ctype.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const type_name[] = {"hello", "welcome",      "refuse", "heartbeat", "goodbye",
                                        "stop",  "please_hello", "ping",   "pong"};
static const char *const role_name[FH_N_ROLE] = {"ap", "ue", "observer", "eve", "cpu"};

const char *control_role_name(enum fh_role role)
{
    return role_name[role];
}

/* The parser recurses: bound the nesting before it starts. */
static bool shallow(const char *text, size_t n_bytes)
{
    int depth = 0;
    bool in_string = false;
    for (size_t i = 0; i < n_bytes; i++) {
        const char c = text[i];
        if (in_string) {
            i += c == '\\';
            in_string = c != '"';
        } else if (c == '{' || c == '[') {
            if (++depth > CONTROL_MAX_DEPTH) {
                return false;
            }
        } else {
            depth -= c == '}' || c == ']';
            in_string = c == '"';
        }
    }
    return true;
}

static bool get_integer(const json_t *object, const char *key, json_int_t low, json_int_t high, json_int_t *value)
{
    const json_t *member = json_object_get(object, key);
    *value = json_integer_value(member);
    return json_is_integer(member) && *value >= low && *value <= high;
}

/* Copies what fits; unprintable bytes become '?', for the text goes to a terminal. */
static bool get_text(const json_t *object, const char *key, char *out, size_t size)
{
    const char *text = json_string_value(json_object_get(object, key));
    if (!text) {
        return false;
    }
    snprintf(out, size, "%s", text);
    for (; *out; out++) {
        *out = isprint((unsigned char)*out) ? *out : '?';
    }
    return true;
}

static bool get_fingerprint(const json_t *object, uint64_t *fingerprint)
{
    const char *text = json_string_value(json_object_get(object, "fingerprint"));
    if (!text || strlen(text) != 16 || strspn(text, "0123456789abcdef") != 16) {
        return false;
    }
    *fingerprint = strtoull(text, NULL, 16);
    return true;
}

static char *get_agreement(const json_t *object)
{
    const char *text = json_string_value(json_object_get(object, "agreement"));
    return text ? strdup(text) : NULL; /* without memory: the fingerprint must do */
}

static bool get_hello(const json_t *object, struct control *control)
{
    const char *role = json_string_value(json_object_get(object, "role"));
    json_int_t version, id;
    int r = 0;
    while (role && r < FH_N_ROLE && strcmp(role, role_name[r]) != 0) {
        r++;
    }
    if (!role || r == FH_N_ROLE || !get_integer(object, "version", 0, INT32_MAX, &version) ||
        !get_integer(object, "id", 0, INT32_MAX, &id) || !get_fingerprint(object, &control->hello.fingerprint) ||
        !get_text(object, "program", control->program, sizeof control->program)) {
        return false;
    }
    control->hello.role = (enum fh_role)r;
    control->hello.id = (int)id;
    control->wire_version = (int)version;
    control->agreement = get_agreement(object);
    return true;
}

static bool get_welcome(const json_t *object, struct fh_welcome *welcome)
{
    json_int_t session, epoch;
    if (!get_integer(object, "session", 0, UINT32_MAX, &session) ||
        !get_integer(object, "epoch", 0, INT64_MAX, &epoch)) {
        return false;
    }
    *welcome = (struct fh_welcome){.session = (uint32_t)session, .epoch = (tutti_tick)epoch};
    return true;
}

static bool get_members(const json_t *object, struct control *control)
{
    json_int_t number;
    const json_t *final;
    switch (control->type) {
    case CONTROL_HELLO:
        return get_hello(object, control);
    case CONTROL_WELCOME:
        return get_welcome(object, &control->welcome);
    case CONTROL_REFUSE:
        final = json_object_get(object, "final");
        control->final = json_is_true(final);
        return json_is_boolean(final) && get_text(object, "reason", control->reason, sizeof control->reason);
    case CONTROL_PING:
    case CONTROL_PONG:
        if (!get_integer(object, "number", 0, UINT32_MAX, &number)) {
            return false;
        }
        control->number = (uint32_t)number;
        return true;
    default:
        return true;
    }
}

/* Reports, one from every user every block, are their owner's to parse. */
static bool is_report(const char *text, size_t n_bytes)
{
    static const char START[] = "{\"type\":\"report\",";
    return n_bytes > sizeof START && memcmp(text, START, sizeof START - 1) == 0 && text[n_bytes - 1] == '}';
}

int control_parse(const char *text, size_t n_bytes, struct control *control)
{
    *control = (struct control){.type = CONTROL_OTHER};
    if (n_bytes == sizeof CONTROL_TEXT_HEARTBEAT - 1 && memcmp(text, CONTROL_TEXT_HEARTBEAT, n_bytes) == 0) {
        control->type = CONTROL_HEARTBEAT; /* by far the most frequent: no parser, no allocation */
        return TUTTI_OK;
    }
    if (n_bytes == 0 || n_bytes > CONTROL_MAX_BYTES || text[0] != '{' || memchr(text, 0, n_bytes) ||
        !shallow(text, n_bytes)) {
        return TUTTI_EFORMAT;
    }
    if (is_report(text, n_bytes)) {
        return TUTTI_OK;
    }
    json_t *object = json_loadb(text, n_bytes, 0, NULL);
    const char *type = json_string_value(json_object_get(object, "type"));
    bool good = type != NULL;
    for (int t = 0; good && t < CONTROL_OTHER; t++) {
        if (strcmp(type, type_name[t]) == 0) {
            control->type = (enum control_type)t;
        }
    }
    good = good && get_members(object, control);
    json_decref(object);
    return good ? TUTTI_OK : TUTTI_EFORMAT;
}

void control_forget(struct control *control)
{
    free(control->agreement);
    control->agreement = NULL;
}

char *control_write_hello(const struct fh_hello *hello)
{
    char fingerprint[17];
    snprintf(fingerprint, sizeof fingerprint, "%016" PRIx64, hello->fingerprint);
    json_t *object =
        json_pack("{ss si ss si ss ss}", "type", "hello", "version", WIRE_VERSION, "role", role_name[hello->role], "id",
                  hello->id, "fingerprint", fingerprint, "program", TUTTI_VERSION);
    if (object && hello->agreement) {
        json_object_set_new(object, "agreement", json_string(hello->agreement));
    }
    char *text = object ? json_dumps(object, JSON_COMPACT) : NULL;
    if (text && strlen(text) > CONTROL_MAX_BYTES) {
        free(text);
        json_object_del(object, "agreement");
        text = json_dumps(object, JSON_COMPACT);
    }
    json_decref(object);
    return text;
}

void control_write_welcome(char *out, const struct fh_welcome *welcome)
{
    snprintf(out, CONTROL_MAX_OWN_BYTES, "{\"type\":\"welcome\",\"session\":%" PRIu32 ",\"epoch\":%" PRIu64 "}",
             welcome->session, welcome->epoch);
}

void control_write_refuse(char *out, const char *reason, bool final)
{
    char plain[256];
    snprintf(plain, sizeof plain, "%s", reason);
    for (char *c = plain; *c; c++) {
        *c = isprint((unsigned char)*c) && *c != '"' && *c != '\\' ? *c : '?';
    }
    snprintf(out, CONTROL_MAX_OWN_BYTES, "{\"type\":\"refuse\",\"reason\":\"%s\",\"final\":%s}", plain,
             final ? "true" : "false");
}

void control_write_number(char *out, enum control_type ping_or_pong, uint32_t number)
{
    snprintf(out, CONTROL_MAX_OWN_BYTES, "{\"type\":\"%s\",\"number\":%" PRIu32 "}", type_name[ping_or_pong], number);
}
