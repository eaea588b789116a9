/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Discovery: who asks is told what the device is; echoes let the host find the largest datagram. libuhd waits 20 ms for
 * an echo and then gives the device up, so a thread that does nothing else answers: the system runs it at once, however
 * busy the machine is. */
#include "base/error.h"
#include "faults.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { LOOK_MS = 100 };

#define ASK "MPM-DISC"
#define ECHO "MPM-ECHO"
/* Not the device's, but the emulator's: */
#define FAULT "FAULT "
#define STATE "STATE"

static bool starts(const char *bytes, size_t n, const char *word)
{
    return n >= strlen(word) && memcmp(bytes, word, strlen(word)) == 0;
}

/* What a test wants to know. */
static size_t state(const struct device *d, char *text, size_t n)
{
    const struct device_counts *k = &d->counts;
    size_t at = (size_t)snprintf(
        text, n,
        "claimed=%d bursts=%llu late=%llu underruns=%llu overruns=%llu late_commands=%llu lost=%llu sessions=%llu "
        "world_samples=%llu skew_us=%.0f",
        d->token[0] != '\0', (unsigned long long)k->bursts, (unsigned long long)k->late,
        (unsigned long long)k->underruns, (unsigned long long)k->overruns, (unsigned long long)k->late_commands,
        (unsigned long long)k->lost, (unsigned long long)k->sessions, (unsigned long long)d->world->now,
        world_skew_us(d->world));
    for (int c = 0; c < DEVICE_N_CHANNEL && at < n; c++) {
        const struct receiver *r = &d->channel[c].receive;
        at += (size_t)snprintf(text + at, n - at, " rx%d=%d rx%d_sent=%llu rx%d_taken=%llu tx%d_waiting=%d", c,
                               (int)r->state, c, (unsigned long long)r->sent.packets, c,
                               (unsigned long long)r->acknowledged.packets, c, d->channel[c].transmit.n_queued);
    }
    return at;
}

/* Faults and counters are the emulator's main thread's. */
static size_t answer_test(struct device *d, char *bytes, size_t n, size_t room)
{
    bytes[n < room ? n : room - 1] = '\0';
    pthread_mutex_lock(&d->world->lock);
    if (starts(bytes, n, FAULT)) {
        const int status = fault_apply(d, bytes + strlen(FAULT));
        n = (size_t)snprintf(bytes, room, "%s", status ? error_text() : "OK");
    } else {
        n = state(d, bytes, room);
    }
    pthread_mutex_unlock(&d->world->lock);
    return n;
}

static void serve(struct device *d)
{
    char bytes[PACKET_ROOM];
    struct sockaddr_in from;
    socklen_t room = sizeof from;
    const ssize_t got = recvfrom(d->discovery_fd, bytes, sizeof bytes, MSG_DONTWAIT, (struct sockaddr *)&from, &room);
    size_t n = got > 0 ? (size_t)got : 0;
    const bool test = starts(bytes, n, FAULT) || starts(bytes, n, STATE);
    if (starts(bytes, n, ASK)) {
        n = (size_t)snprintf(bytes, sizeof bytes,
                             "USRP-MPM;type=e3xx;product=e320;serial=%s;name=emulated;fpga=1G;claimed=False",
                             d->serial); /* whatever is true: a claim within one making of several boards would count as
                                            another device */
    } else if (test) {
        n = answer_test(d, bytes, n, sizeof bytes);
    } else if (!starts(bytes, n, ECHO)) {
        return;
    }
    if (test || !atomic_load(&d->gone)) {
        (void)!sendto(d->discovery_fd, bytes, n, 0, (const struct sockaddr *)&from, room);
    }
}

static void *discovery_main(void *argument)
{
    struct world *w = argument;
    while (!atomic_load(&w->discovery_stop)) {
        poll(w->discovery_fds, (nfds_t)w->n_device, LOOK_MS);
        for (int i = 0; i < w->n_device; i++) {
            if (w->discovery_fds[i].revents) {
                serve(&w->device[i]);
            }
        }
    }
    return NULL;
}

int discovery_start(struct world *w)
{
    w->discovery_fds = calloc((size_t)w->n_device, sizeof *w->discovery_fds);
    for (int i = 0; w->discovery_fds && i < w->n_device; i++) {
        w->discovery_fds[i] = (struct pollfd){.fd = w->device[i].discovery_fd, .events = POLLIN};
    }
    w->discovery_runs = w->discovery_fds && pthread_create(&w->discovery, NULL, discovery_main, w) == 0;
    return w->discovery_runs ? TUTTI_OK : error_set(TUTTI_ENOMEM, "no memory for a thread");
}

void discovery_stop(struct world *w)
{
    if (w->discovery_runs) {
        atomic_store(&w->discovery_stop, true);
        pthread_join(w->discovery, NULL);
    }
    free(w->discovery_fds);
}
