/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Robust least-squares power allocation, scheduling and clusters: every field of a case that is there is compared, at
 * the case's own tolerance relative to the largest entry of the field. */
#include "golden.h"
#include "rlspa/beams.h"
#include "rlspa/block.h"
#include "rlspa/cesg.h"
#include "rlspa/descent.h"
#include "rlspa/network.h"
#include "rlspa/nnls.h"
#include "rlspa/normal.h"
#include "rlspa/rate.h"
#include "rlspa/symbol.h"
#include "rlspa/yardstick.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { POOL = 1 << 18, MOST = 64 };

/* The open case: what all checks share. */
static struct {
    const json_t *in, *out;
    struct golden *golden;
    double tolerance;
    double pool[POOL];
    size_t used;
} at;

static const char *const KINDS[] = {"solve", "solve_zf", "pipeline", "schedule", "block", "block_equal", "waterfill"};

bool golden_rlspa_recognises(const json_t *root)
{
    const char *const kind = json_string_value(json_object_get(root, "kind"));
    const json_t *const inputs = json_object_get(root, "inputs");
    if (!kind || !json_is_object(inputs) || golden_has(inputs, "zeta")) { /* zeta: sensing */
        return false;
    }
    for (size_t i = 0; i < sizeof KINDS / sizeof *KINDS; i++) {
        if (strcmp(kind, KINDS[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* Reading and comparing -------------------------------------------------------------------------------------------- */

static double *take(size_t n)
{
    if (at.used + n > POOL) {
        golden_true(at.golden, false, "the case is too large");
        at.used = 0;
    }
    double *const p = at.pool + at.used;
    memset(p, 0, n * sizeof *p);
    at.used += n;
    return p;
}

static struct split take_split(int rows, int columns)
{
    const size_t n = (size_t)(rows * columns);
    struct split s;
    s.re = take(n);
    s.im = take(n);
    return s;
}

static double element(const json_t *array, int rows, int columns, int i)
{
    (void)rows;
    return json_is_array(json_array_get(array, 0)) ? golden_at2(array, i / columns, i % columns) : golden_at(array, i);
}

static double *real_input(const char *key, int rows, int columns)
{
    double *const p = take((size_t)(rows * columns));
    for (int i = 0; i < rows * columns; i++) {
        p[i] = element(json_object_get(at.in, key), rows, columns, i);
    }
    return p;
}

static struct split complex_input(const char *key, int rows, int columns)
{
    const json_t *const value = json_object_get(at.in, key);
    struct split s = take_split(rows, columns);
    for (int i = 0; i < rows * columns; i++) {
        s.re[i] = element(json_object_get(value, "re"), rows, columns, i);
        s.im[i] = element(json_object_get(value, "im"), rows, columns, i);
    }
    return s;
}

/* Rows of a complex input. */
static int rows_of(const char *key)
{
    return (int)json_array_size(json_object_get(json_object_get(at.in, key), "re"));
}

static int columns_of(const char *key)
{
    return (int)json_array_size(json_array_get(json_object_get(json_object_get(at.in, key), "re"), 0));
}

static void compare(const json_t *want, const char *name, int rows, int columns, const double *value, double tolerance)
{
    double scale = 0;
    if (!want) {
        return;
    }
    for (int i = 0; i < rows * columns; i++) {
        const double x = element(want, rows, columns, i);
        scale = isfinite(x) ? fmax(scale, fabs(x)) : scale;
    }
    for (int i = 0; i < rows * columns; i++) {
        const double x = element(want, rows, columns, i);
        if (isnan(x)) { /* null: no rate */
            golden_true(at.golden, value[i] == -INFINITY, "%s[%d] is %g, expected none", name, i, value[i]);
        } else {
            golden_close(at.golden, value[i], x, scale > 0 ? tolerance : 1e-12, scale > 0 ? scale : 1, "%s[%d]", name,
                         i);
        }
    }
}

static void expect(const char *key, int rows, int columns, const double *value)
{
    compare(json_object_get(at.out, key), key, rows, columns, value, at.tolerance);
}

static void expect_number(const char *key, double value, double tolerance)
{
    const double want = golden_number(at.out, key);
    golden_close(at.golden, value, want, want != 0 ? tolerance : 1e-12, want != 0 ? want : 1, "%s", key);
}

/* Both parts relative to the largest entry of both. */
static void expect_complex(const char *key, int rows, int columns, const struct split *value)
{
    const json_t *const want = json_object_get(at.out, key);
    const json_t *const re = json_object_get(want, "re"), *const im = json_object_get(want, "im");
    double scale = 0;
    for (int i = 0; want && i < rows * columns; i++) {
        scale = fmax(scale, hypot(element(re, rows, columns, i), element(im, rows, columns, i)));
    }
    for (int i = 0; want && i < rows * columns; i++) {
        golden_close(at.golden, value->re[i], element(re, rows, columns, i), at.tolerance, scale, "%s re[%d]", key, i);
        golden_close(at.golden, value->im[i], element(im, rows, columns, i), at.tolerance, scale, "%s im[%d]", key, i);
    }
}

static void expect_indices(const json_t *want, const char *name, int n, const int *value)
{
    if (!want) {
        return;
    }
    golden_true(at.golden, (int)json_array_size(want) == n, "%s has %d entries, expected %d", name, n,
                (int)json_array_size(want));
    for (int i = 0; i < n; i++) {
        golden_close(at.golden, value[i], golden_at(want, i), 0, 1, "%s[%d]", name, i);
    }
}

/* Parts ------------------------------------------------------------------------------------------------------------ */

static struct links make_links(int M, int n, const struct split *G, const struct split *W)
{
    struct links links = {.n = n,
                          .rho = golden_number(at.in, "rho"),
                          .Pt = golden_number(at.in, "Pt"),
                          .sigma2 = golden_number(at.in, "sigma2"),
                          .B = take_split(n, n)};
    double *const w2 = take((size_t)n);
    beams_effective(M, n, G, W, &links.B);
    beams_norms(M, n, W, w2);
    links.w2 = w2;
    expect_complex("B", n, n, &links.B);
    return links;
}

static void check_nnls(const struct links *links, const struct split *x, double lam, const double *N, const double *r,
                       double *p)
{
    nnls_t *nnls;
    if (nnls_create(&nnls, links->n)) {
        golden_true(at.golden, false, "nnls_create failed");
        return;
    }
    const double mu = nnls_execute(nnls, links, N, r, p);
    nnls_destroy(nnls);
    if (lam > 0) {
        compare(json_object_get(at.out, "nnls_p"), "nnls_p", 1, links->n, p, 1e-6);
    }
    expect_number("nnls_mu", mu, 1e-4);
    expect_number("nnls_cost", symbol_cost(links, x, lam, p, 1), 1e-8);
}

/* The solver fields; p_paper and nnls [n] are left for the caller. */
static void check_solver(const struct links *links, const struct split *x, double lam, double *p_paper, double *nnls)
{
    static const struct {
        const char *key;
        enum links_policy policy;
    } POLICIES[] = {{"p_raw", LINKS_RAW}, {"p_swap", LINKS_SWAP}, {"p_full", LINKS_FULL}, {"p_paper", LINKS_PAPER}};
    const int n = links->n;
    double *const N = take((size_t)(n * n)), *const r = take((size_t)n);
    struct split A = take_split(n, n);
    symbol_t *symbol;
    symbol_normal(links, x, lam, 1, N, r);
    expect("normal", n, n, N);
    expect("rhs", 1, n, r);
    for (int i = 0; i < n * n; i++) {
        const double c = sqrt(links->rho), xr = x->re[i % n], xi = x->im[i % n];
        A.re[i] = c * (links->B.re[i] * xr - links->B.im[i] * xi);
        A.im[i] = c * (links->B.re[i] * xi + links->B.im[i] * xr);
    }
    expect_complex("A", n, n, &A);
    if (symbol_create(&symbol, n)) {
        golden_true(at.golden, false, "symbol_create failed");
        return;
    }
    for (int v = 0; symbol_variant_name(v); v++) {
        symbol_load(symbol, links);
        symbol_variant(symbol, v);
        for (size_t i = 0; i < sizeof POLICIES / sizeof *POLICIES; i++) {
            symbol_execute(symbol, 1, x, &lam, POLICIES[i].policy, p_paper);
            expect(POLICIES[i].key, 1, n, p_paper);
            if (POLICIES[i].policy == LINKS_RAW) {
                const double power = links_power(links, p_paper, 1);
                expect_number("power_raw", power, at.tolerance);
                for (int k = 0; k < n; k++) {
                    r[k] = p_paper[k] * fmin(1, sqrt(links->Pt / power));
                }
                expect("p_scaled", 1, n, r);
            }
        }
    }
    symbol_destroy(symbol);
    expect_number("cost_paper", symbol_cost(links, x, lam, p_paper, 1), at.tolerance);
    symbol_normal(links, x, lam, 1, N, r);
    check_nnls(links, x, lam, N, r, nnls);
}

static void check_zf(int M, int n, const struct split *Ga, struct split *W)
{
    *W = take_split(M, n);
    const int rank = beams_zf(M, n, Ga, take(beams_work(M, n)), W);
    golden_true(at.golden, rank == n, "rank %d of %d", rank, n);
    expect_complex("W", M, n, W);
}

static void check_solve(bool zf)
{
    const int M = rows_of("W"), n = columns_of("W");
    const struct split G = complex_input("Ghat_S", M, n), x = complex_input("x", 1, n);
    struct split W = complex_input("W", M, n);
    if (zf) {
        const struct split Ga = complex_input("Ga", M, n);
        check_zf(M, n, &Ga, &W);
    }
    const struct links links = make_links(M, n, &G, &W);
    check_solver(&links, &x, golden_number(at.in, "lam"), take((size_t)n), take((size_t)n));
}

/* Returns how many were selected, chosen [n]. */
static int check_schedule(int M, int K, int n, const struct split *Ga, int *chosen)
{
    const json_t *const want = json_object_get(at.out, "cesg");
    struct cesg_problem problem = {.n_ue = K, .n = n};
    struct cesg_result result;
    cesg_t *cesg;
    int order[MOST];
    double *const rates = take((size_t)K + 1);
    if (n > MOST || cesg_create(&cesg, K, n)) {
        golden_true(at.golden, false, "cesg_create failed");
        return 0;
    }
    problem.c = golden_number(at.in, "rho") * golden_number(at.in, "Pt") / golden_number(at.in, "sigma2");
    cesg_gram(cesg, M, K, Ga, &problem.Gr, &problem.Gi);
    cesg_execute(cesg, &problem, chosen, order, rates, &result);
    cesg_destroy(cesg);
    expect_indices(json_object_get(at.out, "selected"), "selected", result.n, chosen);
    expect_indices(json_object_get(want, "greedy_order"), "greedy_order", result.n, order);
    const double greedy = golden_number(want, "greedy_rate"), best = golden_number(want, "best_rate");
    golden_close(at.golden, result.greedy_rate, greedy, at.tolerance, greedy, "greedy_rate");
    golden_close(at.golden, result.best_rate, best, at.tolerance, best, "best_rate");
    golden_close(at.golden, result.best, golden_number(want, "best_iteration"), 0, 1, "best_iteration");
    golden_true(at.golden, !want || (int)json_array_size(json_object_get(want, "rates")) == result.n_rates,
                "%d sets were tried", result.n_rates);
    compare(json_object_get(want, "rates"), "rates", 1, result.n_rates, rates, at.tolerance);
    return result.n;
}

static struct split columns(const struct split *G, int M, int K, int n, const int *chosen)
{
    struct split S = take_split(M, n);
    for (int i = 0; i < M * n; i++) {
        S.re[i] = G->re[i / n * K + chosen[i % n]];
        S.im[i] = G->im[i / n * K + chosen[i % n]];
    }
    return S;
}

static void schedule_only(void)
{
    const int M = rows_of("Ga"), K = columns_of("Ga"), n = golden_int(at.in, "n");
    const struct split Ga = complex_input("Ga", M, K);
    int chosen[MOST];
    const int found = check_schedule(M, K, n, &Ga, chosen);
    const struct split GaS = columns(&Ga, M, K, found, chosen);
    struct split W;
    check_zf(M, found, &GaS, &W);
}

static void expect_power(const char *name, const double *p, const struct links *links, const double *F,
                         const struct split *E)
{
    const json_t *const rates = json_object_get(json_object_get(at.out, "sum_rates"), name);
    double *const work = take(rate_work(links->n));
    const double logdet = golden_number(rates, "logdet"), sinr = golden_number(rates, "sinr"),
                 realised = golden_number(rates, "logdet_realised");
    compare(json_object_get(json_object_get(at.out, "powers"), name), name, 1, links->n, p,
            strcmp(name, "nnls") == 0 ? 1e-6 : at.tolerance);
    const double loose = strcmp(name, "nnls") == 0 ? 1e-6 : at.tolerance;
    golden_close(at.golden, rate_logdet(links, F, p, work), logdet, loose, logdet, "logdet of %s", name);
    golden_close(at.golden, rate_sinr(links, F, p, NULL), sinr, loose, sinr, "sinr of %s", name);
    golden_close(at.golden, rate_logdet_realised(links, E, p, work), realised, loose, realised, "realised of %s", name);
}

static void check_powers(const struct links *links, const struct block_error *error, const double *F,
                         const struct split *E, const double *paper, const double *nnls)
{
    const int n = links->n, iterations = golden_int(at.in, "gd_iters");
    static const struct {
        const char *name;
        enum block_ridge ridge;
    } BLOCKS[] = {
        {"block_lam_full", BLOCK_LAM}, {"block_bayes_full", BLOCK_BAYES}, {"block_wiener_full", BLOCK_WIENER}};
    double *const p = take((size_t)n), *const gain = take((size_t)n), *const ridge = take((size_t)n);
    int order[MOST];
    links_equal(links, p);
    expect_power("epa", p, links, F, E);
    yardstick_gain(links, gain);
    yardstick_waterfill(n, gain, links->w2, links->Pt, order, p);
    expect_power("waterfill", p, links, F, E);
    descent_solve(links, NULL, iterations, LINKS_PAPER, gain, p);
    expect_power("gdpa30", p, links, F, E);
    block_ridge(BLOCK_BAYES, links, error, NULL, ridge);
    expect("ridge_bayes", 1, n, ridge);
    descent_solve(links, ridge, iterations, LINKS_PAPER, gain, p);
    expect_power("rgdpa30", p, links, F, E);
    for (size_t i = 0; i < sizeof BLOCKS / sizeof *BLOCKS; i++) {
        block_ridge(BLOCKS[i].ridge, links, error, NULL, ridge);
        block_solve(links, ridge, LINKS_FULL, p);
        expect_power(BLOCKS[i].name, p, links, F, E);
    }
    expect_power("rlspa_paper", paper, links, F, E);
    expect_power("nnls", nnls, links, F, E);
}

/* From the errors' variances to all powers and rates. */
static void check_allocation(int L, int N, int n, const double *error, const struct split *G, const struct split *Gtil,
                             const struct split *W)
{
    const int M = L * N;
    const struct split x = complex_input("x", 1, n);
    const struct links links = make_links(M, n, G, W);
    double *const gamma = take((size_t)L), *const gamma_rows = take((size_t)M), *const F = take((size_t)(n * n));
    double *const power = take((size_t)n), *const paper = take((size_t)n), *const nnls = take((size_t)n), lam;
    struct block_error error_of = {.power = power};
    struct split E = take_split(n, n);
    for (int i = 0; i < L * n; i++) {
        gamma[i / n] += error[i];
        error_of.eps2 += N * error[i];
    }
    for (int m = 0; m < M; m++) {
        gamma_rows[m] = gamma[m / N];
    }
    expect("gamma_diag", 1, M, gamma_rows);
    expect_number("eps2", error_of.eps2, at.tolerance);
    beams_error_gain(L, N, n, error, W, F);
    expect("err_gain", n, n, F);
    beams_error_power(L, N, n, gamma, W, power);
    symbol_lambda(&links, error_of.eps2, 1, &x, &lam);
    expect_number("lam", lam, at.tolerance);
    beams_effective(M, n, Gtil, W, &E);
    check_solver(&links, &x, lam, paper, nnls);
    check_powers(&links, &error_of, F, &E, paper, nnls);
}

static void pipeline(void)
{
    const int L = golden_int(at.in, "L"), N = golden_int(at.in, "N"), K = golden_int(at.in, "K"), M = L * N;
    const int n = golden_int(at.in, "n");
    const double *const ap = real_input("ap_xy_km", L, 2), *const ue = real_input("ue_xy_km", K, 2);
    double *const beta = take((size_t)(L * K)), *const error = take((size_t)(L * n));
    uint8_t served[MOST * MOST];
    int chosen[MOST];
    if (L * K > MOST * MOST) {
        golden_true(at.golden, false, "the case is too large");
        return;
    }
    network_gains(L, K, ap, ue, real_input("shadow_z", L, K), beta);
    expect("beta", L, K, beta);
    network_clusters(L, K, beta, served);
    for (int i = 0; i < L * K; i++) {
        golden_close(at.golden, served[i], golden_at2(json_object_get(at.out, "cluster"), i / K, i % K), 0, 1,
                     "cluster[%d]", i);
    }
    const struct split G = complex_input("Ghat", M, K), Gtil = complex_input("Gtilde", M, K);
    struct split Ga = take_split(M, K), W;
    network_mask(L, N, K, served, &G, &Ga);
    const int found = check_schedule(M, K, n, &Ga, chosen);
    const struct split GaS = columns(&Ga, M, K, found, chosen), GS = columns(&G, M, K, found, chosen);
    const struct split GtilS = columns(&Gtil, M, K, found, chosen);
    check_zf(M, found, &GaS, &W);
    for (int i = 0; i < L * found; i++) {
        error[i] = golden_number(at.in, "alpha") * beta[i / found * K + chosen[i % found]];
    }
    check_allocation(L, N, found, error, &GS, &GtilS, &W);
}

static void check_symbols(const struct links *links, int T, const struct split *X, double eps2)
{
    double *const lambda = take((size_t)T), *const P = take((size_t)(links->n * T));
    symbol_t *symbol;
    if (symbol_create(&symbol, links->n)) {
        golden_true(at.golden, false, "symbol_create failed");
        return;
    }
    symbol_load(symbol, links);
    symbol_lambda(links, eps2, T, X, lambda);
    for (int v = 0; symbol_variant_name(v); v++) {
        symbol_variant(symbol, v);
        symbol_execute(symbol, T, X, lambda, LINKS_PAPER, P);
        expect("P_symbols_paper", links->n, T, P);
        symbol_execute(symbol, T, X, lambda, LINKS_FULL, P);
        expect("P_symbols_full", links->n, T, P);
    }
    symbol_destroy(symbol);
}

static void block(void)
{
    static const struct {
        const char *key;
        enum block_ridge ridge;
        enum links_policy policy;
    } ROWS[] = {{"p_block_lam_raw", BLOCK_LAM, LINKS_RAW},
                {"p_block_bayes_raw", BLOCK_BAYES, LINKS_RAW},
                {"p_block_wiener_raw", BLOCK_WIENER, LINKS_RAW},
                {"p_block_wiener_full", BLOCK_WIENER, LINKS_FULL}};
    const int M = rows_of("W"), n = columns_of("W"), T = columns_of("X");
    const struct split G = complex_input("Ghat_S", M, n), W = complex_input("W", M, n), X = complex_input("X", n, T);
    const struct links links = make_links(M, n, &G, &W);
    double *const power = take((size_t)n), *const cx = take((size_t)n), *const ridge = take((size_t)n);
    double *const p = take((size_t)n), *const work = take(block_work(n));
    const struct block_error error = {golden_number(at.in, "eps2"), power};
    struct split Cx = take_split(n, n);
    beams_error_power(M, 1, n, real_input("gamma_diag", 1, M), &W, power);
    block_covariance(n, T, &X, &Cx);
    expect_complex("Cx", n, n, &Cx);
    for (int k = 0; k < n; k++) {
        cx[k] = Cx.re[k * n + k];
    }
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        block_ridge(ROWS[i].ridge, &links, &error, cx, ridge);
        if (ROWS[i].ridge == BLOCK_LAM) {
            expect_number("lam_block", ridge[0], at.tolerance);
        } else {
            expect(ROWS[i].ridge == BLOCK_BAYES ? "ridge_bayes" : "ridge_wiener", 1, n, ridge);
        }
        block_solve_full(&links, &Cx, ridge, ROWS[i].policy, work, p);
        expect(ROWS[i].key, 1, n, p);
    }
    block_ridge(BLOCK_LAM, &links, &error, cx, ridge);
    block_solve(&links, ridge, LINKS_RAW, p);
    expect("p_block_identity_cov", 1, n, p);
    check_symbols(&links, T, &X, error.eps2);
}

static void block_equal(void)
{
    const int M = rows_of("W"), n = columns_of("W"), T = columns_of("X");
    const struct split G = complex_input("Ghat_S", M, n), W = complex_input("W", M, n), X = complex_input("X", n, T);
    const struct links links = make_links(M, n, &G, &W);
    const struct block_error error = {golden_number(at.in, "eps2"), NULL};
    double *const ridge = take((size_t)n), *const p = take((size_t)n);
    block_ridge(BLOCK_LAM, &links, &error, NULL, ridge);
    block_solve(&links, ridge, LINKS_PAPER, p);
    expect("p_block", 1, n, p);
    check_symbols(&links, T, &X, error.eps2);
}

static void waterfill(void)
{
    const int n = (int)json_array_size(json_object_get(at.in, "gain"));
    double *const p = take((size_t)n);
    int order[MOST];
    if (n <= MOST) {
        yardstick_waterfill(n, real_input("gain", 1, n), real_input("cost", 1, n), golden_number(at.in, "Pt"), order,
                            p);
        expect("p", 1, n, p);
    }
}

void golden_rlspa_check(const json_t *root, struct golden *golden)
{
    const char *const kind = json_string_value(json_object_get(root, "kind"));
    const double wanted = golden_number(root, "rtol");
    golden_begin(golden, "rlspa", json_string_value(json_object_get(root, "name")));
    at.in = json_object_get(root, "inputs");
    at.out = json_object_get(root, "expected");
    at.golden = golden;
    at.tolerance = isnan(wanted) ? 1e-8 : wanted;
    at.used = 0;
    if (strcmp(kind, "solve") == 0 || strcmp(kind, "solve_zf") == 0) {
        check_solve(strcmp(kind, "solve_zf") == 0);
    } else if (strcmp(kind, "pipeline") == 0) {
        pipeline();
    } else if (strcmp(kind, "schedule") == 0) {
        schedule_only();
    } else if (strcmp(kind, "block") == 0) {
        block();
    } else if (strcmp(kind, "block_equal") == 0) {
        block_equal();
    } else {
        waterfill();
    }
    golden_end(golden);
}
