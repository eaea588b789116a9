/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Hostile uplink messages at the central node, as they are and with their checksums made right: antennas' samples,
 * locally combined streams with their statistics, and parts of another central node. What is stored is finite and of
 * the right access point; whatever it says, combining, following and decoding it stay inside their arrays. */
#include "cpu_node/uplink/parts.h"
#include "cpu_node/uplink/weights.h"
#include "fronthaul/crc32c.h"
#include "fuzz.h"
#include "phy/upstream.h"

#include <math.h>
#include <string.h>

enum { N_AP = 2, N_ANT = 2, N_UE = 2, N_MODE = 2, BLOCK = 7 };

static struct network {
    struct config *config;
    struct frame frame;
    struct uplink_window window;
    uplink_weights_t *weights;
    uplink_parts_t *parts;
    upstream_t *upstream;
    tutti_cf32 *symbols;
    double *sinr;
} network[N_MODE];
static uint64_t n_stored[N_MODE], n_parts, n_refused, n_late;

static void open_network(struct network *n, const char *mode)
{
    const char *const overrides[] = {"network.n_ap=2",
                                     "network.n_ant=2",
                                     "network.n_ue=2",
                                     "frame.n_used_subcarriers=24",
                                     "frame.schedule=B G P4 U1 G D14 G",
                                     mode};
    MUST(config_load(&n->config, NULL, overrides, 6) == 0 && frame_init(&n->frame, n->config) == 0);
    const struct uplink_shape shape = uplink_shape_of(n->config, &n->frame);
    const struct uplink_weights_settings weights = {.shape = shape, .config = n->config};
    const struct upstream_settings upstream = {.payload = &n->config->payload, .seed = 1, .track_phase = true};
    MUST(uplink_window_create(&n->window, &shape) == 0 && uplink_weights_create(&n->weights, &weights) == 0);
    const struct uplink_parts_settings parts = {.shape = shape, .config = n->config, .n_cpu = 2, .self = 0};
    MUST(uplink_parts_create(&n->parts, &parts) == 0);
    MUST(upstream_create(&n->upstream, &n->frame, &upstream) == 0);
    n->symbols = calloc((size_t)n->frame.n_sc, sizeof *n->symbols);
    n->sinr = calloc((size_t)n->frame.n_sb, sizeof *n->sinr);
    uplink_window_move(&n->window, BLOCK);
    struct uplink_block *b = uplink_window_open(&n->window);
    memset(b->expected, 1, N_AP);
    memset(b->user_here, 1, N_UE);
    for (int k = 0; k < N_UE; k++) {
        b->pilot[k] = k;
    }
    for (int i = 0; i < N_AP * N_UE; i++) {
        b->beta[i] = 1;
    }
    for (int i = 0; i < n->frame.n_sb * N_AP * N_ANT * N_UE && !shape.local; i++) {
        b->H_hat[i] = CMPLXF((float)(i % 5) - 2, (float)(i % 3) - 1);
    }
}

static struct upstream_memory memory[N_UE];

static void decode(struct network *n, const struct uplink_block *b)
{
    const double offset_rad[N_UE] = {memory[0].offset_rad, memory[1].offset_rad};
    struct upstream_figures figures;
    uplink_weights_make(n->weights, b, offset_rad);
    for (int k = 0; k < N_UE; k++) {
        uplink_weights_apply(n->weights, k, n->symbols, n->sinr);
        upstream_execute(n->upstream, k, b->number, n->symbols, n->sinr, &memory[k], &figures);
        MUST(figures.payload.code_block_errors <= figures.payload.code_blocks);
    }
}

static void store(struct network *n, const uint8_t *data, size_t n_bytes)
{
    struct uplink_block *b = &n->window.place[BLOCK % UPLINK_WINDOW];
    const uint64_t late = n->window.n_late;
    for (int ap = 0; ap < N_AP; ap++) {
        memset(b->got, 0, N_AP);
        const int error = uplink_window_store(&n->window, ap, data, n_bytes);
        MUST(!b->got[1 - ap] && (error == WIRE_OK || !b->got[ap]));
        n_refused += error != WIRE_OK;
        if (!b->got[ap]) {
            continue;
        }
        const float *values = (const float *)(b->values + (size_t)ap * uplink_n_values(&n->window.shape));
        for (size_t i = 0; i < 2 * uplink_n_values(&n->window.shape); i++) {
            MUST(isfinite(values[i]));
        }
        n_stored[n->window.shape.local]++;
        decode(n, b);
    }
    n_late += n->window.n_late - late;
}

