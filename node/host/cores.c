/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Who shares the cores that threads are pinned to. */
#include "node/host/look.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CPU "/sys/devices/system/cpu"

/* The first core of `wanted` that is not in `there`; -1: all are. */
static int first_missing(const struct core_set *wanted, const struct core_set *there)
{
    for (int core = 0; core < LOOK_MAX_CORES; core++) {
        if (wanted->has[core] && !there->has[core]) {
            return core;
        }
    }
    return -1;
}

void look_at_isolation(const struct host_question *question, struct host_finding *f)
{
    struct core_set named, online, isolated;
    char line[LOOK_LINE_ROOM];
    core_set_named(question, &named);
    core_set_parse(&online, look_line(question, line, CPU "/online") ? line : "");
    const bool visible = look_line(question, line, CPU "/isolated");
    core_set_parse(&isolated, visible ? line : "");
    if (online.n > 0 && first_missing(&named, &online) >= 0) {
        host_found(f, HOST_IMPOSSIBLE, "core %d of engine.solve_cores or engine.ap_cores is not there (%d cores are)",
                   first_missing(&named, &online), online.n);
    } else if (named.n > 0 && first_missing(&named, &isolated) < 0) {
        host_found(f, HOST_GOOD, "all %d pinned cores are isolated", named.n);
    } else if (named.n > 0) {
        host_found(f, HOST_COSTS, "%d cores are isolated; core %d, pinned to, is not", isolated.n,
                   first_missing(&named, &isolated));
    } else if (isolated.n == 0) {
        host_found(f, HOST_COSTS, "none of %d", online.n);
    } else {
        host_found(f, HOST_TOLD, "cores %.100s of %d, but engine.solve_cores and engine.ap_cores name none", line,
                   online.n);
    }
}

struct interrupts {
    const struct host_question *question;
    const struct core_set *named;
    int n_seen, n_bad;
    char first[32];
};

static bool look_at_interrupt(void *context, const char *name)
{
    struct interrupts *const all = context;
    char line[LOOK_LINE_ROOM];
    struct core_set cores;
    if (!isdigit((unsigned char)name[0]) || !look_line(all->question, line, "/proc/irq/%s/smp_affinity_list", name)) {
        return false;
    }
    all->n_seen++;
    core_set_parse(&cores, line);
    if (core_set_meets(&cores, all->named)) {
        snprintf(all->first, sizeof all->first, "%.20s", name);
        all->n_bad++;
    }
    return false;
}

void look_at_interrupts(const struct host_question *question, struct host_finding *f)
{
    struct core_set named;
    core_set_named(question, &named);
    if (named.n == 0) {
        host_found(f, HOST_TOLD, "no thread is pinned");
        return;
    }
    struct interrupts all = {.question = question, .named = &named};
    look_each(question, "/proc/irq", look_at_interrupt, &all);
    if (all.n_seen == 0) {
        host_found(f, HOST_UNKNOWN, "not visible");
    } else {
        host_found(f, all.n_bad ? HOST_COSTS : HOST_GOOD, "%d of %d may come to pinned cores%s%s", all.n_bad,
                   all.n_seen, all.n_bad ? ", such as " : "", all.first);
    }
}

struct nodes {
    const struct host_question *question;
    const struct core_set *named;
    int n_met, n_nodes;
};

static bool look_at_node(void *context, const char *name)
{
    struct nodes *const all = context;
    char line[LOOK_LINE_ROOM];
    struct core_set cores;
    if (strncmp(name, "node", 4) == 0 && isdigit((unsigned char)name[4]) &&
        look_line(all->question, line, "/sys/devices/system/node/%s/cpulist", name)) {
        core_set_parse(&cores, line);
        all->n_nodes++;
        all->n_met += core_set_meets(&cores, all->named);
    }
    return false;
}

/* Whether every pinned core shares the L3 of the first. */
static bool one_cache(const struct host_question *question, const struct core_set *named)
{
    char line[LOOK_LINE_ROOM];
    struct core_set shared;
    int first = 0;
    while (first < LOOK_MAX_CORES - 1 && !named->has[first]) {
        first++;
    }
    if (!look_line(question, line, CPU "/cpu%d/cache/index3/shared_cpu_list", first)) {
        return true;
    }
    core_set_parse(&shared, line);
    return first_missing(named, &shared) < 0;
}

/* The memory node that the interface of a radio hangs on. */
static bool find_interface_node(void *context, const struct config_radio *radio)
{
    struct nodes *const all = context;
    char address[64], interface[32];
    if (look_radio_word(radio, "addr", address, sizeof address) &&
        look_route(all->question, address, interface, sizeof interface)) {
        all->n_nodes = (int)look_long(all->question, -1, "/sys/class/net/%s/device/numa_node", interface);
        return all->n_nodes >= 0;
    }
    return false;
}

static bool interface_elsewhere(const struct host_question *question, const struct core_set *named)
{
    struct nodes found = {.question = question, .n_nodes = -1};
    char line[LOOK_LINE_ROOM];
    struct core_set cores;
    if (!look_each_radio(question, find_interface_node, &found) ||
        !look_line(question, line, "/sys/devices/system/node/node%d/cpulist", found.n_nodes)) {
        return false;
    }
    core_set_parse(&cores, line);
    return !core_set_meets(&cores, named);
}

void look_at_numa(const struct host_question *question, struct host_finding *f)
{
    struct core_set named;
    core_set_named(question, &named);
    struct nodes all = {.question = question, .named = &named};
    look_each(question, "/sys/devices/system/node", look_at_node, &all);
    if (all.n_nodes == 0) {
        host_found(f, HOST_UNKNOWN, "not visible");
    } else if (named.n == 0) {
        host_found(f, all.n_nodes == 1 ? HOST_GOOD : HOST_TOLD, "%d node%s, no thread is pinned", all.n_nodes,
                   all.n_nodes == 1 ? "" : "s");
    } else if (all.n_met > 1) {
        host_found(f, HOST_COSTS, "pinned cores lie on %d of %d nodes", all.n_met, all.n_nodes);
    } else if (interface_elsewhere(question, &named)) {
        host_found(f, HOST_COSTS, "the radio's interface hangs on another node than the pinned cores");
    } else {
        const bool one = one_cache(question, &named);
        host_found(f, one ? HOST_GOOD : HOST_COSTS,
                   one ? "one node, one L3" : "one node, but pinned cores have two L3");
    }
}
