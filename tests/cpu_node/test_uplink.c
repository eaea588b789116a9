/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Users' data at the central node without threads: which blocks are due when messages are lost, late, foreign, or time
 * begins anew; and that weights give back what was sent, from antennas and from matched filters alike. */
#include "base/error.h"
#include "channel/channel.h"
#include "cpu_node/uplink/doubt.h"
#include "cpu_node/uplink/weights.h"
#include "cpu_node/uplink/window.h"

#include <complex.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { N_AP = 3, N_ANT = 2, N_UE = 3, N_UL = 2, MESSAGE_ROOM = 65536 };

static struct config *config;
static struct frame frame;
static struct uplink_window window;
static uint8_t message[MESSAGE_ROOM];
static tutti_cf32 values[65536];
static uint64_t seed;

static void open_network(const char *streams, const char *mode, const char *combiner)
{
    char set[3][64];
    snprintf(set[0], sizeof set[0], "uplink.streams=%s", streams);
    snprintf(set[1], sizeof set[1], "uplink.mode=%s", mode);
    snprintf(set[2], sizeof set[2], "uplink.combiner=%s", combiner);
    const char *const overrides[] = {"network.n_ap=3",
                                     "network.n_ant=2",
                                     "network.n_ue=3",
                                     "frame.schedule=B G P4 U2 G D14 G",
                                     set[0],
                                     set[1],
                                     set[2]};
    assert_int_equal(config_load(&config, NULL, overrides, 7), 0);
    assert_int_equal(frame_init(&frame, config), 0);
    const struct uplink_shape shape = uplink_shape_of(config, &frame);
    assert_int_equal(uplink_window_create(&window, &shape), 0);
}

static void close_network(void)
{
    uplink_window_destroy(&window);
    config_free(config);
}

/* In the open: uniform in a square, which is as good as any. */
static tutti_cf32 draw(void)
{
    float part[2];
    for (int i = 0; i < 2; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        part[i] = (float)(seed >> 40) / (float)(1 << 23) - 1;
    }
    return CMPLXF(part[0], part[1]);
}

static size_t pack(int ap, uint64_t block, int n_symbol)
{
    const struct wire_header header = {.type = WIRE_UPLINK,
                                       .node = (uint16_t)ap,
                                       .block = block,
                                       .n_sb = (uint16_t)(frame.n_ul * frame.n_sb),
                                       .n_ant = (uint16_t)window.shape.n_column,
                                       .n_stream = (uint16_t)frame.sc_per_sb};
    const struct wire_array_meta meta = {.kind = window.shape.per_user, .subject = (uint16_t)n_symbol};
    return wire_pack_array(message, MESSAGE_ROOM, &header, &meta, values);
}

static int send(int ap, uint64_t block)
{
    return uplink_window_store(&window, ap, message, pack(ap, block, N_UL));
}

/* All APs are in the solve, all users are here. False: an earlier block is due first, and is closed. */
static struct uplink_block *open_block(uint64_t number)
{
    uplink_window_move(&window, number);
    for (struct uplink_block *due; (due = uplink_window_due(&window)) != NULL;) {
        uplink_window_close(&window, due);
    }
    struct uplink_block *b = uplink_window_open(&window);
    memset(b->expected, 1, N_AP);
    memset(b->user_here, 1, N_UE);
    for (int k = 0; k < N_UE; k++) {
        b->pilot[k] = 2 - k;
    }
    return b;
}

static void test_due(void **state)
{
    (void)state;
    open_network("antennas", "central", "zf");
    struct uplink_block *first = open_block(10);
    send(0, 10);
    send(2, 10);
    assert_null(uplink_window_due(&window)); /* AP 1 is missing */
    struct uplink_block *second = open_block(11);
    for (int ap = 0; ap < N_AP; ap++) {
        send(ap, 11);
    }
    assert_null(uplink_window_due(&window)); /* in order */
    send(1, 10);
    assert_ptr_equal(uplink_window_due(&window), first);
    uplink_window_close(&window, first);
    assert_ptr_equal(uplink_window_due(&window), second);
    uplink_window_close(&window, second);
    assert_null(uplink_window_due(&window));
    assert_int_equal(window.n_lost + window.n_late + window.n_refused, 0);

    send(0, 10); /* late */
    send(0, 12); /* of a block that nobody knows of yet */
    assert_int_equal(window.n_late, 2);
    close_network();
}

