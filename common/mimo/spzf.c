/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "mimo/spzf.h"

#include "base/error.h"
#include "mimo/spzf_core.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_PLANS = 4, MAX_BASES = 64, MAX_STARTS = 1000 };

/* Polishing pays only above the rounding level of the closed form. */
static const double polish_above = 1e-14;

/* One step of the successive partition (3.3): the matrix of what is left, its first row partitioned and closed. */
struct step {
    int n, n_sets, n_rows;
    const double *re, *im;   /* [n_rows][n] */
    double *own_re, *own_im; /* memory of re, im for steps > 0 */
    double *r, *u_re, *u_im; /* [n] |h| and conj(h) / |h| of the first row, later the columns' phasors */
    int *label, *corner;     /* [n] set; 3 set + bin */
    double *side;            /* [n_sets][3] bin sums */
    double *f_re, *f_im;     /* [n_sets][3] the bins' phasors */
    double *sum_re, *sum_im; /* [n_sets][3] rotated sums of one later row */
    double *sum, *top;       /* [n_sets] */
    int *longest;            /* [n_sets], -1 = empty */
    double *mirror_re, *mirror_im, *mirror_abs; /* [n_sets] the other value of the reduced channel, and its magnitude */
    uint8_t *flip;                              /* [n_sets] */
};

/* A candidate answer. */
struct answer {
    double *re, *im; /* [n_ant] */
    double residual;
    unsigned outage;
    int n_sets;
    enum spzf_source source;
};

struct spzf {
    struct spzf_settings settings;
    struct splitmix rng;
    int n_steps_max;
    struct step step[SPZF_MAX_STEPS];
    double *g_re, *g_im; /* [K][N] rows, L1 norm 1, zero rows left out */
    double *b_re, *b_im; /* [K][N] the same in another basis */
    struct answer current, best;
    struct spzf_work work;
    struct spzf_lm lm;
};

/* Plans and settings ------------------------------------------------------------------------------------------------
 */

static int power3(int k)
{
    int p = 1;
    while (k-- > 0 && p <= SPZF_MAX_ANT) {
        p *= 3;
    }
    return p;
}

static int clip(int value, int low, int high)
{
    return value < low ? low : value > high ? high : value;
}

void spzf_plan(int n_ant, int n_user, int first, int *n_sets)
{
    int n = n_ant;
    for (int k = 0; k + 1 < n_user; k++) {
        int left = n_user - k - 1, high = n / 3 > 1 ? n / 3 : 1;
        int low = power3(left) < high ? power3(left) : high;
        int wanted = (int)lround(pow(n, (double)left / (left + 1)));
        n_sets[k] = k == 0 && first > 0 ? first : clip(wanted, low, high);
        n = n_sets[k];
    }
}

struct spzf_settings spzf_settings_default(enum spzf_method method, int n_ant, int n_user)
{
    bool plus = method == SPZF_PLUS, lm = method == SPZF_LM;
    return (struct spzf_settings){
        .method = method,
        .n_ant = n_ant,
        .n_user = n_user,
        .mirrors = plus,
        .fallback = plus,
        .n_plans = plus ? MAX_PLANS : 1,
        .n_bases = plus ? 16 : 1,
        .n_starts = lm     ? 10
                    : plus ? 3
                           : 0,
        .node_budget = 64,
        .seed = 1,
    };
}

static bool partition_only(enum spzf_method method)
{
    return method != SPZF_PLUS && method != SPZF_LM;
}

static int check_range(const char *name, int value, int low, int high)
{
    if (value >= low && value <= high) {
        return 0;
    }
    return error_set(TUTTI_EINVAL, "spzf: %s = %d, allowed %d to %d", name, value, low, high);
}

int spzf_settings_check(const struct spzf_settings *settings)
{
    int max_user = partition_only(settings->method) ? SPZF_MAX_STEPS : SPZF_MAX_USER;
    int status = check_range("method", (int)settings->method, SPZF_RANDOM, SPZF_LM);
    status = status ? status : check_range("n_ant", settings->n_ant, 2, SPZF_MAX_ANT);
    status = status ? status : check_range("n_user", settings->n_user, 1, max_user);
    status = status ? status : check_range("n_sets", settings->n_sets, 0, settings->n_ant);
    status = status ? status : check_range("n_plans", settings->n_plans, 1, MAX_PLANS);
    status = status ? status : check_range("n_bases", settings->n_bases, 1, MAX_BASES);
    status = status ? status : check_range("n_starts", settings->n_starts, settings->method == SPZF_LM, MAX_STARTS);
    status = status ? status : check_range("node_budget", settings->node_budget, 1, 1000000);
    return status;
}

