/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tools/run/children.h"

#include "base/clock.h"
#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

struct children {
    char *directory;
    int fd, n, room;
    struct child child[];
};

static const uint64_t ns_per_s = 1000000000u;

int children_create(children_t **out, const char *directory, int room)
{
    *out = NULL;
    children_t *c = calloc(1, sizeof *c + (size_t)room * sizeof c->child[0]);
    if (!c) {
        return error_set(TUTTI_ENOMEM, "out of memory");
    }
    *out = c;
    c->room = room;
    c->directory = strdup(directory);
    /* Blocked before any thread exists, so every thread inherits it and the descriptor sees every SIGCHLD. */
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_BLOCK, &set, NULL);
    c->fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return c->directory && c->fd >= 0 ? 0 : error_set(TUTTI_EIO, "signalfd: %s", strerror(errno));
}

/* Starting ------------------------------------------------------------------------------------------------------ */

static bool is_program(const char *path)
{
    return access(path, X_OK) == 0;
}

/* $TUTTI_BIN_DIR, then beside this program (a build tree or an installation), then PATH (left to execvp). */
static void find_program(const char *name, char *path, size_t n)
{
    const char *bin = getenv("TUTTI_BIN_DIR");
    if (bin && bin[0]) {
        char absolute[PATH_MAX];
        snprintf(path, n, "%s/%s", realpath(bin, absolute) ? absolute : bin, name);
        return;
    }
    char self[PATH_MAX];
    const ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    if (length > 0) {
        self[length] = '\0';
        char *slash = strrchr(self, '/');
        if (slash) {
            *slash = '\0';
        }
        snprintf(path, n, "%s/%s", self, name);
        if (is_program(path)) {
            return;
        }
    }
    snprintf(path, n, "%s", name);
}

/* Between fork and exec: async-signal-safe calls only. Reports errno through the pipe if it comes to that. */
__attribute__((noreturn)) static void become(const children_t *c, const char *path, const char *const *argv, int log_fd,
                                             int error_fd, pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) {
        _exit(127); /* the tool died in between: the signal will not come */
    }
    setpgid(0, 0); /* Ctrl-C reaches the tool only, which stops the network in order */
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    signal(SIGHUP, SIG_DFL);
    signal(SIGPIPE, SIG_DFL);
    const int null_fd = open("/dev/null", O_RDONLY);
    if (null_fd >= 0 && dup2(null_fd, STDIN_FILENO) >= 0 && dup2(log_fd, STDOUT_FILENO) >= 0 &&
        dup2(log_fd, STDERR_FILENO) >= 0 && chdir(c->directory) == 0) {
        execvp(path, (char *const *)(uintptr_t)argv);
    }
    const int error = errno;
    if (write(error_fd, &error, sizeof error) < 0) {
        _exit(126);
    }
    _exit(127);
}

static int launch(children_t *c, struct child *child, const char *path, const char *const *argv, int log_fd)
{
    int pipe_fd[2];
    if (pipe2(pipe_fd, O_CLOEXEC) < 0) {
        return error_set(TUTTI_EIO, "pipe: %s", strerror(errno));
    }
    const pid_t parent = getpid();
    const pid_t pid = fork();
    if (pid == 0) {
        become(c, path, argv, log_fd, pipe_fd[1], parent);
    }
    close(pipe_fd[1]);
    int error = pid < 0 ? errno : 0;
    if (pid > 0 && read(pipe_fd[0], &error, sizeof error) != (ssize_t)sizeof error) {
        error = 0; /* the pipe closed at exec: it runs */
    }
    close(pipe_fd[0]);
    if (error == 0) {
        child->pid = pid;
        return 0;
    }
    if (pid > 0) {
        waitpid(pid, NULL, 0);
    }
    return error_set(TUTTI_EIO, "cannot start %s (%s): %s; TUTTI_BIN_DIR names the directory of the programs", argv[0],
                     path, strerror(error));
}

static void pid_path(const children_t *c, const struct child *child, char *path, size_t n)
{
    snprintf(path, n, "%s/logs/%s.pid", c->directory, child->name);
}

