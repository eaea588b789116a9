/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Rosters: everybody derives the same sequences from them, waiting users all get their turn, and what was told for a
 * block holds from that block on. */
#include "base/error.h"
#include "node/roster.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { N_UE = 11, N_SERVED = 3, N_PILOT = 5, PERIOD = 4 /* 8 wait, 2 sequences are left */ };

static struct config *load(const char *sounding, const char *schedule)
{
    char text[64], frame[64];
    struct config *config;
    snprintf(text, sizeof text, "scheduler.sounding=%s", sounding);
    snprintf(frame, sizeof frame, "frame.schedule=%s", schedule);
    const char *const overrides[] = {
        "network.n_ue=11", "scheduler.n_served=3", "scheduler.always=[6]", "frame.n_dl_pilot_symbols=3", text, frame};
    assert_int_equal(config_load(&config, NULL, overrides, 6), 0);
    return config;
}

struct fixture {
    struct config *config;
    struct frame frame;
    struct roster *roster;
};

static struct fixture make(const char *sounding, const char *schedule)
{
    struct fixture f = {.config = load(sounding, schedule)};
    assert_int_equal(frame_init(&f.frame, f.config), 0);
    f.roster = calloc(1, roster_bytes(f.config));
    return f;
}

static void drop(struct fixture *f)
{
    free(f->roster);
    config_free(f->config);
}

static void the_first_roster_has_those_always_served(void **state)
{
    (void)state;
    struct fixture f = make("all", "B G P11 U24 G D31 G");
    roster_first(f.config, f.roster);
    assert_int_equal(roster_user(f.roster, 0), 6);
    assert_int_equal(roster_user(f.roster, 1), 0);
    assert_int_equal(roster_user(f.roster, 2), 1);
    assert_int_equal(roster_place(f.roster, 6), 0);
    assert_int_equal(roster_place(f.roster, 2), -1);
    assert_int_equal(roster_period(f.config, &f.frame), 1);
    for (int k = 0; k < N_UE; k++) {
        assert_int_equal(roster_sequence(f.config, &f.frame, f.roster, k, 17), k);
    }
    drop(&f);
}

/* In every block no two users send the same sequence, those served send theirs, and in a period everybody is heard. */
static void in_turns_everybody_is_heard(void **state)
{
    (void)state;
    struct fixture f = make("rotate", "B G P5 U24 G D37 G");
    int heard[N_UE] = {0};
    roster_fill(f.config, 40, (const int[]){9, 2, 5}, f.roster);
    assert_int_equal(roster_period(f.config, &f.frame), PERIOD);
    for (uint64_t block = 40; block < 40 + PERIOD; block++) {
        int user_of[N_PILOT];
        memset(user_of, -1, sizeof user_of);
        for (int k = 0; k < N_UE; k++) {
            const int q = roster_sequence(f.config, &f.frame, f.roster, k, block);
            assert_in_range(q + 1, 0, N_PILOT);
            if (q >= 0) {
                assert_int_equal(user_of[q], -1);
                user_of[q] = k;
                heard[k]++;
            }
        }
        assert_memory_equal(user_of, ((const int[]){9, 2, 5}), N_SERVED * sizeof(int));
    }
    for (int k = 0; k < N_UE; k++) {
        assert_int_equal(heard[k], roster_place(f.roster, k) >= 0 ? PERIOD : 1);
    }
    drop(&f);
}

static void what_is_told_is_what_is_heard(void **state)
{
    (void)state;
    struct fixture f = make("rotate", "B G P5 U24 G D37 G");
    struct roster *const other = calloc(1, roster_bytes(f.config));
    char text[256], answer[64];
    uint64_t from_block;
    roster_fill(f.config, 12345678901, (const int[]){10, -1, 6}, f.roster);
    assert_int_equal(roster_write(f.roster, text, sizeof text), 0);
    assert_int_equal(roster_read(f.config, text, other), 0);
    assert_memory_equal(f.roster, other, roster_bytes(f.config));
    assert_int_equal(roster_write(f.roster, text, 40), TUTTI_EINVAL);
    assert_int_equal(roster_write_heard(f.roster, answer, sizeof answer), 0);
    assert_true(roster_read_heard(answer, &from_block));
    assert_true(from_block == 12345678901);
    static const char *const wrong[] = {
        "",
        "{}",
        "{\"type\":\"roster\",\"from_block\":1,\"users\":[1,2]}",
        "{\"type\":\"roster\",\"from_block\":1,\"users\":[1,2,2]}",
        "{\"type\":\"roster\",\"from_block\":1,\"users\":[1,2,11]}",
        "{\"type\":\"roster\",\"from_block\":-1,\"users\":[1,2,3]}",
        "{\"type\":\"no_precoder\",\"from_block\":1,\"users\":[1,2,3]}",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_int_equal(roster_read(f.config, wrong[i], other), TUTTI_EFORMAT);
        assert_false(roster_read_heard(wrong[i], &from_block));
    }
    free(other);
    drop(&f);
}

static int first_user(struct roster_book *book, uint64_t block)
{
    return roster_user(roster_book_at(book, block), 0);
}

static void add(const struct fixture *f, struct roster_book *book, uint64_t from_block, int user)
{
    roster_fill(f->config, from_block, (const int[]){user, 6, -1}, f->roster);
    assert_true(roster_book_add(book, f->roster));
}