/* Create and destroy --------------------------------------------------------------------------------------------------
 */

static double *doubles(size_t n, bool *ok)
{
    double *p = calloc(n, sizeof(*p));
    *ok = *ok && p;
    return p;
}

static int *ints(size_t n, bool *ok)
{
    int *p = calloc(n, sizeof(*p));
    *ok = *ok && p;
    return p;
}

static bool step_init(struct step *step, size_t n, size_t n_rows)
{
    bool ok = true;
    step->own_re = doubles(n * n_rows, &ok);
    step->own_im = doubles(n * n_rows, &ok);
    step->r = doubles(n, &ok);
    step->u_re = doubles(n, &ok);
    step->u_im = doubles(n, &ok);
    step->label = ints(n, &ok);
    step->corner = ints(n, &ok);
    step->side = doubles(3 * n, &ok);
    step->f_re = doubles(3 * n, &ok);
    step->f_im = doubles(3 * n, &ok);
    step->sum_re = doubles(3 * n, &ok);
    step->sum_im = doubles(3 * n, &ok);
    step->sum = doubles(n, &ok);
    step->top = doubles(n, &ok);
    step->longest = ints(n, &ok);
    step->mirror_re = doubles(n, &ok);
    step->mirror_im = doubles(n, &ok);
    step->mirror_abs = doubles(n, &ok);
    step->flip = calloc(n, sizeof(*step->flip));
    return ok && step->flip;
}

static void step_free(struct step *step)
{
    void *all[] = {step->own_re,    step->own_im,    step->r,          step->u_re, step->u_im,
                   step->label,     step->corner,    step->side,       step->f_re, step->f_im,
                   step->sum_re,    step->sum_im,    step->sum,        step->top,  step->longest,
                   step->mirror_re, step->mirror_im, step->mirror_abs, step->flip};
    for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
        free(all[i]);
    }
}

static int fill_handle(spzf_t *spzf)
{
    size_t n = (size_t)spzf->settings.n_ant, k = (size_t)spzf->settings.n_user;
    bool ok = true;
    spzf->n_steps_max = spzf->settings.n_user < SPZF_MAX_STEPS ? spzf->settings.n_user : SPZF_MAX_STEPS;
    for (int i = 0; i < spzf->n_steps_max; i++) {
        ok = ok && step_init(&spzf->step[i], n, (size_t)(spzf->n_steps_max - i));
    }
    spzf->g_re = doubles(k * n, &ok);
    spzf->g_im = doubles(k * n, &ok);
    spzf->b_re = doubles(k * n, &ok);
    spzf->b_im = doubles(k * n, &ok);
    spzf->current.re = doubles(n, &ok);
    spzf->current.im = doubles(n, &ok);
    spzf->best.re = doubles(n, &ok);
    spzf->best.im = doubles(n, &ok);
    bool genetic = spzf->settings.method == SPZF_GENETIC;
    ok = ok && spzf_work_init(&spzf->work, spzf->settings.n_ant, spzf->settings.node_budget, genetic) == 0;
    ok = ok && spzf_lm_init(&spzf->lm, spzf->settings.n_user, spzf->settings.n_ant) == 0;
    return ok ? 0 : error_set(TUTTI_ENOMEM, "spzf: out of memory for %zu antennas and %zu users", n, k);
}

int spzf_create(spzf_t **out, const struct spzf_settings *settings)
{
    *out = NULL;
    int status = spzf_settings_check(settings);
    if (status) {
        return status;
    }
    spzf_t *spzf = calloc(1, sizeof(*spzf));
    if (!spzf) {
        return error_set(TUTTI_ENOMEM, "spzf: out of memory");
    }
    *out = spzf;
    spzf->settings = *settings;
    spzf_reset(spzf, settings->seed);
    return fill_handle(spzf);
}

