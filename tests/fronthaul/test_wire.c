/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fronthaul/coefficients.h"
#include "fronthaul/crc32c.h"
#include "messages.h"

#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const float *parts(const tutti_cf32 *coefficients)
{
    return (const float *)coefficients;
}

/* RFC 3720 appendix B.4, the bytes of the CRC as they are listed there, read as a little-endian number. */
static void test_crc_vectors(void **state)
{
    (void)state;
    static const uint8_t iscsi_read[48] = {
        [0] = 0x01, [1] = 0xc0, [16] = 0x14, [22] = 0x04, [27] = 0x14, [31] = 0x18, [32] = 0x28, [40] = 0x02};
    uint8_t data[5][48] = {{0}};
    static const size_t size[5] = {32, 32, 32, 32, 48};
    static const uint32_t expected[5] = {0x8a9136aa, 0x62a8ab43, 0x46dd794e, 0x113fdb5c, 0xd9963a56};
    for (uint8_t i = 0; i < 32; i++) {
        data[1][i] = 0xff;
        data[2][i] = i;
        data[3][i] = (uint8_t)(31 - i);
    }
    memcpy(data[4], iscsi_read, sizeof iscsi_read);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(reference_crc32c(data[i], size[i]), expected[i]);
        assert_int_equal(crc32c_by_table(0, data[i], size[i]), expected[i]);
        assert_int_equal(wire_crc32c(0, data[i], size[i]), expected[i]);
        if (crc32c_has_instruction()) {
            assert_int_equal(crc32c_by_instruction(0, data[i], size[i]), expected[i]);
        }
    }
}

static void test_crc_all_lengths_alignments_and_chains(void **state)
{
    (void)state;
    uint8_t data[128];
    uint64_t seed = 1;
    for (size_t i = 0; i < sizeof data; i++) {
        data[i] = (uint8_t)random_u64(&seed);
    }
    for (size_t start = 0; start < 9; start++) {
        for (size_t n = 0; n <= 100; n++) {
            const uint32_t expected = reference_crc32c(data + start, n);
            const size_t cut = n / 3;
            assert_int_equal(crc32c_by_table(0, data + start, n), expected);
            assert_int_equal(crc32c_by_table(crc32c_by_table(0, data + start, cut), data + start + cut, n - cut),
                             expected);
            if (crc32c_has_instruction()) {
                assert_int_equal(crc32c_by_instruction(0, data + start, n), expected);
            }
            assert_int_equal(wire_crc32c(wire_crc32c(0, data + start, cut), data + start + cut, n - cut), expected);
        }
    }
}

/* Long data takes other ways: three lanes of the instruction, folding. */
static void test_crc_long(void **state)
{
    (void)state;
    static uint8_t data[20000];
    static const size_t size[] = {511,  512,  513,  519,  767,  768,  769,  1023,  1024, 3071,
                                  3072, 3073, 3080, 6143, 6144, 6151, 9216, 12345, 19990};
    uint64_t seed = 3;
    for (size_t i = 0; i < sizeof data; i++) {
        data[i] = (uint8_t)random_u64(&seed);
    }
    for (size_t i = 0; i < sizeof size / sizeof size[0]; i++) {
        for (size_t start = 0; start < 9; start += 3) {
            const uint32_t expected = reference_crc32c(data + start, size[i]);
            const size_t cut = size[i] / 7;
            assert_int_equal(crc32c_by_table(0, data + start, size[i]), expected);
            assert_int_equal(wire_crc32c(0, data + start, size[i]), expected);
            assert_int_equal(wire_crc32c(wire_crc32c(0, data + start, cut), data + start + cut, size[i] - cut),
                             expected);
            if (crc32c_has_instruction()) {
                assert_int_equal(crc32c_by_instruction(0, data + start, size[i]), expected);
            }
            if (crc32c_has_folding()) {
                assert_int_equal(crc32c_by_folding(0, data + start, size[i]), expected);
            }
        }
    }
}

