/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tutti sync-check: how the access points of a running network, or those of a recording at its end, stand to the
 * network's time and phase; a verdict per access point and what to do next. */
#include "base/clock.h"
#include "base/config.h"
#include "base/error.h"
#include "base/frame.h"
#include "base/h5file.h"
#include "tools/contained.h"
#include "tools/file_kind.h"
#include "tools/observer.h"
#include "tools/terminal/table.h"
#include "tools/tool.h"
#include "tools/words.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static const char help[] =
    "Usage: tutti sync-check --config FILE [--set KEY=VALUE]...\n"
    "       tutti sync-check RUN.h5\n"
    "\n"
    "How the access points stand to the network's time and phase (docs/synchronisation.md). Of a running network (FILE "
    "is\n"
    "its network file; for one started by `tutti run`, DIR/config.yaml): reference, state, carrier offset and drift,\n"
    "beacon, error of the effective channel, and per access point a verdict and the next step; with a shared clock "
    "and\n"
    "a frame that begins with B3, whether each hears the reference when and where it should. Of a recording: what\n"
    "happened. Exit status 0: all are in step.\n"
    "\n"
    "  tutti sync-check --config run-x/config.yaml\n"
    "  tutti sync-check run-x/run.h5\n";

static const uint64_t PATIENCE_NS = 5000000000u;
static const double WEAK_DB = 10, MISFIT = 2;
/* One pulse for all: what cables and ways through the air (some 50 m) add, or half a sample and what it is measured to;
 * one 10 MHz: nothing, but for what oscillators' loops and the measurement leave. */
static const double PULSE_SAMPLES = 0.75, PULSE_S = 0.3e-6, CLOCK_HZ = 2;

static double number_of(const json_t *one, const char *name)
{
    const json_t *const value = json_object_get(one, name);
    return json_is_number(value) ? json_number_value(value) : NAN;
}

static bool is_state(const json_t *one, const char *state)
{
    const char *const text = json_string_value(json_object_get(one, "state"));
    return text && strcmp(text, state) == 0;
}

/* What to do about an access point; NULL: nothing, it is in step. */
static const char *next_step(const json_t *one)
{
    if (is_state(one, "reference") || is_state(one, "shared")) {
        return NULL;
    }
    if (is_state(one, "away")) {
        return "not there";
    }
    if (is_state(one, "searching")) {
        return "no beacon: is the reference on the air, are power, gains and antennas right?";
    }
    if (is_state(one, "lost") || is_state(one, "hold")) {
        return "the reference is not heard any more: is it still there?";
    }
    if (number_of(one, "misfit") > MISFIT) {
        return "its phase moves more than sync.linewidth_hz says: set it higher, or use a better oscillator";
    }
    if (is_state(one, "acquired")) {
        return "still learning: look again in a second";
    }
    return number_of(one, "snr_db") < WEAK_DB ? "in step, but the beacon is weak: more gain, or another reference"
                                              : NULL;
}

static bool is_in_step(const json_t *one)
{
    return is_state(one, "reference") || is_state(one, "shared") || is_state(one, "locked");
}

static void cell(table_t *table, const json_t *one, const char *name, double unit, int decimals)
{
    table_number(table, decimals, number_of(one, name) * unit); /* the reference has none */
}

/* Returns how many are not in step. */
static int print_live(const json_t *sync)
{
    int n_out = 0;
    static const char *const heads[] = {"AP",     "state",      "CFO Hz", "drift ppm", "delay samples",
                                        "SNR dB", "error mrad", "misfit", "heard",     "missed",
                                        NULL};
    table_t *const table = table_create(NULL, heads);
    for (size_t ap = 0; ap < json_array_size(sync); ap++) {
        const json_t *const one = json_array_get(sync, ap);
        table_cell(table, "%zu", ap);
        table_cell(table, "%s", json_string_value(json_object_get(one, "state")));
        cell(table, one, "cfo_hz", 1, 2);
        cell(table, one, "drift_ppm", 1, 4);
        cell(table, one, "delay_samples", 1, 3);
        cell(table, one, "snr_db", 1, 1);
        cell(table, one, "error_rad", 1e3, 1);
        cell(table, one, "misfit", 1, 2);
        cell(table, one, "heard", 1, 0);
        cell(table, one, "missed", 1, 0);
        n_out += !is_in_step(one);
    }
    table_print(table, stdout);
    table_destroy(table);
    for (size_t ap = 0; ap < json_array_size(sync); ap++) {
        const char *const step = next_step(json_array_get(sync, ap));
        if (step) {
            printf("AP %zu: %s\n", ap, step);
        }
    }
    return n_out;
}

