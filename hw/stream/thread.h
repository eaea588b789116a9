/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A thread of a streaming radio: those that touch the device's library, so that its locks and its heap stay off the
 * slot path. */
#ifndef TUTTI_HW_STREAM_THREAD_H
#define TUTTI_HW_STREAM_THREAD_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

struct stream_thread {
    const char *name;             /* up to 15 characters */
    int priority;                 /* SCHED_FIFO, 0 = ordinary; what the system refuses is done without */
    void (*body)(void *argument); /* until `stop` */
    void *argument;
    pthread_t handle;
    bool running;
    atomic_bool stop;
};

/* Fill the first members. TUTTI_ENOMEM. */
int stream_thread_start(struct stream_thread *thread);
/* Says stop, wakes it through its event (-1: it looks by itself) and waits for its end. Not started: nothing. */
void stream_thread_end(struct stream_thread *thread, int event);
/* A device is gone: when the process ends it does so at once, before the library's own handlers, which were registered
 * earlier and would wait for what is not there. */
void stream_leave_at_once(void);

#endif
