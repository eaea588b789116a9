/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Studies that compare powers: the paper's figure 1, its empirical lambda, the block level, other sizes. */
#include "rlspa/descent.h"
#include "rlspa/rate.h"
#include "rlspa/symbol.h"
#include "rlspa/yardstick.h"
#include "rlspa_studies.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { T_RATE = 32, T_GMI = 2000, DESCENTS = 30, GMI_DROPS = 40, N_MOST = 32 };

static const struct drop_setting STANDARD = {16, 4, 128, 16, 0.1};

/* A drop and what works on it. */
static struct {
    struct drop drop;
    symbol_t *symbol;
    gmi_t *gmi;
    double *x_re, *x_im, *P, *lambda, *work;
    double p[N_MOST], ridge[N_MOST], h[N_MOST];
} my;

static void out_of_memory(void)
{
    fprintf(stderr, "rlspa_studies: out of memory\n");
    exit(1);
}

static void release(void)
{
    drop_destroy(&my.drop);
    symbol_destroy(my.symbol);
    gmi_destroy(my.gmi);
    my.symbol = NULL;
    my.gmi = NULL;
}

/* Handles for a setting, kept while it stays the same. */
static void prepare(const struct drop_setting *set)
{
    const struct drop_setting *const old = &my.drop.set;
    const size_t n = N_MOST;
    if (my.drop.storage && old->n_ap == set->n_ap && old->n_ue == set->n_ue && old->n == set->n) {
        my.drop.set.alpha = set->alpha;
        return;
    }
    release();
    if (!my.work) {
        my.x_re = calloc(n * T_GMI, sizeof(double));
        my.x_im = calloc(n * T_GMI, sizeof(double));
        my.P = calloc(n * T_GMI, sizeof(double));
        my.lambda = calloc(T_GMI, sizeof(double));
        my.work = calloc(rate_work(N_MOST) + yardstick_wmmse_work(N_MOST) + block_work(N_MOST), sizeof(double));
    }
    if (!my.x_re || !my.x_im || !my.P || !my.lambda || !my.work || drop_create(&my.drop, set) ||
        symbol_create(&my.symbol, set->n) || gmi_create(&my.gmi, set->n_ap * set->n_ant, set->n)) {
        out_of_memory();
    }
}

static double logdet(const double *p)
{
    return rate_logdet(&my.drop.links, my.drop.F, p, my.work);
}

/* Powers of T symbols at factor times lambda (27), into my.P. */
static void allocate(int qpsk, int T, double factor, enum links_policy policy)
{
    struct split X = {my.x_re, my.x_im};
    drop_symbols(&my.drop, T * 2 + qpsk, qpsk, T, &X);
    symbol_load(my.symbol, &my.drop.links);
    symbol_lambda(&my.drop.links, my.drop.block.eps2, T, &X, my.lambda);
    for (int t = 0; t < T; t++) {
        my.lambda[t] *= factor;
    }
    symbol_execute(my.symbol, T, &X, my.lambda, policy, my.P);
}

/* Mean of (3) over the powers of the symbols, as the paper has it. */
static double symbol_rate(int qpsk, double factor, enum links_policy policy)
{
    double sum = 0;
    allocate(qpsk, T_RATE, factor, policy);
    for (int t = 0; t < T_RATE; t++) {
        for (int k = 0; k < my.drop.links.n; k++) {
            my.p[k] = my.P[k * T_RATE + t];
        }
        sum += logdet(my.p);
    }
    return sum / T_RATE;
}

/* Achievable rate at the radiated energy Pt; energy is what the rule radiates by itself. */
static double symbol_gmi(int qpsk, double factor, enum links_policy policy, double *energy)
{
    const struct split X = {my.x_re, my.x_im};
    allocate(qpsk, T_GMI, factor, policy);
    gmi_load(my.gmi, &my.drop.links, &my.drop.W);
    gmi_add(my.gmi, T_GMI, &X, my.P);
    if (energy) {
        *energy = gmi_energy(my.gmi);
    }
    return gmi_rate(my.gmi, my.drop.set.n_ant, my.drop.error, 1);
}

static const double *equal(void)
{
    links_equal(&my.drop.links, my.p);
    return my.p;
}

static const double *wmmse(void)
{
    yardstick_wmmse(&my.drop.links, my.drop.F, 100, my.work, my.p);
    return my.p;
}

