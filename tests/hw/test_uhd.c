/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What of the USRP backend needs no device: tick arithmetic, its words, what becomes of bursts; and an absent device.
 */
#include "hw/stream/ledger.h"
#include "hw/stream/ticks.h"
#include "hw/stream/words.h"
#include "hw/uhd/words.h"
#include "hw_test.h"
#include "skip.h"

#include <limits.h>

/* Ticks ---------------------------------------------------------------------------------------------------------- */

static const uint64_t RATES[] = {1920000, 7680000, 23040000, 30720000, 61440000, 1000003};

/* In 128-bit whole numbers: seconds and attoseconds of a tick. */
static void reference(tutti_tick tick, uint64_t rate, int64_t *full, double *frac)
{
    const unsigned __int128 atto = 1000000000000000000u;
    *full = (int64_t)(tick / rate);
    *frac = (double)(uint64_t)((unsigned __int128)(tick % rate) * atto / rate) * 1e-18;
}

static void test_ticks_go_and_return(void **state)
{
    (void)state;
    const tutti_tick utc_s = 1795000000;
    for (size_t r = 0; r < sizeof RATES / sizeof RATES[0]; r++) {
        const tutti_tick begin = utc_s * RATES[r];
        for (tutti_tick k = 0; k < 300000; k += 7) {
            const tutti_tick tick = begin + k * 31 % RATES[r];
            const struct stream_time time = stream_time_of(tick, RATES[r]);
            int64_t full;
            double frac;
            reference(tick, RATES[r], &full, &frac);
            assert_true(time.full_s == full && time.frac_s < 1);
            assert_near(time.frac_s, frac, 5e-16); /* four roundings to 53 bits, one of them ours */
            assert_true(stream_tick_of(time, RATES[r]) == tick);
        }
    }
    assert_true(stream_tick_of((struct stream_time){-3, 0.5}, 1000) == 0);
    assert_true(stream_tick_of((struct stream_time){INT64_MAX, 0.5}, 1000000) > UINT64_C(1)
                                                                                    << 62); /* what no device has */
    assert_true(stream_tick_of((struct stream_time){INT64_MIN, 0.5}, 1000000) == 0);
    assert_true(stream_tick_of((struct stream_time){3, NAN}, 1000) == 0);
    assert_true(stream_tick_of((struct stream_time){3, INFINITY}, 1000) > UINT64_C(1) << 62);
}

/* libuhd's own way back to ticks must meet the same one, or packets of a burst step beside the grid. */
static void test_ticks_survive_libuhd(void **state)
{
    (void)state;
    for (tutti_tick tick = 55142400000000000u; tick < 55142400000000000u + 30720; tick++) {
        const struct stream_time t = stream_time_of(tick, 30720000);
        const long long theirs = t.full_s * 30720000ll + llround(t.frac_s * 30720000.0);
        assert_true(theirs == (long long)tick);
    }
}

static void test_grid(void **state)
{
    (void)state;
    uint64_t whole = 0;
    assert_true(stream_tick_align(0, 4) == 0 && stream_tick_align(5, 4) == 8 && stream_tick_align(8, 4) == 8);
    assert_true(stream_tick_align(7, 1) == 7 && stream_tick_align(7, 0) == 7);
    assert_true(stream_whole_rate(1.92e6, &whole) && whole == 1920000);
    assert_false(stream_whole_rate(200e6 / 3, &whole));
    assert_false(stream_whole_rate(0, &whole));
    assert_true(stream_same_rate(1.92e6, 1.92e6));
    assert_false(stream_same_rate(1.92e6, 1.92e6 + 0.01)); /* a tick every three minutes */
}

/* Words ---------------------------------------------------------------------------------------------------------- */

static void test_channels(void **state)
{
    (void)state;
    size_t c[TUTTI_MAX_ANT];
    assert_good(stream_words_channels("", 3, c));
    assert_true(c[0] == 0 && c[1] == 1 && c[2] == 2);
    assert_good(stream_words_channels("3,0", 2, c));
    assert_true(c[0] == 3 && c[1] == 0);
    static const char *const wrong[] = {"0", "0,1,2", "0,0", "a,b", "0,", ",0", "0;1", "-1,0", "0,99"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_equal(stream_words_channels(wrong[i], 2, c), TUTTI_ECONFIG);
        assert_non_null(strstr(error_text(), "channels"));
    }
}

