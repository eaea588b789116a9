/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/h5file_trial.h"

#include "base/error.h"
#include "base/h5file_internal.h"
#include "base/log.h"
#include "base/rt.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CALL_LIMIT_S = 20, LOG_MS = 1000 };

/* What comes through the pipe, whole or not at all: it is shorter than a pipe writes at once. */
struct verdict {
    int status;
    char sentence[1024];
};

static _Noreturn void be_the_child(int out, pid_t parent, int (*body)(void *context), void *context)
{
    const struct rlimit none = {0, 0};
    struct verdict verdict = {0};
    sigset_t alarm_alone;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) {
        _exit(1);
    }
    setrlimit(RLIMIT_CORE, &none);
    signal(SIGALRM, SIG_DFL);
    sigemptyset(&alarm_alone);
    sigaddset(&alarm_alone, SIGALRM);
    sigprocmask(SIG_UNBLOCK, &alarm_alone, NULL);
    h5file_limit_calls(CALL_LIMIT_S, NULL);
    verdict.status = body(context);
    snprintf(verdict.sentence, sizeof verdict.sentence, "%s", verdict.status < 0 ? error_text() : "");
    _exit(write(out, &verdict, sizeof verdict) == sizeof verdict ? 0 : 1);
}

/* Until it has spoken or ended, or this process is asked to stop. */
static bool hear(int in, struct verdict *verdict)
{
    struct pollfd watched[] = {{.fd = in, .events = POLLIN}, {.fd = rt_stop_fd(), .events = POLLIN}};
    while (poll(watched, 2, -1) < 0 && errno == EINTR) {
        continue;
    }
    return watched[0].revents && read(in, verdict, sizeof *verdict) == sizeof *verdict &&
           memchr(verdict->sentence, '\0', sizeof verdict->sentence);
}

/* How it ended: a wait status, or -1 where SIGCHLD is ignored and nobody is told. */
static int end_of(pid_t child)
{
    int status = -1;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
        continue;
    }
    return status;
}

static int explain(const char *path, int end)
{
    const int number = end != -1 && WIFSIGNALED(end) ? WTERMSIG(end) : 0;
    const char *const name = number ? sigabbrev_np(number) : NULL;
    if (rt_stop_requested()) {
        return error_set(TUTTI_ESTOPPED, "stopped while %s was read", path);
    }
    if (number == SIGALRM) {
        return error_set(TUTTI_EFORMAT, "%s: damaged: reading it did not come to an end within %d s", path,
                         CALL_LIMIT_S);
    }
    if (number == SIGKILL) {
        return error_set(TUTTI_ENOMEM, "%s: the process that read it was killed, perhaps for want of memory", path);
    }
    return error_set(TUTTI_EFORMAT, "%s: damaged: the HDF5 library crashed on it%s%s%s", path, name ? " (SIG" : "",
                     name ? name : "", name ? ")" : "");
}

int h5file_trial(const char *path, int (*body)(void *context), void *context)
{
    const pid_t parent = getpid();
    struct verdict verdict;
    int ends[2];
    if (pipe2(ends, O_CLOEXEC)) {
        return error_set(TUTTI_ENOMEM, "%s: no descriptors to read it: %s", path, strerror(errno));
    }
    log_flush(LOG_MS); /* then its thread waits: what it held would stay held in the child */
    const pid_t child = h5file_fork();
    const int reason = errno;
    if (child == 0) {
        be_the_child(ends[1], parent, body, context);
    }
    close(ends[1]);
    const bool heard = child > 0 && hear(ends[0], &verdict);
    close(ends[0]);
    if (child < 0) {
        return error_set(TUTTI_ENOMEM, "%s: no process to read it: %s", path, strerror(reason));
    }
    if (!heard && rt_stop_requested()) {
        kill(child, SIGKILL);
    }
    const int end = end_of(child);
    if (!heard) {
        return explain(path, end);
    }
    return verdict.status < 0 ? error_set(verdict.status, "%s", verdict.sentence) : verdict.status;
}
