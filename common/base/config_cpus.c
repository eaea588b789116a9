/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Several central nodes: who has which access points, and what they go with. */
#include "base/config_internal.h"
#include "base/frame.h"

#include <stdlib.h>
#include <string.h>

int config_cpu_of_ap(const struct config *config, int ap)
{
    for (unsigned c = 0; c < config->cpus_count; c++) {
        for (unsigned i = 0; i < config->cpus[c].aps_count; i++) {
            if (config->cpus[c].aps[i] == ap) {
                return (int)c;
            }
        }
    }
    return 0;
}

const char *config_cpu_endpoint(const struct config *config, int cpu)
{
    return config->cpus_count > 0 ? config->cpus[cpu].endpoint : config->fronthaul.endpoint;
}

char *config_cpu_lab(const struct config *config, int cpu)
{
    char *text = NULL;
    if (cpu == 0) {
        return strdup(config->fronthaul.lab_endpoint);
    }
    return asprintf(&text, "ipc://%s/lab.cpu%d", config->network.runtime_dir, cpu) < 0 ? NULL : text;
}

char *config_record_name(const struct config *config, int cpu)
{
    const char *const file = config->record.file, *const slash = strrchr(file, '/');
    const char *const name = slash ? slash + 1 : file, *const dot = strrchr(name, '.');
    const size_t stem = dot && dot != name ? (size_t)(dot - file) : strlen(file);
    char *text = NULL;
    if (config->cpus_count == 0 || !*file) {
        return strdup(file);
    }
    return asprintf(&text, "%.*s.cpu%d%s", (int)stem, file, cpu, file + stem) < 0 ? NULL : text;
}

/* The first one is where a single one would be. */
static char *automatic(const struct config *config, unsigned cpu)
{
    char *text = NULL;
    if (cpu == 0) {
        return strdup(config->fronthaul.endpoint);
    }
    return asprintf(&text, "ipc://%s/fronthaul.cpu%u", config->network.runtime_dir, cpu) < 0 ? NULL : text;
}

int config_cpus_resolve(struct config *config)
{
    for (unsigned c = 0; c < config->cpus_count; c++) {
        struct config_cpu *const cpu = &config->cpus[c];
        if (cpu->endpoint && strcmp(cpu->endpoint, "auto") != 0) {
            continue;
        }
        free(cpu->endpoint);
        cpu->endpoint = automatic(config, c);
        if (!cpu->endpoint) {
            return error_set(TUTTI_ENOMEM, "out of memory");
        }
    }
    return 0;
}

/* Of one access point, the first two central nodes whose lists have it, -1 = none; how often it is listed. */
static int listed(const struct config *c, int ap, int cpu[2])
{
    int n = 0;
    cpu[0] = cpu[1] = -1;
    for (unsigned i = 0; i < c->cpus_count; i++) {
        for (unsigned k = 0; k < c->cpus[i].aps_count; k++) {
            if (c->cpus[i].aps[k] == ap && n++ < 2) {
                cpu[n - 1] = (int)i;
            }
        }
    }
    return n;
}

/* Every access point once. */
static int check_aps(struct config_layers *layers, const struct config *c)
{
    int cpu[2];
    for (unsigned i = 0; i < c->cpus_count; i++) {
        for (unsigned k = 0; k < c->cpus[i].aps_count; k++) {
            if (c->cpus[i].aps[k] >= c->network.n_ap) {
                return config_fail(layers, "cpus network.n_ap",
                                   "aps of central node %u: AP %d does not exist, n_ap = %d", i, c->cpus[i].aps[k],
                                   c->network.n_ap);
            }
        }
    }
    for (int ap = 0; ap < c->network.n_ap; ap++) {
        const int n = listed(c, ap, cpu);
        if (n == 0) {
            return config_fail(layers, "cpus network.n_ap", "AP %d is in no central node's list (aps)", ap);
        }
        if (n > 1) {
            return config_fail(layers, "cpus", "AP %d is in the lists of central nodes %d and %d: one of them has it",
                               ap, cpu[0], cpu[1]);
        }
    }
    return 0;
}

