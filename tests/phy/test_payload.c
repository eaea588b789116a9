/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The payload through its public face: round trips, noise against closed forms and bounds, fades, wrong data. */
#include "phy/payload.h"
#include "phy_test.h"

enum { MAX_RE = 34 * 72 };

struct link {
    payload_t *payload;
    tutti_cf32 symbols[MAX_RE];
    float variance[MAX_RE];
    uint64_t seed;
};

static int n_re(void)
{
    return phy_test_frame().n_data_re;
}

static void open_link(struct link *l, enum config_modulation modulation, int max_bits)
{
    const struct frame frame = phy_test_frame();
    const struct config_payload config = {.modulation = modulation, .max_code_block_bits = max_bits};
    assert_int_equal(payload_create(&l->payload, &frame, &config, 42), 0);
    l->seed = 7;
}

static void add_noise(struct link *l, double variance)
{
    for (int r = 0; r < MAX_RE; r++) {
        l->symbols[r] += (tutti_cf32)(sqrt(variance) * test_gaussian(&l->seed));
        l->variance[r] = (float)variance;
    }
}

/* Sums over n_blocks blocks of white noise. */
static struct payload_result run_noise(struct link *l, double variance, int n_blocks)
{
    struct payload_result sum = {0}, one;
    for (int b = 0; b < n_blocks; b++) {
        payload_encode(l->payload, 0, (uint64_t)b, l->symbols);
        add_noise(l, variance);
        payload_decode(l->payload, 0, (uint64_t)b, l->symbols, l->variance, &one);
        sum.bits += one.bits;
        sum.bit_errors += one.bit_errors;
        sum.coded_bits += one.coded_bits;
        sum.coded_bit_errors += one.coded_bit_errors;
        sum.code_blocks += one.code_blocks;
        sum.code_block_errors += one.code_block_errors;
        sum.undetected_errors += one.undetected_errors;
    }
    return sum;
}

static void shape_is_as_documented(void **state)
{
    (void)state;
    static const int max_bits[] = {40, 48, 1000, 6144, 1000000};
    for (int m = CONFIG_QAM4; m <= CONFIG_QAM256; m++) {
        for (size_t r = 0; r < sizeof max_bits / sizeof *max_bits; r++) {
            struct link l;
            open_link(&l, (enum config_modulation)m, max_bits[r]);
            const int coded = n_re() * payload_bits_per_symbol(l.payload), n = payload_code_blocks(l.payload);
            const int bits = payload_info_bits(l.payload) / n + 32; /* of one code block, CRC included */
            assert_int_equal(payload_bits_per_symbol(l.payload), 2 * (m + 1));
            assert_int_equal(bits % 8, 0);
            assert_true(bits <= max_bits[r]);
            assert_true(n * 2 * (bits + 6) <= coded);
            assert_true(coded - n * 2 * (bits + 6) < n * (16 + 2) + 16 || bits + 8 > max_bits[r]);
            assert_true(n == 1 || (coded / (2 * (n - 1)) - 6) / 8 * 8 > max_bits[r]); /* no fewer would do */
            payload_destroy(l.payload);
        }
    }
    payload_destroy(NULL);
}

static void impossible_shapes_are_refused(void **state)
{
    (void)state;
    struct frame frame = phy_test_frame();
    struct config_payload config = {.modulation = CONFIG_QAM4, .max_code_block_bits = 39};
    payload_t *p = (payload_t *)1;
    assert_int_equal(payload_create(&p, &frame, &config, 1), TUTTI_ECONFIG);
    assert_null(p);
    config.max_code_block_bits = 6144;
    frame.n_data_re = 45; /* 90 coded bits: 39 before the tail, one short of CRC and a byte */
    assert_int_equal(payload_create(&p, &frame, &config, 1), TUTTI_ECONFIG);
    frame.n_data_re = 46;
    assert_int_equal(payload_create(&p, &frame, &config, 1), 0);
    assert_int_equal(payload_info_bits(p), 8);
    payload_destroy(p);
    config.max_code_block_bits = 40;
    frame.n_data_re = 91; /* 182 coded bits: too long for one such block, too short for two */
    assert_int_equal(payload_create(&p, &frame, &config, 1), 0);
    assert_int_equal(payload_code_blocks(p), 1);
    assert_int_equal(payload_info_bits(p), 8);
    payload_destroy(p);
}

