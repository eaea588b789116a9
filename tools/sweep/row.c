/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tools/sweep/row.h"

#include "base/error.h"
#include "tools/results/summary.h"

#include <inttypes.h>
#include <math.h>

void row_head(FILE *out)
{
    fputs(
        ",blocks,solved,sinr_measured_db,sinr_worst_db,sinr_predicted_db,sinr_expected_db,missing,bler,throughput_bps,"
        "secrecy_bit_s_hz,fresh,solve_p50_us,total_p50_us,total_p99_us,realtime\n",
        out);
}

/* Means over those that are known. */
static double mean(const double *value, size_t stride, size_t n)
{
    double sum = 0;
    size_t known = 0;
    for (size_t i = 0; i < n; i++) {
        const double x = *(const double *)(const void *)((const char *)value + i * stride);
        sum += isnan(x) ? 0 : x;
        known += isnan(x) ? 0 : 1;
    }
    return known ? sum / (double)known : NAN;
}

static void write_users(const struct summary *s, FILE *out)
{
    const size_t n = (size_t)s->n_ue, stride = sizeof *s->user;
    uint64_t errors = 0, all = 0, missing = 0;
    double bps = 0, worst = NAN;
    for (int k = 0; k < s->n_ue; k++) {
        errors += s->user[k].code_block_errors;
        all += s->user[k].code_blocks;
        missing += s->user[k].n_missing;
        bps += s->user[k].throughput_bps;
        worst = fmin(worst, s->user[k].sinr_measured_db);
    }
    fprintf(out, ",%.4f,%.4f,%.4f,%.4f,%" PRIu64 ",%.6g,%.6g", mean(&s->user->sinr_measured_db, stride, n), worst,
            mean(&s->user->sinr_predicted_db, stride, n), mean(&s->user->sinr_expected_db, stride, n), missing,
            all ? (double)errors / (double)all : NAN, bps);
}

static double hop_us(const struct summary *s, int hop, double q)
{
    bool censored;
    return summary_hop_quantile_us(s, hop, q, &censored);
}

static void write_figures(const struct recording *r, const struct summary *s, FILE *out)
{
    const size_t n = (size_t)r->n_block * (size_t)r->n_ue;
    uint64_t sent = 0;
    for (int kind = 0; kind < SUMMARY_N_APPLIED; kind++) {
        sent += s->applied[kind];
    }
    fprintf(out, ",%" PRIu64 ",%" PRIu64, s->n_block, s->n_solved);
    write_users(s, out);
    fprintf(out, ",%.4f,%.6f,%.1f,%.1f,%.1f,%.3f\n",
            r->secrecy_measured ? mean(r->secrecy_measured, sizeof(double), n) : NAN,
            sent ? (double)s->applied[WIRE_SENT_FRESH] / (double)sent : NAN, hop_us(s, HOP_SOLVE, 0.5),
            hop_us(s, HOP_TOTAL, 0.5), hop_us(s, HOP_TOTAL, 0.99), s->realtime_factor);
}

int row_write(const char *path, FILE *out)
{
    struct recording *r = NULL;
    int status = recording_load(&r, path);
    struct summary *const s = status == 0 ? summary_create(r) : NULL;
    if (status == 0 && (!s || s->n_ue < 1)) {
        status = error_set(TUTTI_ENOMEM, "no memory for the figures of %s", path);
    }
    if (status == 0) {
        write_figures(r, s, out);
    }
    summary_free(s);
    recording_free(r);
    return status;
}