static const double *block(enum block_ridge kind)
{
    block_ridge(kind, &my.drop.links, &my.drop.block, NULL, my.ridge);
    block_solve(&my.drop.links, my.ridge, LINKS_FULL, my.p);
    return my.p;
}

/* GDPA, or RGDPA with the ridge bayes; in the scale of unit noise rescaled to the budget. */
static const double *descent(bool robust, bool unit_noise)
{
    const struct links links = unit_noise ? drop_unit_noise(&my.drop) : my.drop.links;
    block_ridge(BLOCK_BAYES, &links, &my.drop.block, NULL, my.ridge);
    descent_solve(&links, robust ? my.ridge : NULL, DESCENTS, LINKS_PAPER, my.h, my.p);
    if (unit_noise) {
        links_project(&links, LINKS_FULL, my.p, 1);
    }
    return my.p;
}

/* Figure 1 --------------------------------------------------------------------------------------------------------- */

enum {
    F1_GAUSS,
    F1_QPSK,
    F1_GDPA,
    F1_RGDPA,
    F1_GDPA_U,
    F1_RGDPA_U,
    F1_EPA,
    F1_WMMSE,
    F1_WC,
    F1_WIENER,
    F1_G_GAUSS,
    F1_G_QPSK,
    F1_G_GDPA,
    F1_G_EPA,
    F1_G_WMMSE,
    F1_G_WC,
    F1_G_WIENER,
    F1_ENERGY,
    F1_NEGATIVE
};

static const char *const FIG1_SERIES[] = {"RLSPA, Gaussian",
                                          "RLSPA, QPSK",
                                          "GDPA",
                                          "RGDPA",
                                          "GDPA, unit noise, rescaled",
                                          "RGDPA, unit noise, rescaled",
                                          "EPA",
                                          "WMMSE powers",
                                          "block wc",
                                          "block wiener",
                                          "GMI RLSPA, Gaussian",
                                          "GMI RLSPA, QPSK",
                                          "GMI GDPA",
                                          "GMI EPA",
                                          "GMI WMMSE",
                                          "GMI block wc",
                                          "GMI block wiener",
                                          "energy / Pt, RLSPA Gaussian",
                                          "negative raw share",
                                          NULL};
static const double FIG1_SNR_DB[] = {-10, -5, 0, 5, 10, 15, 20, 25, 30};

static double separate(const double *p)
{
    return rate_sinr(&my.drop.links, my.drop.F, p, NULL);
}

static double negative_share(void)
{
    int negative = 0;
    allocate(0, T_RATE, 1, LINKS_RAW);
    for (int i = 0; i < my.drop.links.n * T_RATE; i++) {
        negative += my.P[i] < 0;
    }
    return (double)negative / (my.drop.links.n * T_RATE);
}

static void fig1_row(const struct study *study, uint64_t seed, int index, double *row)
{
    const int n_x = study->n_x;
    prepare(&STANDARD);
    drop_draw(&my.drop, seed, index);
    for (int i = 0; i < n_x; i++) {
        double *const at = row + i;
        drop_schedule(&my.drop, study->x[i], DROP_CESG);
        at[F1_GAUSS * n_x] = symbol_rate(0, 1, LINKS_PAPER);
        at[F1_QPSK * n_x] = symbol_rate(1, 1, LINKS_PAPER);
        at[F1_NEGATIVE * n_x] = negative_share();
        at[F1_GDPA * n_x] = logdet(descent(false, false));
        at[F1_RGDPA * n_x] = logdet(descent(true, false));
        at[F1_GDPA_U * n_x] = logdet(descent(false, true));
        at[F1_RGDPA_U * n_x] = logdet(descent(true, true));
        at[F1_EPA * n_x] = logdet(equal());
        at[F1_WMMSE * n_x] = logdet(wmmse());
        at[F1_WC * n_x] = logdet(block(BLOCK_WC));
        at[F1_WIENER * n_x] = logdet(block(BLOCK_WIENER));
        if (index >= GMI_DROPS) {
            continue;
        }
        at[F1_G_GAUSS * n_x] = symbol_gmi(0, 1, LINKS_PAPER, &at[F1_ENERGY * n_x]);
        at[F1_G_QPSK * n_x] = symbol_gmi(1, 1, LINKS_PAPER, NULL);
        at[F1_G_GDPA * n_x] = separate(descent(false, false));
        at[F1_G_EPA * n_x] = separate(equal());
        at[F1_G_WMMSE * n_x] = separate(wmmse());
        at[F1_G_WC * n_x] = separate(block(BLOCK_WC));
        at[F1_G_WIENER * n_x] = separate(block(BLOCK_WIENER));
    }
}

