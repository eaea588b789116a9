/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "../mimo/reference.h"
#include "baton.h"
#include "bench_mimo.h"
#include "row.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N_SB = 104, N_ALONE = 4, ROUNDS = 15, MAX_COLUMN = MIMO_N_SCHEMES + 1 };

/* Cost of one subband of every scheme in one run, turn by turn, with the ladder's rung below it: "of_below" under 1 is
 * a rung that stepping down to does not make cheaper. "ratio" is how many times faster it is than the same subband
 * alone in double precision, "of_copy" the share of the copy bandwidth if channels were read and precoders written
 * once. The channels are cell-free drops in one large-scale situation; all but the estimates is one array, as in the
 * central node. */
struct column {
    enum mimo_scheme scheme;
    enum mimo_power power;
    const char *about;
    double us[ROUNDS], alone_us[ROUNDS];
};

static void set_up(struct channel_case *c, struct mimo_channel *channels, struct mimo_solution *solutions, int n_ap,
                   int n_ant, int n_ue)
{
    struct random random = {79};
    tutti_cf32 *truth = calloc((size_t)(n_ap * n_ant) * (size_t)n_ue, sizeof *truth);
    if (!truth) {
        abort();
    }
    for (int b = 0; b < N_SB; b++) {
        case_create_cell_free(&c[b], &random, n_ap, n_ant, n_ue, n_ue, truth);
        for (int i = 0; i < n_ap * n_ant * n_ue && b > 0; i++) { /* the first one's statistics, fading of its own */
            const int mk = i / (n_ant * n_ue) * n_ue + i % n_ue;
            const double gamma = (double)c[0].beta[mk] - (double)c[0].E[mk];
            c[b].H[i] = (tutti_cf32)(sqrt(gamma) * random_cn(&random));
        }
        channels[b] = c[b].channel;
        channels[b].error_variance = c[0].E;
        channels[b].beta = c[0].beta;
        channels[b].ap_power = c[0].channel.ap_power;
        channels[b].ap_active = c[0].channel.ap_active;
        channels[b].ue_active = c[0].channel.ue_active;
        solutions[b] = c[b].solution;
    }
    free(truth);
}

/* In turn with another build a quick run would be two rounds, too few to tell. */
static int n_rounds(void)
{
    return baton_is_open() ? ROUNDS : row_rounds(ROUNDS);
}

static double median_ratio(const double *over, const double *under)
{
    double ratio[ROUNDS];
    const int n = n_rounds();
    for (int r = 0; r < n; r++) {
        ratio[r] = over[r] / under[r];
    }
    return measure_summary(ratio, n).median_us;
}

/* The column of the rung below; NULL for the last one and for what is not on the ladder. */
static const struct column *below(const struct column *columns, int n, const struct column *column)
{
    const enum mimo_scheme rung = mimo_scheme_below(column->scheme);
    for (int i = 0; i < n && rung != column->scheme; i++) {
        if (columns[i].scheme == rung && columns[i].about[0] == '\0') {
            return &columns[i];
        }
    }
    return NULL;
}

static int list(struct column *columns, enum mimo_power power)
{
    static const enum mimo_scheme order[] = {MIMO_OB, MIMO_RZF, MIMO_ZF, MIMO_PPZF, MIMO_PZF, MIMO_CB};
    int n = 0;
    for (size_t s = 0; s < sizeof order / sizeof *order; s++) {
        columns[n++] =
            (struct column){.scheme = order[s], .power = mimo_power_on_rung(MIMO_OB, order[s], power), .about = ""};
    }
    if (power == MIMO_POWER_MAXMIN) { /* asked for, not stepped down to */
        columns[n++] = (struct column){.scheme = MIMO_CB, .power = power, .about = " per AP and user"};
    }
    return n;
}

static void run_rounds(precoder_t *precoder, struct column *columns, int n, const struct mimo_channel *channels,
                       struct mimo_solution *solutions)
{
    for (int round = 0; round < n_rounds(); round++) {
        baton_pass();
        for (int i = 0; i < n; i++) {
            struct column *column = &columns[i];
            const int n_sb = column->scheme == MIMO_OB ? N_ALONE : N_SB; /* it goes subband by subband */
            double start = measure_us();
            precoder_execute_batch(precoder, column->scheme, column->power, n_sb, channels, solutions);
            column->us[round] = (measure_us() - start) / n_sb;
            start = measure_us();
            for (int s = 0; s < (baton_is_open() ? 1 : N_ALONE); s++) {
                precoder_execute(precoder, column->scheme, column->power, &channels[s], &solutions[s]);
            }
            column->alone_us[round] = (measure_us() - start) / (baton_is_open() ? 1 : N_ALONE);
        }
    }
}

static void show(const struct column *columns, int n, const struct kernel_ops *ops, double bytes)
{
    const double copy_gb_s = measure_copy_gb_s(1 << 20);
    for (int i = 0; i < n; i++) {
        const struct column *column = &columns[i], *rung = below(columns, n, column);
        double us[ROUNDS];
        char name[64];
        memcpy(us, column->us, sizeof us);
        const struct measure_times t = measure_summary(us, n_rounds());
        const double median_us = t.median_us;
        snprintf(name, sizeof name, "%s%s, %s", mimo_scheme_name((int)column->scheme), column->about, ops->name);
        row_samples("best_us", n_rounds(), column->us);
        ROW(name, {"best_us", t.best_us}, {"median_us", median_us},
            {"ratio", median_ratio(column->alone_us, column->us)},
            {"of_below", rung ? median_ratio(column->us, rung->us) : NAN},
            {"of_copy", bytes / median_us / 1e3 / copy_gb_s});
    }
}

void bench_ladder(int n_ap, int n_ant, int n_ue, enum mimo_power power)
{
    static struct channel_case c[N_SB];
    static struct mimo_channel channels[N_SB];
    static struct mimo_solution solutions[N_SB];
    static struct column columns[MAX_COLUMN];
    set_up(c, channels, solutions, n_ap, n_ant, n_ue);
    row_section("ladder, M=%d N=%d K=%d, %s, per subband", n_ap, n_ant, n_ue, mimo_power_name((int)power));
    for (int v = 0; kernel_variant(v); v++) {
        precoder_t *precoder;
        kernel_select(kernel_variant(v));
        if (precoder_create(&precoder, &c[0].shape)) {
            abort();
        }
        const int n = list(columns, power);
        run_rounds(precoder, columns, n, channels, solutions);
        show(columns, n, kernel_variant(v), 16.0 * n_ap * n_ant * n_ue);
        precoder_destroy(precoder);
    }
    kernel_select(NULL);
    for (int b = 0; b < N_SB; b++) {
        case_destroy(&c[b]);
    }
}
