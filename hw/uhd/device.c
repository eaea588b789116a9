/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "hw/uhd/device.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/rt.h"
#include "hw/stream/thread.h"
#include "hw/stream/words.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

enum { POLL_MS = 20 };

/* libuhd 4.3 has a thread per board that looks for control messages every 0.1 ms, which costs more than the samples do.
 * Threads inherit how much later than asked for the system may wake them. */
static const unsigned long CONTROL_SLACK_NS = 500000;

int uhd_device_failed(const struct uhd_device *d, const char *what)
{
    char complaint[512] = "", line[200];
    d->api->get_last_error(complaint, sizeof complaint - 1);
    uhd_words_first_line(complaint, line, sizeof line);
    return error_set(TUTTI_EDEVICE, "radio '%s': %s: %s", d->name, what, line);
}

static uhd_error open_patiently(struct uhd_device *d, char *complaint, size_t room)
{
    uhd_error code = UHD_ERROR_NONE;
    for (int i = 1; i <= STREAM_OPEN_ATTEMPTS; i++) {
        code = d->api->usrp_make(&d->usrp, d->args);
        if (!code) {
            break;
        }
        d->api->get_last_error(complaint, room - 1);
        d->usrp = NULL;
        if (!stream_words_is_passing(complaint)) {
            break;
        }
        log_write(LOG_INFO, "radio", "NOT-HEARD args=%s attempt=%d of=%d", d->name, i, STREAM_OPEN_ATTEMPTS);
    }
    return code;
}

int uhd_device_make(struct uhd_device *d, const struct radio_settings *s)
{
    snprintf(d->name, sizeof d->name, "%s", s->args ? s->args : "");
    int status = uhd_words_args(s, d->args);
    status = status ? status : stream_words_channels(s->channels, s->n_ant, d->channel);
    status = status ? status : stream_words_multiple(d->args, &d->tick_multiple);
    status = status ? status : uhd_api_get(&d->api);
    if (status) {
        return status;
    }
    d->n_ant = s->n_ant;
    d->elastic = stream_words_number(d->args, "elastic", 0) > 0;
    const int slack_ns = prctl(PR_GET_TIMERSLACK);
    prctl(PR_SET_TIMERSLACK, CONTROL_SLACK_NS);
    char complaint[512] = "";
    const uhd_error code = open_patiently(d, complaint, sizeof complaint);
    prctl(PR_SET_TIMERSLACK, slack_ns);
    if (code) {
        return uhd_words_open_failed(d->name, (int)code, complaint);
    }
    size_t n_board = 0;
    if (d->api->usrp_get_num_mboards(d->usrp, &n_board) || n_board < 1 || n_board > UHD_MAX_BOARDS) {
        return uhd_device_failed(d, "cannot count its boards");
    }
    d->n_board = (int)n_board;
    return TUTTI_OK;
}

void uhd_device_close(struct uhd_device *d)
{
    if (d->usrp && d->gone) {
        stream_leave_at_once();
    } else if (d->usrp) {
        d->api->usrp_free(&d->usrp);
    }
    d->usrp = NULL;
}

/* Sensors ------------------------------------------------------------------------------------------------------- */

static uhd_error sensor_names(struct uhd_device *d, char kind, size_t which, uhd_string_vector_handle *names)
{
    return kind == 'm'   ? d->api->usrp_get_mboard_sensor_names(d->usrp, which, names)
           : kind == 'r' ? d->api->usrp_get_rx_sensor_names(d->usrp, which, names)
                         : d->api->usrp_get_tx_sensor_names(d->usrp, which, names);
}

/* libuhd 4.3 crashes after being asked for a sensor that does not exist. */
static bool has_sensor(struct uhd_device *d, char kind, const char *name, size_t which)
{
    uhd_string_vector_handle names = NULL;
    size_t n = 0;
    bool found = false;
    if (d->api->string_vector_make(&names)) {
        return false;
    }
    if (!sensor_names(d, kind, which, &names)) {
        d->api->string_vector_size(names, &n);
    }
    for (size_t i = 0; i < n; i++) {
        char text[64] = "";
        found = found || (!d->api->string_vector_at(names, i, text, sizeof text - 1) && strcmp(text, name) == 0);
    }
    d->api->string_vector_free(&names);
    return found;
}

/* One reading: as yes or no, or as a whole number if number is given. */
static bool read_sensor(struct uhd_device *d, char kind, const char *name, size_t which, int *number)
{
    uhd_sensor_value_handle value = NULL;
    bool yes = false;
    if (d->api->sensor_value_make_from_bool(&value, name, false, "yes", "no")) {
        return false;
    }
    const uhd_error code = kind == 'm'   ? d->api->usrp_get_mboard_sensor(d->usrp, name, which, &value)
                           : kind == 'r' ? d->api->usrp_get_rx_sensor(d->usrp, name, which, &value)
                                         : d->api->usrp_get_tx_sensor(d->usrp, name, which, &value);
    if (code) {
        return false; /* the handle dangles now (libuhd 4.3): it must not be freed */
    }
    if (number) {
        yes = !d->api->sensor_value_to_int(value, number);
    } else {
        d->api->sensor_value_to_bool(value, &yes);
    }
    d->api->sensor_value_free(&value);
    return yes;
}

