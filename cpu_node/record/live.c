/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cpu_node/record/live.h"

#include "base/error.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Upper edges of the histograms; the last bucket has none. They travel with the counts. */
static const uint64_t EDGE_US[LIVE_EDGES] = {50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000, 50000};

static const char *const HOP_NAME[LIVE_N_HOP] = {
#define HOP_TEXT(id, name) #name,
    LIVE_HOP_MAP(HOP_TEXT)
#undef HOP_TEXT
};

int live_create(struct live **live, int n_ap, int n_ue, int n_zone)
{
    struct live *const l = *live = calloc(1, sizeof *l);
    if (!l) {
        return error_set(TUTTI_ENOMEM, "out of memory for the live status");
    }
    l->n_ap = n_ap;
    l->n_ue = n_ue;
    l->points_of = l->points_told = -1;
    l->ap = calloc((size_t)n_ap, sizeof *l->ap);
    l->user = calloc((size_t)n_ue, sizeof *l->user);
    l->hop = calloc(LIVE_N_HOP, sizeof *l->hop);
    l->points = calloc(2 * LIVE_POINTS, sizeof *l->points);
    if (!l->ap || !l->user || !l->hop || !l->points || live_clusters_create(&l->clusters, n_ap, n_ue) < 0 ||
        live_slow_create(&l->slow, n_ap, n_ue, n_zone) < 0) {
        return error_set(TUTTI_ENOMEM, "out of memory for the live status");
    }
    for (int k = 0; k < n_ue; k++) {
        l->user[k] = (struct live_user){.sinr = NAN, .evm = NAN, .predicted = NAN, .rate = NAN};
    }
    return 0;
}

void live_destroy(struct live *live)
{
    if (live) {
        free(live->ap);
        free(live->user);
        free(live->hop);
        free(live->points);
        live_clusters_free(&live->clusters);
        live_slow_free(&live->slow);
        free(live);
    }
}

/* A hop between two stamps of possibly different hosts; 0 is unknown, a negative one is a clock's fault. */
static void add_hop(struct live *live, enum live_hop hop, uint64_t from_ns, uint64_t to_ns)
{
    if (from_ns == 0 || to_ns < from_ns) {
        return;
    }
    const double us = 1e-3 * (double)(to_ns - from_ns);
    int edge = 0;
    while (edge < LIVE_EDGES && us > (double)EDGE_US[edge]) {
        edge++;
    }
    stats_hist_add(&live->hop[hop], to_ns - from_ns);
    live->bucket[hop][edge]++;
    live->sum_s[hop] += 1e-6 * us;
}

static void count_decision(struct live *live, const struct cpu_block *block)
{
    int reason = 0;
    for (int sb = 0; sb < block->shape.n_sb; sb++) {
        reason = block->reason[sb] > reason ? block->reason[sb] : reason;
    }
    live->scheme[block->scheme >= 0 && block->scheme < MIMO_N_SCHEMES ? block->scheme : 0]++;
    live->reason[reason < MIMO_N_REASONS ? reason : 0]++;
}

void live_block(struct live *live, const struct cpu_block *block)
{
    count_decision(live, block);
    live_clusters_block(&live->clusters, block);
    live_slow_block(&live->slow, block);
    add_hop(live, LIVE_SOLVE, block->solve_start_ns, block->solve_end_ns);
    for (int m = 0; m < live->n_ap; m++) {
        if (!block->gathered[m]) {
            continue;
        }
        struct live_ap *const ap = &live->ap[m];
        ap->heard_block = block->number + 1;
        ap->noise_power = (double)block->noise_power[m];
        memcpy(ap->events, block->radio_events[m], sizeof ap->events);
        add_hop(live, LIVE_ESTIMATE, block->capture_end_ns[m], block->csi_sent_ns[m]);
        add_hop(live, LIVE_UPLINK, block->csi_sent_ns[m], block->csi_received_ns[m]);
        add_hop(live, LIVE_GATHER, block->csi_received_ns[m], block->solve_start_ns);
        add_hop(live, LIVE_PUSH, block->solve_end_ns, block->precoder_sent_ns[m]);
    }
    for (int k = 0; k < live->n_ue; k++) {
        double sum = 0;
        for (int sb = 0; sb < block->shape.n_sb; sb++) {
            sum += (double)block->sinr[sb * live->n_ue + k];
        }
        live->user[k].predicted = block->user_used[k] ? sum / block->shape.n_sb : NAN;
        live->user[k].served += block->user_used[k];
    }
}

