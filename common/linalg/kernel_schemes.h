/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Beams other than zero-forcing's, and what they do to every user, one vector lane per subband. Included by
 * kernel_impl.h behind kernel_batch.h, whose conventions hold. */

/* Y = s_m X for the rows of AP m; Y may be X. */
static void lane_scale_rows(int per_ap, lane s, const float *X, float *Y)
{
    for (int i = 0; i < 2 * per_ap; i++) {
        lane_store(Y + (ptrdiff_t)i * KERNEL_LANES, s * lane_load(X + (ptrdiff_t)i * KERNEL_LANES));
    }
}

/* C = X^H Y on and below the diagonal, where it is Hermitian; n_f rows. */
KERNEL_INLINE void lane_lower_product(bool add, int n_f, int n, const float *X, const float *Y, float *C)
{
    int i = 0;
    for (; i + TILE_ROWS <= n; i += TILE_ROWS) {
        lane_rows(true, add, TILE_ROWS, TILE_COLUMNS, n_f, lower_end(i + TILE_ROWS, n), X + LANE_RE(i), 1, n, Y, n,
                  C + LANE_RE(i * n), n);
    }
    if (i < n) {
        lane_rows(true, add, 1, TILE_WIDE, n_f, n, X + LANE_RE(i), 1, n, Y, n, C + LANE_RE(i * n), n);
    }
}

/* Conjugate beams A_m = s_m H_m, s_m = sqrt(P_m / ||H_m||^2), and C = H^H A, AP by AP: what is read again is near. */
static void lane_cb(int n_ap, int n_ant, int n, const float *H, const float *P, float *A, float *C, float *b)
{
    const int per_ap = n_ant * n, step = lane_block(2 * n) / n_ant > 0 ? lane_block(2 * n) / n_ant : 1;
    for (int first = 0; first < n_ap; first += step) {
        const int end = least_int(first + step, n_ap);
        for (int m = first; m < end; m++) {
            float *share = b + (ptrdiff_t)(m * n) * KERNEL_LANES;
            lane energy = {0}, zero = {0};
            lane_energies(1, n_ant, n, H + LANE_RE(m * per_ap), share);
            for (int k = 0; k < n; k++) {
                energy += lane_load(share + (ptrdiff_t)k * KERNEL_LANES);
            }
            /* the quotient alone may be denormal */
            const lane budget = lane_root(lane_load(P + (ptrdiff_t)m * KERNEL_LANES));
            const lane s = lane_choose(energy > 0, budget / lane_root(energy), zero);
            lane_multiply(n, lane_choose(energy > 0, 1 / energy, zero), share);
            lane_scale_rows(per_ap, s, H + LANE_RE(m * per_ap), A + LANE_RE(m * per_ap));
        }
        lane_lower_product(first > 0, (end - first) * n_ant, n, H + LANE_RE(first * per_ap),
                           A + LANE_RE(first * per_ap), C);
    }
    lane_mirror(n, C);
}

/* An AP's conjugate beams with an amplitude for each user, all smaller where they would pass cap times its budget; what
 * they take of it to b. A user whose estimate is zero though it has an amplitude shows as 0 in what is returned. */
static lane lane_each_ap(int n_ant, int n, const float *H, const float *amplitude, const float *P, float cap, float *A,
                         float *b)
{
    lane share = {0}, good = lane_all(1);
    for (int i = 0; i < n_ant * n; i++) {
        const float g = amplitude[i % n];
        lane_put(A, i, g * lane_load(H + LANE_RE(i)), g * lane_load(H + LANE_IM(i)));
    }
    lane_energies(1, n_ant, n, A, b);
    lane_shares(1, n, P, b);
    for (int k = 0; k < n; k++) {
        const lane one = lane_load(b + (ptrdiff_t)k * KERNEL_LANES);
        share += one;
        good = amplitude[k] > 0 ? lane_choose(one > 0, good, (lane){0}) : good;
    }
    const lane factor = lane_choose(share > cap, cap / share, lane_all(1));
    lane_multiply(n, factor, b);
    lane_scale_rows(n_ant * n, lane_root(factor), A, A);
    return good;
}

/* Conjugate beams with an amplitude per AP and user, and C = H^H A. */
static void lane_cb_each(int n_ap, int n_ant, int n, const float *H, const float *amplitude, const float *P, float cap,
                         float *A, float *C, float *b, float *pivot)
{
    lane good = lane_all(1);
    for (int m = 0; m < n_ap; m++) {
        const float *h = H + LANE_RE(m * n_ant * n);
        float *a = A + LANE_RE(m * n_ant * n);
        good = lane_min(good, lane_each_ap(n_ant, n, h, amplitude + m * n, P + (ptrdiff_t)m * KERNEL_LANES, cap, a,
                                           b + (ptrdiff_t)(m * n) * KERNEL_LANES));
        int i = 0;
        for (; i + TILE_ROWS <= n; i += TILE_ROWS) {
            lane_rows(true, m > 0, TILE_ROWS, TILE_COLUMNS, n_ant, n, h + LANE_RE(i), 1, n, a, n, C + LANE_RE(i * n),
                      n);
        }
        if (i < n) {
            lane_rows(true, m > 0, 1, TILE_WIDE, n_ant, n, h + LANE_RE(i), 1, n, a, n, C + LANE_RE(i * n), n);
        }
    }
    lane_store(pivot, good);
}

