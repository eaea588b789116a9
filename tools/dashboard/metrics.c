/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tools/dashboard/metrics.h"

#include "fronthaul/wire.h"

#include <string.h>

/* X(enumerator, name, type, labels, help). Base units, counters end in _total, as promtool wants it. */
#define METRIC_MAP(X)                                                                                                  \
    X(BUILD, "tutti_build_info", "gauge", "version", "1, labelled with the version of this program")                   \
    X(UP, "tutti_central_node_up", "gauge", "", "1 while the central node is connected")                               \
    X(BLOCKS, "tutti_blocks_total", "counter", "scheme", "Coherence blocks solved")                                    \
    X(REASONS, "tutti_block_reason_total", "counter", "reason", "Blocks by the reason of their scheme")                \
    X(ARRIVALS, "tutti_precoders_total", "counter", "ap,arrival", "AP-blocks by the arrival of their precoder")        \
    X(APPLIED, "tutti_precoders_applied_total", "counter", "ap,kind", "AP-blocks by what was sent")                    \
    X(HOPS, "tutti_hop_latency_seconds", "histogram", "hop", "Time that a block spends on each hop")                   \
    X(AP_UP, "tutti_ap_up", "gauge", "ap", "1 while the access point is connected")                                    \
    X(NOISE, "tutti_ap_noise_power_dbfs", "gauge", "ap", "Noise power per subcarrier below full scale")                \
    X(EVENTS, "tutti_radio_events_total", "counter", "ap,event", "Underruns, overruns, dropped, sequence, late")       \
    X(SYNC_CFO, "tutti_ap_sync_offset_hertz", "gauge", "ap",                                                           \
      "Carrier offset of the reference against the access point")                                                      \
    X(SYNC_ERROR, "tutti_ap_sync_error_radians", "gauge", "ap", "Phase error of its channel by its loop's own figure") \
    X(SYNC_SNR, "tutti_ap_sync_beacon_snr_db", "gauge", "ap", "Beacon of the reference per antenna and subcarrier")    \
    X(SYNC_DRIFT, "tutti_ap_sync_drift_ppm", "gauge", "ap",                                                            \
      "Sample clock of the reference against the access point's")                                                      \
    X(SYNC_MISSED, "tutti_ap_sync_beacons_missed_total", "counter", "ap", "Beacons that it did not hear")              \
    X(USER_UP, "tutti_user_up", "gauge", "user", "1 while the user is connected")                                      \
    X(SINR, "tutti_user_sinr_db", "gauge", "user", "Newest measured SINR")                                             \
    X(PREDICTED, "tutti_user_sinr_predicted_db", "gauge", "user", "Newest predicted SINR, mean over subbands")         \
    X(EVM, "tutti_user_evm_ratio", "gauge", "user", "Newest error vector magnitude")                                   \
    X(CODE_BLOCKS, "tutti_user_code_blocks_total", "counter", "user,result", "Code blocks decoded")                    \
    X(UPLINK_SINR, "tutti_user_uplink_sinr_db", "gauge", "user", "Newest measured SINR of its uplink data")            \
    X(UPLINK_BLOCKS, "tutti_user_uplink_code_blocks_total", "counter", "user,result",                                  \
      "Code blocks of its uplink data")                                                                                \
    X(SECRECY, "tutti_user_secrecy_spectral_efficiency", "gauge", "user", "Measured secrecy rate, bit per symbol")     \
    X(ATTACK, "tutti_attack_suspected", "gauge", "user", "1 while a pilot attack on the user is suspected")

enum metric {
#define METRIC_ENUM(id, ...) METRIC_##id,
    METRIC_MAP(METRIC_ENUM)
#undef METRIC_ENUM
};
static const struct metric_row {
    const char *name, *type, *labels, *help;
} ROWS[] = {
#define METRIC_ROW(id, name, type, labels, help) {name, type, labels, help},
    METRIC_MAP(METRIC_ROW)
#undef METRIC_ROW
};

