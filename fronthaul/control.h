/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Control messages: one JSON object per frame with a string "type". The types below are the link's own; every other
 * type belongs to the owner of the peer or hub and is passed on. Parsing allocates (jansson): not for data frames. */
#ifndef TUTTI_FRONTHAUL_CONTROL_H
#define TUTTI_FRONTHAUL_CONTROL_H

#include "fronthaul/peer.h"

/* MAX_OWN: of what the link itself writes, but for a hello, which carries an agreement. */
enum { CONTROL_MAX_BYTES = 64 * 1024, CONTROL_MAX_DEPTH = 16, CONTROL_MAX_OWN_BYTES = 512 };

enum control_type {
    CONTROL_HELLO,
    CONTROL_WELCOME,
    CONTROL_REFUSE,
    CONTROL_HEARTBEAT,
    CONTROL_GOODBYE,
    CONTROL_STOP,
    CONTROL_PLEASE_HELLO,
    CONTROL_PING,
    CONTROL_PONG,
    CONTROL_OTHER
};

struct control {
    enum control_type type;
    struct fh_hello hello;     /* hello */
    int wire_version;          /* hello */
    char program[32];          /* hello: program version */
    char *agreement;           /* hello: of the sender, or NULL; control_forget frees it */
    struct fh_welcome welcome; /* welcome */
    char reason[256];          /* refuse */
    bool final;                /* refuse */
    uint32_t number;           /* ping, pong */
};

#define CONTROL_TEXT_HEARTBEAT "{\"type\":\"heartbeat\"}"
#define CONTROL_TEXT_GOODBYE "{\"type\":\"goodbye\"}"
#define CONTROL_TEXT_STOP "{\"type\":\"stop\"}"
#define CONTROL_TEXT_PLEASE_HELLO "{\"type\":\"please_hello\"}"

const char *control_role_name(enum fh_role role); /* "ap" "ue" "observer" "eve" "cpu" */

/* Text of n_bytes, not necessarily NUL-terminated. TUTTI_EFORMAT: not JSON, no object, too long, too deep, or one of
 * the link's own types with a member missing or out of range. */
int control_parse(const char *text, size_t n_bytes, struct control *control);
void control_forget(struct control *control); /* after control_parse, whatever it returned */

/* Allocated; without the agreement if that would make it too long. NULL without memory. */
char *control_write_hello(const struct fh_hello *hello);
/* Writers: out has CONTROL_MAX_OWN_BYTES. */
void control_write_welcome(char *out, const struct fh_welcome *welcome);
void control_write_refuse(char *out, const char *reason, bool final); /* quotes in it become '?' */
void control_write_number(char *out, enum control_type ping_or_pong, uint32_t number);

#endif
