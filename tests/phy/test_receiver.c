/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The receiver on made-up channels: equalised symbols against a plain double-precision receiver, measured SINR against
 * the true one up to 90 dB, the genie's against the channel it cannot know. */
#include "phy/pilot.h"
#include "phy/receiver.h"
#include "phy_test.h"

enum { MAX_ANT = 4, MAX_STREAM = 4, N_SC = 72, N_SB = 6, SC_PER_SB = 12, N_DL = 38, TAU = 4, N_DATA = N_DL - TAU };

/* One block as it arrives: true gains, noise per antenna, what was sent. */
struct scene {
    struct frame frame;
    int n_ant, n_stream;
    double complex gain[N_SB][MAX_STREAM][MAX_ANT];
    double noise;                  /* power per antenna */
    double complex color[MAX_ANT]; /* share of a further noise that all antennas hear */
    payload_t *payload;
    tutti_cf32 truth[MAX_STREAM][N_DATA][N_SC];
    tutti_cf32 Y[MAX_ANT][N_DL][N_SC]; /* first n_ant */
    uint64_t seed;
};

static const struct config_payload CONFIG = {.modulation = CONFIG_QAM16, .max_code_block_bits = 6144};

static struct scene *open_scene(int n_ant, int n_stream)
{
    struct scene *s = calloc(1, sizeof *s);
    s->frame = phy_test_frame();
    assert_int_equal(s->frame.n_dl, N_DL);
    assert_int_equal(s->frame.n_sb, N_SB);
    s->n_ant = n_ant;
    s->n_stream = n_stream;
    s->seed = 77;
    assert_int_equal(payload_create(&s->payload, &s->frame, &CONFIG, 5), 0);
    return s;
}

static void close_scene(struct scene *s)
{
    payload_destroy(s->payload);
    free(s);
}

static receiver_t *open_receiver(const struct scene *s, bool genie)
{
    const struct receiver_settings settings = {
        .n_ant = s->n_ant, .n_stream = s->n_stream, .payload = &CONFIG, .seed = 5, .genie = genie};
    receiver_t *r;
    assert_int_equal(receiver_create(&r, &s->frame, &settings), 0);
    return r;
}

/* Fresh Rayleigh channels; stream j is received with power[j]. */
static void draw_channels(struct scene *s, const double *power, double noise)
{
    for (int sb = 0; sb < N_SB; sb++) {
        for (int j = 0; j < s->n_stream; j++) {
            for (int m = 0; m < s->n_ant; m++) {
                s->gain[sb][j][m] = sqrt(power[j]) * test_gaussian(&s->seed);
            }
        }
    }
    s->noise = noise;
}

static tutti_cf32 received(struct scene *s, int m, int i, const double complex *sent, double complex common)
{
    double complex y = sqrt(s->noise) * (test_gaussian(&s->seed) + s->color[m] * common);
    for (int j = 0; j < s->n_stream; j++) {
        y += s->gain[i / SC_PER_SB][j][m] * sent[j];
    }
    return (tutti_cf32)y;
}

static void send_block(struct scene *s, uint64_t block)
{
    tutti_cf32 phi[TAU * TAU], scrambling[N_SC], pilot[N_SC];
    double complex sent[N_DL][N_SC][MAX_STREAM], common[N_DL][N_SC];
    for (int i = 0; i < N_DL * N_SC; i++) {
        common[i / N_SC][i % N_SC] = test_gaussian(&s->seed);
    }
    pilot_sequences(TAU, phi);
    pilot_scrambling(N_SC, scrambling);
    for (int j = 0; j < s->n_stream; j++) {
        payload_encode(s->payload, j, block, s->truth[j][0]);
        for (int t = 0; t < N_DL; t++) {
            if (t < TAU) {
                pilot_symbol(TAU, j, t, N_SC, phi, scrambling, pilot);
            }
            for (int i = 0; i < N_SC; i++) {
                sent[t][i][j] = (double complex)(t < TAU ? pilot[i] : s->truth[j][t - TAU][i]);
            }
        }
    }
    for (int m = 0; m < s->n_ant; m++) {
        for (int t = 0; t < N_DL; t++) {
            for (int i = 0; i < N_SC; i++) {
                s->Y[m][t][i] = received(s, m, i, sent[t][i], common[t][i]);
            }
        }
    }
}

