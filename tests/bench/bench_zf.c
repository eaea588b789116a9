/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "../mimo/reference.h"
#include "baton.h"
#include "bench_mimo.h"
#include "row.h"

#include <cblas.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Quick, too, there are LEAST_ROUNDS: beside other work the median ratio of 25 rounds differs by a tenth from run to
 * run. */
enum { N_SB = 100, ROUNDS = 200, LEAST_ROUNDS = 120, MAX_RUNNER = 3 + 3 * 3 + 1, SLOW_ROUNDS = 20 };

static int all_rounds(void)
{
    return row_rounds(ROUNDS) < LEAST_ROUNDS ? LEAST_ROUNDS : row_rounds(ROUNDS);
}

struct set {
    int n_ap, n_ant, n_ue, rows;
    struct channel_case c[N_SB];
    struct mimo_channel channels[N_SB];
    struct mimo_solution solutions[N_SB];
    tutti_cf32 *G;                       /* [n_ue][n_ue], LAPACK's */
    float *H, *P, *A, *b, *work, *pivot; /* the kernel's */
    float *plain;                        /* [n_ap][n_ue], [2][n_ue], [n_ap]: LAPACK's powers */
};

/* One way to solve all subbands, and what it took in every round. */
struct runner {
    char name[64];
    void (*run)(struct runner *runner, struct set *set);
    const struct kernel_ops *ops; /* NULL: LAPACK */
    enum mimo_power power;
    precoder_t *precoder;
    int n_round; /* of the first rounds */
    double us[ROUNDS];
    unsigned long n_allocation;
};

/* LAPACK's own symbols; in OpenBLAS both are optimised. */
void cpotrf_(const char *uplo, const int *n, tutti_cf32 *a, const int *lda, int *info);
void cpotri_(const char *uplo, const int *n, tutti_cf32 *a, const int *lda, int *info);

/* A = H (H^H H)^-1 by the inverse, column-major. */
static void lapack_inverse(struct runner *runner, struct set *set)
{
    (void)runner;
    const tutti_cf32 one = 1, zero = 0;
    const int rows = set->rows, n = set->n_ue;
    int info;
    for (int b = 0; b < N_SB; b++) {
        cblas_cherk(CblasColMajor, CblasLower, CblasConjTrans, n, rows, 1, set->c[b].H, rows, 0, set->G, n);
        cpotrf_("L", &n, set->G, &n, &info);
        cpotri_("L", &n, set->G, &n, &info);
        cblas_chemm(CblasColMajor, CblasRight, CblasLower, rows, n, &one, set->G, n, set->c[b].H, rows, &zero,
                    set->c[b].solution.W, rows);
    }
}

/* The same by two triangular solves on a copy. */
static void lapack_solve(struct runner *runner, struct set *set)
{
    (void)runner;
    const tutti_cf32 one = 1;
    const int rows = set->rows, n = set->n_ue;
    int info;
    for (int b = 0; b < N_SB; b++) {
        tutti_cf32 *A = set->c[b].solution.W;
        memcpy(A, set->c[b].H, (size_t)(rows * n) * sizeof *A);
        cblas_cherk(CblasColMajor, CblasLower, CblasConjTrans, n, rows, 1, set->c[b].H, rows, 0, set->G, n);
        cpotrf_("L", &n, set->G, &n, &info);
        cblas_ctrsm(CblasColMajor, CblasRight, CblasLower, CblasConjTrans, CblasNonUnit, rows, n, &one, set->G, n, A,
                    rows);
        cblas_ctrsm(CblasColMajor, CblasRight, CblasLower, CblasNoTrans, CblasNonUnit, rows, n, &one, set->G, n, A,
                    rows);
    }
}

/* One step of the power balance (the formula stands at kernel_ops.maxmin): next_k = 1 + sum_m E_mk share_m. next [n] is
 * work; loops that a compiler makes vectors of. Returns the relative distance of the bounds. */
static float balance(const struct set *set, const float *E, const float *b, float *eta, float *share, float *next)
{
    const int n = set->n_ue;
    float least = INFINITY, most = 0, use = 0;
    for (int k = 0; k < n; k++) {
        next[k] = 1;
    }
    for (int m = 0; m < set->n_ap; m++) {
        for (int k = 0; k < n; k++) {
            next[k] += E[m * n + k] * share[m];
        }
    }
    for (int k = 0; k < n; k++) {
        least = fminf(least, next[k] / eta[k]);
        most = fmaxf(most, next[k] / eta[k]);
        eta[k] = next[k];
    }
    for (int m = 0; m < set->n_ap; m++) {
        float sum = 0;
        for (int k = 0; k < n; k++) {
            sum += b[m * n + k] * eta[k];
        }
        share[m] = sum;
        use = fmaxf(use, sum);
    }
    cblas_sscal(n, 1 / use, eta, 1);
    cblas_sscal(set->n_ap, 1 / use, share, 1);
    return most / least - 1;
}