static void fig1_check(const struct study *study)
{
    static const struct {
        int series;
        double want[3], tolerance;
    } LEVELS[] = {{F1_EPA, {48.0, 70.5, 75.9}, 1.0},    {F1_WC, {47.7, 70.0, 75.6}, 1.0},
                  {F1_WIENER, {46.8, 69.5, 74.9}, 1.0}, {F1_GAUSS, {30.9, 48.9, 56.5}, 1.0},
                  {F1_GDPA, {44.4, 66.9, 73.4}, 1.4},   {F1_QPSK, {45.0, 67.3, 73.7}, 1.4}};
    enum { DB_0 = 2, DB_10 = 4, DB_20 = 6, DB_30 = 8 };
    for (size_t i = 0; i < sizeof LEVELS / sizeof *LEVELS; i++) {
        for (int j = 0; j < 3; j++) {
            study_within(study_mean(LEVELS[i].series, DB_0 + 2 * j).mean, LEVELS[i].want[j], LEVELS[i].tolerance,
                         "%s, %d dB", study->series[LEVELS[i].series], 10 * j);
        }
    }
    study_within(study_paired(F1_EPA, F1_WIENER, DB_10).mean, 0.99, 0.25, "EPA - wiener, 10 dB");
    study_within(study_paired(F1_EPA, F1_WC, DB_10).mean, 0.53, 0.15, "EPA - wc, 10 dB");
    study_within(study_paired(F1_QPSK, F1_GDPA, DB_10).mean, 0.48, 0.2, "RLSPA QPSK - GDPA, 10 dB");
    study_within(study_paired(F1_WIENER, F1_GAUSS, DB_10).mean, 20.7, 0.5, "wiener - RLSPA Gaussian, 10 dB");
    study_within(study_mean(F1_ENERGY, DB_10).mean, 2.4, 0.1, "radiated energy / Pt, RLSPA Gaussian, 10 dB");
    study_within(study_mean(F1_G_GAUSS, DB_30).mean, 29, 1, "GMI of RLSPA Gaussian, 30 dB");
    for (int i = DB_0; i <= DB_30; i += 2) {
        const double below = study_share_below(F1_GAUSS, F1_GDPA, i);
        study_expect(below >= 0.99, below, ">= 0.99", "drops with RLSPA Gaussian below GDPA, %g dB", study->x[i]);
    }
    study_expect(study_mean(F1_NEGATIVE, DB_10).mean < 0.01, study_mean(F1_NEGATIVE, DB_10).mean, "< 0.01",
                 "share of negative raw powers, 10 dB");
}

static const char *const FIG1_CAVEATS[] = {
    "The paper's headline, RLSPA above GDPA and RGDPA at all SNR, does not "
    "reproduce: with Gaussian symbols and (27) RLSPA is "
    "below GDPA in practically every drop (shares above), by 13 to 18 bit from 0 dB up.",
    "Its powers follow the symbols, radiate 2.4 times the budget and cap each "
    "user at log2 3 bit. With constant-modulus symbols "
    "it leads GDPA by about 0.5 bit of 67 and trails equal power by 3.",
    "The paper's order appears only when GDPA and RGDPA leave the budget unused "
    "or have not converged. Our GDPA and RGDPA are "
    "reconstructed (step size unknown).",
    "Assumed, lost or never given: L=16, N=4, K=128, n=16, alpha=0.1, SNR range "
    "and meaning, unit-norm columns, eps2 = mean of "
    "||Gtil||^2, 2-D distance without wrap.",
    NULL};

const struct study STUDY_FIG1 = {"rlspa-fig1", "Fig. 1, sum rate (3) and achievable rate (GMI, equal energy, 40 drops)",
                                 FIG1_SERIES,  "SNR dB",
                                 FIG1_SNR_DB,  9,
                                 200,          fig1_row,
                                 fig1_check,   FIG1_CAVEATS};

/* Empirical lambda ------------------------------------------------------------------------------------------------- */

