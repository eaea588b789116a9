/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Threads of a node. Each is born without real-time priority and unpinned, whatever its maker has, and takes what its
 * duty gives it (realtime.h). A thread that ends before it was told to ends the process: its sentence is logged, a stop
 * is requested and the exit status is not zero. */
#ifndef TUTTI_NODE_THREAD_H
#define TUTTI_NODE_THREAD_H

#include "node/realtime.h"

#include <pthread.h>

struct node_thread {
    const char *name; /* up to 15 characters: also what the system calls the thread */
    enum node_duty duty;
    const struct config_engine *engine;
    int core;                    /* -1: not pinned */
    int (*body)(void *argument); /* negative with error_text set: a fault; else it was told to stop */
    void *argument;
    pthread_t handle;
    bool running;
};

/* Fill the first members, then start. TUTTI_ENOMEM. */
int node_thread_start(struct node_thread *thread);
/* Waits for its end; the caller has asked for it (rt_stop_request and whatever wakes the body). Not started: nothing.
 */
void node_thread_join(struct node_thread *thread);

/* A fault of part `who` of this process: logs error_text, requests the stop, keeps the sentence; the first one counts.
 */
void node_fail(const char *who, int status);
/* The first fault's code with its sentence in error_text, or TUTTI_OK. */
int node_failure(void);

#endif
