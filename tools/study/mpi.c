/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tutti-study-mpi: `tutti study` over the processes of an MPI job. The first process keeps the rows, computes too and
 * hands the other ones their drops; a drop's numbers do not know who computes them, so neither does the result. */
#include "base/error.h"
#include "tools/study/crew.h"
#include "tools/study/options.h"
#include "tools/tool.h"

#include <math.h>
#include <mpi.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char usage[] =
    "Usage: tutti-study-mpi NAME|all [--out DIR] [--drops N] [--seed S] [--jobs J] [--set KEY=VALUE]... [--quick] "
    "[--check]\n\n"
    "Started by `mpirun -n RANKS`: what `tutti study` does, over the processes of an MPI job, with the same result.\n"
    "--jobs: threads of the first process (1); the others have one each. An interrupted study goes on where it ended,\n"
    "with any number of processes.\n";

/* From the others: ready for a drop; a row, its drop first; the sentence of a failure. To them: a drop, -1 for none. */
enum { TAG_READY, TAG_ROW, TAG_FAILED, TAG_DROP };

static volatile int stopped;
static bool served; /* the others have been, or will be, told of the end */

static void stop(int signal_number)
{
    (void)signal_number;
    stopped = 1;
}

static void nap(void)
{
    const struct timespec ms = {0, 1000000};
    nanosleep(&ms, NULL);
}

/* First process ---------------------------------------------------------------------------------------------------- */

