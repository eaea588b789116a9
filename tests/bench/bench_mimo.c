/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Times the precoders on this processor: batched zero-forcing against a LAPACK call per matrix (cherk, cpotrf, cpotri,
 * cgemm; OpenBLAS on one thread), against the measured multiply-add peak, and the max-min optimum per subband. */
#include "base/clock.h"
#include "linalg/kernel.h"
#include "mimo/ob.h"
#include "plain_ob.h"
#include "row.h"

#include <cblas.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N_SB = 100, REPEATS = 400 };

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

struct times {
    double median_us, p99_us;
};

static struct times summarise(double *us, int n)
{
    qsort(us, (size_t)n, sizeof *us, compare);
    return (struct times){us[n / 2], us[n * 99 / 100]};
}

/* Calls of the malloc family made by the library under test while counting is on; the linker wraps them. */
static unsigned long allocations;
static bool counting;
void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);
void *__wrap_malloc(size_t size)
{
    allocations += counting;
    return __real_malloc(size);
}
void *__wrap_calloc(size_t n, size_t size)
{
    allocations += counting;
    return __real_calloc(n, size);
}
void *__wrap_realloc(void *p, size_t size)
{
    allocations += counting;
    return __real_realloc(p, size);
}
void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
    allocations += counting;
    return __real_aligned_alloc(alignment, size);
}

/* Best single-precision rate of a chain-free multiply-add loop in registers, GFLOP/s, with the widest vectors present.
 */
#if defined(__x86_64__)
#define PEAK_BODY(width)                                                                                               \
    typedef float vec __attribute__((vector_size(width)));                                                             \
    vec a[12], x, y;                                                                                                   \
    for (int i = 0; i < (int)(width / 4); i++) {                                                                       \
        x[i] = 0.999f;                                                                                                 \
        y[i] = 1e-3f;                                                                                                  \
    }                                                                                                                  \
    for (int j = 0; j < 12; j++)                                                                                       \
        a[j] = x;                                                                                                      \
    double best = 0;                                                                                                   \
    for (int trial = 0; trial < 20; trial++) {                                                                         \
        const uint64_t start = clock_mono_ns();                                                                        \
        for (int i = 0; i < 100000; i++)                                                                               \
            _Pragma("GCC unroll 12") for (int j = 0; j < 12; j++) a[j] = a[j] * x + y;                                 \
        const double ns = (double)(clock_mono_ns() - start);                                                           \
        best = fmax(best, 100000.0 * 12 * 2 * (width / 4) / ns);                                                       \
    }                                                                                                                  \
    float sum = 0;                                                                                                     \
    for (int j = 0; j < 12; j++)                                                                                       \
        sum += a[j][0];                                                                                                \
    *sink = sum;                                                                                                       \
    return best;
__attribute__((target("avx512f"))) static double peak_512(volatile float *sink)
{
    PEAK_BODY(64)
}
__attribute__((target("avx2,fma"))) static double peak_256(volatile float *sink)
{
    PEAK_BODY(32)
}
static double peak_gflops(void)
{
    volatile float sink;
    return __builtin_cpu_supports("avx512f") ? peak_512(&sink) : __builtin_cpu_supports("fma") ? peak_256(&sink) : 0;
}
#else
static double peak_gflops(void)
{
    return 0;
}
#endif

struct set {
    struct channel_case c[N_SB];
    struct mimo_channel channels[N_SB];
    struct mimo_solution solutions[N_SB];
};

static void set_create(struct set *set, int n_ap, int n_ant, int n_ue)
{
    struct random random = {77};
    for (int b = 0; b < N_SB; b++) {
        case_create(&set->c[b], &random, n_ap, n_ant, n_ue, 20, 15, 0.05);
        set->channels[b] = set->c[b].channel;
        set->solutions[b] = set->c[b].solution;
    }
}

/* LAPACK's own symbols; in OpenBLAS both are optimised. */
void cpotrf_(const char *uplo, const int *n, tutti_cf32 *a, const int *lda, int *info);
void cpotri_(const char *uplo, const int *n, tutti_cf32 *a, const int *lda, int *info);

