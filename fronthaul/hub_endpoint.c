/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fronthaul/hub_endpoint.h"

#include "base/error.h"
#include "base/folder.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

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
    if (folder_make_for(path)) {
        return error_set(TUTTI_EIO, "%s: %s", endpoint, error_text());
    }
    struct stat there;
    if (lstat(path, &there) == 0 && !S_ISSOCK(there.st_mode)) {
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

int hub_endpoint_bind(struct link *link)
{
    const char *endpoint = link->endpoint;
    if (strncmp(endpoint, "ipc://", 6) == 0 && endpoint[6] != '@') { /* @: abstract, no file */
        const int error = prepare_ipc(endpoint, endpoint + 6);
        if (error) {
            return error;
        }
    }
    char *address = link_address(link, true);
    if (!address) {
        return error_set(TUTTI_EIO, "%s: cannot listen: %s", endpoint, error_text());
    }
    const int failed = zmq_bind(link->socket, address) ? errno : 0;
    free(address);
    switch (failed) {
    case 0:
        return TUTTI_OK;
    case EADDRINUSE:
        return error_set(TUTTI_EIO, "%s: already in use by a running program", endpoint);
    case EADDRNOTAVAIL:
    case ENODEV:
        return error_set(TUTTI_EIO,
                         "%s: cannot listen: not an address of this host; name the host the central node runs "
                         "on, or *",
                         endpoint);
    default:
        return error_set(TUTTI_EIO, "%s: cannot listen: %s", endpoint, zmq_strerror(failed));
    }
}
