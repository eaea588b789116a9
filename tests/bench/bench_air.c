/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The emulated air. Kernels: complex multiply-adds per ns of every variant this processor can execute, against the
 * portable one. Exchange: what it costs to move spans of three chunks between a medium that computes nothing and
 * radios, in shared memory and over tcp: time per round, wake-ups per round of the medium and of a radio. */
#include "base/clock.h"
#include "base/error.h"
#include "hw/air/convolve.h"
#include "hw/air/medium.h"
#include "hw/radio.h"
#include "row.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { N = 1024, MAX_SOURCE = 16, N_RUNS = 401, CHUNK = 3200, SPAN = 3 * CHUNK, N_ROUND = 200, N_ANT = 4, N_RADIO = 8 };

/* Kernels ------------------------------------------------------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double add_per_ns(const struct convolve_ops *ops, int n_source, struct convolve_source *source, tutti_cf32 *y)
{
    static double ns[N_RUNS];
    for (int r = 0; r < N_RUNS; r++) {
        const uint64_t start = clock_mono_ns();
        for (int k = 0; k < 8; k++) {
            ops->add(N, n_source, source, false, y);
        }
        ns[r] = (double)(clock_mono_ns() - start) / 8;
    }
    qsort(ns, N_RUNS, sizeof *ns, compare);
    return (double)N * n_source / ns[N_RUNS / 2];
}

static void bench_kernels(void)
{
    static tutti_cf32 x[MAX_SOURCE][N], y[N];
    struct convolve_source source[MAX_SOURCE];
    for (int s = 0; s < MAX_SOURCE; s++) {
        source[s] = (struct convolve_source){x[s], CMPLXF(1e-3f, 2e-3f)};
    }
    const struct convolve_ops *portable = convolve_get();
    for (int i = 0; convolve_variant(i); i++) {
        portable = convolve_variant(i);
    }
    for (int n_source = 1; n_source <= MAX_SOURCE; n_source *= 4) {
        const double base = add_per_ns(portable, n_source, source, y);
        row_section("add, %d sources, %d samples", n_source, N);
        for (int i = 0; convolve_variant(i); i++) {
            const double rate = add_per_ns(convolve_variant(i), n_source, source, y);
            ROW(convolve_variant(i)->name, {"multiply_adds_per_ns", rate}, {"ratio_to_portable", rate / base});
        }
    }
}

/* Exchange ------------------------------------------------------------------------------------------------------ */

static void *run_medium(void *medium)
{
    while (medium_gather(medium) == MEDIUM_CHUNK) {
        medium_deliver(medium);
    }
    return NULL;
}

struct listener {
    const char *endpoint;
    bool ap;
    int id;
    uint64_t wakeups;
};

static void fail(void)
{
    fprintf(stderr, "bench_air: %s\n", error_text());
    exit(1);
}

static void *listen_thread(void *argument)
{
    struct listener *l = argument;
    const struct radio_settings settings = {.backend = "air",
                                            .args = l->endpoint,
                                            .role = l->ap ? "ap" : "ue",
                                            .id = l->id,
                                            .n_ant = l->ap ? N_ANT : 1,
                                            .rate_hz = 1.92e6,
                                            .n_tx_buffer_samples = 4 * CHUNK};
    tutti_cf32 *samples = calloc((size_t)N_ANT * SPAN, sizeof *samples), *buffers[N_ANT];
    radio_t *radio = NULL;
    struct radio_info info;
    struct radio_got got;
    tutti_tick first;
    if (!samples || radio_open(&radio, &settings, &info) || radio_start(radio, 0, &first)) {
        fail();
    }
    for (int a = 0; a < N_ANT; a++) {
        buffers[a] = samples + (size_t)a * SPAN;
    }
    for (int i = 0; i < N_ROUND; i++) { /* the first half of what is received is sent three chunks later */
        if (radio_recv(radio, buffers, SPAN, &got) ||
            radio_burst(radio, (const tutti_cf32 *const *)buffers, SPAN / 2, got.tick + SPAN, (uint64_t)i)) {
            fail();
        }
    }
    l->wakeups = radio_wakeups(radio);
    radio_close(radio);
    free(samples);
    return NULL;
}

static void bench_exchange(const char *what, const char *endpoint)
{
    const struct medium_settings settings = {.endpoint = endpoint,
                                             .n_ap = N_RADIO / 2,
                                             .n_ue = N_RADIO / 2,
                                             .n_ant = N_ANT,
                                             .n_eve_ant = 1,
                                             .sample_rate_hz = 1.92e6,
                                             .chunk = CHUNK,
                                             .wait_for_all = true,
                                             .exit_when_empty = true,
                                             .radio_timeout_ms = 60000,
                                             .hello_timeout_ms = 5000};
    medium_t *medium = NULL;
    pthread_t thread[N_RADIO], air;
    struct listener l[N_RADIO];
    uint64_t wakeups = 0;
    if (medium_create(&medium, &settings)) {
        fail();
    }
    pthread_create(&air, NULL, run_medium, medium);
    for (int r = 0; r < N_RADIO; r++) {
        l[r] = (struct listener){.endpoint = endpoint, .ap = r < N_RADIO / 2, .id = r % (N_RADIO / 2)};
        pthread_create(&thread[r], NULL, listen_thread, &l[r]);
    }
    for (int r = 0; r < N_RADIO; r++) {
        pthread_join(thread[r], NULL);
        wakeups += l[r].wakeups;
    }
    pthread_join(air, NULL);
    const struct medium_counters *n = medium_counters(medium);
    ROW(what, {"us_per_round", (double)(n->last_ns - n->first_ns) / 1e3 / N_ROUND},
        {"medium_wakeups_per_round", (double)n->wakeups / N_ROUND},
        {"radio_wakeups_per_round", (double)wakeups / N_RADIO / N_ROUND});
    medium_destroy(medium);
}

int main(int argc, char **argv)
{
    char endpoint[80];
    row_open(&argc, argv);
    bench_kernels();
    row_section("exchange, %d radios of %d and %d of 1 antenna, rounds of 3 chunks of %d samples", N_RADIO / 2, N_ANT,
                N_RADIO / 2, CHUNK);
    snprintf(endpoint, sizeof endpoint, "unix:///tmp/tutti-bench-air-%d.sock", (int)getpid());
    bench_exchange("shared memory", endpoint);
    snprintf(endpoint, sizeof endpoint, "tcp://127.0.0.1:%d", 20000 + (int)getpid() % 10000);
    bench_exchange("tcp", endpoint);
    return 0;
}
