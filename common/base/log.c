/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/log.h"

#include "base/clock.h"
#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    LINE_BYTES = 2048,
    N_UNITS = 16384,
    UNIT_BYTES = 60,
    WRITE_BYTES = 4096,
    EXIT_FLUSH_MS = 500,
    MOST_PATIENCE = 20,
    N_NAMES = 8
};
#define FLUSH_LOOK_NS 1000000u

static const char *const level_names[] = {"error", "warning", "info", "debug"};
static const char level_letters[] = {'E', 'W', 'I', 'D'};

static _Atomic int threshold = LOG_INFO;

/* The component's name: written aside, then published. */
static char names[N_NAMES][32] = {"TUTTI"};
static _Atomic unsigned name_at;

/* The ring: a line takes as many units as it needs, one after the other. `tail` is claimed by whoever logs, `head`
 * moved by the writer; the first unit's n_bytes is set when the line is whole, and cleared when it is read. */
struct unit {
    _Atomic uint32_t n_bytes;
    char text[UNIT_BYTES];
};
static struct unit ring[N_UNITS];
static _Atomic uint64_t tail, head;
static _Atomic uint64_t n_lost;
static _Atomic uint64_t n_written_out; /* position up to which lines are out, or given up */

enum writer_state { WRITER_NONE, WRITER_STARTING, WRITER_RUNNING };
static _Atomic int writer_state;
static _Atomic bool is_writing; /* the writer is at it, or held up by who does not read */
static sem_t writer_wake;

/* Writing out ------------------------------------------------------------------------------------------------------ */

/* All of it, or false: there is no way to write. Blocks as long as nobody reads. */
static bool put_out(const char *text, size_t n)
{
    while (n > 0) {
        const ssize_t done = write(STDERR_FILENO, text, n);
        if (done > 0) {
            text += done;
            n -= (size_t)done;
        } else if (done < 0 && errno == EAGAIN) { /* somebody made it non-blocking */
            struct pollfd fd = {.fd = STDERR_FILENO, .events = POLLOUT};
            poll(&fd, 1, -1);
        } else if (done < 0 && errno != EINTR) {
            return false;
        }
    }
    return true;
}

static size_t n_units(size_t n_bytes)
{
    return (n_bytes + UNIT_BYTES - 1) / UNIT_BYTES;
}

/* The oldest whole line, if it fits; 0: none, or it does not. */
static size_t take_line(char *out, size_t room)
{
    const uint64_t at = atomic_load_explicit(&head, memory_order_relaxed);
    struct unit *const first = &ring[at % N_UNITS];
    const size_t n = atomic_load_explicit(&first->n_bytes, memory_order_acquire);
    if (n == 0 || n > room) {
        return 0;
    }
    for (size_t done = 0, i = 0; done < n; done += UNIT_BYTES, i++) {
        const size_t part = n - done < UNIT_BYTES ? n - done : UNIT_BYTES;
        memcpy(out + done, ring[(at + i) % N_UNITS].text, part);
    }
    atomic_store_explicit(&first->n_bytes, 0, memory_order_relaxed);
    atomic_store_explicit(&head, at + n_units(n), memory_order_release);
    return n;
}

static size_t write_prefix(char *line, size_t size, enum log_level level, const char *context);

/* Losses since the last time, as a line of their own. */
static void tell_losses(uint64_t *told)
{
    const uint64_t lost = atomic_load(&n_lost);
    if (lost != *told) {
        char line[256];
        const size_t n = write_prefix(line, sizeof line, LOG_WARNING, "log");
        const int m = snprintf(line + n, sizeof line - n, "LOG-LOST lines=%llu total=%llu\n",
                               (unsigned long long)(lost - *told), (unsigned long long)lost);
        *told = lost;
        put_out(line, n + (size_t)m);
    }
}

