/* SPDX-License-Identifier: GPL-3.0-or-later */
/* CRC, convolutional encoder and pseudo-random bits against plain references and published values. */
#include "phy/code.h"
#include "phy_test.h"

enum { MAX_BYTES = 200 };

static void crc_is_ieee_802_3(void **state)
{
    (void)state;
    struct code_crc crc;
    code_crc_init(&crc);
    assert_int_equal(code_crc_of(&crc, (const uint8_t *)"123456789", 9), 0xcbf43926u);
    assert_int_equal(code_crc_of(&crc, (const uint8_t *)"", 0), 0);
    const char *fox = "The quick brown fox jumps over the lazy dog";
    assert_int_equal(code_crc_of(&crc, (const uint8_t *)fox, (int)strlen(fox)), 0x414fa339u);
}

/* Long division, one bit at a time. */
static void crc_of_any_length_matches_division(void **state)
{
    (void)state;
    struct code_crc crc;
    code_crc_init(&crc);
    uint8_t data[MAX_BYTES];
    uint64_t seed = 3;
    for (int n = 0; n <= MAX_BYTES; n++) {
        uint32_t c = 0xffffffffu;
        code_random_bytes(&seed, data, n);
        for (int i = 0; i < 8 * n; i++) {
            const uint32_t bit = (uint32_t)(data[i / 8] >> (i % 8) & 1) ^ (c & 1);
            c = (c >> 1) ^ (bit ? 0xedb88320u : 0);
        }
        assert_int_equal(code_crc_of(&crc, data, n), ~c);
    }
}

/* Values of the reference implementation (Vigna, prng.di.unimi.it/splitmix64.c) for state 0. */
static void random_numbers_are_splitmix64(void **state)
{
    (void)state;
    uint64_t s = 0;
    assert_true(code_random(&s) == 0xe220a8397b1dcdafu);
    assert_true(code_random(&s) == 0x6e789e6aa1b965f4u);
    assert_true(code_random(&s) == 0x06c45d188009454fu);
    uint8_t bytes[12];
    s = 0;
    code_random_bytes(&s, bytes, 12);
    assert_int_equal(bytes[0], 0xaf);
    assert_int_equal(bytes[7], 0xe2);
    assert_int_equal(bytes[8], 0xf4);
    assert_int_equal(bytes[11], 0xa1);
}

/* One bit at a time through a shift register; generators 1111001 and 1011011, newest bit first. */
static void encode_plain(const uint8_t *bytes, int n_bytes, uint8_t out[][2])
{
    static const int generator[2][7] = {{1, 1, 1, 1, 0, 0, 1}, {1, 0, 1, 1, 0, 1, 1}};
    int memory[7] = {0};
    for (int i = 0; i < 8 * n_bytes + 6; i++) {
        memmove(memory + 1, memory, 6 * sizeof *memory);
        memory[0] = i < 8 * n_bytes ? bytes[i / 8] >> (7 - i % 8) & 1 : 0;
        for (int g = 0; g < 2; g++) {
            int sum = 0;
            for (int d = 0; d < 7; d++) {
                sum += generator[g][d] * memory[d];
            }
            out[i][g] = (uint8_t)(sum % 2);
        }
    }
}

static void encoder_matches_shift_register(void **state)
{
    (void)state;
    uint8_t data[MAX_BYTES], expected[8 * MAX_BYTES + 6][2];
    uint64_t stream[2][(8 * MAX_BYTES + 6 + 63) / 64], seed = 9;
    for (int n = 1; n <= MAX_BYTES; n++) {
        code_random_bytes(&seed, data, n);
        encode_plain(data, n, expected);
        memset(stream, 0xa5, sizeof stream);
        code_convolve(data, n, stream[0], stream[1]);
        for (int i = 0; i < 64 * code_words(n); i++) {
            for (int g = 0; g < 2; g++) {
                const int want = i < 8 * n + 6 ? expected[i][g] : 0; /* what lies past the tail is zero */
                assert_int_equal(stream[g][i / 64] >> (63 - i % 64) & 1, want);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(crc_is_ieee_802_3),
        cmocka_unit_test(crc_of_any_length_matches_division),
        cmocka_unit_test(random_numbers_are_splitmix64),
        cmocka_unit_test(encoder_matches_shift_register),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
