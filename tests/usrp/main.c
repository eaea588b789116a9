/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Emulated USRPs: a program that libuhd takes for E320 devices at 127.0.0.1, 127.0.0.2, ... */
#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/rt.h"
#include "ether.h"
#include "faults.h"
#include "keep.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "usage: emulated-usrp [options] [--config FILE [--set KEY=VALUE]...]\n"
    "Devices that libuhd takes for USRP E320s, two channels each, at 127.0.0.1 and the addresses that follow.\n"
    "  --devices N       how many (1); with --config as many as the network's radios need: access points, users,\n"
    "                    eavesdroppers in order, ceil(antennas / 2) devices each\n"
    "  --config FILE     the channel between the devices is that of this network's emulated air; else every channel\n"
    "                    hears itself, sample for sample\n"
    "  --rate HZ         sample rate when nobody asks for another one (1920000)\n"
    "  --clock KIND      elastic (default): once streaming runs, time waits for the hosts; real: it does not\n"
    "  --ahead-us US     elastic: how far time may be ahead of the samples a host has taken, beyond a packet (900)\n"
    "  --speed X         elastic: how much faster than real time it may run (1)\n"
    "  --patience-ms MS  elastic: how long time waits for the rest of a burst before that is an underrun (20)\n"
    "  --address A       of the first device, 127.x.y.z (127.0.0.1)\n"
    "  --fault F         DEVICE:KIND[=NUMBER][@SECONDS], any number of times: what tests/usrp/faults.h lists, so many\n"
    "                    seconds after the device's first stream began\n"
    "  --keep DIR        write what every device heard and sent (tests/usrp/keep.h); fixes the rate\n"
    "  --verbose          tell on standard error what hosts ask for; twice: every register\n"
    "Prints READY and the devices' addresses when they can be found.\n";

enum { MAX_DEVICES = 64, POLLS_PER_DEVICE = 2 + DEVICE_N_CONNECTION };

static int make_buffers(struct world *w)
{
    const size_t n = (size_t)w->n_device * DEVICE_N_CHANNEL, room = 16384;
    w->tx = calloc(n * room, sizeof *w->tx);
    w->rx = calloc(n * room, sizeof *w->rx);
    w->loud = calloc(n, sizeof *w->loud);
    w->device = calloc((size_t)w->n_device, sizeof *w->device);
    return w->tx && w->rx && w->loud && w->device ? TUTTI_OK
                                                  : error_set(TUTTI_ENOMEM, "no memory for %d devices", w->n_device);
}

static int set_up(struct world *w, const struct config *config)
{
    const uint64_t wall_ns = clock_wall_ns();
    w->start_second = wall_ns / 1000000000u;
    w->start_ns = clock_mono_ns() - wall_ns % 1000000000u;
    int status = ether_create(&w->ether, w, config);
    status = status ? status : make_buffers(w);
    for (int i = 0; i < w->n_device && !status; i++) {
        status = device_open(&w->device[i], w, i);
    }
    if (!status && w->keep_folder) {
        w->fixed_rate = true;
        status = keep_create(&w->keep, w->keep_folder, w);
    }
    return status ? status : rt_stop_install();
}

static void tear_down(struct world *w)
{
    discovery_stop(w);
    for (int i = 0; w->device && i < w->n_device; i++) {
        device_close(&w->device[i]);
    }
    ether_destroy(w->ether);
    keep_destroy(w->keep);
    free(w->device);
    free(w->tx);
    free(w->rx);
    free(w->loud);
}

static void introduce(const struct world *w)
{
    printf("READY devices=%d rate_hz=%llu clock=%s\n", w->n_device, (unsigned long long)w->rate,
           w->clock == WORLD_ELASTIC ? "elastic" : "real");
    for (int i = 0; i < w->n_device; i++) {
        char name[32];
        ether_name(w->ether, i, name, sizeof name);
        printf("device %d addr=%s serial=%s %s\n", i, w->device[i].address, w->device[i].serial, name);
    }
    fflush(stdout);
}

static int watch(const struct world *w, struct pollfd *watched)
{
    int n = 0;
    watched[n++] = (struct pollfd){.fd = rt_stop_fd(), .events = POLLIN};
    for (int i = 0; i < w->n_device; i++) {
        const struct device *d = &w->device[i];
        watched[n++] = (struct pollfd){.fd = d->packet_fd, .events = POLLIN};
        watched[n++] = (struct pollfd){.fd = d->rpc_fd, .events = POLLIN};
        for (int c = 0; c < DEVICE_N_CONNECTION; c++) {
            watched[n++] = (struct pollfd){.fd = d->connection[c].fd, .events = POLLIN};
        }
    }
    return n;
}

static void serve(struct world *w, const struct pollfd *watched)
{
    for (int i = 0; i < w->n_device; i++) {
        struct device *d = &w->device[i];
        const struct pollfd *p = watched + 1 + i * POLLS_PER_DEVICE;
        if (p[0].revents) {
            link_serve(d);
        }
        for (int c = 0; c < DEVICE_N_CONNECTION; c++) {
            if (p[2 + c].revents && d->connection[c].fd == p[2 + c].fd) {
                rpc_serve(d, &d->connection[c]);
            }
        }
        if (p[1].revents) {
            rpc_accept(d);
        }
    }
}

