/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The Viterbi decoder, every variant, bit for bit against libfec: noisy blocks from hopeless to clean, soft bits
 * without any code behind them, ties, the extremes. */
#include "../sanitized.h"
#include "fec_reference.h"
#include "phy/viterbi.h"
#include "phy_test.h"
#include "variants.h"

static void *reference;
static uint64_t seed = 20;
static uint64_t decisions[2][FEC_MAX_STEPS];

/* All variants agree on every decision, not only on the path that wins, and with libfec on that. */
static void check(const struct fec_case *c)
{
    uint8_t expected[FEC_MAX_BITS / 8], decoded[FEC_MAX_BITS / 8];
    const size_t n_step = (size_t)c->n_bits + VITERBI_TAIL_BITS;
    fec_decode(reference, c, expected);
    const struct simd_ops *ops;
    for (int v = 0; (ops = test_variant(v)) != NULL; v++) {
        uint64_t *out = decisions[v > 0];
        ops->viterbi_forward((int)n_step, c->soft, out);
        viterbi_trace(c->n_bits, out, decoded);
        assert_memory_equal(decoded, expected, (size_t)c->n_bits / 8);
        assert_memory_equal(out, decisions[0], n_step * sizeof *out);
    }
}

static int some_bits(int most)
{
    return 8 * (1 + (int)(code_random(&seed) % (unsigned)(most / 8)));
}

/* Amplitudes as the demapper makes them: 8 soft steps per unit of LLR, LLR = 4 SNR per real dimension of 4-QAM. */
static void noisy_blocks_are_decoded_as_libfec_does(void **state)
{
    (void)state;
    struct fec_case c;
    int wrong = 0, n = 0;
    for (int snr_db = -12; snr_db <= 8; snr_db += 2) {
        const double snr = pow(10, snr_db / 10.0), signal = 8 * 2 * snr, noise = 8 * sqrt(4 * snr);
        for (int i = 0; i < (SANITIZED ? 200 : 1000); i++, n++) {
            uint8_t decoded[FEC_MAX_BITS / 8];
            fec_fill(&c, some_bits(400), signal, noise, &seed);
            check(&c);
            viterbi_decode(c.n_bits, c.soft, decisions[0], decoded);
            wrong += memcmp(decoded, c.sent, (size_t)c.n_bits / 8) != 0;
        }
    }
    assert_true(wrong > n / 10 && wrong < 9 * n / 10); /* both kinds were among them */
}

static void long_blocks_do_not_overflow(void **state)
{
    (void)state;
    struct fec_case c;
    for (int i = 0; i < 20; i++) {
        fec_fill(&c, FEC_MAX_BITS, i % 2 ? 120 : 0, i % 4 < 2 ? 0 : 300, &seed);
        for (int j = 0; i >= 10 && j < 2 * (c.n_bits + VITERBI_TAIL_BITS); j++) {
            c.soft[j] = code_random(&seed) >> 63 ? 127 : -128;
        }
        check(&c);
    }
}

/* Few different values: equal metrics everywhere. */
static void ties_are_broken_as_libfec_does(void **state)
{
    (void)state;
    struct fec_case c;
    for (int i = 0; i < 500; i++) {
        const int span = i % 5;
        fec_fill(&c, some_bits(200), 0, 0, &seed);
        for (int j = 0; j < 2 * (c.n_bits + VITERBI_TAIL_BITS); j++) {
            c.soft[j] = (int16_t)((int)(code_random(&seed) >> 33) % (span + 1) - span / 2);
        }
        check(&c);
    }
}

/* Any single stretch of four wrong hard bits in a hundred is repaired; eight erasures too (free distance 10). Not at
 * the very start: like libfec, the decoder holds other states than 0 possible there, at a small price. */
static void errors_within_the_free_distance_are_repaired(void **state)
{
    (void)state;
    struct fec_case c;
    uint8_t decoded[FEC_MAX_BITS / 8];
    for (int i = 0; i < 100; i++) {
        fec_fill(&c, 1600, 100, 0, &seed);
        for (int j = 60; j < 2 * (c.n_bits + VITERBI_TAIL_BITS); j++) {
            const int at = (j + i) % 100;
            c.soft[j] = (int16_t)(i % 2 ? (at < 4 ? -c.soft[j] : c.soft[j]) : (at < 8 ? 0 : c.soft[j]));
        }
        viterbi_decode(c.n_bits, c.soft, decisions[0], decoded);
        assert_memory_equal(decoded, c.sent, (size_t)c.n_bits / 8);
    }
}

int main(void)
{
    reference = fec_create();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(noisy_blocks_are_decoded_as_libfec_does),
        cmocka_unit_test(long_blocks_do_not_overflow),
        cmocka_unit_test(ties_are_broken_as_libfec_does),
        cmocka_unit_test(errors_within_the_free_distance_are_repaired),
    };
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    delete_viterbi27(reference);
    return failed;
}
