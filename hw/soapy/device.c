/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "hw/soapy/device.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/rt.h"
#include "hw/stream/pulse.h"
#include "hw/stream/thread.h"
#include "hw/stream/ticks.h"
#include "hw/stream/words.h"

#include <SoapySDR/Version.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const long long SECOND_NS = 1000000000;
static const uint64_t FORGOTTEN_NS = 1100000000; /* a little longer than SoapySDR keeps what it found */

int soapy_device_failed(const struct soapy_device *d, const char *what)
{
    const char *complaint = d->api->lastError();
    complaint = complaint && *complaint ? complaint : "its module does not say why";
    return error_set(TUTTI_EDEVICE, "radio '%s': %s: %.*s", d->name, what, (int)strcspn(complaint, "\n"), complaint);
}

/* Words ------------------------------------------------------------------------------------------------------------ */

/* Nobody below needs to understand these. */
static bool is_own_word(const char *word)
{
    static const char *const OWN[] = {"elastic=", "tick_multiple=", "acks="};
    for (size_t i = 0; i < sizeof OWN / sizeof OWN[0]; i++) {
        if (strncmp(word, OWN[i], strlen(OWN[i])) == 0) {
            return true;
        }
    }
    return false;
}

static int append(char *args, const char *word, size_t length)
{
    const size_t used = strlen(args);
    const int n = snprintf(args + used, SOAPY_ARGS_ROOM - used, "%s%.*s", used ? "," : "", (int)length, word);
    return n > 0 && (size_t)n < SOAPY_ARGS_ROOM - used
               ? TUTTI_OK
               : error_set(TUTTI_ECONFIG, "args: longer than %d characters", SOAPY_ARGS_ROOM - 1);
}

static int take_words(struct soapy_device *d, const struct radio_settings *s)
{
    char clock[48];
    int status = TUTTI_OK;
    snprintf(d->name, sizeof d->name, "%s", s->args ? s->args : "");
    for (const char *at = s->args ? s->args : ""; !status && *at; at += *at == ',') {
        at += strspn(at, " ");
        const size_t length = strcspn(at, ",");
        status = length && !is_own_word(at) ? append(d->args, at, length) : TUTTI_OK;
        at += length;
    }
    if (!status && s->master_clock_rate_hz > 0 && !stream_words_find(d->args, "master_clock_rate")) {
        const int n = snprintf(clock, sizeof clock, "master_clock_rate=%.0f", s->master_clock_rate_hz);
        status = append(d->args, clock, (size_t)n);
    }
    if (!status && !stream_words_find(d->args, "driver")) {
        return error_set(TUTTI_ECONFIG, "args: '%s' names no driver, such as \"driver=lime\" (SoapySDRUtil --find)",
                         d->name);
    }
    d->elastic = stream_words_number(d->name, "elastic", 0) > 0;
    d->taciturn = stream_words_number(d->name, "acks", 1) == 0;
    status = status ? status : stream_words_multiple(d->name, &d->tick_multiple);
    return status ? status : stream_words_channels(s->channels, s->n_ant, d->channel);
}

/* Sensors ---------------------------------------------------------------------------------------------------------- */

static bool has_sensor(struct soapy_device *d, int direction, int channel, const char *name)
{
    size_t n = 0;
    char **names = channel < 0 ? d->api->listSensors(d->device, &n)
                               : d->api->listChannelSensors(d->device, direction, (size_t)channel, &n);
    bool found = false;
    for (size_t i = 0; names && i < n; i++) {
        found = found || strcmp(names[i], name) == 0;
    }
    d->api->strings_clear(&names, n);
    return found;
}

int soapy_device_sensor(struct soapy_device *d, int direction, int channel, const char *name, char text[64])
{
    if (!has_sensor(d, direction, channel, name)) {
        return -1;
    }
    char *said = channel < 0 ? d->api->readSensor(d->device, name)
                             : d->api->readChannelSensor(d->device, direction, (size_t)channel, name);
    const bool yes =
        said && (strcasecmp(said, "true") == 0 || strcasecmp(said, "locked") == 0 || strcmp(said, "1") == 0);
    if (text) {
        snprintf(text, 64, "%s", said ? said : "");
    }
    d->api->free(said);
    return yes;
}

/* Time ------------------------------------------------------------------------------------------------------------- */

long long soapy_ns_of(tutti_tick tick, uint64_t rate_hz)
{
    const struct stream_time time = stream_time_of(tick, rate_hz);
    return (long long)time.full_s * SECOND_NS + llround(time.frac_s * (double)SECOND_NS);
}

tutti_tick soapy_tick_of(long long ns, uint64_t rate_hz)
{
    const long long full_s = ns / SECOND_NS;
    return stream_tick_of((struct stream_time){full_s, (double)(ns % SECOND_NS) / (double)SECOND_NS}, rate_hz);
}

static int read_time(struct soapy_device *d, const char *what, tutti_tick *tick)
{
    const long long ns = d->api->getHardwareTime(d->device, what);
    if (d->api->lastStatus()) {
        return soapy_device_failed(d, *what ? "cannot read its last PPS" : "cannot read its time");
    }
    *tick = soapy_tick_of(ns, d->rate_hz);
    return TUTTI_OK;
}

int soapy_device_now(struct soapy_device *d, tutti_tick *tick)
{
    return read_time(d, "", tick);
}