/* x = A^-1 b by elimination; A and b are spoilt. */
static void eliminate(int n, double complex A[MAX_ANT][MAX_ANT], double complex *b, double complex *x)
{
    for (int k = 0; k < n; k++) {
        for (int i = k + 1; i < n; i++) {
            const double complex f = A[i][k] / A[k][k];
            for (int j = k; j < n; j++) {
                A[i][j] -= f * A[k][j];
            }
            b[i] -= f * b[k];
        }
    }
    for (int i = n - 1; i >= 0; i--) {
        x[i] = b[i];
        for (int j = i + 1; j < n; j++) {
            x[i] -= A[i][j] * x[j];
        }
        x[i] /= A[i][i];
    }
}

/* The MMSE combiner from gains and a covariance; returns its SINR |w^H g|^2 / w^H R w, and both parts at unit norm. */
static double combine(int n_ant, int n_stream, const double complex (*gain)[MAX_ANT],
                      double complex noise[MAX_ANT][MAX_ANT], int user, double complex *w, double *parts)
{
    double complex R[MAX_ANT][MAX_ANT] = {{0}}, kept[MAX_ANT][MAX_ANT], b[MAX_ANT], a = 0, through = 0;
    double norm = 0;
    for (int m = 0; m < n_ant; m++) {
        b[m] = gain[user][m];
        for (int q = 0; q < n_ant; q++) {
            R[m][q] = noise[m][q];
            for (int j = 0; j < n_stream; j++) {
                R[m][q] += j == user ? 0 : gain[j][m] * conj(gain[j][q]);
            }
        }
    }
    memcpy(kept, R, sizeof R);
    eliminate(n_ant, R, b, w);
    for (int m = 0; m < n_ant; m++) {
        norm += square(w[m]);
    }
    for (int m = 0; m < n_ant; m++) {
        w[m] /= sqrt(norm);
        a += conj(w[m]) * gain[user][m];
    }
    for (int m = 0; m < n_ant; m++) {
        for (int q = 0; q < n_ant; q++) {
            through += conj(w[m]) * kept[m][q] * w[q];
        }
    }
    parts[0] = square(a);
    parts[1] = creal(through);
    return parts[0] / parts[1];
}

/* What the pilots tell, the plain way. */
static void plain_estimate(const struct scene *s, int sb, double complex (*gain)[MAX_ANT],
                           double complex noise[MAX_ANT][MAX_ANT])
{
    tutti_cf32 phi[TAU * TAU], scrambling[N_SC], pilot[MAX_STREAM][TAU][N_SC];
    double complex left[MAX_ANT][TAU][SC_PER_SB];
    pilot_sequences(TAU, phi);
    pilot_scrambling(N_SC, scrambling);
    for (int j = 0; j < s->n_stream; j++) {
        for (int t = 0; t < TAU; t++) {
            pilot_symbol(TAU, j, t, N_SC, phi, scrambling, pilot[j][t]);
        }
    }
    for (int m = 0; m < s->n_ant; m++) {
        for (int j = 0; j < s->n_stream; j++) {
            gain[j][m] = 0;
            for (int n = 0; n < TAU * SC_PER_SB; n++) {
                const int t = n / SC_PER_SB, i = sb * SC_PER_SB + n % SC_PER_SB;
                gain[j][m] += conj((double complex)pilot[j][t][i]) * (double complex)s->Y[m][t][i] / (TAU * SC_PER_SB);
            }
        }
        for (int n = 0; n < TAU * SC_PER_SB; n++) {
            const int t = n / SC_PER_SB, i = sb * SC_PER_SB + n % SC_PER_SB;
            left[m][t][n % SC_PER_SB] = (double complex)s->Y[m][t][i];
            for (int j = 0; j < s->n_stream; j++) {
                left[m][t][n % SC_PER_SB] -= gain[j][m] * (double complex)pilot[j][t][i];
            }
        }
    }
    for (int m = 0; m < s->n_ant; m++) {
        for (int q = 0; q < s->n_ant; q++) {
            noise[m][q] = 0;
            for (int n = 0; n < TAU * SC_PER_SB; n++) {
                noise[m][q] += left[m][n / SC_PER_SB][n % SC_PER_SB] * conj(left[q][n / SC_PER_SB][n % SC_PER_SB]) /
                               (TAU * SC_PER_SB - s->n_stream);
            }
        }
    }
}

