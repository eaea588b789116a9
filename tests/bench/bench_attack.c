/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Microseconds per block of the pilot-attack detector, and what it costs against merely adding up all estimates:
 * bench_attack [--json]. The two take turns, so that both see the same machine. "of_copy": what it reads against
 * what memcpy moves of as many bytes: reading them is what it costs at the least. One variant. */
#include "baton.h"
#include "control/attack.h"
#include "measure.h"
#include "row.h"

#include <stdio.h>
#include <stdlib.h>

enum { ROUNDS = 60, MOST = 128 };

struct bench {
    struct attack_settings set;
    int pilot[MOST];
    uint8_t present[MOST], suspected[MOST];
    double score[MOST];
    tutti_cf32 *H_hat;
    float *beta;
};

static size_t fill(struct bench *b)
{
    const size_t n = (size_t)b->set.n_sb * (size_t)(b->set.n_ap * b->set.n_ant * b->set.n_ue);
    const size_t pairs = (size_t)(b->set.n_ap * b->set.n_ue);
    b->H_hat = calloc(n, sizeof *b->H_hat);
    b->beta = calloc(pairs, sizeof *b->beta);
    if (!b->H_hat || !b->beta) {
        return 0;
    }
    for (int i = 0; i < MOST; i++) {
        b->pilot[i] = i;
        b->present[i] = 1;
    }
    for (size_t i = 0; i < pairs; i++) {
        b->beta[i] = 1;
    }
    uint32_t state = 1;
    for (size_t i = 0; i < n; i++) {
        state = state * 1664525u + 1013904223u;
        b->H_hat[i] = CMPLXF((float)(state >> 16) / 32768 - 1, (float)(state & 0xffff) / 32768 - 1);
    }
    return n;
}

static float add_up(const struct bench *b, size_t n)
{
    const float *x = (const float *)b->H_hat;
    float sum[8] = {0};
    for (size_t i = 0; i < 2 * n; i += 8) {
        for (size_t l = 0; l < 8; l++) {
            sum[l] += x[i + l];
        }
    }
    return sum[0] + sum[1] + sum[2] + sum[3] + sum[4] + sum[5] + sum[6] + sum[7];
}

static void measure_block(struct bench *b, attack_t *attack, size_t n)
{
    const struct attack_block in = {
        .H_hat = b->H_hat, .beta = b->beta, .ap_present = b->present, .user_present = b->present};
    const double copy_gb_s = measure_copy_gb_s(8 * n);
    double us[ROUNDS], plain_us[ROUNDS];
    volatile float keep = 0;
    for (int i = -60; i < ROUNDS; i++) { /* until there is a reference */
        baton_pass();
        const double start = measure_us();
        attack_execute(attack, &in, b->score, b->suspected);
        const double middle = measure_us();
        keep = keep + add_up(b, n);
        if (i >= 0) {
            us[i] = middle - start;
            plain_us[i] = measure_us() - middle;
        }
    }
    row_samples("best_us", ROUNDS, us);
    const struct measure_times t = measure_summary(us, ROUNDS);
    const double plain_best_us = measure_summary(plain_us, ROUNDS).best_us, gb_s = 1e-3 * 8 * (double)n / t.best_us;
    char name[64];
    snprintf(name, sizeof name, "%d APs x %d x %d subbands x %d users", b->set.n_ap, b->set.n_ant, b->set.n_sb,
             b->set.n_ue);
    ROW(name, {"best_us", t.best_us}, {"median_us", t.median_us}, {"of_adding_up", t.best_us / plain_best_us},
        {"gb_s", gb_s}, {"of_copy", gb_s / copy_gb_s});
}

int main(int argc, char **argv)
{
    static const int shape[][4] = {{4, 4, 100, 4}, {64, 4, 100, 16}, {128, 4, 100, 32}}; /* ap, ant, sb, ue */
    row_open(&argc, argv);
    row_section("pilot-attack detector, per block");
    for (size_t i = 0; i < sizeof shape / sizeof shape[0]; i++) {
        struct bench b = {.set = {.n_ap = shape[i][0],
                                  .n_ant = shape[i][1],
                                  .n_sb = shape[i][2],
                                  .n_ue = shape[i][3],
                                  .pilot_of_user = b.pilot,
                                  .pilot_power = 48}};
        attack_t *attack = NULL;
        attack_settings_default(&b.set);
        const size_t n = fill(&b);
        if (n == 0 || attack_create(&attack, &b.set) < 0) {
            fprintf(stderr, "bench_attack: out of memory\n");
            return 1;
        }
        measure_block(&b, attack, n);
        attack_destroy(attack);
        free(b.H_hat);
        free(b.beta);
    }
    return 0;
}
