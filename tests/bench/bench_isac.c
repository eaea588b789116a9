/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Processor time of a full decision, modes and powers, of communication and sensing beside the paper's successive
 * approximation by Ipopt, on the same drops in the same run, and what each reaches. Objectives: CP the users' least
 * SINR, more is better; SP the eavesdroppers' largest, less is better. better: fast over SCA in CP, SCA over fast in
 * SP, 1 or more when the fast method is as good. */
#include "../isac/drop.h"
#include "baton.h"
#include "isac/modes.h"
#include "measure.h"
#include "row.h"
#ifdef TUTTI_IPOPT
#include "isac/sca.h"
#endif

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { MOST_DROPS = 40, REPEAT = 3 };
static const struct isac_limits LIMITS = {1.584893192461, 0.5, 2.51188643150958};
static const char *const EFFORTS[] = {"prefixes", "flips", "flips and swaps"};

struct bench {
    isac_modes_t *modes;
    unsigned char mode[DROP_AP];
    double eta_c[DROP_AP * DROP_UE], eta_s[DROP_AP * DROP_ZONE];
    struct drop drop;
};

/* The paper's method: processor time and objective, NaN without Ipopt or modes. */
static void approximate(struct bench *b, enum isac_objective objective, uint64_t seed, double *us, double *reached)
{
    *us = *reached = NAN;
#ifdef TUTTI_IPOPT
    if (row_rounds(8) == 1) { /* --quick: half a minute of what is not ours */
        return;
    }
    isac_sca_t *sca;
    struct isac_sca_result result;
    const double begin = measure_us();
    if (!isac_sca_create(&sca, DROP_AP, DROP_UE, DROP_ZONE) &&
        !isac_sca_run(sca, &b->drop.scene, &LIMITS, objective, seed, NULL, NULL, b->mode, b->eta_c, b->eta_s,
                      &result)) {
        *us = measure_us() - begin;
        *reached = result.prefix.objective;
    }
    isac_sca_destroy(sca);
#else
    (void)b, (void)objective, (void)seed;
#endif
}

static void one_drop(struct bench *b, enum isac_objective objective, uint64_t seed)
{
    double sca_us, sca;
    char name[64];
    drop_make(&b->drop, seed, 500, DROP_AP, 8, DROP_UE, DROP_ZONE);
    approximate(b, objective, seed, &sca_us, &sca);
    for (int effort = ISAC_PREFIXES; effort <= ISAC_SWAPS; effort++) {
        struct isac_decision d;
        double us = INFINITY, all_us[REPEAT];
        measure_count(true);
        for (int i = 0; i < REPEAT; i++) {
            baton_pass();
            const double begin = measure_us();
            isac_modes_search(b->modes, &b->drop.scene, &LIMITS, objective, (enum isac_effort)effort, b->mode, b->eta_c,
                              b->eta_s, &d);
            all_us[i] = measure_us() - begin;
            us = fmin(us, all_us[i]);
        }
        measure_count(false);
        snprintf(name, sizeof name, "%s, drop %d, %s", objective == ISAC_CP ? "CP" : "SP", (int)seed, EFFORTS[effort]);
        row_samples("best_us", REPEAT, all_us);
        const double reached = d.solution.objective;
        ROW(name, {"best_us", us}, {"solves", d.solves}, {"reached", reached}, {"bound", d.bound}, {"sca_us", sca_us},
            {"sca_reached", sca}, {"better", objective == ISAC_CP ? reached / sca : sca / reached},
            {"time_ratio", sca_us / us}, {"allocations", (double)measure_allocations()});
    }
}

int main(int argc, char **argv)
{
    static struct bench b;
    row_open(&argc, argv);
    const int n = argc > 1 ? atoi(argv[1]) : 1;
    if (n < 1 || n > MOST_DROPS) {
        fprintf(stderr, "usage: bench_isac [--json] [drops, 1 to %d]\n", MOST_DROPS);
        return 2;
    }
    if (isac_modes_create(&b.modes, DROP_AP, DROP_UE, DROP_ZONE)) {
        fprintf(stderr, "bench_isac: out of memory\n");
        return 1;
    }
    row_section("modes and powers, %d APs x 8, %d users, %d zones, beside the SCA by Ipopt", DROP_AP, DROP_UE,
                DROP_ZONE);
    for (int i = 1; i <= n; i++) {
        one_drop(&b, ISAC_CP, (uint64_t)i);
        one_drop(&b, ISAC_SP, (uint64_t)i);
    }
    isac_modes_destroy(b.modes);
    return 0;
}