static void test_args(void **state)
{
    (void)state;
    char args[UHD_ARGS_ROOM];
    struct radio_settings s = {.rate_hz = 61.44e6,
                               .args = "addr0=a,addr1=b",
                               .clock_source = "external",
                               .time_source = "gpsdo",
                               .master_clock_rate_hz = 30.72e6};
    assert_good(uhd_words_args(&s, args));
    assert_string_equal(args, "addr0=a,addr1=b,clock_source=external,time_source=gpsdo,master_clock_rate=30720000");
    s.args = "master_clock_rate=1e6, clock_source=internal,spp=12";
    assert_good(uhd_words_args(&s, args));
    assert_string_equal(args, "master_clock_rate=1e6, clock_source=internal,spp=12,time_source=gpsdo");
    assert_int_equal(stream_words_number(args, "spp", 5), 12);
    assert_int_equal(stream_words_number(args, "pp", 5), 5);
    assert_int_equal(stream_words_number("spp=99999999999999999999", "spp", 5), INT_MAX);
    assert_good(uhd_words_args(&(struct radio_settings){.rate_hz = 1.92e6}, args));
    assert_string_equal(args, "recv_frame_size=1600"); /* 16 + 4 * 384 = 1552, and up to a multiple of 64 */
    assert_good(uhd_words_args(&(struct radio_settings){.rate_hz = 2e5}, args));
    assert_string_equal(args, "recv_frame_size=576");
    assert_good(uhd_words_args(&(struct radio_settings){.rate_hz = 61.44e6}, args));
    assert_string_equal(args, "");
    char longer[UHD_ARGS_ROOM + 10];
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    assert_int_equal(uhd_words_args(&(struct radio_settings){.args = longer}, args), TUTTI_ECONFIG);
    longer[UHD_ARGS_ROOM - 5] = '\0';
    s.args = longer;
    assert_int_equal(uhd_words_args(&s, args), TUTTI_ECONFIG);
    assert_true(stream_words_is_shared("external") && stream_words_is_shared("gpsdo"));
    assert_false(stream_words_is_shared("internal") || stream_words_is_shared("none") || stream_words_is_shared(""));
}

static void test_complaints(void **state)
{
    (void)state;
    char line[64];
    uhd_words_first_line("LookupError: KeyError: No devices found for ----->\nDevice Address:\n", line, sizeof line);
    assert_string_equal(line, "No devices found for ----->");
    uhd_words_first_line("odd things: RuntimeError: x", line, sizeof line);
    assert_string_equal(line, "odd things: RuntimeError: x");
    assert_int_equal(uhd_words_open_failed("addr=1.2.3.4", 11, "LookupError: KeyError: No devices found for ----->\n"),
                     TUTTI_EDEVICE);
    assert_non_null(strstr(error_text(), "no radio answers at 'addr=1.2.3.4'"));
    assert_int_equal(uhd_words_open_failed("x=,", 43, "ValueError: invalid args string: x=,"), TUTTI_ECONFIG);
    assert_int_equal(uhd_words_open_failed("addr=a", 44, "RuntimeError: Someone tried to claim this device again"),
                     TUTTI_EDEVICE);
    assert_non_null(strstr(error_text(), "another program is using it"));
    assert_false(stream_words_is_passing("RuntimeError: Someone tried to claim this device again"));
    assert_true(stream_words_is_passing("RuntimeError: No CHDR connection available!"));
    assert_int_equal(uhd_words_open_failed("addr=a", 44, "RuntimeError: No CHDR connection available!"), TUTTI_EDEVICE);
    assert_non_null(strstr(error_text(), "firewalled or busy"));
    assert_null(strchr(error_text(), '\n'));
}

/* Ledger --------------------------------------------------------------------------------------------------------- */

enum { N_ANT = 2, N_BURST = 4, N_NOTE = 4, GRACE = 1000 };

static ledger_t *make(void)
{
    ledger_t *l = NULL;
    assert_good(ledger_create(&l, N_ANT, N_BURST, N_NOTE, GRACE));
    return l;
}

static void add(ledger_t *l, tutti_tick at, int n, uint64_t tag)
{
    assert_good(ledger_check(l, at, n));
    ledger_add(l, at, n, tag);
}

