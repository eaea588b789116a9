/* SPDX-License-Identifier: GPL-3.0-or-later */
/* User-centric clusters: pilots and clusters exactly, powers, vectors and SINRs to double precision. */
#include "cluster/clusters.h"
#include "cluster/shares.h"
#include "cluster/vectors.h"
#include "golden.h"
#include "linalg/cmplx.h"
#include "mimo/precoder.h"

#include <complex.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { L_MOST = 16, N_MOST = 8, K_MOST = 16, ALL = L_MOST * N_MOST * K_MOST };
static const double DOUBLE = 1e-10;

static const char *kind_of(const json_t *root)
{
    const char *const schema = json_string_value(json_object_get(root, "schema"));
    return schema && strcmp(schema, "beyond-1") == 0 ? json_string_value(json_object_get(root, "kind")) : NULL;
}

bool golden_cluster_recognises(const json_t *root)
{
    const char *const kind = kind_of(root);
    return kind && (strcmp(kind, "clusters") == 0 || strcmp(kind, "joint_pilots_clusters") == 0);
}

static void check_powers(const json_t *root, struct golden *golden, int L, int K, const double *beta,
                         const uint8_t *served)
{
    const json_t *const power = json_object_get(root, "power");
    const json_t *const local = json_object_get(json_object_get(root, "power_local"), "rho");
    double w[L_MOST * K_MOST], weight[K_MOST], rho[L_MOST * K_MOST];
    for (int i = 0; i < L * K; i++) {
        w[i] = golden_at2(json_object_get(power, "w"), i / K, i % K);
    }
    const double P = golden_number(power, "rho_tot");
    double budget[L_MOST];
    for (int l = 0; l < L; l++) {
        budget[l] = P;
    }
    shares_central(L, K, served, beta, w, budget, golden_number(power, "upsilon"), golden_number(power, "kappa"),
                   weight, rho);
    for (int k = 0; k < K; k++) {
        const double want = golden_at(json_object_get(power, "rho"), k);
        golden_close(golden, rho[k], want, DOUBLE, want, "rho[%d]", k);
    }
    shares_local(L, K, served, beta, P, rho);
    for (int i = 0; i < L * K; i++) {
        const double want = golden_at2(local, i / K, i % K);
        golden_close(golden, rho[i], want, DOUBLE, fmax(want, 1), "local rho[%d]", i);
    }
}

static void check_joint(const json_t *root, struct golden *golden)
{
    const json_t *const gain = json_object_get(root, "gain_db");
    const int L = (int)json_array_size(gain), K = (int)json_array_size(json_array_get(gain, 0));
    double beta[L_MOST * K_MOST], sum[K_MOST];
    int pilot[K_MOST], best[K_MOST];
    uint8_t served[L_MOST * K_MOST];
    struct clusters_settings settings = {.n_pilot = golden_int(root, "tau_p"), .hysteresis = 1};
    if (L < 1 || L > L_MOST || K < 1 || K > K_MOST || settings.n_pilot < 1 || settings.n_pilot > K_MOST) {
        golden_true(golden, false, "the case is too large");
        return;
    }
    for (int i = 0; i < L * K; i++) {
        beta[i] = pow(10, golden_at2(gain, i / K, i % K) / 10);
    }
    clusters_pilots(L, K, settings.n_pilot, beta, sum, pilot);
    for (int k = 0; k < K; k++) {
        golden_close(golden, pilot[k], golden_at(json_object_get(root, "pilot"), k), 0, 1, "pilot[%d]", k);
    }
    clusters_form(L, K, &settings, beta, pilot, best, served);
    for (int i = 0; i < L * K; i++) {
        golden_close(golden, served[i], golden_at2(json_object_get(root, "D"), i / K, i % K), 0, 1, "D[%d]", i);
    }
    check_powers(root, golden, L, K, beta, served);
}

/* value[i][j][k] */
static double at3(const json_t *value, int i, int j, int k)
{
    return golden_at2(json_array_get(value, (size_t)i), j, k);
}

static void check_rule(const json_t *root, struct golden *golden, const struct vectors_csi *csi, vectors_t *vectors,
                       int n_ap, int n_ant, int n_ue, enum vectors_rule rule)
{
    const char *const name = rule == VECTORS_PMMSE ? "V_pmmse" : "V_przf";
    const json_t *const V = json_object_get(root, name), *const re = json_object_get(V, "re"),
                        *const im = json_object_get(V, "im");
    const json_t *const sinr = json_object_get(root, rule == VECTORS_PMMSE ? "sinr_pmmse" : "sinr_przf");
    double Vr[L_MOST * N_MOST], Vi[L_MOST * N_MOST];
    for (int k = 0; k < n_ue; k++) {
        vectors_user(vectors, rule, csi, k, Vr, Vi);
        double scale = 0;
        for (int r = 0; r < n_ap * n_ant; r++) {
            scale = fmax(scale, hypot(at3(re, k, r / n_ant, r % n_ant), at3(im, k, r / n_ant, r % n_ant)));
        }
        for (int r = 0; r < n_ap * n_ant; r++) {
            const int l = r / n_ant, a = r % n_ant;
            golden_close(golden, Vr[r], at3(re, k, l, a), DOUBLE, scale, "%s re[%d][%d]", name, k, r);
            golden_close(golden, Vi[r], at3(im, k, l, a), DOUBLE, scale, "%s im[%d][%d]", name, k, r);
        }
        golden_close(golden, vectors_sinr(vectors, csi, k, Vr, Vi), golden_at(sinr, k), DOUBLE, golden_at(sinr, k),
                     "SINR of %d (%s)", k, name);
    }
}

