/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reports as JSON text, written straight into a buffer: a block's report is a few numbers, and building a tree for them
 * cost more than everything else about them. */
#include "base/error.h"
#include "ue_node/ue.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

struct text {
    char *out;
    size_t room, n; /* n may pass room: then it does not fit */
};

__attribute__((format(printf, 2, 3))) static void add(struct text *t, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const size_t left = t->n < t->room ? t->room - t->n : 0;
    const int n = vsnprintf(left ? t->out + t->n : NULL, left, format, args);
    va_end(args);
    t->n += n > 0 ? (size_t)n : t->room;
}

static void add_figures(struct text *t, const struct receiver_measurement *m)
{
    add(t, "\"sinr\":%.9g,\"evm\":%.9g,\"bits\":%d,\"bit_errors\":%d,\"coded_bits\":%d,\"coded_bit_errors\":%d,",
        isfinite(m->sinr) ? m->sinr : 0.0, isfinite(m->evm) ? m->evm : 1e9, m->payload.bits, m->payload.bit_errors,
        m->payload.coded_bits, m->payload.coded_bit_errors);
    add(t, "\"code_blocks\":%d,\"code_block_errors\":%d", m->payload.code_blocks, m->payload.code_block_errors);
}

/* Evenly spread over the values, as many as fit; returns how many of those wanted do not. */
static int add_points(struct text *t, const struct report_points *points)
{
    enum { POINT_BYTES = 2 * 13, END_BYTES = 4 }; /* "-1.23457e+09," twice */
    const size_t left = t->n + END_BYTES < t->room ? t->room - t->n - END_BYTES : 0;
    const int fit = (int)(left / POINT_BYTES), n = points->n_points < fit ? points->n_points : fit;
    for (int p = 0; p < n; p++) {
        const tutti_cf32 v = points->values[(size_t)p * (size_t)points->n_values / (size_t)n];
        const double re = (double)crealf(v), im = (double)cimagf(v);
        add(t, "%s%.6g,%.6g", p ? "," : "", isfinite(re) ? re : 0.0, isfinite(im) ? im : 0.0);
    }
    return points->n_points - n;
}

static int finish(const struct text *t)
{
    return t->n < t->room ? TUTTI_OK : error_set(TUTTI_EINVAL, "a report of %zu bytes, %zu fit", t->n, t->room);
}

int report_user(char *text, size_t room, uint64_t block, const struct receiver_measurement *measurement,
                const struct report_points *points)
{
    struct text t = {text, room, 0};
    int cut = 0;
    add(&t, "{\"type\":\"report\",\"block\":%llu,", (unsigned long long)block);
    add_figures(&t, measurement);
    if (points->values && points->n_points > 0) {
        add(&t, ",\"constellation\":[");
        cut = add_points(&t, points);
        add(&t, "]");
    }
    add(&t, "}");
    const int status = finish(&t);
    return status < 0 ? status : cut;
}

int report_idle(char *text, size_t room, uint64_t block)
{
    struct text t = {text, room, 0};
    add(&t, "{\"type\":\"idle\",\"block\":%llu}", (unsigned long long)block);
    return finish(&t);
}

int report_sync(char *text, size_t room, bool locked, uint64_t block, double cfo_hz, double offset_samples,
                double snr_db)
{
    const int n = snprintf(text, room,
                           "{\"type\":\"sync\",\"state\":\"%s\",\"block\":%llu,\"cfo_hz\":%.2f,\"offset_samples\":%.3f,"
                           "\"snr_db\":%.1f}",
                           locked ? "acquired" : "lost", (unsigned long long)block, cfo_hz, offset_samples, snr_db);
    return n > 0 && (size_t)n < room ? TUTTI_OK : TUTTI_EINVAL;
}

int report_eve(char *text, size_t room, uint64_t block, int n_user, const struct receiver_measurement *measurements,
               const struct probe_powers *probe)
{
    struct text t = {text, room, 0};
    add(&t, "{\"type\":\"eve_report\",\"block\":%llu,\"users\":[", (unsigned long long)block);
    for (int k = 0; k < n_user; k++) {
        add(&t, "%s{", k ? "," : "");
        if (isnan(measurements[k].sinr)) { /* nothing was sent to this user */
            add(&t, "}");
            continue;
        }
        add_figures(&t, &measurements[k]);
        add(&t, ",\"sinr_genie\":%.9g}", isfinite(measurements[k].sinr_genie) ? measurements[k].sinr_genie : 0.0);
    }
    add(&t, "]");
    if (probe) {
        add(&t, ",\"zone\":{\"communication\":%.9g,\"own\":%.9g,\"cross\":%.9g,\"noise\":%.9g,\"total\":%.9g}",
            probe->communication, probe->own, probe->cross, probe->noise, probe->total);
    }
    add(&t, "}");
    return finish(&t);
}
