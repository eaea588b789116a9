/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The Hessian of the barrier is B plus one rank for every row. B is the curvature of the users' rows and of x > 0: for
 * user k a diagonal less W/2 v v^T, v_m = g_mk / sqrt(p_mk), singular along p_k but for the barrier of p itself; its
 * inverse is written so that this cancellation is done on paper. The rows (one an AP, one a user, two a zone) are left
 * to a positive definite system of their number. */
#include "base/error.h"
#include "isac/rows.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_STEPS = 60, MAX_HALVINGS = 50 };
static const double CENTRED = 1e-2; /* squared Newton decrement */

int isac_newton_create(struct isac_newton *newton, int n_ap, int n_ue, int n_zone)
{
    *newton = (struct isac_newton){0};
    const size_t n = (size_t)n_ap * (size_t)(n_ue + n_zone), columns = (size_t)(n_ue + 2 * n_zone);
    const size_t rows = (size_t)n_ap + columns;
    const struct {
        double **at;
        size_t n;
    } parts[] = {{&newton->F, n * columns},
                 {&newton->BF, n * columns},
                 {&newton->factor, columns},
                 {&newton->spread, columns},
                 {&newton->diagonal, n},
                 {&newton->curve, n},
                 {&newton->lift, (size_t)n_ue},
                 {&newton->schur, rows * rows},
                 {&newton->share, rows},
                 {&newton->gradient, n},
                 {&newton->step, n},
                 {&newton->trial, n}};
    bool ok = true;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        ok = (*parts[i].at = calloc(parts[i].n, sizeof(double))) && ok;
    }
    return ok ? 0 : error_set(TUTTI_ENOMEM, "no memory for the Newton steps of %d APs", n_ap);
}

void isac_newton_destroy(struct isac_newton *newton)
{
    double *const parts[] = {newton->F,        newton->BF,       newton->factor, newton->spread,
                             newton->diagonal, newton->curve,    newton->lift,   newton->schur,
                             newton->share,    newton->gradient, newton->step,   newton->trial};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        free(parts[i]);
    }
    *newton = (struct isac_newton){0};
}

/* Columns of F: the users' rows, the zones' MASR rows, the eavesdroppers' rows. */
static int n_columns(const struct isac_rows *rows, const struct isac_barrier *barrier)
{
    return (barrier->users ? rows->n_ue : 0) + (barrier->eves ? 2 : 1) * rows->n_zone;
}

/* Gradients of the rows with respect to an unknown x of AP m: a power for user k, or with k < 0 for zone l. */
static void row_gradients(const struct isac_rows *rows, const struct isac_barrier *barrier, int m, int k, int l,
                          double x, double *f)
{
    const int n_k = barrier->users ? rows->n_ue : 0, n_l = rows->n_zone;
    for (int j = 0; j < n_k; j++) {
        f[j] = -barrier->user_level * rows->b[m * n_k + j];
    }
    if (k >= 0 && k < n_k) {
        f[k] += rows->root[k] * rows->g[m * n_k + k] / sqrt(x);
    }
    double *const masr = f + n_k, *const eve = masr + n_l;
    for (int j = 0; j < n_l; j++) {
        const double S = k >= 0 ? 0 : rows->s[(m * n_l + j) * n_l + l], C = k >= 0 ? rows->z[m * n_l + j] : 0;
        masr[j] = (j == l && k < 0 ? (1 + barrier->masr_level) * S : 0) - barrier->masr_level * (C + S);
        if (barrier->eves) {
            eve[j] = barrier->eve_level * S - C;
        }
    }
}

static void set_column(struct isac_newton *n, int column, double weight, double row)
{
    n->factor[column] = weight / row;
    n->spread[column] = row * row / weight;
}

static void weigh_rows(const struct isac_rows *rows, const struct isac_barrier *barrier, struct isac_newton *n)
{
    const int n_k = barrier->users ? rows->n_ue : 0, n_l = rows->n_zone;
    for (int k = 0; k < n_k; k++) {
        set_column(n, k, barrier->user_weight, rows->root[k] * rows->root[k] - barrier->user_level * rows->D[k]);
    }
    for (int l = 0; l < n_l; l++) {
        const double C = rows->C[l], S = rows->S[l], level = barrier->masr_level;
        set_column(n, n_k + l, barrier->masr_weight, (1 + level) * rows->O[l] - level * (C + S));
        if (barrier->eves) {
            set_column(n, n_k + n_l + l, barrier->eve_weight, barrier->eve_level * (S + rows->zone_noise[l]) - C);
        }
    }
}

/* Diagonal of B at an unknown that is power x for user k, and what it adds to the strength of the user's rank: with
 * d = W root g / (2 x^1.5), 1 - W/2 sum v^2 / (d + 1/x^2) = 1/2 sum v^2 W / (x^2 d (d + 1/x^2)), as sum v^2 W / d = 2.
 */
