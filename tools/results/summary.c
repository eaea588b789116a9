/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tools/results/summary.h"

#include "base/error.h"
#include "base/frame.h"
#include "base/stats.h"
#include "fronthaul/wire.h"
#include "mimo/expect.h"
#include "mimo/precoder.h"
#include "mimo/width.h"
#include "tools/terminal/table.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *summary_hop_text(int hop)
{
    static const char *const text[] = {
#define SUMMARY_HOP_TEXT(name, text, meaning) text,
        SUMMARY_HOP_MAP(SUMMARY_HOP_TEXT)
#undef SUMMARY_HOP_TEXT
    };
    return text[hop];
}

const char *summary_hop_meaning(int hop)
{
    static const char *const meanings[] = {
#define SUMMARY_HOP_MEANING(name, text, meaning) meaning,
        SUMMARY_HOP_MAP(SUMMARY_HOP_MEANING)
#undef SUMMARY_HOP_MEANING
    };
    return meanings[hop];
}

/* Counting ------------------------------------------------------------------------------------------------------ */

static void hop_ends(const struct recording *r, int hop, uint64_t block, int ap, uint64_t *from, uint64_t *to)
{
    const size_t i = (size_t)block * (size_t)r->n_ap + (size_t)ap;
    switch (hop) {
    case HOP_ESTIMATE:
        *from = r->stamp[STAMP_CAPTURE_END][i], *to = r->stamp[STAMP_CSI_SENT][i];
        break;
    case HOP_UPLINK:
        *from = r->stamp[STAMP_CSI_SENT][i], *to = r->stamp[STAMP_CSI_RECEIVED][i];
        break;
    case HOP_GATHER:
        *from = r->stamp[STAMP_CSI_RECEIVED][i], *to = r->solve_start_ns[block];
        break;
    case HOP_SOLVE:
        *from = r->solve_start_ns[block], *to = r->solve_end_ns[block];
        break;
    case HOP_PUSH:
        *from = r->solve_end_ns[block], *to = r->stamp[STAMP_PRECODER_SENT][i];
        break;
    case HOP_DOWNLINK:
        *from = r->stamp[STAMP_PRECODER_SENT][i], *to = r->stamp[STAMP_PRECODER_RECEIVED][i];
        break;
    case HOP_WAIT:
        *from = r->stamp[STAMP_PRECODER_RECEIVED][i], *to = r->stamp[STAMP_APPLIED][i];
        break;
    default:
        *from = r->stamp[STAMP_CAPTURE_END][i], *to = r->stamp[STAMP_PRECODER_RECEIVED][i];
    }
}

int summary_hop_value(const struct recording *r, int hop, uint64_t block, int ap, uint64_t *value_ns)
{
    uint64_t from, to;
    hop_ends(r, hop, block, ap, &from, &to);
    if (from == 0 || to == 0) {
        return -1;
    }
    if (to < from) {
        return -2;
    }
    *value_ns = to - from;
    return 0;
}

/* A precoder that was sent and never seen to arrive may have come late or not at all. */
static bool began(const struct recording *r, int hop, uint64_t block, int ap)
{
    const size_t i = (size_t)block * (size_t)r->n_ap + (size_t)ap;
    return (hop == HOP_DOWNLINK || hop == HOP_WAIT || hop == HOP_TOTAL) && r->stamp[STAMP_PRECODER_SENT][i] != 0 &&
           r->stamp[STAMP_PRECODER_RECEIVED][i] == 0;
}

double summary_hop_quantile_us(const struct summary *s, int hop, double q, bool *censored)
{
    const struct stats_hist *hist = &s->hop[hop];
    const double wanted = q * (double)(hist->count + s->n_unknown[hop]);
    *censored = wanted > (double)hist->count;
    if (hist->count == 0) {
        return NAN;
    }
    return 1e-3 * (double)(*censored ? hist->max : stats_hist_quantile(hist, wanted / (double)hist->count));
}

static void count_hops(struct summary *s, const struct recording *r)
{
    for (int hop = 0; hop < SUMMARY_N_HOP; hop++) {
        stats_hist_reset(&s->hop[hop]);
        const int n_ap = hop == HOP_SOLVE ? 1 : r->n_ap; /* one solve serves all APs */
        for (uint64_t b = 0; b < r->n_block; b++) {
            for (int m = 0; m < n_ap; m++) {
                uint64_t value_ns;
                const int status = summary_hop_value(r, hop, b, m, &value_ns);
                if (status == 0) {
                    stats_hist_add(&s->hop[hop], value_ns);
                }
                s->n_negative[hop] += status == -2;
                s->n_unknown[hop] += status == -1 && began(r, hop, b, m);
            }
        }
    }
}

