/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What is set on a device before it streams. Modules take what they have no setting for without a word, so what can be
 * listed is looked up first, and what can be read back is. */
#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/rt.h"
#include "hw/soapy/device.h"
#include "hw/stream/ticks.h"
#include "hw/stream/words.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { POLL_MS = 20 };
static const double LOCK_S = 3, LO_LOCK_S = 1, TOLERANCE_HZ = 10;
static const int DIRECTIONS[] = {SOAPY_SDR_RX, SOAPY_SDR_TX};

static bool word_given(const char *word)
{
    return word && *word;
}

/* Sources ---------------------------------------------------------------------------------------------------------- */

/* The word is one of what the device has; names is given back. */
static int check_listed(struct soapy_device *d, const char *key, const char *word, char **names, size_t n)
{
    char all[160] = "";
    bool found = false;
    for (size_t i = 0; names && i < n; i++) {
        const size_t used = strlen(all);
        snprintf(all + used, sizeof all - used, "%s%s", used ? ", " : "", names[i]);
        found = found || strcmp(names[i], word) == 0;
    }
    d->api->strings_clear(&names, n);
    return found ? TUTTI_OK
                 : error_set(TUTTI_ECONFIG, "radio '%s' has no %s '%s', it has: %s", d->name, key, word,
                             *all ? all : "no choice (leave the key out)");
}

static int set_sources(struct soapy_device *d, const struct radio_settings *s)
{
    size_t n = 0;
    int status = TUTTI_OK;
    if (word_given(s->clock_source)) {
        char **names = d->api->listClockSources(d->device, &n);
        status = check_listed(d, "clock_source", s->clock_source, names, n);
        if (!status && d->api->setClockSource(d->device, s->clock_source)) {
            status = soapy_device_failed(d, "clock_source");
        }
    }
    if (!status && word_given(s->time_source)) {
        char **names = d->api->listTimeSources(d->device, &n);
        status = check_listed(d, "time_source", s->time_source, names, n);
        if (!status && d->api->setTimeSource(d->device, s->time_source)) {
            status = soapy_device_failed(d, "time_source");
        }
    }
    return status;
}

static void read_source(struct soapy_device *d, char *(*get)(const SoapySDRDevice *), char text[STREAM_SOURCE_ROOM])
{
    char *said = get(d->device);
    snprintf(text, STREAM_SOURCE_ROOM, "%s", said ? said : "");
    d->api->free(said);
}

/* Until the sensor says yes; 1 yes, 0 no, -1 there is none. */
static int wait_for(struct soapy_device *d, int direction, int channel, const char *name, double wait_s)
{
    const uint64_t until_ns = clock_mono_ns() + (uint64_t)(wait_s * 1e9);
    for (;;) {
        const int said = soapy_device_sensor(d, direction, channel, name, NULL);
        if (said != 0 || clock_mono_ns() >= until_ns || rt_stop_requested()) {
            return said;
        }
        clock_sleep_until_ns(clock_mono_ns() + POLL_MS * 1000000ull);
    }
}

int soapy_device_sources(struct soapy_device *d, const struct radio_settings *s)
{
    static const char *const SENSORS[] = {"ref_locked", "clock_locked"};
    const int status = set_sources(d, s);
    if (status) {
        return status;
    }
    read_source(d, d->api->getClockSource, d->reference.clock_source);
    read_source(d, d->api->getTimeSource, d->reference.time_source);
    for (size_t i = 0; i < sizeof SENSORS / sizeof SENSORS[0]; i++) {
        const int locked = wait_for(d, 0, -1, SENSORS[i], LOCK_S);
        d->reference.has_lock = d->reference.has_lock || locked >= 0;
        d->reference.locked = d->reference.locked || locked > 0;
        if (locked == 0) {
            return error_set(TUTTI_EDEVICE,
                             "radio '%s' is not locked to its reference (clock_source %s): is 10 MHz connected and "
                             "strong enough?",
                             d->name, d->reference.clock_source);
        }
    }
    return TUTTI_OK;
}

/* Rates ------------------------------------------------------------------------------------------------------------ */

static int check_channels(struct soapy_device *d)
{
    const size_t n_rx = d->api->getNumChannels(d->device, SOAPY_SDR_RX);
    const size_t n_tx = d->api->getNumChannels(d->device, SOAPY_SDR_TX);
    for (int a = 0; a < d->n_ant; a++) {
        if (d->channel[a] >= n_rx || d->channel[a] >= n_tx) {
            return error_set(TUTTI_ECONFIG,
                             "radio '%s' has %zu receive and %zu transmit channels, channel %zu is asked for", d->name,
                             n_rx, n_tx, d->channel[a]);
        }
        if (!d->api->getFullDuplex(d->device, SOAPY_SDR_RX, d->channel[a])) {
            return error_set(TUTTI_ECONFIG, "radio '%s' cannot receive while it sends: it cannot be used", d->name);
        }
    }
    return TUTTI_OK;
}

static int set_mapping(struct soapy_device *d, const struct radio_settings *s)
{
    if (!word_given(s->subdev)) {
        return TUTTI_OK;
    }
    return d->api->setFrontendMapping(d->device, SOAPY_SDR_RX, s->subdev) ||
                   d->api->setFrontendMapping(d->device, SOAPY_SDR_TX, s->subdev)
               ? soapy_device_failed(d, "subdev")
               : TUTTI_OK;
}

