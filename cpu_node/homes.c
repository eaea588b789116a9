/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cpu_node/homes.h"

#include "base/error.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct user {
    int home, next; /* next: from at_block on, HOMES_NONE if nothing is ordered */
    uint64_t at_block;
    int rival;      /* who is stronger than the home by the margin, HOMES_NONE */
    uint64_t since; /* from this block on */
};

enum { QUEUE = 32 }; /* of gains that do not count yet: those of so many blocks at most */

struct told {
    bool alive, known;
    double *sum;           /* [n_ue] that count, */
    uint64_t of_block;     /* of this block */
    int n_waiting;         /* others, in the order in which they came */
    uint64_t block[QUEUE]; /* that they are of */
    double *waiting;       /* [QUEUE][n_ue] */
};

struct homes {
    struct homes_settings settings;
    double margin, help; /* ratios */
    struct user *user;   /* [n_ue] */
    struct told *told;   /* [n_cpu] */
    bool begun;
    uint64_t last; /* block of the last turn */
    struct homes_counters counters;
};

/* Life ------------------------------------------------------------------------------------------------------------- */

static int out_of_memory(void)
{
    return error_set(TUTTI_ENOMEM, "out of memory for the users' homes");
}

int homes_create(homes_t **homes, const struct homes_settings *s)
{
    struct homes *h = *homes = calloc(1, sizeof *h);
    if (!h) {
        return out_of_memory();
    }
    h->settings = *s;
    if (s->n_cpu < 1 || s->n_ue < 1 || s->self < 0 || s->self >= s->n_cpu) {
        h->settings.n_cpu = 0;
        return error_set(TUTTI_EINVAL, "central node %d of %d, %d users: not possible", s->self, s->n_cpu, s->n_ue);
    }
    h->margin = pow(10, s->margin_db / 10);
    h->help = pow(10, s->help_db / 10);
    h->user = calloc((size_t)s->n_ue, sizeof *h->user);
    h->told = calloc((size_t)s->n_cpu, sizeof *h->told);
    if (!h->user || !h->told) {
        return out_of_memory();
    }
    for (int k = 0; k < s->n_ue; k++) {
        h->user[k] = (struct user){.home = HOMES_NONE, .next = HOMES_NONE, .rival = HOMES_NONE};
    }
    for (int c = 0; c < s->n_cpu; c++) {
        h->told[c].alive = c == s->self;
        h->told[c].sum = calloc((size_t)s->n_ue, sizeof(double));
        h->told[c].waiting = calloc(QUEUE * (size_t)s->n_ue, sizeof(double));
        if (!h->told[c].sum || !h->told[c].waiting) {
            return out_of_memory();
        }
    }
    return TUTTI_OK;
}

void homes_destroy(homes_t *h)
{
    if (!h) {
        return;
    }
    for (int c = 0; h->told && c < h->settings.n_cpu; c++) {
        free(h->told[c].sum);
        free(h->told[c].waiting);
    }
    free(h->told);
    free(h->user);
    free(h);
}

/* What others say -------------------------------------------------------------------------------------------------- */

enum gains { COUNT, WAIT, FAR, OLD };

static enum gains judge_gains(const struct homes *h, const struct told *t, uint64_t of_block, uint64_t block)
{
    if (of_block > block && of_block - block > HOMES_AHEAD_BLOCKS) {
        return FAR;
    }
    if (t->known && of_block < t->of_block) {
        return OLD;
    }
    return block >= of_block + h->settings.lead_blocks ? COUNT : WAIT;
}

/* Those whose time has come by `block` count; those whose will not are left out. */
static void take_waiting(struct homes *h, struct told *t, uint64_t block)
{
    const size_t n_ue = (size_t)h->settings.n_ue;
    const int n = t->n_waiting;
    t->n_waiting = 0;
    for (int i = 0; i < n; i++) {
        const double *const sums = t->waiting + (size_t)i * n_ue;
        const enum gains judged = judge_gains(h, t, t->block[i], block);
        h->counters.far_gains += judged == FAR;
        h->counters.old_gains += judged == OLD;
        if (judged == COUNT) {
            memcpy(t->sum, sums, n_ue * sizeof *t->sum);
            t->of_block = t->block[i];
            t->known = true;
        } else if (judged == WAIT) {
            memmove(t->waiting + (size_t)t->n_waiting * n_ue, sums, n_ue * sizeof *t->sum);
            t->block[t->n_waiting++] = t->block[i];
        }
    }
}