/* Median and 5 % quantile of the SINRs, median EVM. The two arrays are put in order. */
static void take_quantiles(struct summary_user *u, double *sinr, size_t n_sinr, double *evm, size_t n_evm)
{
    qsort(sinr, n_sinr, sizeof *sinr, stats_ascending);
    qsort(evm, n_evm, sizeof *evm, stats_ascending);
    u->sinr_median_db = 10 * log10(stats_sorted_quantile(sinr, n_sinr, 0.5));
    u->sinr_low_db = 10 * log10(stats_sorted_quantile(sinr, n_sinr, 0.05));
    u->evm = stats_sorted_quantile(evm, n_evm, 0.5);
}

/* Code blocks of one block's report: all blocks have as many. */
static int64_t blocks_per_report(const struct recording *r)
{
    int64_t most = 0;
    for (size_t i = 0; i < r->n_block * (size_t)r->n_ue; i++) {
        most = r->code_blocks[i] > most ? r->code_blocks[i] : most;
    }
    return most;
}

static double add_report(struct summary_user *u, const struct recording *r, size_t i)
{
    u->bits += (uint64_t)r->bits[i];
    u->bit_errors += (uint64_t)r->bit_errors[i];
    u->coded_bits += (uint64_t)r->coded_bits[i];
    u->coded_bit_errors += (uint64_t)r->coded_bit_errors[i];
    u->code_blocks += (uint64_t)r->code_blocks[i];
    u->code_block_errors += (uint64_t)r->code_block_errors[i];
    const double share = r->code_blocks[i] ? (double)r->code_block_errors[i] / (double)r->code_blocks[i] : 1;
    return (double)r->bits[i] * (1 - share);
}

/* sinr, evm: room for n_block numbers. */
static void count_user(struct summary_user *u, const struct recording *r, int k, int64_t n_code_block, double *sinr,
                       double *evm)
{
    double measured = 0, predicted = 0, expected = 0, right_bits = 0;
    size_t n_sinr = 0, n_evm = 0;
    for (size_t b = 0; b < r->n_block; b++) {
        const size_t i = b * (size_t)r->n_ue + (size_t)k;
        u->n_served += r->user_used[i] != 0;
        u->n_report += r->bits[i] > 0;
        if (!recording_user_counts(r, b, k)) {
            continue;
        }
        if (r->bits[i] <= 0) {
            u->n_missing++;
            u->code_blocks += (uint64_t)n_code_block;
            u->code_block_errors += (uint64_t)n_code_block;
            continue;
        }
        right_bits += add_report(u, r, i);
        if (!isnan(r->evm[i])) {
            evm[n_evm++] = r->evm[i];
        }
        if (!isnan(r->sinr_measured[i])) {
            sinr[n_sinr++] = r->sinr_measured[i];
        }
        const size_t solved = b - (size_t)r->lag_blocks, j = solved * (size_t)r->n_ue + (size_t)k;
        if (r->sinr_measured[i] > 0 && r->sinr_predicted[j] > 0 && !r->learning[solved]) {
            measured += 10 * log10(r->sinr_measured[i]);
            predicted += 10 * log10(r->sinr_predicted[j]);
            expected += r->sinr_expected ? 10 * log10(r->sinr_expected[j]) : NAN;
            u->n_sinr++;
        }
    }
    u->sinr_measured_db = u->n_sinr ? measured / (double)u->n_sinr : NAN;
    u->sinr_predicted_db = u->n_sinr ? predicted / (double)u->n_sinr : NAN;
    u->sinr_expected_db = u->n_sinr ? expected / (double)u->n_sinr : NAN;
    u->throughput_bps = r->n_block ? right_bits / ((double)r->n_block * r->block_s) : NAN;
    take_quantiles(u, sinr, n_sinr, evm, n_evm);
}

/* A loss that narrower subbands are worth. */
static const double WORTH_BYTES_DB = 0.5;

/* What the delays ask for by what they lose, which APs' pilots and the solve have measured. */
static void find_width(struct summary *s, const struct config *config)
{
    const double loss_db = s->loss_db[EXPECTED_SPREAD];
    if (!config || !(loss_db > WORTH_BYTES_DB)) {
        return;
    }
    s->sc_per_sb = config->frame.subcarriers_per_subband;
    s->narrower = width_narrower(config->frame.n_used_subcarriers, s->sc_per_sb,
                                 config->precoding.subband != CONFIG_SUBBAND_FLAT, loss_db, WORTH_BYTES_DB);
    s->bytes = width_bytes(config, s->sc_per_sb);
    s->narrower_bytes = width_bytes(config, s->narrower);
}

