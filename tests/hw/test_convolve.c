/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sample kernels against plain double arithmetic. */
#include "channel/random.h"
#include "hw/air/convolve.h"
#include "hw_test.h"

enum { N = 1003 };

static void draw(uint64_t key, float *x)
{
    for (int i = 0; i < N; i++) {
        x[i] = (float)(2 * random_uniform(key, (uint64_t)i) - 1);
    }
}

static void test_add(void **state)
{
    (void)state;
    float x[2][N], y[2][N], before[2][N];
    draw(1, x[0]), draw(2, x[1]), draw(3, y[0]), draw(4, y[1]);
    memcpy(before, y, sizeof y);
    const tutti_cf32 g = __builtin_complex(0.7f, -1.3f);
    convolve_add(N, g, x[0], x[1], y[0], y[1]);
    for (int i = 0; i < N; i++) {
        assert_near((double)y[0][i], (double)before[0][i] + 0.7 * (double)x[0][i] + 1.3 * (double)x[1][i], 1e-6);
        assert_near((double)y[1][i], (double)before[1][i] + 0.7 * (double)x[1][i] - 1.3 * (double)x[0][i], 1e-6);
    }
}

static void test_add_leaves_the_rest(void **state)
{
    (void)state;
    float x[2][N], y[2][N] = {{0}};
    draw(1, x[0]), draw(2, x[1]);
    convolve_add(N - 7, 1, x[0], x[1], y[0], y[1]);
    for (int i = N - 7; i < N; i++) {
        assert_true(y[0][i] == 0 && y[1][i] == 0);
    }
    convolve_add(0, 1, x[0], x[1], y[0], y[1]);
}

static void test_rotate(void **state)
{
    (void)state;
    float x[2][N], r[2][N], before[2][N];
    draw(1, x[0]), draw(2, x[1]), draw(3, r[0]), draw(4, r[1]);
    for (int conjugate = 0; conjugate < 2; conjugate++) {
        memcpy(before, x, sizeof x);
        convolve_rotate(N, r[0], r[1], conjugate, x[0], x[1]);
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
    convolve_clip(8, x);
    assert_memory_equal(x, expected, sizeof x);
}

/* 3 bits: eight levels a quarter apart, from -1 to 3/4. */
static void test_quantise(void **state)
{
    (void)state;
    float x[] = {-9, -1, -0.9f, -0.8f, -0.13f, 0.1f, 0.13f, 0.6f, 0.8f, 1, 7};
    const float expected[] = {-1, -1, -1, -0.75f, -0.25f, 0, 0.25f, 0.5f, 0.75f, 0.75f, 0.75f};
    convolve_quantise(11, 3, x);
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
    convolve_join(N, re, im, x);
    assert_near((double)crealf(x[17]), (double)re[17], 0);
    assert_near((double)cimagf(x[17]), (double)im[17], 0);
    convolve_split(N, x, re, im);
    convolve_join(N, re, im, y);
    assert_memory_equal(x, y, sizeof x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_add),      cmocka_unit_test(test_add_leaves_the_rest),
                                       cmocka_unit_test(test_rotate),   cmocka_unit_test(test_clip),
                                       cmocka_unit_test(test_quantise), cmocka_unit_test(test_split_join)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
