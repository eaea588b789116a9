/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Batched kernels of a kernel variant: one vector lane per subband, so a small matrix is factored without a single
 * shuffle or horizontal sum. Included by kernel_impl.h. Arrays end in [lane]; complex numbers are a real vector
 * followed by an imaginary one. */

typedef float lane __attribute__((vector_size(KERNEL_BYTES)));
typedef int lane_mask __attribute__((vector_size(KERNEL_BYTES)));

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

/* A value that several products share stays in a register; gcc would load it anew for each. */
#if defined(__GNUC__) && !defined(__clang__) && defined(__AVX__)
#define lane_keep(v)                                                                                                   \
    ({                                                                                                                 \
        lane kept = (v);                                                                                               \
        __asm__("" : "+v"(kept));                                                                                      \
        kept;                                                                                                          \
    })
#else
#define lane_keep(v) (v)
#endif

static inline lane lane_all(float x)
{
    return x - (lane){0};
}

static inline lane lane_choose(lane_mask m, lane yes, lane no)
{
    return (lane)(((lane_mask)yes & m) | ((lane_mask)no & ~m));
}

/* b where either is not a number. One instruction, which gcc does not find by itself. */
static inline lane lane_max(lane a, lane b)
{
#if KERNEL_BYTES == 32 && defined(__AVX__)
    return (lane)__builtin_ia32_maxps256(a, b);
#elif KERNEL_BYTES == 16 && defined(__SSE__)
    return (lane)__builtin_ia32_maxps(a, b);
#else
    return lane_choose(a > b, a, b);
#endif
}

static inline lane lane_min(lane a, lane b)
{
#if KERNEL_BYTES == 32 && defined(__AVX__)
    return (lane)__builtin_ia32_minps256(a, b);
#elif KERNEL_BYTES == 16 && defined(__SSE__)
    return (lane)__builtin_ia32_minps(a, b);
#else
    return lane_choose(a < b, a, b);
#endif
}

static inline lane lane_root(lane a)
{
    float x[KERNEL_LANES];
    lane_store(x, a);
    KERNEL_UNROLL for (int i = 0; i < KERNEL_LANES; i++) x[i] = sqrtf(x[i]);
    return lane_load(x);
}

/* One stage of a square transpose: exchange the off-diagonal blocks of size D of rows a and b. Source of column c: off
 * 0 keeps a's first halves and brings b's; off D the second halves. */
#define LANE_I(c, D, off) (((c) & (D)) ? KERNEL_LANES + (c) - (D) + (off) : (c) + (off))
#define LANE_I4(c, D, off) LANE_I(c, D, off), LANE_I(c + 1, D, off), LANE_I(c + 2, D, off), LANE_I(c + 3, D, off)
#if KERNEL_BYTES == 64
#define LANE_ORDER(D, off) LANE_I4(0, D, off), LANE_I4(4, D, off), LANE_I4(8, D, off), LANE_I4(12, D, off)
#elif KERNEL_BYTES == 32
#define LANE_ORDER(D, off) LANE_I4(0, D, off), LANE_I4(4, D, off)
#else
#define LANE_ORDER(D, off) LANE_I4(0, D, off)
#endif
#define LANE_STAGE(v, D)                                                                                               \
    KERNEL_UNROLL for (int i = 0; i < KERNEL_LANES; i++) if (!(i & (D)))                                               \
    {                                                                                                                  \
        const lane a = v[i], b = v[i + (D)];                                                                           \
        v[i] = __builtin_shufflevector(a, b, LANE_ORDER(D, 0));                                                        \
        v[i + (D)] = __builtin_shufflevector(a, b, LANE_ORDER(D, D));                                                  \
    }

static inline void lane_transpose(lane *v)
{
#if KERNEL_BYTES == 64
    LANE_STAGE(v, 8)
#endif
#if KERNEL_BYTES >= 32
    LANE_STAGE(v, 4)
#endif
    LANE_STAGE(v, 2)
    LANE_STAGE(v, 1)
}

