/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Zero-forcing at one AP: beams of its strong users S that reach no other strong user, beams of the weak users W kept
 * off the strong ones or not, and what the AP adds to C = H^H A. Included by kernel_impl.h behind kernel_batch.h. With
 * T = (H_S^H H_S)^-1, B = H_S T and Y = B^H H_W the beams are B and H_W - H_S Y; a weak user hears strong beam j as
 * conj(Y_j), and weak users hear weak beams as the Hermitian H_W^H (H_W - H_S Y). */

/* gamma = beta - E where that is positive, else 0; false unless each entry is positive in all lanes or in none. */
static bool lane_gamma(int n, const float *beta, const float *E, float *gamma)
{
    lane_mask differs = {0};
    for (int i = 0; i < n; i++) {
        const ptrdiff_t o = (ptrdiff_t)i * KERNEL_LANES;
        const lane g = lane_load(beta + o) - lane_load(E + o), zero = {0};
        const lane_mask positive = g > 0, first = (lane_mask){0} + positive[0];
        differs |= positive ^ first;
        lane_store(gamma + o, lane_choose(positive, g, zero));
    }
    bool same = true;
    for (int s = 0; s < KERNEL_LANES; s++) {
        same = same && !differs[s];
    }
    return same;
}

/* Inverse of a Hermitian matrix of up to three rows by its cofactors: no chain of roots and divisions. G lower, T
 * whole. Returns the determinant over the product of the diagonal. */
static lane lane_inverse3(int n, const float *G, float *T)
{
    const lane one = lane_all(1), zero = {0};
    const lane a = lane_load(G), b = n > 1 ? lane_load(G + LANE_RE(n + 1)) : one;
    const lane c = n > 2 ? lane_load(G + LANE_RE(2 * n + 2)) : one;
    const lane pr = n > 1 ? lane_load(G + LANE_RE(n)) : zero, pi = n > 1 ? lane_load(G + LANE_IM(n)) : zero;
    const lane qr = n > 2 ? lane_load(G + LANE_RE(2 * n)) : zero, qi = n > 2 ? lane_load(G + LANE_IM(2 * n)) : zero;
    const lane sr = n > 2 ? lane_load(G + LANE_RE(2 * n + 1)) : zero;
    const lane si = n > 2 ? lane_load(G + LANE_IM(2 * n + 1)) : zero;
    /* p = G_10, q = G_20, s = G_21 */
    const lane ss = sr * sr + si * si, qq = qr * qr + qi * qi, pp = pr * pr + pi * pi;
    const lane t00 = b * c - ss, t11 = a * c - qq, t22 = a * b - pp;
    const lane t10r = qr * sr + qi * si - c * pr, t10i = qi * sr - qr * si - c * pi; /* conj(s) q - c p */
    const lane t20r = pr * sr - pi * si - b * qr, t20i = pr * si + pi * sr - b * qi; /* s p - b q */
    const lane t21r = pr * qr + pi * qi - a * sr, t21i = pr * qi - pi * qr - a * si; /* conj(p) q - a s */
    const lane det = a * t00 + pr * t10r + pi * t10i + qr * t20r + qi * t20i;
    const lane inverse = 1 / det;
    lane_put(T, 0, t00 * inverse, zero);
    if (n > 1) {
        lane_put(T, n, t10r * inverse, t10i * inverse);
        lane_put(T, n + 1, t11 * inverse, zero);
    }
    if (n > 2) {
        lane_put(T, 2 * n, t20r * inverse, t20i * inverse);
        lane_put(T, 2 * n + 1, t21r * inverse, t21i * inverse);
        lane_put(T, 2 * n + 2, t22 * inverse, zero);
    }
    lane_mirror(n, T);
    return det / (a * b * c);
}

/* Where an AP's parts are: columns in the order strong, weak. */
struct lane_ap {
    int n_ant, n, s; /* s strong users first */
    const int *order;
    float *H, *W;             /* [n_ant][n] channels and beams of unit weight */
    float *G, *X, *T, *Y, *Z; /* [s][s] thrice, B^H H_W and H_S^H H_W [s][n - s] */
    float *L;                 /* [n - s][n - s] H_W^H W_W, lower and more */
    float *weight;            /* [n][lane] amplitudes of the beams W */
};

static struct lane_ap lane_ap_place(const struct kernel_local *l, float *work)
{
    const int n = l->n, s = l->n_strong;
    struct lane_ap p = {.n_ant = l->n_ant, .n = n, .s = s, .order = l->order};
    float **const parts[] = {&p.H, &p.W, &p.G, &p.X, &p.Y, &p.Z, &p.L};
    const int sizes[] = {l->n_ant * n, l->n_ant * n, s * s, s * s, s * (n - s), s * (n - s), (n - s) * (n - s)};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        *parts[i] = work;
        work += LANE_RE(sizes[i]);
    }
    p.T = work;
    p.weight = work + LANE_RE(s * s);
    return p;
}

