/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Users' data with two central nodes without threads: what the home fuses of its own and of a helper's streams against
 * the formulas written out over all antennas, and against what was sent; which blocks are due when parts are lost, late
 * or early; what is refused. */
#include "base/error.h"
#include "channel/channel.h"
#include "channel/random.h"
#include "cpu_node/uplink/uplink.h"

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

enum { N_CPU = 2, N_AP = 4, N_ANT = 2, N_UE = 4, N_UL = 8, OWN = N_AP / N_CPU, ROWS = OWN * N_ANT, ROOM = 1 << 17 };

static struct config *config;
static struct frame frame;
static struct uplink_shape shape;
static struct uplink_window window[N_CPU];
static uplink_weights_t *weights[N_CPU];
static uplink_parts_t *parts[N_CPU];
static struct uplink_block *heard[N_CPU];
static uint8_t message[ROOM];
static uint64_t state;

static void open_network(const char *mode, const char *combiner, const char *streams)
{
    char set[3][64];
    snprintf(set[0], sizeof set[0], "uplink.mode=%s", mode);
    snprintf(set[1], sizeof set[1], "uplink.combiner=%s", combiner);
    snprintf(set[2], sizeof set[2], "uplink.streams=%s", streams);
    const char *const overrides[] = {"network.n_ap=4",
                                     "network.n_ant=2",
                                     "network.n_ue=4",
                                     "frame.schedule=B G P4 U8 G D14 G",
                                     "uplink.encoding=cf32",
                                     set[0],
                                     set[1],
                                     set[2]};
    assert_int_equal(config_load(&config, NULL, overrides, 8), 0);
    assert_int_equal(frame_init(&frame, config), 0);
    shape = uplink_shape_of(config, &frame);
    for (int c = 0; c < N_CPU; c++) {
        const struct uplink_weights_settings w = {.shape = shape, .config = config};
        const struct uplink_parts_settings p = {.shape = shape, .config = config, .n_cpu = N_CPU, .self = c};
        assert_int_equal(uplink_window_create(&window[c], &shape), 0);
        assert_int_equal(uplink_weights_create(&weights[c], &w), 0);
        assert_int_equal(uplink_parts_create(&parts[c], &p), 0);
    }
}

static void close_network(void)
{
    for (int c = 0; c < N_CPU; c++) {
        uplink_parts_destroy(parts[c]);
        uplink_weights_destroy(weights[c]);
        uplink_window_destroy(&window[c]);
    }
    config_free(config);
}

/* What is on the air ----------------------------------------------------------------------------------------------- */

static double complex G[64][N_AP][N_ANT][N_UE]; /* known exactly: z is 1 */
static tutti_cf32 sent[N_UE][8192], got[8192];

static double complex gaussian(double variance)
{
    float re, im;
    random_normal(state++, 0, &re, &im);
    return sqrt(variance / 2) * CMPLX((double)re, (double)im);
}

static int n_symbols(void)
{
    return N_UL * frame.n_sc;
}

static void draw(void)
{
    for (int sb = 0; sb < frame.n_sb; sb++) {
        for (int i = 0; i < N_AP * N_ANT * N_UE; i++) {
            const int ap = i / (N_ANT * N_UE), k = i % N_UE;
            const double db = k == 0 ? (ap < OWN ? 12 : 10) : ap / OWN == k % N_CPU ? 15 : 4;
            (&G[sb][0][0][0])[i] = gaussian(pow(10, db / 10));
        }
    }
    for (int i = 0; i < N_UE * n_symbols(); i++) {
        sent[i / n_symbols()][i % n_symbols()] = (tutti_cf32)gaussian(1);
    }
}

