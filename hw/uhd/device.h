/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A USRP, or several that work as one: opened and set up in the order that matters. Sources, reference lock, rates,
 * front ends, time, tuning, and only then streamers (streams.h). Start-up only: everything here may block for
 * seconds. */
#ifndef TUTTI_HW_UHD_DEVICE_H
#define TUTTI_HW_UHD_DEVICE_H

#include "hw/radio.h"
#include "hw/stream/pulse.h"
#include "hw/stream/ticks.h"
#include "hw/stream/words.h"
#include "hw/uhd/api.h"
#include "hw/uhd/words.h"

#include <pthread.h>

enum { UHD_MAX_BOARDS = 32 };

struct uhd_device {
    const struct uhd_api *api;
    uhd_usrp_handle usrp;
    pthread_mutex_t call;     /* round trips while streaming: libuhd's C handle keeps its last error */
    char name[UHD_ARGS_ROOM]; /* the configuration's args, for sentences */
    char args[UHD_ARGS_ROOM]; /* what libuhd was given */
    int n_board, n_ant;
    size_t channel[TUTTI_MAX_ANT];
    uint64_t rate_hz;
    int tick_multiple;
    bool elastic; /* its time is not the wall clock's: it waits for whoever takes its samples (emulated devices) */
    struct stream_reference reference;
    bool gone; /* it does not answer any more: libuhd's objects are left to the end of the process, for taking leave of
                * a device that is not there takes its time-outs, half a minute */
    tutti_tick last_pps[UHD_MAX_BOARDS];
};

/* All of it. Errors: one sentence each for no device, one in use, no lock, a rate that cannot be, no pulse, boards that
 * do not agree, a carrier that is another one. The device is to be closed even then. */
int uhd_device_open(struct uhd_device *device, const struct radio_settings *settings);
void uhd_device_close(struct uhd_device *device); /* streamers first */

/* Steps of it. */
int uhd_device_make(struct uhd_device *device, const struct radio_settings *settings);     /* find and take it */
int uhd_device_sources(struct uhd_device *device, const struct radio_settings *settings);  /* and wait for the lock */
int uhd_device_rates(struct uhd_device *device, const struct radio_settings *settings);    /* also subdevices */
int uhd_device_frontend(struct uhd_device *device, const struct radio_settings *settings); /* gain, antenna, filter */
int uhd_device_clock(struct uhd_device *device); /* clock.c: time at a pulse all boards share, else from 0 */
int uhd_device_tune(struct uhd_device *device, const struct radio_settings *settings); /* tune.c */

/* Round trips. Now: board 0's, but every board is asked: one that is gone is an error. */
int uhd_device_now(struct uhd_device *device, tutti_tick *tick);
int uhd_device_read_pps(struct uhd_device *device); /* fills last_pps of every board */
int uhd_device_same_pps(struct uhd_device *device); /* the same; TUTTI_EDEVICE unless it is one time */
/* Waits until a sensor says yes. 1 yes, 0 no, -1 there is none; board or channel, whatever `kind` ("m", "r", "t")
 * has. */
int uhd_device_sensor(struct uhd_device *device, char kind, const char *name, size_t which, double wait_s);
/* The UTC second of the newest pulse by a board's own receiver, if it has one. */
bool uhd_device_gps_second(struct uhd_device *device, int64_t *second);
/* error_set(TUTTI_EDEVICE) with libuhd's last complaint: "radio 'name': what: complaint". */
int uhd_device_failed(const struct uhd_device *device, const char *what);

#endif
