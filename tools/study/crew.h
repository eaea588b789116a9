/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Who computes a study's drops: threads of this process and, with MPI, processes elsewhere. All take the next drop from
 * one place and hand its row in there; it is appended to the rows file at once. */
#ifndef TUTTI_TOOLS_STUDY_CREW_H
#define TUTTI_TOOLS_STUDY_CREW_H

#include "tools/study/study_run.h"

#include <pthread.h>
#include <stdio.h>

struct crew {
    struct study_run *run;
    FILE *out;
    const volatile int *stop;
    pthread_mutex_t lock;
    int next, status, n_done;
    uint64_t begin_ns;
    bool told; /* somebody watches */
    char error[512];
};

/* Takes the rows that are there and opens the file for more. 0, TUTTI_EIO, TUTTI_EFORMAT. */
int crew_open(struct crew *crew, struct study_run *run, const char *rows_file, const volatile int *stop);
/* Writes what is left; returns `computed` unless that fails. */
int crew_close(struct crew *crew, const char *rows_file, int computed);
/* The next drop of this shard that is not there; -1: none, or the study is to stop. Any thread. */
int crew_next(struct crew *crew);
/* A row of run->rows is there, or computing it failed with the thread's sentence, which ends the study. Any thread. */
void crew_finish(struct crew *crew, int drop, int status);
/* run->n_job threads, this one among them, until there is no drop left. 0, or the first failure with its sentence. */
int crew_compute(struct crew *crew);

#endif
