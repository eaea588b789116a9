/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "strangers.h"

#include "fronthaul/control.h"
#include "fronthaul/hub.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zmq.h>

enum { GARBAGE_PER_ROUND = STRANGERS_PER_ROUND - 2, N_GARBAGE = 6, GARBAGE_BYTES = 4096, ROUND_MS = 50 };

#define MUST(condition) must(condition, #condition)
static void must(bool condition, const char *what)
{
    if (!condition) {
        perror(what);
        abort();
    }
}

/* Places -------------------------------------------------------------------------------------------------------- */

static void name_endpoint(char endpoint[64], const struct sockaddr_in *address)
{
    snprintf(endpoint, 64, "tcp://127.0.0.1:%u", ntohs(address->sin_port));
}

void strangers_choose_port(struct sockaddr_in *address, char endpoint[64])
{
    socklen_t size = sizeof *address;
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    *address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    MUST(bind(fd, (struct sockaddr *)address, sizeof *address) == 0);
    MUST(getsockname(fd, (struct sockaddr *)address, &size) == 0);
    close(fd);
    name_endpoint(endpoint, address);
}

void strangers_server_key(char text[KEY_TEXT_ROOM], const char *key_dir)
{
    struct key_list list;
    MUST(keys_read_list(&list, key_dir) == 0);
    memcpy(text, keys_find_name(&list, "cpu")->text, KEY_TEXT_ROOM);
    keys_free_list(&list);
}

void strangers_random_pair(struct key_pair *pair)
{
    MUST(zmq_curve_keypair(pair->public_key, pair->secret_key) == 0);
}

/* Strangers ----------------------------------------------------------------------------------------------------- */

void *strangers_zmq(void *context, const char *endpoint, const struct key_pair *own, const char *server)
{
    const struct fh_hello hello = {.role = FH_ROLE_AP, .id = 1, .fingerprint = STRANGERS_FINGERPRINT};
    const int linger_ms = 0;
    char *text = control_write_hello(&hello);
    MUST(text != NULL);
    void *socket = zmq_socket(context, ZMQ_DEALER);
    zmq_setsockopt(socket, ZMQ_LINGER, &linger_ms, sizeof linger_ms);
    if (own) {
        zmq_setsockopt(socket, ZMQ_CURVE_SERVERKEY, server, strlen(server));
        zmq_setsockopt(socket, ZMQ_CURVE_PUBLICKEY, own->public_key, strlen(own->public_key));
        zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, own->secret_key, strlen(own->secret_key));
    }
    MUST(zmq_connect(socket, endpoint) == 0);
    for (int i = 0; i < 20; i++) {
        zmq_send(socket, text, strlen(text), ZMQ_DONTWAIT);
    }
    free(text);
    return socket;
}

static int tcp_stranger(const struct sockaddr_in *address, const void *bytes, size_t n_bytes)
{
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (const struct sockaddr *)address, sizeof *address) == 0) {
        (void)!send(fd, bytes, n_bytes, MSG_NOSIGNAL);
    }
    return fd;
}

/* The 64 bytes with which ZMTP 3 begins. */
static void greeting(uint8_t out[64], const char *mechanism)
{
    memset(out, 0, 64);
    out[0] = 0xff;
    out[9] = 0x7f;
    out[10] = 3;
    memcpy(out + 12, mechanism, strlen(mechanism));
}

static size_t garbage(int which, uint8_t out[GARBAGE_BYTES])
{
    static uint64_t state = 12345;
    for (size_t i = 0; i < GARBAGE_BYTES; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        out[i] = (uint8_t)(state >> 56);
    }
    switch (which) {
    case 0: /* no ZeroMQ at all */
        memcpy(out, "GET / HTTP/1.1\r\n\r\n", 18);
        return 18;
    case 1:
        out[0] = 0x01; /* ZMTP 1.0: an empty identity, then frames */
        out[1] = 0x00;
        return GARBAGE_BYTES;
    case 2: /* right greeting, wrong mechanism, frames as if let in */
        greeting(out, "NULL");
        memcpy(out + 64, "\x04\x1c\x05READY\x0bSocket-Type\0\0\0\6DEALER\0\x02{}", 34);
        return 98;
    case 3: /* right mechanism, noise as its first command */
        greeting(out, "CURVE");
        return GARBAGE_BYTES;
    case 4: /* right mechanism, then a message as if the handshake were over */
        greeting(out, "CURVE");
        memcpy(out + 64, "\0\x12{\"type\":\"goodbye\"}", 21);
        return 85;
    default:
        return GARBAGE_BYTES;
    }
}

