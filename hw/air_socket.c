/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "hw/air_socket.h"

#include "base/endpoint.h"
#include "base/error.h"
#include "base/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { SOCKET_BUFFER_BYTES = 4 << 20, BACKLOG = 1024 };
/* A silent tcp peer is asked after 20 s, then every 5 s; it is gone after three questions or 30 s without any answer.
 */
enum { KEEP_IDLE_S = 20, KEEP_EVERY_S = 5, KEEP_COUNT = 3, KEEP_TIMEOUT_MS = 30000 };

struct address {
    struct sockaddr_storage any;
    socklen_t length;
};

static int unix_address(const char *endpoint, const char *path, struct address *address)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    if (path[0] != '/' || strlen(path) >= sizeof un.sun_path) {
        return error_set(TUTTI_ECONFIG, "air endpoint '%s': unix:// wants an absolute path of at most %zu bytes",
                         endpoint, sizeof un.sun_path - 1);
    }
    memcpy(un.sun_path, path, strlen(path) + 1);
    memcpy(&address->any, &un, sizeof un);
    address->length = sizeof un;
    return TUTTI_OK;
}

static int tcp_address(const char *endpoint, bool listening, struct address *address)
{
    struct endpoint_tcp tcp;
    char host[ENDPOINT_HOST_ROOM], port[8];
    bool ipv6 = false;
    if (!endpoint_parse_tcp(endpoint, &tcp)) {
        return error_set(TUTTI_ECONFIG, "air endpoint '%s': tcp://HOST:PORT expected", endpoint);
    }
    const int status = endpoint_resolve(&tcp, listening, host, sizeof host, &ipv6);
    if (status) {
        return status;
    }
    const bool any = strcmp(host, "*") == 0;
    const struct addrinfo hints = {.ai_family = ipv6 ? AF_INET6 : AF_UNSPEC,
                                   .ai_socktype = SOCK_STREAM,
                                   .ai_flags = AI_NUMERICSERV | (any ? AI_PASSIVE : AI_NUMERICHOST)};
    struct addrinfo *found = NULL;
    snprintf(port, sizeof port, "%d", tcp.port);
    const int rc = getaddrinfo(any ? NULL : host, port, &hints, &found);
    if (rc != 0) {
        return error_set(TUTTI_EIO, "air endpoint '%s': %s", endpoint, gai_strerror(rc));
    }
    memcpy(&address->any, found->ai_addr, found->ai_addrlen);
    address->length = found->ai_addrlen;
    freeaddrinfo(found);
    return TUTTI_OK;
}

static int resolve(const char *endpoint, bool listening, struct address *address)
{
    memset(address, 0, sizeof *address);
    if (endpoint && strncmp(endpoint, "unix://", 7) == 0) {
        return unix_address(endpoint, endpoint + 7, address);
    }
    if (endpoint && strncmp(endpoint, "tcp://", 6) == 0) {
        return tcp_address(endpoint, listening, address);
    }
    return error_set(TUTTI_ECONFIG, "air endpoint '%s': unix:///path or tcp://host:port expected",
                     endpoint ? endpoint : "");
}

/* The kernel may give less than asked for; chunks then go in several pieces. */
static void tune(int fd, bool local)
{
    const int bytes = SOCKET_BUFFER_BYTES, on = 1, idle = KEEP_IDLE_S, every = KEEP_EVERY_S, count = KEEP_COUNT,
              limit = KEEP_TIMEOUT_MS;
    if (local) {
        return; /* samples do not go this way */
    }
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &every, sizeof every);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof count);
    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &limit, sizeof limit);
}

static int open_socket(const struct address *address)
{
    const int fd = socket(address->any.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return error_set(TUTTI_EIO, "cannot create a socket: %s", strerror(errno));
    }
    tune(fd, address->any.ss_family == AF_UNIX);
    return fd;
}

static int connect_address(const char *endpoint, const struct address *address)
{
    const int fd = open_socket(address);
    if (fd < 0) {
        return fd;
    }
    if (connect(fd, (const struct sockaddr *)&address->any, address->length) != 0) {
        const int code = errno;
        close(fd);
        return error_set(TUTTI_EIO, "cannot connect to %s: %s", endpoint, strerror(code));
    }
    fcntl(fd, F_SETFL, O_NONBLOCK);
    return fd;
}

/* A folder where others could have put the socket is no place to look for the medium. */
static int check_folder(const char *path)
{
    char folder[sizeof((struct sockaddr_un *)0)->sun_path];
    struct stat info;
    snprintf(folder, sizeof folder, "%s", path);
    strrchr(folder, '/')[strchr(folder, '/') == strrchr(folder, '/')] = '\0'; /* "/" stays */
    return stat(folder, &info) == 0 && folder_check(folder) != TUTTI_OK ? TUTTI_ECONFIG : TUTTI_OK;
}

