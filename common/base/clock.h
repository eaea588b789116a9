/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Clocks. Inside a node time is a tick; nanoseconds are for time stamps, deadlines and people. Never blocks but for
 * the sleep; cost: one vDSO call. */
#ifndef TUTTI_BASE_CLOCK_H
#define TUTTI_BASE_CLOCK_H

#include <stdint.h>

uint64_t clock_mono_ns(void); /* CLOCK_MONOTONIC: deadlines and durations inside one process */
uint64_t clock_wall_ns(void); /* CLOCK_REALTIME: stamps that travel between hosts (PTP or NTP disciplined) */
void clock_sleep_until_ns(uint64_t mono_ns); /* returns at once if the time has passed; restarts after signals */

#endif