/* A = H (H^H H)^-1 by the inverse, column-major. */
static void lapack_inverse(int rows, int n, const tutti_cf32 *H, tutti_cf32 *G, tutti_cf32 *A)
{
    const tutti_cf32 one = 1, zero = 0;
    int info;
    cblas_cherk(CblasColMajor, CblasLower, CblasConjTrans, n, rows, 1, H, rows, 0, G, n);
    cpotrf_("L", &n, G, &n, &info);
    cpotri_("L", &n, G, &n, &info);
    cblas_chemm(CblasColMajor, CblasRight, CblasLower, rows, n, &one, G, n, H, rows, &zero, A, rows);
}

/* The same by two triangular solves on a copy. */
static void lapack_solve(int rows, int n, const tutti_cf32 *H, tutti_cf32 *G, tutti_cf32 *A)
{
    const tutti_cf32 one = 1;
    int info;
    memcpy(A, H, (size_t)(rows * n) * sizeof *A);
    cblas_cherk(CblasColMajor, CblasLower, CblasConjTrans, n, rows, 1, H, rows, 0, G, n);
    cpotrf_("L", &n, G, &n, &info);
    cblas_ctrsm(CblasColMajor, CblasRight, CblasLower, CblasConjTrans, CblasNonUnit, rows, n, &one, G, n, A, rows);
    cblas_ctrsm(CblasColMajor, CblasRight, CblasLower, CblasNoTrans, CblasNonUnit, rows, n, &one, G, n, A, rows);
}

static struct times time_lapack(struct set *set, int rows, int n,
                                void (*solve)(int, int, const tutti_cf32 *, tutti_cf32 *, tutti_cf32 *))
{
    static double us[REPEATS];
    tutti_cf32 *G = calloc((size_t)(n * n), sizeof *G);
    if (!G) {
        abort();
    }
    for (int r = 0; r < REPEATS; r++) {
        const uint64_t start = clock_mono_ns();
        for (int b = 0; b < N_SB; b++) {
            solve(rows, n, set->c[b].H, G, set->c[b].solution.W);
        }
        us[r] = (double)(clock_mono_ns() - start) / 1e3;
    }
    free(G);
    return summarise(us, REPEATS);
}

static struct times time_precoder(struct set *set, enum mimo_scheme scheme, enum mimo_power power, bool batch,
                                  int repeats)
{
    static double us[REPEATS];
    precoder_t *precoder;
    if (precoder_create(&precoder, &set->c[0].shape)) {
        abort();
    }
    allocations = 0;
    counting = true;
    for (int r = 0; r < repeats; r++) {
        const uint64_t start = clock_mono_ns();
        if (batch) {
            precoder_execute_batch(precoder, scheme, power, N_SB, set->channels, set->solutions);
        }
        for (int b = 0; b < N_SB && !batch; b++) {
            precoder_execute(precoder, scheme, power, &set->channels[b], &set->solutions[b]);
        }
        us[r] = (double)(clock_mono_ns() - start) / 1e3;
    }
    counting = false;
    precoder_destroy(precoder);
    return summarise(us, repeats);
}

static struct times time_kernel(struct set *set, const struct kernel_ops *ops, int rows, int n)
{
    static double us[REPEATS];
    const size_t size = (size_t)(2 * rows * n * ops->n_lane);
    float *H = aligned_alloc(64, size * 4), *A = aligned_alloc(64, size * 4),
          *work = aligned_alloc(64, (size_t)(4 * n * n * 64));
    float pivot[KERNEL_LANES_MAX];
    const float *source[KERNEL_LANES_MAX];
    if (!H || !A || !work) {
        abort();
    }
    for (int s = 0; s < ops->n_lane; s++) {
        source[s] = (const float *)set->c[s].H;
    }
    ops->pack(2 * rows * n, source, H);
    for (int r = 0; r < REPEATS; r++) {
        const uint64_t start = clock_mono_ns();
        for (int b = 0; b < N_SB; b += ops->n_lane) {
            ops->zf(rows, n, H, work, A, pivot);
        }
        us[r] = (double)(clock_mono_ns() - start) / 1e3;
    }
    free(H);
    free(A);
    free(work);
    return summarise(us, REPEATS);
}

/* gflop_s and allocations: NAN where they do not apply. */
static void line(const char *what, struct times t, double reference_us, double gflop_s, double n_allocation)
{
    ROW(what, {"median_us", t.median_us}, {"p99_us", t.p99_us}, {"ratio", reference_us / t.median_us},
        {"gflop_s", gflop_s}, {"allocations", n_allocation});
}