/* What APs of central node c sent of this block: their antennas, or matched filters, or streams combined with MR. */
static void hear(int c, uint64_t number)
{
    const float u = (float)sqrt(channel_downlink_snr_scale(config) / channel_uplink_snr_scale(config));
    uplink_window_move(&window[c], number);
    struct uplink_block *const b = heard[c] = uplink_window_open(&window[c]);
    memset(b->user_here, 1, N_UE);
    for (int ap = 0; ap < N_AP; ap++) {
        b->expected[ap] = b->got[ap] = ap / OWN == c;
    }
    for (int i = 0; i < frame.n_sb * N_AP * N_ANT * N_UE && !shape.local; i++) {
        b->H_hat[i] = u * (tutti_cf32)conj((&G[0][0][0][0])[i]);
    }
    for (int ap = c * OWN; ap < (c + 1) * OWN; ap++) {
        for (int i = 0; i < n_symbols(); i++) {
            const int d = i / frame.n_sc, sc = i % frame.n_sc, sb = sc / frame.sc_per_sb;
            double complex y[N_ANT], stream[N_UE] = {0};
            for (int a = 0; a < N_ANT; a++) {
                y[a] = gaussian(1);
                for (int k = 0; k < N_UE; k++) {
                    y[a] += G[sb][ap][a][k] * (double complex)sent[k][i];
                }
                for (int k = 0; k < N_UE; k++) {
                    stream[k] += conj(G[sb][ap][a][k]) * y[a];
                }
            }
            for (int column = 0; column < shape.n_column; column++) {
                const size_t row = (size_t)((d * frame.n_sb + sb) * shape.n_column + column);
                b->values[(size_t)ap * uplink_n_values(&shape) + row * (size_t)frame.sc_per_sb +
                          (size_t)(sc % frame.sc_per_sb)] = (tutti_cf32)(shape.per_user ? stream[column] : y[column]);
            }
        }
    }
}

static void add_statistics(int c)
{
    for (int ap = c * OWN; ap < (c + 1) * OWN; ap++) {
        float *const f = heard[c]->statistic + (size_t)ap * uplink_n_statistic(&shape);
        float *const g = f + frame.n_sb * N_UE;
        for (int i = 0; i < frame.n_sb * N_UE; i++) {
            const int sb = i / N_UE, k = i % N_UE;
            f[i] = 0;
            for (int j = 0; j < N_UE; j++) {
                double complex sum = 0;
                for (int a = 0; a < N_ANT; a++) {
                    sum += conj(G[sb][ap][a][k]) * G[sb][ap][a][j];
                }
                g[2 * (i * N_UE + j)] = (float)creal(sum);
                g[2 * (i * N_UE + j) + 1] = (float)cimag(sum);
                f[i] += j == k ? (float)creal(sum) : 0;
            }
        }
    }
}

/* The formulas again ----------------------------------------------------------------------------------------------- */

/* x := A^-1 x by Gauss's elimination. */
static void eliminate(int n, double complex *A, double complex *x)
{
    for (int p = 0; p < n; p++) {
        for (int r = 0; r < n; r++) {
            const double complex factor = r == p ? 0 : A[r * n + p] / A[p * n + p];
            for (int i = p; i < n; i++) {
                A[r * n + i] -= factor * A[p * n + i];
            }
            x[r] -= factor * x[p];
        }
    }
    for (int p = 0; p < n; p++) {
        x[p] /= A[p * n + p];
    }
}

static double complex channel(int sb, int c, int row, int k)
{
    return G[sb][c * OWN + row / N_ANT][row % N_ANT][k];
}

/* What central node c's stream of user k says of all users: v by the formula over its antennas; MR of each AP, fused,
 * where that is asked. */
static double describe(int sb, int c, int k, bool local, double complex *g)
{
    double complex A[ROWS * ROWS], v[ROWS];
    double f = 0;
    if (!local) { /* (sum_i g_i g_i^H + I)^-1 g_k */
        for (int r = 0; r < ROWS; r++) {
            v[r] = channel(sb, c, r, k);
            for (int s = 0; s < ROWS; s++) {
                A[r * ROWS + s] = r == s;
                for (int i = 0; i < N_UE; i++) {
                    A[r * ROWS + s] += channel(sb, c, r, i) * conj(channel(sb, c, s, i));
                }
            }
        }
        eliminate(ROWS, A, v);
    } else { /* a_l g_lk with a = (sum_i t_i t_i^H + diag f)^-1 t_k, t_i the vector over APs of g_lk^H g_li */
        double complex t[OWN][N_UE], B[OWN * OWN], a[OWN];
        for (int l = 0; l < OWN; l++) {
            for (int i = 0; i < N_UE; i++) {
                t[l][i] = 0;
                for (int n = 0; n < N_ANT; n++) {
                    t[l][i] += conj(G[sb][c * OWN + l][n][k]) * G[sb][c * OWN + l][n][i];
                }
            }
        }
        for (int l = 0; l < OWN; l++) {
            a[l] = t[l][k];
            for (int m = 0; m < OWN; m++) {
                B[l * OWN + m] = l == m ? t[l][k] : 0;
                for (int i = 0; i < N_UE; i++) {
                    B[l * OWN + m] += t[l][i] * conj(t[m][i]);
                }
            }
        }
        eliminate(OWN, B, a);
        for (int r = 0; r < ROWS; r++) {
            v[r] = a[r / N_ANT] * channel(sb, c, r, k);
        }
    }
    for (int i = 0; i < N_UE; i++) {
        g[i] = 0;
        for (int r = 0; r < ROWS; r++) {
            g[i] += conj(v[r]) * channel(sb, c, r, i);
        }
    }
    for (int r = 0; r < ROWS; r++) {
        f += pow(cabs(v[r]), 2);
    }
    return f;
}

