/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cpu_node/uplink/together.h"

#include "base/clock.h"
#include "base/error.h"

#include <stdlib.h>
#include <string.h>

struct uplink_together {
    struct uplink_together_settings settings;
    uplink_parts_t *parts;
    uint8_t *message; /* [room] */
    size_t room;
    uint8_t *which; /* [n_ue] whose streams one partner gets */
    uint64_t n_unsent;
};

int uplink_together_create(uplink_together_t **together, const struct uplink_together_settings *settings)
{
    *together = NULL;
    if (settings->company.n_cpu < 2) {
        return TUTTI_OK;
    }
    struct uplink_together *t = *together = calloc(1, sizeof *t);
    if (!t) {
        return error_set(TUTTI_ENOMEM, "out of memory for other central nodes' streams");
    }
    t->settings = *settings;
    t->room = uplink_parts_bytes(&settings->shape, settings->config);
    t->message = calloc(t->room + 1, 1);
    t->which = calloc((size_t)settings->shape.n_ue, 1);
    if (!t->message || !t->which) {
        return error_set(TUTTI_ENOMEM, "out of memory for other central nodes' streams");
    }
    const struct uplink_parts_settings parts = {.shape = settings->shape,
                                                .config = settings->config,
                                                .n_cpu = settings->company.n_cpu,
                                                .self = settings->company.self,
                                                .lockstep = settings->lockstep};
    return uplink_parts_create(&t->parts, &parts);
}

void uplink_together_destroy(uplink_together_t *t)
{
    if (t) {
        uplink_parts_destroy(t->parts);
        free(t->message);
        free(t->which);
        free(t);
    }
}

uplink_parts_t *uplink_together_parts(const uplink_together_t *t)
{
    return t->parts;
}

uint64_t uplink_together_unsent(const uplink_together_t *t)
{
    return t->n_unsent;
}

static void send_part(struct uplink_together *t, const struct uplink_block *b, const uplink_weights_t *weights, int cpu)
{
    const struct uplink_company *company = &t->settings.company;
    const struct wire_header header = {.session = b->session, .block = b->number, .tick = b->tick};
    for (int k = 0; k < t->settings.shape.n_ue; k++) {
        t->which[k] = weights && b->user_here[k] && b->helps[k] && b->home[k] == cpu;
    }
    const size_t n_bytes = uplink_parts_pack(t->parts, weights, t->which, &header, t->message, t->room);
    if (n_bytes == 0) {
        t->n_unsent++;
        return;
    }
    wire_stamp_send_time(t->message, n_bytes, clock_wall_ns());
    t->n_unsent += company->send(company->context, cpu, t->message, n_bytes) < 0;
}

static void keep_own(struct uplink_together *t, const struct uplink_block *b, const uplink_weights_t *weights,
                     uint64_t combine_ns)
{
    const struct uplink_shape *s = &t->settings.shape;
    const int self = t->settings.company.self;
    struct parts_block *const to = uplink_parts_open(t->parts, b->number);
    to->combine_ns = combine_ns;
    memcpy(to->home, b->home, (size_t)s->n_ue * sizeof *to->home);
    memcpy(to->expected, b->partner, (size_t)t->settings.company.n_cpu);
    to->expected[self] = 0;
    memcpy(to->ap_used, b->got, (size_t)s->n_ap);
    memcpy(to->ap_bytes, b->bytes, (size_t)s->n_ap * sizeof *to->ap_bytes);
    for (int k = 0; k < s->n_ue; k++) {
        to->user_here[k] = b->user_here[k] && b->home[k] == self;
        if (to->user_here[k] && weights) {
            uplink_parts_keep(t->parts, to, weights, k);
        }
    }
}

void uplink_together_combined(uplink_together_t *t, const struct uplink_block *b, const uplink_weights_t *weights,
                              uint64_t combine_ns)
{
    for (int cpu = 0; cpu < t->settings.company.n_cpu; cpu++) { /* first: others wait for it */
        if (cpu != t->settings.company.self && b->partner[cpu]) {
            send_part(t, b, weights, cpu);
        }
    }
    keep_own(t, b, weights, combine_ns);
}
