/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "hw/stream/thread.h"

#include "base/error.h"
#include "base/log.h"
#include "base/rt.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { LOG_FLUSH_MS = 500 };

static void *thread_main(void *argument)
{
    struct stream_thread *thread = argument;
    pthread_setname_np(pthread_self(), thread->name);
    rt_priority(thread->priority);
    thread->body(thread->argument);
    return NULL;
}

int stream_thread_start(struct stream_thread *thread)
{
    atomic_store(&thread->stop, false);
    thread->running = pthread_create(&thread->handle, NULL, thread_main, thread) == 0;
    return thread->running ? TUTTI_OK : error_set(TUTTI_ENOMEM, "no thread for the radio (%s)", thread->name);
}

void stream_thread_end(struct stream_thread *thread, int event)
{
    if (!thread->running) {
        return;
    }
    atomic_store(&thread->stop, true);
    if (event >= 0) {
        rt_event_signal(event);
    }
    pthread_join(thread->handle, NULL);
    thread->running = false;
}

static void leave(int status, void *unused)
{
    (void)unused;
    log_flush(LOG_FLUSH_MS);
    fflush(NULL);
    _exit(status);
}

void stream_leave_at_once(void)
{
    on_exit(leave, NULL);
}
