/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "hw/radio.h"

#include "base/error.h"
#include "hw/radio_ops.h"

#include <stdlib.h>
#include <string.h>

static const struct radio_ops *const backends[] = {&air_radio_ops};

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
    return error_set(TUTTI_ECONFIG, "radio backend '%s' is not known; allowed: air", name ? name : "");
}

static int check_settings(const struct radio_settings *s)
{
    if (s->n_ant < 1 || s->n_ant > TUTTI_MAX_ANT) {
        return error_set(TUTTI_ECONFIG, "radio: %d antennas asked for, 1 to %d allowed", s->n_ant, TUTTI_MAX_ANT);
    }
    if (!(s->sample_rate_hz > 0) || s->id < 0 || s->chunk_samples < 0 || s->n_tx_buffer_samples < 0) {
        return error_set(TUTTI_ECONFIG,
                         "radio: rate %g Hz must be positive; id %d, chunk %d and transmit buffer %d must "
                         "not be negative",
                         s->sample_rate_hz, s->id, s->chunk_samples, s->n_tx_buffer_samples);
    }
    return TUTTI_OK;
}

int radio_open(radio_t **radio, const struct radio_settings *settings)
{
    *radio = NULL;
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
    status = ops->open(&r->state, settings);
    if (status) {
        free(r);
        return status;
    }
    *radio = r;
    return TUTTI_OK;
}

void radio_close(radio_t *radio)
{
    if (radio) {
        radio->ops->close(radio->state);
        free(radio);
    }
}

int radio_start(radio_t *radio, tutti_tick at, tutti_tick *first)
{
    return radio->ops->start(radio->state, at, first);
}

int radio_recv(radio_t *radio, tutti_cf32 *const *buffers, int n, tutti_tick *tick, unsigned *events)
{
    *events = 0;
    return n > 0 ? radio->ops->recv(radio->state, buffers, n, tick, events)
                 : error_set(TUTTI_EINVAL, "radio_recv: %d samples asked for", n);
}

int radio_send(radio_t *radio, const tutti_cf32 *const *buffers, int n, tutti_tick at, unsigned *events)
{
    *events = 0;
    return n > 0 ? radio->ops->send(radio->state, buffers, n, at, events)
                 : error_set(TUTTI_EINVAL, "radio_send: %d samples given", n);
}
