/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "phy/ofdm.h"
#include "phy/pilot.h"
#include "phy_test.h"

static void sequences_are_orthonormal(void **state)
{
    (void)state;
    for (int tau = 1; tau <= 64; tau++) {
        tutti_cf32 *phi = calloc((size_t)(tau * tau), sizeof *phi);
        pilot_sequences(tau, phi);
        for (int p = 0; p < tau; p++) {
            for (int q = 0; q < tau; q++) {
                double complex product = 0.0;
                for (int t = 0; t < tau; t++) {
                    product += conj(phi[p * tau + t]) * phi[q * tau + t];
                }
                assert_true(sqrt(square(product - (p == q))) < 1e-6);
            }
        }
        if (tau > 1) { /* the sign of the exponent is part of the contract */
            assert_true(sqrt(square(phi[tau + 1] - cexp(-2.0 * I * M_PI / tau) / sqrt(tau))) < 1e-6);
        }
        free(phi);
    }
}

static void symbols_have_unit_power(void **state)
{
    (void)state;
    enum { TAU = 4, N_SC = 72 };
    tutti_cf32 phi[TAU * TAU], scrambling[N_SC], x[N_SC];
    pilot_sequences(TAU, phi);
    pilot_scrambling(N_SC, scrambling);
    int seen[4] = {0};
    for (int i = 0; i < N_SC; i++) {
        const int quarter = (int)lround(carg(scrambling[i]) / (M_PI / 2)) & 3;
        seen[quarter]++;
        assert_true(sqrt(square(scrambling[i] - cexp(I * (quarter * M_PI / 2)))) < 1e-6);
    }
    for (int q = 0; q < 4; q++) {
        assert_true(seen[q] > N_SC / 12);
    }
    for (int p = 0; p < TAU; p++) {
        for (int t = 0; t < TAU; t++) {
            pilot_symbol(TAU, p, t, N_SC, phi, scrambling, x);
            for (int i = 0; i < N_SC; i++) {
                assert_true(sqrt(square(x[i] - 2.0 * phi[p * TAU + t] * scrambling[i])) < 1e-6);
            }
        }
    }
}

/* Peak over mean power in dB, four-fold oversampled through a larger FFT at the same subcarrier spacing. */
static double papr_db(int n_sc, int fft_size, const tutti_cf32 *x)
{
    struct frame frame = {.fft_size = 4 * fft_size, .n_sc = n_sc};
    ofdm_t *ofdm;
    assert_int_equal(ofdm_create(&ofdm, &frame), 0);
    tutti_cf32 *samples = calloc((size_t)(4 * fft_size), sizeof *samples);
    ofdm_modulate(ofdm, x, 1.0f, samples);
    double peak = 0.0, mean = 0.0;
    for (int n = 0; n < 4 * fft_size; n++) {
        peak = fmax(peak, square(samples[n]));
        mean += square(samples[n]) / (4 * fft_size);
    }
    free(samples);
    ofdm_destroy(ofdm);
    return 10.0 * log10(peak / mean);
}

/* Random QPSK has 7.5 dB (72 subcarriers) to 9.2 dB (1200) on average. */
static void pilots_and_beacon_are_flat_in_time(void **state)
{
    (void)state;
    static const struct {
        int n_sc, fft_size;
        double pilot_db;
    } row[] = {{72, 128, 5.0}, {300, 512, 7.0}, {600, 1024, 7.0}, {1200, 2048, 7.0}};
    for (size_t r = 0; r < sizeof row / sizeof *row; r++) {
        tutti_cf32 *x = calloc((size_t)row[r].n_sc, sizeof *x);
        pilot_scrambling(row[r].n_sc, x);
        assert_true(papr_db(row[r].n_sc, row[r].fft_size, x) < row[r].pilot_db);
        pilot_beacon(row[r].n_sc, x);
        assert_true(papr_db(row[r].n_sc, row[r].fft_size, x) < 7.0);
        free(x);
    }
}

/* Zadoff-Chu: constant modulus and no cyclic autocorrelation but at lag 0. */
static void beacon_is_zadoff_chu(void **state)
{
    (void)state;
    static const int lengths[] = {12, 72, 300, 600, 1200, 73};
    for (size_t r = 0; r < sizeof lengths / sizeof *lengths; r++) {
        const int n = lengths[r];
        tutti_cf32 *x = calloc((size_t)n, sizeof *x);
        pilot_beacon(n, x);
        for (int lag = 0; lag < n; lag++) {
            double complex product = 0.0;
            for (int i = 0; i < n; i++) {
                product += conj(x[i]) * x[(i + lag) % n] / n;
            }
            assert_true(sqrt(square(product - (lag == 0))) < 1e-5);
        }
        for (int i = 0; i < n; i++) {
            assert_true(fabs(square(x[i]) - 1.0) < 1e-6);
        }
        free(x);
    }
}

static void assignment_and_default(void **state)
{
    (void)state;
    struct config c = phy_test_config();
    const struct frame f = phy_test_frame();
    int pilot[6], given[6] = {3, 3, 0, 1, 2, 0};
    c.network.n_ue = 6;
    pilot_assignment(&c, &f, pilot);
    for (int k = 0; k < 6; k++) {
        assert_int_equal(pilot[k], k % 4);
    }
    c.pilots.assignment = given;
    c.pilots.assignment_count = 6;
    pilot_assignment(&c, &f, pilot);
    assert_memory_equal(pilot, given, sizeof given);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sequences_are_orthonormal),
        cmocka_unit_test(symbols_have_unit_power),
        cmocka_unit_test(pilots_and_beacon_are_flat_in_time),
        cmocka_unit_test(beacon_is_zadoff_chu),
        cmocka_unit_test(assignment_and_default),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
