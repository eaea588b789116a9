/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Result files of latency probes of any bytes: refused with one line, or read as numbers that are finite or NaN. */
#include "base/error.h"
#include "fuzz.h"
#include "tools/latency/latency.h"

#include <math.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static uint64_t n_refused, n_whole, n_partly;

/* One file in memory for all inputs. */
static const char *write_file(const uint8_t *data, size_t n_bytes)
{
    static char path[64];
    static int fd = -1;
    if (fd < 0) {
        fd = memfd_create("latency.json", MFD_CLOEXEC);
        MUST(fd >= 0);
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    }
    MUST(pwrite(fd, data, n_bytes, 0) == (ssize_t)n_bytes && ftruncate(fd, (off_t)n_bytes) == 0);
    return path;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes)
{
    struct latency_figures figures;
    int n_number = 0;
    const char *const path = write_file(data, n_bytes);
    if (latency_figures_load(&figures, path) < 0) {
        MUST(strstr(error_text(), path) && !strchr(error_text(), '\n'));
        n_refused++;
    } else {
        for (int i = 0; i < LATENCY_N_FIGURES; i++) {
            MUST(!isinf(figures.us[i]));
            n_number += !isnan(figures.us[i]);
        }
        n_whole += n_number == LATENCY_N_FIGURES;
        n_partly += n_number < LATENCY_N_FIGURES;
    }
    return 0;
}

int fuzz_report(void)
{
    printf("%10llu refused, %llu whole, %llu with figures missing\n", (unsigned long long)n_refused,
           (unsigned long long)n_whole, (unsigned long long)n_partly);
    return n_refused == 0 || n_whole == 0 || n_partly == 0;
}