static void hear(ledger_t *l, enum ledger_event_kind kind, int antenna, tutti_tick tick)
{
    ledger_hear(l, &(struct ledger_event){kind, antenna, true, tick});
}

static void expect(ledger_t *l, enum radio_note_kind kind, uint64_t tag, tutti_tick tick, int antenna, uint64_t count)
{
    struct radio_note note = {0};
    assert_int_equal(ledger_note(l, &note), 1);
    assert_int_equal(note.kind, kind);
    assert_true(note.tag == tag && note.tick == tick && note.count == count);
    assert_int_equal(note.antenna, antenna);
}

static void expect_none(ledger_t *l)
{
    struct radio_note note;
    assert_int_equal(ledger_note(l, &note), 0);
}

/* Sent is what every antenna has acknowledged, not before its end. */
static void test_sent(void **state)
{
    (void)state;
    ledger_t *l = make();
    add(l, 1000, 100, 7);
    add(l, 2000, 100, 8);
    hear(l, LEDGER_ACK, 0, 1100);
    ledger_settle(l, 1500);
    expect_none(l);
    hear(l, LEDGER_ACK, 1, 1098); /* stamped a little early */
    ledger_settle(l, 1500);
    expect(l, RADIO_NOTE_SENT, 7, 1000, -1, 0);
    hear(l, LEDGER_ACK, 1, 2100);
    hear(l, LEDGER_ACK, 0, 2100);
    ledger_settle(l, 2099); /* not received as far as that yet */
    expect_none(l);
    ledger_settle(l, 2100);
    expect(l, RADIO_NOTE_SENT, 8, 2000, -1, 0);
    expect_none(l);
    ledger_destroy(l);
}

/* An acknowledgement that is missing is not made up by the next burst's. */
static void test_untold(void **state)
{
    (void)state;
    ledger_t *l = make();
    add(l, 1000, 100, 7);
    add(l, 1200, 100, 8);
    hear(l, LEDGER_ACK, 0, 1100);
    hear(l, LEDGER_ACK, 0, 1300);
    hear(l, LEDGER_ACK, 1, 1300);
    ledger_settle(l, 1400);
    expect(l, RADIO_NOTE_SENT, 8, 1200, -1, 0);
    expect_none(l);
    ledger_settle(l, 1100 + GRACE - 1);
    expect_none(l);
    ledger_settle(l, 1100 + GRACE);
    expect(l, RADIO_NOTE_LATE, 7, 1000, 1, 100);
    ledger_destroy(l);
}

/* Late on one antenna, though its later packets went out and were acknowledged. */
static void test_late(void **state)
{
    (void)state;
    ledger_t *l = make();
    add(l, 1000, 500, 7);
    add(l, 3000, 500, 8);
    hear(l, LEDGER_LATE, 1, 1040);
    hear(l, LEDGER_LATE, 1, 1041);
    hear(l, LEDGER_ACK, 0, 1500);
    hear(l, LEDGER_ACK, 1, 1500);
    ledger_settle(l, 1600);
    expect(l, RADIO_NOTE_LATE, 7, 1000, 1, 500);
    hear(l, LEDGER_LATE, 0, 3100);
    hear(l, LEDGER_LATE, 1, 3100);
    ledger_settle(l, 3600);
    expect(l, RADIO_NOTE_LATE, 8, 3000, -1, 500);
    ledger_destroy(l);
}

static void test_underrun(void **state)
{
    (void)state;
    ledger_t *l = make();
    add(l, 1000, 500, 7);
    hear(l, LEDGER_UNDERRUN, 0, 1300);
    hear(l, LEDGER_ACK, 1, 1500);
    ledger_settle(l, 1600);
    expect(l, RADIO_NOTE_UNDERRUN, 7, 1300, 0, 200);
    add(l, 5000, 500, 9);
    hear(l, LEDGER_INCOMPLETE, -1, 5100);
    ledger_settle(l, 5500);
    expect(l, RADIO_NOTE_UNDERRUN, 9, 5100, -1, 400);
    add(l, 6000, 10, 10);
    hear(l, LEDGER_TOO_LATE, -1, 6000);
    ledger_settle(l, 6010);
    expect(l, RADIO_NOTE_LATE, 10, 6000, -1, 10);
    add(l, 7000, 10, 11);
    hear(l, LEDGER_SEQUENCE, 1, 7005);
    hear(l, LEDGER_ACK, -1, 7010);
    ledger_settle(l, 7010);
    expect(l, RADIO_NOTE_SEQUENCE, 0, 7005, 1, 1);
    expect(l, RADIO_NOTE_UNDERRUN, 11, 7005, 1, 5);
    ledger_destroy(l);
}

