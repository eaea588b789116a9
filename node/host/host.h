/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What about this host costs a network something: one table of checks, asked by `tutti doctor`, by `tutti run` and by
 * every daemon at its start. It only looks and changes nothing. Everything that the kernel tells is read below `root`,
 * so that a test can stand for any host. Not for the block path: reads files, and with measure sleeps for a second. */
#ifndef TUTTI_NODE_HOST_HOST_H
#define TUTTI_NODE_HOST_HOST_H

#include "base/config.h"

#include <jansson.h>

enum { HOST_TEXT_ROOM = 320 };

/* From good to bad; the worst of a table is its verdict. */
enum host_verdict {
    HOST_GOOD,
    HOST_TOLD,    /* nothing to judge, good to know */
    HOST_UNKNOWN, /* cannot be seen here */
    HOST_COSTS,
    HOST_IMPOSSIBLE, /* this host cannot do what the network file asks for */
    HOST_N_VERDICTS
};
const char *host_verdict_name(enum host_verdict verdict); /* "good" "told" "unknown" "costs" "impossible" */

/* HOST_ROLE_ANY: this host may run every program of the network. The first three are those of config_role. */
enum host_role { HOST_ROLE_AP, HOST_ROLE_UE, HOST_ROLE_EVE, HOST_ROLE_CPU, HOST_ROLE_AIR, HOST_ROLE_ANY };

/* What takes time to find out. Filled by host_measure; NAN: not measured. */
struct host_measured {
    double wake_p50_us, wake_max_us; /* how late a sleeper wakes */
    double steal_percent;            /* of the processors' time, taken by the hypervisor */
    double dropped_packets;          /* of the radios' interfaces, in the second of the measurement */
    double write_mb_per_s;           /* to the folder of the recording */
    double solve_us[2];              /* of the scheme asked for, and of ob: filled by who can solve */
};

struct host_question {
    const char *root;            /* "" for this host; a folder with proc and sys in it for another */
    const struct config *config; /* NULL: no network in particular */
    enum host_role role;
    int id;                               /* -1: all of that role */
    const char *folder;                   /* where the recording goes; NULL: the network file's folder */
    bool programs;                        /* may run chronyc, pmc, ethtool */
    const struct host_measured *measured; /* NULL: nothing was measured, these checks are left out */
};

struct host_finding {
    const char *name;  /* one word, for programs: it stays what it is */
    const char *title; /* for people */
    enum host_verdict verdict;
    char found[HOST_TEXT_ROOM], wanted[HOST_TEXT_ROOM];
    const char *cost;    /* what it costs when it is not good */
    const char *command; /* for root, to change it; NULL: nothing to type */
    const char *source;  /* who asks for it */
};

/* A check is a row of a table; look sets verdict and found, and wanted where that depends on the network. */
struct host_check {
    const char *name, *title, *wanted, *cost, *command, *source;
    bool measured;
    void (*look)(const struct host_question *question, struct host_finding *finding);
};
/* Runs the rows that can be run; returns how many findings (at most n) it wrote. */
int host_run(const struct host_question *question, const struct host_check *checks, int n,
             struct host_finding *findings);
void host_found(struct host_finding *finding, enum host_verdict verdict, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void host_wanted(struct host_finding *finding, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The table of this room. findings: room for host_n_checks(). */
int host_n_checks(void);
int host_examine(const struct host_question *question, struct host_finding *findings);
/* Sleeps for a second in all. */
void host_measure(const struct host_question *question, struct host_measured *measured);
/* The first of the worst; NULL when there are none. */
const struct host_finding *host_worst(const struct host_finding *findings, int n);
/* {"version": 1, "verdict": .., "checks": [{name, title, verdict, found, wanted, cost, command, source}]}; NULL without
 * memory. */
json_t *host_json(const struct host_finding *findings, int n);

/* A line in the log with the worst finding of what can be seen at once, if the network goes by the clock: paced, or
 * over the air. For daemons. */
void host_log_worst(const struct config *config, enum host_role role, int id);

#endif
