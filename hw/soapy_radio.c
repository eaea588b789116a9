/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Radios that SoapySDR has a module for (Lime, bladeRF, RENEW's, USRPs), around which hw/stream/radio.h is. */
#include "base/error.h"
#include "hw/radio_ops.h"
#include "hw/soapy/device.h"
#include "hw/stream/radio.h"

#include <stdlib.h>

struct soapy_radio {
    struct stream_radio stream; /* first */
    struct soapy_device device;
};

static int soapy_open(void **state, const struct radio_settings *s, struct radio_info *info)
{
    struct soapy_radio *r = calloc(1, sizeof *r);
    *state = r;
    if (!r) {
        return error_set(TUTTI_ENOMEM, "no memory for a radio");
    }
    int status = soapy_device_open(&r->device, s);
    status = status ? status : soapy_streams_create(&r->device, s->chunk_samples, &r->stream.device);
    return status ? status : stream_radio_create(&r->stream, s, info);
}

static int soapy_sync(void *state, struct radio_sync *sync)
{
    struct soapy_radio *r = state;
    struct soapy_device *d = &r->device;
    const int status = d->has_pps ? soapy_device_read_pps(d) : TUTTI_OK;
    *sync = (struct radio_sync){.clock_source = d->clock_source,
                                .time_source = d->time_source,
                                .has_lock = d->has_lock,
                                .locked = d->locked,
                                .has_pps = d->has_pps,
                                .last_pps = d->last_pps};
    return status;
}

static void soapy_close(void *state)
{
    struct soapy_radio *r = state;
    if (r) {
        stream_radio_stop(&r->stream);
        r->device.gone = stream_radio_is_gone(&r->stream);
        stream_radio_destroy(&r->stream);
        soapy_device_close(&r->device);
        free(r);
    }
}

const struct radio_ops soapy_radio_ops = {.name = "soapy",
                                          .open = soapy_open,
                                          .sync = soapy_sync,
                                          .start = stream_radio_start,
                                          .recv = stream_radio_recv,
                                          .burst = stream_radio_burst,
                                          .note = stream_radio_note,
                                          .notes_lost = stream_radio_notes_lost,
                                          .wakeups = stream_radio_wakeups,
                                          .stop = stream_radio_stop,
                                          .close = soapy_close};
