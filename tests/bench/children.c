/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "children.h"

#include "row.h"

#include <errno.h>
#include <limits.h>
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

/* Keeps rows until the child ends. 0 if it ended well and every line was a row. */
static int collect(FILE *out, pid_t child, bool show, json_t *rows)
{
    char *text = NULL;
    size_t room = 0, n = 0;
    int bad = 0, status = 0;
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
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    return bad || !WIFEXITED(status) || WEXITSTATUS(status) != 0 || n == 0;
}

int children_run(const char *directory, const char *name, bool quick, bool show, json_t *rows)
{
    char path[PATH_MAX + 32];
    pid_t child;
    snprintf(path, sizeof path, "%s/bench_%s", directory, name);
    FILE *out = start(path, quick, &child);
    const int rc = out ? collect(out, child, show, rows) : 1;
    if (rc != 0) {
        fprintf(stderr, "tutti-bench: %s did not finish; its rows so far are kept\n", path);
    }
    return rc;
}
