/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The pilot-attack detector: its tail probability against closed forms, its false-alarm rate and its detection
 * probability against Monte-Carlo, its behaviour when blocks are correlated, users come and go, APs are silent. */
#include "base/error.h"
#include "channel/random.h"
#include "control/attack.h"
#include "sanitized.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { N_AP = 4, N_ANT = 4, N_UE = 64, WINDOW = 16, REFERENCE = 256 };

struct rig {
    struct attack_settings set;
    int pilot[N_UE];
    attack_t *attack;
    tutti_cf32 *H_hat, *g; /* [n_ap][n_ant][n_ue] */
    float beta[N_AP * N_UE];
    uint8_t ap_present[N_AP], user_present[N_UE], suspected[N_UE];
    double score[N_UE];
    double energy[N_UE]; /* of the last block, in units of its mean without attack, all APs and antennas */
    uint64_t seed, draws;
    double turn;       /* of all phases from block to block, in radians */
    const float *wild; /* instead of one estimate of every user at an AP; NULL: none */
};

static bool unknown(double score)
{
    return isnan(score);
}

static void setup(struct rig *r, int n_ap, double false_alarm, uint64_t seed)
{
    *r = (struct rig){.seed = seed};
    for (int k = 0; k < N_UE; k++) {
        r->pilot[k] = k;
    }
    r->set = (struct attack_settings){
        .n_sb = 1, .n_ap = n_ap, .n_ant = N_ANT, .n_ue = N_UE, .pilot_of_user = r->pilot, .pilot_power = 48};
    attack_settings_default(&r->set);
    r->set.false_alarm = false_alarm;
    assert_int_equal(attack_create(&r->attack, &r->set), TUTTI_OK);
    r->H_hat = calloc((size_t)(n_ap * N_ANT * N_UE), sizeof *r->H_hat);
    r->g = calloc((size_t)(n_ap * N_ANT * N_UE), sizeof *r->g);
    assert_true(r->H_hat && r->g);
    memset(r->ap_present, 1, sizeof r->ap_present);
    memset(r->user_present, 1, sizeof r->user_present);
    for (int i = 0; i < n_ap * N_UE; i++) { /* gains 30 dB apart: only ratios may count */
        r->beta[i] = (float)pow(10, 3 * random_uniform(random_key(seed, RANDOM_SHADOWING, (uint64_t)i, 0, 0), 0));
    }
}

static void teardown(struct rig *r)
{
    attack_destroy(r->attack);
    free(r->H_hat);
    free(r->g);
}

/* One block of estimates as estimate.h makes them, with `gain` times the power at each AP; memory: correlation of the
 * fading with the block before. */
static void block(struct rig *r, const double *gain, double memory)
{
    memset(r->energy, 0, sizeof r->energy);
    const uint64_t key = random_key(r->seed, RANDOM_FADING, r->draws++, 0, 0);
    const double fresh = sqrt(0.5 * (1 - memory * memory)); /* random_normal is CN(0, 2) */
    const tutti_cf32 kept = CMPLXF((float)(memory * cos(r->turn)), (float)(memory * sin(r->turn)));
    for (int m = 0; m < r->set.n_ap; m++) {
        for (int i = 0; i < N_ANT * N_UE; i++) {
            const int at = m * N_ANT * N_UE + i, k = i % N_UE;
            const double beta = (double)r->beta[m * N_UE + k], mean = r->set.pilot_power * beta + 1;
            float re, im;
            random_normal(key, (uint64_t)at, &re, &im);
            r->g[at] = (r->draws == 1 ? 0 : kept) * r->g[at] +
                       (float)(r->draws == 1 ? sqrt(0.5) : fresh) * __builtin_complex(re, im);
            const double scale = sqrt(gain ? gain[m] : 1), c = sqrt(r->set.pilot_power) * beta / mean;
            r->H_hat[at] = (float)(c * sqrt(mean) * scale) * r->g[at];
            r->energy[k] +=
                scale * scale * (double)(crealf(r->g[at]) * crealf(r->g[at]) + cimagf(r->g[at]) * cimagf(r->g[at]));
        }
    }
    for (int k = 0; r->wild && k < N_UE; k++) {
        r->H_hat[N_ANT * N_UE + k] = *r->wild;
    }
    const struct attack_block b = {
        .H_hat = r->H_hat, .beta = r->beta, .ap_present = r->ap_present, .user_present = r->user_present};
    attack_execute(r->attack, &b, r->score, r->suspected);
}

