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

static inline lane lane_energy(int n, const float *x)
{
    lane a = {0}, b = {0};
    for (int i = 0; i < n; i++) {
        const lane re = lane_load(x + LANE_RE(i)), im = lane_load(x + LANE_IM(i));
        a += re * re;
        b += im * im;
    }
    return a + b;
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

/* Conjugate beams A_m = s_m H_m, s_m = sqrt(P_m / ||H_m||^2), and C = H^H A. With sqrt(s_m) on either side C is one
 * Gram matrix. root [n_ap][lane] is work. */
static void lane_cb(int n_ap, int n_ant, int n, const float *H, const float *P, float *root, float *A, float *C,
                    float *b)
{
    const int per_ap = n_ant * n;
    for (int m = 0; m < n_ap; m++) {
        const float *h = H + LANE_RE(m * per_ap);
        const lane energy = lane_energy(per_ap, h), zero = {0}; /* the quotient alone may be denormal */
        const lane budget = lane_root(lane_load(P + (ptrdiff_t)m * KERNEL_LANES));
        const lane s = lane_choose(energy > 0, budget / lane_root(energy), zero);
        const lane half = lane_root(s);
        lane_store(root + (ptrdiff_t)m * KERNEL_LANES, half);
        lane_scale_rows(per_ap, half, h, A + LANE_RE(m * per_ap));
    }
    lane_gram(n_ap * n_ant, n, A, C);
    lane_mirror(n, C);
    for (int m = 0; m < n_ap; m++) {
        float *a = A + LANE_RE(m * per_ap);
        lane_scale_rows(per_ap, lane_load(root + (ptrdiff_t)m * KERNEL_LANES), a, a);
    }
    lane_power(n_ap, n_ant, n, A, P, b);
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
    for (int i = 0; i < n * n; i++) {
        const lane re = lane_load(T + LANE_T(i)), im = lane_load(T + LANE_T(i) + KERNEL_LANES);
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
    const lane factor = 1 / lane_use(l, eta, share);
    lane_multiply(l->n, factor, eta);
    lane_multiply(l->n_ap, factor, share);
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
