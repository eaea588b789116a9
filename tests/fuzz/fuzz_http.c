/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Requests of any bytes to the dashboard's server, through a socket (of this host's kind, which it takes for one of
 * TCP: that is twice as fast, and the kernel's TCP is not what is tried): it answers in HTTP or not at all, never says
 * anything of the network to who does not name a loopback address as its host or asks otherwise than with GET, and goes
 * on serving. */
#include "base/error.h"
#include "fuzz.h"
#include "tools/dashboard/server.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

enum { TURNS = 40, QUIET_TURNS = 4 };
static uint64_t n_silent, n_refused, n_forbidden, n_served;
static dashboard_server_t *server;

/* libevent calls these here instead of the C library's: whoever wants a socket of TCP gets a local one, which lies in
 * no folder; whoever calls is taken for the loopback address. */
static struct sockaddr_un place;
static socklen_t place_bytes;

int socket(int domain, int type, int protocol)
{
    (void)protocol;
    return (int)syscall(SYS_socket, domain == AF_INET ? AF_UNIX : domain, type, 0);
}

int bind(int fd, const struct sockaddr *address, socklen_t n_bytes)
{
    (void)address, (void)n_bytes;
    place.sun_family = AF_UNIX;
    const int n = snprintf(place.sun_path + 1, sizeof place.sun_path - 1, "tutti-fuzz-http-%d", (int)getpid());
    place_bytes = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n);
    return (int)syscall(SYS_bind, fd, &place, place_bytes);
}

int accept4(int fd, struct sockaddr *address, socklen_t *n_bytes, int flags)
{
    const struct sockaddr_in from = {.sin_family = AF_INET, .sin_port = 1, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const int accepted = (int)syscall(SYS_accept4, fd, NULL, NULL, flags);
    MUST(*n_bytes >= sizeof from);
    memcpy(address, &from, sizeof from);
    *n_bytes = sizeof from;
    return accepted;
}

static void begin(void)
{
    static struct config *config;
    static struct dashboard_state state;
    MUST(config_load(&config, NULL, NULL, 0) == 0 && dashboard_state_create(&state, config) == 0);
    if (dashboard_server_create(&server, "127.0.0.1:0", &state) < 0) {
        fprintf(stderr, "%s\n", error_text());
        abort();
    }
}

static int dial(void)
{
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    MUST(fd >= 0 && connect(fd, (const struct sockaddr *)&place, place_bytes) == 0);
    MUST(fcntl(fd, F_SETFL, O_NONBLOCK) == 0);
    return fd;
}

/* What comes until nothing comes any more; its length. */
static size_t converse(const uint8_t *data, size_t n_bytes, char *text, size_t room)
{
    const int fd = dial();
    size_t n = 0;
    const ssize_t sent = send(fd, data, n_bytes, MSG_NOSIGNAL);
    (void)sent; /* what the socket does not take is not heard */
    shutdown(fd, SHUT_WR);
    for (int turn = 0, quiet = 0; turn < TURNS && quiet < QUIET_TURNS; turn++) {
        dashboard_server_turn(server);
        const ssize_t got = recv(fd, text + n, room - 1 - n, 0);
        n += got > 0 ? (size_t)got : 0;
        quiet = got > 0 ? 0 : quiet + (turn > 2 || got == 0);
    }
    close(fd);
    dashboard_server_turn(server);
    text[n] = '\0';
    return n;
}

/* A line of the request that names a loopback host, or a request line with one. */
static bool names_loopback(const uint8_t *data, size_t n_bytes)
{
    static const char *const hosts[] = {"127.", "localhost", "[::1]"};
    for (size_t i = 0; i < n_bytes; i++) {
        for (size_t h = 0; h < sizeof hosts / sizeof hosts[0]; h++) {
            const size_t n = strlen(hosts[h]);
            if (n_bytes - i >= n && strncasecmp((const char *)data + i, hosts[h], n) == 0) {
                return true;
            }
        }
    }
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes)
{
    static char text[1 << 20];
    if (!server) {
        begin();
    }
    if (converse(data, n_bytes, text, sizeof text) == 0) {
        n_silent++;
        return 0;
    }
    const char *const space = strchr(text, ' '); /* behind the version that was asked in */
    MUST(strncmp(text, "HTTP/", 5) == 0 && space && isdigit((unsigned char)space[1]));
    const int code = atoi(space + 1);
    MUST(code >= 200 && code < 600);
    const bool tells = strstr(text, "\"type\":\"network\"") || strstr(text, "tutti_build_info");
    MUST(!tells || (code == 200 && names_loopback(data, n_bytes) && memmem(data, n_bytes, "GET ", 4)));
    n_served += code == 200;
    n_forbidden += code == 403;
    n_refused += code != 200 && code != 403;
    MUST(dashboard_server_viewers(server) <= DASHBOARD_VIEWERS);
    return 0;
}

int fuzz_report(void)
{
    printf("%10llu not answered, %llu refused, %llu forbidden, %llu served\n", (unsigned long long)n_silent,
           (unsigned long long)n_refused, (unsigned long long)n_forbidden, (unsigned long long)n_served);
    return n_silent == 0 || n_refused == 0 || n_forbidden == 0 || n_served == 0;
}
