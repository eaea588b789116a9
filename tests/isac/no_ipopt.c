/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Stands for test_sca where Ipopt is not installed. */
#include "skip.h"

int main(void)
{
    puts("SKIPPED: test_sca: Ipopt is not installed (coinor-libipopt-dev)");
    return SKIP_STATUS;
}
