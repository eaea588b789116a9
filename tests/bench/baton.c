/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "baton.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int from = -1, to = -1;
static bool open_once;

/* The other program's end is its end of the pipes: from then on there is nobody to wait for. */
static bool wait_for_turn(void)
{
    char byte;
    ssize_t n;
    do {
        n = read(from, &byte, 1);
    } while (n < 0 && errno == EINTR);
    if (n == 1) {
        return true;
    }
    close(from);
    close(to);
    from = to = -1;
    return false;
}

void baton_open(const char *ends)
{
    if (sscanf(ends, "%d,%d", &from, &to) != 2 || from < 0 || to < 0) {
        fprintf(stderr, "--baton %s: must be two numbers of open pipes, IN,OUT\n", ends);
        exit(2);
    }
    signal(SIGPIPE, SIG_IGN);
    open_once = true;
    wait_for_turn();
}

bool baton_pass(void)
{
    return from >= 0 && write(to, "", 1) == 1 && wait_for_turn();
}

bool baton_is_open(void)
{
    return open_once;
}
