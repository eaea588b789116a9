/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A radio that SoapySDR has a module for: found, set up in the order that matters (sources, reference lock, rates,
 * front ends, carrier, time), and its streams for hw/stream. What the module does not say cannot be proved, so what it
 * says is read back wherever it can be. Start-up only, but for what the streams' calls do. */
#ifndef TUTTI_HW_SOAPY_DEVICE_H
#define TUTTI_HW_SOAPY_DEVICE_H

#include "hw/radio.h"
#include "hw/soapy/api.h"
#include "hw/stream/device.h"
#include "hw/stream/pulse.h"

enum { SOAPY_ARGS_ROOM = 512 };

struct soapy_device {
    const struct soapy_api *api;
    SoapySDRDevice *device;
    char name[SOAPY_ARGS_ROOM]; /* the configuration's args, for sentences */
    char args[SOAPY_ARGS_ROOM]; /* without the words that are Tutti's own */
    int n_ant, tick_multiple;
    size_t channel[TUTTI_MAX_ANT];
    uint64_t rate_hz;
    bool elastic;  /* as in struct stream_device */
    bool taciturn; /* args say acks=0, or the module has no stream status */
    struct stream_reference reference;
    tutti_tick last_pps;
    bool gone; /* it does not answer any more: SoapySDR's objects are left to the end of the process */

    /* streams.c */
    SoapySDRStream *rx, *tx;
    int packet_samples;
    bool more;       /* the last piece was not the end of the module's packet */
    tutti_tick next; /* after the last piece */
};

/* All but the streams. Errors: one sentence each. The device is to be closed even then. */
int soapy_device_open(struct soapy_device *device, const struct radio_settings *settings);
void soapy_device_close(struct soapy_device *device);

/* Steps of it, setup.c and device.c. */
int soapy_device_make(struct soapy_device *device); /* device.c: found by its args, which are all that is needed */
int soapy_device_sources(struct soapy_device *device,
                         const struct radio_settings *settings);                            /* and wait for the lock */
int soapy_device_rates(struct soapy_device *device, const struct radio_settings *settings); /* also mapping */
int soapy_device_frontend(struct soapy_device *device, const struct radio_settings *settings); /* and the carrier */
int soapy_device_clock(struct soapy_device *device);                                           /* device.c */

/* Streams: made, with what hw/stream needs to know; the device stays where it is. chunk_samples: of a packet, 0 = about
 * 200 us. */
int soapy_streams_create(struct soapy_device *device, int chunk_samples, struct stream_device *stream);

/* Round trips. */
int soapy_device_now(struct soapy_device *device, tutti_tick *tick);
int soapy_device_read_pps(struct soapy_device *device); /* fills last_pps */
/* 1 yes, 0 no, -1 there is no such sensor. channel < 0: the device's own. text, if given, is what it says. */
int soapy_device_sensor(struct soapy_device *device, int direction, int channel, const char *name, char text[64]);
/* error_set(TUTTI_EDEVICE) with the module's last complaint: "radio 'name': what: complaint". */
int soapy_device_failed(const struct soapy_device *device, const char *what);

/* Nanoseconds, as SoapySDR counts, of a tick and back; exact below 100 MS/s. */
long long soapy_ns_of(tutti_tick tick, uint64_t rate_hz);
tutti_tick soapy_tick_of(long long ns, uint64_t rate_hz);

#endif
