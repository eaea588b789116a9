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
    for (int i = 0; i < KERNEL_LANES; i++)
        a[i] = sqrtf(a[i]);
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
    LANE_UNROLL for (int i = 0; i < KERNEL_LANES; i++)                                                                             \
        if (!(i & (D))) {                                                                                              \
            const lane a = v[i], b = v[i + (D)];                                                                       \
            v[i] = LANE_SELECT(a, b, D, 0);                                                                            \
            v[i + (D)] = LANE_SELECT(a, b, D, D);                                                                      \
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
        LANE_UNROLL for (int s = 0; s < KERNEL_LANES; s++)
            v[s] = lane_load(source[s] + e);
        lane_transpose(v);
        LANE_UNROLL for (int s = 0; s < KERNEL_LANES; s++)
            lane_store(target + (ptrdiff_t)(e + s) * KERNEL_LANES, v[s]);
    }
    for (; e < n; e++)
        for (int s = 0; s < KERNEL_LANES; s++)
            target[(ptrdiff_t)e * KERNEL_LANES + s] = source[s][e];
}

static void lane_unpack(int n, const float *source, float *const *target)
{
    int e = 0;
    for (; e + KERNEL_LANES <= n; e += KERNEL_LANES) {
        lane v[KERNEL_LANES];
        LANE_UNROLL for (int s = 0; s < KERNEL_LANES; s++)
            v[s] = lane_load(source + (ptrdiff_t)(e + s) * KERNEL_LANES);
        lane_transpose(v);
        LANE_UNROLL for (int s = 0; s < KERNEL_LANES; s++)
            lane_store(target[s] + e, v[s]);
    }
    for (; e < n; e++)
        for (int s = 0; s < KERNEL_LANES; s++)
            target[s][e] = source[(ptrdiff_t)e * KERNEL_LANES + s];
}

/* Offsets of the real and imaginary vectors of complex entry i. */
#define LANE_RE(i) ((ptrdiff_t)(i)*2 * KERNEL_LANES)
#define LANE_IM(i) (LANE_RE(i) + KERNEL_LANES)

/* Entries (k, j .. j + 3) of H^H H: four independent complex accumulators hide the latency of the multiply-add. */
static inline void lane_gram4(int rows, int n, const float *H, int k, int j, float *G)
{
    lane r0 = {0}, r1 = {0}, r2 = {0}, r3 = {0}, i0 = {0}, i1 = {0}, i2 = {0}, i3 = {0};
    for (int r = 0; r < rows; r++) {
        const float *row = H + LANE_RE(r * n), *y = row + LANE_RE(j);
        const lane xr = lane_load(row + LANE_RE(k)), xi = lane_load(row + LANE_IM(k));
        const lane a = lane_load(y), b = lane_load(y + LANE_IM(0));
        const lane c = lane_load(y + LANE_RE(1)), d = lane_load(y + LANE_IM(1));
        r0 += xr * a;
        i0 += xr * b;
        r1 += xr * c;
        i1 += xr * d;
        const lane e = lane_load(y + LANE_RE(2)), f = lane_load(y + LANE_IM(2));
        const lane g = lane_load(y + LANE_RE(3)), h = lane_load(y + LANE_IM(3));
        r2 += xr * e;
        i2 += xr * f;
        r3 += xr * g;
        i3 += xr * h;
        r0 += xi * b;
        i0 -= xi * a;
        r1 += xi * d;
        i1 -= xi * c;
        r2 += xi * f;
        i2 -= xi * e;
        r3 += xi * h;
        i3 -= xi * g;
    }
    float *out = G + LANE_RE(k * n + j);
    lane_store(out, r0);
    lane_store(out + LANE_IM(0), i0);
    lane_store(out + LANE_RE(1), r1);
    lane_store(out + LANE_IM(1), i1);
    lane_store(out + LANE_RE(2), r2);
    lane_store(out + LANE_IM(2), i2);
    lane_store(out + LANE_RE(3), r3);
    lane_store(out + LANE_IM(3), i3);
}

static inline void lane_gram1(int rows, int n, const float *H, int k, int j, float *G)
{
    lane re = {0}, im = {0};
    for (int r = 0; r < rows; r++) {
        const float *row = H + LANE_RE(r * n);
        const lane xr = lane_load(row + LANE_RE(k)), xi = lane_load(row + LANE_IM(k));
        const lane yr = lane_load(row + LANE_RE(j)), yi = lane_load(row + LANE_IM(j));
        re += xr * yr + xi * yi;
        im += xr * yi - xi * yr;
    }
    lane_store(G + LANE_RE(k * n + j), re);
    lane_store(G + LANE_IM(k * n + j), im);
}

/* Lower triangle (and a little more) of G = H^H H. */
static void lane_gram(int rows, int n, const float *H, float *G)
{
    for (int k = 0; k < n; k++) {
        int j = 0;
        for (; j <= k && j + 4 <= n; j += 4)
            lane_gram4(rows, n, H, k, j, G);
        for (; j <= k; j++)
            lane_gram1(rows, n, H, k, j, G);
    }
}

