/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A = X T, beams from channels and a Hermitian right factor, by three real products instead of four, and zero-forcing
 * from it. Included by kernel_impl.h behind kernel_batch.h, whose conventions hold. Two forms, by how many registers a
 * multiply-add takes: the tall one has a tile for each real product by itself; its sums and operands just fill the
 * sixteen registers of AVX2, where a product needs no register of its own. */

/* energy [n_ap][n] of each user's entries [n_ap][n_ant][n]; n_k users of one AP. */
KERNEL_INLINE void lane_energies_some(int n_k, int n_ant, int n, const float *A, float *energy)
{
    lane re[4] = {{0}}, im[4] = {{0}};
    for (int a = 0; a < n_ant; a++, A += LANE_RE(n)) {
        KERNEL_UNROLL for (int k = 0; k < n_k; k++)
        {
            const lane r = lane_load(A + LANE_RE(k)), i = lane_load(A + LANE_IM(k));
            re[k] += r * r;
            im[k] += i * i;
        }
    }
    KERNEL_UNROLL for (int k = 0; k < n_k; k++) lane_store(energy + (ptrdiff_t)k * KERNEL_LANES, re[k] + im[k]);
}

static void lane_energies(int n_ap, int n_ant, int n, const float *A, float *energy)
{
    for (int m = 0; m < n_ap; m++, A += LANE_RE(n_ant * n)) {
        int k = 0;
        for (; k + 4 <= n; k += 4, energy += (ptrdiff_t)4 * KERNEL_LANES) {
            lane_energies_some(4, n_ant, n, A + LANE_RE(k), energy);
        }
        for (; k < n; k++, energy += KERNEL_LANES) {
            lane_energies_some(1, n_ant, n, A + LANE_RE(k), energy);
        }
    }
}

#if KERNEL_BYTES == 32 && defined(__FMA__)
/* k = (x_r + x_i) t_r, re = k - x_i (t_r + t_i), im = k + x_r (t_i - t_r). T is kept in panels of four columns (the
 * last may have fewer): t_r, then -(t_r + t_i), then t_i - t_r, each [n][columns]. */
enum { TALL_ROWS = 3, TALL_COLUMNS = 4 };
enum tall_part { TALL_COMMON, TALL_RE, TALL_IM };

static inline float *tall_panel(int n, int column, const float *T)
{
    return (float *)T + (ptrdiff_t)column * 3 * n * KERNEL_LANES;
}

/* a (i, j) += what entry x of n_i rows and row T of a panel give. The loads of a step stay in it: gcc would collect
 * more of them than there are registers. */
KERNEL_INLINE void tall_step(enum tall_part part, int n_i, int n_j, int n, const float *x, const float *T,
                             lane a[][TALL_COLUMNS])
{
    lane v[TALL_ROWS];
    KERNEL_UNROLL for (int i = 0; i < n_i; i++)
    {
        const float *re = x + LANE_RE(i * n), *im = re + KERNEL_LANES;
        v[i] = part == TALL_COMMON ? lane_load(re) + lane_load(im) : lane_load(part == TALL_RE ? im : re);
        v[i] = lane_keep(v[i]);
    }
    KERNEL_UNROLL for (int j = 0; j < n_j; j++)
    {
        const lane t = lane_keep(lane_load(T + (ptrdiff_t)j * KERNEL_LANES));
        KERNEL_UNROLL for (int i = 0; i < n_i; i++) a[i][j] += v[i] * t;
    }
#ifndef __clang__
    __asm__ volatile("" : : : "memory");
#endif
}

KERNEL_INLINE void tall_sum(enum tall_part part, int n_i, int n_j, int n, const float *x, const float *panel,
                            lane a[][TALL_COLUMNS])
{
    const ptrdiff_t t = (ptrdiff_t)n_j * KERNEL_LANES;
    const float *T = panel + (int)part * n * t;
    int f = 0;
    for (; f + 4 <= n; f += 4, x += LANE_RE(4), T += 4 * t) {
        KERNEL_UNROLL for (int u = 0; u < 4; u++) tall_step(part, n_i, n_j, n, x + LANE_RE(u), T + u * t, a);
    }
    for (; f < n; f++, x += LANE_RE(1), T += t) {
        tall_step(part, n_i, n_j, n, x, T, a);
    }
}