/* SINR of the best sum of two streams, g_k^H (sum_{i != k} g_i g_i^H + diag f)^-1 g_k; of the first alone. */
static double expected_sinr(int sb, int k, int home, bool local, double *alone)
{
    double complex g[N_CPU][N_UE], B[N_CPU * N_CPU], x[N_CPU], own = 0, rest = 0;
    double f[N_CPU];
    for (int c = 0; c < N_CPU; c++) {
        f[c] = describe(sb, c, k, local, g[c]);
        x[c] = g[c][k];
    }
    for (int i = 0; i < N_CPU * N_CPU; i++) {
        B[i] = i % (N_CPU + 1) == 0 ? f[i / N_CPU] : 0;
        for (int j = 0; j < N_UE; j++) {
            B[i] += j == k ? 0 : g[i / N_CPU][j] * conj(g[i % N_CPU][j]);
        }
    }
    own = g[home][k] * conj(g[home][k]);
    rest = B[home * (N_CPU + 1)];
    *alone = creal(own) / creal(rest);
    eliminate(N_CPU, B, x);
    double complex sum = 0;
    for (int c = 0; c < N_CPU; c++) {
        sum += conj(g[c][k]) * x[c];
    }
    return creal(sum);
}

/* One over error over signal of what came out for user k, all subbands. */
static double measured_sinr(int k)
{
    double complex cross = 0;
    double own = 0, all = 0;
    for (int i = 0; i < n_symbols(); i++) {
        cross += (double complex)got[i] * conj((double complex)sent[k][i]);
        own += pow(cabs((double complex)sent[k][i]), 2);
        all += pow(cabs((double complex)got[i]), 2);
    }
    const double signal = pow(cabs(cross), 2) / own;
    return signal / (all - signal);
}

/* The network ------------------------------------------------------------------------------------------------------ */

static struct parts_block *combine_here(int c, uint64_t number)
{
    uplink_weights_make(weights[c], heard[c], NULL);
    struct parts_block *const b = uplink_parts_open(parts[c], number);
    for (int k = 0; k < N_UE; k++) {
        b->home[k] = k % N_CPU;
        b->user_here[k] = b->home[k] == c;
        if (b->user_here[k]) {
            uplink_parts_keep(parts[c], b, weights[c], k);
        }
    }
    memset(b->expected, 1, N_CPU);
    b->expected[c] = 0;
    return b;
}

static size_t pack(int c, uint64_t number, const uint8_t *which)
{
    const struct wire_header header = {.block = number};
    return uplink_parts_pack(parts[c], weights[c], which, &header, message, sizeof message);
}

static void help(int c, uint64_t number)
{
    uint8_t which[N_UE];
    for (int k = 0; k < N_UE; k++) {
        which[k] = k % N_CPU != c;
    }
    const size_t n = pack(c, number, which);
    assert_true(n > 0 && n <= uplink_parts_bytes(&shape, config));
    assert_int_equal(uplink_parts_store(parts[1 - c], c, message, n), WIRE_OK);
}

static double db(double x)
{
    return 10 * log10(x);
}

