/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A radio whose time goes back, as when somebody else sets it: samples go on with the new time, bursts of the old one
 * are told of and thrown away instead of waiting for a time that will not come; and boards that do not see the same
 * pulse. libuhd's functions are here. */
#include "base/error.h"
#include "base/rt.h"
#include "hw/uhd/device.h"
#include "hw/uhd/receive.h"
#include "hw/uhd/transmit.h"

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
static char handle; /* of everything */

static uhd_error make_streamer(uhd_tx_streamer_handle *h)
{
    *h = (uhd_tx_streamer_handle)(void *)&handle;
    return UHD_ERROR_NONE;
}

static uhd_error free_streamer(uhd_tx_streamer_handle *h)
{
    *h = NULL;
    return UHD_ERROR_NONE;
}

static uhd_error get_stream(uhd_usrp_handle h, uhd_stream_args_t *args, uhd_tx_streamer_handle streamer)
{
    (void)h, (void)args, (void)streamer;
    return UHD_ERROR_NONE;
}

static uhd_error make_async(uhd_async_metadata_handle *h)
{
    *h = (uhd_async_metadata_handle)(void *)&handle;
    return UHD_ERROR_NONE;
}

static uhd_error free_async(uhd_async_metadata_handle *h)
{
    *h = NULL;
    return UHD_ERROR_NONE;
}

static uhd_error make_metadata(uhd_tx_metadata_handle *h, bool timed, int64_t full, double frac, bool start, bool end)
{
    (void)timed, (void)full, (void)frac, (void)start, (void)end;
    *h = (uhd_tx_metadata_handle)(void *)&handle;
    return UHD_ERROR_NONE;
}

static uhd_error free_metadata(uhd_tx_metadata_handle *h)
{
    *h = NULL;
    return UHD_ERROR_NONE;
}

static uhd_error take_all(uhd_tx_streamer_handle h, const void **buffers, size_t n, uhd_tx_metadata_handle *metadata,
                          double timeout, size_t *n_taken)
{
    (void)h, (void)buffers, (void)metadata, (void)timeout;
    *n_taken = n;
    atomic_fetch_add(&n_sent, 1);
    return UHD_ERROR_NONE;
}

static uhd_error no_message(uhd_tx_streamer_handle h, uhd_async_metadata_handle *m, double timeout, bool *valid)
{
    (void)h, (void)m, (void)timeout;
    *valid = false;
    return UHD_ERROR_NONE;
}

static uhd_error last_pps(uhd_usrp_handle h, size_t board, int64_t *full, double *frac)
{
    (void)h;
    *full = pps_s[board][n_reading[board]++ % 4];
    *frac = 0;
    return UHD_ERROR_NONE;
}

static const struct uhd_api api = {.tx_streamer_make = make_streamer,
                                   .tx_streamer_free = free_streamer,
                                   .usrp_get_tx_stream = get_stream,
                                   .async_metadata_make = make_async,
                                   .async_metadata_free = free_async,
                                   .tx_metadata_make = make_metadata,
                                   .tx_metadata_free = free_metadata,
                                   .tx_streamer_send = take_all,
                                   .tx_streamer_recv_async_msg = no_message,
                                   .usrp_get_time_last_pps = last_pps};

/* The tests -------------------------------------------------------------------------------------------------------- */

static struct uhd_device device = {.api = &api, .n_ant = 1, .n_board = 2, .rate_hz = RATE, .tick_multiple = 1};

static void push(struct uhd_receive *r, tutti_tick tick)
{
    struct uhd_packet *const packet = ring_write_slot(r->ring);
    assert_non_null(packet);
    memset(packet, 0, sizeof *packet + PACKET * sizeof(tutti_cf32));
    packet->tick = tick;
    packet->n = PACKET;
    ring_push(r->ring);
}