static void blocks(struct rig *r, int n, const double *gain, double memory)
{
    for (int b = 0; b < n; b++) {
        block(r, gain, memory);
    }
}

/* Closed forms: P(F > x) = z^b for a = 1, 1 - (1 - z)^a for b = 1, z = b / (b + a x); and both tails add up to one. */
static void test_tail(void **state)
{
    (void)state;
    static const double x[] = {1e-6, 0.01, 0.3, 0.9, 1, 1.2, 3, 50, 1e6}, shape[] = {0.5, 1, 3, 64.25, 1000, 40000};
    for (size_t i = 0; i < sizeof x / sizeof x[0]; i++) {
        for (size_t j = 0; j < sizeof shape / sizeof shape[0]; j++) {
            const double s = shape[j], one = attack_log_tail(x[i], 1, s), want = -s * log1p(x[i] / s);
            assert_true(fabs(one - want) <= 1e-9 * (1 + fabs(want)));
            const double p = exp(attack_log_tail(x[i], s, 1)), other = -expm1(-s * log1p(1 / (s * x[i])));
            assert_true(fabs(p - other) <= 1e-9 * other + 1e-15);
            const double up = exp(attack_log_tail(x[i], s, 7)), down = exp(attack_log_tail(1 / x[i], 7, s));
            assert_true(fabs(up + down - 1) < 1e-9);
        }
    }
    assert_true(attack_log_tail(4, 1024, 4096) < -500); /* far beyond what a plain probability can hold */
    assert_true(isfinite(attack_log_tail(1000, 10000, 40000)));
    assert_true(attack_log_tail(0, 3, 4) == 0);
}

/* Every user is a trial of its own: how often is the probability told below p? */
static void test_false_alarm_rate(void **state)
{
    (void)state;
    static const double p[] = {0.1, 0.01, 0.001};
    int n_below[3] = {0}, n = 0;
    for (uint64_t trial = 0; trial < (SANITIZED ? 20 : 120); trial++) {
        struct rig r;
        setup(&r, N_AP, 1e-6, 1000 + trial);
        blocks(&r, WINDOW + 60, NULL, 0);
        for (int k = 0; k < N_UE; k++, n++) {
            for (int i = 0; i < 3; i++) {
                n_below[i] += r.score[k] > -log10(p[i]);
            }
        }
        teardown(&r);
    }
    for (int i = 0; i < 3; i++) { /* a little below is right: correlation is never measured as less than none */
        const double sigma = sqrt(n * p[i] * (1 - p[i]));
        print_message("false alarms at %g: %d of %d, expected %.1f\n", p[i], n_below[i], n, n * p[i]);
        assert_true(n_below[i] < n * p[i] + 4 * sigma && n_below[i] > 0.75 * n * p[i] - 4 * sigma);
    }
}

/* One in a million by importance sampling: fading `tilt` stronger in the window, each alarm weighted by how much rarer
 * it is without. */