/* With eight lanes the exchange of halves costs no shuffle: the halves are loaded, or stored, where they belong. Within
 * a half the order of the stages is the one whose every step is one instruction. */
#if KERNEL_BYTES == 32
typedef float lane_half __attribute__((vector_size(16)));

static inline lane lane_join(const float *low, const float *high)
{
    lane_half a, b;
    memcpy(&a, low, sizeof a);
    memcpy(&b, high, sizeof b);
    return __builtin_shufflevector(a, b, 0, 1, 2, 3, 4, 5, 6, 7);
}

static inline void lane_split(lane v, float *low, float *high)
{
    const lane_half a = __builtin_shufflevector(v, v, 0, 1, 2, 3), b = __builtin_shufflevector(v, v, 4, 5, 6, 7);
    memcpy(low, &a, sizeof a);
    memcpy(high, &b, sizeof b);
}

/* Four vectors as 4 x 4 matrices in both halves. */
KERNEL_INLINE void lane_transpose_halves(lane *v)
{
    const lane a = __builtin_shufflevector(v[0], v[1], 0, 8, 1, 9, 4, 12, 5, 13);
    const lane b = __builtin_shufflevector(v[0], v[1], 2, 10, 3, 11, 6, 14, 7, 15);
    const lane c = __builtin_shufflevector(v[2], v[3], 0, 8, 1, 9, 4, 12, 5, 13);
    const lane d = __builtin_shufflevector(v[2], v[3], 2, 10, 3, 11, 6, 14, 7, 15);
    v[0] = __builtin_shufflevector(a, c, 0, 1, 8, 9, 4, 5, 12, 13);
    v[1] = __builtin_shufflevector(a, c, 2, 3, 10, 11, 6, 7, 14, 15);
    v[2] = __builtin_shufflevector(b, d, 0, 1, 8, 9, 4, 5, 12, 13);
    v[3] = __builtin_shufflevector(b, d, 2, 3, 10, 11, 6, 7, 14, 15);
}

/* v[c] = entries e.. of source c, transposed. */
static inline void lane_load_square(const float *const *source, int e, lane *v)
{
    KERNEL_UNROLL for (int i = 0; i < 4; i++)
    {
        v[i] = lane_join(source[i] + e, source[i + 4] + e);
        v[i + 4] = lane_join(source[i] + e + 4, source[i + 4] + e + 4);
    }
    lane_transpose_halves(v);
    lane_transpose_halves(v + 4);
}

static inline void lane_store_square(lane *v, float *const *target, int e)
{
    lane_transpose_halves(v);
    lane_transpose_halves(v + 4);
    KERNEL_UNROLL for (int i = 0; i < 4; i++)
    {
        lane_split(v[i], target[i] + e, target[i + 4] + e);
        lane_split(v[i + 4], target[i] + e + 4, target[i + 4] + e + 4);
    }
}
#else
static inline void lane_load_square(const float *const *source, int e, lane *v)
{
    KERNEL_UNROLL for (int s = 0; s < KERNEL_LANES; s++) v[s] = lane_load(source[s] + e);
    lane_transpose(v);
}

static inline void lane_store_square(lane *v, float *const *target, int e)
{
    lane_transpose(v);
    KERNEL_UNROLL for (int s = 0; s < KERNEL_LANES; s++) lane_store(target[s] + e, v[s]);
}
#endif

/* One array for all lanes, as the central node has it for all but the estimates. */
static inline bool lane_same(const float *const *source)
{
    int n = 1;
    while (n < KERNEL_LANES && source[n] == source[0]) {
        n++;
    }
    return n == KERNEL_LANES;
}

/* Floats ahead that are fetched into the cache where the subbands' arrays are long: then they come from far, and are
 * too many streams for the processor to see. Short ones only lose by it, a seventh. */
