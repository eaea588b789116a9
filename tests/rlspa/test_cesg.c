/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The scheduler with its updated inverses against one that inverts anew for every set, and its edges. */
#include "channel/random.h"
#include "rlspa/cesg.h"
#include "rlspa/network.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { K_MOST = 96, M_MOST = 48, S_MOST = 16 };

static double ga_re[M_MOST * K_MOST], ga_im[M_MOST * K_MOST];
static struct split Ga = {ga_re, ga_im};

/* Users of a random square with path loss and shadowing, clustered. */
static void draw(uint64_t seed, int L, int N, int K)
{
    static double beta[M_MOST * K_MOST], ap[2 * M_MOST], ue[2 * K_MOST], z[M_MOST * K_MOST];
    static uint8_t served[M_MOST * K_MOST];
    for (int i = 0; i < 2 * L; i++) {
        ap[i] = 0.4 * random_uniform(seed, (uint64_t)i);
    }
    for (int i = 0; i < 2 * K; i++) {
        ue[i] = 0.4 * random_uniform(seed + 1, (uint64_t)i);
    }
    for (int i = 0; i < L * K; i++) {
        float re, im;
        random_normal(seed + 2, (uint64_t)i, &re, &im);
        z[i] = re;
    }
    network_gains(L, K, ap, ue, z, beta);
    network_clusters(L, K, beta, served);
    for (int i = 0; i < L * N * K; i++) {
        float re, im;
        random_normal(seed + 3, (uint64_t)i, &re, &im);
        const double a = sqrt(beta[i / K / N * K + i % K] / 2);
        ga_re[i] = a * re;
        ga_im[i] = a * im;
    }
    network_mask(L, N, K, served, &Ga, &Ga);
}

/* Independent channels of equal strength: here the exchange finds something now and then. */
static void draw_equal(uint64_t seed, int M, int K)
{
    for (int i = 0; i < M * K; i++) {
        float re, im;
        random_normal(seed, (uint64_t)i, &re, &im);
        ga_re[i] = re;
        ga_im[i] = im;
    }
}

/* Inverse of the Hermitian matrix of a set by Gauss-Jordan with pivoting on the real embedding; its diagonal. False
 * when a pivot vanishes. */
static bool plain_diagonal(int K, const double *Gr, const double *Gi, int m, const int *set, double *diagonal)
{
    static double A[4 * S_MOST * S_MOST][2 * 2 * S_MOST];
    const int d = 2 * m;
    for (int i = 0; i < d; i++) {
        for (int j = 0; j < d; j++) {
            const int at = set[i % m] * K + set[j % m];
            A[i][j] = (i < m) == (j < m) ? Gr[at] : i < m ? -Gi[at] : Gi[at];
            A[i][d + j] = i == j;
        }
    }
    for (int c = 0; c < d; c++) {
        int pivot = c;
        for (int i = c; i < d; i++) {
            pivot = fabs(A[i][c]) > fabs(A[pivot][c]) ? i : pivot;
        }
        for (int j = 0; j < 2 * d; j++) {
            const double kept = A[c][j];
            A[c][j] = A[pivot][j];
            A[pivot][j] = kept;
        }
        if (!(fabs(A[c][c]) > 0)) {
            return false;
        }
        for (int i = 0; i < d; i++) {
            const double f = A[i][c] / A[c][c];
            for (int j = 0; j < 2 * d && i != c; j++) {
                A[i][j] -= f * A[c][j];
            }
        }
    }
    for (int i = 0; i < m; i++) {
        diagonal[i] = A[i][d + i] / A[i][i];
    }
    return true;
}

static double plain_rate(int K, const double *Gr, const double *Gi, double c, int m, const int *set)
{
    double diagonal[S_MOST], rate = 0;
    if (!plain_diagonal(K, Gr, Gi, m, set, diagonal)) {
        return -INFINITY;
    }
    for (int i = 0; i < m; i++) {
        rate += log2(1 + c / m / diagonal[i]);
    }
    return rate;
}