void homes_gains(homes_t *h, int cpu, uint64_t block, const double *sums)
{
    struct told *const t = &h->told[cpu];
    if (t->n_waiting == QUEUE) { /* nobody takes turns: whatever it was is old */
        t->n_waiting = 0;
    }
    memcpy(t->waiting + (size_t)t->n_waiting * (size_t)h->settings.n_ue, sums, (size_t)h->settings.n_ue * sizeof *sums);
    t->block[t->n_waiting++] = block;
}

void homes_alive(homes_t *h, int cpu, bool alive)
{
    struct told *const t = &h->told[cpu];
    if (cpu != h->settings.self && t->alive != alive) {
        t->alive = alive;
        t->known = false;
        t->n_waiting = 0;
    }
}

/* Further ahead than anybody who is not off tells: at_block is lead_blocks after the sender's block. */
static bool is_far(const struct homes *h, uint64_t at_block)
{
    return at_block > h->last && at_block - h->last > h->settings.lead_blocks + HOMES_AHEAD_BLOCKS;
}

/* Where the user will be when all that is ordered has happened. */
static int last_home(const struct homes *h, int user)
{
    const struct user *const u = &h->user[user];
    return u->next != HOMES_NONE && !is_far(h, u->at_block) ? u->next : u->home;
}

static bool is_possible(const struct homes *h, const struct homes_order *o)
{
    return o->user >= 0 && o->user < h->settings.n_ue && o->to >= 0 && o->to < h->settings.n_cpu &&
           o->from >= HOMES_NONE && o->from < h->settings.n_cpu;
}

static void take(struct user *u, const struct homes_order *o)
{
    u->rival = HOMES_NONE;
    if (o->at_block == 0) {
        u->home = o->to;
        u->next = HOMES_NONE;
    } else {
        u->next = o->to;
        u->at_block = o->at_block;
    }
}

bool homes_hear(homes_t *h, int cpu, const struct homes_order *o)
{
    if (!is_possible(h, o)) {
        return false;
    }
    const int mine = last_home(h, o->user);
    const bool table = o->at_block == 0;
    h->counters.far_orders += h->begun && is_far(h, o->at_block);
    h->counters.late_orders += h->begun && !table && o->at_block <= h->last;
    if (!table || mine == HOMES_NONE || !h->told[mine].alive || cpu < h->settings.self) {
        take(&h->user[o->user], o);
    }
    return true;
}

int homes_table(const homes_t *h, struct homes_order *orders)
{
    int n = 0;
    for (int k = 0; k < h->settings.n_ue; k++) {
        const int home = last_home(h, k);
        if (home != HOMES_NONE) {
            orders[n++] = (struct homes_order){.user = k, .from = HOMES_NONE, .to = home};
        }
    }
    return n;
}

/* Decisions -------------------------------------------------------------------------------------------------------- */

/* All that live have told, self is the lowest of them: it decides for users that have no home. */
static bool is_first(const struct homes *h)
{
    for (int c = 0; c < h->settings.n_cpu; c++) {
        const struct told *const t = &h->told[c];
        if (t->alive && (!t->known || c < h->settings.self)) {
            return false;
        }
    }
    return true;
}

static bool is_alone(const struct homes *h)
{
    int n = 0;
    for (int c = 0; c < h->settings.n_cpu; c++) {
        n += h->told[c].alive;
    }
    return n == 1;
}

/* The living one with the largest sum for the user, but not `except`; HOMES_NONE: nobody hears it. */
static int strongest(const struct homes *h, int user, int except)
{
    int best = HOMES_NONE;
    for (int c = 0; c < h->settings.n_cpu; c++) {
        const struct told *const t = &h->told[c];
        if (c != except && t->alive && t->known && t->sum[user] > (best >= 0 ? h->told[best].sum[user] : 0)) {
            best = c;
        }
    }
    return best;
}

