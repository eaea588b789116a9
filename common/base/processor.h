/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Whether this processor has the instructions that the programs are built for (TUTTI_ARCH). Every program that links
 * tutti_base checks before main and before other constructors, and ends with a sentence and status 1 instead of an
 * illegal instruction; no call is needed. The kernels' wider instructions are chosen at run time and need no check. */
#ifndef TUTTI_BASE_PROCESSOR_H
#define TUTTI_BASE_PROCESSOR_H

#include <stdbool.h>
#include <stdint.h>

/* CPUID: leaf 1 ecx, leaf 7 ebx, leaf 0x80000001 ecx. */
struct processor_features {
    uint32_t basic, structured, extended;
};

/* What a level of x86-64 (1 to 3: x86-64, -v2, -v3) has and these features lack first; NULL if nothing. */
const char *processor_lacks(const struct processor_features *features, int level);
/* 0, or -1 after a sentence on standard error. Safe on any x86-64; elsewhere always 0. */
int processor_check(void);
/* Whether the check before main took place. */
bool processor_checked(void);

#endif