static bool holds(const int *set, int m, int u)
{
    for (int i = 0; i < m; i++) {
        if (set[i] == u) {
            return true;
        }
    }
    return false;
}

static int strongest_outside(int K, const double *Gr, const bool *gone)
{
    int at = -1;
    for (int u = 0; u < K; u++) {
        if (!gone[u] && (at < 0 || Gr[u * K + u] > Gr[at * K + at])) {
            at = u;
        }
    }
    return at;
}

/* The whole algorithm by definition. Returns the sets tried; order and the best set. */
static int plain(const struct cesg_problem *p, int *order, int *best, double *best_rate)
{
    const int K = p->n_ue;
    int set[S_MOST], m = 0, tried = 1;
    bool gone[K_MOST] = {false};
    memcpy(set, p->always, (size_t)p->n_always * sizeof *set);
    m = p->n_always;
    while (m < p->n) {
        double most = -INFINITY;
        int at = 0;
        for (int u = 0; u < K; u++) {
            set[m] = u;
            const double rate = holds(set, m, u) ? -INFINITY : plain_rate(K, p->Gr, p->Gi, p->c, m + 1, set);
            at = rate > most ? u : at;
            most = fmax(rate, most);
        }
        set[m++] = at;
    }
    memcpy(order, set, (size_t)m * sizeof *set);
    memcpy(best, set, (size_t)m * sizeof *set);
    *best_rate = plain_rate(K, p->Gr, p->Gi, p->c, m, set);
    for (int i = 0; i < m; i++) {
        gone[set[i]] = true;
    }
    for (int u; (u = strongest_outside(K, p->Gr, gone)) >= 0; tried++) {
        int weak = -1;
        for (int i = 0; i < m; i++) {
            if (!holds(p->always, p->n_always, set[i]) &&
                (weak < 0 || p->Gr[set[i] * K + set[i]] < p->Gr[set[weak] * K + set[weak]])) {
                weak = i;
            }
        }
        set[weak] = u;
        gone[u] = true;
        const double rate = plain_rate(K, p->Gr, p->Gi, p->c, m, set);
        if (rate > *best_rate) {
            *best_rate = rate;
            memcpy(best, set, (size_t)m * sizeof *set);
        }
    }
    return tried;
}

static void updated_inverses_choose_what_fresh_ones_do(void **state)
{
    (void)state;
    static const int shapes[][4] = {{4, 2, 12, 4}, {4, 2, 20, 6}, {8, 4, 40, 8}, {12, 4, 96, 12}, {3, 1, 9, 1}};
    int exchanged = 0;
    for (int trial = 0; trial < 60; trial++) {
        const int *const s = shapes[trial % 5], K = s[2], always[] = {K - 1, 1};
        struct cesg_problem p = {
            .n_ue = K, .n = s[3], .always = always, .n_always = trial % 3 == 1 && s[3] > 2 ? 2 : 0};
        struct cesg_result result;
        cesg_t *cesg;
        int chosen[S_MOST], order[S_MOST], want_order[S_MOST], want[S_MOST];
        double rates[K_MOST + 1], want_rate;
        p.c = trial % 2 ? pow(10, trial % 4) : pow(10, 9 + trial % 4);
        if (trial % 2) {
            draw_equal(100 + (uint64_t)trial, s[0] * s[1], K);
        } else {
            draw(100 + 7 * (uint64_t)trial, s[0], s[1], K);
        }
        assert_int_equal(cesg_create(&cesg, K, s[3]), 0);
        cesg_gram(cesg, s[0] * s[1], K, &Ga, &p.Gr, &p.Gi);
        cesg_execute(cesg, &p, chosen, order, rates, &result);
        assert_int_equal(result.n, s[3]);
        assert_int_equal(result.n_rates, plain(&p, want_order, want, &want_rate));
        assert_memory_equal(order, want_order, (size_t)s[3] * sizeof *order);
        assert_true(fabs(result.best_rate - want_rate) <= 1e-6 * want_rate);
        for (int i = 0; i < s[3]; i++) {
            assert_true(holds(want, s[3], chosen[i]) && (i == 0 || chosen[i] > chosen[i - 1]));
        }
        for (int i = 0; i < p.n_always; i++) {
            assert_true(holds(chosen, s[3], always[i]));
        }
        assert_true(rates[0] == result.greedy_rate && rates[result.best - 1] == result.best_rate);
        exchanged += result.best > 1;
        cesg_destroy(cesg);
    }
    assert_true(exchanged > 0); /* the exchange was worth something somewhere, so it was tested */
}

