/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Discovery: who asks is told what the device is; echoes let the host find the largest datagram. */
#include "base/error.h"
#include "faults.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

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

void discovery_serve(struct device *d)
{
    char bytes[PACKET_ROOM];
    struct sockaddr_in from;
    socklen_t room = sizeof from;
    const ssize_t got = recvfrom(d->discovery_fd, bytes, sizeof bytes, MSG_DONTWAIT, (struct sockaddr *)&from, &room);
    size_t n = got > 0 ? (size_t)got : 0;
    if (starts(bytes, n, ASK)) {
        n = (size_t)snprintf(bytes, sizeof bytes,
                             "USRP-MPM;type=e3xx;product=e320;serial=%s;name=emulated;fpga=1G;claimed=False",
                             d->serial); /* whatever is true: a claim within one making of several boards would count as
                                            another device */
    } else if (starts(bytes, n, FAULT)) {
        bytes[n < sizeof bytes ? n : sizeof bytes - 1] = '\0';
        const int status = fault_apply(d, bytes + strlen(FAULT));
        n = (size_t)snprintf(bytes, sizeof bytes, "%s", status ? error_text() : "OK");
        (void)!sendto(d->discovery_fd, bytes, n, 0, (const struct sockaddr *)&from, room);
        return;
    } else if (starts(bytes, n, STATE)) {
        n = state(d, bytes, sizeof bytes);
    } else if (!starts(bytes, n, ECHO)) {
        return;
    }
    if (!d->gone) {
        (void)!sendto(d->discovery_fd, bytes, n, 0, (const struct sockaddr *)&from, room);
    }
}
