/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tutti replay: the access points play what they received, the central node solves again. */
#include "base/error.h"
#include "base/h5file.h"
#include "base/rt.h"
#include "tools/contained.h"
#include "tools/replay/compare.h"
#include "tools/run/children.h"
#include "tools/run/run_directory.h"
#include "tools/tool.h"

#include <dirent.h>
#include <inttypes.h>
#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char help[] =
    "Usage: tutti replay RUN --iq DIR [options]\n"
    "\n"
    "Plays a recording of samples (record.iq) to the access points of its run, lets the central node solve again, and\n"
    "compares estimates and precoders with those of the run, bit by bit. Which access points and users were in a\n"
    "solve, and the scheme of every block, come from RUN.\n"
    "\n"
    "  RUN                directory of the run, or its run.h5\n"
    "  --iq DIR           the recording: folder or .sigmf-collection\n"
    "  --out NEW          directory of the replay (default: ./run-<name>-<UTC time>)\n"
    "  --force            overwrite a recording that is already there\n"
    "  --scheme NAME      what would this scheme have done? Estimates are compared, precoders are not\n"
    "  --help             this text\n"
    "\n"
    "Exit status: 0 all blocks are identical, 1 they are not, or something failed.\n";

struct replay {
    const char *run, *iq, *out, *scheme;
    bool force;
    char *run_file, *collection; /* absolute */
    char config_path[64];        /* temporary */
    struct run_directory *directory;
    children_t *children;
    uint8_t *ap_used; /* [n_ap] in any solve of the run */
    bool failed;
};

/* Command line ----------------------------------------------------------------------------------------------------- */

/* 0 go on, 1 help was asked for, TOOL_USAGE wrong. */
static int parse(struct replay *r, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        const char *const argument = argv[i];
        const char **const value = strcmp(argument, "--iq") == 0       ? &r->iq
                                   : strcmp(argument, "--out") == 0    ? &r->out
                                   : strcmp(argument, "--scheme") == 0 ? &r->scheme
                                                                       : NULL;
        if (strcmp(argument, "--help") == 0) {
            return 1;
        }
        if (value && i + 1 >= argc) {
            return tool_usage_error("replay", "%s needs a value", argument);
        }
        if (value) {
            *value = argv[++i];
        } else if (strcmp(argument, "--force") == 0) {
            r->force = true;
        } else if (argument[0] != '-' && !r->run) {
            r->run = argument;
        } else {
            return tool_usage_error("replay", "unknown argument %s", argument);
        }
    }
    return r->run && r->iq ? 0 : tool_usage_error("replay", "%s is missing", r->run ? "--iq DIR" : "RUN");
}

/* What is replayed ------------------------------------------------------------------------------------------------- */

static bool is_folder(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

static int is_collection(const struct dirent *entry)
{
    const char *ending = strrchr(entry->d_name, '.');
    return ending && strcmp(ending, ".sigmf-collection") == 0;
}

/* The only collection of a folder. */
static int find_collection(struct replay *r)
{
    struct dirent **entries = NULL;
    char path[PATH_MAX];
    const int n = is_folder(r->iq) ? scandir(r->iq, &entries, is_collection, alphasort) : 0;
    snprintf(path, sizeof path, "%s%s%s", r->iq, n == 1 ? "/" : "", n == 1 ? entries[0]->d_name : "");
    for (int i = 0; i < n; i++) {
        free(entries[i]);
    }
    free(entries);
    if (is_folder(path)) {
        return error_set(TUTTI_EIO, "%s: %d collections (.sigmf-collection) in it, one expected", r->iq, n < 0 ? 0 : n);
    }
    r->collection = realpath(path, NULL);
    return r->collection ? TUTTI_OK : error_set(TUTTI_EIO, "%s: no such recording", path);
}

static int find_run(struct replay *r)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s%s", r->run, is_folder(r->run) ? "/run.h5" : "");
    r->run_file = realpath(path, NULL);
    return r->run_file ? TUTTI_OK : error_set(TUTTI_EIO, "%s: no such run", path);
}

static int write_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "we");
    bool good = file && fputs(text, file) >= 0;
    good = file && fclose(file) == 0 && good;
    return good ? TUTTI_OK : error_set(TUTTI_EIO, "%s cannot be written", path);
}

