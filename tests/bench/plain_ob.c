/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plain_ob.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>

enum { MAX_BALANCE = 2000 };

/* LAPACK's own symbols; OpenBLAS has them optimised. */
void zpotrf_(const char *uplo, const int *n, double complex *a, const int *lda, int *info);
void zpotrs_(const char *uplo, const int *n, const int *n_rhs, const double complex *a, const int *lda,
             double complex *b, const int *ldb, int *info);

/* Matrices are column-major as LAPACK has them: column k of an L x K matrix is user k. */
struct plain {
    int M, N, L, K;
    const struct channel_case *c;
    double complex *H, *S, *X, *scaled; /* [K][L], [L][L], [K][L], [K][L] */
    double *q, *lambda;                 /* [M], [K] */
    double *phi, *noise;                /* [k][j], [k]: interference and noise at user k over its own gain, power 1 */
    double *power, *equal;              /* [K]: per-AP budgets; one weighted budget */
    double *load, *weighted;            /* [m][k]: power of direction k at AP m over its budget; [k]: priced */
    double *work;                       /* [K] */
};

static double budget(const struct plain *s, int m)
{
    return (double)s->c->P[m];
}

static double error_variance(const struct plain *s, int m, int k)
{
    return (double)s->c->E[m * s->K + k];
}

/* S = diag(q) + sum_j lambda_j (h_j h_j^H + diag(E_j)), then X = S^-1 H. */
static int solve_directions(struct plain *s)
{
    int info;
    for (int j = 0; j < s->K; j++) {
        for (int l = 0; l < s->L; l++) {
            s->scaled[j * s->L + l] = sqrt(s->lambda[j]) * s->H[j * s->L + l];
        }
    }
    cblas_zherk(CblasColMajor, CblasLower, CblasNoTrans, s->L, s->K, 1, s->scaled, s->L, 0, s->S, s->L);
    for (int l = 0; l < s->L; l++) {
        double d = s->q[l / s->N];
        for (int j = 0; j < s->K; j++) {
            d += s->lambda[j] * error_variance(s, l / s->N, j);
        }
        s->S[l * s->L + l] += d;
    }
    zpotrf_("L", &s->L, s->S, &s->L, &info);
    if (info != 0) {
        return -1;
    }
    for (int i = 0; i < s->L * s->K; i++) {
        s->X[i] = s->H[i];
    }
    zpotrs_("L", &s->L, &s->K, s->S, &s->L, s->X, &s->L, &info);
    return info == 0 ? 0 : -1;
}

static double complex inner(const struct plain *s, int k, int j)
{
    double complex sum = 0;
    for (int l = 0; l < s->L; l++) {
        sum += conj(s->H[k * s->L + l]) * s->X[j * s->L + l];
    }
    return sum;
}

/* Virtual powers scaled to sum_k lambda_k = sum_m q_m P_m, which the upper bound needs. */
static void normalise(struct plain *s)
{
    double have = 0, want = 0;
    for (int k = 0; k < s->K; k++) {
        have += s->lambda[k];
    }
    for (int m = 0; m < s->M; m++) {
        want += s->q[m] * budget(s, m);
    }
    for (int k = 0; k < s->K; k++) {
        s->lambda[k] *= want / have;
    }
}

/* max_k x_k / (1 - x_k) with x_k = lambda_k h_k^H S^-1 h_k; lambda becomes the next fixed-point iterate. Without the
 * own signal in S the gain is gain / (1 - x_k) (Sherman and Morrison). */
static double upper_bound(struct plain *s, bool leave_out_own)
{
    double worst = 0;
    for (int k = 0; k < s->K; k++) {
        const double gain = creal(inner(s, k, k)), x = s->lambda[k] * gain;
        worst = fmax(worst, x < 1 ? x / (1 - x) : INFINITY);
        s->lambda[k] = (leave_out_own ? fmax(1 - x, 1e-15) : 1) / gain;
    }
    return worst;
}

/* For the directions X with unit powers: phi, noise, load and the load priced by q. */
static void describe_directions(struct plain *s)
{
    double total = 0;
    for (int m = 0; m < s->M; m++) {
        total += s->q[m] * budget(s, m);
    }
    for (int j = 0; j < s->K; j++) {
        s->weighted[j] = 0;
    }
    for (int m = 0; m < s->M; m++) {
        for (int j = 0; j < s->K; j++) {
            double power = 0;
            for (int l = m * s->N; l < (m + 1) * s->N; l++) {
                power += pow(creal(s->X[j * s->L + l]), 2) + pow(cimag(s->X[j * s->L + l]), 2);
            }
            s->load[m * s->K + j] = power / budget(s, m);
            s->weighted[j] += s->q[m] * power / total;
        }
    }
    for (int k = 0; k < s->K; k++) {
        const double own = pow(cabs(inner(s, k, k)), 2);
        s->noise[k] = 1 / own;
        for (int j = 0; j < s->K; j++) {
            double sum = j == k ? 0 : pow(cabs(inner(s, k, j)), 2);
            for (int m = 0; m < s->M; m++) {
                sum += error_variance(s, m, k) * s->load[m * s->K + j] * budget(s, m);
            }
            s->phi[k * s->K + j] = sum / own;
        }
    }
}