/* The sums to or from every second vector of c. */
KERNEL_INLINE void tall_move(bool out, int n_i, int n_j, int n, float *c, lane a[][TALL_COLUMNS])
{
    KERNEL_UNROLL for (int i = 0; i < n_i; i++)
    {
        KERNEL_UNROLL for (int j = 0; j < n_j; j++)
        {
            if (out) {
                lane_store(c + LANE_RE(i * n + j), a[i][j]);
            } else {
                a[i][j] = lane_load(c + LANE_RE(i * n + j));
            }
        }
    }
}

/* n_i rows and n_j columns; the common term waits where the imaginary part will be. */
KERNEL_INLINE void tall_tile(int n_i, int n_j, int n, const float *x, const float *panel, float *c)
{
    lane a[TALL_ROWS][TALL_COLUMNS] = {{{0}}};
    tall_sum(TALL_COMMON, n_i, n_j, n, x, panel, a);
    tall_move(true, n_i, n_j, n, c + KERNEL_LANES, a);
    tall_sum(TALL_RE, n_i, n_j, n, x, panel, a);
    tall_move(true, n_i, n_j, n, c, a);
    tall_move(false, n_i, n_j, n, c + KERNEL_LANES, a);
    tall_sum(TALL_IM, n_i, n_j, n, x, panel, a);
    tall_move(true, n_i, n_j, n, c + KERNEL_LANES, a);
}

/* Tiles by what a compiler knows of them: [0] of four columns and 16 users, [1] and 8 users, [2] and any number, [3] to
 * [5] of three columns to one and any number of users; of three rows, two or one. They are functions of their own, for
 * where they were inlined into each other's loops both compilers kept sums in memory, which costs a quarter to a half.
 */
typedef void tall_tile_fn(int n, const float *x, const float *panel, float *c);

#define TALL_TILE(name, n_i, n_j, users)                                                                               \
    static KERNEL_APART void name(int n, const float *x, const float *panel, float *c)                                 \
    {                                                                                                                  \
        (void)n;                                                                                                       \
        tall_tile(n_i, n_j, users, x, panel, c);                                                                       \
    }