static void *writer_main(void *argument)
{
    (void)argument;
    static char text[WRITE_BYTES]; /* whole lines only: a pipe takes so much in one piece */
    uint64_t told = 0;
    atomic_store(&writer_state, WRITER_RUNNING);
    for (;;) {
        size_t n = 0, lines = 0;
        for (size_t got; (got = take_line(text + n, sizeof text - n)) > 0; n += got) {
            lines++;
        }
        atomic_store(&is_writing, n > 0);
        if (n > 0 && !put_out(text, n)) {
            atomic_fetch_add(&n_lost, lines);
        }
        atomic_store(&is_writing, false);
        if (n > 0) {
            atomic_store(&n_written_out, atomic_load(&head));
            continue;
        }
        tell_losses(&told);
        while (sem_wait(&writer_wake) && errno == EINTR) {
        }
    }
    return NULL;
}

/* The writer's life --------------------------------------------------------------------------------------------------
 */

static void flush_at_exit(void)
{
    log_flush(EXIT_FLUSH_MS);
}

/* A child of fork has no writer; what waits in the ring is its parent's. */
static void forget_in_child(void)
{
    const uint64_t at = atomic_load(&tail);
    for (size_t i = 0; i < N_UNITS; i++) {
        atomic_store_explicit(&ring[i].n_bytes, 0, memory_order_relaxed);
    }
    atomic_store(&head, at);
    atomic_store(&n_written_out, at);
    atomic_store(&writer_state, WRITER_NONE);
}

/* Ordinary priority whatever the starter's, and no signals: they are for the threads that wait. */
static bool create_thread(void)
{
    const struct sched_param ordinary = {0};
    pthread_attr_t attributes;
    pthread_t thread;
    sigset_t all, before;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setinheritsched(&attributes, PTHREAD_EXPLICIT_SCHED);
    pthread_attr_setschedpolicy(&attributes, SCHED_OTHER);
    pthread_attr_setschedparam(&attributes, &ordinary);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const int failed = pthread_create(&thread, &attributes, writer_main, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    if (!failed) {
        pthread_setname_np(thread, "log");
    }
    return !failed;
}

static void start_writer(void)
{
    static _Atomic int registered;
    int none = WRITER_NONE;
    if (atomic_load_explicit(&writer_state, memory_order_acquire) != WRITER_NONE ||
        !atomic_compare_exchange_strong(&writer_state, &none, WRITER_STARTING)) {
        return;
    }
    sem_init(&writer_wake, 0, 1); /* 1: it looks once at what came before it */
    if (!atomic_exchange(&registered, 1)) {
        atexit(flush_at_exit);
        pthread_atfork(NULL, NULL, forget_in_child);
    }
    if (!create_thread()) {
        atomic_store(&writer_state, WRITER_NONE);
    }
}

static bool is_behind(uint64_t wanted)
{
    const int state = atomic_load(&writer_state);
    return state == WRITER_STARTING || (state == WRITER_RUNNING && atomic_load(&n_written_out) < wanted);
}

void log_flush(int timeout_ms)
{
    const uint64_t wanted = atomic_load(&tail), start_ns = clock_mono_ns();
    const uint64_t patience_ns = (uint64_t)(timeout_ms > 0 ? timeout_ms : 0) * 1000000u;
    uint64_t held_ns = 0, last_ns = start_ns;
    while (is_behind(wanted)) {
        const uint64_t now_ns = clock_mono_ns();
        held_ns += atomic_load(&is_writing) ? now_ns - last_ns : 0;
        last_ns = now_ns;
        if (held_ns >= patience_ns || now_ns - start_ns >= MOST_PATIENCE * patience_ns) {
            return;
        }
        clock_sleep_until_ns(now_ns + FLUSH_LOOK_NS);
    }
}

uint64_t log_lost(void)
{
    return atomic_load(&n_lost);
}

/* Settings -----------------------------------------------------------------------------------------------------------
 */

void log_set_level(enum log_level level)
{
    atomic_store_explicit(&threshold, (int)level, memory_order_relaxed);
}

int log_level_parse(const char *text, enum log_level *level)
{
    for (int i = LOG_ERROR; i <= LOG_DEBUG; i++) {
        if (strcmp(text, level_names[i]) == 0) {
            *level = (enum log_level)i;
            return TUTTI_OK;
        }
    }
    return error_set(TUTTI_EINVAL, "log level \"%s\" is not one of error, warning, info, debug", text);
}

static void open_standard_descriptors(void)
{
    for (int fd = 0; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF) {
            const int got = open("/dev/null", O_RDWR); /* the lowest free one: fd */
            if (got >= 0 && got != fd) {
                dup2(got, fd);
                close(got);
            }
        }
    }
}