static void test_lost(void **state)
{
    (void)state;
    open_network("antennas", "central", "zf");
    struct uplink_block *b = open_block(20);
    send(1, 20);
    open_block(21);
    open_block(22);
    open_block(23);
    assert_null(uplink_window_due(&window));
    uplink_window_move(&window, 24);
    assert_ptr_equal(uplink_window_due(&window), b); /* with what there is */
    assert_int_equal(b->got[0] + b->got[1] + b->got[2], 1);
    uplink_window_close(&window, b);
    assert_int_equal(window.n_lost, 2);

    b = open_block(25); /* an AP that was not in the solve is not waited for */
    b->expected[0] = 0;
    open_block(5); /* time begins anew: what was open is nobody's */
    assert_null(uplink_window_due(&window));
    send(0, 25);
    assert_int_equal(window.n_late, 1);
    b = open_block(6);
    b->expected[1] = b->expected[2] = 0;
    open_block(9);
    assert_int_equal(send(0, 6), WIRE_OK);
    assert_int_equal(window.n_late, 1 + 0);
    close_network();
}

static void test_refused(void **state)
{
    (void)state;
    open_network("antennas", "central", "zf");
    open_block(1);
    pack(0, 1, N_UL);
    assert_int_not_equal(uplink_window_store(&window, 1, message, pack(0, 1, N_UL)), WIRE_OK); /* another's */
    assert_int_not_equal(uplink_window_store(&window, 0, message, pack(0, 1, N_UL + 1)), WIRE_OK);
    const size_t n = pack(0, 1, N_UL);
    message[n - 1] ^= 1;
    assert_int_not_equal(uplink_window_store(&window, 0, message, n), WIRE_OK);
    assert_int_not_equal(uplink_window_store(&window, 0, message, n - 1), WIRE_OK);
    assert_int_equal(window.n_refused, 4);
    for (int i = 0; i < UPLINK_WINDOW; i++) {
        assert_int_equal(window.place[i].got[0] + window.place[i].got[1], 0);
    }
    close_network();
}

/* Weights ---------------------------------------------------------------------------------------------------------- */

static tutti_cf32 G[64][N_AP][N_ANT][N_UE], G_hat[64][N_AP][N_ANT][N_UE]; /* [n_sb] */
static tutti_cf32 sent[N_UE][4096], got[N_UE][4096];
static double offset_rad[N_UE]; /* of users' oscillators, per symbol */
static float shrink[N_UE];      /* by the estimator's coefficient */

/* Estimates of one antenna's channels g [N_UE], from four pilots in a row that come with the users' offsets. */
static void estimate(const struct uplink_block *b, const tutti_cf32 *g, tutti_cf32 *out)
{
    double complex y[4] = {0};
    for (int t = 0; t < 4; t++) {
        for (int k = 0; k < N_UE; k++) {
            y[t] += g[k] * cexp(I * (offset_rad[k] * (t - 1.5) - 2 * 3.14159265358979 * b->pilot[k] * t / 4));
        }
    }
    for (int k = 0; k < N_UE; k++) {
        double complex z = 0;
        for (int t = 0; t < 4; t++) {
            z += y[t] * cexp(I * 2 * 3.14159265358979 * b->pilot[k] * t / 4) / 4;
        }
        out[k] = b->user_here[k] ? shrink[k] * (tutti_cf32)z : 0;
    }
}

