/* SPDX-License-Identifier: GPL-3.0-or-later */
/* For LD_PRELOAD: counts what a thread must not do between rt_hot_enter and rt_hot_leave, that is calls of the malloc
 * family and mutexes it had to wait for. At exit one line is appended to the file named by TUTTI_HOTCHECK:
 * `HOTCHECK <program> hot_entries=N malloc=N lock_wait=N first=<what>:<caller><<its caller>...`, first=- if clean.
 * Programs must export rt_hot (link with -rdynamic); others run unwatched and write nothing. glibc only. */
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Of the program; null if it does not export them. */
extern bool rt_hot(void) __attribute__((weak));
extern uint64_t rt_hot_entries(void) __attribute__((weak));

/* glibc's own names: no dlsym on the way to the allocator, which dlsym itself calls. */
extern void *__libc_malloc(size_t bytes);
extern void *__libc_calloc(size_t n, size_t bytes);
extern void *__libc_realloc(void *old, size_t bytes);
extern void *__libc_memalign(size_t alignment, size_t bytes);
extern void __libc_free(void *old);
void *memalign(size_t alignment, size_t bytes);

enum { MAX_FRAMES = 12, MAX_SHOWN = 5 };

static _Atomic uint64_t n_malloc, n_lock_wait;
static _Atomic bool first_taken;
static const char *first_what;
static void *first_caller;
static void *first_frames[MAX_FRAMES];
static int n_first_frames;

/* Initial-exec: the general model may allocate a thread's block on first touch. */
static _Thread_local bool inside __attribute__((tls_model("initial-exec")));

static bool watching(void)
{
    return !inside && rt_hot && rt_hot();
}

static void note(const char *what, void *caller, _Atomic uint64_t *count)
{
    atomic_fetch_add(count, 1);
    if (!atomic_exchange(&first_taken, true)) {
        inside = true;
        n_first_frames = backtrace(first_frames, MAX_FRAMES);
        first_caller = caller;
        first_what = what;
        inside = false;
    }
}

#define NOTE_MALLOC(what)                                                                                              \
    do {                                                                                                               \
        if (watching()) {                                                                                              \
            note(what, __builtin_return_address(0), &n_malloc);                                                        \
        }                                                                                                              \
    } while (0)

void *malloc(size_t bytes)
{
    NOTE_MALLOC("malloc");
    return __libc_malloc(bytes);
}

void *calloc(size_t n, size_t bytes)
{
    NOTE_MALLOC("calloc");
    return __libc_calloc(n, bytes);
}

void *realloc(void *old, size_t bytes)
{
    NOTE_MALLOC("realloc");
    return __libc_realloc(old, bytes);
}

void free(void *old)
{
    if (old) { /* free(NULL) does nothing and takes no lock */
        NOTE_MALLOC("free");
    }
    __libc_free(old);
}

void *memalign(size_t alignment, size_t bytes)
{
    NOTE_MALLOC("memalign");
    return __libc_memalign(alignment, bytes);
}

void *aligned_alloc(size_t alignment, size_t bytes)
{
    NOTE_MALLOC("aligned_alloc");
    return __libc_memalign(alignment, bytes);
}

int posix_memalign(void **result, size_t alignment, size_t bytes)
{
    NOTE_MALLOC("posix_memalign");
    if (alignment % sizeof(void *) || alignment == 0 || (alignment & (alignment - 1))) {
        return EINVAL;
    }
    void *fresh = __libc_memalign(alignment, bytes);
    if (!fresh) {
        return ENOMEM;
    }
    *result = fresh;
    return 0;
}

static int (*_Atomic next_lock)(pthread_mutex_t *mutex);

static int lock_really(pthread_mutex_t *mutex)
{
    int (*lock)(pthread_mutex_t *) = atomic_load(&next_lock);
    if (!lock) { /* a constructor that runs before ours */
        *(void **)&lock = dlsym(RTLD_NEXT, "pthread_mutex_lock");
        atomic_store(&next_lock, lock);
    }
    return lock(mutex);
}

int pthread_mutex_lock(pthread_mutex_t *mutex)
{
    if (watching()) {
        const int status = pthread_mutex_trylock(mutex);
        if (status != EBUSY) {
            return status;
        }
        note("pthread_mutex_lock", __builtin_return_address(0), &n_lock_wait);
    }
    return lock_really(mutex);
}

__attribute__((constructor)) static void prepare(void)
{
    void *frame[1];
    backtrace(frame, 1); /* loads the unwinder now, not at the first offence */
    int (*lock)(pthread_mutex_t *);
    *(void **)&lock = dlsym(RTLD_NEXT, "pthread_mutex_lock");
    atomic_store(&next_lock, lock);
}

static size_t append_frame(char *line, size_t size, size_t n, void *frame)
{
    Dl_info where = {0};
    int m;
    if (!dladdr(frame, &where) || !where.dli_fname) {
        m = snprintf(line + n, size - n, "%p", frame);
    } else if (where.dli_sname) {
        m = snprintf(line + n, size - n, "%s+0x%zx", where.dli_sname,
                     (size_t)((char *)frame - (char *)where.dli_saddr));
    } else {
        const char *slash = strrchr(where.dli_fname, '/');
        m = snprintf(line + n, size - n, "%s+0x%zx", slash ? slash + 1 : where.dli_fname,
                     (size_t)((char *)frame - (char *)where.dli_fbase));
    }
    n += m > 0 ? (size_t)m : 0;
    return n < size - 2 ? n : size - 2;
}

/* The offender and its callers; frames before the caller are our own. */
static size_t append_first(char *line, size_t size, size_t n)
{
    n += (size_t)snprintf(line + n, size - n, "%s:", first_what);
    int at = 0;
    while (at < n_first_frames && first_frames[at] != first_caller) {
        at++;
    }
    if (at >= n_first_frames) {
        return append_frame(line, size, n, first_caller);
    }
    for (int i = at; i < n_first_frames && i < at + MAX_SHOWN; i++) {
        if (i > at) {
            line[n++] = '<';
        }
        n = append_frame(line, size, n, first_frames[i]);
    }
    return n;
}

__attribute__((destructor)) static void report(void)
{
    const char *path = getenv("TUTTI_HOTCHECK");
    if (!path || !rt_hot || !rt_hot_entries) {
        return;
    }
    inside = true;
    char line[2048];
    size_t n =
        (size_t)snprintf(line, sizeof line, "HOTCHECK %.64s hot_entries=%llu malloc=%llu lock_wait=%llu first=",
                         program_invocation_short_name, (unsigned long long)rt_hot_entries(),
                         (unsigned long long)atomic_load(&n_malloc), (unsigned long long)atomic_load(&n_lock_wait));
    if (first_what) {
        n = append_first(line, sizeof line, n);
    } else {
        line[n++] = '-';
    }
    line[n++] = '\n';
    const int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (fd < 0 || write(fd, line, n) != (ssize_t)n) {
        fprintf(stderr, "hotcheck: cannot write %s: %s\n", path, strerror(errno));
    }
    if (fd >= 0) {
        close(fd);
    }
}
