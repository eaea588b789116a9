/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "mimo/apply.h"
#include "reference.h"
#include "variants.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { N_SB = 3, N_ANT = 2, N_STREAM = 5, MAX_SC = 40 };

static void streams_are_summed(int sc_per_sb, const struct kernel_ops *ops)
{
    struct random random = {(uint64_t)sc_per_sb};
    tutti_cf32 V[N_SB * N_ANT * N_STREAM], symbols[N_STREAM][N_SB * MAX_SC], x[N_ANT * N_SB * MAX_SC + 1];
    const tutti_cf32 *pointers[N_STREAM];
    for (int i = 0; i < N_SB * N_ANT * N_STREAM; i++) {
        V[i] = (tutti_cf32)random_cn(&random);
    }
    for (int s = 0; s < N_STREAM; s++) {
        pointers[s] = symbols[s];
        for (int i = 0; i < N_SB * sc_per_sb; i++) {
            symbols[s][i] = (tutti_cf32)random_cn(&random);
        }
    }
    const int n_sc = N_SB * sc_per_sb;
    x[N_ANT * n_sc] = 77;
    if (ops) {
        for (int a = 0; a < N_ANT; a++) {
            for (int b = 0; b < N_SB; b++) {
                ops->combine(sc_per_sb, N_STREAM, V + (b * N_ANT + a) * N_STREAM, pointers, (size_t)(b * sc_per_sb),
                             x + a * n_sc + b * sc_per_sb);
            }
        }
    } else {
        apply_streams(N_SB, sc_per_sb, N_ANT, N_STREAM, V, pointers, x);
    }
    for (int a = 0; a < N_ANT; a++) {
        for (int i = 0; i < n_sc; i++) {
            double complex want = 0;
            for (int s = 0; s < N_STREAM; s++) {
                want += (double complex)V[(i / sc_per_sb * N_ANT + a) * N_STREAM + s] * (double complex)symbols[s][i];
            }
            assert_true(cabs((double complex)x[a * n_sc + i] - want) < 1e-5);
        }
    }
    assert_true(x[N_ANT * n_sc] == 77);
}

static void every_length_and_variant(void **state)
{
    (void)state;
    for (int n = 1; n <= MAX_SC; n++) {
        streams_are_summed(n, NULL);
        for (int v = 0; test_variant(v); v++) {
            streams_are_summed(n, test_variant(v));
        }
    }
}

static void local_cb_has_full_power_and_zero_stays_zero(void **state)
{
    (void)state;
    struct random random = {3};
    tutti_cf32 H[2 * 4 * 3], V[2 * 4 * 3];
    for (int i = 0; i < 24; i++) {
        H[i] = i < 12 ? (tutti_cf32)random_cn(&random) : 0;
    }
    apply_local_cb(2, 4, 3, H, V);
    double power = 0;
    for (int i = 0; i < 12; i++) {
        power += pow(cabs((double complex)V[i]), 2);
        const double complex ratio = (double complex)V[i] / (double complex)H[i];
        assert_true(fabs(cimag(ratio)) < 1e-6 &&
                    fabs(creal(ratio) / creal((double complex)V[0] / (double complex)H[0]) - 1) < 1e-5);
    }
    assert_true(power <= 1 && power > 1 - 1e-5);
    for (int i = 12; i < 24; i++) {
        assert_true(V[i] == 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_length_and_variant),
        cmocka_unit_test(local_cb_has_full_power_and_zero_stays_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