static int run(struct world *w)
{
    int status = TUTTI_OK;
    struct pollfd *watched = calloc(1 + (size_t)w->n_device * POLLS_PER_DEVICE, sizeof *watched);
    if (!watched) {
        return error_set(TUTTI_ENOMEM, "no memory for %d devices", w->n_device);
    }
    uint64_t wait_ns = 0;
    status = discovery_start(w);
    while (!status && !rt_stop_requested()) {
        const struct timespec wait = {.tv_nsec = (long)(wait_ns < 100000000u ? wait_ns : 100000000u)};
        const int n = watch(w, watched);
        const bool any = ppoll(watched, (nfds_t)n, &wait, NULL) > 0;
        pthread_mutex_lock(&w->lock);
        if (any) {
            serve(w, watched);
        }
        wait_ns = world_advance(w);
        pthread_mutex_unlock(&w->lock);
    }
    free(watched);
    return status;
}

/* Takes an option of this program: 1 = taken, 0 = none of them, negative: wrong. */
static int take_option(struct world *w, double *rate_hz, int argc, char **argv, int *i)
{
    const char *name = argv[*i], *value = *i + 1 < argc ? argv[*i + 1] : "";
    if (strcmp(name, "--verbose") == 0) {
        w->verbose++;
        *i += 1;
        return 1;
    }
    if (strcmp(name, "--devices") == 0) {
        w->n_device = atoi(value);
    } else if (strcmp(name, "--rate") == 0) {
        *rate_hz = atof(value);
    } else if (strcmp(name, "--ahead-us") == 0) {
        w->ahead_us = atof(value);
    } else if (strcmp(name, "--speed") == 0) {
        w->speed = atof(value) > 0 ? atof(value) : 1;
    } else if (strcmp(name, "--keep") == 0) {
        w->keep_folder = value;
    } else if (strcmp(name, "--patience-ms") == 0) {
        w->patience_ns = (uint64_t)(1e6 * atof(value));
    } else if (strcmp(name, "--address") == 0) {
        struct in_addr at = {0};
        if (inet_pton(AF_INET, value, &at) != 1 || ntohl(at.s_addr) >> 24 != 127) {
            return error_set(TUTTI_EINVAL, "--address %s: an address of this host, 127.x.y.z, expected", value);
        }
        w->first_address = ntohl(at.s_addr);
    } else if (strcmp(name, "--fault") == 0) {
        const int status = fault_plan(w, value);
        if (status) {
            return status;
        }
    } else if (strcmp(name, "--clock") == 0 && (strcmp(value, "real") == 0 || strcmp(value, "elastic") == 0)) {
        w->clock = strcmp(value, "real") == 0 ? WORLD_REAL : WORLD_ELASTIC;
    } else {
        return 0;
    }
    *i += 2;
    if (w->n_device < 1 || w->n_device > MAX_DEVICES || *rate_hz < 200e3 || *rate_hz > 61.44e6) {
        return error_set(TUTTI_EINVAL, "%s %s: 1 to %d devices, 200e3 to 61.44e6 samples a second", name, value,
                         MAX_DEVICES);
    }
    return 1;
}

/* 1 = go on, 0 = done, negative = wrong usage. */
static int parse(struct world *w, struct config_options *options, double *rate_hz, int argc, char **argv)
{
    for (int i = 1; i < argc;) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            fputs(usage, stdout);
            return 0;
        }
        int taken = take_option(w, rate_hz, argc, argv, &i);
        taken = taken ? taken : config_options_take(options, argc, argv, &i);
        if (taken <= 0) {
            return taken ? taken : error_set(TUTTI_EINVAL, "unknown option '%s'; see --help", argv[i]);
        }
    }
    return 1;
}

int main(int argc, char **argv)
{
    struct world world = {
        .n_device = 1, .ahead_us = 900, .speed = 1, .patience_ns = 20000000, .first_address = 0x7f000001};
    struct config_options options = {0};
    struct config *config = NULL;
    double rate_hz = 1.92e6;
    log_set_component("USRP");
    int status = parse(&world, &options, &rate_hz, argc, argv);
    if (status == 0) {
        config_options_free(&options);
        return 0;
    }
    const bool network = status > 0 && options.path;
    status = status < 0 ? status
             : network  ? config_load(&config, options.path, options.overrides, options.n_overrides)
                        : TUTTI_OK;
    if (!status) {
        pthread_mutex_init(&world.lock, NULL);
        world_set_rate(&world, (uint64_t)rate_hz);
        status = set_up(&world, config);
    }
    if (!status) {
        introduce(&world);
        status = run(&world);
    }
    tear_down(&world);
    config_free(config);
    config_options_free(&options);
    if (status) {
        fprintf(stderr, "emulated-usrp: %s\n", error_text());
    }
    return status ? 1 : 0;
}
