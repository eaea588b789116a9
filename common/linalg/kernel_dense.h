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
    for (int f = 0; f < n_f; f++)
        c += X[(ptrdiff_t)f * x_f] * loadd(Y + (ptrdiff_t)f * ld_y);
    stored(C, c);
}

static void gemm(int n_i, int n_f, int n_j, const double *X, int x_i, int x_f, const double *Y, int ld_y, double *C,
                 int ld_c, bool upper)
{
    int i = 0;
    for (; i + 4 <= n_i; i += 4)
        for (int j = upper ? i / KERNEL_PAD * KERNEL_PAD : 0; j < n_j; j += KERNEL_PAD)
            gemm_block4(n_f, X + (ptrdiff_t)i * x_i, x_i, x_f, Y + j, ld_y, C + (ptrdiff_t)i * ld_c + j, ld_c);
    for (; i < n_i; i++)
        for (int j = upper ? i / KERNEL_PAD * KERNEL_PAD : 0; j < n_j; j += KERNEL_PAD)
            gemm_block1(n_f, X + (ptrdiff_t)i * x_i, x_f, Y + j, ld_y, C + (ptrdiff_t)i * ld_c + j);
}

static inline double sumd(vecd v)
{
    double s = 0;
    for (int i = 0; i < 8; i++)
        s += v[i];
    return s;
}

static void gram(int n, int n_row, int ld, const double *Ar, const double *Ai, const double *w, double *Gr, double *Gi)
{
    for (int k = 0; k < n; k++)
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
    for (int k = 0; k < n; k++)
        Gi[k * n + k] = 0;
}

static void hadamard(int n, int n_row, int ld_c, int ld, const double *Ur, const double *Ui, const double *Vr,
                     const double *Vi, const double *Ar, const double *Ai, const double *Zr, const double *Zi,
                     double *C)
{
    for (int i = 0; i < n_row; i++)
        for (int j = i / KERNEL_PAD * KERNEL_PAD; j < ld_c; j += KERNEL_PAD) {
            vecd rr = {0}, ri = {0}, qr = {0}, qi = {0};
            for (int k = 0; k < n; k++) {
                const ptrdiff_t o = (ptrdiff_t)k * ld;
                const vecd vr = loadd(Vr + o + j), vi = loadd(Vi + o + j), zr = loadd(Zr + o + j),
                           zi = loadd(Zi + o + j);
                const double ur = Ur[o + i], ui = Ui[o + i], ar = Ar[o + i], ai = Ai[o + i];
                rr += ur * vr + ui * vi;
                ri += ur * vi - ui * vr;
                qr += ar * zr + ai * zi;
                qi += ai * zr - ar * zi;
            }
            double *c = C + (ptrdiff_t)i * ld_c + j;
            stored(c, loadd(c) - (rr * qr - ri * qi));
        }
}

static int cholesky(int n, int ld, double *A)
{
    for (int k = 0; k < n; k++) {
        double *restrict row = A + (ptrdiff_t)k * ld;
        if (!(row[k] > 0) || !isfinite(row[k]))
            return k + 1;
        const double scale = 1 / sqrt(row[k]);
        for (int j = k; j < n; j++)
            row[j] *= scale;
        for (int i = k + 1; i < n; i++) {
            double *restrict to = A + (ptrdiff_t)i * ld;
            const double f = row[i];
            for (int j = i / KERNEL_PAD * KERNEL_PAD; j < ld; j += KERNEL_PAD) /* below the diagonal is never read */
                stored(to + j, loadd(to + j) - f * loadd(row + j));
        }
    }
    return 0;
}
