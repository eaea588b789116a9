/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The inner parts of the payload; the source is included to reach them. */
#include "phy/payload.c" /* NOLINT: on purpose */
#include "phy_test.h"

static void make_all(payload_t *p, int user, uint64_t block)
{
    make_labels(p, user, 1, block, p->label);
}

static payload_t *make_payload(enum config_modulation modulation, int max_bits)
{
    const struct frame frame = phy_test_frame();
    const struct config_payload config = {.modulation = modulation, .max_code_block_bits = max_bits};
    payload_t *p;
    assert_int_equal(payload_create(&p, &frame, &config, 1), 0);
    return p;
}

/* Place in the order of transmission of coded bit j: symbol, then bit of its label. */
static int transmitted(const payload_t *p, int j)
{
    const int axis_value = (int)interleave_place(&p->interleave, j) % p->stride,
              bit = (int)interleave_place(&p->interleave, j) / p->stride;
    return axis_value * p->axis_bits + bit;
}

static int bit_of_label(const payload_t *p, int j)
{
    const int axis_value = (int)interleave_place(&p->interleave, j) % p->stride,
              bit = (int)interleave_place(&p->interleave, j) / p->stride;
    return p->label[axis_value] >> (p->axis_bits - 1 - bit) & 1;
}

static void interleaver_is_a_spreading_permutation(void **state)
{
    (void)state;
    for (int m = CONFIG_QAM4; m <= CONFIG_QAM256; m++) {
        payload_t *p = make_payload((enum config_modulation)m, 6144);
        uint8_t *seen = calloc((size_t)p->n_coded, 1);
        int near = 0;
        for (int j = 0; j < p->n_coded; j++) {
            assert_in_range(transmitted(p, j), 0, (unsigned)p->n_coded - 1);
            assert_int_equal(seen[transmitted(p, j)]++, 0);
            const int sc = transmitted(p, j) / p->bits_per_symbol % 72;
            const int next = transmitted(p, (j + 1) % p->n_coded) / p->bits_per_symbol % 72;
            near += sc / 12 == next / 12;
        }
        /* Neighbours fall in the same of six subbands as often as by chance. Those of one column go together, so the
         * draws are as many as there are columns. */
        const double sigma = SIMD_RUN * sqrt(p->interleave.n_column * 5.0 / 36.0);
        assert_true(fabs(near - p->n_coded / 6.0) < 5.0 * sigma);
        free(seen);
        payload_destroy(p);
    }
}

/* What is mapped at a coded bit's place is that bit, for all code blocks. */
static void every_coded_bit_is_sent_where_it_is_looked_for(void **state)
{
    (void)state;
    for (int m = CONFIG_QAM4; m <= CONFIG_QAM256; m++) {
        payload_t *p = make_payload((enum config_modulation)m, 1000);
        const int words = code_words(p->cb_bytes);
        make_all(p, 1, 5);
        for (int c = 0; c < p->n_cb; c++) {
            uint64_t stream[2][32];
            code_convolve(p->info + c * p->cb_bytes, p->cb_bytes, stream[0], stream[1]);
            assert_true(words <= 32);
            for (int i = 0; i < p->cb_coded; i++) {
                const int at = i / 2;
                assert_int_equal(bit_of_label(p, c * p->cb_coded + i), stream[i % 2][at / 64] >> (63 - at % 64) & 1);
            }
        }
        payload_destroy(p);
    }
}

/* Padding is pseudo-random: half ones, different in every block. With one-byte code blocks there is some to see. */
static void padding_is_random(void **state)
{
    (void)state;
    enum { BLOCKS = 400 };
    struct frame frame = phy_test_frame();
    const struct config_payload config = {.modulation = CONFIG_QAM16, .max_code_block_bits = 6144};
    frame.n_data_re = 37; /* 148 coded bits: one code block of 8 bytes and the tail, 8 left over */
    payload_t *p;
    assert_int_equal(payload_create(&p, &frame, &config, 1), 0);
    const int n = n_padding(p), start = p->n_coded - n;
    assert_int_equal(n, 8);
    int ones[8] = {0}, changes = 0, before[8] = {0};
    for (uint64_t block = 0; block < BLOCKS; block++) {
        make_all(p, 0, block);
        for (int i = 0; i < n; i++) {
            const int bit = bit_of_label(p, start + i);
            ones[i] += bit;
            changes += block > 0 && bit != before[i];
            before[i] = bit;
        }
    }
    for (int i = 0; i < n; i++) {
        assert_true(fabs(ones[i] - BLOCKS / 2.0) < 5 * sqrt(BLOCKS / 4.0));
    }
    assert_true(fabs(changes - n * (BLOCKS - 1) / 2.0) < 5 * sqrt(n * BLOCKS / 4.0));
    payload_destroy(p);
}

