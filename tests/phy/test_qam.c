/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Mapper and demapper, every variant, against liquid-dsp's constellations and a full search over their points. */
#include "phy_test.h"
#include "variants.h"

#include <liquid/liquid.h>

enum { MAX_AXIS_BITS = 4, MAX_SYMBOLS = 500, STRIDE = 1024 };

static const int SIZES[] = {1, 7, 16, 31, 32, 33, 64, 100, 499, 500};
enum { N_SIZES = sizeof SIZES / sizeof *SIZES };

static uint64_t seed = 5;

static void points_of(int axis_bits, tutti_cf32 *point)
{
    static const modulation_scheme scheme[] = {LIQUID_MODEM_QAM4, LIQUID_MODEM_QAM16, LIQUID_MODEM_QAM64,
                                               LIQUID_MODEM_QAM256};
    modem m = modemcf_create(scheme[axis_bits - 1]);
    for (unsigned s = 0; s < 1u << (2 * axis_bits); s++) {
        modemcf_modulate(m, s, &point[s]);
    }
    modemcf_destroy(m);
}

static float unit_of(int axis_bits)
{
    const double n = 1 << axis_bits;
    return (float)sqrt(1.5 / (n * n - 1));
}

static uint64_t random_word(void)
{
    return (uint64_t)(test_uniform(&seed) * 0x1p32) << 32 | (uint64_t)(test_uniform(&seed) * 0x1p32);
}

/* Each bit to its byte, streams in turn, users beside each other; what was there before the first is forgotten. */
static void bits_are_spread_to_bytes(void **state)
{
    (void)state;
    enum { WORDS = 5, ALL = 2 * 64 * WORDS };
    uint64_t stream[SIMD_USERS][2][WORDS];
    uint8_t bytes[ALL + 1];
    const struct simd_ops *ops;
    for (int i = 0; i < SIMD_USERS * 2 * WORDS; i++) {
        stream[i / (2 * WORDS)][i / WORDS % 2][i % WORDS] = random_word();
    }
    for (int v = 0; (ops = test_variant(v)) != NULL; v++) {
        memset(bytes, 0xa5, sizeof bytes);
        for (int u = 0; u < SIMD_USERS; u++) {
            ops->bits_spread(64 * (WORDS - 1) + 1 + 9 * u, stream[u][0], stream[u][1], u, bytes);
            for (int i = 0; i < ALL; i++) {
                unsigned want = 0;
                for (int w = 0; w <= u; w++) {
                    want |= (unsigned)(stream[w][i % 2][i / 128] >> (63 - i / 2 % 64) & 1) << w;
                }
                assert_int_equal(bytes[i], want);
            }
            assert_int_equal(bytes[ALL], 0xa5);
        }
    }
}

/* Columns to runs and back, at widths around those of vectors. */
static void columns_become_runs(void **state)
{
    (void)state;
    enum { MOST = 200 };
    static const int widths[] = {0, 1, 15, 16, 17, 31, 32, 33, 63, 64, 65, 100, 127, 128, 129, MOST};
    static uint8_t rows[SIMD_RUN * MOST + 1], back[SIMD_RUN * MOST + 1], runs[SIMD_RUN * MOST + 1];
    uint32_t at[MOST];
    const struct simd_ops *ops;
    for (size_t w = 0; w < sizeof widths / sizeof *widths; w++) {
        const int n = widths[w], all = SIMD_RUN * n;
        for (int i = 0; i < all; i++) {
            rows[i] = (uint8_t)random_word();
        }
        for (int c = 0; c < n; c++) {
            at[c] = (uint32_t)(SIMD_RUN * ((c + 7) % n));
        }
        for (int v = 0; (ops = test_variant(v)) != NULL; v++) {
            runs[all] = back[all] = 77;
            ops->runs_scatter(n, at, rows, runs);
            for (int i = 0; i < all; i++) {
                assert_int_equal(runs[at[i % n] + (uint32_t)(i / n)], rows[i]);
            }
            ops->runs_gather(n, at, (const int8_t *)runs, (int8_t *)back);
            assert_memory_equal(back, rows, (size_t)all);
            assert_int_equal(runs[all] + back[all], 2 * 77);
            memset(runs, 0, sizeof runs);
            memset(back, 0, sizeof back);
        }
    }
}