/* Equalised symbols of one stream against the plain receiver's, and the SINR the data then have. */
static void check_stream(struct scene *s, const receiver_t *r, int user, const struct receiver_measurement *measured)
{
    const tutti_cf32 *out = receiver_equalised(r);
    double signal = 0, error = 0, deviation = 0, reference = 0, worst = 0;
    for (int sb = 0; sb < N_SB; sb++) {
        double complex gain[MAX_STREAM][MAX_ANT], noise[MAX_ANT][MAX_ANT], w[MAX_ANT] = {0}, a = 0, cross = 0;
        double parts[2], s_power = 0, e_power = 0;
        const int n = N_DATA * SC_PER_SB;
        plain_estimate(s, sb, gain, noise);
        combine(s->n_ant, s->n_stream, gain, noise, user, w, parts);
        for (int m = 0; m < s->n_ant; m++) {
            a += conj(w[m]) * gain[user][m];
        }
        double complex x[N_DATA * SC_PER_SB], sent[N_DATA * SC_PER_SB];
        for (int k = 0; k < n; k++) {
            const int d = k / SC_PER_SB, i = sb * SC_PER_SB + k % SC_PER_SB;
            x[k] = 0;
            for (int m = 0; m < s->n_ant; m++) {
                x[k] += conj(w[m]) * (double complex)s->Y[m][TAU + d][i] / a;
            }
            sent[k] = (double complex)s->truth[user][d][i];
            worst = fmax(worst, sqrt(square((double complex)out[d * N_SC + i] - x[k])));
            cross += x[k] * conj(sent[k]);
            s_power += square(sent[k]);
            deviation += square(x[k] - sent[k]);
        }
        for (int k = 0; k < n; k++) {
            e_power += square(x[k] - cross / s_power * sent[k]);
        }
        signal += square(a) * (square(cross) / s_power / n - e_power / (n - 1) / n);
        error += square(a) * e_power / (n - 1);
        reference += s_power;
    }
    assert_true(worst < 2e-4);
    assert_true(fabs(measured->sinr / fmax(signal / error, 0) - 1) < 1e-3 || signal < 0.01 * error);
    assert_true(fabs(measured->evm / sqrt(deviation / reference) - 1) < 1e-3);
}

static void equals_a_plain_receiver(void **state)
{
    (void)state;
    static const double power[MAX_STREAM] = {1, 0.5, 2, 0.1};
    static const int wanted[MAX_STREAM] = {3, 1, 0, 2};
    for (int n_ant = 1; n_ant <= MAX_ANT; n_ant++) {
        for (int n_stream = 1; n_stream <= MAX_STREAM; n_stream++) {
            struct scene *s = open_scene(n_ant, n_stream);
            receiver_t *r = open_receiver(s, false);
            for (uint64_t block = 0; block < 4; block++) {
                draw_channels(s, power, block % 2 ? 0.01 : 1);
                send_block(s, block);
                for (int i = 0; i < MAX_STREAM; i++) {
                    struct receiver_measurement m;
                    if (wanted[i] < n_stream) {
                        receiver_execute(r, block, s->Y[0][0], 1, &wanted[i], &m);
                        check_stream(s, r, wanted[i], &m);
                        assert_true(m.sinr_genie == 0);
                    }
                }
            }
            receiver_destroy(r);
            close_scene(s);
        }
    }
}

/* One user, one antenna, white noise: sum |g|^2 / noise, every block, however strong. With n = 2448 errors summed and
 * the noise in the gain, the relative variance of one block's figure is (1 + 2 / SINR) / n. */
static void strong_signals_are_measured_in_every_block(void **state)
{
    (void)state;
    static const int wanted[1] = {0};
    struct scene *s = open_scene(1, 1);
    receiver_t *r = open_receiver(s, false);
    for (int snr_db = 0; snr_db <= 90; snr_db += 10) {
        double mean = 0;
        for (uint64_t block = 0; block < 40; block++) {
            struct receiver_measurement m;
            double expected = 0;
            draw_channels(s, (const double[]){1}, pow(10, -snr_db / 10.0));
            send_block(s, block);
            receiver_execute(r, block, s->Y[0][0], 1, wanted, &m);
            for (int sb = 0; sb < N_SB; sb++) {
                expected += square(s->gain[sb][0][0]) / N_SB / s->noise;
            }
            const double sigma = sqrt((1 + 2 / expected) / (N_DATA * N_SC));
            assert_true(fabs(m.sinr / expected - 1) < 5.5 * sigma);
            mean += (m.sinr / expected - 1) / sigma / 40;
        }
        assert_true(fabs(mean) < 5 / sqrt(40));
    }
    receiver_destroy(r);
    close_scene(s);
}

