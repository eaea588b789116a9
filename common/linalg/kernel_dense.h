/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Double-precision kernels of a kernel variant; included by kernel_impl.h. */
#include <math.h>

typedef double vecd __attribute__((vector_size(64)));

static inline vecd loadd(const double *p)
{
    vecd v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline void stored(double *p, vecd v)
{
    memcpy(p, &v, sizeof v);
}

/* Rows i .. i + 3 against one vector of columns: one load of Y feeds four accumulators. */
static inline void gemm_block4(int n_f, const double *X, int x_i, int x_f, const double *Y, int ld_y, double *C,
                               int ld_c)
{
    vecd c0 = loadd(C), c1 = loadd(C + ld_c), c2 = loadd(C + 2 * ld_c), c3 = loadd(C + 3 * ld_c);
    for (int f = 0; f < n_f; f++) {
        const vecd y = loadd(Y + (ptrdiff_t)f * ld_y);
        const double *x = X + (ptrdiff_t)f * x_f;
        c0 += x[0] * y;
        c1 += x[x_i] * y;
        c2 += x[2 * x_i] * y;
        c3 += x[3 * x_i] * y;
    }
    stored(C, c0);
    stored(C + ld_c, c1);
    stored(C + 2 * ld_c, c2);
    stored(C + 3 * ld_c, c3);
}

static inline void gemm_block1(int n_f, const double *X, int x_f, const double *Y, int ld_y, double *C)
{
    vecd c = loadd(C);
    for (int f = 0; f < n_f; f++) {
        c += X[(ptrdiff_t)f * x_f] * loadd(Y + (ptrdiff_t)f * ld_y);
    }
    stored(C, c);
}

/* The same with two vectors of columns: eight accumulators, enough to hide the latency of the multiply-add. */
static inline void gemm_block8(int n_f, const double *X, int x_i, int x_f, const double *Y, int ld_y, double *C,
                               int ld_c)
{
    vecd c0 = loadd(C), c1 = loadd(C + ld_c), c2 = loadd(C + 2 * ld_c), c3 = loadd(C + 3 * ld_c);
    vecd d0 = loadd(C + KERNEL_PAD), d1 = loadd(C + ld_c + KERNEL_PAD);
    vecd d2 = loadd(C + 2 * ld_c + KERNEL_PAD), d3 = loadd(C + 3 * ld_c + KERNEL_PAD);
    for (int f = 0; f < n_f; f++) {
        const vecd y = loadd(Y + (ptrdiff_t)f * ld_y), z = loadd(Y + (ptrdiff_t)f * ld_y + KERNEL_PAD);
        const double *x = X + (ptrdiff_t)f * x_f;
        c0 += x[0] * y;
        d0 += x[0] * z;
        c1 += x[x_i] * y;
        d1 += x[x_i] * z;
        c2 += x[2 * x_i] * y;
        d2 += x[2 * x_i] * z;
        c3 += x[3 * x_i] * y;
        d3 += x[3 * x_i] * z;
    }
    stored(C, c0);
    stored(C + ld_c, c1);
    stored(C + 2 * ld_c, c2);
    stored(C + 3 * ld_c, c3);
    stored(C + KERNEL_PAD, d0);
    stored(C + ld_c + KERNEL_PAD, d1);
    stored(C + 2 * ld_c + KERNEL_PAD, d2);
    stored(C + 3 * ld_c + KERNEL_PAD, d3);
}

/* Rows i .. i + 3, columns from .. n_j. */
static inline void gemm_rows4(int from, int n_f, int n_j, const double *X, int x_i, int x_f, const double *Y, int ld_y,
                              double *C, int ld_c)
{
    int j = from;
    for (; j + 2 * KERNEL_PAD <= n_j; j += 2 * KERNEL_PAD) {
        gemm_block8(n_f, X, x_i, x_f, Y + j, ld_y, C + j, ld_c);
    }
    for (; j < n_j; j += KERNEL_PAD) {
        gemm_block4(n_f, X, x_i, x_f, Y + j, ld_y, C + j, ld_c);
    }
}

static void gemm(int n_i, int n_f, int n_j, const double *X, int x_i, int x_f, const double *Y, int ld_y, double *C,
                 int ld_c, bool upper)
{
    int i = 0;
    for (; i + 4 <= n_i; i += 4) {
        gemm_rows4(upper ? i / KERNEL_PAD * KERNEL_PAD : 0, n_f, n_j, X + (ptrdiff_t)i * x_i, x_i, x_f, Y, ld_y,
                   C + (ptrdiff_t)i * ld_c, ld_c);
    }
    for (; i < n_i; i++) {
        for (int j = upper ? i / KERNEL_PAD * KERNEL_PAD : 0; j < n_j; j += KERNEL_PAD) {
            gemm_block1(n_f, X + (ptrdiff_t)i * x_i, x_f, Y + j, ld_y, C + (ptrdiff_t)i * ld_c + j);
        }
    }
}

static inline double sumd(vecd v)
{
    v += __builtin_shufflevector(v, v, 4, 5, 6, 7, 0, 1, 2, 3);
    v += __builtin_shufflevector(v, v, 2, 3, 0, 1, 6, 7, 4, 5);
    return v[0] + v[1];
}

static void gram(int n, int n_row, int ld, const double *Ar, const double *Ai, const double *w, double *Gr, double *Gi)
{
    for (int k = 0; k < n; k++) {
        for (int j = 0; j <= k; j++) {
            const double *kr = Ar + (ptrdiff_t)k * ld, *ki = Ai + (ptrdiff_t)k * ld;
            const double *jr = Ar + (ptrdiff_t)j * ld, *ji = Ai + (ptrdiff_t)j * ld;
            vecd re = {0}, im = {0};
            for (int r = 0; r < n_row; r += KERNEL_PAD) {
                const vecd weight = loadd(w + r), a = loadd(kr + r) * weight, b = loadd(ki + r) * weight;
                const vecd c = loadd(jr + r), d = loadd(ji + r);
                re += a * c + b * d;
                im += a * d - b * c;
            }
            Gr[k * n + j] = Gr[j * n + k] = sumd(re);
            Gi[k * n + j] = sumd(im);
            Gi[j * n + k] = -Gi[k * n + j];
        }
    }
    for (int k = 0; k < n; k++) {
        Gi[k * n + k] = 0;
    }
}

/* Rows i and i + 1 (or i twice, when it is the last) against one vector of columns. */
static inline void hadamard_pair(int n, int i, int second, int ld, const double *Ur, const double *Ui, const double *Vr,
                                 const double *Vi, const double *Ar, const double *Ai, const double *Zr,
                                 const double *Zi, double *c, int ld_c)
{
    vecd rr = {0}, ri = {0}, qr = {0}, qi = {0}, sr = {0}, si = {0}, tr = {0}, ti = {0};
    for (int k = 0; k < n; k++) {
        const ptrdiff_t o = (ptrdiff_t)k * ld;
        const vecd vr = loadd(Vr + o), vi = loadd(Vi + o), zr = loadd(Zr + o), zi = loadd(Zi + o);
        const double *ur = Ur + o + i, *ui = Ui + o + i, *ar = Ar + o + i, *ai = Ai + o + i;
        rr += ur[0] * vr + ui[0] * vi;
        ri += ur[0] * vi - ui[0] * vr;
        qr += ar[0] * zr + ai[0] * zi;
        qi += ai[0] * zr - ar[0] * zi;
        sr += ur[second] * vr + ui[second] * vi;
        si += ur[second] * vi - ui[second] * vr;
        tr += ar[second] * zr + ai[second] * zi;
        ti += ai[second] * zr - ar[second] * zi;
    }
    stored(c, loadd(c) - (rr * qr - ri * qi));
    if (second) {
        stored(c + ld_c, loadd(c + ld_c) - (sr * tr - si * ti));
    }
}

static void hadamard(int n, int n_row, int ld_c, int ld, const double *Ur, const double *Ui, const double *Vr,
                     const double *Vi, const double *Ar, const double *Ai, const double *Zr, const double *Zi,
                     double *C)
{
    for (int i = 0; i < n_row; i += 2) {
        for (int j = i / KERNEL_PAD * KERNEL_PAD; j < ld_c; j += KERNEL_PAD) {
            hadamard_pair(n, i, i + 1 < n_row, ld, Ur, Ui, Vr + j, Vi + j, Ar, Ai, Zr + j, Zi + j,
                          C + (ptrdiff_t)i * ld_c + j, ld_c);
        }
    }
}

/* Rows k .. k + 3 of the factor, after the rows above have been taken off: plain elimination inside the block. */
static int cholesky_block(int n_k, int k, int ld, double *A)
{
    for (int a = 0; a < n_k; a++) {
        double *restrict row = A + (ptrdiff_t)(k + a) * ld;
        const int from = k / KERNEL_PAD * KERNEL_PAD;
        if (!(row[k + a] > 0) || !isfinite(row[k + a])) {
            return k + a + 1;
        }
        const double scale = 1 / sqrt(row[k + a]);
        for (int j = from; j < ld; j += KERNEL_PAD) { /* what is left of the diagonal is never read */
            stored(row + j, scale * loadd(row + j));
        }
        for (int b = a + 1; b < n_k; b++) {
            double *restrict to = A + (ptrdiff_t)(k + b) * ld;
            const double f = row[k + b];
            for (int j = from; j < ld; j += KERNEL_PAD) {
                stored(to + j, loadd(to + j) - f * loadd(row + j));
            }
        }
    }
    return 0;
}

/* Four rows at a time: subtract what the finished rows contribute (sums stay in registers), then finish the block. */
static int cholesky(int n, int ld, double *A)
{
    for (int k = 0; k < n; k += 4) {
        const int n_k = n - k < 4 ? n - k : 4, from = k / KERNEL_PAD * KERNEL_PAD;
        double minus[4 * KERNEL_CHOLESKY_MAX];
        for (int f = 0; f < k; f++) {
            for (int a = 0; a < n_k; a++) {
                minus[4 * f + a] = -A[(ptrdiff_t)f * ld + k + a];
            }
        }
        double *rows = A + (ptrdiff_t)k * ld;
        if (n_k == 4) {
            gemm_rows4(from, k, ld, minus, 1, 4, A, ld, rows, ld);
        }
        for (int a = 0; a < n_k && n_k < 4; a++) {
            for (int j = from; j < ld; j += KERNEL_PAD) {
                gemm_block1(k, minus + a, 4, A + j, ld, rows + (ptrdiff_t)a * ld + j);
            }
        }
        const int rc = cholesky_block(n_k, k, ld, A);
        if (rc) {
            return rc;
        }
    }
    return 0;
}

static void cholesky_forward(int n, int ld, const double *U, double *x)
{
    for (int i = 0; i < n; i++) {
        const double *row = U + (ptrdiff_t)i * ld;
        const int next = (i / KERNEL_PAD + 1) * KERNEL_PAD;
        const double f = x[i] /= row[i];
        for (int j = i + 1; j < next && j < n; j++) {
            x[j] -= f * row[j];
        }
        for (int j = next; j < n; j += KERNEL_PAD) {
            stored(x + j, loadd(x + j) - f * loadd(row + j));
        }
    }
}

static void cholesky_backward(int n, int ld, const double *U, double *x)
{
    for (int i = n - 1; i >= 0; i--) {
        const double *row = U + (ptrdiff_t)i * ld;
        const int next = (i / KERNEL_PAD + 1) * KERNEL_PAD;
        vecd sum = {0};
        for (int j = next; j < n; j += KERNEL_PAD) {
            sum += loadd(row + j) * loadd(x + j);
        }
        double s = x[i] - sumd(sum);
        for (int j = i + 1; j < next && j < n; j++) {
            s -= row[j] * x[j];
        }
        x[i] = s / row[i];
    }
}

static void cholesky_solve(int n, int ld, const double *U, int n_rhs, double *X)
{
    for (int r = 0; r < n_rhs; r++) {
        double *x = X + (ptrdiff_t)r * ld;
        for (int j = n; j < ld; j++) {
            x[j] = 0;
        }
        cholesky_forward(n, ld, U, x);
        cholesky_backward(n, ld, U, x);
    }
}

static void dots(int n_i, int n_j, int n_row, int ld, const double *A, const double *B, double *C)
{
    for (int i = 0; i < n_i; i++) {
        for (int j = 0; j < n_j; j++) {
            const double *a = A + (ptrdiff_t)i * ld, *b = B + (ptrdiff_t)j * ld;
            vecd sum = {0};
            for (int r = 0; r < n_row; r += KERNEL_PAD) {
                sum += loadd(a + r) * loadd(b + r);
            }
            C[i * n_j + j] = sumd(sum);
        }
    }
}
