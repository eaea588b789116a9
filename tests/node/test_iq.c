/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The recording of what a node receives: every sample in the files is at the tick that the metadata says, through gaps,
 * a slow writer, a full disk, a restart; pilots and guards only; integers off the wire stay what they were. */
#include "base/error.h"
#include "base/rt.h"
#include "hw/sigmf.h"
#include "node/iq_state.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum { N_ANT = 2, ROOM = 200000 };

struct place {
    char dir[64];
    struct config *config;
    struct frame frame;
    struct node_iq_settings settings;
    node_iq_t *iq;
    tutti_cf32 *buffers[N_ANT];
    struct sigmf_meta meta; /* of the last antenna, as last examined */
    struct sigmf_track track;
};

/* Samples that name antenna and tick, whole numbers of the wire. */
static tutti_cf32 sample_at(int antenna, tutti_tick tick)
{
    return CMPLXF((float)(tick % 30011) / 32768, (float)(antenna * 1000 - (int)(tick / 30011 % 1000)) / 32768);
}

static void place_create(struct place *p, const char *more)
{
    *p = (struct place){0};
    char dir[96];
    const char *overrides[] = {dir, more, "network.n_ant=2"};
    snprintf(p->dir, sizeof p->dir, "/tmp/tutti-iq-XXXXXX");
    assert_non_null(mkdtemp(p->dir));
    snprintf(dir, sizeof dir, "record.iq.dir=%s/iq", p->dir);
    assert_int_equal(config_load(&p->config, NULL, overrides, 3), 0);
    assert_int_equal(frame_init(&p->frame, p->config), 0);
    p->settings = (struct node_iq_settings){.config = p->config,
                                            .frame = &p->frame,
                                            .role = CONFIG_ROLE_AP,
                                            .id = 1,
                                            .info = {.rate_hz = 1.92e6, .n_ant = N_ANT, .repeatable = true},
                                            .session = 77,
                                            .epoch = 0};
    for (int a = 0; a < N_ANT; a++) {
        p->buffers[a] = calloc(ROOM, sizeof(tutti_cf32));
    }
}

static void place_begin(struct place *p)
{
    assert_int_equal(node_iq_create(&p->iq, &p->settings), 0);
}

static void place_forget(struct place *p)
{
    sigmf_meta_free(&p->meta);
    sigmf_track_free(&p->track);
}

static void place_destroy(struct place *p)
{
    char command[128];
    node_iq_destroy(p->iq);
    place_forget(p);
    config_free(p->config);
    for (int a = 0; a < N_ANT; a++) {
        free(p->buffers[a]);
    }
    snprintf(command, sizeof command, "rm -rf %s", p->dir);
    assert_int_equal(system(command), 0);
}

static void take(struct place *p, tutti_tick from, tutti_tick to)
{
    struct radio_got got = {.tick = from, .n = (int)(to - from)};
    assert_true(got.n <= ROOM);
    for (int a = 0; a < N_ANT; a++) {
        for (int i = 0; i < got.n; i++) {
            p->buffers[a][i] = sample_at(a, from + (tutti_tick)i);
        }
    }
    node_iq_take(p->iq, p->buffers, &got, p->settings.epoch);
}

static void finish(struct place *p)
{
    node_iq_destroy(p->iq);
    p->iq = NULL;
}

static tutti_cf32 value_at(const struct sigmf_meta *m, FILE *data)
{
    int16_t k[2];
    tutti_cf32 v;
    if (m->type == SIGMF_CF32) {
        assert_int_equal(fread(&v, sizeof v, 1, data), 1);
        return v;
    }
    assert_int_equal(fread(k, sizeof k, 1, data), 1);
    return CMPLXF((float)k[0] * (float)m->step, (float)k[1] * (float)m->step);
}

/* Every sample of every antenna is the one its tick says; returns how many there are. */
static uint64_t examine(struct place *p)
{
    struct sigmf_meta *const m = &p->meta;
    struct sigmf_track *const t = &p->track;
    uint64_t n = 0;
    for (int a = 0; a < N_ANT; a++) {
        place_forget(p);
        char dir[80], path[PATH_MAX];
        struct stat info;
        snprintf(dir, sizeof dir, "%s/iq", p->dir);
        sigmf_path(path, dir, "ap", 1, a, ".sigmf-meta");
        assert_int_equal(sigmf_meta_read(m, t, path), 0);
        assert_int_equal(m->antenna, a);
        sigmf_path(path, dir, "ap", 1, a, ".sigmf-data");
        assert_int_equal(stat(path, &info), 0);
        n = (uint64_t)info.st_size / sigmf_sample_bytes(m->type);
        FILE *data = fopen(path, "rb");
        for (size_t s = 0; s < t->n_segment; s++) {
            const uint64_t end = s + 1 < t->n_segment ? t->segment[s + 1].start : n;
            for (uint64_t i = t->segment[s].start; i < end; i++) {
                const tutti_cf32 v = value_at(m, data),
                                 right = sample_at(a, t->segment[s].tick + i - t->segment[s].start);
                assert_true(v == right);
            }
        }
        fclose(data);
        if (m->sha512[0]) {
            char hash[SIGMF_HASH_ROOM];
            assert_int_equal(sigmf_hash_file(hash, path), 0);
            assert_string_equal(hash, m->sha512);
        }
    }
    return n;
}