/* The AP's channels in order. Returns 1 in the lanes where every user that counts (gamma > 0) has an estimate. */
static lane lane_ap_load(const struct lane_ap *p, const float *H, const float *gamma)
{
    lane heard = lane_all(1);
    const lane zero = {0};
    for (int i = 0; i < p->n; i++) {
        lane sum = {0};
        for (int a = 0; a < p->n_ant; a++) {
            const float *h = H + LANE_RE(a * p->n + p->order[i]);
            const lane re = lane_load(h), im = lane_load(h + KERNEL_LANES);
            lane_put(p->H, a * p->n + i, re, im);
            sum += re * re;
            sum += im * im;
        }
        const lane g = lane_load(gamma + (ptrdiff_t)p->order[i] * KERNEL_LANES);
        heard = lane_choose((sum > 0) | (g <= 0), heard, zero);
    }
    return heard;
}

static lane lane_strong_beams(const struct lane_ap *p)
{
    const int s = p->s, n = p->n;
    lane pivot;
    for (int i = 0; i < s; i++) {
        lane_rows(true, false, 1, TILE_COLUMNS, p->n_ant, i + 1, p->H + LANE_RE(i), 1, n, p->H, n,
                  p->G + LANE_RE(i * s), 0);
    }
    if (s <= 3) {
        pivot = lane_inverse3(s, p->G, p->T);
    } else {
        pivot = lane_cholesky(s, p->G);
        lane_lower_inverse(s, p->G, p->X);
        lane_square(s, p->X, p->T);
        lane_mirror(s, p->T);
    }
    for (int a = 0; a < p->n_ant; a++) {
        const float *h = p->H + LANE_RE(a * n);
        for (int j = 0; j < s; j++) {
            lane re = {0}, im = {0};
            for (int f = 0; f < s; f++) {
                const float *t = p->T + LANE_RE(f * s + j);
                const lane tr = lane_load(t), ti = lane_load(t + KERNEL_LANES);
                const lane hr = lane_load(h + LANE_RE(f)), hi = lane_load(h + LANE_IM(f));
                re += hr * tr;
                im += hr * ti;
                re -= hi * ti;
                im += hi * tr;
            }
            lane_put(p->W, a * n + j, re, im);
        }
    }
    return pivot;
}

/* W_W and L; projected or not. */
static void lane_weak_beams(const struct lane_ap *p, bool project)
{
    const int s = p->s, n = p->n, w = n - s;
    float *const weak = p->W + LANE_RE(s);
    for (int i = 0; i < s; i++) {
        lane_rows(true, false, 1, TILE_WIDE, p->n_ant, w, p->W + LANE_RE(i), 1, n, p->H + LANE_RE(s), n,
                  p->Y + LANE_RE(i * w), 0);
        if (!project) {
            lane_rows(true, false, 1, TILE_WIDE, p->n_ant, w, p->H + LANE_RE(i), 1, n, p->H + LANE_RE(s), n,
                      p->Z + LANE_RE(i * w), 0);
        }
    }
    for (int a = 0; a < p->n_ant; a++) {
        for (int j = 0; j < w; j++) {
            const float *h = p->H + LANE_RE(a * n);
            lane re = lane_load(h + LANE_RE(s + j)), im = lane_load(h + LANE_IM(s + j));
            for (int f = 0; f < s && project; f++) {
                const lane hr = lane_load(h + LANE_RE(f)), hi = lane_load(h + LANE_IM(f));
                const lane yr = lane_load(p->Y + LANE_RE(f * w + j)), yi = lane_load(p->Y + LANE_IM(f * w + j));
                re -= hr * yr;
                im -= hr * yi;
                re += hi * yi;
                im -= hi * yr;
            }
            lane_put(weak, a * n + j, re, im);
        }
    }
    for (int i = 0; i < w; i += TILE_ROWS) {
        const float *x = p->H + LANE_RE(s + i);
        if (i + TILE_ROWS <= w) {
            lane_rows(true, false, TILE_ROWS, TILE_COLUMNS, p->n_ant, lower_end(i + TILE_ROWS, w), x, 1, n, weak, n,
                      p->L + LANE_RE(i * w), w);
        } else {
            lane_rows(true, false, 1, TILE_COLUMNS, p->n_ant, w, x, 1, n, weak, n, p->L + LANE_RE(i * w), w);
        }
    }
}

