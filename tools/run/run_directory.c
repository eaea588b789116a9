/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tools/run/run_directory.h"

#include "base/error.h"
#include "tools/tool.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* Longest directory whose socket paths still fit: 107 bytes less the longest socket name, with room to spare. */
enum { MAX_SOCKET_DIRECTORY = 80 };

static char *join(const char *directory, const char *name)
{
    char *path = NULL;
    const int n = name[0] == '/' ? asprintf(&path, "%s", name) : asprintf(&path, "%s/%s", directory, name);
    return n < 0 ? NULL : path;
}

/* Whether the configuration left network.runtime_dir to the programs: the word itself or what it stands for. */
static bool runtime_is_auto(const struct config *config)
{
    char automatic[PATH_MAX];
    snprintf(automatic, sizeof automatic, "/tmp/tutti-%lu-%.64s", (unsigned long)getuid(), config->network.name);
    return strcmp(config->network.runtime_dir, "auto") == 0 || strcmp(config->network.runtime_dir, automatic) == 0;
}

static int make_sockets(struct run_directory *run)
{
    char *place = join(run->path, "sock");
    if (place && strlen(place) > MAX_SOCKET_DIRECTORY) {
        free(place);
        place = strdup("/tmp/tutti-XXXXXX");
        if (place && !mkdtemp(place)) {
            free(place);
            return error_set(TUTTI_EIO, "cannot make a directory under /tmp: %s", strerror(errno));
        }
    } else if (place && mkdir(place, 0700) < 0 && errno != EEXIST) {
        const int status = error_set(TUTTI_EIO, "cannot make %s: %s", place, strerror(errno));
        free(place);
        return status;
    }
    run->sockets = place;
    return place ? 0 : error_set(TUTTI_ENOMEM, "out of memory");
}

/* The endpoints follow from runtime_dir when the configuration is loaded, so it is loaded again with the final place,
 * which comes first among the overrides. */
static int load_again(struct run_directory *run, const struct config_options *options)
{
    char *runtime = NULL;
    if (asprintf(&runtime, "network.runtime_dir:=%s", run->sockets) < 0) {
        return error_set(TUTTI_ENOMEM, "out of memory");
    }
    struct config_options all = {0};
    int status = config_options_add(&all, runtime);
    for (int i = 0; !status && i < options->n_overrides; i++) {
        status = config_options_add(&all, options->overrides[i]);
    }
    struct config *config = NULL;
    if (!status) {
        status = config_load(&config, options->path, all.overrides, all.n_overrides);
    }
    config_options_free(&all);
    free(runtime);
    if (status < 0) {
        return status;
    }
    config_free(run->config);
    run->config = config;
    return 0;
}

static int write_config(const struct run_directory *run)
{
    char *yaml = config_to_yaml(run->config);
    if (!yaml) {
        return TUTTI_ENOMEM;
    }
    FILE *file = fopen(run->config_path, "w");
    bool good = file && fputs(yaml, file) >= 0;
    if (file) {
        good = fclose(file) == 0 && good;
    }
    free(yaml);
    return good ? 0 : error_set(TUTTI_EIO, "cannot write %s: %s", run->config_path, strerror(errno));
}

/* A folder that was not there before, so that runs started in the same second have one each. */
static int make_new_place(const struct run_directory *run, char name[PATH_MAX])
{
    const time_t now = time(NULL);
    struct tm utc;
    char stamp[32];
    strftime(stamp, sizeof stamp, "%Y%m%dT%H%M%SZ", gmtime_r(&now, &utc));
    const int n = snprintf(name, PATH_MAX, "run-%s-%s", run->config->network.name, stamp);
    for (int i = 2; mkdir(name, 0755) < 0; i++) {
        if (errno != EEXIST || i > 9999) {
            return error_set(TUTTI_EIO, "cannot make %s: %s", name, strerror(errno));
        }
        snprintf(name + n, PATH_MAX - (size_t)n, "-%d", i);
    }
    return 0;
}

static int make_place(struct run_directory *run, const char *wanted)
{
    char name[PATH_MAX], absolute[PATH_MAX];
    const int status = wanted ? tool_make_folders(wanted, 0755) : make_new_place(run, name);
    if (status < 0) {
        return status;
    }
    if (!realpath(wanted ? wanted : name, absolute)) {
        return error_set(TUTTI_EIO, "%s: %s", wanted ? wanted : name, strerror(errno));
    }
    run->path = strdup(absolute);
    return run->path ? 0 : error_set(TUTTI_ENOMEM, "out of memory");
}

