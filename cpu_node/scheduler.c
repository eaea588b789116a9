/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cpu_node/scheduler.h"

#include "base/error.h"
#include "mimo/splitmix.h"
#include "rlspa/cesg.h"
#include "rlspa/network.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { STALE_ROUNDS = 10 };

struct scheduler {
    struct scheduler_settings set;
    int *always, *place; /* [n_always]; [n_served] users, -1 none */
    uint64_t next;       /* block of the next choice */
    bool begun;
    /* [n_ue][n_ue] upper triangle: soundings so far; the last average_blocks of them */
    uint32_t *n_sounded;
    tutti_cf32 *history;  /* [n_ue][n_ue][average_blocks] */
    uint64_t *last_heard; /* [n_ue] block + 1; 0 never */
    /* a choice */
    cesg_t *cesg;
    struct split mean;  /* [n_ue][n_ue] */
    struct split among; /* of those eligible */
    int *eligible;      /* [n_ue] */
    int *chosen, *forced;
    uint8_t *taken; /* [n_ue] */
    /* scheduler_gram's */
    double *beta;     /* [n_ap][n_ue] */
    uint8_t *cluster; /* [n_ap][n_ue] */
};

static bool allocate(struct scheduler *s)
{
    const size_t n = (size_t)s->set.n_ue, pairs = n * n, links = (size_t)s->set.n_ap * n;
    s->always = calloc((size_t)s->set.n_always + 1, sizeof *s->always);
    s->place = calloc((size_t)s->set.n_served, sizeof *s->place);
    s->n_sounded = calloc(pairs, sizeof *s->n_sounded);
    s->history = calloc(pairs * (size_t)s->set.average_blocks, sizeof *s->history);
    s->last_heard = calloc(n, sizeof *s->last_heard);
    s->mean.re = calloc(4 * pairs, sizeof *s->mean.re);
    s->eligible = calloc(4 * n, sizeof *s->eligible);
    s->taken = calloc(n, 1);
    s->beta = calloc(links, sizeof *s->beta);
    s->cluster = calloc(links, 1);
    if (!s->always || !s->place || !s->n_sounded || !s->history || !s->last_heard || !s->mean.re || !s->eligible ||
        !s->taken || !s->beta || !s->cluster) {
        return false;
    }
    s->mean.im = s->mean.re + pairs;
    s->among = (struct split){s->mean.re + 2 * pairs, s->mean.re + 3 * pairs};
    s->chosen = s->eligible + n;
    s->forced = s->chosen + n;
    return true;
}

int scheduler_create(scheduler_t **scheduler, const struct scheduler_settings *settings)
{
    struct scheduler *const s = *scheduler = calloc(1, sizeof *s);
    if (!s) {
        return error_set(TUTTI_ENOMEM, "out of memory for the scheduler");
    }
    s->set = *settings;
    if (!allocate(s)) {
        return error_set(TUTTI_ENOMEM, "out of memory for the scheduler");
    }
    for (int i = 0; i < settings->n_always; i++) {
        s->always[i] = settings->always[i];
    }
    for (int i = 0; i < settings->n_served; i++) {
        s->place[i] = settings->first[i];
    }
    return cesg_create(&s->cesg, settings->n_ue, settings->n_served);
}

void scheduler_destroy(scheduler_t *s)
{
    if (!s) {
        return;
    }
    cesg_destroy(s->cesg);
    free(s->always);
    free(s->place);
    free(s->n_sounded);
    free(s->history);
    free(s->last_heard);
    free(s->mean.re);
    free(s->eligible);
    free(s->taken);
    free(s->beta);
    free(s->cluster);
    free(s);
}

/* Blocks ----------------------------------------------------------------------------------------------------------- */

/* Adds what one antenna in one subband says of all pairs. */
static void add_row(int n_ue, const tutti_cf32 *h, const uint8_t *cluster, tutti_cf32 *gram)
{
    for (int i = 0; i < n_ue; i++) {
        if (!cluster[i]) {
            continue;
        }
        const float re = crealf(h[i]), im = cimagf(h[i]);
        float *const row = (float *)(gram + i * n_ue);
        for (int j = i; j < n_ue; j++) {
            const float of = cluster[j] ? 1.0f : 0.0f, x = of * crealf(h[j]), y = of * cimagf(h[j]);
            row[2 * j] += re * x + im * y; /* conj(h_i) h_j */
            row[2 * j + 1] += re * y - im * x;
        }
    }
}

