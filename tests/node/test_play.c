/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a node received, recorded and played again: the same samples and the same losses in the same calls, whether all
 * was kept or pilots and guards only, as floats or as the wire's integers; bursts go nowhere and are told so. */
#include "base/error.h"
#include "hw/radio.h"
#include "node/iq.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { N_ANT = 2, ROOM = 20000 };

/* Calls of radio_recv as they went when the recording was made. */
static const struct call {
    tutti_tick tick;
    int asked, n;
} calls[] = {{100, 9000, 9000}, {9100, 9600, 9600}, {18700, 9600, 800}, {22000, 8800, 8800}, {30800, 5000, 5000},
             {36100, 600, 600}, {36700, 9600, 300}, {48000, 9300, 500}, {48500, 8800, 8800}, {57300, 100, 100}};
enum { N_CALLS = sizeof calls / sizeof calls[0] };

struct place {
    char dir[64];
    struct config *config;
    struct frame frame;
    struct radio_info info;
    radio_t *radio;
    tutti_cf32 *buffers[N_ANT];
};

static tutti_cf32 sample_at(int antenna, tutti_tick tick)
{
    return CMPLXF((float)(tick % 30011) * (1.0f / 32767),
                  (float)(antenna * 1000 - (int)(tick / 30011)) * (1.0f / 32767));
}

static void place_create(struct place *p, const char *symbols)
{
    *p = (struct place){0};
    char dir[96], which[64];
    const char *overrides[] = {dir, which, "network.n_ant=2"};
    snprintf(p->dir, sizeof p->dir, "/tmp/tutti-play-XXXXXX");
    assert_non_null(mkdtemp(p->dir));
    snprintf(dir, sizeof dir, "record.iq.dir=%s", p->dir);
    snprintf(which, sizeof which, "record.iq.symbols=%s", symbols);
    assert_int_equal(config_load(&p->config, NULL, overrides, 3), 0);
    assert_int_equal(frame_init(&p->frame, p->config), 0);
    for (int a = 0; a < N_ANT; a++) {
        p->buffers[a] = calloc(ROOM, sizeof(tutti_cf32));
    }
}

static void place_destroy(struct place *p)
{
    char command[128];
    radio_close(p->radio);
    config_free(p->config);
    for (int a = 0; a < N_ANT; a++) {
        free(p->buffers[a]);
    }
    snprintf(command, sizeof command, "rm -rf %s", p->dir);
    assert_int_equal(system(command), 0);
}

static void record(struct place *p, float step)
{
    node_iq_t *iq;
    const struct node_iq_settings settings = {
        .config = p->config,
        .frame = &p->frame,
        .role = CONFIG_ROLE_UE,
        .id = 2,
        .info = {.rate_hz = 1.92e6, .n_ant = N_ANT, .repeatable = true, .sample_step = step},
    };
    assert_int_equal(node_iq_create(&iq, &settings), 0);
    for (int c = 0; c < N_CALLS; c++) {
        const struct radio_got got = {.tick = calls[c].tick, .n = calls[c].n};
        for (int a = 0; a < N_ANT; a++) {
            for (int i = 0; i < got.n; i++) {
                p->buffers[a][i] = sample_at(a, got.tick + (tutti_tick)i);
            }
        }
        node_iq_take(iq, p->buffers, &got, 0);
    }
    node_iq_destroy(iq);
}

static int open_radio(struct place *p, int id, double rate_hz)
{
    const struct radio_settings settings = {.backend = "file",
                                            .args = "tutti.sigmf-collection",
                                            .folder = p->dir,
                                            .role = "ue",
                                            .id = id,
                                            .n_ant = N_ANT,
                                            .rate_hz = rate_hz,
                                            .n_tx_buffer_samples = 20000};
    return radio_open(&p->radio, &settings, &p->info);
}

static bool is_kept(const struct place *p, bool pilots_only, tutti_tick tick)
{
    const uint64_t symbol = tick % (uint64_t)p->frame.n_block_samples / (uint64_t)p->frame.n_symbol_samples;
    const char letter = symbol < (uint64_t)p->frame.n_symbol ? p->frame.letter[symbol] : ' ';
    return !pilots_only || letter == 'P' || letter == 'G';
}

static void expect_samples(const struct place *p, const struct radio_got *got, bool pilots_only)
{
    for (int a = 0; a < N_ANT; a++) {
        for (int i = 0; i < got->n; i++) {
            const tutti_tick tick = got->tick + (tutti_tick)i;
            const tutti_cf32 right = is_kept(p, pilots_only, tick) ? sample_at(a, tick) : 0;
            assert_memory_equal(&p->buffers[a][i], &right, sizeof right);
        }
    }
}

/* The first samples may not have been kept; from the first ones on every call gives what it gave, and so many losses.
 */
