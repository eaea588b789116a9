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
    for (int trial = 0; trial < 6000; trial++) {
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
        coefficients_select(coefficients_variant(trial % 2) ? trial % 2 : 0);
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
    coefficients_select(0);
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
    uint8_t expected[512], packed[512];
    const size_t n = read_example(name, expected, sizeof expected);
    assert_int_equal(message_pack(message, packed, sizeof packed), n);
    assert_memory_equal(packed, expected, n);
}

static void example_csi(struct message *m)
{
    m->header = (struct wire_header){.type = WIRE_CSI,
                                     .node = 3,
                                     .session = 0x01020304,
                                     .block = 1000,
                                     .tick = 0x12345678,
                                     .send_time_ns = 1773595765142200000,
                                     .n_sb = 1,
                                     .n_ant = 1,
                                     .n_stream = 1};
    m->csi.capture_end_ns = 1773595765142100000;
    for (uint32_t i = 0; i < 5; i++) {
        m->csi.radio_events[i] = i + 1;
    }
    m->csi.noise_power = 0.5f;
    m->csi.delay_samples = -0.25f;
    m->csi.beta[0] = 0.25f;
    m->csi.error_variance[0] = 0.125f;
    m->csi.n_account = 2;
    m->csi.account[0] = (struct wire_account){.block = 998,
                                              .capture_end_ns = 1773595765132100000,
                                              .sent = WIRE_SENT_MUTE,
                                              .chosen = WIRE_SENT_MUTE,
                                              .arrival = WIRE_ARRIVAL_NONE};
    m->csi.account[1] = (struct wire_account){.block = 999,
                                              .capture_end_ns = 1773595765137100000,
                                              .precoder_received_ns = 1773595765138000000,
                                              .applied_ns = 1773595765139000000,
                                              .sent = WIRE_SENT_LATE,
                                              .chosen = WIRE_SENT_FRESH,
                                              .arrival = WIRE_ARRIVAL_ON_TIME,
                                              .scaled = 1};
    m->coefficients[0] = CMPLXF(1.5f, -2.0f);
}

static void example_precoder(struct message *m)
{
    m->header.type = WIRE_PRECODER;
    m->header.send_time_ns = 1773595765142900000;
    m->header.valid_from_block = 1001;
    m->header.valid_until_block = 1004;
    m->header.n_stream = 2;
    m->header.encoding = WIRE_SC16;
    struct wire_precoder_meta *p = &m->precoder;
    p->local_scheme = 2;
    p->upsilon = 0.75f;
    p->power_mean = 1.0f;
    p->power_peak = 2.0f;
    p->stale_blocks = 4;
    p->mute_blocks = 200;
    p->account_ack = 999;
    p->stream[0] = (struct wire_stream){.kind = WIRE_STREAM_DATA, .user = 7, .power = 0.75f};
    p->stream[1] = (struct wire_stream){.kind = WIRE_STREAM_AN, .power = 0.0625f};
    p->noise_key = 0x0123456789abcdefu;
}

static void example_array(struct message *m)
{
    m->header.type = WIRE_UPLINK;
    m->header.encoding = WIRE_CF32;
    m->header.mantissa_bits = 0;
    m->header.n_sb = m->header.n_ant = 1;
    m->header.n_stream = 2;
    m->array.kind = 1;
    m->array.subject = 24;
    m->array.n_statistic = 2;
    m->array.statistic[0] = 0.5f;
    m->array.statistic[1] = -1.5f;
    m->coefficients[0] = CMPLXF(0.5f, 0.25f);
    m->coefficients[1] = CMPLXF(-1.0f, 2.0f);
}

/* The document's bytes were made by another program from its tables. */
static void test_document_examples(void **state)
{
    (void)state;
    static const tutti_cf32 bfp[4] = {__builtin_complex(0.5f, 0.25f), __builtin_complex(0.0f, -0.125f),
                                      __builtin_complex(-1.0f, 0.0f), __builtin_complex(0.0078125f, 0.75f)};
    struct message m = message_empty(WIRE_CSI, 4, 2, 2);
    example_csi(&m);
    check_example("csi", &m);
    example_precoder(&m);
    m.coefficients[0] = CMPLXF(0.5f, 0.25f);
    m.coefficients[1] = CMPLXF(-1.0f, -0.125f);
    check_example("precoder_sc16", &m);
    m.precoder.stream[1].source = WIRE_SOURCE_PHASES;
    m.coefficients[1] = CMPLXF(0.0f, -0.25f);
    check_example("precoder_phases", &m);
    m.precoder.stream[1].source = WIRE_SOURCE_VECTORS;
    m.header.encoding = WIRE_BFP;
    m.header.mantissa_bits = 9;
    m.header.n_ant = 2;
    memcpy(m.coefficients, bfp, sizeof bfp);
    check_example("precoder_bfp9", &m);
    example_array(&m);
    m.header.valid_from_block = m.header.valid_until_block = 0;
    check_example("uplink", &m);
    message_free(&m);
}