static int set_scheme(const struct replay *r, struct config_options *options, char **text)
{
    if (!r->scheme) {
        return TUTTI_OK;
    }
    return asprintf(text, "precoding.scheme=%s", r->scheme) < 0 ? error_set(TUTTI_ENOMEM, "out of memory")
                                                                : config_options_add(options, *text);
}

/* The run's configuration, made that of the replay, in a temporary file. */
static int write_config(struct replay *r, const char *run_text)
{
    struct config *config = NULL;
    struct config_options options = {0};
    char *scheme = NULL, *yaml = NULL;
    int status = write_text(r->config_path, run_text);
    status = status < 0 ? status : set_scheme(r, &options, &scheme);
    status = status < 0 ? status : config_load(&config, r->config_path, options.overrides, options.n_overrides);
    status = status < 0 ? status : config_make_replay(config, r->collection);
    if (status >= 0) {
        yaml = config_to_yaml(config);
        status = yaml ? write_text(r->config_path, yaml) : error_set(TUTTI_ENOMEM, "out of memory");
    }
    free(yaml);
    free(scheme);
    config_options_free(&options);
    config_free(config);
    return status;
}

static int read_used(struct replay *r, h5file_t *file, int n_ap)
{
    struct h5_info info;
    int status = h5file_info(file, "/block/ap_used", &info);
    if (status < 0 || info.rank != 2 || info.dims[1] != (size_t)n_ap) {
        return status < 0 ? status : error_set(TUTTI_EFORMAT, "%s: /block/ap_used is not of its network", r->run_file);
    }
    uint8_t *row = calloc((size_t)n_ap, 1);
    r->ap_used = calloc((size_t)n_ap, 1);
    status = row && r->ap_used ? TUTTI_OK : error_set(TUTTI_ENOMEM, "out of memory");
    for (size_t i = 0; status >= 0 && i < info.dims[0]; i++) {
        status = h5file_read_rows(file, "/block/ap_used", H5_U8, i, 1, row);
        for (int ap = 0; status >= 0 && ap < n_ap; ap++) {
            r->ap_used[ap] |= row[ap];
        }
    }
    free(row);
    return status;
}

static int make_directory(struct replay *r)
{
    struct config_options options = {.path = r->config_path};
    return run_directory_create(&r->directory, &options, r->out, r->force);
}

/* Everything that is needed of the run, and the directory of the replay. */
static int prepare(struct replay *r)
{
    h5file_t *file = NULL;
    char *text = NULL;
    snprintf(r->config_path, sizeof r->config_path, "/tmp/tutti-replay-XXXXXX");
    const int fd = mkstemp(r->config_path);
    int status = fd < 0 ? error_set(TUTTI_EIO, "%s cannot be made", r->config_path) : find_run(r);
    if (fd >= 0) {
        close(fd);
    }
    status = status < 0 ? status : find_collection(r);
    status = status < 0 ? status : h5file_open(&file, r->run_file);
    if (status >= 0) {
        text = h5file_read_text(file, "/config");
        status = text ? write_config(r, text) : TUTTI_EFORMAT;
    }
    status = status < 0 ? status : make_directory(r);
    status = status < 0 ? status : read_used(r, file, r->directory->config->network.n_ap);
    h5file_close(file);
    free(text);
    return status;
}

/* Playing ---------------------------------------------------------------------------------------------------------- */

static int start_all(struct replay *r)
{
    const char *const cpu[] = {
        "tutti-cpu", "--config", "config.yaml", "--replay", r->run_file, r->scheme ? "--own-scheme" : NULL, NULL};
    setenv("OPENBLAS_NUM_THREADS", "1", 1);
    int status = children_start(r->children, CHILD_CPU, -1, cpu);
    for (int ap = 0; status == 0 && ap < r->directory->config->network.n_ap; ap++) {
        char number[16];
        snprintf(number, sizeof number, "%d", ap);
        const char *const argv[] = {"tutti-ap", "--config", "config.yaml", "--id", number, NULL};
        status = r->ap_used[ap] ? children_start(r->children, CHILD_AP, ap, argv) : 0;
    }
    return status;
}

