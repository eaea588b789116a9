/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Drops by several threads, each row appended to a text file as it is done: whoever comes back goes on from there. */
#include "base/clock.h"
#include "base/error.h"
#include "tools/study/crew.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* First line of a rows file: what rows must have in common to stand in one result. */
static void header(const struct study_run *run, char *text, size_t room)
{
    const int n = snprintf(text, room, "# %s " TUTTI_VERSION " seed %llu%s", run->study->name,
                           (unsigned long long)run->seed, run->quick ? " quick" : "");
    size_t used = n > 0 ? (size_t)n : 0;
    for (int i = 0; run->study->parameters[i].key && used < room; i++) {
        const int more = snprintf(text + used, room - used, " %s=%.17g", run->study->parameters[i].key, run->value[i]);
        used += more > 0 ? (size_t)more : 0;
    }
}

/* One line: drop and its numbers; half a line, as a killed process leaves it, is no row. */
static void take_row(struct study_run *run, char *line)
{
    char *at = line;
    const long drop = strtol(line, &at, 10);
    if (at == line || drop < 0 || drop >= run->n_drop || !strchr(line, '\n')) {
        return;
    }
    double *const row = run->rows + (size_t)drop * (size_t)run->study->n_value;
    run->done[drop] = 0;
    for (int i = 0; i < run->study->n_value; i++) {
        char *end = at;
        const double value = strtod(at, &end);
        if (end == at) {
            return;
        }
        row[i] = value;
        at = end;
    }
    run->done[drop] = *at == '\n';
}

int study_run_take(struct study_run *run, const char *rows_file)
{
    char wanted[2048], *line = NULL;
    size_t room = 0;
    FILE *const in = fopen(rows_file, "r");
    if (!in) {
        return error_set(TUTTI_EIO, "study: %s: %s", rows_file, strerror(errno));
    }
    header(run, wanted, sizeof wanted);
    int status = 0;
    if (getline(&line, &room, in) < 0 || strcspn(line, "\n") != strlen(wanted) ||
        strncmp(line, wanted, strlen(wanted)) != 0) {
        status = error_set(TUTTI_EFORMAT,
                           "study: %s holds rows of another study, seed, version or other parameters: choose another "
                           "--out, or remove it",
                           rows_file);
    }
    while (!status && getline(&line, &room, in) >= 0) {
        take_row(run, line);
    }
    free(line);
    fclose(in);
    return status;
}

int crew_next(struct crew *crew)
{
    struct study_run *const run = crew->run;
    int drop = -1;
    pthread_mutex_lock(&crew->lock);
    while (drop < 0 && !crew->status && !*crew->stop && crew->next < run->n_drop) {
        const int i = crew->next++;
        if (!run->done[i] && i % run->n_shard == run->shard) {
            drop = i;
        }
    }
    pthread_mutex_unlock(&crew->lock);
    return drop;
}

/* Progress with the time left, for who watches a terminal. */
static void tell(struct crew *crew)
{
    const struct study_run *const run = crew->run;
    int left = 0;
    for (int i = run->shard; i < run->n_drop; i += run->n_shard) {
        left += !run->done[i];
    }
    const double each_s = 1e-9 * (double)(clock_mono_ns() - crew->begin_ns) / ++crew->n_done;
    fprintf(stderr, "\r%s: %d drops left, %.0f s ", run->study->name, left, each_s * left);
    fputs(left ? "" : "\r\033[K", stderr);
}

void crew_finish(struct crew *crew, int drop, int status)
{
    struct study_run *const run = crew->run;
    pthread_mutex_lock(&crew->lock);
    if (status && !crew->status) {
        crew->status = status;
        snprintf(crew->error, sizeof crew->error, "%s", error_text());
    } else if (!status) {
        const double *const row = run->rows + (size_t)drop * (size_t)run->study->n_value;
        fprintf(crew->out, "%d", drop);
        for (int i = 0; i < run->study->n_value; i++) {
            fprintf(crew->out, " %.17g", row[i]);
        }
        fputc('\n', crew->out);
        fflush(crew->out);
        run->done[drop] = 1;
        if (crew->told) {
            tell(crew);
        }
    }
    pthread_mutex_unlock(&crew->lock);
}

static void *work(void *argument)
{
    struct crew *const crew = argument;
    struct study_run *const run = crew->run;
    void *worker = NULL;
    int status = run->study->open ? run->study->open(run, &worker) : 0;
    if (status) {
        crew_finish(crew, 0, status);
    }
    for (int drop = status ? -1 : crew_next(crew); drop >= 0; drop = crew_next(crew)) {
        double *const row = run->rows + (size_t)drop * (size_t)run->study->n_value;
        for (int i = 0; i < run->study->n_value; i++) {
            row[i] = NAN;
        }
        crew_finish(crew, drop, run->study->drop(run, worker, (uint64_t)drop, row));
    }
    if (run->study->close) {
        run->study->close(worker);
    }
    return NULL;
}

int crew_compute(struct crew *crew)
{
    enum { MOST = 256 };
    pthread_t thread[MOST];
    const int n = crew->run->n_job < MOST ? crew->run->n_job : MOST;
    int started = 1;
    while (started < n && pthread_create(&thread[started], NULL, work, crew) == 0) {
        started++;
    }
    work(crew);
    for (int i = 1; i < started; i++) {
        pthread_join(thread[i], NULL);
    }
    return crew->status ? error_set(crew->status, "%s", crew->error) : 0;
}

int crew_open(struct crew *crew, struct study_run *run, const char *rows_file, const volatile int *stop)
{
    char first[2048];
    const bool resumed = access(rows_file, F_OK) == 0;
    const int status = resumed ? study_run_take(run, rows_file) : 0;
    *crew = (struct crew){.run = run, .stop = stop, .begin_ns = clock_mono_ns(), .told = isatty(STDERR_FILENO)};
    if (status) {
        return status;
    }
    crew->out = fopen(rows_file, "a");
    if (!crew->out) {
        return error_set(TUTTI_EIO, "study: %s: %s", rows_file, strerror(errno));
    }
    header(run, first, sizeof first);
    /* What a killed process left at the end is no row, even if only the last digits of its last number are missing. */
    fprintf(crew->out, "%s\n", resumed ? "|" : first);
    pthread_mutex_init(&crew->lock, NULL);
    return 0;
}

int crew_close(struct crew *crew, const char *rows_file, int computed)
{
    pthread_mutex_destroy(&crew->lock);
    if (fclose(crew->out) != 0 && !computed) {
        return error_set(TUTTI_EIO, "study: %s cannot be written: %s", rows_file, strerror(errno));
    }
    return computed;
}

int study_run_drops(struct study_run *run, const char *rows_file, const volatile int *stop)
{
    struct crew crew;
    const int status = crew_open(&crew, run, rows_file, stop);
    return status ? status : crew_close(&crew, rows_file, crew_compute(&crew));
}
