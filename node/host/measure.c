/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What only shows when it is tried. */
#include "base/clock.h"
#include "base/stats.h"
#include "node/host/look.h"

#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { N_SLEEPS = 150, WRITE_BYTES = 1 << 20, WRITE_MS = 300 };
static const uint64_t SLEEP_NS = 2000000, SECOND_NS = 1000000000;

/* The cost of one hand-over to a sleeping thread: the largest part of a message's latency. */
static void measure_wake_up(struct host_measured *measured)
{
    struct stats_hist hist = {0};
    for (int i = 0; i < N_SLEEPS; i++) {
        const uint64_t due_ns = clock_mono_ns() + SLEEP_NS;
        clock_sleep_until_ns(due_ns);
        stats_hist_add(&hist, clock_mono_ns() - due_ns);
    }
    measured->wake_p50_us = (double)stats_hist_quantile(&hist, 0.5) / 1e3;
    measured->wake_max_us = (double)hist.max / 1e3;
}

void look_at_wake_up(const struct host_question *question, struct host_finding *f)
{
    const double p50_us = question->measured->wake_p50_us, max_us = question->measured->wake_max_us;
    host_found(f, p50_us < 60 && max_us < 500 ? HOST_GOOD : HOST_COSTS,
               "a sleeper wakes %.0f us late (median), %.0f us at worst of %d", p50_us, max_us, N_SLEEPS);
}

/* Into a file without a name, with what it takes to reach the disk. */
static void measure_write(const char *folder, struct host_measured *measured)
{
    char *const bytes = calloc(1, WRITE_BYTES);
    const int fd = bytes ? open(folder, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600) : -1;
    const uint64_t start_ns = clock_mono_ns();
    double written = 0;
    bool good = fd >= 0;
    while (good && clock_mono_ns() - start_ns < WRITE_MS * 1000000u) {
        good = write(fd, bytes, WRITE_BYTES) == WRITE_BYTES && fdatasync(fd) == 0;
        written += WRITE_BYTES;
    }
    if (good && written > 0) {
        measured->write_mb_per_s = written / 1e6 / ((double)(clock_mono_ns() - start_ns) * 1e-9);
    }
    if (fd >= 0) {
        close(fd);
    }
    free(bytes);
}

void host_measure(const struct host_question *question, struct host_measured *measured)
{
    double steal[2], all[2];
    const char *const folder = question->folder ? question->folder : question->config ? question->config->folder : ".";
    *measured = (struct host_measured){NAN, NAN, NAN, NAN, NAN, {NAN, NAN}};
    const uint64_t start_ns = clock_mono_ns();
    const bool counted = look_steal(question, &steal[0], &all[0]);
    const double dropped = look_dropped(question);
    measure_wake_up(measured);
    measure_write(folder, measured);
    clock_sleep_until_ns(start_ns + SECOND_NS);
    if (counted && look_steal(question, &steal[1], &all[1])) {
        measured->steal_percent = all[1] > all[0] ? 100 * (steal[1] - steal[0]) / (all[1] - all[0]) : 0;
    }
    measured->dropped_packets = look_dropped(question) - dropped;
}
