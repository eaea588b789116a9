/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Hostile data messages: each input goes through all three unpackers as it is, and once more with its checksums made
 * right, so that what lies behind them is reached. Whatever is accepted must be finite, inside the limits, and pack to
 * the same message again. */
#include "fronthaul/crc32c.h"
#include "fronthaul/wire.h"
#include "fuzz.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_ROOM = TUTTI_MAX_SB * TUTTI_MAX_ANT * TUTTI_MAX_STREAM };

static uint64_t n_outcome[WIRE_N_ERRORS], n_accepted[WIRE_PROBE_REPLY + 1];

static void check_finite(const float *values, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        MUST(isfinite(values[i]));
    }
}

static void check_header(const struct wire_header *h, size_t n_bytes)
{
    MUST(h->node < TUTTI_MAX_AP && h->payload_bytes == n_bytes - WIRE_HEADER_BYTES);
    if (h->type == WIRE_CSI || h->type == WIRE_PRECODER) {
        MUST(h->n_sb >= 1 && h->n_sb <= TUTTI_MAX_SB && h->n_ant >= 1 && h->n_ant <= TUTTI_MAX_ANT);
        MUST(h->n_stream >= 1 && h->n_stream <= TUTTI_MAX_STREAM);
    }
}

/* cf32 has one form only; the other encodings may have been packed with another scale. */
static void check_repacks(const uint8_t *data, size_t n_bytes, const struct wire_header *h,
                          const struct wire_csi_meta *csi, const struct wire_precoder_meta *precoder,
                          const tutti_cf32 *coefficients)
{
    uint8_t *again = malloc(n_bytes);
    MUST(again);
    const size_t n = csi ? wire_pack_csi(again, n_bytes, h, csi, coefficients)
                         : wire_pack_precoder(again, n_bytes, h, precoder, coefficients);
    MUST(n == n_bytes);
    MUST(h->encoding != WIRE_CF32 || memcmp(again, data, n) == 0);
    free(again);
}

static void unpack_all(const uint8_t *data, size_t n_bytes)
{
    struct wire_header h;
    struct wire_csi_meta csi;
    struct wire_precoder_meta precoder;
    const int error = wire_unpack_header(data, n_bytes, &h);
    MUST(error >= 0 && error < WIRE_N_ERRORS);
    n_outcome[error]++;
    size_t room = 1; /* also on refusal: nothing may be written then */
    if (error == WIRE_OK) {
        check_header(&h, n_bytes);
        n_accepted[h.type]++;
        room = (size_t)h.n_sb * h.n_ant * h.n_stream;
    }
    tutti_cf32 *coefficients = malloc((room + 1) * sizeof *coefficients);
    MUST(coefficients && room <= MAX_ROOM);
    const int csi_error = wire_unpack_csi(data, n_bytes, &h, &csi, coefficients, room);
    if (csi_error == WIRE_OK) {
        check_finite((const float *)coefficients, 2 * room);
        check_finite(csi.beta, h.n_stream);
        check_finite(csi.error_variance, h.n_stream);
        MUST(csi.noise_power > 0 && isfinite(csi.noise_power));
        check_repacks(data, n_bytes, &h, &csi, NULL, coefficients);
    }
    const int precoder_error = wire_unpack_precoder(data, n_bytes, &h, &precoder, coefficients, room);
    if (precoder_error == WIRE_OK) {
        check_finite((const float *)coefficients, 2 * room);
        for (int s = 0; s < h.n_stream; s++) {
            MUST(isfinite(precoder.stream[s].power) && precoder.stream[s].source <= WIRE_SOURCE_PHASES);
            MUST(precoder.stream[s].kind != WIRE_STREAM_DATA || precoder.stream[s].user < TUTTI_MAX_UE);
        }
        check_repacks(data, n_bytes, &h, NULL, &precoder, coefficients);
    }
    MUST(csi_error != WIRE_OK || precoder_error != WIRE_OK);
    n_outcome[WIRE_BAD_VALUE] += csi_error == WIRE_BAD_VALUE || precoder_error == WIRE_BAD_VALUE;
    free(coefficients);
}

static void put_u32(uint8_t *out, uint32_t v)
{
    for (int i = 0; i < 4; i++) {
        out[i] = (uint8_t)(v >> (8 * i));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes)
{
    unpack_all(data, n_bytes);
    if (n_bytes >= WIRE_HEADER_BYTES) {
        uint8_t *sealed = malloc(n_bytes);
        MUST(sealed);
        memcpy(sealed, data, n_bytes);
        put_u32(sealed + 56, crc32c_by_table(0, sealed + WIRE_HEADER_BYTES, n_bytes - WIRE_HEADER_BYTES));
        put_u32(sealed + 60, crc32c_by_table(0, sealed, 60));
        unpack_all(sealed, n_bytes);
        free(sealed);
    }
    return 0;
}

int fuzz_report(void)
{
    int n_unseen = 0;
    for (int e = 0; e < WIRE_N_ERRORS; e++) {
        printf("%10llu %s\n", (unsigned long long)n_outcome[e], wire_error_text(e));
        n_unseen += n_outcome[e] == 0;
    }
    for (int t = WIRE_CSI; t <= WIRE_PROBE_REPLY; t++) {
        printf("%10llu accepted of type %d\n", (unsigned long long)n_accepted[t], t);
        n_unseen += n_accepted[t] == 0;
    }
    return n_unseen;
}
