/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "mimo/secrecy.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { MAX_N = 24 };

/* det and solution by elimination with row pivots; A [n][n] and b [n] are used up, b becomes the solution. */
static double complex eliminate(int n, double complex *A, double complex *b)
{
    double complex det = 1.0;
    for (int k = 0; k < n; k++) {
        int pivot = k;
        for (int i = k + 1; i < n; i++) {
            pivot = cabs(A[i * n + k]) > cabs(A[pivot * n + k]) ? i : pivot;
        }
        for (int j = 0; j < n && pivot != k; j++) {
            double complex t = A[k * n + j];
            A[k * n + j] = A[pivot * n + j];
            A[pivot * n + j] = t;
        }
        if (pivot != k) {
            double complex t = b[k];
            b[k] = b[pivot];
            b[pivot] = t;
            det = -det;
        }
        det *= A[k * n + k];
        for (int i = k + 1; i < n; i++) {
            double complex ratio = A[i * n + k] / A[k * n + k];
            for (int j = k; j < n; j++) {
                A[i * n + j] -= ratio * A[k * n + j];
            }
            b[i] -= ratio * b[k];
        }
    }
    for (int i = n - 1; i >= 0; i--) {
        for (int j = i + 1; j < n; j++) {
            b[i] -= A[i * n + j] * b[j];
        }
        b[i] /= A[i * n + i];
    }
    return det;
}

/* log2 det(I + x x^H (+ y y^H)) as it stands. */
static double log_det(int n, const double complex *x, const double complex *y)
{
    double complex A[MAX_N * MAX_N], unused[MAX_N] = {0};
    for (int i = 0; i < n; i++) {
        for (int j = 0; j < n; j++) {
            A[i * n + j] = (i == j) + x[i] * conj(x[j]) + (y ? y[i] * conj(y[j]) : 0.0);
        }
    }
    return log2(creal(eliminate(n, A, unused)));
}

/* Eve: I(s; y_e) = log2 det(I + u u^H + v v^H) - log2 det(I + v v^H), without the rank-one shortcut. */
static void test_single_chain(void **state)
{
    (void)state;
    struct splitmix rng = splitmix_make(31, 1);
    for (int t = 0; t < 200; t++) {
        int n_ant = 2 + splitmix_below(&rng, 14), n_eve = 1 + splitmix_below(&rng, 6);
        double complex h[16], He[6 * 16], an[16], u[6] = {0}, v[6] = {0};
        double rho = pow(10.0, 4.0 * splitmix_uniform(&rng)), signal = 0.0;
        double complex leak = 0.0;
        secrecy_rayleigh(&rng, 1, n_ant, h);
        secrecy_rayleigh(&rng, n_eve, n_ant, He);
        for (int n = 0; n < n_ant; n++) {
            an[n] = cexp(I * 6.3 * splitmix_uniform(&rng));
            signal += cabs(h[n]);
            leak += h[n] * an[n];
            for (int e = 0; e < n_eve; e++) {
                u[e] += sqrt(rho / (2 * n_ant)) * He[e * n_ant + n] * cexp(-I * carg(h[n]));
                v[e] += sqrt(rho / (2 * n_ant)) * He[e * n_ant + n] * an[n];
            }
        }
        double p = rho / (2 * n_ant);
        double legit = log2(1.0 + p * signal * signal / (1.0 + p * cabs(leak) * cabs(leak)));
        double eve = log_det(n_eve, u, v) - log_det(n_eve, v, NULL);
        struct secrecy_rate rate = secrecy_single_chain(n_ant, n_eve, h, He, an, rho);
        assert_true(fabs(rate.legit_bits - legit) < 1e-9);
        assert_true(fabs(rate.eve_bits - eve) < 1e-9);
        assert_true(fabs(rate.rate_bits - fmax(0.0, legit - eve)) < 1e-9);
    }
}

/* Largest generalised eigenvalue by power iteration on the full N x N pencil. */
static double misome_reference(int n, int n_eve, const double complex *h, const double complex *He, double rho)
{
    double complex x[MAX_N], y[MAX_N], A[MAX_N * MAX_N];
    double lambda = 0.0;
    for (int i = 0; i < n; i++) {
        x[i] = conj(h[i]);
    }
    for (int iteration = 0; iteration < 3000; iteration++) {
        double complex along = 0.0;
        double norm2 = 0.0;
        for (int i = 0; i < n; i++) {
            along += h[i] * x[i];
        }
        for (int i = 0; i < n; i++) {
            y[i] = x[i] + rho * conj(h[i]) * along;
            for (int j = 0; j < n; j++) {
                A[i * n + j] = i == j;
                for (int e = 0; e < n_eve; e++) {
                    A[i * n + j] += rho * conj(He[e * n + i]) * He[e * n + j];
                }
            }
        }
        eliminate(n, A, y);
        for (int i = 0; i < n; i++) {
            norm2 += creal(y[i] * conj(y[i]));
        }
        double now = sqrt(norm2);
        for (int i = 0; i < n; i++) {
            x[i] = y[i] / now;
        }
        if (fabs(now - lambda) < 1e-14 * now) {
            break;
        }
        lambda = now;
    }
    return fmax(0.0, log2(lambda));
}

