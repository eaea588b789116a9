/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Uplink: central and local combining with fusion, large-scale fading decoding: kinds of schema beyond-1. */
#include "golden.h"
#include "mimo/combine.h"
#include "mimo/fuse.h"

#include <math.h>
#include <string.h>

enum { L_MAX = 16, N_MAX = 16, K_MAX = 16 };
static const double FLOAT = 1e-5, DOUBLE = 1e-10;

static const char *kind_of(const json_t *root)
{
    const char *const schema = json_string_value(json_object_get(root, "schema"));
    return schema && strcmp(schema, "beyond-1") == 0 ? json_string_value(json_object_get(root, "kind")) : NULL;
}

bool golden_uplink_recognises(const json_t *root)
{
    const char *const kind = kind_of(root);
    return kind && (strcmp(kind, "uplink_combining") == 0 || strcmp(kind, "lsfd_mr") == 0);
}

static double complex complex_at(const json_t *object, const char *key, const int *index, int n)
{
    const json_t *re = json_object_get(json_object_get(object, key), "re"),
                 *im = json_object_get(json_object_get(object, key), "im");
    for (int i = 0; i < n; i++) {
        re = json_array_get(re, (size_t)index[i]);
        im = json_array_get(im, (size_t)index[i]);
    }
    return CMPLX(json_is_number(re) ? json_number_value(re) : NAN, json_is_number(im) ? json_number_value(im) : NAN);
}

struct network {
    int L, N, K;
    tutti_cf32 G[L_MAX * N_MAX * K_MAX];
    float e[L_MAX * K_MAX];
    double complex y[L_MAX * N_MAX];
};

static bool load(const json_t *root, struct network *net)
{
    net->L = golden_int(root, "L"), net->N = golden_int(root, "N"), net->K = golden_int(root, "K");
    if (net->L < 1 || net->L > L_MAX || net->N < 1 || net->N > N_MAX || net->K < 1 || net->K > K_MAX) {
        return false;
    }
    for (int i = 0; i < net->L * net->N; i++) {
        net->y[i] = complex_at(root, "y", (int[]){i}, 1);
        for (int k = 0; k < net->K; k++) {
            net->G[i * net->K + k] = (tutti_cf32)complex_at(root, "g", (int[]){i / net->N, i % net->N, k}, 3);
        }
    }
    for (int i = 0; i < net->L * net->K; i++) {
        net->e[i] = (float)golden_at2(json_object_get(root, "e"), i / net->K, i % net->K);
    }
    return true;
}

static void close_complex(struct golden *golden, double complex value, double complex want, double scale,
                          const char *what, int i, int k)
{
    if (!isnan(creal(want))) {
        golden_close(golden, cabs(value - want), 0, FLOAT, scale, "%s[%d][%d]", what, i, k);
    }
}

static void check_central(const json_t *root, const struct network *net, enum combine_kind kind, const char *name,
                          struct golden *golden)
{
    combine_t *combine;
    double complex T[K_MAX * K_MAX], matched[K_MAX] = {0};
    double gain[K_MAX], sinr[K_MAX];
    char key[32];
    if (combine_create(&combine, net->K)) {
        golden_true(golden, false, "combine_create failed");
        return;
    }
    combine_begin(combine, kind);
    for (int l = 0; l < net->L; l++) {
        combine_add(combine, net->N, net->G + l * net->N * net->K, combine_noise(net->K, net->e + l * net->K));
    }
    golden_true(golden, combine_solve(combine, T, gain, sinr) == 0, "%s failed", name);
    for (int i = 0; i < net->L * net->N; i++) {
        const double w = combine_weight(kind, combine_noise(net->K, net->e + i / net->N * net->K));
        for (int k = 0; k < net->K; k++) {
            double complex v = 0;
            matched[k] += w * conj((double complex)net->G[i * net->K + k]) * net->y[i];
            for (int j = 0; j < net->K; j++) {
                v += w * (double complex)net->G[i * net->K + j] * T[j * net->K + k];
            }
            snprintf(key, sizeof key, "V_%s", name);
            close_complex(golden, v, complex_at(root, key, (int[]){i, k}, 2), 1, key, i, k);
        }
    }
    for (int k = 0; k < net->K; k++) {
        double complex s = 0;
        for (int j = 0; j < net->K; j++) {
            s += T[k * net->K + j] * matched[j];
        }
        snprintf(key, sizeof key, "s_hat_%s", name);
        close_complex(golden, s, complex_at(root, key, (int[]){k}, 1), 1, key, k, 0);
        snprintf(key, sizeof key, "sinr_%s", name);
        const double want = golden_at(json_object_get(root, key), k);
        golden_close(golden, sinr[k], want, FLOAT, want, "%s[%d]", key, k);
    }
    combine_destroy(combine);
}