void strangers_throw_garbage(const struct sockaddr_in *address, int n)
{
    uint8_t bytes[GARBAGE_BYTES];
    for (int i = 0; i < n; i++) {
        close(tcp_stranger(address, bytes, garbage(i % N_GARBAGE, bytes)));
    }
}

void strangers_open_half(const struct sockaddr_in *address, int fd[STRANGERS_HALF])
{
    uint8_t bytes[64];
    greeting(bytes, "CURVE");
    for (int i = 0; i < STRANGERS_HALF; i++) {
        fd[i] = tcp_stranger(address, bytes, i % 2 ? 10 : 64); /* half of the signature, or all but the first command */
    }
}

void strangers_close_half(const int fd[STRANGERS_HALF])
{
    for (int i = 0; i < STRANGERS_HALF; i++) {
        close(fd[i]);
    }
}

/* The siege ----------------------------------------------------------------------------------------------------- */

static bool told(int fd, int timeout_ms)
{
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    return poll(&wait, 1, timeout_ms) > 0;
}

/* Rounds until told to end; the last one is whole. */
static int rounds_until_told(const struct sockaddr_in *address, const struct key_pair *own, const char *server)
{
    int half[STRANGERS_HALF], rounds = 0;
    char endpoint[64];
    void *context = zmq_ctx_new();
    name_endpoint(endpoint, address);
    strangers_open_half(address, half);
    for (; !told(STDIN_FILENO, 0); rounds++) {
        strangers_throw_garbage(address, GARBAGE_PER_ROUND);
        void *unknown = strangers_zmq(context, endpoint, own, server);
        void *plain = strangers_zmq(context, endpoint, NULL, NULL);
        told(STDIN_FILENO, ROUND_MS);
        zmq_close(unknown);
        zmq_close(plain);
    }
    strangers_close_half(half);
    zmq_ctx_term(context);
    return rounds;
}

int strangers_besiege(const char *key_dir, const char *port)
{
    struct key_pair own;
    char server[KEY_TEXT_ROOM], byte;
    const struct sockaddr_in address = {.sin_family = AF_INET,
                                        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                        .sin_port = htons((uint16_t)strtoul(port, NULL, 10))};
    strangers_server_key(server, key_dir);
    strangers_random_pair(&own);
    while (read(STDIN_FILENO, &byte, 1) == 1) {
        const int rounds = rounds_until_told(&address, &own, server);
        if (read(STDIN_FILENO, &byte, 1) != 1 || write(STDIN_FILENO, &rounds, sizeof rounds) < 0) {
            break;
        }
    }
    return 0;
}

struct siege siege_create(const char *program, const char *key_dir, const struct sockaddr_in *address)
{
    int ends[2];
    char port[8];
    snprintf(port, sizeof port, "%u", ntohs(address->sin_port));
    MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    const pid_t pid = fork();
    MUST(pid >= 0);
    if (pid == 0) {
        dup2(ends[1], STDIN_FILENO);
        execl(program, program, "besiege", key_dir, port, (char *)NULL);
        _exit(127);
    }
    close(ends[1]);
    return (struct siege){.pid = pid, .fd = ends[0]};
}

void siege_begin(const struct siege *siege)
{
    MUST(write(siege->fd, "b", 1) == 1);
}

int siege_end(const struct siege *siege)
{
    int rounds = 0;
    MUST(write(siege->fd, "e", 1) == 1);
    MUST(read(siege->fd, &rounds, sizeof rounds) == sizeof rounds);
    return rounds;
}

int siege_destroy(const struct siege *siege)
{
    int status = -1;
    close(siege->fd);
    MUST(waitpid(siege->pid, &status, 0) == siege->pid);
    return status;
}
