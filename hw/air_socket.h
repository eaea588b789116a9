/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Stream sockets between emulated radios and the medium, non-blocking, with buffers for several chunks. An endpoint is
 * "unix:///path" or "tcp://host:port"; tcp has no delay and notices a lost host within a minute. */
#ifndef TUTTI_HW_AIR_SOCKET_H
#define TUTTI_HW_AIR_SOCKET_H

#include <stdbool.h>
#include <stddef.h>

enum { AIR_SOCKET_MAX_FDS = 2 };

/* Return a descriptor or TUTTI_ECONFIG (endpoint malformed), TUTTI_EIO. For a unix endpoint its directory is made if
 * absent, and a socket of this user that nobody listens on is replaced; anything else at the path is an error. */
int air_socket_listen(const char *endpoint);
int air_socket_connect(const char *endpoint);
int air_socket_accept(int listener);          /* TUTTI_EAGAIN when nobody waits */
void air_socket_remove(const char *endpoint); /* deletes the unix socket, if it is one of this user */
bool air_socket_is_local(int fd);             /* unix: both ends on this host */

/* Send a short message with descriptors (n_fd 0 to AIR_SOCKET_MAX_FDS), without waiting: a peer whose buffer is full
 * misses it, one that is gone shows when it is read. */
void air_socket_send(int fd, const void *head, size_t n_head, const void *body, size_t n_body, const int *fds,
                     int n_fd);
/* As recv without waiting, and takes over descriptors that come with the bytes; unused entries of fds become -1. */
long air_socket_receive(int fd, void *data, size_t n, int fds[AIR_SOCKET_MAX_FDS]);

#endif
