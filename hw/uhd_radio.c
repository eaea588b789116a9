/* SPDX-License-Identifier: GPL-3.0-or-later */
/* USRPs through libuhd, around which hw/stream/radio.h is. */
#include "base/error.h"
#include "hw/radio_ops.h"
#include "hw/stream/radio.h"
#include "hw/uhd/streams.h"

#include <stdlib.h>

struct uhd_radio {
    struct stream_radio stream; /* first */
    struct uhd_device device;
    struct uhd_streams streams;
};

static int usrp_open(void **state, const struct radio_settings *s, struct radio_info *info)
{
    struct uhd_radio *r = calloc(1, sizeof *r);
    *state = r;
    if (!r) {
        return error_set(TUTTI_ENOMEM, "no memory for a radio");
    }
    int status = uhd_device_open(&r->device, s);
    status = status ? status : uhd_streams_create(&r->streams, &r->device, &r->stream.device);
    status = status ? status : stream_radio_create(&r->stream, s, info);
    info->sample_step = 1.0f / 32767; /* libuhd's, from sc16 to fc32 */
    return status;
}

static int usrp_sync(void *state, struct radio_sync *sync)
{
    struct uhd_radio *r = state;
    struct uhd_device *d = &r->device;
    const int status = d->reference.has_pps ? uhd_device_same_pps(d) : TUTTI_OK;
    *sync = stream_reference_sync(&d->reference, d->last_pps[0]);
    return status;
}

static void usrp_close(void *state)
{
    struct uhd_radio *r = state;
    if (r) {
        r->device.gone = stream_radio_end(&r->stream);
        uhd_streams_destroy(&r->streams);
        uhd_device_close(&r->device);
        free(r);
    }
}

const struct radio_ops uhd_radio_ops = {
    .name = "uhd", .open = usrp_open, .sync = usrp_sync, STREAM_RADIO_OPS, .close = usrp_close};
