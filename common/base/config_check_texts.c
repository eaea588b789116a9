/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Names, sockets and files that cannot work. */
#include "base/config_check.h"
#include "base/endpoint.h"
#include "base/output.h"

#include <stdlib.h>
#include <string.h>

enum { SOCKET_PATH_MAX = 100 }; /* sun_path holds 108 bytes, libzmq may add a few */

int config_check_names(struct check *check)
{
    const struct config *const c = check->config;
    const char *const name = c->network.name, *const directory = c->network.runtime_dir;
    const char *const allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.";
    const size_t room = SOCKET_PATH_MAX - strlen("/fronthaul");
    if (!*name || strlen(name) > 48 || strspn(name, allowed) != strlen(name) || *name == '.') {
        return config_fail(check->layers, "network.name",
                           "'%.60s' is not 1..48 letters, digits, '_', '-', '.' (it becomes a directory name)", name);
    }
    if (*directory != '/') {
        return config_fail(check->layers, "network.runtime_dir", "'%.60s' is not an absolute path or auto", directory);
    }
    if (strlen(directory) > room) {
        return config_fail(check->layers, "network.runtime_dir network.name",
                           "the path has %zu characters, a socket in it needs it to be at most %zu", strlen(directory),
                           room);
    }
    return 0;
}

/* scheme: "ipc://" or "unix://", followed by a path. */
static int check_endpoint(struct check *check, const char *key, const char *endpoint, const char *scheme)
{
    const size_t length = strlen(scheme);
    struct endpoint_tcp tcp;
    if (strncmp(endpoint, "tcp://", 6) == 0) {
        return endpoint_parse_tcp(endpoint, &tcp)
                   ? 0
                   : config_fail(check->layers, key,
                                 "'%.80s' is not tcp://host:port with a port of 1..65535 and a host that is a name, an "
                                 "address ([..] around IPv6), a network interface or *",
                                 endpoint);
    }
    if (strncmp(endpoint, scheme, length) != 0 || !endpoint[length]) {
        return config_fail(check->layers, key, "'%.80s' is not auto, tcp://host:port or %spath", endpoint, scheme);
    }
    if (strlen(endpoint + length) > SOCKET_PATH_MAX) {
        return config_fail(check->layers, key, "the socket's path has %zu characters, at most %d are allowed",
                           strlen(endpoint + length), SOCKET_PATH_MAX);
    }
    return 0;
}

int config_check_endpoints(struct check *check)
{
    const struct config *const c = check->config;
    if (!*c->fronthaul.key_dir) {
        return config_fail(check->layers, "fronthaul.key_dir", "the directory's name is empty");
    }
    int rc = check_endpoint(check, "fronthaul.endpoint", c->fronthaul.endpoint, "ipc://");
    if (rc == 0) {
        rc = check_endpoint(check, "fronthaul.lab_endpoint", c->fronthaul.lab_endpoint, "ipc://");
    }
    if (rc == 0) {
        rc = check_endpoint(check, "air.endpoint", c->air.endpoint, "unix://");
    }
    if (rc == 0 && strcmp(c->fronthaul.endpoint, c->fronthaul.lab_endpoint) == 0) {
        rc = config_fail(check->layers, "fronthaul.lab_endpoint fronthaul.endpoint",
                         "endpoint and lab_endpoint are the same, '%.80s'", c->fronthaul.endpoint);
    }
    for (unsigned i = 0; rc == 0 && i < c->cpus_count; i++) {
        rc = check_endpoint(check, "cpus", c->cpus[i].endpoint, "ipc://");
    }
    return rc;
}

/* Two outputs on one path would destroy each other. */
int config_check_outputs(struct check *check)
{
    const struct config *const c = check->config;
    char *const record = config_file_path(c, c->record.file), *const truth = config_file_path(c, c->air.truth);
    int rc = record && truth ? 0 : error_set(TUTTI_ENOMEM, "out of memory");
    if (rc == 0 && output_same(record, truth)) {
        rc = config_fail(check->layers, "air.truth record.file", "the truth and the recording are one file, '%.80s'",
                         c->air.truth);
    }
    free(record);
    free(truth);
    return rc;
}
