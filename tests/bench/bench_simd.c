/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bench_simd.h"

#include "../phy/fec_reference.h"
#include "base/error.h"
#include "baton.h"
#include "channel/noise.h"
#include "channel/random.h"
#include "measure.h"
#include "phy/simd.h"
#include "plain_phy.h"
#include "row.h"

#include <complex.h>
#include <math.h>
#include <stdlib.h>

enum { N_SYMBOL = 4096, N_CODE_BITS = 4888, N_ROW = 1200, MAX_CONTESTANTS = 4, TURNS = 60 };

/* What one kernel works on, and which of its versions: NULL is the yardstick. */
struct contest {
    const struct simd_ops *ops;
    int axis_bits, n_error;
    void *viterbi;
    struct fec_case code;
    uint64_t decisions[FEC_MAX_STEPS], words[2][FEC_MAX_STEPS / 64 + 1];
    tutti_cf32 y[N_SYMBOL], x[N_SYMBOL], factor[N_SYMBOL], sum[N_SYMBOL];
    float variance[N_SYMBOL], direct[2 * N_SYMBOL], crossed[2 * N_SYMBOL];
    uint8_t soft[8 * N_SYMBOL], bits[8 * N_SYMBOL], coded[8 * N_SYMBOL], planes[8 * N_SYMBOL];
    uint32_t at[8 * N_SYMBOL / SIMD_RUN]; /* of the interleaver's runs */
    double angle[2];
    int8_t label[2 * N_SYMBOL];
};

static void contest_viterbi(struct contest *c)
{
    uint8_t bytes[FEC_MAX_BITS / 8];
    if (!c->ops) {
        fec_decode(c->viterbi, &c->code, bytes);
        return;
    }
    c->ops->viterbi_forward(c->code.n_bits + VITERBI_TAIL_BITS, c->code.soft, c->decisions);
    viterbi_trace(c->code.n_bits, c->decisions, bytes);
}

static void contest_demap(struct contest *c)
{
    if (!c->ops) {
        plain_demap(c->axis_bits, N_SYMBOL, c->y, c->variance, c->soft);
        return;
    }
    c->ops->qam_demap(c->axis_bits, N_SYMBOL, 2 * N_SYMBOL, 0.3f, (const float *)c->y, c->variance, (int8_t *)c->soft);
}

/* From coded bits in words to symbols; the plain loop has its bits one a byte and in their places already. */
static void contest_map(struct contest *c)
{
    if (!c->ops) {
        plain_map(c->axis_bits, N_SYMBOL, c->coded, c->x);
        return;
    }
    const int n_step = c->axis_bits * N_SYMBOL;
    c->ops->bits_spread(n_step, c->decisions, c->decisions + n_step / 64, 0, c->bits);
    c->ops->runs_scatter(2 * n_step / SIMD_RUN, c->at, c->bits, c->planes);
    c->ops->qam_labels(c->axis_bits, 2 * N_SYMBOL, c->planes, 1, c->label);
    c->ops->qam_levels(c->axis_bits, 2 * N_SYMBOL, 0.3f, c->label, (float *)c->x);
}

static void contest_errors(struct contest *c)
{
    const int n = c->code.n_bits + VITERBI_TAIL_BITS;
    if (c->ops) {
        c->n_error = c->ops->soft_errors(n, c->code.soft, c->words[0], c->words[1]);
        return;
    }
    for (int i = 0; i < n; i++) {
        for (int s = 0; s < 2; s++) {
            c->n_error += (c->code.soft[2 * i + s] >= 0) != (c->words[s][i / 64] >> (63 - i % 64) & 1);
        }
    }
}

static void contest_angle(struct contest *c)
{
    static const float turn[2] = {0.8f, 0.6f};
    if (c->ops) {
        c->ops->qam_angle(2, N_ROW, 0.3f, turn, c->variance, (const float *)c->y, c->angle);
    } else {
        plain_angle(2, N_ROW, 0.3f, turn, c->variance, c->y, c->angle);
    }
}

static void contest_dot(struct contest *c)
{
    if (c->ops) {
        c->ops->rows_dot(N_ROW, (const float *)c->x, (const float *)c->y, c->direct, c->crossed);
    } else {
        plain_dot(N_ROW, c->x, c->y, c->sum);
    }
}