/* One clock for all ------------------------------------------------------------------------------------------------ */

/* What hearing the reference's beacon says of an access point (ap_node/pulse.h). */
struct heard {
    bool there, measured;
    double late_samples, off_hz;        /* of the access point against the reference */
    double most_samples, moved_samples; /* the latter: its time, by calibration */
};

static struct heard heard_of(const struct config *config, const json_t *one)
{
    const double rate = config->frame.sample_rate_hz;
    struct heard h = {.there = one && !is_state(one, "away"),
                      .late_samples = -number_of(one, "delay_samples"),
                      .off_hz = -number_of(one, "cfo_hz"),
                      .most_samples = fmax(PULSE_SAMPLES, PULSE_S * rate),
                      .moved_samples = number_of(one, "moved_samples")};
    h.measured = h.there && isfinite(h.late_samples) && isfinite(h.off_hz);
    return h;
}

static bool has_pulse(const struct heard *h)
{
    return fabs(h->late_samples) <= h->most_samples;
}

static bool has_clock(const struct heard *h)
{
    return fabs(h->off_hz) <= CLOCK_HZ;
}

/* True: in step. */
static bool print_verdict(int ap, const struct heard *h)
{
    printf("AP %d: ", ap);
    if (!h->there) {
        printf("not there\n");
    } else if (!h->measured) {
        printf("not verified: the reference's beacon is not heard within a symbol of its time. A pulse that is not the "
               "same? Else: is the reference on the air, are power, gains and antennas right?\n");
    } else if (has_pulse(h) && has_clock(h)) {
        printf("verified: within %.2f samples, %.2f Hz", fabs(h->late_samples), fabs(h->off_hz));
        if (fabs(h->moved_samples) > 0) {
            printf(", since calibration moved its time by %+.0f samples", h->moved_samples);
        }
        printf("\n");
        return true;
    } else {
        printf("NOT in step:");
        if (!has_pulse(h)) {
            printf(" %.1f samples %s: does it get the same pulse?", fabs(h->late_samples),
                   h->late_samples > 0 ? "late" : "early");
        }
        if (!has_clock(h)) {
            printf(" %.1f Hz too %s: does it get the same 10 MHz?", fabs(h->off_hz), h->off_hz > 0 ? "high" : "low");
        }
        printf("\n");
    }
    return false;
}

static void print_heard(const json_t *sync, int reference)
{
    static const char *const heads[] = {"AP", "late samples", "off Hz", "SNR dB", "heard", "missed", "moved", NULL};
    table_t *const table = table_create(NULL, heads);
    for (size_t ap = 0; ap < json_array_size(sync); ap++) {
        const json_t *const one = json_array_get(sync, ap);
        table_cell(table, "%zu%s", ap, (int)ap == reference ? " (reference)" : "");
        cell(table, one, "delay_samples", -1, 2);
        cell(table, one, "cfo_hz", -1, 2);
        cell(table, one, "snr_db", 1, 1);
        cell(table, one, "heard", 1, 0);
        cell(table, one, "missed", 1, 0);
        cell(table, one, "moved_samples", 1, 0); /* its time, by calibration */
    }
    table_print(table, stdout);
    table_destroy(table);
}

/* All are off, and alike: then it is the reference that is off. */
static bool are_off_alike(const struct config *config, int reference, const json_t *sync)
{
    struct heard first = {.measured = false};
    int n = 0;
    for (int ap = 0; ap < config->network.n_ap; ap++) {
        const struct heard h = heard_of(config, json_array_get(sync, (size_t)ap));
        if (ap == reference) {
            continue;
        }
        if (!h.measured || (has_pulse(&h) && has_clock(&h))) {
            return false;
        }
        first = n++ == 0 ? h : first;
        if (fabs(h.late_samples - first.late_samples) > h.most_samples || fabs(h.off_hz - first.off_hz) > CLOCK_HZ) {
            return false;
        }
    }
    return n > 1;
}

