/* SPDX-License-Identifier: GPL-3.0-or-later */
/* An access point's interpolated vectors: what they go through, and that the band as a whole gets no more power than
 * the vectors themselves would give it. */
#include "ap_node/rows.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { N_ANT = 2, ROOM = 3, N_SB = 18, N_SC = 72, WIDTH = 4 };

struct place {
    struct frame frame;
    struct rows rows;
    struct streams streams;
    struct wire_stream list[ROOM];
    tutti_cf32 V[N_SB * N_ANT * ROOM], x[N_ANT * N_SC], ones[N_SC], nothing[N_SC];
};

static void open_place(struct place *p, bool smooth)
{
    struct config *config = NULL;
    memset(p, 0, sizeof *p);
    const char *sets[] = {"frame.subcarriers_per_subband=4"};
    assert_int_equal(config_load(&config, NULL, sets, 1), 0);
    assert_int_equal(frame_init(&p->frame, config), 0);
    config_free(config);
    assert_int_equal(rows_create(&p->rows, &p->frame, N_ANT, ROOM, smooth), 0);
    p->streams.list = p->list;
    p->streams.V = p->V;
    for (int i = 0; i < N_SC; i++) {
        p->ones[i] = 1;
    }
}

static void add_stream(struct place *p, enum wire_stream_kind kind)
{
    p->list[p->streams.n_stream++] = (struct wire_stream){.kind = (uint8_t)kind};
}

static tutti_cf32 *vector(struct place *p, int sb, int a, int stream)
{
    return &p->V[(sb * N_ANT + a) * p->streams.n_stream + stream];
}

/* What one stream sends alone: its coefficients [n_ant][n_sc]. */
static const tutti_cf32 *sent(struct place *p, int stream)
{
    const tutti_cf32 *symbols[ROOM] = {p->nothing, p->nothing, p->nothing};
    symbols[stream] = p->ones;
    rows_apply(&p->rows, p->streams.n_stream, symbols, p->x);
    return p->x;
}

static double power_of(const tutti_cf32 *x, int n)
{
    double sum = 0;
    for (int i = 0; i < n; i++) {
        sum += creal((double complex)x[i] * conj((double complex)x[i]));
    }
    return sum;
}

static double power_sent(struct place *p, int stream)
{
    return power_of(sent(p, stream), N_ANT * N_SC);
}

/* A vector that changes its sign at both ends of the band goes on growing beyond its last centres: the largest
 * eigenvector of what interpolation does to powers, 1.2 times. */
static void fill_ends(struct place *p, int stream)
{
    for (int a = 0; a < N_ANT; a++) {
        *vector(p, 0, a, stream) = *vector(p, N_SB - 1, a, stream) = 0.58f;
        *vector(p, 1, a, stream) = *vector(p, N_SB - 2, a, stream) = -0.40f;
    }
}

static void band_keeps_its_power(void **state)
{
    static struct place p;
    (void)state;
    open_place(&p, true);
    add_stream(&p, WIRE_STREAM_DATA);
    add_stream(&p, WIRE_STREAM_DATA);
    add_stream(&p, WIRE_STREAM_AN);
    for (int i = 0; i < ROOM; i++) {
        fill_ends(&p, i);
    }
    const double told = WIDTH * power_of(p.V, N_SB * N_ANT * ROOM) / ROOM;
    assert_true(rows_prepare(&p.rows, &p.streams, 0)); /* and it is said */
    const double first = power_sent(&p, 0), second = power_sent(&p, 1), noise = power_sent(&p, 2);
    print_message("power over the band: told %.3f, sent %.3f and %.3f, noise %.3f\n", told, first, second, noise);
    assert_true(fabs(first / told - 1) < 1e-5 && fabs(second / told - 1) < 1e-5);
    assert_true(fabs(noise / told - 1) < 1e-5); /* held flat, never scaled */
    rows_destroy(&p.rows);
}

/* Vectors of one length that turn are shorter between centres: nothing is done. */
static void nothing_to_keep_nothing_done(void **state)
{
    static struct place p;
    (void)state;
    open_place(&p, true);
    add_stream(&p, WIRE_STREAM_DATA);
    for (int sb = 0; sb < N_SB; sb++) {
        *vector(&p, sb, 0, 0) = CMPLXF((float)cos(0.3 * sb), (float)sin(0.3 * sb)); /* turns from subband to subband */
    }
    const double told = WIDTH * power_of(p.V, N_SB * N_ANT);
    assert_false(rows_prepare(&p.rows, &p.streams, 0));
    assert_true(power_sent(&p, 0) < told);
    assert_true(power_sent(&p, 0) > 0.9 * told);
    rows_destroy(&p.rows);
}

static void flat_is_flat(void **state)
{
    static struct place p;
    (void)state;
    open_place(&p, false);
    add_stream(&p, WIRE_STREAM_DATA);
    fill_ends(&p, 0);
    assert_false(rows_prepare(&p.rows, &p.streams, 0));
    const tutti_cf32 *const x = sent(&p, 0);
    for (int a = 0; a < N_ANT; a++) {
        for (int sc = 0; sc < N_SC; sc++) {
            const tutti_cf32 off = x[a * N_SC + sc] - *vector(&p, sc / WIDTH, a, 0);
            assert_true(hypotf(crealf(off), cimagf(off)) < 1e-6f);
        }
    }
    rows_destroy(&p.rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(band_keeps_its_power),
        cmocka_unit_test(nothing_to_keep_nothing_done),
        cmocka_unit_test(flat_is_flat),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