static void test_rare_false_alarm(void **state)
{
    (void)state;
    const double tilt = 1.32, gain[N_AP] = {tilt, tilt, tilt, tilt};
    double sum = 0, square = 0;
    int n = 0;
    for (uint64_t trial = 0; trial < (SANITIZED ? 10 : 60); trial++) {
        struct rig r;
        double energy[N_UE] = {0};
        setup(&r, N_AP, 1e-6, 5000 + trial);
        blocks(&r, 100, NULL, 0);
        for (int b = 0; b < WINDOW; b++) {
            block(&r, gain, 0);
            for (int k = 0; k < N_UE; k++) {
                energy[k] += r.energy[k];
            }
        }
        for (int k = 0; k < N_UE; k++, n++) {
            const double weight = exp(N_AP * N_ANT * WINDOW * log(tilt) - energy[k] * (1 - 1 / tilt));
            sum += r.suspected[k] ? weight : 0;
            square += r.suspected[k] ? weight * weight : 0;
        }
        teardown(&r);
    }
    const double rate = sum / n, sigma = sqrt(square) / n;
    print_message("false-alarm rate %.3g +- %.1g, asked for 1e-06\n", rate, sigma);
    assert_true(rate < 1e-6 + 4 * sigma && rate > 0.4e-6 - 4 * sigma);
}

/* Under attack by the factor g the ratio is g times an F: P(detect) = P(F > x / g) with x the threshold. */
static void test_detection_rate(void **state)
{
    (void)state;
    const double false_alarm = 1e-6, a = N_AP * N_ANT * WINDOW, b = N_AP * N_ANT * 100.0;
    double low = 1, high = 10;
    for (int i = 0; i < 60; i++) {
        const double middle = 0.5 * (low + high);
        *(attack_log_tail(middle, a, b) > log(false_alarm) ? &low : &high) = middle;
    }
    static const double factor[] = {1.2, 1.35, 1.5};
    for (int f = 0; f < 3; f++) {
        const double gain[N_AP] = {factor[f], factor[f], factor[f], factor[f]};
        int hits = 0, n = 0;
        for (uint64_t trial = 0; trial < (SANITIZED ? 8 : 25); trial++) {
            struct rig r;
            setup(&r, N_AP, false_alarm, 9000 + trial + 100 * (uint64_t)f);
            blocks(&r, 100, NULL, 0);
            blocks(&r, WINDOW, gain, 0);
            for (int k = 0; k < N_UE; k++, n++) {
                hits += r.suspected[k];
            }
            teardown(&r);
        }
        const double want = exp(attack_log_tail(low / factor[f], a, b)), got = (double)hits / n;
        const double sigma = sqrt(want * (1 - want) / n);
        print_message("factor %.2f: detected %.3f, theory %.3f\n", factor[f], got, want);
        assert_true(fabs(got - want) < 0.03 + 4 * sigma);
    }
}

/* Correlated blocks must not raise more alarms than promised, though their phase turns, or one of the first is wild. */
static void correlated_run(double turn, const float *wild, int wild_block)
{
    const uint64_t n_trial = SANITIZED ? 1 : wild ? 3 : 6;
    int alarms = 0, n = 0;
    for (uint64_t trial = 0; trial < n_trial; trial++) {
        struct rig r;
        setup(&r, N_AP, 1e-3, 20000 + trial);
        r.turn = turn;
        for (int b = 0; b < 400; b++) {
            r.wild = b == wild_block ? wild : NULL;
            block(&r, NULL, 0.95);
            for (int k = 0; b >= 100 && k < N_UE; k++, n++) {
                alarms += r.suspected[k];
            }
        }
        teardown(&r);
    }
    print_message("correlation 0.95: %d alarms in %d user blocks at 1e-3\n", alarms, n);
    assert_true(alarms < 3e-3 * n);
}

static void test_correlated_blocks(void **state)
{
    (void)state;
    static const float wild[] = {NAN, INFINITY, 1e38f};
    correlated_run(0, NULL, 0);
    correlated_run(1.5, NULL, 0);
    for (size_t i = 0; i < (SANITIZED ? 1 : sizeof wild / sizeof wild[0]); i++) {
        correlated_run(0, &wild[i], 0);
        correlated_run(0, &wild[i], 30);
    }
}