static void clean_round_trips(void **state)
{
    (void)state;
    static const double variance[] = {1e-2, 1e-3, 1e-4, 2e-5};
    for (int m = CONFIG_QAM4; m <= CONFIG_QAM256; m++) {
        struct link l;
        open_link(&l, (enum config_modulation)m, 3000);
        const struct payload_result sum = run_noise(&l, variance[m], 3);
        assert_int_equal(sum.bits, 3 * payload_info_bits(l.payload));
        assert_int_equal(sum.code_blocks, 3 * payload_code_blocks(l.payload));
        assert_int_equal(sum.coded_bits, 3 * n_re() * payload_bits_per_symbol(l.payload));
        assert_int_equal(sum.bit_errors, 0);
        assert_int_equal(sum.coded_bit_errors, 0);
        assert_int_equal(sum.code_block_errors, 0);
        payload_destroy(l.payload);
    }
}

static void symbols_have_unit_power_and_no_mean(void **state)
{
    (void)state;
    for (int m = CONFIG_QAM4; m <= CONFIG_QAM256; m++) {
        struct link l;
        open_link(&l, (enum config_modulation)m, 6144);
        double power = 0.0;
        double complex mean = 0.0;
        enum { N = 20 };
        for (int b = 0; b < N; b++) {
            payload_encode(l.payload, 1, (uint64_t)b, l.symbols);
            for (int r = 0; r < MAX_RE; r++) {
                power += square(l.symbols[r]) / (N * MAX_RE);
                mean += l.symbols[r] / (N * MAX_RE);
            }
        }
        assert_true(fabs(power - 1.0) < (m == CONFIG_QAM4 ? 1e-5 : 5.0 * 0.65 / sqrt(N * MAX_RE)));
        assert_true(sqrt(square(mean)) < 5.0 / sqrt(N * MAX_RE));
        payload_destroy(l.payload);
    }
}

static double q_function(double x)
{
    return 0.5 * erfc(x / sqrt(2.0));
}

/* Gray 16-QAM, exact: the two bits of an axis with levels +-d, +-3d and noise sigma, x = d / sigma. */
static void uncoded_qam16_matches_closed_form(void **state)
{
    (void)state;
    struct link l;
    open_link(&l, CONFIG_QAM16, 6144);
    static const double snr_db[] = {6.0, 10.0, 14.0};
    for (size_t r = 0; r < 3; r++) {
        const double variance = pow(10.0, -snr_db[r] / 10.0), x = sqrt(0.1) / sqrt(variance / 2.0);
        const double expected = (3.0 * q_function(x) + 2.0 * q_function(3.0 * x) - q_function(5.0 * x)) / 4.0;
        const struct payload_result sum = run_noise(&l, variance, 25);
        const double measured = (double)sum.coded_bit_errors / sum.coded_bits;
        assert_true(fabs(measured - expected) < 3.0 * sqrt(expected * (1.0 - expected) / sum.coded_bits));
    }
    payload_destroy(l.payload);
}

/* Union bound of the (171, 133) code on soft decisions: sum of bit weights over distances 10, 12, ... (Proakis). */
static double union_bound(double eb_n0)
{
    static const double weight[] = {36, 211, 1404, 11633, 77433, 502690, 3322763};
    double sum = 0.0;
    for (int i = 0; i < 7; i++) {
        sum += weight[i] * q_function(sqrt(2.0 * (10 + 2 * i) * 0.5 * eb_n0));
    }
    return sum;
}

/* 4-QAM at rate 1/2 has Es/N0 = Eb/N0. Maximum likelihood with fine soft bits keeps the bound from 3.5 dB on; hard
 * decisions, about 2 dB worse, miss it by a factor of more than ten. */
static void coded_ber_keeps_the_union_bound(void **state)
{
    (void)state;
    struct link l;
    open_link(&l, CONFIG_QAM4, 600);
    const double eb_n0 = pow(10.0, 0.35);
    const struct payload_result sum = run_noise(&l, 1.0 / eb_n0, 600);
    const double measured = (double)sum.bit_errors / sum.bits, bound = union_bound(eb_n0);
    /* Errors come in events of about 5 bits, so the count has a standard error of about sqrt(5 n). */
    assert_true(measured < bound + 3.0 * sqrt(5.0 * bound / sum.bits));
    assert_true(measured > q_function(sqrt(10.0 * eb_n0))); /* no code of this distance does better */
    payload_destroy(l.payload);
}

static void coded_ber_falls_with_snr(void **state)
{
    (void)state;
    for (int m = CONFIG_QAM4; m <= CONFIG_QAM256; m++) {
        struct link l;
        open_link(&l, (enum config_modulation)m, 2000);
        double before = 0.51;
        for (int step = 0; step < 4; step++) {
            const double snr_db = 0.5 + 5.0 * m + step;
            const struct payload_result sum = run_noise(&l, pow(10.0, -snr_db / 10.0), 8);
            const double ber = (double)sum.bit_errors / sum.bits;
            assert_true(ber < before || ber == 0.0);
            assert_true(sum.undetected_errors == 0);
            before = ber;
        }
        payload_destroy(l.payload);
    }
}

