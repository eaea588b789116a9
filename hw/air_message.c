/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "hw/air_link.h"

#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "IQ payloads are little-endian floats in place");

enum { MAGIC = 0x52494154, SOCKET_BUFFER_BYTES = 4 << 20, BACKLOG = 64 };

/* Header -------------------------------------------------------------------------------------------------------- */

static void put(uint8_t *at, uint64_t value, int n_bytes)
{
    for (int i = 0; i < n_bytes; i++) {
        at[i] = (uint8_t)(value >> (8 * i));
    }
}

static uint64_t get(const uint8_t *at, int n_bytes)
{
    uint64_t value = 0;
    for (int i = 0; i < n_bytes; i++) {
        value |= (uint64_t)at[i] << (8 * i);
    }
    return value;
}

void air_link_pack(uint8_t bytes[AIR_HEADER_BYTES], const struct air_header *header)
{
    put(bytes, MAGIC, 4);
    put(bytes + 4, AIR_VERSION, 2);
    bytes[6] = header->type;
    bytes[7] = header->role;
    put(bytes + 8, header->id, 2);
    put(bytes + 10, header->n_ant, 2);
    put(bytes + 12, header->flags, 4);
    put(bytes + 16, header->tick, 8);
    put(bytes + 24, header->n_samples, 4);
    put(bytes + 28, header->payload_bytes, 4);
}

/* The payload must be as long as the type and shape say, so that a reader needs no other bound. */
static bool payload_fits(const struct air_header *h)
{
    switch (h->type) {
    case AIR_HELLO:
        return h->payload_bytes == AIR_HELLO_BYTES;
    case AIR_REFUSE:
        return h->payload_bytes <= AIR_MAX_TEXT;
    case AIR_TX:
    case AIR_RX: {
        const bool silent = h->flags & AIR_FLAG_SILENT;
        const uint64_t full = (uint64_t)h->n_ant * h->n_samples * sizeof(tutti_cf32);
        return h->n_samples > 0 && h->payload_bytes == (silent ? 0 : full);
    }
    default:
        return h->payload_bytes == 0;
    }
}

int air_link_unpack(struct air_header *header, const uint8_t bytes[AIR_HEADER_BYTES])
{
    header->type = bytes[6];
    header->role = bytes[7];
    header->id = (uint16_t)get(bytes + 8, 2);
    header->n_ant = (uint16_t)get(bytes + 10, 2);
    header->flags = (uint32_t)get(bytes + 12, 4);
    header->tick = get(bytes + 16, 8);
    header->n_samples = (uint32_t)get(bytes + 24, 4);
    header->payload_bytes = (uint32_t)get(bytes + 28, 4);
    if (get(bytes, 4) != MAGIC) {
        return error_set(TUTTI_EFORMAT, "not an air message: wrong magic");
    }
    if (get(bytes + 4, 2) != AIR_VERSION) {
        return error_set(TUTTI_EVERSION, "air protocol version %u found, %d expected", (unsigned)get(bytes + 4, 2),
                         AIR_VERSION);
    }
    if (header->type < AIR_HELLO || header->type > AIR_RX || header->role >= AIR_N_ROLE) {
        return error_set(TUTTI_EFORMAT, "air message of unknown type %u or role %u", header->type, header->role);
    }
    if (header->n_ant > TUTTI_MAX_ANT || header->n_samples > AIR_MAX_CHUNK || !payload_fits(header)) {
        return error_set(TUTTI_EFORMAT, "air message type %u: %u bytes do not fit %u antennas and %u samples",
                         header->type, header->payload_bytes, header->n_ant, header->n_samples);
    }
    return TUTTI_OK;
}

void air_link_pack_rate(uint8_t bytes[AIR_HELLO_BYTES], double sample_rate_hz)
{
    uint64_t bits;
    memcpy(&bits, &sample_rate_hz, sizeof bits);
    put(bytes, bits, 8);
}

