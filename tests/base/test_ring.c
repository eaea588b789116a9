/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "../sanitized.h"
#include "base/error.h"
#include "base/ring.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void test_fill_and_empty(void **state)
{
    (void)state;
    static const struct {
        size_t asked, given;
    } sizes[] = {{0, 2}, {1, 2}, {2, 2}, {3, 4}, {8, 8}, {9, 16}};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        ring_t *ring;
        assert_int_equal(ring_create(&ring, sizes[s].asked, 5), 0);
        assert_null(ring_peek(ring, 0));
        size_t n = 0;
        for (unsigned char *slot; (slot = ring_write_slot(ring)); n++) {
            static const unsigned char zero[5];
            assert_int_equal((uintptr_t)slot % 64, 0);
            assert_memory_equal(slot, zero, sizeof zero);
            memset(slot, (int)n + 1, 5);
            assert_int_equal(ring_count(ring), n); /* not before the push */
            ring_push(ring);
        }
        assert_int_equal(n, sizes[s].given);
        assert_int_equal(ring_count(ring), n);
        for (size_t k = 0; k < n; k++) {
            assert_int_equal(*(const unsigned char *)ring_peek(ring, k), k + 1);
        }
        assert_null(ring_peek(ring, n));
        ring_pop(ring);
        assert_int_equal(*(const unsigned char *)ring_peek(ring, 0), 2);
        assert_non_null(ring_write_slot(ring));
        ring_destroy(ring);
    }
    ring_destroy(NULL);
}

static void test_impossible_shapes_are_refused(void **state)
{
    (void)state;
    ring_t *ring = (ring_t *)&ring;
    assert_int_equal(ring_create(&ring, 4, 0), TUTTI_EINVAL);
    assert_null(ring);
    assert_int_equal(ring_create(&ring, SIZE_MAX, 64), TUTTI_EINVAL);
    assert_int_equal(ring_create(&ring, SIZE_MAX / 8, SIZE_MAX / 8), TUTTI_EINVAL);
    assert_null(ring);
}

enum { N_ITEMS = SANITIZED ? 100000 : 1000000, ITEM_WORDS = 3 };

static void *produce(void *ring)
{
    for (uint64_t i = 0; i < N_ITEMS; i++) {
        uint64_t *slot;
        while (!(slot = ring_write_slot(ring))) {
            sched_yield();
        }
        for (int w = 0; w < ITEM_WORDS; w++) {
            slot[w] = i * 3 + (uint64_t)w;
        }
        ring_push(ring);
    }
    return NULL;
}

/* Every item whole, in order, none lost, none twice; the consumer also looks ahead as far as it can. */
static void test_two_threads_keep_order(void **state)
{
    (void)state;
    ring_t *ring;
    pthread_t producer;
    assert_int_equal(ring_create(&ring, 16, ITEM_WORDS * sizeof(uint64_t)), 0);
    assert_int_equal(pthread_create(&producer, NULL, produce, ring), 0);
    uint64_t wrong = 0;
    for (uint64_t i = 0; i < N_ITEMS;) {
        const size_t n = ring_count(ring);
        wrong += n > 16;
        if (n == 0) {
            sched_yield();
            continue;
        }
        const uint64_t *last = ring_peek(ring, n - 1);
        wrong += last[0] != (i + n - 1) * 3;
        const uint64_t *slot = ring_peek(ring, 0);
        for (int w = 0; w < ITEM_WORDS; w++) {
            wrong += slot[w] != i * 3 + (uint64_t)w;
        }
        ring_pop(ring);
        i++;
    }
    pthread_join(producer, NULL);
    assert_int_equal(wrong, 0);
    assert_int_equal(ring_count(ring), 0);
    ring_destroy(ring);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fill_and_empty),
        cmocka_unit_test(test_impossible_shapes_are_refused),
        cmocka_unit_test(test_two_threads_keep_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
