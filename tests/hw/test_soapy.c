/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What modules of SoapySDR differ in, with a module of the test's own in the place of the library: time to the sample,
 * packets in parts, no start at a time, bursts taken in parts, what is told of bursts and what is not, devices without
 * a clock. The real library is in tests/loop/test_soapy.py. */
#include "hw/soapy/device.h"
#include "hw_test.h"

enum { RATE = 1920000, CHUNK = 480, N_CALLS = 8 };

/* The module ------------------------------------------------------------------------------------------------------- */

static struct {
    /* what it answers */
    bool has_clock, has_pps, starts_at_a_time;
    int status;       /* of readStreamStatus */
    size_t mask;      /* of antennas in it */
    int status_flags; /* of readStreamStatus */
    int most_taken;   /* by one writeStream */
    int n, flags;     /* of readStream */
    long long ns;     /* of readStream, readStreamStatus, getHardwareTime */
    /* what it was asked for */
    int n_written, written[N_CALLS], written_flags[N_CALLS];
    long long written_ns[N_CALLS];
    int n_started, started_flags[N_CALLS];
    /* what it says when it is to be opened, one after the other; NULL: it is */
    const char *const *refusals;
    int n_opened;
} module;
static char handle; /* of everything */

static int no_status(void)
{
    return 0;
}

static const char *last_error(void)
{
    return module.n_opened > 0 ? module.refusals[module.n_opened - 1] : "";
}

static bool has_time(const SoapySDRDevice *d, const char *what)
{
    (void)d;
    return *what ? module.has_pps : module.has_clock;
}

static long long get_time(const SoapySDRDevice *d, const char *what)
{
    (void)d, (void)what;
    return module.ns;
}

static int set_time(SoapySDRDevice *d, const long long ns, const char *what)
{
    (void)d, (void)what;
    module.ns = ns;
    return 0;
}

static SoapySDRStream *make_stream(SoapySDRDevice *d, const int direction, const char *format, const size_t *channels,
                                   const size_t n, const SoapySDRKwargs *args)
{
    (void)d, (void)direction, (void)format, (void)channels, (void)n, (void)args;
    return (SoapySDRStream *)(void *)&handle;
}

static size_t mtu(const SoapySDRDevice *d, SoapySDRStream *s)
{
    (void)d, (void)s;
    return 8192;
}

static int activate(SoapySDRDevice *d, SoapySDRStream *s, const int flags, const long long ns, const size_t n)
{
    (void)d, (void)s, (void)ns, (void)n;
    module.started_flags[module.n_started++ % N_CALLS] = flags;
    return flags && !module.starts_at_a_time ? SOAPY_SDR_NOT_SUPPORTED : 0;
}

static int read_stream(SoapySDRDevice *d, SoapySDRStream *s, void *const *buffers, const size_t n, int *flags,
                       long long *ns, const long timeout)
{
    (void)d, (void)s, (void)buffers, (void)n, (void)timeout;
    *flags = module.flags;
    *ns = module.ns;
    return module.n;
}

static int write_stream(SoapySDRDevice *d, SoapySDRStream *s, const void *const *buffers, const size_t n, int *flags,
                        const long long ns, const long timeout)
{
    (void)d, (void)s, (void)buffers, (void)timeout;
    const int i = module.n_written++ % N_CALLS;
    module.written[i] = (int)n < module.most_taken ? (int)n : module.most_taken;
    module.written_flags[i] = *flags;
    module.written_ns[i] = ns;
    return module.written[i];
}

static int read_status(SoapySDRDevice *d, SoapySDRStream *s, size_t *mask, int *flags, long long *ns,
                       const long timeout)
{
    (void)d, (void)s, (void)timeout;
    *mask = module.mask;
    *flags = module.status_flags;
    *ns = module.ns;
    return module.status;
}

static SoapySDRDevice *make_device(const char *args)
{
    (void)args;
    return module.refusals[module.n_opened++] ? NULL : (SoapySDRDevice *)(void *)&handle;
}

static const struct soapy_api API = {.lastStatus = no_status,
                                     .lastError = last_error,
                                     .makeStrArgs = make_device,
                                     .hasHardwareTime = has_time,
                                     .getHardwareTime = get_time,
                                     .setHardwareTime = set_time,
                                     .setupStream = make_stream,
                                     .getStreamMTU = mtu,
                                     .activateStream = activate,
                                     .readStream = read_stream,
                                     .writeStream = write_stream,
                                     .readStreamStatus = read_status};

/* The tests -------------------------------------------------------------------------------------------------------- */

static struct soapy_device device;
static struct stream_device stream;

static void begin(void)
{
    memset(&module, 0, sizeof module);
    module.has_clock = module.starts_at_a_time = true;
    module.most_taken = 1 << 20;
    module.status = SOAPY_SDR_TIMEOUT;
    device = (struct soapy_device){.api = &API, .n_ant = 2, .channel = {0, 1}, .rate_hz = RATE, .tick_multiple = 1};
    assert_good(soapy_streams_create(&device, CHUNK, &stream));
}