/* Returns how many are not in step. */
static int print_verified(const struct config *config, int reference, const json_t *sync)
{
    int n_out = 0;
    print_heard(sync, reference);
    for (int ap = 0; ap < config->network.n_ap; ap++) {
        const struct heard h = heard_of(config, json_array_get(sync, (size_t)ap));
        n_out += ap != reference && !print_verdict(ap, &h);
    }
    if (are_off_alike(config, reference, sync)) {
        printf("All are off alike: it is access point %d, the reference, that is off.\n", reference);
    }
    return n_out;
}

/* Not all have told what they hear. */
static bool is_early(const struct config *config, int reference, const json_t *sync)
{
    for (int ap = 0; ap < config->network.n_ap; ap++) {
        const struct heard h = heard_of(config, json_array_get(sync, (size_t)ap));
        if (ap != reference && !h.measured) {
            return true;
        }
    }
    return false;
}

/* The radios prove their sources when they are opened; whether those are the same ones only beacons tell. */
static bool print_sources(const struct config *config, json_int_t n_there)
{
    const struct config_radio *const radio = config_radio_of(config, CONFIG_ROLE_AP, 0);
    printf("sync.mode shared: %" JSON_INTEGER_FORMAT " of %d access points are there. ", n_there, config->network.n_ap);
    if (config_has_emulated(config)) {
        printf("Emulated air: one clock, with the offsets that air.impairments asks for.\n");
    } else if (radio->clock_source[0] && radio->time_source[0] && strcmp(radio->time_source, "internal") != 0) {
        printf("Clock %s, time %s: each radio has proved its lock and its PPS, or would not have started.\n",
               radio->clock_source, radio->time_source);
    } else {
        printf("Clock and time are the radios' own: nothing keeps them together. Next: radio.ap.clock_source and "
               "time_source external, or sync.mode air.\n");
        return false;
    }
    return true;
}

/* As hear; waits: what is not there yet is waited for. */
static int print_shared(const struct config *config, const json_t *status, bool waits)
{
    struct frame frame;
    struct frame_fault fault;
    const int reference = frame_plan(&frame, config, &fault) == 0 ? frame.beacon_ap : -1;
    const json_t *const sync = json_object_get(status, "sync");
    const json_int_t n_there = json_integer_value(json_object_get(status, "aps_alive"));
    if (reference >= 0 && waits && is_early(config, reference, sync)) {
        return 0;
    }
    const bool has_sources = print_sources(config, n_there);
    if (reference < 0) {
        printf("Not heard: in a frame that begins with B3, with a sync.reference_ap that is there, access points hear "
               "whether they have the same pulse and the "
               "same 10 MHz.\n");
    }
    const int n_out = reference >= 0 ? print_verified(config, reference, sync) : 0;
    return has_sources && n_out == 0 && n_there >= config->network.n_ap ? 1 : 2;
}

/* Of a running network --------------------------------------------------------------------------------------------- */

/* 0: not yet; 1: all are in step; 2: not all. */
static int hear(const struct config *config, const char *text, bool waits)
{
    json_t *root = json_loads(text, 0, NULL);
    const char *type = json_string_value(json_object_get(root, "type"));
    const json_t *const sync = json_object_get(root, "sync");
    int answer = 0;
    if (type && strcmp(type, "status") == 0) {
        if (config->sync.mode == CONFIG_SYNC_AIR && sync) {
            printf("sync.mode air: access point %d is the reference, linewidth taken to be %g Hz\n\n",
                   config->sync.reference_ap, config->sync.linewidth_hz);
            answer = print_live(sync) > 0 ? 2 : 1;
        } else if (config->sync.mode == CONFIG_SYNC_SHARED) {
            answer = print_shared(config, root, waits);
        }
    }
    json_decref(root);
    return answer;
}

/* Until the first status that tells; as hear, or negative. */
static int listen_to(fh_peer_t *peer, const struct config *config)
{
    const uint64_t from_ns = clock_mono_ns();
    struct fh_event event;
    for (int answer = 0; answer == 0;) {
        const uint64_t waited_ns = clock_mono_ns() - from_ns;
        if (waited_ns > PATIENCE_NS) {
            break;
        }
        const int status = fh_peer_wait(peer, -1, 100000, &event);
        if (status < 0 || event.kind == FH_EVENT_REFUSED) {
            return TUTTI_EREFUSED;
        }
        answer =
            event.kind == FH_EVENT_CONTROL ? hear(config, (const char *)event.data, waited_ns < PATIENCE_NS / 2) : 0;
        if (answer != 0) {
            return answer;
        }
    }
    return error_set(TUTTI_ETIMEOUT, "%s: no running network tells of synchronisation there",
                     config->fronthaul.lab_endpoint);
}