static void count_losses(struct summary *s, const struct recording *r)
{
    for (int loss = 0; loss < EXPECTED_N; loss++) {
        double sum = 0;
        size_t n = 0;
        for (size_t b = 0; r->loss_db && b < r->n_block; b++) {
            const double value = r->loss_db[b * EXPECTED_N + (size_t)loss];
            if (!r->learning[b] && isfinite(value)) {
                sum += value;
                n++;
            }
        }
        s->loss_db[loss] = n ? sum / (double)n : NAN;
    }
    find_width(s, r->config);
}

/* What the blocks between pilots and downlink cost; the prediction is that of the pilots' time. */
static void take_ageing(struct summary *s, const struct recording *r)
{
    struct frame frame;
    s->lag_blocks = r->lag_blocks;
    count_losses(s, r);
    s->doppler_hz = s->ageing = NAN;
    if (r->lag_blocks > 0 && config_has_emulated(r->config) && frame_init(&frame, r->config) == 0) {
        const struct config_fading_model *f = &r->config->air.fading;
        const struct config_network *n = &r->config->network;
        const struct expect_times times = expect_times_of(&frame);
        s->doppler_hz = f->model != CONFIG_FADING_NONE && f->variation == CONFIG_VARIATION_JAKES ? f->doppler_hz : 0;
        const struct expect_ageing ageing = expect_ageing(&times, s->doppler_hz);
        s->ageing = n->n_ap * n->n_ant > n->n_ue ? expect_ageing_zf(&ageing, n->n_ap * n->n_ant, n->n_ue) : NAN;
    }
}

static int count_users(struct summary *s, const struct recording *r)
{
    const int64_t n_code_block = blocks_per_report(r);
    double *numbers = malloc(2 * (size_t)r->n_block * sizeof *numbers + 1);
    s->user = calloc((size_t)r->n_ue, sizeof *s->user);
    for (int k = 0; numbers && s->user && k < r->n_ue; k++) {
        count_user(&s->user[k], r, k, n_code_block, numbers, numbers + r->n_block);
    }
    const bool good = numbers && s->user;
    free(numbers);
    return good ? 0 : TUTTI_ENOMEM;
}

static void count_ap_blocks(struct summary *s, const struct recording *r)
{
    for (size_t b = 0; b < r->n_block; b++) {
        s->n_learning += r->learning[b] != 0;
    }
    for (size_t i = 0; i < r->n_block * (size_t)r->n_ap; i++) {
        if (r->applied[i] < SUMMARY_N_APPLIED) {
            s->applied[r->applied[i]]++;
        }
        if (r->arrival[i] < SUMMARY_N_ARRIVAL) {
            s->arrival[r->arrival[i]]++;
        }
    }
}

/* Counters start at 0 when an AP starts, so a fall means a restart and the new value counts from 0. */
static void count_events(struct summary *s, const struct recording *r)
{
    for (int m = 0; m < r->n_ap; m++) {
        for (int e = 0; e < SUMMARY_N_EVENT; e++) {
            int64_t before = 0;
            for (size_t b = 0; b < r->n_block; b++) {
                const size_t i = b * (size_t)r->n_ap + (size_t)m;
                const int64_t now = r->events[i * SUMMARY_N_EVENT + (size_t)e];
                if (r->stamp[STAMP_CSI_RECEIVED][i] == 0) {
                    continue; /* no message of this AP in this block: no counters either */
                }
                s->events[e] += (uint64_t)now - (now >= before ? (uint64_t)before : 0); /* unsigned: may wrap */
                before = now;
            }
        }
    }
}

static void count_solves(struct summary *s, const struct recording *r)
{
    uint64_t first = 0, last = 0;
    for (uint64_t b = 0; b < r->n_block; b++) {
        if (r->solve_start_ns[b] == 0) {
            continue;
        }
        if (s->n_solved++ == 0) {
            first = b;
        }
        last = b;
        const int32_t reason = r->reason[b];
        const int32_t scheme = r->scheme[b];
        const int known = reason >= 0 && reason < SUMMARY_N_REASON - 1 ? reason : SUMMARY_N_REASON - 1;
        s->reason[known]++;
        s->scheme[scheme >= 0 && scheme < MIMO_N_SCHEMES ? scheme : MIMO_N_SCHEMES][known]++;
    }
    s->wall_s = s->realtime_factor = NAN;
    if (s->n_solved < 2) {
        return;
    }
    s->wall_s = ((double)r->solve_start_ns[last] - (double)r->solve_start_ns[first]) * 1e-9;
    if (s->wall_s > 0) {
        s->realtime_factor = (double)(s->n_solved - 1) * r->block_s / s->wall_s;
    }
    const bool paced = r->config && r->config->air.mode == CONFIG_AIR_PACED;
    s->fell_behind = paced && s->realtime_factor < SUMMARY_KEPT_UP;
}

