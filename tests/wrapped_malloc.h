/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Counts what the linker routes here (--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=aligned_alloc): the calls of a
 * static library and of the program itself. For one source of a program. */
#ifndef TUTTI_TESTS_WRAPPED_MALLOC_H
#define TUTTI_TESTS_WRAPPED_MALLOC_H

#include <stddef.h>

static unsigned long n_allocated;

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);

void *__wrap_malloc(size_t size)
{
    n_allocated++;
    return __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
    n_allocated++;
    return __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t size)
{
    n_allocated++;
    return __real_realloc(p, size);
}

void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
    n_allocated++;
    return __real_aligned_alloc(alignment, size);
}

#endif
