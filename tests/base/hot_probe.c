/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Does one thing, named by its argument, on or off the block path: what hotcheck must or must not count. */
#include "base/clock.h"
#include "base/rt.h"

#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_barrier_t held;
static void *volatile keep; /* or the compiler drops allocations nobody looks at */

static void *hold_mutex(void *unused)
{
    (void)unused;
    pthread_mutex_lock(&mutex);
    pthread_barrier_wait(&held);
    clock_sleep_until_ns(clock_mono_ns() + 50000000u);
    pthread_mutex_unlock(&mutex);
    return NULL;
}

static void allocate_every_way(void)
{
    void *p = NULL;
    keep = malloc(10);                                             /* 1 */
    keep = realloc(keep, 1000);                                    /* 2 */
    free(keep);                                                    /* 3 */
    keep = calloc(3, 5);                                           /* 4 */
    free(keep);                                                    /* 5 */
    keep = aligned_alloc(64, 128);                                 /* 6 */
    free(keep);                                                    /* 7 */
    keep = memalign(64, 100);                                      /* 8 */
    free(keep);                                                    /* 9 */
    keep = posix_memalign(&p, 4096, 4096) == 0 ? p : (void *)NULL; /* 10 */
    free(keep);                                                    /* 11 */
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    pthread_t holder;
    const int contended = strcmp(what, "contended") == 0;
    if (contended) {
        pthread_barrier_init(&held, NULL, 2);
        if (pthread_create(&holder, NULL, hold_mutex, NULL)) {
            return 1;
        }
        pthread_barrier_wait(&held);
    }
    for (int i = 0; i < 3; i++) {
        rt_hot_enter();
        if (strcmp(what, "allocate") == 0) {
            allocate_every_way();
        } else if (contended || strcmp(what, "free_lock") == 0) {
            pthread_mutex_lock(&mutex);
            pthread_mutex_unlock(&mutex);
        }
        rt_hot_leave();
        allocate_every_way();
    }
    if (contended) {
        pthread_join(holder, NULL);
    }
    return 0;
}