static void times_are_exact(void **state)
{
    (void)state;
    static const uint64_t RATES[] = {1920000, 30720000, 61440000, 10000000, 8000000, 99999999};
    for (size_t r = 0; r < sizeof RATES / sizeof RATES[0]; r++) {
        for (uint64_t i = 0; i < 20000; i++) { /* up to 2100, as device time may be UTC */
            const tutti_tick tick = i * 211 * RATES[r] * 1000 + i * 7919;
            assert_true(soapy_tick_of(soapy_ns_of(tick, RATES[r]), RATES[r]) == tick);
        }
    }
}

static void packets_come_in_parts(void **state)
{
    (void)state;
    struct stream_piece piece = {0};
    void *const buffers[2] = {NULL, NULL};
    begin();
    module.n = 300;
    module.flags = SOAPY_SDR_HAS_TIME | SOAPY_SDR_MORE_FRAGMENTS;
    module.ns = soapy_ns_of(777777, RATE);
    assert_good(stream.ops->receive(stream.state, buffers, &piece));
    assert_true(piece.timed && piece.tick == 777777 && piece.n == 300 && piece.event == STREAM_FINE);
    module.n = 180;
    module.flags = 0;
    piece = (struct stream_piece){0};
    assert_good(stream.ops->receive(stream.state, buffers, &piece));
    assert_true(piece.timed && piece.tick == 778077 && piece.n == 180);
    piece = (struct stream_piece){0}; /* that was all of it: this one's time is anybody's guess */
    assert_good(stream.ops->receive(stream.state, buffers, &piece));
    assert_false(piece.timed);
}

static void what_reading_says(void **state)
{
    (void)state;
    static const struct {
        int code;
        enum stream_event event;
    } CASES[] = {{SOAPY_SDR_TIMEOUT, STREAM_SILENT},
                 {SOAPY_SDR_OVERFLOW, STREAM_OVERFLOW},
                 {SOAPY_SDR_CORRUPTION, STREAM_BAD},
                 {SOAPY_SDR_TIME_ERROR, STREAM_ENDED},
                 {SOAPY_SDR_STREAM_ERROR, STREAM_ENDED}};
    void *const buffers[2] = {NULL, NULL};
    begin();
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        struct stream_piece piece = {0};
        module.n = CASES[i].code;
        assert_good(stream.ops->receive(stream.state, buffers, &piece));
        assert_true(piece.n == 0 && piece.event == CASES[i].event);
    }
    struct stream_piece piece = {0};
    module.n = SOAPY_SDR_NOT_SUPPORTED;
    assert_int_equal(stream.ops->receive(stream.state, buffers, &piece), TUTTI_EDEVICE);
}

static void starts_at_once_if_not_at_a_time(void **state)
{
    (void)state;
    begin();
    module.starts_at_a_time = false;
    module.n_started = 0;
    assert_good(stream.ops->start(stream.state, 1000));
    assert_int_equal(module.n_started, 2);
    assert_true(module.started_flags[0] == SOAPY_SDR_HAS_TIME && module.started_flags[1] == 0);
}

/* One burst: its time with the first part, its end with each that may be the last. */
static void bursts_are_taken_in_parts(void **state)
{
    (void)state;
    static const tutti_cf32 samples[1000];
    const void *const buffers[2] = {samples, samples};
    begin();
    module.most_taken = 400;
    assert_int_equal(stream.ops->send(stream.state, buffers, 1000, 96000), 1000);
    assert_int_equal(module.n_written, 3);
    assert_true(module.written[0] == 400 && module.written[1] == 400 && module.written[2] == 200);
    assert_int_equal(module.written_flags[0], SOAPY_SDR_HAS_TIME | SOAPY_SDR_END_BURST);
    assert_int_equal(module.written_flags[1], SOAPY_SDR_END_BURST);
    assert_true(module.written_ns[0] == 50000000);
    module.most_taken = 0; /* it takes nothing more */
    assert_int_equal(stream.ops->send(stream.state, buffers, 1000, 192000), 0);
}

