/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The subproblem for Ipopt. Per AP a block of variables a, P, W, b[n_ue], r[n_zone], and t at the end, in units of the
 * point's: P the AP's communication power, b_k = sqrt(a p_k) so that P >= sum b^2 / a is convex, W what it sends in all
 * by (20), so that the users' rows are linear. Rows: per AP P, W, (21d), (21e); per user (26) or (38); per zone (29)
 * and (28) or (36). Every product a u is replaced by U(a, u) = ((a + u)^2 - d (2 (a - u) - d)) / 4, d = a0 - u0. */
#include "base/error.h"
#include "base/ipopt_program.h"
#include "isac/sca_step.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static const double EVE_FLOOR = 0.05; /* of E in the scale of (36) */
enum { A, P, W, B };                  /* places in an AP's block; zones' powers behind B + n_ue */

struct program {
    struct ipopt_program ipopt; /* first */
    const struct sca_step *step;
    int n_ap, n_ue, n_zone, block, n_x;
    double *u;     /* [1 + n_zone] coefficients of P and r in an affine u */
    double *local; /* [2 + n_zone] squared: Hessian of an AP's a, P, r */
};

/* Where rows begin. */
static int row_power(int m)
{
    return 4 * m;
}

static int row_user(const struct program *q, int k)
{
    return 4 * q->n_ap + k;
}

static int row_masr(const struct program *q, int l)
{
    return 4 * q->n_ap + q->n_ue + l;
}

static int row_eve(const struct program *q, int l)
{
    return row_masr(q, l) + q->n_zone;
}

static bool has_eves(const struct program *q)
{
    return q->step->kind != SCA_START;
}

static int zone_at(const struct program *q, int l)
{
    return B + q->n_ue + l;
}

static double gain(const struct program *q, int m, int l)
{
    return q->step->rows->z[m * q->n_zone + l];
}

/* E_ml = sum over streams of this times r. */
static double seen_of(const struct program *q, int m, int l, int stream)
{
    const int i = m * q->n_zone + l;
    return q->step->rows->s[i * q->n_zone + stream] / q->step->rows->z[i];
}

static double seen(const struct program *q, int m, int l, const double *r)
{
    double sum = 0;
    for (int o = 0; o < q->n_zone; o++) {
        sum += seen_of(q, m, l, o) * r[o];
    }
    return sum;
}

/* Which products there are: W's a (P - R), (29)'s a om, (28)'s a w or (36)'s a P. */
enum product { TOTAL, MASR, EVE };

/* The coefficients of u, in q->u. */
static void set_affine(const struct program *q, enum product what, int m, int l)
{
    const struct isac_limits *const limits = &q->step->limits;
    q->u[0] = what == MASR ? limits->kappa : 1;
    for (int o = 0; o < q->n_zone; o++) {
        const double E = what == TOTAL ? 0 : seen_of(q, m, l, o);
        q->u[1 + o] = what == TOTAL             ? -1
                      : what == MASR            ? (o == l ? E : -limits->kappa * E)
                      : q->step->kind == SCA_SP ? 0
                                                : limits->nu * E;
    }
}

static double affine(const struct program *q, double power, const double *r)
{
    double sum = q->u[0] * power;
    for (int o = 0; o < q->n_zone; o++) {
        sum += q->u[1 + o] * r[o];
    }
    return sum;
}

/* a0 - u0 of the point. */
static double difference(const struct program *q, int m)
{
    const struct sca_point *const at = q->step->at;
    double power = 0;
    for (int k = 0; k < q->n_ue; k++) {
        power += at->p[m * q->n_ue + k];
    }
    return at->a[m] - affine(q, power, at->r + m * q->n_zone);
}

/* U of an AP's block x, after set_affine. */
static double product(const struct program *q, int m, const double *x)
{
    const double u = affine(q, x[P], x + zone_at(q, 0)), d = difference(q, m);
    return 0.25 * ((x[A] + u) * (x[A] + u) - d * (2 * (x[A] - u) - d));
}

/* Its derivatives by a, P and r times scale into one row, beside those of a part that is linear in r. */
static void put_product(const struct program *q, int m, int row, double scale, const double *x, const double *linear,
                        struct ipopt_entries *e)
{
    const double u = x ? affine(q, x[P], x + zone_at(q, 0)) : 0, d = x ? difference(q, m) : 0, a = x ? x[A] : 0;
    const int first = m * q->block;
    ipopt_entries_put(e, row, first + A, scale * (a + u - d) / 2);
    ipopt_entries_put(e, row, first + P, scale * q->u[0] * (a + u + d) / 2);
    for (int o = 0; o < q->n_zone; o++) {
        ipopt_entries_put(e, row, first + zone_at(q, o), scale * q->u[1 + o] * (a + u + d) / 2 + linear[o]);
    }
}

