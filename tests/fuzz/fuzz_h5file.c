/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Recordings of any bytes, read as the commands read them: in a child (tools/contained.h), because libhdf5 itself does
 * not survive them all. Whatever happens there, it ends in bounded time with status 0, or 1 and one line; and it is
 * never our own code that is at fault. */
#include "base/error.h"
#include "base/h5file.h"
#include "fuzz.h"
#include "tools/contained.h"
#include "tools/inspect/dataset_stats.h"
#include "tools/results/channel_file.h"
#include "tools/results/recording.h"

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* A call into HDF5 may take a second; the child makes many. */
enum { LIMIT_S = 1, PATIENCE_S = 15, MAX_VALUES = 1 << 14, REPORT_BYTES = 1 << 16 };

enum { REFUSED, OPENED, NOT_READ, CRASHED, HUNG, SANITIZED, N_OUTCOME };
static uint64_t n_outcome[N_OUTCOME], n_again;

#ifndef BATCH /* the deterministic driver says how many files one child reads; libFuzzer wants each for itself */
#define BATCH 1
#endif

/* In the child ---------------------------------------------------------------------------------------------------- */

static int n_unread;

static void note(int status)
{
    const char *text = error_text();
    MUST(status >= 0 || (*text && !strchr(text, '\n')));
    n_unread += status < 0;
}

/* In memory of exactly the size the description tells. */
static void visit(void *context, const char *path, const struct h5_info *info)
{
    h5file_t *file = context;
    double number;
    uint64_t n_number;
    MUST(info->rank >= 0 && info->rank <= H5FILE_MAX_RANK);
    note(h5file_attribute_numbers(file, path, "ap_power", 1, &number, &n_number));
    if (info->type == H5_STRING) {
        char *text = h5file_read_text(file, path);
        note(text ? 0 : TUTTI_EFORMAT);
        free(text);
        return;
    }
    const size_t n = info->rank == 0 ? 1 : info->dims[0] < 3 ? info->dims[0] : 3;
    const uint64_t bytes = h5file_rows_bytes(info, n, 8);
    if (bytes > MAX_VALUES * 8) {
        return;
    }
    void *values = malloc((size_t)bytes + 1);
    MUST(values);
    if (info->rank > 0) {
        note(h5file_read_rows(file, path, info->type, 0, n, values));
        note(h5file_read_rows(file, path, info->type, info->dims[0] - n, n, values));
    } else {
        note(h5file_read(file, path, info->type, values, h5file_type_bytes(info->type)));
    }
    free(values);
}

static void visit_attribute(void *context, const char *object, const char *name, const char *value)
{
    size_t *const bytes = context;
    *bytes += strlen(object) + strlen(name) + strlen(value);
}

static void read_channels(const char *path)
{
    channel_file_t *channels;
    struct channel_batch *batch = NULL;
    int status = channel_file_open(&channels, path, CHANNEL_AUTO);
    note(status);
    if (status < 0) {
        return;
    }
    status = channel_batch_create(&batch, channel_file_info(channels), 1);
    note(status < 0 ? status : channel_file_read(channels, 0, 1, batch));
    channel_batch_destroy(batch);
    channel_file_close(channels);
}

static void be_ready_to_die(void)
{
    static const int deadly[] = {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL};
    for (size_t i = 0; i < sizeof deadly / sizeof deadly[0]; i++) {
        signal(deadly[i], SIG_DFL); /* as outside of the fuzzer */
    }
}

/* One file; REFUSED, OPENED or NOT_READ. */
static int read_one(const char *path)
{
    h5file_t *file;
    struct recording *recording;
    size_t bytes = 0;
    n_unread = 0;
    if (h5file_open(&file, path) < 0) {
        MUST(*error_text() && !strchr(error_text(), '\n'));
        return REFUSED;
    }
    note(h5file_list(file, visit, file));
    note(h5file_list_attributes(file, visit_attribute, &bytes));
    h5file_close(file);
    const int outcome = n_unread ? NOT_READ : OPENED; /* not every file is a recording and has channels */
    note(recording_load(&recording, path));
    recording_free(recording);
    read_channels(path);
    return outcome;
}

static int read_all(void *context)
{
    be_ready_to_die();
    const int outcome = read_one(context);
    if (outcome == REFUSED) {
        fprintf(stderr, "tutti fuzz: %s\n", error_text());
        _exit(1);
    }
    _exit(outcome == NOT_READ ? 2 : 0); /* at once: what the fuzzer and the sanitizers do at exit is the parent's */
}

/* In the parent --------------------------------------------------------------------------------------------------- */

/* Standard error goes to memory meanwhile. */
static int run(char *path, char report[REPORT_BYTES])
{
    const int fd = memfd_create("stderr", MFD_CLOEXEC), before = dup(STDERR_FILENO);
    MUST(fd >= 0 && before >= 0 && dup2(fd, STDERR_FILENO) >= 0);
    const int status = contained_run(
        &(struct contained){.command = "fuzz", .path = "file", .body = read_all, .context = path, .limit_s = LIMIT_S});
    fflush(stderr);
    MUST(dup2(before, STDERR_FILENO) >= 0);
    const ssize_t n = pread(fd, report, REPORT_BYTES - 1, 0);
    MUST(n >= 0);
    report[n] = '\0';
    close(before);
    close(fd);
    return status;
}

/* A sanitizer may notice first, through malloc and memcpy, what libhdf5 does: then libhdf5 is one of the innermost
 * frames, after the sanitizer's own. (Run without symbols, frames have the names of libraries and programs.) */