/* Block floating point bit by bit, from docs/wire.md alone. Returns the row's bytes. */
static size_t plain_bfp_row(uint8_t *out, const float *in, size_t n, int m)
{
    double peak = 0;
    for (size_t i = 0; i < n; i++) {
        peak = fmax(peak, fabs((double)in[i]));
    }
    int e = peak > 0 ? -127 : 0;
    while (peak >= ldexp(1.0, m - 1 + e)) {
        e++;
    }
    const size_t n_bytes = 1 + (n * (size_t)m + 7) / 8;
    memset(out, 0, n_bytes);
    out[0] = (uint8_t)(int8_t)e;
    for (size_t i = 0, at = 8; i < n; i++) {
        const double most = ldexp(1.0, m - 1) - 1;
        const long v = lrint(fmax(-most, fmin(most, rint(ldexp((double)in[i], -e)))));
        for (int bit = m - 1; bit >= 0; bit--, at++) {
            out[at / 8] |= (uint8_t)((v >> bit & 1) << (7 - at % 8));
        }
    }
    return n_bytes;
}

static void test_bfp_against_plain(void **state)
{
    (void)state;
    uint64_t seed = 11;
    for (int trial = 0; trial < 3000; trial++) {
        struct wire_header h = {.n_sb = 1, .n_ant = 1, .encoding = WIRE_BFP};
        h.n_stream = (uint16_t)(1 + random_u64(&seed) % 20);
        h.mantissa_bits = (uint8_t)(9 + random_u64(&seed) % 6);
        const size_t n = 2 * (size_t)h.n_stream;
        const int scale = (int)(random_u64(&seed) % 270) - 145; /* subnormals to the largest */
        tutti_cf32 in[20], out[20];
        uint8_t expected[128], bytes[128];
        for (size_t i = 0; i < n; i++) {
            ((float *)in)[i] = ldexpf((float)((double)(random_u64(&seed) >> 40) / 8388608.0 - 1.0), scale);
        }
        const size_t n_bytes = plain_bfp_row(expected, parts(in), n, h.mantissa_bits);
        assert_int_equal(coefficients_bytes(&h), n_bytes);
        coefficients_pack(bytes, &h, in);
        assert_memory_equal(bytes, expected, n_bytes);
        assert_true(coefficients_unpack(out, &h, bytes));
        for (size_t i = 0; i < n; i++) {
            const double step = ldexp(1.0, (int8_t)bytes[0]);
            assert_true(fabs((double)parts(out)[i] - (double)parts(in)[i]) <= step); /* half, but at the clamped peak */
            assert_true(fmod((double)parts(out)[i], step) == 0);
        }
        for (size_t bit = 8 + n * h.mantissa_bits; bit < 8 * n_bytes; bit++) { /* every padding bit counts */
            bytes[bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
            assert_false(coefficients_unpack(out, &h, bytes));
            bytes[bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
        }
    }
}

/* The bytes of the example called name in docs/wire.md. */
static size_t read_example(const char *name, uint8_t *out, size_t capacity)
{
    char line[256], mark[64];
    size_t n = 0;
    bool inside = false;
    FILE *file = fopen(WIRE_DOCUMENT, "r");
    assert_non_null(file);
    snprintf(mark, sizeof mark, "```%s\n", name);
    while (fgets(line, sizeof line, file)) {
        if (strcmp(line, mark) == 0) {
            inside = true;
        } else if (line[0] == '`') {
            inside = false;
        } else if (inside) {
            char *at = line + 4, *end;
            assert_int_equal(strtoul(line, NULL, 16), n);
            for (unsigned long v = strtoul(at, &end, 16); end != at; v = strtoul(at, &end, 16)) {
                assert_true(n < capacity && v < 256);
                out[n++] = (uint8_t)v;
                at = end;
            }
        }
    }
    fclose(file);
    assert_true(n > 0);
    return n;
}

static void check_example(const char *name, const struct message *message)
{
    uint8_t expected[256], packed[256];
    const size_t n = read_example(name, expected, sizeof expected);
    assert_int_equal(message_pack(message, packed, sizeof packed), n);
    assert_memory_equal(packed, expected, n);
}

static void test_document_examples(void **state)
{
    (void)state;
    tutti_cf32 csi[1] = {__builtin_complex(1.5f, -2.0f)};
    tutti_cf32 bfp[4] = {__builtin_complex(0.5f, 0.25f), __builtin_complex(0.0f, -0.125f),
                         __builtin_complex(-1.0f, 0.0f), __builtin_complex(0.0078125f, 0.75f)};
    tutti_cf32 sc16[2] = {__builtin_complex(0.5f, 0.25f), __builtin_complex(-1.0f, -0.125f)};
    struct message m = {.header = {.type = WIRE_CSI,
                                   .node = 3,
                                   .session = 0x01020304,
                                   .block = 1000,
                                   .tick = 0x12345678,
                                   .send_time_ns = 1773595765142200000,
                                   .n_sb = 1,
                                   .n_ant = 1,
                                   .n_stream = 1},
                        .csi = {.capture_end_ns = 1773595765142100000,
                                .previous = {.block = 999,
                                             .capture_end_ns = 1773595765137100000,
                                             .csi_sent_ns = 1773595765137200000,
                                             .precoder_received_ns = 1773595765138000000,
                                             .applied_ns = 1773595765139000000,
                                             .applied_kind = WIRE_APPLIED_FRESH,
                                             .arrival = WIRE_ARRIVAL_ON_TIME},
                                .radio_events = {1, 2, 3, 4, 5},
                                .noise_power = 0.5f,
                                .beta = {0.25f},
                                .error_variance = {0.125f}},
                        .precoder = {.stream = {{.kind = WIRE_STREAM_DATA, .user = 7, .power = 0.75f},
                                                {.kind = WIRE_STREAM_AN, .power = 0.0625f}}},
                        .coefficients = csi};
    check_example("csi", &m);
    m.header.type = WIRE_PRECODER;
    m.header.send_time_ns = 1773595765142900000;
    m.header.valid_until_block = 1004;
    m.header.n_stream = 2;
    m.header.encoding = WIRE_SC16;
    m.coefficients = sc16;
    check_example("precoder_sc16", &m);
    m.header.encoding = WIRE_BFP;
    m.header.mantissa_bits = 9;
    m.header.n_ant = 2;
    m.coefficients = bfp;
    check_example("precoder_bfp9", &m);
}

static int unpack(const uint8_t *data, size_t n_bytes, struct message *out, size_t room)
{
    return out->header.type == WIRE_CSI
               ? wire_unpack_csi(data, n_bytes, &out->header, &out->csi, out->coefficients, room)
               : wire_unpack_precoder(data, n_bytes, &out->header, &out->precoder, out->coefficients, room);
}

static void assert_same_header(const struct wire_header *a, const struct wire_header *b)
{
    assert_int_equal(a->type, b->type);
    assert_int_equal(a->encoding, b->encoding);
    assert_int_equal(a->mantissa_bits, b->mantissa_bits);
    assert_int_equal(a->node, b->node);
    assert_int_equal(a->session, b->session);
    assert_true(a->block == b->block && a->tick == b->tick);
    assert_true(a->send_time_ns == b->send_time_ns && a->valid_until_block == b->valid_until_block);
    assert_true(a->n_sb == b->n_sb && a->n_ant == b->n_ant && a->n_stream == b->n_stream);
}

static void assert_same_csi(const struct wire_csi_meta *a, const struct wire_csi_meta *b)
{
    const struct wire_ap_stamps *p = &a->previous, *q = &b->previous;
    assert_true(a->capture_end_ns == b->capture_end_ns);
    assert_true(p->block == q->block && p->capture_end_ns == q->capture_end_ns && p->csi_sent_ns == q->csi_sent_ns);
    assert_true(p->precoder_received_ns == q->precoder_received_ns && p->applied_ns == q->applied_ns);
    assert_true(p->applied_kind == q->applied_kind && p->arrival == q->arrival);
    assert_memory_equal(a->radio_events, b->radio_events, sizeof a->radio_events);
    assert_true(a->noise_power == b->noise_power);
    assert_memory_equal(a->beta, b->beta, sizeof a->beta);
    assert_memory_equal(a->error_variance, b->error_variance, sizeof a->error_variance);
}

/* The error bound of each encoding, from docs/wire.md, for a row with this largest part. */
static double error_bound(const struct wire_header *h, double peak)
{
    int exponent;
    if (h->encoding == WIRE_CF32) {
        return 0;
    }
    if (h->encoding == WIRE_SC16) {
        return 0.5001 * peak / 32767 + 1e-7 * peak; /* half a step, and float rounding of scale and product */
    }
    frexp(peak, &exponent);
    return ldexp(1.0, exponent - (h->mantissa_bits - 1)); /* one step: the largest value may be clamped */
}

static void assert_close(const struct message *sent, const tutti_cf32 *received)
{
    const struct wire_header *h = &sent->header;
    const size_t n_rows = h->encoding == WIRE_SC16 ? h->n_sb : (size_t)h->n_sb * h->n_ant;
    const size_t n_row = 2 * sent->n_coefficients / n_rows;
    for (size_t r = 0; r < n_rows; r++) {
        const float *a = parts(sent->coefficients) + r * n_row, *b = parts(received) + r * n_row;
        double peak = 0, worst = 0, mean = 0;
        for (size_t i = 0; i < n_row; i++) {
            const double error = fabs((double)a[i] - (double)b[i]);
            peak = fmax(peak, fabs((double)a[i]));
            worst = fmax(worst, error);
            mean += error / (double)n_row;
        }
        const double bound = error_bound(h, peak);
        assert_true(worst <= bound);
        if (h->encoding == WIRE_BFP && n_row >= 32) {
            assert_true(mean < 0.3 * bound); /* rounding errs a quarter step in the mean, truncation half a step */
        }
    }
}

static void round_trip(uint64_t *seed, enum wire_type type, enum wire_encoding encoding, int bits, const int *shape,
                       float scale)
{
    struct message sent = message_random(seed, type, encoding, bits, shape[0], shape[1], shape[2]);
    for (size_t i = 0; i < sent.n_coefficients; i++) {
        sent.coefficients[i] *= scale;
    }
    size_t n;
    uint8_t *data = message_packed(&sent, &n);
    struct message got = {.header.type = (uint8_t)type};
    got.coefficients = malloc(sent.n_coefficients * sizeof(tutti_cf32));
    assert_int_equal(unpack(data, n, &got, sent.n_coefficients), WIRE_OK);
    assert_same_header(&got.header, &sent.header);
    assert_int_equal(got.header.payload_bytes, n - WIRE_HEADER_BYTES);
    if (type == WIRE_CSI) {
        assert_same_csi(&got.csi, &sent.csi);
    }
    for (int s = 0; type == WIRE_PRECODER && s < shape[2]; s++) {
        const struct wire_stream *a = &got.precoder.stream[s], *b = &sent.precoder.stream[s];
        assert_true(a->kind == b->kind && a->source == b->source && a->user == b->user && a->power == b->power);
    }
    assert_close(&sent, got.coefficients);
    got.header.type = (uint8_t)type;
    assert_int_equal(unpack(data, n, &got, sent.n_coefficients - 1), WIRE_BAD_SHAPE); /* no room */
    message_free(&sent);
    message_free(&got);
    free(data);
}

static void test_round_trips(void **state)
{
    (void)state;
    static const int shapes[][3] = {{1, 1, 1}, {6, 4, 4}, {3, 16, 64}, {256, 1, 3}, {2, 3, 7}};
    static const float scales[] = {1.0f, 1e-6f, 3e9f, 1e-30f};
    uint64_t seed = 42;
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        for (size_t k = 0; k < sizeof scales / sizeof scales[0]; k++) {
            for (enum wire_type type = WIRE_CSI; type <= WIRE_PRECODER; type++) {
                round_trip(&seed, type, WIRE_CF32, 0, shapes[i], scales[k]);
                round_trip(&seed, type, WIRE_SC16, 0, shapes[i], scales[k]);
                for (int bits = 9; bits <= 14; bits++) {
                    round_trip(&seed, type, WIRE_BFP, bits, shapes[i], scales[k]);
                }
            }
        }
    }
    static const int largest[3] = {TUTTI_MAX_SB, TUTTI_MAX_ANT, TUTTI_MAX_STREAM};
    round_trip(&seed, WIRE_CSI, WIRE_CF32, 0, largest, 1);
}

/* Streams with vectors, built by the AP, and as phases, in one message. */
static void test_sources(void **state)
{
    (void)state;
    enum { SB = 3, ANT = 4, STREAM = 4, N = SB * ANT * STREAM };
    const struct wire_header header = {.type = WIRE_PRECODER, .node = 1, .n_sb = SB, .n_ant = ANT, .n_stream = STREAM};
    const struct wire_precoder_meta meta = {.stream = {{WIRE_STREAM_DATA, WIRE_SOURCE_VECTORS, 0, 1.0f},
                                                       {WIRE_STREAM_AN, WIRE_SOURCE_PHASES, 0, 0.25f},
                                                       {WIRE_STREAM_DATA, WIRE_SOURCE_LOCAL, 2, 0.5f},
                                                       {WIRE_STREAM_DATA, WIRE_SOURCE_VECTORS, 1, 1.0f}},
                                            .noise_key = 0x0123456789abcdefu};
    tutti_cf32 V[N], got[N];
    for (int i = 0; i < N; i++) {
        V[i] = CMPLXF((float)i, 1.0f - (float)i);
    }
    uint8_t data[2048];
    const size_t n = wire_pack_precoder(data, sizeof data, &header, &meta, V);
    assert_int_equal(n, WIRE_HEADER_BYTES + STREAM * 8 + SB * ANT * (2 * 8 + 2) + 8);
    struct wire_header h;
    struct wire_precoder_meta m;
    assert_int_equal(wire_unpack_precoder(data, n, &h, &m, got, N), WIRE_OK);
    assert_true(m.noise_key == meta.noise_key);
    for (int i = 0; i < N; i++) {
        const int s = i % STREAM;
        if (s == 2) {
            assert_true(got[i] == 0.0f);
        } else if (s == 1) {
            assert_true(fabsf(cabsf(got[i]) - 0.25f) < 1e-6f); /* sqrt(0.25 / 4) */
            assert_true(cabsf(got[i] / 0.25f - V[i] / cabsf(V[i])) < 2e-4f);
        } else {
            assert_true(got[i] == V[i]);
        }
    }
    const struct wire_precoder_meta local = {.stream = {{WIRE_STREAM_DATA, WIRE_SOURCE_LOCAL, 0, 0.5f}}};
    const struct wire_header none = {
        .type = WIRE_PRECODER, .encoding = WIRE_NONE, .n_sb = SB, .n_ant = ANT, .n_stream = 1};
    assert_int_equal(wire_pack_precoder(data, sizeof data, &none, &local, V), WIRE_HEADER_BYTES + 8);
    assert_int_equal(wire_unpack_precoder(data, WIRE_HEADER_BYTES + 8, &h, &m, got, N), WIRE_OK);
}

static void test_zero_and_denormal_rows(void **state)
{
    (void)state;
    uint64_t seed = 5;
    static const float values[] = {0.0f, -0.0f, 1e-42f, FLT_MIN};
    for (int v = 0; v < 4; v++) {
        for (int e = 0; e < 3; e++) {
            struct message m =
                message_random(&seed, WIRE_PRECODER, (enum wire_encoding)e, e == WIRE_BFP ? 14 : 0, 1, 2, 2);
            tutti_cf32 got[4];
            struct message out = {.header.type = WIRE_PRECODER, .coefficients = got};
            for (int i = 0; i < 4; i++) {
                m.coefficients[i] = values[v];
            }
            size_t n;
            uint8_t *data = message_packed(&m, &n);
            assert_int_equal(unpack(data, n, &out, 4), WIRE_OK);
            for (int i = 0; i < 8; i++) {
                assert_true(fabsf(parts(got)[i] - parts(m.coefficients)[i]) <= FLT_MIN);
            }
            free(data);
            message_free(&m);
        }
    }
}

static void test_impossible_shapes_are_not_packed(void **state)
{
    (void)state;
    static const int bad[][5] = {/* encoding, bits, n_sb, n_ant, n_stream */
                                 {0, 0, 0, 1, 1},
                                 {0, 0, 1, 0, 1},
                                 {0, 0, 1, 1, 0},
                                 {0, 0, TUTTI_MAX_SB + 1, 1, 1},
                                 {0, 0, 1, TUTTI_MAX_ANT + 1, 1},
                                 {0, 0, 1, 1, TUTTI_MAX_STREAM + 1},
                                 {0, 0, 65535, 65535, 65535},
                                 {0, 9, 1, 1, 1},
                                 {1, 9, 1, 1, 1},
                                 {2, 8, 1, 1, 1},
                                 {2, 15, 1, 1, 1},
                                 {2, 0, 1, 1, 1},
                                 {3, 9, 1, 1, 1},
                                 {4, 0, 1, 1, 1}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        const struct wire_header h = {.encoding = (uint8_t)bad[i][0],
                                      .mantissa_bits = (uint8_t)bad[i][1],
                                      .n_sb = (uint16_t)bad[i][2],
                                      .n_ant = (uint16_t)bad[i][3],
                                      .n_stream = (uint16_t)bad[i][4]};
        assert_int_equal(wire_csi_bytes(&h), 0);
        assert_int_equal(wire_precoder_bytes(&h), 0);
    }
    uint64_t seed = 1;
    struct message m = message_random(&seed, WIRE_CSI, WIRE_CF32, 0, 2, 2, 2);
    uint8_t data[1024];
    const size_t n = wire_csi_bytes(&m.header);
    assert_int_equal(n, 64 + 80 + 2 * 8 + 8 * 8);
    data[n - 1] = 0xa5;
    assert_int_equal(message_pack(&m, data, n - 1), 0); /* does not fit */
    assert_int_equal(data[n - 1], 0xa5);
    m.header.node = TUTTI_MAX_AP;
    assert_int_equal(message_pack(&m, data, sizeof data), 0);
    message_free(&m);
}

static void test_every_wrong_length_and_every_flipped_bit_is_refused(void **state)
{
    (void)state;
    uint64_t seed = 9;
    struct message m = message_random(&seed, WIRE_CSI, WIRE_SC16, 0, 2, 2, 3), out = {.header.type = WIRE_CSI};
    tutti_cf32 room[12];
    size_t n;
    uint8_t *data = message_packed(&m, &n);
    out.coefficients = room;
    for (size_t shorter = 0; shorter < n; shorter++) {
        uint8_t *copy = malloc(shorter + 1); /* + 1: malloc(0) is special */
        memcpy(copy + 1, data, shorter);
        out.header.type = WIRE_CSI;
        assert_int_equal(unpack(copy + 1, shorter, &out, 12), WIRE_SHORT);
        free(copy);
    }
    uint8_t *longer = calloc(1, n + 1);
    memcpy(longer, data, n);
    out.header.type = WIRE_CSI;
    assert_int_equal(unpack(longer, n + 1, &out, 12), WIRE_LONG);
    free(longer);
    for (size_t bit = 0; bit < 8 * n; bit++) {
        data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        out.header.type = WIRE_CSI;
        assert_int_not_equal(unpack(data, n, &out, 12), WIRE_OK);
        data[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    out.header.type = WIRE_CSI;
    assert_int_equal(unpack(data, n, &out, 12), WIRE_OK);
    message_free(&m);
    free(data);
}

/* Change n bytes at offset, make the checksums right, and see the reason. */
static void expect(const struct message *m, size_t offset, const void *bytes, size_t n_bytes, int expected)
{
    size_t n;
    uint8_t *data = message_packed(m, &n);
    tutti_cf32 room[64];
    struct message out = {.header.type = m->header.type, .coefficients = room};
    memcpy(data + offset, bytes, n_bytes);
    message_reseal(data, n);
    const int error = unpack(data, n, &out, 64);
    if (error != expected) {
        fail_msg("offset %zu: %s, expected %s", offset, wire_error_text(error), wire_error_text(expected));
    }
    free(data);
}

static void expect_u8(const struct message *m, size_t offset, uint8_t value, int expected)
{
    expect(m, offset, &value, 1, expected);
}

static void expect_f32(const struct message *m, size_t offset, float value, int expected)
{
    expect(m, offset, &value, 4, expected); /* the tests' machines are little-endian */
}

static void test_each_reason_of_refusal(void **state)
{
    (void)state;
    uint64_t seed = 3;
    struct message csi = message_random(&seed, WIRE_CSI, WIRE_CF32, 0, 2, 2, 3);
    struct message precoder = message_random(&seed, WIRE_PRECODER, WIRE_SC16, 0, 2, 2, 3);
    struct message bfp = message_random(&seed, WIRE_PRECODER, WIRE_BFP, 9, 2, 2, 3);
    expect_u8(&csi, 0, 'X', WIRE_BAD_MAGIC);
    expect_u8(&csi, 4, 2, WIRE_BAD_VERSION);
    expect_u8(&csi, 5, 0, WIRE_BAD_TYPE);
    expect_u8(&csi, 5, 5, WIRE_BAD_TYPE);
    expect_u8(&csi, 6, 4, WIRE_BAD_ENCODING);
    expect_u8(&csi, 6, WIRE_NONE, WIRE_BAD_SHAPE); /* but coefficients are there */
    expect_u8(&csi, 7, 9, WIRE_BAD_ENCODING);
    expect_u8(&bfp, 7, 15, WIRE_BAD_ENCODING);
    expect_u8(&csi, 8, TUTTI_MAX_AP, WIRE_BAD_VALUE);
    expect_u8(&csi, 10, 0, WIRE_BAD_SHAPE);
    expect_u8(&csi, 10, 3, WIRE_BAD_SHAPE); /* disagrees with the payload's length */
    expect_u8(&csi, 13, 0xff, WIRE_BAD_SHAPE);
    expect_u8(&csi, 14, 65, WIRE_BAD_SHAPE);
    expect_u8(&csi, 20, 0, WIRE_BAD_SHAPE);
    expect_u8(&csi, 64 + 48, 5, WIRE_BAD_VALUE);
    expect_u8(&csi, 64 + 49, 4, WIRE_BAD_VALUE);
    expect_u8(&csi, 64 + 50, 1, WIRE_BAD_VALUE);
    expect_u8(&csi, 64 + 79, 1, WIRE_BAD_VALUE);
    const float noise_power[] = {0.0f, -1.0f, NAN, INFINITY};
    for (int i = 0; i < 4; i++) {
        expect_f32(&csi, 64 + 72, noise_power[i], WIRE_BAD_VALUE);
    }
    const float gain[] = {-1e-9f, NAN, INFINITY};
    for (int i = 0; i < 3; i++) {
        expect_f32(&csi, 64 + 80 + 8, gain[i], WIRE_BAD_VALUE);         /* beta of the last user */
        expect_f32(&csi, 64 + 80 + 12, gain[i], WIRE_BAD_VALUE);        /* error variance of the first */
        expect_f32(&precoder, 64 + 2 * 8 + 4, gain[i], WIRE_BAD_VALUE); /* power of the last stream */
    }
    expect_f32(&csi, 64 + 80 + 8, 0.0f, WIRE_OK);
    expect_f32(&csi, 64 + 80 + 24 + 95 - 3, -INFINITY, WIRE_BAD_VALUE); /* last coefficient */
    expect_f32(&csi, 64 + 80 + 24, NAN, WIRE_BAD_VALUE);
    expect_u8(&precoder, 64, 4, WIRE_BAD_VALUE); /* kind */
    expect_u8(&precoder, 65, 3, WIRE_BAD_VALUE); /* source */
    const uint8_t phases[4] = {WIRE_STREAM_DATA, WIRE_SOURCE_PHASES, 0, 0},
                  local[4] = {WIRE_STREAM_DATA, WIRE_SOURCE_LOCAL, 0, 0};
    expect(&precoder, 64, phases, 4, WIRE_BAD_VALUE); /* not for data */
    expect(&precoder, 64, local, 4, WIRE_BAD_SHAPE);  /* but its vectors are there */
    const uint8_t user_64[4] = {WIRE_STREAM_DATA, 0, 64, 0}, noise_64[4] = {WIRE_STREAM_AN, 0, 64, 0};
    expect(&precoder, 64, user_64, 4, WIRE_BAD_VALUE);
    expect(&precoder, 64, noise_64, 4, WIRE_OK);
    const float scale[] = {-1.0f, NAN, INFINITY, FLT_MAX};
    for (int i = 0; i < 4; i++) {
        expect_f32(&precoder, 64 + 24, scale[i], WIRE_BAD_VALUE);
        expect_f32(&precoder, 64 + 24 + 4 + 24, scale[i], WIRE_BAD_VALUE); /* second subband's */
    }
    const size_t row_bytes = 1 + (6 * 9 + 7) / 8;
    expect_u8(&bfp, 64 + 24 + row_bytes, 0x80, WIRE_BAD_VALUE);    /* marked as not finite */
    expect_u8(&bfp, 64 + 24 + row_bytes, 128 - 8, WIRE_BAD_VALUE); /* overflows */
    expect_u8(&bfp, 64 + 24 + row_bytes, 128 - 9, WIRE_OK);
    expect_u8(&bfp, 64 + 24 + row_bytes - 1, 0xff, WIRE_BAD_VALUE); /* padding */
    message_free(&csi);
    message_free(&precoder);
    message_free(&bfp);
}

static void test_what_is_not_finite_is_refused_by_the_receiver(void **state)
{
    (void)state;
    uint64_t seed = 11;
    const float poison[] = {NAN, INFINITY, -INFINITY};
    for (int e = 0; e < 3; e++) {
        for (int i = 0; i < 3; i++) {
            struct message m =
                message_random(&seed, WIRE_PRECODER, (enum wire_encoding)e, e == WIRE_BFP ? 12 : 0, 2, 2, 3);
            m.coefficients[5] = __builtin_complex(0.0f, poison[i]);
            expect(&m, 0, "T", 1, WIRE_BAD_VALUE);
            message_free(&m);
        }
    }
}

static void test_type_confusion(void **state)
{
    (void)state;
    uint64_t seed = 13;
    struct message m = message_random(&seed, WIRE_PRECODER, WIRE_CF32, 0, 1, 1, 1);
    struct wire_header header;
    struct wire_csi_meta meta;
    tutti_cf32 room[1];
    size_t n;
    uint8_t *data = message_packed(&m, &n);
    assert_int_equal(wire_unpack_header(data, n, &header), WIRE_OK);
    assert_int_equal(wire_unpack_csi(data, n, &header, &meta, room, 1), WIRE_BAD_TYPE);
    free(data);
    message_free(&m);
    for (int error = -1; error <= WIRE_N_ERRORS; error++) {
        assert_true(strlen(wire_error_text(error)) > 1);
    }
}

static void test_send_time_stamp(void **state)
{
    (void)state;
    uint64_t seed = 17;
    struct message m = message_random(&seed, WIRE_CSI, WIRE_CF32, 0, 2, 4, 4);
    size_t n, n_direct;
    uint8_t *stamped = message_packed(&m, &n);
    m.header.send_time_ns = 0x0123456789abcdef;
    uint8_t *direct = message_packed(&m, &n_direct);
    assert_memory_not_equal(stamped, direct, n);
    wire_stamp_send_time(stamped, n, m.header.send_time_ns);
    assert_memory_equal(stamped, direct, n);
    uint8_t few[8] = {0};
    wire_stamp_send_time(few, sizeof few, 1); /* too short to hold a header: left alone */
    free(stamped);
    free(direct);
    message_free(&m);
}

static void test_probes(void **state)
{
    (void)state;
    uint8_t probe[64 + 100], answer[64 + 100], payload[100];
    struct wire_header h = {.type = WIRE_PROBE, .node = 2, .block = 17, .send_time_ns = 555, .payload_bytes = 100}, got;
    for (uint8_t i = 0; i < 100; i++) {
        payload[i] = i;
    }
    assert_int_equal(wire_pack_probe(probe, sizeof probe - 1, &h, payload), 0);
    assert_int_equal(wire_pack_probe(probe, sizeof probe, &h, payload), sizeof probe);
    assert_int_equal(wire_unpack_header(probe, sizeof probe, &got), WIRE_OK);
    assert_int_equal(got.payload_bytes, 100);
    assert_int_equal(got.block, 17);
    got.type = WIRE_PROBE_REPLY;
    got.tick = got.send_time_ns;
    assert_int_equal(wire_pack_probe(answer, sizeof answer, &got, probe + WIRE_HEADER_BYTES), sizeof answer);
    assert_int_equal(wire_unpack_header(answer, sizeof answer, &got), WIRE_OK);
    assert_int_equal(got.type, WIRE_PROBE_REPLY);
    assert_int_equal(got.tick, 555);
    assert_memory_equal(answer + WIRE_HEADER_BYTES, payload, 100);
    probe[12] = 1; /* a shape on a probe */
    message_reseal(probe, sizeof probe);
    assert_int_equal(wire_unpack_header(probe, sizeof probe, &got), WIRE_BAD_SHAPE);
    h.type = WIRE_CSI;
    assert_int_equal(wire_pack_probe(probe, sizeof probe, &h, payload), 0);
    h.type = WIRE_PROBE;
    h.payload_bytes = UINT32_MAX;
    assert_int_equal(wire_pack_probe(probe, SIZE_MAX, &h, payload), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_crc_vectors),
        cmocka_unit_test(test_crc_all_lengths_alignments_and_chains),
        cmocka_unit_test(test_crc_long),
        cmocka_unit_test(test_bfp_against_plain),
        cmocka_unit_test(test_document_examples),
        cmocka_unit_test(test_round_trips),
        cmocka_unit_test(test_sources),
        cmocka_unit_test(test_zero_and_denormal_rows),
        cmocka_unit_test(test_impossible_shapes_are_not_packed),
        cmocka_unit_test(test_every_wrong_length_and_every_flipped_bit_is_refused),
        cmocka_unit_test(test_each_reason_of_refusal),
        cmocka_unit_test(test_what_is_not_finite_is_refused_by_the_receiver),
        cmocka_unit_test(test_type_confusion),
        cmocka_unit_test(test_send_time_stamp),
        cmocka_unit_test(test_probes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
