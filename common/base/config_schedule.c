/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/config.h"
#include "base/error.h"

#include <ctype.h>
#include <string.h>

int config_schedule_expand(const char *schedule, char *letters, size_t room)
{
    size_t n = 0;
    const char *p = schedule + strspn(schedule, " ");
    while (*p) {
        const char letter = *p;
        const int position = (int)(p - schedule) + 1;
        if (!strchr("BPUGDC", letter)) {
            return error_set(TUTTI_ECONFIG, "frame.schedule: '%c' (character %d) is not one of B, P, U, G, D, C",
                             isprint((unsigned char)letter) ? letter : '?', position);
        }
        p += 1 + strspn(p + 1, " ");
        size_t run = isdigit((unsigned char)*p) ? 0 : 1;
        while (isdigit((unsigned char)*p)) {
            run = run > room ? run : run * 10 + (size_t)(*p - '0');
            p += 1 + strspn(p + 1, " ");
        }
        if (run == 0) {
            return error_set(TUTTI_ECONFIG, "frame.schedule: '%c' (character %d) has run length 0", letter, position);
        }
        if (n + run + 1 > room) {
            return error_set(TUTTI_ECONFIG, "frame.schedule: more than %zu symbols from '%c' (character %d) on",
                             room - 1, letter, position);
        }
        memset(letters + n, letter, run);
        n += run;
    }
    letters[n] = '\0';
    return (int)n;
}