/* Bit u of a byte is user u's. */
static void mapper_sends_liquid_points(void **state)
{
    (void)state;
    static uint8_t planes[MAX_AXIS_BITS * STRIDE];
    static int8_t label[SIMD_USERS * STRIDE + 1];
    tutti_cf32 point[256], y[MAX_SYMBOLS + 1];
    const struct simd_ops *ops;
    for (int n = 1; n <= MAX_AXIS_BITS; n++) {
        points_of(n, point);
        for (int i = 0; i < n * STRIDE; i++) {
            planes[i] = (uint8_t)random_word();
        }
        for (int v = 0; (ops = test_variant(v)) != NULL; v++) {
            const int n_user = 1 + v % SIMD_USERS, n_symbol = SIZES[(v + n) % N_SIZES];
            label[n_user * STRIDE] = 77;
            ops->qam_labels(n, STRIDE, planes, n_user, label);
            assert_int_equal(label[n_user * STRIDE], 77);
            for (int u = 0; u < n_user; u++) {
                y[n_symbol] = 77;
                ops->qam_levels(n, 2 * n_symbol, unit_of(n), label + u * STRIDE, (float *)y);
                for (int i = 0; i < STRIDE / 2; i++) {
                    unsigned sent = 0;
                    for (int b = 0; b < 2 * n; b++) {
                        sent = 2 * sent + (unsigned)(planes[b % n * STRIDE + 2 * i + b / n] >> u & 1);
                    }
                    assert_true(i >= n_symbol || square(y[i] - point[sent]) < 1e-12);
                    assert_int_equal(label[u * STRIDE + 2 * i], sent >> n);
                    assert_int_equal(label[u * STRIDE + 2 * i + 1], sent & ((1u << n) - 1));
                }
                assert_true(y[n_symbol] == 77);
            }
        }
    }
}

static double soft_by_search(const tutti_cf32 *point, int n, tutti_cf32 y, double variance, int b)
{
    double nearest[2] = {1e30, 1e30};
    for (int s = 0; s < 1 << (2 * n); s++) {
        const int bit = s >> (2 * n - 1 - b) & 1;
        nearest[bit] = fmin(nearest[bit], square(y - point[s]));
    }
    return fmin(fmax(8.0 * (nearest[0] - nearest[1]) / variance, -128.0), 127.0);
}

static void draw(tutti_cf32 *y, float *variance, int n)
{
    for (int i = 0; i < n; i++) {
        y[i] = (tutti_cf32)((i % 50 ? 1.0 : 20.0) * test_gaussian(&seed));
        variance[i] = (float)(i % 3 ? 0.01 + test_uniform(&seed) : pow(10, -3 * test_uniform(&seed)));
    }
}

/* Soft bits are floor(8 LLR), cut to -128..127; float rounding may move a value across a step, hence the margin. */
static void demapper_matches_full_search(void **state)
{
    (void)state;
    static int8_t soft[MAX_AXIS_BITS * STRIDE];
    tutti_cf32 point[256], y[MAX_SYMBOLS];
    float variance[MAX_SYMBOLS];
    const struct simd_ops *ops;
    for (int n = 1; n <= MAX_AXIS_BITS; n++) {
        points_of(n, point);
        for (int v = 0; (ops = test_variant(v)) != NULL; v++) {
            const int n_symbol = SIZES[v % 2 ? N_SIZES - 1 : N_SIZES - 2];
            draw(y, variance, n_symbol);
            ops->qam_demap(n, n_symbol, STRIDE, unit_of(n), (const float *)y, variance, soft);
            for (int i = 0; i < n_symbol; i++) {
                for (int b = 0; b < 2 * n; b++) {
                    const double expected = soft_by_search(point, n, y[i], (double)variance[i], b);
                    const double got = soft[b % n * STRIDE + 2 * i + b / n];
                    const double margin = 1e-5 * 8 * square(y[i]) / (double)variance[i] + 1e-3;
                    assert_true(got <= expected + margin && got >= expected - 1 - margin);
                }
            }
        }
    }
}

/* The same bits from every variant at every size: they are counted and compared byte by byte across machines. */
static void variants_agree_bit_for_bit(void **state)
{
    (void)state;
    static int8_t soft[2][MAX_AXIS_BITS * STRIDE];
    tutti_cf32 y[MAX_SYMBOLS];
    float variance[MAX_SYMBOLS];
    const struct simd_ops *ops;
    for (int n = 1; n <= MAX_AXIS_BITS; n++) {
        for (int size = 0; size < N_SIZES; size++) {
            draw(y, variance, SIZES[size]);
            for (int v = 0; (ops = test_variant(v)) != NULL; v++) {
                ops->qam_demap(n, SIZES[size], STRIDE, unit_of(n), (const float *)y, variance, soft[v > 0]);
                for (int b = 0; b < n; b++) {
                    assert_memory_equal(soft[v > 0] + b * STRIDE, soft[0] + b * STRIDE, (size_t)(2 * SIZES[size]));
                }
            }
        }
    }
}