void spzf_destroy(spzf_t *spzf)
{
    if (!spzf) {
        return;
    }
    for (int i = 0; i < SPZF_MAX_STEPS; i++) {
        step_free(&spzf->step[i]);
    }
    void *all[] = {spzf->g_re,       spzf->g_im,       spzf->b_re,    spzf->b_im,
                   spzf->current.re, spzf->current.im, spzf->best.re, spzf->best.im};
    for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
        free(all[i]);
    }
    spzf_work_free(&spzf->work);
    spzf_lm_free(&spzf->lm);
    free(spzf);
}

void spzf_reset(spzf_t *spzf, uint64_t seed)
{
    spzf->rng = splitmix_make(seed, 0);
}

/* Partition dispatch
 * --------------------------------------------------------------------------------------------------- */

static void partition(spzf_t *spzf, enum spzf_method method, const struct spzf_input *in, int *labels)
{
    struct spzf_work *work = &spzf->work;
    switch (method) {
    case SPZF_RANDOM:
        spzf_part_random(in, work, &spzf->rng, labels);
        return;
    case SPZF_ITERATIVE:
        if (spzf->settings.uniform_start) {
            spzf_part_uniform(in, &spzf->rng, labels);
        } else {
            spzf_part_random(in, work, &spzf->rng, labels);
        }
        spzf_part_iterate(in, work, labels);
        return;
    case SPZF_ITERATIVE_FC:
        spzf_part_random(in, work, &spzf->rng, labels);
        spzf_part_iterate_fc(in, work, labels);
        return;
    case SPZF_GENETIC:
        spzf_part_genetic(in, work, &spzf->rng, labels);
        return;
    case SPZF_BEST_FIT:
        spzf_sort(work, in->n, in->r);
        if (!spzf_part_best_fit(in, work, labels)) {
            spzf_part_iterate_fc(in, work, labels);
        }
        return;
    case SPZF_PAIR_FILL:
    case SPZF_PLUS:
    case SPZF_LM:
        break;
    }
    spzf_sort(work, in->n, in->r);
    /* Filling gaps is practically optimal with four antennas a set; below that it pays to search. When the search
     * fails, another basis is a better chance than improving this one. */
    if (method == SPZF_PLUS && in->n < 4 * in->n_sets) {
        spzf_part_best_fit(in, work, labels);
    } else {
        spzf_part_pair_fill(in, work, labels);
    }
}

int spzf_partition(spzf_t *spzf, enum spzf_method method, int n, const double *magnitude, int n_sets, int *labels)
{
    if (n < 2 || n > spzf->settings.n_ant || n_sets < 1 || n_sets > n) {
        return error_set(TUTTI_EINVAL, "spzf: %d antennas in %d sets do not fit a handle of %d", n, n_sets,
                         spzf->settings.n_ant);
    }
    if (!partition_only(method) || (method == SPZF_GENETIC && !spzf->work.genes[0])) {
        return error_set(TUTTI_EINVAL, "spzf: this handle has no partition by method %d", (int)method);
    }
    for (int i = 0; i < n; i++) {
        if (!(magnitude[i] >= 0.0 && magnitude[i] <= 1e300)) {
            return error_set(TUTTI_EINVAL, "spzf: magnitude %d is %g, allowed 0 to 1e300", i, magnitude[i]);
        }
    }
    partition(spzf, method, &(struct spzf_input){n, n_sets, magnitude}, labels);
    return 0;
}

/* One step
 * ------------------------------------------------------------------------------------------------------------- */

static void step_magnitudes(struct step *step)
{
    for (int i = 0; i < step->n; i++) {
        double power = step->re[i] * step->re[i] + step->im[i] * step->im[i];
        bool visible = power > 1e-290; /* below, the square root loses digits; to rows of norm 1 that is nothing */
        double r = sqrt(visible ? power : 0.0), inverse = 1.0 / (visible ? r : 1.0);
        step->r[i] = r;
        step->u_re[i] = visible ? step->re[i] * inverse : 1.0;
        step->u_im[i] = visible ? -step->im[i] * inverse : 0.0;
    }
}

/* Sums and longest of every set; true if all close. The absolute floor is for reduced channels that are zero but for
 * rounding, as with proportional rows. */
