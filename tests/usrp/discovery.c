/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Discovery: who asks is told what the device is; echoes let the host find the largest datagram. */
#include "device.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define ASK "MPM-DISC"
#define ECHO "MPM-ECHO"

static bool starts(const char *bytes, size_t n, const char *word)
{
    return n >= strlen(word) && memcmp(bytes, word, strlen(word)) == 0;
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
                             "USRP-MPM;type=e3xx;product=e320;serial=%s;name=emulated;fpga=1G;claimed=%s", d->serial,
                             d->token[0] ? "True" : "False");
    } else if (!starts(bytes, n, ECHO)) {
        return;
    }
    if (!d->gone) {
        (void)!sendto(d->discovery_fd, bytes, n, 0, (const struct sockaddr *)&from, room);
    }
}
