/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/output.h"

#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_FILES = 100000 };

static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* False if it does not fit. */
static bool numbered(const char *path, int number, char *name, size_t room)
{
    const char *last = last_part(path), *dot = strrchr(last, '.');
    const int stem = (int)(dot && dot != last ? (size_t)(dot - path) : strlen(path));
    const int n = number == 1 ? snprintf(name, room, "%s", path)
                              : snprintf(name, room, "%.*s.%d%s", stem, path, number, path + stem);
    return n >= 0 && (size_t)n < room;
}

/* 0 = made, 1 = a file is there already, else an error. */
static int make(const char *name)
{
    struct stat status;
    const int fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd >= 0) {
        close(fd);
        return 0;
    }
    if (errno != EEXIST) {
        return error_set(TUTTI_EIO, "cannot write %s: %s", name, strerror(errno));
    }
    if (lstat(name, &status) == 0 && !S_ISREG(status.st_mode) && !S_ISLNK(status.st_mode)) {
        return error_set(TUTTI_EIO, "cannot write %s: it is there and not a regular file", name);
    }
    return 1;
}

int output_begin(const char *path, char *name, size_t room)
{
    for (int number = 1; number <= MAX_FILES; number++) {
        if (!numbered(path, number, name, room)) {
            return error_set(TUTTI_EIO, "%.100s...: the path is too long", path);
        }
        const int made = make(name);
        if (made <= 0) {
            return made;
        }
    }
    return error_set(TUTTI_EIO, "cannot write %s: %d files of that name are there", path, MAX_FILES);
}

static bool folder_of(const char *path, struct stat *status)
{
    char folder[PATH_MAX];
    const size_t n = (size_t)(last_part(path) - path);
    return snprintf(folder, sizeof folder, "%.*s", (int)n, n ? path : "") < (int)sizeof folder &&
           stat(n ? folder : ".", status) == 0;
}

static bool same_file(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

bool output_same(const char *a, const char *b)
{
    struct stat of_a, of_b;
    if (!a || !b || !a[0] || !b[0]) {
        return false;
    }
    if (strcmp(a, b) == 0 || (stat(a, &of_a) == 0 && stat(b, &of_b) == 0 && same_file(&of_a, &of_b))) {
        return true;
    }
    return strcmp(last_part(a), last_part(b)) == 0 && folder_of(a, &of_a) && folder_of(b, &of_b) &&
           same_file(&of_a, &of_b);
}
