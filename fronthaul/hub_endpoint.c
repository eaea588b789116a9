/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fronthaul/hub_endpoint.h"

#include "base/error.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* Makes the missing parents of path, for this user only. */
static int make_parents(const char *endpoint, char *path)
{
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        const int failed = mkdir(path, 0700) && errno != EEXIST;
        if (failed) {
            return error_set(TUTTI_EIO, "%s: cannot make the directory %s: %s", endpoint, path, strerror(errno));
        }
        *slash = '/';
    }
    return TUTTI_OK;
}

/* ZeroMQ unlinks whatever is at an ipc path before it binds: right for what a killed program left, a theft from a
 * running one, a loss if it is no socket. A running one accepts connections. */
static int prepare_ipc(const char *endpoint, const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path) {
        return error_set(TUTTI_EIO, "%s: path too long, at most %zu bytes are allowed", endpoint,
                         sizeof address.sun_path - 1);
    }
    memcpy(address.sun_path, path, strlen(path) + 1);
    const int error = make_parents(endpoint, address.sun_path);
    if (error) {
        return error;
    }
    struct stat there;
    if (stat(path, &there) == 0 && !S_ISSOCK(there.st_mode)) {
        return error_set(TUTTI_EIO, "%s: %s is not a socket, and is not overwritten", endpoint, path);
    }
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return error_set(TUTTI_EIO, "%s: cannot make a socket: %s", endpoint, strerror(errno));
    }
    const bool live = connect(fd, (const struct sockaddr *)&address, sizeof address) == 0 || errno == EAGAIN;
    close(fd);
    return live ? error_set(TUTTI_EIO, "%s: already in use by a running program", endpoint) : TUTTI_OK;
}

int hub_endpoint_bind(const struct link *link)
{
    const char *endpoint = link->endpoint;
    if (strncmp(endpoint, "ipc://", 6) == 0 && endpoint[6] != '@') { /* @: abstract, no file */
        const int error = prepare_ipc(endpoint, endpoint + 6);
        if (error) {
            return error;
        }
    }
    if (zmq_bind(link->socket, endpoint)) {
        return errno == EADDRINUSE ? error_set(TUTTI_EIO, "%s: already in use by a running program", endpoint)
                                   : link_error(link, "cannot listen");
    }
    return TUTTI_OK;
}
