/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tools/latency/latency.h"

#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

void latency_processor(char *text, size_t room)
{
    struct utsname system = {0};
    char line[1024];
    FILE *info = fopen("/proc/cpuinfo", "r");
    uname(&system);
    snprintf(text, room, "%s", system.machine);
    while (info && fgets(line, sizeof line, info)) {
        const char *const colon = strchr(line, ':');
        if (strncmp(line, "model name", 10) == 0 && colon) {
            snprintf(text, room, "%.*s", (int)strcspn(colon + 2, "\n"), colon + 2);
            break;
        }
    }
    if (info) {
        fclose(info);
    }
}
