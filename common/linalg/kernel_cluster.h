/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One user's beam over the APs that serve it, one vector lane per subband. Included by kernel_impl.h behind
 * kernel_batch.h, whose conventions hold. */

/* R [rows][n] = Z^-1/2 G P^1/2 of the listed APs and users. */
static void lane_gather_cluster(const struct kernel_cluster *c, const float *H, float *R)
{
    for (int m = 0; m < c->n_ap; m++) {
        const int ap = c->ap[m], n_heard = c->n_heard[ap];
        for (int i = 0; i < c->n; i++) {
            const int place = c->place[ap * c->n_ue + c->ue[i]];
            const lane s = lane_all(c->scale[m] * c->amplitude[i]), zero = {0};
            const float *h = H + LANE_RE(c->first[ap] + (place < 0 ? 0 : place));
            float *to = R + LANE_RE(m * c->n_ant * c->n + i);
            for (int a = 0; a < c->n_ant; a++, h += LANE_RE(n_heard), to += LANE_RE(c->n)) {
                lane_put(to, 0, place < 0 ? zero : s * lane_load(h),
                         place < 0 ? zero : s * lane_load(h + KERNEL_LANES));
            }
        }
    }
}

/* x = (L L^H)^-1 e_n for the last user: L y = e_n is zero before it, L^H x = y goes backwards. */
static void lane_solve_last(int n, const float *L, float *x)
{
    const lane zero = {0}, last = lane_load(L + LANE_RE(n * n - 1));
    lane_put(x, n - 1, last * last, zero);
    for (int i = n - 2; i >= 0; i--) {
        lane re = zero, im = zero;
        for (int j = i + 1; j < n; j++) {
            const lane a = lane_load(L + LANE_RE(j * n + i)), b = lane_load(L + LANE_IM(j * n + i));
            const lane xr = lane_load(x + LANE_RE(j)), xi = lane_load(x + LANE_IM(j));
            re -= a * xr;
            im -= a * xi;
            re -= b * xi;
            im += b * xr;
        }
        const lane inverse = lane_load(L + LANE_RE(i * n + i));
        lane_put(x, i, inverse * re, inverse * im);
    }
}

static void lane_cluster(const struct kernel_cluster *c, const float *H, float *work, float *V, float *energy,
                         float *pivot)
{
    const int n = c->n, rows = c->n_ap * c->n_ant;
    float *const R = work, *const G = R + LANE_RE(rows * n), *const x = G + LANE_RE(n * n);
    lane_gather_cluster(c, H, R);
    lane_gram(rows, n, R, G);
    for (int i = 0; i < n; i++) {
        float *const d = G + LANE_RE(i * n + i);
        lane_store(d, lane_load(d) + 1);
    }
    lane_store(pivot, lane_cholesky(n, G));
    lane_solve_last(n, G, x);
    for (int m = 0; m < c->n_ap; m++) {
        lane sum = {0};
        for (int r = m * c->n_ant; r < (m + 1) * c->n_ant; r++) {
            const float *const from = R + LANE_RE(r * n);
            lane re = {0}, im = {0};
            for (int i = 0; i < n; i++) {
                const lane a = lane_load(from + LANE_RE(i)), b = lane_load(from + LANE_IM(i));
                const lane xr = lane_load(x + LANE_RE(i)), xi = lane_load(x + LANE_IM(i));
                re += a * xr;
                im += a * xi;
                re -= b * xi;
                im += b * xr;
            }
            re *= c->scale[m];
            im *= c->scale[m];
            lane_put(V, r, re, im);
            sum += re * re + im * im;
        }
        lane_store(energy + (ptrdiff_t)m * KERNEL_LANES, sum);
    }
}

/* C_k += h_k^H v of one AP for the users that it hears. */
static void lane_hear_ap(int n_ant, int n, const int *users, const float *H, const float *V, float *C)
{
    for (int i = 0; i < n; i++) {
        const float *h = H + LANE_RE(i), *v = V;
        float *const to = C + LANE_RE(users[i]);
        lane re = lane_load(to), im = lane_load(to + KERNEL_LANES);
        for (int a = 0; a < n_ant; a++, h += LANE_RE(n), v += LANE_RE(1)) {
            const lane hr = lane_load(h), hi = lane_load(h + KERNEL_LANES);
            const lane vr = lane_load(v), vi = lane_load(v + KERNEL_LANES);
            re += hr * vr;
            im += hr * vi;
            re += hi * vi;
            im -= hi * vr;
        }
        lane_put(to, 0, re, im);
    }
}

static void lane_heard(const struct kernel_cluster *c, const float *H, const float *V, float *power)
{
    float *const C = power + (ptrdiff_t)c->n_ue * KERNEL_LANES;
    const lane zero = {0};
    for (int i = 0; i < c->n_listener; i++) {
        lane_put(C, c->listener[i], zero, zero);
    }
    for (int m = 0; m < c->n_ap; m++) {
        const int ap = c->ap[m];
        lane_hear_ap(c->n_ant, c->n_heard[ap], c->heard + ap * c->n_ue, H + LANE_RE(c->first[ap]),
                     V + LANE_RE(m * c->n_ant), C);
    }
    for (int i = 0; i < c->n_listener; i++) {
        const int k = c->listener[i];
        const lane re = lane_load(C + LANE_RE(k)), im = lane_load(C + LANE_IM(k));
        lane_store(power + (ptrdiff_t)k * KERNEL_LANES, re * re + im * im);
    }
}

static void lane_unknown(int n_ap, int n_ue, const float *E, const float *sent, float *others)
{
    for (int m = 0; m < n_ap; m++, E += n_ue) {
        const lane power = lane_load(sent + (ptrdiff_t)m * KERNEL_LANES);
        for (int k = 0; k < n_ue; k++) {
            float *const to = others + (ptrdiff_t)k * KERNEL_LANES;
            lane_store(to, lane_load(to) + E[k] * power);
        }
    }
}