/* One code block's soft bits come from where the block's bits went, and the CRC is looked at. */
static void one_block_is_decoded_and_checked(void **state)
{
    (void)state;
    payload_t *p = make_payload(CONFIG_QAM16, 2000);
    make_all(p, 0, 3);
    assert_true(p->n_cb > 2);
    for (int wrong = -1; wrong < p->n_cb; wrong++) {
        for (int j = 0; j < p->n_coded; j++) {
            const int flip = j / p->cb_coded == wrong;
            p->soft[interleave_place(&p->interleave, j)] = (int8_t)((bit_of_label(p, j) ^ flip) ? 127 : -128);
        }
        interleave_from_air(&p->interleave, p->soft, p->soft_coded);
        for (int c = 0; c < p->n_cb; c++) {
            struct payload_result result = {0};
            decode_block(p, c, &result);
            assert_int_equal(result.code_block_errors, c == wrong);
            assert_int_equal(result.bit_errors > 0, c == wrong);
            assert_int_equal(result.undetected_errors, 0);
            assert_int_equal(result.coded_bit_errors, c == wrong ? p->cb_coded : 0);
        }
    }
    payload_destroy(p);
}

static int bits_flipped(payload_t *p, int from, int to, int every)
{
    int flipped = 0;
    for (int j = 0; j < p->n_coded; j++) {
        const int flip = j >= from && j < to && j % every == 0;
        p->soft[interleave_place(&p->interleave, j)] = (int8_t)((bit_of_label(p, j) ^ flip) ? 0 : -1);
        flipped += flip;
    }
    return flipped;
}

/* Wrong hard decisions of code blocks and padding together. */
static void wrong_bits_are_counted_once(void **state)
{
    (void)state;
    for (int m = CONFIG_QAM4; m <= CONFIG_QAM256; m++) {
        payload_t *p = make_payload((enum config_modulation)m, 900);
        const int range[][3] = {{0, p->n_coded, 1},
                                {0, p->n_coded, 7},
                                {p->n_cb * p->cb_coded, p->n_coded, 1},
                                {p->cb_coded - 1, p->cb_coded + 1, 1},
                                {0, 0, 1}};
        assert_true(n_padding(p) > 0);
        for (size_t i = 0; i < sizeof range / sizeof *range; i++) {
            make_all(p, 2, 9);
            const int flipped = bits_flipped(p, range[i][0], range[i][1], range[i][2]);
            struct payload_result result;
            decode_soft(p, &result);
            assert_int_equal(result.coded_bit_errors, flipped);
        }
        payload_destroy(p);
    }
}

/* Users beyond a byte's worth, each as if it were alone. */
static void labels_of_many_are_those_of_each(void **state)
{
    (void)state;
    enum { USERS = 2 * SIMD_USERS + 3 };
    for (int m = CONFIG_QAM4; m <= CONFIG_QAM256; m++) {
        payload_t *p = make_payload((enum config_modulation)m, 6144);
        int8_t *labels = calloc(USERS, (size_t)p->stride);
        tutti_cf32 *symbols = calloc(2 * (size_t)p->n_re, sizeof *symbols);
        payload_labels(p, USERS, 77, labels);
        for (int u = 0; u < USERS; u++) {
            make_all(p, u, 77);
            assert_memory_equal(labels + u * p->stride, p->label, (size_t)(2 * p->n_re));
            payload_encode(p, u, 77, symbols);
            payload_symbols(p, labels + u * p->stride, 5, p->n_re - 5, symbols + p->n_re);
            assert_memory_equal(symbols + 5, symbols + p->n_re, (size_t)(p->n_re - 5) * sizeof *symbols);
        }
        free(symbols);
        free(labels);
        payload_destroy(p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(interleaver_is_a_spreading_permutation),
        cmocka_unit_test(every_coded_bit_is_sent_where_it_is_looked_for),
        cmocka_unit_test(padding_is_random),
        cmocka_unit_test(one_block_is_decoded_and_checked),
        cmocka_unit_test(wrong_bits_are_counted_once),
        cmocka_unit_test(labels_of_many_are_those_of_each),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