static double total(const double *r, int n)
{
    double sum = 0;
    for (int i = 0; i < n; i++) {
        sum += r[i];
    }
    return sum;
}

/* (36): what the product t E is scaled by, E0 at the point but not too little. */
static double eve_scale(const struct program *q, int m, int l, double *E0)
{
    *E0 = seen(q, m, l, q->step->at->r + m * q->n_zone);
    return fmax(*E0, EVE_FLOOR);
}

/* What AP m adds to (36) beside U(a, P) / t0, everything divided by t0: (e t - E)^2 / 4e + the expansion (35) of a E t
 * - the tangent of (e t + E)^2 / 4e. by_a, by_t, by_E (may be NULL): its derivatives. */
static double jamming(const struct program *q, int m, int l, const double *x, double t, double by[3])
{
    double E0;
    const double e = eve_scale(q, m, l, &E0), E = seen(q, m, l, x + zone_at(q, 0)), a0 = q->step->at->a[m];
    const double less = e * t - E, d = e + E0;
    by[0] = E0;
    by[1] = less / 2 + a0 * E0 - d / 2;
    by[2] = -less / (2 * e) + a0 - d / (2 * e);
    return less * less / (4 * e) + a0 * E0 * t + a0 * E + E0 * x[A] - 2 * a0 * E0 - d * (2 * (e * t + E) - d) / (4 * e);
}

static Bool objective(Index n, Number *x, Bool fresh, Number *value, UserDataPtr user)
{
    const struct program *const q = user;
    (void)fresh;
    *value = q->step->kind == SCA_SP ? x[n - 1] : -x[n - 1];
    for (int m = 0; m < q->n_ap; m++) {
        const double a = x[m * q->block + A], a0 = q->step->at->a[m];
        *value += q->step->lambda * (a - a0 * (2 * a - a0));
    }
    return TRUE;
}

static Bool objective_gradient(Index n, Number *x, Bool fresh, Number *gradient, UserDataPtr user)
{
    const struct program *const q = user;
    (void)x, (void)fresh;
    memset(gradient, 0, (size_t)n * sizeof *gradient);
    gradient[n - 1] = q->step->kind == SCA_SP ? 1 : -1;
    for (int m = 0; m < q->n_ap; m++) {
        gradient[m * q->block + A] = q->step->lambda * (1 - 2 * q->step->at->a[m]);
    }
    return TRUE;
}

static void ap_rows(const struct program *q, int m, const double *x, double *g)
{
    const double a0 = q->step->at->a[m], R = total(x + zone_at(q, 0), q->n_zone);
    double power = 0;
    for (int k = 0; k < q->n_ue; k++) {
        power += x[B + k] * x[B + k] / x[A];
    }
    set_affine(q, TOTAL, m, 0);
    g[0] = power - x[P];
    g[1] = product(q, m, x) + R - x[W];
    g[2] = x[P] - a0 * (2 * x[A] - a0);
    g[3] = R + x[A] * x[A] - 1;
}

/* level D / root0^2 - 2 root / root0 + t <= 0, t = 1 and level = qos in SP. */
static double user_row(const struct program *q, int k, const Number *x)
{
    const struct isac_rows *const rows = q->step->rows;
    const struct sca_point *const at = q->step->at;
    const bool sp = q->step->kind == SCA_SP;
    const double root0 = at->root[k], level = sp ? q->step->limits.qos : at->t;
    double D = rows->noise[k], root = 0;
    for (int m = 0; m < q->n_ap; m++) {
        D += rows->b[m * q->n_ue + k] * x[m * q->block + W];
        root += rows->g[m * q->n_ue + k] * x[m * q->block + B + k];
    }
    return level * D / (root0 * root0) - 2 * root / root0 + (sp ? 1 : x[q->n_x - 1]);
}

static double masr_row(const struct program *q, int l, const Number *x)
{
    double sum = 0;
    for (int m = 0; m < q->n_ap; m++) {
        const double *const block = x + m * q->block, own = seen_of(q, m, l, l) * block[zone_at(q, l)];
        const double all = seen(q, m, l, block + zone_at(q, 0)), kappa = q->step->limits.kappa;
        set_affine(q, MASR, m, l);
        sum += gain(q, m, l) * (product(q, m, block) - own + kappa * (all - own));
    }
    return sum;
}