/* Lower Cholesky factor in place; the diagonal holds 1 / L_jj. Returns per lane the smallest pivot relative to its
 * diagonal entry. */
static lane lane_cholesky(int n, float *G)
{
    lane least = {0};
    least += 1;
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
        const lane one = {0};
        d = (lane)(((lane_mask)d & good) | ((lane_mask)(one + 1) & ~good));
        const lane inverse = 1 / lane_root(d);
        lane_store(gj + LANE_RE(j), inverse);
        for (int i = j + 1; i < n; i++) {
            float *gi = G + LANE_RE(i * n);
            lane sr = lane_load(gi + LANE_RE(j)), si = lane_load(gi + LANE_IM(j));
            for (int p = 0; p < j; p++) {
                const lane ar = lane_load(gi + LANE_RE(p)), ai = lane_load(gi + LANE_IM(p));
                const lane br = lane_load(gj + LANE_RE(p)), bi = lane_load(gj + LANE_IM(p));
                sr -= ar * br + ai * bi;
                si -= ai * br - ar * bi;
            }
            lane_store(gi + LANE_RE(j), sr * inverse);
            lane_store(gi + LANE_IM(j), si * inverse);
        }
    }
    return least;
}

/* X = L^-1 (lower; the rest is not written) from the factor with inverted diagonal. */
static void lane_lower_inverse(int n, const float *L, float *X)
{
    for (int c = 0; c < n; c++)
        for (int i = c; i < n; i++) {
            const lane inverse = lane_load(L + LANE_RE(i * n + i));
            lane sr = {0}, si = {0};
            if (i == c)
                sr -= 1;
            for (int p = c; p < i; p++) {
                const lane ar = lane_load(L + LANE_RE(i * n + p)), ai = lane_load(L + LANE_IM(i * n + p));
                const lane br = lane_load(X + LANE_RE(p * n + c)), bi = lane_load(X + LANE_IM(p * n + c));
                sr += ar * br - ai * bi;
                si += ar * bi + ai * br;
            }
            lane_store(X + LANE_RE(i * n + c), -sr * inverse);
            lane_store(X + LANE_IM(i * n + c), -si * inverse);
        }
}

/* Y = X^H X, whole matrix. */
static void lane_lower_square(int n, const float *X, float *Y)
{
    for (int k = 0; k < n; k++)
        for (int j = 0; j <= k; j++) {
            lane re = {0}, im = {0};
            for (int p = k; p < n; p++) {
                const lane ar = lane_load(X + LANE_RE(p * n + k)), ai = lane_load(X + LANE_IM(p * n + k));
                const lane br = lane_load(X + LANE_RE(p * n + j)), bi = lane_load(X + LANE_IM(p * n + j));
                re += ar * br + ai * bi;
                im += ar * bi - ai * br;
            }
            lane_store(Y + LANE_RE(k * n + j), re);
            lane_store(Y + LANE_IM(k * n + j), im);
            lane_store(Y + LANE_RE(j * n + k), re);
            lane_store(Y + LANE_IM(j * n + k), -im);
        }
}

/* Entries j .. j + 3 of one row of A = H Y. */
static inline void lane_row4(int n, const float *h, const float *Y, int j, float *a)
{
    lane r0 = {0}, r1 = {0}, r2 = {0}, r3 = {0}, i0 = {0}, i1 = {0}, i2 = {0}, i3 = {0};
    for (int k = 0; k < n; k++) {
        const float *y = Y + LANE_RE(k * n + j);
        const lane xr = lane_load(h + LANE_RE(k)), xi = lane_load(h + LANE_IM(k));
        const lane b = lane_load(y), c = lane_load(y + LANE_IM(0));
        const lane d = lane_load(y + LANE_RE(1)), e = lane_load(y + LANE_IM(1));
        r0 += xr * b;
        i0 += xr * c;
        r1 += xr * d;
        i1 += xr * e;
        const lane f = lane_load(y + LANE_RE(2)), g = lane_load(y + LANE_IM(2));
        const lane u = lane_load(y + LANE_RE(3)), v = lane_load(y + LANE_IM(3));
        r2 += xr * f;
        i2 += xr * g;
        r3 += xr * u;
        i3 += xr * v;
        r0 -= xi * c;
        i0 += xi * b;
        r1 -= xi * e;
        i1 += xi * d;
        r2 -= xi * g;
        i2 += xi * f;
        r3 -= xi * v;
        i3 += xi * u;
    }
    float *out = a + LANE_RE(j);
    lane_store(out, r0);
    lane_store(out + LANE_IM(0), i0);
    lane_store(out + LANE_RE(1), r1);
    lane_store(out + LANE_IM(1), i1);
    lane_store(out + LANE_RE(2), r2);
    lane_store(out + LANE_IM(2), i2);
    lane_store(out + LANE_RE(3), r3);
    lane_store(out + LANE_IM(3), i3);
}

