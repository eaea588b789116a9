/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Batched kernels of a kernel variant: one vector lane per subband, so a small matrix is factored without a single
 * shuffle or horizontal sum. Included by kernel_impl.h with KERNEL_LANES defined. Arrays end in [lane]; complex numbers
 * are a real vector followed by an imaginary one. */

typedef float lane __attribute__((vector_size(4 * KERNEL_LANES)));
typedef int lane_mask __attribute__((vector_size(4 * KERNEL_LANES)));

static inline lane lane_load(const float *p)
{
    lane v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline void lane_store(float *p, lane v)
{
    memcpy(p, &v, sizeof v);
}

static inline lane lane_max(lane a, lane b)
{
    const lane_mask m = a > b;
    return (lane)(((lane_mask)a & m) | ((lane_mask)b & ~m));
}

static inline lane lane_min(lane a, lane b)
{
    const lane_mask m = a < b;
    return (lane)(((lane_mask)a & m) | ((lane_mask)b & ~m));
}

static inline lane lane_root(lane a)
{
    for (int i = 0; i < KERNEL_LANES; i++) {
        a[i] = sqrtf(a[i]);
    }
    return a;
}

/* Keeps the rows of a transpose in registers. */
#define LANE_UNROLL _Pragma("GCC unroll 16")

/* One stage of a square transpose: exchange the off-diagonal blocks of size D of rows a and b. */
#if KERNEL_LANES == 16
#define LANE_SELECT(a, b, D, off)                                                                                      \
    __builtin_shufflevector(a, b, LANE_I(0, D, off), LANE_I(1, D, off), LANE_I(2, D, off), LANE_I(3, D, off),          \
                            LANE_I(4, D, off), LANE_I(5, D, off), LANE_I(6, D, off), LANE_I(7, D, off),                \
                            LANE_I(8, D, off), LANE_I(9, D, off), LANE_I(10, D, off), LANE_I(11, D, off),              \
                            LANE_I(12, D, off), LANE_I(13, D, off), LANE_I(14, D, off), LANE_I(15, D, off))
#else
#define LANE_SELECT(a, b, D, off)                                                                                      \
    __builtin_shufflevector(a, b, LANE_I(0, D, off), LANE_I(1, D, off), LANE_I(2, D, off), LANE_I(3, D, off),          \
                            LANE_I(4, D, off), LANE_I(5, D, off), LANE_I(6, D, off), LANE_I(7, D, off))
#endif
/* Source of column c: off 0 keeps a's first halves and brings b's; off D the second halves. */
#define LANE_I(c, D, off) (((c) & (D)) ? KERNEL_LANES + (c) - (D) + (off) : (c) + (off))
#define LANE_STAGE(v, D)                                                                                               \
    LANE_UNROLL for (int i = 0; i < KERNEL_LANES; i++) if (!(i & (D)))                                                 \
    {                                                                                                                  \
        const lane a = v[i], b = v[i + (D)];                                                                           \
        v[i] = LANE_SELECT(a, b, D, 0);                                                                                \
        v[i + (D)] = LANE_SELECT(a, b, D, D);                                                                          \
    }

static inline void lane_transpose(lane *v)
{
#if KERNEL_LANES == 16
    LANE_STAGE(v, 8)
#endif
    LANE_STAGE(v, 4)
    LANE_STAGE(v, 2)
    LANE_STAGE(v, 1)
}

static void lane_pack(int n, const float *const *source, float *target)
{
    int e = 0;
    for (; e + KERNEL_LANES <= n; e += KERNEL_LANES) {
        lane v[KERNEL_LANES];
        LANE_UNROLL for (int s = 0; s < KERNEL_LANES; s++) v[s] = lane_load(source[s] + e);
        lane_transpose(v);
        LANE_UNROLL for (int s = 0; s < KERNEL_LANES; s++) lane_store(target + (ptrdiff_t)(e + s) * KERNEL_LANES, v[s]);
    }
    for (; e < n; e++) {
        for (int s = 0; s < KERNEL_LANES; s++) {
            target[(ptrdiff_t)e * KERNEL_LANES + s] = source[s][e];
        }
    }
}

static void lane_unpack(int n, const float *source, float *const *target)
{
    int e = 0;
    for (; e + KERNEL_LANES <= n; e += KERNEL_LANES) {
        lane v[KERNEL_LANES];
        LANE_UNROLL for (int s = 0; s < KERNEL_LANES; s++) v[s] = lane_load(source + (ptrdiff_t)(e + s) * KERNEL_LANES);
        lane_transpose(v);
        LANE_UNROLL for (int s = 0; s < KERNEL_LANES; s++) lane_store(target[s] + e, v[s]);
    }
    for (; e < n; e++) {
        for (int s = 0; s < KERNEL_LANES; s++) {
            target[s][e] = source[(ptrdiff_t)e * KERNEL_LANES + s];
        }
    }
}

/* Offsets of the real and imaginary vectors of complex entry i. */
#define LANE_RE(i) ((ptrdiff_t)(i)*2 * KERNEL_LANES)
#define LANE_IM(i) (LANE_RE(i) + KERNEL_LANES)

/* What a tile accumulates: sum over f of x_f y_f, or of conj(x_f) y_f. Steps and offsets count complex entries. */
#define LANE_MAC(conjugate, re, im, xr, xi, yr, yi)                                                                    \
    do {                                                                                                               \
        re += xr * yr;                                                                                                 \
        im += xr * yi;                                                                                                 \
        if (conjugate) {                                                                                               \
            re += xi * yi;                                                                                             \
            im -= xi * yr;                                                                                             \
        } else {                                                                                                       \
            re -= xi * yi;                                                                                             \
            im += xi * yr;                                                                                             \
        }                                                                                                              \
    } while (0)

static inline void lane_put(float *out, int i, lane re, lane im)
{
    lane_store(out + LANE_RE(i), re);
    lane_store(out + LANE_IM(i), im);
}

static inline void lane_tile1(bool conjugate, int n_f, const float *x, int x_step, const float *y, int y_step,
                              float *out)
{
    lane r = {0}, i = {0};
    for (int f = 0; f < n_f; f++, x += LANE_RE(x_step), y += LANE_RE(y_step)) {
        const lane xr = lane_load(x), xi = lane_load(x + KERNEL_LANES), yr = lane_load(y),
                   yi = lane_load(y + KERNEL_LANES);
        LANE_MAC(conjugate, r, i, xr, xi, yr, yi);
    }
    lane_put(out, 0, r, i);
}

/* Four neighbouring columns of y: eight accumulators hide the latency of the multiply-add. */
static inline void lane_tile4(bool conjugate, int n_f, const float *x, int x_step, const float *y, int y_step,
                              float *out)
{
    lane r0 = {0}, r1 = {0}, r2 = {0}, r3 = {0}, i0 = {0}, i1 = {0}, i2 = {0}, i3 = {0};
    for (int f = 0; f < n_f; f++, x += LANE_RE(x_step), y += LANE_RE(y_step)) {
        const lane xr = lane_load(x), xi = lane_load(x + KERNEL_LANES);
        LANE_MAC(conjugate, r0, i0, xr, xi, lane_load(y), lane_load(y + LANE_IM(0)));
        LANE_MAC(conjugate, r1, i1, xr, xi, lane_load(y + LANE_RE(1)), lane_load(y + LANE_IM(1)));
        LANE_MAC(conjugate, r2, i2, xr, xi, lane_load(y + LANE_RE(2)), lane_load(y + LANE_IM(2)));
        LANE_MAC(conjugate, r3, i3, xr, xi, lane_load(y + LANE_RE(3)), lane_load(y + LANE_IM(3)));
    }
    lane_put(out, 0, r0, i0);
    lane_put(out, 1, r1, i1);
    lane_put(out, 2, r2, i2);
    lane_put(out, 3, r3, i3);
}

/* The same for two x, where there are registers for sixteen accumulators: each y is loaded once for both. */
static inline void lane_tile8(bool conjugate, int n_f, const float *x, const float *x2, int x_step, const float *y,
                              int y_step, float *out, float *out2)
{
#if KERNEL_LANES == 16
    lane r0 = {0}, r1 = {0}, r2 = {0}, r3 = {0}, i0 = {0}, i1 = {0}, i2 = {0}, i3 = {0};
    lane s0 = {0}, s1 = {0}, s2 = {0}, s3 = {0}, j0 = {0}, j1 = {0}, j2 = {0}, j3 = {0};
    for (int f = 0; f < n_f; f++, x += LANE_RE(x_step), x2 += LANE_RE(x_step), y += LANE_RE(y_step)) {
        const lane xr = lane_load(x), xi = lane_load(x + KERNEL_LANES);
        const lane zr = lane_load(x2), zi = lane_load(x2 + KERNEL_LANES);
        lane yr = lane_load(y), yi = lane_load(y + LANE_IM(0));
        LANE_MAC(conjugate, r0, i0, xr, xi, yr, yi);
        LANE_MAC(conjugate, s0, j0, zr, zi, yr, yi);
        yr = lane_load(y + LANE_RE(1));
        yi = lane_load(y + LANE_IM(1));
        LANE_MAC(conjugate, r1, i1, xr, xi, yr, yi);
        LANE_MAC(conjugate, s1, j1, zr, zi, yr, yi);
        yr = lane_load(y + LANE_RE(2));
        yi = lane_load(y + LANE_IM(2));
        LANE_MAC(conjugate, r2, i2, xr, xi, yr, yi);
        LANE_MAC(conjugate, s2, j2, zr, zi, yr, yi);
        yr = lane_load(y + LANE_RE(3));
        yi = lane_load(y + LANE_IM(3));
        LANE_MAC(conjugate, r3, i3, xr, xi, yr, yi);
        LANE_MAC(conjugate, s3, j3, zr, zi, yr, yi);
    }
    lane_put(out, 0, r0, i0);
    lane_put(out, 1, r1, i1);
    lane_put(out, 2, r2, i2);
    lane_put(out, 3, r3, i3);
    lane_put(out2, 0, s0, j0);
    lane_put(out2, 1, s1, j1);
    lane_put(out2, 2, s2, j2);
    lane_put(out2, 3, s3, j3);
#else
    lane_tile4(conjugate, n_f, x, x_step, y, y_step, out);
    lane_tile4(conjugate, n_f, x2, x_step, y, y_step, out2);
#endif
}

/* C(i, j) = sum_f op(X(i, f)) Y(f, j) for i < n_i, j < n_j, with X(i, f) at i x_i + f x_f, Y and C row-major with n_y
 * columns. lower: only j
 * <= i (and a few more). */
static inline void lane_gemm(bool conjugate, bool lower, int n_i, int n_f, int n_j, const float *X, int x_i, int x_f,
                             const float *Y, int n_y, float *C)
{
    for (int i = 0; i < n_i; i += 2) {
        const bool pair = i + 1 < n_i;
        const int end = lower ? i + 1 + pair : n_j;
        const float *x = X + LANE_RE(i * x_i), *x2 = x + LANE_RE(x_i);
        float *c = C + LANE_RE(i * n_y), *c2 = c + LANE_RE(n_y);
        int j = 0;
        for (; j < end && j + 4 <= n_j; j += 4) {
            if (pair) {
                lane_tile8(conjugate, n_f, x, x2, x_f, Y + LANE_RE(j), n_y, c + LANE_RE(j), c2 + LANE_RE(j));
            } else {
                lane_tile4(conjugate, n_f, x, x_f, Y + LANE_RE(j), n_y, c + LANE_RE(j));
            }
        }
        for (; j < end && j < n_j; j++) {
            lane_tile1(conjugate, n_f, x, x_f, Y + LANE_RE(j), n_y, c + LANE_RE(j));
            if (pair) {
                lane_tile1(conjugate, n_f, x2, x_f, Y + LANE_RE(j), n_y, c2 + LANE_RE(j));
            }
        }
    }
}

/* L_ij for column j of four rows i: (G_ij - sum_p L_ip conj(L_jp)) / L_jj. */
static inline void lane_column4(int n, int j, const float *gj, float *gi, lane inverse)
{
    float *g0 = gi, *g1 = gi + LANE_RE(n), *g2 = g1 + LANE_RE(n), *g3 = g2 + LANE_RE(n);
    lane r0 = {0}, r1 = {0}, r2 = {0}, r3 = {0}, i0 = {0}, i1 = {0}, i2 = {0}, i3 = {0};
    for (int p = 0; p < j; p++) {
        const lane xr = lane_load(gj + LANE_RE(p)), xi = lane_load(gj + LANE_IM(p));
        LANE_MAC(true, r0, i0, xr, xi, lane_load(g0 + LANE_RE(p)), lane_load(g0 + LANE_IM(p)));
        LANE_MAC(true, r1, i1, xr, xi, lane_load(g1 + LANE_RE(p)), lane_load(g1 + LANE_IM(p)));
        LANE_MAC(true, r2, i2, xr, xi, lane_load(g2 + LANE_RE(p)), lane_load(g2 + LANE_IM(p)));
        LANE_MAC(true, r3, i3, xr, xi, lane_load(g3 + LANE_RE(p)), lane_load(g3 + LANE_IM(p)));
    }
    lane_put(g0, j, (lane_load(g0 + LANE_RE(j)) - r0) * inverse, (lane_load(g0 + LANE_IM(j)) - i0) * inverse);
    lane_put(g1, j, (lane_load(g1 + LANE_RE(j)) - r1) * inverse, (lane_load(g1 + LANE_IM(j)) - i1) * inverse);
    lane_put(g2, j, (lane_load(g2 + LANE_RE(j)) - r2) * inverse, (lane_load(g2 + LANE_IM(j)) - i2) * inverse);
    lane_put(g3, j, (lane_load(g3 + LANE_RE(j)) - r3) * inverse, (lane_load(g3 + LANE_IM(j)) - i3) * inverse);
}

static inline void lane_column1(int j, const float *gj, float *gi, lane inverse)
{
    lane re = {0}, im = {0};
    for (int p = 0; p < j; p++) {
        LANE_MAC(true, re, im, lane_load(gj + LANE_RE(p)), lane_load(gj + LANE_IM(p)), lane_load(gi + LANE_RE(p)),
                 lane_load(gi + LANE_IM(p)));
    }
    lane_put(gi, j, (lane_load(gi + LANE_RE(j)) - re) * inverse, (lane_load(gi + LANE_IM(j)) - im) * inverse);
}

/* Lower Cholesky factor in place; the diagonal holds 1 / L_jj. Returns per lane the smallest pivot relative to its
 * diagonal entry. */
static lane lane_cholesky(int n, float *G)
{
    const lane one = 1 - (lane){0};
    lane least = one;
    for (int j = 0; j < n; j++) {
        float *gj = G + LANE_RE(j * n);
        const lane before = lane_load(gj + LANE_RE(j));
        lane d = before;
        for (int p = 0; p < j; p++) {
            const lane a = lane_load(gj + LANE_RE(p)), b = lane_load(gj + LANE_IM(p));
            d -= a * a + b * b;
        }
        /* a lane whose matrix is singular (or not finite) goes on with harmless numbers; its pivot tells */
        const lane_mask good = d > before * 1e-6f;
        least = lane_min(least, (lane)((lane_mask)(d / before) & good));
        d = (lane)(((lane_mask)d & good) | ((lane_mask)one & ~good));
        const lane inverse = 1 / lane_root(d);
        lane_store(gj + LANE_RE(j), inverse);
        int i = j + 1;
        for (; i + 4 <= n; i += 4) {
            lane_column4(n, j, gj, G + LANE_RE(i * n), inverse);
        }
        for (; i < n; i++) {
            lane_column1(j, gj, G + LANE_RE(i * n), inverse);
        }
    }
    return least;
}

/* X = L^-1, zeros above the diagonal, from the factor with inverted diagonal: row i is -(sum_p<i L_ip X_p) / L_ii. */
static void lane_lower_inverse(int n, const float *L, float *X)
{
    for (int i = 0; i < n; i++) {
        float *x = X + LANE_RE(i * n);
        const float *l = L + LANE_RE(i * n);
        const lane inverse = lane_load(l + LANE_RE(i)), zero = {0};
        lane_gemm(false, false, 1, i, n, l, 0, 1, X, n, x);
        for (int c = 0; c < i; c++) {
            lane_put(x, c, -inverse * lane_load(x + LANE_RE(c)), -inverse * lane_load(x + LANE_IM(c)));
        }
        lane_put(x, i, inverse, zero);
        for (int c = i + 1; c < n; c++) {
            lane_put(x, c, zero, zero);
        }
    }
}

static void lane_zf(int rows, int n, const float *H, float *work, float *A, float *pivot)
{
    float *G = work, *X = work + LANE_RE(n * n);
    lane_gemm(true, true, n, rows, n, H, 1, n, H, n, G);
    lane_store(pivot, lane_cholesky(n, G));
    lane_lower_inverse(n, G, X);
    lane_gemm(true, false, n, n, n, X, 1, n, X, n, G); /* (L L^H)^-1 = X^H X */
    lane_gemm(false, false, rows, n, n, H, n, 1, G, n, A);
}

static void lane_power(int n_ap, int n_ant, int n, const float *A, float *b)
{
    for (int m = 0; m < n_ap; m++) {
        for (int k = 0; k < n; k++) {
            lane sum = {0};
            for (int a = 0; a < n_ant; a++) {
                const float *x = A + LANE_RE((m * n_ant + a) * n + k);
                const lane re = lane_load(x), im = lane_load(x + KERNEL_LANES);
                sum += re * re + im * im;
            }
            lane_store(b + (ptrdiff_t)(m * n + k) * KERNEL_LANES, sum);
        }
    }
}

static void lane_scale(int rows, int n, const float *amplitude, float *A)
{
    for (int r = 0; r < rows; r++) {
        for (int k = 0; k < n; k++) {
            float *x = A + LANE_RE(r * n + k);
            const lane g = lane_load(amplitude + (ptrdiff_t)k * KERNEL_LANES);
            lane_store(x, g * lane_load(x));
            lane_store(x + KERNEL_LANES, g * lane_load(x + KERNEL_LANES));
        }
    }
}

/* total [n_ap] = sum_k b_mk eta_k; returns the largest total / P over the APs. */
static inline lane lane_use(int n_ap, int n, const float *b, const float *P, const float *eta, float *total)
{
    lane use = {0};
    for (int m = 0; m < n_ap; m++) {
        lane sum = {0};
        for (int k = 0; k < n; k++) {
            sum += lane_load(b + (ptrdiff_t)(m * n + k) * KERNEL_LANES) * lane_load(eta + (ptrdiff_t)k * KERNEL_LANES);
        }
        lane_store(total + (ptrdiff_t)m * KERNEL_LANES, sum);
        use = lane_max(use, sum / lane_load(P + (ptrdiff_t)m * KERNEL_LANES));
    }
    return use;
}

/* interference [n] = sum_m E_mk total_m */
static void lane_leak(int n_ap, int n, const float *E, const float *total, float *interference)
{
    memset(interference, 0, (size_t)(n * KERNEL_LANES) * sizeof *interference);
    for (int m = 0; m < n_ap; m++) {
        const lane t = lane_load(total + (ptrdiff_t)m * KERNEL_LANES);
        for (int k = 0; k < n; k++) {
            float *i = interference + (ptrdiff_t)k * KERNEL_LANES;
            lane_store(i, lane_load(i) + lane_load(E + (ptrdiff_t)(m * n + k) * KERNEL_LANES) * t);
        }
    }
}

static inline void lane_multiply(int n, lane factor, float *x)
{
    for (int i = 0; i < n; i++) {
        lane_store(x + (ptrdiff_t)i * KERNEL_LANES, factor * lane_load(x + (ptrdiff_t)i * KERNEL_LANES));
    }
}

static void lane_equal(int n_ap, int n, const float *b, const float *P, float *eta, float *total)
{
    const lane one = 1 - (lane){0};
    for (int k = 0; k < n; k++) {
        lane_store(eta + (ptrdiff_t)k * KERNEL_LANES, one);
    }
    const lane factor = 1 / lane_use(n_ap, n, b, P, eta, total);
    lane_multiply(n, factor, eta);
    lane_multiply(n_ap, factor, total);
}

/* Max-min powers of zero-forcing: eta <- (interference(eta) + 1), scaled so that the worst AP meets its budget. The
 * smallest and the largest ratio of new to old bound the optimum from both sides (Collatz and Wielandt); spread is
 * largest / smallest - 1. */
static int lane_maxmin(int n_ap, int n, const float *E, const float *b, const float *P, int max_iterations,
                       float tolerance, float *eta, float *total, float *interference, float *spread)
{
    lane_equal(n_ap, n, b, P, eta, total);
    int i = 0;
    for (bool done = false; i < max_iterations && !done; i++) {
        lane_leak(n_ap, n, E, total, interference);
        lane least = 3e38f - (lane){0}, most = {0};
        for (int k = 0; k < n; k++) {
            const ptrdiff_t o = (ptrdiff_t)k * KERNEL_LANES;
            const lane next = lane_load(interference + o) + 1, ratio = next / lane_load(eta + o);
            least = lane_min(least, ratio);
            most = lane_max(most, ratio);
            lane_store(eta + o, next);
        }
        const lane factor = 1 / lane_use(n_ap, n, b, P, eta, total);
        lane_multiply(n, factor, eta);
        lane_multiply(n_ap, factor, total);
        const lane gap = most / least - 1;
        lane_store(spread, gap);
        const lane_mask open = gap > tolerance;
        done = true;
        for (int s = 0; s < KERNEL_LANES; s++) {
            done = done && !open[s];
        }
    }
    return i;
}

/* SINRs of zero-forcing beams, eta_k / (interference_k + 1) with eta times guard and the totals that belong to eta;
 * then eta becomes the amplitude sqrt(guard eta). */
static void lane_finish(int n_ap, int n, const float *E, float guard, float *total, float *eta, float *sinr)
{
    lane_multiply(n, guard - (lane){0}, eta);
    lane_multiply(n_ap, guard - (lane){0}, total);
    lane_leak(n_ap, n, E, total, sinr);
    for (int k = 0; k < n; k++) {
        const ptrdiff_t o = (ptrdiff_t)k * KERNEL_LANES;
        lane_store(sinr + o, lane_load(eta + o) / (lane_load(sinr + o) + 1));
        lane_store(eta + o, lane_root(lane_load(eta + o)));
    }
}
