/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "measure.h"

#include "peak.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

double measure_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

struct measure_times measure_summary(double *us, int n)
{
    qsort(us, (size_t)n, sizeof *us, compare);
    return (struct measure_times){us[n / 2], us[n * 99 / 100]};
}

static unsigned long allocations;
static bool counting;
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
    allocations += counting;
    return __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
    allocations += counting;
    return __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t size)
{
    allocations += counting;
    return __real_realloc(p, size);
}

void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
    allocations += counting;
    return __real_aligned_alloc(alignment, size);
}

void measure_count(bool on)
{
    if (on) {
        allocations = 0;
    }
    counting = on;
}

unsigned long measure_allocations(void)
{
    return allocations;
}

double measure_peak_gflop_s(const struct kernel_ops *ops, bool double_precision)
{
    static const struct {
        const char *name;
        double (*run)(int n, bool double_precision);
    } peaks[] = {
#if defined(__x86_64__)
        {"avx512", peak_avx512},
        {"avx2", peak_avx2},
#endif
        {"portable", peak_portable}
    };
    double best = 0;
    for (size_t p = 0; p < sizeof peaks / sizeof *peaks; p++) {
        for (int trial = 0; trial < 20 && strcmp(peaks[p].name, ops->name) == 0; trial++) {
            const double start = measure_us(), flop = peaks[p].run(100000, double_precision);
            best = fmax(best, flop / (measure_us() - start) / 1e3);
        }
    }
    return best > 0 ? best : NAN;
}

double measure_copy_gb_s(size_t bytes)
{
    char *from = malloc(bytes), *to = malloc(bytes);
    double best = NAN;
    for (int trial = 0; from && to && trial < 40; trial++) {
        memset(from, trial, bytes);
        const double start = measure_us();
        for (int i = 0; i < 8; i++) {
            memcpy(to, from, bytes);
            __asm__ volatile("" : : "r"(to) : "memory"); /* or the copy would be left out */
        }
        best = fmax(best, 16e-3 * (double)bytes / (measure_us() - start));
    }
    free(from);
    free(to);
    return best;
}
