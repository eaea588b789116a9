/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ap_node/choice.h"

#include "base/clock.h"
#include "base/rt.h"

/* The held precoder after taking in what has come. */
static const struct ap_precoder *take(struct choice *c, uint64_t block, accounts_t *accounts)
{
    int n_late = 0;
    const struct ap_precoder *p = inbox_take(c->source.inbox, block + c->lag, c->late, &n_late);
    for (int i = 0; i < n_late; i++) {
        accounts_late(accounts, c->late[i].block - c->lag, c->late[i].received_ns);
    }
    if (p) {
        c->rules = rules_of(&p->meta);
    }
    return p;
}

static bool is_fresh(const struct ap_precoder *p, uint64_t block)
{
    return p && p->header.valid_from_block == block;
}

static bool is_stale(const struct ap_precoder *p, uint64_t block)
{
    return p && p->header.valid_from_block < block && block <= p->header.valid_until_block &&
           block - p->header.valid_from_block <= p->meta.stale_blocks;
}

/* The central node says that this block has none. */
static bool has_none(const struct choice *c, uint64_t block)
{
    return atomic_load_explicit(c->source.no_precoder, memory_order_acquire) > block;
}

static const struct ap_precoder *wait_for_fresh(struct choice *c, uint64_t block, uint64_t until_ns,
                                                accounts_t *accounts)
{
    for (;;) {
        const bool up = atomic_load_explicit(c->source.session, memory_order_acquire) != 0;
        const bool none = has_none(c, block); /* before the look, so that what came first is seen */
        const struct ap_precoder *p = take(c, block, accounts);
        const uint64_t now_ns = clock_mono_ns();
        if (is_fresh(p, block + c->lag) || none || !up || now_ns >= until_ns || rt_stop_requested()) {
            return p;
        }
        rt_event_wait(c->source.event_fd, (int64_t)((until_ns - now_ns + 999) / 1000));
    }
}

static enum wire_arrival judge(const struct choice_deadline *d, uint64_t asked_ns, uint64_t received_ns)
{
    const uint64_t needed_ns = d->repeatable ? asked_ns : d->until_ns;
    return received_ns + d->early_ns < needed_ns ? WIRE_ARRIVAL_EARLY : WIRE_ARRIVAL_ON_TIME;
}

void choice_make(struct choice *choice, uint64_t block, const struct choice_deadline *deadline, bool have_estimate,
                 accounts_t *accounts, struct choice_made *made)
{
    const uint64_t asked_ns = clock_mono_ns();
    const struct ap_precoder *p = wait_for_fresh(choice, block, deadline->until_ns, accounts);
    *made = (struct choice_made){.kind = WIRE_SENT_MUTE, .arrival = WIRE_ARRIVAL_NONE};
    if (is_fresh(p, block + choice->lag)) {
        made->kind = WIRE_SENT_FRESH;
        made->arrival = judge(deadline, asked_ns, p->received_mono_ns);
        made->precoder = p;
        choice->n_local = 0;
    } else if (is_stale(p, block + choice->lag)) {
        made->kind = WIRE_SENT_STALE;
        made->precoder = p;
        choice->n_local = 0;
    } else if (have_estimate && choice->n_local < choice->rules.mute_blocks) {
        made->kind = WIRE_SENT_LOCAL_CB;
        choice->n_local++;
    }
}

void choice_collect(struct choice *choice, uint64_t block, accounts_t *accounts)
{
    take(choice, block, accounts);
    if (block > 0 && has_none(choice, block - 1)) {
        accounts_no_precoder(accounts, block - 1);
    }
}