static inline void lane_row1(int n, const float *h, const float *Y, int j, float *a)
{
    lane re = {0}, im = {0};
    for (int k = 0; k < n; k++) {
        const lane xr = lane_load(h + LANE_RE(k)), xi = lane_load(h + LANE_IM(k));
        const lane yr = lane_load(Y + LANE_RE(k * n + j)), yi = lane_load(Y + LANE_IM(k * n + j));
        re += xr * yr - xi * yi;
        im += xr * yi + xi * yr;
    }
    lane_store(a + LANE_RE(j), re);
    lane_store(a + LANE_IM(j), im);
}

static void lane_zf(int rows, int n, const float *H, float *work, float *A, float *pivot)
{
    float *G = work, *X = work + LANE_RE(n * n);
    lane_gram(rows, n, H, G);
    lane_store(pivot, lane_cholesky(n, G));
    lane_lower_inverse(n, G, X);
    lane_lower_square(n, X, G);
    for (int r = 0; r < rows; r++) {
        int j = 0;
        for (; j + 4 <= n; j += 4)
            lane_row4(n, H + LANE_RE(r * n), G, j, A + LANE_RE(r * n));
        for (; j < n; j++)
            lane_row1(n, H + LANE_RE(r * n), G, j, A + LANE_RE(r * n));
    }
}

static void lane_power(int n_ap, int n_ant, int n, const float *A, float *b)
{
    for (int m = 0; m < n_ap; m++)
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

static void lane_scale(int rows, int n, const float *amplitude, float *A)
{
    for (int r = 0; r < rows; r++)
        for (int k = 0; k < n; k++) {
            float *x = A + LANE_RE(r * n + k);
            const lane g = lane_load(amplitude + (ptrdiff_t)k * KERNEL_LANES);
            lane_store(x, g * lane_load(x));
            lane_store(x + KERNEL_LANES, g * lane_load(x + KERNEL_LANES));
        }
}

/* total [n_ap] = sum_k b_mk eta_k; returns the largest total / P over the APs. */
static lane lane_use(int n_ap, int n, const float *b, const float *P, const float *eta, float *total)
{
    lane use = {0};
    for (int m = 0; m < n_ap; m++) {
        lane sum = {0};
        for (int k = 0; k < n; k++)
            sum += lane_load(b + (ptrdiff_t)(m * n + k) * KERNEL_LANES) * lane_load(eta + (ptrdiff_t)k * KERNEL_LANES);
        lane_store(total + (ptrdiff_t)m * KERNEL_LANES, sum);
        use = lane_max(use, sum / lane_load(P + (ptrdiff_t)m * KERNEL_LANES));
    }
    return use;
}

/* interference [n] = sum_m E_mk total_m */
static void lane_leak(int n_ap, int n, const float *E, const float *total, float *interference)
{
    for (int k = 0; k < n; k++) {
        lane sum = {0};
        for (int m = 0; m < n_ap; m++)
            sum +=
                lane_load(E + (ptrdiff_t)(m * n + k) * KERNEL_LANES) * lane_load(total + (ptrdiff_t)m * KERNEL_LANES);
        lane_store(interference + (ptrdiff_t)k * KERNEL_LANES, sum);
    }
}

static void lane_equal(int n_ap, int n, const float *b, const float *P, float *eta, float *total)
{
    lane one = {0};
    one += 1;
    for (int k = 0; k < n; k++)
        lane_store(eta + (ptrdiff_t)k * KERNEL_LANES, one);
    const lane scale = 1 / lane_use(n_ap, n, b, P, eta, total);
    for (int k = 0; k < n; k++)
        lane_store(eta + (ptrdiff_t)k * KERNEL_LANES, scale);
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
        lane_use(n_ap, n, b, P, eta, total);
        lane_leak(n_ap, n, E, total, interference);
        lane least = {0}, most = {0};
        least += 3e38f;
        for (int k = 0; k < n; k++) {
            const lane next = lane_load(interference + (ptrdiff_t)k * KERNEL_LANES) + 1;
            const lane ratio = next / lane_load(eta + (ptrdiff_t)k * KERNEL_LANES);
            least = lane_min(least, ratio);
            most = lane_max(most, ratio);
            lane_store(eta + (ptrdiff_t)k * KERNEL_LANES, next);
        }
        const lane scale = 1 / lane_use(n_ap, n, b, P, eta, total);
        for (int k = 0; k < n; k++)
            lane_store(eta + (ptrdiff_t)k * KERNEL_LANES, scale * lane_load(eta + (ptrdiff_t)k * KERNEL_LANES));
        const lane gap = most / least - 1;
        lane_store(spread, gap);
        done = true;
        for (int s = 0; s < KERNEL_LANES; s++)
            done = done && !(gap[s] > tolerance);
    }
    return i;
}

/* SINR of zero-forcing beams with powers eta: eta_k / (interference_k + 1). */
static void lane_sinr(int n_ap, int n, const float *E, const float *b, const float *P, const float *eta, float *total,
                      float *sinr)
{
    lane_use(n_ap, n, b, P, eta, total);
    lane_leak(n_ap, n, E, total, sinr);
    for (int k = 0; k < n; k++) {
        const ptrdiff_t o = (ptrdiff_t)k * KERNEL_LANES;
        lane_store(sinr + o, lane_load(eta + o) / (lane_load(sinr + o) + 1));
    }
}
