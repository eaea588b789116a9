/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/error.h"
#include "tools/json_file.h"
#include "tools/latency/latency.h"
#include "tools/terminal/plot.h"
#include "tools/terminal/table.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>
#include <zmq.h>

static const double quantiles[] = {0.5, 0.9, 0.99, 0.999};
enum { N_QUANTILES = sizeof quantiles / sizeof quantiles[0], TEXT_ROOM = 256 };

static const char *encoding_text(const struct config_fronthaul *f, enum config_encoding encoding, char room[8])
{
    snprintf(room, 8, encoding == CONFIG_BFP ? "bfp%d" : encoding == CONFIG_SC16 ? "sc16" : "cf32", f->mantissa_bits);
    return room;
}

static void describe(const struct latency_options *o, char *text)
{
    char up[8], down[8];
    if (o->probe_bytes) {
        snprintf(text, TEXT_ROOM, "%d APs, probes of %zu bytes, every %g us", o->aps, o->n_probe_bytes, o->interval_us);
    } else {
        snprintf(text, TEXT_ROOM, "%d APs, %d antennas, %d users, %d subbands, %s up, %s down, every %g us", o->aps,
                 o->antennas, o->users, o->subbands, encoding_text(&o->encoding, o->encoding.uplink_encoding, up),
                 encoding_text(&o->encoding, o->encoding.downlink_encoding, down), o->interval_us);
    }
}

/* Where the times come from is part of what they mean. */
static void describe_clock(const struct latency_result *r, char *text)
{
    if (r->same_clock) {
        snprintf(text, TEXT_ROOM, "both ends read the same clock; one-way times are exact");
    } else {
        snprintf(text, TEXT_ROOM,
                 "server's clock %+.1f us (%.1f to %.1f over the run), one-way times are uncertain by +-%.1f us",
                 r->offset_us, r->offset_least_us, r->offset_most_us, r->offset_uncertainty_us);
    }
}

static double share(uint64_t part, const struct latency_result *r)
{
    return r->sent + r->skipped ? 100.0 * (double)part / (double)(r->sent + r->skipped) : 0;
}

static double us(uint64_t ns)
{
    return (double)ns / 1e3;
}

double latency_block_quantile_us(const struct latency_result *r, double q)
{
    const struct stats_hist *h = &r->ns[LATENCY_BLOCK];
    const double wanted = q * (double)(h->count + r->lost + r->skipped);
    return h->count == 0 || wanted > (double)h->count ? INFINITY
                                                      : us(stats_hist_quantile(h, wanted / (double)h->count));
}

/* What is known of a quantile among blocks never answered: it is beyond all that were, and beyond the budget. */
static void block_cell(table_t *table, const struct latency_options *o, const struct latency_result *r, double q)
{
    const double value = latency_block_quantile_us(r, q);
    if (isfinite(value)) {
        table_number(table, 1, value);
    } else {
        table_cell(table, ">%.1f", fmax(us(r->ns[LATENCY_BLOCK].max), o->budget_us));
    }
}

static table_t *make_table(const struct latency_options *o, const struct latency_result *r)
{
    static const char *const headers[] = {"hop, us", "p50", "p90", "p99", "p99.9", "max", "min", "mean", "count", NULL};
    table_t *table = table_create(NULL, headers);
    for (int s = 0; s < LATENCY_N_SERIES; s++) {
        const struct stats_hist *h = &r->ns[s];
        table_cell(table, "%s", latency_series_name((enum latency_series)s));
        for (int q = 0; q < N_QUANTILES; q++) {
            if (s == LATENCY_BLOCK) {
                block_cell(table, o, r, quantiles[q]);
            } else {
                table_number(table, 1, us(stats_hist_quantile(h, quantiles[q])));
            }
        }
        table_number(table, 1, us(h->max));
        table_number(table, 1, us(h->min));
        table_number(table, 1, stats_hist_mean(h) / 1e3);
        table_cell(table, "%" PRIu64, h->count);
    }
    return table;
}

