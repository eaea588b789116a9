/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Double-precision kernels of a kernel variant; included by kernel_impl.h. */
typedef double vecd __attribute__((vector_size(KERNEL_BYTES)));

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

/* Four rows of two vectors: eight accumulators hide the latency of the multiply-add, and each load of Y feeds four. */
enum { GEMM_ROWS = 4, GEMM_VECTORS = 2 };

/* C (i, v) +-= sum_f X(i, f) Y(f, v) for n_i rows and n_v vectors of columns. */
KERNEL_INLINE void gemm_tile(bool minus, int n_i, int n_v, int n_f, const double *X, int x_i, int x_f, const double *Y,
                             int ld_y, double *C, int ld_c)
{
    vecd c[GEMM_ROWS][GEMM_VECTORS], y[GEMM_VECTORS];
    KERNEL_UNROLL for (int i = 0; i < n_i; i++)
    {
        KERNEL_UNROLL for (int v = 0; v < n_v; v++) c[i][v] = loadd(C + (ptrdiff_t)i * ld_c + v * KERNEL_DOUBLES);
    }
    for (int f = 0; f < n_f; f++) {
        const double *x = X + (ptrdiff_t)f * x_f;
        KERNEL_UNROLL for (int v = 0; v < n_v; v++) y[v] = loadd(Y + (ptrdiff_t)f * ld_y + v * KERNEL_DOUBLES);
        KERNEL_UNROLL for (int i = 0; i < n_i; i++)
        {
            const double xi = x[(ptrdiff_t)i * x_i];
            KERNEL_UNROLL for (int v = 0; v < n_v; v++) c[i][v] += minus ? -xi * y[v] : xi * y[v];
        }
    }
    KERNEL_UNROLL for (int i = 0; i < n_i; i++)
    {
        KERNEL_UNROLL for (int v = 0; v < n_v; v++) stored(C + (ptrdiff_t)i * ld_c + v * KERNEL_DOUBLES, c[i][v]);
    }
}

/* Rows i .. i + n_i - 1, columns from .. n_j. */
KERNEL_INLINE void gemm_rows(bool minus, int n_i, int from, int n_f, int n_j, const double *X, int x_i, int x_f,
                             const double *Y, int ld_y, double *C, int ld_c)
{
    int j = from;
    for (; j + GEMM_VECTORS * KERNEL_DOUBLES <= n_j; j += GEMM_VECTORS * KERNEL_DOUBLES) {
        gemm_tile(minus, n_i, GEMM_VECTORS, n_f, X, x_i, x_f, Y + j, ld_y, C + j, ld_c);
    }
    for (; j < n_j; j += KERNEL_DOUBLES) {
        gemm_tile(minus, n_i, 1, n_f, X, x_i, x_f, Y + j, ld_y, C + j, ld_c);
    }
}

static void gemm(int n_i, int n_f, int n_j, const double *X, int x_i, int x_f, const double *Y, int ld_y, double *C,
                 int ld_c, bool upper)
{
    int i = 0;
    for (; i + GEMM_ROWS <= n_i; i += GEMM_ROWS) {
        gemm_rows(false, GEMM_ROWS, upper ? i / KERNEL_PAD * KERNEL_PAD : 0, n_f, n_j, X + (ptrdiff_t)i * x_i, x_i, x_f,
                  Y, ld_y, C + (ptrdiff_t)i * ld_c, ld_c);
    }
    for (; i < n_i; i++) {
        gemm_rows(false, 1, upper ? i / KERNEL_PAD * KERNEL_PAD : 0, n_f, n_j, X + (ptrdiff_t)i * x_i, x_i, x_f, Y,
                  ld_y, C + (ptrdiff_t)i * ld_c, ld_c);
    }
}

static inline double sumd(vecd v)
{
#if KERNEL_BYTES == 64
    v += __builtin_shufflevector(v, v, 4, 5, 6, 7, 0, 1, 2, 3);
    v += __builtin_shufflevector(v, v, 2, 3, 0, 1, 6, 7, 4, 5);
#elif KERNEL_BYTES == 32
    v += __builtin_shufflevector(v, v, 2, 3, 0, 1);
#endif
    return v[0] + v[1];
}