void live_account(struct live *live, int ap, const struct wire_account *account, uint64_t sent_ns)
{
    struct live_ap *const a = &live->ap[ap];
    a->sent[account->sent < WIRE_SENT_LOST ? account->sent : 0]++;
    a->arrivals[account->arrival < 4 ? account->arrival : 0]++;
    add_hop(live, LIVE_DOWNLINK, sent_ns, account->precoder_received_ns);
    add_hop(live, LIVE_WAIT, account->precoder_received_ns, account->applied_ns);
}

void live_report(struct live *live, int user, double sinr, double evm, int64_t code_blocks, int64_t errors)
{
    struct live_user *const u = &live->user[user];
    u->sinr = sinr;
    u->evm = evm;
    u->code_blocks += code_blocks > 0 ? (uint64_t)code_blocks : 0;
    u->code_block_errors += errors > 0 ? (uint64_t)errors : 0;
}

void live_uplink(struct live *live, int user, double sinr, int64_t code_blocks, int64_t errors)
{
    struct live_user *const u = &live->user[user];
    u->uplink_sinr = sinr;
    u->uplink_code_blocks += (uint64_t)code_blocks;
    u->uplink_code_block_errors += (uint64_t)errors;
}

void live_secrecy(struct live *live, const double *rate, const uint8_t *suspected)
{
    for (int k = 0; k < live->n_ue; k++) {
        live->user[k].rate = rate ? rate[k] : NAN;
        live->user[k].suspected = suspected && suspected[k];
    }
}

/* How many users come between the one last told of and this one. */
static int turns_until(const struct live *live, int user)
{
    return (user - live->points_told - 1 + live->n_ue) % live->n_ue;
}

/* One user a message, in turn: of those whose report came since the last message, the next one. Who waits sends none
 * and is passed over. */
void live_points(struct live *live, int user, const double *numbers, int n)
{
    if (live->points_new && turns_until(live, user) > turns_until(live, live->points_of)) {
        return;
    }
    live->points_new = true;
    live->points_of = user;
    live->n_points = n / 2 < LIVE_POINTS ? n / 2 : LIVE_POINTS;
    for (int i = 0; i < 2 * live->n_points; i++) {
        live->points[i] = (float)numbers[i];
    }
}

/* Telling ---------------------------------------------------------------------------------------------------------- */

/* JSON has no NaN. */
static json_t *number(double value, double unit)
{
    return isfinite(value) ? json_real(round(value / unit) * unit) : json_null();
}

static json_t *counts(const uint64_t *values, int n)
{
    json_t *const array = json_array();
    for (int i = 0; i < n; i++) {
        json_array_append_new(array, json_integer((json_int_t)values[i]));
    }
    return array;
}

static json_t *hops(struct live *live)
{
    json_t *const object = json_object();
    for (int hop = 0; hop < LIVE_N_HOP; hop++) {
        struct stats_hist *const h = &live->hop[hop];
        const double us[] = {h->count ? 1e-3 * (double)stats_hist_quantile(h, 0.5) : NAN,
                             h->count ? 1e-3 * (double)stats_hist_quantile(h, 0.99) : NAN,
                             h->count ? 1e-3 * (double)h->max : NAN};
        json_object_set_new(object, HOP_NAME[hop],
                            json_pack("{s:o, s:o, s:o, s:o, s:o}", "p50_us", number(us[0], 0.1), "p99_us",
                                      number(us[1], 0.1), "max_us", number(us[2], 0.1), "buckets",
                                      counts(live->bucket[hop], LIVE_EDGES + 1), "sum_s",
                                      number(live->sum_s[hop], 1e-6)));
        stats_hist_reset(h);
    }
    return object;
}