/* R = D_m^-1/2 H_m with D_m = 1 + lambda sum_k E_mk; root gets D_m^-1/2. */
static void lane_whiten(int n_ap, int n_ant, int n, const float *H, const float *E, lane lambda, float *root, float *R)
{
    const int per_ap = n_ant * n;
    for (int m = 0; m < n_ap; m++) {
        lane error = {0};
        for (int k = 0; k < n; k++) {
            error += lane_load(E + (ptrdiff_t)(m * n + k) * KERNEL_LANES);
        }
        const lane d = 1 / lane_root(1 + lambda * error);
        lane_store(root + (ptrdiff_t)m * KERNEL_LANES, d);
        lane_scale_rows(per_ap, d, H + LANE_RE(m * per_ap), R + LANE_RE(m * per_ap));
    }
}

/* Regularised zero-forcing: with lambda = sum P / n, G = H^H D^-1 H and T = (1 + lambda G)^-1 the beams are
 * A = lambda D^-1 H T, and C = H^H A = 1 - T. Where 1 - T_kk cancels (a user below -20 dB with all power) the result is
 * not to be used. */
static void lane_rzf(int n_ap, int n_ant, int n, const float *H, const float *E, const float *P, float *work, float *R,
                     float *A, float *C, float *b, float *pivot)
{
    float *root = work, *G = root + (ptrdiff_t)n_ap * KERNEL_LANES, *X = G + LANE_RE(n * n), *T = X + LANE_RE(n * n);
    lane lambda = {0};
    for (int m = 0; m < n_ap; m++) {
        lambda += lane_load(P + (ptrdiff_t)m * KERNEL_LANES);
    }
    lambda = lambda / (float)n;
    lane_whiten(n_ap, n_ant, n, H, E, lambda, root, R);
    lane_gram(n_ap * n_ant, n, R, G);
    for (int i = 0; i < n; i++) {
        for (int j = 0; j <= i; j++) {
            lane_put(G, i * n + j, lambda * lane_load(G + LANE_RE(i * n + j)) + (i == j ? 1.0f : 0.0f),
                     lambda * lane_load(G + LANE_IM(i * n + j)));
        }
    }
    lane least = lane_cholesky(n, G);
    lane_lower_inverse(n, G, X);
    lane_square(n, X, G);
    lane_factor3(n, G, T);
    for (int m = 0; m < n_ap; m++) {
        float *r = R + LANE_RE(m * n_ant * n);
        lane_scale_rows(n_ant * n, lambda * lane_load(root + (ptrdiff_t)m * KERNEL_LANES), r, r);
    }
    lane_product(n_ap, n_ant, n, R, T, A, b);
    lane_shares(n_ap, n, P, b);
    lane_mirror(n, G);
    for (int i = 0; i < n * n; i++) {
        const lane re = lane_load(G + LANE_RE(i)), im = lane_load(G + LANE_IM(i));
        const bool diagonal = i % (n + 1) == 0;
        lane_put(C, i, diagonal ? 1 - re : -re, -im);
        least = diagonal ? lane_choose(1 - re > 1e-2f, least, (lane){0}) : least;
    }
    lane_store(pivot, least);
}

/* eta_k = c / ||a_k||^2: the same transmit power for every user, the worst AP at its budget. */
static void lane_unit(const struct kernel_links *l, const float *P, float *eta, float *share)
{
    for (int k = 0; k < l->n; k++) {
        lane energy = {0};
        for (int m = 0; m < l->n_ap; m++) {
            energy +=
                lane_load(l->b + (ptrdiff_t)(m * l->n + k) * KERNEL_LANES) * lane_load(P + (ptrdiff_t)m * KERNEL_LANES);
        }
        lane_store(eta + (ptrdiff_t)k * KERNEL_LANES, 1 / energy);
    }
    lane_to_budget(l, eta, share);
}

static void lane_one(const struct kernel_links *l, float *eta, float *share)
{
    for (int k = 0; k < l->n; k++) {
        lane_store(eta + (ptrdiff_t)k * KERNEL_LANES, lane_all(1));
    }
    lane_use(l, eta, share);
}

static void lane_couple(int n_ap, int n, const float *C, float *F, float *noise, float *E)
{
    for (int k = 0; k < n; k++) {
        const lane re = lane_load(C + LANE_RE(k * n + k)), im = lane_load(C + LANE_IM(k * n + k));
        const lane inverse = 1 / (re * re + im * im), zero = {0};
        lane_store(noise + (ptrdiff_t)k * KERNEL_LANES, inverse);
        for (int j = 0; j < n; j++) {
            const lane a = lane_load(C + LANE_RE(k * n + j)), b = lane_load(C + LANE_IM(k * n + j));
            lane_store(F + (ptrdiff_t)(k * n + j) * KERNEL_LANES, j == k ? zero : (a * a + b * b) * inverse);
        }
    }
    for (int m = 0; m < n_ap; m++) {
        for (int k = 0; k < n; k++) {
            float *e = E + (ptrdiff_t)(m * n + k) * KERNEL_LANES;
            lane_store(e, lane_load(e) * lane_load(noise + (ptrdiff_t)k * KERNEL_LANES));
        }
    }
}
