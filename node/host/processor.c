/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the processor and its kernel do by themselves: frequencies, sleep, siblings, heat. */
#include "node/host/look.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CPU "/sys/devices/system/cpu"

void look_at_governor(const struct host_question *question, struct host_finding *f)
{
    struct core_set used;
    char line[LOOK_LINE_ROOM], bad[64] = "";
    int n_seen = 0, n_bad = 0, first_bad = -1;
    core_set_used(question, &used);
    for (int core = 0; core < LOOK_MAX_CORES; core++) {
        if (!used.has[core] || !look_line(question, line, CPU "/cpu%d/cpufreq/scaling_governor", core)) {
            continue;
        }
        n_seen++;
        if (strcmp(line, "performance") != 0) {
            first_bad = n_bad++ ? first_bad : core;
            snprintf(bad, sizeof bad, "%.60s", line);
        }
    }
    if (n_seen == 0) {
        host_found(f, HOST_UNKNOWN, "no frequency scaling visible (fixed, or the hypervisor's business)");
    } else if (n_bad > 0) {
        host_found(f, HOST_COSTS, "%s on %d of %d cores, first on core %d", bad, n_bad, n_seen, first_bad);
    } else {
        host_found(f, HOST_GOOD, "performance on %d cores", n_seen);
    }
}

/* The deepest idle state that a core may fall into, by its wake-up time; -1: none visible. */
static long deepest_state(const struct host_question *question, int core, char name[LOOK_LINE_ROOM])
{
    char line[LOOK_LINE_ROOM];
    long deepest_us = -1;
    for (int i = 0; i < 16; i++) {
        const long disabled = look_long(question, -1, CPU "/cpu%d/cpuidle/state%d/disable", core, i);
        const long us = look_long(question, 0, CPU "/cpu%d/cpuidle/state%d/latency", core, i);
        if (disabled < 0) {
            break;
        }
        if (!disabled && us >= deepest_us && look_line(question, line, CPU "/cpu%d/cpuidle/state%d/name", core, i)) {
            deepest_us = us;
            memcpy(name, line, LOOK_LINE_ROOM);
        }
    }
    return deepest_us;
}

void look_at_idle(const struct host_question *question, struct host_finding *f)
{
    struct core_set used;
    char path[LOOK_LINE_ROOM], name[LOOK_LINE_ROOM], deepest[LOOK_LINE_ROOM] = "", driver[LOOK_LINE_ROOM] = "?";
    long worst_us = -1;
    core_set_used(question, &used);
    for (int core = 0; core < LOOK_MAX_CORES; core++) {
        const long us = used.has[core] ? deepest_state(question, core, name) : -1;
        if (us > worst_us) {
            worst_us = us;
            memcpy(deepest, name, sizeof deepest);
        }
    }
    look_line(question, driver, CPU "/cpuidle/current_driver");
    look_path(question, path, sizeof path, "/dev/cpu_dma_latency");
    if (worst_us < 0) {
        host_found(f, HOST_UNKNOWN, "no idle states visible");
    } else {
        host_found(f, worst_us <= 2 && strncmp(driver, "haltpoll", 8) != 0 ? HOST_GOOD : HOST_COSTS,
                   "deepest state %.40s, %ld us to wake by its own account (driver %.40s); /dev/cpu_dma_latency %s",
                   deepest, worst_us, driver, access(path, W_OK) == 0 ? "may be held" : "is not for this user");
    }
}

void look_at_smt(const struct host_question *question, struct host_finding *f)
{
    const long active = look_long(question, -1, CPU "/smt/active");
    if (active < 0) {
        host_found(f, HOST_UNKNOWN, "not visible");
    } else {
        host_found(f, active ? HOST_COSTS : HOST_GOOD, active ? "on" : "off");
    }
}