double air_link_unpack_rate(const uint8_t bytes[AIR_HELLO_BYTES])
{
    const uint64_t bits = get(bytes, 8);
    double rate_hz;
    memcpy(&rate_hz, &bits, sizeof rate_hz);
    return rate_hz;
}

/* Sockets ------------------------------------------------------------------------------------------------------- */

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

static int tcp_address(const char *endpoint, const char *host_port, struct address *address)
{
    const char *colon = strrchr(host_port, ':');
    char host[256];
    if (!colon || colon == host_port || !colon[1] || (size_t)(colon - host_port) >= sizeof host) {
        return error_set(TUTTI_ECONFIG, "air endpoint '%s': tcp:// wants host:port", endpoint);
    }
    snprintf(host, sizeof host, "%.*s", (int)(colon - host_port), host_port);
    const struct addrinfo hints = {
        .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = strcmp(host, "*") == 0 ? AI_PASSIVE : 0};
    struct addrinfo *found = NULL;
    const int rc = getaddrinfo(strcmp(host, "*") == 0 ? NULL : host, colon + 1, &hints, &found);
    if (rc != 0) {
        return error_set(TUTTI_ECONFIG, "air endpoint '%s': %s", endpoint, gai_strerror(rc));
    }
    memcpy(&address->any, found->ai_addr, found->ai_addrlen);
    address->length = found->ai_addrlen;
    freeaddrinfo(found);
    return TUTTI_OK;
}

static int resolve(const char *endpoint, struct address *address)
{
    memset(address, 0, sizeof *address);
    if (endpoint && strncmp(endpoint, "unix://", 7) == 0) {
        return unix_address(endpoint, endpoint + 7, address);
    }
    if (endpoint && strncmp(endpoint, "tcp://", 6) == 0) {
        return tcp_address(endpoint, endpoint + 6, address);
    }
    return error_set(TUTTI_ECONFIG, "air endpoint '%s': unix:///path or tcp://host:port expected",
                     endpoint ? endpoint : "");
}

/* The kernel may give less than asked for; chunks then go in several pieces. */
static void tune(int fd)
{
    const int bytes = SOCKET_BUFFER_BYTES, on = 1;
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* refused on unix sockets, which have no delay */
}

static int open_socket(const struct address *address)
{
    const int fd = socket(address->any.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return error_set(TUTTI_EIO, "cannot create a socket: %s", strerror(errno));
    }
    tune(fd);
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

int air_link_connect(const char *endpoint)
{
    struct address address;
    const int status = resolve(endpoint, &address);
    return status ? status : connect_address(endpoint, &address);
}

/* A socket file left by a killed process would make bind fail; one that answers belongs to somebody. */
static int clear_path(const char *endpoint, const struct address *address)
{
    char directory[sizeof((struct sockaddr_un *)0)->sun_path];
    snprintf(directory, sizeof directory, "%s", endpoint + 7);
    *strrchr(directory, '/') = '\0';
    mkdir(directory, 0700);
    const int other = connect_address(endpoint, address);
    if (other >= 0) {
        close(other);
        return error_set(TUTTI_EIO, "%s is in use by another tutti-air", endpoint);
    }
    unlink(endpoint + 7);
    return TUTTI_OK;
}

int air_link_listen(const char *endpoint)
{
    struct address address;
    int status = resolve(endpoint, &address);
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

int air_link_accept(int listener)
{
    const int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
        const bool nobody = errno == EAGAIN || errno == EINTR || errno == ECONNABORTED;
        return nobody ? TUTTI_EAGAIN : error_set(TUTTI_EIO, "cannot accept a radio: %s", strerror(errno));
    }
    tune(fd);
    return fd;
}

void air_link_remove(const char *endpoint)
{
    if (endpoint && strncmp(endpoint, "unix://", 7) == 0) {
        unlink(endpoint + 7);
    }
}
