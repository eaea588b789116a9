/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Times the precoders on this processor, one row per kernel variant: batched zero-forcing against a LAPACK call per
 * matrix (OpenBLAS on one thread), and the max-min optimum per subband. Times are processor time of the thread. */
#include "bench_mimo.h"

#include "row.h"

#include <cblas.h>
#include <stdio.h>
#include <string.h>

/* The ceilings of the sections below: "of_peak" is a share of the first two, "of_copy" of the last. */
static void bench_processor(void)
{
    row_section("this processor");
    for (int v = 0; kernel_variant(v); v++) {
        const struct kernel_ops *ops = kernel_variant(v);
        ROW(ops->name, {"lanes", ops->n_lane}, {"single_gflop_s", measure_peak_g_s(ops->name, MEASURE_SINGLE)},
            {"double_gflop_s", measure_peak_g_s(ops->name, MEASURE_DOUBLE)},
            {"copy_32KiB_gb_s", measure_copy_gb_s(16384)}, {"copy_2MiB_gb_s", measure_copy_gb_s(1 << 20)},
            {"copy_64MiB_gb_s", measure_copy_gb_s(1 << 25)});
    }
}

static void bench_ladders(void)
{
    static const int ladders[][3] = {{4, 4, 4}, {16, 4, 8}, {64, 4, 8}, {64, 4, 32}};
    for (size_t i = 0; i < sizeof ladders / sizeof *ladders; i++) {
        bench_ladder(ladders[i][0], ladders[i][1], ladders[i][2], MIMO_POWER_MAXMIN);
        bench_ladder(ladders[i][0], ladders[i][1], ladders[i][2], MIMO_POWER_EQUAL);
    }
}

/* "ladder": its rows alone; `bench_mimo --json ladder` writes tests/cpu_node/ladder_costs.jsonl. */
int main(int argc, char **argv)
{
    row_open(&argc, argv);
    openblas_set_num_threads(1);
    if (argc > 1 && strcmp(argv[1], "ladder") == 0) {
        bench_ladders();
        return 0;
    }
    bench_processor();
    bench_zf(32, 1, 8);
    bench_zf(16, 4, 16);
    bench_ladders();
    bench_ob(64, 1, 8, 1e-2, true);
    bench_ob(64, 1, 8, 1e-3, true);
    bench_ob(8, 4, 8, 1e-2, false);
    bench_ob(100, 1, 40, 1e-2, false);
    return 0;
}
