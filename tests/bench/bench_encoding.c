/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What an encoding of the coefficients costs and keeps: error vector magnitude on Gaussian estimates, bytes per
 * coefficient, and speed of packing and unpacking against memcpy of the same cf32 array in the same run. Speeds are
 * GB/s of cf32, the median of repeated passes over one message on one core. */
#include "base/clock.h"
#include "fronthaul/coefficients.h"
#include "row.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N_SB = 100, N_ANT = 4, MAX_STREAM = 64, N_RUNS = 301, PASSES = 4 };

static const struct {
    const char *name;
    uint8_t encoding, bits;
} encodings[] = {{"cf32", WIRE_CF32, 0},  {"sc16", WIRE_SC16, 0},  {"bfp14", WIRE_BFP, 14},
                 {"bfp12", WIRE_BFP, 12}, {"bfp10", WIRE_BFP, 10}, {"bfp9", WIRE_BFP, 9}};

struct work {
    struct wire_header header;
    size_t n;
    tutti_cf32 *in, *out;
    uint8_t *bytes;
};

static double uniform(void)
{
    static uint64_t state = 0x9e3779b97f4a7c15u;
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return ((double)(state >> 11) + 0.5) / 9007199254740992.0;
}

/* Each part a standard normal variable (Box and Muller). */
static tutti_cf32 gaussian(void)
{
    const double r = sqrt(-2.0 * log(uniform())), phase = 2.0 * M_PI * uniform();
    return __builtin_complex((float)(r * cos(phase)), (float)(r * sin(phase)));
}

static void do_pack(struct work *w)
{
    coefficients_pack(w->bytes, &w->header, w->in);
}

static void do_unpack(struct work *w)
{
    if (!coefficients_unpack(w->out, &w->header, w->bytes)) {
        abort();
    }
}

static void do_copy(struct work *w)
{
    memcpy(w->out, w->in, w->n * sizeof *w->in);
    __asm__ volatile("" : : "r"(w->out) : "memory"); /* or the copy would be left out */
}

static int compare(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static double speed_gb_s(struct work *w, void (*what)(struct work *))
{
    static uint64_t ns[N_RUNS];
    what(w);
    for (int r = 0; r < N_RUNS; r++) {
        const uint64_t start = clock_mono_ns();
        for (int p = 0; p < PASSES; p++) {
            what(w);
        }
        ns[r] = clock_mono_ns() - start;
    }
    qsort(ns, N_RUNS, sizeof *ns, compare);
    return (double)(w->n * sizeof *w->in) * PASSES / (double)ns[N_RUNS / 2];
}

static double evm_db(const struct work *w)
{
    double error = 0, signal = 0;
    for (size_t i = 0; i < w->n; i++) {
        const double re = (double)crealf(w->out[i]) - (double)crealf(w->in[i]);
        const double im = (double)cimagf(w->out[i]) - (double)cimagf(w->in[i]);
        error += re * re + im * im;
        signal += (double)(crealf(w->in[i]) * crealf(w->in[i]) + cimagf(w->in[i]) * cimagf(w->in[i]));
    }
    return 10.0 * log10(error / signal);
}

static void bench(struct work *w, int n_stream)
{
    w->header = (struct wire_header){.n_sb = N_SB, .n_ant = N_ANT, .n_stream = (uint16_t)n_stream};
    w->n = (size_t)N_SB * N_ANT * (size_t)n_stream;
    const double copy = speed_gb_s(w, do_copy);
    row_section("%d users, %d antennas, %d subbands: %zu coefficients", n_stream, N_ANT, N_SB, w->n);
    ROW("memcpy", {"bytes_per_coefficient", 8}, {"evm_db", NAN}, {"pack_gb_s", copy}, {"portable_pack_gb_s", copy},
        {"unpack_gb_s", copy}, {"pack_ratio", 1}, {"unpack_ratio", 1});
    for (size_t e = 0; e < sizeof encodings / sizeof encodings[0]; e++) {
        w->header.encoding = encodings[e].encoding;
        w->header.mantissa_bits = encodings[e].bits;
        coefficients_wide(false);
        const double portable = speed_gb_s(w, do_pack);
        coefficients_wide(true);
        const double pack = speed_gb_s(w, do_pack), unpack = speed_gb_s(w, do_unpack);
        ROW(encodings[e].name, {"bytes_per_coefficient", (double)coefficients_bytes(&w->header) / (double)w->n},
            {"evm_db", evm_db(w)}, {"pack_gb_s", pack}, {"portable_pack_gb_s", portable}, {"unpack_gb_s", unpack},
            {"pack_ratio", pack / copy}, {"unpack_ratio", unpack / copy});
    }
}

int main(int argc, char **argv)
{
    row_open(&argc, argv);
    static const int users[] = {4, 8, 16, 64};
    const size_t room = (size_t)N_SB * N_ANT * MAX_STREAM;
    struct work w = {.in = malloc(room * sizeof *w.in), .out = malloc(room * sizeof *w.out), .bytes = malloc(room * 9)};
    const bool good = w.in && w.out && w.bytes;
    for (size_t i = 0; good && i < room; i++) {
        w.in[i] = gaussian();
    }
    for (size_t u = 0; good && u < sizeof users / sizeof users[0]; u++) {
        bench(&w, users[u]);
    }
    free(w.in);
    free(w.out);
    free(w.bytes);
    return good ? 0 : 1;
}