void latency_print(const struct latency_options *o, const struct latency_result *r)
{
    char text[TEXT_ROOM];
    describe(o, text);
    printf("fronthaul  %s\n", text);
    printf("messages   %zu bytes up, %zu bytes down; %.2f MB/s up, %.2f MB/s down in all\n", r->message_up_bytes,
           r->message_down_bytes, r->elapsed_s > 0 ? (double)r->bytes_up / r->elapsed_s / 1e6 : 0,
           r->elapsed_s > 0 ? (double)r->bytes_down / r->elapsed_s / 1e6 : 0);
    describe_clock(r, text);
    printf("clock      %s\n", text);
    printf("budget     %.0f us from a block's due time to its precoder; early means %.0f us to spare\n", o->budget_us,
           o->on_time_us);
    printf("verdict    early %" PRIu64 " (%.2f%%), on_time %" PRIu64 " (%.2f%%), late %" PRIu64
           " (%.2f%%), lost %" PRIu64 ", skipped %" PRIu64 "\n",
           r->early, share(r->early, r), r->on_time, share(r->on_time, r), r->late, share(r->late, r), r->lost,
           r->skipped);
    if (r->skipped) {
        printf("           skipped: the AP's thread slept over a whole block; these count as late\n");
    }
    if (r->elapsed_s > 0) {
        printf("cpu        probe %.1f%% of a core", 100 * r->probe_cpu_s / r->elapsed_s);
        if (isfinite(r->server_cpu_s)) {
            printf(", server %.1f%%", 100 * r->server_cpu_s / r->elapsed_s);
        }
        printf(" (start included)\n");
    }
    table_t *table = make_table(o, r);
    putchar('\n');
    table_print(table, stdout);
    table_destroy(table);
}

/* Files ------------------------------------------------------------------------------------------------------------ */

static json_t *series_json(const struct stats_hist *h)
{
    json_t *bins = json_array();
    for (int i = 0; i < STATS_HIST_BINS; i++) {
        if (h->bin[i]) {
            json_array_append_new(bins, json_pack("[f, I]", us(stats_hist_edge(i)), (json_int_t)h->bin[i]));
        }
    }
    return json_pack("{s:I, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:o}", "count", (json_int_t)h->count, "min_us",
                     us(h->min), "mean_us", stats_hist_mean(h) / 1e3, "p50_us", us(stats_hist_quantile(h, 0.5)),
                     "p90_us", us(stats_hist_quantile(h, 0.9)), "p99_us", us(stats_hist_quantile(h, 0.99)), "p999_us",
                     us(stats_hist_quantile(h, 0.999)), "max_us", us(h->max), "bins_from_us_count", bins);
}

/* Where, with what and in what company it was measured. */
static json_t *context_json(const struct latency_options *o)
{
    struct utsname system = {0};
    char processor[128] = "", date[32] = "";
    int zmq[3] = {0};
    double load[3] = {NAN, NAN, NAN};
    const time_t now = time(NULL);
    struct tm utc;
    uname(&system);
    zmq_version(&zmq[0], &zmq[1], &zmq[2]);
    latency_processor(processor, sizeof processor);
    strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &utc));
    json_t *arguments = json_array();
    for (int i = 0; i < o->argc; i++) {
        json_array_append_new(arguments, json_string(o->argv[i]));
    }
    json_t *context =
        json_pack("{s:s, s:s, s:i, s:s, s:s, s:o, s:o, s:s}", "host", system.nodename, "processor", processor,
                  "processors", (int)sysconf(_SC_NPROCESSORS_ONLN), "kernel", system.release, "date", date, "libzmq",
                  json_sprintf("%d.%d.%d", zmq[0], zmq[1], zmq[2]), "arguments", arguments, "tutti", TUTTI_VERSION);
    if (context && getloadavg(load, 3) == 3) {
        json_object_set_new(context, "load", json_pack("[f, f, f]", load[0], load[1], load[2]));
    }
    return context;
}