static void test_misome(void **state)
{
    (void)state;
    const int shapes[][2] = {{2, 1}, {6, 1}, {12, 4}, {8, 7}, {8, 8}, {6, 9}};
    struct splitmix rng = splitmix_make(32, 1);
    for (size_t s = 0; s < sizeof(shapes) / sizeof(*shapes); s++) {
        for (int t = 0; t < 6; t++) {
            int n = shapes[s][0], n_eve = shapes[s][1];
            double complex h[12], He[9 * 12];
            double rho = t % 2 ? 100.0 : 1.0, bits;
            secrecy_rayleigh(&rng, 1, n, h);
            secrecy_rayleigh(&rng, n_eve, n, He);
            assert_int_equal(secrecy_misome_bits(n, n_eve, h, He, rho, &bits), 0);
            assert_true(fabs(bits - misome_reference(n, n_eve, h, He, rho)) < 1e-6);
        }
    }
}

/* Known cases: Eve hears nothing; Eve hears exactly what the user hears. */
static void test_misome_limits(void **state)
{
    (void)state;
    const double complex h[3] = {1.0, 2.0 * I, -2.0}, deaf[3] = {0.0, 0.0, 0.0};
    double bits;
    assert_int_equal(secrecy_misome_bits(3, 1, h, deaf, 10.0, &bits), 0);
    assert_true(fabs(bits - log2(1.0 + 90.0)) < 1e-10);
    assert_int_equal(secrecy_misome_bits(3, 1, h, h, 10.0, &bits), 0);
    assert_true(fabs(bits) < 1e-10);
}

static void test_geometric(void **state)
{
    (void)state;
    enum { N = 8, T = 40000 };
    struct splitmix rng = splitmix_make(33, 1);
    double complex h[N], neighbour = 0.0;
    double power = 0.0, power2 = 0.0;
    for (int t = 0; t < T; t++) {
        secrecy_geometric(&rng, 1, N, 4, 0.5, h);
        double p = creal(h[3] * conj(h[3]));
        power += p / T;
        power2 += p * p / T;
        neighbour += h[4] * conj(h[3]) / T;
    }
    double error = sqrt((power2 - power * power) / T);
    assert_true(fabs(power - 1.0) < 4.0 * error);
    /* E exp(j 2 pi d cos phi) over uniform phi is the Bessel function J0. */
    assert_true(fabs(creal(neighbour) - j0(M_PI)) < 4.0 * error);
    assert_true(fabs(cimag(neighbour)) < 4.0 * error);
    secrecy_geometric(&rng, 1, N, 1, 0.5, h);
    for (int n = 1; n < N; n++) { /* a single path is a plane wave */
        assert_true(fabs(cabs(h[n]) - cabs(h[0])) < 1e-12);
        assert_true(cabs(h[n] * h[0] - h[n - 1] * h[1]) < 1e-12 * cabs(h[0] * h[0]) + 1e-13);
    }
}

static void test_rayleigh(void **state)
{
    (void)state;
    enum { T = 100000 };
    struct splitmix rng = splitmix_make(34, 1);
    double p = 0.0, p2 = 0.0, deep = 0.0;
    double complex mean = 0.0, pseudo = 0.0;
    for (int t = 0; t < T; t++) {
        double complex h;
        secrecy_rayleigh(&rng, 1, 1, &h);
        double power = creal(h * conj(h));
        p += power / T;
        p2 += power * power / T;
        mean += h / T;
        pseudo += h * h / T;
        deep += (power < 0.1) / (double)T;
    }
    /* |h|^2 is exponential: mean 1, second moment 2. */
    assert_true(fabs(p - 1.0) < 4.0 / sqrt(T));
    assert_true(fabs(p2 - 2.0) < 4.0 * sqrt(20.0 / T));
    assert_true(cabs(mean) < 5.0 / sqrt(T) && cabs(pseudo) < 7.0 / sqrt(T));
    double expected = 1.0 - exp(-0.1);
    assert_true(fabs(deep - expected) < 4.0 * sqrt(expected * (1.0 - expected) / T));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_single_chain), cmocka_unit_test(test_misome),   cmocka_unit_test(test_misome_limits),
        cmocka_unit_test(test_geometric),    cmocka_unit_test(test_rayleigh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