/* For people who want to kill and restart a node; nothing depends on it. */
static void write_pid(const children_t *c, const struct child *child)
{
    char path[2 * PATH_MAX];
    pid_path(c, child, path, sizeof path);
    FILE *file = fopen(path, "w");
    if (file) {
        fprintf(file, "%d\n", (int)child->pid);
        fclose(file);
    }
}

/* As soon as it has ended: by then the number may be somebody else's. */
static void remove_pid(const children_t *c, const struct child *child)
{
    char path[2 * PATH_MAX];
    pid_path(c, child, path, sizeof path);
    unlink(path);
}

static void forget(const children_t *c, struct child *child)
{
    remove_pid(c, child);
    free(child->log_path);
}

int children_start(children_t *c, enum child_kind kind, int id, const char *const *argv)
{
    static const char *const kind_name[] = {"air", "cpu", "ap", "ue", "eve", "dashboard"};
    if (c->n == c->room) {
        return error_set(TUTTI_EINVAL, "too many processes");
    }
    struct child *child = &c->child[c->n];
    child->kind = kind;
    child->id = id;
    if (id >= 0) {
        snprintf(child->name, sizeof child->name, "%s%d", kind_name[kind], id);
    } else {
        snprintf(child->name, sizeof child->name, "%s", kind_name[kind]);
    }
    if (asprintf(&child->log_path, "%s/logs/%s.log", c->directory, child->name) < 0) {
        child->log_path = NULL;
        return error_set(TUTTI_ENOMEM, "out of memory");
    }
    c->n++;
    const int log_fd = open(child->log_path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0644);
    if (log_fd < 0) {
        return error_set(TUTTI_EIO, "cannot write %s: %s", child->log_path, strerror(errno));
    }
    char path[2 * PATH_MAX];
    find_program(argv[0], path, sizeof path);
    const int status = launch(c, child, path, argv, log_fd);
    close(log_fd);
    if (status == 0) {
        write_pid(c, child);
    }
    return status;
}

void children_destroy(children_t *c)
{
    if (!c) {
        return;
    }
    for (int i = 0; i < c->n; i++) {
        if (c->child[i].pid > 0) {
            kill(c->child[i].pid, SIGKILL);
            waitpid(c->child[i].pid, NULL, 0);
        }
        forget(c, &c->child[i]);
    }
    if (c->fd > 0) {
        close(c->fd);
    }
    free(c->directory);
    free(c);
}

/* Watching ------------------------------------------------------------------------------------------------------ */

int children_fd(const children_t *c)
{
    return c->fd;
}

void children_reap(children_t *c)
{
    struct signalfd_siginfo info;
    while (read(c->fd, &info, sizeof info) == (ssize_t)sizeof info) {
        continue; /* several deaths may share one notice: ask for each child below */
    }
    for (int i = 0; i < c->n; i++) {
        struct child *child = &c->child[i];
        if (child->pid > 0 && waitpid(child->pid, &child->status, WNOHANG) == child->pid) {
            child->pid = 0;
            child->ended_ns = clock_mono_ns();
            remove_pid(c, child);
        }
    }
}

int children_count(const children_t *c)
{
    return c->n;
}

struct child *children_get(children_t *c, int index)
{
    return &c->child[index];
}

int children_running(const children_t *c)
{
    int n = 0;
    for (int i = 0; i < c->n; i++) {
        n += c->child[i].pid > 0 && c->child[i].kind != CHILD_PAGE;
    }
    return n;
}

bool children_kind_running(const children_t *c, enum child_kind kind)
{
    for (int i = 0; i < c->n; i++) {
        if (c->child[i].kind == kind && c->child[i].pid > 0) {
            return true;
        }
    }
    return false;
}

/* Stopping ------------------------------------------------------------------------------------------------------ */

static void signal_kind(const children_t *c, enum child_kind kind, int signal_number)
{
    for (int i = 0; i < c->n; i++) {
        if (c->child[i].kind == kind && c->child[i].pid > 0) {
            kill(c->child[i].pid, signal_number);
        }
    }
}