/* An attack at some APs only is found and stays found; when it ends, so does the suspicion; the others stay clean. */
static void test_onset_and_end(void **state)
{
    (void)state;
    struct rig r;
    setup(&r, N_AP, 1e-6, 7);
    const double gain[N_AP] = {10, 1, 1, 1};
    blocks(&r, WINDOW + r.set.least_blocks - 1, NULL, 0);
    assert_true(unknown(r.score[0]));
    block(&r, NULL, 0);
    assert_false(unknown(r.score[0]));
    blocks(&r, 60, NULL, 0);
    for (int k = 0; k < N_UE; k++) {
        assert_false(r.suspected[k]);
    }
    blocks(&r, WINDOW, gain, 0);
    enum { LONG = SANITIZED ? 300 : 1000 }; /* longer than the reference's memory */
    for (int b = 0; b < LONG; b++) {
        block(&r, gain, 0);
        for (int k = 0; k < N_UE; k++) {
            assert_true(r.suspected[k]);
        }
    }
    blocks(&r, WINDOW, NULL, 0);
    for (int b = 0; b < 100; b++) {
        block(&r, NULL, 0);
        for (int k = 0; k < N_UE; k++) {
            assert_false(r.suspected[k]);
        }
    }
    teardown(&r);
}

static void test_absence(void **state)
{
    (void)state;
    struct rig r;
    setup(&r, N_AP, 1e-6, 8);
    blocks(&r, 100, NULL, 0);
    r.user_present[3] = 0;
    block(&r, NULL, 0);
    assert_true(unknown(r.score[3]) && !unknown(r.score[4]));
    r.user_present[3] = 1;
    block(&r, NULL, 0);
    assert_false(unknown(r.score[3]));
    r.ap_present[1] = 0; /* the others go on */
    const double gain[N_AP] = {3, 3, 3, 3};
    blocks(&r, WINDOW, NULL, 0);
    for (int k = 0; k < N_UE; k++) {
        assert_true(!unknown(r.score[k]) && !r.suspected[k]);
    }
    blocks(&r, WINDOW, gain, 0);
    for (int k = 0; k < N_UE; k++) {
        assert_true(r.suspected[k]);
    }
    attack_reset(r.attack, 5); /* a new place, a new reference */
    blocks(&r, WINDOW + r.set.least_blocks, gain, 0);
    assert_true(!unknown(r.score[5]) && !r.suspected[5] && r.suspected[6]);
    memset(r.beta, 0, sizeof r.beta); /* nothing received anywhere: nothing said, nothing broken */
    blocks(&r, WINDOW, NULL, 0);
    for (int k = 0; k < N_UE; k++) {
        assert_false(r.suspected[k]);
    }
    teardown(&r);
}

/* Blocks without the pilot, from the start and later, leave no trace: no alarm without an attack, one with. */
static void test_lost_pilots(void **state)
{
    (void)state;
    struct rig r;
    setup(&r, N_AP, 1e-6, 10);
    const double attacked[N_AP] = {3, 3, 3, 3};
    double lost[N_AP];
    int n_lost = 0;
    for (int b = 0; b < 400; b++) {
        for (int m = 0; m < N_AP; m++) {
            lost[m] = 1e-4;
        }
        const bool is_lost = random_uniform(random_key(10, RANDOM_NOISE, 0, 0, 0), (uint64_t)b) < 0.4;
        block(&r, is_lost ? lost : NULL, 0);
        n_lost += is_lost;
        for (int k = 0; k < N_UE; k++) {
            assert_false(r.suspected[k]);
            assert_true(!is_lost || unknown(r.score[k]));
        }
    }
    assert_true(n_lost > 100);
    blocks(&r, WINDOW, attacked, 0);
    for (int k = 0; k < N_UE; k++) {
        assert_true(r.suspected[k]);
    }
    teardown(&r);
}

