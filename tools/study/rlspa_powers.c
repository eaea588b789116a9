/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Studies that compare powers: the paper's figure 1, its empirical lambda, the block level, other sizes. */
#include "tools/study/figure.h"
#include "tools/study/rlspa_worker.h"

#include <math.h>

enum { GMI_DROPS = 40, DB_0 = 2, DB_10 = 4, DB_20 = 6, DB_30 = 8 };

static const struct study_parameter PARAMETERS[] = {RLSPA_PARAMETERS, {NULL, 0, 0, NULL}};

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

static const struct rlspa_table FIG1 = {FIG1_SERIES, FIG1_SNR_DB, 9};

static double negative_share(struct rlspa_worker *w)
{
    int negative = 0;
    rlspa_worker_allocate(w, 0, RLSPA_RATE_SYMBOLS, 1, LINKS_RAW);
    for (int i = 0; i < w->drop.links.n * RLSPA_RATE_SYMBOLS; i++) {
        negative += w->P[i] < 0;
    }
    return (double)negative / (w->drop.links.n * RLSPA_RATE_SYMBOLS);
}

static int fig1_drop(const struct study_run *run, void *worker, uint64_t drop, double *row)
{
    const int n_x = FIG1.n_x;
    struct rlspa_worker *const w = worker;
    const int status = rlspa_worker_begin(w, run, NULL, drop);
    if (status) {
        return status;
    }
    for (int i = 0; i < n_x; i++) {
        double *const at = row + i;
        rlspa_drop_schedule(&w->drop, FIG1.x[i], RLSPA_DROP_CESG);
        at[F1_GAUSS * n_x] = rlspa_worker_symbol_rate(w, 0, 1, LINKS_PAPER);
        at[F1_QPSK * n_x] = rlspa_worker_symbol_rate(w, 1, 1, LINKS_PAPER);
        at[F1_NEGATIVE * n_x] = negative_share(w);
        at[F1_GDPA * n_x] = rlspa_worker_logdet(w, rlspa_worker_descent(w, false, false));
        at[F1_RGDPA * n_x] = rlspa_worker_logdet(w, rlspa_worker_descent(w, true, false));
        at[F1_GDPA_U * n_x] = rlspa_worker_logdet(w, rlspa_worker_descent(w, false, true));
        at[F1_RGDPA_U * n_x] = rlspa_worker_logdet(w, rlspa_worker_descent(w, true, true));
        at[F1_EPA * n_x] = rlspa_worker_logdet(w, rlspa_worker_equal(w));
        at[F1_WMMSE * n_x] = rlspa_worker_logdet(w, rlspa_worker_wmmse(w));
        at[F1_WC * n_x] = rlspa_worker_logdet(w, rlspa_worker_block(w, BLOCK_WC));
        at[F1_WIENER * n_x] = rlspa_worker_logdet(w, rlspa_worker_block(w, BLOCK_WIENER));
        if (drop >= GMI_DROPS) {
            for (int s = F1_G_GAUSS; s <= F1_ENERGY; s++) {
                at[s * n_x] = NAN;
            }
            continue;
        }
        at[F1_G_GAUSS * n_x] = rlspa_worker_gmi(w, 0, 1, LINKS_PAPER, &at[F1_ENERGY * n_x]);
        at[F1_G_QPSK * n_x] = rlspa_worker_gmi(w, 1, 1, LINKS_PAPER, NULL);
        at[F1_G_GDPA * n_x] = rlspa_worker_separate(w, rlspa_worker_descent(w, false, false));
        at[F1_G_EPA * n_x] = rlspa_worker_separate(w, rlspa_worker_equal(w));
        at[F1_G_WMMSE * n_x] = rlspa_worker_separate(w, rlspa_worker_wmmse(w));
        at[F1_G_WC * n_x] = rlspa_worker_separate(w, rlspa_worker_block(w, BLOCK_WC));
        at[F1_G_WIENER * n_x] = rlspa_worker_separate(w, rlspa_worker_block(w, BLOCK_WIENER));
    }
    return 0;
}