static const char *const SENT[WIRE_SENT_LOST] = {"unknown", "fresh", "stale", "local_cb",
                                                 "mute",    "late",  "cut",   "missed"};
static const char *const ARRIVAL[4] = {"none", "early", "on_time", "late"};
static const char *const EVENT[5] = {"underrun", "overrun", "dropped", "sequence", "late"};

static void head(FILE *out, enum metric metric)
{
    fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", ROWS[metric].name, ROWS[metric].help, ROWS[metric].name,
            ROWS[metric].type);
}

/* A label's value: backslash, quote and line break escaped. */
static void label(FILE *out, const char *name, const char *value)
{
    fprintf(out, "%s=\"", name);
    for (; *value; value++) {
        if (*value == '\\' || *value == '"') {
            fputc('\\', out);
        }
        fputs(*value == '\n' ? "\\n" : (char[]){*value, '\0'}, out);
    }
    fputc('"', out);
}

static void one(FILE *out, enum metric metric, const char *name, const char *value, double number)
{
    fprintf(out, "%s{", ROWS[metric].name);
    label(out, name, value);
    fprintf(out, "} %.17g\n", number);
}

static void by_word(FILE *out, enum metric metric, const char *name, const json_t *counts)
{
    const char *word;
    json_t *count;
    head(out, metric);
    json_object_foreach((json_t *)(uintptr_t)counts, word, count)
    {
        one(out, metric, name, word, json_number_value(count));
    }
}

/* A number or a truth of every AP or user that has it. */
static void of_each(FILE *out, enum metric metric, const char *who, const json_t *all, const char *member)
{
    const json_t *each;
    size_t i;
    head(out, metric);
    json_array_foreach((json_t *)(uintptr_t)all, i, each)
    {
        const json_t *const value = json_object_get(each, member);
        if (json_is_number(value) || json_is_boolean(value)) {
            char id[24];
            snprintf(id, sizeof id, "%zu", i);
            one(out, metric, who, id, json_is_boolean(value) ? json_is_true(value) : json_number_value(value));
        }
    }
}

/* An array of counts of every AP, from word `first` on. */
static void of_each_ap(FILE *out, enum metric metric, const json_t *all, const char *member, const char *name,
                       const char *const *words, size_t first, size_t n)
{
    const json_t *each;
    size_t i;
    head(out, metric);
    json_array_foreach((json_t *)(uintptr_t)all, i, each)
    {
        for (size_t w = first; w < n && json_is_object(each); w++) {
            fprintf(out, "%s{ap=\"%zu\",%s=\"%s\"} %.17g\n", ROWS[metric].name, i, name, words[w],
                    json_number_value(json_array_get(json_object_get(each, member), w)));
        }
    }
}

static void code_blocks(FILE *out, enum metric metric, const json_t *users, const char *blocks, const char *errors)
{
    const json_t *each;
    size_t i;
    head(out, metric);
    json_array_foreach((json_t *)(uintptr_t)users, i, each)
    {
        const double all = json_number_value(json_object_get(each, blocks)),
                     wrong = json_number_value(json_object_get(each, errors));
        if (json_object_get(each, blocks)) {
            fprintf(out, "%s{user=\"%zu\",result=\"right\"} %.17g\n%s{user=\"%zu\",result=\"wrong\"} %.17g\n",
                    ROWS[metric].name, i, all - wrong, ROWS[metric].name, i, wrong);
        }
    }
}