enum { LANE_AHEAD = 128, LANE_LONG = 4096 };

/* Pointers that stay in registers: as far as a compiler can see, what is stored may be the list of them. */
#define LANE_COPY(from, to) KERNEL_UNROLL for (int s = 0; s < KERNEL_LANES; s++)(to)[s] = (from)[s]

static void lane_pack(int n, const float *const *source, float *target)
{
    int e = 0;
    const float *from[KERNEL_LANES];
    LANE_COPY(source, from);
    for (const bool same = lane_same(source); same && e < n; e++) {
        lane_store(target + (ptrdiff_t)e * KERNEL_LANES, lane_all(source[0][e]));
    }
    for (; e + KERNEL_LANES <= n; e += KERNEL_LANES) {
        lane v[KERNEL_LANES];
        lane_load_square(from, e, v);
        if (n >= LANE_LONG) {
            KERNEL_UNROLL for (int s = 0; s < KERNEL_LANES; s++) __builtin_prefetch(from[s] + e + LANE_AHEAD);
        }
        KERNEL_UNROLL for (int s = 0; s < KERNEL_LANES; s++)
        {
            lane_store(target + (ptrdiff_t)(e + s) * KERNEL_LANES, v[s]);
        }
    }
    for (; e < n; e++) {
        for (int s = 0; s < KERNEL_LANES; s++) {
            target[(ptrdiff_t)e * KERNEL_LANES + s] = source[s][e];
        }
    }
}

/* One AP's entries from `begin` on, two a user: real and imaginary part. Returns the energy of what was written. */
static inline lane lane_unpack_ap(bool fetch, int begin, int per_ap, int n, const float *A, const float *amplitude,
                                  float *const *target)
{
    const float *const end = amplitude + (ptrdiff_t)n * KERNEL_LANES, *g = amplitude;
    lane sum0 = {0}, sum1 = {0}, sum2 = {0};
    float *to[KERNEL_LANES];
    LANE_COPY(target, to);
    int e = begin;
    for (; e + KERNEL_LANES <= begin + per_ap; e += KERNEL_LANES) {
        const float *x = A + (ptrdiff_t)e * KERNEL_LANES;
        lane v[KERNEL_LANES];
        KERNEL_UNROLL for (int s = 0; s < KERNEL_LANES; s += 2)
        {
            const lane factor = lane_keep(lane_load(g));
            v[s] = lane_load(x + (ptrdiff_t)s * KERNEL_LANES) * factor;
            v[s + 1] = lane_load(x + (ptrdiff_t)(s + 1) * KERNEL_LANES) * factor;
            sum0 += v[s] * v[s];
            sum1 += v[s + 1] * v[s + 1];
            g = g + KERNEL_LANES < end ? g + KERNEL_LANES : amplitude;
        }
        if (fetch) {
            KERNEL_UNROLL for (int s = 0; s < KERNEL_LANES; s++) __builtin_prefetch(to[s] + e + LANE_AHEAD, 1);
        }
        lane_store_square(v, to, e);
    }
    for (; e < begin + per_ap; e++) {
        const lane v =
            lane_load(A + (ptrdiff_t)e * KERNEL_LANES) * lane_load(amplitude + (ptrdiff_t)(e / 2 % n) * KERNEL_LANES);
        sum2 += v * v;
        for (int s = 0; s < KERNEL_LANES; s++) {
            target[s][e] = v[s];
        }
    }
    return sum0 + sum1 + sum2;
}

/* use: the largest of the APs' energies by their budgets; not a number where anything written is not finite. */
static void lane_unpack(int n_ap, int n_ant, int n, const float *A, const float *amplitude, const float *P,
                        float *const *target, float *use)
{
    const int per_ap = 2 * n_ant * n;
    lane most = {0}, finite = {0}; /* 0 times anything finite */
    for (int m = 0; m < n_ap; m++) {
        const lane energy = lane_unpack_ap(n_ap * per_ap >= LANE_LONG, m * per_ap, per_ap, n, A, amplitude, target);
        most = lane_max(energy / lane_load(P + (ptrdiff_t)m * KERNEL_LANES), most);
        finite += 0 * energy;
    }
    lane_store(use, most + finite);
}

