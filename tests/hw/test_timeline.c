/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The transmit timeline without any device: what is in each chunk, and one note per burst. */
#include "count_malloc.h"
#include "hw/timeline.h"
#include "hw_test.h"

enum { CHUNK = 10, N_ANT = 2, N_CELL = 4, N_BURST = 3, N_NOTE = 4 };

static timeline_t *make(tutti_tick now)
{
    timeline_t *t = NULL;
    const struct timeline_settings settings = {
        .n_ant = N_ANT, .chunk_samples = CHUNK, .n_cell = N_CELL, .n_burst = N_BURST, .n_note = N_NOTE};
    assert_good(timeline_create(&t, &settings));
    timeline_reset(t, now);
    return t;
}

/* Sample k of antenna a of the burst is value + k + 1000 a. */
static int burst(timeline_t *t, int n, tutti_tick at, float value, uint64_t tag)
{
    tutti_cf32 samples[N_ANT][64];
    for (int a = 0; a < N_ANT; a++) {
        for (int k = 0; k < n; k++) {
            samples[a][k] = value + (float)(k + 1000 * a);
        }
    }
    return timeline_burst(t, (const tutti_cf32 *const[]){samples[0], samples[1]}, n, at, tag);
}

/* The next chunk has value + k from offset `from` to `to` and zeros elsewhere; first = value at `from`. */
static void expect_piece(timeline_t *t, int from, int to, float first)
{
    struct timeline_piece piece;
    timeline_take(t, &piece);
    if (from == to) {
        assert_null(piece.samples);
        return;
    }
    assert_non_null(piece.samples);
    assert_true(piece.from == from && piece.to == to);
    timeline_fill(t, &piece);
    for (int a = 0; a < N_ANT; a++) {
        for (int i = 0; i < CHUNK; i++) {
            const float expected = i >= from && i < to ? first + (float)(i - from + 1000 * a) : 0;
            assert_near((double)crealf(piece.samples[a * CHUNK + i]), (double)expected, 0);
        }
    }
}

static void expect_note(timeline_t *t, enum radio_note_kind kind, uint64_t tag, tutti_tick tick, uint64_t count)
{
    struct radio_note note;
    assert_int_equal(timeline_note(t, &note), 1);
    assert_int_equal(note.kind, kind);
    assert_int_equal(note.tag, tag);
    assert_int_equal(note.tick, tick);
    assert_int_equal(note.count, count);
    assert_int_equal(note.antenna, -1);
}

static void expect_no_note(timeline_t *t)
{
    struct radio_note note;
    assert_int_equal(timeline_note(t, &note), 0);
}

/* Silence where nothing was queued, also where older samples were; a burst over a border is one burst. */
static void test_silence_fill(void **state)
{
    (void)state;
    timeline_t *t = make(0);
    assert_good(burst(t, 14, 3, 50, 7));
    assert_good(burst(t, 2, 22, 90, 8));
    expect_piece(t, 3, 10, 50);
    expect_piece(t, 0, 7, 57);
    expect_piece(t, 2, 4, 90);
    expect_piece(t, 0, 0, 0);
    expect_no_note(t); /* taken is not yet sent */
    timeline_settle(t, 10, true);
    expect_no_note(t); /* the burst goes on */
    timeline_settle(t, 20, true);
    expect_note(t, RADIO_NOTE_SENT, 7, 3, 0);
    timeline_settle(t, 40, true);
    expect_note(t, RADIO_NOTE_SENT, 8, 22, 0);
    /* the same cells again: what was in them must not show */
    assert_good(burst(t, 1, 44, 11, 9));
    assert_good(burst(t, 1, 47, 14, 10));
    struct timeline_piece piece;
    timeline_take(t, &piece);
    assert_true(piece.from == 4 && piece.to == 8);
    for (int a = 0; a < N_ANT; a++) {
        const tutti_cf32 *at = piece.samples + a * CHUNK;
        const float base = 1000.0f * (float)a;
        assert_true(crealf(at[4]) == 11 + base && at[5] == 0 && at[6] == 0 && crealf(at[7]) == 14 + base);
    }
    expect_piece(t, 0, 0, 0);
    timeline_destroy(t);
}