static void assert_same_header(const struct wire_header *a, const struct wire_header *b)
{
    assert_int_equal(a->type, b->type);
    assert_int_equal(a->encoding, b->encoding);
    assert_int_equal(a->mantissa_bits, b->mantissa_bits);
    assert_int_equal(a->node, b->node);
    assert_int_equal(a->session, b->session);
    assert_true(a->block == b->block && a->tick == b->tick && a->send_time_ns == b->send_time_ns);
    assert_true(a->valid_from_block == b->valid_from_block && a->valid_until_block == b->valid_until_block);
    assert_true(a->n_sb == b->n_sb && a->n_ant == b->n_ant && a->n_stream == b->n_stream);
}

static void assert_same_csi(const struct wire_csi_meta *a, const struct wire_csi_meta *b, int n_user)
{
    assert_true(a->capture_end_ns == b->capture_end_ns);
    assert_memory_equal(a->radio_events, b->radio_events, sizeof a->radio_events);
    assert_true(a->noise_power == b->noise_power && a->delay_samples == b->delay_samples);
    assert_memory_equal(a->beta, b->beta, (size_t)n_user * sizeof *a->beta);
    assert_memory_equal(a->error_variance, b->error_variance, (size_t)n_user * sizeof *a->beta);
    assert_int_equal(a->n_account, b->n_account);
    for (int i = 0; i < a->n_account; i++) {
        const struct wire_account *p = &a->account[i], *q = &b->account[i];
        assert_true(p->block == q->block && p->capture_end_ns == q->capture_end_ns);
        assert_true(p->precoder_received_ns == q->precoder_received_ns && p->applied_ns == q->applied_ns);
        assert_true(p->sent == q->sent && p->chosen == q->chosen && p->arrival == q->arrival && p->scaled == q->scaled);
    }
}

static void assert_same_precoder(const struct wire_precoder_meta *a, const struct wire_precoder_meta *b, int n_stream)
{
    assert_true(a->local_scheme == b->local_scheme && a->upsilon == b->upsilon);
    assert_true(a->power_mean == b->power_mean && a->power_peak == b->power_peak);
    assert_true(a->stale_blocks == b->stale_blocks && a->mute_blocks == b->mute_blocks);
    assert_true(a->account_ack == b->account_ack);
    for (int s = 0; s < n_stream; s++) {
        const struct wire_stream *p = &a->stream[s], *q = &b->stream[s];
        assert_true(p->kind == q->kind && p->source == q->source && p->user == q->user && p->power == q->power);
    }
}

