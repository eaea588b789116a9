/* SPDX-License-Identifier: GPL-3.0-or-later */
/* For LD_PRELOAD: moves one process's wall clock. The file named by TUTTI_CLOCKSHIFT holds one little-endian i64, the
 * nanoseconds to add to CLOCK_REALTIME; a test changes it while the program runs. The monotonic clock is left alone, as
 * a step of the system's clock leaves it. With TUTTI_CLOCKBACK_NS every reading is so much before the last one. */
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t *shift_ns;
static int64_t back_ns; /* 0: time goes on */
static atomic_llong first_ns, n_readings;

__attribute__((constructor)) static void map(void)
{
    const char *path = getenv("TUTTI_CLOCKSHIFT"), *back = getenv("TUTTI_CLOCKBACK_NS");
    struct timespec now;
    back_ns = back && syscall(SYS_clock_gettime, CLOCK_REALTIME, &now) == 0 ? atoll(back) : 0;
    atomic_store(&first_ns, back_ns ? (long long)now.tv_sec * 1000000000 + now.tv_nsec : 0);
    const int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0) {
        return;
    }
    void *at = mmap(NULL, sizeof *shift_ns, PROT_READ, MAP_SHARED, fd, 0);
    close(fd);
    shift_ns = at == MAP_FAILED ? NULL : at;
}

int clock_gettime(clockid_t id, struct timespec *now)
{
    const long failed = syscall(SYS_clock_gettime, id, now);
    if (failed == 0 && id == CLOCK_REALTIME && shift_ns) {
        const int64_t ns = (int64_t)now->tv_sec * 1000000000 + now->tv_nsec + *shift_ns;
        now->tv_sec = ns / 1000000000;
        now->tv_nsec = ns % 1000000000;
    }
    if (failed == 0 && id == CLOCK_REALTIME && back_ns) {
        const int64_t ns = atomic_load(&first_ns) - back_ns * atomic_fetch_add(&n_readings, 1);
        now->tv_sec = ns / 1000000000;
        now->tv_nsec = ns % 1000000000;
    }
    return (int)failed;
}
