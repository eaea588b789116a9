/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the nodes and the central node must have in common, as text: one key a line, meanings and not spellings. */
#include "base/config_internal.h"
#include "base/frame.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static void write_frame(FILE *out, const struct config *config)
{
    const struct config_frame *const f = &config->frame;
    char letters[TUTTI_MAX_SYMBOL + 1];
    config_schedule_expand(f->schedule, letters, sizeof(letters)); /* config_check saw to it */
    fprintf(out, "frame.sample_rate_hz: %.17g\nframe.fft_size: %d\nframe.n_used_subcarriers: %d\n", f->sample_rate_hz,
            f->fft_size, f->n_used_subcarriers);
    fprintf(out, "frame.n_cp_samples: %d\nframe.block_us: %.17g\nframe.schedule: %s\n", f->n_cp_samples, f->block_us,
            letters);
    fprintf(out, "frame.n_dl_pilot_symbols: %d\nframe.subcarriers_per_subband: %d\n", f->n_dl_pilot_symbols,
            f->subcarriers_per_subband);
}

/* Who sends which sequence follows from these and from what the central node tells. */
static void write_scheduler(FILE *out, const struct config *config)
{
    const struct config_scheduler *const s = &config->scheduler;
    fprintf(out, "scheduler.n_served: %d\n", s->n_served);
    if (s->n_served > 0) {
        fprintf(out, "scheduler.sounding: %s\nscheduler.always:", config_rotates(config) ? "rotate" : "all");
        for (unsigned i = 0; i < s->always_count; i++) {
            fprintf(out, " %d", s->always[i]);
        }
        fputc('\n', out);
    }
}

static void write_pilots(FILE *out, const struct config *config)
{
    char letters[TUTTI_MAX_SYMBOL + 1];
    int n_pilot = 0;
    config_schedule_expand(config->frame.schedule, letters, sizeof(letters));
    for (const char *p = letters; *p; p++) {
        n_pilot += *p == 'P';
    }
    fprintf(out, "pilots.large_scale: %s\npilots.tracking_blocks: %d\npilots.assignment:",
            config->pilots.large_scale == CONFIG_LS_KNOWN ? "known" : "tracked", config->pilots.tracking_blocks);
    for (int k = 0; k < config->network.n_ue; k++) {
        fprintf(out, " %d", config->pilots.assignment_count ? config->pilots.assignment[k] : k % n_pilot);
    }
    fputc('\n', out);
}

/* What a number on the wire stands for in the air. */
static void write_radio(FILE *out, const char *key, const struct config_radio *radio)
{
    fprintf(out, "%s.tx_power_dbm: %.17g\n%s.noise_figure_db: %.17g\n", key, radio->tx_power_dbm, key,
            radio->noise_figure_db);
    fprintf(out, "%s.tx_full_scale_dbm: %.17g\n%s.rx_full_scale_dbm: %.17g\n", key, radio->tx_full_scale_dbm, key,
            radio->rx_full_scale_dbm);
}

static bool means_the_same(const struct config_radio *a, const struct config_radio *b)
{
    return a->tx_power_dbm == b->tx_power_dbm && a->noise_figure_db == b->noise_figure_db &&
           a->tx_full_scale_dbm == b->tx_full_scale_dbm && a->rx_full_scale_dbm == b->rx_full_scale_dbm;
}

static void write_radios(FILE *out, const struct config *config, enum config_role role, const char *name, int n)
{
    const struct config_radio *const common = config_radio_of(config, role, -1);
    char key[64];
    snprintf(key, sizeof(key), "radio.%s", name);
    write_radio(out, key, common);
    for (int id = 0; id < n; id++) {
        const struct config_radio *const own = config_radio_of(config, role, id);
        if (!means_the_same(own, common)) {
            snprintf(key, sizeof(key), "radio.%s_list[%d]", name, id);
            write_radio(out, key, own);
        }
    }
}