static void curve_user(const struct isac_rows *rows, struct isac_newton *n, int i, int m, int k, double x)
{
    const double g = rows->g[m * rows->n_ue + k], W = n->factor[k], v = g / sqrt(x);
    const double d = W * rows->root[k] * v / (2 * x);
    n->diagonal[i] = 1 / (x * x) + d;
    n->curve[i] = v / n->diagonal[i];
    n->lift[k] += d > 0 ? v * n->curve[i] * W / (2 * x * x * d) : 0;
}

/* F, the gradient and B. */
static void assemble(const struct isac_rows *rows, const struct isac_barrier *barrier, int columns,
                     struct isac_newton *n)
{
    memset(n->lift, 0, (size_t)rows->n_ue * sizeof *n->lift);
    for (int m = 0; m < rows->n_ap; m++) {
        for (int i = rows->first[m]; i < rows->first[m + 1]; i++) {
            const int at = i - rows->first[m], k = at < rows->n_p[m] ? at : -1;
            double *const f = n->F + (size_t)i * (size_t)columns;
            const double x = rows->x[i];
            row_gradients(rows, barrier, m, k, k < 0 ? at - rows->n_p[m] : -1, x, f);
            n->gradient[i] = 1 / rows->slack[m] - 1 / x;
            for (int c = 0; c < columns; c++) {
                n->gradient[i] -= n->factor[c] * f[c];
            }
            n->diagonal[i] = 1 / (x * x);
            if (barrier->users && k >= 0) {
                curve_user(rows, n, i, m, k, x);
            }
        }
    }
    for (int k = 0; barrier->users && k < rows->n_ue; k++) {
        n->lift[k] = n->lift[k] > 0 ? n->factor[k] / (2 * n->lift[k]) : 0;
    }
}

/* out = B^-1 in, [unknown][columns] both. */
static void solve_curvature(const struct isac_rows *rows, const struct isac_newton *n, bool users, int columns,
                            const double *in, double *out)
{
    for (int i = 0; i < isac_rows_size(rows); i++) {
        for (int c = 0; c < columns; c++) {
            out[i * columns + c] = in[i * columns + c] / n->diagonal[i];
        }
    }
    for (int k = 0; users && k < rows->n_ue; k++) {
        for (int c = 0; c < columns; c++) {
            double along = 0;
            for (int m = 0; m < rows->n_ap; m++) {
                const int i = rows->first[m] + k;
                along += rows->n_p[m] ? n->curve[i] * in[i * columns + c] : 0;
            }
            for (int m = 0; m < rows->n_ap; m++) {
                const int i = rows->first[m] + k;
                out[i * columns + c] += rows->n_p[m] ? n->lift[k] * along * n->curve[i] : 0;
            }
        }
    }
}

/* Power rows against each other: 1_m^T B^-1 1_m' + slack_m^2 on the diagonal. */
static void schur_of_aps(const struct isac_rows *rows, const struct isac_newton *n, bool users, int size)
{
    for (int m = 0; m < rows->n_ap; m++) {
        double *const row = n->schur + (size_t)m * (size_t)size;
        for (int other = 0; other <= m; other++) {
            double sum = 0;
            for (int k = 0; users && k < rows->n_ue && rows->n_p[m] && rows->n_p[other]; k++) {
                sum += n->lift[k] * n->curve[rows->first[m] + k] * n->curve[rows->first[other] + k];
            }
            row[other] = sum;
        }
        row[m] += rows->slack[m] * rows->slack[m];
        for (int i = rows->first[m]; i < rows->first[m + 1]; i++) {
            row[m] += 1 / n->diagonal[i];
        }
    }
}

/* The other rows against the power rows and each other. */
static void schur_of_columns(const struct isac_rows *rows, const struct isac_newton *n, int columns, int size)
{
    for (int c = 0; c < columns; c++) {
        double *const row = n->schur + (size_t)(rows->n_ap + c) * (size_t)size;
        memset(row, 0, (size_t)size * sizeof *row);
        for (int m = 0; m < rows->n_ap; m++) {
            for (int i = rows->first[m]; i < rows->first[m + 1]; i++) {
                row[m] -= n->BF[i * columns + c]; /* a power row's gradient is -1 */
            }
        }
        row[rows->n_ap + c] = n->spread[c];
    }
    for (int i = 0; i < isac_rows_size(rows); i++) {
        for (int c = 0; c < columns; c++) {
            double *const row = n->schur + (size_t)(rows->n_ap + c) * (size_t)size + rows->n_ap;
            for (int other = 0; other <= c; other++) {
                row[other] += n->BF[i * columns + c] * n->F[i * columns + other];
            }
        }
    }
}

