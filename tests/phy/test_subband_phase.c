/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Phase inside a subband: interpolation between centres, the delay that is followed, the spread that is left. */
#include "phy/delay.h"
#include "phy/estimate.h"
#include "phy/interpolate.h"
#include "phy/ofdm.h"
#include "phy/pilot.h"
#include "phy_test.h"

enum { N_ANT = 4, N_UE = 4, TAU = 4, MAX_SC = 72, MAX_SB = 72 };

static struct frame frame_of(int sc_per_sb)
{
    struct config c = phy_test_config();
    struct frame f;
    c.frame.subcarriers_per_subband = sc_per_sb;
    assert_int_equal(frame_init(&f, &c), 0);
    return f;
}

/* Channel of two taps at a place in subcarrier spacings. */
static double complex two_taps(const double complex *g, const double *delay, double place)
{
    return g[0] * cexp(-2 * I * M_PI * place * delay[0] / 128) + g[1] * cexp(-2 * I * M_PI * place * delay[1] / 128);
}

/* Mean error power of interpolated values over theirs, random taps of equal power at these delays;
 * averaged: the values at centres are means over their subbands, slope taken off, as estimates are. */
static double error_of(const struct interpolate *t, const double *delay, double told_delay, bool averaged)
{
    uint64_t random = 5;
    double error = 0, power = 0;
    tutti_cf32 slope[MAX_SC], centre[MAX_SB], v[MAX_SB], work[MAX_SB], out[MAX_SC];
    interpolate_slope(t, told_delay, slope, centre);
    for (int trial = 0; trial < 200; trial++) {
        const double complex g[2] = {test_gaussian(&random), test_gaussian(&random)};
        for (int sb = 0; sb < t->n_sb; sb++) {
            double complex mean = 0;
            for (int i = sb * t->sc_per_sb; i < (sb + 1) * t->sc_per_sb; i++) {
                mean += two_taps(g, delay, t->place[i]) * conj(slope[i]) / t->sc_per_sb;
            }
            v[sb] = (tutti_cf32)(averaged ? mean * centre[sb] : two_taps(g, delay, t->centre[sb]));
        }
        interpolate_row(t, v, 1, slope, centre, work, out);
        for (int i = 0; i < t->n_sc; i++) {
            const double complex want = two_taps(g, delay, t->place[i]);
            error += square(out[i] - want);
            power += square(want);
        }
    }
    return error / power;
}

static void a_delay_costs_nothing_when_it_is_known(void **state)
{
    const struct frame f = frame_of(12);
    struct interpolate *t;
    const double delay[2] = {3.3, 3.3};
    (void)state;
    assert_int_equal(interpolate_create(&t, &f, INTERPOLATE_CHANNELS), 0);
    assert_true(error_of(t, delay, 3.3, false) < 1e-10);
    assert_true(error_of(t, delay, 0, false) > 1e-3);
    interpolate_destroy(t);
}

/* Against the straight line between the two centres about a subcarrier, ends drawn on. */
static double line_error_of(const struct interpolate *t, const double *delay)
{
    uint64_t random = 5;
    double error = 0, power = 0;
    const double middle = 0.5 * (delay[0] + delay[1]), about[2] = {delay[0] - middle, delay[1] - middle};
    for (int trial = 0; trial < 200; trial++) {
        const double complex g[2] = {test_gaussian(&random), test_gaussian(&random)};
        for (int i = 0; i < t->n_sc; i++) {
            int sb = i / t->sc_per_sb - (t->place[i] < t->centre[i / t->sc_per_sb]);
            sb = sb < 0 ? 0 : sb > t->n_sb - 2 ? t->n_sb - 2 : sb;
            const double x = (t->place[i] - t->centre[sb]) / (t->centre[sb + 1] - t->centre[sb]);
            const double complex line =
                (1 - x) * two_taps(g, about, t->centre[sb]) + x * two_taps(g, about, t->centre[sb + 1]);
            const double complex want = two_taps(g, about, t->place[i]);
            error += square(line - want);
            power += square(want);
        }
    }
    return error / power;
}

