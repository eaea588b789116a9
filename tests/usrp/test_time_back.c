/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A radio whose time goes back, as when somebody else sets it: samples go on with the new time, bursts of the old one
 * are told of and thrown away instead of waiting for a time that will not come; and boards that do not see the same
 * pulse. The device and libuhd's functions are here. */
#include "base/error.h"
#include "base/rt.h"
#include "hw/stream/transmit.h"
#include "hw/uhd/device.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { RATE = 1000000, PACKET = 100, ROOM = 2000 };

/* libuhd ---------------------------------------------------------------------------------------------------------- */

static int64_t pps_s[2][4]; /* [board][reading] */
static int n_reading[2];
static atomic_int n_sent;

static size_t take_all(void *state, const void *const *buffers, size_t n, tutti_tick at)
{
    (void)state, (void)buffers, (void)at;
    atomic_fetch_add(&n_sent, 1);
    return n;
}

static bool no_message(void *state, struct ledger_event *event)
{
    (void)state, (void)event;
    return false;
}

static uhd_error last_pps(uhd_usrp_handle h, size_t board, int64_t *full, double *frac)
{
    (void)h;
    *full = pps_s[board][n_reading[board]++ % 4];
    *frac = 0;
    return UHD_ERROR_NONE;
}

static const struct uhd_api api = {.usrp_get_time_last_pps = last_pps};
static const struct stream_ops ops = {.send = take_all, .message = no_message};

/* The tests -------------------------------------------------------------------------------------------------------- */

static struct uhd_device boards = {.api = &api, .n_ant = 1, .n_board = 2, .rate_hz = RATE, .tick_multiple = 1};
static const struct stream_device device = {
    .ops = &ops, .n_ant = 1, .packet_samples = PACKET, .rate_hz = RATE, .tick_multiple = 1};

static void push(struct stream_receive *r, tutti_tick tick)
{
    struct stream_packet *const packet = ring_write_slot(r->ring);
    assert_non_null(packet);
    memset(packet, 0, sizeof *packet + PACKET * sizeof(tutti_cf32));
    packet->tick = tick;
    packet->n = PACKET;
    ring_push(r->ring);
}

static void samples_go_on(void **state)
{
    (void)state;
    struct stream_receive r = {.device = &device, .next = 5000000};
    struct radio_got got;
    struct radio_note note;
    ledger_t *ledger;
    tutti_cf32 samples[4 * PACKET], *const buffers[] = {samples};
    assert_int_equal(ring_create(&r.ring, 8, sizeof(struct stream_packet) + PACKET * sizeof(tutti_cf32)), 0);
    assert_int_equal(ledger_create(&ledger, 1, 4, 8, 1000), 0);
    ledger_add(ledger, 5000500, 100, 3);
    push(&r, 5000000);
    push(&r, 70000);
    push(&r, 70000 + PACKET);
    assert_int_equal(stream_receive_get(&r, buffers, 3 * PACKET, &got, ledger), 0);
    assert_true(got.tick == 5000000 && got.n == PACKET && got.n_lost == 0);
    assert_int_equal(stream_receive_get(&r, buffers, 2 * PACKET, &got, ledger), 0);
    assert_true(got.tick == 70000 && got.n == 2 * PACKET && got.n_lost == 0);
    assert_true(ledger_note(ledger, &note) == 1 && note.kind == RADIO_NOTE_LATE && note.tag == 3);
    assert_int_equal(ledger_check(ledger, 70500, 100), 0);
    ring_destroy(r.ring);
    ledger_destroy(ledger);
}

static bool is_idle(struct stream_transmit *t)
{
    return atomic_load(&t->handed) == atomic_load(&t->queued);
}

/* Neither is the old one's burst sent, nor does it keep room from the new one's. */
static void bursts_of_before_go(void **state)
{
    (void)state;
    struct stream_receive r = {.device = &device};
    struct stream_transmit t;
    static const tutti_cf32 samples[ROOM];
    const tutti_cf32 *const buffers[] = {samples};
    atomic_store(&r.newest, 5000000);
    assert_int_equal(stream_transmit_create(&t, &device, &r, ROOM, 200, 0), 0);
    assert_int_equal(stream_transmit_start(&t), 0);
    assert_int_equal(stream_transmit_burst(&t, buffers, ROOM, 5000000 + ROOM / 2), 0);
    usleep(20000);
    assert_false(is_idle(&t)); /* it waits for its time */
    assert_int_equal(stream_transmit_burst(&t, buffers, 100, 5000000 + ROOM / 2), TUTTI_EAGAIN);
    atomic_store(&r.newest, 70000);
    rt_event_signal(t.there);
    for (int i = 0; i < 5000 && !is_idle(&t); i++) {
        usleep(2000);
    }
    assert_true(is_idle(&t));
    assert_int_equal(atomic_load(&n_sent), 0);
    assert_int_equal(stream_transmit_burst(&t, buffers, ROOM, 70100), 0);
    for (int i = 0; i < 5000 && !is_idle(&t); i++) {
        usleep(2000);
    }
    assert_int_equal(atomic_load(&n_sent), 1);
    stream_transmit_destroy(&t);
}

static void read_boards(int64_t a0, int64_t b0, int64_t a1, int64_t b1)
{
    memset(n_reading, 0, sizeof n_reading);
    for (int i = 0; i < 4; i++) {
        pps_s[0][i] = i ? a1 : a0;
        pps_s[1][i] = i ? b1 : b0;
    }
}

static void boards_have_one_pulse(void **state)
{
    (void)state;
    read_boards(7, 7, 7, 7);
    assert_int_equal(uhd_device_same_pps(&boards), 0);
    assert_true(boards.last_pps[0] == (tutti_tick)7 * RATE);
    read_boards(7, 8, 8, 8); /* a pulse came between the two questions */
    assert_int_equal(uhd_device_same_pps(&boards), 0);
    assert_true(boards.last_pps[0] == (tutti_tick)8 * RATE);
    read_boards(7, 3, 8, 3); /* board 1 does not get it any more */
    assert_int_equal(uhd_device_same_pps(&boards), TUTTI_EDEVICE);
    assert_non_null(strstr(error_text(), "boards 0 and 1"));
}

int main(void)
{
    pthread_mutex_init(&boards.call, NULL);
    const struct CMUnitTest tests[] = {cmocka_unit_test(samples_go_on), cmocka_unit_test(bursts_of_before_go),
                                       cmocka_unit_test(boards_have_one_pulse)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
