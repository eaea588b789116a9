/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Stands for test_gap_reference where Ipopt is not installed. */
#include "skip.h"

int main(void)
{
    puts("SKIPPED: test_gap_reference: Ipopt is not installed (coinor-libipopt-dev)");
    return SKIP_STATUS;
}
