/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What this user may ask for: real-time priority, locked memory. The limits are those of this process; a daemon that
 * systemd starts has its unit's. */
#include "node/host/look.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CAP_IPC_LOCK_BIT = 14, CAP_SYS_NICE_BIT = 23 }; /* linux/capability.h */

static bool has_capability(const struct host_question *question, int bit)
{
    char line[LOOK_LINE_ROOM];
    unsigned long long set = 0;
    return look_for(question, "/proc/self/status", "CapEff:", line) && sscanf(line, "CapEff: %llx", &set) == 1 &&
           (set >> bit & 1);
}

/* The soft limit; -1: cannot be read, INFINITY_LIMIT: unlimited. */
static const long long INFINITY_LIMIT = INT64_MAX;
static long long soft_limit(const struct host_question *question, const char *name)
{
    char line[LOOK_LINE_ROOM];
    if (!look_for(question, "/proc/self/limits", name, line)) {
        return -1;
    }
    const char *const value = line + strlen(name);
    return strstr(value, "unlimited") == value + strspn(value, " ") ? INFINITY_LIMIT : strtoll(value, NULL, 10);
}

void look_at_priority(const struct host_question *question, struct host_finding *f)
{
    const long long limit = soft_limit(question, "Max realtime priority");
    const int asked = question->config ? question->config->engine.realtime_priority : 0;
    const int needed = asked > 0 ? asked : 50;
    host_wanted(f, "rtprio limit of %d or more, or CAP_SYS_NICE%s", needed,
                asked > 0 ? " (engine.realtime_priority)" : "");
    if (has_capability(question, CAP_SYS_NICE_BIT)) {
        host_found(f, HOST_GOOD, "CAP_SYS_NICE");
    } else if (limit < 0) {
        host_found(f, HOST_UNKNOWN, "cannot be read");
    } else {
        host_found(f, limit >= needed ? HOST_GOOD : HOST_COSTS, "rtprio limit %lld", limit);
    }
}

void look_at_memlock(const struct host_question *question, struct host_finding *f)
{
    const long long limit = soft_limit(question, "Max locked memory");
    if (has_capability(question, CAP_IPC_LOCK_BIT)) {
        host_found(f, HOST_GOOD, "CAP_IPC_LOCK");
    } else if (limit == INFINITY_LIMIT) {
        host_found(f, HOST_GOOD, "unlimited");
    } else if (limit < 0) {
        host_found(f, HOST_UNKNOWN, "cannot be read");
    } else {
        host_found(f, HOST_COSTS, "%lld kB", limit / 1024);
    }
}

void look_at_rt_runtime(const struct host_question *question, struct host_finding *f)
{
    const long runtime_us = look_long(question, -2, "/proc/sys/kernel/sched_rt_runtime_us");
    const struct config *const config = question->config;
    const bool matters = config && config->fronthaul.busy_poll_us > 0 && config->engine.realtime_priority > 0;
    if (runtime_us == -2) {
        host_found(f, HOST_UNKNOWN, "not visible");
    } else if (runtime_us < 0) {
        host_found(f, HOST_GOOD, "off");
    } else {
        host_found(f, matters ? HOST_COSTS : HOST_TOLD, "%ld us of every second%s", runtime_us,
                   matters ? ", and the network file polls busily at real-time priority"
                           : "; it matters to a busy-polling real-time thread only");
    }
}