/* null where a quantile falls among blocks never answered. */
static void correct_block_json(json_t *block, const struct latency_result *r)
{
    static const char *const names[] = {"p50_us", "p90_us", "p99_us", "p999_us"};
    for (int q = 0; q < N_QUANTILES; q++) {
        json_object_set_new(block, names[q], json_file_number(latency_block_quantile_us(r, quantiles[q])));
    }
    json_object_set_new(block, "never_answered", json_integer((json_int_t)(r->lost + r->skipped)));
}

static json_t *result_json(const struct latency_options *o, const struct latency_result *r)
{
    char up[8], down[8];
    json_t *series = json_object();
    for (int s = 0; s < LATENCY_N_SERIES; s++) {
        json_object_set_new(series, latency_series_name((enum latency_series)s), series_json(&r->ns[s]));
    }
    json_t *root =
        json_pack("{s:i, s:i, s:i, s:i, s:s, s:s, s:f, s:f, s:f, s:f}", "aps", o->aps, "antennas", o->antennas, "users",
                  o->users, "subbands", o->subbands, "uplink_encoding",
                  encoding_text(&o->encoding, o->encoding.uplink_encoding, up), "downlink_encoding",
                  encoding_text(&o->encoding, o->encoding.downlink_encoding, down), "interval_us", o->interval_us,
                  "budget_us", o->budget_us, "on_time_us", o->on_time_us, "busy_poll_us", o->encoding.busy_poll_us);
    json_t *counts =
        json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "sent", (json_int_t)r->sent, "early",
                  (json_int_t)r->early, "on_time", (json_int_t)r->on_time, "late", (json_int_t)r->late,
                  "nof_dropped_messages", (json_int_t)r->lost, "skipped", (json_int_t)r->skipped, "bytes_up",
                  (json_int_t)r->bytes_up, "bytes_down", (json_int_t)r->bytes_down, "message_up_bytes",
                  (json_int_t)r->message_up_bytes, "message_down_bytes", (json_int_t)r->message_down_bytes);
    json_t *clock = json_pack("{s:b, s:f, s:f, s:f, s:f}", "same_clock", r->same_clock, "offset_us", r->offset_us,
                              "offset_least_us", r->offset_least_us, "offset_most_us", r->offset_most_us,
                              "offset_uncertainty_us", r->offset_uncertainty_us);
    json_object_update(root, counts);
    json_decref(counts);
    correct_block_json(json_object_get(series, latency_series_name(LATENCY_BLOCK)), r);
    json_object_set_new(root, "context", context_json(o));
    json_object_set_new(root, "elapsed_s", json_real(r->elapsed_s));
    json_object_set_new(root, "average_latency_us", json_real(stats_hist_mean(&r->ns[LATENCY_BLOCK]) / 1e3));
    json_object_set_new(root, "max_latency_us", json_real(us(r->ns[LATENCY_BLOCK].max)));
    json_object_set_new(root, "probe_cpu_s", json_real(r->probe_cpu_s));
    json_object_set_new(root, "server_cpu_s", json_file_number(r->server_cpu_s));
    json_object_set_new(root, "clock", clock);
    json_object_set_new(root, "series", series);
    return root;
}

static int cannot_write(const char *path)
{
    return error_set(TUTTI_EIO, "cannot write %s: %s", path, strerror(errno));
}

static int write_json(const char *path, const struct latency_options *o, const struct latency_result *r)
{
    json_t *root = result_json(o, r);
    const int failed = !root || json_dump_file(root, path, JSON_INDENT(1) | JSON_REAL_PRECISION(10));
    json_decref(root);
    return failed ? cannot_write(path) : TUTTI_OK;
}