bool uhd_device_gps_second(struct uhd_device *d, int64_t *second)
{
    int seconds = 0;
    if (!has_sensor(d, 'm', "gps_time", 0) || !read_sensor(d, 'm', "gps_time", 0, &seconds)) {
        return false;
    }
    *second = seconds;
    return seconds > 0;
}

int uhd_device_sensor(struct uhd_device *d, char kind, const char *name, size_t which, double wait_s)
{
    if (!has_sensor(d, kind, name, which)) {
        return -1;
    }
    const uint64_t until_ns = clock_mono_ns() + (uint64_t)(wait_s * 1e9);
    while (!read_sensor(d, kind, name, which, NULL)) {
        if (clock_mono_ns() >= until_ns || rt_stop_requested()) {
            return 0;
        }
        clock_sleep_until_ns(clock_mono_ns() + POLL_MS * 1000000ull);
    }
    return 1;
}

/* Sources ------------------------------------------------------------------------------------------------------- */

static bool word_given(const char *word)
{
    return word && *word;
}

static int set_sources(struct uhd_device *d, const struct radio_settings *s, size_t board)
{
    char text[96];
    if (word_given(s->clock_source) && d->api->usrp_set_clock_source(d->usrp, s->clock_source, board)) {
        snprintf(text, sizeof text, "clock_source '%.20s' of board %zu", s->clock_source, board);
        return uhd_device_failed(d, text);
    }
    if (word_given(s->time_source) && d->api->usrp_set_time_source(d->usrp, s->time_source, board)) {
        snprintf(text, sizeof text, "time_source '%.20s' of board %zu", s->time_source, board);
        return uhd_device_failed(d, text);
    }
    return TUTTI_OK;
}

/* Before anything else that needs the clock. */
static int check_lock(struct uhd_device *d, size_t board)
{
    const double WAIT_S = 3;
    const int locked = uhd_device_sensor(d, 'm', "ref_locked", board, WAIT_S);
    if (locked < 0) {
        return TUTTI_OK;
    }
    d->reference.has_lock = true;
    d->reference.locked = locked;
    return locked ? TUTTI_OK
                  : error_set(TUTTI_EDEVICE,
                              "radio '%s': board %zu is not locked to its reference (clock_source %s): is 10 MHz "
                              "connected and strong enough?",
                              d->name, board, d->reference.clock_source);
}

int uhd_device_sources(struct uhd_device *d, const struct radio_settings *s)
{
    int status = TUTTI_OK;
    for (size_t b = 0; !status && b < (size_t)d->n_board; b++) {
        status = set_sources(d, s, b);
    }
    if (!status) {
        d->api->usrp_get_clock_source(d->usrp, 0, d->reference.clock_source, sizeof d->reference.clock_source - 1);
        d->api->usrp_get_time_source(d->usrp, 0, d->reference.time_source, sizeof d->reference.time_source - 1);
    }
    for (size_t b = 0; !status && b < (size_t)d->n_board; b++) {
        status = check_lock(d, b);
    }
    return status;
}

/* Rates --------------------------------------------------------------------------------------------------------- */

static int set_subdevices(struct uhd_device *d, const struct radio_settings *s)
{
    uhd_subdev_spec_handle spec = NULL;
    int status = TUTTI_OK;
    if (!word_given(s->subdev)) {
        return TUTTI_OK;
    }
    if (d->api->subdev_spec_make(&spec, s->subdev)) {
        return error_set(TUTTI_ECONFIG, "subdev: '%s' found, such as \"A:0 B:0\" expected", s->subdev);
    }
    for (size_t b = 0; !status && b < (size_t)d->n_board; b++) {
        if (d->api->usrp_set_rx_subdev_spec(d->usrp, spec, b) || d->api->usrp_set_tx_subdev_spec(d->usrp, spec, b)) {
            status = uhd_device_failed(d, "subdev");
        }
    }
    d->api->subdev_spec_free(&spec);
    return status;
}

static int check_channels(struct uhd_device *d)
{
    size_t n_rx = 0, n_tx = 0;
    if (d->api->usrp_get_rx_num_channels(d->usrp, &n_rx) || d->api->usrp_get_tx_num_channels(d->usrp, &n_tx)) {
        return uhd_device_failed(d, "cannot count its channels");
    }
    for (int a = 0; a < d->n_ant; a++) {
        if (d->channel[a] >= n_rx || d->channel[a] >= n_tx) {
            return error_set(TUTTI_ECONFIG,
                             "radio '%s' has %zu receive and %zu transmit channels, channel %zu is asked for: fewer "
                             "antennas, more boards in args, or another subdev",
                             d->name, n_rx, n_tx, d->channel[a]);
        }
    }
    return TUTTI_OK;
}

