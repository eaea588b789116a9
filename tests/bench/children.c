/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "children.h"

#include "row.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* The child's standard output, or NULL. */
static FILE *start(const char *path, bool quick, pid_t *child)
{
    int ends[2];
    fflush(stdout);
    if (pipe(ends) != 0) {
        return NULL;
    }
    *child = fork();
    if (*child == 0) {
        dup2(ends[1], STDOUT_FILENO);
        close(ends[0]);
        close(ends[1]);
        execl(path, path, "--json", quick ? "--quick" : NULL, (char *)NULL);
        fprintf(stderr, "tutti-bench: %s: %s\n", path, strerror(errno));
        _exit(127);
    }
    close(ends[1]);
    FILE *out = *child > 0 ? fdopen(ends[0], "r") : NULL;
    if (!out) {
        close(ends[0]);
    }
    return out;
}

/* 0 if the child ended well. */
static int wait_for(pid_t child)
{
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    return !WIFEXITED(status) || WEXITSTATUS(status) != 0;
}

/* Keeps rows until the output ends, and closes it. 0 if there are any and every line was a row. */
static int collect(FILE *out, bool show, json_t *rows)
{
    char *text = NULL;
    size_t room = 0, n = 0;
    int bad = 0;
    while (getline(&text, &room, out) > 0) {
        json_t *row = json_loads(text, 0, NULL);
        if (!row || (show ? !row_show(row) : !row_is(row))) {
            bad = 1;
        }
        if (row) {
            bad |= json_array_append_new(rows, row) != 0;
            n++;
        }
    }
    free(text);
    fclose(out);
    return bad || n == 0;
}

int children_run(const char *directory, const char *name, bool quick, bool show, json_t *rows)
{
    char path[PATH_MAX + 32];
    pid_t child;
    snprintf(path, sizeof path, "%s/bench_%s", directory, name);
    FILE *out = start(path, quick, &child);
    int rc = out ? collect(out, show, rows) : 1;
    if (out) {
        rc |= wait_for(child);
    }
    if (rc != 0) {
        fprintf(stderr, "tutti-bench: %s did not finish; its rows so far are kept\n", path);
    }
    return rc;
}

/* A child that writes its rows to a file: read as they come, they would be read one child after the other, and the
 * second would wait for room in its pipe with the baton in its hand. */
static pid_t start_pair(const char *path, bool quick, int out, int in_end, int out_end)
{
    char ends[32];
    snprintf(ends, sizeof ends, "%d,%d", in_end, out_end);
    const pid_t child = fork();
    if (child == 0) {
        dup2(out, STDOUT_FILENO);
        fcntl(in_end, F_SETFD, 0); /* these two only: the other's ends must close with it */
        fcntl(out_end, F_SETFD, 0);
        execl(path, path, "--json", "--baton", ends, quick ? "--quick" : NULL, (char *)NULL);
        fprintf(stderr, "tutti-bench: %s: %s\n", path, strerror(errno));
        _exit(127);
    }
    return child;
}

/* One processor for both, or what else runs would meet one and not the other. */
static void stay_here(void)
{
    cpu_set_t here;
    CPU_ZERO(&here);
    CPU_SET((size_t)sched_getcpu(), &here);
    sched_setaffinity(0, sizeof here, &here);
}

int children_alternate(const char *const *directory, int first, const char *name, bool quick, json_t *const *rows)
{
    int ends[2][2]; /* [side]: what it reads from, what the other writes to */
    char path[2][PATH_MAX + 32];
    FILE *out[2] = {tmpfile(), tmpfile()};
    pid_t child[2];
    int rc = 0;
    if (!out[0] || !out[1] || pipe2(ends[0], O_CLOEXEC) != 0 || pipe2(ends[1], O_CLOEXEC) != 0) {
        fprintf(stderr, "tutti-bench: no pipes or files for bench_%s: %s\n", name, strerror(errno));
        return 1;
    }
    stay_here();
    rc = write(ends[first][1], "", 1) != 1;
    for (int i = 0; i < 2; i++) {
        snprintf(path[i], sizeof path[i], "%s/bench_%s", directory[i], name);
        child[i] = start_pair(path[i], quick, fileno(out[i]), ends[i][0], ends[!i][1]);
    }
    for (int i = 0; i < 4; i++) {
        close(ends[i / 2][i % 2]);
    }
    for (int i = 0; i < 2; i++) {
        int bad = child[i] < 0 || wait_for(child[i]);
        rewind(out[i]);
        bad |= collect(out[i], false, rows[i]);
        if (bad) {
            fprintf(stderr, "tutti-bench: %s did not finish; its rows so far are kept\n", path[i]);
        }
        rc |= bad;
    }
    return rc;
}