static json_t *ap_of(const struct live_ap *ap, bool alive)
{
    json_t *const events = json_array();
    for (int i = 0; i < 5; i++) {
        json_array_append_new(events, json_integer(ap->events[i]));
    }
    return json_pack("{s:b, s:o, s:o, s:o, s:o, s:I}", "up", alive, "sent", counts(ap->sent, WIRE_SENT_LOST), "arrival",
                     counts(ap->arrivals, 4), "events", events, "noise_dbfs",
                     number(ap->noise_power > 0 ? 10 * log10(ap->noise_power) : NAN, 0.01), "heard",
                     (json_int_t)ap->heard_block);
}

static double db(double x)
{
    return x > 0 ? 10 * log10(x) : NAN;
}

static json_t *user_of(const struct live_user *user, bool alive)
{
    json_t *const object =
        json_pack("{s:b, s:o, s:o, s:o, s:I, s:I, s:I, s:o, s:b}", "up", alive, "sinr_db", number(db(user->sinr), 0.01),
                  "predicted_db", number(db(user->predicted), 0.01), "evm", number(user->evm, 1e-4), "code_blocks",
                  (json_int_t)user->code_blocks, "errors", (json_int_t)user->code_block_errors, "served",
                  (json_int_t)user->served, "secrecy", number(user->rate, 1e-3), "suspected", user->suspected);
    if (user->uplink_code_blocks > 0) {
        json_object_set_new(object, "uplink_db", number(db(user->uplink_sinr), 0.01));
        json_object_set_new(object, "uplink_code_blocks", json_integer((json_int_t)user->uplink_code_blocks));
        json_object_set_new(object, "uplink_errors", json_integer((json_int_t)user->uplink_code_block_errors));
    }
    return object;
}

static json_t *decisions(const uint64_t *n, int n_all, const char *(*name)(int))
{
    json_t *const object = json_object();
    for (int i = 0; i < n_all; i++) {
        if (n[i] > 0) {
            json_object_set_new(object, name(i), json_integer((json_int_t)n[i]));
        }
    }
    return object;
}

/* Points as integers, 127 = two units of the constellation's mean amplitude. */
static json_t *constellation(const struct live *live)
{
    json_t *const points = json_array();
    for (int i = 0; i < 2 * live->n_points; i++) {
        const double scaled = 63.5 * (double)live->points[i];
        const double cut = isfinite(scaled) ? fmax(-127, fmin(127, round(scaled))) : 0;
        json_array_append_new(points, json_integer((json_int_t)cut));
    }
    return json_pack("{s:i, s:o}", "user", live->points_of, "points", points);
}

static int slices(int n)
{
    return (n + LIVE_SLICE - 1) / LIVE_SLICE;
}

void live_tell(struct live *live, json_t *root, const uint8_t *ap_alive, const uint8_t *user_alive)
{
    const int ap_from = live->turn % slices(live->n_ap) * LIVE_SLICE,
              user_from = live->turn % slices(live->n_ue) * LIVE_SLICE;
    json_t *const aps = json_array(), *const users = json_array();
    for (int m = ap_from; m < live->n_ap && m < ap_from + LIVE_SLICE; m++) {
        json_t *const ap = ap_of(&live->ap[m], ap_alive[m]);
        live_clusters_ap(&live->clusters, m, ap);
        live_slow_ap(&live->slow, m, ap);
        json_array_append_new(aps, ap);
    }
    for (int k = user_from; k < live->n_ue && k < user_from + LIVE_SLICE; k++) {
        json_t *const user = user_of(&live->user[k], user_alive[k]);
        live_clusters_user(&live->clusters, k, user);
        live_slow_user(&live->slow, k, user);
        json_array_append_new(users, user);
    }
    json_object_set_new(root, "edges_us", counts(EDGE_US, LIVE_EDGES));
    json_object_set_new(root, "hops", hops(live));
    json_object_set_new(root, "ap_from", json_integer(ap_from));
    json_object_set_new(root, "ap", aps);
    json_object_set_new(root, "user_from", json_integer(user_from));
    json_object_set_new(root, "user", users);
    json_object_set_new(root, "scheme", decisions(live->scheme, MIMO_N_SCHEMES, mimo_scheme_name));
    json_object_set_new(root, "reason", decisions(live->reason, MIMO_N_REASONS, mimo_reason_text));
    if (live->points_of >= 0) {
        json_object_set_new(root, "constellation", constellation(live));
        live->points_told = live->points_of;
        live->points_new = false;
    }
    live_slow_tell(&live->slow, root);
    live->turn++;
}