/* x := A^-1 x by Cholesky in the lower triangle of A; false when A is not positive definite. */
static bool solve_definite(int size, double *A, double *x)
{
    for (int i = 0; i < size; i++) {
        double *const row = A + (size_t)i * (size_t)size;
        for (int j = 0; j <= i; j++) {
            const double *const other = A + (size_t)j * (size_t)size;
            double sum = row[j];
            for (int c = 0; c < j; c++) {
                sum -= row[c] * other[c];
            }
            if (i == j && !(sum > 0)) {
                return false;
            }
            row[j] = i == j ? sqrt(sum) : sum / other[j];
        }
    }
    for (int i = 0; i < size; i++) {
        for (int c = 0; c < i; c++) {
            x[i] -= A[(size_t)i * (size_t)size + (size_t)c] * x[c];
        }
        x[i] /= A[(size_t)i * (size_t)size + (size_t)i];
    }
    for (int i = size - 1; i >= 0; i--) {
        for (int c = i + 1; c < size; c++) {
            x[i] -= A[(size_t)c * (size_t)size + (size_t)i] * x[c];
        }
        x[i] /= A[(size_t)i * (size_t)size + (size_t)i];
    }
    return true;
}

/* share := U^T step for all rows U. */
static void project(const struct isac_rows *rows, const struct isac_newton *n, int columns)
{
    memset(n->share, 0, (size_t)(rows->n_ap + columns) * sizeof *n->share);
    for (int m = 0; m < rows->n_ap; m++) {
        for (int i = rows->first[m]; i < rows->first[m + 1]; i++) {
            n->share[m] -= n->step[i];
            for (int c = 0; c < columns; c++) {
                n->share[rows->n_ap + c] += n->F[i * columns + c] * n->step[i];
            }
        }
    }
}

/* step = -H^-1 gradient; false when rounding has made the system indefinite. */
static bool newton_step(const struct isac_rows *rows, bool users, int columns, struct isac_newton *n)
{
    const int size = rows->n_ap + columns;
    solve_curvature(rows, n, users, columns, n->F, n->BF);
    solve_curvature(rows, n, users, 1, n->gradient, n->step);
    schur_of_aps(rows, n, users, size);
    schur_of_columns(rows, n, columns, size);
    project(rows, n, columns);
    if (!solve_definite(size, n->schur, n->share)) {
        return false;
    }
    /* B^-1 (U share - gradient), the trial point as scratch */
    for (int m = 0; m < rows->n_ap; m++) {
        for (int i = rows->first[m]; i < rows->first[m + 1]; i++) {
            n->trial[i] = -n->share[m] - n->gradient[i];
            for (int c = 0; c < columns; c++) {
                n->trial[i] += n->F[i * columns + c] * n->share[rows->n_ap + c];
            }
        }
    }
    solve_curvature(rows, n, users, 1, n->trial, n->step);
    return true;
}

/* Moves rows->x along the step as far as the barrier falls; false when it does not. */
static bool descend(struct isac_rows *rows, const struct isac_barrier *barrier, struct isac_newton *n, double slope)
{
    const int size = isac_rows_size(rows);
    const double now = isac_barrier_value(rows, barrier, rows->x);
    double length = 1;
    for (int i = 0; i < size; i++) {
        if (n->step[i] < 0) {
            length = fmin(length, -0.95 * rows->x[i] / n->step[i]);
        }
    }
    for (int halving = 0; halving < MAX_HALVINGS; halving++, length /= 2) {
        for (int i = 0; i < size; i++) {
            n->trial[i] = rows->x[i] + length * n->step[i];
        }
        isac_rows_evaluate(rows, n->trial);
        if (isac_barrier_value(rows, barrier, n->trial) <= now + 0.1 * length * slope) {
            memcpy(rows->x, n->trial, (size_t)size * sizeof(double));
            return true;
        }
    }
    isac_rows_evaluate(rows, rows->x);
    return false;
}

int isac_centre(struct isac_rows *rows, const struct isac_barrier *barrier, struct isac_newton *n)
{
    const int columns = n_columns(rows, barrier), size = isac_rows_size(rows);
    int steps = 0;
    isac_rows_evaluate(rows, rows->x);
    while (steps < MAX_STEPS) {
        weigh_rows(rows, barrier, n);
        assemble(rows, barrier, columns, n);
        steps++;
        if (!newton_step(rows, barrier->users, columns, n)) {
            return steps;
        }
        double slope = 0;
        for (int i = 0; i < size; i++) {
            slope += n->gradient[i] * n->step[i];
        }
        if (!(slope < -CENTRED) || !descend(rows, barrier, n, slope)) {
            return steps;
        }
    }
    return steps;
}
