/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sample kernels, every variant this processor can execute, against plain double arithmetic and one another. */
#include "channel/random.h"
#include "hw/air/convolve.h"
#include "hw_test.h"

enum { N = 1003, MOST_SOURCES = 5 };

static const struct convolve_ops *ops; /* under test */
extern const struct convolve_ops convolve_ops_wide;

static void draw(uint64_t key, tutti_cf32 *x)
{
    for (int i = 0; i < N; i++) {
        x[i] = CMPLXF((float)(2 * random_uniform(key, (uint64_t)(2 * i)) - 1),
                      (float)(2 * random_uniform(key, (uint64_t)(2 * i + 1)) - 1));
    }
}

static void assert_close(tutti_cf32 a, double complex b, double tolerance)
{
    assert_near((double)crealf(a), creal(b), tolerance);
    assert_near((double)cimagf(a), cimag(b), tolerance);
}

/* Sums over no, one and several sources, over lengths around the vectors', from unaligned places. */
static void test_add(void **state)
{
    (void)state;
    static tutti_cf32 x[MOST_SOURCES][N], y[N], before[N];
    struct convolve_source source[MOST_SOURCES];
    for (int s = 0; s < MOST_SOURCES; s++) {
        draw(10 + (uint64_t)s, x[s]);
        source[s] = (struct convolve_source){x[s] + s, CMPLXF(0.7f + (float)s, -1.3f * (float)s)};
    }
    draw(3, before);
    for (int n = 0; n < N - MOST_SOURCES; n += n < 150 ? 1 : 97) {
        const int n_source = n % (MOST_SOURCES + 1);
        memcpy(y, before, sizeof y);
        const bool fresh = n % 4 == 3; /* what was there does not count */
        ops->add(n, n_source, source, fresh, y + 1);
        for (int i = 0; i < N; i++) {
            const bool kept = !fresh || i < 1 || i >= n + 1;
            double complex sum = kept ? (double complex)before[i] : 0;
            for (int s = 0; s < n_source && i >= 1 && i < n + 1; s++) {
                sum += (double complex)source[s].gain * (double complex)x[s][i - 1 + s];
            }
            assert_close(y[i], sum, 1e-5);
        }
    }
}

/* The same bits as the portable variant. */
static void test_add_bits(void **state)
{
    (void)state;
    const struct convolve_ops *portable = ops;
    tutti_cf32 x[2][N], y[N], z[N];
    for (int i = 0; convolve_variant(i); i++) {
        portable = convolve_variant(i);
    }
    draw(1, x[0]), draw(2, x[1]), draw(3, y);
    memcpy(z, y, sizeof z);
    const struct convolve_source source[3] = {
        {x[0], CMPLXF(0.7f, -1.3f)}, {x[1], CMPLXF(1e-3f, 3.1f)}, {x[0], CMPLXF(-0.2f, 0.9f)}};
    for (int n = 0; n < 70; n++) {
        ops->add(N - n, 3, source, n % 2, y);
        portable->add(N - n, 3, source, n % 2, z);
        assert_memory_equal(y, z, sizeof y);
    }
    ops->rotate(N, x[0], true, y);
    portable->rotate(N, x[0], true, z);
    assert_memory_equal(y, z, sizeof y);
}

static void test_rotate(void **state)
{
    (void)state;
    tutti_cf32 x[N], r[N], before[N];
    draw(1, x), draw(3, r);
    for (int conjugate = 0; conjugate < 2; conjugate++) {
        memcpy(before, x, sizeof x);
        ops->rotate(N, r, conjugate, x);
        for (int i = 0; i < N; i++) {
            const double complex by = (double complex)r[i];
            assert_close(x[i], (double complex)before[i] * (conjugate ? conj(by) : by), 1e-6);
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

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_add), cmocka_unit_test(test_add_bits),
                                       cmocka_unit_test(test_rotate), cmocka_unit_test(test_clip),
                                       cmocka_unit_test(test_quantise)};
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
