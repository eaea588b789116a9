/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Receiving in spans: every sample in its place, what is lost is known, time goes on after any gap; notes counted. */
#include "base/error.h"
#include "node/span.h"
#include "scripted_radio.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { N_ANT = 2, ROOM = 100 };

struct place {
    struct radio script;
    struct node_radio radio;
    struct node_span span;
};

static void open_place(struct place *p, tutti_tick first)
{
    *p = (struct place){.script = {.n_ant = N_ANT, .now = first}};
    p->radio.radio = &p->script;
    assert_int_equal(node_span_create(&p->span, N_ANT, ROOM), 0);
    node_span_start(&p->span, first);
}

static void lose(struct place *p, tutti_tick from, tutti_tick to)
{
    p->script.loss[p->script.n_loss].from = from;
    p->script.loss[p->script.n_loss++].to = to;
}

/* Samples of from..to-1 are held, whole and right, on every antenna. */
static void expect(const struct place *p, tutti_tick from, tutti_tick to)
{
    assert_true(node_span_has(&p->span, from, (int)(to - from)));
    for (int a = 0; a < N_ANT; a++) {
        const tutti_cf32 *at = node_span_at(&p->span, a, from);
        for (tutti_tick t = from; t < to; t++) {
            assert_true(at[t - from] == scripted_sample(a, t));
        }
    }
}

static void test_spans_follow_each_other(void **state)
{
    (void)state;
    struct place p;
    open_place(&p, 1000);
    for (tutti_tick to = 1080; to < 3000; to += 100) {
        const tutti_tick from = p.span.next;
        assert_int_equal(node_span_receive(&p.span, &p.radio, to), 0);
        assert_int_equal(p.span.next, to);
        expect(&p, from, to);
        assert_false(node_span_has(&p.span, from - 1, 2));
        assert_false(node_span_has(&p.span, to - 1, 2));
        assert_false(node_span_has(&p.span, (tutti_tick)0 - 5, 10)); /* from before time began into the first samples */
        assert_int_equal(p.span.got.host_ns, p.span.got.tick * 1000);
    }
    assert_int_equal(p.script.n_recv, 20); /* one call each */
    assert_int_equal(p.radio.counters.gaps, 0);
    node_span_destroy(&p.span);
}

static void test_short_packets_fill_a_span(void **state)
{
    (void)state;
    struct place p;
    open_place(&p, 0);
    p.script.at_most = 7;
    assert_int_equal(node_span_receive(&p.span, &p.radio, 100), 0);
    expect(&p, 0, 100);
    assert_int_equal(p.script.n_recv, 15);
    node_span_destroy(&p.span);
}

static void test_gap_inside_a_span(void **state)
{
    (void)state;
    struct place p;
    open_place(&p, 0);
    lose(&p, 30, 45);
    assert_int_equal(node_span_receive(&p.span, &p.radio, 100), 0);
    assert_int_equal(p.span.next, 100 + 15); /* the call after the gap had asked for 70 */
    expect(&p, 45, 100);
    assert_false(node_span_has(&p.span, 44, 10));
    assert_false(node_span_has(&p.span, 20, 5)); /* before the gap: given up */
    assert_int_equal(p.radio.counters.gaps, 1);
    assert_int_equal(p.radio.counters.lost, 15);
    assert_int_equal(node_span_receive(&p.span, &p.radio, 200), 0);
    expect(&p, 115, 200);
    node_span_destroy(&p.span);
}

static void test_gap_beyond_a_span(void **state)
{
    (void)state;
    struct place p;
    open_place(&p, 0);
    lose(&p, 60, 450);
    assert_int_equal(node_span_receive(&p.span, &p.radio, 100), 0);
    assert_int_equal(p.span.next, 490);
    assert_false(node_span_has(&p.span, 450, 1));
    assert_false(node_span_has(&p.span, 50, 1));
    assert_int_equal(node_span_receive(&p.span, &p.radio, 580), 0);
    expect(&p, 490, 580);
    assert_int_equal(p.radio.counters.lost, 390);
    node_span_destroy(&p.span);
}