/* LAPACK's beams with what the batch does besides: max-min power and predicted SINRs, budgets 1. */
static void lapack_maxmin(struct runner *runner, struct set *set)
{
    const int rows = set->rows, n = set->n_ue, per_ap = 2 * set->n_ant;
    float *b = set->plain, *eta = b + set->n_ap * n, *next = eta + n, *share = next + n;
    lapack_inverse(runner, set);
    for (int s = 0; s < N_SB; s++) {
        const float *E = set->c[s].channel.error_variance;
        float *W = (float *)set->c[s].solution.W; /* column-major */
        for (int k = 0; k < n; k++) {
            eta[k] = 1;
            for (int m = 0; m < set->n_ap; m++) {
                const float *w = W + 2 * k * rows + m * per_ap;
                float energy = 0;
                for (int i = 0; i < per_ap; i++) {
                    energy += w[i] * w[i];
                }
                b[m * n + k] = energy;
            }
        }
        memset(share, 0, sizeof *share * (size_t)set->n_ap);
        while (balance(set, E, b, eta, share, next) > 1e-4f) {
        }
        balance(set, E, b, eta, share, next); /* next: interference and noise */
        for (int k = 0; k < n; k++) {
            cblas_csscal(rows, sqrtf(eta[k]), W + 2 * k * rows, 1);
            set->solutions[s].sinr[k] = eta[k] / next[k];
        }
    }
}

static void run_kernel(struct runner *runner, struct set *set)
{
    for (int b = 0; b < N_SB; b += runner->ops->n_lane) {
        runner->ops->zf(set->n_ap, set->n_ant, set->n_ue, set->H, set->P, set->work, set->A, set->b, set->pivot);
    }
}

static void run_batch(struct runner *runner, struct set *set)
{
    precoder_execute_batch(runner->precoder, MIMO_ZF, runner->power, N_SB, set->channels, set->solutions);
}

static void run_single(struct runner *runner, struct set *set)
{
    for (int b = 0; b < N_SB; b++) {
        precoder_execute(runner->precoder, MIMO_ZF, runner->power, &set->channels[b], &set->solutions[b]);
    }
}

static void set_create(struct set *set, int n_ap, int n_ant, int n_ue)
{
    struct random random = {77};
    *set = (struct set){.n_ap = n_ap, .n_ant = n_ant, .n_ue = n_ue, .rows = n_ap * n_ant};
    for (int b = 0; b < N_SB; b++) {
        case_create(&set->c[b], &random, n_ap, n_ant, n_ue, 20, 15, 0.05);
        set->channels[b] = set->c[0].channel; /* one array of everything but the estimates, as in the central node */
        set->channels[b].H_hat = set->c[b].channel.H_hat;
        set->solutions[b] = set->c[b].solution;
    }
    const size_t lane = 4 * KERNEL_LANES_MAX, n = (size_t)n_ue, size = 2 * (size_t)set->rows * n * lane;
    set->G = calloc(n * n, sizeof *set->G);
    set->H = aligned_alloc(64, size);
    set->A = aligned_alloc(64, size);
    set->plain = calloc((size_t)n_ap * (n + 1) + 2 * n, sizeof *set->plain);
    set->P = aligned_alloc(64, (size_t)n_ap * lane);
    set->b = aligned_alloc(64, (size_t)n_ap * n * lane);
    set->work = aligned_alloc(64, kernel_zf_work(n_ue) * lane);
    set->pivot = aligned_alloc(64, lane);
    if (!set->G || !set->H || !set->plain || !set->P || !set->A || !set->b || !set->work || !set->pivot) {
        abort();
    }
    for (int i = 0; i < n_ap * KERNEL_LANES_MAX; i++) {
        set->P[i] = 1;
    }
}

static void set_destroy(struct set *set)
{
    for (int b = 0; b < N_SB; b++) {
        case_destroy(&set->c[b]);
    }
    free(set->G);
    free(set->H);
    free(set->plain);
    free(set->P);
    free(set->A);
    free(set->b);
    free(set->work);
    free(set->pivot);
}