static bool step_sets(struct step *step, double floor)
{
    for (int p = 0; p < step->n_sets; p++) {
        step->sum[p] = 0.0;
        step->top[p] = -1.0;
        step->longest[p] = -1;
    }
    for (int i = 0; i < step->n; i++) {
        int p = step->label[i];
        step->sum[p] += step->r[i];
        if (step->r[i] > step->top[p]) {
            step->top[p] = step->r[i];
            step->longest[p] = i;
        }
    }
    bool all = true;
    for (int p = 0; p < step->n_sets; p++) {
        all = all && step->longest[p] >= 0 && spzf_closes(step->sum[p], step->sum[p] - 2.0 * step->top[p] + floor);
    }
    return all;
}

/* order: longest first if known (balanced bins make round triangles, whose mirrors differ most), NULL = as they come.
 */
static void step_polygons(struct step *step, const int *order)
{
    for (int p = 0; p < step->n_sets; p++) {
        step->side[3 * p] = spzf_larger(step->top[p], 0.0);
        step->side[3 * p + 1] = step->side[3 * p + 2] = 0.0;
    }
    for (int j = 0; j < step->n; j++) {
        int i = order ? order[j] : j, p = step->label[i], b = 0;
        double *side = &step->side[3 * p];
        if (i != step->longest[p]) {
            b = side[1] < side[0] ? 1 : 0;
            b = side[2] < side[b] ? 2 : b;
            side[b] += step->r[i];
        }
        step->corner[i] = 3 * p + b;
    }
    for (int p = 0; p < step->n_sets; p++) {
        spzf_triangle(&step->side[3 * p], &step->f_re[3 * p], &step->f_im[3 * p]);
    }
}

/* Later row `row` seen through this step's bins (27). */
static void step_bin_sums(struct step *step, int row)
{
    const double *re = step->re + (size_t)row * (size_t)step->n, *im = step->im + (size_t)row * (size_t)step->n;
    memset(step->sum_re, 0, 3 * (size_t)step->n_sets * sizeof(double));
    memset(step->sum_im, 0, 3 * (size_t)step->n_sets * sizeof(double));
    for (int i = 0; i < step->n; i++) {
        int c = step->corner[i];
        step->sum_re[c] += re[i] * step->u_re[i] - im[i] * step->u_im[i];
        step->sum_im[c] += re[i] * step->u_im[i] + im[i] * step->u_re[i];
    }
}

static void step_reduce_row(const struct step *step, double *re, double *im)
{
    for (int p = 0; p < step->n_sets; p++) {
        const double *c = &step->f_re[3 * p], *s = &step->f_im[3 * p], *a = &step->sum_re[3 * p],
                     *b = &step->sum_im[3 * p];
        re[p] = (a[0] * c[0] - b[0] * s[0]) + (a[1] * c[1] - b[1] * s[1]) + (a[2] * c[2] - b[2] * s[2]);
        im[p] = (a[0] * s[0] + b[0] * c[0]) + (a[1] * s[1] + b[1] * c[1]) + (a[2] * s[2] + b[2] * c[2]);
    }
}

static void flip_set(struct step *step, int p)
{
    step->f_im[3 * p] = -step->f_im[3 * p];
    step->f_im[3 * p + 1] = -step->f_im[3 * p + 1];
    step->f_im[3 * p + 2] = -step->f_im[3 * p + 2];
    step->flip[p] ^= 1;
}

/* Lower the longest reduced value to its other form while the last polygon does not close (6.3). Lowering only the
 * current longest loses nothing: no other entry's lowering can help. magnitude [n_sets] of the values in use. */
static void lower_longest(struct step *step, double *magnitude)
{
    double sum = 0.0;
    for (int p = 0; p < step->n_sets; p++) {
        sum += magnitude[p];
    }
    for (int round = 0; round < step->n_sets; round++) {
        int q = 0;
        for (int p = 1; p < step->n_sets; p++) {
            q = magnitude[p] > magnitude[q] ? p : q;
        }
        if (spzf_closes(sum, sum - 2.0 * magnitude[q]) || step->mirror_abs[q] >= magnitude[q]) {
            return;
        }
        sum += step->mirror_abs[q] - magnitude[q];
        magnitude[q] = step->mirror_abs[q];
        flip_set(step, q);
    }
}

/* Every set takes the form with the larger value in the next row; before the last step, back to the lesser where that
 * closes the polygon. Needs the next row's bin sums. */