static void spread_costs_less_than_with_straight_lines(void **state)
{
    static const int widths[] = {12, 6, 4};
    static const double delay[2] = {0, 2};
    (void)state;
    for (int w = 0; w < 3; w++) {
        const struct frame f = frame_of(widths[w]);
        struct interpolate *t;
        assert_int_equal(interpolate_create(&t, &f, INTERPOLATE_CHANNELS), 0);
        const double ours = error_of(t, delay, 1, true), line = line_error_of(t, delay);
        print_message("%2d subcarriers per subband: %.1f dB, straight lines %.1f dB\n", widths[w], 10 * log10(ours),
                      10 * log10(line));
        assert_true(ours < 0.8 * line);
        for (int i = 0; i < t->n_sc; i++) {
            float sum = 0;
            for (int r = 0; r < t->n_tap; r++) {
                sum += t->weight[i * t->n_tap + r];
            }
            assert_true(fabsf(sum - 1) < 1e-5f);
        }
        interpolate_destroy(t);
    }
}

/* Estimates ------------------------------------------------------------------------------------------------------- */

struct world {
    struct frame f;
    struct interpolate *table;
    estimate_t *e;
    tutti_cf32 phi[TAU * TAU], scrambling[MAX_SC], Y[N_ANT * TAU * MAX_SC], H[MAX_SB * N_ANT * N_UE];
    double complex g[N_ANT][N_UE][2];
    double late[N_UE]; /* users' clocks, samples */
    uint64_t random;
};

static void open_world(struct world *w, int sc_per_sb)
{
    static const int pilot[N_UE] = {0, 1, 2, 3};
    w->f = frame_of(sc_per_sb);
    w->random = 9;
    assert_int_equal(interpolate_create(&w->table, &w->f, INTERPOLATE_CHANNELS), 0);
    const struct estimate_settings s = {.n_ant = N_ANT,
                                        .n_ue = N_UE,
                                        .pilot_of_user = pilot,
                                        .tracking_blocks = 100,
                                        .uplink_to_downlink = 1,
                                        .interpolate = w->table};
    assert_int_equal(estimate_create(&w->e, &w->f, &s), 0);
    pilot_sequences(TAU, w->phi);
    pilot_scrambling(w->f.n_sc, w->scrambling);
}

static void close_world(struct world *w)
{
    estimate_destroy(w->e);
    interpolate_destroy(w->table);
}

/* One block of two taps, second of power `second`, in noise of variance `noise`; silence is fed too. */
static void run_block(struct world *w, const double *delay, double second, double noise, float *error)
{
    static tutti_cf32 silent[N_ANT * MAX_SC];
    float beta[N_UE];
    for (int i = 0; i < N_ANT * w->f.n_sc; i++) {
        silent[i] = (tutti_cf32)(sqrt(noise) * test_gaussian(&w->random));
    }
    estimate_noise(w->e, silent);
    for (int m = 0; m < N_ANT; m++) {
        for (int k = 0; k < N_UE; k++) {
            w->g[m][k][0] = sqrt(1 / (1 + second)) * test_gaussian(&w->random);
            w->g[m][k][1] = sqrt(second / (1 + second)) * test_gaussian(&w->random);
        }
        for (int t = 0; t < TAU; t++) {
            for (int i = 0; i < w->f.n_sc; i++) {
                double complex sum = sqrt(noise) * test_gaussian(&w->random);
                for (int k = 0; k < N_UE; k++) {
                    const double comes[2] = {delay[0] + w->late[k], delay[1] + w->late[k]};
                    sum +=
                        2.0 * w->phi[k * TAU + t] * w->scrambling[i] * two_taps(w->g[m][k], comes, w->table->place[i]);
                }
                w->Y[(m * TAU + t) * w->f.n_sc + i] = (tutti_cf32)sum;
            }
        }
    }
    estimate_execute(w->e, w->Y, w->H, beta, error);
}

