/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef TUTTI_TESTS_GOLDEN_SPZF_H
#define TUTTI_TESTS_GOLDEN_SPZF_H

#include <jansson.h>
#include <stddef.h>

/* Checks one case of the phase-only zero-forcing schema (spec spzf 10: kinds polygon, partition, solve, infeasible,
 * secrecy). 1 = pass, 0 = fail, -1 = some other schema; detail gets one line saying what was found. */
int golden_spzf(const json_t *root, char *detail, size_t detail_size);

#endif