/* The most used of n budgets. */
static double use(const struct plain *s, int n, const double *load, const double *p)
{
    double most = 0;
    for (int m = 0; m < n; m++) {
        double sum = 0;
        for (int k = 0; k < s->K; k++) {
            sum += load[m * s->K + k] * p[k];
        }
        most = fmax(most, sum);
    }
    return most;
}

/* Powers with the largest common SINR within n budgets, and the least SINR they give: 1 / t* is the largest spectral
 * radius of phi + noise load_m^T over m. The power iteration p <- phi p + noise, rescaled to the tightest budget,
 * finds the largest of them at once; p is feasible at every step, so stopping early only lowers the SINR. */
static double balance(struct plain *s, int n, const double *load, double spread, double *p)
{
    double least = 0, scale = use(s, n, load, p);
    for (int k = 0; k < s->K; k++) {
        p[k] /= scale;
    }
    for (int i = 0; i < MAX_BALANCE; i++) {
        double most = 0;
        least = INFINITY;
        for (int k = 0; k < s->K; k++) {
            double disturbance = s->noise[k];
            for (int j = 0; j < s->K; j++) {
                disturbance += s->phi[k * s->K + j] * p[j];
            }
            least = fmin(least, p[k] / disturbance);
            most = fmax(most, p[k] / disturbance);
            s->work[k] = disturbance;
        }
        if (most - least <= spread * most) {
            break;
        }
        scale = use(s, n, load, s->work);
        for (int k = 0; k < s->K && i + 1 < MAX_BALANCE; k++) {
            p[k] = s->work[k] / scale;
        }
    }
    return least;
}

/* q_m <- q_m (power_m / P_m)^exponent with the powers of the one weighted budget; idle APs keep a trace, or S becomes
 * singular. */
static void update_prices(struct plain *s, double exponent)
{
    double sum = 0, total = 0;
    for (int m = 0; m < s->M; m++) {
        s->q[m] *= pow(use(s, 1, s->load + m * s->K, s->equal), exponent);
        sum += s->q[m] * budget(s, m);
        total += budget(s, m);
    }
    for (int m = 0; m < s->M; m++) {
        s->q[m] = fmax(s->q[m] * total / sum, 1e-12);
    }
}

static void keep_precoder(struct plain *s, tutti_cf32 *W)
{
    for (int k = 0; k < s->K; k++) {
        for (int l = 0; l < s->L; l++) {
            W[l * s->K + k] = (tutti_cf32)(sqrt(s->power[k]) * s->X[k * s->L + l]);
        }
    }
}

static void *need(int n, size_t size)
{
    void *p = calloc((size_t)n, size);
    if (!p) {
        abort();
    }
    return p;
}

static void plain_open(struct plain *s, const struct channel_case *c)
{
    const int M = c->shape.n_ap, N = c->shape.n_ant, L = M * N, K = c->shape.n_ue;
    *s = (struct plain){.M = M, .N = N, .L = L, .K = K, .c = c};
    s->H = need(L * K, sizeof *s->H);
    s->S = need(L * L, sizeof *s->S);
    s->X = need(L * K, sizeof *s->X);
    s->scaled = need(L * K, sizeof *s->scaled);
    s->q = need(M, sizeof *s->q);
    s->lambda = need(K, sizeof *s->lambda);
    s->phi = need(K * K, sizeof *s->phi);
    s->noise = need(K, sizeof *s->noise);
    s->power = need(K, sizeof *s->power);
    s->equal = need(K, sizeof *s->equal);
    s->load = need(M * K, sizeof *s->load);
    s->weighted = need(K, sizeof *s->weighted);
    s->work = need(K, sizeof *s->work);
    for (int m = 0; m < M; m++) {
        s->q[m] = 1;
    }
    for (int k = 0; k < K; k++) {
        s->lambda[k] = s->power[k] = s->equal[k] = 1;
        for (int l = 0; l < L; l++) {
            s->H[k * L + l] = (double complex)c->H[l * K + k];
        }
    }
}

static void plain_close(struct plain *s)
{
    free(s->H);
    free(s->S);
    free(s->X);
    free(s->scaled);
    free(s->q);
    free(s->lambda);
    free(s->phi);
    free(s->noise);
    free(s->power);
    free(s->equal);
    free(s->load);
    free(s->weighted);
    free(s->work);
}

int plain_ob_solve(struct channel_case *c, const struct plain_ob_settings *settings, struct plain_ob_result *result)
{
    struct plain s;
    const double gap = settings->gap;
    int rc = 0;
    openblas_set_num_threads(1);
    plain_open(&s, c);
    *result = (struct plain_ob_result){.upper = INFINITY};
    while (result->iterations < settings->max_iterations && !result->converged) {
        normalise(&s);
        rc = solve_directions(&s);
        if (rc != 0) {
            break;
        }
        result->iterations++;
        result->upper = fmin(result->upper, upper_bound(&s, settings->leave_out_own));
        describe_directions(&s);
        const double least = balance(&s, s.M, s.load, 0.01 * gap, s.power);
        if (least > result->lower) {
            result->lower = least;
            keep_precoder(&s, c->solution.W);
        }
        result->converged = result->upper - result->lower <= gap * result->upper;
        balance(&s, 1, s.weighted, 0.01 * gap, s.equal);
        update_prices(&s, settings->exponent);
    }
    plain_close(&s);
    return rc;
}
