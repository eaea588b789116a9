/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A user's blocks with a scripted radio: one wake-up and one burst of pilots per block, the block's downlink captured
 * when it is whole and nothing otherwise. */
#include "base/error.h"
#include "tests/node/scripted_radio.h"
#include "ue_node/ue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { N_EVE_ANT = 3 };

struct place {
    struct config *config;
    struct ue ue;
    struct radio script;
    uint64_t captured[64];
    int n_captured;
    bool drain;
};

static struct place place;

static void open_as(enum ue_role role)
{
    struct place *p = &place;
    *p = (struct place){.drain = true};
    const char *const overrides[] = {"network.n_eve=1", "eve.n_ant=3", "eve.attack=pilot", "eve.from_block=4",
                                     "frame.schedule=B G P2 G P2 U23 G D38 G"};
    assert_int_equal(config_load(&p->config, NULL, overrides, 5), 0);
    assert_int_equal(ue_create(&p->ue, p->config, role, 0), 0);
    p->script = (struct radio){.n_ant = p->ue.n_ant, .tells = true};
    p->ue.radio = (struct node_radio){
        .radio = &p->script, .info = {.rate_hz = 1.92e6, .turnaround_samples = 1}, .frame = &p->ue.frame};
    node_span_start(&p->ue.span, 0);
}

static void close_place(void)
{
    ue_destroy(&place.ue);
    config_free(place.config);
}

/* The loop of main.c, n turns. */
static void run_turns(int n)
{
    struct place *p = &place;
    for (int i = 0; i < n; i++) {
        slot_prepare(&p->ue);
        assert_int_equal(slot_receive(&p->ue), TUTTI_OK);
        slot_hear_notes(&p->ue);
        slot_capture_downlink(&p->ue);
        const struct ue_capture *c;
        while (p->drain && (c = ring_peek(p->ue.captures, 0)) != NULL) {
            p->captured[p->n_captured++] = c->block;
            ring_pop(p->ue.captures);
        }
    }
}

static void check_pilots(int nth, uint64_t block)
{
    const struct frame *f = &place.ue.frame;
    const struct scripted_burst *b = &place.script.burst[nth];
    assert_int_equal(b->at, frame_symbol_tick(f, 0, block, f->pilot_symbol[0]));
    assert_int_equal(b->n, 5 * f->n_symbol_samples); /* P2 G P2 */
    assert_true(b->energy[0] > 0);
    for (int t = 0; t < 5; t++) { /* each P in its place, silence in the G between */
        float energy = 0;
        for (int i = t * f->n_symbol_samples; i < (t + 1) * f->n_symbol_samples; i++) {
            energy += cabsf(place.ue.pilots[i]);
        }
        assert_true(t == 2 ? energy == 0 : energy > 0);
    }
    for (int a = 1; a < place.ue.n_ant; a++) {
        assert_true(b->energy[a] == 0);
    }
}

static void test_user(void **state)
{
    (void)state;
    open_as(UE_USER);
    run_turns(12);
    assert_int_equal(place.script.n_recv, 12);
    assert_int_equal(place.script.n_burst, 13); /* always one block ahead */
    for (int b = 0; b < 13; b++) {
        check_pilots(b, (uint64_t)b);
    }
    assert_int_equal(place.n_captured, 12);
    for (uint64_t b = 0; b < 12; b++) {
        assert_int_equal(place.captured[b], b);
    }
    assert_int_equal(place.ue.radio.counters.sent, 13);
    close_place();
}

static void test_eavesdropper_attacks_from_its_block_on(void **state)
{
    (void)state;
    open_as(UE_EVE);
    assert_int_equal(place.ue.n_ant, N_EVE_ANT);
    run_turns(8);
    assert_int_equal(place.script.n_burst, 5); /* 4 to 8 */
    for (int b = 0; b < 5; b++) {
        check_pilots(b, 4 + (uint64_t)b);
    }
    close_place();
}

static void test_a_cut_downlink_is_not_captured(void **state)
{
    (void)state;
    open_as(UE_USER);
    const tutti_tick block = (tutti_tick)place.ue.frame.n_block_samples;
    place.script.n_loss = 2;
    place.script.loss[0].from = 2 * block + 6000; /* in the downlink of 2 */
    place.script.loss[0].to = 2 * block + 6001;
    place.script.loss[1].from = 5 * block + 8000; /* of 5 to the pilots of 8 */
    place.script.loss[1].to = 8 * block + 300;
    run_turns(9);
    static const uint64_t WANT[] = {0, 1, 3, 4, 8, 9, 10};
    assert_int_equal(place.n_captured, 7);
    assert_memory_equal(place.captured, WANT, sizeof WANT);
    assert_int_equal(place.ue.counters.missed, 2);
    for (int i = 1; i < place.script.n_burst; i++) { /* no block's pilots twice, nor late */
        assert_true(place.script.burst[i].tag > place.script.burst[i - 1].tag);
    }
    assert_int_equal(place.ue.radio.counters.event[4], 0);
    close_place();
}

static void test_blocks_without_room_are_counted(void **state)
{
    (void)state;
    open_as(UE_USER);
    place.drain = false;
    run_turns(12);
    assert_int_equal(ring_count(place.ue.captures), 8);
    assert_int_equal(place.ue.counters.captures_dropped, 4);
    assert_int_equal(place.ue.counters.blocks, 12);
    close_place();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_user), cmocka_unit_test(test_eavesdropper_attacks_from_its_block_on),
        cmocka_unit_test(test_a_cut_downlink_is_not_captured), cmocka_unit_test(test_blocks_without_room_are_counted)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