/* Two users on one pilot: the received power is one, so both are under suspicion or none. */
static void test_shared_pilot(void **state)
{
    (void)state;
    struct rig r;
    setup(&r, N_AP, 1e-6, 9);
    attack_destroy(r.attack);
    r.pilot[1] = 0;
    assert_int_equal(attack_create(&r.attack, &r.set), TUTTI_OK);
    const double a = r.set.pilot_power;
    for (int b = 0; b < 100 + WINDOW; b++) {
        for (int i = 0; i < N_AP * N_ANT; i++) {
            float re, im;
            random_normal(random_key(9, RANDOM_FADING, (uint64_t)b, (uint64_t)i, 0), 0, &re, &im);
            const double b0 = 20, b1 = 5, total = a * (b0 + b1) + 1, z = sqrt(0.5 * total * (b >= 100 ? 3 : 1));
            for (int m = 0; m < N_AP; m++) {
                r.beta[m * N_UE] = (float)b0, r.beta[m * N_UE + 1] = (float)b1;
            }
            r.H_hat[i * N_UE] = (float)(sqrt(a) * b0 / total * z) * __builtin_complex(re, im);
            r.H_hat[i * N_UE + 1] = (float)(sqrt(a) * b1 / total * z) * __builtin_complex(re, im);
        }
        const struct attack_block in = {
            .H_hat = r.H_hat, .beta = r.beta, .ap_present = r.ap_present, .user_present = r.user_present};
        attack_execute(r.attack, &in, r.score, r.suspected);
        assert_true(unknown(r.score[0]) == unknown(r.score[1]));
        assert_true(unknown(r.score[0]) || fabs(r.score[0] - r.score[1]) < 1e-3 * r.score[0] + 1e-6);
    }
    assert_true(r.suspected[0] && r.suspected[1]);
    teardown(&r);
}

/* Blocks from the start of an attack until every user has been under suspicion; alarms before it are counted. */
struct course {
    int alarms, user_blocks;
    int delay[N_UE];
};

static struct course run_course(const float *wild, int wild_block)
{
    struct rig r;
    struct course course = {0};
    const double attacked[N_AP] = {3, 3, 3, 3};
    setup(&r, N_AP, 1e-3, 11);
    for (int b = 0; b < 400; b++) {
        r.wild = b == wild_block ? wild : NULL;
        block(&r, NULL, 0);
        for (int k = 0; k < N_UE; k++, course.user_blocks++) {
            course.alarms += r.suspected[k];
        }
    }
    for (int b = 1; b <= WINDOW; b++) {
        block(&r, attacked, 0);
        for (int k = 0; k < N_UE; k++) {
            course.delay[k] = course.delay[k] == 0 && r.suspected[k] ? b : course.delay[k];
        }
    }
    for (int k = 0; k < N_UE; k++) {
        assert_int_equal(attack_passed_over(r.attack, k), wild ? 1 : 0);
    }
    teardown(&r);
    return course;
}

/* One wild estimate, in whichever block of the start, neither blinds nor alarms: all goes as in the run without it. */
static void test_wild_estimate(void **state)
{
    (void)state;
    static const float wild[] = {1e38f, 1e15f, 1e6f, NAN, INFINITY};
    static const int when[] = {0, 1, 4, 5, 20, 47, 200};
    const struct course clean = run_course(NULL, -1);
    for (size_t i = 0; i < sizeof wild / sizeof wild[0]; i++) {
        for (size_t j = SANITIZED ? i : 0; j < (SANITIZED ? i + 1 : sizeof when / sizeof when[0]); j++) {
            const struct course c = run_course(&wild[i], when[j]);
            assert_true(c.alarms < 3e-3 * c.user_blocks && abs(c.alarms - clean.alarms) < 20);
            for (int k = 0; k < N_UE; k++) {
                assert_true(clean.delay[k] > 0 && c.delay[k] > 0 && abs(c.delay[k] - clean.delay[k]) <= 2);
            }
        }
    }
}

