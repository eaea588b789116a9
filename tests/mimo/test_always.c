/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Whatever comes in, every precoder of the table writes a finite W within the budgets, or leaves users out and says
 * why: scales from 1e-30 to 1e30 of channels and budgets, masks, users without a channel, identical users, users far
 * apart, one by one and in batches. */
#include "base/error.h"
#include "reference.h"
#include "sanitized.h"

#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { N_SB = 5, N_SEED = 12 };

static const int SHAPES[][3] = {{1, 1, 1}, {4, 2, 3}, {2, 6, 5}, {6, 1, 6}, {3, 4, 9}};
static const double SCALES[] = {1e-30, 1e-21, 1e-15, 1e-5, 1, 1e5, 1e15, 1e30};
enum { N_SHAPES = sizeof SHAPES / sizeof *SHAPES, N_SCALES = sizeof SCALES / sizeof *SCALES };

static float clamp(double x)
{
    return (float)fmin(x, 1e37);
}

/* One spoilt case: the seed decides what is wrong with it. */
static void spoil(struct channel_case *c, struct random *random, double scale, double budget, int kind)
{
    const int m_max = c->shape.n_ap, n = c->shape.n_ant, k_max = c->shape.n_ue;
    for (int i = 0; i < m_max * n * k_max; i++) {
        c->H[i] *= (float)scale;
    }
    for (int i = 0; i < m_max * k_max; i++) {
        c->E[i] = clamp((double)c->E[i] * scale * scale);
        c->beta[i] = clamp((double)c->beta[i] * scale * scale);
    }
    for (int m = 0; m < m_max; m++) {
        c->P[m] = (float)(budget * (0.1 + random_uniform(random)));
        c->ap_active[m] = !(kind & 1) || random_uniform(random) < 0.7;
    }
    for (int k = 0; k < k_max; k++) {
        const double draw = random_uniform(random);
        c->ue_active[k] = !(kind & 2) || random_uniform(random) < 0.7;
        for (int r = 0; r < m_max * n; r++) {
            tutti_cf32 *const h = &c->H[r * k_max + k];
            if (kind & 4 && draw < 0.3) {
                *h = c->H[r * k_max]; /* like user 0 */
            } else if (kind & 4 && draw < 0.6) {
                *h = draw < 0.5 ? 0 : *h * 1e-6f;
            }
        }
    }
    c->channel.beta = kind & 8 ? c->beta : NULL;
}

static void check(const struct channel_case *c, enum mimo_scheme scheme, enum mimo_power power,
                  const struct mimo_solution *s, const char *what)
{
    const double excess = mimo_holds_mean(scheme, power) ? MIMO_PEAK_RATIO - 1 : 0;
    bool right = plain_finite(c, s->W) && plain_excess(c, s->W) <= excess + 1e-6;
    bool all_served = true;
    for (int k = 0; k < c->shape.n_ue; k++) {
        right = right && isfinite(s->sinr[k]) && s->sinr[k] >= 0 && (c->ue_active[k] || s->sinr[k] == 0);
        /* the SINR may be too small for single precision, not for double */
        all_served = all_served && (!c->ue_active[k] || plain_sinr(c, s->W, k) > 0);
    }
    const bool one_only = mimo_scheme_row((int)scheme)->kind == MIMO_PHASE;
    right = right && (s->reason != MIMO_REASON_ASKED || all_served || one_only);
    if (!right) {
        fprintf(stderr, "%s: scheme %s, power %s, reason %d, excess %g\n", what, mimo_scheme_name((int)scheme),
                mimo_power_name((int)power), s->reason, plain_excess(c, s->W));
        fail();
    }
}

static void run(struct channel_case *c, const char *what)
{
    precoder_t *precoder;
    struct mimo_channel channels[N_SB];
    struct mimo_solution solutions[N_SB];
    assert_int_equal(precoder_create(&precoder, &c[0].shape), 0);
    for (int scheme = 0; scheme < MIMO_N_SCHEMES; scheme++) {
        for (int power = 0; power < MIMO_N_POWERS; power++) {
            if (!mimo_scheme_allows(scheme, power)) {
                continue;
            }
            for (int b = 0; b < N_SB; b++) {
                memset(c[b].solution.W, 0xff, sizeof *c[b].solution.W);
                const int rc = precoder_execute(precoder, (enum mimo_scheme)scheme, (enum mimo_power)power,
                                                &c[b].channel, &c[b].solution);
                assert_int_equal(rc, c[b].solution.reason == MIMO_REASON_ASKED ? 0 : TUTTI_ENUMERIC);
                check(&c[b], (enum mimo_scheme)scheme, (enum mimo_power)power, &c[b].solution, what);
                channels[b] = c[b].channel;
                solutions[b] = c[b].solution;
            }
            precoder_execute_batch(precoder, (enum mimo_scheme)scheme, (enum mimo_power)power, N_SB, channels,
                                   solutions);
            for (int b = 0; b < N_SB; b++) {
                check(&c[b], (enum mimo_scheme)scheme, (enum mimo_power)power, &solutions[b], what);
            }
        }
    }
    precoder_destroy(precoder);
}

static void always_finite_and_feasible_or_a_reason(void **state)
{
    (void)state;
    static struct channel_case c[N_SB];
    for (int i = 0; i < N_SHAPES * N_SCALES * N_SEED;
         i += SANITIZED ? 7 : 1) { /* of every shape, scale and seed some */
        const int shape = i % N_SHAPES, scale = i / N_SHAPES % N_SCALES, seed = i / N_SHAPES / N_SCALES;
        static const double budgets[] = {1, 1e-10, 1e10, 1};
        struct random random = {1000 + (uint64_t)i};
        char what[128];
        snprintf(what, sizeof what, "case %d: %d x %d antennas, %d users, scale %g, seed %d", i, SHAPES[shape][0],
                 SHAPES[shape][1], SHAPES[shape][2], SCALES[scale], seed);
        for (int b = 0; b < N_SB; b++) {
            const int kind = seed % 2 ? (int)(16 * random_uniform(&random)) : 15 * (seed % 3 == 0) + (seed == 2) * 8;
            case_create(&c[b], &random, SHAPES[shape][0], SHAPES[shape][1], SHAPES[shape][2], 0, seed > 6 ? 60 : 10,
                        seed % 4 ? 0.1 : 0);
            spoil(&c[b], &random, SCALES[scale], budgets[seed % 4], b ? kind & 12 : kind); /* most share their masks */
        }
        run(c, what);
        for (int b = 0; b < N_SB; b++) {
            case_destroy(&c[b]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(always_finite_and_feasible_or_a_reason),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