static void play(struct place *p, bool pilots_only)
{
    tutti_tick first;
    struct radio_got got;
    struct radio_note note;
    uint64_t n_lost = 0, noted = 0;
    assert_int_equal(open_radio(p, 2, 1.92e6), 0);
    assert_true(p->info.repeatable && !p->info.paced);
    assert_int_equal(radio_start(p->radio, 0, &first), 0);
    assert_int_equal(first, pilots_only ? 137 : 100);
    for (int c = 0; c < N_CALLS - pilots_only; c++) { /* no pilots in the last one */
        const int skip = c == 0 ? (int)(first - calls[0].tick) : 0;
        for (int a = 0; a < N_ANT; a++) {
            memset(p->buffers[a], 0x55, ROOM * sizeof(tutti_cf32));
        }
        assert_int_equal(radio_recv(p->radio, p->buffers, calls[c].asked - skip, &got), 0);
        assert_int_equal(got.tick, calls[c].tick + (tutti_tick)skip);
        if (c < N_CALLS - 2) {
            assert_int_equal(got.n, calls[c].n - skip);
        }
        expect_samples(p, &got, pilots_only);
        n_lost += got.n_lost;
        while (radio_note(p->radio, &note)) {
            assert_int_equal(note.kind, RADIO_NOTE_OVERFLOW);
            noted += note.count;
        }
    }
    assert_int_equal(n_lost, (22000 - 19500) + (36100 - 35800) + (48000 - 37000));
    assert_int_equal(noted, n_lost);
    assert_int_equal(radio_recv(p->radio, p->buffers, 100, &got), TUTTI_ESTOPPED);
}

static void test_everything(void **state)
{
    (void)state;
    struct place p;
    place_create(&p, "all");
    record(&p, 0);
    play(&p, false);
    assert_true(p.info.sample_step == 0);
    place_destroy(&p);
}

/* Of a recorder that was killed, or whose disk was full: it ends with the last sample there is, in the middle of a
 * segment that others should follow. */
static void test_cut_files(void **state)
{
    (void)state;
    enum { LEFT = 25000 };
    struct place p;
    struct radio_got got;
    tutti_tick first;
    char command[160];
    int n = 0, status;
    place_create(&p, "all");
    record(&p, 0);
    snprintf(command, sizeof command, "truncate -s %d %s/*.sigmf-data", LEFT * 8, p.dir);
    assert_int_equal(system(command), 0);
    assert_int_equal(open_radio(&p, 2, 1.92e6), 0);
    assert_int_equal(radio_start(p.radio, 0, &first), 0);
    while ((status = radio_recv(p.radio, p.buffers, 9600, &got)) == 0) {
        expect_samples(&p, &got, false);
        n += got.n;
    }
    assert_int_equal(status, TUTTI_ESTOPPED);
    assert_int_equal(n, LEFT);
    place_destroy(&p);
}

static void test_integers(void **state)
{
    (void)state;
    struct place p;
    place_create(&p, "all");
    record(&p, 1.0f / 32767);
    play(&p, false);
    assert_true(p.info.sample_step == 1.0f / 32767);
    place_destroy(&p);
}

static void test_pilots_and_guards(void **state)
{
    (void)state;
    struct place p;
    place_create(&p, "PG");
    record(&p, 0);
    play(&p, true);
    place_destroy(&p);
}

static void test_start_later(void **state)
{
    (void)state;
    struct place p;
    struct radio_got got;
    tutti_tick first;
    place_create(&p, "all");
    record(&p, 0);
    assert_int_equal(open_radio(&p, 2, 1.92e6), 0);
    assert_int_equal(radio_start(p.radio, 20000, &first), 0); /* in a gap */
    assert_int_equal(first, 22000);
    assert_int_equal(radio_recv(p.radio, p.buffers, 100, &got), 0);
    assert_int_equal(got.tick, 22000);
    expect_samples(&p, &got, false);
    assert_int_equal(radio_start(p.radio, 30000, &first), 0);
    assert_int_equal(first, 30000);
    assert_int_equal(radio_recv(p.radio, p.buffers, 100, &got), 0);
    assert_int_equal(got.n_lost, 0);
    expect_samples(&p, &got, false);
    assert_int_equal(radio_start(p.radio, 60000, &first), TUTTI_EDEVICE);
    place_destroy(&p);
}

static void test_bursts_go_nowhere(void **state)
{
    (void)state;
    struct place p;
    struct radio_got got;
    struct radio_note note;
    tutti_tick first;
    place_create(&p, "all");
    record(&p, 0);
    assert_int_equal(open_radio(&p, 2, 1.92e6), 0);
    assert_int_equal(radio_start(p.radio, 0, &first), 0);
    assert_int_equal(radio_burst(p.radio, (const tutti_cf32 *const *)p.buffers, 1000, 3000, 77), 0);
    assert_int_equal(radio_note(p.radio, &note), 0);
    assert_int_equal(radio_recv(p.radio, p.buffers, 9000, &got), 0);
    assert_int_equal(radio_note(p.radio, &note), 1);
    assert_int_equal(note.kind, RADIO_NOTE_SENT);
    assert_int_equal(note.tag, 77);
    assert_int_equal(note.tick, 3000);
    place_destroy(&p);
}

static void test_refusals(void **state)
{
    (void)state;
    struct place p;
    place_create(&p, "all");
    record(&p, 0);
    assert_int_equal(open_radio(&p, 1, 1.92e6), TUTTI_EDEVICE);
    assert_non_null(strstr(error_text(), "no recording of antenna 0 of ue1"));
    assert_true(open_radio(&p, 2, 2e6) < 0);
    assert_non_null(strstr(error_text(), "frame.sample_rate_hz"));
    place_destroy(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_everything),  cmocka_unit_test(test_integers),
        cmocka_unit_test(test_cut_files),   cmocka_unit_test(test_pilots_and_guards),
        cmocka_unit_test(test_start_later), cmocka_unit_test(test_bursts_go_nowhere),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
