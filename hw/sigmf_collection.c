/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The collection: which recordings belong together. It is made anew from what lies in the folder, so nodes that come
 * and go need to know nothing of each other. */
#include "base/error.h"
#include "hw/sigmf.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define META ".sigmf-meta"

static int is_meta(const struct dirent *entry)
{
    const size_t n = strlen(entry->d_name), ending = strlen(META);
    return n > ending && strcmp(entry->d_name + n - ending, META) == 0;
}

static int add_stream(json_t *streams, const char *dir, const char *file)
{
    char path[PATH_MAX], hash[SIGMF_HASH_ROOM];
    if (snprintf(path, sizeof path, "%s/%s", dir, file) >= (int)sizeof path) {
        return error_set(TUTTI_EIO, "%s/%s: path too long", dir, file);
    }
    const int status = sigmf_hash_file(hash, path);
    const size_t length = strlen(file) - strlen(META);
    json_t *stream = status < 0 ? NULL : json_pack("{s:s%, s:s}", "name", file, length, "hash", hash);
    return status < 0                               ? status
           : json_array_append_new(streams, stream) ? error_set(TUTTI_ENOMEM, "out of memory for a collection")
                                                    : TUTTI_OK;
}

static int list_streams(json_t *streams, const char *dir)
{
    struct dirent **entries = NULL;
    const int n = scandir(dir, &entries, is_meta, versionsort);
    int status = n < 0 ? error_set(TUTTI_EIO, "%s: %s", dir, strerror(errno)) : TUTTI_OK;
    for (int i = 0; i < n; i++) {
        status = status < 0 ? status : add_stream(streams, dir, entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
    return status;
}

/* The configuration that the first node of the recording wrote. */
static json_t *kept_config(const char *path, const char *config)
{
    json_t *old = json_load_file(path, 0, NULL);
    json_t *text = json_incref(json_object_get(json_object_get(old, "collection"), "tutti:config"));
    json_decref(old);
    return json_is_string(text) ? text : json_string(config);
}

static int write_collection(const char *path, const char *dir, const char *config)
{
    char part[PATH_MAX + 8];
    json_t *streams = json_array();
    int status = list_streams(streams, dir);
    json_t *all = status < 0 ? NULL
                             : json_pack("{s:{s:s, s:O, s:[{s:s, s:s, s:b}], s:o}}", "collection", "core:version",
                                         SIGMF_VERSION, "core:streams", streams, "core:extensions", "name", "tutti",
                                         "version", "1.0.0", "optional", 1, "tutti:config", kept_config(path, config));
    snprintf(part, sizeof part, "%s.part", path);
    if (status >= 0 && (!all || json_dump_file(all, part, JSON_INDENT(2)) || rename(part, path) < 0)) {
        status = error_set(TUTTI_EIO, "cannot write %s: %s", path, strerror(errno));
        unlink(part);
    }
    json_decref(all);
    json_decref(streams);
    return status;
}

int sigmf_collection_update(const char *dir, const char *name, const char *config)
{
    char path[PATH_MAX];
    if (snprintf(path, sizeof path, "%s/%s.sigmf-collection", dir, name) >= (int)sizeof path) {
        return error_set(TUTTI_EIO, "%s: path too long", dir);
    }
    const int lock = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (lock < 0 || flock(lock, LOCK_EX) < 0) {
        const int status = error_set(TUTTI_EIO, "%s: %s", dir, strerror(errno));
        if (lock >= 0) {
            close(lock);
        }
        return status;
    }
    const int status = write_collection(path, dir, config);
    close(lock);
    return status;
}
