/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Max-min power of conjugate beams on large-scale fading: the closed form at given powers, and the optimum between the
 * certified bounds. Powers and SINRs are recomputed from the eta returned. */
#include "control/maxmin_cb.h"
#include "golden.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct inputs {
    struct maxmin_cb_network network;
    int tau;
    double *beta, *gamma, *c, *P, *power, *eta, *sinr;
    int *pilot;
};

bool golden_maxmin_cb_recognises(const json_t *root)
{
    const char *const kind = json_string_value(json_object_get(root, "kind"));
    return kind && strcmp(kind, "maxmin_cb") == 0 && golden_has(root, "beta");
}

static bool load(const json_t *root, struct inputs *in)
{
    const int m = golden_int(root, "M"), n = golden_int(root, "N"), k = golden_int(root, "K");
    in->tau = golden_int(root, "tau_u");
    if (m < 1 || n < 1 || k < 1 || in->tau < 1) {
        return false;
    }
    double **const arrays[] = {&in->beta, &in->gamma, &in->c, &in->eta, &in->P, &in->power, &in->sinr};
    bool ok = true;
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) {
        ok = (*arrays[i] = calloc((size_t)(m * k + m + k), sizeof(double))) && ok;
    }
    ok = (in->pilot = calloc((size_t)k, sizeof *in->pilot)) && ok;
    for (int i = 0; ok && i < m * k; i++) {
        in->beta[i] = golden_at2(json_object_get(root, "beta"), i / k, i % k);
    }
    for (int i = 0; ok && i < m; i++) {
        in->P[i] = golden_at(json_object_get(root, "P"), i);
    }
    for (int i = 0; ok && i < k; i++) {
        in->pilot[i] = (int)golden_at(json_object_get(root, "pilot"), i);
        in->power[i] = golden_at(json_object_get(root, "pilot_power"), i);
    }
    in->network = (struct maxmin_cb_network){m, n, k, in->beta, in->gamma, in->P, in->pilot, in->power};
    return ok;
}

static void release(struct inputs *in)
{
    double *const arrays[] = {in->beta, in->gamma, in->c, in->eta, in->P, in->power, in->sinr};
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) {
        free(arrays[i]);
    }
    free(in->pilot);
}

static double least(const struct inputs *in)
{
    double value = INFINITY;
    maxmin_cb_sinr(&in->network, in->eta, in->sinr);
    for (int k = 0; k < in->network.n_ue; k++) {
        value = fmin(value, in->sinr[k]);
    }
    return value;
}

/* Every AP splits its budget equally over the users it has an estimate of. */
static void split_equally(struct inputs *in)
{
    const int k_max = in->network.n_ue;
    for (int m = 0; m < in->network.n_ap; m++) {
        int n = 0;
        for (int k = 0; k < k_max; k++) {
            n += in->gamma[m * k_max + k] > 0;
        }
        for (int k = 0; k < k_max; k++) {
            const double gamma = in->gamma[m * k_max + k];
            in->eta[m * k_max + k] = gamma > 0 ? in->P[m] / (n * in->network.n_ant * gamma) : 0;
        }
    }
}

static void check_formulas(const json_t *root, struct golden *golden, struct inputs *in)
{
    const json_t *const expected = json_object_get(root, "expected"), *const given = json_object_get(root, "given");
    const double wanted = golden_number(json_object_get(root, "tolerance"), "formula_rel");
    const double tolerance = isnan(wanted) ? 1e-10 : wanted;
    const int n = in->network.n_ue;
    for (int i = 0; i < in->network.n_ap * n; i++) {
        const double c = golden_at2(json_object_get(expected, "c"), i / n, i % n);
        const double gamma = golden_at2(json_object_get(expected, "gamma"), i / n, i % n);
        golden_close(golden, in->c[i], c, tolerance, c, "c[%d][%d]", i / n, i % n);
        golden_close(golden, in->gamma[i], gamma, tolerance, gamma, "gamma[%d][%d]", i / n, i % n);
        in->eta[i] = golden_at2(json_object_get(given, "eta"), i / n, i % n);
    }
    for (int equal = golden_has(given, "eta") ? 0 : 1; equal < 2; equal++) {
        const char *const name = equal ? "equal_sinr" : "given_sinr";
        if (equal) {
            split_equally(in);
        }
        maxmin_cb_sinr(&in->network, in->eta, in->sinr);
        for (int k = 0; k < n; k++) {
            const double want = golden_at(json_object_get(expected, name), k);
            golden_close(golden, in->sinr[k], want, tolerance, want, "%s[%d]", name, k);
        }
    }
}

static void check_optimum(const json_t *root, struct golden *golden, struct inputs *in)
{
    const json_t *const expected = json_object_get(root, "expected");
    const double lower = golden_number(expected, "maxmin_sinr_lower"),
                 upper = golden_number(expected, "maxmin_sinr_upper");
    const double wanted = golden_number(json_object_get(root, "tolerance"), "optimum_rel");
    const double tolerance = isnan(wanted) ? 1e-3 : wanted;
    const int n = in->network.n_ue;
    maxmin_cb_t *maxmin;
    struct maxmin_cb_result result;
    if (maxmin_cb_create(&maxmin, in->network.n_ap, in->network.n_ant, n)) {
        golden_true(golden, false, "maxmin_cb_create failed");
        return;
    }
    maxmin_cb_execute(maxmin, &in->network, 0.1 * tolerance, 3000, in->eta, &result);
    maxmin_cb_destroy(maxmin);
    const double reached = least(in);
    golden_true(golden, isnan(lower) || reached >= lower * (1 - tolerance), "least SINR %.9g is below %.9g", reached,
                lower);
    golden_true(golden, isnan(upper) || reached <= upper * (1 + 1e-9), "least SINR %.9g is above %.9g", reached, upper);
    golden_true(golden, isnan(lower) || result.n_unheard > 0 || result.upper >= lower * (1 - 1e-9),
                "bound %.9g is below %.9g", result.upper, lower);
    for (int m = 0; m < in->network.n_ap; m++) {
        double power = 0;
        for (int k = 0; k < n; k++) {
            golden_true(golden, in->eta[m * n + k] >= 0, "eta[%d][%d] is %g", m, k, in->eta[m * n + k]);
            power += in->network.n_ant * in->eta[m * n + k] * in->gamma[m * n + k];
        }
        golden_true(golden, power <= in->P[m] * (1 + 1e-9), "power of AP %d: %.12g of %g", m, power, in->P[m]);
    }
}

void golden_maxmin_cb_check(const json_t *root, struct golden *golden)
{
    struct inputs in = {0};
    golden_begin(golden, "maxmin_cb", json_string_value(json_object_get(root, "name")));
    if (load(root, &in)) {
        maxmin_cb_statistics(&in.network, in.tau, in.c, in.gamma);
        check_formulas(root, golden, &in);
        check_optimum(root, golden, &in);
    } else {
        golden_true(golden, false, "M, N, K or tau_u out of range");
    }
    release(&in);
    golden_end(golden);
}
