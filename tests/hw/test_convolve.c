/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sample kernels, every variant this processor can execute, against plain double arithmetic and one another. */
#include "channel/random.h"
#include "hw/air/convolve.h"
#include "hw_test.h"

enum { N = 1003, MOST_SOURCES = 5 };

static const struct convolve_ops *ops; /* under test */
extern const struct convolve_ops convolve_ops_wide;

static void draw(uint64_t key, float *x)
{
    for (int i = 0; i < N; i++) {
        x[i] = (float)(2 * random_uniform(key, (uint64_t)i) - 1);
    }
}

/* Sums over no, one and several sources, over lengths around the vectors', from unaligned places. */
static void test_add(void **state)
{
    (void)state;
    static float x[MOST_SOURCES][2][N], y[2][N], before[2][N];
    struct convolve_source source[MOST_SOURCES];
    for (int s = 0; s < MOST_SOURCES; s++) {
        draw(10 + (uint64_t)s, x[s][0]), draw(20 + (uint64_t)s, x[s][1]);
        source[s] = (struct convolve_source){x[s][0] + s, x[s][1] + s, CMPLXF(0.7f + (float)s, -1.3f * (float)s)};
    }
    draw(3, before[0]), draw(4, before[1]);
    for (int n = 0; n < N - MOST_SOURCES; n += n < 150 ? 1 : 97) {
        const int n_source = n % (MOST_SOURCES + 1);
        memcpy(y, before, sizeof y);
        const bool fresh = n % 4 == 3; /* what was there does not count */
        ops->add(n, n_source, source, fresh, y[0] + 1, y[1] + 1);
        for (int i = 0; i < N; i++) {
            const bool kept = !fresh || i < 1 || i >= n + 1;
            double complex sum = kept ? CMPLX((double)before[0][i], (double)before[1][i]) : 0;
            for (int s = 0; s < n_source && i >= 1 && i < n + 1; s++) {
                sum += (double complex)source[s].gain * CMPLX((double)x[s][0][i - 1 + s], (double)x[s][1][i - 1 + s]);
            }
            assert_near((double)y[0][i], creal(sum), 1e-5);
            assert_near((double)y[1][i], cimag(sum), 1e-5);
        }
    }
}

/* The same bits as the portable variant. */
static void test_add_bits(void **state)
{
    (void)state;
    const struct convolve_ops *portable = ops;
    float x[2][N], y[2][N], z[2][N];
    for (int i = 0; convolve_variant(i); i++) {
        portable = convolve_variant(i);
    }
    draw(1, x[0]), draw(2, x[1]), draw(3, y[0]), draw(4, y[1]);
    memcpy(z, y, sizeof z);
    const struct convolve_source source[2] = {{x[0], x[1], CMPLXF(0.7f, -1.3f)}, {x[1], x[0], CMPLXF(1e-3f, 3.1f)}};
    ops->add(N, 2, source, false, y[0], y[1]);
    portable->add(N, 2, source, false, z[0], z[1]);
    assert_memory_equal(y, z, sizeof y);
    ops->rotate(N, x[0], x[1], true, y[0], y[1]);
    portable->rotate(N, x[0], x[1], true, z[0], z[1]);
    assert_memory_equal(y, z, sizeof y);
}

static void test_rotate(void **state)
{
    (void)state;
    float x[2][N], r[2][N], before[2][N];
    draw(1, x[0]), draw(2, x[1]), draw(3, r[0]), draw(4, r[1]);
    for (int conjugate = 0; conjugate < 2; conjugate++) {
        memcpy(before, x, sizeof x);
        ops->rotate(N, r[0], r[1], conjugate, x[0], x[1]);
        for (int i = 0; i < N; i++) {
            const double complex a = (double)before[0][i] + I * (double)before[1][i];
            const double complex b = (double)r[0][i] + I * (conjugate ? -(double)r[1][i] : (double)r[1][i]);
            assert_near((double)x[0][i], creal(a * b), 1e-6);
            assert_near((double)x[1][i], cimag(a * b), 1e-6);
        }
    }
}

static void test_clip(void **state)
{
    (void)state;
    float x[] = {-3, -1, -0.5f, 0, 0.999f, 1, 1.001f, 1e30f};
    const float expected[] = {-1, -1, -0.5f, 0, 0.999f, 1, 1, 1};
    ops->clip(8, x);
    assert_memory_equal(x, expected, sizeof x);
}

/* 3 bits: eight levels a quarter apart, from -1 to 3/4. */
static void test_quantise(void **state)
{
    (void)state;
    float x[] = {-9, -1, -0.9f, -0.8f, -0.13f, 0.1f, 0.13f, 0.6f, 0.8f, 1, 7};
    const float expected[] = {-1, -1, -1, -0.75f, -0.25f, 0, 0.25f, 0.5f, 0.75f, 0.75f, 0.75f};
    ops->quantise(11, 3, x);
    for (int i = 0; i < 11; i++) {
        assert_near((double)x[i], (double)expected[i], 0);
    }
}

static void test_split_join(void **state)
{
    (void)state;
    tutti_cf32 x[N], y[N];
    float re[N], im[N];
    draw(1, re), draw(2, im);
    ops->join(N, re, im, x);
    assert_near((double)crealf(x[17]), (double)re[17], 0);
    assert_near((double)cimagf(x[17]), (double)im[17], 0);
    ops->split(N, x, re, im);
    ops->join(N, re, im, y);
    assert_memory_equal(x, y, sizeof x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_add),      cmocka_unit_test(test_add_bits),
                                       cmocka_unit_test(test_rotate),   cmocka_unit_test(test_clip),
                                       cmocka_unit_test(test_quantise), cmocka_unit_test(test_split_join)};
    int failed = 0;
    for (int i = 0, last = 0; !last; i++) {
        ops = convolve_variant(i);
        last = ops == NULL;
        ops = last ? &convolve_ops_wide : ops;
        print_message("variant %s\n", ops->name);
        failed += cmocka_run_group_tests(tests, NULL, NULL);
    }
    return failed;
}