/* A message of one of the others; it waits for an answer with work. */
static void take_message(struct crew *crew, const MPI_Status *from, double *message, int room)
{
    struct study_run *const run = crew->run;
    if (from->MPI_TAG == TAG_FAILED) {
        char sentence[512] = "";
        MPI_Recv(sentence, (int)sizeof sentence - 1, MPI_CHAR, from->MPI_SOURCE, TAG_FAILED, MPI_COMM_WORLD,
                 MPI_STATUS_IGNORE);
        crew_finish(crew, 0, error_set(TUTTI_EFORMAT, "process %d: %s", from->MPI_SOURCE, sentence));
        return;
    }
    MPI_Recv(message, room, MPI_DOUBLE, from->MPI_SOURCE, from->MPI_TAG, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    if (from->MPI_TAG == TAG_ROW) {
        const int drop = (int)message[0];
        memcpy(run->rows + (size_t)drop * (size_t)run->study->n_value, message + 1,
               (size_t)run->study->n_value * sizeof *message);
        crew_finish(crew, drop, 0);
    }
}

/* Hands out drops until every other process has been told that there is none. */
static void serve(struct crew *crew, int n_other, double *message, int room)
{
    while (n_other > 0 && !stopped) {
        int there = 0;
        MPI_Status from;
        MPI_Iprobe(MPI_ANY_SOURCE, MPI_ANY_TAG, MPI_COMM_WORLD, &there, &from);
        if (!there) {
            nap();
        } else {
            take_message(crew, &from, message, room);
            const int drop = crew_next(crew);
            MPI_Send(&drop, 1, MPI_INT, from.MPI_SOURCE, TAG_DROP, MPI_COMM_WORLD);
            n_other -= drop < 0;
        }
    }
}

static void *compute(void *argument)
{
    struct crew *const crew = argument;
    crew_compute(crew);
    return NULL;
}

/* At once: who kills one process of a job kills the others soon after. */
static void say_stopped(const char *rows_file)
{
    fprintf(
        stderr,
        "tutti-study-mpi: stopped early; the drops that are done are kept in %s: the same command goes on from there\n",
        rows_file);
}

static int drops_of_all(struct study_run *run, const char *rows_file, const volatile int *stop_asked)
{
    struct crew crew;
    pthread_t thread;
    int n_process;
    MPI_Comm_size(MPI_COMM_WORLD, &n_process);
    const int status = crew_open(&crew, run, rows_file, stop_asked), room = run->study->n_value + 1;
    double *const message = calloc((size_t)room, sizeof *message);
    if (status || !message) {
        free(message);
        return status ? status : error_set(TUTTI_ENOMEM, "study: out of memory");
    }
    served = true;
    const bool here = pthread_create(&thread, NULL, compute, &crew) == 0;
    serve(&crew, n_process - 1, message, room);
    if (stopped) {
        say_stopped(rows_file);
    }
    if (here) {
        pthread_join(thread, NULL);
    } else if (n_process == 1) {
        crew_compute(&crew);
    }
    free(message);
    const int computed = crew.status ? error_set(crew.status, "%s", crew.error) : 0;
    return crew_close(&crew, rows_file, computed);
}

/* The others ------------------------------------------------------------------------------------------------------- */

static int next_of_first(void)
{
    int drop;
    MPI_Recv(&drop, 1, MPI_INT, 0, TAG_DROP, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    return drop;
}

static int fail(int status)
{
    const char *const sentence = error_text();
    MPI_Send(sentence, (int)strlen(sentence) + 1, MPI_CHAR, 0, TAG_FAILED, MPI_COMM_WORLD);
    while (next_of_first() >= 0) { /* the first process ends it */
        MPI_Send(sentence, (int)strlen(sentence) + 1, MPI_CHAR, 0, TAG_FAILED, MPI_COMM_WORLD);
    }
    return status;
}

static int work_for(struct study_run *run, double *row)
{
    void *worker = NULL;
    int status = run->study->open ? run->study->open(run, &worker) : 0;
    if (!status) {
        MPI_Send(row, 0, MPI_DOUBLE, 0, TAG_READY, MPI_COMM_WORLD);
        for (int drop = next_of_first(); drop >= 0 && !status; drop = status ? -1 : next_of_first()) {
            row[0] = drop;
            for (int i = 1; i <= run->study->n_value; i++) {
                row[i] = NAN;
            }
            status = run->study->drop(run, worker, (uint64_t)drop, row + 1);
            if (!status) {
                MPI_Send(row, run->study->n_value + 1, MPI_DOUBLE, 0, TAG_ROW, MPI_COMM_WORLD);
            }
        }
    }
    if (run->study->close) {
        run->study->close(worker);
    }
    return status ? fail(status) : 0;
}

static int help_with(const struct study *study, const struct study_options *o)
{
    struct study_run run = {0};
    int status = study_prepare(&run, study, o);
    double *const row = calloc((size_t)study->n_value + 1, sizeof *row);
    if (!status && !row) {
        status = error_set(TUTTI_ENOMEM, "study: out of memory");
    }
    status = status ? fail(status) : work_for(&run, row);
    free(row);
    study_run_destroy(&run);
    return status ? TOOL_FAILED : TOOL_OK;
}

/* ------------------------------------------------------------------------------------------------------------------ */

static int carry_out(const struct study_options *o, int rank)
{
    const struct study *const one = study_find(o->name);
    int end = TOOL_OK;
    for (const struct study *const *s = study_table(); *s; s++) {
        if (!one || *s == one) {
            served = false;
            const int status = rank ? help_with(*s, o) : study_carry_out(*s, o, drops_of_all, &stopped);
            if (rank == 0 && !served) {
                MPI_Abort(MPI_COMM_WORLD, TOOL_FAILED); /* its files cannot be; the others wait for drops */
            }
            end = status == TOOL_OK ? end : TOOL_FAILED;
        }
        if (stopped && rank == 0) {
            _exit(TOOL_FAILED); /* the others wait for work, or are gone */
        }
    }
    if (rank == 0 && study_index(o->out)) {
        end = tool_fault("study");
    }
    return rank ? TOOL_OK : end;
}

/* Every process looks for itself, so that all of them end. */
static int check_settings(const struct study_options *o)
{
    const struct study *const one = study_find(o->name);
    int status = 0;
    for (const struct study *const *s = study_table(); *s && !status; s++) {
        if (!one || *s == one) {
            struct study_run run = {0};
            status = study_prepare(&run, *s, o);
            study_run_destroy(&run);
        }
    }
    return status ? tool_fault("study") : TOOL_OK;
}

/* TOOL_OK to go on. Said once. */
static int parse(int argc, char **argv, struct study_options *o, int rank)
{
    if (rank && freopen("/dev/null", "w", stderr) == NULL) {
        return TOOL_FAILED;
    }
    const int status = study_options_parse(argc, argv, o);
    if (status) {
        return status;
    }
    if (o->n_shard > 1 || o->n_folder) {
        return tool_usage_error("study", "one study, or all, without --shard: the processes share the drops");
    }
    if (!study_find(o->name) && strcmp(o->name, "all") != 0) {
        return tool_usage_error("study", "%s: no study of that name; `tutti study list` names them", o->name);
    }
    return check_settings(o);
}

int main(int argc, char **argv)
{
    struct study_options o = {.out = "study", .seed = 1, .n_shard = 1, .jobs = 1};
    int rank, provided;
    if (argc > 1 && strcmp(argv[1], "--help") == 0) {
        fputs(usage, stdout);
        return TOOL_OK;
    }
    if (argc > 1 && strcmp(argv[1], "--version") == 0) {
        puts("tutti-study-mpi " TUTTI_VERSION);
        return TOOL_OK;
    }
    if (MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &provided) != MPI_SUCCESS ||
        provided < MPI_THREAD_FUNNELED) {
        fputs("tutti-study-mpi: this MPI does not allow threads beside its own\n", stderr);
        return TOOL_FAILED;
    }
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    signal(SIGINT, rank ? SIG_IGN : stop);
    signal(SIGTERM, rank ? SIG_DFL : stop);
    int status = parse(argc, argv, &o, rank);
    status = status ? status : carry_out(&o, rank);
    MPI_Finalize();
    return status;
}