static void a_book_knows_which_holds(void **state)
{
    (void)state;
    struct fixture f = make("all", "B G P11 U24 G D31 G");
    struct roster_book *book;
    assert_int_equal(roster_book_create(&book, f.config), 0);
    assert_int_equal(first_user(book, 0), 6);
    add(&f, book, 10, 1);
    add(&f, book, 20, 2);
    assert_int_equal(first_user(book, 9), 6);
    assert_int_equal(first_user(book, 10), 1);
    assert_int_equal(first_user(book, 20), 2); /* pilots are queued a block ahead of the downlink */
    assert_int_equal(first_user(book, 19), 1);
    assert_int_equal(first_user(book, 1000), 2);
    for (uint64_t b = 30; b < 3000; b += 10) { /* however many */
        add(&f, book, b, (int)(b / 10 % 5));
        assert_int_equal(first_user(book, b + 9), (int)(b / 10 % 5));
    }
    add(&f, book, 0, 8); /* a central node that began anew, and so did its blocks */
    assert_int_equal(first_user(book, 3), 8);
    roster_book_destroy(book);
    roster_book_destroy(NULL);
    drop(&f);
}

/* Clusters: 11 users on 4 pilots. */
static struct fixture make_clusters(void)
{
    struct fixture f;
    const char *const overrides[] = {"network.n_ue=11", "cluster.enabled=true"};
    assert_int_equal(config_load(&f.config, NULL, overrides, 2), 0);
    assert_int_equal(frame_init(&f.frame, f.config), 0);
    f.roster = calloc(1, roster_bytes(f.config));
    return f;
}

static const int PILOTS[N_UE] = {3, 0, 0, 1, 3, 0, 2, 3, 1, 0, 3};

/* All on their pilots, but for one block in ten, in which each is alone in turn; before anything is assigned always. */
static void users_of_a_pilot_are_alone_in_turn(void **state)
{
    (void)state;
    struct fixture f = make_clusters();
    for (int learning = 0; learning < 2; learning++) {
        int alone[N_UE] = {0};
        roster_fill_pilots(f.config, learning ? 0 : 40, PILOTS, f.roster);
        for (uint64_t block = 40; block < 40 + 12 * ROSTER_ALONE_EVERY; block++) {
            int n_of[4] = {0}, sent[N_UE];
            for (int k = 0; k < N_UE; k++) {
                sent[k] = roster_sequence(f.config, &f.frame, f.roster, k, block);
                assert_true(sent[k] == -1 || sent[k] == PILOTS[k]);
                assert_int_equal(roster_downlink(f.roster, k), PILOTS[k]);
                n_of[PILOTS[k]] += sent[k] >= 0;
            }
            for (int k = 0; k < N_UE; k++) {
                const bool turn = learning || block % ROSTER_ALONE_EVERY == 0;
                assert_true(turn ? n_of[PILOTS[k]] == 1 : sent[k] >= 0);
                alone[k] += turn && sent[k] >= 0;
            }
        }
        for (int k = 0, n = learning ? ROSTER_ALONE_EVERY : 1; k < N_UE; k++) {
            const int sharers[4] = {4, 2, 1, 4};
            assert_int_equal(alone[k], n * 12 / sharers[PILOTS[k]]);
        }
    }
    drop(&f);
}

static void clusters_are_told(void **state)
{
    (void)state;
    struct fixture f = make_clusters();
    struct roster *const other = calloc(1, roster_bytes(f.config));
    const uint8_t served[N_UE] = {0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 1};
    char text[1024];
    roster_fill_pilots(f.config, 7, PILOTS, f.roster);
    for (int one = 0; one < 2; one++) {
        assert_int_equal(roster_write(f.roster, text, sizeof text), 0);
        assert_int_equal(roster_read(f.config, text, other), 0);
        assert_memory_equal(f.roster, other, roster_bytes(f.config));
        for (int k = 0; k < N_UE; k++) {
            assert_int_equal(roster_serves(other, k), one ? served[k] : 1);
        }
        roster_serve(f.roster, served);
    }
    const char *const wrong[] = {
        "{\"type\":\"roster\",\"from_block\":1,\"users\":[0,1,2,3,4,5,6,7,8,9,10]}",
        "{\"type\":\"roster\",\"from_block\":1,\"users\":[0,1,2,3,4,5,6,7,8,9,10],\"pilots\":[0,0,0,0,0,0,0,0,0,0,4]}",
        "{\"type\":\"roster\",\"from_block\":1,\"users\":[0,1,2,3,4,5,6,7,8,9,10],\"pilots\":[0,0,0,0,0,0,0,0,0,0]}",
        ("{\"type\":\"roster\",\"from_block\":1,\"users\":[0,1,2,3,4,5,6,7,8,9,10],\"pilots\":[0,0,0,0,0,0,0,0,0,0,3],"
         "\"serves\":[11]}"),
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_int_equal(roster_read(f.config, wrong[i], other), TUTTI_EFORMAT);
    }
    free(other);
    drop(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_roster_has_those_always_served),
        cmocka_unit_test(in_turns_everybody_is_heard),
        cmocka_unit_test(what_is_told_is_what_is_heard),
        cmocka_unit_test(a_book_knows_which_holds),
        cmocka_unit_test(users_of_a_pilot_are_alone_in_turn),
        cmocka_unit_test(clusters_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
