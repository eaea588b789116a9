/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/log.h"

#include "base/clock.h"
#include "base/error.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { LINE_BYTES = 2048 };

static const char *const level_names[] = {"error", "warning", "info", "debug"};
static const char level_letters[] = {'E', 'W', 'I', 'D'};

static _Atomic int threshold = LOG_INFO;
static pthread_mutex_t component_lock = PTHREAD_MUTEX_INITIALIZER;
static char component_name[32] = "TUTTI";

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

void log_set_component(const char *component)
{
    pthread_mutex_lock(&component_lock);
    snprintf(component_name, sizeof component_name, "%s", component);
    pthread_mutex_unlock(&component_lock);
}

/* "2026-03-15T18:29:25.142200 [FH] [W] [block] " */
static size_t write_prefix(char *line, size_t size, enum log_level level, const char *context)
{
    const uint64_t now_ns = clock_wall_ns();
    const time_t seconds = (time_t)(now_ns / 1000000000u);
    struct tm utc;
    gmtime_r(&seconds, &utc);
    char component[sizeof component_name];
    pthread_mutex_lock(&component_lock);
    memcpy(component, component_name, sizeof component);
    pthread_mutex_unlock(&component_lock);
    const size_t n = strftime(line, size, "%Y-%m-%dT%H:%M:%S", &utc);
    const int m = snprintf(line + n, size - n, ".%06u [%s] [%c] [%.64s] ", (unsigned)(now_ns % 1000000000u / 1000u),
                           component, level_letters[level], context ? context : "main");
    return n + (size_t)m;
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

void log_write(enum log_level level, const char *context, const char *format, ...)
{
    if ((int)level > atomic_load_explicit(&threshold, memory_order_relaxed)) {
        return;
    }
    const int saved_errno = errno;
    char line[LINE_BYTES];
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
    while (write(STDERR_FILENO, line, n) < 0 && errno == EINTR) {
    }
    errno = saved_errno;
}