/* Row k of the Gram matrix at n_j columns from j: each weighted load serves all of them. */
KERNEL_INLINE void gram_tile(int n_j, int n, int k, int j, int n_row, int ld, const double *Ar, const double *Ai,
                             const double *w, double *Gr, double *Gi)
{
    const double *kr = Ar + (ptrdiff_t)k * ld, *ki = Ai + (ptrdiff_t)k * ld;
    const double *jr = Ar + (ptrdiff_t)j * ld, *ji = Ai + (ptrdiff_t)j * ld;
    vecd re[4] = {{0}}, im[4] = {{0}};
    for (int r = 0; r < n_row; r += KERNEL_DOUBLES) {
        const vecd weight = loadd(w + r), a = loadd(kr + r) * weight, b = loadd(ki + r) * weight;
        KERNEL_UNROLL for (int i = 0; i < n_j; i++)
        {
            const vecd c = loadd(jr + (ptrdiff_t)i * ld + r), d = loadd(ji + (ptrdiff_t)i * ld + r);
            re[i] += a * c;
            im[i] += a * d;
            re[i] += b * d;
            im[i] -= b * c;
        }
    }
    KERNEL_UNROLL for (int i = 0; i < n_j; i++)
    {
        Gr[k * n + j + i] = Gr[(j + i) * n + k] = sumd(re[i]);
        Gi[k * n + j + i] = sumd(im[i]);
        Gi[(j + i) * n + k] = -Gi[k * n + j + i];
    }
}

static void gram(int n, int n_row, int ld, const double *Ar, const double *Ai, const double *w, double *Gr, double *Gi)
{
    for (int k = 0; k < n; k++) {
        int j = 0;
        for (; j + 4 <= k + 1; j += 4) {
            gram_tile(4, n, k, j, n_row, ld, Ar, Ai, w, Gr, Gi);
        }
        for (; j <= k; j++) {
            gram_tile(1, n, k, j, n_row, ld, Ar, Ai, w, Gr, Gi);
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
        rr += ur[0] * vr; /* one product a line: each is one multiply-add */
        ri += ur[0] * vi;
        qr += ar[0] * zr;
        qi += ai[0] * zr;
        sr += ur[second] * vr;
        si += ur[second] * vi;
        tr += ar[second] * zr;
        ti += ai[second] * zr;
        rr += ui[0] * vi;
        ri -= ui[0] * vr;
        qr += ai[0] * zi;
        qi -= ar[0] * zi;
        sr += ui[second] * vi;
        si -= ui[second] * vr;
        tr += ai[second] * zi;
        ti -= ar[second] * zi;
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
        for (int j = i / KERNEL_PAD * KERNEL_PAD; j < ld_c; j += KERNEL_DOUBLES) {
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
        for (int j = from; j < ld; j += KERNEL_DOUBLES) { /* what is left of the diagonal is never read */
            stored(row + j, scale * loadd(row + j));
        }
        for (int b = a + 1; b < n_k; b++) {
            double *restrict to = A + (ptrdiff_t)(k + b) * ld;
            const double f = row[k + b];
            for (int j = from; j < ld; j += KERNEL_DOUBLES) {
                stored(to + j, loadd(to + j) - f * loadd(row + j));
            }
        }
    }
    return 0;
}

/* Four rows at a time: subtract what the finished rows contribute (sums stay in registers), then finish the block. */
static int cholesky(int n, int ld, double *A)
{
    for (int k = 0; k < n; k += GEMM_ROWS) {
        const int n_k = n - k < GEMM_ROWS ? n - k : GEMM_ROWS, from = k / KERNEL_PAD * KERNEL_PAD;
        double *rows = A + (ptrdiff_t)k * ld;
        if (n_k == GEMM_ROWS) {
            gemm_rows(true, GEMM_ROWS, from, k, ld, A + k, 1, ld, A, ld, rows, ld);
        }
        for (int a = 0; a < n_k && n_k < GEMM_ROWS; a++) {
            gemm_rows(true, 1, from, k, ld, A + k + a, 1, ld, A, ld, rows + (ptrdiff_t)a * ld, ld);
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
        for (int j = next; j < n; j += KERNEL_DOUBLES) {
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
        for (int j = next; j < n; j += KERNEL_DOUBLES) {
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
            for (int r = 0; r < n_row; r += KERNEL_DOUBLES) {
                sum += loadd(a + r) * loadd(b + r);
            }
            C[i * n_j + j] = sumd(sum);
        }
    }
}