void log_set_component(const char *component)
{
    const unsigned next = (atomic_load(&name_at) + 1) % N_NAMES;
    snprintf(names[next], sizeof names[next], "%s", component);
    atomic_store_explicit(&name_at, next, memory_order_release);
    open_standard_descriptors();
    start_writer();
}

/* Lines --------------------------------------------------------------------------------------------------------------
 */

/* Days since 1970 as a date, by the method of civil calendars in eras of 400 years; gmtime_r takes a lock. */
static void date_of(uint64_t days, unsigned *year, unsigned *month, unsigned *day)
{
    const uint64_t z = days + 719468, era = z / 146097;
    const unsigned doe = (unsigned)(z - era * 146097);
    const unsigned yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    const unsigned doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
    *day = doy - (153 * mp + 2) / 5 + 1;
    *month = mp < 10 ? mp + 3 : mp - 9;
    *year = (unsigned)(yoe + era * 400) + (*month <= 2);
}

/* "2026-03-15T18:29:25.142200 [FH] [W] [block] " */
static size_t write_prefix(char *line, size_t size, enum log_level level, const char *context)
{
    const uint64_t now_us = clock_wall_ns() / 1000u, now_s = now_us / 1000000u;
    const unsigned of_day = (unsigned)(now_s % 86400u);
    unsigned year, month, day;
    date_of(now_s / 86400u, &year, &month, &day);
    const int n = snprintf(line, size, "%04u-%02u-%02uT%02u:%02u:%02u.%06u [%s] [%c] [%.64s] ", year, month, day,
                           of_day / 3600, of_day / 60 % 60, of_day % 60, (unsigned)(now_us % 1000000u),
                           names[atomic_load_explicit(&name_at, memory_order_acquire)], level_letters[level],
                           context ? context : "main");
    return (size_t)n;
}

/* Text from other hosts ends up in messages: a newline or an escape sequence must not forge lines or drive a terminal.
 */
static void blank_control_characters(char *text, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const unsigned char c = (unsigned char)text[i];
        if (c < 0x20 || c == 0x7f) {
            text[i] = ' ';
        }
    }
}

/* Room for n units in the ring; false: there is none. */
static bool claim(size_t n, uint64_t *at)
{
    *at = atomic_load_explicit(&tail, memory_order_relaxed);
    do {
        if (*at + n - atomic_load_explicit(&head, memory_order_acquire) > N_UNITS) {
            return false;
        }
    } while (!atomic_compare_exchange_weak_explicit(&tail, at, *at + n, memory_order_relaxed, memory_order_relaxed));
    return true;
}

static void queue_line(const char *line, size_t n)
{
    uint64_t at;
    if (!claim(n_units(n), &at)) {
        atomic_fetch_add(&n_lost, 1);
        return;
    }
    for (size_t done = 0, i = 0; done < n; done += UNIT_BYTES, i++) {
        const size_t part = n - done < UNIT_BYTES ? n - done : UNIT_BYTES;
        memcpy(ring[(at + i) % N_UNITS].text, line + done, part);
    }
    atomic_store_explicit(&ring[at % N_UNITS].n_bytes, (uint32_t)n, memory_order_release);
    sem_post(&writer_wake);
}

void log_write(enum log_level level, const char *context, const char *format, ...)
{
    if ((int)level > atomic_load_explicit(&threshold, memory_order_relaxed)) {
        return;
    }
    const int saved_errno = errno;
    char line[LINE_BYTES];
    start_writer();
    const size_t start = write_prefix(line, sizeof line, level, context);
    errno = saved_errno; /* for %m */
    va_list args;
    va_start(args, format);
    const int m = vsnprintf(line + start, sizeof line - start, format, args);
    va_end(args);
    size_t n = start + (m > 0 ? (size_t)m : 0);
    if (n > sizeof line - 1) {
        n = sizeof line - 1;
    }
    blank_control_characters(line, n);
    line[n++] = '\n';
    queue_line(line, n);
    errno = saved_errno;
}