static int rate_impossible(struct uhd_device *d, double asked_hz, double got_hz)
{
    double clock_hz = 0;
    d->api->usrp_get_master_clock_rate(d->usrp, 0, &clock_hz);
    return error_set(TUTTI_ECONFIG,
                     "radio '%s' cannot do sample_rate_hz %.0f with its master clock of %.0f Hz, nearest is %.6f: set "
                     "master_clock_rate_hz to a multiple of the rate that the radio can have",
                     d->name, asked_hz, clock_hz, got_hz);
}

int uhd_device_rates(struct uhd_device *d, const struct radio_settings *s)
{
    int status = set_subdevices(d, s);
    status = status ? status : check_channels(d);
    if (!status && !stream_whole_rate(s->rate_hz, &d->rate_hz)) {
        return error_set(TUTTI_ECONFIG, "sample_rate_hz %.6f: radios need a whole number", s->rate_hz);
    }
    for (int a = 0; !status && a < d->n_ant; a++) {
        const size_t c = d->channel[a];
        double rx_hz = 0, tx_hz = 0;
        if (d->api->usrp_set_rx_rate(d->usrp, s->rate_hz, c) || d->api->usrp_set_tx_rate(d->usrp, s->rate_hz, c) ||
            d->api->usrp_get_rx_rate(d->usrp, c, &rx_hz) || d->api->usrp_get_tx_rate(d->usrp, c, &tx_hz)) {
            status = uhd_device_failed(d, "sample rate");
        } else if (!stream_same_rate(s->rate_hz, rx_hz) || !stream_same_rate(s->rate_hz, tx_hz)) {
            status = rate_impossible(d, s->rate_hz, stream_same_rate(s->rate_hz, rx_hz) ? tx_hz : rx_hz);
        }
    }
    return status;
}

/* Front ends ---------------------------------------------------------------------------------------------------- */

static int set_channel(struct uhd_device *d, const struct radio_settings *s, size_t c)
{
    if (word_given(s->rx_antenna) && d->api->usrp_set_rx_antenna(d->usrp, s->rx_antenna, c)) {
        return uhd_device_failed(d, "rx_antenna");
    }
    if (word_given(s->tx_antenna) && d->api->usrp_set_tx_antenna(d->usrp, s->tx_antenna, c)) {
        return uhd_device_failed(d, "tx_antenna");
    }
    if (d->api->usrp_set_rx_gain(d->usrp, s->rx_gain_db, c, "")) {
        return uhd_device_failed(d, "rx_gain_db");
    }
    if (d->api->usrp_set_tx_gain(d->usrp, s->tx_gain_db, c, "")) {
        return uhd_device_failed(d, "tx_gain_db");
    }
    if (s->bandwidth_hz > 0 && (d->api->usrp_set_rx_bandwidth(d->usrp, s->bandwidth_hz, c) ||
                                d->api->usrp_set_tx_bandwidth(d->usrp, s->bandwidth_hz, c))) {
        return uhd_device_failed(d, "bandwidth_hz");
    }
    return TUTTI_OK;
}

/* A gain beyond its range is cut by libuhd without a word. */
static void tell_gain(struct uhd_device *d, const struct radio_settings *s)
{
    double rx_db = s->rx_gain_db, tx_db = s->tx_gain_db;
    d->api->usrp_get_rx_gain(d->usrp, d->channel[0], "", &rx_db);
    d->api->usrp_get_tx_gain(d->usrp, d->channel[0], "", &tx_db);
    if (fabs(rx_db - s->rx_gain_db) > 1 || fabs(tx_db - s->tx_gain_db) > 1) {
        log_write(LOG_WARNING, "radio", "GAIN-CUT rx_asked_db=%.1f rx_db=%.1f tx_asked_db=%.1f tx_db=%.1f",
                  s->rx_gain_db, rx_db, s->tx_gain_db, tx_db);
    }
}

int uhd_device_frontend(struct uhd_device *d, const struct radio_settings *s)
{
    int status = TUTTI_OK;
    for (int a = 0; !status && a < d->n_ant; a++) {
        status = set_channel(d, s, d->channel[a]);
    }
    if (!status) {
        tell_gain(d, s);
    }
    return status;
}

int uhd_device_open(struct uhd_device *d, const struct radio_settings *s)
{
    pthread_mutex_init(&d->call, NULL);
    int status = uhd_device_make(d, s);
    status = status ? status : uhd_device_sources(d, s);
    status = status ? status : uhd_device_rates(d, s);
    status = status ? status : uhd_device_frontend(d, s);
    status = status ? status : uhd_device_clock(d);
    return status ? status : uhd_device_tune(d, s);
}