/* Lost packets are told without a time and long afterwards. Who lost its last packet is never acknowledged and counts
 * as not sent, whenever that is told; nobody else is charged, neither by that message nor by an acknowledgement that is
 * missing. */
static void test_lost_packets(void **state)
{
    (void)state;
    enum { N = 4, LENGTH = 100, EVERY = 500 };
    for (int lost = -1; lost < N; lost++) {
        ledger_t *l = make();
        for (int i = 0; i < N; i++) {
            add(l, (tutti_tick)(EVERY * i), LENGTH, (uint64_t)i);
        }
        for (int i = 0; i < N; i++) {
            for (int antenna = 0; antenna < N_ANT; antenna++) {
                if (i != lost || antenna == 0) {
                    hear(l, LEDGER_ACK, antenna, (tutti_tick)(EVERY * i + LENGTH));
                }
            }
            if (i == 2) {
                ledger_hear(l, &(struct ledger_event){LEDGER_SEQUENCE, 1, false, 2 * EVERY + LENGTH});
                expect(l, RADIO_NOTE_SEQUENCE, 0, 2 * EVERY + LENGTH, 1, 1);
            }
        }
        ledger_settle(l, N * EVERY + GRACE);
        for (int i = 0; i < N; i++) {
            if (i == lost) {
                expect(l, RADIO_NOTE_LATE, (uint64_t)i, (tutti_tick)(EVERY * i), 1, LENGTH);
            } else {
                expect(l, RADIO_NOTE_SENT, (uint64_t)i, (tutti_tick)(EVERY * i), -1, 0);
            }
        }
        assert_true(ledger_counters(l)->untold == (lost >= 0));
        ledger_destroy(l);
    }
}

/* A device that tells of trouble before the burst's own time, the last one being done with. */
static void test_late_told_early(void **state)
{
    (void)state;
    ledger_t *l = make();
    add(l, 1000, 10, 7);
    add(l, 2000, 10, 8);
    hear(l, LEDGER_ACK, -1, 1010);
    hear(l, LEDGER_LATE, 0, 1500);
    hear(l, LEDGER_ACK, 1, 2010);
    ledger_settle(l, 2010);
    expect(l, RADIO_NOTE_SENT, 7, 1000, -1, 0);
    expect(l, RADIO_NOTE_LATE, 8, 2000, 0, 10);
    ledger_destroy(l);
}

static void test_overlaps(void **state)
{
    (void)state;
    ledger_t *l = make();
    add(l, 1000, 100, 1);
    assert_int_equal(ledger_check(l, 1099, 1), TUTTI_EINVAL);
    assert_int_equal(ledger_check(l, 950, 51), TUTTI_EINVAL);
    assert_int_equal(ledger_check(l, 900, 400), TUTTI_EINVAL);
    assert_good(ledger_check(l, 1100, 1));
    assert_good(ledger_check(l, 950, 50));
    add(l, 500, 100, 2); /* in any order */
    add(l, 1100, 10, 3);
    add(l, 700, 10, 4);
    assert_int_equal(ledger_check(l, 9000, 1), TUTTI_EAGAIN);
    hear(l, LEDGER_ACK, -1, 600);
    ledger_settle(l, 600);
    expect(l, RADIO_NOTE_SENT, 2, 500, -1, 0);
    ledger_destroy(l);
}

static void test_notes_are_bounded(void **state)
{
    (void)state;
    ledger_t *l = make();
    for (uint64_t i = 0; i < N_NOTE + 3; i++) {
        ledger_note_add(l, &(struct radio_note){RADIO_NOTE_DROP, 0, i, -1, 1});
    }
    assert_true(ledger_notes_lost(l) == 3);
    for (uint64_t i = 3; i < N_NOTE + 3; i++) {
        expect(l, RADIO_NOTE_DROP, 0, i, -1, 1);
    }
    expect_none(l);
    ledger_destroy(l);
    ledger_destroy(NULL);
}

