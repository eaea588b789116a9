/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A call of a device's RPC service (msgpack-RPC), and how to answer it. */
#ifndef TUTTI_TESTS_USRP_RPC_H
#define TUTTI_TESTS_USRP_RPC_H

#include "device.h"

#include <msgpack.h>

struct call {
    struct device *device;
    struct connection *connection;
    char method[64];
    msgpack_object_array argument; /* [0] the token, except of what needs no claim */
    msgpack_packer *out;           /* exactly one value */
    char *error;                   /* [128] when not empty, the answer is this error */
};

void methods_answer(struct call *call);

const char *call_text(const struct call *call, unsigned i, char *room, size_t n);
double call_number(const struct call *call, unsigned i);
bool call_flag(const struct call *call, unsigned i);

#endif