void scheduler_gram(scheduler_t *s, const struct cpu_block *block, tutti_cf32 *gram)
{
    const int n_ue = s->set.n_ue, n_ant = s->set.n_ant, n_ap = s->set.n_ap, n = n_ue * n_ue;
    for (int i = 0; i < n_ap * n_ue; i++) {
        s->beta[i] = block->gathered[i / n_ue] ? (double)block->beta[i] : 0;
    }
    network_clusters(n_ap, n_ue, s->beta, s->cluster);
    memset(gram, 0, (size_t)n * sizeof *gram);
    for (int row = 0; row < s->set.n_sb * n_ap * n_ant; row++) {
        add_row(n_ue, block->H_hat + (size_t)row * (size_t)n_ue, s->cluster + row / n_ant % n_ap * n_ue, gram);
    }
    for (int i = 0; i < n; i++) {
        gram[i] /= (float)s->set.n_sb;
    }
}

static void remember(struct scheduler *s, uint64_t number, const tutti_cf32 *gram, const uint8_t *sounded)
{
    const int n = s->set.n_ue;
    const size_t window = (size_t)s->set.average_blocks;
    for (int i = 0; i < n; i++) {
        if (!sounded[i]) {
            continue;
        }
        s->last_heard[i] = number + 1;
        for (int j = i; j < n; j++) {
            const size_t pair = (size_t)(i * n + j);
            if (sounded[j]) {
                s->history[pair * window + s->n_sounded[pair]++ % window] = gram[pair];
            }
        }
    }
}

void scheduler_hold(scheduler_t *s, uint64_t block)
{
    s->next = block > s->next ? block : s->next;
}

/* A choice --------------------------------------------------------------------------------------------------------- */

static void average(struct scheduler *s)
{
    const int n = s->set.n_ue;
    const size_t window = (size_t)s->set.average_blocks;
    for (int i = 0; i < n; i++) {
        for (int j = i; j < n; j++) {
            const size_t pair = (size_t)(i * n + j), here = (size_t)(j * n + i);
            const size_t count = s->n_sounded[pair] < window ? s->n_sounded[pair] : window;
            double complex sum = 0;
            for (size_t w = 0; w < count; w++) {
                sum += (double complex)s->history[pair * window + w];
            }
            s->mean.re[pair] = s->mean.re[here] = count ? creal(sum) / (double)count : 0;
            s->mean.im[pair] = count ? cimag(sum) / (double)count : 0;
            s->mean.im[here] = -s->mean.im[pair];
        }
    }
}

static bool is_always(const struct scheduler *s, int user)
{
    for (int i = 0; i < s->set.n_always; i++) {
        if (s->always[i] == user) {
            return true;
        }
    }
    return false;
}

/* In `eligible`, ascending. */
static int find_eligible(struct scheduler *s, uint64_t number, const uint8_t *alive)
{
    const uint64_t stale = (uint64_t)(STALE_ROUNDS * s->set.period);
    int n = 0;
    for (int k = 0; k < s->set.n_ue; k++) {
        const bool heard = s->last_heard[k] > 0 && s->last_heard[k] + stale > number;
        if ((alive[k] && heard) || is_always(s, k)) {
            s->eligible[n++] = k;
        }
    }
    return n;
}

/* Begins a set of n with those it must have; how many it has now. */
static int force(struct scheduler *s, int n, const int *forced, int n_forced)
{
    int n_chosen = 0;
    memset(s->taken, 0, (size_t)s->set.n_ue);
    for (; n_chosen < n_forced && n_chosen < n; n_chosen++) {
        s->taken[forced[n_chosen]] = 1;
        s->chosen[n_chosen] = forced[n_chosen];
    }
    return n_chosen;
}

static int random_set(struct scheduler *s, uint64_t number, int n_eligible, int n, const int *forced, int n_forced)
{
    struct splitmix random = splitmix_make(s->set.seed ^ 0x5C4ED01Eu, number);
    int n_chosen = force(s, n, forced, n_forced);
    while (n_chosen < n) {
        const int i = (int)(splitmix_next(&random) % (uint64_t)n_eligible);
        if (!s->taken[i]) {
            s->taken[i] = 1;
            s->chosen[n_chosen++] = i;
        }
    }
    return n_chosen;
}

