/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Robust least-squares power allocation per symbol and per block, and the scheduler: bench_rlspa [--json]. Sizes of the
 * studies: 16 APs x 4 antennas, 128 candidates, 16 served, blocks of 200 symbols. Each is timed beside a plain
 * counterpart in the same run; calls of malloc are counted and must be none. */
#include "baton.h"
#include "channel/random.h"
#include "measure.h"
#include "rlspa/beams.h"
#include "rlspa/block.h"
#include "rlspa/cesg.h"
#include "rlspa/descent.h"
#include "rlspa/network.h"
#include "rlspa/nnls.h"
#include "rlspa/normal.h"
#include "rlspa/symbol.h"
#include "row.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { L = 16, N = 4, M = L * N, K = 128, MOST = 32, T = 200, ROUNDS = 41 };

static double ga_re[M * K], ga_im[M * K], s_re[M * MOST], s_im[M * MOST], w_re[M * MOST], w_im[M * MOST];
static double b_re[MOST * MOST], b_im[MOST * MOST], w2[MOST], x_re[MOST * T], x_im[MOST * T], lambda[T], P[MOST * T];
static double ridge[MOST], power[MOST], p[MOST], h[MOST], square[MOST * MOST], r[MOST];
static struct split Ga = {ga_re, ga_im}, S = {s_re, s_im}, W = {w_re, w_im}, X = {x_re, x_im};
static struct links links = {.rho = 1, .Pt = 1, .sigma2 = 1e-13, .B = {b_re, b_im}, .w2 = w2};
static struct cesg_problem problem = {.n_ue = K, .c = 1e13};
static cesg_t *cesg;
static symbol_t *symbol;
static nnls_t *nnls;
static double *work;
static int chosen[MOST];

static void fill(uint64_t seed, size_t n, struct split *s)
{
    for (size_t i = 0; i < n; i++) {
        float re, im;
        random_normal(seed, i, &re, &im);
        s->re[i] = re * sqrt(0.5);
        s->im[i] = im * sqrt(0.5);
    }
}

static void draw(void)
{
    static double beta[L * K], ap[2 * L], ue[2 * K], z[2 * L * K], unused[2 * L * K];
    static uint8_t served[L * K];
    struct split shadow = {z, unused};
    for (int i = 0; i < 2 * K; i++) {
        ue[i] = 0.4 * random_uniform(1, (uint64_t)i);
        ap[i % (2 * L)] = 0.4 * random_uniform(2, (uint64_t)i);
    }
    fill(3, L * K, &shadow);
    network_gains(L, K, ap, ue, z, beta);
    network_clusters(L, K, beta, served);
    fill(4, M * K, &Ga);
    for (int i = 0; i < M * K; i++) {
        const double a = sqrt(beta[i / K / N * K + i % K]);
        ga_re[i] *= a;
        ga_im[i] *= a;
    }
    network_mask(L, N, K, served, &Ga, &Ga);
}

/* Microseconds of a call [ROUNDS], and its calls of malloc. */
static void time_us(void (*call)(void), double *us, unsigned long *allocations)
{
    const unsigned long before = measure_allocations();
    measure_count(true);
    for (int i = -3; i < ROUNDS; i++) {
        if (baton_pass()) {
            call();
        }
        const double start = measure_us();
        call();
        us[i < 0 ? 0 : i] = measure_us() - start;
    }
    measure_count(false);
    *allocations = measure_allocations() - before;
}

static void call_symbols(void)
{
    symbol_execute(symbol, T, &X, lambda, LINKS_PAPER, P);
}

/* The recipe as the text has it, one symbol: normal matrix from B, one solve. */
static void call_plain_symbol(void)
{
    const struct split x = {x_re, x_im};
    symbol_normal(&links, &x, lambda[0], T, square, r);
    normal_solve(links.n, square, r, work, p);
}

static void call_nnls(void)
{
    const struct split x = {x_re, x_im};
    symbol_normal(&links, &x, lambda[0], T, square, r);
    nnls_execute(nnls, &links, square, r, p);
}

static void call_beams(void)
{
    beams_zf(M, links.n, &S, work, &W);
    beams_effective(M, links.n, &S, &W, &links.B);
    beams_norms(M, links.n, &W, w2);
    symbol_load(symbol, &links);
}

static void call_block(void)
{
    const struct block_error error = {1e-10, power};
    for (int i = 0; i < 100; i++) {
        block_ridge(BLOCK_WC, &links, &error, NULL, ridge);
        block_solve(&links, ridge, LINKS_FULL, p);
    }
}

static void call_descent(void)
{
    descent_solve(&links, ridge, 30, LINKS_PAPER, h, p);
}

static void call_gram(void)
{
    cesg_gram(cesg, M, K, &Ga, &problem.Gr, &problem.Gi);
}

static void call_cesg(void)
{
    struct cesg_result result;
    cesg_execute(cesg, &problem, chosen, NULL, NULL, &result);
}

static void load(int n)
{
    links.n = problem.n = n;
    call_gram();
    call_cesg();
    for (int i = 0; i < M * n; i++) {
        s_re[i] = ga_re[i / n * K + chosen[i % n]];
        s_im[i] = ga_im[i / n * K + chosen[i % n]];
    }
    fill(9, (size_t)(n * T), &X);
    call_beams();
    symbol_lambda(&links, 1e-10, T, &X, lambda);
}

static void row(const char *what, void (*call)(void), double per, double plain_us)
{
    unsigned long allocations;
    double us[ROUNDS];
    time_us(call, us, &allocations);
    row_samples("best_us", ROUNDS, us);
    const struct measure_times t = measure_summary(us, ROUNDS);
    ROW(what, {"best_us", t.best_us / per}, {"median_us", t.median_us / per}, {"ratio", plain_us / t.best_us * per},
        {"allocations", (double)allocations});
}

static void symbols(void)
{
    unsigned long unused;
    double us[ROUNDS];
    char name[64];
    row_section("power per symbol, blocks of %d symbols", T);
    for (int n = 8; n <= 32; n += 8) {
        load(n);
        time_us(call_plain_symbol, us, &unused);
        const double plain_us = measure_summary(us, ROUNDS).best_us;
        for (int v = 0; symbol_variant_name(v); v++) {
            symbol_variant(symbol, v);
            snprintf(name, sizeof name, "per symbol, n=%d, %s", n, symbol_variant_name(v));
            row(name, call_symbols, T, plain_us);
        }
        symbol_variant(symbol, 0);
    }
    load(16);
    row("exact with budget (NNLS), n=16", call_nnls, 1, NAN);
}

int main(int argc, char **argv)
{
    row_open(&argc, argv);
    work = calloc(beams_work(M, MOST) + normal_work(MOST), sizeof *work);
    if (!work || cesg_create(&cesg, K, MOST) || symbol_create(&symbol, MOST) || nnls_create(&nnls, MOST)) {
        fprintf(stderr, "bench_rlspa: out of memory\n");
        return 1;
    }
    draw();
    symbols();
    row_section("per block, %d antennas, n=16", M);
    row("beams, effective channel, Q", call_beams, 1, NAN);
    row("block level, wc", call_block, 100, NAN);
    row("gradient descent, 30 iterations", call_descent, 1, NAN);
    row_section("C-ESG, %d candidates, n=16", K);
    row("Gram matrix", call_gram, 1, NAN);
    row("greedy and exchange", call_cesg, 1, NAN);
    problem.greedy_only = true;
    row("greedy alone", call_cesg, 1, NAN);
    symbol_destroy(symbol);
    cesg_destroy(cesg);
    nnls_destroy(nnls);
    free(work);
    return 0;
}
