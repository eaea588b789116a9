/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "hw/radio.h"

#include "base/config.h"
#include "base/error.h"
#include "hw/radio_ops.h"

#include <stdlib.h>
#include <string.h>

static const struct radio_ops *const backends[] = {
    &air_radio_ops,
    &file_radio_ops,
#ifdef TUTTI_UHD_LIBRARY
    &uhd_radio_ops,
#endif
#ifdef TUTTI_SOAPY
    &soapy_radio_ops,
#endif
};

struct radio {
    const struct radio_ops *ops;
    void *state;
};

static int find_backend(const char *name, const struct radio_ops **ops)
{
    for (size_t i = 0; i < sizeof backends / sizeof backends[0]; i++) {
        if (name && strcmp(name, backends[i]->name) == 0) {
            *ops = backends[i];
            return TUTTI_OK;
        }
    }
    char why[160] = "";
    (void)config_backend_check(name ? name : "", why, sizeof why);
    return error_set(TUTTI_ECONFIG, "radio backend %s", why);
}

static int check_settings(const struct radio_settings *s)
{
    if (s->n_ant < 1 || s->n_ant > TUTTI_MAX_ANT) {
        return error_set(TUTTI_ECONFIG, "radio: %d antennas asked for, 1 to %d allowed", s->n_ant, TUTTI_MAX_ANT);
    }
    if (!(s->rate_hz > 0) || s->id < 0 || s->chunk_samples < 0 || s->n_tx_buffer_samples < 0) {
        return error_set(TUTTI_ECONFIG,
                         "radio: rate %g Hz must be positive; id %d, chunk %d and transmit buffer %d must "
                         "not be negative",
                         s->rate_hz, s->id, s->chunk_samples, s->n_tx_buffer_samples);
    }
    return TUTTI_OK;
}

int radio_open(radio_t **radio, const struct radio_settings *settings, struct radio_info *info)
{
    *radio = NULL;
    *info = (struct radio_info){0};
    const struct radio_ops *ops = NULL;
    int status = find_backend(settings->backend, &ops);
    status = status ? status : check_settings(settings);
    if (status) {
        return status;
    }
    radio_t *r = calloc(1, sizeof *r);
    if (!r) {
        return error_set(TUTTI_ENOMEM, "no memory for a radio");
    }
    r->ops = ops;
    status = ops->open(&r->state, settings, info);
    info->in_parts = ops->burst_open && ops->burst_part;
    if (status) {
        radio_close(r);
        return status;
    }
    *radio = r;
    return TUTTI_OK;
}

void radio_stop(radio_t *radio)
{
    radio->ops->stop(radio->state);
}

void radio_close(radio_t *radio)
{
    if (radio) {
        radio->ops->close(radio->state);
        free(radio);
    }
}

int radio_sync(radio_t *radio, struct radio_sync *sync)
{
    return radio->ops->sync(radio->state, sync);
}

int radio_start(radio_t *radio, tutti_tick at, tutti_tick *first)
{
    return radio->ops->start(radio->state, at, first);
}

int radio_recv(radio_t *radio, tutti_cf32 *const *buffers, int n, struct radio_got *got)
{
    return n > 0 ? radio->ops->recv(radio->state, buffers, n, got)
                 : error_set(TUTTI_EINVAL, "radio_recv: %d samples asked for", n);
}

void radio_unwanted(radio_t *radio, tutti_tick from, tutti_tick to)
{
    if (radio->ops->unwanted && from < to) {
        radio->ops->unwanted(radio->state, from, to);
    }
}

bool radio_recall(radio_t *radio, uint64_t block, double *values, int n)
{
    return radio->ops->recall && radio->ops->recall(radio->state, block, values, n);
}

int radio_burst(radio_t *radio, const tutti_cf32 *const *buffers, int n, tutti_tick at, uint64_t tag)
{
    return n > 0 ? radio->ops->burst(radio->state, buffers, n, at, tag)
                 : error_set(TUTTI_EINVAL, "radio_burst: %d samples given", n);
}

int radio_burst_open(radio_t *radio, int n, tutti_tick at, uint64_t tag)
{
    return n > 0 && radio->ops->burst_open ? radio->ops->burst_open(radio->state, n, at, tag)
                                           : error_set(TUTTI_EINVAL, "radio_burst_open: %d samples promised", n);
}

void radio_burst_part(radio_t *radio, const tutti_cf32 *const *buffers, int n)
{
    radio->ops->burst_part(radio->state, buffers, n);
}

bool radio_burst_place(radio_t *radio, int n, tutti_cf32 **buffers)
{
    return radio->ops->burst_place && radio->ops->burst_place(radio->state, n, buffers);
}

int radio_note(radio_t *radio, struct radio_note *note)
{
    return radio->ops->note(radio->state, note);
}

uint64_t radio_notes_lost(const radio_t *radio)
{
    return radio->ops->notes_lost(radio->state);
}

uint64_t radio_wakeups(const radio_t *radio)
{
    return radio->ops->wakeups(radio->state);
}

uint64_t radio_deadline_ns(const struct radio_info *info, const struct radio_got *got, tutti_tick at)
{
    const tutti_tick piece = (tutti_tick)info->turnaround_samples;
    const tutti_tick due = piece > 1 ? (at / piece + 1) * piece : at;
    const double ahead_samples = (double)(int64_t)(due - (got->tick + (tutti_tick)got->n));
    const double ahead_ns = ahead_samples * 1e9 / info->rate_hz - info->lead_us * 1e3;
    return got->host_ns + (uint64_t)(int64_t)ahead_ns;
}