static void line_precoder(const char *what, struct set *set, enum mimo_power power, bool batch, double reference_us)
{
    const struct times t = time_precoder(set, MIMO_ZF, power, batch, batch ? REPEATS : 20);
    line(what, t, reference_us, NAN, (double)allocations);
}

static void bench_zf(int n_ap, int n_ant, int n_ue)
{
    static struct set set;
    const int rows = n_ap * n_ant;
    set_create(&set, n_ap, n_ant, n_ue);
    row_section("zero-forcing %d x %d, %d subbands", rows, n_ue, N_SB);
    const struct times solve = time_lapack(&set, rows, n_ue, lapack_solve),
                       inverse = time_lapack(&set, rows, n_ue, lapack_inverse);
    const double best = fmin(solve.median_us, inverse.median_us);
    line("LAPACK per matrix (cherk cpotrf ctrsm)", solve, best, NAN, NAN);
    line("LAPACK per matrix (cherk cpotrf cpotri chemm)", inverse, best, NAN, NAN);
    for (int v = 0; kernel_variant(v); v++) {
        char name[64];
        const struct kernel_ops *ops = kernel_variant(v);
        const struct times t = time_kernel(&set, ops, rows, n_ue);
        snprintf(name, sizeof name, "kernel only, %s", ops->name);
        /* real multiply-adds: Gram and product 4 rows n^2 / 2 + 4 rows n^2, factor, inverse and square 4 n^3 / 6 each
         */
        const double n = n_ue, flop = 2 * (6 * rows * n * n + 2 * n * n * n);
        const int batches = (N_SB + ops->n_lane - 1) / ops->n_lane;
        line(name, t, best, batches * ops->n_lane * flop / t.median_us / 1e3, NAN);
    }
    line_precoder("precoder batch, equal power, SINRs", &set, MIMO_POWER_EQUAL, true, best);
    line_precoder("precoder batch, max-min power, SINRs", &set, MIMO_POWER_MAXMIN, true, best);
    line_precoder("precoder one by one (double), max-min", &set, MIMO_POWER_MAXMIN, false, best);
    for (int b = 0; b < N_SB; b++) {
        case_destroy(&set.c[b]);
    }
}

enum { DROPS = 10, BLOCKS = 20 };

/* One way to solve a block: what it took, and the times the plain references took on the same channel. */
enum way { COLD, WARM, PLAIN, PLAIN_LEAVE_OUT, N_WAY };
static const char *const way_name[] = {"ob_solve, cold", "ob_solve, warm", "plain, spec fixed point",
                                       "plain, own signal left out"};
struct track {
    double us[DROPS * BLOCKS]; /* NAN where not run */
    double iterations;
    int n_run, n_failed;
    unsigned long n_allocation;
};

static void run_ob(ob_t *ob, struct channel_case *c, double gap, bool warm, int at, struct track *track)
{
    struct ob_settings settings;
    struct ob_result result;
    ob_settings_default(&settings);
    settings.tolerance = gap;
    settings.warm = warm;
    allocations = 0;
    counting = true;
    const uint64_t start = clock_mono_ns();
    ob_solve(ob, &c->channel, &settings, &c->solution, &result);
    track->us[at] = (double)(clock_mono_ns() - start) / 1e3;
    counting = false;
    track->n_allocation += allocations;
    track->iterations += result.iterations;
    track->n_failed += result.stop != OB_CONVERGED;
    track->n_run++;
}

static void run_plain(struct channel_case *c, double gap, bool leave_out_own, int at, struct track *track)
{
    const struct plain_ob_settings settings = {
        .gap = gap, .max_iterations = 5000, .leave_out_own = leave_out_own, .exponent = 1};
    struct plain_ob_result result;
    const uint64_t start = clock_mono_ns();
    const int rc = plain_ob_solve(c, &settings, &result);
    track->us[at] = (double)(clock_mono_ns() - start) / 1e3;
    track->iterations += result.iterations;
    track->n_failed += rc != 0 || !result.converged;
    track->n_run++;
}

