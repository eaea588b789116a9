/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The inner parts of the payload against plain references; the source is included to reach them. */
#include "phy/payload.c" /* NOLINT: on purpose */
#include "phy_test.h"

static payload_t *make(enum config_modulation modulation, int max_bits)
{
    const struct frame frame = phy_test_frame();
    const struct config_payload config = {.modulation = modulation, .max_code_block_bits = max_bits};
    payload_t *p;
    assert_int_equal(payload_create(&p, &frame, &config, 1), 0);
    return p;
}

static void crc_is_ieee_802_3(void **state)
{
    (void)state;
    payload_t *p = make(CONFIG_QAM4, 6144);
    assert_int_equal(crc32(p, (const uint8_t *)"123456789", 9), 0xcbf43926u);
    assert_int_equal(crc32(p, (const uint8_t *)"", 0), 0);
    payload_destroy(p);
}

/* One bit at a time through a shift register; generators 1111001 and 1011011, newest bit first. */
static int encode_plain(const uint8_t *bytes, int n_bytes, uint8_t *out)
{
    static const int generator[2][7] = {{1, 1, 1, 1, 0, 0, 1}, {1, 0, 1, 1, 0, 1, 1}};
    int memory[7] = {0}, n = 0;
    for (int i = 0; i < 8 * n_bytes + 6; i++) {
        for (int d = 6; d > 0; d--) {
            memory[d] = memory[d - 1];
        }
        memory[0] = i < 8 * n_bytes ? bytes[i / 8] >> (7 - i % 8) & 1 : 0;
        for (int g = 0; g < 2; g++) {
            int sum = 0;
            for (int d = 0; d < 7; d++) {
                sum += generator[g][d] * memory[d];
            }
            out[n++] = (uint8_t)(sum % 2);
        }
    }
    return n;
}

static void encoder_matches_shift_register(void **state)
{
    (void)state;
    payload_t *p = make(CONFIG_QAM16, 2000);
    uint8_t *expected = calloc((size_t)p->cb_coded, 1);
    for (uint64_t block = 0; block < 5; block++) {
        build(p, 1, block);
        for (int c = 0; c < p->n_cb; c++) {
            const uint8_t *cb = p->info + c * p->cb_bytes;
            assert_int_equal(encode_plain(cb, p->cb_bytes, expected), p->cb_coded);
            for (int j = 0; j < p->cb_coded; j++) {
                assert_int_equal(p->coded[p->place[c * p->cb_coded + j]], expected[j]);
            }
        }
    }
    free(expected);
    payload_destroy(p);
}

/* The decoder undoes the independent encoder, all soft bits erased at places the free distance of 10 allows. */
static void decoder_matches_shift_register(void **state)
{
    (void)state;
    payload_t *p = make(CONFIG_QAM16, 2000);
    struct payload_result result = {0};
    uint8_t *coded = calloc((size_t)p->cb_coded, 1);
    build(p, 0, 3);
    encode_plain(p->info, p->cb_bytes, coded);
    for (int j = 0; j < p->cb_coded; j++) {
        p->soft[p->place[j]] = j % 100 < 9 ? 128 : coded[j] ? 255 : 0;
    }
    decode_block(p, 0, &result);
    assert_int_equal(result.bit_errors + result.code_block_errors, 0);
    for (int j = 0; j < p->cb_coded; j++) { /* four hard errors in any stretch are corrected as well */
        p->soft[p->place[j]] = (coded[j] ^ (j % 100 < 4)) ? 255 : 0;
    }
    decode_block(p, 0, &result);
    assert_int_equal(result.bit_errors + result.code_block_errors, 0);
    p->soft[p->place[0]] = 0;
    for (int j = 0; j < p->cb_coded; j++) {
        p->soft[p->place[j]] = coded[j] ? 0 : 255;
    }
    decode_block(p, 0, &result);
    assert_int_equal(result.code_block_errors, 1);
    free(coded);
    payload_destroy(p);
}