void look_at_turbo(const struct host_question *question, struct host_finding *f)
{
    const long no_turbo = look_long(question, -1, CPU "/intel_pstate/no_turbo");
    const long boost = look_long(question, no_turbo < 0 ? -1 : !no_turbo, CPU "/cpufreq/boost");
    if (boost < 0) {
        host_found(f, HOST_UNKNOWN, "not visible");
    } else {
        host_found(f, boost ? HOST_TOLD : HOST_GOOD, boost ? "on" : "off");
    }
}

void look_at_throttling(const struct host_question *question, struct host_finding *f)
{
    struct core_set used;
    long events = 0;
    int n_seen = 0;
    core_set_used(question, &used);
    for (int core = 0; core < LOOK_MAX_CORES; core++) {
        const long count =
            used.has[core] ? look_long(question, -1, CPU "/cpu%d/thermal_throttle/core_throttle_count", core) : -1;
        n_seen += count >= 0;
        events += count > 0 ? count : 0;
    }
    if (n_seen == 0) {
        host_found(f, HOST_UNKNOWN, "not visible");
    } else {
        host_found(f, events ? HOST_COSTS : HOST_GOOD, "%ld events on %d cores since the start", events, n_seen);
    }
}

void look_at_kernel(const struct host_question *question, struct host_finding *f)
{
    char release[LOOK_LINE_ROOM] = "?", version[LOOK_LINE_ROOM] = "", meltdown[LOOK_LINE_ROOM] = "not visible";
    look_line(question, release, "/proc/sys/kernel/osrelease");
    look_line(question, version, "/proc/sys/kernel/version");
    look_line(question, meltdown, CPU "/vulnerabilities/meltdown");
    const bool realtime = look_long(question, 0, "/sys/kernel/realtime") == 1 || strstr(version, "PREEMPT_RT");
    host_found(f, HOST_TOLD, "%.60s, %s; meltdown: %.80s", release,
               realtime                     ? "PREEMPT_RT"
               : strstr(version, "PREEMPT") ? "preemptible, not PREEMPT_RT"
                                            : "voluntary preemption",
               meltdown);
}

bool look_steal(const struct host_question *question, double *steal, double *all)
{
    char line[LOOK_LINE_ROOM];
    unsigned long long v[8];
    if (!look_for(question, "/proc/stat", "cpu ", line) ||
        sscanf(line, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &v[0], &v[1], &v[2], &v[3], &v[4], &v[5], &v[6],
               &v[7]) != 8) {
        return false;
    }
    *steal = (double)v[7];
    *all = 0;
    for (int i = 0; i < 8; i++) {
        *all += (double)v[i];
    }
    return true;
}

/* Stolen time is today's neighbour's doing when it was measured, and all since the start otherwise. */
void look_at_hypervisor(const struct host_question *question, struct host_finding *f)
{
    char vendor[LOOK_LINE_ROOM] = "", path[LOOK_LINE_ROOM], line[4096];
    bool guest = false;
    double steal = 0, all = 0;
    look_line(question, vendor, "/sys/class/dmi/id/sys_vendor");
    look_path(question, path, sizeof path, "/proc/cpuinfo");
    FILE *const info = fopen(path, "r");
    while (info && !guest && fgets(line, sizeof line, info)) {
        guest = strncmp(line, "flags", 5) == 0 && strstr(line, " hypervisor");
    }
    const bool measured = question->measured && !isnan(question->measured->steal_percent);
    const bool counted = look_steal(question, &steal, &all) && all > 0;
    if (!info) {
        host_found(f, HOST_UNKNOWN, "not visible");
    } else if (!guest) {
        host_found(f, HOST_GOOD, "none, this is bare metal");
    } else {
        host_found(f, HOST_COSTS, "virtual machine%s%.60s, %.1f%% of its time stolen %s", *vendor ? ", " : "", vendor,
                   measured  ? question->measured->steal_percent
                   : counted ? 100 * steal / all
                             : 0,
                   measured ? "now" : "since its start");
    }
    if (info) {
        fclose(info);
    }
}