static const struct sigmf_annotation *fault(const struct place *p, enum sigmf_fault kind)
{
    for (size_t i = 0; i < p->track.n_annotation; i++) {
        if (p->track.annotation[i].fault == kind) {
            return &p->track.annotation[i];
        }
    }
    return NULL;
}

static void test_range_of_blocks(void **state)
{
    (void)state;
    struct place p;
    place_create(&p, "record.iq={from_block: 2, n_blocks: 3}");
    place_begin(&p);
    const tutti_tick block = (tutti_tick)p.frame.n_block_samples;
    for (tutti_tick tick = 5; tick < 8 * block; tick += 1000) {
        assert_int_equal(node_iq_wants(p.iq), tick < 5 * block);
        take(&p, tick, tick + 1000);
    }
    finish(&p);
    assert_int_equal(examine(&p), 3 * block);
    assert_int_equal(p.track.n_segment, 1);
    assert_int_equal(p.track.segment[0].tick, 2 * block);
    assert_int_equal(p.track.n_annotation, 2 * p.frame.n_symbol); /* first and last block */
    for (size_t i = 0; i < p.track.n_annotation; i++) {
        const struct sigmf_annotation *a = &p.track.annotation[i];
        const uint64_t symbol = (a->start - (a->block - 2) * block) / (uint64_t)p.frame.n_symbol_samples;
        assert_true(a->block == 2 || a->block == 4);
        assert_int_equal(a->letter, p.frame.letter[symbol]);
        assert_int_equal(a->start, (a->block - 2) * block + symbol * (uint64_t)p.frame.n_symbol_samples);
    }
    assert_int_equal(p.meta.session, 77);
    assert_string_equal(p.meta.role, "ap");
    assert_int_equal(strlen(p.meta.sha512), 128);
    place_destroy(&p);
}

static void test_pilots_and_guards_only(void **state)
{
    (void)state;
    struct place p;
    place_create(&p, "record.iq.symbols=PG");
    place_begin(&p);
    const uint64_t block = (uint64_t)p.frame.n_block_samples, symbol = (uint64_t)p.frame.n_symbol_samples;
    for (tutti_tick tick = 0; tick < 10 * block; tick += 750) {
        take(&p, tick, tick + 750);
    }
    finish(&p);
    assert_int_equal(examine(&p), 10 * 7 * symbol); /* B G P4 U24 G D38 G */
    assert_true(p.meta.pilots_only);
    for (tutti_tick tick = 0; tick < 10 * block; tick++) {
        const uint64_t s = tick % block / symbol;
        const char letter = s < (uint64_t)p.frame.n_symbol ? p.frame.letter[s] : ' ';
        uint64_t start;
        assert_int_equal(sigmf_track_find(&p.track, p.meta.n_samples, tick, &start), letter == 'P' || letter == 'G');
    }
    place_destroy(&p);
}

static void test_a_loss_begins_a_segment(void **state)
{
    (void)state;
    struct place p;
    place_create(&p, "record.iq.n_blocks=0");
    place_begin(&p);
    take(&p, 100, 5000);
    take(&p, 5000, 7000);
    take(&p, 7300, 9000);
    take(&p, 9000, 9100);
    finish(&p);
    assert_int_equal(examine(&p), 9000 - 300);
    assert_int_equal(p.track.n_segment, 2);
    assert_int_equal(p.track.segment[1].tick, 7300);
    const struct sigmf_annotation *lost = fault(&p, SIGMF_LOST);
    assert_non_null(lost);
    assert_int_equal(lost->tick, 7000);
    assert_int_equal(lost->n, 300);
    assert_int_equal(lost->n_after, 1700);
    assert_int_equal(lost->start, 6900);
    place_destroy(&p);
}

/* Where time waits nothing is dropped, however slow the writer; where it does not, what is dropped is counted and what
 * is there is right. */