/* Median over the blocks both ran on of b's time over a's. */
static double ratio(const struct track *a, const struct track *b)
{
    double r[DROPS * BLOCKS];
    int n = 0;
    for (int i = 0; i < DROPS * BLOCKS; i++) {
        if (isfinite(a->us[i]) && isfinite(b->us[i])) {
            r[n++] = b->us[i] / a->us[i];
        }
    }
    return n > 0 ? summarise(r, n).median_us : NAN;
}

/* 0.995 correlated from one block to the next. */
static void next_block(struct channel_case *c, struct random *random)
{
    const int n_ant = c->shape.n_ant, n_ue = c->shape.n_ue;
    for (int i = 0; i < c->shape.n_ap * n_ant * n_ue; i++) {
        const int mk = i / (n_ant * n_ue) * n_ue + i % n_ue;
        const double gamma = (double)c->beta[mk] - (double)c->E[mk];
        c->H[i] = (tutti_cf32)(sqrt(0.99) * (double complex)c->H[i] + sqrt(0.01 * gamma) * random_cn(random));
    }
}

static void line_ob(const struct track *tracks, enum way way)
{
    const struct track *t = &tracks[way];
    double us[DROPS * BLOCKS];
    int n = 0;
    for (int i = 0; i < DROPS * BLOCKS; i++) {
        if (isfinite(t->us[i])) {
            us[n++] = t->us[i];
        }
    }
    if (n == 0) {
        return;
    }
    const struct times times = summarise(us, n);
    ROW(way_name[way], {"median_us", times.median_us}, {"p99_us", n < 100 ? NAN : times.p99_us},
        {"iterations", t->iterations / t->n_run}, {"not_converged", t->n_failed}, {"of_cold", ratio(&tracks[COLD], t)},
        {"of_warm", ratio(&tracks[WARM], t)}, {"allocations", way > WARM ? NAN : (double)t->n_allocation});
}

/* Cell-free drops of BLOCKS blocks; the plain references, if wanted, on the last block of each. */
static void bench_ob(int n_ap, int n_ant, int n_ue, double gap, bool plain)
{
    static tutti_cf32 truth[TUTTI_MAX_AP * TUTTI_MAX_ANT * TUTTI_MAX_UE];
    static struct track tracks[N_WAY];
    const struct mimo_shape shape = {n_ap, n_ant, n_ue};
    struct random random = {78};
    ob_t *cold, *warm;
    if (ob_create(&cold, &shape) || ob_create(&warm, &shape)) {
        abort();
    }
    for (int w = 0; w < N_WAY; w++) {
        tracks[w] = (struct track){0};
        for (int i = 0; i < DROPS * BLOCKS; i++) {
            tracks[w].us[i] = NAN;
        }
    }
    for (int drop = 0; drop < DROPS; drop++) {
        struct channel_case c;
        case_create_cell_free(&c, &random, n_ap, n_ant, n_ue, n_ue, truth);
        for (int block = 0; block < BLOCKS; block++) {
            const int at = drop * BLOCKS + block;
            run_ob(cold, &c, gap, false, at, &tracks[COLD]);
            run_ob(warm, &c, gap, block > 0, at, &tracks[WARM]);
            for (int leave_out = 0; plain && block == BLOCKS - 1 && leave_out < 2; leave_out++) {
                run_plain(&c, gap, leave_out, at, &tracks[PLAIN + leave_out]);
            }
            next_block(&c, &random);
        }
        case_destroy(&c);
    }
    ob_destroy(cold);
    ob_destroy(warm);
    row_section("max-min optimum, M=%d N=%d K=%d, gap %g", n_ap, n_ant, n_ue, gap);
    for (int w = 0; w < N_WAY; w++) {
        line_ob(tracks, (enum way)w);
    }
}

int main(int argc, char **argv)
{
    row_open(&argc, argv);
    openblas_set_num_threads(1);
    row_section("this processor");
    ROW("single-precision multiply-adds in registers", {"gflop_s", peak_gflops()});
    bench_zf(32, 1, 8);
    bench_zf(16, 4, 16);
    bench_ob(64, 1, 8, 1e-2, true);
    bench_ob(64, 1, 8, 1e-3, true);
    bench_ob(8, 4, 8, 1e-2, false);
    bench_ob(100, 1, 40, 1e-2, false);
    return 0;
}