static void step_mirrors(struct step *step, struct step *next)
{
    double *re = next->own_re, *im = next->own_im, *magnitude = next->r;
    memset(step->flip, 0, (size_t)step->n_sets);
    step_reduce_row(step, re, im);
    for (int p = 0; p < 3 * step->n_sets; p++) {
        step->f_im[p] = -step->f_im[p];
    }
    step_reduce_row(step, step->mirror_re, step->mirror_im);
    for (int p = 0; p < 3 * step->n_sets; p++) {
        step->f_im[p] = -step->f_im[p];
    }
    for (int p = 0; p < step->n_sets; p++) {
        double plain = sqrt(re[p] * re[p] + im[p] * im[p]);
        double other = sqrt(step->mirror_re[p] * step->mirror_re[p] + step->mirror_im[p] * step->mirror_im[p]);
        bool turn = other > plain;
        magnitude[p] = turn ? other : plain;
        step->mirror_abs[p] = turn ? plain : other;
        if (turn) {
            flip_set(step, p);
        }
    }
    if (next->n_rows == 1) {
        lower_longest(step, magnitude);
    }
    for (int p = 0; p < step->n_sets; p++) {
        re[p] = step->flip[p] ? step->mirror_re[p] : re[p];
        im[p] = step->flip[p] ? step->mirror_im[p] : im[p];
    }
}

static void step_reduce(struct step *step, struct step *next, bool mirrors)
{
    next->n = step->n_sets;
    next->re = next->own_re;
    next->im = next->own_im;
    next->n_rows = step->n_rows - 1;
    for (int row = 1; row < step->n_rows; row++) {
        step_bin_sums(step, row);
        if (row == 1 && mirrors) {
            step_mirrors(step, next);
        } else {
            step_reduce_row(step, next->own_re + (size_t)(row - 1) * (size_t)next->n,
                            next->own_im + (size_t)(row - 1) * (size_t)next->n);
        }
    }
}

/* Columns' phasors of this step: own polygon times the phasor of the set's column in the next step (29). */
static void step_compose(struct step *step, const struct step *next)
{
    if (next) {
        for (int p = 0; p < step->n_sets; p++) {
            double re = next->u_re[p], im = next->u_im[p];
            for (int c = 3 * p; c < 3 * p + 3; c++) {
                double f = step->f_re[c];
                step->f_re[c] = f * re - step->f_im[c] * im;
                step->f_im[c] = f * im + step->f_im[c] * re;
            }
        }
    }
    for (int i = 0; i < step->n; i++) {
        double c = step->f_re[step->corner[i]], s = step->f_im[step->corner[i]], u = step->u_re[i];
        step->u_re[i] = u * c - step->u_im[i] * s;
        step->u_im[i] = u * s + step->u_im[i] * c;
    }
}

/* One partition try
 * ----------------------------------------------------------------------------------------------------- */

/* Successive partition of rows with the given plan; labels NULL or the sets of step 0. Fills current, which is judged
 * by the original rows g. */
static void run_partition(spzf_t *spzf, const struct spzf_rows *rows, const struct spzf_rows *g, const int *plan,
                          const int *labels)
{
    unsigned outage = 0;
    int last = rows->n_user - 1;
    struct step *step = spzf->step;
    step[0].n = rows->n_ant;
    step[0].n_rows = rows->n_user;
    step[0].re = rows->re;
    step[0].im = rows->im;
    for (int k = 0; k <= last; k++) {
        bool sorted = k < last && spzf->settings.method >= SPZF_PAIR_FILL && (k > 0 || !labels);
        step_magnitudes(&step[k]);
        step[k].n_sets = k < last ? plan[k] : 1;
        if (k == 0 && labels) {
            memcpy(step[0].label, labels, (size_t)rows->n_ant * sizeof(*labels));
        } else if (k < last) {
            partition(spzf, spzf->settings.method, &(struct spzf_input){step[k].n, plan[k], step[k].r}, step[k].label);
        } else {
            memset(step[k].label, 0, (size_t)step[k].n * sizeof(*step[k].label));
        }
        if (!step_sets(&step[k], k > 0 ? 1e-15 : 0.0)) {
            outage |= k < last ? SPZF_E1 : SPZF_E2;
        }
        step_polygons(&step[k], sorted ? spzf->work.order : NULL);
        if (k < last) {
            step_reduce(&step[k], &step[k + 1], spzf->settings.mirrors);
        }
    }
    for (int k = last; k >= 0; k--) {
        step_compose(&step[k], k < last ? &step[k + 1] : NULL);
    }
    struct answer *current = &spzf->current;
    memcpy(current->re, step[0].u_re, (size_t)rows->n_ant * sizeof(double));
    memcpy(current->im, step[0].u_im, (size_t)rows->n_ant * sizeof(double));
    current->residual = spzf_rows_check(g, current->re, current->im);
    if (!outage && current->residual > polish_above) {
        spzf_lm_polish(&spzf->lm, g, current->re, current->im);
        current->residual = spzf_rows_check(g, current->re, current->im);
    }
    current->outage = outage;
    current->n_sets = step[0].n_sets;
    current->source = SPZF_BY_PARTITION;
}