/* However strong an attack is, when it lasts it is one. */
static void test_very_strong_attack(void **state)
{
    (void)state;
    struct rig r;
    setup(&r, N_AP, 1e-6, 12);
    const double gain[N_AP] = {1e9, 1, 1, 1};
    blocks(&r, 100, NULL, 0);
    blocks(&r, 4, gain, 0);
    for (int b = 0; b < 300; b++) {
        block(&r, gain, 0);
        for (int k = 0; k < N_UE; k++) {
            assert_true(r.suspected[k]);
        }
    }
    blocks(&r, WINDOW, NULL, 0);
    for (int k = 0; k < N_UE; k++) {
        assert_false(r.suspected[k]);
    }
    teardown(&r);
}

/* Scores after the fewest blocks that allow one: no fading but half the antennas' signs and the amplitude alternate. */
static void alternate(struct rig *r, int least, double sign, double amplitude)
{
    setup(r, 2, 1e-6, 13);
    attack_destroy(r->attack);
    r->set.least_blocks = least;
    assert_int_equal(attack_create(&r->attack, &r->set), TUTTI_OK);
    for (int b = 0; b < WINDOW + least; b++) {
        for (int i = 0; i < 2 * N_ANT * N_UE; i++) {
            const int ant = i / N_UE % N_ANT;
            const double beta = (double)r->beta[i / (N_ANT * N_UE) * N_UE + i % N_UE], a = r->set.pilot_power;
            const double factor = (ant < N_ANT / 2 && b % 2 ? sign : 1) * (b % 2 ? amplitude : 1);
            r->H_hat[i] = (float)(factor * sqrt(a) * beta / sqrt(a * beta + 1));
        }
        const struct attack_block in = {
            .H_hat = r->H_hat, .beta = r->beta, .ap_present = r->ap_present, .user_present = r->user_present};
        attack_execute(r->attack, &in, r->score, r->suspected);
    }
    teardown(r);
}

/* As much power as before at both APs, each worth n blocks and antennas against r. Each AP's F has the mean r / (r -
 * 1), that of both together 2 r / (2 r - 1): their mean is moved there before its tail is looked up. Orthogonal blocks
 * are worth all their number, those that differ in amplitude alone are worth one. */
static void test_means_agree(void **state)
{
    (void)state;
    enum { LEAST = 4 };
    for (int alike = 0; alike < 2; alike++) {
        struct rig r;
        alternate(&r, LEAST, alike ? 1 : -1, alike ? 2 : 1);
        const double n = N_ANT * (alike ? 1 : WINDOW), ref = N_ANT * (alike ? 1 : LEAST);
        const double x = (ref - 1) / ref * (2 * ref) / (2 * ref - 1);
        const double want = -attack_log_tail(x, 2 * n, 2 * ref) / log(10);
        for (int k = 0; k < N_UE; k++) {
            assert_true(fabs(r.score[k] - want) < 1e-5 * want);
        }
    }
}

/* A wild estimate at one AP does not hide that the pilot is missing at the others. */
static void test_wild_without_pilot(void **state)
{
    (void)state;
    struct rig r;
    setup(&r, N_AP, 1e-6, 15);
    const double lost[N_AP] = {1e-4, 1e9, 1e-4, 1e-4};
    blocks(&r, 100, NULL, 0);
    for (int b = 0; b < 30; b++) {
        block(&r, lost, 0);
        for (int k = 0; k < N_UE; k++) {
            assert_true(unknown(r.score[k]));
        }
        block(&r, NULL, 0);
        for (int k = 0; k < N_UE; k++) {
            assert_true(!unknown(r.score[k]) && !r.suspected[k]);
        }
    }
    teardown(&r);
}

