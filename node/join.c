/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "node/join.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/rt.h"
#include "node/realtime.h"

#include <stdlib.h>

enum { SAY_EVERY_S = 10 };

const char *node_endpoint(const struct config *config, enum fh_role role, int id)
{
    return role == FH_ROLE_AP ? config_cpu_endpoint(config, config_cpu_of_ap(config, id))
                              : config->fronthaul.lab_endpoint;
}

static int connect_peer(fh_peer_t **peer, const struct config *config, enum fh_role role, int id)
{
    const char *endpoint = node_endpoint(config, role, id);
    const enum node_duty duty = role == FH_ROLE_AP ? NODE_DUTY_LINK : NODE_DUTY_BACKGROUND;
    char *agreement = config_agreement(config);
    const struct fh_hello hello = {
        .role = role,
        .id = id,
        .cpu = role == FH_ROLE_AP ? config_cpu_of_ap(config, id) : 0,
        .fingerprint = config_fingerprint(config),
        .agreement = agreement,
        .key_dir = config_key_dir(config, endpoint),
        .io_priority = node_priority(&config->engine, duty),
    };
    const int status = fh_peer_create(peer, endpoint, &hello, config_peer_timeout_ms(config));
    free(agreement);
    if (status >= 0 && role == FH_ROLE_AP) {
        fh_peer_busy_poll(*peer, config->fronthaul.busy_poll_us);
    }
    return status;
}

static void say_waiting(const struct config *config, const char *endpoint, uint64_t since_ns)
{
    log_write(LOG_INFO, "join", "WAITING-FOR-CPU endpoint=%s encrypted=%s for_s=%llu", endpoint,
              config_key_dir(config, endpoint) ? "yes" : "no",
              (unsigned long long)((clock_mono_ns() - since_ns) / 1000000000u));
}

static int wait_for_welcome(fh_peer_t *peer, const struct config *config, const char *endpoint,
                            struct fh_welcome *welcome)
{
    const uint64_t since_ns = clock_mono_ns();
    for (;;) {
        struct fh_event event;
        say_waiting(config, endpoint, since_ns);
        const uint64_t say_ns = clock_mono_ns() + SAY_EVERY_S * 1000000000ull;
        for (uint64_t now_ns = clock_mono_ns(); now_ns < say_ns; now_ns = clock_mono_ns()) {
            const int status = fh_peer_wait(peer, -1, (int64_t)((say_ns - now_ns) / 1000u) + 1, &event);
            if (status < 0) {
                return status;
            }
            if (event.kind == FH_EVENT_UP) {
                *welcome = event.welcome;
                return TUTTI_OK;
            }
            if (event.kind == FH_EVENT_STOP) {
                return error_set(TUTTI_ESTOPPED, "stopped while waiting for the CPU node");
            }
            if (event.kind == FH_EVENT_REFUSED) {
                return TUTTI_EREFUSED;
            }
        }
    }
}

int node_join(fh_peer_t **peer, const struct config *config, enum fh_role role, int id, struct fh_welcome *welcome)
{
    int status = connect_peer(peer, config, role, id);
    if (status >= 0) {
        status = wait_for_welcome(*peer, config, node_endpoint(config, role, id), welcome);
    }
    if (status >= 0) {
        log_write(LOG_INFO, "join", "WELCOME session=%u epoch_tick=%llu", welcome->session,
                  (unsigned long long)welcome->epoch);
    }
    return status;
}

int node_next_event(fh_peer_t *peer, int fd, struct fh_event *event)
{
    if (rt_stop_requested()) {
        return 0;
    }
    const int status = fh_peer_wait(peer, fd, -1, event);
    if (status < 0 || event->kind == FH_EVENT_REFUSED) {
        return status < 0 ? status : TUTTI_EREFUSED;
    }
    if (event->kind == FH_EVENT_STOP) {
        rt_stop_request();
        return 0;
    }
    return 1;
}
