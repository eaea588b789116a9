/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Strangers at a CPU node's TCP port: plain ZeroMQ sockets, plain TCP sockets, unfinished handshakes, and a process
 * that sends all of them in rounds (the siege). Nothing here is the library's own peer. What fails ends the program. */
#ifndef TUTTI_TESTS_FRONTHAUL_STRANGERS_H
#define TUTTI_TESTS_FRONTHAUL_STRANGERS_H

#include "fronthaul/keys.h"

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { STRANGERS_HALF = 200, STRANGERS_PER_ROUND = 22 }; /* a round: 20 of garbage, two ZeroMQ sockets */
#define STRANGERS_FINGERPRINT UINT64_C(0x1234)

/* A loopback port that nobody has right now, and its endpoint. */
void strangers_choose_port(struct sockaddr_in *address, char endpoint[64]);
/* The public key of the CPU node in a key directory. */
void strangers_server_key(char text[KEY_TEXT_ROOM], const char *key_dir);
/* A key pair that nobody knows. */
void strangers_random_pair(struct key_pair *pair);

/* A ZeroMQ socket that says hello and sends data as fast as it may. own and server NULL: not encrypted. */
void *strangers_zmq(void *context, const char *endpoint, const struct key_pair *own, const char *server);
/* n connections of TCP that send what is no handshake, each closed at once. */
void strangers_throw_garbage(const struct sockaddr_in *address, int n);
/* Handshakes begun and not ended; the caller closes them. */
void strangers_open_half(const struct sockaddr_in *address, int fd[STRANGERS_HALF]);
void strangers_close_half(const int fd[STRANGERS_HALF]);

/* The siege: `program besiege KEY_DIR PORT`, whose main calls strangers_besiege; quiet between siege_end and
 * siege_begin. */
struct siege {
    pid_t pid;
    int fd;
};
struct siege siege_create(const char *program, const char *key_dir, const struct sockaddr_in *address);
void siege_begin(const struct siege *siege);
int siege_end(const struct siege *siege);     /* the rounds since siege_begin */
int siege_destroy(const struct siege *siege); /* its exit status */
/* The besieging process: from the first byte on its standard input to the second, then answers with the rounds. */
int strangers_besiege(const char *key_dir, const char *port);

#endif