/* Error power of the estimates at subbands' centres, over the channels' power, in units of the noise. */
static double centre_error(const struct world *w, const double *delay, double noise)
{
    double error = 0, power = 0;
    for (int sb = 0; sb < w->f.n_sb; sb++) {
        for (int m = 0; m < N_ANT; m++) {
            for (int k = 0; k < N_UE; k++) {
                const double complex want = conj(two_taps(w->g[m][k], delay, w->table->centre[sb])) / sqrt(noise);
                error += square(w->H[(sb * N_ANT + m) * N_UE + k] - want);
                power += square(want);
            }
        }
    }
    return error / power;
}

static void pilots_delay_is_followed_and_not_averaged_away(void **state)
{
    static struct world w;
    const double delay[2] = {2.6, 2.6};
    float error[N_UE];
    (void)state;
    open_world(&w, 12);
    for (int b = 0; b < 20; b++) {
        run_block(&w, delay, 0, 1e-3, error);
    }
    print_message("delay %.4f samples, error at the centres %.1f dB, spread %.2g\n", estimate_delay_samples(w.e),
                  10 * log10(centre_error(&w, delay, 1e-3)), estimate_spread(w.e));
    assert_true(fabs(estimate_delay_samples(w.e) - 2.6) < 0.02);
    assert_true(centre_error(&w, delay, 1e-3) < 1e-4); /* noise alone: 1e-3 / 48 */
    assert_true(estimate_spread(w.e) < 1e-5);
    close_world(&w);
}

/* The spread that is told is what interpolated channels miss, about the delays that were followed meanwhile. */
static void spread_is_told(void **state)
{
    static struct world w;
    const double delay[2] = {0, 7};
    float error[N_UE];
    double missed = 0;
    (void)state;
    open_world(&w, 12);
    for (int b = 0; b < 84; b++) {
        if (b == 24) {
            estimate_moved(w.e, 0); /* the delay is known well by now: spread is measured anew */
        }
        run_block(&w, delay, 1, 1e-3, error);
        missed += b < 24 ? 0 : error_of(w.table, delay, estimate_delay_samples(w.e), true) / 60;
    }
    print_message("spread %.4f of the power, interpolation misses %.4f\n", estimate_spread(w.e), missed);
    assert_true(fabs(estimate_spread(w.e) / missed - 1) < 0.25);
    assert_true((double)error[0] > 0.9 * estimate_spread(w.e) * 1000 * 0.8);
    close_world(&w);
}

/* What a user is late turns all its subcarriers alike: no spread, though a mean over a subband loses by it. */
static void users_clocks_are_no_spread(void **state)
{
    static struct world w;
    static const double late[N_UE] = {-3.5, 0, 1, 3.5};
    const double none[2] = {0, 0};
    float error[N_UE];
    (void)state;
    open_world(&w, 12);
    memcpy(w.late, late, sizeof late);
    for (int b = 0; b < 40; b++) {
        run_block(&w, none, 0, 1e-3, error);
    }
    print_message("users' clocks alone: spread %.5f\n", estimate_spread(w.e));
    assert_true(estimate_spread(w.e) < 1e-4);
    close_world(&w);
    memset(w.late, 0, sizeof w.late);
}

/* One block's pilots: noise, and a signal of this amplitude that comes `late` samples after the window. */
static void hear(struct delay *delay, const struct frame *f, double amplitude, double late, uint64_t *random)
{
    tutti_cf32 y[MAX_SC], unscramble[MAX_SC];
    double complex turn = 0;
    double power = 0;
    for (int row = 0; row < 8; row++) {
        for (int i = 0; i < f->n_sc; i++) {
            unscramble[i] = 1;
            y[i] = (tutti_cf32)(amplitude * cexp(-2 * I * M_PI * i * late / f->fft_size) + test_gaussian(random));
        }
        delay_row(f, y, unscramble, &turn, &power);
    }
    delay_add(delay, turn, power);
}

/* Access points that hear nobody for a while, then somebody: the delay is that of the first block with a signal, not
 * half the noise's, which had taken 80 blocks to wear off. */
