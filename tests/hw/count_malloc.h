/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Counts a thread's calls of malloc while it says so; sanitizers own malloc, nothing is counted there. For one source
 * of a program. */
#ifndef TUTTI_TESTS_HW_COUNT_MALLOC_H
#define TUTTI_TESTS_HW_COUNT_MALLOC_H

#include <stdbool.h>
#include <stddef.h>

static int n_allocated;
static _Thread_local bool counting;

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) && !defined(__clang__)
void *__libc_malloc(size_t n);
void *malloc(size_t n);
void *malloc(size_t n)
{
    n_allocated += counting;
    return __libc_malloc(n);
}
#endif

#endif