/* A user without a home, or with a dead one. */
static bool adopt(const struct homes *h, int k, uint64_t block, struct homes_order *order)
{
    const int best = is_first(h) ? strongest(h, k, HOMES_NONE) : HOMES_NONE;
    const uint64_t lead = is_alone(h) ? 0 : h->settings.lead_blocks; /* who is alone need not wait for anybody */
    *order = (struct homes_order){
        .user = k, .from = last_home(h, k), .to = best, .at_block = block + lead > 0 ? block + lead : 1};
    return best != HOMES_NONE;
}

/* A user of ours that somebody else hears better, for long enough. */
static bool hand_over(struct homes *h, int k, uint64_t block, struct homes_order *order)
{
    struct user *const u = &h->user[k];
    const int rival = strongest(h, k, h->settings.self);
    const double mine = h->told[h->settings.self].sum[k];
    if (rival == HOMES_NONE || h->told[rival].sum[k] < h->margin * mine) {
        u->rival = HOMES_NONE;
        return false;
    }
    if (u->rival != rival) {
        u->rival = rival;
        u->since = block;
    }
    *order = (struct homes_order){
        .user = k, .from = h->settings.self, .to = rival, .at_block = block + h->settings.lead_blocks};
    return block >= u->since + h->settings.hold_blocks;
}

static void settle(struct homes *h, uint64_t block)
{
    for (int c = 0; c < h->settings.n_cpu; c++) {
        take_waiting(h, &h->told[c], block);
    }
    for (int k = 0; k < h->settings.n_ue; k++) {
        struct user *const u = &h->user[k];
        if (u->next != HOMES_NONE && !h->told[u->next].alive) {
            u->next = HOMES_NONE; /* it died on the way */
        }
        if (u->next != HOMES_NONE && block >= u->at_block) {
            u->home = u->next;
            u->next = HOMES_NONE;
        }
    }
}

static void forget_pending(struct homes *h)
{
    for (int c = 0; c < h->settings.n_cpu; c++) {
        h->told[c].n_waiting = 0;
        h->told[c].of_block = 0;
    }
    for (int k = 0; k < h->settings.n_ue; k++) {
        h->user[k].next = h->user[k].rival = HOMES_NONE;
    }
}

int homes_turn(homes_t *h, uint64_t block, struct homes_order *orders)
{
    int n = 0;
    if (block < h->last) {
        forget_pending(h);
    }
    h->last = block;
    h->begun = true;
    settle(h, block);
    for (int k = 0; k < h->settings.n_ue; k++) {
        const int home = last_home(h, k);
        const bool lost = home == HOMES_NONE || !h->told[home].alive;
        if (lost                       ? adopt(h, k, block, &orders[n])
            : home == h->settings.self ? hand_over(h, k, block, &orders[n])
                                       : false) {
            take(&h->user[k], &orders[n++]);
        }
    }
    settle(h, block); /* who is alone has decided for this block */
    return n;
}

struct homes_counters homes_counters(const homes_t *h)
{
    return h->counters;
}

int homes_of(const homes_t *h, int user)
{
    return h->user[user].home;
}

/* best: the strongest one for the user. */
static bool serves(const struct homes *h, int cpu, int user, int best)
{
    const int home = h->user[user].home;
    if (home == HOMES_NONE || home == cpu || !h->told[home].alive) {
        return true;
    }
    const struct told *const near = &h->told[cpu];
    return h->settings.helpers && near->known && near->alive && near->sum[user] > 0 &&
           near->sum[user] * h->help >= (best != HOMES_NONE ? h->told[best].sum[user] : 0);
}

bool homes_serves(const homes_t *h, int cpu, int user)
{
    return serves(h, cpu, user, strongest(h, user, HOMES_NONE));
}

void homes_serves_all(const homes_t *h, uint8_t *all)
{
    const int n_ue = h->settings.n_ue;
    for (int k = 0; k < n_ue; k++) {
        const int best = strongest(h, k, HOMES_NONE);
        for (int c = 0; c < h->settings.n_cpu; c++) {
            all[c * n_ue + k] = serves(h, c, k, best);
        }
    }
}
