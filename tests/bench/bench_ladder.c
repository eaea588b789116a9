/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "../mimo/reference.h"
#include "bench_mimo.h"
#include "row.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { N_SB = 104, ROUNDS = 30 };

/* Cost of one subband of every scheme in one run, turn by turn, with the ladder's rung below it: "of_below" under 1 is
 * a rung that stepping down to does not make cheaper. The channels are cell-free drops in one large-scale situation. */
struct column {
    bool measured;
    double us[ROUNDS];
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
        solutions[b] = c[b].solution;
    }
    free(truth);
}

static double median(const struct column *column)
{
    double us[ROUNDS];
    for (int r = 0; r < ROUNDS; r++) {
        us[r] = column->us[r];
    }
    return measure_summary(us, ROUNDS).median_us;
}

/* The median over the rounds of what a scheme takes over what its rung below takes in the same round. */
static double of_below(const struct column *columns, int scheme)
{
    const int below = (int)mimo_scheme_below((enum mimo_scheme)scheme);
    double ratio[ROUNDS];
    if (below == scheme || !columns[below].measured) {
        return NAN;
    }
    for (int r = 0; r < ROUNDS; r++) {
        ratio[r] = columns[scheme].us[r] / columns[below].us[r];
    }
    return measure_summary(ratio, ROUNDS).median_us;
}

void bench_ladder(int n_ap, int n_ant, int n_ue, enum mimo_power power)
{
    static struct channel_case c[N_SB];
    static struct mimo_channel channels[N_SB];
    static struct mimo_solution solutions[N_SB];
    static const enum mimo_scheme order[] = {MIMO_OB, MIMO_RZF, MIMO_ZF, MIMO_PPZF, MIMO_PZF, MIMO_CB};
    struct column columns[MIMO_N_SCHEMES] = {{0}};
    precoder_t *precoder;
    set_up(c, channels, solutions, n_ap, n_ant, n_ue);
    if (precoder_create(&precoder, &c[0].shape)) {
        abort();
    }
    for (int round = 0; round < ROUNDS; round++) {
        for (size_t s = 0; s < sizeof order / sizeof *order; s++) {
            const int n_sb = order[s] == MIMO_OB ? 4 : N_SB; /* it goes subband by subband */
            const double start = measure_us();
            precoder_execute_batch(precoder, order[s], power, n_sb, channels, solutions);
            columns[order[s]].us[round] = (measure_us() - start) / n_sb;
            columns[order[s]].measured = true;
        }
    }
    row_section("ladder, M=%d N=%d K=%d, %s, per subband", n_ap, n_ant, n_ue, mimo_power_name((int)power));
    for (size_t s = 0; s < sizeof order / sizeof *order; s++) {
        char name[64];
        snprintf(name, sizeof name, "%s, %s", mimo_scheme_name((int)order[s]), kernel_get()->name);
        ROW(name, {"median_us", median(&columns[order[s]])}, {"of_below", of_below(columns, (int)order[s])});
    }
    precoder_destroy(precoder);
    for (int b = 0; b < N_SB; b++) {
        case_destroy(&c[b]);
    }
}
