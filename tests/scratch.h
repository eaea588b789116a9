/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A folder of a test program's own, as group setup and teardown of cmocka. */
#ifndef TUTTI_TESTS_SCRATCH_H
#define TUTTI_TESTS_SCRATCH_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char base[64];

/* The path of a name in it; the last four stay valid. */
static inline const char *in(const char *name)
{
    static char path[4][160];
    static int next;
    next = (next + 1) % 4;
    snprintf(path[next], sizeof path[next], "%s/%s", base, name);
    return path[next];
}

static inline int setup(void **state)
{
    (void)state;
    snprintf(base, sizeof base, "/tmp/tutti-test-XXXXXX");
    return mkdtemp(base) ? 0 : -1;
}

static inline int teardown(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", base);
    return system(command);
}

#endif