static const double FACTORS[] = {0, 1e-6, 1e-5, 1e-4, 1e-3, 0.01, 0.0625, 0.1, 0.3, 1, 10, 100};
enum { N_FACTOR = sizeof FACTORS / sizeof *FACTORS, AT_ONE = 9 };
static const char *const LAMBDA_SERIES[] = {"0 dB, Gaussian",
                                            "0 dB, QPSK",
                                            "0 dB, Gaussian, GMI",
                                            "0 dB, QPSK, GMI",
                                            "10 dB, Gaussian",
                                            "10 dB, QPSK",
                                            "10 dB, Gaussian, GMI",
                                            "10 dB, QPSK, GMI",
                                            "20 dB, Gaussian",
                                            "20 dB, QPSK",
                                            "20 dB, Gaussian, GMI",
                                            "20 dB, QPSK, GMI",
                                            NULL};

static void lambda_row(const struct study *study, uint64_t seed, int index, double *row)
{
    prepare(&STANDARD);
    drop_draw(&my.drop, seed, index);
    for (int snr = 0; snr < 3; snr++) {
        drop_schedule(&my.drop, 10 * snr, DROP_CESG);
        for (int i = 0; i < study->n_x; i++) {
            for (int qpsk = 0; qpsk < 2; qpsk++) {
                row[(4 * snr + qpsk) * N_FACTOR + i] = symbol_rate(qpsk, study->x[i], LINKS_FULL);
                row[(4 * snr + 2 + qpsk) * N_FACTOR + i] = symbol_gmi(qpsk, study->x[i], LINKS_FULL, NULL);
            }
        }
    }
}

static int best_factor(int series)
{
    int best = 0;
    for (int i = 1; i < N_FACTOR; i++) {
        best = study_mean(series, i).mean > study_mean(series, best).mean ? i : best;
    }
    return best;
}

static void lambda_check(const struct study *study)
{
    const int gauss = best_factor(4), qpsk = best_factor(5);
    const double gain = study_mean(4, gauss).mean - study_mean(4, AT_ONE).mean;
    const double gain_qpsk = study_mean(5, qpsk).mean - study_mean(5, AT_ONE).mean;
    study_expect(gain >= 15, gain, ">= 15 bit", "10 dB, Gaussian: best lambda above (27)");
    study_within(gain_qpsk, 3, 1, "10 dB, QPSK: best lambda above (27)");
    study_expect(study->x[gauss] <= 0.3, study->x[gauss], "<= 0.3", "10 dB, Gaussian: best lambda / (27)");
    study_expect(study->x[qpsk] <= 0.3, study->x[qpsk], "<= 0.3", "10 dB, QPSK: best lambda / (27)");
    study_within(study_mean(4, 0).mean, 68.6, 1, "10 dB, Gaussian, lambda = 0");
    study_within(study_mean(6, AT_ONE).mean, 28.6, 1, "10 dB, Gaussian, GMI at (27)");
}

static const char *const LAMBDA_CAVEATS[] = {
    "lambda of (27) exceeds the true worst case by 4 to 9 times (rlspa-bound), dominates A^H A, and costs 15 to 20 bit "
    "against "
    "an empirical choice with Gaussian symbols: the best is almost no regularisation.",
    NULL};

const struct study STUDY_LAMBDA = {"rlspa-lambda",
                                   "section III-B, empirical choice of lambda, full budget",
                                   LAMBDA_SERIES,
                                   "lambda / (27)",
                                   FACTORS,
                                   N_FACTOR,
                                   40,
                                   lambda_row,
                                   lambda_check,
                                   LAMBDA_CAVEATS};

/* Block level ------------------------------------------------------------------------------------------------------ */

enum { BL_WC, BL_WIENER, BL_LAM, BL_BAYES, BL_SAMPLE, BL_NONE, BL_GAUSS, BL_GDPA, BL_EPA };
static const char *const BLOCK_SERIES[] = {
    "block wc",         "block wiener",    "block lam (27)", "block bayes", "wiener, Cx of 50 symbols",
    "block lambda = 0", "RLSPA, Gaussian", "GDPA",           "EPA",         NULL};
static const double BLOCK_SNR_DB[] = {0, 10, 20, 30};

/* wiener with the sample covariance of 50 Gaussian symbols. */
static const double *block_of_sample(void)
{
    enum { T = 50 };
    static double re[N_MOST * N_MOST], im[N_MOST * N_MOST], cx[N_MOST];
    const int n = my.drop.links.n;
    struct split X = {my.x_re, my.x_im}, Cx = {re, im};
    drop_symbols(&my.drop, 5000, 0, T, &X);
    block_covariance(n, T, &X, &Cx);
    for (int k = 0; k < n; k++) {
        cx[k] = re[k * n + k];
    }
    block_ridge(BLOCK_WIENER, &my.drop.links, &my.drop.block, cx, my.ridge);
    block_solve_full(&my.drop.links, &Cx, my.ridge, LINKS_FULL, my.work, my.p);
    return my.p;
}

