/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A device's time: UTC seconds set at a pulse that all boards and all radios share, proved by every board having the
 * same time at the same pulse; without pulses it starts at 0 and agrees with nobody's. */
#include "base/error.h"
#include "hw/stream/pulse.h"
#include "hw/uhd/device.h"

int uhd_device_now(struct uhd_device *d, tutti_tick *tick)
{
    struct stream_time now = {0};
    uhd_error failed = UHD_ERROR_NONE;
    pthread_mutex_lock(&d->call);
    for (size_t board = (size_t)d->n_board; !failed && board-- > 0;) {
        failed = d->api->usrp_get_time_now(d->usrp, board, &now.full_s, &now.frac_s);
    }
    pthread_mutex_unlock(&d->call);
    if (failed) {
        return uhd_device_failed(d, "cannot read its time");
    }
    *tick = stream_tick_of(now, d->rate_hz);
    return TUTTI_OK;
}

static int read_pps(struct uhd_device *d, size_t board)
{
    struct stream_time pps = {0};
    pthread_mutex_lock(&d->call);
    const uhd_error failed = d->api->usrp_get_time_last_pps(d->usrp, board, &pps.full_s, &pps.frac_s);
    pthread_mutex_unlock(&d->call);
    if (failed) {
        return uhd_device_failed(d, "cannot read its last PPS");
    }
    d->last_pps[board] = stream_tick_of(pps, d->rate_hz);
    return TUTTI_OK;
}

int uhd_device_read_pps(struct uhd_device *d)
{
    int status = TUTTI_OK;
    for (size_t b = 0; !status && b < (size_t)d->n_board; b++) {
        status = read_pps(d, b);
    }
    return status;
}

static int read_first(void *state, tutti_tick *last)
{
    struct uhd_device *d = state;
    const int status = read_pps(d, 0);
    *last = d->last_pps[0];
    return status;
}

static bool gps_second(void *state, int64_t *second)
{
    return uhd_device_gps_second(state, second);
}

/* Every board had this time at its newest pulse. */
static bool boards_agree(void *state, int64_t second)
{
    struct uhd_device *d = state;
    bool agree = uhd_device_read_pps(d) == TUTTI_OK;
    for (int b = 0; agree && b < d->n_board; b++) {
        agree = d->last_pps[b] == (tutti_tick)second * d->rate_hz;
    }
    return agree;
}

static int set_next(void *state, int64_t second)
{
    struct uhd_device *d = state;
    for (size_t b = 0; b < (size_t)d->n_board; b++) {
        if (d->api->usrp_set_time_next_pps(d->usrp, second, 0.0, b)) {
            return uhd_device_failed(d, "cannot set its time at the next PPS");
        }
    }
    return TUTTI_OK;
}

static int boards_differ(const struct uhd_device *d)
{
    for (int b = 1; b < d->n_board; b++) {
        if (d->last_pps[b] != d->last_pps[0]) {
            return error_set(TUTTI_EDEVICE,
                             "radio '%s': boards 0 and %d had the times %.9f and %.9f s at the last PPS: does every "
                             "board get the same pulse?",
                             d->name, b, (double)d->last_pps[0] / (double)d->rate_hz,
                             (double)d->last_pps[b] / (double)d->rate_hz);
        }
    }
    return TUTTI_OK;
}

/* Boards are asked one after the other, so a pulse may come between; not twice in a row. */
int uhd_device_same_pps(struct uhd_device *d)
{
    int status = uhd_device_read_pps(d);
    if (!status && boards_differ(d)) {
        status = uhd_device_read_pps(d);
    }
    return status ? status : boards_differ(d);
}

static int disagree(void *state, int64_t second)
{
    struct uhd_device *d = state;
    const int status = boards_differ(d);
    if (status) {
        return status;
    }
    return stream_pulse_disagrees(d->name, d->last_pps[0], d->rate_hz, second);
}

static int set_at_pulse(struct uhd_device *d)
{
    return stream_pulse_set(&(struct stream_pulse){.state = d,
                                                   .name = d->name,
                                                   .time_source = d->reference.time_source,
                                                   .elastic = d->elastic,
                                                   .read = read_first,
                                                   .agrees = boards_agree,
                                                   .set_next = set_next,
                                                   .gps_second = gps_second,
                                                   .disagrees = disagree});
}

int uhd_device_clock(struct uhd_device *d)
{
    d->reference.has_pps = stream_words_is_shared(d->reference.time_source);
    if (d->reference.has_pps) {
        return set_at_pulse(d);
    }
    if (d->n_board > 1) {
        return error_set(TUTTI_ECONFIG,
                         "radio '%s': %d boards need a common pulse: time_source external or gpsdo (and the same "
                         "clock_source)",
                         d->name, d->n_board);
    }
    stream_reference_alone(&d->reference);
    return d->api->usrp_set_time_now(d->usrp, 0, 0.0, 0) ? uhd_device_failed(d, "cannot set its time") : TUTTI_OK;
}
