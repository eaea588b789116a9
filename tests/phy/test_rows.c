/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Row operations, every variant, against complex arithmetic at sizes that do and do not fill vectors; and the sums and
 * factors of subbands built on them. */
#include "phy/subband.h"
#include "phy_test.h"
#include "variants.h"

enum { MAX_SC = 120 };

static uint64_t seed = 4;

static void draw(tutti_cf32 *x, int n)
{
    for (int i = 0; i < n; i++) {
        x[i] = (tutti_cf32)test_gaussian(&seed);
    }
}

static struct frame frame_of(int n_sb, int sc_per_sb)
{
    return (struct frame){.n_sc = n_sb * sc_per_sb, .n_sb = n_sb, .sc_per_sb = sc_per_sb};
}

/* Sums of two rows of products. */
static void products_sum_to_correlations(void **state)
{
    (void)state;
    static const int shapes[][2] = {{1, 2}, {3, 1}, {2, 5}, {6, 12}, {7, 9}, {10, 12}};
    tutti_cf32 x[2][MAX_SC], y[2][MAX_SC];
    float direct[2 * MAX_SC], crossed[2 * MAX_SC];
    double re[MAX_SC], im[MAX_SC];
    const struct subband_rows rows = {direct, crossed};
    const struct simd_ops *ops;
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
        const struct frame f = frame_of(shapes[s][0], shapes[s][1]);
        for (int v = 0; (ops = test_variant(v)) != NULL; v++) {
            subband_clear(&f, &rows);
            for (int t = 0; t < 2; t++) {
                draw(x[t], f.n_sc);
                draw(y[t], f.n_sc);
                ops->rows_dot(f.n_sc, (const float *)x[t], (const float *)y[t], direct, crossed);
            }
            subband_sum(&f, &rows, re, im);
            for (int i = 0; i < f.n_sc; i += f.sc_per_sb) {
                double complex sum = 0;
                for (int j = i; j < i + f.sc_per_sb; j++) {
                    for (int t = 0; t < 2; t++) {
                        sum += (double complex)x[t][j] * conj((double complex)y[t][j]);
                    }
                }
                assert_true(fabs(re[i / f.sc_per_sb] - creal(sum)) < 1e-5);
                assert_true(fabs(im[i / f.sc_per_sb] - cimag(sum)) < 1e-5);
            }
        }
    }
}

static void factors_scale_their_subband(void **state)
{
    (void)state;
    static const int shapes[][2] = {{1, 2}, {3, 1}, {2, 5}, {6, 12}, {7, 9}, {10, 12}};
    tutti_cf32 x[MAX_SC], base[MAX_SC], out[MAX_SC + 1];
    float direct[2 * MAX_SC], crossed[2 * MAX_SC], energy[2 * MAX_SC];
    const struct subband_rows rows = {direct, crossed};
    const struct simd_ops *ops;
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
        const struct frame f = frame_of(shapes[s][0], shapes[s][1]);
        double complex factor[MAX_SC];
        for (int sb = 0; sb < f.n_sb; sb++) {
            factor[sb] = test_gaussian(&seed);
            subband_factor(&f, sb, creal(factor[sb]), cimag(factor[sb]), &rows);
        }
        for (int v = 0; (ops = test_variant(v)) != NULL; v++) {
            draw(x, f.n_sc);
            draw(base, f.n_sc);
            out[f.n_sc] = 77;
            ops->rows_scale_add(f.n_sc, direct, crossed, (const float *)x, (const float *)base, (float *)out);
            for (int i = 0; i < 2 * f.n_sc; i++) {
                energy[i] = 1;
            }
            ops->rows_residual(f.n_sc, direct, crossed, (const float *)x, (const float *)base, energy);
            for (int i = 0; i < f.n_sc; i++) {
                const double complex scaled = factor[i / f.sc_per_sb] * (double complex)x[i],
                                     left = (double complex)base[i] - scaled;
                assert_true(square((double complex)out[i] - (double complex)base[i] - scaled) < 1e-11);
                assert_true(fabs((double)energy[2 * i] - 1 - creal(left) * creal(left)) < 1e-4);
                assert_true(fabs((double)energy[2 * i + 1] - 1 - cimag(left) * cimag(left)) < 1e-4);
            }
            ops->rows_scale_add(f.n_sc, direct, crossed, (const float *)x, (const float *)base, (float *)base);
            assert_memory_equal(base, out, sizeof *out * (size_t)f.n_sc); /* in place is the same */
            assert_true(out[f.n_sc] == 77);
        }
    }
}

static void a_row_is_turned_by_one_number(void **state)
{
    (void)state;
    const float turn[2] = {0.28f, -0.96f};
    tutti_cf32 x[MAX_SC], y[MAX_SC + 1], first[MAX_SC];
    const struct simd_ops *ops;
    for (int n = 1; n <= MAX_SC; n++) {
        draw(x, n);
        for (int v = 0; (ops = test_variant(v)) != NULL; v++) {
            memcpy(y, x, sizeof *x * (size_t)n);
            y[n] = 77;
            ops->rows_turn(n, turn, (float *)y);
            for (int i = 0; i < n; i++) {
                assert_true(square((double complex)y[i] - CMPLX(0.28, -0.96) * (double complex)x[i]) < 1e-11);
            }
            assert_true(y[n] == 77);
            if (v == 0) {
                memcpy(first, y, sizeof *x * (size_t)n);
            }
            assert_memory_equal(y, first, sizeof *x * (size_t)n);
        }
    }
}

/* The same bits from every variant: nothing is reordered. */
static void variants_agree_bit_for_bit(void **state)
{
    (void)state;
    tutti_cf32 x[MAX_SC], y[MAX_SC];
    float direct[2][2 * MAX_SC], crossed[2][2 * MAX_SC], out[2][2 * MAX_SC];
    const struct simd_ops *ops;
    for (int n = 1; n <= MAX_SC; n++) {
        draw(x, n);
        draw(y, n);
        for (int v = 0; (ops = test_variant(v)) != NULL; v++) {
            const int at = v > 0;
            memset(direct[at], 0, sizeof direct[at]);
            memset(crossed[at], 0, sizeof crossed[at]);
            ops->rows_dot(n, (const float *)x, (const float *)y, direct[at], crossed[at]);
            ops->rows_scale_add(n, direct[at], crossed[at], (const float *)x, (const float *)y, out[at]);
            ops->rows_residual(n, direct[at], crossed[at], (const float *)x, (const float *)y, out[at]);
            assert_memory_equal(direct[at], direct[0], sizeof(float) * 2 * (size_t)n);
            assert_memory_equal(crossed[at], crossed[0], sizeof(float) * 2 * (size_t)n);
            assert_memory_equal(out[at], out[0], sizeof(float) * 2 * (size_t)n);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(products_sum_to_correlations),
        cmocka_unit_test(factors_scale_their_subband),
        cmocka_unit_test(a_row_is_turned_by_one_number),
        cmocka_unit_test(variants_agree_bit_for_bit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
