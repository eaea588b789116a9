/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Promise: check(H, beam) <= 1e-12 whenever no outage is flagged, on random channels of every size partitions work for.
 * test_spzf_residual [--trials T] [--seed S]; T channels per (K, N). ctest runs few, the full run is 100000. */
#include "mimo/secrecy.h"
#include "mimo/spzf.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_N = 81, MAX_K = 4 };

struct tally {
    int n_outage, n_lm, n_broken;
    double worst;
};

static int run(int n_user, int n_ant, int trials, uint64_t seed, struct tally *tally)
{
    static double complex H[MAX_K * MAX_N], beam[MAX_N];
    struct spzf_settings settings = spzf_settings_default(SPZF_PLUS, n_ant, n_user);
    struct splitmix rng = splitmix_make(seed, (uint64_t)(n_user * 1000 + n_ant));
    spzf_t *spzf;
    if (spzf_create(&spzf, &settings)) {
        return -1;
    }
    for (int t = 0; t < trials; t++) {
        struct spzf_result result;
        secrecy_rayleigh(&rng, n_user, n_ant, H);
        spzf_execute(spzf, H, beam, &result);
        double check = spzf_check(n_user, n_ant, H, beam);
        bool unit = true;
        for (int n = 0; n < n_ant; n++) {
            unit = unit && fabs(cabs(beam[n]) - 1.0) < 1e-13;
        }
        tally->n_lm += result.source == SPZF_BY_LM;
        tally->n_outage += result.outage != 0;
        tally->n_broken += !unit || !isfinite(check) || (!result.outage && check > SPZF_RESIDUAL_LIMIT);
        if (!result.outage) {
            tally->worst = fmax(tally->worst, check);
        }
    }
    spzf_destroy(spzf);
    return 0;
}

int main(int argc, char **argv)
{
    int trials = 300, n_broken = 0;
    uint64_t seed = 1;
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--trials") == 0) {
            trials = atoi(argv[i + 1]);
        } else if (strcmp(argv[i], "--seed") == 0) {
            seed = strtoull(argv[i + 1], NULL, 10);
        }
    }
    printf("%d channels per size\n  K   N  outages   by LM   broken  worst residual\n", trials);
    for (int n_user = 2; n_user <= 4; n_user++) {
        int first = n_user == 2 ? 9 : n_user == 3 ? 27 : 81, last = n_user == 4 ? 81 : 64;
        for (int n_ant = first; n_ant <= last; n_ant++) {
            struct tally tally = {0};
            if (run(n_user, n_ant, trials, seed, &tally)) {
                fprintf(stderr, "cannot create K=%d N=%d\n", n_user, n_ant);
                return 2;
            }
            printf("%3d %3d %8d %7d %8d  %.2e\n", n_user, n_ant, tally.n_outage, tally.n_lm, tally.n_broken,
                   tally.worst);
            n_broken += tally.n_broken;
        }
    }
    printf("%d broken promises\n", n_broken);
    return n_broken > 0;
}