static int count_gap(struct summary *s, const struct recording *r)
{
    const size_t n_sb = (size_t)r->n_sb;
    double *gap = malloc((size_t)r->n_block * n_sb * sizeof *gap + 1);
    size_t n = 0;
    if (!gap) {
        return TUTTI_ENOMEM;
    }
    for (size_t i = 0; i < (size_t)r->n_block * n_sb; i++) {
        if (r->scheme[i / n_sb] == MIMO_OB && !isnan(r->gap[i])) {
            gap[n++] = r->gap[i];
        }
    }
    qsort(gap, n, sizeof *gap, stats_ascending);
    s->n_gap = n;
    s->gap_median = n ? (gap[(n - 1) / 2] + gap[n / 2]) / 2 : NAN;
    free(gap);
    return 0;
}

struct summary *summary_create(const struct recording *r)
{
    struct summary *s = calloc(1, sizeof *s);
    if (!s) {
        return NULL;
    }
    s->n_block = r->n_block;
    s->n_ap = r->n_ap;
    s->n_ue = r->n_ue;
    s->n_event = r->n_event;
    s->event = r->event;
    take_ageing(s, r);
    count_hops(s, r);
    count_ap_blocks(s, r);
    count_events(s, r);
    count_solves(s, r);
    if (count_users(s, r) < 0 || count_gap(s, r) < 0) {
        summary_free(s);
        return NULL;
    }
    return s;
}

void summary_free(struct summary *s)
{
    if (s) {
        free(s->user);
    }
    free(s);
}

/* Check --------------------------------------------------------------------------------------------------------- */

static int block_has_precoder(const struct recording *r, uint64_t b)
{
    if (b >= r->n_block || r->solve_end_ns[b] == 0) {
        return 0;
    }
    int n_sent = 0;
    for (size_t m = 0; m < (size_t)r->n_ap; m++) {
        const size_t i = (size_t)b * (size_t)r->n_ap + m;
        if (r->ap_used[i] && r->stamp[STAMP_PRECODER_SENT][i] == 0) {
            return 0;
        }
        n_sent += r->ap_used[i] != 0;
    }
    int n_served = 0;
    for (size_t k = 0; k < (size_t)r->n_ue; k++) {
        n_served += r->user_used[(size_t)b * (size_t)r->n_ue + k] != 0;
    }
    return n_sent > 0 && n_served > 0;
}

static int check_precoders(const struct recording *r, uint64_t begin, uint64_t n_block)
{
    uint64_t n_bad = 0, first = 0;
    for (uint64_t b = begin; b < n_block; b++) {
        if (!block_has_precoder(r, b) && n_bad++ == 0) {
            first = b;
        }
    }
    return n_bad ? error_set(TUTTI_EFORMAT,
                             "%" PRIu64 " of %" PRIu64 " blocks have no precoder, the first is block %" PRIu64, n_bad,
                             n_block, first)
                 : 0;
}

static int check_users(const struct recording *r, uint64_t begin, uint64_t n_block)
{
    for (int k = 0; k < r->n_ue; k++) {
        uint64_t n_served = 0, n_silent = 0, first_silent = 0, n_wrong = 0, first_wrong = 0;
        for (uint64_t b = begin; b < n_block; b++) {
            const size_t i = (size_t)b * (size_t)r->n_ue + (size_t)k;
            n_served += b < r->n_block && r->user_used[i] != 0;
            if (b >= r->n_block || r->bits[i] <= 0) {
                if (n_silent++ == 0) {
                    first_silent = b;
                }
            } else if (r->code_block_errors[i] > 0 && recording_user_counts(r, b, k)) {
                if (n_wrong == 0) {
                    first_wrong = b;
                }
                n_wrong += (uint64_t)r->code_block_errors[i];
            }
        }
        if (n_silent) {
            return error_set(TUTTI_EFORMAT,
                             "user %d did not report in %" PRIu64 " of %" PRIu64 " blocks, the first is block %" PRIu64,
                             k, n_silent, n_block, first_silent);
        }
        if (n_served == 0) {
            return error_set(TUTTI_EFORMAT, "user %d was not served in any of %" PRIu64 " blocks", k, n_block);
        }
        if (n_wrong) {
            return error_set(TUTTI_EFORMAT,
                             "user %d decoded %" PRIu64 " code blocks wrong, the first in block %" PRIu64, k, n_wrong,
                             first_wrong);
        }
    }
    return 0;
}

