/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Vector kernels, one source compiled in the native width of several instruction sets; kernel_get picks the widest this
 * processor has, once. No allocation, no lock. */
#ifndef TUTTI_LINALG_KERNEL_H
#define TUTTI_LINALG_KERNEL_H

#include "base/types.h"

/* What fixed beams with powers eta do to each other, one lane per subband: user k receives
 * eta_k / (sum_j F_kj eta_j + sum_m E_mk share_m + noise_k) with share_m = sum_k b_mk eta_k, at most 1 at every AP. */
struct kernel_links {
    int n_ap, n;
    const float *F;     /* [n][n][lane], diagonal 0; NULL = no interference */
    const float *noise; /* [n][lane] > 0; NULL = 1 */
    const float *E, *b; /* [n_ap][n][lane] >= 0 */
};

/* One AP's own zero-forcing: the n_strong users that stand first in order [n]. */
struct kernel_local {
    int n_ant, n, n_strong; /* n_strong < n_ant */
    const int *order;
    bool project; /* weak users' beams kept off the strong users */
    float cap;    /* > 0: the AP stays below this share of its budget */
};

/* One user's beam over the APs that serve it, those users considered that it shares one with. */
struct kernel_cluster {
    int n_ant, n_ue;
    int n_ap, n; /* listed */
    const int *ap, *ue;
    const float *scale, *amplitude; /* [n_ap] z^-1/2, [n] roots of powers: the same in all lanes */
    /* H has the users that an AP hears alone, one AP after the other: [..][n_ant][n_heard of it] from entry first on */
    const int *heard, *place;   /* [..][n_ue] these users; where a user is among them, -1: it is not */
    const int *n_heard, *first; /* [..] */
    const int *listener;        /* [n_listener] users that one of the listed APs hears */
    int n_listener;
};

struct kernel_ops {
    const char *name; /* "avx512" (16 lanes), "avx2" (8), "portable" (4: SSE2, NEON) */
    /* x [n] = sum_s v[s] * symbols[s][first .. first + n - 1]; n_stream terms. */
    void (*combine)(int n, int n_stream, const tutti_cf32 *v, const tutti_cf32 *const *symbols, size_t first,
                    tutti_cf32 *x);

    /* Double precision, row-major. Leading dimensions and column counts are multiples of KERNEL_PAD; pad with zeros. */
    /* C [n_i][n_j] += sum_f X(i, f) Y [f][n_j], with X(i, f) = X[i * x_i + f * x_f]; upper: only columns of i's block
     * of KERNEL_PAD and right of it (all that a symmetric result needs). */
    void (*gemm)(int n_i, int n_f, int n_j, const double *X, int x_i, int x_f, const double *Y, int ld_y, double *C,
                 int ld_c, bool upper);
    /* G [n][n] = sum_r w[r] conj(A_k[r]) A_j[r]; A [n][ld] real and imaginary rows; both triangles. */
    void (*gram)(int n, int n_row, int ld, const double *Ar, const double *Ai, const double *w, double *Gr, double *Gi);
    /* C [n_row][ld_c] -= Re((sum_k conj(U_k[i]) V_k[j]) (sum_k A_k[i] conj(Z_k[j]))), columns as in gemm with upper; U,
     * V, A, Z [n][ld]. */
    void (*hadamard)(int n, int n_row, int ld_c, int ld, const double *Ur, const double *Ui, const double *Vr,
                     const double *Vi, const double *Ar, const double *Ai, const double *Zr, const double *Zi,
                     double *C);
    /* Upper Cholesky factor in place, A = U^T U, reading the upper triangle. Returns 0, or k + 1 when pivot k is not
     * > 0. */
    int (*cholesky)(int n, int ld, double *A);

    /* X [n_rhs][ld] <- (U^T U)^-1 X for n_rhs <= 4 right-hand sides. */
    void (*cholesky_solve)(int n, int ld, const double *U, int n_rhs, double *X);
    /* C [n_i][n_j] = sum_r A [n_i][ld] B [n_j][ld] over n_row (a multiple of KERNEL_PAD) columns. */
    void (*dots)(int n_i, int n_j, int n_row, int ld, const double *A, const double *B, double *C);