/* Only where there is one, so that fingerprints stay what they were. */
static void write_lag(FILE *out, const struct config *config)
{
    struct frame frame;
    struct frame_fault fault;
    if (frame_plan(&frame, config, &fault) == 0 && frame.lag_blocks > 0) {
        fprintf(out, "engine.tx_lead_us, in blocks from pilots to precoders: %d\n", frame.lag_blocks);
    }
}

/* Who sends which beacon; only where not all send every one, for the same reason. */
static void write_sync(FILE *out, const struct config *config)
{
    struct frame frame;
    struct frame_fault fault;
    if (config->sync.mode == CONFIG_SYNC_AIR) {
        fprintf(out, "sync.mode: air\nsync.reference_ap: %d\n", config->sync.reference_ap);
    } else if (frame_plan(&frame, config, &fault) == 0 && frame.beacon_ap >= 0) {
        fprintf(out, "sync.reference_ap: %d\n", frame.beacon_ap);
    }
}

/* The same: only where users send data. */
static void write_uplink(FILE *out, const struct config *config)
{
    static const char *const encodings[] = {"cf32", "sc16", "bfp"}, *const modes[] = {"none", "central", "local"};
    const struct config_uplink *const u = &config->uplink;
    if (u->mode == CONFIG_UPLINK_NONE) {
        return;
    }
    fprintf(out, "uplink.mode: %s\nuplink.modulation: qam%d\nuplink.encoding: %s\nuplink.streams: %s\n", modes[u->mode],
            4 << 2 * (int)u->modulation, encodings[u->encoding],
            config_uplink_per_user(config) ? "one per user" : "antennas");
    if (u->mode == CONFIG_UPLINK_LOCAL) {
        fprintf(out, "uplink.combiner: %s\n", u->combiner == CONFIG_COMBINER_MR ? "mr" : "mmse");
    }
    if (u->encoding == CONFIG_BFP) {
        fprintf(out, "uplink, fronthaul.mantissa_bits: %d\n", config->fronthaul.mantissa_bits);
    }
}

/* Streams of zones send pilots that everybody must know of; only where there are some. */
static void write_sensing(FILE *out, const struct config *config)
{
    if (config_n_zone(config) > 0) {
        fprintf(out, "sensing.zones_m, live: %d\n", config_n_zone(config));
    }
}

/* What all access points multiply each other's coefficients by, or nobody; only where it is not the default. */
static void write_calibration(FILE *out, const struct config *config)
{
    if (config->calibration.power == CONFIG_CALIBRATION_TOGETHER) {
        fprintf(out, "calibration.power: together\n");
    }
}

/* Who shares which sequence follows from these and from what the central node tells; only where users do. */
static void write_cluster(FILE *out, const struct config *config)
{
    if (config->cluster.enabled) {
        fprintf(out, "cluster.pilots: %d\n", config->cluster.pilots);
    }
}

/* Whose access points are whose; only where there are several central nodes. */
static void write_cpus(FILE *out, const struct config *config)
{
    const char *separator = "cpus, aps of each:";
    for (unsigned c = 0; c < config->cpus_count; c++) {
        fputs(separator, out);
        separator = " |";
        for (unsigned i = 0; i < config->cpus[c].aps_count; i++) {
            fprintf(out, " %d", config->cpus[c].aps[i]);
        }
    }
    fputs(config->cpus_count > 0 ? "\n" : "", out);
}