/* edges: upper ends of all buckets but the last, us. */
static void histograms(FILE *out, const json_t *hops, const json_t *edges)
{
    const char *const name = ROWS[METRIC_HOPS].name, *hop;
    json_t *value;
    head(out, METRIC_HOPS);
    json_object_foreach((json_t *)(uintptr_t)hops, hop, value)
    {
        const json_t *const buckets = json_object_get(value, "buckets");
        double sum = 0;
        for (size_t edge = 0; edge < json_array_size(buckets); edge++) {
            char le[32] = "+Inf";
            sum += json_number_value(json_array_get(buckets, edge));
            if (edge + 1 < json_array_size(buckets)) {
                snprintf(le, sizeof le, "%g", 1e-6 * json_number_value(json_array_get(edges, edge)));
            }
            fprintf(out, "%s_bucket{", name);
            label(out, "hop", hop);
            fprintf(out, ",le=\"%s\"} %.17g\n", le, sum);
        }
        fprintf(out, "%s_sum{", name);
        label(out, "hop", hop);
        fprintf(out, "} %.17g\n%s_count{", json_number_value(json_object_get(value, "sum_s")), name);
        label(out, "hop", hop);
        fprintf(out, "} %.17g\n", sum);
    }
}

void metrics_print(const struct dashboard_state *state, FILE *out)
{
    const json_t *const s = state->status, *const ap = state->ap, *const user = state->user;
    const json_t *const sync = json_object_get(s, "sync"); /* without a shared clock */
    head(out, METRIC_BUILD);
    one(out, METRIC_BUILD, "version", TUTTI_VERSION, 1);
    head(out, METRIC_UP);
    fprintf(out, "%s %d\n", ROWS[METRIC_UP].name, state->linked);
    by_word(out, METRIC_BLOCKS, "scheme", json_object_get(s, "scheme"));
    by_word(out, METRIC_REASONS, "reason", json_object_get(s, "reason"));
    of_each_ap(out, METRIC_ARRIVALS, ap, "arrival", "arrival", ARRIVAL, 1, 4);
    of_each_ap(out, METRIC_APPLIED, ap, "sent", "kind", SENT, 1, WIRE_SENT_LOST);
    histograms(out, json_object_get(s, "hops"), json_object_get(s, "edges_us"));
    of_each(out, METRIC_AP_UP, "ap", ap, "up");
    of_each(out, METRIC_NOISE, "ap", ap, "noise_dbfs");
    of_each_ap(out, METRIC_EVENTS, ap, "events", "event", EVENT, 0, 5);
    of_each(out, METRIC_SYNC_CFO, "ap", sync, "cfo_hz");
    of_each(out, METRIC_SYNC_ERROR, "ap", sync, "error_rad");
    of_each(out, METRIC_SYNC_SNR, "ap", sync, "snr_db");
    of_each(out, METRIC_SYNC_DRIFT, "ap", sync, "drift_ppm");
    of_each(out, METRIC_SYNC_MISSED, "ap", sync, "missed");
    of_each(out, METRIC_USER_UP, "user", user, "up");
    of_each(out, METRIC_SINR, "user", user, "sinr_db");
    of_each(out, METRIC_PREDICTED, "user", user, "predicted_db");
    of_each(out, METRIC_EVM, "user", user, "evm");
    code_blocks(out, METRIC_CODE_BLOCKS, user, "code_blocks", "errors");
    of_each(out, METRIC_UPLINK_SINR, "user", user, "uplink_db");
    code_blocks(out, METRIC_UPLINK_BLOCKS, user, "uplink_code_blocks", "uplink_errors");
    of_each(out, METRIC_SECRECY, "user", user, "secrecy");
    of_each(out, METRIC_ATTACK, "user", user, "suspected");
}

void metrics_document(FILE *out)
{
    fputs("# Metrics\n\n`tutti dashboard --config NET.yaml` serves them at `/metrics` in Prometheus' text format; "
          "`examples/prometheus.yml`\nscrapes them. This page is what `tutti dashboard --metrics` prints.\n\n"
          "| metric | type | labels | what |\n|---|---|---|---|\n",
          out);
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        fprintf(out, "| `%s` | %s | %s | %s |\n", ROWS[i].name, ROWS[i].type, ROWS[i].labels, ROWS[i].help);
    }
    fputs("\nBuckets of the histogram: 50, 100, 200, 500 us, 1, 2, 5, 10, 20, 50 ms. Hops are those of latency.md. "
          "Counters "
          "begin anew with\nthe central node.\n",
          out);
}