static int is_sigmf(const struct dirent *entry)
{
    return strstr(entry->d_name, ".sigmf-") != NULL;
}

/* The nodes would go on with a recording of samples that lies there. */
static int clear_iq(const struct run_directory *run, bool force)
{
    const char *name = run->config->record.iq.dir;
    char *dir = *name ? join(run->path, name) : NULL;
    struct dirent **entries = NULL;
    const int n = dir ? scandir(dir, &entries, is_sigmf, alphasort) : 0;
    int status = n > 0 && !force ? error_set(TUTTI_EIO,
                                             "%s holds a recording of samples: choose another --out, or --force to "
                                             "overwrite it",
                                             dir)
                                 : 0;
    for (int i = 0; i < n; i++) {
        char *path = status == 0 ? join(dir, entries[i]->d_name) : NULL;
        if (path) {
            unlink(path);
        }
        free(path);
        free(entries[i]);
    }
    free(entries);
    free(dir);
    return status;
}

/* A recording that lies there already. */
static int clear_record(const char *path, bool force)
{
    if (access(path, F_OK) != 0) {
        return 0;
    }
    if (!force) {
        return error_set(TUTTI_EIO, "%s exists: choose another --out, or --force to overwrite it", path);
    }
    unlink(path);
    return 0;
}

/* Each central node has one; the first one's, which has the users' reports, is the run's. */
static int make_records(struct run_directory *run, bool force)
{
    int status = 0;
    for (int cpu = 0; status == 0 && run->config->record.file[0] && cpu < config_n_cpu(run->config); cpu++) {
        char *name = config_record_name(run->config, cpu);
        char *path = name ? join(run->path, name) : NULL;
        free(name);
        status = path ? clear_record(path, force) : error_set(TUTTI_ENOMEM, "out of memory");
        if (cpu == 0) {
            run->record_path = path;
        } else {
            free(path);
        }
    }
    return status;
}

static int make_paths(struct run_directory *run, bool force)
{
    char *logs = join(run->path, "logs");
    int status = logs ? tool_make_folders(logs, 0755) : TUTTI_ENOMEM;
    free(logs);
    if (status < 0) {
        return status;
    }
    run->config_path = join(run->path, "config.yaml");
    run->report_path = join(run->path, "report.html");
    if (!run->config_path || !run->report_path) {
        return error_set(TUTTI_ENOMEM, "out of memory");
    }
    status = make_records(run, force);
    return status < 0 ? status : clear_iq(run, force);
}

int run_directory_create(struct run_directory **out, const struct config_options *options, const char *wanted,
                         bool force)
{
    struct run_directory *run = *out = calloc(1, sizeof *run);
    if (!run) {
        return error_set(TUTTI_ENOMEM, "out of memory");
    }
    int status = config_load(&run->config, options->path, options->overrides, options->n_overrides);
    if (status == 0) {
        status = make_place(run, wanted);
    }
    if (status == 0) {
        status = make_paths(run, force);
    }
    if (status == 0 && runtime_is_auto(run->config)) {
        status = make_sockets(run);
        if (status == 0) {
            status = load_again(run, options);
        }
    } else if (status == 0) {
        status = tool_make_folders(run->config->network.runtime_dir, 0755);
    }
    return status == 0 ? write_config(run) : status;
}

/* A socket of this user that nobody listens at any more. Somebody else's, a file, a link: not ours to remove. */
static bool is_dead_socket(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct stat info;
    if (lstat(path, &info) < 0 || !S_ISSOCK(info.st_mode) || info.st_uid != geteuid() ||
        strlen(path) >= sizeof address.sun_path) {
        return false;
    }
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    memcpy(address.sun_path, path, strlen(path) + 1);
    const bool dead =
        fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof address) < 0 && errno == ECONNREFUSED;
    if (fd >= 0) {
        close(fd);
    }
    return dead;
}

/* What the nodes left in it; and the directory, if that was all. */
static void remove_sockets(const char *path)
{
    DIR *directory = opendir(path);
    if (!directory) {
        return;
    }
    for (struct dirent *entry = readdir(directory); entry; entry = readdir(directory)) {
        char *inside = join(path, entry->d_name);
        if (inside && is_dead_socket(inside)) {
            unlink(inside);
        }
        free(inside);
    }
    closedir(directory);
    rmdir(path);
}

void run_directory_destroy(struct run_directory *run)
{
    if (!run) {
        return;
    }
    if (run->sockets) {
        remove_sockets(run->sockets);
    }
    free(run->sockets);
    free(run->path);
    free(run->config_path);
    free(run->record_path);
    free(run->report_path);
    config_free(run->config);
    free(run);
}