/* Nine subbands in thirteen antennas' rows of five users: every estimate counts once, whatever divides by what. */
static void test_odd_shape(void **state)
{
    (void)state;
    enum { SB = 9, AP = 2, ANT = 13, UE = 5, ALL = SB * AP * ANT * UE, STEP = SANITIZED ? 58 : 29 };
    static const int pilot[UE] = {0, 1, 2, 3, 4};
    static tutti_cf32 H[ALL];
    float beta[AP * UE];
    const uint8_t here[UE] = {1, 1, 1, 1, 1};
    uint8_t suspected[UE];
    double score[UE];
    for (int i = 0; i < AP * UE; i++) {
        beta[i] = 1;
    }
    for (int lost = 0; lost < SB * ANT; lost += STEP) { /* the whole attack comes through one estimate of each AP */
        attack_t *attack;
        struct attack_settings set = {
            .n_sb = SB, .n_ap = AP, .n_ant = ANT, .n_ue = UE, .pilot_of_user = pilot, .pilot_power = 10};
        attack_settings_default(&set);
        assert_int_equal(attack_create(&attack, &set), TUTTI_OK);
        for (int b = 0; b < 80 + WINDOW; b++) {
            for (int i = 0; i < ALL; i++) {
                const int sb = i / (AP * ANT * UE), ant = i / UE % ANT, k = i % UE;
                float re, im;
                random_normal(random_key(14, RANDOM_FADING, (uint64_t)b, 0, 0), (uint64_t)i, &re, &im);
                const double gain = b >= 80 && k == 3 && sb * ANT + ant == lost ? 500 : 1;
                H[i] = (float)sqrt(0.5 * gain * 10 / 11) * __builtin_complex(re, im);
            }
            const struct attack_block in = {.H_hat = H, .beta = beta, .ap_present = here, .user_present = here};
            attack_execute(attack, &in, score, suspected);
        }
        for (int k = 0; k < UE; k++) {
            assert_int_equal(suspected[k], k == 3);
        }
        attack_destroy(attack);
    }
}

static void test_rate_per_hour(void **state)
{
    (void)state;
    /* 720 000 blocks of 5 ms in an hour */
    assert_true(fabs(attack_false_alarm(0.72, 5000, 1) - 1e-6) < 1e-15);
    assert_true(fabs(attack_false_alarm(1, 5000, 8) * 720000 * 8 - 1) < 1e-9);
}

static void test_settings(void **state)
{
    (void)state;
    static const int pilot[1] = {0};
    attack_t *attack;
    struct attack_settings good = {
        .n_sb = 1, .n_ap = 1, .n_ant = 1, .n_ue = 1, .pilot_of_user = pilot, .pilot_power = 1};
    attack_settings_default(&good);
    struct attack_settings bad = good;
    bad.pilot_power = 0;
    assert_int_equal(attack_create(&attack, &bad), TUTTI_EINVAL);
    assert_null(attack);
    bad = good, bad.reference_blocks = bad.least_blocks - 1;
    assert_int_equal(attack_create(&attack, &bad), TUTTI_EINVAL);
    bad = good, bad.n_ue = TUTTI_MAX_UE + 1;
    assert_int_equal(attack_create(&attack, &bad), TUTTI_EINVAL);
    assert_int_equal(attack_create(&attack, &good), TUTTI_OK);
    attack_destroy(attack);
    attack_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tail),
        cmocka_unit_test(test_false_alarm_rate),
        cmocka_unit_test(test_rare_false_alarm),
        cmocka_unit_test(test_detection_rate),
        cmocka_unit_test(test_correlated_blocks),
        cmocka_unit_test(test_onset_and_end),
        cmocka_unit_test(test_absence),
        cmocka_unit_test(test_lost_pilots),
        cmocka_unit_test(test_shared_pilot),
        cmocka_unit_test(test_wild_estimate),
        cmocka_unit_test(test_very_strong_attack),
        cmocka_unit_test(test_means_agree),
        cmocka_unit_test(test_wild_without_pilot),
        cmocka_unit_test(test_odd_shape),
        cmocka_unit_test(test_rate_per_hour),
        cmocka_unit_test(test_settings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