/* Offsets of the real and imaginary vectors of complex entry i. */
#define LANE_RE(i) ((ptrdiff_t)(i)*2 * KERNEL_LANES)
#define LANE_IM(i) (LANE_RE(i) + KERNEL_LANES)

static inline void lane_put(float *out, int i, lane re, lane im)
{
    lane_store(out + LANE_RE(i), re);
    lane_store(out + LANE_IM(i), im);
}

/* Rows and columns of complex sums that stay in registers (32 of 512 bits, else 16), and columns when it is one row. */
#if KERNEL_BYTES == 64
enum { TILE_COLUMNS = 4 };
#else
enum { TILE_COLUMNS = 2 };
#endif
enum { TILE_ROWS = 2, TILE_WIDE = 2 * TILE_COLUMNS };

/* C(i, j) (+)= sum over f of op(x(i, f)) y(f, j), op the conjugate or nothing; steps count complex entries. Four
 * statements, each one multiply-add. */
KERNEL_INLINE void lane_tile(bool conjugate, bool add, int n_i, int n_j, int n_f, const float *x, int x_i, int x_f,
                             const float *y, int y_f, float *c, int c_i)
{
    lane re[TILE_ROWS][TILE_WIDE] = {{{0}}}, im[TILE_ROWS][TILE_WIDE] = {{{0}}}, xr[TILE_ROWS], xi[TILE_ROWS];
    if (add) {
        KERNEL_UNROLL for (int i = 0; i < n_i; i++)
        {
            KERNEL_UNROLL for (int j = 0; j < n_j; j++)
            {
                re[i][j] = lane_load(c + LANE_RE(i * c_i + j));
                im[i][j] = lane_load(c + LANE_IM(i * c_i + j));
            }
        }
    }
    for (int f = 0; f < n_f; f++, x += LANE_RE(x_f), y += LANE_RE(y_f)) {
        KERNEL_UNROLL for (int i = 0; i < n_i; i++)
        {
            xr[i] = lane_load(x + LANE_RE(i * x_i));
            xi[i] = lane_load(x + LANE_IM(i * x_i));
        }
        KERNEL_UNROLL for (int j = 0; j < n_j; j++)
        {
            const lane yr = lane_load(y + LANE_RE(j)), yi = lane_load(y + LANE_IM(j));
            KERNEL_UNROLL for (int i = 0; i < n_i; i++)
            {
                re[i][j] += xr[i] * yr;
                im[i][j] += xr[i] * yi;
                re[i][j] += conjugate ? xi[i] * yi : -xi[i] * yi;
                im[i][j] += conjugate ? -xi[i] * yr : xi[i] * yr;
            }
        }
    }
    KERNEL_UNROLL for (int i = 0; i < n_i; i++)
    {
        KERNEL_UNROLL for (int j = 0; j < n_j; j++) lane_put(c + LANE_RE(i * c_i), j, re[i][j], im[i][j]);
    }
}

/* The 2 x 2 tile on the diagonal of X^H X: the diagonal is real, and the upper entry is the lower's conjugate. */
KERNEL_INLINE void lane_tile_diagonal(bool add, int n_f, const float *x, int x_f, float *c, int c_i)
{
    lane a0 = {0}, b0 = {0}, a1 = {0}, b1 = {0}, re = {0}, re2 = {0}, im = {0}, im2 = {0};
    if (add) {
        a0 = lane_load(c);
        re = lane_load(c + LANE_RE(c_i));
        im = lane_load(c + LANE_IM(c_i));
        a1 = lane_load(c + LANE_RE(c_i + 1));
    }
    for (int f = 0; f < n_f; f++, x += LANE_RE(x_f)) {
        const lane r0 = lane_load(x), i0 = lane_load(x + LANE_IM(0));
        const lane r1 = lane_load(x + LANE_RE(1)), i1 = lane_load(x + LANE_IM(1));
        a0 += r0 * r0;
        b0 += i0 * i0;
        a1 += r1 * r1;
        b1 += i1 * i1;
        re += r1 * r0; /* conj(x_1) x_0 */
        re2 += i1 * i0;
        im += r1 * i0;
        im2 += i1 * r0;
    }
    lane_put(c, 0, a0 + b0, (lane){0});
    lane_put(c, c_i, re + re2, im - im2);
    lane_put(c, c_i + 1, a1 + b1, (lane){0});
}

