/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sum rates of other sizes and errors than the standard ones. */
#include "tools/study/figure.h"
#include "tools/study/rlspa_worker.h"

#include <math.h>

static const struct study_parameter PARAMETERS[] = {RLSPA_PARAMETERS, {NULL, 0, 0, NULL}};

/* Other sizes ------------------------------------------------------------------------------------------------------ */

enum { SE_EPA, SE_WC, SE_WIENER, SE_GDPA, SE_GAUSS, SE_QPSK, SE_WMMSE, N_SENSITIVITY };
static const char *const SENSITIVITY_SERIES[] = {
    "EPA", "block wc", "block wiener", "GDPA", "RLSPA, Gaussian", "RLSPA, QPSK", "WMMSE powers", NULL};
/* Setting and SNR: hundreds and units. */
static const double SENSITIVITY_X[] = {0, 10, 20, 100, 110, 120, 200, 210, 220, 300, 310, 320, 400, 410, 420};
static const struct {
    struct rlspa_drop_setting set;
    int drops;
    double want[3][5], half[3][5]; /* mean and 95 % half-width at 0, 10, 20 dB; series up to RLSPA Gaussian */
} SENSITIVITY[] = {
    {{16, 4, 128, 16, 0.01, 0.4},
     25,
     {{56.7, 55.4, 54.8, 53.7, 43.2}, {100.3, 99.6, 98.5, 95.9, 79.5}, {124.7, 124.3, 123.5, 121.2, 103.6}},
     {{0.75, 0.79, 0.84, 1.13, 0.82}, {0.89, 0.87, 0.94, 1.41, 1.12}, {1.11, 1.11, 1.15, 1.35, 1.57}}},
    {{16, 4, 128, 16, 0.3, 0.4},
     25,
     {{34.8, 33.4, 34.4, 32.2, 21.6}, {45.9, 44.6, 45.5, 43.6, 31.3}, {47.8, 46.7, 47.3, 46.0, 34.3}},
     {{0.73, 0.87, 0.71, 0.99, 0.64}, {1.01, 1.07, 0.99, 1.10, 0.82}, {1.07, 1.10, 1.06, 1.12, 1.03}}},
    {{16, 4, 128, 8, 0.1, 0.4},
     25,
     {{33.5, 33.5, 33.2, 32.1, 24.4}, {41.3, 41.3, 41.2, 40.6, 33.0}, {42.6, 42.6, 42.5, 42.2, 35.9}},
     {{0.48, 0.48, 0.48, 0.70, 0.58}, {0.75, 0.75, 0.76, 0.79, 0.81}, {0.83, 0.83, 0.84, 0.83, 0.97}}},
    {{16, 4, 32, 24, 0.1, 0.4},
     25,
     {{27.8, 30.4, 27.8, 27.5, 20.0}, {63.3, 60.9, 59.0, 53.9, 39.2}, {82.9, 77.9, 78.1, 70.8, 52.7}},
     {{0.98, 0.99, 0.92, 1.22, 0.58}, {1.76, 1.78, 1.81, 2.41, 1.16}, {1.60, 1.88, 1.72, 2.31, 1.27}}},
    {{64, 4, 300, 24, 0.1, 0.4},
     8,
     {{100.5, 100.0, 99.7, 97.4, 64.3}, {132.5, 132.0, 132.0, 129.9, 94.5}, {139.0, 138.6, 138.4, 136.9, 105.6}},
     {{1.57, 1.62, 1.51, 2.22, 1.37}, {2.50, 2.61, 2.54, 3.13, 2.18}, {2.82, 2.91, 2.90, 3.33, 3.04}}},
};

static const struct rlspa_table OTHERS = {SENSITIVITY_SERIES, SENSITIVITY_X, 15};

