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
    const int status = d->reference.has_pps ? soapy_device_read_pps(d) : TUTTI_OK;
    *sync = stream_reference_sync(&d->reference, d->last_pps);
    return status;
}

static void soapy_close(void *state)
{
    struct soapy_radio *r = state;
    if (r) {
        r->device.gone = stream_radio_end(&r->stream);
        soapy_device_close(&r->device);
        free(r);
    }
}

const struct radio_ops soapy_radio_ops = {
    .name = "soapy", .open = soapy_open, .sync = soapy_sync, STREAM_RADIO_OPS, .close = soapy_close};