static void interleaver_is_a_spreading_permutation(void **state)
{
    (void)state;
    for (int m = CONFIG_QAM4; m <= CONFIG_QAM256; m++) {
        payload_t *p = make((enum config_modulation)m, 6144);
        uint8_t *seen = calloc((size_t)p->n_coded, 1);
        int near = 0;
        for (int j = 0; j < p->n_coded; j++) {
            assert_in_range(p->place[j], 0, (unsigned)p->n_coded - 1);
            assert_int_equal(seen[p->place[j]]++, 0);
            const int sc = (int)p->place[j] / p->bits_per_symbol % 72;
            const int next = (int)p->place[(j + 1) % p->n_coded] / p->bits_per_symbol % 72;
            near += sc / 12 == next / 12;
        }
        /* Neighbours fall in the same of six subbands as often as by chance. */
        const double sigma = sqrt(p->n_coded * 5.0 / 36.0);
        assert_true(fabs(near - p->n_coded / 6.0) < 5.0 * sigma);
        free(seen);
        payload_destroy(p);
    }
}

/* Gray: neighbours on an axis differ in one bit; levels are the odd multiples of half the spacing. */
static void constellations_are_gray_and_square(void **state)
{
    (void)state;
    for (int m = CONFIG_QAM4; m <= CONFIG_QAM256; m++) {
        payload_t *p = make((enum config_modulation)m, 6144);
        const int n = 1 << p->axis_bits;
        const double half = sqrt(1.5 / (n * n - 1.0)); /* unit mean power */
        for (int axis = 0; axis < 2; axis++) {
            for (int i = 0; i < n; i++) {
                const double step = p->level[axis][i] / half;
                assert_true(fabs(step - round(step)) < 1e-4 && abs((int)lround(step)) % 2 == 1);
                for (int j = 0; j < n; j++) {
                    if (fabs(fabs(p->level[axis][i] - p->level[axis][j]) - 2.0 * half) < 0.1 * half) {
                        assert_int_equal(__builtin_popcount((unsigned)(i ^ j)), 1);
                    }
                }
            }
        }
        payload_destroy(p);
    }
}

/* Soft bits against a full search over all points, for every bit of every label. */
static void demapper_matches_full_search(void **state)
{
    (void)state;
    uint64_t seed = 11;
    for (int m = CONFIG_QAM4; m <= CONFIG_QAM256; m++) {
        payload_t *p = make((enum config_modulation)m, 6144);
        tutti_cf32 *y = calloc((size_t)p->n_re, sizeof *y);
        float *variance = calloc((size_t)p->n_re, sizeof *variance);
        for (int r = 0; r < p->n_re; r++) {
            y[r] = (tutti_cf32)(1.3 * test_gaussian(&seed));
            variance[r] = (float)(0.01 + test_uniform(&seed));
        }
        demap(p, y, variance);
        for (int r = 0; r < p->n_re; r++) {
            for (int b = 0; b < p->bits_per_symbol; b++) {
                double nearest[2] = {1e9, 1e9};
                for (int s = 0; s < 1 << p->bits_per_symbol; s++) {
                    const int bit = s >> (p->bits_per_symbol - 1 - b) & 1;
                    nearest[bit] = fmin(nearest[bit], square(y[r] - p->point[s]));
                }
                const double soft = 128.0 + 8.0 * (nearest[0] - nearest[1]) / variance[r];
                assert_true(fabs(fmin(fmax(soft - 0.5, 0.0), 255.0) - p->soft[r * p->bits_per_symbol + b]) < 0.51);
            }
        }
        free(y);
        free(variance);
        payload_destroy(p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(crc_is_ieee_802_3),
        cmocka_unit_test(encoder_matches_shift_register),
        cmocka_unit_test(decoder_matches_shift_register),
        cmocka_unit_test(interleaver_is_a_spreading_permutation),
        cmocka_unit_test(constellations_are_gray_and_square),
        cmocka_unit_test(demapper_matches_full_search),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
