/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Two builds of one bench program that take turns on one processor, round by round: what slows the machine down meets
 * both, and pairs of rounds can be compared however busy it is. */
#ifndef TESTS_BENCH_BATON_H
#define TESTS_BENCH_BATON_H

#include <stdbool.h>

/* "IN,OUT": pipes from and to the other program. Waits until it is this one's turn. */
void baton_open(const char *ends);
/* Before every round that is timed: lets the other program have its round and waits. True if it had one, so that the
 * caches hold its data: a first run is not to be timed then. False without another program, or when it has ended. */
bool baton_pass(void);
/* Whether baton_open was called: then the number of rounds must not depend on the clock. */
bool baton_is_open(void);

#endif