static void block_row(const struct study *study, uint64_t seed, int index, double *row)
{
    const int n_x = study->n_x;
    prepare(&STANDARD);
    drop_draw(&my.drop, seed, index);
    for (int i = 0; i < n_x; i++) {
        double *const at = row + i;
        drop_schedule(&my.drop, study->x[i], DROP_CESG);
        at[BL_WC * n_x] = logdet(block(BLOCK_WC));
        at[BL_WIENER * n_x] = logdet(block(BLOCK_WIENER));
        at[BL_LAM * n_x] = logdet(block(BLOCK_LAM));
        at[BL_BAYES * n_x] = logdet(block(BLOCK_BAYES));
        at[BL_NONE * n_x] = logdet(block(BLOCK_NONE));
        at[BL_SAMPLE * n_x] = logdet(block_of_sample());
        at[BL_GAUSS * n_x] = symbol_rate(0, 1, LINKS_PAPER);
        at[BL_GDPA * n_x] = logdet(descent(false, false));
        at[BL_EPA * n_x] = logdet(equal());
    }
}

static void block_check(const struct study *study)
{
    static const double OVER_SYMBOL[] = {15.9, 20.7, 18.4, 17.5}, OVER_GDPA[] = {2.42, 2.67, 1.57, 1.31},
                        GDPA_HALF[] = {0.29, 0.29, 0.20, 0.18};
    for (int i = 0; i < study->n_x; i++) {
        const double snr = study->x[i], below = study_share_below(BL_GAUSS, BL_WIENER, i);
        study_within(study_paired(BL_WIENER, BL_GAUSS, i).mean, OVER_SYMBOL[i], 0.5, "wiener - RLSPA Gaussian, %g dB",
                     snr);
        study_near(study_paired(BL_WIENER, BL_GDPA, i), OVER_GDPA[i], GDPA_HALF[i] / 1.96, "wiener - GDPA, %g dB", snr);
        study_expect(below == 1, below, "= 1", "drops with RLSPA Gaussian below wiener, %g dB", snr);
        const struct estimate sample = study_paired(BL_SAMPLE, BL_WIENER, i), epa = study_paired(BL_EPA, BL_WC, i);
        study_expect(fabs(sample.mean) <= 0.02, sample.mean, "|.| <= 0.02", "sample covariance - identity, %g dB", snr);
        study_expect(epa.mean > 0 && epa.mean < 1, epa.mean, "0 to 1 bit", "EPA - wc, %g dB", snr);
    }
}

static const char *const BLOCK_CAVEATS[] = {
    "The block level is the paper's future work. It beats the symbol level everywhere at a hundredth of the cost and "
    "does not "
    "beat equal power from 0 dB up: wc trails by 0.3 to 0.5 bit, wiener by 1.0 to 1.2 (1.4 % at 10 dB).",
    NULL};

const struct study STUDY_BLOCK = {"rlspa-block", "future work: block level, sum rate (3)",
                                  BLOCK_SERIES,  "SNR dB",
                                  BLOCK_SNR_DB,  4,
                                  200,           block_row,
                                  block_check,   BLOCK_CAVEATS};

/* Other sizes ------------------------------------------------------------------------------------------------------ */

enum { SE_EPA, SE_WC, SE_WIENER, SE_GDPA, SE_GAUSS, SE_QPSK, SE_WMMSE };
static const char *const SENSITIVITY_SERIES[] = {
    "EPA", "block wc", "block wiener", "GDPA", "RLSPA, Gaussian", "RLSPA, QPSK", "WMMSE powers", NULL};