/* Radios begin one by one, so what is judged begins with them all: after the first blocks of learning. The emulated air
 * waits for all. */
static uint64_t check_begin(const struct recording *r, uint64_t n_block)
{
    uint64_t begin = 0;
    while (r->config && !config_has_emulated(r->config) && begin < r->n_block && begin < n_block &&
           r->learning[begin]) {
        begin++;
    }
    return begin;
}

int summary_check(const struct recording *r, uint64_t n_block)
{
    if (n_block == 0) {
        return error_set(TUTTI_EFORMAT, "no blocks were recorded");
    }
    const uint64_t begin = check_begin(r, n_block);
    if (begin == n_block) {
        return error_set(TUTTI_EFORMAT, "access points were learning gains and noise in all of %" PRIu64 " blocks",
                         n_block);
    }
    const int status = check_precoders(r, begin, n_block);
    return status < 0 ? status : check_users(r, begin, n_block);
}

/* Tables -------------------------------------------------------------------------------------------------------- */

static void rate_cell(table_t *table, uint64_t errors, uint64_t total)
{
    if (total == 0) {
        table_cell(table, "-");
    } else if (errors == 0) {
        table_cell(table, "0");
    } else {
        table_cell(table, "%.2e", (double)errors / (double)total);
    }
}

static void count_cell(table_t *table, uint64_t errors, uint64_t total)
{
    table_cell(table, "%" PRIu64 "/%" PRIu64, errors, total);
}

static table_t *users_table(const struct summary *s, const char *title)
{
    static const char *const headers[] = {"user",    "measured dB", "predicted dB", "median dB", "5 % dB",
                                          "EVM %",   "raw BER",     "BER",          "BLER",      "wrong",
                                          "missing", "served",      "reports",      "Mbit/s",    NULL};
    table_t *table = table_create(title, headers);
    for (int k = 0; k < s->n_ue; k++) {
        const struct summary_user *u = &s->user[k];
        table_cell(table, "%d", k);
        table_number(table, 2, u->sinr_measured_db);
        table_number(table, 2, u->sinr_predicted_db);
        table_number(table, 2, u->sinr_median_db);
        table_number(table, 2, u->sinr_low_db);
        table_number(table, 2, 100 * u->evm);
        rate_cell(table, u->coded_bit_errors, u->coded_bits);
        rate_cell(table, u->bit_errors, u->bits);
        rate_cell(table, u->code_block_errors, u->code_blocks);
        count_cell(table, u->code_block_errors, u->code_blocks);
        table_cell(table, "%" PRIu64, u->n_missing);
        count_cell(table, u->n_served, s->n_block);
        count_cell(table, u->n_report, s->n_block);
        table_number(table, 3, 1e-6 * u->throughput_bps);
    }
    return table;
}

static const char *scheme_text(int scheme)
{
    return scheme < MIMO_N_SCHEMES ? mimo_scheme_name(scheme) : "unknown";
}

static const char *reason_text(int reason)
{
    return reason < SUMMARY_N_REASON - 1 ? mimo_reason_text(reason) : "another reason";
}

static table_t *schemes_table(const struct summary *s)
{
    static const char *const headers[] = {"scheme", "reason", "blocks", "share %", NULL};
    table_t *table = table_create(NULL, headers);
    table_align_left(table, 2);
    for (int scheme = SUMMARY_N_SCHEME - 1; scheme >= 0; scheme--) {
        for (int reason = 0; reason < SUMMARY_N_REASON; reason++) {
            const uint64_t count = s->scheme[scheme][reason];
            if (count == 0) {
                continue;
            }
            table_cell(table, "%s", scheme_text(scheme));
            table_cell(table, "%s", reason_text(reason));
            table_cell(table, "%" PRIu64, count);
            table_number(table, 2, 100.0 * (double)count / (double)s->n_solved);
        }
    }
    return table;
}