static struct runner *add(struct runner *runners, int *n, const struct set *set, const struct kernel_ops *ops,
                          void (*run)(struct runner *, struct set *), const char *name)
{
    struct runner *r = &runners[(*n)++];
    *r = (struct runner){.run = run, .ops = ops, .power = MIMO_POWER_MAXMIN, .n_round = all_rounds()};
    snprintf(r->name, sizeof r->name, "%s%s%s", name, ops ? ", " : "", ops ? ops->name : "");
    kernel_select(ops);
    if ((run == run_batch || run == run_single) &&
        precoder_create(&r->precoder, &(struct mimo_shape){set->n_ap, set->n_ant, set->n_ue})) {
        abort();
    }
    kernel_select(NULL);
    return r;
}

static int add_all(struct runner *runners, struct set *set)
{
    int n = 0;
    add(runners, &n, set, NULL, lapack_solve, "LAPACK per matrix (cherk cpotrf ctrsm)");
    add(runners, &n, set, NULL, lapack_inverse, "LAPACK per matrix (.. cpotri chemm)");
    add(runners, &n, set, NULL, lapack_maxmin, "LAPACK per matrix, max-min, SINRs");
    for (int v = 0; kernel_variant(v); v++) {
        add(runners, &n, set, kernel_variant(v), run_kernel, "kernel only");
        add(runners, &n, set, kernel_variant(v), run_batch, "equal, SINRs")->power = MIMO_POWER_EQUAL;
        add(runners, &n, set, kernel_variant(v), run_batch, "max-min, SINRs");
    }
    add(runners, &n, set, NULL, run_single, "one by one (double), max-min")->n_round = row_rounds(SLOW_ROUNDS);
    return n;
}

/* Every second round runs backwards: what one leaves in the caches meets each of the others as often. */
static void run_rounds(struct runner *runners, int n, struct set *set)
{
    for (int round = 0; round < all_rounds(); round++) {
        baton_pass();
        for (int i = 0; i < n; i++) {
            struct runner *r = &runners[round % 2 ? n - 1 - i : i];
            if (round >= r->n_round) {
                continue;
            }
            if (r->run == run_kernel && round == 0) { /* finite numbers in this variant's layout */
                const float *source[KERNEL_LANES_MAX];
                for (int s = 0; s < KERNEL_LANES_MAX; s++) {
                    source[s] = (const float *)set->c[s].H;
                }
                r->ops->pack(2 * set->rows * set->n_ue, source, set->H);
            }
            measure_count(true);
            const double start = measure_us();
            r->run(r, set);
            r->us[round] = measure_us() - start;
            measure_count(false);
            r->n_allocation += measure_allocations();
        }
    }
}

/* ratio: times faster than the better LAPACK, which makes beams and nothing else; of_same: than LAPACK with powers and
 * SINRs as well; medians over rounds. Kernel and batch: the share of the multiply-add peak,
 * and of the copy bandwidth if channels were read and precoders written once. */
static void show(const struct runner *runners, const struct runner *r, const struct set *set)
{
    double ratio[ROUNDS], same[ROUNDS], us[ROUNDS];
    for (int i = 0; i < r->n_round; i++) {
        ratio[i] = fmin(runners[0].us[i], runners[1].us[i]) / r->us[i];
        same[i] = runners[2].us[i] / r->us[i];
        us[i] = r->us[i];
    }
    /* real multiply-adds: Gram 4 rows n^2 / 2, product 4 rows n^2, factor, inverse and square 4 n^3 / 6 each */
    const double n = set->n_ue, rows = set->rows, flop = 2 * N_SB * (6 * rows * n * n + 2 * n * n * n);
    const struct measure_times t = measure_summary(us, r->n_round);
    const bool lanes = r->ops != NULL;
    row_samples("best_us", r->n_round, r->us);
    ROW(r->name, {"best_us", t.best_us}, {"median_us", t.median_us}, {"p99_us", t.p99_us},
        {"ratio", measure_summary(ratio, r->n_round).median_us},
        {"of_same", measure_summary(same, r->n_round).median_us},
        {"of_peak", lanes ? flop / t.median_us / 1e3 / measure_peak_g_s(r->ops->name, MEASURE_SINGLE) : NAN},
        {"of_copy", lanes ? 16 * N_SB * rows * n / t.median_us / 1e3 / measure_copy_gb_s(1 << 20) : NAN},
        {"allocations", r->precoder ? (double)r->n_allocation : NAN});
}

void bench_zf(int n_ap, int n_ant, int n_ue)
{
    static struct set set;
    static struct runner runners[MAX_RUNNER];
    set_create(&set, n_ap, n_ant, n_ue);
    const int n = add_all(runners, &set);
    run_rounds(runners, n, &set);
    row_section("zero-forcing %d x %d, %d subbands", set.rows, n_ue, N_SB);
    for (int i = 0; i < n; i++) {
        show(runners, &runners[i], &set);
        precoder_destroy(runners[i].precoder);
    }
    set_destroy(&set);
}