/* Columns from .. n_j of n_i rows: tiles, then the columns that are left. */
KERNEL_INLINE void lane_rows(bool conjugate, bool add, int n_i, int n_tile, int n_f, int n_j, const float *x, int x_i,
                             int x_f, const float *Y, int y_f, float *c, int c_i)
{
    int j = 0;
    for (; j + n_tile <= n_j; j += n_tile) {
        lane_tile(conjugate, add, n_i, n_tile, n_f, x, x_i, x_f, Y + LANE_RE(j), y_f, c + LANE_RE(j), c_i);
    }
    for (; j < n_j; j++) {
        lane_tile(conjugate, add, n_i, 1, n_f, x, x_i, x_f, Y + LANE_RE(j), y_f, c + LANE_RE(j), c_i);
    }
}

static inline int least_int(int a, int b)
{
    return a < b ? a : b;
}

enum { BLOCK_FLOATS = 16384 / sizeof(float) };

/* Rows of a [.][n] matrix that stay in the first-level cache while every pair of columns meets. */
static inline int lane_block(int n)
{
    const int fits = BLOCK_FLOATS / (n * 2 * KERNEL_LANES);
    return fits < 8 ? 8 : fits;
}

/* What n_f rows add to G = X^H X, on and below the diagonal. */
KERNEL_INLINE void lane_gram_block(bool add, int n_f, int n, const float *X, float *G)
{
    int i = 0;
    for (; i + TILE_ROWS <= n; i += TILE_ROWS) {
        float *g = G + LANE_RE(i * n);
        lane_rows(true, add, TILE_ROWS, TILE_COLUMNS, n_f, i, X + LANE_RE(i), 1, n, X, n, g, n);
        lane_tile_diagonal(add, n_f, X + LANE_RE(i), n, g + LANE_RE(i), n);
    }
    if (i < n) {
        lane_rows(true, add, 1, TILE_WIDE, n_f, n, X + LANE_RE(i), 1, n, X, n, G + LANE_RE(i * n), n);
    }
}

/* G = X^H X of X [rows][n], on and below the diagonal. */
static void lane_gram(int rows, int n, const float *X, float *G)
{
    const int step = lane_block(n);
    lane_gram_block(false, least_int(step, rows), n, X, G);
    for (int r = step; r < rows; r += step) {
        lane_gram_block(true, least_int(step, rows - r), n, X + LANE_RE(r * n), G);
    }
}

/* L_ij for column j of n_i rows from gi: (G_ij - sum_p L_ip conj(L_jp)) / L_jj. */
KERNEL_INLINE void lane_column(int n_i, int n, int j, const float *gj, float *gi, lane inverse)
{
    lane re[4] = {{0}}, im[4] = {{0}};
    for (int p = 0; p < j; p++) {
        const lane xr = lane_load(gj + LANE_RE(p)), xi = lane_load(gj + LANE_IM(p));
        KERNEL_UNROLL for (int i = 0; i < n_i; i++)
        {
            const lane yr = lane_load(gi + LANE_RE(i * n + p)), yi = lane_load(gi + LANE_IM(i * n + p));
            re[i] += xr * yr;
            im[i] += xr * yi;
            re[i] += xi * yi;
            im[i] -= xi * yr;
        }
    }
    KERNEL_UNROLL for (int i = 0; i < n_i; i++)
    {
        float *g = gi + LANE_RE(i * n);
        lane_put(g, j, (lane_load(g + LANE_RE(j)) - re[i]) * inverse, (lane_load(g + LANE_IM(j)) - im[i]) * inverse);
    }
}

