/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "node/thread.h"

#include "base/error.h"
#include "base/log.h"
#include "base/rt.h"

#include <stdio.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int first_status;
static char first_sentence[512];

void node_fail(const char *who, int status)
{
    char sentence[sizeof first_sentence];
    snprintf(sentence, sizeof sentence, "%s: %s", who, error_text()[0] ? error_text() : error_name(status));
    pthread_mutex_lock(&lock);
    if (first_status == 0) {
        first_status = status < 0 ? status : TUTTI_ECLOSED;
        snprintf(first_sentence, sizeof first_sentence, "%s", sentence);
    }
    pthread_mutex_unlock(&lock);
    log_write(LOG_ERROR, "node", "FAULT %s", sentence);
    rt_stop_request();
}

int node_failure(void)
{
    pthread_mutex_lock(&lock);
    const int status = first_status;
    if (status < 0) {
        error_set(status, "%s", first_sentence);
    }
    pthread_mutex_unlock(&lock);
    return status;
}

static void *thread_main(void *argument)
{
    const struct node_thread *thread = argument;
    node_realtime(thread->engine, thread->duty, thread->core);
    int status = thread->body(thread->argument);
    if (status >= 0 && !rt_stop_requested()) {
        status = error_set(TUTTI_ECLOSED, "ended before it was told to");
    }
    if (status < 0 && status != TUTTI_ESTOPPED) {
        node_fail(thread->name, status);
    }
    return NULL;
}

/* Without the maker's real-time policy and cores, which a thread would inherit. */
static int start_plain(struct node_thread *thread)
{
    pthread_attr_t attributes;
    cpu_set_t cores;
    if (pthread_attr_init(&attributes)) {
        return -1;
    }
    const struct sched_param ordinary = {.sched_priority = 0};
    pthread_attr_setinheritsched(&attributes, PTHREAD_EXPLICIT_SCHED);
    pthread_attr_setschedpolicy(&attributes, SCHED_OTHER);
    pthread_attr_setschedparam(&attributes, &ordinary);
    if (node_realtime_cores(&cores)) {
        pthread_attr_setaffinity_np(&attributes, sizeof cores, &cores);
    }
    const int error = pthread_create(&thread->handle, &attributes, thread_main, thread);
    pthread_attr_destroy(&attributes);
    return error;
}

int node_thread_start(struct node_thread *thread)
{
    if (start_plain(thread) != 0) {
        return error_set(TUTTI_ENOMEM, "cannot start the %s thread", thread->name);
    }
    thread->running = true;
    pthread_setname_np(thread->handle, thread->name);
    return TUTTI_OK;
}

void node_thread_join(struct node_thread *thread)
{
    if (thread->running) {
        pthread_join(thread->handle, NULL);
        thread->running = false;
    }
}
