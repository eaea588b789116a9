/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The processes of a network: started, watched, stopped. No child outlives the tool, not even after kill -9 of it: the
 * kernel kills them with it (PR_SET_PDEATHSIG). One thread. */
#ifndef TUTTI_TOOLS_RUN_CHILDREN_H
#define TUTTI_TOOLS_RUN_CHILDREN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* The page watches: it is no part of the network, and a run is over without it. */
enum child_kind { CHILD_AIR, CHILD_CPU, CHILD_AP, CHILD_UE, CHILD_EVE, CHILD_PAGE };

struct child {
    enum child_kind kind;
    int id;
    char name[16]; /* "air" "cpu" "ap0" "ue3" "cpu1": also the log's name */
    char *log_path;
    pid_t pid;         /* 0 = not running */
    int status;        /* of waitpid, once it ended */
    uint64_t ended_ns; /* clock_mono_ns */
    bool judged;       /* for the caller: its end has been dealt with */
};

typedef struct children children_t;

/* directory: where the children run and where logs/ lies, which also gets NAME.pid while they run. Installs a
 * descriptor that is readable when a child ends. */
int children_create(children_t **children, const char *directory, int room);
/* Kills what is left. NULL allowed. */
void children_destroy(children_t *children);

/* id -1: there is one of its kind, and its name has no number. Starts one program with its arguments (argv[0] is the
 * program's name, looked for in $TUTTI_BIN_DIR, beside this program, on PATH). Errors: TUTTI_EIO. */
int children_start(children_t *children, enum child_kind kind, int id, const char *const *argv);

int children_fd(const children_t *children);
/* Collects the children that have ended since; never blocks. */
void children_reap(children_t *children);
int children_count(const children_t *children);
struct child *children_get(children_t *children, int index);
int children_running(const children_t *children); /* of the network */
bool children_kind_running(const children_t *children, enum child_kind kind);

/* Stops everything in the order in which it comes down cleanly: CPU node (which tells the others), nodes, air; SIGTERM
 * first, SIGKILL for what is left 5 s later. Blocks until all are gone. */
void children_stop(children_t *children);

/* "exit status 3", "killed by signal 11 (Segmentation fault)" */
const char *child_status_text(const struct child *child, char *text, int n);
bool child_ended_well(const struct child *child);
/* Its log has this tag. Reads the log from the beginning. */
bool child_has_said(const struct child *child, const char *tag);
/* The first word of its log that begins so; false: not there yet. */
bool child_word(const struct child *child, const char *beginning, char *word, size_t room);
/* The last lines of a child's log, indented, on stderr. */
void child_print_log_tail(const struct child *child, int n_lines);

#endif