/* Without noise and with what an AP estimates of the users that are here; from antennas, or filtered as it does. */
static void fill(struct uplink_block *b)
{
    const struct uplink_shape *s = &window.shape;
    const float u = (float)sqrt(channel_downlink_snr_scale(config) / channel_uplink_snr_scale(config));
    for (int sb = 0; sb < frame.n_sb; sb++) {
        for (int i = 0; i < N_AP * N_ANT * N_UE; i++) {
            (&G[sb][0][0][0])[i] = b->user_here[i % N_UE] ? draw() : 0;
        }
        for (int i = 0; i < N_AP * N_ANT; i++) {
            estimate(b, &G[sb][0][0][0] + i * N_UE, &G_hat[sb][0][0][0] + i * N_UE);
        }
        for (int i = 0; i < N_AP * N_ANT * N_UE; i++) {
            b->H_hat[sb * N_AP * N_ANT * N_UE + i] = u * conjf((&G_hat[sb][0][0][0])[i]);
        }
    }
    for (int i = 0; i < N_UE * N_UL * frame.n_sc; i++) {
        sent[i / (N_UL * frame.n_sc)][i % (N_UL * frame.n_sc)] = draw();
    }
    for (int ap = 0; ap < N_AP; ap++) {
        for (int d = 0; d < N_UL; d++) {
            for (int sc = 0; sc < frame.n_sc; sc++) {
                const int sb = sc / frame.sc_per_sb;
                tutti_cf32 y[N_ANT] = {0}, stream[N_UE] = {0};
                for (int a = 0; a < N_ANT; a++) {
                    for (int k = 0; k < N_UE; k++) {
                        y[a] += G[sb][ap][a][k] * sent[k][d * frame.n_sc + sc];
                    }
                    for (int k = 0; k < N_UE; k++) {
                        stream[k] += conjf(G_hat[sb][ap][a][k]) * y[a];
                    }
                }
                for (int c = 0; c < s->n_column; c++) {
                    const size_t row = (size_t)((d * frame.n_sb + sb) * s->n_column + c);
                    b->values[(size_t)ap * uplink_n_values(s) + row * (size_t)frame.sc_per_sb +
                              (size_t)(sc % frame.sc_per_sb)] = s->per_user ? stream[c] : y[c];
                }
            }
        }
        b->got[ap] = 1;
        for (int k = 0; k < N_UE; k++) {
            b->beta[ap * N_UE + k] = 2;
            b->error_variance[ap * N_UE + k] = 2 * (1 - shrink[k]);
        }
    }
}

/* The largest difference between what was sent and what comes out, of the users here; told of their offsets or not. */
static double combine(struct uplink_block *b, const double *told_rad)
{
    const struct uplink_weights_settings settings = {.shape = window.shape, .config = config};
    uplink_weights_t *weights;
    double sinr[64], worst = 0;
    assert_int_equal(uplink_weights_create(&weights, &settings), 0);
    uplink_weights_make(weights, b, told_rad);
    for (int k = 0; k < N_UE; k++) {
        if (b->user_here[k]) {
            uplink_weights_apply(weights, k, got[k], sinr);
            for (int i = 0; i < N_UL * frame.n_sc; i++) {
                worst = fmax(worst, (double)cabsf(shrink[k] * got[k][i] - sent[k][i]));
            }
            assert_true(sinr[0] > 0 && sinr[frame.n_sb - 1] > 0);
        }
    }
    uplink_weights_destroy(weights);
    return worst;
}

static void begin(double rad)
{
    for (int k = 0; k < N_UE; k++) {
        offset_rad[k] = rad * (1 - 0.6 * k);
        shrink[k] = rad != 0 ? 1 - 0.3f * (float)k : 1;
    }
}

static void test_weights(void **state)
{
    (void)state;
    static const char *const streams[] = {"antennas", "matched"};
    begin(0);
    for (int i = 0; i < 2; i++) {
        seed = 11;
        open_network(streams[i], "central", "zf");
        struct uplink_block *b = open_block(3);
        fill(b);
        assert_true(combine(b, NULL) < 1e-3);
        b->got[1] = 0; /* four antennas are left for three users */
        assert_true(combine(b, NULL) < 1e-3);
        b->got[1] = 1;
        b->user_here[1] = 0; /* and is in nobody's way: a zero in the middle of the Gram matrix */
        fill(b);
        assert_true(combine(b, NULL) < 1e-3);
        close_network();
    }
}