static void noise_before_the_first_user_is_forgotten(void **state)
{
    (void)state;
    const struct frame f = frame_of(12);
    double worst_first = 0, worst_later = 0;
    for (uint64_t seed = 1; seed <= 200; seed++) {
        uint64_t random = seed;
        struct delay delay;
        delay_start(&delay, &f);
        for (int b = 0; b < 3 + (int)(seed % 30); b++) {
            hear(&delay, &f, 0, 0, &random);
        }
        hear(&delay, &f, 100, 0.7, &random);
        worst_first = fmax(worst_first, fabs(delay_samples(&delay) - 0.7));
        for (int b = 0; b < 10; b++) {
            hear(&delay, &f, 100, 0.7, &random);
        }
        worst_later = fmax(worst_later, fabs(delay_samples(&delay) - 0.7));
    }
    print_message("after noise: off by %.4f samples in the first block, %.4f ten later\n", worst_first, worst_later);
    /* Neighbours telescope: what is left is the noise of the rows' ends, 0.0015 samples rms at 40 dB. */
    assert_true(worst_first < 0.03 && worst_later < 0.01);
}

/* Nobody, then precoders that come up over some blocks, then the signal: nothing of the blocks before is left. */
static void a_signal_that_comes_up_slowly_is_believed_when_it_is_there(void **state)
{
    static const double rising[] = {0.05, 0.1, 0.3, 0.7, 1.4, 3, 6};
    (void)state;
    const struct frame f = frame_of(12);
    double worst = 0;
    for (uint64_t seed = 1; seed <= 200; seed++) {
        uint64_t random = seed;
        struct delay delay;
        delay_start(&delay, &f);
        for (int b = 0; b < 3 + (int)(seed % 30); b++) {
            hear(&delay, &f, 0, 0, &random);
        }
        for (int b = 0; b < 3; b++) { /* precoders made of noise, at full power */
            hear(&delay, &f, 100, 1.5 * creal(test_gaussian(&random)), &random);
        }
        for (size_t b = 0; b < sizeof rising / sizeof *rising; b++) {
            hear(&delay, &f, rising[b], 0.7, &random);
        }
        for (int b = 0; b < 4; b++) {
            hear(&delay, &f, 100, 0.7, &random);
        }
        worst = fmax(worst, fabs(delay_samples(&delay) - 0.7));
    }
    print_message("after a slow start: off by %.4f samples four blocks later\n", worst);
    /* A turn of 0.01 rad between neighbours, 0.2 samples, leaves 29 dB in a subband of 12; 40 dB allow 0.06. */
    assert_true(worst < 0.06);
}

/* Windows follow a delay, subcarriers stay what they were. */
static void windows_follow(void **state)
{
    const struct frame f = frame_of(12);
    ofdm_t *ofdm;
    tutti_cf32 X[MAX_SC], samples[3 * 137 + 16], back[MAX_SC];
    (void)state;
    assert_int_equal(ofdm_create(&ofdm, &f), 0);
    pilot_beacon(f.n_sc, X);
    memset(samples, 0, sizeof samples);
    for (int late = 0; late <= 8; late++) {
        for (int s = 0; s < 3; s++) {
            ofdm_modulate(ofdm, X, s == 1 ? 1.0f : -0.5f, samples + s * 137 + late);
        }
        ofdm_follow(ofdm, late);
        ofdm_demodulate(ofdm, samples + 137, back);
        double error = 0;
        for (int i = 0; i < f.n_sc; i++) {
            const double place = i < 36 ? i - 36 : i - 35;
            error += square(back[i] - X[i] * cexp(-2 * I * M_PI * place * late / 128)) / f.n_sc;
        }
        assert_true(error < 1e-9);
    }
    ofdm_destroy(ofdm);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_delay_costs_nothing_when_it_is_known),
        cmocka_unit_test(spread_costs_less_than_with_straight_lines),
        cmocka_unit_test(pilots_delay_is_followed_and_not_averaged_away),
        cmocka_unit_test(noise_before_the_first_user_is_forgotten),
        cmocka_unit_test(a_signal_that_comes_up_slowly_is_believed_when_it_is_there),
        cmocka_unit_test(spread_is_told),
        cmocka_unit_test(users_clocks_are_no_spread),
        cmocka_unit_test(windows_follow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