/* Two bursts in one chunk, queued the wrong way round; the space between them is silent. */
static void test_order(void **state)
{
    (void)state;
    timeline_t *t = make(100);
    struct timeline_piece piece;
    assert_good(burst(t, 2, 107, 70, 2));
    assert_good(burst(t, 3, 101, 10, 1));
    timeline_take(t, &piece);
    timeline_fill(t, &piece);
    const float expected[CHUNK] = {0, 10, 11, 12, 0, 0, 0, 70, 71, 0};
    assert_true(piece.from == 1 && piece.to == 9);
    for (int i = 0; i < CHUNK; i++) {
        assert_near((double)crealf(piece.samples[i]), (double)expected[i], 0);
    }
    timeline_settle(t, 110, true);
    expect_note(t, RADIO_NOTE_SENT, 1, 101, 0);
    expect_note(t, RADIO_NOTE_SENT, 2, 107, 0);
    timeline_destroy(t);
}

static void test_overlap(void **state)
{
    (void)state;
    timeline_t *t = make(0);
    assert_good(burst(t, 5, 10, 50, 1));
    assert_int_equal(burst(t, 5, 14, 60, 2), TUTTI_EINVAL);
    assert_int_equal(burst(t, 3, 8, 60, 2), TUTTI_EINVAL);
    assert_int_equal(burst(t, 1, 12, 60, 2), TUTTI_EINVAL);
    assert_int_equal(burst(t, 20, 5, 60, 2), TUTTI_EINVAL);
    assert_good(burst(t, 2, 8, 30, 3)); /* touching is allowed, on both sides */
    assert_good(burst(t, 1, 15, 80, 4));
    expect_piece(t, 8, 10, 30);
    struct timeline_piece piece;
    timeline_take(t, &piece);
    assert_near((double)crealf(piece.samples[4]), 54, 0);
    assert_near((double)crealf(piece.samples[5]), 80, 0);
    assert_true(piece.from == 0 && piece.to == 6);
    timeline_destroy(t);
}

static void test_too_far(void **state)
{
    (void)state;
    timeline_t *t = make(0);
    assert_int_equal(burst(t, 2, 39, 1, 1), TUTTI_EAGAIN);
    assert_int_equal(burst(t, 2, UINT64_MAX - 1, 1, 1), TUTTI_EAGAIN);
    assert_good(burst(t, 1, 39, 1, 1));
    expect_piece(t, 0, 0, 0); /* taking does not make room: the cell may still be read */
    assert_int_equal(burst(t, 1, 40, 1, 2), TUTTI_EAGAIN);
    timeline_settle(t, 10, true);
    assert_good(burst(t, 1, 40, 1, 2));
    assert_good(burst(t, 1, 42, 1, 3));
    assert_int_equal(burst(t, 1, 44, 1, 4), TUTTI_EAGAIN); /* three are queued */
    timeline_settle(t, 50, true);
    expect_note(t, RADIO_NOTE_SENT, 1, 39, 0);
    expect_note(t, RADIO_NOTE_SENT, 2, 40, 0);
    expect_note(t, RADIO_NOTE_SENT, 3, 42, 0);
    expect_no_note(t);
    timeline_destroy(t);
}

/* What comes after its chunk was taken is cut, counted and noted with its tag, once. */
static void test_late_cut(void **state)
{
    (void)state;
    timeline_t *t = make(0);
    expect_piece(t, 0, 0, 0);
    assert_good(burst(t, 8, 6, 50, 5)); /* 4 samples too late */
    assert_good(burst(t, 4, 1, 60, 6)); /* wholly too late */
    expect_note(t, RADIO_NOTE_LATE, 6, 1, 4);
    expect_no_note(t);
    expect_piece(t, 0, 4, 54);
    timeline_settle(t, 10, true);
    expect_no_note(t);
    timeline_settle(t, 20, true);
    expect_note(t, RADIO_NOTE_LATE, 5, 6, 4);
    expect_no_note(t);
    timeline_destroy(t);
}

