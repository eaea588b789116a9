/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Hostile data messages: each input goes through all unpackers as it is, and once more with its checksums made right,
 * so that what lies behind them is reached. Whatever is accepted must be finite, inside the limits, and pack to the
 * same message again; what is not may write nothing outside the room it was told of. */
#include "fronthaul/crc32c.h"
#include "fronthaul/wire.h"
#include "fuzz.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N_TYPES = WIRE_GAINS + 1, MAX_STATISTIC = 64 };

static uint64_t n_outcome[WIRE_N_ERRORS], n_accepted[N_TYPES];

/* All that the unpackers write to, in memory of exactly the size they are told. */
struct room {
    struct wire_csi_meta csi;
    struct wire_precoder_meta precoder;
    struct wire_array_meta array;
    tutti_cf32 *values;
    size_t n_value;
    int n_stream;
};

static void *take(size_t n, size_t size)
{
    void *memory = malloc(n * size + 1);
    MUST(memory);
    return memory;
}

static void room_open(struct room *r, size_t n_value, int n_stream)
{
    *r = (struct room){.n_value = n_value, .n_stream = n_stream};
    r->csi.beta = take((size_t)n_stream, sizeof(float));
    r->csi.error_variance = take((size_t)n_stream, sizeof(float));
    r->precoder.stream = take((size_t)n_stream, sizeof *r->precoder.stream);
    r->array.statistic = take(MAX_STATISTIC, sizeof(float));
    r->array.statistic_room = MAX_STATISTIC;
    r->values = take(n_value, sizeof *r->values);
}

static void room_close(struct room *r)
{
    free(r->csi.beta);
    free(r->csi.error_variance);
    free(r->precoder.stream);
    free(r->array.statistic);
    free(r->values);
}

static void check_finite(const float *values, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        MUST(isfinite(values[i]));
    }
}

static void check_header(const struct wire_header *h, size_t n_bytes)
{
    MUST(h->node < (h->type == WIRE_UPLINK ? WIRE_NODE_CPU + WIRE_MAX_CPU : TUTTI_MAX_AP) &&
         h->payload_bytes == n_bytes - WIRE_HEADER_BYTES && h->type < N_TYPES);
    if (h->type == WIRE_CSI || h->type == WIRE_PRECODER) {
        MUST(h->n_sb >= 1 && h->n_sb <= TUTTI_MAX_SB && h->n_ant >= 1 && h->n_ant <= TUTTI_MAX_ANT);
        MUST(h->n_stream >= 1 && h->n_stream <= (h->type == WIRE_CSI ? TUTTI_MAX_UE : TUTTI_MAX_STREAM));
    }
    MUST(h->type == WIRE_PRECODER ? h->valid_from_block <= h->valid_until_block
                                  : !h->valid_from_block && !h->valid_until_block);
}

static void check_csi(const struct wire_header *h, const struct wire_csi_meta *m)
{
    check_finite(m->beta, h->n_stream);
    check_finite(m->error_variance, h->n_stream);
    MUST(m->noise_power > 0 && isfinite(m->noise_power) && isfinite(m->delay_samples));
    MUST(m->n_account >= 0 && m->n_account <= WIRE_MAX_ACCOUNTS);
    for (int i = 0; i < m->n_account; i++) {
        const struct wire_account *a = &m->account[i];
        MUST(a->sent > WIRE_SENT_UNKNOWN && a->sent < WIRE_SENT_LOST && a->chosen <= WIRE_SENT_MUTE);
        MUST(a->arrival <= WIRE_ARRIVAL_LATE && a->scaled <= 1 && (i == 0 || a->block > a[-1].block));
    }
}

static void check_precoder(const struct wire_header *h, const struct wire_precoder_meta *m)
{
    MUST(m->upsilon >= 0 && m->upsilon <= 1 && m->power_mean >= 0 && m->power_mean <= m->power_peak);
    MUST(isfinite(m->power_peak));
    for (int s = 0; s < h->n_stream; s++) {
        MUST(isfinite(m->stream[s].power) && m->stream[s].source <= WIRE_SOURCE_PHASES);
        MUST(m->stream[s].kind != WIRE_STREAM_DATA || m->stream[s].user < TUTTI_MAX_UE);
    }
}

/* cf32 has one form only; the other encodings may have been packed with another scale, phases with another rounding. */
static void check_repacks(const uint8_t *data, size_t n_bytes, const struct wire_header *h, const struct room *r)
{
    uint8_t *again = take(n_bytes, 1);
    const size_t n = h->type == WIRE_CSI        ? wire_pack_csi(again, n_bytes, h, &r->csi, r->values)
                     : h->type == WIRE_PRECODER ? wire_pack_precoder(again, n_bytes, h, &r->precoder, r->values)
                                                : wire_pack_array(again, n_bytes, h, &r->array, r->values);
    bool exact = h->encoding == WIRE_CF32;
    for (int s = 0; h->type == WIRE_PRECODER && s < h->n_stream; s++) {
        exact &= r->precoder.stream[s].source != WIRE_SOURCE_PHASES;
    }
    MUST(n == n_bytes);
    MUST(!exact || memcmp(again, data, n) == 0);
    free(again);
}

static void unpack_all(const uint8_t *data, size_t n_bytes)
{
    struct wire_header h, again;
    struct room r;
    const int error = wire_unpack_header(data, n_bytes, &h);
    MUST(error >= 0 && error < WIRE_N_ERRORS);
    n_outcome[error]++;
    if (error == WIRE_OK) {
        check_header(&h, n_bytes);
        n_accepted[h.type]++;
    }
    const bool small = (size_t)h.n_sb * h.n_ant * h.n_stream <= 1 << 20; /* larger: no room, refused */
    room_open(&r, error == WIRE_OK && small ? (size_t)h.n_sb * h.n_ant * h.n_stream : 1,
              error == WIRE_OK ? h.n_stream : 0);
    const int csi = wire_unpack_csi(data, n_bytes, &again, &r.csi, r.n_stream, r.values, r.n_value);
    if (csi == WIRE_OK) {
        check_csi(&h, &r.csi);
    }
    const int precoder = wire_unpack_precoder(data, n_bytes, &again, &r.precoder, r.n_stream, r.values, r.n_value);
    if (precoder == WIRE_OK) {
        check_precoder(&h, &r.precoder);
    }
    const int array = wire_unpack_array(data, n_bytes, &again, &r.array, r.values, r.n_value);
    MUST((csi == WIRE_OK) + (precoder == WIRE_OK) + (array == WIRE_OK) <= 1);
    if (csi == WIRE_OK || precoder == WIRE_OK || array == WIRE_OK) {
        check_finite((const float *)r.values, 2 * r.n_value);
        check_finite(r.array.statistic, r.array.n_statistic);
        check_repacks(data, n_bytes, &h, &r);
    }
    n_outcome[WIRE_BAD_VALUE] += csi == WIRE_BAD_VALUE || precoder == WIRE_BAD_VALUE || array == WIRE_BAD_VALUE;
    room_close(&r);
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
        put_u32(sealed + 64, crc32c_by_table(0, sealed + WIRE_HEADER_BYTES, n_bytes - WIRE_HEADER_BYTES));
        put_u32(sealed + 68, crc32c_by_table(0, sealed, 68));
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
    for (int t = WIRE_CSI; t < N_TYPES; t++) {
        printf("%10llu accepted of type %d\n", (unsigned long long)n_accepted[t], t);
        n_unseen += n_accepted[t] == 0;
    }
    return n_unseen;
}