static void what_is_no_number_is_a_defined_soft_bit(void **state)
{
    (void)state;
    static int8_t soft[MAX_AXIS_BITS * STRIDE];
    tutti_cf32 y[64];
    float variance[64];
    const struct simd_ops *ops;
    for (int n = 1; n <= MAX_AXIS_BITS; n++) {
        for (int v = 0; (ops = test_variant(v)) != NULL; v++) {
            draw(y, variance, 64);
            y[3] = NAN;
            y[4] = 1e30f;
            y[5] = -INFINITY;
            variance[4] = 0.0f;
            variance[6] = INFINITY; /* an erasure */
            variance[7] = NAN;      /* taken as the least variance */
            ops->qam_demap(n, 64, STRIDE, unit_of(n), (const float *)y, variance, soft);
            for (int b = 0; b < n; b++) {
                assert_int_equal(soft[b * STRIDE + 6], -128);
                assert_int_equal(soft[b * STRIDE + 12], 0);
            }
            assert_int_equal(soft[8], 127);
            assert_int_equal(soft[10], -128);
            assert_true(soft[14] == 127 || soft[14] == -128);
        }
    }
}

/* Sums over the nearest of all points; a symbol that lies between two of them is given to either, so draws keep off the
 * borders. */
static void angle_matches_full_search(void **state)
{
    (void)state;
    tutti_cf32 point[256], y[MAX_SYMBOLS];
    float weight[MAX_SYMBOLS];
    const struct simd_ops *ops;
    for (int n = 1; n <= MAX_AXIS_BITS; n++) {
        points_of(n, point);
        for (int size = 0; size < N_SIZES; size++) {
            const float turn[2] = {0.8f, -0.6f};
            double complex expected[2] = {0};
            double first[2][2] = {{0}}, total = 0;
            for (int i = 0; i < SIZES[size]; i++) {
                const double complex sent = point[(int)(test_uniform(&seed) * (1 << (2 * n)))],
                                     off = (double)unit_of(n) * 0.9 *
                                           CMPLX(test_uniform(&seed) * 2 - 1, test_uniform(&seed) * 2 - 1);
                weight[i] = (float)test_uniform(&seed);
                y[i] = (tutti_cf32)((sent + off) / CMPLX(0.8, -0.6));
                expected[0] += (sent + off) * conj(sent);
                expected[1] += (double)weight[i] * (sent + off) * conj(sent);
                total += 1;
            }
            for (int v = 0; (ops = test_variant(v)) != NULL; v++) {
                for (int w = 0; w < 2; w++) {
                    double got[2];
                    ops->qam_angle(n, SIZES[size], unit_of(n), turn, w ? weight : NULL, (const float *)y, got);
                    assert_true(cabs(CMPLX(got[0], got[1]) - expected[w]) < 1e-5 * total);
                    if (v == 0) {
                        memcpy(first[w], got, sizeof got);
                    }
                    assert_memory_equal(got, first[w], sizeof got);
                }
            }
        }
    }
}

/* Up to more steps than are counted at once, and lengths that fill no vector. */
static void hard_errors_are_counted(void **state)
{
    (void)state;
    enum { LONG = 64 * 150 };
    static const int n_step[] = {0, 1, 7, 14, 62, 64, 66, 1000, LONG - 2, LONG};
    static int16_t soft[2 * LONG];
    uint64_t coded[2][LONG / 64] = {{0}};
    const struct simd_ops *ops;
    for (int i = 0; i < 2 * LONG; i++) {
        const unsigned bit = test_uniform(&seed) < 0.5;
        coded[i % 2][i / 128] |= (uint64_t)bit << (63 - i / 2 % 64);
        /* mostly wrong, so that counts grow large */
        soft[i] = (int16_t)(test_uniform(&seed) < 0.2 ? 256 * test_uniform(&seed) - 128 : bit ? -1 : 0);
    }
    for (size_t size = 0; size < sizeof n_step / sizeof *n_step; size++) {
        int expected = 0;
        for (int i = 0; i < 2 * n_step[size]; i++) {
            expected += (soft[i] >= 0) != (int)(coded[i % 2][i / 128] >> (63 - i / 2 % 64) & 1);
        }
        for (int v = 0; (ops = test_variant(v)) != NULL; v++) {
            assert_int_equal(ops->soft_errors(n_step[size], soft, coded[0], coded[1]), expected);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bits_are_spread_to_bytes),   cmocka_unit_test(columns_become_runs),
        cmocka_unit_test(mapper_sends_liquid_points), cmocka_unit_test(demapper_matches_full_search),
        cmocka_unit_test(variants_agree_bit_for_bit), cmocka_unit_test(what_is_no_number_is_a_defined_soft_bit),
        cmocka_unit_test(angle_matches_full_search),  cmocka_unit_test(hard_errors_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