static void check_local(const json_t *root, const struct network *net, struct golden *golden)
{
    combine_t *combine;
    fuse_t *fuse;
    static tutti_cf32 V[N_MAX * K_MAX];
    static double complex g[L_MAX][K_MAX * K_MAX], column[L_MAX * K_MAX];
    double f[L_MAX][K_MAX], f_k[L_MAX];
    double complex a[L_MAX];
    if (combine_create(&combine, net->K) || fuse_create(&fuse, net->L, net->K)) {
        golden_true(golden, false, "combine_create failed");
        return;
    }
    for (int l = 0; l < net->L; l++) {
        combine_local(combine, COMBINE_MMSE, net->N, net->G + l * net->N * net->K, net->e + l * net->K, NULL, V, g[l],
                      f[l]);
        for (int i = 0; i < net->N * net->K; i++) {
            const int index[] = {l, i / net->K, i % net->K};
            close_complex(golden, (double complex)V[i], complex_at(root, "V_lpmmse", index, 3), 1, "V_lpmmse", l, i);
        }
    }
    for (int k = 0; k < net->K; k++) {
        for (int l = 0; l < net->L; l++) {
            f_k[l] = f[l][k];
            memcpy(column + l * net->K, g[l] + k * net->K, (size_t)net->K * sizeof *column);
        }
        golden_true(golden, fuse_instant(fuse, k, column, f_k, a) == 0, "fusion failed");
        for (int l = 0; l < net->L; l++) {
            const double complex want = complex_at(root, "fusion_weights", (int[]){k, l}, 2);
            close_complex(golden, a[l], want, fmax(cabs(want), 1), "fusion_weights", k, l);
        }
        const double want = golden_at(json_object_get(root, "sinr_fused"), k);
        golden_close(golden, fuse_sinr(fuse, k, column, f_k, a), want, FLOAT, want, "sinr_fused[%d]", k);
    }
    combine_destroy(combine);
    fuse_destroy(fuse);
}

static void check_combining(const json_t *root, struct golden *golden)
{
    static struct network net;
    if (!load(root, &net)) {
        golden_true(golden, false, "L, N or K out of range");
        return;
    }
    check_central(root, &net, COMBINE_MMSE, "mmse", golden);
    check_central(root, &net, COMBINE_ZF, "zf", golden);
    check_central(root, &net, COMBINE_MR, "mr", golden);
    check_local(root, &net, golden);
}

static void check_user(const json_t *root, fuse_t *fuse, int k, const double *beta, const double *gamma,
                       const int *pilot, int n_ap, int n_ue, struct golden *golden)
{
    double complex b[L_MAX], Q[L_MAX * L_MAX], a[L_MAX], equal = 0, disturbance = 0;
    double sinr;
    fuse_mr_moments(n_ap, n_ue, golden_int(root, "N"), k, beta, gamma, pilot, b, Q);
    golden_true(golden, fuse_lsfd(fuse, b, Q, a, &sinr) == 0, "fuse_lsfd failed");
    const double want = golden_at(json_object_get(root, "sinr_lsfd"), k);
    golden_close(golden, sinr, want, DOUBLE, want, "sinr_lsfd[%d]", k);
    for (int l = 0; l < n_ap; l++) {
        const double weight = golden_at2(json_object_get(root, "a"), k, l);
        golden_close(golden, creal(a[l]), weight, DOUBLE, fmax(fabs(weight), 1e-2), "a[%d][%d]", k, l);
        equal += b[l];
        for (int m = 0; m < n_ap; m++) {
            disturbance += Q[l * n_ap + m];
        }
    }
    const double plain = golden_at(json_object_get(root, "sinr_equal"), k);
    golden_close(golden, creal(equal) * creal(equal) / creal(disturbance), plain, DOUBLE, plain, "sinr_equal[%d]", k);
}

static void check_lsfd(const json_t *root, struct golden *golden)
{
    const json_t *const rows = json_object_get(root, "beta");
    const int n_ap = (int)json_array_size(rows), n_ue = (int)json_array_size(json_array_get(rows, 0));
    double beta[L_MAX * K_MAX], gamma[L_MAX * K_MAX];
    int pilot[K_MAX];
    fuse_t *fuse;
    if (n_ap < 1 || n_ap > L_MAX || n_ue < 1 || n_ue > K_MAX || fuse_create(&fuse, n_ap, n_ue)) {
        golden_true(golden, false, "beta has no shape that fits");
        return;
    }
    const double energy = golden_number(root, "tau_p") * golden_number(root, "p");
    for (int k = 0; k < n_ue; k++) {
        pilot[k] = (int)golden_at(json_object_get(root, "pilot"), k);
    }
    for (int i = 0; i < n_ap * n_ue; i++) {
        double together = 1;
        for (int j = 0; j < n_ue; j++) {
            together += pilot[j] == pilot[i % n_ue] ? energy * golden_at2(rows, i / n_ue, j) : 0;
        }
        beta[i] = golden_at2(rows, i / n_ue, i % n_ue);
        gamma[i] = energy * beta[i] * beta[i] / together;
        const double want = golden_at2(json_object_get(root, "gamma"), i / n_ue, i % n_ue);
        golden_close(golden, gamma[i], want, DOUBLE, want, "gamma[%d][%d]", i / n_ue, i % n_ue);
        gamma[i] = isnan(want) ? gamma[i] : want;
    }
    for (int k = 0; k < n_ue; k++) {
        check_user(root, fuse, k, beta, gamma, pilot, n_ap, n_ue, golden);
    }
    fuse_destroy(fuse);
}

void golden_uplink_check(const json_t *root, struct golden *golden)
{
    const char *const kind = kind_of(root);
    golden_begin(golden, kind, json_string_value(json_object_get(root, "name")));
    (strcmp(kind, "lsfd_mr") == 0 ? check_lsfd : check_combining)(root, golden);
    golden_end(golden);
}