/* Keep the lesser residual by exchanging the buffers. */
static void keep_best(spzf_t *spzf)
{
    if (!(spzf->current.residual < spzf->best.residual)) {
        return;
    }
    struct answer swap = spzf->best;
    spzf->best = spzf->current;
    spzf->current = swap;
}

static bool solved(const spzf_t *spzf)
{
    return spzf->best.residual <= SPZF_RESIDUAL_LIMIT;
}

/* SPZF+ (6.4)
 * ------------------------------------------------------------------------------------------------------------- */

/* U [n][n] unitary, rows by Gram-Schmidt on Gaussian vectors. */
static void random_unitary(struct splitmix *rng, int n, double complex U[SPZF_MAX_STEPS][SPZF_MAX_STEPS])
{
    for (int i = 0; i < n; i++) {
        double norm2 = 0.0;
        for (int c = 0; c < n; c++) {
            double re, im;
            splitmix_normal(rng, &re, &im);
            U[i][c] = spzf_complex(re, im);
        }
        for (int j = 0; j < i; j++) {
            double complex dot = 0.0;
            for (int c = 0; c < n; c++) {
                dot += conj(U[j][c]) * U[i][c];
            }
            for (int c = 0; c < n; c++) {
                U[i][c] -= dot * U[j][c];
            }
        }
        for (int c = 0; c < n; c++) {
            norm2 += creal(U[i][c]) * creal(U[i][c]) + cimag(U[i][c]) * cimag(U[i][c]);
        }
        for (int c = 0; c < n; c++) {
            U[i][c] /= sqrt(norm2);
        }
    }
}

/* Basis 0 is the rows themselves, 1 the rows in reverse, others random. */
static struct spzf_rows change_basis(spzf_t *spzf, const struct spzf_rows *g, int basis)
{
    size_t n = (size_t)g->n_ant;
    double complex U[SPZF_MAX_STEPS][SPZF_MAX_STEPS];
    if (basis == 0) {
        return *g;
    }
    if (basis > 1) {
        random_unitary(&spzf->rng, g->n_user, U);
    }
    for (int k = 0; k < g->n_user; k++) {
        double *re = spzf->b_re + (size_t)k * n, *im = spzf->b_im + (size_t)k * n;
        if (basis == 1) {
            memcpy(re, g->re + (size_t)(g->n_user - 1 - k) * n, n * sizeof(*re));
            memcpy(im, g->im + (size_t)(g->n_user - 1 - k) * n, n * sizeof(*im));
            continue;
        }
        memset(re, 0, n * sizeof(*re));
        memset(im, 0, n * sizeof(*im));
        for (int l = 0; l < g->n_user; l++) {
            double a = creal(U[k][l]), b = cimag(U[k][l]);
            const double *from_re = g->re + (size_t)l * n, *from_im = g->im + (size_t)l * n;
            for (size_t i = 0; i < n; i++) {
                re[i] += a * from_re[i] - b * from_im[i];
                im[i] += a * from_im[i] + b * from_re[i];
            }
        }
    }
    return (struct spzf_rows){g->n_user, g->n_ant, spzf->b_re, spzf->b_im};
}

