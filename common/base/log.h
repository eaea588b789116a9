/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Log lines to standard error: `2026-03-15T18:29:25.142200 [FH] [W] [block] AP-LATE ap=3 by_us=14.2`, that is time
 * (UTC), component, level, context, a stable tag and key=value pairs with units. A line is put into a bounded ring and
 * a thread of its own writes it out: whoever does not read standard error (a full pipe, Ctrl-S) stops nobody. What
 * finds no room is lost, counted, and told by a line `LOG-LOST lines=`. Formats text: never on the block path. */
#ifndef TUTTI_BASE_LOG_H
#define TUTTI_BASE_LOG_H

#include <stdint.h>

enum log_level { LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG };

void log_set_level(enum log_level level);                     /* default LOG_INFO */
int log_level_parse(const char *text, enum log_level *level); /* "error" "warning" "info" "debug" */
/* Process-wide, copied: "AP0", "CPU", "AIR", "UE2". To be called once, first of all: starts the writer, and gives
 * descriptors 0 to 2 that were closed to /dev/null, so that no file of ours becomes standard error. */
void log_set_component(const char *component);
/* Thread-safe, lock-free; neither blocks nor allocates (but for the very first one when log_set_component was not
 * called). Lines over 2047 bytes are cut. */
void log_write(enum log_level level, const char *context, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Waits until everything logged so far is written or lost and the thread that writes waits for more, or writing has
 * taken timeout_ms because nobody reads: a machine that is slow to let the writer run has twenty times as long. exit()
 * does so by itself with half a second; _exit does not. */
void log_flush(int timeout_ms);
uint64_t log_lost(void); /* lines so far */

#endif