/* Both central nodes' users: predicted as the formulas say, measured as predicted, better than the home alone. */
static void judge(const char *mode, const char *combiner, const char *streams)
{
    open_network(mode, combiner, streams);
    state = 4711;
    draw();
    double sinr[64], gained = 0;
    for (int c = 0; c < N_CPU; c++) {
        hear(c, 20);
        if (shape.local) {
            add_statistics(c);
        }
        combine_here(c, 20);
    }
    for (int c = 0; c < N_CPU; c++) {
        assert_null(uplink_parts_due(parts[c], 20));
        help(1 - c, 20);
        struct parts_block *const due = uplink_parts_due(parts[c], 20);
        assert_non_null(due);
        uplink_parts_make(parts[c], due);
        for (int k = c; k < N_UE; k += N_CPU) {
            double error = 0, alone = 0;
            uplink_parts_apply(parts[c], k, got, sinr);
            for (int sb = 0; sb < frame.n_sb; sb++) {
                double one;
                const double expected = expected_sinr(sb, k, c, shape.local, &one);
                assert_true(fabs(sinr[sb] / expected - 1) < 2e-4);
                error += 1 / expected / frame.n_sb;
                alone += 1 / one / frame.n_sb;
            }
            assert_true(fabs(db(measured_sinr(k) * error)) < 0.8);
            gained += k == 0 ? db(alone / error) : 0;
        }
        uplink_parts_close(parts[c], due);
    }
    assert_true(gained > 1); /* whom both hear alike */
    assert_int_equal(uplink_parts_counters(parts[0]).lost + uplink_parts_counters(parts[0]).late, 0);
    close_network();
}

static void both_hear_more_than_one(void **s)
{
    (void)s;
    judge("central", "mmse", "antennas");
    judge("central", "mmse", "matched");
    judge("local", "mr", "auto");
}

/* A home without its helper gets what it has by itself, symbol by symbol. */
static void alone_is_as_ever(void **s)
{
    (void)s;
    static tutti_cf32 before[8192];
    double sinr[2][64];
    open_network("central", "mmse", "antennas");
    state = 3;
    draw();
    hear(0, 5);
    struct parts_block *const b = combine_here(0, 5);
    assert_null(uplink_parts_due(parts[0], 5 + PARTS_PATIENCE - 1));
    assert_ptr_equal(uplink_parts_due(parts[0], 5 + PARTS_PATIENCE), b);
    uplink_parts_make(parts[0], b);
    uplink_weights_apply(weights[0], 2, before, sinr[0]);
    uplink_parts_apply(parts[0], 2, got, sinr[1]);
    for (int i = 0; i < n_symbols(); i++) {
        assert_true(cabsf(got[i] - before[i]) < 1e-5f * (1 + cabsf(before[i])));
    }
    for (int sb = 0; sb < frame.n_sb; sb++) {
        assert_true(fabs(sinr[1][sb] / sinr[0][sb] - 1) < 1e-5);
    }
    uplink_parts_close(parts[0], b);
    assert_int_equal(uplink_parts_counters(parts[0]).lost, 1);
    close_network();
}

static void blocks_are_due_in_order(void **s)
{
    (void)s;
    const uint8_t nobody[N_UE] = {0};
    open_network("central", "mmse", "antennas");
    state = 5;
    draw();
    for (int c = 0; c < N_CPU; c++) {
        hear(c, 10);
        combine_here(c, 10);
    }
    const size_t early = pack(1, 12, nobody); /* before we are there */
    assert_int_equal(early, WIRE_HEADER_BYTES + 8);
    assert_int_equal(uplink_parts_store(parts[0], 1, message, early), WIRE_OK);
    assert_null(uplink_parts_due(parts[0], 11));
    struct parts_block *const second = combine_here(0, 12);
    assert_true(second->got[1]);
    assert_null(uplink_parts_due(parts[0], 12)); /* 10 is first */
    assert_int_equal(uplink_parts_store(parts[0], 1, message, pack(1, 10, nobody)), WIRE_OK);
    struct parts_block *due = uplink_parts_due(parts[0], 12);
    assert_int_equal(due->number, 10);
    assert_int_equal(due->has[N_UE], 0);
    uplink_parts_close(parts[0], due);
    assert_ptr_equal(uplink_parts_due(parts[0], 12), second);
    uplink_parts_close(parts[0], second);
    assert_null(uplink_parts_due(parts[0], 100));

    assert_int_equal(uplink_parts_store(parts[0], 1, message, pack(1, 12, nobody)), WIRE_OK); /* twice */
    assert_int_equal(uplink_parts_store(parts[0], 1, message, pack(1, 11, nobody)), WIRE_OK); /* never asked for */
    assert_int_equal(uplink_parts_counters(parts[0]).late, 2);
    combine_here(0, 14);
    combine_here(0, 3); /* time begins anew, and nobody waits for 14 any more */
    assert_null(uplink_parts_due(parts[0], 3));
    assert_int_equal(uplink_parts_store(parts[0], 1, message, pack(1, 3, nobody)), WIRE_OK);
    due = uplink_parts_due(parts[0], 3);
    assert_int_equal(due->number, 3);
    uplink_parts_close(parts[0], due);
    assert_null(uplink_parts_due(parts[0], 100));
    combine_here(0, 4);
    assert_null(uplink_parts_due(parts[0], 4));
    uplink_parts_gone(parts[0], 1);
    assert_int_equal(uplink_parts_due(parts[0], 4)->number, 4);
    assert_int_equal(uplink_parts_counters(parts[0]).lost, 1);
    close_network();
}

