/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "measure.h"

#include "peak.h"
#include "tests/wrapped_malloc.h"

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
    return (struct measure_times){us[0], us[n / 2], us[n * 99 / 100]};
}

static unsigned long counted_from, counted;
static bool counting;

void measure_count(bool on)
{
    if (on) {
        counted_from = n_allocated;
    } else if (counting) {
        counted = n_allocated - counted_from;
    }
    counting = on;
}

unsigned long measure_allocations(void)
{
    return counting ? n_allocated - counted_from : counted;
}

double measure_peak_g_s(const char *variant, enum measure_peak what)
{
    static const struct {
        const char *name;
        double (*run)(int n, int what);
    } peaks[] = {
#if defined(__x86_64__)
        {"avx512", peak_avx512},
        {"avx2", peak_avx2},
#endif
        {"portable", peak_portable}
    };
    double best = 0;
    for (size_t p = 0; p < sizeof peaks / sizeof *peaks; p++) {
        for (int trial = 0; trial < 40 && strcmp(peaks[p].name, variant) == 0; trial++) {
            const double start = measure_us(), n = peaks[p].run(50000, (int)what);
            best = fmax(best, n / (measure_us() - start) / 1e3);
        }
    }
    return best > 0 ? best : NAN;
}

double measure_copy_gb_s(size_t bytes)
{
    enum { PAGE = 4096, BLOCK = 1 << 18 }; /* as many copies as move some bytes, or the clock would be seen */
    const size_t room = (bytes + PAGE - 1) / PAGE * PAGE;
    char *from = aligned_alloc(PAGE, room), *to = aligned_alloc(PAGE, room);
    const int n = bytes < BLOCK ? (int)(BLOCK / bytes) + 1 : 1;
    double best = NAN;
    for (int trial = 0; from && to && trial < 40; trial++) {
        memset(from, trial, bytes);
        const double start = measure_us();
        for (int i = 0; i < 8 * n; i++) {
            memcpy(to, from, bytes);
            __asm__ volatile("" : : "r"(to) : "memory"); /* or the copy would be left out */
        }
        best = fmax(best, 16e-3 * (double)bytes * n / (measure_us() - start));
    }
    free(from);
    free(to);
    return best;
}