static void test_time_going_back_is_a_gap(void **state)
{
    (void)state;
    struct place p;
    open_place(&p, 5000);
    lose(&p, 5050, 200);
    assert_int_equal(node_span_receive(&p.span, &p.radio, 5100), 0);
    assert_int_equal(p.span.next, 250); /* where time is now; nothing is held of what came before */
    assert_false(node_span_has(&p.span, 5000, 10));
    assert_false(node_span_has(&p.span, 5050, 10));
    assert_int_equal(p.radio.counters.gaps, 1);
    assert_int_equal(node_span_receive(&p.span, &p.radio, 300), 0);
    expect(&p, 250, 300);
    node_span_destroy(&p.span);
}

/* Symbols of the wanted letters are whole, from the middle of one block to the middle of the next; all else is not
 * asked for. */
static void test_only_wanted_symbols(void **state)
{
    (void)state;
    const struct frame f = {.n_symbol_samples = 7, .n_block_samples = 72, .n_symbol = 10, .letter = "BGPPUGDDDG"};
    struct place p;
    open_place(&p, 1000 + 30);
    p.radio.frame = &f;
    p.radio.epoch = 1000;
    node_span_want(&p.span, &p.radio, 1072 + 29, "PG");
    assert_int_equal(node_span_receive(&p.span, &p.radio, 1072 + 29), 0);
    int n_wanted = 0;
    for (tutti_tick t = 1030; t < 1072 + 29; t++) {
        const tutti_tick in_block = (t - 1000) % 72;
        const char letter = in_block < 70 ? f.letter[in_block / 7] : ' ';
        const tutti_cf32 got = *node_span_at(&p.span, 1, t);
        if (letter == 'P' || letter == 'G') {
            n_wanted++;
            assert_true(got == scripted_sample(1, t));
        } else {
            assert_true(crealf(got) != crealf(got)); /* not a number: was called unwanted */
        }
    }
    assert_int_equal(n_wanted, 5 * 7); /* G, G, then G, P, P */
    node_span_destroy(&p.span);
}

static void test_errors(void **state)
{
    (void)state;
    struct place p;
    open_place(&p, 0);
    assert_int_equal(node_span_receive(&p.span, &p.radio, ROOM + 1), TUTTI_EINVAL);
    p.script.fail = TUTTI_EDEVICE;
    p.script.fail_at = 50;
    p.script.at_most = 50;
    assert_int_equal(node_span_receive(&p.span, &p.radio, 100), TUTTI_EDEVICE);
    node_span_destroy(&p.span);
}

static void test_notes_are_counted_by_letter(void **state)
{
    (void)state;
    struct place p;
    open_place(&p, 0);
    static const enum radio_note_kind KINDS[] = {RADIO_NOTE_SENT,     RADIO_NOTE_LATE,     RADIO_NOTE_LATE,
                                                 RADIO_NOTE_UNDERRUN, RADIO_NOTE_OVERFLOW, RADIO_NOTE_DROP,
                                                 RADIO_NOTE_DROP,     RADIO_NOTE_DROP,     RADIO_NOTE_SEQUENCE};
    for (unsigned i = 0; i < sizeof KINDS / sizeof *KINDS; i++) {
        p.script.note[p.script.n_note++] = (struct radio_note){.kind = KINDS[i], .tick = 100 + i};
    }
    struct radio_note note;
    int n = 0;
    while (node_radio_note(&p.radio, &note)) {
        n++;
    }
    static const uint64_t UODSL[5] = {1, 1, 3, 1, 2};
    assert_int_equal(n, 9);
    assert_int_equal(p.radio.counters.sent, 1);
    assert_memory_equal(p.radio.counters.event, UODSL, sizeof UODSL);
    assert_int_equal(p.radio.counters.last_tick[4], 102);
    assert_int_equal(p.radio.counters.last_tick[2], 107);
    node_span_destroy(&p.span);
}

