/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A thread of the USRP backend: those that touch libuhd, so that its locks and its heap stay off the slot path. */
#ifndef TUTTI_HW_UHD_THREAD_H
#define TUTTI_HW_UHD_THREAD_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

struct uhd_thread {
    const char *name;             /* up to 15 characters */
    int priority;                 /* SCHED_FIFO, 0 = ordinary; what the system refuses is done without */
    void (*body)(void *argument); /* until `stop` */
    void *argument;
    pthread_t handle;
    bool running;
    atomic_bool stop;
};

/* Fill the first members. TUTTI_ENOMEM. */
int uhd_thread_start(struct uhd_thread *thread);
/* Says stop, wakes it through its event (-1: it looks by itself) and waits for its end. Not started: nothing. */
void uhd_thread_end(struct uhd_thread *thread, int event);

#endif
