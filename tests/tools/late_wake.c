/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A host that wakes its threads late, to be preloaded: every ppoll that ends by its timeout ends LATE_WAKE_US later. */
#include <dlfcn.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

int ppoll(struct pollfd *fds, nfds_t n, const struct timespec *timeout, const sigset_t *mask)
{
    int (*real)(struct pollfd *, nfds_t, const struct timespec *, const sigset_t *);
    *(void **)&real = dlsym(RTLD_NEXT, "ppoll");
    const char *text = getenv("LATE_WAKE_US");
    const long us = text ? strtol(text, NULL, 10) : 0;
    const int ready = real(fds, n, timeout, mask);
    if (ready == 0 && timeout && (timeout->tv_sec || timeout->tv_nsec)) {
        const struct timespec late = {.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000};
        clock_nanosleep(CLOCK_MONOTONIC, 0, &late, NULL);
    }
    return ready;
}
