/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/folder.h"

#include "base/error.h"

#include <errno.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool folder_written_by_others(const struct stat *status)
{
    const bool group = status->st_mode & S_IWGRP && status->st_gid != getegid() && status->st_gid != 0;
    return group || status->st_mode & S_IWOTH;
}

bool folder_is_ours(const struct stat *status)
{
    return status->st_uid == geteuid() || status->st_uid == 0;
}

static const char *user_name(uid_t uid, char *room, size_t size)
{
    char buffer[1024];
    struct passwd entry, *found = NULL;
    if (getpwuid_r(uid, &entry, buffer, sizeof buffer, &found) == 0 && found) {
        snprintf(room, size, "%s", found->pw_name);
    } else {
        snprintf(room, size, "user %u", (unsigned)uid);
    }
    return room;
}

static int fail_owner(const char *path, const struct stat *status)
{
    char owner[64];
    return error_set(TUTTI_EIO, "%s belongs to %s, who could exchange what lies in it: choose another folder", path,
                     user_name(status->st_uid, owner, sizeof owner));
}

/* One folder of the way; the last one must be ours, too. */
static int check_step(const char *path, bool last)
{
    struct stat status;
    if (stat(path, &status)) {
        return error_set(TUTTI_EIO, "%s: %s", path, strerror(errno));
    }
    if (!S_ISDIR(status.st_mode)) {
        return error_set(TUTTI_EIO, "%s is not a folder", path);
    }
    if (folder_written_by_others(&status) && !(status.st_mode & S_ISVTX)) {
        return error_set(TUTTI_EIO,
                         "%s may be written by others (mode %04o), who could exchange what lies in it: chmod go-w %s",
                         path, (unsigned)(status.st_mode & 07777), path);
    }
    return last && !folder_is_ours(&status) ? fail_owner(path, &status) : TUTTI_OK;
}

/* Links on the way as it is written: who owns one decides where it leads. */
static int check_link(const char *path)
{
    struct stat status;
    return lstat(path, &status) == 0 && S_ISLNK(status.st_mode) && !folder_is_ours(&status) ? fail_owner(path, &status)
                                                                                            : TUTTI_OK;
}

/* Calls check for "/", "/a", "/a/b" of "/a/b"; of a relative path for "a", "a/b". */
static int each_step(const char *path, int (*check)(const char *step, bool last))
{
    char step[PATH_MAX];
    if (snprintf(step, sizeof step, "%s", path) >= (int)sizeof step) {
        return error_set(TUTTI_EIO, "%.100s...: the path is too long", path);
    }
    int status = *path == '/' && path[1] ? check("/", false) : TUTTI_OK;
    for (char *slash = strchr(step + 1, '/'); slash && !status; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        status = slash[1] ? check(step, false) : TUTTI_OK;
        *slash = '/';
    }
    return status ? status : check(step, true);
}

static int check_link_step(const char *step, bool last)
{
    (void)last;
    return check_link(step);
}

int folder_check(const char *path)
{
    int status = each_step(path, check_link_step);
    char *const real = status ? NULL : realpath(path, NULL);
    if (!status && !real) {
        status = error_set(TUTTI_EIO, "%s: %s", path, strerror(errno));
    }
    status = status ? status : each_step(real, check_step);
    free(real);
    return status;
}

static int make_step(const char *step, bool last)
{
    return last || mkdir(step, 0700) == 0 || errno == EEXIST || access(step, X_OK) == 0
               ? TUTTI_OK
               : error_set(TUTTI_EIO, "cannot make the folder %s: %s", step, strerror(errno));
}

int folder_make_for(const char *file)
{
    int status = each_step(file, make_step);
    const char *const slash = strrchr(file, '/');
    char *const folder = slash == file ? strdup("/") : slash ? strndup(file, (size_t)(slash - file)) : strdup(".");
    if (!status && !folder) {
        status = error_set(TUTTI_ENOMEM, "out of memory");
    }
    status = status ? status : folder_check(folder);
    free(folder);
    return status;
}