#define TALL_TILES(name, n_j, users)                                                                                   \
    TALL_TILE(name##_one, 1, n_j, users)                                                                               \
    TALL_TILE(name##_two, 2, n_j, users)                                                                               \
    TALL_TILE(name##_three, 3, n_j, users)
TALL_TILES(tall_16, 4, 16)
TALL_TILES(tall_8, 4, 8)
TALL_TILES(tall_four, 4, n)
TALL_TILES(tall_three, 3, n)
TALL_TILES(tall_two, 2, n)
TALL_TILES(tall_one, 1, n)

/* The tiles of so many columns for n users, by their rows less one. */
static tall_tile_fn *const *tall_tiles(int columns, int n)
{
#define TALL_ROW(name)                                                                                                 \
    {                                                                                                                  \
        name##_one, name##_two, name##_three                                                                           \
    }
    static tall_tile_fn *const tiles[][TALL_ROWS] = {TALL_ROW(tall_16),    TALL_ROW(tall_8),   TALL_ROW(tall_four),
                                                     TALL_ROW(tall_three), TALL_ROW(tall_two), TALL_ROW(tall_one)};
#undef TALL_ROW
    const int known = n == 16 ? 0 : n == 8 ? 1 : 2;
    return tiles[columns == TALL_COLUMNS ? known : 6 - columns];
}

/* All rows of the columns of one panel: threes, but two and two rather than three and one. */
static void tall_columns(int rows, int columns, int n, const float *X, const float *panel, float *A)
{
    tall_tile_fn *const *tiles = tall_tiles(columns, n);
    for (int r = 0, step; r < rows; r += step) {
        const int left = rows - r;
        step = left == 4 ? 2 : least_int(left, TALL_ROWS);
        tiles[step - 1](n, X + LANE_RE(r * n), panel, A + LANE_RE(r * n));
    }
}

/* A = X T and energy [n_ap][n] = the sums of an AP's |A|^2, X and A [n_ap][n_ant][n]; some APs at a time, so that what
 * is read again is near. */
static void lane_product(int n_ap, int n_ant, int n, const float *X, float *T, float *A, float *energy)
{
    enum { BLOCK_ROWS = 12 };
    const int step = BLOCK_ROWS / n_ant > 0 ? BLOCK_ROWS / n_ant : 1;
    for (int m = 0; m < n_ap; m += step) {
        const int aps = least_int(step, n_ap - m);
        const float *x = X + LANE_RE(m * n_ant * n);
        float *a = A + LANE_RE(m * n_ant * n);
        for (int j = 0; j < n; j += TALL_COLUMNS) {
            tall_columns(aps * n_ant, least_int(TALL_COLUMNS, n - j), n, x, tall_panel(n, j, T), a + LANE_RE(j));
        }
        lane_energies(aps, n_ant, n, a, energy + (ptrdiff_t)m * n * KERNEL_LANES);
    }
}

static inline void tall_put(int n, int f, int j, float *T, lane re, lane im)
{
    const int first = j / TALL_COLUMNS * TALL_COLUMNS, columns = least_int(TALL_COLUMNS, n - first);
    const ptrdiff_t part = (ptrdiff_t)n * columns * KERNEL_LANES;
    float *t = tall_panel(n, first, T) + (ptrdiff_t)(f * columns + j - first) * KERNEL_LANES;
    lane_store(t, re);
    lane_store(t + part, -re - im);
    lane_store(t + 2 * part, im - re);
}

/* Both triangles of the Hermitian G as a right factor of lane_product. */
static void lane_factor3(int n, const float *G, float *T)
{
    for (int i = 0; i < n; i++) {
        for (int j = 0; j <= i; j++) {
            const lane re = lane_load(G + LANE_RE(i * n + j)), im = lane_load(G + LANE_IM(i * n + j));
            tall_put(n, j, i, T, re, -im);
            tall_put(n, i, j, T, re, im);
        }
    }
}
#else
/* One row or two of a product by three real products instead of four: with s = re + im of both factors, re = rr - ii,
 * im = ss - rr - ii. xs [n_i][n] are the rows' s; T [n][n] holds re, im and s of each entry. */
#define LANE_T(i) ((ptrdiff_t)(i)*3 * KERNEL_LANES)
KERNEL_INLINE void lane_tile3(int n_i, int n_j, int n, const float *x, const float *xs, const float *T, float *c,
                              float *const *energy)
{
    lane rr[TILE_ROWS][TILE_COLUMNS] = {{{0}}}, ii[TILE_ROWS][TILE_COLUMNS] = {{{0}}},
         ss[TILE_ROWS][TILE_COLUMNS] = {{{0}}}, v[TILE_ROWS];
    for (int f = 0; f < n; f++, x += LANE_RE(1), xs += KERNEL_LANES, T += LANE_T(n)) {
        KERNEL_UNROLL for (int i = 0; i < n_i; i++) v[i] = lane_keep(lane_load(x + LANE_RE(i * n)));
        KERNEL_UNROLL for (int j = 0; j < n_j; j++)
        {
            const lane t = lane_keep(lane_load(T + LANE_T(j)));
            KERNEL_UNROLL for (int i = 0; i < n_i; i++) rr[i][j] += v[i] * t;
        }
        KERNEL_UNROLL for (int i = 0; i < n_i; i++) v[i] = lane_keep(lane_load(x + LANE_IM(i * n)));
        KERNEL_UNROLL for (int j = 0; j < n_j; j++)
        {
            const lane t = lane_keep(lane_load(T + LANE_T(j) + KERNEL_LANES));
            KERNEL_UNROLL for (int i = 0; i < n_i; i++) ii[i][j] += v[i] * t;
        }
        KERNEL_UNROLL for (int i = 0; i < n_i; i++) v[i] = lane_keep(lane_load(xs + (ptrdiff_t)i * n * KERNEL_LANES));
        KERNEL_UNROLL for (int j = 0; j < n_j; j++)
        {
            const lane t = lane_keep(lane_load(T + LANE_T(j) + 2 * KERNEL_LANES));
            KERNEL_UNROLL for (int i = 0; i < n_i; i++) ss[i][j] += v[i] * t;
        }
    }
    KERNEL_UNROLL for (int i = 0; i < n_i; i++)
    {
        KERNEL_UNROLL for (int j = 0; j < n_j; j++)
        {
            const lane re = rr[i][j] - ii[i][j], im = ss[i][j] - rr[i][j] - ii[i][j];
            float *e = energy[i] + (ptrdiff_t)j * KERNEL_LANES;
            lane_put(c + LANE_RE(i * n), j, re, im);
            lane_store(e, lane_load(e) + re * re + im * im);
        }
    }
}

KERNEL_INLINE void lane_product_rows(int n_i, int n, const float *x, float *xs, const float *T, float *c,
                                     float *const *energy)
{
    for (int e = 0; e < n_i * n; e++) {
        lane_store(xs + (ptrdiff_t)e * KERNEL_LANES, lane_load(x + LANE_RE(e)) + lane_load(x + LANE_IM(e)));
    }
    float *at[TILE_ROWS];
    KERNEL_UNROLL for (int i = 0; i < n_i; i++) at[i] = energy[i];
    int j = 0, step;
    for (; j < n; j += step) {
        step = j + TILE_COLUMNS <= n ? TILE_COLUMNS : 1;
        if (step > 1) {
            lane_tile3(n_i, TILE_COLUMNS, n, x, xs, T + LANE_T(j), c + LANE_RE(j), at);
        } else {
            lane_tile3(n_i, 1, n, x, xs, T + LANE_T(j), c + LANE_RE(j), at);
        }
        KERNEL_UNROLL for (int i = 0; i < n_i; i++) at[i] += (ptrdiff_t)step * KERNEL_LANES;
    }
}

/* A = X T and energy [n_ap][n] = the sums of an AP's |A|^2, X and A [n_ap][n_ant][n]; T [n][n] with three vectors an
 * entry, followed by room for 2 n vectors. */
static void lane_product(int n_ap, int n_ant, int n, const float *X, float *T, float *A, float *energy)
{
    float *xs = T + LANE_T(n * n);
    const int rows = n_ap * n_ant;
    int r = 0;
    memset(energy, 0, (size_t)(n_ap * n * KERNEL_LANES) * sizeof *energy);
    for (; r + TILE_ROWS <= rows; r += TILE_ROWS) {
        float *e[TILE_ROWS];
        KERNEL_UNROLL for (int i = 0; i < TILE_ROWS; i++)
        {
            e[i] = energy + (ptrdiff_t)((r + i) / n_ant * n) * KERNEL_LANES;
        }
        lane_product_rows(TILE_ROWS, n, X + LANE_RE(r * n), xs, T, A + LANE_RE(r * n), e);
    }
    for (; r < rows; r++) {
        float *e[1] = {energy + (ptrdiff_t)(r / n_ant * n) * KERNEL_LANES};
        lane_product_rows(1, n, X + LANE_RE(r * n), xs, T, A + LANE_RE(r * n), e);
    }
}

/* Both triangles of the Hermitian G as a right factor of lane_product. */
static void lane_factor3(int n, const float *G, float *T)
{
    for (int i = 0; i < n; i++) {
        for (int j = 0; j <= i; j++) {
            const lane re = lane_load(G + LANE_RE(i * n + j)), im = lane_load(G + LANE_IM(i * n + j));
            float *t = T + LANE_T(j * n + i);
            lane_store(t, re);
            lane_store(t + KERNEL_LANES, -im);
            lane_store(t + 2 * KERNEL_LANES, re - im);
            t = T + LANE_T(i * n + j);
            lane_store(t, re);
            lane_store(t + KERNEL_LANES, im);
            lane_store(t + 2 * KERNEL_LANES, re + im);
        }
    }
}
#endif

static void lane_zf(int n_ap, int n_ant, int n, const float *H, const float *P, float *work, float *A, float *b,
                    float *pivot)
{
    float *G = work, *X = work + LANE_RE(n * n), *T = work + 2 * LANE_RE(n * n);
    lane_gram(n_ap * n_ant, n, H, G);
    lane_store(pivot, lane_cholesky(n, G));
    lane_lower_inverse(n, G, X);
    lane_square(n, X, G); /* (L L^H)^-1 */
    lane_factor3(n, G, T);
    lane_product(n_ap, n_ant, n, H, T, A, b);
    lane_shares(n_ap, n, P, b);
}
