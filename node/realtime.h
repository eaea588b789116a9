/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Who goes before whom when engine.realtime_priority p > 0: slot threads (they own the radio) have p, the fronthaul
 * link and its I/O p - 1, solvers p - 2, each at least 1; whatever records, decodes, reports or logs is never
 * real-time. docs/architecture.md. */
#ifndef TUTTI_NODE_REALTIME_H
#define TUTTI_NODE_REALTIME_H

#include "base/config.h"

#include <sched.h>

enum node_duty { NODE_DUTY_SLOT, NODE_DUTY_LINK, NODE_DUTY_SOLVE, NODE_DUTY_BACKGROUND };

/* SCHED_FIFO priority of a duty; 0 = ordinary. */
int node_priority(const struct config_engine *engine, enum node_duty duty);
/* Gives the calling thread its priority and core (-1: any); the slot's or the solver's also locks memory. What the
 * system refuses is logged once per request and does not stop anybody. */
void node_realtime(const struct config_engine *engine, enum node_duty duty, int core);
/* The cores the process had before any of its threads was pinned; false: none was. */
bool node_realtime_cores(cpu_set_t *cores);

#endif