static int ask(const struct config *config)
{
    fh_peer_t *peer = NULL;
    int status = observer_create(&peer, config);
    status = status < 0 ? status : listen_to(peer, config);
    fh_peer_destroy(peer);
    return status;
}

/* Of a recording ------------------------------------------------------------------------------------------------- */

enum { TEXT_BYTES = 160 };

/* Lines of the time line that are about it; the last one about each access point decides. 1, 2 as hear. */
static int tell_events(h5file_t *file, uint64_t n)
{
    enum { MOST_AP = 512 };
    bool out[MOST_AP] = {false};
    int n_told = 0, n_out = 0;
    for (uint64_t i = 0; i < n; i++) {
        char text[TEXT_BYTES + 1], shown[TEXT_BYTES + 1];
        uint64_t block;
        int ap = 0;
        if (h5file_read_texts(file, "/events/text", i, 1, sizeof text, text) < 0 ||
            h5file_read_entry(file, "/events/block", H5_U64, i, &block) < 0) {
            return TUTTI_EFORMAT;
        }
        if (strncmp(text, "SYNC-", 5) != 0 && strncmp(text, "CALIB", 5) != 0) {
            continue;
        }
        printf("block %8llu  %s\n", (unsigned long long)block, tool_printable(text, shown, sizeof shown));
        n_told += text[0] == 'S';
        if (sscanf(text, "SYNC-%*s ap=%d", &ap) == 1 && ap >= 0 && ap < MOST_AP) {
            out[ap] = strncmp(text, "SYNC-LOCKED", 11) != 0 && strncmp(text, "SYNC-REFERENCE", 14) != 0;
        }
    }
    for (int ap = 0; ap < MOST_AP; ap++) {
        n_out += out[ap];
    }
    printf(n_told == 0  ? "One clock for all: nothing was synchronised over the air.\n"
           : n_out == 0 ? "All were in step at the end.\n"
                        : "%d access points were not in step at the end: is the reference heard there?\n",
           n_out);
    return n_out > 0 ? 2 : 1;
}

static int answer_status(int answer)
{
    return answer < 0 ? tool_fault("sync-check") : answer == 1 ? TOOL_OK : TOOL_FAILED;
}

/* In a child: the file may be a damaged one. */
static int read_recording(void *context)
{
    h5file_t *file = NULL;
    struct h5_info info;
    const char *const *const path = context;
    int status = h5file_open(&file, *path);
    status = status < 0 ? status : h5file_info(file, "/events/text", &info);
    const uint64_t n = status >= 0 && info.rank > 0 ? info.dims[0] : 0;
    status =
        status < 0 ? status : h5file_check_claim(file, "/events", n * (n < UINT64_MAX / TEXT_BYTES ? TEXT_BYTES : 1));
    status = status < 0 ? status : tell_events(file, n);
    h5file_close(file);
    return answer_status(status);
}

static int check_recording(const char *path)
{
    if (file_kind_check(path) < 0) {
        return tool_fault("sync-check");
    }
    return contained_run(
        &(struct contained){.command = "sync-check", .path = path, .body = read_recording, .context = &path});
}

/* 0, 1 after --help, or TOOL_USAGE. */
static int parse(struct config_options *options, const char **recording, int argc, char **argv)
{
    const struct tool_words words = {.command = "sync-check", .help = help, .common = options, .rest = recording};
    const int status = tool_words_take(&words, argc, argv);
    return status || (options->path != NULL) != (*recording != NULL)
               ? status
               : tool_usage_error("sync-check", "either --config FILE or a recording is needed");
}

int tool_sync_check(int argc, char **argv)
{
    struct config_options options = {0};
    struct config *config = NULL;
    const char *recording = NULL;
    int status = parse(&options, &recording, argc, argv);
    if (status == 1) {
        status = TOOL_OK;
    } else if (status == 0 && recording) {
        status = check_recording(recording);
    } else if (status == 0) {
        const int answer = config_load(&config, options.path, options.overrides, options.n_overrides);
        status = answer_status(answer < 0 ? answer : ask(config));
    }
    config_free(config);
    config_options_free(&options);
    return status;
}
