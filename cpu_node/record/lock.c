/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cpu_node/record/lock.h"

#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static char *lock_name(const char *path)
{
    char *name = malloc(strlen(path) + sizeof ".lock");
    if (name) {
        sprintf(name, "%s.lock", path);
    }
    return name;
}

static int refused(const char *path, int fd)
{
    char pid[16] = "";
    const ssize_t n = pread(fd, pid, sizeof pid - 1, 0);
    pid[n > 0 ? strspn(pid, "0123456789") : 0] = '\0';
    return error_set(TUTTI_EREFUSED, "%s is being written by another tutti-cpu%s%s%s; end that one first", path,
                     pid[0] ? " (process " : "", pid, pid[0] ? ")" : "");
}

/* The name may have been removed and made anew between open and lock by an owner that ended. */
static bool still_named(const char *name, int fd)
{
    struct stat ours, theirs;
    return fstat(fd, &ours) == 0 && stat(name, &theirs) == 0 && ours.st_ino == theirs.st_ino &&
           ours.st_dev == theirs.st_dev;
}

static int take(const char *path, const char *name)
{
    for (;;) {
        const int fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
        if (fd < 0) {
            return error_set(TUTTI_EIO, "cannot record to %s: %s: %s", path, name, strerror(errno));
        }
        if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
            const int status = errno == EWOULDBLOCK ? refused(path, fd)
                                                    : error_set(TUTTI_EIO, "cannot lock %s: %s", name, strerror(errno));
            close(fd);
            return status;
        }
        if (still_named(name, fd)) {
            char pid[16];
            const int n = snprintf(pid, sizeof pid, "%d\n", (int)getpid());
            if (ftruncate(fd, 0) < 0 || pwrite(fd, pid, (size_t)n, 0) != n) {
                /* only for the sentence of who comes later */
            }
            return fd;
        }
        close(fd);
    }
}

int output_lock(const char *path)
{
    char *name = lock_name(path);
    const int fd = name ? take(path, name) : error_set(TUTTI_ENOMEM, "out of memory for a lock");
    free(name);
    return fd;
}

void output_unlock(const char *path, int lock)
{
    char *name = lock < 0 ? NULL : lock_name(path);
    if (name) {
        unlink(name);
    }
    if (lock >= 0) {
        close(lock);
    }
    free(name);
}