static void check_finite(const float *values, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        MUST(isfinite(values[i]));
    }
}

/* Streams and what is said of them, of the users that it has; f is a power. */
static void check_part(const struct network *n, const struct parts_block *b)
{
    const size_t n_sb = (size_t)n->frame.n_sb, n_symbols = (size_t)(n->frame.n_ul * n->frame.n_sc);
    for (size_t k = 0; k < N_UE; k++) {
        const size_t at = N_UE + k;
        if (b->has[at]) {
            check_finite((const float *)(b->values + at * n_symbols), 2 * n_symbols);
            check_finite((const float *)(b->g + at * n_sb * N_UE), 2 * n_sb * N_UE);
            check_finite(b->f + at * n_sb, n_sb);
        }
        for (size_t sb = 0; b->has[at] && sb < n_sb; sb++) {
            MUST(b->f[at * n_sb + sb] >= 0);
        }
    }
}

/* A home that hears both users itself, with gain 1 and a tenth of noise. */
static void store_part(struct network *n, const uint8_t *data, size_t n_bytes)
{
    struct upstream_figures figures;
    uplink_parts_open(n->parts, BLOCK - 1); /* whatever is open is closed */
    struct parts_block *const b = uplink_parts_open(n->parts, BLOCK);
    memset(b->user_here, 1, N_UE);
    memset(b->has, 1, N_UE);
    for (int i = 0; i < N_UE * n->frame.n_sb; i++) {
        b->f[i] = 0.1f;
        b->g[i * N_UE + i / n->frame.n_sb] = 1;
    }
    const int error = uplink_parts_store(n->parts, 1, data, n_bytes);
    MUST(error == WIRE_OK || (!b->got[1] && !b->has[N_UE] && !b->has[N_UE + 1] && b->bytes[1] == 0));
    MUST(b->has[0] && b->has[1] && !b->got[0] && b->number == BLOCK);
    check_part(n, b);
    n_refused += error != WIRE_OK;
    n_parts += b->got[1] && (b->has[N_UE] || b->has[N_UE + 1]);
    uplink_parts_make(n->parts, b);
    for (int k = 0; k < N_UE && b->got[1]; k++) {
        uplink_parts_apply(n->parts, k, n->symbols, n->sinr);
        upstream_execute(n->upstream, k, b->number, n->symbols, n->sinr, &memory[k], &figures);
        MUST(figures.payload.code_block_errors <= figures.payload.code_blocks);
    }
}

static void put_u32(uint8_t *out, uint32_t v)
{
    for (int i = 0; i < 4; i++) {
        out[i] = (uint8_t)(v >> (8 * i));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes)
{
    if (!network[0].config) {
        open_network(&network[0], "uplink={mode: central, combiner: zf, streams: antennas}");
        open_network(&network[1], "uplink={mode: local, fusion: lsfd}");
    }
    uint8_t *sealed = malloc(n_bytes + 1);
    MUST(sealed);
    memcpy(sealed, data, n_bytes);
    for (int i = 0; i < N_MODE; i++) {
        store(&network[i], sealed, n_bytes);
    }
    store_part(&network[0], sealed, n_bytes);
    if (n_bytes >= WIRE_HEADER_BYTES) {
        put_u32(sealed + 64, crc32c_by_table(0, sealed + WIRE_HEADER_BYTES, n_bytes - WIRE_HEADER_BYTES));
        put_u32(sealed + 68, crc32c_by_table(0, sealed, 68));
        for (int i = 0; i < N_MODE; i++) {
            store(&network[i], sealed, n_bytes);
        }
        store_part(&network[0], sealed, n_bytes);
    }
    free(sealed);
    return 0;
}

int fuzz_report(void)
{
    printf("%10llu stored of antennas, %llu combined, %llu parts, %llu refused, %llu of other blocks\n",
           (unsigned long long)n_stored[0], (unsigned long long)n_stored[1], (unsigned long long)n_parts,
           (unsigned long long)n_refused, (unsigned long long)n_late);
    return n_stored[0] == 0 || n_stored[1] == 0 || n_parts == 0 || n_refused == 0 || n_late == 0;
}