static void test_event_codes(void **state)
{
    (void)state;
    enum ledger_event_kind kind;
    assert_true(uhd_words_event(0x1, &kind) && kind == LEDGER_ACK);
    assert_true(uhd_words_event(0x2, &kind) && kind == LEDGER_UNDERRUN);
    assert_true(uhd_words_event(0x4, &kind) && kind == LEDGER_SEQUENCE);
    assert_true(uhd_words_event(0x8, &kind) && kind == LEDGER_LATE);
    assert_true(uhd_words_event(0x10, &kind) && kind == LEDGER_UNDERRUN);
    assert_true(uhd_words_event(0x20, &kind) && kind == LEDGER_SEQUENCE);
    assert_false(uhd_words_event(0x40, &kind));
}

static void test_time_went_back(void **state)
{
    (void)state;
    ledger_t *l;
    struct radio_note note;
    assert_good(ledger_create(&l, 2, 4, 8, 1000));
    ledger_add(l, 100000, 100, 7);
    ledger_add(l, 200000, 100, 8);
    for (int a = 0; a < 2; a++) {
        ledger_hear(l, &(struct ledger_event){LEDGER_ACK, a, true, 100100});
    }
    ledger_settle(l, 50000);
    assert_int_equal(ledger_note(l, &note), 0); /* their time has not come, and will not */
    ledger_abandon(l);
    assert_true(ledger_note(l, &note) == 1 && note.kind == RADIO_NOTE_SENT && note.tag == 7);
    assert_true(ledger_note(l, &note) == 1 && note.kind == RADIO_NOTE_LATE && note.tag == 8);
    assert_int_equal(ledger_note(l, &note), 0);
    assert_good(ledger_check(l, 100000, 100));
    ledger_destroy(l);
}

/* Whatever a user writes is refused with a line, or can be divided by. */
static void test_odd_tick_multiples(void **state)
{
    (void)state;
    static const char *const odd[] = {"addr=127.0.0.77,tick_multiple=0", "addr=127.0.0.77,tick_multiple=4294967296"};
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
        radio_t *radio = NULL;
        struct radio_info info;
        const struct radio_settings s = {.backend = "uhd", .args = odd[i], .role = "ap", .n_ant = 1, .rate_hz = 1.92e6};
        const int status = radio_open(&radio, &s, &info);
        assert_null(radio);
        if (status == TUTTI_EUNSUPPORTED || strstr(error_text(), "libuhd-dev")) {
            SKIP_BECAUSE("%s", error_text());
        }
        assert_int_equal(status, TUTTI_ECONFIG);
        assert_non_null(strstr(error_text(), "tick_multiple="));
    }
}

/* An absent device ------------------------------------------------------------------------------------------------ */

static void test_no_device(void **state)
{
    (void)state;
    radio_t *radio = NULL;
    struct radio_info info;
    const struct radio_settings s = {
        .backend = "uhd", .args = "addr=127.0.0.77", .role = "ap", .n_ant = 2, .rate_hz = 1.92e6};
    const int status = radio_open(&radio, &s, &info);
    assert_null(radio);
    if (status == TUTTI_ECONFIG && strstr(error_text(), "libuhd-dev")) {
        SKIP_BECAUSE("this build has no libuhd");
    }
    if (status == TUTTI_EUNSUPPORTED) {
        SKIP_BECAUSE("%s", error_text());
    }
    assert_int_equal(status, TUTTI_EDEVICE);
    assert_non_null(strstr(error_text(), "no radio answers at 'addr=127.0.0.77'"));
    assert_null(strchr(error_text(), '\n'));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ticks_go_and_return),
        cmocka_unit_test(test_ticks_survive_libuhd),
        cmocka_unit_test(test_grid),
        cmocka_unit_test(test_channels),
        cmocka_unit_test(test_args),
        cmocka_unit_test(test_complaints),
        cmocka_unit_test(test_sent),
        cmocka_unit_test(test_untold),
        cmocka_unit_test(test_late),
        cmocka_unit_test(test_underrun),
        cmocka_unit_test(test_lost_packets),
        cmocka_unit_test(test_late_told_early),
        cmocka_unit_test(test_overlaps),
        cmocka_unit_test(test_notes_are_bounded),
        cmocka_unit_test(test_event_codes),
        cmocka_unit_test(test_time_went_back),
        cmocka_unit_test(test_odd_tick_multiples),
        cmocka_unit_test(test_no_device),
    };
    return skip_status(cmocka_run_group_tests(tests, NULL, NULL));
}
