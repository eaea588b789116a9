/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What an encoding of the coefficients costs and keeps: error vector magnitude on Gaussian estimates, bytes per
 * coefficient, and speed of packing and unpacking in every variant, the plain loop and memcpy of the same cf32 array in
 * turn. Speeds are GB/s of cf32 in processor time, the best of repeated passes over one message; ratios are medians
 * over the rounds. "ratio": times faster than the plain loop; "of_copy": share of memcpy of the same array, which is
 * what memory allows: the array stays in the cache, and no encoding reads and writes less than its half. */
#include "baton.h"
#include "fronthaul/coefficients.h"
#include "measure.h"
#include "plain_encoding.h"
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
    uint8_t *bytes, *plain;
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

/* GB/s of cf32 in one round of PASSES passes. */
static double round_gb_s(struct work *w, void (*what)(struct work *))
{
    const double start = measure_us();
    for (int p = 0; p < PASSES; p++) {
        what(w);
    }
    return 1e-3 * (double)(w->n * sizeof *w->in) * PASSES / (measure_us() - start);
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

/* The plain loops' bytes are the encodings' own: what they wrote is compared once. */
static void do_plain_pack(struct work *w)
{
    const size_t n = 2 * (size_t)w->header.n_stream, n_rows = (size_t)w->header.n_sb * w->header.n_ant;
    if (w->header.encoding == WIRE_BFP) {
        plain_bfp_pack(w->plain, (const float *)w->in, n_rows, n, w->header.mantissa_bits);
    } else if (w->header.encoding == WIRE_SC16) {
        plain_sc16_pack(w->plain, (const float *)w->in, w->header.n_sb, n * w->header.n_ant);
    } else {
        memcpy(w->plain, w->in, w->n * sizeof *w->in);
    }
}

static void do_plain_unpack(struct work *w)
{
    const size_t n = 2 * (size_t)w->header.n_stream, n_rows = (size_t)w->header.n_sb * w->header.n_ant;
    if (w->header.encoding == WIRE_BFP) {
        plain_bfp_unpack((float *)w->out, w->bytes, n_rows, n, w->header.mantissa_bits);
    } else if (w->header.encoding == WIRE_SC16) {
        plain_sc16_unpack((float *)w->out, w->bytes, w->header.n_sb, n * w->header.n_ant);
    } else {
        do_copy(w);
    }
}

enum { N_ENCODING = sizeof encodings / sizeof encodings[0], PLAIN_EVERY = 20, N_PLAIN = N_RUNS / PLAIN_EVERY };
struct speed {
    double pack[N_RUNS], unpack[N_RUNS], copy[N_RUNS], pack_of_copy[N_RUNS], unpack_of_copy[N_RUNS];
    double pack_ratio[N_PLAIN], unpack_ratio[N_PLAIN];
};

/* One encoding in one variant, copies of the same array in between: the machine is equally busy for both. The plain
 * loop, many times slower, has fewer rounds. */
static void bench_one(struct work *w, int variant, struct speed *s)
{
    coefficients_select(variant);
    do_pack(w);
    do_plain_pack(w);
    if (w->header.encoding != WIRE_SC16 && memcmp(w->plain, w->bytes, coefficients_bytes(&w->header)) != 0) {
        abort(); /* sc16 multiplies by the inverse: a tie may fall to the other side */
    }
    for (int r = 0; r < N_RUNS; r++) {
        if (baton_pass()) {
            do_pack(w);
            do_unpack(w);
        }
        s->copy[r] = round_gb_s(w, do_copy);
        s->pack[r] = round_gb_s(w, do_pack);
        s->unpack[r] = round_gb_s(w, do_unpack);
        s->pack_of_copy[r] = s->pack[r] / s->copy[r];
        s->unpack_of_copy[r] = s->unpack[r] / s->copy[r];
        if (r % PLAIN_EVERY == 0 && r / PLAIN_EVERY < N_PLAIN) {
            s->pack_ratio[r / PLAIN_EVERY] = s->pack[r] / round_gb_s(w, do_plain_pack);
            s->unpack_ratio[r / PLAIN_EVERY] = s->unpack[r] / round_gb_s(w, do_plain_unpack);
        }
    }
    do_unpack(w);
}

static double best(const double *rate)
{
    double most = 0;
    for (int i = 0; i < N_RUNS; i++) {
        most = fmax(most, rate[i]);
    }
    return most;
}

static void show(const struct work *w, const char *name, struct speed *s)
{
    const bool coded = w->header.encoding != WIRE_CF32;
    row_samples("best_pack_gb_s", N_RUNS, s->pack);
    row_samples("best_unpack_gb_s", N_RUNS, s->unpack);
    ROW(name, {"bytes_each", (double)coefficients_bytes(&w->header) / (double)w->n}, {"evm_db", evm_db(w)},
        {"best_pack_gb_s", best(s->pack)}, {"best_unpack_gb_s", best(s->unpack)},
        {"pack_ratio", coded ? measure_summary(s->pack_ratio, N_PLAIN).median_us : NAN},
        {"unpack_ratio", coded ? measure_summary(s->unpack_ratio, N_PLAIN).median_us : NAN},
        {"pack_of_copy", measure_summary(s->pack_of_copy, N_RUNS).median_us},
        {"unpack_of_copy", measure_summary(s->unpack_of_copy, N_RUNS).median_us});
}

static void bench(struct work *w, int n_stream)
{
    static struct speed speed;
    char name[64];
    w->header = (struct wire_header){.n_sb = N_SB, .n_ant = N_ANT, .n_stream = (uint16_t)n_stream};
    w->n = (size_t)N_SB * N_ANT * (size_t)n_stream;
    row_section("%d users, %d antennas, %d subbands: %zu coefficients", n_stream, N_ANT, N_SB, w->n);
    for (int e = 0; e < N_ENCODING; e++) {
        w->header.encoding = encodings[e].encoding;
        w->header.mantissa_bits = encodings[e].bits;
        for (int v = 0; coefficients_variant(v); v++) {
            bench_one(w, v, &speed);
            snprintf(name, sizeof name, "%s, %s", encodings[e].name, coefficients_variant(v));
            show(w, name, &speed);
        }
    }
}

int main(int argc, char **argv)
{
    row_open(&argc, argv);
    static const int users[] = {4, 8, 16, 64};
    const size_t room = (size_t)N_SB * N_ANT * MAX_STREAM;
    struct work w = {.in = aligned_alloc(4096, room * sizeof *w.in),
                     .out = aligned_alloc(4096, room * sizeof *w.out),
                     .bytes = aligned_alloc(4096, 2 * room * sizeof *w.in),
                     .plain = aligned_alloc(4096, 2 * room * sizeof *w.in)};
    const bool good = w.in && w.out && w.bytes && w.plain;
    for (size_t i = 0; good && i < room; i++) {
        w.in[i] = gaussian();
    }
    for (size_t u = 0; good && u < sizeof users / sizeof users[0]; u++) {
        bench(&w, users[u]);
    }
    free(w.in);
    free(w.out);
    free(w.bytes);
    free(w.plain);
    return good ? 0 : 1;
}
