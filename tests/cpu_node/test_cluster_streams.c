/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What users of clusters get, against drawn channels: the mean power of their own stream over that of everything else.
 */
#include "channel/random.h"
#include "cpu_node/cluster_streams.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { L = 4, N = 2, K = 3, DRAWS = 40000 };

static const struct mimo_shape SHAPE = {L, N, K};
static const uint8_t SERVES[L * K] = {1, 0, 1, 0, 1, 0, 1, 1, 0, 0, 0, 1};
static const uint8_t AP[L] = {1, 1, 1, 0}, UE[K] = {1, 1, 1}, ONE_LESS[K] = {1, 0, 1};
static tutti_cf32 H[L * N * K], W[L * N * K];
static float error[L * K];
static const float POWER[L] = {1, 1, 1, 1};

static tutti_cf32 draw(uint64_t seed, int i, float scale)
{
    float re, im;
    random_normal(seed, (uint64_t)i, &re, &im);
    return CMPLXF(scale * re, scale * im);
}

static void fill(void)
{
    for (int i = 0; i < L * N * K; i++) {
        H[i] = draw(1, i, 2);
        W[i] = draw(2, i, 0.3f);
    }
    for (int i = 0; i < L * K; i++) {
        error[i] = 0.2f + (float)i * 0.1f;
    }
}

static void nothing_is_sent_outside(void **state)
{
    (void)state;
    fill();
    cluster_streams_mask(&SHAPE, SERVES, W);
    for (int i = 0; i < L * N * K; i++) {
        assert_true((W[i] != 0.0f) == (SERVES[i / (N * K) * K + i % K] != 0));
    }
}

static void means_are_those_of_draws(void **state)
{
    (void)state;
    double work[5 * K];
    float sinr[K];
    for (int c = 0; c < 2; c++) {
        const uint8_t *const ue = c ? ONE_LESS : UE;
        double own[K] = {0}, others[K] = {0};
        fill();
        cluster_streams_mask(&SHAPE, SERVES, W);
        const struct mimo_channel channel = {
            .H_hat = H, .error_variance = error, .ap_power = POWER, .ap_active = AP, .ue_active = ue, .serves = SERVES};
        cluster_streams_sinr(&SHAPE, &channel, W, work, sinr);
        for (int d = 0; d < DRAWS; d++) {
            for (int k = 0; k < K; k++) {
                tutti_cf32 heard[K] = {0};
                for (int r = 0; r < L * N; r++) {
                    const float spread = sqrtf(error[r / N * K + k] / 2);
                    const tutti_cf32 h = H[r * K + k] + draw(3 + (uint64_t)d, r * K + k, spread);
                    for (int j = 0; j < K && AP[r / N]; j++) {
                        heard[j] += ue[j] ? conjf(h) * W[r * K + j] : 0;
                    }
                }
                for (int j = 0; j < K; j++) {
                    const double power = (double)(cabsf(heard[j]) * cabsf(heard[j])) / DRAWS;
                    own[k] += j == k ? power : 0;
                    others[k] += j == k ? 0 : power;
                }
            }
        }
        for (int k = 0; k < K; k++) {
            assert_true(ue[k] ? fabs((double)sinr[k] / (own[k] / (1 + others[k])) - 1) < 0.03 : sinr[k] == 0.0f);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_sent_outside),
        cmocka_unit_test(means_are_those_of_draws),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
