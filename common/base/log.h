/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Log lines to standard error: `2026-03-15T18:29:25.142200 [FH] [W] [block] AP-LATE ap=3 by_us=14.2`, that is time
 * (UTC), component, level, context, a stable tag and key=value pairs with units. Formats and writes: never on the block
 * path. */
#ifndef TUTTI_BASE_LOG_H
#define TUTTI_BASE_LOG_H

enum log_level { LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG };

void log_set_level(enum log_level level);                     /* default LOG_INFO */
int log_level_parse(const char *text, enum log_level *level); /* "error" "warning" "info" "debug" */
void log_set_component(const char *component);                /* process-wide, copied: "AP0", "CPU", "AIR", "UE2" */
void log_write(enum log_level level, const char *context, const char *format, ...)
    __attribute__((format(printf, 3, 4))); /* thread-safe: one write(2) per line */

#endif