static void assert_same_array(const struct wire_array_meta *a, const struct wire_array_meta *b)
{
    assert_true(a->kind == b->kind && a->subject == b->subject);
    assert_int_equal(a->n_statistic, b->n_statistic);
    assert_memory_equal(a->statistic, b->statistic, a->n_statistic * sizeof *a->statistic);
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

static void assert_same_meta(const struct message *a, const struct message *b)
{
    const int n = a->header.n_stream;
    assert_same_header(&a->header, &b->header);
    if (a->header.type == WIRE_CSI) {
        assert_same_csi(&a->csi, &b->csi, n);
    } else if (a->header.type == WIRE_PRECODER) {
        assert_same_precoder(&a->precoder, &b->precoder, n);
    } else {
        assert_same_array(&a->array, &b->array);
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
    struct message got = message_empty(type, sent.n_coefficients, shape[2], sent.array.n_statistic);
    assert_int_equal(message_unpack(data, n, &got, sent.n_coefficients, shape[2]), WIRE_OK);
    assert_same_meta(&got, &sent);
    assert_int_equal(got.header.payload_bytes, n - WIRE_HEADER_BYTES);
    assert_close(&sent, got.coefficients);
    const bool array = type != WIRE_CSI && type != WIRE_PRECODER;
    got.header.type = (uint8_t)type;
    assert_int_equal(message_unpack(data, n, &got, sent.n_coefficients - 1, shape[2]), WIRE_BAD_SHAPE); /* no room */
    got.header.type = (uint8_t)type;
    assert_int_equal(message_unpack(data, n, &got, sent.n_coefficients, shape[2] - 1),
                     array ? WIRE_OK : WIRE_BAD_SHAPE);
    if (array && sent.array.n_statistic) {
        got.header.type = (uint8_t)type;
        got.array.statistic_room = sent.array.n_statistic - 1;
        assert_int_equal(message_unpack(data, n, &got, sent.n_coefficients, shape[2]), WIRE_BAD_SHAPE);
    }
    message_free(&sent);
    message_free(&got);
    free(data);
}

static void test_round_trips(void **state)
{
    (void)state;
    static const int shapes[][3] = {{1, 1, 1}, {6, 4, 4}, {3, 16, 64}, {256, 1, 3}, {2, 3, 7}};
    static const float scales[] = {1.0f, 1e-6f, 3e9f, 1e-30f};
    static const enum wire_type types[] = {WIRE_CSI, WIRE_PRECODER, WIRE_UPLINK, WIRE_CALIBRATION, WIRE_SENSING};
    uint64_t seed = 42;
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        for (size_t k = 0; k < sizeof scales / sizeof scales[0]; k++) {
            for (size_t t = 0; t < sizeof types / sizeof types[0]; t++) {
                round_trip(&seed, types[t], WIRE_CF32, 0, shapes[i], scales[k]);
                round_trip(&seed, types[t], WIRE_SC16, 0, shapes[i], scales[k]);
                for (int bits = 9; bits <= 14; bits++) {
                    round_trip(&seed, types[t], WIRE_BFP, bits, shapes[i], scales[k]);
                }
            }
        }
    }
    static const int many_sb[3] = {TUTTI_MAX_SB, 2, 8}, many_ant[3] = {2, TUTTI_MAX_ANT, 8},
                     many_ue[3] = {3, 2, TUTTI_MAX_UE}, many_stream[3] = {3, 2, TUTTI_MAX_STREAM},
                     symbols[3] = {2400, 16, 12}; /* of an uplink: symbols times subbands, users, subcarriers */
    round_trip(&seed, WIRE_CSI, WIRE_CF32, 0, many_sb, 1);
    round_trip(&seed, WIRE_CSI, WIRE_CF32, 0, many_ant, 1);
    round_trip(&seed, WIRE_CSI, WIRE_CF32, 0, many_ue, 1);
    round_trip(&seed, WIRE_PRECODER, WIRE_CF32, 0, many_stream, 1);
    round_trip(&seed, WIRE_UPLINK, WIRE_CF32, 0, symbols, 1);
    round_trip(&seed, WIRE_GAINS, WIRE_CF32, 0, shapes[0], 1);
}

/* Streams with vectors, built by the AP, and as phases, in one message, against a plain picking of columns. */
static void sources_round_trip(uint64_t *seed, enum wire_encoding encoding, int bits)
{
    enum { SB = 3, ANT = 4, STREAM = 4, N = SB * ANT * STREAM };
    struct message sent = message_random(seed, WIRE_PRECODER, encoding, bits, SB, ANT, STREAM);
    static const uint8_t source[STREAM] = {WIRE_SOURCE_VECTORS, WIRE_SOURCE_PHASES, WIRE_SOURCE_LOCAL,
                                           WIRE_SOURCE_VECTORS};
    struct message few = message_random(seed, WIRE_PRECODER, encoding, bits, SB, ANT, 2);
    for (int s = 0; s < STREAM; s++) {
        sent.precoder.stream[s].kind = s == 1 ? WIRE_STREAM_AN : WIRE_STREAM_DATA;
        sent.precoder.stream[s].source = source[s];
    }
    sent.precoder.noise_key = random_u64(seed);
    for (int row = 0; row < SB * ANT; row++) {
        few.coefficients[2 * row] = sent.coefficients[STREAM * row];
        few.coefficients[2 * row + 1] = sent.coefficients[STREAM * row + 3];
    }
    size_t n, n_few;
    uint8_t *data = message_packed(&sent, &n), *few_data = message_packed(&few, &n_few);
    assert_int_equal(n, n_few + 2 * 8 + 2 * SB * ANT + WIRE_KEY_BYTES);
    const size_t fixed = WIRE_HEADER_BYTES + 32;
    assert_memory_equal(data + fixed + 8 * STREAM, few_data + fixed + 8 * 2, n_few - fixed - 8 * 2);
    struct message got = message_empty(WIRE_PRECODER, N, STREAM, 0), two = message_empty(WIRE_PRECODER, N, STREAM, 0);
    assert_int_equal(message_unpack(data, n, &got, N, STREAM), WIRE_OK);
    assert_int_equal(message_unpack(few_data, n_few, &two, N, STREAM), WIRE_OK);
    assert_true(got.precoder.noise_key == sent.precoder.noise_key);
    const float amplitude = sqrtf(sent.precoder.stream[1].power / ANT);
    for (int row = 0; row < SB * ANT; row++) {
        const tutti_cf32 *v = got.coefficients + STREAM * row, phase = sent.coefficients[STREAM * row + 1];
        assert_true(v[0] == two.coefficients[2 * row] && v[3] == two.coefficients[2 * row + 1] && v[2] == 0.0f);
        assert_true(fabsf(cabsf(v[1]) - amplitude) < 1e-6f);
        assert_true(cabsf(v[1] / amplitude - phase / cabsf(phase)) < 2e-4f);
    }
    message_free(&sent);
    message_free(&few);
    message_free(&got);
    message_free(&two);
    free(data);
    free(few_data);
}

static void test_sources(void **state)
{
    (void)state;
    uint64_t seed = 77;
    for (int trial = 0; trial < 20; trial++) {
        sources_round_trip(&seed, WIRE_CF32, 0);
        sources_round_trip(&seed, WIRE_SC16, 0);
        sources_round_trip(&seed, WIRE_BFP, 9 + trial % 6);
    }
}

/* Nothing but powers travels, and phases do even then. */
static void test_no_coefficients(void **state)
{
    (void)state;
    uint64_t seed = 5;
    struct message m = message_random(&seed, WIRE_PRECODER, WIRE_NONE, 0, 3, 4, 2);
    struct message got = message_empty(WIRE_PRECODER, 24, 2, 0);
    for (int s = 0; s < 2; s++) {
        m.precoder.stream[s].kind = s ? WIRE_STREAM_AN : WIRE_STREAM_DATA;
        m.precoder.stream[s].source = WIRE_SOURCE_LOCAL;
    }
    size_t n;
    uint8_t *data = message_packed(&m, &n);
    assert_int_equal(n, WIRE_HEADER_BYTES + 32 + 2 * 8);
    memset(got.coefficients, 0xff, 24 * sizeof *got.coefficients);
    assert_int_equal(message_unpack(data, n, &got, 24, 2), WIRE_OK);
    for (int i = 0; i < 24; i++) {
        assert_true(got.coefficients[i] == 0.0f);
    }
    free(data);
    m.precoder.stream[1].source = WIRE_SOURCE_PHASES;
    data = message_packed(&m, &n);
    assert_int_equal(n, WIRE_HEADER_BYTES + 32 + 2 * 8 + 2 * 12 + WIRE_KEY_BYTES);
    assert_int_equal(message_unpack(data, n, &got, 24, 2), WIRE_OK);
    assert_true(cabsf(got.coefficients[1]) > 0 && got.coefficients[0] == 0.0f);
    free(data);
    message_free(&m);
    m = message_random(&seed, WIRE_CSI, WIRE_NONE, 0, 3, 4, 2);
    data = message_packed(&m, &n);
    assert_int_equal(n, WIRE_HEADER_BYTES + 40 + 2 * 8 + 36 * (size_t)m.csi.n_account);
    got.header.type = WIRE_CSI;
    assert_int_equal(message_unpack(data, n, &got, 24, 2), WIRE_OK);
    free(data);
    message_free(&m);
    message_free(&got);
}

static void test_zero_and_denormal_rows(void **state)
{
    (void)state;
    uint64_t seed = 5;
    static const float values[] = {0.0f, -0.0f, 1e-42f, FLT_MIN};
    struct message out = message_empty(WIRE_PRECODER, 4, 2, 0);
    for (int v = 0; v < 4; v++) {
        for (int e = 0; e < 3; e++) {
            struct message m =
                message_random(&seed, WIRE_PRECODER, (enum wire_encoding)e, e == WIRE_BFP ? 14 : 0, 1, 2, 2);
            for (int i = 0; i < 4; i++) {
                m.coefficients[i] = values[v];
            }
            size_t n;
            uint8_t *data = message_packed(&m, &n);
            assert_int_equal(message_unpack(data, n, &out, 4, 2), WIRE_OK);
            for (int i = 0; i < 8; i++) {
                assert_true(fabsf(parts(out.coefficients)[i] - parts(m.coefficients)[i]) <= FLT_MIN);
            }
            free(data);
            message_free(&m);
        }
    }
    message_free(&out);
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
                                 {0, 0, TUTTI_MAX_SB, TUTTI_MAX_ANT, TUTTI_MAX_UE}, /* 32 MiB */
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
        const bool array_too = i < 3 || i == 6 || i >= 8; /* arrays have larger sides */
        assert_int_equal(wire_csi_bytes(&h, 0), 0);
        assert_int_equal(wire_precoder_bytes(&h), 0);
        assert_int_equal(wire_array_bytes(&h, 0) == 0, array_too || i == 7);
    }
    uint64_t seed = 1;
    struct message m = message_random(&seed, WIRE_CSI, WIRE_CF32, 0, 2, 2, 2);
    m.csi.n_account = 3;
    uint8_t data[2048];
    const size_t n = wire_csi_bytes(&m.header, 3);
    assert_int_equal(n, 72 + 40 + 2 * 8 + 3 * 36 + 8 * 8);
    data[n - 1] = 0xa5;
    assert_int_equal(message_pack(&m, data, n - 1), 0); /* does not fit */
    assert_int_equal(data[n - 1], 0xa5);
    m.csi.n_account = WIRE_MAX_ACCOUNTS + 1;
    assert_int_equal(message_pack(&m, data, sizeof data), 0);
    m.csi.n_account = -1;
    assert_int_equal(message_pack(&m, data, sizeof data), 0);
    m.csi.n_account = 0;
    m.header.node = TUTTI_MAX_AP;
    assert_int_equal(message_pack(&m, data, sizeof data), 0);
    m.header.type = WIRE_SENSING;
    assert_int_equal(message_pack(&m, data, sizeof data), 0);
    m.header.type = WIRE_UPLINK; /* which goes between central nodes, too */
    assert_true(message_pack(&m, data, sizeof data) > 0);
    m.header.node = WIRE_NODE_CPU + WIRE_MAX_CPU;
    assert_int_equal(message_pack(&m, data, sizeof data), 0);
    m.header.type = WIRE_SENSING;
    m.header.node = 0;
    assert_true(message_pack(&m, data, sizeof data) > 0);
    m.array.n_statistic = WIRE_MAX_STATISTICS + 1;
    assert_int_equal(message_pack(&m, data, sizeof data), 0);
    message_free(&m);
}

