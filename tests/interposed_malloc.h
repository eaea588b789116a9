/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Counts every call of the malloc family from count_start on, the libraries underneath included. For one source of a
 * program. */
#ifndef TUTTI_TESTS_INTERPOSED_MALLOC_H
#define TUTTI_TESTS_INTERPOSED_MALLOC_H

#include <stddef.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define MALLOC_IS_SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define MALLOC_IS_SANITIZED 1
#endif

static volatile long n_calls;

#ifdef MALLOC_IS_SANITIZED
/* The sanitizer owns malloc; it tells of every call. */
int __sanitizer_install_malloc_and_free_hooks(void (*)(const volatile void *, size_t), void (*)(const volatile void *));
static void on_malloc(const volatile void *p, size_t n)
{
    (void)p;
    (void)n;
    n_calls++;
}
static void on_free(const volatile void *p)
{
    (void)p;
    n_calls++;
}
static void count_start(void)
{
    __sanitizer_install_malloc_and_free_hooks(on_malloc, on_free);
}
#else
/* Definitions in the program come before the C library's, for shared libraries too. */
void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);
void *__libc_memalign(size_t alignment, size_t n);
void __libc_free(void *p);
void *malloc(size_t n)
{
    n_calls++;
    return __libc_malloc(n);
}
void *calloc(size_t n, size_t size)
{
    n_calls++;
    return __libc_calloc(n, size);
}
void *realloc(void *p, size_t n)
{
    n_calls++;
    return __libc_realloc(p, n);
}
void *memalign(size_t alignment, size_t n)
{
    n_calls++;
    return __libc_memalign(alignment, n);
}
void *aligned_alloc(size_t alignment, size_t n)
{
    n_calls++;
    return __libc_memalign(alignment, n);
}
int posix_memalign(void **p, size_t alignment, size_t n)
{
    n_calls++;
    *p = __libc_memalign(alignment, n);
    return *p ? 0 : 12;
}
void free(void *p)
{
    n_calls++;
    __libc_free(p);
}
static void count_start(void)
{
}
#endif

#endif