static void write_all(FILE *out, const struct config *config)
{
    static const char *const encodings[] = {"cf32", "sc16", "bfp"};
    const struct config_network *const n = &config->network;
    const struct config_fronthaul *const f = &config->fronthaul;
    fprintf(out, "network.n_ap: %d\nnetwork.n_ant: %d\nnetwork.n_ue: %d\nnetwork.seed: %" PRIu64 "\n", n->n_ap,
            n->n_ant, n->n_ue, n->seed);
    fprintf(out, "streams of a precoder message: %d\n", config_stream_room(config));
    write_frame(out, config);
    write_pilots(out, config);
    write_lag(out, config);
    write_sync(out, config);
    write_scheduler(out, config);
    write_uplink(out, config);
    write_cluster(out, config);
    write_cpus(out, config);
    write_sensing(out, config);
    write_calibration(out, config);
    fprintf(out, "payload.modulation: qam%d\npayload.max_code_block_bits: %d\n",
            4 << 2 * (int)config->payload.modulation, config->payload.max_code_block_bits);
    fprintf(out, "precoding.local: %s\nprecoding.subband: %s\nair.repeatable: %s\n",
            config->precoding.local ? "true" : "false",
            config->precoding.subband == CONFIG_SUBBAND_SMOOTH ? "smooth" : "flat",
            config_is_repeatable(config) ? "true" : "false");
    fprintf(out, "fronthaul.uplink_encoding: %s\nfronthaul.downlink_encoding: %s\n", encodings[f->uplink_encoding],
            encodings[f->downlink_encoding]);
    if (f->uplink_encoding == CONFIG_BFP || f->downlink_encoding == CONFIG_BFP) {
        fprintf(out, "fronthaul.mantissa_bits: %d\n", f->mantissa_bits);
    }
    write_radios(out, config, CONFIG_ROLE_AP, "ap", n->n_ap);
    write_radios(out, config, CONFIG_ROLE_UE, "ue", n->n_ue);
}

char *config_agreement(const struct config *config)
{
    char *text = NULL;
    size_t length;
    FILE *out = open_memstream(&text, &length);
    if (out) {
        write_all(out, config);
    }
    return config_finish_text(out, &text);
}

/* FNV-1a, 64 bits. */
static uint64_t hash_text(const char *text)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (; *text; text++) {
        hash = (hash ^ (unsigned char)*text) * 0x100000001b3u;
    }
    return hash;
}

uint64_t config_fingerprint(const struct config *config)
{
    char *const text = config_agreement(config);
    const uint64_t hash = text ? hash_text(text) : 0;
    free(text);
    return hash;
}

/* Comparing -------------------------------------------------------------------------------------------------------- */

struct line {
    const char *key, *value;
    int key_length, value_length;
};

static const char *next_line(const char *text)
{
    text += strcspn(text, "\n");
    return *text ? text + 1 : text;
}

static struct line parse_line(const char *text)
{
    const int length = (int)strcspn(text, "\n");
    const char *const colon = memchr(text, ':', (size_t)length);
    const int key = colon ? (int)(colon - text) : length;
    const int skip = colon ? key + 1 + (text[key + 1] == ' ') : length;
    return (struct line){.key = text, .key_length = key, .value = text + skip, .value_length = length - skip};
}

static bool find_line(const char *text, const struct line *wanted, struct line *found)
{
    for (; *text; text = next_line(text)) {
        *found = parse_line(text);
        if (found->key_length == wanted->key_length &&
            memcmp(found->key, wanted->key, (size_t)wanted->key_length) == 0) {
            return true;
        }
    }
    return false;
}

/* The first line of a that b has not, or has with another value. */
static bool first_difference(const char *a, const char *b, struct line *in_a, struct line *in_b)
{
    for (; *a; a = next_line(a)) {
        *in_a = parse_line(a);
        const bool found = find_line(b, in_a, in_b);
        if (!found) {
            *in_b = (struct line){.value = "nothing", .value_length = (int)strlen("nothing")};
        }
        if (!found || in_a->value_length != in_b->value_length ||
            memcmp(in_a->value, in_b->value, (size_t)in_a->value_length) != 0) {
            return true;
        }
    }
    return false;
}

enum { SHOWN = 60 }; /* of a value: what differs may lie behind it, the key says enough */

static int shown(int length)
{
    return length < SHOWN ? length : SHOWN;
}

bool config_agreement_differs(const char *ours, const char *theirs, char *sentence, size_t room)
{
    struct line our, their;
    bool differs = first_difference(ours, theirs, &our, &their);
    const struct line *key = &our;
    if (!differs) {
        differs = first_difference(theirs, ours, &their, &our);
        key = &their;
    }
    if (differs) {
        snprintf(sentence, room, "%.*s: '%.*s' there, '%.*s' here", shown(key->key_length), key->key,
                 shown(their.value_length), their.value, shown(our.value_length), our.value);
    }
    return differs;
}
