/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What users' data cost per coherence block, in one thread: weights of a central combiner and of fusion, combining,
 * decoding; at an access point its own combiner; and how many users that leaves for two cores in the time of a block,
 * decoded at the central node or, what one access point hears, there. bench_uplink [--json]. "allocations": calls of
 * malloc in all runs of a row. Times are processor time of the thread. docs/uplink.md. */
#include "base/error.h"
#include "baton.h"
#include "cpu_node/uplink/weights.h"
#include "linalg/kernel.h"
#include "measure.h"
#include "mimo/combine.h"
#include "phy/upstream.h"
#include "row.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_RUNS = 100, N_CORE = 2, MAX_SETS = 8 };

struct network {
    const char *name;
    int runs;
    const char *sets[MAX_SETS]; /* to the first NULL */
};

static const struct network networks[] = {
    {"default frame, 4 x 4 antennas, 4 users", MAX_RUNS, {"network.n_ap=4", "network.n_ue=4"}},
    {"default frame, 16 x 4 antennas, 8 users",
     MAX_RUNS,
     {"network.n_ap=16", "network.n_ue=8", "frame.n_dl_pilot_symbols=8", "frame.schedule=B G P8 U20 G D38 G"}},
    {"20 MHz, 4 x 2 antennas, 2 users",
     30,
     {"network.n_ap=4", "network.n_ant=2", "network.n_ue=2", "frame.sample_rate_hz=30720000", "frame.fft_size=2048",
      "frame.n_used_subcarriers=1200", "frame.n_cp_samples=144"}},
    {"20 MHz, 16 x 4 antennas, 8 users",
     20,
     {"network.n_ap=16", "network.n_ue=8", "frame.n_dl_pilot_symbols=8", "frame.schedule=B G P8 U20 G D38 G",
      "frame.sample_rate_hz=30720000", "frame.fft_size=2048", "frame.n_used_subcarriers=1200",
      "frame.n_cp_samples=144"}},
};

struct bench {
    const struct network *network;
    struct config *config;
    struct frame frame;
    struct uplink_window window;
    struct uplink_block *block;
    uplink_weights_t *weights;
    upstream_t *upstream;
    struct upstream_memory memory;
    combine_t *combine;
    tutti_cf32 *sent, *symbols; /* [n_ul][n_sc] */
    double *sinr;               /* [n_sb] */
    /* an access point's */
    tutti_cf32 *G, *V;    /* [n_ant][n_ue], [n_ue][n_ant] */
    double complex *g;    /* [n_ue][n_ue] */
    double *f;            /* [n_ue] */
    float *e;             /* [n_ue] */
    const tutti_cf32 **y; /* [n_ant] */
    uint64_t seed;
};

static float draw(struct bench *b)
{
    b->seed = b->seed * 6364136223846793005u + 1442695040888963407u;
    return (float)(b->seed >> 40) / (float)(1 << 23) - 1;
}

static void fill(struct bench *b, tutti_cf32 *values, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        values[i] = CMPLXF(draw(b), draw(b));
    }
}

/* Life ------------------------------------------------------------------------------------------------------------- */

static int load(struct bench *b, const char *mode)
{
    const char *sets[MAX_SETS + 1] = {mode};
    int n = 1;
    for (; n <= MAX_SETS && b->network->sets[n - 1]; n++) {
        sets[n] = b->network->sets[n - 1];
    }
    const int status = config_load(&b->config, NULL, sets, n);
    return status < 0 ? status : frame_init(&b->frame, b->config);
}

static int make_arrays(struct bench *b)
{
    const size_t n_re = (size_t)b->frame.n_ul * (size_t)b->frame.n_sc;
    const size_t n_ant = (size_t)b->config->network.n_ant, n_ue = (size_t)b->config->network.n_ue;
    b->sent = calloc(n_re, sizeof *b->sent);
    b->symbols = calloc(n_re, sizeof *b->symbols);
    b->sinr = calloc((size_t)b->frame.n_sb, sizeof *b->sinr);
    b->G = calloc(n_ant * n_ue, sizeof *b->G);
    b->V = calloc(n_ant * n_ue, sizeof *b->V);
    b->g = calloc(n_ue * n_ue, sizeof *b->g);
    b->f = calloc(n_ue, sizeof *b->f);
    b->e = calloc(n_ue, sizeof *b->e);
    b->y = calloc(n_ant, sizeof *b->y);
    return b->sent && b->symbols && b->sinr && b->G && b->V && b->g && b->f && b->e && b->y
               ? 0
               : error_set(TUTTI_ENOMEM, "out of memory");
}

