/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Bounds of the max-min optimum and the exact max-min zero-forcing SINR ([Zhou 2020]). SINRs and powers are
 * recomputed here from the returned W, from the formula, not taken from the solver. */
#include "golden.h"
#include "mimo/ob.h"

#include <math.h>
#include <stdlib.h>

static const double TOLERANCE = 1e-4;        /* of the certificate asked for */
static const double SINGLE_PRECISION = 1e-5; /* W is cf32 */

struct instance {
    struct mimo_shape shape;
    struct mimo_channel channel;
    struct mimo_solution solution;
    tutti_cf32 *H;
    float *E, *P;
    uint8_t *ap, *ue;
};

bool golden_ob_recognises(const json_t *root)
{
    return json_object_get(root, "ob_min_sinr_lower") != NULL;
}

static bool load(const json_t *root, struct instance *in)
{
    const int m = golden_int(root, "M"), n = golden_int(root, "N"), k = golden_int(root, "K");
    if (m < 1 || m > TUTTI_MAX_AP || n < 1 || n > TUTTI_MAX_ANT || k < 1 || k > TUTTI_MAX_UE) {
        return false;
    }
    in->shape = (struct mimo_shape){m, n, k};
    const size_t l = (size_t)m * (size_t)n, uk = (size_t)k;
    in->H = calloc(l * uk, sizeof *in->H);
    in->solution.W = calloc(l * uk, sizeof *in->solution.W);
    in->solution.sinr = calloc(uk, sizeof *in->solution.sinr);
    in->E = calloc((size_t)m * uk, sizeof *in->E);
    in->P = calloc((size_t)m, sizeof *in->P);
    in->ap = calloc((size_t)m, 1);
    in->ue = calloc(uk, 1);
    if (!in->H || !in->solution.W || !in->solution.sinr || !in->E || !in->P || !in->ap || !in->ue) {
        return false;
    }
    const json_t *H = json_object_get(root, "H"), *E = json_object_get(root, "error_variance");
    for (int r = 0; r < m * n; r++) {
        for (int u = 0; u < k; u++) {
            in->H[r * k + u] = CMPLXF((float)golden_at2(json_object_get(H, "re"), r, u),
                                      (float)golden_at2(json_object_get(H, "im"), r, u));
            in->E[r / n * k + u] = (float)golden_at2(E, r, u);
        }
    }
    for (int a = 0; a < m; a++) {
        in->P[a] = in->ap[a] = 1;
    }
    for (int u = 0; u < k; u++) {
        in->ue[u] = 1;
    }
    in->channel = (struct mimo_channel){
        .H_hat = in->H, .error_variance = in->E, .ap_power = in->P, .ap_active = in->ap, .ue_active = in->ue};
    return true;
}

static void unload(struct instance *in)
{
    void *const arrays[] = {in->H, in->solution.W, in->solution.sinr, in->E, in->P, in->ap, in->ue};
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) {
        free(arrays[i]);
    }
}

static double square(double complex x)
{
    return creal(x) * creal(x) + cimag(x) * cimag(x);
}

static double sinr(const struct instance *in, int k)
{
    const int n_ue = in->shape.n_ue, rows = in->shape.n_ap * in->shape.n_ant;
    double own = 0, others = 1;
    for (int j = 0; j < n_ue; j++) {
        double complex response = 0;
        for (int r = 0; r < rows; r++) {
            const double complex w = in->solution.W[r * n_ue + j];
            response += conj((double complex)in->H[r * n_ue + k]) * w;
            others += (double)in->E[r / in->shape.n_ant * n_ue + k] * square(w);
        }
        if (j == k) {
            own = square(response);
        } else {
            others += square(response);
        }
    }
    return own / others;
}

static double least_sinr(const struct instance *in, double *power)
{
    double least = INFINITY;
    for (int k = 0; k < in->shape.n_ue; k++) {
        least = fmin(least, sinr(in, k));
    }
    *power = 0;
    const int per_ap = in->shape.n_ant * in->shape.n_ue;
    for (int m = 0; m < in->shape.n_ap; m++) {
        double sum = 0;
        for (int i = m * per_ap; i < (m + 1) * per_ap; i++) {
            sum += square(in->solution.W[i]);
        }
        *power = fmax(*power, sum);
    }
    return least;
}

static void check_ob(const json_t *root, struct golden *golden, struct instance *in)
{
    const double lower = golden_number(root, "ob_min_sinr_lower"), upper = golden_number(root, "ob_min_sinr_upper");
    struct ob_settings settings;
    struct ob_result result;
    ob_t *ob;
    ob_settings_default(&settings);
    settings.tolerance = TOLERANCE;
    if (ob_create(&ob, &in->shape)) {
        golden_true(golden, false, "ob_create failed");
        return;
    }
    ob_solve(ob, &in->channel, &settings, &in->solution, &result);
    ob_destroy(ob);
    double power;
    const double least = least_sinr(in, &power);
    golden_true(golden, least >= lower * (1 - TOLERANCE), "max-min optimum: least SINR %.9g is below %.9g", least,
                lower);
    golden_true(golden, isnan(upper) || least <= upper * (1 + SINGLE_PRECISION),
                "max-min optimum: least SINR %.9g is above the bound %.9g", least, upper);
    golden_true(golden, result.bound >= lower * (1 - SINGLE_PRECISION), "max-min optimum: bound %.9g is below %.9g",
                result.bound, lower);
    golden_true(golden, isnan(upper) || result.bound <= upper * (1 + TOLERANCE),
                "max-min optimum: bound %.9g is above %.9g", result.bound, upper);
    golden_true(golden, power <= 1 + 1e-6, "max-min optimum: power %.9g of a budget of 1", power);
}

static void check_zf(const json_t *root, struct golden *golden, struct instance *in)
{
    precoder_t *precoder;
    if (precoder_create(&precoder, &in->shape)) {
        golden_true(golden, false, "precoder_create failed");
        return;
    }
    precoder_execute(precoder, MIMO_ZF, MIMO_POWER_MAXMIN, &in->channel, &in->solution);
    precoder_destroy(precoder);
    double power;
    const double least = least_sinr(in, &power), want = golden_number(root, "zf_maxmin_sinr");
    golden_close(golden, least, want, SINGLE_PRECISION, want, "max-min zero-forcing SINR");
    golden_true(golden, power <= 1 + 1e-6, "max-min zero-forcing: power %.9g of a budget of 1", power);
}

void golden_ob_check(const json_t *root, struct golden *golden)
{
    struct instance in = {0};
    golden_begin(golden, "ob", json_string_value(json_object_get(root, "name")));
    if (load(root, &in)) {
        check_ob(root, golden, &in);
        if (golden_has(root, "zf_maxmin_sinr")) {
            check_zf(root, golden, &in);
        }
    } else {
        golden_true(golden, false, "M, N or K out of range");
    }
    unload(&in);
    golden_end(golden);
}