static int sensitivity_drop(const struct study_run *run, void *worker, uint64_t drop, double *row)
{
    const int n_x = OTHERS.n_x;
    struct rlspa_worker *const w = worker;
    for (int i = 0; i < N_SENSITIVITY * n_x; i++) {
        row[i] = NAN;
    }
    for (size_t s = 0; s < sizeof SENSITIVITY / sizeof *SENSITIVITY; s++) {
        if (drop >= (uint64_t)SENSITIVITY[s].drops) {
            continue;
        }
        const int status = rlspa_worker_begin(w, run, &SENSITIVITY[s].set, drop);
        if (status) {
            return status;
        }
        for (int snr = 0; snr < 3; snr++) {
            double *const at = row + 3 * s + snr;
            rlspa_drop_schedule(&w->drop, 10 * snr, RLSPA_DROP_CESG);
            at[SE_EPA * n_x] = rlspa_worker_logdet(w, rlspa_worker_equal(w));
            at[SE_WC * n_x] = rlspa_worker_logdet(w, rlspa_worker_block(w, BLOCK_WC));
            at[SE_WIENER * n_x] = rlspa_worker_logdet(w, rlspa_worker_block(w, BLOCK_WIENER));
            at[SE_GDPA * n_x] = rlspa_worker_logdet(w, rlspa_worker_descent(w, false, false));
            at[SE_GAUSS * n_x] = rlspa_worker_symbol_rate(w, 0, 1, LINKS_PAPER);
            at[SE_QPSK * n_x] = rlspa_worker_symbol_rate(w, 1, 1, LINKS_PAPER);
            at[SE_WMMSE * n_x] = rlspa_worker_logdet(w, rlspa_worker_wmmse(w));
        }
    }
    return 0;
}

static void sensitivity_evaluate(struct study_run *run)
{
    rlspa_table_panel(run, &OTHERS, 0, N_SENSITIVITY, "sum rate (3)", "100 setting + SNR dB", "bit/s/Hz");
    for (int x = 1; x < OTHERS.n_x; x += 3) {
        const double below = rlspa_table_below(run, &OTHERS, SE_GAUSS, SE_WIENER, x);
        study_check(run, below > 0.9, below, "drops with RLSPA Gaussian below wiener, setting %d, 10 dB: > 0.9", x / 3);
    }
    for (int x = 0; x < OTHERS.n_x; x++) {
        for (int series = 0; series <= SE_GAUSS; series++) {
            figure_check_near(run, rlspa_table_mean(run, &OTHERS, series, x), SENSITIVITY[x / 3].want[x % 3][series],
                              SENSITIVITY[x / 3].half[x % 3][series] / 1.96, "%s, setting %d, %d dB",
                              OTHERS.series[series], x / 3, 10 * (x % 3));
        }
    }
}

static const char *const SENSITIVITY_CAVEATS[] = {
    "x = 100 * setting + SNR: 0 alpha=0.01, 1 alpha=0.3, 2 n=8, 3 K=32 and n=24, 4 L=64, K=300 and n=24 (8 drops); "
    "--set changes nothing here.",
    "RLSPA with Gaussian symbols is below GDPA in every setting but single drops of K=32, n=24.", NULL};

static const char *const SENSITIVITY_CHECKS[] = {
    "means of EPA, wc, wiener, GDPA, RLSPA Gaussian within 4 standard errors of the reference in 5 settings",
    "RLSPA Gaussian below block wiener in 90 % of drops", NULL};

const struct study STUDY_RLSPA_SENSITIVITY = {.name = "rlspa-sensitivity",
                                              .item = "RLSPA, other sizes",
                                              .summary = "alpha, n, K, L other than in Fig. 1",
                                              .duration = 'M',
                                              .n_drop = 25,
                                              .n_quick = 2,
                                              .n_value = N_SENSITIVITY * 15,
                                              .parameters = PARAMETERS,
                                              .caveats = SENSITIVITY_CAVEATS,
                                              .checks = SENSITIVITY_CHECKS,
                                              RLSPA_STUDY,
                                              .drop = sensitivity_drop,
                                              .evaluate = sensitivity_evaluate};