/* A part of a block that nobody can be at yet does not take the place of one that comes. */
static void far_parts_take_nobodys_place(void **s)
{
    (void)s;
    static const uint64_t far[] = {11 + PARTS_WINDOW, 11 + 1000 * PARTS_WINDOW, UINT64_MAX - 4}; /* all in 11's place */
    const uint8_t nobody[N_UE] = {0};
    open_network("central", "mmse", "antennas");
    state = 5;
    draw();
    for (int c = 0; c < N_CPU; c++) {
        hear(c, 10);
        combine_here(c, 10);
    }
    for (int i = 0; i < 3; i++) {
        assert_int_equal(far[i] % PARTS_WINDOW, 11 % PARTS_WINDOW);
        assert_int_equal(uplink_parts_store(parts[0], 1, message, pack(1, far[i], nobody)), WIRE_OK);
    }
    assert_int_equal(uplink_parts_counters(parts[0]).early, 3);
    assert_int_equal(uplink_parts_store(parts[0], 1, message, pack(1, 11, nobody)), WIRE_OK);
    assert_int_equal(uplink_parts_counters(parts[0]).late, 0);
    assert_true(combine_here(0, 11)->got[1]);
    close_network();
}

/* Changes one statistic of a good message and seals it again. */
static int store_with(int index, float value)
{
    static float statistic[4096];
    static tutti_cf32 values[65536];
    const uint8_t which[N_UE] = {1, 0, 1, 0};
    const size_t n = pack(1, 30, which);
    struct wire_header header;
    struct wire_array_meta meta = {.statistic = statistic, .statistic_room = 4096};
    assert_int_equal(wire_unpack_array(message, n, &header, &meta, values, 65536), WIRE_OK);
    statistic[index] = value;
    return uplink_parts_store(parts[0], 1, message, wire_pack_array(message, sizeof message, &header, &meta, values));
}

static void what_cannot_be_is_refused(void **s)
{
    (void)s;
    const uint8_t which[N_UE] = {1, 0, 1, 0};
    open_network("central", "mmse", "antennas");
    state = 6;
    draw();
    for (int c = 0; c < N_CPU; c++) {
        hear(c, 30);
        combine_here(c, 30);
    }
    assert_int_equal(store_with(0, 2), WIRE_BAD_VALUE); /* a user twice */
    assert_int_equal(store_with(1, N_UE), WIRE_BAD_VALUE);
    assert_int_equal(store_with(1, 1.5f), WIRE_BAD_VALUE);
    assert_int_equal(store_with(0, -1), WIRE_BAD_VALUE);
    assert_int_equal(store_with(2, -0.1f), WIRE_BAD_VALUE); /* noise */
    size_t n = pack(1, 30, which);
    assert_int_not_equal(uplink_parts_store(parts[0], 0, message, n), WIRE_OK); /* of another one */
    assert_int_not_equal(uplink_parts_store(parts[0], 1, message, n - 1), WIRE_OK);
    message[n - 1] ^= 1;
    assert_int_not_equal(uplink_parts_store(parts[0], 1, message, n), WIRE_OK);
    assert_int_equal(uplink_parts_counters(parts[0]).refused, 8);
    assert_null(uplink_parts_due(parts[0], 30));
    assert_int_equal(store_with(2, 0), WIRE_OK); /* no noise: no stream, and finite */
    struct parts_block *const due = uplink_parts_due(parts[0], 30);
    double sinr[64];
    uplink_parts_make(parts[0], due);
    uplink_parts_apply(parts[0], 0, got, sinr);
    assert_true(isfinite(crealf(got[0])) && sinr[0] > 0);
    close_network();
}