/* Setting and SNR: hundreds and units. */
static const double SENSITIVITY_X[] = {0, 10, 20, 100, 110, 120, 200, 210, 220, 300, 310, 320, 400, 410, 420};
static const struct {
    struct drop_setting set;
    int drops;
    double want[3][5], half[3][5]; /* mean and 95 % half-width at 0, 10, 20 dB; series up to RLSPA Gaussian */
} SENSITIVITY[] = {
    {{16, 4, 128, 16, 0.01},
     25,
     {{56.7, 55.4, 54.8, 53.7, 43.2}, {100.3, 99.6, 98.5, 95.9, 79.5}, {124.7, 124.3, 123.5, 121.2, 103.6}},
     {{0.75, 0.79, 0.84, 1.13, 0.82}, {0.89, 0.87, 0.94, 1.41, 1.12}, {1.11, 1.11, 1.15, 1.35, 1.57}}},
    {{16, 4, 128, 16, 0.3},
     25,
     {{34.8, 33.4, 34.4, 32.2, 21.6}, {45.9, 44.6, 45.5, 43.6, 31.3}, {47.8, 46.7, 47.3, 46.0, 34.3}},
     {{0.73, 0.87, 0.71, 0.99, 0.64}, {1.01, 1.07, 0.99, 1.10, 0.82}, {1.07, 1.10, 1.06, 1.12, 1.03}}},
    {{16, 4, 128, 8, 0.1},
     25,
     {{33.5, 33.5, 33.2, 32.1, 24.4}, {41.3, 41.3, 41.2, 40.6, 33.0}, {42.6, 42.6, 42.5, 42.2, 35.9}},
     {{0.48, 0.48, 0.48, 0.70, 0.58}, {0.75, 0.75, 0.76, 0.79, 0.81}, {0.83, 0.83, 0.84, 0.83, 0.97}}},
    {{16, 4, 32, 24, 0.1},
     25,
     {{27.8, 30.4, 27.8, 27.5, 20.0}, {63.3, 60.9, 59.0, 53.9, 39.2}, {82.9, 77.9, 78.1, 70.8, 52.7}},
     {{0.98, 0.99, 0.92, 1.22, 0.58}, {1.76, 1.78, 1.81, 2.41, 1.16}, {1.60, 1.88, 1.72, 2.31, 1.27}}},
    {{64, 4, 300, 24, 0.1},
     8,
     {{100.5, 100.0, 99.7, 97.4, 64.3}, {132.5, 132.0, 132.0, 129.9, 94.5}, {139.0, 138.6, 138.4, 136.9, 105.6}},
     {{1.57, 1.62, 1.51, 2.22, 1.37}, {2.50, 2.61, 2.54, 3.13, 2.18}, {2.82, 2.91, 2.90, 3.33, 3.04}}},
};

static void sensitivity_row(const struct study *study, uint64_t seed, int index, double *row)
{
    const int n_x = study->n_x;
    for (size_t s = 0; s < sizeof SENSITIVITY / sizeof *SENSITIVITY; s++) {
        if (index >= SENSITIVITY[s].drops) {
            continue;
        }
        prepare(&SENSITIVITY[s].set);
        drop_draw(&my.drop, seed, index);
        for (int snr = 0; snr < 3; snr++) {
            double *const at = row + 3 * s + snr;
            drop_schedule(&my.drop, 10 * snr, DROP_CESG);
            at[SE_EPA * n_x] = logdet(equal());
            at[SE_WC * n_x] = logdet(block(BLOCK_WC));
            at[SE_WIENER * n_x] = logdet(block(BLOCK_WIENER));
            at[SE_GDPA * n_x] = logdet(descent(false, false));
            at[SE_GAUSS * n_x] = symbol_rate(0, 1, LINKS_PAPER);
            at[SE_QPSK * n_x] = symbol_rate(1, 1, LINKS_PAPER);
            at[SE_WMMSE * n_x] = logdet(wmmse());
        }
    }
}

static void sensitivity_check(const struct study *study)
{
    for (int x = 0; x < study->n_x; x++) {
        for (int series = 0; series <= SE_GAUSS; series++) {
            study_near(study_mean(series, x), SENSITIVITY[x / 3].want[x % 3][series],
                       SENSITIVITY[x / 3].half[x % 3][series] / 1.96, "%s, setting %d, %d dB", study->series[series],
                       x / 3, 10 * (x % 3));
        }
    }
}

static const char *const SENSITIVITY_CAVEATS[] = {
    "x = 100 * setting + SNR: 0 alpha=0.01, 1 alpha=0.3, 2 n=8, 3 K=32 and n=24, 4 L=64, K=300 and n=24 (8 drops).",
    "RLSPA with Gaussian symbols is below GDPA in every setting but single drops of K=32, n=24.", NULL};

const struct study STUDY_SENSITIVITY = {
    "rlspa-sensitivity", "other sizes, sum rate (3)", SENSITIVITY_SERIES, "setting, SNR dB", SENSITIVITY_X, 15, 25,
    sensitivity_row,     sensitivity_check,           SENSITIVITY_CAVEATS};