static double eve_row(const struct program *q, int l, const Number *x)
{
    const bool sp = q->step->kind == SCA_SP;
    const double t = x[q->n_x - 1], noise = q->step->rows->zone_noise[l], nu = q->step->limits.nu;
    double sum = -noise * (sp ? t : nu), by[3];
    for (int m = 0; m < q->n_ap; m++) {
        const double *const block = x + m * q->block;
        set_affine(q, EVE, m, l);
        const double U = product(q, m, block);
        sum += gain(q, m, l) * (sp ? U / q->step->at->t + jamming(q, m, l, block, t, by)
                                   : U - nu * seen(q, m, l, block + zone_at(q, 0)));
    }
    return sum;
}

static Bool constraints(Index n, Number *x, Bool fresh, Index n_g, Number *g, UserDataPtr user)
{
    const struct program *const q = user;
    (void)n, (void)fresh;
    for (int m = 0; m < q->n_ap; m++) {
        ap_rows(q, m, x + m * q->block, g + row_power(m));
    }
    for (int k = 0; k < q->n_ue; k++) {
        g[row_user(q, k)] = user_row(q, k, x);
    }
    for (int l = 0; l < q->n_zone; l++) {
        g[row_masr(q, l)] = masr_row(q, l, x);
        if (has_eves(q)) {
            g[row_eve(q, l)] = eve_row(q, l, x);
        }
    }
    for (int i = 0; i < n_g; i++) {
        if (!isfinite(g[i])) {
            return FALSE;
        }
    }
    return TRUE;
}

static void ap_jacobian(const struct program *q, int m, const double *x, struct ipopt_entries *e)
{
    const int first = m * q->block, row = row_power(m);
    double by_a = 0, *const ones = q->local;
    for (int k = 0; k < q->n_ue; k++) {
        const double share = x ? x[B + k] / x[A] : 0;
        by_a -= share * share;
        ipopt_entries_put(e, row, first + B + k, 2 * share);
    }
    ipopt_entries_put(e, row, first + A, by_a);
    ipopt_entries_put(e, row, first + P, -1);
    for (int o = 0; o < q->n_zone; o++) {
        ones[o] = 1;
    }
    set_affine(q, TOTAL, m, 0);
    put_product(q, m, row + 1, 1, x, ones, e);
    ipopt_entries_put(e, row + 1, first + W, -1);
    ipopt_entries_put(e, row + 2, first + P, 1);
    ipopt_entries_put(e, row + 2, first + A, -2 * q->step->at->a[m]);
    ipopt_entries_put(e, row + 3, first + A, x ? 2 * x[A] : 0);
    for (int o = 0; o < q->n_zone; o++) {
        ipopt_entries_put(e, row + 3, first + zone_at(q, o), 1);
    }
}

static void user_jacobian(const struct program *q, int k, struct ipopt_entries *e)
{
    const struct isac_rows *const rows = q->step->rows;
    const bool sp = q->step->kind == SCA_SP;
    const double root0 = q->step->at->root[k], level = sp ? q->step->limits.qos : q->step->at->t;
    for (int m = 0; m < q->n_ap; m++) {
        ipopt_entries_put(e, row_user(q, k), m * q->block + W, level * rows->b[m * q->n_ue + k] / (root0 * root0));
        ipopt_entries_put(e, row_user(q, k), m * q->block + B + k, -2 * rows->g[m * q->n_ue + k] / root0);
    }
    if (!sp) {
        ipopt_entries_put(e, row_user(q, k), q->n_x - 1, 1);
    }
}

static void masr_jacobian(const struct program *q, int l, const Number *x, struct ipopt_entries *e)
{
    double *const linear = q->local;
    for (int m = 0; m < q->n_ap; m++) {
        for (int o = 0; o < q->n_zone; o++) {
            const double E = gain(q, m, l) * seen_of(q, m, l, o);
            linear[o] = o == l ? -E : q->step->limits.kappa * E;
        }
        set_affine(q, MASR, m, l);
        put_product(q, m, row_masr(q, l), gain(q, m, l), x ? x + m * q->block : NULL, linear, e);
    }
}

static void eve_jacobian(const struct program *q, int l, const Number *x, struct ipopt_entries *e)
{
    const bool sp = q->step->kind == SCA_SP;
    const int row = row_eve(q, l);
    double *const linear = q->local, by_t = -q->step->rows->zone_noise[l];
    for (int m = 0; m < q->n_ap; m++) {
        const double z = gain(q, m, l);
        double by[3] = {0};
        if (sp && x) {
            jamming(q, m, l, x + m * q->block, x[q->n_x - 1], by);
        }
        for (int o = 0; o < q->n_zone; o++) {
            linear[o] = z * seen_of(q, m, l, o) * (sp ? by[2] : -q->step->limits.nu);
        }
        set_affine(q, EVE, m, l);
        put_product(q, m, row, sp ? z / q->step->at->t : z, x ? x + m * q->block : NULL, linear, e);
        if (sp) {
            ipopt_entries_put(e, row, m * q->block + A, z * by[0]); /* Ipopt adds what stands twice */
            by_t += z * by[1];
        }
    }
    if (sp) {
        ipopt_entries_put(e, row, q->n_x - 1, by_t);
    }
}