static void wait_gone(children_t *c, enum child_kind a, enum child_kind b, uint64_t until_ns)
{
    while ((children_kind_running(c, a) || children_kind_running(c, b)) && clock_mono_ns() < until_ns) {
        struct pollfd watch = {.fd = c->fd, .events = POLLIN};
        poll(&watch, 1, 50);
        children_reap(c);
    }
}

static uint64_t in_s(uint64_t seconds)
{
    return clock_mono_ns() + seconds * ns_per_s;
}

/* Everybody's time counts from when it was told: on a busy machine this process itself may lose seconds in between. */
void children_stop(children_t *c)
{
    children_reap(c);
    signal_kind(c, CHILD_CPU, SIGTERM);
    const uint64_t cpu_ns = in_s(5);
    wait_gone(c, CHILD_CPU, CHILD_CPU, in_s(2)); /* the others need not wait until its recording is on the disk */
    signal_kind(c, CHILD_AP, SIGTERM);
    signal_kind(c, CHILD_UE, SIGTERM);
    signal_kind(c, CHILD_EVE, SIGTERM);
    const uint64_t nodes_ns = in_s(4);
    wait_gone(c, CHILD_AP, CHILD_UE, nodes_ns);
    wait_gone(c, CHILD_EVE, CHILD_EVE, nodes_ns);
    signal_kind(c, CHILD_AIR, SIGTERM);
    wait_gone(c, CHILD_AIR, CHILD_AIR, in_s(1));
    signal_kind(c, CHILD_PAGE, SIGTERM);
    wait_gone(c, CHILD_PAGE, CHILD_PAGE, in_s(1));
    wait_gone(c, CHILD_CPU, CHILD_CPU, cpu_ns);
    const enum child_kind all[] = {CHILD_CPU, CHILD_AP, CHILD_UE, CHILD_EVE, CHILD_AIR, CHILD_PAGE};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        signal_kind(c, all[i], SIGKILL);
    }
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        wait_gone(c, all[i], all[i], UINT64_MAX);
    }
}

/* Telling ------------------------------------------------------------------------------------------------------- */

const char *child_status_text(const struct child *child, char *text, int n)
{
    if (WIFSIGNALED(child->status)) {
        snprintf(text, (size_t)n, "killed by signal %d (%s)", WTERMSIG(child->status),
                 strsignal(WTERMSIG(child->status)));
    } else {
        snprintf(text, (size_t)n, "exit status %d", WEXITSTATUS(child->status));
    }
    return text;
}

bool child_ended_well(const struct child *child)
{
    return WIFEXITED(child->status) && WEXITSTATUS(child->status) == 0;
}

void child_print_log_tail(const struct child *child, int n_lines)
{
    char text[4096];
    FILE *log = fopen(child->log_path, "r");
    if (!log) {
        return;
    }
    if (fseek(log, -(long)sizeof text + 1, SEEK_END) < 0) {
        rewind(log);
    }
    const size_t n = fread(text, 1, sizeof text - 1, log);
    fclose(log);
    text[n] = '\0';
    size_t start = n;
    for (int lines = 0; start > 0; start--) {
        if (text[start - 1] == '\n' && start < n && ++lines == n_lines) {
            break;
        }
    }
    for (char *save = NULL, *line = strtok_r(text + start, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        fprintf(stderr, "    %s\n", line);
    }
}

bool child_has_said(const struct child *child, const char *tag)
{
    char line[512];
    bool found = false;
    FILE *log = fopen(child->log_path, "r");
    while (log && !found && fgets(line, sizeof line, log)) {
        found = strstr(line, tag) != NULL;
    }
    if (log) {
        fclose(log);
    }
    return found;
}

bool child_word(const struct child *child, const char *beginning, char *word, size_t room)
{
    char line[512];
    const char *found = NULL;
    FILE *log = fopen(child->log_path, "r");
    while (log && !found && fgets(line, sizeof line, log)) {
        found = strchr(line, '\n') ? strstr(line, beginning) : NULL; /* a line is whole when it has its end */
    }
    if (found) {
        snprintf(word, room, "%.*s", (int)strcspn(found, " \n"), found);
    }
    if (log) {
        fclose(log);
    }
    return found != NULL;
}
