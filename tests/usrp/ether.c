/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ether.h"

#include "base/error.h"
#include "hw/air/mixer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct ether {
    struct frame frame;
    struct links *links;
    mixer_t *mixer;
    int n_radio;
    int *first; /* [n_radio] device */
    struct mixer_input *in;
    struct mixer_output *out;
    tutti_cf32 **tx, **rx; /* [n_radio][n_ant][chunk] */
};

static int devices_of(int n_ant)
{
    return (n_ant + DEVICE_N_CHANNEL - 1) / DEVICE_N_CHANNEL;
}

static bool fill_radios(struct ether *e, struct world *world)
{
    const size_t n = (size_t)e->n_radio;
    e->first = calloc(n, sizeof *e->first);
    e->in = calloc(n, sizeof *e->in);
    e->out = calloc(n, sizeof *e->out);
    e->tx = calloc(n, sizeof *e->tx);
    e->rx = calloc(n, sizeof *e->rx);
    bool good = e->first && e->in && e->out && e->tx && e->rx;
    world->n_device = 0;
    for (int r = 0; good && r < e->n_radio; r++) {
        const size_t n_ant = (size_t)e->links->radio[r].n_ant, n_sample = n_ant * (size_t)world->chunk;
        e->first[r] = world->n_device;
        world->n_device += devices_of((int)n_ant);
        e->tx[r] = calloc(n_sample, sizeof **e->tx);
        e->rx[r] = calloc(n_sample, sizeof **e->rx);
        good = e->tx[r] && e->rx[r];
    }
    return good;
}

int ether_create(struct ether **ether, struct world *world, const struct config *config)
{
    struct ether *e = calloc(1, sizeof *e);
    *ether = e;
    if (!e) {
        return error_set(TUTTI_ENOMEM, "no memory for the ether");
    }
    if (!config) {
        return TUTTI_OK;
    }
    int status = frame_init(&e->frame, config);
    status = status ? status : links_create(&e->links, config, &e->frame);
    if (status) {
        return status;
    }
    e->n_radio = e->links->n_radio;
    world_set_rate(world, (uint64_t)e->frame.sample_rate_hz);
    world->fixed_rate = true;
    if (!fill_radios(e, world)) {
        return error_set(TUTTI_ENOMEM, "no memory for %d radios", e->n_radio);
    }
    return mixer_create(&e->mixer, e->links, config->network.seed, world->chunk);
}

void ether_destroy(struct ether *e)
{
    if (!e) {
        return;
    }
    for (int r = 0; r < e->n_radio; r++) {
        if (e->tx) {
            free(e->tx[r]);
        }
        if (e->rx) {
            free(e->rx[r]);
        }
    }
    mixer_destroy(e->mixer);
    links_destroy(e->links);
    free(e->first);
    free(e->in);
    free(e->out);
    free(e->tx);
    free(e->rx);
    free(e);
}

/* The world's place of an antenna's samples. */
static size_t place(const struct ether *e, int radio, int antenna)
{
    return (size_t)e->first[radio] * DEVICE_N_CHANNEL + (size_t)antenna;
}

static void gather(struct ether *e, const struct world *world, int r)
{
    const size_t chunk = (size_t)world->chunk;
    bool loud = false;
    for (int a = 0; a < e->links->radio[r].n_ant; a++) {
        const size_t at = place(e, r, a);
        tutti_cf32 *to = e->tx[r] + (size_t)a * chunk;
        if (world->loud[at]) {
            memcpy(to, world->tx + at * chunk, chunk * sizeof *to);
        } else {
            memset(to, 0, chunk * sizeof *to);
        }
        loud = loud || world->loud[at];
    }
    e->in[r] = (struct mixer_input){loud ? e->tx[r] : NULL, 0, world->chunk};
    e->out[r] = (struct mixer_output){e->rx[r], 0, world->chunk};
}

static void loop_back(struct world *world)
{
    const size_t chunk = (size_t)world->chunk;
    for (size_t i = 0; i < (size_t)world->n_device * DEVICE_N_CHANNEL; i++) {
        if (world->loud[i]) {
            memcpy(world->rx + i * chunk, world->tx + i * chunk, chunk * sizeof *world->rx);
        } else {
            memset(world->rx + i * chunk, 0, chunk * sizeof *world->rx);
        }
    }
}

void ether_execute(struct ether *e, struct world *world, uint64_t tick)
{
    const size_t chunk = (size_t)world->chunk;
    if (!e->mixer) {
        loop_back(world);
        return;
    }
    for (int r = 0; r < e->n_radio; r++) {
        gather(e, world, r);
    }
    mixer_execute(e->mixer, tick, e->in, e->out, NULL, NULL);
    for (int r = 0; r < e->n_radio; r++) {
        memcpy(world->rx + place(e, r, 0) * chunk, e->rx[r],
               (size_t)e->links->radio[r].n_ant * chunk * sizeof *world->rx);
    }
}

void ether_name(const struct ether *e, int device, char *name, size_t n)
{
    snprintf(name, n, "%s", "");
    for (int r = 0; r < e->n_radio; r++) {
        const struct links_radio *radio = &e->links->radio[r];
        const int board = device - e->first[r];
        if (board >= 0 && board < devices_of(radio->n_ant)) {
            snprintf(name, n, "%s %d board %d", radio->is_ap ? "ap" : radio->is_eve ? "eve" : "ue", radio->id, board);
        }
    }
}
