/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fronthaul/hub_hello.h"

#include "base/config.h"
#include "fronthaul/hub_route.h"
#include "fronthaul/keys.h"
#include "fronthaul/wire.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { MAX_OBSERVERS = 16 };

int hub_hello_n_ids(const struct fh_hub_settings *settings, enum fh_role role)
{
    const int n[FH_N_ROLE] = {[FH_ROLE_AP] = settings->n_ap,
                              [FH_ROLE_UE] = settings->n_ue,
                              [FH_ROLE_OBSERVER] = settings->observers ? MAX_OBSERVERS : 0,
                              [FH_ROLE_EVE] = settings->n_eve,
                              [FH_ROLE_CPU] = settings->n_cpu > 1 ? settings->n_cpu : 0};
    return (unsigned)role < FH_N_ROLE ? n[role] : 0;
}

/* By the texts if both are there, else by the fingerprints. An observer need not agree. */
static bool disagrees(const struct fh_hub_settings *settings, const struct control *control, char *reason, size_t size)
{
    const struct fh_hello *hello = &control->hello;
    const char *role = control_role_name(hello->role);
    char sentence[192];
    if (hello->role == FH_ROLE_OBSERVER && hello->fingerprint == 0) {
        return false;
    }
    if (settings->agreement && control->agreement) {
        const bool differs =
            config_agreement_differs(settings->agreement, control->agreement, sentence, sizeof sentence);
        snprintf(reason, size, "%s %d has another configuration; seen from the CPU node, %s", role, hello->id,
                 differs ? sentence : "nothing");
        return differs;
    }
    snprintf(reason, size, "%s %d has another configuration: fingerprint %016" PRIx64 ", the CPU node has %016" PRIx64,
             role, hello->id, hello->fingerprint, settings->fingerprint);
    return hello->fingerprint != settings->fingerprint;
}

/* Of several central nodes: an AP of another one, or one that is to be called and does not call. */
static bool is_elsewhere(const struct fh_hub_settings *settings, const struct fh_hello *hello, char *reason,
                         size_t size)
{
    if (hello->role == FH_ROLE_CPU && hello->id <= settings->cpu) {
        snprintf(reason, size, "cpu%d does not call cpu%d: the higher number calls the lower one", hello->id,
                 settings->cpu);
        return true;
    }
    if (hello->role == FH_ROLE_AP && settings->cpu_of_ap && settings->cpu_of_ap[hello->id] != settings->cpu) {
        snprintf(reason, size, "ap%d belongs to cpu%d, this is cpu%d (cpus in the network file)", hello->id,
                 settings->cpu_of_ap[hello->id], settings->cpu);
        return true;
    }
    return false;
}

bool hub_hello_misfit(const struct fh_hub_settings *settings, const struct control *control, const char *key_owner,
                      char *reason, size_t size)
{
    char name[KEY_NAME_ROOM];
    keys_name(name, control->hello.role, control->hello.id);
    const struct fh_hello *hello = &control->hello;
    const char *role = control_role_name(hello->role);
    const int n = hub_hello_n_ids(settings, hello->role);
    if (control->wire_version != WIRE_VERSION) {
        snprintf(reason, size, "%s %d speaks protocol version %d, the CPU node (program " TUTTI_VERSION ") version %d",
                 role, hello->id, control->wire_version, WIRE_VERSION);
    } else if (key_owner && strcmp(name, key_owner) != 0) {
        snprintf(reason, size, "the key belongs to %s, not to %s", key_owner, name);
    } else if (n == 0) {
        snprintf(reason, size, "no %s is expected at this endpoint", role);
    } else if (hello->role != FH_ROLE_OBSERVER && hello->id >= n) {
        snprintf(reason, size, "%s %d does not exist, ids are 0 to %d", role, hello->id, n - 1);
    } else {
        return disagrees(settings, control, reason, size) || is_elsewhere(settings, hello, reason, size);
    }
    return true;
}

void hub_hello_refuse(struct link *link, uint64_t route, const char *reason, bool final)
{
    char text[CONTROL_MAX_OWN_BYTES];
    control_write_refuse(text, reason, final);
    hub_route_send_text(link, route, text);
    link->counters.refused++;
}