static int strongest_set(struct scheduler *s, int n_eligible, int n, const int *forced, int n_forced)
{
    int n_chosen = force(s, n, forced, n_forced);
    while (n_chosen < n) {
        int best = -1;
        for (int i = 0; i < n_eligible; i++) {
            if (!s->taken[i] && (best < 0 || s->among.re[i * n_eligible + i] > s->among.re[best * n_eligible + best])) {
                best = i;
            }
        }
        s->taken[best] = 1;
        s->chosen[n_chosen++] = best;
    }
    return n_chosen;
}

static int best_set(struct scheduler *s, int n_eligible, int n, int n_forced, int n_ap, double *rate)
{
    const struct cesg_problem problem = {.n_ue = n_eligible,
                                         .n = n,
                                         .c = n_ap, /* every AP's budget is 1, so is the noise */
                                         .Gr = s->among.re,
                                         .Gi = s->among.im,
                                         .always = s->forced,
                                         .n_always = n_forced};
    struct cesg_result result;
    cesg_execute(s->cesg, &problem, s->chosen, NULL, NULL, &result);
    *rate = result.best_rate;
    return result.n;
}

/* Indices among those eligible, in `chosen`. */
static int choose(struct scheduler *s, uint64_t number, int n_eligible, int n_ap, double *rate)
{
    const int n = n_eligible < s->set.n_served ? n_eligible : s->set.n_served, n_ue = s->set.n_ue;
    int n_forced = 0;
    for (int i = 0; i < n_eligible; i++) {
        for (int j = 0; j < n_eligible; j++) {
            const int from = s->eligible[i] * n_ue + s->eligible[j];
            s->among.re[i * n_eligible + j] = s->mean.re[from];
            s->among.im[i * n_eligible + j] = s->mean.im[from];
        }
        if (is_always(s, s->eligible[i])) {
            s->forced[n_forced++] = i;
        }
    }
    *rate = NAN;
    switch (s->set.metric) {
    case CONFIG_METRIC_RANDOM:
        return random_set(s, number, n_eligible, n, s->forced, n_forced);
    case CONFIG_METRIC_STRONGEST:
        return strongest_set(s, n_eligible, n, s->forced, n_forced);
    default:
        return best_set(s, n_eligible, n, n_forced, n_ap, rate);
    }
}

/* Users that stay keep their places, the others fill what is free. Returns how many places have another user. */
static int seat(struct scheduler *s, int n_chosen)
{
    int n_gone = 0, n_new = 0;
    memset(s->taken, 0, (size_t)s->set.n_ue);
    for (int i = 0; i < n_chosen; i++) {
        s->taken[s->eligible[s->chosen[i]]] = 1; /* to be seated */
    }
    for (int p = 0; p < s->set.n_served; p++) {
        if (s->place[p] >= 0 && s->taken[s->place[p]]) {
            s->taken[s->place[p]] = 0;
        } else if (s->place[p] >= 0) {
            s->place[p] = -1;
            n_gone++;
        }
    }
    for (int k = 0, p = 0; k < s->set.n_ue; k++) {
        while (s->taken[k] && p < s->set.n_served && s->place[p] >= 0) {
            p++;
        }
        if (s->taken[k] && p < s->set.n_served) {
            s->place[p] = k;
            n_new++;
        }
    }
    return n_gone > n_new ? n_gone : n_new;
}

bool scheduler_hear(scheduler_t *s, uint64_t number, const tutti_cf32 *gram, const uint8_t *sounded,
                    const uint8_t *alive, int n_ap, const int **user_of_place, struct scheduler_note *note)
{
    remember(s, number, gram, sounded);
    if (!s->begun) {
        s->begun = true;
        s->next = number + (uint64_t)s->set.blocks;
    }
    if (number < s->next) {
        return false;
    }
    s->next = number + (uint64_t)s->set.blocks;
    average(s);
    *note = (struct scheduler_note){.n_eligible = find_eligible(s, number, alive)};
    if (note->n_eligible == 0) {
        return false; /* nobody is there: who is served stays served */
    }
    const int n_chosen = choose(s, number, note->n_eligible, n_ap, &note->rate);
    note->n_changed = seat(s, n_chosen);
    *user_of_place = s->place;
    return note->n_changed > 0;
}