/* Amplitudes with E||w_k||^2 = P / n, and what each beam takes of the budget; all scaled down to cap times the budget
 * if cap is positive. */
static void lane_ap_weights(const struct lane_ap *p, const struct kernel_local *l, const float *gamma, lane budget,
                            float *b)
{
    const int s = p->s, n = p->n;
    const float rank = (float)(l->project ? p->n_ant - s : p->n_ant);
    const lane each = budget / (float)n, per_budget = 1 / budget, zero = {0};
    lane share = {0};
    for (int i = 0; i < n; i++) {
        const lane g = lane_load(gamma + (ptrdiff_t)p->order[i] * KERNEL_LANES);
        lane norm = {0}; /* of what is sent: the diagonals of T and L are the same but for rounding */
        for (int a = 0; a < p->n_ant; a++) {
            const float *x = p->W + LANE_RE(a * n + i);
            const lane re = lane_load(x), im = lane_load(x + KERNEL_LANES);
            norm += re * re;
            norm += im * im;
        }
        const lane power = i < s ? each * (float)(p->n_ant - s) * g : lane_choose(g > 0, each / (rank * g), zero);
        const lane use = power * norm * per_budget;
        share += use;
        lane_store(p->weight + (ptrdiff_t)i * KERNEL_LANES, lane_root(power));
        lane_store(b + (ptrdiff_t)p->order[i] * KERNEL_LANES, use);
    }
    if (l->cap > 0) {
        const lane factor = lane_choose(share > l->cap, l->cap / share, lane_all(1)), root = lane_root(factor);
        lane_multiply(n, root, p->weight);
        lane_multiply(n, factor, b);
    }
}

static inline void lane_add(float *C, int i, lane re, lane im)
{
    lane_store(C + LANE_RE(i), lane_load(C + LANE_RE(i)) + re);
    lane_store(C + LANE_IM(i), lane_load(C + LANE_IM(i)) + im);
}

/* What strong beam or weak beam number j adds to every user. */
static void lane_ap_hear_strong(const struct lane_ap *p, int j, float *C)
{
    const int n = p->n, w = n - p->s, column = p->order[j];
    const lane g = lane_load(p->weight + (ptrdiff_t)j * KERNEL_LANES), zero = {0};
    lane_add(C, column * n + column, g, zero);
    for (int k = 0; k < w; k++) {
        const float *y = p->Y + LANE_RE(j * w + k);
        lane_add(C, p->order[p->s + k] * n + column, g * lane_load(y), -g * lane_load(y + KERNEL_LANES));
    }
}

static void lane_ap_hear_weak(const struct lane_ap *p, bool project, int j, float *C)
{
    const int n = p->n, s = p->s, w = n - s, column = p->order[s + j];
    const lane g = lane_load(p->weight + (ptrdiff_t)(s + j) * KERNEL_LANES);
    for (int k = 0; k < s && !project; k++) {
        const float *z = p->Z + LANE_RE(k * w + j);
        lane_add(C, p->order[k] * n + column, g * lane_load(z), g * lane_load(z + KERNEL_LANES));
    }
    for (int k = 0; k < w; k++) {
        const float *v = p->L + LANE_RE(k >= j ? k * w + j : j * w + k);
        const lane re = g * lane_load(v), im = g * lane_load(v + KERNEL_LANES);
        lane_add(C, p->order[s + k] * n + column, re, k >= j ? im : -im);
    }
}

static void lane_local(const struct kernel_local *l, const float *H, const float *gamma, const float *P, float *work,
                       float *A, float *C, float *b, float *pivot)
{
    const struct lane_ap p = lane_ap_place(l, work);
    const int n = l->n;
    lane least = lane_ap_load(&p, H, gamma);
    if (p.s > 0) {
        least = lane_min(least, lane_strong_beams(&p));
    }
    lane_weak_beams(&p, l->project);
    lane_ap_weights(&p, l, gamma, lane_load(P), b);
    for (int i = 0; i < n; i++) {
        const lane g = lane_load(p.weight + (ptrdiff_t)i * KERNEL_LANES);
        for (int a = 0; a < l->n_ant; a++) {
            const float *x = p.W + LANE_RE(a * n + i);
            lane_put(A, a * n + p.order[i], g * lane_load(x), g * lane_load(x + KERNEL_LANES));
        }
    }
    for (int j = 0; j < n; j++) {
        if (j < p.s) {
            lane_ap_hear_strong(&p, j, C);
        } else {
            lane_ap_hear_weak(&p, l->project, j - p.s, C);
        }
    }
    lane_store(pivot, lane_min(least, lane_load(pivot)));
}
