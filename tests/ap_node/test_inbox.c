/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Precoders between two threads: newest by block and not by arrival, the oldest overwritten when all slots are full,
 * what is for later blocks left alone, nothing torn. */
#include "ap_node/inbox.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { N_VALUES = 64 };

static void push_in_session(inbox_t *box, uint64_t block, uint64_t from, uint32_t session)
{
    static uint64_t clock_ns;
    struct ap_precoder *p = inbox_slot(box);
    p->header.block = block;
    p->header.session = session;
    p->header.valid_from_block = from;
    p->header.valid_until_block = from + 4;
    p->received_ns = 1000 + block;
    p->received_mono_ns = ++clock_ns;
    for (int i = 0; i < N_VALUES; i++) {
        p->V[i] = (float)block;
    }
    inbox_push(box);
}

static void push(inbox_t *box, uint64_t block)
{
    push_in_session(box, block, block, 1);
}

static struct inbox_late late[INBOX_SLOTS];
static int n_late;

/* Block of the held precoder, -1: none. */
static int take(inbox_t *box, uint64_t block)
{
    const struct ap_precoder *p = inbox_take(box, block, late, &n_late);
    return p ? (int)p->header.block : -1;
}

static void test_newest_is_the_highest_block(void **state)
{
    (void)state;
    inbox_t *box;
    assert_int_equal(inbox_create(&box, 2, N_VALUES), 0);
    assert_int_equal(take(box, 5), -1);
    push(box, 10);
    push(box, 9);
    assert_int_equal(take(box, 10), 10);
    assert_int_equal(n_late, 1); /* 9 came too late for its block */
    assert_int_equal(late[0].block, 9);
    assert_int_equal(late[0].received_ns, 1009);
    push(box, 8);
    assert_int_equal(take(box, 11), 10); /* an older one never takes over */
    push(box, 11);
    assert_int_equal(take(box, 11), 11);
    assert_int_equal(n_late, 0);
    assert_int_equal(take(box, 12), 11);                   /* it stays */
    for (uint64_t b = 12; b < 12 + 4 * INBOX_SLOTS; b++) { /* and gives its slot back when it is replaced */
        push(box, b);
        assert_int_equal(take(box, b), b);
    }
    assert_int_equal(inbox_dropped(box), 0);
    inbox_destroy(box);
}

static void test_the_future_is_left_alone(void **state)
{
    (void)state;
    inbox_t *box;
    assert_int_equal(inbox_create(&box, 2, N_VALUES), 0);
    push_in_session(box, 10, 12, 1);
    push_in_session(box, 11, 13, 1);
    assert_int_equal(take(box, 11), -1);
    assert_int_equal(take(box, 12), 10);
    assert_int_equal(n_late, 0);
    assert_int_equal(take(box, 13), 11);
    assert_int_equal(inbox_dropped(box), 0);
    inbox_destroy(box);
}

static void test_the_oldest_is_overwritten(void **state)
{
    (void)state;
    inbox_t *box;
    assert_int_equal(inbox_create(&box, 2, N_VALUES), 0);
    push(box, 0);
    assert_int_equal(take(box, 0), 0); /* held: not to be touched */
    for (uint64_t b = 1; b <= 3 * INBOX_SLOTS; b++) {
        push(box, b);
    }
    assert_int_equal(inbox_dropped(box), 3 * INBOX_SLOTS - (INBOX_SLOTS - 1));
    assert_int_equal(take(box, 3 * INBOX_SLOTS), 3 * INBOX_SLOTS);
    assert_int_equal(n_late, INBOX_SLOTS - 2); /* all others that were there, and those are the newest */
    for (int i = 0; i < n_late; i++) {
        assert_true(late[i].block > 2 * INBOX_SLOTS);
    }
    inbox_destroy(box);
}

static void test_a_new_session_counts_anew(void **state)
{
    (void)state;
    inbox_t *box;
    assert_int_equal(inbox_create(&box, 2, N_VALUES), 0);
    push_in_session(box, 500, 500, 1);
    assert_int_equal(take(box, 500), 500);
    push_in_session(box, 3, 3, 2);
    assert_int_equal(take(box, 3), 3);
    inbox_destroy(box);
}

static void test_a_slot_asked_for_again_is_the_same(void **state)
{
    (void)state;
    inbox_t *box;
    assert_int_equal(inbox_create(&box, 2, N_VALUES), 0);
    struct ap_precoder *p = inbox_slot(box);
    for (int i = 0; i < 3 * INBOX_SLOTS; i++) {
        assert_ptr_equal(inbox_slot(box), p);
    }
    assert_int_equal(inbox_dropped(box), 0);
    inbox_destroy(box);
}

enum { N_PUSHED = 200000 };
static atomic_bool done;

static void *writer(void *argument)
{
    for (uint64_t b = 0; b < N_PUSHED; b++) {
        push(argument, b);
    }
    atomic_store(&done, true);
    return NULL;
}

/* The taker never sees a precoder in parts, never an older one after a newer one, and in the end the newest. */
static void test_two_threads(void **state)
{
    (void)state;
    inbox_t *box;
    pthread_t thread;
    assert_int_equal(inbox_create(&box, 2, N_VALUES), 0);
    assert_int_equal(pthread_create(&thread, NULL, writer, box), 0);
    uint64_t last = 0, n_new = 0;
    for (bool more = true; more;) {
        more = !atomic_load(&done);
        const struct ap_precoder *p = inbox_take(box, UINT64_MAX - 1, late, &n_late);
        if (!p) {
            continue;
        }
        assert_true(p->header.block >= last);
        n_new += p->header.block > last;
        last = p->header.block;
        for (int i = 0; i < N_VALUES; i++) {
            assert_true(crealf(p->V[i]) == (float)last);
        }
    }
    pthread_join(thread, NULL);
    assert_int_equal(last, N_PUSHED - 1);
    assert_true(n_new > 0);
    inbox_destroy(box);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_newest_is_the_highest_block),        cmocka_unit_test(test_the_future_is_left_alone),
        cmocka_unit_test(test_the_oldest_is_overwritten),          cmocka_unit_test(test_a_new_session_counts_anew),
        cmocka_unit_test(test_a_slot_asked_for_again_is_the_same), cmocka_unit_test(test_two_threads)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
