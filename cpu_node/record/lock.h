/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Who owns an output: a lock file beside it, held by the system for as long as the process lives. */
#ifndef TUTTI_CPU_NODE_RECORD_LOCK_H
#define TUTTI_CPU_NODE_RECORD_LOCK_H

/* The lock's descriptor, or TUTTI_EREFUSED naming the process that has it, or TUTTI_EIO. Never waits. */
int output_lock(const char *path);
/* Gives it back and removes the lock file; negative: nothing to do. */
void output_unlock(const char *path, int lock);

#endif