static bool is_librarys(const char *report)
{
    char frame[16];
    for (int i = 0; i < 3; i++) {
        snprintf(frame, sizeof frame, "    #%d ", i);
        const char *const line = strstr(report, frame), *const library = line ? strstr(line, "libhdf5") : NULL;
        if (library && library < line + strcspn(line, "\n")) {
            return true;
        }
    }
    return false;
}

/* What follows the lines that glibc says of a heap which libhdf5 has written over: the process dies of it, contained as
 * any crash. */
static const char *behind_glibc(const char *report)
{
    static const char *const said[] = {"Fatal glibc error: ", "malloc",      "free()",        "realloc()",
                                       "corrupted ",          "double free", "munmap_chunk()"};
    for (size_t i = 0; i < sizeof said / sizeof said[0]; i++) {
        const char *const end = strchr(report, '\n');
        if (end && strncmp(report, said[i], strlen(said[i])) == 0) {
            return behind_glibc(end + 1);
        }
    }
    return report;
}

static void judge(int status, const char *all)
{
    const char *const report = behind_glibc(all);
    const char *const end = strchr(report, '\n');
    const bool one_line = end && end[1] == '\0' && strncmp(report, "tutti fuzz: ", 12) == 0;
    if (strstr(report, "Sanitizer") && is_librarys(report)) {
        n_outcome[SANITIZED]++;
        return;
    }
    if ((status == 0 || status == 2) && !*report) {
        n_outcome[status ? NOT_READ : OPENED]++;
        return;
    }
    if (status != 1 || !one_line || strstr(report, "crashed at work on it")) {
        fprintf(stderr, "status %d\n%s", status, report);
    }
    MUST(status == 1 && one_line && (report == all || strstr(report, "crashed on it")));
    n_outcome[strstr(report, "crashed on it") ? CRASHED : strstr(report, "come to an end") ? HUNG : REFUSED]++;
}

static void write_file(const char *path, const uint8_t *data, size_t n_bytes)
{
    FILE *out = fopen(path, "wb");
    MUST(out && fwrite(data, 1, n_bytes, out) == n_bytes && fclose(out) == 0);
}

static void feed_alone(char *path, const uint8_t *data, size_t n_bytes)
{
    static char report[REPORT_BYTES];
    struct timespec start, end;
    write_file(path, data, n_bytes);
    clock_gettime(CLOCK_MONOTONIC, &start);
    const int status = run(path, report);
    clock_gettime(CLOCK_MONOTONIC, &end);
    unlink(path);
    MUST(end.tv_sec - start.tv_sec < PATIENCE_S);
    judge(status, report);
}

/* Many in one child: as long as it survives them and says nothing, each has come to what it noted. Else each is read
 * again in a child of its own, which judges. */
static struct {
    uint8_t *data[BATCH];
    size_t n_bytes[BATCH];
    int n;
} batch;
static uint64_t *shared; /* [N_OUTCOME] */
static char batch_path[64];

static int read_batch(void *context)
{
    (void)context;
    be_ready_to_die();
    for (int i = 0; i < batch.n; i++) {
        write_file(batch_path, batch.data[i], batch.n_bytes[i]);
        shared[read_one(batch_path)]++;
    }
    _exit(0);
}

static void read_together(void)
{
    memset(shared, 0, N_OUTCOME * sizeof *shared);
    fflush(NULL);
    const pid_t child = fork();
    MUST(child >= 0);
    if (child == 0) {
        static volatile sig_atomic_t mark;
        h5file_limit_calls(LIMIT_S, &mark);
        MUST(freopen("/dev/null", "w", stderr));
        read_batch(NULL);
    }
    int status;
    MUST(waitpid(child, &status, 0) == child);
    for (int i = 0; i < batch.n; i++) {
        if (status) {
            feed_alone(batch_path, batch.data[i], batch.n_bytes[i]);
        }
        free(batch.data[i]);
    }
    for (int i = 0; i < N_OUTCOME && !status; i++) {
        n_outcome[i] += shared[i];
    }
    n_again += status ? (uint64_t)batch.n : 0;
    unlink(batch_path);
    batch.n = 0;
}

static void begin(void)
{
    snprintf(batch_path, sizeof batch_path, "%s/tutti-fuzz-%d.h5", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp",
             (int)getpid());
    shared = mmap(NULL, N_OUTCOME * sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    MUST(shared != MAP_FAILED);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes)
{
    if (!shared) {
        begin();
    }
    if (BATCH == 1) {
        feed_alone(batch_path, data, n_bytes);
        return 0;
    }
    batch.data[batch.n] = malloc(n_bytes + 1);
    MUST(batch.data[batch.n]);
    memcpy(batch.data[batch.n], data, n_bytes);
    batch.n_bytes[batch.n++] = n_bytes;
    if (batch.n == BATCH) {
        read_together();
    }
    return 0;
}

int fuzz_report(void)
{
    static const char *const names[] = {"refused",         "read",         "not all read",
                                        "crashed libhdf5", "hung libhdf5", "crashed libhdf5 (seen by a sanitizer)"};
    if (batch.n) {
        read_together();
    }
    printf("%10llu read again alone, because something happened to one in their batch\n", (unsigned long long)n_again);
    for (int i = 0; i < N_OUTCOME; i++) {
        printf("%10llu %s\n", (unsigned long long)n_outcome[i], names[i]);
    }
    return !n_outcome[REFUSED] + !n_outcome[OPENED] + !n_outcome[NOT_READ]; /* the others depend on libhdf5's version */
}
