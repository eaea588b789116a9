/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Nothing on the block path allocates: the linker routes the library's malloc-family calls through counters here. */
#include "mimo/apply.h"
#include "mimo/ppzf.h"
#include "reference.h"
#include "wrapped_malloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

enum { N_SB = 20 };

static void execute_does_not_allocate(void **state)
{
    (void)state;
    struct random random = {51};
    static struct channel_case c[N_SB];
    struct mimo_channel channels[N_SB];
    struct mimo_solution solutions[N_SB];
    for (int b = 0; b < N_SB; b++) {
        case_create(&c[b], &random, 6, 4, 3, 20, 30, b % 2 ? 0.1 : 0);
        channels[b] = c[b].channel;
        solutions[b] = c[b].solution;
    }
    for (int r = 0; r < 24; r++) {
        c[4].H[r * 3 + 1] = c[4].H[r * 3]; /* one subband takes the fallback */
    }
    n_allocated = 0;
    precoder_t *precoder;
    assert_int_equal(precoder_create(&precoder, &c[0].shape), 0);
    assert_true(n_allocated > 0); /* the counters work */
    n_allocated = 0;
    for (int scheme = 0; scheme < MIMO_N_SCHEMES; scheme++) {
        for (int power = 0; power < MIMO_N_POWERS; power++) {
            precoder_execute_batch(precoder, (enum mimo_scheme)scheme, (enum mimo_power)power, N_SB, channels,
                                   solutions);
        }
    }
    for (int b = 0; b < N_SB; b++) { /* clusters go in lanes where all but the estimates is shared */
        channels[b] = c[0].channel;
        channels[b].H_hat = c[b].H;
        channels[b].beta = c[0].beta;
    }
    precoder_execute_batch(precoder, MIMO_P_MMSE, MIMO_POWER_FRACTIONAL, N_SB, channels, solutions);
    assert_int_equal(n_allocated, 0);
    tutti_cf32 V[12 * 4], x[12 * 4], symbols[12] = {1};
    const tutti_cf32 *const streams[3] = {symbols, symbols, symbols};
    apply_local_cb(1, 4, 3, c[0].H, V);
    apply_streams(1, 12, 4, 3, V, streams, x);
    assert_int_equal(n_allocated, 0);
    precoder_destroy(precoder);
    for (int b = 0; b < N_SB; b++) {
        case_destroy(&c[b]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(execute_does_not_allocate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