/* "Schemes: ob 55 blocks, zf 60, cb 85 (145 stepped down for lack of time)." */
static void write_schemes(const struct summary *s, FILE *out)
{
    const char *separator = "Schemes: ", *unit = " blocks";
    if (s->n_solved == 0) {
        return;
    }
    for (int scheme = SUMMARY_N_SCHEME - 1; scheme >= 0; scheme--) {
        uint64_t count = 0;
        for (int reason = 0; reason < SUMMARY_N_REASON; reason++) {
            count += s->scheme[scheme][reason];
        }
        if (count == 0) {
            continue;
        }
        fprintf(out, "%s%s %" PRIu64 "%s", separator, scheme_text(scheme), count, unit);
        separator = ", ";
        unit = "";
    }
    if (s->reason[MIMO_REASON_LADDER]) {
        fprintf(out, " (%" PRIu64 " stepped down for lack of time)", s->reason[MIMO_REASON_LADDER]);
    }
    fputs(".\n", out);
}

static void write_gap(const struct summary *s, FILE *out)
{
    if (s->n_gap) {
        fprintf(out, "Optimum: median gap of the least SINR to the bound %.2f %% (%" PRIu64 " subbands).\n",
                100 * s->gap_median, s->n_gap);
    }
}

static void quantile_cell(table_t *table, const struct summary *s, int hop, double q)
{
    bool censored;
    const double us = summary_hop_quantile_us(s, hop, q, &censored);
    if (censored && !isnan(us)) {
        table_cell(table, ">%.1f", us);
    } else {
        table_number(table, 1, us);
    }
}

static table_t *hops_table(const struct summary *s, const char *title)
{
    static const char *const headers[] = {"hop", "what", "p50", "p99", "p99.9", "max", "mean", "samples", NULL};
    static const double quantile[] = {0.5, 0.99, 0.999};
    table_t *table = table_create(title, headers);
    table_align_left(table, 2);
    for (int hop = 0; hop < SUMMARY_N_HOP; hop++) {
        const struct stats_hist *hist = &s->hop[hop];
        table_cell(table, "%s", summary_hop_text(hop));
        table_cell(table, "%s", summary_hop_meaning(hop));
        for (int q = 0; q < 3; q++) {
            quantile_cell(table, s, hop, quantile[q]);
        }
        quantile_cell(table, s, hop, 1);
        table_number(table, 1, hist->count ? 1e-3 * stats_hist_mean(hist) : NAN);
        table_cell(table, "%" PRIu64, hist->count);
    }
    return table;
}

static table_t *counts_table(const struct summary *s, const char *title)
{
    static const char *const headers[] = {"what", "meaning", "count", "share %", NULL};
    static const struct {
        const char *name, *meaning;
        bool arrival;
        int index;
    } rows[] = {{"early", "precoder was there well before it was needed", true, WIRE_ARRIVAL_EARLY},
                {"on_time", "precoder came in time", true, WIRE_ARRIVAL_ON_TIME},
                {"late", "precoder came too late for its block", true, WIRE_ARRIVAL_LATE},
                {"fresh", "AP sent with this block's precoder", false, WIRE_SENT_FRESH},
                {"stale", "AP sent with an earlier precoder", false, WIRE_SENT_STALE},
                {"local", "AP fell back to its own conjugate beamforming", false, WIRE_SENT_LOCAL_CB},
                {"mute", "AP kept silent", false, WIRE_SENT_MUTE},
                {"tx late", "the radio got it too late: not, or not wholly, sent", false, WIRE_SENT_LATE},
                {"cut", "an underrun cut it", false, WIRE_SENT_CUT},
                {"missed", "the block passed the AP unseen", false, WIRE_SENT_MISSED},
                {"lost", "in the solve, but its account was lost with the AP", false, WIRE_SENT_LOST},
                {"none", "the AP was not there", false, WIRE_SENT_UNKNOWN}};
    const uint64_t total = s->n_block * (uint64_t)s->n_ap;
    table_t *table = table_create(title, headers);
    table_align_left(table, 2);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const uint64_t count = rows[i].arrival ? s->arrival[rows[i].index] : s->applied[rows[i].index];
        table_cell(table, "%s", rows[i].name);
        table_cell(table, "%s", rows[i].meaning);
        table_cell(table, "%" PRIu64, count);
        table_number(table, 2, total ? 100.0 * (double)count / (double)total : NAN);
    }
    return table;
}