/* Means over blocks of the genie's and the receiver's SINR of stream 2 over that of the true channel. */
static void against_the_bound(const double *power, double *genie, double *measured)
{
    enum { BLOCKS = 60 };
    static const int wanted[1] = {2};
    struct scene *s = open_scene(4, 4);
    receiver_t *r = open_receiver(s, true);
    for (int m = 0; m < MAX_ANT; m++) {
        s->color[m] = 1.5 * cexp(I * (1.0 + 2.3 * m));
    }
    *genie = *measured = 0;
    for (uint64_t block = 0; block < BLOCKS; block++) {
        double signal = 0, error = 0;
        struct receiver_measurement m;
        draw_channels(s, power, 0.3);
        send_block(s, block);
        receiver_execute(r, block, s->Y[0][0], 1, wanted, &m);
        for (int sb = 0; sb < N_SB; sb++) {
            double complex noise[MAX_ANT][MAX_ANT] = {{0}}, w[MAX_ANT];
            double parts[2];
            for (int a = 0; a < MAX_ANT * MAX_ANT; a++) {
                const int m1 = a / MAX_ANT, m2 = a % MAX_ANT;
                noise[m1][m2] = s->noise * ((m1 == m2) + s->color[m1] * conj(s->color[m2]));
            }
            combine(4, 4, (const double complex(*)[MAX_ANT])s->gain[sb], noise, wanted[0], w, parts);
            signal += parts[0];
            error += parts[1];
        }
        *genie += m.sinr_genie / (signal / error) / BLOCKS;
        *measured += m.sinr / (signal / error) / BLOCKS;
    }
    print_message("genie %+.3f dB, receiver %+.3f dB against the bound\n", 10 * log10(*genie), 10 * log10(*measured));
    receiver_destroy(r);
    close_scene(s);
}

/* An eavesdropper among the streams. The genie's figure must be the MMSE bound of the true channel, and the receiver,
 * which has TAU * 12 noisy pilots to learn 4 gains and a covariance from, below it by tenths of a dB. */
static void genie_is_the_bound_of_the_true_channel(void **state)
{
    (void)state;
    double genie, measured;
    against_the_bound((const double[]){1, 1, 0.5, 1}, &genie, &measured);
    assert_true(fabs(genie - 1) < 0.015); /* 400 degrees of freedom leave 5 %, six subbands and 60 blocks 0.3 % */
    assert_true(measured < 0.99 && measured > 0.8);
    /* SINR about 0.2: the noise in the fitted gain is 1/20 of it; its spread sqrt(2 SINR / 400) makes 1 % here */
    against_the_bound((const double[]){1, 1, 0.02, 1}, &genie, &measured);
    assert_true(fabs(genie - 1) < 0.04);
    assert_true(measured < 0.9);
}

static void noise_alone_is_no_signal(void **state)
{
    (void)state;
    static const int wanted[1] = {0};
    struct scene *s = open_scene(2, 2);
    receiver_t *r = open_receiver(s, true);
    draw_channels(s, (const double[]){0, 0}, 1);
    send_block(s, 0);
    struct receiver_measurement m;
    receiver_execute(r, 0, s->Y[0][0], 1, wanted, &m);
    assert_true(m.sinr >= 0 && m.sinr < 0.05);
    assert_true(m.sinr_genie >= 0 && m.sinr_genie < 0.05);
    assert_int_equal(m.payload.code_block_errors, m.payload.code_blocks);
    memset(s->Y, 0, sizeof s->Y); /* and silence is neither */
    receiver_execute(r, 0, s->Y[0][0], 1, wanted, &m);
    assert_true(m.sinr == 0 && m.sinr_genie == 0);
    receiver_destroy(r);
    close_scene(s);
}

static void impossible_receivers_are_refused(void **state)
{
    (void)state;
    const struct frame f = phy_test_frame();
    struct receiver_settings settings = {.n_ant = 1, .n_stream = 5, .payload = &CONFIG, .seed = 5};
    receiver_t *r = (receiver_t *)1;
    assert_int_equal(receiver_create(&r, &f, &settings), TUTTI_EINVAL);
    assert_null(r);
    settings.n_stream = 4;
    settings.n_ant = 0;
    assert_int_equal(receiver_create(&r, &f, &settings), TUTTI_EINVAL);
    assert_null(r);
    const struct config_payload wrong = {.modulation = CONFIG_QAM16, .max_code_block_bits = 1};
    settings.n_ant = 1;
    settings.payload = &wrong;
    assert_int_equal(receiver_create(&r, &f, &settings), TUTTI_ECONFIG);
    assert_null(r);
    receiver_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equals_a_plain_receiver),
        cmocka_unit_test(strong_signals_are_measured_in_every_block),
        cmocka_unit_test(genie_is_the_bound_of_the_true_channel),
        cmocka_unit_test(noise_alone_is_no_signal),
        cmocka_unit_test(impossible_receivers_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