/* One subband of six gone: without the interleaver 48 neighbouring coded bits would be missing, far beyond the code. */
static void a_lost_subband_is_repaired(void **state)
{
    (void)state;
    struct link l;
    open_link(&l, CONFIG_QAM16, 6144);
    for (int first = 0; first < 72; first += 12) {
        payload_encode(l.payload, 2, 5, l.symbols);
        add_noise(&l, 1e-3);
        for (int r = 0; r < MAX_RE; r++) {
            if (r % 72 >= first && r % 72 < first + 12) {
                l.symbols[r] = (tutti_cf32)test_gaussian(&l.seed);
                l.variance[r] = 100.0f;
            }
        }
        struct payload_result one;
        payload_decode(l.payload, 2, 5, l.symbols, l.variance, &one);
        assert_true(one.coded_bit_errors > one.coded_bits / 20);
        assert_int_equal(one.code_block_errors, 0);
    }
    payload_destroy(l.payload);
}

/* Another user's or block's signal decodes with a good CRC but is not what was meant: counted as undetected. */
static void foreign_data_is_told_apart(void **state)
{
    (void)state;
    struct link l;
    open_link(&l, CONFIG_QAM16, 1000);
    static const struct {
        int user;
        uint64_t block;
    } other[] = {{1, 9}, {0, 10}, {9, 0}};
    for (size_t r = 0; r < 3; r++) {
        payload_encode(l.payload, other[r].user, other[r].block, l.symbols);
        add_noise(&l, 1e-3);
        struct payload_result one;
        payload_decode(l.payload, 0, 9, l.symbols, l.variance, &one);
        assert_int_equal(one.code_block_errors, one.code_blocks);
        assert_int_equal(one.undetected_errors, one.code_blocks);
        assert_true(fabs((double)one.bit_errors / one.bits - 0.5) < 5.0 * 0.5 / sqrt(one.bits));
        assert_true(fabs((double)one.coded_bit_errors / one.coded_bits - 0.5) < 5.0 * 0.5 / sqrt(one.coded_bits));
    }
    payload_destroy(l.payload);
}

static void noise_alone_fails_the_crc(void **state)
{
    (void)state;
    struct link l;
    open_link(&l, CONFIG_QAM16, 1000);
    memset(l.symbols, 0, sizeof l.symbols);
    add_noise(&l, 1.0);
    l.symbols[3] = NAN; /* must not trap or read out of range */
    l.variance[4] = 0.0f;
    l.variance[5] = INFINITY;
    struct payload_result one;
    payload_decode(l.payload, 0, 0, l.symbols, l.variance, &one);
    assert_int_equal(one.code_block_errors, one.code_blocks);
    assert_int_equal(one.undetected_errors, 0);
    payload_destroy(l.payload);
}

/* The data depend on seed, user and block and on nothing else. */
static void data_are_a_function_of_seed_user_block(void **state)
{
    (void)state;
    static tutti_cf32 a[MAX_RE], b[MAX_RE];
    const struct frame frame = phy_test_frame();
    const struct config_payload config = {.modulation = CONFIG_QAM4, .max_code_block_bits = 6144};
    payload_t *p[3];
    for (int i = 0; i < 3; i++) {
        assert_int_equal(payload_create(&p[i], &frame, &config, i == 2 ? 43 : 42), 0);
    }
    payload_encode(p[0], 3, 8, a);
    payload_encode(p[0], 3, 9, a);
    payload_encode(p[1], 3, 9, b);
    assert_memory_equal(a, b, sizeof a);
    payload_encode(p[2], 3, 9, b);
    int equal = 0;
    for (int r = 0; r < MAX_RE; r++) {
        equal += a[r] == b[r];
    }
    assert_true(abs(equal - MAX_RE / 4) < 5 * 22); /* standard deviation sqrt(2448 * 3 / 16) = 21.4 */
    for (int i = 0; i < 3; i++) {
        payload_destroy(p[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shape_is_as_documented),
        cmocka_unit_test(impossible_shapes_are_refused),
        cmocka_unit_test(clean_round_trips),
        cmocka_unit_test(symbols_have_unit_power_and_no_mean),
        cmocka_unit_test(uncoded_qam16_matches_closed_form),
        cmocka_unit_test(coded_ber_keeps_the_union_bound),
        cmocka_unit_test(coded_ber_falls_with_snr),
        cmocka_unit_test(a_lost_subband_is_repaired),
        cmocka_unit_test(foreign_data_is_told_apart),
        cmocka_unit_test(noise_alone_fails_the_crc),
        cmocka_unit_test(data_are_a_function_of_seed_user_block),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