int air_socket_connect(const char *endpoint)
{
    struct address address;
    int status = resolve(endpoint, false, &address);
    if (!status && address.any.ss_family == AF_UNIX) {
        status = check_folder(endpoint + 7);
    }
    return status ? status : connect_address(endpoint, &address);
}

/* 1 if there is a socket of this user at the path, 0 if there is nothing; else an error. */
static int look_at(const char *path)
{
    struct stat info;
    if (lstat(path, &info) != 0) {
        return errno == ENOENT ? 0 : error_set(TUTTI_EIO, "cannot look at %s: %s", path, strerror(errno));
    }
    if (!S_ISSOCK(info.st_mode)) {
        return error_set(TUTTI_EIO, "%s exists and is not a socket: choose another air.endpoint", path);
    }
    return info.st_uid == geteuid() ? 1 : error_set(TUTTI_EIO, "%s is another user's socket", path);
}

/* A socket left by a killed process would make bind fail; one that answers belongs to somebody. */
static int clear_path(const char *endpoint, const struct address *address)
{
    const int folder = folder_make_for(endpoint + 7);
    if (folder) {
        return folder;
    }
    const int found = look_at(endpoint + 7);
    if (found <= 0) {
        return found;
    }
    const int other = connect_address(endpoint, address);
    if (other >= 0) {
        close(other);
        return error_set(TUTTI_EIO, "%s is in use by another tutti-air", endpoint);
    }
    unlink(endpoint + 7);
    return TUTTI_OK;
}

int air_socket_listen(const char *endpoint)
{
    struct address address;
    int status = resolve(endpoint, true, &address);
    if (!status && address.any.ss_family == AF_UNIX) {
        status = clear_path(endpoint, &address);
    }
    if (status) {
        return status;
    }
    const int fd = open_socket(&address), on = 1;
    if (fd < 0) {
        return fd;
    }
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, (const struct sockaddr *)&address.any, address.length) != 0 || listen(fd, BACKLOG) != 0) {
        const int code = errno;
        close(fd);
        return error_set(TUTTI_EIO, "cannot listen on %s: %s", endpoint, strerror(code));
    }
    fcntl(fd, F_SETFL, O_NONBLOCK);
    return fd;
}

int air_socket_accept(int listener)
{
    const int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
        const bool nobody = errno == EAGAIN || errno == EINTR || errno == ECONNABORTED;
        return nobody ? TUTTI_EAGAIN : error_set(TUTTI_EIO, "cannot accept a radio: %s", strerror(errno));
    }
    tune(fd, air_socket_is_local(fd));
    return fd;
}

bool air_socket_is_local(int fd)
{
    struct sockaddr_storage own;
    socklen_t length = sizeof own;
    return getsockname(fd, (struct sockaddr *)&own, &length) == 0 && own.ss_family == AF_UNIX;
}

void air_socket_remove(const char *endpoint)
{
    if (endpoint && strncmp(endpoint, "unix://", 7) == 0 && look_at(endpoint + 7) == 1) {
        unlink(endpoint + 7);
    }
}

/* Room for the descriptors' control message, aligned as it must be. */
union control {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(AIR_SOCKET_MAX_FDS * sizeof(int))];
};

void air_socket_send(int fd, const void *head, size_t n_head, const void *body, size_t n_body, const int *fds, int n_fd)
{
    struct iovec part[2] = {{(void *)(uintptr_t)head, n_head}, {(void *)(uintptr_t)body, n_body}};
    struct msghdr message = {.msg_iov = part, .msg_iovlen = n_body ? 2 : 1};
    union control control = {0};
    if (n_fd > 0) {
        message.msg_control = control.bytes;
        message.msg_controllen = CMSG_SPACE((size_t)n_fd * sizeof(int));
        struct cmsghdr *c = CMSG_FIRSTHDR(&message);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN((size_t)n_fd * sizeof(int));
        memcpy(CMSG_DATA(c), fds, (size_t)n_fd * sizeof(int));
    }
    const ssize_t sent = sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    (void)sent;
}

long air_socket_receive(int fd, void *data, size_t n, int fds[AIR_SOCKET_MAX_FDS])
{
    struct iovec part = {data, n};
    union control control;
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
    const ssize_t got = recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    for (int i = 0; i < AIR_SOCKET_MAX_FDS; i++) {
        fds[i] = -1;
    }
    const struct cmsghdr *c = got > 0 ? CMSG_FIRSTHDR(&message) : NULL;
    if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS) {
        const size_t bytes = c->cmsg_len - CMSG_LEN(0);
        memcpy(fds, CMSG_DATA(c), bytes < AIR_SOCKET_MAX_FDS * sizeof *fds ? bytes : AIR_SOCKET_MAX_FDS * sizeof *fds);
    }
    return got;
}