/* A block of which everything is there. */
static void open_block(struct bench *b)
{
    const struct uplink_shape *s = &b->window.shape;
    const size_t n_cell = (size_t)s->n_ap * (size_t)s->n_ue;
    uplink_window_move(&b->window, 1);
    b->block = uplink_window_open(&b->window);
    memset(b->block->expected, 1, (size_t)s->n_ap);
    memset(b->block->got, 1, (size_t)s->n_ap);
    memset(b->block->user_here, 1, (size_t)s->n_ue);
    for (int k = 0; k < s->n_ue; k++) {
        b->block->pilot[k] = k;
    }
    for (size_t i = 0; i < n_cell; i++) {
        b->block->beta[i] = 1000;
        b->block->error_variance[i] = 1;
    }
    if (!s->local) {
        fill(b, b->block->H_hat, (size_t)s->frame->n_sb * n_cell * (size_t)s->n_ant);
    }
    fill(b, b->block->values, (size_t)s->n_ap * uplink_n_values(s));
    for (size_t i = 0; i < (size_t)s->n_ap * uplink_n_statistic(s); i++) {
        b->block->statistic[i] = 1 + draw(b) / 2;
    }
}

/* What arrives when 30 dB are left, and an access point's channels. */
static int make_data(struct bench *b)
{
    payload_t *payload;
    const struct config_payload settings = {b->config->uplink.modulation, b->config->payload.max_code_block_bits};
    const int status = payload_create_uplink(&payload, &b->frame, &settings, 1);
    if (status < 0) {
        return status;
    }
    payload_encode(payload, 0, 1, b->sent);
    payload_destroy(payload);
    for (int i = 0; i < b->frame.n_ul * b->frame.n_sc; i++) {
        b->sent[i] += 0.0387f * CMPLXF(draw(b), draw(b));
    }
    for (int sb = 0; sb < b->frame.n_sb; sb++) {
        b->sinr[sb] = 1000;
    }
    for (int i = 0; i < b->config->network.n_ant; i++) {
        b->y[i] = b->sent;
    }
    fill(b, b->G, (size_t)b->config->network.n_ant * (size_t)b->config->network.n_ue);
    return 0;
}

static int open_bench(struct bench *b, const char *mode)
{
    int status = load(b, mode);
    status = status < 0 ? status : make_arrays(b);
    if (status < 0) {
        return status;
    }
    const struct uplink_shape shape = uplink_shape_of(b->config, &b->frame);
    const struct uplink_weights_settings weights = {.shape = shape, .config = b->config};
    const struct config_payload payload = {b->config->uplink.modulation, b->config->payload.max_code_block_bits};
    const struct upstream_settings upstream = {.payload = &payload, .seed = 1, .track_phase = true};
    status = uplink_window_create(&b->window, &shape);
    status = status < 0 ? status : uplink_weights_create(&b->weights, &weights);
    status = status < 0 ? status : upstream_create(&b->upstream, &b->frame, &upstream);
    status = status < 0 ? status : combine_create(&b->combine, shape.n_ue);
    status = status < 0 ? status : make_data(b);
    if (status >= 0) {
        open_block(b);
    }
    return status;
}

static void close_bench(struct bench *b)
{
    uplink_window_destroy(&b->window);
    uplink_weights_destroy(b->weights);
    upstream_destroy(b->upstream);
    combine_destroy(b->combine);
    free(b->sent);
    free(b->symbols);
    free(b->sinr);
    free(b->G);
    free(b->V);
    free(b->g);
    free(b->f);
    free(b->e);
    free(b->y);
    config_free(b->config);
}

/* What is measured ------------------------------------------------------------------------------------------------- */

static void run_weights(struct bench *b)
{
    uplink_weights_make(b->weights, b->block, NULL);
}

static void run_apply(struct bench *b)
{
    double sinr[4096];
    uplink_weights_apply(b->weights, 0, b->symbols, sinr);
}

static void run_decode(struct bench *b)
{
    struct upstream_figures figures;
    memcpy(b->symbols, b->sent, (size_t)b->frame.n_ul * (size_t)b->frame.n_sc * sizeof *b->symbols);
    upstream_execute(b->upstream, 0, 1, b->symbols, b->sinr, &b->memory, &figures);
}