    /* Single precision, one lane per subband. "[lane]" is the fastest dimension, n_lane entries; complex entries are a
     * vector of real parts followed by one of imaginary parts. Users n, rows = APs times their antennas. */
    int n_lane;
    void (*pack)(int n, const float *const *source, float *target); /* n_lane arrays [n] -> [n][lane] */
    /* And back, columns scaled: A [n_ap][n_ant][n] complex times amplitude [n][lane] into n_lane arrays of that shape.
     * use [lane] is the largest of what was written for an AP, summed in squares, by its budget P [n_ap][lane]; not a
     * number when anything written is not finite. */
    void (*unpack)(int n_ap, int n_ant, int n, const float *A, const float *amplitude, const float *P,
                   float *const *target, float *use);
    /* All beams come with b [n_ap][n][lane] = ||a_mk||^2 / P_m. */
    /* A = H (H^H H)^-1, H and A [n_ap][n_ant][n]; work of kernel_zf_work(n) lanes. pivot [lane]: smallest Cholesky
     * pivot relative to the diagonal; where it is small (or 0: singular, not finite) A is not to be used. */
    void (*zf)(int n_ap, int n_ant, int n, const float *H, const float *P, float *work, float *A, float *b,
               float *pivot);
    /* Conjugate beams A, each AP at its whole budget P [n_ap][lane], and C [n][n] = H^H A. */
    void (*cb)(int n_ap, int n_ant, int n, const float *H, const float *P, float *A, float *C, float *b);
    /* The same with amplitude [n_ap][n] (no lanes), an AP's all smaller where they would pass cap times its budget;
     * pivot 0 where an AP has an amplitude for a user whose estimate is zero there, else 1. */
    void (*cb_each)(int n_ap, int n_ant, int n, const float *H, const float *amplitude, const float *P, float cap,
                    float *A, float *C, float *b, float *pivot);
    /* Regularised zero-forcing with error variances E [n_ap][n][lane]; R [rows][n] and work (n_ap lanes more than zf's)
     * are work. pivot as in zf. */
    void (*rzf)(int n_ap, int n_ant, int n, const float *H, const float *E, const float *P, float *work, float *R,
                float *A, float *C, float *b, float *pivot);
    /* V [n_ap][n_ant] = Z^-1 G (1 + G^H Z^-1 G)^-1 e for the last of the listed users, G with the roots of its users'
     * powers; energy [n_ap][lane] = ||v_m||^2; pivot as in zf; work of kernel_cluster_work lanes. */
    void (*cluster)(const struct kernel_cluster *cluster, const float *H, float *work, float *V, float *energy,
                    float *pivot);
    /* |h_k^H v|^2 of the listeners over the listed APs to their places in power [n_ue][lane], behind which 2 n_ue lanes
     * are work; an AP counts for those that it hears. */
    void (*heard)(const struct kernel_cluster *cluster, const float *H, const float *V, float *power);
    /* others [n_ue][lane] += E [n_ap][n_ue] sent [n_ap][lane]. */
    void (*unknown)(int n_ap, int n_ue, const float *E, const float *sent, float *others);
    /* gamma = max(beta - E, 0), n entries; false unless each is positive in all lanes or in none. */
    bool (*gamma)(int n, const float *beta, const float *E, float *gamma);
    /* One AP's beams: H, A [n_ant][n], gamma, b [n][lane], P [lane]; C += H^H A; pivot becomes the least so far. */
    void (*local)(const struct kernel_local *local, const float *H, const float *gamma, const float *P, float *work,
                  float *A, float *C, float *b, float *pivot);
    /* The links of beams with C = H^H A: F and noise, and E divided by each user's own gain. */
    void (*couple)(int n_ap, int n, const float *C, float *F, float *noise, float *E);
    void (*weigh)(int n_ap, int n, const float *P, float *E); /* E_mk *= P_m, [n_ap][n][lane] and [n_ap][lane] */
    /* Powers eta, by the rule of that name, [n][lane]; share [n_ap][lane] is what each AP uses of its budget,
     * interference [n][lane] is work; spread [lane] is the relative distance of the bounds on the optimum. maxmin
     * returns the iterations. */
    void (*received)(const struct kernel_links *links, float *eta, float *share);             /* equal |h_k^H w_k|^2 */
    void (*one)(const struct kernel_links *links, float *eta, float *share);                  /* eta = 1 */
    void (*unit)(const struct kernel_links *links, const float *P, float *eta, float *share); /* equal ||w_k||^2 */
    int (*maxmin)(const struct kernel_links *links, int max_iterations, float tolerance, float *eta, float *share,
                  float *interference, float *spread);
    /* After either: SINRs [n][lane] of the powers guard * eta; eta becomes the amplitudes sqrt(guard * eta). */
    void (*finish)(const struct kernel_links *links, float guard, float *share, float *eta, float *sinr);
};

/* KERNEL_PAD suits every variant, so that layouts do not depend on it. */
enum { KERNEL_PAD = 8, KERNEL_LANES_MAX = 16 };

/* The next n floats of a workspace, in whole registers of any variant; NULL without base, which counts alone. */
static inline float *kernel_take(float *base, size_t *used, size_t n)
{
    float *const p = base ? base + *used : NULL;
    *used += (n + KERNEL_LANES_MAX - 1) / KERNEL_LANES_MAX * KERNEL_LANES_MAX;
    return p;
}

/* Lanes of work of zf for n users. */
static inline size_t kernel_zf_work(int n)
{
    return (size_t)n * (size_t)(7 * n + 2);
}

/* Lanes of work of local. */
static inline size_t kernel_local_work(int n_ant, int n)
{
    const size_t a = (size_t)n_ant, k = (size_t)n;
    return 8 * a * k + 6 * a * a + 2 * k * k + k;
}

/* Lanes of work of cluster. */
static inline size_t kernel_cluster_work(int rows, int n)
{
    return 2 * ((size_t)rows * (size_t)n + (size_t)n * (size_t)n + (size_t)n);
}

const struct kernel_ops *kernel_get(void);

/* For tests and benches. The i-th variant this processor can run, widest first; NULL past the last. */
const struct kernel_ops *kernel_variant(int i);
/* What kernel_get returns from now on; NULL = the widest again. Handles keep the variant they were created with. */
void kernel_select(const struct kernel_ops *ops);

#endif