static int jacobian(const void *program, const Number *x, struct ipopt_entries e)
{
    const struct program *const q = program;
    for (int m = 0; m < q->n_ap; m++) {
        ap_jacobian(q, m, x ? x + m * q->block : NULL, &e);
    }
    for (int k = 0; k < q->n_ue; k++) {
        user_jacobian(q, k, &e);
    }
    for (int l = 0; l < q->n_zone; l++) {
        masr_jacobian(q, l, x, &e);
        if (has_eves(q)) {
            eve_jacobian(q, l, x, &e);
        }
    }
    return e.n;
}

/* Adds weight (1, u)(1, u)^T / 2, the curvature of U, to the local matrix. */
static void add_curvature(const struct program *q, double weight)
{
    const int n = 2 + q->n_zone;
    for (int i = 0; i < n; i++) {
        for (int j = 0; j <= i; j++) {
            const double of_i = i ? q->u[i - 1] : 1, of_j = j ? q->u[j - 1] : 1;
            q->local[i * n + j] += weight * of_i * of_j / 2;
        }
    }
}

/* (e t - E)^2 / 4e of (36): r against r into the local matrix, t against r into entries, t against t returned. */
static double jamming_curvature(const struct program *q, int m, int l, double weight, struct ipopt_entries *e)
{
    const int n = 2 + q->n_zone;
    double E0;
    const double scale = eve_scale(q, m, l, &E0), z = weight * gain(q, m, l);
    for (int i = 0; i < q->n_zone; i++) {
        for (int j = 0; j <= i; j++) {
            q->local[(2 + i) * n + 2 + j] += z * seen_of(q, m, l, i) * seen_of(q, m, l, j) / (2 * scale);
        }
        ipopt_entries_put(e, q->n_x - 1, m * q->block + zone_at(q, i), -z * seen_of(q, m, l, i) / 2);
    }
    return z * scale / 2;
}

/* Curvature of every product of AP m, and of what else its zones' rows have. */
static double zone_hessian(const struct program *q, int m, const Number *multiplier, struct ipopt_entries *e)
{
    const bool sp = q->step->kind == SCA_SP;
    double by_tt = 0;
    set_affine(q, TOTAL, m, 0);
    add_curvature(q, multiplier ? multiplier[row_power(m) + 1] : 0);
    for (int l = 0; l < q->n_zone; l++) {
        set_affine(q, MASR, m, l);
        add_curvature(q, multiplier ? gain(q, m, l) * multiplier[row_masr(q, l)] : 0);
        if (has_eves(q)) {
            const double weight = multiplier ? multiplier[row_eve(q, l)] : 0;
            set_affine(q, EVE, m, l);
            add_curvature(q, gain(q, m, l) * weight / (sp ? q->step->at->t : 1));
            by_tt += sp ? jamming_curvature(q, m, l, weight, e) : 0;
        }
    }
    return by_tt;
}

static void ap_hessian(const struct program *q, int m, const double *x, const Number *multiplier,
                       struct ipopt_entries *e)
{
    const int first = m * q->block, n = 2 + q->n_zone;
    const double power = multiplier ? multiplier[row_power(m)] : 0, a = x ? x[A] : 1;
    double by_aa = multiplier ? 2 * multiplier[row_power(m) + 3] : 0;
    for (int k = 0; k < q->n_ue; k++) {
        const double share = x ? x[B + k] / a : 0;
        by_aa += 2 * power * share * share / a;
        ipopt_entries_put(e, first + B + k, first + A, -2 * power * share / a);
        ipopt_entries_put(e, first + B + k, first + B + k, 2 * power / a);
    }
    q->local[0] += by_aa;
    for (int i = 0; i < n; i++) {
        for (int j = 0; j <= i; j++) {
            ipopt_entries_put(e, first + (i < 2 ? i : zone_at(q, i - 2)), first + (j < 2 ? j : zone_at(q, j - 2)),
                              q->local[i * n + j]);
        }
    }
}