/* 300 Hz in symbols of 71 us: known, nothing of it is left; unknown, much. */
static void test_offsets(void **state)
{
    (void)state;
    static const char *const streams[] = {"antennas", "matched"};
    for (int i = 0; i < 2; i++) {
        seed = 12;
        open_network(streams[i], "central", "zf");
        struct uplink_block *b = open_block(3);
        begin(0.134);
        fill(b);
        assert_true(combine(b, NULL) > 0.05);
        assert_true(combine(b, (double[N_UE]){0}) > 0.05);
        assert_true(combine(b, offset_rad) < 1e-3);
        b->user_here[1] = 0;
        fill(b);
        assert_true(combine(b, offset_rad) < 1e-3);
        b->user_here[1] = 1;
        b->pilot[0] = b->pilot[1]; /* cannot be told apart: left alone, and finite */
        fill(b);
        assert_true(isfinite(combine(b, offset_rad)));
        close_network();
    }
}

/* An AP's doubts ----------------------------------------------------------------------------------------------------
 */

static double to_uplink(void)
{
    return sqrt(channel_uplink_snr_scale(config) / channel_downlink_snr_scale(config));
}

static void multiply(const struct uplink_block *b, int ap, float factor)
{
    const size_t n = uplink_n_values(&window.shape);
    for (size_t i = 0; i < n; i++) {
        b->values[(size_t)ap * n + i] *= factor;
    }
}

/* beta as an AP tracks it, in the estimates' units. */
static void set_beta(const struct uplink_block *b)
{
    for (int i = 0; i < N_AP * N_UE; i++) {
        b->beta[i] = (float)(0.67 / (to_uplink() * to_uplink()));
    }
}

/* 20 dB more than expected may be; a thousand times as large cannot, and is the only one to be left out. */
static void test_too_strong(void **state)
{
    (void)state;
    static const char *const streams[] = {"antennas", "matched"};
    begin(0);
    for (int i = 0; i < 2; i++) {
        seed = 13;
        open_network(streams[i], "central", "zf");
        struct uplink_block *b = open_block(3);
        fill(b);
        set_beta(b);
        multiply(b, 0, 10);
        multiply(b, 1, 1000);
        assert_false(uplink_is_doubtful(&window.shape, b, to_uplink(), 0));
        assert_true(uplink_is_doubtful(&window.shape, b, to_uplink(), 1));
        assert_false(uplink_is_doubtful(&window.shape, b, to_uplink(), 2));
        close_network();
    }
}

/* Locally combined: gain 1 and a tenth of noise for every user, and values that go with it. */
static void test_claims(void **state)
{
    (void)state;
    seed = 14;
    open_network("antennas", "local", "mmse");
    struct uplink_block *b = open_block(3);
    set_beta(b);
    const uint32_t n = uplink_n_statistic(&window.shape), n_f = (uint32_t)(frame.n_sb * N_UE);
    for (int ap = 0; ap < N_AP; ap++) {
        for (uint32_t i = 0; i < n_f; i++) {
            b->statistic[(uint32_t)ap * n + i] = 0.1f;
            b->statistic[(uint32_t)ap * n + n_f + 2 * (i * N_UE + i % N_UE)] = 1;
        }
        for (size_t i = 0; i < uplink_n_values(&window.shape); i++) {
            b->values[(size_t)ap * uplink_n_values(&window.shape) + i] = draw();
        }
        assert_false(uplink_is_doubtful(&window.shape, b, to_uplink(), ap));
    }
    b->statistic[n + 3] = 1e-6f; /* 60 dB of a user that comes with less than 0 dB */
    assert_true(uplink_is_doubtful(&window.shape, b, to_uplink(), 1));
    b->user_here[0] = 0; /* of whom nothing is combined */
    assert_false(uplink_is_doubtful(&window.shape, b, to_uplink(), 1));
    b->statistic[2 * n + 1] = -0.1f;
    assert_true(uplink_is_doubtful(&window.shape, b, to_uplink(), 2));
    multiply(b, 0, 1000);
    assert_true(uplink_is_doubtful(&window.shape, b, to_uplink(), 0));
    close_network();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_due),     cmocka_unit_test(test_lost),    cmocka_unit_test(test_refused),
        cmocka_unit_test(test_weights), cmocka_unit_test(test_offsets), cmocka_unit_test(test_too_strong),
        cmocka_unit_test(test_claims),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