static void fig1_evaluate(struct study_run *run)
{
    static const struct {
        int series;
        double want[3], tolerance;
    } LEVELS[] = {{F1_EPA, {48.0, 70.5, 75.9}, 1.0},    {F1_WC, {47.7, 70.0, 75.6}, 1.0},
                  {F1_WIENER, {46.8, 69.5, 74.9}, 1.0}, {F1_GAUSS, {30.9, 48.9, 56.5}, 1.0},
                  {F1_GDPA, {44.4, 66.9, 73.4}, 1.4},   {F1_QPSK, {45.0, 67.3, 73.7}, 1.4}};
    rlspa_table_panel(run, &FIG1, F1_GAUSS, F1_G_GAUSS, "sum rate (3)", "SNR dB", "bit/s/Hz");
    rlspa_table_panel(run, &FIG1, F1_G_GAUSS, F1_ENERGY, "achievable rate (GMI) at equal radiated energy", "SNR dB",
                      "bit/s/Hz");
    rlspa_table_panel(run, &FIG1, F1_ENERGY, F1_NEGATIVE + 1, "RLSPA with Gaussian symbols", "SNR dB", "share");
    for (size_t i = 0; i < sizeof LEVELS / sizeof *LEVELS; i++) {
        for (int j = 0; j < 3; j++) {
            figure_check_within(run, rlspa_table_mean(run, &FIG1, LEVELS[i].series, DB_0 + 2 * j).mean,
                                LEVELS[i].want[j], LEVELS[i].tolerance, "%s, %d dB", FIG1.series[LEVELS[i].series],
                                10 * j);
        }
    }
    figure_check_within(run, rlspa_table_paired(run, &FIG1, F1_EPA, F1_WIENER, DB_10).mean, 0.99, 0.25,
                        "EPA - wiener, 10 dB");
    figure_check_within(run, rlspa_table_paired(run, &FIG1, F1_EPA, F1_WC, DB_10).mean, 0.53, 0.15, "EPA - wc, 10 dB");
    figure_check_within(run, rlspa_table_paired(run, &FIG1, F1_QPSK, F1_GDPA, DB_10).mean, 0.48, 0.2,
                        "RLSPA QPSK - GDPA, 10 dB");
    figure_check_within(run, rlspa_table_paired(run, &FIG1, F1_WIENER, F1_GAUSS, DB_10).mean, 20.7, 0.5,
                        "wiener - RLSPA Gaussian, 10 dB");
    figure_check_within(run, rlspa_table_mean(run, &FIG1, F1_ENERGY, DB_10).mean, 2.4, 0.1,
                        "radiated energy / Pt, RLSPA Gaussian, 10 dB");
    figure_check_within(run, rlspa_table_mean(run, &FIG1, F1_G_GAUSS, DB_30).mean, 29, 1,
                        "GMI of RLSPA Gaussian, 30 dB");
    for (int i = DB_0; i <= DB_30; i += 2) {
        const double below = rlspa_table_below(run, &FIG1, F1_GAUSS, F1_GDPA, i);
        study_check(run, below >= 0.99, below, "drops with RLSPA Gaussian below GDPA, %g dB: >= 0.99", FIG1.x[i]);
    }
    study_check(run, rlspa_table_mean(run, &FIG1, F1_NEGATIVE, DB_10).mean < 0.01,
                rlspa_table_mean(run, &FIG1, F1_NEGATIVE, DB_10).mean, "share of negative raw powers, 10 dB: < 0.01");
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

static const char *const FIG1_CHECKS[] = {
    "levels of EPA, wc, wiener, RLSPA Gaussian within 1.0, of GDPA and RLSPA QPSK within 1.4 at 0, 10, 20 dB",
    "paired differences at 10 dB", "radiated energy 2.4 Pt; GMI 29 bit at 30 dB",
    "RLSPA with Gaussian symbols below GDPA in 99 % of drops at 0, 10, 20, 30 dB", NULL};

const struct study STUDY_RLSPA_FIG1 = {.name = "rlspa-fig1",
                                       .item = "RLSPA, Fig. 1",
                                       .summary = "sum rate against SNR, RLSPA and its baselines",
                                       .duration = 'M',
                                       .n_drop = 200,
                                       .n_quick = 4,
                                       .n_value = (F1_NEGATIVE + 1) * 9,
                                       .parameters = PARAMETERS,
                                       .caveats = FIG1_CAVEATS,
                                       .checks = FIG1_CHECKS,
                                       RLSPA_STUDY,
                                       .drop = fig1_drop,
                                       .evaluate = fig1_evaluate};

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

static const struct rlspa_table LAMBDA = {LAMBDA_SERIES, FACTORS, N_FACTOR};

static int lambda_drop(const struct study_run *run, void *worker, uint64_t drop, double *row)
{
    struct rlspa_worker *const w = worker;
    const int status = rlspa_worker_begin(w, run, NULL, drop);
    if (status) {
        return status;
    }
    for (int snr = 0; snr < 3; snr++) {
        rlspa_drop_schedule(&w->drop, 10 * snr, RLSPA_DROP_CESG);
        for (int i = 0; i < LAMBDA.n_x; i++) {
            for (int qpsk = 0; qpsk < 2; qpsk++) {
                row[(4 * snr + qpsk) * N_FACTOR + i] = rlspa_worker_symbol_rate(w, qpsk, LAMBDA.x[i], LINKS_FULL);
                row[(4 * snr + 2 + qpsk) * N_FACTOR + i] = rlspa_worker_gmi(w, qpsk, LAMBDA.x[i], LINKS_FULL, NULL);
            }
        }
    }
    return 0;
}

static int best_factor(const struct study_run *run, int series)
{
    int best = 0;
    for (int i = 1; i < N_FACTOR; i++) {
        best = rlspa_table_mean(run, &LAMBDA, series, i).mean > rlspa_table_mean(run, &LAMBDA, series, best).mean
                   ? i
                   : best;
    }
    return best;
}

static void lambda_evaluate(struct study_run *run)
{
    const int gauss = best_factor(run, 4), qpsk = best_factor(run, 5);
    const double gain = rlspa_table_mean(run, &LAMBDA, 4, gauss).mean - rlspa_table_mean(run, &LAMBDA, 4, AT_ONE).mean;
    const double gain_qpsk =
        rlspa_table_mean(run, &LAMBDA, 5, qpsk).mean - rlspa_table_mean(run, &LAMBDA, 5, AT_ONE).mean;
    rlspa_table_panel(run, &LAMBDA, 0, 4, "0 dB", "lambda / (27)", "bit/s/Hz");
    rlspa_table_panel(run, &LAMBDA, 4, 8, "10 dB", "lambda / (27)", "bit/s/Hz");
    rlspa_table_panel(run, &LAMBDA, 8, 12, "20 dB", "lambda / (27)", "bit/s/Hz");
    study_check(run, gain >= 15, gain, "10 dB, Gaussian: best lambda above (27): >= 15 bit");
    figure_check_within(run, gain_qpsk, 3, 1, "10 dB, QPSK: best lambda above (27)");
    study_check(run, LAMBDA.x[gauss] <= 0.3, LAMBDA.x[gauss], "10 dB, Gaussian: best lambda / (27): <= 0.3");
    study_check(run, LAMBDA.x[qpsk] <= 0.3, LAMBDA.x[qpsk], "10 dB, QPSK: best lambda / (27): <= 0.3");
    const struct study_estimate none = rlspa_table_mean(run, &LAMBDA, 4, 0),
                                gmi = rlspa_table_mean(run, &LAMBDA, 6, AT_ONE);
    figure_check_near(run, none, 68.6, none.se, "10 dB, Gaussian, lambda = 0"); /* the reference: as many drops */
    figure_check_near(run, gmi, 28.6, gmi.se, "10 dB, Gaussian, GMI at (27)");
}

static const char *const LAMBDA_CAVEATS[] = {
    "lambda of (27) exceeds the true worst case by 4 to 9 times (rlspa-bound), dominates A^H A, and costs 15 to 20 bit "
    "against "
    "an empirical choice with Gaussian symbols: the best is almost no regularisation.",
    NULL};

static const char *const LAMBDA_CHECKS[] = {
    "10 dB: best (3) at least 15 bit above (27) with Gaussian symbols, 2 to 4 with QPSK, at lambda <= 0.3 (27)", NULL};

const struct study STUDY_RLSPA_LAMBDA = {.name = "rlspa-lambda",
                                         .item = "RLSPA, section III-B",
                                         .summary = "rates against lambda / (27), Gaussian and QPSK",
                                         .duration = 'M',
                                         .n_drop = 40,
                                         .n_quick = 2,
                                         .n_value = 12 * N_FACTOR,
                                         .parameters = PARAMETERS,
                                         .caveats = LAMBDA_CAVEATS,
                                         .checks = LAMBDA_CHECKS,
                                         RLSPA_STUDY,
                                         .drop = lambda_drop,
                                         .evaluate = lambda_evaluate};

/* Block level ------------------------------------------------------------------------------------------------------ */

enum { BL_WC, BL_WIENER, BL_LAM, BL_BAYES, BL_SAMPLE, BL_NONE, BL_GAUSS, BL_GDPA, BL_EPA };
static const char *const BLOCK_SERIES[] = {
    "block wc",         "block wiener",    "block lam (27)", "block bayes", "wiener, Cx of 50 symbols",
    "block lambda = 0", "RLSPA, Gaussian", "GDPA",           "EPA",         NULL};
static const double BLOCK_SNR_DB[] = {0, 10, 20, 30};

static const struct rlspa_table BLOCK = {BLOCK_SERIES, BLOCK_SNR_DB, 4};

/* wiener with the sample covariance of 50 Gaussian symbols. */
static const double *block_of_sample(struct rlspa_worker *w)
{
    enum { T = 50 };
    double re[RLSPA_MOST * RLSPA_MOST], im[RLSPA_MOST * RLSPA_MOST], cx[RLSPA_MOST];
    const int n = w->drop.links.n;
    struct split X = {w->x_re, w->x_im}, Cx = {re, im};
    rlspa_drop_symbols(&w->drop, 5000, 0, T, &X);
    block_covariance(n, T, &X, &Cx);
    for (int k = 0; k < n; k++) {
        cx[k] = re[k * n + k];
    }
    block_ridge(BLOCK_WIENER, &w->drop.links, &w->drop.block, cx, w->ridge);
    block_solve_full(&w->drop.links, &Cx, w->ridge, LINKS_FULL, w->work, w->p);
    return w->p;
}

static int block_drop(const struct study_run *run, void *worker, uint64_t drop, double *row)
{
    const int n_x = BLOCK.n_x;
    struct rlspa_worker *const w = worker;
    const int status = rlspa_worker_begin(w, run, NULL, drop);
    if (status) {
        return status;
    }
    for (int i = 0; i < n_x; i++) {
        double *const at = row + i;
        rlspa_drop_schedule(&w->drop, BLOCK.x[i], RLSPA_DROP_CESG);
        at[BL_WC * n_x] = rlspa_worker_logdet(w, rlspa_worker_block(w, BLOCK_WC));
        at[BL_WIENER * n_x] = rlspa_worker_logdet(w, rlspa_worker_block(w, BLOCK_WIENER));
        at[BL_LAM * n_x] = rlspa_worker_logdet(w, rlspa_worker_block(w, BLOCK_LAM));
        at[BL_BAYES * n_x] = rlspa_worker_logdet(w, rlspa_worker_block(w, BLOCK_BAYES));
        at[BL_NONE * n_x] = rlspa_worker_logdet(w, rlspa_worker_block(w, BLOCK_NONE));
        at[BL_SAMPLE * n_x] = rlspa_worker_logdet(w, block_of_sample(w));
        at[BL_GAUSS * n_x] = rlspa_worker_symbol_rate(w, 0, 1, LINKS_PAPER);
        at[BL_GDPA * n_x] = rlspa_worker_logdet(w, rlspa_worker_descent(w, false, false));
        at[BL_EPA * n_x] = rlspa_worker_logdet(w, rlspa_worker_equal(w));
    }
    return 0;
}

static void block_evaluate(struct study_run *run)
{
    static const double OVER_SYMBOL[] = {15.9, 20.7, 18.4, 17.5}, OVER_GDPA[] = {2.42, 2.67, 1.57, 1.31},
                        GDPA_HALF[] = {0.29, 0.29, 0.20, 0.18};
    rlspa_table_panel(run, &BLOCK, 0, BL_EPA + 1, "sum rate (3)", "SNR dB", "bit/s/Hz");
    for (int i = 0; i < BLOCK.n_x; i++) {
        const double snr = BLOCK.x[i], below = rlspa_table_below(run, &BLOCK, BL_GAUSS, BL_WIENER, i);
        figure_check_within(run, rlspa_table_paired(run, &BLOCK, BL_WIENER, BL_GAUSS, i).mean, OVER_SYMBOL[i], 0.5,
                            "wiener - RLSPA Gaussian, %g dB", snr);
        figure_check_near(run, rlspa_table_paired(run, &BLOCK, BL_WIENER, BL_GDPA, i), OVER_GDPA[i],
                          GDPA_HALF[i] / 1.96, "wiener - GDPA, %g dB", snr);
        study_check(run, below == 1, below, "drops with RLSPA Gaussian below wiener, %g dB: = 1", snr);
        const struct study_estimate sample = rlspa_table_paired(run, &BLOCK, BL_SAMPLE, BL_WIENER, i),
                                    epa = rlspa_table_paired(run, &BLOCK, BL_EPA, BL_WC, i);
        study_check(run, fabs(sample.mean) <= 0.02, sample.mean, "sample covariance - identity, %g dB: |.| <= 0.02",
                    snr);
        study_check(run, epa.mean > 0 && epa.mean < 1, epa.mean, "EPA - wc, %g dB: 0 to 1 bit", snr);
    }
}

static const char *const BLOCK_CAVEATS[] = {
    "The block level is the paper's future work. It beats the symbol level everywhere at a hundredth of the cost and "
    "does not "
    "beat equal power from 0 dB up: wc trails by 0.3 to 0.5 bit, wiener by 1.0 to 1.2 (1.4 % at 10 dB).",
    NULL};

static const char *const BLOCK_CHECKS[] = {
    "wiener - RLSPA Gaussian 15.9, 20.7, 18.4, 17.5 within 0.5 at 0, 10, 20, 30 dB, in every drop",
    "wiener - GDPA near the reference; sample covariance changes nothing; EPA above wc by less than 1 bit", NULL};

const struct study STUDY_RLSPA_BLOCK = {.name = "rlspa-block",
                                        .item = "RLSPA, future work",
                                        .summary = "block level against symbol level, GDPA, EPA",
                                        .duration = 'M',
                                        .n_drop = 200,
                                        .n_quick = 6,
                                        .n_value = (BL_EPA + 1) * 4,
                                        .parameters = PARAMETERS,
                                        .caveats = BLOCK_CAVEATS,
                                        .checks = BLOCK_CHECKS,
                                        RLSPA_STUDY,
                                        .drop = block_drop,
                                        .evaluate = block_evaluate};
