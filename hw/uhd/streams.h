/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A USRP's streams: libuhd's calls that move samples, for hw/stream. */
#ifndef TUTTI_HW_UHD_STREAMS_H
#define TUTTI_HW_UHD_STREAMS_H

#include "hw/stream/device.h"
#include "hw/uhd/device.h"

struct uhd_streams {
    struct uhd_device *device;
    uhd_rx_streamer_handle rx;
    uhd_rx_metadata_handle rx_metadata;
    int packet_samples; /* most in one packet */
    uhd_tx_streamer_handle tx;
    uhd_async_metadata_handle tx_metadata;
    pthread_mutex_t tx_call; /* libuhd's C handle of the streamer keeps its last error: one call at a time. Held by the
                              * transmit and the message thread only */
};

/* Makes the streamers of an open device, and fills what hw/stream needs to know; both stay where they are. */
int uhd_streams_create(struct uhd_streams *streams, struct uhd_device *device, struct stream_device *stream);
void uhd_streams_destroy(struct uhd_streams *streams); /* half-built allowed; before the device is closed */

#endif