static void write_ageing(const struct summary *s, FILE *out)
{
    if (s->lag_blocks == 0) {
        return;
    }
    fprintf(out, "Precoders went out %d block%s after their pilots (engine.tx_lead_us, engine.lag_blocks). ",
            s->lag_blocks, s->lag_blocks == 1 ? "" : "s");
    if (isnan(s->ageing)) {
        fputs("Predicted SINRs are those of the pilots' time: what changed meanwhile is not in them.\n", out);
        return;
    }
    if (s->ageing <= 0) {
        fputs("The channels stand still: nothing is lost by that.\n", out);
        return;
    }
    fprintf(out, "Ageing at %.3g Hz alone leaves zero-forcing %.2f dB; predicted and aged:", s->doppler_hz,
            -10 * log10(s->ageing));
    for (int k = 0; k < s->n_ue; k++) {
        const double predicted = pow(10, -0.1 * s->user[k].sinr_predicted_db);
        fprintf(out, "%s user %d %.2f dB", k ? "," : "", k, -10 * log10(predicted + s->ageing));
    }
    fputs(".\n", out);
}

/* Delays that are spread over more than a subband bears: what would help, and its price. */
static void write_width(const struct summary *s, FILE *out)
{
    if (s->narrower > 0 && s->narrower < s->sc_per_sb) {
        fprintf(out,
                "The delays ask for narrower subbands: frame.subcarriers_per_subband %d instead of %d loses %.1f dB or "
                "less to them, at %.3g times the coefficients on the fronthaul (%.0f bytes per access point and block, "
                "not %.0f).\n",
                s->narrower, s->sc_per_sb, WORTH_BYTES_DB, (double)s->sc_per_sb / s->narrower, s->narrower_bytes,
                s->bytes);
    }
}

void summary_write_losses(const struct summary *s, FILE *out)
{
    static const double WORTH_SAYING_DB = 0.05;
    int most = 0;
    for (int loss = 1; loss < EXPECTED_N; loss++) {
        most = s->loss_db[loss] > s->loss_db[most] ? loss : most;
    }
    if (!(s->loss_db[most] > WORTH_SAYING_DB)) {
        return;
    }
    fputs("Expected with what is known of clocks, channels and hardware:", out);
    for (int k = 0; k < s->n_ue; k++) {
        fprintf(out, "%s user %d %.2f dB", k ? "," : "", k, s->user[k].sinr_expected_db);
    }
    fprintf(out, ". Largest loss: %s, %.1f dB alone", expected_name((enum expected_loss)most), s->loss_db[most]);
    for (int loss = 0; loss < EXPECTED_N; loss++) {
        if (loss != most && s->loss_db[loss] > WORTH_SAYING_DB) {
            fprintf(out, "; %s %.1f dB", expected_name((enum expected_loss)loss), s->loss_db[loss]);
        }
    }
    fputs(".\n", out);
    write_width(s, out);
}

static void write_notes(const struct summary *s, FILE *out)
{
    static const char letter[] = "UODSL";
    uint64_t n_event = 0;
    for (int hop = 0; hop < SUMMARY_N_HOP; hop++) {
        if (s->n_negative[hop]) {
            fprintf(out,
                    "%s: %" PRIu64 " samples with time stamps out of order left out (clocks of two hosts apart).\n",
                    summary_hop_text(hop), s->n_negative[hop]);
        }
    }
    if (s->n_unknown[HOP_DOWNLINK]) {
        fprintf(out,
                "%" PRIu64
                " precoders that were sent have no arrival stamp (late or lost): quantiles of downlink, wait "
                "and total that fall among them read \">\" and the largest that is known; means leave them out.\n",
                s->n_unknown[HOP_DOWNLINK]);
    }
    summary_write_losses(s, out);
    write_ageing(s, out);
    if (s->n_learning) {
        fprintf(out,
                "Mean measured and predicted SINR leave out %" PRIu64
                " blocks in which access points had just begun to learn gains and noise.\n",
                s->n_learning);
    }
    for (int i = 1; i < SUMMARY_N_REASON; i++) {
        if (s->reason[i] && i != MIMO_REASON_LADDER) { /* said with the schemes */
            fprintf(out, "Solver: %" PRIu64 " of %" PRIu64 " blocks: %s.\n", s->reason[i], s->n_solved, reason_text(i));
        }
    }
    for (int e = 0; e < SUMMARY_N_EVENT; e++) {
        n_event += s->events[e];
    }
    if (n_event) {
        fputs("Radio events of the APs:", out);
        for (int e = 0; e < SUMMARY_N_EVENT; e++) {
            fprintf(out, " %c %" PRIu64, letter[e], s->events[e]);
        }
        fputs(".\n", out);
    }
}

