/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the network file asks of this host: time to solve, ports, keys, a program that draws. */
#include "base/endpoint.h"
#include "base/error.h"
#include "base/frame.h"
#include "fronthaul/keys.h"
#include "tools/doctor/doctor.h"

#include <arpa/inet.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Time ----------------------------------------------------------------------------------------------------------- */

/* What a solve may take: an access point's wait for the downlink that the precoder is for, and never more than a block,
 * since the next one follows. */
static double budget_of(const struct config *c, const struct frame *f)
{
    const double block_us = f->n_block_samples / f->sample_rate_hz * 1e6;
    const double window_us = frame_lead_window_us(f, config_has_emulated(c) ? f->chunk_samples : 1);
    return fmin(block_us, window_us + f->lag_blocks * block_us - c->engine.tx_lead_us);
}

static void look_at_budget(const struct host_question *question, struct host_finding *f)
{
    const struct config *const c = question->config;
    struct frame frame;
    const double *const solve_us = question->measured->solve_us;
    if (frame_init(&frame, c) < 0 || isnan(solve_us[0])) {
        host_found(f, HOST_UNKNOWN, "could not be tried");
        return;
    }
    const double budget_us = budget_of(c, &frame);
    const bool counts =
        !config_is_repeatable(c) && (question->role == HOST_ROLE_CPU || question->role == HOST_ROLE_ANY);
    host_wanted(f, "half of the %.0f us from pilots to their downlink less engine.tx_lead_us, at most a block",
                budget_us);
    host_found(f,
               !counts                       ? HOST_TOLD
               : solve_us[0] > budget_us     ? HOST_IMPOSSIBLE
               : solve_us[0] > budget_us / 2 ? HOST_COSTS
                                             : HOST_GOOD,
               "%s takes %.0f us for a block here, ob %.0f us (%d subbands, %d worker%s)%s",
               mimo_scheme_name((int)c->precoding.scheme), solve_us[0], solve_us[1], frame.n_sb, c->engine.n_workers,
               c->engine.n_workers == 1 ? "" : "s", counts ? "" : "; nothing here waits for a clock");
}

/* Ports ---------------------------------------------------------------------------------------------------------- */

enum port_state { PORT_FREE, PORT_TAKEN, PORT_ELSEWHERE, PORT_NO_NAME };

static enum port_state try_port(const char *address, bool ipv6, int port)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
    const bool any = strcmp(address, "*") == 0;
    const int on = 1, fd = socket(ipv6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if ((!any &&
         inet_pton(ipv6 ? AF_INET6 : AF_INET, address, ipv6 ? (void *)&v6.sin6_addr : (void *)&v4.sin_addr) != 1) ||
        fd < 0) {
        close(fd);
        return PORT_NO_NAME;
    }
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on); /* as the sockets of the programs have it */
    const int status =
        ipv6 ? bind(fd, (const struct sockaddr *)&v6, sizeof v6) : bind(fd, (const struct sockaddr *)&v4, sizeof v4);
    const int reason = status ? errno : 0;
    close(fd);
    return reason == 0 ? PORT_FREE : reason == EADDRINUSE ? PORT_TAKEN : PORT_ELSEWHERE;
}

static enum port_state look_at_port(const char *endpoint)
{
    struct endpoint_tcp tcp;
    char address[ENDPOINT_HOST_ROOM];
    bool ipv6;
    if (!endpoint_parse_tcp(endpoint, &tcp)) {
        return PORT_FREE; /* a path */
    }
    if (endpoint_resolve(&tcp, true, address, sizeof address, &ipv6) < 0) {
        return PORT_NO_NAME;
    }
    return try_port(address, ipv6, tcp.port);
}

