/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The RPC service's wire: connections, msgpack requests and notifications in, answers out. */
#include "rpc.h"

#include "base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { REQUEST = 0, RESPONSE = 1, NOTIFICATION = 2, READ_BYTES = 4096 };

const char *call_text(const struct call *call, unsigned i, char *room, size_t n)
{
    room[0] = '\0';
    if (i < call->argument.size && call->argument.ptr[i].type == MSGPACK_OBJECT_STR) {
        const msgpack_object_str *s = &call->argument.ptr[i].via.str;
        snprintf(room, n, "%.*s", (int)s->size, s->ptr);
    }
    return room;
}

double call_number(const struct call *call, unsigned i)
{
    if (i >= call->argument.size) {
        return 0;
    }
    const msgpack_object *o = &call->argument.ptr[i];
    switch (o->type) {
    case MSGPACK_OBJECT_POSITIVE_INTEGER:
        return (double)o->via.u64;
    case MSGPACK_OBJECT_NEGATIVE_INTEGER:
        return (double)o->via.i64;
    case MSGPACK_OBJECT_FLOAT32:
    case MSGPACK_OBJECT_FLOAT64:
        return o->via.f64;
    default:
        return 0;
    }
}

bool call_flag(const struct call *call, unsigned i)
{
    return i < call->argument.size && call->argument.ptr[i].type == MSGPACK_OBJECT_BOOLEAN &&
           call->argument.ptr[i].via.boolean;
}

static void send_all(int fd, const char *bytes, size_t n)
{
    while (n > 0) {
        const ssize_t sent = send(fd, bytes, n, MSG_NOSIGNAL);
        if (sent <= 0 && errno != EINTR) {
            return; /* answers are small: a host that does not read them is gone */
        }
        bytes += sent > 0 ? sent : 0;
        n -= sent > 0 ? (size_t)sent : 0;
    }
}

static void respond(const struct connection *connection, uint64_t id, const char *error, const msgpack_sbuffer *result)
{
    msgpack_sbuffer bytes;
    msgpack_packer out;
    msgpack_sbuffer_init(&bytes);
    msgpack_packer_init(&out, &bytes, msgpack_sbuffer_write);
    msgpack_pack_array(&out, 4);
    msgpack_pack_int(&out, RESPONSE);
    msgpack_pack_uint64(&out, id);
    if (error[0]) {
        msgpack_pack_str(&out, strlen(error));
        msgpack_pack_str_body(&out, error, strlen(error));
        msgpack_pack_nil(&out);
    } else {
        msgpack_pack_nil(&out);
        msgpack_sbuffer_write(&bytes, result->data, result->size);
    }
    send_all(connection->fd, bytes.data, bytes.size);
    msgpack_sbuffer_destroy(&bytes);
}

/* [0, id, method, arguments], or [2, method, arguments], which nobody answers. */
static void serve_message(struct device *d, struct connection *connection, const msgpack_object *message)
{
    if (message->type != MSGPACK_OBJECT_ARRAY || message->via.array.size < 3) {
        return;
    }
    const msgpack_object *part = message->via.array.ptr;
    const bool wants = part[0].via.u64 == REQUEST && message->via.array.size == 4;
    const msgpack_object *name = &part[wants ? 2 : 1], *arguments = &part[wants ? 3 : 2];
    if (name->type != MSGPACK_OBJECT_STR || arguments->type != MSGPACK_OBJECT_ARRAY) {
        return;
    }
    msgpack_sbuffer bytes;
    msgpack_packer out;
    char error[128] = "";
    msgpack_sbuffer_init(&bytes);
    msgpack_packer_init(&out, &bytes, msgpack_sbuffer_write);
    struct call call = {
        .device = d, .connection = connection, .argument = arguments->via.array, .out = &out, .error = error};
    snprintf(call.method, sizeof call.method, "%.*s", (int)name->via.str.size, name->via.str.ptr);
    if (d->gone || clock_mono_ns() < d->deaf_until_ns) {
        device_say(d, "deaf to %s", call.method);
    } else {
        methods_answer(&call);
        if (wants) {
            respond(connection, part[1].via.u64, error, &bytes);
        }
    }
    msgpack_sbuffer_destroy(&bytes);
}

void rpc_accept(struct device *d)
{
    const int fd = accept4(d->rpc_fd, NULL, NULL, SOCK_CLOEXEC);
    for (int i = 0; fd >= 0 && i < DEVICE_N_CONNECTION; i++) {
        struct connection *c = &d->connection[i];
        if (c->fd < 0) {
            c->unpacker = msgpack_unpacker_new(READ_BYTES);
            if (c->unpacker) {
                c->fd = fd;
                return;
            }
        }
    }
    if (fd >= 0) {
        close(fd);
    }
}

void rpc_close(struct device *d, struct connection *c)
{
    if (c->fd < 0) {
        return;
    }
    close(c->fd);
    msgpack_unpacker_free(c->unpacker);
    c->fd = -1;
    c->unpacker = NULL;
    if (c->owner) {
        c->owner = false;
        device_say(d, "the session's connection closed");
        device_end_session(d);
    }
}

void rpc_serve(struct device *d, struct connection *c)
{
    msgpack_unpacked message;
    if (!msgpack_unpacker_reserve_buffer(c->unpacker, READ_BYTES)) {
        rpc_close(d, c);
        return;
    }
    const ssize_t n = recv(c->fd, msgpack_unpacker_buffer(c->unpacker), READ_BYTES, MSG_DONTWAIT);
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
        rpc_close(d, c);
        return;
    }
    msgpack_unpacker_buffer_consumed(c->unpacker, n > 0 ? (size_t)n : 0);
    msgpack_unpacked_init(&message);
    while (c->fd >= 0 && msgpack_unpacker_next(c->unpacker, &message) == MSGPACK_UNPACK_SUCCESS) {
        serve_message(d, c, &message.data);
    }
    msgpack_unpacked_destroy(&message);
}
