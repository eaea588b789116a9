/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Execute of every method, fallback and certificate included, calls nothing of the malloc family. */
#include "interposed_malloc.h"
#include "mimo/secrecy.h"
#include "mimo/spzf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static void test_execute_does_not_allocate(void **state)
{
    (void)state;
    static const int shapes[][2] = {{2, 9}, {2, 16}, {2, 4}, {3, 30}, {4, 12}};
    static double complex H[4 * 30], beam[30];
    struct splitmix rng = splitmix_make(41, 1);
    count_start();
    for (int m = SPZF_RANDOM; m <= SPZF_LM; m++) {
        for (size_t s = 0; s < sizeof(shapes) / sizeof(*shapes); s++) {
            struct spzf_settings settings = spzf_settings_default((enum spzf_method)m, shapes[s][1], shapes[s][0]);
            spzf_t *spzf;
            settings.fallback = true;
            settings.n_starts = 2;
            assert_int_equal(spzf_create(&spzf, &settings), 0);
            for (int t = 0; t < (m == SPZF_GENETIC ? 2 : 40); t++) {
                secrecy_rayleigh(&rng, shapes[s][0], shapes[s][1], H);
                H[t % shapes[s][1]] *= t % 4 ? 1.0 : 100.0; /* some infeasible */
                long before = n_calls;
                spzf_execute(spzf, H, beam, NULL);
                assert_int_equal(n_calls, before);
            }
            spzf_destroy(spzf);
        }
    }
    assert_true(n_calls > 1000); /* the creates and destroys were counted: the counter works */
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_execute_does_not_allocate)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