static void look_at_ports(const struct host_question *question, struct host_finding *f)
{
    const struct config *const c = question->config;
    const enum host_role role = question->role;
    const struct {
        const char *endpoint;
        bool ours;
    } listening[] = {{config_cpu_endpoint(c, 0), role == HOST_ROLE_CPU || role == HOST_ROLE_ANY},
                     {c->fronthaul.lab_endpoint, role == HOST_ROLE_CPU || role == HOST_ROLE_ANY},
                     {c->air.endpoint, config_has_emulated(c) && (role == HOST_ROLE_AIR || role == HOST_ROLE_ANY)}};
    int n_elsewhere = 0;
    for (size_t i = 0; i < sizeof listening / sizeof listening[0]; i++) {
        const enum port_state state = listening[i].ours ? look_at_port(listening[i].endpoint) : PORT_FREE;
        if (state == PORT_TAKEN) {
            host_found(f, HOST_IMPOSSIBLE, "%.160s is taken by another program", listening[i].endpoint);
            return;
        }
        if (state != PORT_FREE && role != HOST_ROLE_ANY) {
            host_found(f, HOST_IMPOSSIBLE, "%.160s is no address of this host", listening[i].endpoint);
            return;
        }
        n_elsewhere += state != PORT_FREE;
    }
    if (n_elsewhere) {
        host_found(f, HOST_TOLD, "%d of the endpoints are on another host", n_elsewhere);
    } else {
        host_found(f, HOST_GOOD, "free");
    }
}

/* Keys ----------------------------------------------------------------------------------------------------------- */

/* fh_role of a role that has keys of its own. */
static int read_keys(const char *folder, enum host_role role, int id)
{
    static const enum fh_role roles[] = {FH_ROLE_AP, FH_ROLE_UE, FH_ROLE_EVE};
    struct key_list list = {0};
    struct key_pair pair;
    char name[KEY_NAME_ROOM] = KEY_NAME_CPU;
    int status = keys_read_list(&list, folder);
    const bool node = role <= HOST_ROLE_EVE && id >= 0;
    if (node) {
        keys_name(name, roles[role], id);
    }
    if (status >= 0 && (node || role == HOST_ROLE_CPU || role == HOST_ROLE_ANY)) {
        status = keys_read_pair(&pair, folder, name);
        keys_forget(&pair);
    }
    keys_free_list(&list);
    return status;
}

static void look_at_keys(const struct host_question *question, struct host_finding *f)
{
    const struct config *const c = question->config;
    const char *folder = config_key_dir(c, c->fronthaul.endpoint);
    folder = folder ? folder : config_key_dir(c, c->fronthaul.lab_endpoint);
    if (!folder) {
        host_found(f, HOST_TOLD, "no encryption: nothing leaves this host, or fronthaul.security is none");
    } else if (read_keys(folder, question->role, question->id) < 0) {
        host_found(f, HOST_IMPOSSIBLE, "%s", error_text());
    } else {
        host_found(f, HOST_GOOD, "%.200s", folder);
    }
}

/* Plots ---------------------------------------------------------------------------------------------------------- */

static void look_at_gnuplot(const struct host_question *question, struct host_finding *f)
{
    (void)question;
    char path[512];
    bool found = false;
    for (const char *folder = getenv("PATH"); folder && *folder && !found;) {
        const int n = (int)strcspn(folder, ":");
        snprintf(path, sizeof path, "%.*s/gnuplot", n, folder);
        found = access(path, X_OK) == 0;
        folder += n + (folder[n] == ':');
    }
    host_found(f, found ? HOST_GOOD : HOST_COSTS, "%.300s", found ? path : "not on PATH");
}

static const struct host_check checks[DOCTOR_N_NETWORK_CHECKS] = {
    {"budget", "time to solve", "", "precoders come late: access points send older ones, or the ladder steps down",
     "# a cheaper precoding.scheme, engine.n_workers, more G or U symbols before D, or engine.block_budget_us", "ours",
     true, look_at_budget},
    {"ports", "ports", "free", "the central node or the air cannot listen", NULL, "ours", false, look_at_ports},
    {"keys", "keys", "readable, of this network", "nodes are refused", "# tutti keygen --config NET.yaml --out keys",
     "ours", false, look_at_keys},
    {"gnuplot", "gnuplot", "on PATH", "the report has no plots", "apt install gnuplot-nox", "ours", false,
     look_at_gnuplot},
};

int doctor_examine_network(const struct host_question *question, struct host_finding *findings)
{
    return question->config ? host_run(question, checks, DOCTOR_N_NETWORK_CHECKS, findings) : 0;
}