/* Says what went wrong with a child that has ended. */
static void judge(struct replay *r, struct child *child)
{
    char status[128];
    if (child->pid != 0 || child->judged) {
        return;
    }
    child->judged = true;
    if (!child_ended_well(child)) {
        fprintf(stderr, "tutti replay: %s: %s; its log ends (%s):\n", child->name,
                child_status_text(child, status, sizeof status), child->log_path);
        child_print_log_tail(child, 4);
        r->failed = true;
    }
}

/* Until the central node is at its end: when all recordings are. */
static int play(struct replay *r)
{
    while (children_kind_running(r->children, CHILD_CPU) && !r->failed && !rt_stop_requested()) {
        struct pollfd fds[] = {{.fd = children_fd(r->children), .events = POLLIN},
                               {.fd = rt_stop_fd(), .events = POLLIN}};
        poll(fds, 2, -1);
        children_reap(r->children);
        for (int i = 0; i < children_count(r->children); i++) {
            judge(r, children_get(r->children, i));
        }
    }
    children_stop(r->children);
    return r->failed || rt_stop_requested() ? TOOL_FAILED : TOOL_OK;
}

/* Result ----------------------------------------------------------------------------------------------------------- */

static void print_remainder(const struct comparison *c)
{
    if (c->n_solved > c->n_played) {
        printf("replay: %" PRIu64 " blocks of the run are not in the recording\n", c->n_solved - c->n_played);
    }
    if (c->n_cut > 0) {
        printf("replay: %" PRIu64 " solves were ended by the clock: compared is what went into them\n", c->n_cut);
    }
}

static int conclude(struct replay *r)
{
    struct comparison c;
    if (compare_runs(r->run_file, r->directory->record_path, r->scheme != NULL, &c) < 0) {
        return tool_fault("replay");
    }
    if (c.n_played == 0) {
        fprintf(stderr, "tutti replay: no block of the run is in the recording\n");
        return TOOL_FAILED;
    }
    printf("replay: %s%" PRIu64 " of %" PRIu64 " blocks identical\n", r->scheme ? "estimates of " : "", c.n_identical,
           c.n_played);
    if (c.n_uplink > 0) {
        printf("replay: users' data of %" PRIu64 " of %" PRIu64 " blocks identical\n", c.n_uplink_identical,
               c.n_uplink);
    }
    if (r->scheme) {
        printf("replay: what %s makes of them: %s\n", r->scheme, r->directory->record_path);
    }
    if (c.dataset[0]) {
        printf("replay: first difference: block %" PRIu64 ", %s, largest %g\n", c.block, c.dataset, c.largest);
    }
    print_remainder(&c);
    return c.n_identical == c.n_played && c.n_uplink_identical == c.n_uplink ? TOOL_OK : TOOL_FAILED;
}

static int go(struct replay *r)
{
    int status = prepare(r);
    status = status < 0 ? status : rt_stop_install();
    status =
        status < 0 ? status : children_create(&r->children, r->directory->path, 1 + r->directory->config->network.n_ap);
    status = status < 0 ? status : start_all(r);
    if (status < 0) {
        return tool_fault("replay");
    }
    status = play(r);
    return status == TOOL_OK ? conclude(r) : status;
}

static void clean_up(struct replay *r)
{
    if (r->children) {
        children_stop(r->children);
    }
    children_destroy(r->children);
    run_directory_destroy(r->directory);
    if (r->config_path[0]) {
        unlink(r->config_path);
    }
    free(r->run_file);
    free(r->collection);
    free(r->ap_used);
}

static int run_contained(void *context)
{
    struct replay *r = context;
    const int status = go(r);
    clean_up(r);
    return status;
}

int tool_replay(int argc, char **argv)
{
    struct replay r = {0};
    const int parsed = parse(&r, argc, argv);
    if (parsed != 0) {
        if (parsed == 1) {
            fputs(help, stdout);
        }
        return parsed == 1 ? TOOL_OK : parsed;
    }
    const struct contained contained = {.command = "replay", .path = r.run, .body = run_contained, .context = &r};
    return contained_run(&contained);
}
