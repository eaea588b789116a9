/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Real-time habits of a thread, and waking one. Every request is best effort: on refusal (no privilege) it returns a
 * negative code with error_text saying what to do, and the program goes on. */
#ifndef TUTTI_BASE_RT_H
#define TUTTI_BASE_RT_H

#include <stdbool.h>
#include <stdint.h>

int rt_pin(int core);          /* calling thread; core < 0 does nothing */
int rt_priority(int priority); /* SCHED_FIFO 1..99; 0 does nothing */
int rt_lock_memory(void);      /* mlockall(current and future) */

/* Marks the calling thread as being on the block path. Between enter and leave no malloc-family call and no contended
 * lock is allowed; tests interpose both and count violations while rt_hot() is true. Does not nest. Cost: one
 * thread-local store and one relaxed atomic add. */
void rt_hot_enter(void);
void rt_hot_leave(void);
bool rt_hot(void);
uint64_t rt_hot_entries(void); /* rt_hot_enter calls of all threads so far: shows that a count of 0 means something */

/* Stop requests: SIGINT, SIGTERM, SIGHUP (unless it is ignored: nohup) and SIGXCPU set a flag and write to an eventfd
 * that poll loops can watch. SIGPIPE and SIGXFSZ are ignored from then on: the write that failed returns its error. */
int rt_stop_install(void);
bool rt_stop_requested(void);
void rt_stop_request(void); /* async-signal-safe */
int rt_stop_fd(void);       /* readable once stop was requested; never read it */

/* A wake-up between two threads (eventfd): no lock, no allocation. */
int rt_event_create(void); /* the fd, or a negative code */
void rt_event_signal(int fd);
bool rt_event_wait(int fd, int64_t timeout_us); /* true if signalled (and cleared); timeout_us < 0 waits for ever */

#endif
