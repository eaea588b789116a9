/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/rt.h"

#include "base/clock.h"
#include "base/error.h"

#include <errno.h>
#include <linux/capability.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

int rt_pin(int core)
{
    if (core < 0) {
        return TUTTI_OK;
    }
    if (core >= CPU_SETSIZE) {
        return error_set(TUTTI_EINVAL, "cannot pin a thread to core %d: the largest core number is %d", core,
                         CPU_SETSIZE - 1);
    }
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET((size_t)core, &set);
    const int e = pthread_setaffinity_np(pthread_self(), sizeof set, &set);
    if (e) {
        return error_set(TUTTI_EUNSUPPORTED,
                         "cannot pin a thread to core %d (%s): this machine has %ld cores; "
                         "choose one of them that `taskset -p $$` allows",
                         core, strerror(e), sysconf(_SC_NPROCESSORS_ONLN));
    }
    return TUTTI_OK;
}

int rt_priority(int priority)
{
    if (priority == 0) {
        return TUTTI_OK;
    }
    if (priority < 1 || priority > 99) {
        return error_set(TUTTI_EINVAL, "real-time priority %d is not in 0..99", priority);
    }
    const struct sched_param param = {.sched_priority = priority};
    const int e = pthread_setschedparam(pthread_self(), SCHED_FIFO, &param);
    if (e) {
        return error_set(TUTTI_EUNSUPPORTED,
                         "no real-time priority %d (%s): give CAP_SYS_NICE, or set `ulimit -r %d` in limits.conf",
                         priority, strerror(e), priority);
    }
    return TUTTI_OK;
}

static bool may_lock_without_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_MEMLOCK, &limit) == 0 && limit.rlim_cur == RLIM_INFINITY) {
        return true;
    }
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {{0}};
    return syscall(SYS_capget, &header, data) == 0 && (data[0].effective >> CAP_IPC_LOCK & 1u);
}

int rt_lock_memory(void)
{
    /* Under a finite limit locking may succeed now and make a later allocation fail, which is worse than no lock. */
    const char *reason = "the limit on locked memory is finite";
    if (may_lock_without_limit()) {
        if (mlockall(MCL_CURRENT | MCL_FUTURE) == 0) {
            return TUTTI_OK;
        }
        reason = strerror(errno);
    }
    return error_set(TUTTI_EUNSUPPORTED,
                     "memory is not locked (%s): give CAP_IPC_LOCK, or set `ulimit -l unlimited` in limits.conf",
                     reason);
}

/* Not static: test tools look at the running program. */
extern _Thread_local bool rt_hot_flag;
_Thread_local bool rt_hot_flag;
static _Atomic uint64_t hot_entries;

void rt_hot_enter(void)
{
    rt_hot_flag = true;
    atomic_fetch_add_explicit(&hot_entries, 1, memory_order_relaxed);
}

void rt_hot_leave(void)
{
    rt_hot_flag = false;
}

bool rt_hot(void)
{
    return rt_hot_flag;
}

uint64_t rt_hot_entries(void)
{
    return atomic_load_explicit(&hot_entries, memory_order_relaxed);
}

static atomic_bool stop_flag;
static _Atomic int stop_fd = -1;

static void signal_fd(int fd)
{
    const uint64_t one = 1;
    while (write(fd, &one, sizeof one) < 0 && errno == EINTR) {
    }
}

int rt_stop_fd(void)
{
    const int fd = atomic_load(&stop_fd);
    if (fd >= 0) {
        return fd;
    }
    const int fresh = rt_event_create();
    if (fresh < 0) {
        return fresh;
    }
    int none = -1;
    if (!atomic_compare_exchange_strong(&stop_fd, &none, fresh)) {
        close(fresh);
        return none;
    }
    if (atomic_load(&stop_flag)) {
        signal_fd(fresh); /* the request came before anyone could watch */
    }
    return fresh;
}

void rt_stop_request(void)
{
    const int saved_errno = errno;
    atomic_store(&stop_flag, true);
    const int fd = atomic_load(&stop_fd);
    if (fd >= 0) {
        signal_fd(fd);
    }
    errno = saved_errno;
}

bool rt_stop_requested(void)
{
    return atomic_load_explicit(&stop_flag, memory_order_relaxed);
}

static void on_stop_signal(int number)
{
    (void)number;
    rt_stop_request();
}

/* A hang-up that somebody chose to ignore (nohup) stays ignored. */
static bool is_ignored(int number)
{
    struct sigaction now;
    return sigaction(number, NULL, &now) == 0 && !(now.sa_flags & SA_SIGINFO) && now.sa_handler == SIG_IGN;
}

int rt_stop_install(void)
{
    static const int stop[] = {SIGINT, SIGTERM, SIGHUP, SIGXCPU};
    static const int ignored[] = {SIGPIPE, SIGXFSZ}; /* the write that went wrong says so itself */
    const int fd = rt_stop_fd();
    if (fd < 0) {
        return fd;
    }
    struct sigaction action = {.sa_handler = on_stop_signal}; /* no SA_RESTART: blocking calls come back with EINTR */
    sigemptyset(&action.sa_mask);
    bool good = true;
    for (size_t i = 0; i < sizeof stop / sizeof stop[0]; i++) {
        good = good && ((stop[i] == SIGHUP && is_ignored(SIGHUP)) || sigaction(stop[i], &action, NULL) == 0);
    }
    action.sa_handler = SIG_IGN;
    for (size_t i = 0; i < sizeof ignored / sizeof ignored[0]; i++) {
        good = good && sigaction(ignored[i], &action, NULL) == 0;
    }
    return good ? TUTTI_OK : error_set(TUTTI_EIO, "cannot catch stop signals: %s", strerror(errno));
}

int rt_event_create(void)
{
    const int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fd < 0) {
        return error_set(TUTTI_EIO, "cannot create an eventfd (%s): see `ulimit -n`", strerror(errno));
    }
    return fd;
}

void rt_event_signal(int fd)
{
    signal_fd(fd);
}

static bool take_event(int fd)
{
    uint64_t count;
    return read(fd, &count, sizeof count) == (ssize_t)sizeof count;
}

bool rt_event_wait(int fd, int64_t timeout_us)
{
    const bool for_ever = timeout_us < 0 || timeout_us > INT64_MAX / 2000; /* the latter: 146 000 years */
    const uint64_t deadline_ns = clock_mono_ns() + (for_ever ? 0 : (uint64_t)timeout_us * 1000u);
    while (!take_event(fd)) {
        struct timespec left = {0};
        if (!for_ever) {
            const uint64_t now_ns = clock_mono_ns();
            if (now_ns >= deadline_ns) {
                return false;
            }
            left.tv_sec = (time_t)((deadline_ns - now_ns) / 1000000000u);
            left.tv_nsec = (long)((deadline_ns - now_ns) % 1000000000u);
        }
        struct pollfd poll_one = {.fd = fd, .events = POLLIN};
        if (ppoll(&poll_one, 1, for_ever ? NULL : &left, NULL) < 0 && errno != EINTR) {
            return false;
        }
        if (poll_one.revents & (POLLNVAL | POLLERR)) {
            return false;
        }
    }
    return true;
}