/* As if the last block had told an offset of 200 Hz: every symbol is turned sample by sample. */
static void run_decode_offset(struct bench *b)
{
    b->memory = (struct upstream_memory){.offset_rad = 0.09};
    run_decode(b);
    b->memory = (struct upstream_memory){0};
}

/* An access point's block: V of all subbands, and all users' streams. */
static void run_local(struct bench *b)
{
    const struct kernel_ops *const ops = kernel_get();
    const int n_ant = b->config->network.n_ant, n_ue = b->config->network.n_ue, n = b->frame.sc_per_sb;
    for (int sb = 0; sb < b->frame.n_sb; sb++) {
        combine_local(b->combine, COMBINE_MMSE, n_ant, b->G, b->e, NULL, b->V, b->g, b->f);
        for (int i = 0; i < b->frame.n_ul * n_ue; i++) {
            ops->combine(n, n_ant, b->V + (i % n_ue) * n_ant, b->y, (size_t)sb * (size_t)n, b->symbols);
        }
    }
}

static struct measure_times time_row(struct bench *b, const char *what, void (*run)(struct bench *))
{
    double us[MAX_RUNS];
    run(b);
    const unsigned long before = measure_allocations();
    measure_count(true);
    for (int r = 0; r < b->network->runs; r++) {
        if (baton_pass()) {
            run(b);
        }
        const double start = measure_us();
        run(b);
        us[r] = measure_us() - start;
    }
    measure_count(false);
    row_samples("best_us", b->network->runs, us);
    const struct measure_times t = measure_summary(us, b->network->runs);
    ROW(what, {"best_us", t.best_us}, {"median_us", t.median_us}, {"us_per_subband", t.best_us / b->frame.n_sb},
        {"allocations", (double)(measure_allocations() - before)});
    return t;
}

/* Users for whose data two cores have the time of a block: what all share, and what each costs. */
static void tell_users(const struct bench *b, const char *what, double shared_us, double each_us)
{
    const double time_us = N_CORE * 1e6 * b->frame.n_block_samples / b->frame.sample_rate_hz;
    ROW(what, {"us_a_user", each_us}, {"users", floor((time_us - shared_us) / each_us)});
}

static int bench_mode(const struct network *network, const char *mode, const char *what, bool all)
{
    struct bench b = {.network = network, .seed = 1};
    const int status = open_bench(&b, mode);
    if (status >= 0) {
        char text[96];
        snprintf(text, sizeof text, "weights, %s", what);
        const double weights_us = time_row(&b, text, run_weights).median_us;
        if (all) {
            const double apply_us = time_row(&b, "combining, one user", run_apply).median_us;
            const double decode_us = time_row(&b, "decoding, one user", run_decode).median_us;
            time_row(&b, "decoding, one user 200 Hz off", run_decode_offset);
            const double local_us = time_row(&b, "LP-MMSE at one access point", run_local).median_us;
            tell_users(&b, "two cores of the central node", weights_us, apply_us + decode_us);
            tell_users(&b, "two cores of each access point, its own stream decoded", local_us, decode_us);
        }
    }
    close_bench(&b);
    return status;
}

static int bench_network(const struct network *n)
{
    row_section("%s, 16-QAM", n->name);
    int status = bench_mode(n, "uplink={mode: central, combiner: zf, streams: antennas}", "zf", false);
    status =
        status < 0 ? status : bench_mode(n, "uplink={mode: central, combiner: mr, streams: antennas}", "mr", false);
    status = status < 0 ? status : bench_mode(n, "uplink={mode: local, fusion: lsfd}", "lsfd", false);
    status = status < 0 ? status : bench_mode(n, "uplink={mode: local}", "instant fusion", false);
    return status < 0 ? status : bench_mode(n, "uplink={mode: central, streams: antennas}", "mmse", true);
}

int main(int argc, char **argv)
{
    int status = 0;
    row_open(&argc, argv);
    for (size_t i = 0; i < sizeof networks / sizeof *networks && status >= 0; i++) {
        status = bench_network(&networks[i]);
    }
    if (status < 0) {
        fprintf(stderr, "bench_uplink: %s\n", error_text());
    }
    return status < 0;
}