static void contest_scale_add(struct contest *c)
{
    if (c->ops) {
        c->ops->rows_scale_add(N_ROW, c->direct, c->crossed, (const float *)c->x, (const float *)c->y, (float *)c->sum);
    } else {
        plain_scale_add(N_ROW, c->factor, c->x, c->y, c->sum);
    }
}

static void contest_residual(struct contest *c)
{
    if (c->ops) {
        c->ops->rows_residual(N_ROW, c->direct, c->crossed, (const float *)c->x, (const float *)c->y, (float *)c->sum);
    } else {
        plain_residual(N_ROW, c->factor, c->x, c->y, c->variance);
    }
}

/* A kernel: how often it runs in a turn, so that the clock is not seen; operations of one run that count against a peak
 * of the variant (0: none counted), and bytes it must read or write, against a copy that stays in the cache. */
struct kernel_work {
    const char *yardstick;
    void (*run)(struct contest *c);
    int n_run;
    double operations;
    enum measure_peak peak;
    double bytes;
};

/* Rows of the yardstick and of every variant. */
static void hold(struct contest *c, const struct kernel_work *w)
{
    const struct simd_ops *ops[MAX_CONTESTANTS] = {NULL};
    double us[MAX_CONTESTANTS][TURNS];
    const double copy_gb_s = measure_copy_gb_s(1 << 15);
    int n = 1;
    while (n < MAX_CONTESTANTS && (ops[n] = simd_variant(n - 1)) != NULL) {
        n++;
    }
    for (int turn = 0; turn < TURNS; turn++) {
        for (int i = 0; i < n; i++) {
            c->ops = ops[i];
            if (baton_pass()) {
                w->run(c);
            }
            const double start = measure_us();
            for (int r = 0; r < w->n_run; r++) {
                w->run(c);
                __asm__ volatile("" : : "r"(c) : "memory");
            }
            us[i][turn] = (measure_us() - start) / w->n_run;
        }
    }
    double yardstick_us = NAN;
    for (int i = 0; i < n; i++) {
        row_samples("best_us", TURNS, us[i]);
        const struct measure_times t = measure_summary(us[i], TURNS);
        yardstick_us = i == 0 ? t.best_us : yardstick_us;
        const bool counted = ops[i] && w->operations > 0;
        ROW(ops[i] ? ops[i]->name : w->yardstick, {"best_us", t.best_us}, {"median_us", t.median_us},
            {"ratio", yardstick_us / t.best_us},
            {"of_peak", counted ? w->operations / t.best_us / 1e3 / measure_peak_g_s(ops[i]->name, w->peak) : NAN},
            {"of_copy", w->bytes / t.best_us / 1e3 / copy_gb_s});
    }
}

static struct contest *contest_create(void)
{
    struct contest *c = calloc(1, sizeof *c);
    if (!c || !(c->viterbi = fec_create())) {
        free(c);
        return NULL;
    }
    uint64_t seed = 1;
    fec_fill(&c->code, N_CODE_BITS, 20, 20, &seed);
    code_convolve(c->code.sent, N_CODE_BITS / 8, c->words[0], c->words[1]);
    for (int i = 0; i < N_SYMBOL; i++) {
        c->y[i] = (tutti_cf32)cexp(I * (double)(i * i));
        c->x[i] = c->factor[i] = (tutti_cf32)cexp(I * (double)(i * i % 1009));
        c->variance[i] = 0.1f;
    }
    for (int i = 0; i < 8 * N_SYMBOL; i++) {
        c->coded[i] = i * i % 11 & 1;
    }
    return c;
}