/* More users than antennas, equal users, users that nobody hears. */
static void it_stops_where_no_dimension_is_left(void **state)
{
    (void)state;
    const int K = 8, M = 3;
    struct cesg_problem p = {.n_ue = K, .n = 6, .c = 10};
    struct cesg_result result;
    int chosen[8];
    cesg_t *cesg;
    assert_int_equal(cesg_create(&cesg, K, 6), 0);
    memset(ga_re, 0, sizeof ga_re);
    memset(ga_im, 0, sizeof ga_im);
    for (int k = 0; k < K; k++) { /* two directions only; users 6 and 7 are silent */
        ga_re[(k % 2) * K + k] = k < 6 ? 1 + 0.1 * k : 0;
    }
    cesg_gram(cesg, M, K, &Ga, &p.Gr, &p.Gi);
    cesg_execute(cesg, &p, chosen, NULL, NULL, &result);
    assert_true(result.n == 2 && chosen[0] == 4 && chosen[1] == 5 && isfinite(result.best_rate));
    assert_int_equal(result.n_rates, 7);
    memset(ga_re, 0, sizeof ga_re);
    cesg_gram(cesg, M, K, &Ga, &p.Gr, &p.Gi);
    cesg_execute(cesg, &p, chosen, NULL, NULL, &result);
    assert_int_equal(result.n, 0);
    cesg_destroy(cesg);
    cesg_destroy(NULL);
}

/* A set whose eigenvalues spread by 1e10 has no rate, one by a little less has. */
static void a_spread_set_has_no_rate(void **state)
{
    (void)state;
    struct cesg_problem p = {.n_ue = 2, .n = 2, .c = 1e12};
    struct cesg_result result;
    int chosen[2];
    cesg_t *cesg;
    assert_int_equal(cesg_create(&cesg, 2, 2), 0);
    for (int i = 0; i < 2; i++) {
        const double Gr[] = {1, 0, 0, i ? 1.02e-10 : 0.98e-10}, Gi[4] = {0};
        p.Gr = Gr;
        p.Gi = Gi;
        cesg_execute(cesg, &p, chosen, NULL, NULL, &result);
        assert_true(result.n == 2 && isfinite(result.greedy_rate) == (i == 1));
    }
    cesg_destroy(cesg);
}

static void the_strongest_are_the_strongest(void **state)
{
    (void)state;
    const int K = 30, n = 7;
    const double *Gr, *Gi;
    int chosen[7];
    cesg_t *cesg;
    draw(5, 4, 2, K);
    assert_int_equal(cesg_create(&cesg, K, n), 0);
    cesg_gram(cesg, 8, K, &Ga, &Gr, &Gi);
    cesg_strongest(cesg, K, n, Gr, chosen);
    for (int u = 0; u < K; u++) {
        int stronger = 0;
        for (int j = 0; j < K; j++) {
            stronger += Gr[j * K + j] > Gr[u * K + u];
        }
        assert_int_equal(holds(chosen, n, u), stronger < n);
    }
    cesg_destroy(cesg);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(updated_inverses_choose_what_fresh_ones_do),
        cmocka_unit_test(it_stops_where_no_dimension_is_left),
        cmocka_unit_test(a_spread_set_has_no_rate),
        cmocka_unit_test(the_strongest_are_the_strongest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