static int hessian(const void *program, const Number *x, double factor, const Number *multiplier,
                   struct ipopt_entries e)
{
    (void)factor; /* the objective is linear */
    const struct program *const q = program;
    const size_t n = 2 + (size_t)q->n_zone;
    double by_tt = 0;
    for (int m = 0; m < q->n_ap; m++) {
        memset(q->local, 0, n * n * sizeof *q->local);
        by_tt += zone_hessian(q, m, multiplier, &e);
        ap_hessian(q, m, x ? x + m * q->block : NULL, multiplier, &e);
    }
    if (q->step->kind == SCA_SP) {
        ipopt_entries_put(&e, q->n_x - 1, q->n_x - 1, by_tt);
    }
    return e.n;
}

static void set_bounds(const struct program *q)
{
    for (int i = 0; i < q->n_x; i++) {
        const int at = i % q->block;
        q->ipopt.low[i] = i == q->n_x - 1 ? 0 : at == A ? q->step->floor : at == W ? -2 : 0;
        q->ipopt.high[i] = i == q->n_x - 1 ? IPOPT_PROGRAM_UNBOUNDED : at == W ? 2 : 1;
    }
    for (int i = 0; i < q->ipopt.n_g; i++) {
        q->ipopt.g_low[i] = -IPOPT_PROGRAM_UNBOUNDED;
        q->ipopt.g_high[i] = 0;
    }
}

/* The point, a little inside. */
static void set_start(const struct program *q, Number *x)
{
    const struct sca_point *const at = q->step->at;
    for (int m = 0; m < q->n_ap; m++) {
        double *const block = x + m * q->block, power = 0, R = 0;
        block[A] = fmin(fmax(at->a[m], q->step->floor), 0.9999);
        for (int k = 0; k < q->n_ue; k++) {
            const double p = at->p[m * q->n_ue + k];
            power += p;
            block[B + k] = 0.99 * sqrt(block[A] * p) + 1e-4;
        }
        for (int l = 0; l < q->n_zone; l++) {
            R += block[zone_at(q, l)] = 0.99 * at->r[m * q->n_zone + l] + 1e-4;
        }
        block[P] = power + 1e-4;
        block[W] = block[A] * power + (1 - block[A]) * R + 1e-3;
    }
    x[q->n_x - 1] = q->step->kind == SCA_SP ? 1.05 : 0.95;
}

static void take(const struct program *q, const Number *x, struct sca_point *to)
{
    for (int m = 0; m < q->n_ap; m++) {
        const double *const block = x + m * q->block;
        const double a = to->a[m] = fmin(fmax(block[A], q->step->floor), 1);
        for (int k = 0; k < q->n_ue; k++) {
            const double b = fmax(block[B + k], 0);
            to->p[m * q->n_ue + k] = b * b / a;
        }
        for (int l = 0; l < q->n_zone; l++) {
            to->r[m * q->n_zone + l] = fmax(block[zone_at(q, l)], 0);
        }
    }
}

static void set_program(struct program *q)
{
    q->block = B + q->n_ue + q->n_zone;
    q->n_x = q->n_ap * q->block + 1;
    q->ipopt = (struct ipopt_program){.module = "isac",
                                      .n_x = q->n_x,
                                      .n_g = 4 * q->n_ap + q->n_ue + (has_eves(q) ? 2 : 1) * q->n_zone,
                                      .max_iterations = 200,
                                      .tolerance = 1e-7,
                                      .objective = objective,
                                      .objective_gradient = objective_gradient,
                                      .constraints = constraints,
                                      .jacobian = jacobian,
                                      .hessian = hessian};
}

int sca_solve(struct sca_step *step, struct sca_point *to)
{
    static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER; /* of the linear solver */
    const struct isac_rows *const rows = step->rows;
    struct program q = {.step = step, .n_ap = rows->n_ap, .n_ue = rows->n_ue, .n_zone = rows->n_zone};
    const size_t n_u = 1 + (size_t)q.n_zone, n_local = (n_u + 1) * (n_u + 1);
    double value;
    set_program(&q);
    q.u = calloc(n_u + n_local + ipopt_program_room(&q.ipopt), sizeof(double));
    if (!q.u) {
        return error_set(TUTTI_ENOMEM, "isac: out of memory for Ipopt");
    }
    q.local = q.u + n_u;
    ipopt_program_place(&q.ipopt, q.local + n_local);
    pthread_mutex_lock(&turn);
    set_bounds(&q);
    set_start(&q, q.ipopt.x);
    const int status = ipopt_program_solve(&q.ipopt, &value);
    pthread_mutex_unlock(&turn);
    if (!status) {
        take(&q, q.ipopt.x, to);
    }
    step->n_ipopt += q.ipopt.iterations;
    free(q.u);
    return status;
}