static void refuse_every_change(enum wire_type type)
{
    uint64_t seed = 9;
    struct message m = message_random(&seed, type, WIRE_SC16, 0, 2, 2, 3), out = message_empty(type, 12, 3, 20);
    size_t n;
    m.csi.n_account = 2;
    uint8_t *data = message_packed(&m, &n);
    for (size_t shorter = 0; shorter < n; shorter++) {
        uint8_t *copy = malloc(shorter + 1); /* + 1: malloc(0) is special */
        memcpy(copy + 1, data, shorter);
        out.header.type = (uint8_t)type;
        assert_int_equal(message_unpack(copy + 1, shorter, &out, 12, 3), WIRE_SHORT);
        free(copy);
    }
    uint8_t *longer = calloc(1, n + 1);
    memcpy(longer, data, n);
    out.header.type = (uint8_t)type;
    assert_int_equal(message_unpack(longer, n + 1, &out, 12, 3), WIRE_LONG);
    free(longer);
    for (size_t bit = 0; bit < 8 * n; bit++) {
        data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        out.header.type = (uint8_t)type;
        assert_int_not_equal(message_unpack(data, n, &out, 12, 3), WIRE_OK);
        data[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    out.header.type = (uint8_t)type;
    assert_int_equal(message_unpack(data, n, &out, 12, 3), WIRE_OK);
    message_free(&m);
    message_free(&out);
    free(data);
}

static void test_every_wrong_length_and_every_flipped_bit_is_refused(void **state)
{
    (void)state;
    refuse_every_change(WIRE_CSI);
    refuse_every_change(WIRE_PRECODER);
    refuse_every_change(WIRE_UPLINK);
}

/* Change n bytes at offset, make the checksums right, and see the reason. */
static void expect(const struct message *m, size_t offset, const void *bytes, size_t n_bytes, int expected)
{
    size_t n;
    uint8_t *data = message_packed(m, &n);
    struct message out = message_empty(m->header.type, 64, 8, 20);
    memcpy(data + offset, bytes, n_bytes);
    message_reseal(data, n);
    const int error = message_unpack(data, n, &out, 64, 8);
    if (error != expected) {
        fail_msg("offset %zu: %s, expected %s", offset, wire_error_text(error), wire_error_text(expected));
    }
    message_free(&out);
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

enum { PAYLOAD = 72, USERS = PAYLOAD + 40, STREAMS = PAYLOAD + 32 };

static void test_each_reason_of_refusal_of_a_header(void **state)
{
    (void)state;
    uint64_t seed = 3;
    struct message csi = message_random(&seed, WIRE_CSI, WIRE_CF32, 0, 2, 2, 3);
    struct message bfp = message_random(&seed, WIRE_PRECODER, WIRE_BFP, 9, 2, 2, 3);
    csi.csi.n_account = 0;
    expect_u8(&csi, 0, 'X', WIRE_BAD_MAGIC);
    expect_u8(&csi, 4, 1, WIRE_BAD_VERSION);
    expect_u8(&csi, 5, 0, WIRE_BAD_TYPE);
    expect_u8(&csi, 5, 8, WIRE_BAD_TYPE);
    expect_u8(&csi, 6, 4, WIRE_BAD_ENCODING);
    expect_u8(&csi, 6, WIRE_NONE, WIRE_BAD_SHAPE); /* but coefficients are there */
    expect_u8(&csi, 7, 9, WIRE_BAD_ENCODING);
    expect_u8(&bfp, 7, 15, WIRE_BAD_ENCODING);
    expect_u8(&csi, 9, TUTTI_MAX_AP >> 8, WIRE_BAD_VALUE);
    struct message part = message_random(&seed, WIRE_UPLINK, WIRE_CF32, 0, 2, 2, 3);
    part.header.node = 0;
    expect_u8(&part, 9, WIRE_NODE_CPU >> 8, WIRE_OK);
    part.header.node = WIRE_MAX_CPU;
    expect_u8(&part, 9, WIRE_NODE_CPU >> 8, WIRE_BAD_VALUE);
    message_free(&part);
    expect_u8(&csi, 10, 0, WIRE_BAD_SHAPE);
    expect_u8(&csi, 10, 3, WIRE_BAD_SHAPE); /* disagrees with the payload's length */
    expect_u8(&csi, 13, 0xff, WIRE_BAD_SHAPE);
    expect_u8(&csi, 14, TUTTI_MAX_UE + 1, WIRE_BAD_SHAPE);
    expect_u8(&csi, 20, 0, WIRE_BAD_SHAPE);
    expect_u8(&csi, 48, 1, WIRE_BAD_VALUE); /* estimates are valid for no block */
    expect_u8(&csi, 56, 1, WIRE_BAD_VALUE);
    const uint64_t never = bfp.header.valid_until_block + 1;
    expect(&bfp, 48, &never, 8, WIRE_BAD_VALUE); /* valid from after it is valid until */
    message_free(&csi);
    message_free(&bfp);
}

static void test_each_reason_of_refusal_of_estimates(void **state)
{
    (void)state;
    uint64_t seed = 3;
    struct message csi = message_random(&seed, WIRE_CSI, WIRE_CF32, 0, 2, 2, 3);
    enum { ACCOUNTS = USERS + 24, COEFFICIENTS = ACCOUNTS + 2 * 36 };
    while (csi.csi.n_account < 2) {
        message_free(&csi);
        csi = message_random(&seed, WIRE_CSI, WIRE_CF32, 0, 2, 2, 3);
    }
    csi.csi.n_account = 2;
    const float noise_power[] = {0.0f, -1.0f, NAN, INFINITY}, gain[] = {-1e-9f, NAN, INFINITY};
    for (int i = 0; i < 4; i++) {
        expect_f32(&csi, PAYLOAD + 28, noise_power[i], WIRE_BAD_VALUE);
        expect_f32(&csi, PAYLOAD + 32, noise_power[i], i < 2 ? WIRE_OK : WIRE_BAD_VALUE); /* delay */
    }
    expect_u8(&csi, PAYLOAD + 36, 1, WIRE_BAD_SHAPE); /* accounts: but two are there */
    expect_u8(&csi, PAYLOAD + 36, WIRE_MAX_ACCOUNTS + 1, WIRE_BAD_SHAPE);
    expect_u8(&csi, PAYLOAD + 38, WIRE_N_SYNC, WIRE_BAD_VALUE); /* no such state */
    for (int i = 0; i < 3; i++) {
        expect_f32(&csi, USERS + 8, gain[i], WIRE_BAD_VALUE);  /* beta of the last user */
        expect_f32(&csi, USERS + 12, gain[i], WIRE_BAD_VALUE); /* error variance of the first */
    }
    expect_f32(&csi, USERS + 8, 0.0f, WIRE_OK);
    expect_u8(&csi, ACCOUNTS + 32, WIRE_SENT_UNKNOWN, WIRE_BAD_VALUE);
    expect_u8(&csi, ACCOUNTS + 32, WIRE_SENT_LOST, WIRE_BAD_VALUE); /* no AP can say that of itself */
    expect_u8(&csi, ACCOUNTS + 32, WIRE_N_SENT, WIRE_BAD_VALUE);
    expect_u8(&csi, ACCOUNTS + 33, WIRE_SENT_LATE, WIRE_BAD_VALUE); /* nobody chooses to be late */
    expect_u8(&csi, ACCOUNTS + 34, 4, WIRE_BAD_VALUE);
    expect_u8(&csi, ACCOUNTS + 36 + 35, 2, WIRE_BAD_VALUE);
    expect(&csi, ACCOUNTS + 36, &csi.csi.account[0].block, 8, WIRE_BAD_VALUE); /* the same block twice */
    expect_f32(&csi, COEFFICIENTS + 95 - 3, -INFINITY, WIRE_BAD_VALUE);        /* last coefficient */
    expect_f32(&csi, COEFFICIENTS, NAN, WIRE_BAD_VALUE);
    message_free(&csi);
}

static void test_each_reason_of_refusal_of_precoders(void **state)
{
    (void)state;
    uint64_t seed = 3;
    struct message precoder = message_random(&seed, WIRE_PRECODER, WIRE_SC16, 0, 2, 2, 3);
    struct message bfp = message_random(&seed, WIRE_PRECODER, WIRE_BFP, 9, 2, 2, 3);
    enum { VECTORS = STREAMS + 3 * 8 };
    for (int i = 1; i < 4; i++) {
        expect_u8(&precoder, PAYLOAD + (size_t)i, 1, WIRE_BAD_VALUE); /* reserved */
    }
    const float share[] = {-0.1f, 1.1f, NAN, INFINITY}, power[] = {-1.0f, NAN, INFINITY};
    for (int i = 0; i < 4; i++) {
        expect_f32(&precoder, PAYLOAD + 4, share[i], WIRE_BAD_VALUE);
    }
    for (int i = 0; i < 3; i++) {
        expect_f32(&precoder, PAYLOAD + 8, power[i], WIRE_BAD_VALUE);
        expect_f32(&precoder, PAYLOAD + 12, power[i], WIRE_BAD_VALUE);
        expect_f32(&precoder, STREAMS + 2 * 8 + 4, power[i], WIRE_BAD_VALUE); /* of the last stream */
    }
    expect_f32(&precoder, PAYLOAD + 8, precoder.precoder.power_peak * 1.01f, WIRE_BAD_VALUE); /* mean above peak */
    expect_u8(&precoder, STREAMS, 4, WIRE_BAD_VALUE);                                         /* kind */
    expect_u8(&precoder, STREAMS + 1, 3, WIRE_BAD_VALUE);                                     /* source */
    const uint8_t phases[4] = {WIRE_STREAM_DATA, WIRE_SOURCE_PHASES, 0, 0},
                  local[4] = {WIRE_STREAM_DATA, WIRE_SOURCE_LOCAL, 0, 0},
                  beam[4] = {WIRE_STREAM_SENSING, WIRE_SOURCE_LOCAL, 0, 0};
    expect(&precoder, STREAMS, phases, 4, WIRE_BAD_VALUE); /* not for data */
    expect(&precoder, STREAMS, local, 4, WIRE_BAD_SHAPE);  /* but its vectors are there */
    expect(&precoder, STREAMS, beam, 4, WIRE_BAD_VALUE);   /* no AP can build it */
    const uint8_t user_128[4] = {WIRE_STREAM_DATA, 0, TUTTI_MAX_UE, 0}, noise_128[4] = {WIRE_STREAM_AN, 0, 128, 0};
    expect(&precoder, STREAMS, user_128, 4, WIRE_BAD_VALUE);
    expect(&precoder, STREAMS, noise_128, 4, WIRE_OK);
    const float scale[] = {-1.0f, NAN, INFINITY, FLT_MAX};
    for (int i = 0; i < 4; i++) {
        expect_f32(&precoder, VECTORS, scale[i], WIRE_BAD_VALUE);
        expect_f32(&precoder, VECTORS + 4 + 24, scale[i], WIRE_BAD_VALUE); /* second subband's */
    }
    const size_t row_bytes = 1 + (6 * 9 + 7) / 8;
    expect_u8(&bfp, VECTORS + row_bytes, 0x80, WIRE_BAD_VALUE);    /* marked as not finite */
    expect_u8(&bfp, VECTORS + row_bytes, 128 - 8, WIRE_BAD_VALUE); /* overflows */
    expect_u8(&bfp, VECTORS + row_bytes, 128 - 9, WIRE_OK);
    expect_u8(&bfp, VECTORS + row_bytes - 1, 0xff, WIRE_BAD_VALUE); /* padding */
    message_free(&precoder);
    message_free(&bfp);
}

static void test_each_reason_of_refusal_of_arrays(void **state)
{
    (void)state;
    uint64_t seed = 3;
    struct message uplink = message_random(&seed, WIRE_UPLINK, WIRE_CF32, 0, 2, 2, 3);
    uplink.array.n_statistic = 2;
    expect_u8(&uplink, PAYLOAD, 0, WIRE_OK);
    expect_u8(&uplink, PAYLOAD, 1, WIRE_OK);
    expect_u8(&uplink, PAYLOAD, 2, WIRE_BAD_VALUE); /* kind */
    expect_u8(&uplink, PAYLOAD + 1, 1, WIRE_BAD_VALUE);
    expect_u8(&uplink, PAYLOAD + 4, 1, WIRE_BAD_SHAPE); /* statistics: but two are there */
    expect_u8(&uplink, PAYLOAD + 7, 1, WIRE_BAD_SHAPE);
    expect_f32(&uplink, PAYLOAD + 12, NAN, WIRE_BAD_VALUE);
    expect_f32(&uplink, PAYLOAD + 16, INFINITY, WIRE_BAD_VALUE);
    uplink.header.type = WIRE_CALIBRATION;
    uplink.array.kind = 0;
    expect_u8(&uplink, PAYLOAD, 1, WIRE_BAD_VALUE);
    message_free(&uplink);
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
    static const enum wire_type types[] = {WIRE_CSI, WIRE_PRECODER, WIRE_SENSING};
    uint64_t seed = 13;
    for (int is = 0; is < 3; is++) {
        struct message m = message_random(&seed, types[is], WIRE_CF32, 0, 1, 1, 1), out = message_empty(0, 1, 1, 20);
        size_t n;
        uint8_t *data = message_packed(&m, &n);
        for (int as = 0; as < 3; as++) {
            out.header.type = (uint8_t)types[as];
            assert_int_equal(message_unpack(data, n, &out, 1, 1), is == as ? WIRE_OK : WIRE_BAD_TYPE);
        }
        free(data);
        message_free(&m);
        message_free(&out);
    }
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
    uint8_t probe[72 + 100], answer[72 + 100], payload[100];
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

/* Columns picked on the way give the bytes of an array that holds only them. */
static void test_picked_columns(void **state)
{
    (void)state;
    enum { ROWS = 6, COLUMNS = 90 };
    uint64_t seed = 13;
    for (int trial = 0; trial < 600; trial++) {
        static const uint8_t encodings[] = {WIRE_CF32, WIRE_SC16, WIRE_BFP};
        struct wire_header h = {.n_sb = 2, .n_ant = 3, .encoding = encodings[trial % 3]};
        h.mantissa_bits = (uint8_t)(h.encoding == WIRE_BFP ? 9 + random_u64(&seed) % 6 : 0);
        const size_t n_column = 1 + random_u64(&seed) % COLUMNS;
        struct wire_stream stream[COLUMNS] = {0};
        tutti_cf32 in[ROWS * COLUMNS], picked[ROWS * COLUMNS];
        uint8_t expected[ROWS * COLUMNS * 8 + 64], bytes[ROWS * COLUMNS * 8 + 64];
        size_t n = 0;
        for (size_t i = 0; i < n_column; i++) {
            stream[i].source = random_u64(&seed) % 3 && n_column > 1 ? WIRE_SOURCE_VECTORS : WIRE_SOURCE_LOCAL;
            h.n_stream = (uint16_t)(h.n_stream + (stream[i].source == WIRE_SOURCE_VECTORS));
        }
        for (size_t i = 0; i < ROWS * n_column; i++) {
            in[i] = __builtin_complex((float)(random_u64(&seed) >> 40), -(float)(random_u64(&seed) >> 44));
            in[i] = trial % 50 == 7 && i == 5 ? NAN : in[i];
            if (stream[i % n_column].source == WIRE_SOURCE_VECTORS) {
                picked[n++] = in[i];
            }
        }
        memset(expected, 0xee, sizeof expected);
        memset(bytes, 0xee, sizeof bytes);
        coefficients_pack(expected, &h, picked);
        coefficients_pack_vectors(bytes, &h, in, stream, n_column);
        assert_memory_equal(bytes, expected, sizeof bytes);
    }
}

/* Every variant writes and reads what the last one, the portable, does, and nothing behind it. */
static void test_variants_agree(void **state)
{
    (void)state;
    enum { MOST = 5 * 5 * 33, BEHIND = 16 };
    uint64_t seed = 12;
    for (int trial = 0; trial < 2000; trial++) {
        struct wire_header h = {.encoding = trial % 4 ? WIRE_BFP : WIRE_SC16};
        h.n_sb = (uint16_t)(1 + random_u64(&seed) % 5);
        h.n_ant = (uint16_t)(1 + random_u64(&seed) % 5); /* up to three times the rows that are looked at together */
        h.n_stream = (uint16_t)(1 + random_u64(&seed) % 33);
        h.mantissa_bits = (uint8_t)(h.encoding == WIRE_BFP ? 9 + random_u64(&seed) % 6 : 0);
        const size_t n = (size_t)h.n_sb * h.n_ant * h.n_stream, n_bytes = coefficients_bytes(&h);
        static tutti_cf32 in[MOST], out[2][MOST];
        static uint8_t bytes[2][MOST * 8 + BEHIND];
        const int scale = (int)(random_u64(&seed) % 270) - 145;
        for (size_t i = 0; i < 2 * n; i++) {
            ((float *)in)[i] = ldexpf((float)((double)(random_u64(&seed) >> 40) / 8388608.0 - 1.0), scale);
        }
        const bool wild = trial % 15 == 0; /* both encodings */
        if (wild) {
            ((float *)in)[random_u64(&seed) % (2 * n)] = trial % 7 < 4 ? NAN : -INFINITY;
        }
        memset(bytes, 0xee, sizeof bytes);
        for (int v = 0; coefficients_variant(v); v++) {
            const int to = v > 0;
            coefficients_select(v);
            coefficients_pack(bytes[to], &h, in);
            assert_true(coefficients_unpack(out[to], &h, bytes[to]) == !wild);
            assert_true(!to || memcmp(bytes[0], bytes[1], n_bytes + BEHIND) == 0);
            assert_true(!to || wild || memcmp(out[0], out[1], n * sizeof *in) == 0);
        }
        coefficients_select(0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_crc_vectors),
        cmocka_unit_test(test_crc_all_lengths_alignments_and_chains),
        cmocka_unit_test(test_crc_long),
        cmocka_unit_test(test_bfp_against_plain),
        cmocka_unit_test(test_picked_columns),
        cmocka_unit_test(test_document_examples),
        cmocka_unit_test(test_round_trips),
        cmocka_unit_test(test_sources),
        cmocka_unit_test(test_no_coefficients),
        cmocka_unit_test(test_zero_and_denormal_rows),
        cmocka_unit_test(test_impossible_shapes_are_not_packed),
        cmocka_unit_test(test_every_wrong_length_and_every_flipped_bit_is_refused),
        cmocka_unit_test(test_each_reason_of_refusal_of_a_header),
        cmocka_unit_test(test_each_reason_of_refusal_of_estimates),
        cmocka_unit_test(test_each_reason_of_refusal_of_precoders),
        cmocka_unit_test(test_each_reason_of_refusal_of_arrays),
        cmocka_unit_test(test_what_is_not_finite_is_refused_by_the_receiver),
        cmocka_unit_test(test_type_confusion),
        cmocka_unit_test(test_send_time_stamp),
        cmocka_unit_test(test_probes),
    };
    const struct CMUnitTest once[] = {cmocka_unit_test(test_variants_agree)};
    int n_failed = cmocka_run_group_tests(once, NULL, NULL);
    for (int v = 0; coefficients_variant(v); v++) {
        coefficients_select(v);
        n_failed += cmocka_run_group_tests_name(coefficients_variant(v), tests, NULL, NULL);
    }
    return n_failed;
}