/* A paced run that is slower than the air is no measurement of anything but that. */
static void write_behind(const struct summary *s, FILE *out)
{
    if (s->fell_behind) {
        fprintf(out,
                "\nDID NOT KEEP UP: paced, but only %.2f times real time (%" PRIu64 " of %" PRIu64
                " blocks solved). Times and error rates are those of an overloaded machine.\n\n",
                s->realtime_factor, s->n_solved, s->n_block);
    }
}

/* The first lines of the time line; the report has all. */
static void write_events(const struct summary *s, FILE *out)
{
    enum { SHOWN = 20 };
    uint64_t first = 0;
    while (first < s->n_event && strstr(s->event[first].text, "-UP ")) { /* everybody comes at the beginning */
        first++;
    }
    for (uint64_t i = first; i < s->n_event && i < first + SHOWN; i++) {
        fprintf(out, "%sblock %" PRIu64 ": %s\n", i > first ? "  " : "Events:\n  ", s->event[i].block,
                s->event[i].text);
    }
    if (s->n_event > first + SHOWN) {
        fprintf(out, "  and %" PRIu64 " more\n", s->n_event - first - SHOWN);
    }
}

void summary_print(const struct summary *s, FILE *out)
{
    write_behind(s, out);
    table_t *users = users_table(s, "Users (SINR: mean, median and 5 % quantile over blocks; EVM: median)");
    table_print(users, out);
    table_destroy(users);
    table_t *hops = hops_table(s, s->fell_behind ? "\nLatency per hop, us (of a run that DID NOT KEEP UP)"
                                                 : "\nLatency per hop, us");
    table_print(hops, out);
    table_destroy(hops);
    fprintf(out,
            "\nPrecoders at the APs: early %" PRIu64 ", on time %" PRIu64 ", late %" PRIu64 "; applied fresh %" PRIu64
            ", stale %" PRIu64 ", local %" PRIu64 ", mute %" PRIu64 ", too late for the radio %" PRIu64 ", cut %" PRIu64
            ", missed %" PRIu64 ", lost with the AP %" PRIu64 ", AP not there %" PRIu64 ".\n",
            s->arrival[WIRE_ARRIVAL_EARLY], s->arrival[WIRE_ARRIVAL_ON_TIME], s->arrival[WIRE_ARRIVAL_LATE],
            s->applied[WIRE_SENT_FRESH], s->applied[WIRE_SENT_STALE], s->applied[WIRE_SENT_LOCAL_CB],
            s->applied[WIRE_SENT_MUTE], s->applied[WIRE_SENT_LATE], s->applied[WIRE_SENT_CUT],
            s->applied[WIRE_SENT_MISSED], s->applied[WIRE_SENT_LOST], s->applied[WIRE_SENT_UNKNOWN]);
    write_schemes(s, out);
    write_gap(s, out);
    write_notes(s, out);
    if (!isnan(s->realtime_factor)) {
        fprintf(out, "%" PRIu64 " of %" PRIu64 " blocks solved in %.2f s: %.2f times real time.\n", s->n_solved,
                s->n_block, s->wall_s, s->realtime_factor);
    }
    write_events(s, out);
    write_behind(s, out);
}

void summary_html_users(const struct summary *s, FILE *out)
{
    table_t *table = users_table(s, NULL);
    table_html(table, out);
    table_destroy(table);
}

void summary_html_schemes(const struct summary *s, FILE *out)
{
    table_t *table = schemes_table(s);
    table_html(table, out);
    table_destroy(table);
    fputs("<p class=\"note\">", out);
    write_schemes(s, out);
    write_gap(s, out);
    fputs("</p>\n", out);
}

void summary_html_hops(const struct summary *s, FILE *out)
{
    table_t *table = hops_table(s, NULL);
    table_html(table, out);
    table_destroy(table);
}

void summary_html_events(const struct summary *s, FILE *out)
{
    static const char *const headers[] = {"block", "after, s", "what", NULL};
    table_t *table = table_create(NULL, headers);
    table_align_left(table, 3);
    for (uint64_t i = 0; i < s->n_event; i++) {
        table_cell(table, "%" PRIu64, s->event[i].block);
        table_number(table, 2, ((double)s->event[i].wall_ns - (double)s->event[0].wall_ns) * 1e-9);
        table_cell(table, "%s", s->event[i].text);
    }
    table_html(table, out);
    table_destroy(table);
}

void summary_html_counts(const struct summary *s, FILE *out)
{
    table_t *table = counts_table(s, NULL);
    table_html(table, out);
    table_destroy(table);
    fputs("<p class=\"note\">", out);
    write_notes(s, out);
    fputs("</p>\n", out);
}