/* The same burst in parts of every length: the same chunks, the same cut, the same note. */
static void test_parts(void **state)
{
    (void)state;
    enum { LENGTH = 23 };
    tutti_cf32 samples[N_ANT][LENGTH];
    for (int k = 0; k < LENGTH; k++) {
        samples[0][k] = (float)(50 + k);
        samples[1][k] = (float)(1050 + k);
    }
    for (int step = 1; step <= LENGTH; step++) {
        for (int late = 0; late < 2; late++) {
            timeline_t *t = make(0);
            const tutti_tick at = late ? 6 : 12; /* 4 samples of it are too late, or none */
            struct timeline_piece taken;
            assert_good(burst(t, 5, 0, 20, 4));
            timeline_take(t, &taken);
            timeline_fill(t, &taken);
            assert_good(timeline_burst_open(t, LENGTH, at, 5));
            for (int k = 0; k < LENGTH; k += step) {
                const int n = LENGTH - k < step ? LENGTH - k : step;
                timeline_burst_part(t, (const tutti_cf32 *const[]){samples[0] + k, samples[1] + k}, n);
            }
            assert_true(crealf(taken.samples[4]) == 24 && taken.samples[6] == 0); /* it may be read by now */
            expect_piece(t, late ? 0 : 2, 10, late ? 54 : 50);
            expect_piece(t, 0, late ? 9 : 10, late ? 64 : 58);
            timeline_settle(t, 40, true);
            expect_note(t, RADIO_NOTE_SENT, 4, 0, 0);
            expect_note(t, late ? RADIO_NOTE_LATE : RADIO_NOTE_SENT, 5, at, late ? 4 : 0);
            timeline_destroy(t);
        }
    }
    timeline_t *t = make(20);
    assert_good(timeline_burst_open(t, 4, 15, 6)); /* wholly too late: its parts go nowhere */
    timeline_burst_part(t, (const tutti_cf32 *const[]){samples[0], samples[1]}, 4);
    expect_note(t, RADIO_NOTE_LATE, 6, 15, 4);
    expect_piece(t, 0, 0, 0);
    assert_int_equal(timeline_burst_open(t, 30, 40, 7), TUTTI_EAGAIN);
    timeline_destroy(t);
}

/* Parts made in the places they are to lie: the same chunks; no place where a part goes over a chunk's end or begins
 * too late. */
static void test_places(void **state)
{
    (void)state;
    tutti_cf32 *place[N_ANT], apart[N_ANT][3];
    timeline_t *t = make(0);
    assert_good(timeline_burst_open(t, 9, 5, 1)); /* of its parts of 3 the second goes over the end */
    for (int k = 0; k < 3; k++) {
        const bool there = timeline_burst_place(t, 3, place);
        assert_int_equal(there, k != 1);
        for (int a = 0; a < N_ANT; a++) {
            place[a] = there ? place[a] : apart[a];
            for (int i = 0; i < 3; i++) {
                place[a][i] = (float)(1000 * a + 50 + 3 * k + i);
            }
        }
        timeline_burst_part(t, (const tutti_cf32 *const *)place, 3);
    }
    assert_false(timeline_burst_place(t, 1, place)); /* beyond what was promised */
    expect_piece(t, 5, 10, 50);
    expect_piece(t, 0, 4, 55);
    assert_good(timeline_burst_open(t, 6, 18, 2)); /* 2 samples of it are too late */
    assert_false(timeline_burst_place(t, 2, place));
    timeline_burst_part(t, (const tutti_cf32 *const[]){apart[0], apart[1]}, 2);
    assert_true(timeline_burst_place(t, 4, place));
    timeline_destroy(t);
}

/* Handed over in time here, but the device went on without it: from the beginning (late), in the middle or at the end
 * (cut), by a jump over many chunks. */