static void what_is_told_of_bursts(void **state)
{
    (void)state;
    static const struct {
        int status, flags;
        size_t mask;
        enum ledger_event_kind kind;
        int antenna;
    } CASES[] = {{0, SOAPY_SDR_END_BURST | SOAPY_SDR_HAS_TIME, 1, LEDGER_ACK, 0},
                 {0, SOAPY_SDR_END_BURST, 3, LEDGER_ACK, -1},
                 {0, SOAPY_SDR_END_BURST, 0, LEDGER_ACK, -1},
                 {0, SOAPY_SDR_END_BURST, 1 << 7, LEDGER_ACK, -1}, /* numbered otherwise */
                 {0, 0, 2, LEDGER_N_KINDS, 1},
                 {SOAPY_SDR_UNDERFLOW, 0, 2, LEDGER_UNDERRUN, 1},
                 {SOAPY_SDR_TIME_ERROR, 0, 1, LEDGER_LATE, 0},
                 {SOAPY_SDR_CORRUPTION, 0, 1, LEDGER_SEQUENCE, 0}};
    struct ledger_event event = {0};
    begin();
    assert_false(stream.taciturn);
    assert_false(stream.ops->message(stream.state, &event)); /* time-out: nothing */
    module.ns = soapy_ns_of(12345, RATE);
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        module.status = CASES[i].status;
        module.status_flags = CASES[i].flags;
        module.mask = CASES[i].mask;
        assert_true(stream.ops->message(stream.state, &event));
        assert_true(event.kind == CASES[i].kind && event.antenna == CASES[i].antenna && event.tick == 12345);
        assert_int_equal(event.timed, (CASES[i].flags & SOAPY_SDR_HAS_TIME) != 0);
    }
    module.status = SOAPY_SDR_STREAM_ERROR; /* would be told for ever */
    assert_false(stream.ops->message(stream.state, &event));
}

/* A burst of a radio that acknowledges nothing was sent unless it complains. */
static void silence_is_trusted_if_there_is_no_more(void **state)
{
    (void)state;
    ledger_t *l;
    struct radio_note note;
    begin();
    module.status = SOAPY_SDR_NOT_SUPPORTED;
    assert_good(soapy_streams_create(&device, CHUNK, &stream));
    assert_true(stream.taciturn);
    assert_good(ledger_create(&l, 2, 4, 8, 1000));
    ledger_trust_silence(l);
    ledger_add(l, 1000, 100, 1);
    ledger_add(l, 2000, 100, 2);
    ledger_hear(l, &(struct ledger_event){LEDGER_LATE, 1, true, 2001});
    ledger_settle(l, 1500);
    assert_int_equal(ledger_note(l, &note), 0); /* it may still complain */
    ledger_settle(l, 4000);
    assert_true(ledger_note(l, &note) == 1 && note.tag == 1 && note.kind == RADIO_NOTE_SENT);
    assert_true(ledger_note(l, &note) == 1 && note.tag == 2 && note.kind == RADIO_NOTE_LATE);
    assert_true(ledger_counters(l)->untold == 0);
    ledger_destroy(l);
}

static void time_must_be_there(void **state)
{
    (void)state;
    begin();
    module.has_clock = false;
    assert_int_equal(soapy_device_clock(&device), TUTTI_EDEVICE);
    assert_non_null(strstr(error_text(), "no clock"));
    module.has_clock = true;
    strcpy(device.reference.time_source, "external");
    assert_int_equal(soapy_device_clock(&device), TUTTI_ECONFIG); /* a pulse, but nothing that proves it */
    assert_non_null(strstr(error_text(), "time_source"));
    strcpy(device.reference.time_source, "internal");
    module.ns = 5;
    assert_good(soapy_device_clock(&device));
    assert_true(module.ns == 0);
}

/* libuhd behind a module waits 20 ms for an echo, and a module that hears nobody finds nothing: they are asked again,
 * but not for ever, and not when they say something else. */
static void a_late_answer_is_no_missing_radio(void **state)
{
    (void)state;
    static const char LATE[] = "RuntimeError: No CHDR connection available!";
    static const char SILENT[] = "SoapySDR::Device::make() no match";
    static const struct {
        const char *says[8];
        int n_opened;
        const char *told;
    } CASES[] = {{{NULL}, 1, NULL},
                 {{LATE, LATE, LATE, LATE, NULL}, 5, NULL},
                 {{LATE, LATE, LATE, LATE, LATE, NULL}, 5, "cannot be opened: RuntimeError: No CHDR"},
                 {{LATE, "odd things", NULL}, 2, "odd things"},
                 {{SILENT, LATE, NULL}, 3, NULL},
                 {{SILENT, SILENT, SILENT, SILENT, SILENT, NULL}, 5, "no radio answers"}};
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        begin();
        module.refusals = CASES[i].says;
        assert_int_equal(soapy_device_make(&device), CASES[i].told ? TUTTI_EDEVICE : TUTTI_OK);
        assert_int_equal(module.n_opened, CASES[i].n_opened);
        if (CASES[i].told) {
            assert_non_null(strstr(error_text(), CASES[i].told));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(times_are_exact),
                                       cmocka_unit_test(packets_come_in_parts),
                                       cmocka_unit_test(what_reading_says),
                                       cmocka_unit_test(starts_at_once_if_not_at_a_time),
                                       cmocka_unit_test(bursts_are_taken_in_parts),
                                       cmocka_unit_test(what_is_told_of_bursts),
                                       cmocka_unit_test(silence_is_trusted_if_there_is_no_more),
                                       cmocka_unit_test(time_must_be_there),
                                       cmocka_unit_test(a_late_answer_is_no_missing_radio)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
