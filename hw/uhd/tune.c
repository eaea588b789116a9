/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The carrier: all channels of all boards are tuned by commands of one time, so that oscillators which can start with
 * the same phase do; then read back, for libuhd takes the nearest it can have without a word. */
#include "base/clock.h"
#include "base/error.h"
#include "hw/uhd/device.h"

#include <math.h>

static const double AHEAD_S = 0.1, TOLERANCE_HZ = 10, LOCK_S = 1;

static int command_time(struct uhd_device *d, tutti_tick at)
{
    const struct stream_time time = stream_time_of(at, d->rate_hz);
    for (size_t b = 0; b < (size_t)d->n_board; b++) {
        if (d->api->usrp_set_command_time(d->usrp, time.full_s, time.frac_s, b)) {
            return uhd_device_failed(d, "cannot time its tuning");
        }
    }
    return TUTTI_OK;
}

static void clear_command_time(struct uhd_device *d)
{
    for (size_t b = 0; b < (size_t)d->n_board; b++) {
        d->api->usrp_clear_command_time(d->usrp, b);
    }
}

static int request(struct uhd_device *d, double freq_hz)
{
    uhd_tune_request_t tune = {.target_freq = freq_hz,
                               .rf_freq_policy = UHD_TUNE_REQUEST_POLICY_AUTO,
                               .dsp_freq_policy = UHD_TUNE_REQUEST_POLICY_AUTO,
                               .args = (char[]){""}};
    uhd_tune_result_t result;
    for (int a = 0; a < d->n_ant; a++) {
        if (d->api->usrp_set_rx_freq(d->usrp, &tune, d->channel[a], &result) ||
            d->api->usrp_set_tx_freq(d->usrp, &tune, d->channel[a], &result)) {
            return uhd_device_failed(d, "cannot tune");
        }
    }
    return TUTTI_OK;
}

static int check_channel(struct uhd_device *d, double freq_hz, size_t c)
{
    double rx_hz = 0, tx_hz = 0;
    if (d->api->usrp_get_rx_freq(d->usrp, c, &rx_hz) || d->api->usrp_get_tx_freq(d->usrp, c, &tx_hz)) {
        return uhd_device_failed(d, "cannot read its carrier");
    }
    if (fabs(rx_hz - freq_hz) > TOLERANCE_HZ || fabs(tx_hz - freq_hz) > TOLERANCE_HZ) {
        return error_set(TUTTI_ECONFIG,
                         "radio '%s': freq_hz %.0f asked for, channel %zu is at %.0f receiving and %.0f transmitting: "
                         "outside its range?",
                         d->name, freq_hz, c, rx_hz, tx_hz);
    }
    if (uhd_device_sensor(d, 'r', "lo_locked", c, LOCK_S) == 0 ||
        uhd_device_sensor(d, 't', "lo_locked", c, LOCK_S) == 0) {
        return error_set(TUTTI_EDEVICE, "radio '%s': the oscillator of channel %zu does not lock at %.0f Hz", d->name,
                         c, freq_hz);
    }
    return TUTTI_OK;
}

int uhd_device_tune(struct uhd_device *d, const struct radio_settings *s)
{
    tutti_tick now = 0;
    if (!(s->freq_hz > 0)) {
        return TUTTI_OK;
    }
    int status = uhd_device_now(d, &now);
    status = status ? status : command_time(d, now + (tutti_tick)(AHEAD_S * (double)d->rate_hz));
    status = status ? status : request(d, s->freq_hz);
    clear_command_time(d); /* reading would be timed, too */
    clock_sleep_until_ns(clock_mono_ns() + (uint64_t)(2 * AHEAD_S * 1e9));
    for (int a = 0; !status && a < d->n_ant; a++) {
        status = check_channel(d, s->freq_hz, d->channel[a]);
    }
    return status;
}