static void test_not_sent(void **state)
{
    (void)state;
    timeline_t *t = make(0);
    struct timeline_piece piece;
    assert_good(burst(t, 10, 5, 1, 1));
    assert_good(burst(t, 12, 17, 1, 2));
    timeline_take(t, &piece);
    timeline_take(t, &piece);
    timeline_settle(t, 10, false);
    timeline_settle(t, 20, true);
    expect_note(t, RADIO_NOTE_LATE, 1, 5, 5);
    timeline_settle(t, 30, false);
    expect_note(t, RADIO_NOTE_UNDERRUN, 2, 20, 9);
    assert_int_equal(timeline_taken(t), 30); /* moved on by the settling */
    assert_good(burst(t, 3, 33, 1, 3));
    timeline_settle(t, 12340, false);
    expect_note(t, RADIO_NOTE_LATE, 3, 33, 3);
    assert_int_equal(timeline_settled(t), 12340);
    assert_good(burst(t, 1, 12345, 9, 4));
    expect_piece(t, 5, 6, 9);
    timeline_destroy(t);
}

/* Many times round the ring, at a time beyond 2^32, without allocation; antennas stay apart. */
static void test_wrap(void **state)
{
    (void)state;
    const tutti_tick start = ((tutti_tick)1 << 40) / CHUNK * CHUNK;
    timeline_t *t = make(start);
    counting = true;
    for (int i = 0; i < 100; i++) {
        const tutti_tick at = start + (tutti_tick)i * CHUNK;
        assert_good(burst(t, 13, at + 4, (float)i, (uint64_t)i));
        expect_piece(t, 4, 10, (float)i);
        timeline_settle(t, at + CHUNK, true);
        i++;
        expect_piece(t, 0, 7, (float)(i + 5));
        timeline_settle(t, at + 2 * CHUNK, true);
        expect_note(t, RADIO_NOTE_SENT, (uint64_t)i - 1, at + 4, 0);
    }
    counting = false;
    assert_int_equal(n_allocated, 0);
    timeline_destroy(t);
}

static void test_notes_overflow(void **state)
{
    (void)state;
    timeline_t *t = make(0);
    for (uint64_t i = 0; i < 7; i++) {
        timeline_note_add(t, &(struct radio_note){RADIO_NOTE_OVERFLOW, 0, i, -1, 10 * i});
    }
    assert_int_equal(timeline_notes_lost(t), 3);
    for (uint64_t i = 3; i < 7; i++) {
        expect_note(t, RADIO_NOTE_OVERFLOW, 0, i, 10 * i);
    }
    expect_no_note(t);
    assert_int_equal(timeline_notes_lost(t), 3);
    timeline_destroy(t);
}

/* After a reset nothing queued before is sent or noted. */
static void test_reset(void **state)
{
    (void)state;
    timeline_t *t = make(0);
    assert_good(burst(t, 3, 5, 1, 1));
    timeline_reset(t, 500);
    expect_piece(t, 0, 0, 0);
    timeline_settle(t, 510, true);
    expect_no_note(t);
    timeline_destroy(t);
}

/* Samples in memory of the caller's, and impossible sizes. */
static void test_create(void **state)
{
    (void)state;
    timeline_t *t = NULL;
    tutti_cf32 ring[2 * 1 * CHUNK] = {0};
    struct timeline_settings s = {
        .n_ant = 1, .chunk_samples = CHUNK, .n_cell = 2, .n_burst = 1, .n_note = 1, .samples = ring};
    assert_good(timeline_create(&t, &s));
    timeline_reset(t, 0);
    assert_good(burst(t, 1, 12, 5, 1));
    assert_near((double)crealf(ring[12]), 5, 0);
    timeline_destroy(t);
    s.n_cell = 1;
    assert_int_equal(timeline_create(&t, &s), TUTTI_EINVAL);
    timeline_destroy(t);
    timeline_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_silence_fill),   cmocka_unit_test(test_order),    cmocka_unit_test(test_overlap),
        cmocka_unit_test(test_too_far),        cmocka_unit_test(test_late_cut), cmocka_unit_test(test_parts),
        cmocka_unit_test(test_places),         cmocka_unit_test(test_not_sent), cmocka_unit_test(test_wrap),
        cmocka_unit_test(test_notes_overflow), cmocka_unit_test(test_reset),    cmocka_unit_test(test_create)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
