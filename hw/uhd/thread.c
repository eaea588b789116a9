/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "hw/uhd/thread.h"

#include "base/error.h"
#include "base/rt.h"

static void *thread_main(void *argument)
{
    struct uhd_thread *thread = argument;
    pthread_setname_np(pthread_self(), thread->name);
    rt_priority(thread->priority);
    thread->body(thread->argument);
    return NULL;
}

int uhd_thread_start(struct uhd_thread *thread)
{
    atomic_store(&thread->stop, false);
    thread->running = pthread_create(&thread->handle, NULL, thread_main, thread) == 0;
    return thread->running ? TUTTI_OK : error_set(TUTTI_ENOMEM, "no thread for the radio (%s)", thread->name);
}

void uhd_thread_end(struct uhd_thread *thread, int event)
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