static void test_refused_bursts_are_counted(void **state)
{
    (void)state;
    struct place p;
    open_place(&p, 0);
    static const tutti_cf32 samples[4] = {1, 1, 1, 1};
    const tutti_cf32 *buffers[N_ANT] = {samples, samples};
    assert_int_equal(node_radio_burst(&p.radio, buffers, 4, 10, 3), 0);
    p.script.burst_status = TUTTI_EAGAIN;
    assert_int_equal(node_radio_burst(&p.radio, buffers, 4, 10, 3), TUTTI_EAGAIN);
    assert_int_equal(p.radio.counters.refused, 1);
    node_span_destroy(&p.span);
}

/* Absolute: by the samples' own time, never by when somebody asks; the larger of the two leads counts. */
static void test_deadline(void **state)
{
    (void)state;
    struct place p;
    open_place(&p, 0);
    p.radio.info = (struct radio_info){.rate_hz = 1e6, .lead_us = 100, .turnaround_samples = 1, .paced = true};
    const struct radio_got got = {.tick = 900, .n = 100, .host_ns = 5000000};
    assert_int_equal(node_radio_deadline_ns(&p.radio, &got, 3000, 0), 5000000 + 2000000 - 100000);
    assert_int_equal(node_radio_deadline_ns(&p.radio, &got, 3000, 400), 5000000 + 2000000 - 400000);
    node_span_destroy(&p.span);
}

static int check_lead(struct node_radio *radio, int piece, double radio_lead_us, double lead_us)
{
    radio->info = (struct radio_info){
        .rate_hz = 1.92e6, .lead_us = radio_lead_us, .turnaround_samples = piece, .paced = radio->info.paced};
    return node_radio_check_lead(radio, lead_us);
}

/* The default frame: pilots end at sample 822 and the downlink begins at 4247. A radio of any sample has the 3425
 * between; one of pieces of 3200 has what came from 0 to 3199 at 3200 and must hand in what begins there by 6400;
 * pieces of 800 come at 1600 and are due at 4800. */
static void test_no_lead_leaves_no_wait(void **state)
{
    (void)state;
    struct frame f;
    struct config *config;
    struct node_radio radio = {.frame = &f};
    assert_int_equal(config_load(&config, NULL, NULL, 0), 0);
    assert_int_equal(frame_init(&f, config), 0);
    config_free(config);
    static const struct {
        int piece;
        double window_us;
    } cases[] = {{1, 3425 / 1.92}, {3200, 3200 / 1.92}, {800, 3200 / 1.92}, {400, 3200 / 1.92}, {960, 3840 / 1.92}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const double w = cases[i].window_us;
        radio.info.paced = true;
        assert_int_equal(check_lead(&radio, cases[i].piece, 100, w - 0.01), 0);
        assert_int_equal(check_lead(&radio, cases[i].piece, 100, w + 0.01), TUTTI_ECONFIG);
        assert_non_null(strstr(error_text(), "engine.tx_lead_us"));
        assert_int_equal(check_lead(&radio, cases[i].piece, w - 0.01, 0), 0);
        assert_int_equal(check_lead(&radio, cases[i].piece, w + 0.01, 0), TUTTI_ECONFIG);
        assert_non_null(strstr(error_text(), "engine.tx_lead_us to "));
        radio.info.paced = false;
        assert_int_equal(check_lead(&radio, cases[i].piece, 0, 1e6), 0);
        f.lag_blocks = 1; /* as the configuration says with a lead of w to w + a block */
        radio.info.paced = true;
        assert_int_equal(check_lead(&radio, cases[i].piece, 100, w + 4999), 0);
        assert_int_equal(check_lead(&radio, cases[i].piece, w + 5001, 0), TUTTI_ECONFIG);
        f.lag_blocks = 0;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spans_follow_each_other),
        cmocka_unit_test(test_short_packets_fill_a_span),
        cmocka_unit_test(test_gap_inside_a_span),
        cmocka_unit_test(test_gap_beyond_a_span),
        cmocka_unit_test(test_time_going_back_is_a_gap),
        cmocka_unit_test(test_only_wanted_symbols),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_notes_are_counted_by_letter),
        cmocka_unit_test(test_refused_bursts_are_counted),
        cmocka_unit_test(test_deadline),
        cmocka_unit_test(test_no_lead_leaves_no_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