/* The first set counts to try: the default (or the one asked for), then its neighbours, more sets first. */
static int list_plans(const spzf_t *spzf, int n_ant, int n_user, int plans[MAX_PLANS][SPZF_MAX_STEPS])
{
    int low = power3(n_user - 1), high = n_ant / 3, n = 1;
    spzf_plan(n_ant, n_user, spzf->settings.n_sets, plans[0]);
    if (n_user < 2 || low > high) {
        return 1;
    }
    for (int away = 1; away <= high && n < spzf->settings.n_plans; away++) {
        for (int sign = 1; sign >= -1 && n < spzf->settings.n_plans; sign -= 2) {
            int first = plans[0][0] + sign * away;
            if (first >= low && first <= high) {
                spzf_plan(n_ant, n_user, first, plans[n++]);
            }
        }
    }
    return n;
}

static int run_plus(spzf_t *spzf, const struct spzf_rows *g)
{
    int plans[MAX_PLANS][SPZF_MAX_STEPS], tries = 0;
    /* One user's polygon is exact in any case; below 3^K a second try has no better chance than the first. */
    bool hopeful = g->n_user > 1 && g->n_ant >= power3(g->n_user);
    int n_plans = 1, n_bases = hopeful ? spzf->settings.n_bases : 1;
    spzf_plan(g->n_ant, g->n_user, spzf->settings.n_sets, plans[0]);
    for (int basis = 0; basis < n_bases; basis++) {
        struct spzf_rows rows = change_basis(spzf, g, basis);
        for (int plan = 0; plan < n_plans; plan++) {
            if (tries > 0 && spzf_limit_reached(&spzf->lm.limit)) {
                return tries;
            }
            run_partition(spzf, &rows, g, plans[plan], NULL);
            keep_best(spzf);
            tries++;
            if (solved(spzf)) {
                spzf->best.outage = 0;
                return tries;
            }
            if (tries == 1 && hopeful) {
                n_plans = list_plans(spzf, g->n_ant, g->n_user, plans);
            }
        }
    }
    return tries;
}

/* Numerical
 * ------------------------------------------------------------------------------------------------------------------ */

static void run_lm(spzf_t *spzf, const struct spzf_rows *g, int *iterations)
{
    struct answer *current = &spzf->current;
    spzf_lm_solve(&spzf->lm, g, current->re, current->im, iterations);
    current->residual = spzf_rows_check(g, current->re, current->im);
    current->outage = current->residual <= SPZF_RESIDUAL_LIMIT ? 0 : spzf->best.outage | SPZF_UNSOLVED;
    current->source = SPZF_BY_LM;
    keep_best(spzf);
}

static void run_lm_from_best(spzf_t *spzf, const struct spzf_rows *g, int *iterations)
{
    memcpy(spzf->current.re, spzf->best.re, (size_t)g->n_ant * sizeof(double));
    memcpy(spzf->current.im, spzf->best.im, (size_t)g->n_ant * sizeof(double));
    spzf->current.n_sets = spzf->best.n_sets;
    run_lm(spzf, g, iterations);
}

static void run_lm_starts(spzf_t *spzf, const struct spzf_rows *g, int n_starts, int *iterations)
{
    for (int start = 0; start < n_starts && !solved(spzf); start++) {
        if (start > 0 && spzf_limit_reached(&spzf->lm.limit)) {
            return;
        }
        for (int n = 0; n < g->n_ant; n++) {
            sincos(2.0 * M_PI * splitmix_uniform(&spzf->rng), &spzf->current.im[n], &spzf->current.re[n]);
        }
        spzf->current.n_sets = 0;
        run_lm(spzf, g, iterations);
    }
}

static bool prove_infeasible(spzf_t *spzf, const struct spzf_rows *g, struct spzf_result *result)
{
    if (spzf_limit_reached(&spzf->lm.limit)) {
        return false;
    }
    result->residual_bound = spzf_rows_bound(g);
    if (result->residual_bound > 0.0) {
        spzf->best.outage |= SPZF_INFEASIBLE;
    }
    return result->residual_bound > 0.0;
}

/* After a partition's outage its phases are LM's first start; what is proved impossible gets no further ones. The
 * polygon of a single user is the least residual already. */
static void fall_back(spzf_t *spzf, const struct spzf_rows *g, struct spzf_result *result)
{
    if (g->n_user > 1 && !spzf_limit_reached(&spzf->lm.limit)) {
        run_lm_from_best(spzf, g, &result->n_iterations);
    }
    if (!solved(spzf) && !prove_infeasible(spzf, g, result) && g->n_user > 1 && !spzf_limit_reached(&spzf->lm.limit)) {
        run_lm_starts(spzf, g, spzf->settings.n_starts, &result->n_iterations);
    }
}