int soapy_device_read_pps(struct soapy_device *d)
{
    return read_time(d, "PPS", &d->last_pps);
}

static int read_pulse(void *state, tutti_tick *last)
{
    struct soapy_device *d = state;
    const int status = soapy_device_read_pps(d);
    *last = d->last_pps;
    return status;
}

static bool agrees(void *state, int64_t second)
{
    struct soapy_device *d = state;
    return soapy_device_read_pps(d) == TUTTI_OK && d->last_pps == (tutti_tick)second * d->rate_hz;
}

static int set_next(void *state, int64_t second)
{
    struct soapy_device *d = state;
    return d->api->setHardwareTime(d->device, second * SECOND_NS, "PPS")
               ? soapy_device_failed(d, "cannot set its time at the next PPS")
               : TUTTI_OK;
}

static bool gps_second(void *state, int64_t *second)
{
    char text[64] = "";
    if (soapy_device_sensor(state, 0, -1, "gps_time", text) < 0) {
        return false;
    }
    *second = strtoll(text, NULL, 10);
    return *second > 0;
}

static int disagrees(void *state, int64_t second)
{
    const struct soapy_device *d = state;
    return stream_pulse_disagrees(d->name, d->last_pps, d->rate_hz, second);
}

int soapy_device_clock(struct soapy_device *d)
{
    if (!d->api->hasHardwareTime(d->device, "")) {
        return error_set(TUTTI_EDEVICE,
                         "radio '%s' has no clock of its own, so nothing can be sent or received at a known time: it "
                         "cannot be used",
                         d->name);
    }
    d->reference.has_pps = stream_words_is_shared(d->reference.time_source);
    if (d->reference.has_pps && !d->api->hasHardwareTime(d->device, "PPS")) {
        return error_set(TUTTI_ECONFIG,
                         "radio '%s': time_source %s: its module does not tell the time at a pulse, so a common time "
                         "cannot be proved: internal, and docs/synchronisation.md",
                         d->name, d->reference.time_source);
    }
    if (d->reference.has_pps) {
        return stream_pulse_set(&(struct stream_pulse){.state = d,
                                                       .name = d->name,
                                                       .time_source = d->reference.time_source,
                                                       .elastic = d->elastic,
                                                       .read = read_pulse,
                                                       .agrees = agrees,
                                                       .set_next = set_next,
                                                       .gps_second = gps_second,
                                                       .disagrees = disagrees});
    }
    stream_reference_alone(&d->reference);
    return d->api->setHardwareTime(d->device, 0, "") ? soapy_device_failed(d, "cannot set its time") : TUTTI_OK;
}

/* Life ------------------------------------------------------------------------------------------------------------- */

/* A module that hears nobody in time says the same as none that is installed: "no match", and SoapySDR would say it
 * again at once. */
static bool is_worth_another(const char *complaint)
{
    const bool silence = strstr(complaint, "no match");
    if (silence) {
        clock_sleep_until_ns(clock_mono_ns() + FORGOTTEN_NS);
    }
    return (silence || stream_words_is_passing(complaint)) && !rt_stop_requested();
}

/* Why it was not opened, a word of the module's; NULL: it was. */
static const char *open_patiently(struct soapy_device *d)
{
    const char *complaint = "";
    for (int i = 1; i <= STREAM_OPEN_ATTEMPTS; i++) {
        d->device = d->api->makeStrArgs(d->args);
        if (d->device) {
            return NULL;
        }
        complaint = d->api->lastError();
        if (i == STREAM_OPEN_ATTEMPTS || !is_worth_another(complaint)) {
            break;
        }
        log_write(LOG_INFO, "radio", "NOT-HEARD args=%s attempt=%d of=%d", d->name, i, STREAM_OPEN_ATTEMPTS);
    }
    return complaint;
}

int soapy_device_make(struct soapy_device *d)
{
    const char *const complaint = open_patiently(d);
    if (!complaint) {
        return TUTTI_OK;
    }
    return strstr(complaint, "no match") || strstr(complaint, "No devices found")
               ? error_set(TUTTI_EDEVICE,
                           "no radio answers at '%s': is it switched on, and its module installed? (SoapySDRUtil "
                           "--find='%s'; apt-get install soapysdr" SOAPY_SDR_ABI_VERSION "-module-...)",
                           d->args, d->args)
               : soapy_device_failed(d, "cannot be opened");
}

int soapy_device_open(struct soapy_device *d, const struct radio_settings *s)
{
    d->n_ant = s->n_ant;
    int status = take_words(d, s);
    status = status ? status : soapy_api_get(&d->api);
    status = status ? status : soapy_device_make(d);
    status = status ? status : soapy_device_sources(d, s);
    status = status ? status : soapy_device_rates(d, s);
    status = status ? status : soapy_device_frontend(d, s);
    return status ? status : soapy_device_clock(d);
}

void soapy_device_close(struct soapy_device *d)
{
    if (d->device && d->gone) {
        stream_leave_at_once();
    } else if (d->device) {
        SoapySDRStream *const streams[] = {d->rx, d->tx};
        for (int i = 0; i < 2; i++) {
            if (streams[i]) {
                d->api->closeStream(d->device, streams[i]);
            }
        }
        d->api->unmake(d->device);
    }
    d->device = NULL;
}