static int check_each(struct config_layers *layers, const struct config *c)
{
    if (c->cpus_count == 1) {
        return config_fail(layers, "cpus", "one entry: a single central node has all APs, leave the list empty");
    }
    for (unsigned cpu = 0; cpu < c->cpus_count; cpu++) {
        const char *const endpoint = c->cpus[cpu].endpoint;
        if (c->cpus[cpu].aps_count == 0) {
            return config_fail(layers, "cpus", "central node %u has no APs (aps)", cpu);
        }
        for (unsigned other = 0; other < cpu; other++) {
            if (strcmp(endpoint, c->cpus[other].endpoint) == 0) {
                return config_fail(layers, "cpus", "central nodes %u and %u have the same endpoint, '%.80s'", other,
                                   cpu, endpoint);
            }
        }
        if (strcmp(endpoint, c->fronthaul.lab_endpoint) == 0) {
            return config_fail(layers, "cpus fronthaul.lab_endpoint",
                               "central node %u has fronthaul.lab_endpoint for its endpoint, '%.80s'", cpu, endpoint);
        }
        if (mimo_scheme_check_antennas((int)c->precoding.scheme, (int)c->cpus[cpu].aps_count, c->network.n_ant,
                                       c->network.n_ue)) {
            return config_fail(layers, "cpus precoding.scheme network.n_ant network.n_ue",
                               "every central node solves for all users with its own APs: %s (central node %u)",
                               error_text(), cpu);
        }
    }
    return 0;
}

/* Each solves its part by itself, so nothing may need all access points at one place. */
static int check_precoding(struct config_layers *layers, const struct config *c)
{
    const struct config_precoding *const p = &c->precoding;
    if (p->local || p->an != CONFIG_AN_NONE || mimo_scheme_row((int)p->scheme)->kind == MIMO_PHASE) {
        return config_fail(layers, "precoding.local precoding.an precoding.scheme cpus",
                           "several central nodes weigh precoders that they made: local: false, an: none, not analog");
    }
    if ((p->scheme == MIMO_CB && p->power == MIMO_POWER_MAXMIN) || p->average_blocks > 1) {
        return config_fail(layers, "precoding.power precoding.average_blocks cpus",
                           "the slow clock finds powers for all APs at one place: with several central nodes neither "
                           "cb with maxmin nor average_blocks above 1");
    }
    return 0;
}

static int check_company(struct config_layers *layers, const struct config *c, const struct frame *frame)
{
    if (c->cluster.enabled || c->scheduler.n_served > 0) {
        return config_fail(layers, "cluster.enabled scheduler.n_served cpus",
                           "pilots and places are told by one central node: several go neither with cluster.enabled "
                           "nor with scheduler.n_served");
    }
    if (c->sensing.live || c->resilience.controller) {
        return config_fail(layers, "sensing.live resilience.controller cpus",
                           "sensing.live and resilience.controller decide about all APs at one place: not with "
                           "several central nodes");
    }
    if (frame->n_cal > 0 || c->calibration.at_start || c->calibration.when_stale) {
        return config_fail(layers, "frame.schedule calibration.at_start calibration.when_stale cpus",
                           "APs of several central nodes do not calibrate over the air: no C symbols, at_start and "
                           "when_stale: false (calibration.file works)");
    }
    if (c->sync.mode == CONFIG_SYNC_AIR) { /* docs/synchronisation.md: beams of unknown phases spoil each other */
        return config_fail(layers, "sync.mode cpus",
                           "air: the phases at which APs come to hold are calibrated over the air, which those of "
                           "several central nodes are not: one clock for all (shared)");
    }
    for (int ap = 0; ap < c->network.n_ap; ap++) {
        if (config_radio_is_replay(config_radio_of(c, CONFIG_ROLE_AP, ap))) {
            return config_fail(layers, "radio.ap.backend cpus", "a run with several central nodes cannot be replayed");
        }
    }
    return 0;
}

int config_cpus_check(struct config_layers *layers, const struct config *config, const struct frame *frame)
{
    if (config->cpus_count == 0) {
        return 0;
    }
    int rc = check_aps(layers, config);
    rc = rc ? rc : check_each(layers, config);
    rc = rc ? rc : check_precoding(layers, config);
    return rc ? rc : check_company(layers, config, frame);
}