/* Execute
 * --------------------------------------------------------------------------------------------------------------------
 */

static int give_ones(const spzf_t *spzf, unsigned outage, double complex *beam, struct spzf_result *result)
{
    for (int n = 0; n < spzf->settings.n_ant; n++) {
        beam[n] = 1.0;
    }
    *result = (struct spzf_result){.outage = outage, .residual = outage ? INFINITY : 0.0, .source = SPZF_BY_NOTHING};
    return outage ? TUTTI_ENUMERIC : 0;
}

static int finish(spzf_t *spzf, double complex *beam, struct spzf_result *result)
{
    const struct answer *best = &spzf->best;
    for (int n = 0; n < spzf->settings.n_ant; n++) {
        beam[n] = spzf_complex(best->re[n], best->im[n]);
    }
    result->residual = best->residual;
    result->outage = best->outage | (solved(spzf) ? 0u : (unsigned)SPZF_UNSOLVED);
    result->outage |= !solved(spzf) && spzf->lm.limit.over ? (unsigned)SPZF_DEADLINE : 0u;
    result->source = best->source;
    result->n_sets = best->n_sets;
    return result->outage ? TUTTI_ENUMERIC : 0;
}

static int execute(spzf_t *spzf, const double complex *H, int n_sets, const int *labels, double complex *beam,
                   struct spzf_result *result)
{
    const struct spzf_settings *set = &spzf->settings;
    *result = (struct spzf_result){.source = SPZF_BY_PARTITION};
    spzf_limit_begin(&spzf->lm.limit);
    int kept = spzf_scale_rows(set->n_user, set->n_ant, H, spzf->g_re, spzf->g_im);
    if (kept <= 0) {
        return give_ones(spzf, kept < 0 ? SPZF_BAD_INPUT : 0, beam, result);
    }
    struct spzf_rows g = {kept, set->n_ant, spzf->g_re, spzf->g_im};
    spzf->best.residual = INFINITY;
    spzf->best.outage = 0;
    spzf->best.n_sets = 0;
    spzf->best.source = SPZF_BY_NOTHING;
    if (set->method == SPZF_PLUS && kept <= SPZF_MAX_STEPS && !labels) {
        result->n_tries = run_plus(spzf, &g);
    } else if (set->method != SPZF_LM && kept <= SPZF_MAX_STEPS) {
        int plan[SPZF_MAX_STEPS];
        spzf_plan(set->n_ant, kept, labels ? n_sets : set->n_sets, plan);
        run_partition(spzf, &g, &g, plan, kept > 1 ? labels : NULL);
        keep_best(spzf);
        result->n_tries = 1;
    }
    if (spzf->best.source == SPZF_BY_NOTHING) {
        run_lm_starts(spzf, &g, set->n_starts > 1 ? set->n_starts : 1, &result->n_iterations);
        if (!solved(spzf)) {
            prove_infeasible(spzf, &g, result);
        }
    } else if (set->fallback && !solved(spzf)) {
        fall_back(spzf, &g, result);
    }
    return finish(spzf, beam, result);
}

void spzf_limit(spzf_t *spzf, uint64_t deadline_mono_ns)
{
    spzf->lm.limit.deadline_ns = deadline_mono_ns;
}

int spzf_execute(spzf_t *spzf, const double complex *H, double complex *beam, struct spzf_result *result)
{
    struct spzf_result own;
    return execute(spzf, H, 0, NULL, beam, result ? result : &own);
}

int spzf_execute_labels(spzf_t *spzf, const double complex *H, int n_sets, const int *labels, double complex *beam,
                        struct spzf_result *result)
{
    struct spzf_result own;
    bool good = spzf->settings.method != SPZF_LM && n_sets >= 1 && n_sets <= spzf->settings.n_ant;
    for (int n = 0; n < spzf->settings.n_ant && good; n++) {
        good = labels[n] >= 0 && labels[n] < n_sets;
    }
    if (!good) {
        give_ones(spzf, SPZF_BAD_INPUT, beam, result ? result : &own);
        return TUTTI_EINVAL;
    }
    return execute(spzf, H, n_sets, labels, beam, result ? result : &own);
}