/* Of n complex entries; four sums, for one waits for each of its terms. */
static inline lane lane_energy(int n, const float *x)
{
    lane sum[4] = {{0}};
    int i = 0;
    for (; i + 2 <= n; i += 2) {
        KERNEL_UNROLL for (int s = 0; s < 4; s++)
        {
            const lane v = lane_load(x + LANE_RE(i) + (ptrdiff_t)s * KERNEL_LANES);
            sum[s] += v * v;
        }
    }
    if (i < n) {
        const lane re = lane_load(x + LANE_RE(i)), im = lane_load(x + LANE_IM(i));
        sum[0] += re * re;
        sum[1] += im * im;
    }
    return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

/* Lower Cholesky factor in place; the diagonal holds 1 / L_jj. Returns per lane the smallest pivot relative to its
 * diagonal entry. */
static lane lane_cholesky(int n, float *G)
{
    const lane one = lane_all(1);
    lane least = one;
    for (int j = 0; j < n; j++) {
        float *gj = G + LANE_RE(j * n);
        const lane before = lane_load(gj + LANE_RE(j));
        const lane d = before - lane_energy(j, gj);
        /* a lane whose matrix is singular (or not finite) goes on with harmless numbers; its pivot tells */
        const lane_mask good = d > before * 1e-6f;
        least = lane_min(least, (lane)((lane_mask)(d / before) & good));
        const lane inverse = 1 / lane_root(lane_choose(good, d, one));
        lane_store(gj + LANE_RE(j), inverse);
        int i = j + 1;
        for (; i + 4 <= n; i += 4) {
            lane_column(4, n, j, gj, G + LANE_RE(i * n), inverse);
        }
        for (; i < n; i++) {
            lane_column(1, n, j, gj, G + LANE_RE(i * n), inverse);
        }
    }
    return least;
}

/* X = L^-1 from the factor with inverted diagonal: row i is -(sum_p<i L_ip X_p) / L_ii. Above the diagonal zeros, as
 * far as tiles of lane_square read them. */
static void lane_lower_inverse(int n, const float *L, float *X)
{
    for (int i = 0; i < n; i++) {
        float *x = X + LANE_RE(i * n);
        const float *l = L + LANE_RE(i * n);
        const lane inverse = lane_load(l + LANE_RE(i)), zero = {0};
        int c = 0;
        for (; c + TILE_COLUMNS <= i; c += TILE_COLUMNS) { /* X_pc is zero for p < c */
            lane_tile(false, false, 1, TILE_COLUMNS, i - c, l + LANE_RE(c), 0, 1, X + LANE_RE(c * n + c), n,
                      x + LANE_RE(c), 0);
        }
        for (; c < i; c++) {
            lane_tile(false, false, 1, 1, i - c, l + LANE_RE(c), 0, 1, X + LANE_RE(c * n + c), n, x + LANE_RE(c), 0);
        }
        for (c = 0; c < i; c++) {
            lane_put(x, c, -inverse * lane_load(x + LANE_RE(c)), -inverse * lane_load(x + LANE_IM(c)));
        }
        lane_put(x, i, inverse, zero);
        for (c = i + 1; c < least_int(i + TILE_WIDE, n); c++) {
            lane_put(x, c, zero, zero);
        }
    }
}

/* The last column that a lower triangle needs of rows up to `end`, to whole tiles. */
static inline int lower_end(int end, int n)
{
    return least_int((end + TILE_COLUMNS - 1) / TILE_COLUMNS * TILE_COLUMNS, n);
}

/* G = X^H X of a lower triangular X, on and below the diagonal (and a little more). */
static void lane_square(int n, const float *X, float *G)
{
    for (int i = 0; i < n; i += TILE_ROWS) { /* X_fi is zero for f < i */
        const int n_i = least_int(TILE_ROWS, n - i), n_j = lower_end(i + n_i, n);
        const float *x = X + LANE_RE(i * n + i), *y = X + LANE_RE(i * n);
        if (n_i == TILE_ROWS) {
            lane_rows(true, false, TILE_ROWS, TILE_COLUMNS, n - i, n_j, x, 1, n, y, n, G + LANE_RE(i * n), n);
        } else {
            lane_rows(true, false, 1, TILE_COLUMNS, n - i, n_j, x, 1, n, y, n, G + LANE_RE(i * n), n);
        }
    }
}

/* The upper triangle of a Hermitian matrix from its lower one. */
static void lane_mirror(int n, float *C)
{
    for (int i = 1; i < n; i++) {
        for (int j = 0; j < i; j++) {
            lane_put(C, j * n + i, lane_load(C + LANE_RE(i * n + j)), -lane_load(C + LANE_IM(i * n + j)));
        }
    }
}

/* b = energy / P, in place. */
static void lane_shares(int n_ap, int n, const float *P, float *b)
{
    for (int m = 0; m < n_ap; m++) {
        const lane inverse = 1 / lane_load(P + (ptrdiff_t)m * KERNEL_LANES);
        for (int k = 0; k < n; k++) {
            float *at = b + (ptrdiff_t)(m * n + k) * KERNEL_LANES;
            lane_store(at, inverse * lane_load(at));
        }
    }
}

static void lane_weigh(int n_ap, int n, const float *P, float *E)
{
    for (int m = 0; m < n_ap; m++) {
        const lane weight = lane_load(P + (ptrdiff_t)m * KERNEL_LANES);
        for (int k = 0; k < n; k++) {
            float *e = E + (ptrdiff_t)(m * n + k) * KERNEL_LANES;
            lane_store(e, weight * lane_load(e));
        }
    }
}

/* y (i) = sum_j M(i, j) x(j) for n_i rows, M(i, j) at i m_i + j m_j. */
KERNEL_INLINE void lane_apply_rows(int n_i, int n_j, const float *M, int m_i, int m_j, const float *x, lane *y)
{
    KERNEL_UNROLL for (int i = 0; i < n_i; i++) y[i] = (lane){0};
    for (int j = 0; j < n_j; j++) {
        const lane v = lane_load(x + (ptrdiff_t)j * KERNEL_LANES);
        const float *m = M + (ptrdiff_t)j * m_j * KERNEL_LANES;
        KERNEL_UNROLL for (int i = 0; i < n_i; i++) y[i] += lane_load(m + (ptrdiff_t)i * m_i * KERNEL_LANES) * v;
    }
}

/* y (+)= M x for n_i rows; returns the largest. */
KERNEL_INLINE lane lane_apply(bool add, int n_i, int n_j, const float *M, int m_i, int m_j, const float *x, float *y)
{
    lane most = {0}, sum[8];
    for (int i = 0, n; i < n_i; i += n) {
        const float *m = M + (ptrdiff_t)i * m_i * KERNEL_LANES;
        n = n_i - i >= 8 ? 8 : n_i - i >= 4 ? 4 : 1;
        if (n == 8) {
            lane_apply_rows(8, n_j, m, m_i, m_j, x, sum);
        } else if (n == 4) {
            lane_apply_rows(4, n_j, m, m_i, m_j, x, sum);
        } else {
            lane_apply_rows(1, n_j, m, m_i, m_j, x, sum);
        }
        for (int a = 0; a < n; a++) {
            float *to = y + (ptrdiff_t)(i + a) * KERNEL_LANES;
            sum[a] = add ? sum[a] + lane_load(to) : sum[a];
            most = lane_max(most, sum[a]);
            lane_store(to, sum[a]);
        }
    }
    return most;
}

/* share [n_ap] = sum_k b_mk eta_k; returns the largest over the APs. */
static inline lane lane_use(const struct kernel_links *l, const float *eta, float *share)
{
    return lane_apply(false, l->n_ap, l->n, l->b, l->n, 1, eta, share);
}

/* interference [n] = sum_j F_kj eta_j + sum_m E_mk share_m */
static inline void lane_leak(const struct kernel_links *l, const float *eta, const float *share, float *interference)
{
    lane_apply(false, l->n, l->n_ap, l->E, 1, l->n, share, interference);
    if (l->F) {
        lane_apply(true, l->n, l->n, l->F, l->n, 1, eta, interference);
    }
}

static inline lane lane_noise(const struct kernel_links *l, int k)
{
    return l->noise ? lane_load(l->noise + (ptrdiff_t)k * KERNEL_LANES) : lane_all(1);
}

static inline void lane_multiply(int n, lane factor, float *x)
{
    for (int i = 0; i < n; i++) {
        lane_store(x + (ptrdiff_t)i * KERNEL_LANES, factor * lane_load(x + (ptrdiff_t)i * KERNEL_LANES));
    }
}

/* The worst AP to its budget. */
static inline void lane_to_budget(const struct kernel_links *l, float *eta, float *share)
{
    const lane factor = 1 / lane_use(l, eta, share);
    lane_multiply(l->n, factor, eta);
    lane_multiply(l->n_ap, factor, share);
}

/* eta_k = c / |h_k^H a_k|^2: what a beam needs for the same received power; the beams of zf have gain 1. */
static void lane_received(const struct kernel_links *l, float *eta, float *share)
{
    for (int k = 0; k < l->n; k++) {
        lane_store(eta + (ptrdiff_t)k * KERNEL_LANES, lane_noise(l, k));
    }
    lane_to_budget(l, eta, share);
}

/* Max-min powers of fixed beams: eta <- interference(eta) + noise, scaled so that the worst AP meets its budget. The
 * smallest and the largest ratio of new to old bound the optimum from both sides (Collatz and Wielandt); spread is
 * largest / smallest - 1. */
static int lane_maxmin(const struct kernel_links *l, int max_iterations, float tolerance, float *eta, float *share,
                       float *interference, float *spread)
{
    for (int k = 0; k < l->n; k++) {
        lane_store(eta + (ptrdiff_t)k * KERNEL_LANES, lane_all(1));
    }
    lane_to_budget(l, eta, share);
    int i = 0;
    for (bool done = false; i < max_iterations && !done; i++) {
        lane_leak(l, eta, share, interference);
        lane least = lane_all(3e38f), most = {0};
        for (int k = 0; k < l->n; k++) {
            const ptrdiff_t o = (ptrdiff_t)k * KERNEL_LANES;
            const lane next = lane_load(interference + o) + lane_noise(l, k), ratio = next / lane_load(eta + o);
            least = lane_min(least, ratio);
            most = lane_max(most, ratio);
            lane_store(eta + o, next);
        }
        const lane factor = 1 / lane_use(l, eta, share);
        lane_multiply(l->n, factor, eta);
        lane_multiply(l->n_ap, factor, share);
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

static void lane_finish(const struct kernel_links *l, float guard, float *share, float *eta, float *sinr)
{
    lane_multiply(l->n, lane_all(guard), eta);
    lane_multiply(l->n_ap, lane_all(guard), share);
    lane_leak(l, eta, share, sinr);
    for (int k = 0; k < l->n; k++) {
        const ptrdiff_t o = (ptrdiff_t)k * KERNEL_LANES;
        lane_store(sinr + o, lane_load(eta + o) / (lane_load(sinr + o) + lane_noise(l, k)));
        lane_store(eta + o, lane_root(lane_load(eta + o)));
    }
}