static int set_master_clock(struct soapy_device *d, const struct radio_settings *s)
{
    const double asked_hz = s->master_clock_rate_hz;
    if (!(asked_hz > 0) || stream_same_rate(asked_hz, d->api->getMasterClockRate(d->device))) {
        return TUTTI_OK;
    }
    return d->api->setMasterClockRate(d->device, asked_hz) ? soapy_device_failed(d, "master_clock_rate_hz") : TUTTI_OK;
}

static int set_rate(struct soapy_device *d, int direction, size_t channel, double rate_hz)
{
    if (d->api->setSampleRate(d->device, direction, channel, rate_hz)) {
        return soapy_device_failed(d, "sample rate");
    }
    const double got_hz = d->api->getSampleRate(d->device, direction, channel);
    return stream_same_rate(rate_hz, got_hz)
               ? TUTTI_OK
               : error_set(TUTTI_ECONFIG,
                           "radio '%s' cannot do sample_rate_hz %.0f, nearest is %.6f: set master_clock_rate_hz to a "
                           "multiple of the rate that the radio can have",
                           d->name, rate_hz, got_hz);
}

int soapy_device_rates(struct soapy_device *d, const struct radio_settings *s)
{
    int status = set_mapping(d, s);
    status = status ? status : check_channels(d);
    status = status ? status : set_master_clock(d, s);
    if (!status && !stream_whole_rate(s->rate_hz, &d->rate_hz)) {
        return error_set(TUTTI_ECONFIG, "sample_rate_hz %.6f: radios need a whole number", s->rate_hz);
    }
    for (int i = 0; !status && i < 2 * d->n_ant; i++) {
        status = set_rate(d, DIRECTIONS[i % 2], d->channel[i / 2], s->rate_hz);
    }
    return status;
}

/* Front ends ------------------------------------------------------------------------------------------------------- */

static int set_gain(struct soapy_device *d, int direction, size_t channel, double gain_db)
{
    const char *const key = direction == SOAPY_SDR_RX ? "rx_gain_db" : "tx_gain_db";
    if (d->api->hasGainMode(d->device, direction, channel) &&
        d->api->setGainMode(d->device, direction, channel, false)) {
        return soapy_device_failed(d, "cannot switch off its automatic gain");
    }
    if (d->api->setGain(d->device, direction, channel, gain_db)) {
        return soapy_device_failed(d, key);
    }
    const double got_db = d->api->getGain(d->device, direction, channel);
    if (fabs(got_db - gain_db) > 1) {
        log_write(LOG_WARNING, "radio", "GAIN-CUT key=%s channel=%zu asked_db=%.1f is_db=%.1f", key, channel, gain_db,
                  got_db);
    }
    return TUTTI_OK;
}

static int set_antenna(struct soapy_device *d, int direction, size_t channel, const char *name)
{
    size_t n = 0;
    if (!word_given(name)) {
        return TUTTI_OK;
    }
    char **names = d->api->listAntennas(d->device, direction, channel, &n);
    const int status = check_listed(d, direction == SOAPY_SDR_RX ? "rx_antenna" : "tx_antenna", name, names, n);
    if (status) {
        return status;
    }
    return d->api->setAntenna(d->device, direction, channel, name) ? soapy_device_failed(d, "antenna") : TUTTI_OK;
}

static int tune(struct soapy_device *d, int direction, size_t channel, double freq_hz)
{
    const SoapySDRKwargs none = {0};
    if (!(freq_hz > 0)) {
        return TUTTI_OK;
    }
    if (d->api->setFrequency(d->device, direction, channel, freq_hz, &none)) {
        return soapy_device_failed(d, "freq_hz");
    }
    const double got_hz = d->api->getFrequency(d->device, direction, channel);
    if (fabs(got_hz - freq_hz) > TOLERANCE_HZ) {
        return error_set(TUTTI_ECONFIG,
                         "radio '%s': freq_hz %.0f asked for, channel %zu is at %.0f when %s: outside its range?",
                         d->name, freq_hz, channel, got_hz, direction == SOAPY_SDR_RX ? "receiving" : "transmitting");
    }
    return wait_for(d, direction, (int)channel, "lo_locked", LO_LOCK_S) == 0
               ? error_set(TUTTI_EDEVICE, "radio '%s': the oscillator of channel %zu does not lock at %.0f Hz", d->name,
                           channel, freq_hz)
               : TUTTI_OK;
}

static int set_channel(struct soapy_device *d, const struct radio_settings *s, int direction, size_t channel)
{
    const bool receive = direction == SOAPY_SDR_RX;
    int status = set_antenna(d, direction, channel, receive ? s->rx_antenna : s->tx_antenna);
    status = status ? status : set_gain(d, direction, channel, receive ? s->rx_gain_db : s->tx_gain_db);
    if (!status && s->bandwidth_hz > 0 && d->api->setBandwidth(d->device, direction, channel, s->bandwidth_hz)) {
        status = soapy_device_failed(d, "bandwidth_hz");
    }
    return status ? status : tune(d, direction, channel, s->freq_hz);
}

int soapy_device_frontend(struct soapy_device *d, const struct radio_settings *s)
{
    int status = TUTTI_OK;
    for (int i = 0; !status && i < 2 * d->n_ant; i++) {
        status = set_channel(d, s, DIRECTIONS[i % 2], d->channel[i / 2]);
    }
    return status;
}