/* The widest against the portable one, which is vector code as well, and against one number at a time. */
static void hold_noise(void)
{
    static float x[3][2 * N_SYMBOL];
    static const char *const names[] = {"plain loop", "this processor's", "portable"};
    double us[3][TURNS];
    for (int turn = 0; turn < TURNS; turn++) {
        for (int i = 0; i < 3; i++) {
            baton_pass();
            const double start = measure_us();
            if (i == 1) {
                noise_add((uint64_t)turn, 1.0f, N_SYMBOL, x[i]);
            } else if (i == 2) {
                noise_add_portable((uint64_t)turn, 1.0f, N_SYMBOL, x[i]);
            }
            for (int s = 0; i == 0 && s < N_SYMBOL; s++) {
                float a, b;
                random_normal((uint64_t)turn, (uint64_t)s, &a, &b);
                x[i][2 * s] += a;
                x[i][2 * s + 1] += b;
            }
            us[i][turn] = measure_us() - start;
        }
    }
    row_section("White noise, %d complex samples", N_SYMBOL);
    double yardstick_us = NAN;
    const double copy_gb_s = measure_copy_gb_s(1 << 15);
    for (int i = 0; i < 3; i++) {
        row_samples("best_us", TURNS, us[i]);
        const struct measure_times t = measure_summary(us[i], TURNS);
        yardstick_us = i == 0 ? t.best_us : yardstick_us;
        ROW(names[i], {"best_us", t.best_us}, {"median_us", t.median_us}, {"ratio", yardstick_us / t.best_us},
            {"of_copy", 16.0 * N_SYMBOL / t.best_us / 1e3 / copy_gb_s});
    }
}

static void hold_mapping(struct contest *c)
{
    for (c->axis_bits = 1; c->axis_bits <= 4; c->axis_bits++) {
        const double n_bits = 2.0 * c->axis_bits * N_SYMBOL;
        const int n_column = 2 * c->axis_bits * N_SYMBOL / SIMD_RUN;
        for (int i = 0; i < n_column; i++) {
            c->at[i] = (uint32_t)(i * 37 % n_column * SIMD_RUN); /* 37 has no factor in common */
        }
        row_section("Soft bits of %d-QAM, %d symbols", 1 << (2 * c->axis_bits), N_SYMBOL);
        /* per bit 9 operations of demap_bit and 5 of quantise; one to scale */
        hold(c, &(struct kernel_work){"plain loop", contest_demap, 1, 14 * n_bits, MEASURE_SINGLE,
                                      12.0 * N_SYMBOL + n_bits});
        row_section("Bits to symbols of %d-QAM, %d symbols", 1 << (2 * c->axis_bits), N_SYMBOL);
        /* the bits, a byte of each twice, and the symbols */
        hold(c, &(struct kernel_work){"plain loop", contest_map, 1, 0, MEASURE_SINGLE,
                                      8.0 * N_SYMBOL + n_bits * (1.0 / 8 + 2 + 2)});
    }
}

int bench_simd(void)
{
    struct contest *c = contest_create();
    if (!c) {
        return error_set(TUTTI_ENOMEM, "out of memory");
    }
    const double steps = N_CODE_BITS + VITERBI_TAIL_BITS;
    row_section("Viterbi decoder, %d bits", N_CODE_BITS);
    /* per step and state two sums, a minimum and a comparison */
    hold(c, &(struct kernel_work){"libfec", contest_viterbi, 1, 4 * VITERBI_STATES * steps, MEASURE_SHORT, 12 * steps});
    row_section("Coded bits against the truth, %d", 2 * N_CODE_BITS);
    hold(c, &(struct kernel_work){"plain loop", contest_errors, 10, 0, MEASURE_SHORT, 4.25 * steps});
    hold_mapping(c);
    row_section("Angle of a 16-QAM symbol, %d subcarriers", N_ROW);
    /* per part 3 operations to turn it, 8 to decide, 5 to sum */
    hold(c, &(struct kernel_work){"plain loop", contest_angle, 10, 32 * N_ROW, MEASURE_SINGLE, 12 * N_ROW});
    row_section("x conj(y) to a sum, %d subcarriers", N_ROW);
    hold(c, &(struct kernel_work){"plain loop", contest_dot, 50, 8 * N_ROW, MEASURE_SINGLE, 48 * N_ROW});
    row_section("base + c x, %d subcarriers", N_ROW);
    hold(c, &(struct kernel_work){"plain loop", contest_scale_add, 50, 8 * N_ROW, MEASURE_SINGLE, 40 * N_ROW});
    row_section("|y - c x|^2, %d subcarriers", N_ROW);
    hold(c, &(struct kernel_work){"plain loop", contest_residual, 50, 12 * N_ROW, MEASURE_SINGLE, 48 * N_ROW});
    hold_noise();
    delete_viterbi27(c->viterbi);
    free(c);
    return 0;
}