/* The precoder's beams of the same estimates, in single precision. What the case gives is for users of power 1 in the
 * dual uplink; the precoder's powers go into the estimates. */
static void check_scheme(const json_t *root, struct golden *golden, const struct vectors_csi *csi,
                         const struct mimo_shape *shape, const uint8_t *served, enum mimo_scheme scheme)
{
    static const double SINGLE = 1e-5;
    static tutti_cf32 H[ALL], W[ALL];
    const int L = shape->n_ap, N = shape->n_ant, K = shape->n_ue;
    float error[L_MOST * K_MOST], budget[L_MOST], sinr[K_MOST];
    double power[K_MOST] = {0};
    uint8_t active[L_MOST + K_MOST];
    const json_t *const V = json_object_get(root, scheme == MIMO_P_MMSE ? "V_pmmse" : "V_przf");
    const struct mimo_channel channel = {.H_hat = H,
                                         .error_variance = error,
                                         .ap_power = budget,
                                         .ap_active = active,
                                         .ue_active = active,
                                         .serves = served};
    struct mimo_solution solution = {.W = W, .sinr = sinr};
    precoder_t *precoder;
    memset(active, 1, sizeof active);
    for (int l = 0; l < L; l++) {
        int n = 0;
        for (int k = 0; k < K; k++) {
            n += served[l * K + k];
        }
        budget[l] = 1;
        for (int k = 0; k < K; k++) {
            power[k] += served[l * K + k] ? 1.0 / n : 0;
        }
    }
    for (int i = 0; i < L * N * K; i++) {
        const double root_power = sqrt(power[i % K]);
        H[i] = CMPLXF((float)(csi->Gr[i] / root_power), (float)(csi->Gi[i] / root_power));
        error[i / K / N * K + i % K] = (float)(csi->error[i / K / N * K + i % K] / power[i % K]);
    }
    const int status = precoder_create(&precoder, shape);
    golden_true(golden, !status && !precoder_execute(precoder, scheme, MIMO_POWER_EQUAL, &channel, &solution), "%s: %s",
                mimo_scheme_name((int)scheme), mimo_reason_text(solution.reason));
    for (int k = 0; k < K && !status; k++) {
        double norm2 = 0, sent2 = 0;
        for (int r = 0; r < L * N; r++) {
            norm2 += pow(at3(json_object_get(V, "re"), k, r / N, r % N), 2);
            norm2 += pow(at3(json_object_get(V, "im"), k, r / N, r % N), 2);
            sent2 += pow(cabs((double complex)W[r * K + k]), 2);
        }
        for (int r = 0; r < 2 * L * N; r++) {
            const double want = at3(json_object_get(V, r % 2 ? "im" : "re"), k, r / 2 / N, r / 2 % N) / sqrt(norm2);
            const double got = (double)(r % 2 ? cimagf(W[r / 2 * K + k]) : crealf(W[r / 2 * K + k])) / sqrt(sent2);
            golden_close(golden, got, want, SINGLE, 1, "%s [%d][%d]", mimo_scheme_name((int)scheme), k, r);
        }
    }
    precoder_destroy(precoder);
}

static void check_vectors(const json_t *root, struct golden *golden)
{
    static double Gr[ALL], Gi[ALL], error[L_MOST * K_MOST];
    static uint8_t served[L_MOST * K_MOST];
    const int L = golden_int(root, "L"), N = golden_int(root, "N"), K = golden_int(root, "K");
    const json_t *const g = json_object_get(root, "g"), *const S = json_object_get(root, "S");
    struct vectors_csi csi = {Gr, Gi, error, NULL};
    int neighbours[K_MOST];
    vectors_t *vectors;
    if (L < 1 || L > L_MOST || N < 1 || N > N_MOST || K < 1 || K > K_MOST || vectors_create(&vectors, L, N, K)) {
        golden_true(golden, false, "the case is too large");
        return;
    }
    for (int i = 0; i < L * N * K; i++) {
        Gr[i] = at3(json_object_get(g, "re"), i / K / N, i / K % N, i % K);
        Gi[i] = at3(json_object_get(g, "im"), i / K / N, i / K % N, i % K);
    }
    for (int i = 0; i < L * K; i++) {
        error[i] = golden_at2(json_object_get(root, "e"), i / K, i % K);
        served[i] = golden_at2(json_object_get(root, "D"), i / K, i % K) > 0;
    }
    for (int k = 0; k < K && S; k++) {
        const json_t *const want = json_array_get(S, (size_t)k);
        const int n = clusters_neighbours(L, K, served, k, neighbours);
        golden_true(golden, n == (int)json_array_size(want), "user %d has %d neighbours", k, n);
        for (int i = 0; i < n; i++) {
            golden_close(golden, neighbours[i], golden_at(want, i), 0, 1, "S[%d][%d]", k, i);
        }
    }
    vectors_load(vectors, served);
    check_rule(root, golden, &csi, vectors, L, N, K, VECTORS_PMMSE);
    check_rule(root, golden, &csi, vectors, L, N, K, VECTORS_PRZF);
    const struct mimo_shape shape = {L, N, K};
    check_scheme(root, golden, &csi, &shape, served, MIMO_P_MMSE);
    check_scheme(root, golden, &csi, &shape, served, MIMO_P_RZF);
    vectors_destroy(vectors);
}

void golden_cluster_check(const json_t *root, struct golden *golden)
{
    golden_begin(golden, "beyond", json_string_value(json_object_get(root, "name")));
    if (strcmp(kind_of(root), "clusters") == 0) {
        check_vectors(root, golden);
    } else {
        check_joint(root, golden);
    }
    golden_end(golden);
}