/* Lock-step: a block waits for the partner's part of a window before; not in paced time, nor for one that is gone. */
static void nobody_runs_ahead_in_lock_step(void **s)
{
    (void)s;
    open_network("central", "mmse", "antennas");
    for (int lockstep = 0; lockstep < 2; lockstep++) {
        const struct block_shape block_shape = {
            .n_sb = frame.n_sb, .n_ap = N_AP, .n_ant = N_ANT, .n_ue = N_UE, .n_extra = 0};
        const struct uplink_settings settings = {.config = config,
                                                 .frame = &frame,
                                                 .shape = block_shape,
                                                 .lockstep = lockstep == 1,
                                                 .company = {.n_cpu = N_CPU, .self = 0}};
        const int32_t home[N_UE] = {0};
        const uint8_t helps[N_UE] = {0}, partner[N_CPU] = {1, 1}, nobody[N_UE] = {0};
        const struct uplink_homes homes = {home, helps, partner};
        struct cpu_block *block;
        uplink_t *uplink;
        assert_int_equal(block_create(&block, &block_shape), 0);
        assert_int_equal(uplink_create(&uplink, &settings), 0); /* its thread is not started: the ring has room */
        block_open(block, 99, 0, 1, 0);
        uplink_block(uplink, block, NULL, NULL, &homes);
        assert_false(uplink_is_ahead(uplink)); /* it has not said anything yet */
        hear(1, 100);
        assert_true(uplink_hear_part(uplink, 1, message, pack(1, 100, nobody)));
        for (uint64_t number = 100; number < 100 + PARTS_WINDOW; number++) {
            block_open(block, number, 0, 1, 0);
            uplink_block(uplink, block, NULL, NULL, &homes);
            assert_false(uplink_is_ahead(uplink)); /* block 100 + PARTS_WINDOW may go, its part of 100 is here */
        }
        block_open(block, 100 + PARTS_WINDOW, 0, 1, 0);
        uplink_block(uplink, block, NULL, NULL, &homes);
        assert_int_equal(uplink_is_ahead(uplink), lockstep);
        uplink_partner_gone(uplink, 1);
        assert_false(uplink_is_ahead(uplink));
        message[0] ^= 1;
        assert_false(uplink_hear_part(uplink, 1, message, WIRE_HEADER_BYTES + 8));
        uplink_destroy(uplink);
        block_destroy(block);
    }
    close_network();
}

/* In lock-step a part of long ago makes no block wait, one of far ahead does not let them go on. */
static void far_parts_say_nothing_of_a_partner(void **s)
{
    (void)s;
    open_network("central", "mmse", "antennas");
    const struct block_shape block_shape = {.n_sb = frame.n_sb, .n_ap = N_AP, .n_ant = N_ANT, .n_ue = N_UE};
    const struct uplink_settings settings = {.config = config,
                                             .frame = &frame,
                                             .shape = block_shape,
                                             .lockstep = true,
                                             .company = {.n_cpu = N_CPU, .self = 0}};
    static const uint64_t told[] = {99, 50, 1000000};
    const int32_t home[N_UE] = {0};
    const uint8_t helps[N_UE] = {0}, partner[N_CPU] = {1, 1}, nobody[N_UE] = {0};
    const struct uplink_homes homes = {home, helps, partner};
    struct cpu_block *block;
    uplink_t *uplink;
    assert_int_equal(block_create(&block, &block_shape), 0);
    assert_int_equal(uplink_create(&uplink, &settings), 0); /* its thread is not started: the ring has room */
    hear(1, 99);
    for (uint64_t number = 99; number < 100 + PARTS_WINDOW; number++) {
        block_open(block, number, 0, 1, 0);
        uplink_block(uplink, block, NULL, NULL, &homes);
        for (int i = 0; number == 99 && i < 3; i++) {
            assert_true(uplink_hear_part(uplink, 1, message, pack(1, told[i], nobody)));
        }
        assert_int_equal(uplink_is_ahead(uplink), number == 99 + PARTS_WINDOW);
    }
    block_open(block, 5, 0, 1, 0); /* in another time it is heard anew */
    uplink_block(uplink, block, NULL, NULL, &homes);
    assert_false(uplink_is_ahead(uplink));
    uplink_destroy(uplink);
    block_destroy(block);
    close_network();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_hear_more_than_one),
        cmocka_unit_test(alone_is_as_ever),
        cmocka_unit_test(blocks_are_due_in_order),
        cmocka_unit_test(what_cannot_be_is_refused),
        cmocka_unit_test(nobody_runs_ahead_in_lock_step),
        cmocka_unit_test(far_parts_take_nobodys_place),
        cmocka_unit_test(far_parts_say_nothing_of_a_partner),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