static void take_much(bool repeatable)
{
    struct place p;
    place_create(&p, "record.iq.n_blocks=0");
    p.settings.info.rate_hz = 1000; /* the shortest ring */
    p.settings.info.repeatable = repeatable;
    place_begin(&p);
    tutti_tick tick = 0;
    uint64_t dropped = 0;
    for (int i = 0; i < (repeatable ? 5 : 1000) && dropped == 0; i++, tick += ROOM) {
        take(&p, tick, tick + ROOM);
        dropped = p.iq->n_dropped;
    }
    while (ring_count(p.iq->ring) > 0) {
        usleep(1000); /* until the writer has looked, however slow the machine */
    }
    take(&p, tick, tick + 100);
    finish(&p);
    const uint64_t n = examine(&p);
    assert_int_equal(dropped > 0, !repeatable);
    uint64_t gone = 0;
    for (size_t i = 0; i < p.track.n_annotation; i++) {
        gone += p.track.annotation[i].fault == SIGMF_DROPPED ? p.track.annotation[i].n : 0;
    }
    assert_int_equal(n + gone, tick + 100);
    assert_int_equal(gone > 0, !repeatable);
    place_destroy(&p);
}

static void test_a_slow_writer(void **state)
{
    (void)state;
    take_much(true);
    take_much(false);
}

static void test_integers_off_the_wire(void **state)
{
    (void)state;
    struct place p;
    place_create(&p, "record.iq.n_blocks=0");
    p.settings.info.sample_step = 1.0f / 32768;
    place_begin(&p);
    take(&p, 0, 50000);
    finish(&p);
    assert_int_equal(examine(&p), 50000);
    assert_int_equal(p.meta.type, SIGMF_CI16);
    place_destroy(&p);
}

/* Stands for a full disk: the file must not grow beyond a limit. */
static void test_a_full_disk_ends_the_recording_only(void **state)
{
    (void)state;
    struct place p;
    struct rlimit before, limit = {.rlim_cur = 100000, .rlim_max = RLIM_INFINITY};
    place_create(&p, "record.iq.n_blocks=0");
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    limit.rlim_max = before.rlim_max;
    p.settings.info.rate_hz = 1000; /* the shortest ring: the writer has met the limit long before all is taken */
    place_begin(&p);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    for (tutti_tick tick = 0; tick < 10 * ROOM; tick += ROOM) {
        take(&p, tick, tick + ROOM); /* comes back, though nobody writes any more */
    }
    assert_false(node_iq_wants(p.iq));
    finish(&p);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    const uint64_t n = examine(&p);
    assert_in_range(n, 1, 100000 / sizeof(tutti_cf32));
    assert_int_equal(n, p.meta.n_samples);
    assert_false(rt_stop_requested());
    place_destroy(&p);
}

static void test_a_restarted_node_goes_on(void **state)
{
    (void)state;
    struct place p;
    place_create(&p, "record.iq.n_blocks=0");
    place_begin(&p);
    take(&p, 0, 5000);
    finish(&p);
    p.settings.session = 78;
    place_begin(&p);
    take(&p, 6000, 8000);
    finish(&p);
    assert_int_equal(examine(&p), 7000);
    assert_int_equal(p.track.n_segment, 2);
    assert_int_equal(p.track.segment[1].tick, 6000);
    const struct sigmf_annotation *restart = fault(&p, SIGMF_RESTART);
    assert_non_null(restart);
    assert_int_equal(restart->start, 5000);
    assert_int_equal(restart->n, 78);
    place_begin(&p); /* earlier samples than those that are there */
    take(&p, 100, 200);
    finish(&p);
    assert_int_equal(examine(&p), 7000);
    p.settings.info.rate_hz *= 2; /* another network */
    assert_int_equal(node_iq_create(&p.iq, &p.settings), TUTTI_EREFUSED);
    assert_non_null(strstr(error_text(), "record.iq.dir"));
    place_destroy(&p);
}

static void test_only_named_nodes(void **state)
{
    (void)state;
    struct place p;
    place_create(&p, "record.iq.nodes=[ap0, ue1]");
    place_begin(&p);
    assert_null(p.iq);
    place_destroy(&p);
}

/* The epoch moves, or time goes back: what was recorded stays right. */
static void test_time_changes(void **state)
{
    (void)state;
    struct place p;
    place_create(&p, "record.iq.n_blocks=0");
    place_begin(&p);
    take(&p, 4000, 9000);
    take(&p, 0, 1000);
    assert_false(node_iq_wants(p.iq));
    take(&p, 9000, 9500);
    finish(&p);
    assert_int_equal(examine(&p), 5000);
    place_destroy(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_range_of_blocks),
        cmocka_unit_test(test_pilots_and_guards_only),
        cmocka_unit_test(test_a_loss_begins_a_segment),
        cmocka_unit_test(test_a_slow_writer),
        cmocka_unit_test(test_integers_off_the_wire),
        cmocka_unit_test(test_a_full_disk_ends_the_recording_only),
        cmocka_unit_test(test_a_restarted_node_goes_on),
        cmocka_unit_test(test_only_named_nodes),
        cmocka_unit_test(test_time_changes),
    };
    signal(SIGXFSZ, SIG_IGN); /* as rt_stop_install does */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