static int write_csv(const char *path, const struct latency_result *r)
{
    FILE *file = fopen(path, "w");
    if (!file) {
        return cannot_write(path);
    }
    fputs("series,from_us,to_us,count\n", file);
    for (int s = 0; s < LATENCY_N_SERIES; s++) {
        for (int i = 0; i < STATS_HIST_BINS; i++) {
            if (r->ns[s].bin[i]) {
                fprintf(file, "%s,%.3f,%.3f,%" PRIu64 "\n", latency_series_name((enum latency_series)s),
                        us(stats_hist_edge(i)), us(stats_hist_edge(i + 1)), r->ns[s].bin[i]);
            }
        }
    }
    const bool bad = ferror(file);
    return fclose(file) || bad ? cannot_write(path) : TUTTI_OK;
}

/* x: 1 / (1 - q), so that every nine takes the same width. */
static void script_curve(FILE *script, const struct stats_hist *h)
{
    uint64_t seen = 0;
    for (int i = 0; i < STATS_HIST_BINS && h->count; i++) {
        if (!h->bin[i]) {
            continue;
        }
        const double from = 1.0 - (double)seen / (double)h->count;
        const uint64_t edge = stats_hist_edge(i + 1);
        fprintf(script, "%.9g %.3f\n", 1.0 / from, us(edge < h->max ? edge : h->max));
        seen += h->bin[i];
    }
    fputs("e\n", script);
}

static void script_plot(FILE *script, const struct latency_options *o, const struct latency_result *r)
{
    static const enum latency_series drawn[] = {LATENCY_UPLINK, LATENCY_GATHER, LATENCY_DOWNLINK, LATENCY_ROUND_TRIP,
                                                LATENCY_BLOCK};
    static const char *const colour[] = {"#1f77b4", "#8a939c", "#ff7f0e", "#2ca02c", "#111111"};
    enum { N = sizeof drawn / sizeof drawn[0] };
    char title[TEXT_ROOM];
    describe(o, title);
    fprintf(
        script,
        "set title '%s'\nset logscale xy\nset key on left top\nset ylabel 'latency, us'\nset xlabel 'share of blocks'\n"
        "set xrange [1:%g]\nset xtics ('0' 1, '50 %%%%' 2, '90 %%%%' 10, '99 %%%%' 100, '99.9 %%%%' 1000, '99.99 %%%%' "
        "1e4, "
        "'99.999 %%%%' 1e5, '99.9999 %%%%' 1e6)\nplot ",
        title, fmax(100.0, (double)r->ns[LATENCY_BLOCK].count));
    for (int i = 0; i < N; i++) {
        fprintf(script, "'-' using 1:2 with steps lw 2 lc rgb '%s' title '%s', ", colour[i],
                i == N - 1   ? "block"
                : i == N - 2 ? "round trip"
                             : latency_series_name(drawn[i]));
    }
    fprintf(script, "%g with lines dt 2 lc rgb '#d62728' title 'budget'\n", o->budget_us);
    for (int i = 0; i < N; i++) {
        script_curve(script, &r->ns[drawn[i]]);
    }
}

static int write_plot(const char *path, const struct latency_options *o, const struct latency_result *r)
{
    plot_t *plot = NULL;
    int status = plot_create(&plot);
    const int number = status < 0 ? 0 : plot_begin(plot, 900, 520);
    if (status == TUTTI_OK) {
        script_plot(plot_script(plot), o, r);
        status = plot_draw(plot);
    }
    FILE *file = status == TUTTI_OK ? fopen(path, "w") : NULL;
    if (status == TUTTI_OK && !file) {
        status = cannot_write(path);
    }
    if (file) {
        fprintf(file, "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n%s\n", plot_svg(plot, number));
        if (fclose(file)) {
            status = cannot_write(path);
        }
    }
    plot_destroy(plot);
    return status;
}

int latency_write_files(const struct latency_options *o, const struct latency_result *r)
{
    int status = o->json ? write_json(o->json, o, r) : TUTTI_OK;
    if (status == TUTTI_OK && o->csv) {
        status = write_csv(o->csv, r);
    }
    if (status == TUTTI_OK && o->plot) {
        status = write_plot(o->plot, o, r);
    }
    return status;
}
