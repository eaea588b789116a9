/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which precoder a block gets: the fresh one, else the last one while it is young enough, else conjugate beams from
 * this AP's own estimates, else silence. Every outcome is counted. */
#include "ap_node/ap.h"
#include "base/clock.h"
#include "base/rt.h"

/* Drop everything but the newest precoder; it stays in the ring while it is in use. */
static const struct ap_precoder *newest(struct ap *ap)
{
    ring_t *ring = ap->link.precoders_in;
    while (ring_count(ring) > 1) {
        ring_pop(ring);
    }
    return ring_peek(ring, 0);
}

static bool is_fresh(const struct ap *ap, const struct ap_precoder *p)
{
    return p && p->header.block == ap->at.block;
}

/* Wait for this block's precoder: in lock-step as long as the CPU node lives, else until the downlink must leave. */
static const struct ap_precoder *wait_for_fresh(struct ap *ap)
{
    const uint64_t start_ns = clock_mono_ns();
    const struct ap_precoder *p = newest(ap);
    for (;;) {
        const int64_t elapsed_us = (int64_t)((clock_mono_ns() - start_ns) / 1000u);
        const bool up = atomic_load_explicit(&ap->link.session, memory_order_acquire) != 0;
        const bool none = atomic_load_explicit(&ap->link.no_precoder, memory_order_acquire) > ap->at.block;
        if (is_fresh(ap, p) || none || elapsed_us >= ap->wait_us || !up || rt_stop_requested()) {
            return p;
        }
        rt_event_wait(ap->link.precoder_event, ap->wait_us - elapsed_us);
        p = newest(ap);
    }
}

static void choose_received(const struct ap_precoder *p, enum wire_applied kind, struct ap_choice *choice)
{
    choice->V = p->V;
    choice->stream = p->meta.stream;
    choice->n_stream = p->header.n_stream;
    choice->noise_key = p->meta.noise_key;
    choice->kind = kind;
}

/* Lock-step has no wall-clock deadline: there a precoder is needed when the AP asks for it. */
static enum wire_arrival judge_arrival(const struct ap *ap, uint64_t asked_ns, uint64_t received_ns)
{
    const uint64_t needed_ns = asked_ns + (ap->lockstep ? 0 : (uint64_t)ap->wait_us * 1000u);
    const uint64_t early_ns = (uint64_t)(ap->config->engine.on_time_us * 1e3);
    return received_ns + early_ns < needed_ns ? WIRE_ARRIVAL_EARLY : WIRE_ARRIVAL_ON_TIME;
}

/* The local fallback serves every user from this AP alone. */
static void choose_local(struct ap *ap, struct ap_choice *choice)
{
    static struct wire_stream every_user[TUTTI_MAX_STREAM];
    for (int k = 0; k < ap->n_ue; k++) {
        every_user[k] = (struct wire_stream){.kind = WIRE_STREAM_DATA, .user = (uint16_t)k};
    }
    apply_local_cb(ap->frame.n_sb, ap->n_ant, ap->n_ue, ap->H_hat, ap->V_local);
    choice->V = ap->V_local;
    choice->stream = every_user;
    choice->n_stream = ap->n_ue;
    choice->kind = WIRE_APPLIED_LOCAL_CB;
}

void stale_choose(struct ap *ap, struct ap_choice *choice)
{
    *choice = (struct ap_choice){.kind = WIRE_APPLIED_MUTE, .arrival = WIRE_ARRIVAL_LATE};
    const uint64_t asked_ns = clock_wall_ns();
    const struct ap_precoder *p = wait_for_fresh(ap);
    if (is_fresh(ap, p)) {
        choose_received(p, WIRE_APPLIED_FRESH, choice);
        choice->received_ns = p->received_ns;
        choice->arrival = judge_arrival(ap, asked_ns, p->received_ns);
        ap->have_fresh = true;
        ap->last_fresh_block = ap->at.block;
        return;
    }
    const uint64_t age = ap->have_fresh ? ap->at.block - ap->last_fresh_block : ap->counters.blocks;
    if (p && ap->at.block <= p->header.valid_until_block && p->header.block < ap->at.block &&
        ap->at.block - p->header.block <= (uint64_t)ap->config->engine.stale_blocks) {
        choose_received(p, WIRE_APPLIED_STALE, choice);
    } else if (ap->have_estimate && age <= (uint64_t)ap->config->engine.mute_blocks) {
        choose_local(ap, choice);
    }
}
