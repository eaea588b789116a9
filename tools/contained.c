/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tools/contained.h"

#include "base/h5file.h"
#include "tools/tool.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static unsigned limit_of(const struct contained *c)
{
    return c->limit_s ? c->limit_s : CONTAINED_CALL_LIMIT_S;
}

static void be_the_child(const struct contained *c, pid_t parent, const sigset_t *mask, volatile sig_atomic_t *mark)
{
    const struct rlimit none = {0, 0};
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) {
        _exit(TOOL_FAILED);
    }
    setrlimit(RLIMIT_CORE, &none);
    sigset_t set = *mask;
    sigdelset(&set, SIGALRM);
    signal(SIGALRM, SIG_DFL);
    sigprocmask(SIG_SETMASK, &set, NULL);
    h5file_limit_calls(limit_of(c), mark);
    exit(tool_end(c->command, c->body(c->context)));
}

/* Passes stop requests on until the child has ended. Returns the last one, or 0. */
static int wait_for(pid_t child, const sigset_t *watched, int *status)
{
    int stop = 0;
    while (waitpid(child, status, WNOHANG) == 0) {
        const int number = sigwaitinfo(watched, NULL);
        if (number == SIGINT || number == SIGTERM || number == SIGHUP) {
            stop = number;
            kill(child, number);
        }
    }
    return stop;
}

/* Programs started by a shell may have SIGCHLD ignored: then children could not be waited for. */
static pid_t start(const struct contained *c, sigset_t *watched, sigset_t *before, volatile sig_atomic_t *mark)
{
    const pid_t parent = getpid();
    sigemptyset(watched);
    sigaddset(watched, SIGINT);
    sigaddset(watched, SIGTERM);
    sigaddset(watched, SIGHUP); /* ignored (nohup), it never comes */
    sigaddset(watched, SIGCHLD);
    signal(SIGCHLD, SIG_DFL);
    sigprocmask(SIG_BLOCK, watched, before);
    fflush(NULL);
    const pid_t child = fork();
    if (child == 0) {
        be_the_child(c, parent, before, mark);
    }
    return child;
}

static const char *signal_name(int number)
{
    const char *const name = sigabbrev_np(number);
    return name ? name : "?";
}

static void explain(const struct contained *c, int number, bool inside)
{
    fprintf(stderr, "tutti %s: %s: ", c->command, c->path);
    if (number == SIGALRM) {
        fprintf(stderr, "damaged: reading it did not come to an end within %u s\n", limit_of(c));
    } else if (number == SIGKILL) {
        fputs("killed (SIGKILL) at work on it, perhaps for want of memory\n", stderr);
    } else if (inside) {
        fprintf(stderr, "damaged: the HDF5 library crashed on it (SIG%s)\n", signal_name(number));
    } else {
        fprintf(stderr, "crashed at work on it (SIG%s): it is damaged, or this is a fault of tutti\n",
                signal_name(number));
    }
}

/* The end of the child is the end of the command. */
static int conclude(const struct contained *c, int status, int stop, bool inside)
{
    if (WIFEXITED(status)) {
        return WEXITSTATUS(status);
    }
    const int number = WTERMSIG(status);
    if (c->crashed && number != SIGKILL) {
        c->crashed(c->context);
    }
    if (number == stop) {
        signal(number, SIG_DFL);
        raise(number);
    }
    explain(c, number, inside);
    return TOOL_FAILED;
}

int contained_run(const struct contained *c)
{
    sigset_t watched, before;
    int status = SIGKILL, stop = 0;
    volatile sig_atomic_t *const mark =
        mmap(NULL, sizeof *mark, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (mark == MAP_FAILED) {
        fprintf(stderr, "tutti %s: no memory: %s\n", c->command, strerror(errno));
        return TOOL_FAILED;
    }
    const pid_t child = start(c, &watched, &before, mark);
    const int reason = errno;
    if (child > 0) {
        stop = wait_for(child, &watched, &status);
    }
    const bool inside = *mark;
    munmap((void *)mark, sizeof *mark);
    sigprocmask(SIG_SETMASK, &before, NULL);
    if (child > 0) {
        return conclude(c, status, stop, inside);
    }
    fprintf(stderr, "tutti %s: cannot start a process: %s\n", c->command, strerror(reason));
    return TOOL_FAILED;
}