static void samples_go_on(void **state)
{
    (void)state;
    struct uhd_receive r = {.device = &device, .packet_samples = PACKET, .next = 5000000};
    struct radio_got got;
    struct radio_note note;
    ledger_t *ledger;
    tutti_cf32 samples[4 * PACKET], *const buffers[] = {samples};
    assert_int_equal(ring_create(&r.ring, 8, sizeof(struct uhd_packet) + PACKET * sizeof(tutti_cf32)), 0);
    assert_int_equal(ledger_create(&ledger, 1, 4, 8, 1000), 0);
    ledger_add(ledger, 5000500, 100, 3);
    push(&r, 5000000);
    push(&r, 70000);
    push(&r, 70000 + PACKET);
    assert_int_equal(uhd_receive_get(&r, buffers, 3 * PACKET, &got, ledger), 0);
    assert_true(got.tick == 5000000 && got.n == PACKET && got.n_lost == 0);
    assert_int_equal(uhd_receive_get(&r, buffers, 2 * PACKET, &got, ledger), 0);
    assert_true(got.tick == 70000 && got.n == 2 * PACKET && got.n_lost == 0);
    assert_true(ledger_note(ledger, &note) == 1 && note.kind == RADIO_NOTE_LATE && note.tag == 3);
    assert_int_equal(ledger_check(ledger, 70500, 100), 0);
    ring_destroy(r.ring);
    ledger_destroy(ledger);
}

static bool is_idle(struct uhd_transmit *t)
{
    return atomic_load(&t->handed) == atomic_load(&t->queued);
}

/* Neither is the old one's burst sent, nor does it keep room from the new one's. */
static void bursts_of_before_go(void **state)
{
    (void)state;
    struct uhd_receive r = {.device = &device};
    struct uhd_transmit t;
    static const tutti_cf32 samples[ROOM];
    const tutti_cf32 *const buffers[] = {samples};
    atomic_store(&r.newest, 5000000);
    assert_int_equal(uhd_transmit_create(&t, &device, &r, ROOM, 200, 0), 0);
    assert_int_equal(uhd_transmit_start(&t), 0);
    assert_int_equal(uhd_transmit_burst(&t, buffers, ROOM, 5000000 + ROOM / 2), 0);
    usleep(20000);
    assert_false(is_idle(&t)); /* it waits for its time */
    assert_int_equal(uhd_transmit_burst(&t, buffers, 100, 5000000 + ROOM / 2), TUTTI_EAGAIN);
    atomic_store(&r.newest, 70000);
    rt_event_signal(t.there);
    for (int i = 0; i < 5000 && !is_idle(&t); i++) {
        usleep(2000);
    }
    assert_true(is_idle(&t));
    assert_int_equal(atomic_load(&n_sent), 0);
    assert_int_equal(uhd_transmit_burst(&t, buffers, ROOM, 70100), 0);
    for (int i = 0; i < 5000 && !is_idle(&t); i++) {
        usleep(2000);
    }
    assert_int_equal(atomic_load(&n_sent), 1);
    uhd_transmit_destroy(&t);
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
    assert_int_equal(uhd_device_same_pps(&device), 0);
    assert_true(device.last_pps[0] == (tutti_tick)7 * RATE);
    read_boards(7, 8, 8, 8); /* a pulse came between the two questions */
    assert_int_equal(uhd_device_same_pps(&device), 0);
    assert_true(device.last_pps[0] == (tutti_tick)8 * RATE);
    read_boards(7, 3, 8, 3); /* board 1 does not get it any more */
    assert_int_equal(uhd_device_same_pps(&device), TUTTI_EDEVICE);
    assert_non_null(strstr(error_text(), "boards 0 and 1"));
}

int main(void)
{
    pthread_mutex_init(&device.call, NULL);
    const struct CMUnitTest tests[] = {cmocka_unit_test(samples_go_on), cmocka_unit_test(bursts_of_before_go),
                                       cmocka_unit_test(boards_have_one_pulse)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
