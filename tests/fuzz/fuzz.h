/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a fuzz target gives: libFuzzer calls the first; the deterministic driver (mutate.c) calls both. */
#ifndef TUTTI_TESTS_FUZZ_FUZZ_H
#define TUTTI_TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* What no input may break. */
#define MUST(condition)                                                                                                \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "violated: %s\n", #condition);                                                             \
            abort();                                                                                                   \
        }                                                                                                              \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes);
/* Prints what came out so far; 0 if every outcome was seen at least once. */
int fuzz_report(void);

#endif
