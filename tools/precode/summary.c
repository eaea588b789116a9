/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tools/precode/summary.h"

#include "base/stats.h"
#include "tools/terminal/table.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* Decibels in steps of 0.01 from -200 to 300. */
enum { DB_LEAST = -200, DB_MOST = 300, DB_STEPS = 100, N_DB_BIN = (DB_MOST - DB_LEAST) * DB_STEPS + 1, N_REASON = 32 };

struct decibels {
    struct stats_mean mean;
    uint64_t bin[N_DB_BIN];
};

struct precode_summary {
    struct stats_hist solve_ns;
    struct decibels predicted, truth;
    struct stats_mean gap;
    double gap_most, power_most;
    uint64_t reason[N_REASON], n_an_failed;
};

precode_summary_t *precode_summary_create(void)
{
    precode_summary_t *summary = calloc(1, sizeof *summary);
    if (summary) {
        stats_hist_reset(&summary->solve_ns);
    }
    return summary;
}

void precode_summary_destroy(precode_summary_t *summary)
{
    free(summary);
}

double precode_summary_mean_db(const precode_summary_t *s)
{
    return s->predicted.mean.count ? s->predicted.mean.mean : NAN;
}

/* The least SINR of the users served (predicted > 0); NaN when there is none. */
static double least(int n_ue, const float *served, const float *sinr)
{
    double value = NAN;
    for (int k = 0; k < n_ue; k++) {
        if (served[k] > 0) {
            value = fmin(value, (double)sinr[k]); /* fmin leaves out the NaN */
        }
    }
    return value;
}

static void add_decibels(struct decibels *d, double sinr)
{
    if (!(sinr > 0)) {
        return;
    }
    const double db = fmin(fmax(10 * log10(sinr), DB_LEAST), DB_MOST);
    stats_mean_add(&d->mean, db);
    d->bin[(int)((db - DB_LEAST) * DB_STEPS + 0.5)]++;
}

static double quantile(const struct decibels *d, double share)
{
    const double wanted = share * (double)d->mean.count;
    uint64_t n = 0;
    for (int i = 0; i < N_DB_BIN; i++) {
        n += d->bin[i];
        if (n > 0 && (double)n >= wanted) {
            return DB_LEAST + (double)i / DB_STEPS;
        }
    }
    return NAN;
}

void precode_summary_add(precode_summary_t *s, const struct channel_file_info *info, const struct precode_result *r,
                         int n)
{
    const int n_ue = info->shape.n_ue;
    for (int i = 0; i < n * info->n_sb; i++) {
        const float *const sinr = r->sinr + (size_t)i * (size_t)n_ue;
        const double worst = least(n_ue, sinr, sinr);
        stats_hist_add(&s->solve_ns, (uint64_t)(r->solve_time_s[i] * 1e9 + 0.5));
        add_decibels(&s->predicted, worst);
        if (r->sinr_true) {
            add_decibels(&s->truth, least(n_ue, sinr, r->sinr_true + (size_t)i * (size_t)n_ue));
        }
        s->n_an_failed += r->an_failed[i];
        s->power_most = fmax(s->power_most, (double)r->power_use[i]);
        s->reason[r->reason[i] >= 0 && r->reason[i] < N_REASON ? r->reason[i] : N_REASON - 1]++;
        if (r->bound[i] > 0 && worst > 0) {
            const double gap = fmax(1 - worst / r->bound[i], 0); /* below 0 by rounding only */
            stats_mean_add(&s->gap, gap);
            s->gap_most = fmax(s->gap_most, gap);
        }
    }
}

static void decibel_row(table_t *table, const char *name, const struct decibels *d)
{
    table_cell(table, "%s", name);
    if (d->mean.count) {
        table_cell(table, "mean %.2f, 5 %% quantile %.2f", d->mean.mean, quantile(d, 0.05));
    } else {
        table_cell(table, "-");
    }
}

void precode_summary_print(const precode_summary_t *s, const struct channel_file_info *info,
                           const struct precode_job *job, uint64_t n_block, const char *blocks)
{
    static const char *const headers[] = {"precoders", "", NULL};
    table_t *const table = table_create(NULL, headers);
    table_align_left(table, 2);
    table_cell(table, "scheme");
    table_cell(table, "%s, %s power", mimo_scheme_name((int)job->scheme), mimo_power_name((int)job->power));
    if (job->noise.an != PRECODE_AN_NONE) {
        table_cell(table, "artificial noise");
        table_cell(table, "%s, %.4g of each AP's power", precode_an_name(job->noise.an), job->noise.share);
    }
    table_cell(table, "blocks");
    table_cell(table, "%" PRIu64 " (%s)", n_block, blocks);
    table_cell(table, "subbands");
    table_cell(table, "%d per block, %" PRIu64 " in all", info->n_sb, s->solve_ns.count);
    table_cell(table, "network");
    table_cell(table, "%d APs with %d antennas, %d users", info->shape.n_ap, info->shape.n_ant, info->shape.n_ue);
    table_cell(table, "solve time per subband, us");
    table_cell(table, "median %.1f, p99 %.1f", (double)stats_hist_quantile(&s->solve_ns, 0.5) * 1e-3,
               (double)stats_hist_quantile(&s->solve_ns, 0.99) * 1e-3);
    decibel_row(table, "predicted SINR of the worst user, dB", &s->predicted);
    if (info->has_truth) {
        decibel_row(table, "true SINR of the worst user, dB", &s->truth);
    }
    table_cell(table, "largest power use of an AP");
    table_cell(table, "%.6f of its budget", s->power_most);
    if (job->scheme == MIMO_OB) {
        table_cell(table, "gap to the bound, %%");
        table_cell(table, "mean %.3f, largest %.3f", 100 * s->gap.mean, 100 * s->gap_most);
    }
    if (job->noise.an == PRECODE_AN_PHASE_ONLY) {
        table_cell(table, "subbands without noise: no phases null all users");
        table_cell(table, "%" PRIu64, s->n_an_failed);
    }
    for (int r = 0; r < N_REASON; r++) {
        if (s->reason[r]) {
            table_cell(table, "subbands: %s", mimo_reason_text(r));
            table_cell(table, "%" PRIu64, s->reason[r]);
        }
    }
    table_print(table, stdout);
    table_destroy(table);
}
