/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tools/precode/precoder_file.h"

#include "base/error.h"
#include "base/h5file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

struct precoder_file {
    struct precoder_file_info info;
    char path[PATH_MAX], part[PATH_MAX];
    int fd; /* holds the lock on the part; -1 = none */
    h5file_t *h5;
    uint64_t n_row;
    bool done, failed;
    int W, an, sinr, truth, bound, time, scheme, reason, subband_time, subband_reason;
    double *wide; /* [n_sb][n_ue] */
};

static bool same_file(const char *a, const char *b)
{
    struct stat one, two;
    return stat(a, &one) == 0 && stat(b, &two) == 0 && one.st_dev == two.st_dev && one.st_ino == two.st_ino;
}

/* A recording that a central node is writing right now: it holds the lock beside it (cpu_node/record/lock.h). */
static bool is_being_recorded(const char *path)
{
    char name[PATH_MAX];
    if (snprintf(name, sizeof name, "%s.lock", path) >= (int)sizeof name) {
        return false;
    }
    const int fd = open(name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    const bool held = fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK;
    if (fd >= 0) {
        close(fd);
    }
    return held;
}

static int check_path(const precoder_file_t *f, const char *input, bool force)
{
    struct stat info;
    if (same_file(f->path, input)) {
        return error_set(TUTTI_EINVAL, "%s: the output is the input; choose another --out", f->path);
    }
    if (same_file(f->part, input)) {
        return error_set(TUTTI_EINVAL,
                         "%s: would be overwritten while it is read (the output grows there); choose another "
                         "--out",
                         f->part);
    }
    if (lstat(f->path, &info) < 0) {
        return 0;
    }
    if (!S_ISREG(info.st_mode)) {
        return error_set(TUTTI_EINVAL, "%s: exists and is %s; choose another --out", f->path,
                         S_ISLNK(info.st_mode) ? "a link" : "not a file");
    }
    if (is_being_recorded(f->path)) {
        return error_set(TUTTI_EINVAL, "%s: is being written by a running tutti-cpu; choose another --out", f->path);
    }
    return force ? 0 : error_set(TUTTI_EINVAL, "%s: exists already; --force overwrites it", f->path);
}

static void own_part(const precoder_file_t *f, bool own)
{
    if (f->info.owns_part) {
        *f->info.owns_part = own;
    }
}

/* Takes the part for this process; the lock goes with the process, however that ends. Not flock: HDF5's readers take
 * that one, and may read while the file grows. */
static int lock_part(precoder_file_t *f)
{
    struct stat info;
    if (lstat(f->part, &info) == 0 && !S_ISREG(info.st_mode)) {
        return error_set(TUTTI_EINVAL, "%s: the output grows there, and it is not a file; choose another --out",
                         f->part);
    }
    f->fd = open(f->part, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (f->fd < 0) {
        return error_set(TUTTI_EIO, "%s: cannot create the file: %s", f->part, strerror(errno));
    }
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (fcntl(f->fd, F_OFD_SETLK, &lock) == 0) {
        own_part(f, true);
        return 0;
    }
    const int reason = errno;
    close(f->fd);
    f->fd = -1;
    if (reason == EAGAIN || reason == EACCES) {
        return error_set(TUTTI_EIO, "%s: another process is writing it", f->part);
    }
    return error_set(TUTTI_EIO, "%s: cannot lock it: %s", f->part, strerror(reason));
}

static int declare(precoder_file_t *f)
{
    const size_t s = (size_t)f->info.n_sb, m = (size_t)f->info.shape.n_ap, a = (size_t)f->info.shape.n_ant;
    const size_t k = (size_t)f->info.shape.n_ue;
    const size_t beams[] = {s, m, a, k}, users[] = {s, k};
    const struct {
        int *handle;
        const char *name;
        enum h5_type type;
        int rank;
        const size_t *dims;
    } columns[] = {{&f->W, "/W", H5_C64, 5, beams},
                   {&f->an, "/an", H5_C64, 4, beams},
                   {&f->sinr, "/sinr_predicted", H5_F64, 3, users},
                   {&f->bound, "/sinr_bound", H5_F64, 2, users},
                   {&f->time, "/solve_time_s", H5_F64, 1, NULL},
                   {&f->scheme, "/scheme", H5_I32, 1, NULL},
                   {&f->reason, "/reason", H5_I32, 1, NULL},
                   {&f->subband_time, "/subband/solve_time_s", H5_F64, 2, users},
                   {&f->subband_reason, "/subband/reason", H5_I32, 2, users},
                   {&f->truth, "/sinr_true", H5_F64, 3, users}};
    const size_t n = sizeof columns / sizeof columns[0] - !f->info.has_truth;
    for (size_t i = 0; i < n; i++) {
        *columns[i].handle = h5file_declare(f->h5, columns[i].name, columns[i].type, columns[i].rank, columns[i].dims);
        if (*columns[i].handle < 0) {
            return *columns[i].handle;
        }
    }
    return 0;
}

static int begin(precoder_file_t *f)
{
    int status = h5file_create(&f->h5, f->part);
    if (status >= 0) {
        status = h5file_put_text(f->h5, "/version", TUTTI_VERSION);
    }
    if (status >= 0) {
        status = h5file_put_text(f->h5, "/settings", f->info.settings);
    }
    if (status >= 0) {
        status = h5file_put_attribute(f->h5, "/", "first_block", (double)f->info.first_block);
    }
    if (status >= 0) {
        status = declare(f);
    }
    if (status >= 0) {
        status = h5file_seal(f->h5);
    }
    f->failed = status < 0;
    return status;
}

int precoder_file_create(precoder_file_t **file, const char *path, const char *input, bool force,
                         const struct precoder_file_info *info)
{
    precoder_file_t *f = *file = calloc(1, sizeof *f);
    if (!f) {
        return error_set(TUTTI_ENOMEM, "%s: no memory", path);
    }
    f->fd = -1;
    f->info = *info;
    const size_t n = (size_t)info->n_sb;
    f->wide = calloc(n * (size_t)info->shape.n_ue, sizeof *f->wide);
    int status = f->wide ? 0 : error_set(TUTTI_ENOMEM, "%s: no memory", path);
    if (snprintf(f->path, sizeof f->path, "%s", path) >= PATH_MAX ||
        snprintf(f->part, sizeof f->part, "%s.part", path) >= PATH_MAX) {
        status = error_set(TUTTI_EINVAL, "--out: the path is longer than %d bytes", PATH_MAX - 6);
    }
    if (status >= 0) {
        status = check_path(f, input, force);
    }
    if (status >= 0) {
        status = lock_part(f);
    }
    if (status >= 0) {
        status = begin(f);
    }
    return status;
}

static const double *widen(const precoder_file_t *f, const float *values)
{
    const size_t n = (size_t)f->info.n_sb * (size_t)f->info.shape.n_ue;
    for (size_t i = 0; i < n; i++) {
        f->wide[i] = (double)values[i];
    }
    return f->wide;
}

int precoder_file_write(precoder_file_t *f, const struct precoder_file_row *row)
{
    double time_s = 0;
    int32_t reason = 0;
    for (int s = 0; s < f->info.n_sb; s++) {
        time_s += row->solve_time_s[s];
        reason = row->reason[s] > reason ? row->reason[s] : reason;
    }
    const int32_t scheme = f->info.scheme;
    const struct {
        int handle;
        const void *data;
    } cells[] = {{f->W, row->W},
                 {f->an, row->an},
                 {f->bound, row->sinr_bound},
                 {f->time, &time_s},
                 {f->scheme, &scheme},
                 {f->reason, &reason},
                 {f->subband_time, row->solve_time_s},
                 {f->subband_reason, row->reason}};
    int status = h5file_write_row(f->h5, f->sinr, f->n_row, widen(f, row->sinr_predicted));
    for (size_t i = 0; i < sizeof cells / sizeof cells[0] && status >= 0; i++) {
        status = h5file_write_row(f->h5, cells[i].handle, f->n_row, cells[i].data);
    }
    if (status >= 0 && f->info.has_truth) {
        status = h5file_write_row(f->h5, f->truth, f->n_row, widen(f, row->sinr_true));
    }
    f->n_row += status >= 0;
    f->failed = f->failed || status < 0;
    return status;
}

int precoder_file_flush(precoder_file_t *f)
{
    const int status = h5file_flush(f->h5);
    f->failed = f->failed || status < 0;
    return status;
}

bool precoder_file_failed(const precoder_file_t *f)
{
    return f && f->failed;
}

/* Everything is on disk before anything is said about it: closing alone could not tell of a full disk. */
static int finish(precoder_file_t *f)
{
    const int status = precoder_file_flush(f);
    h5file_close(f->h5);
    f->h5 = NULL;
    if (status < 0) {
        return status;
    }
    if (fsync(f->fd) < 0 && errno != EINVAL && errno != EROFS) {
        return error_set(TUTTI_EIO, "%s: cannot write it to the disk: %s", f->part, strerror(errno));
    }
    return 0;
}

int precoder_file_commit(precoder_file_t *f)
{
    const int status = finish(f);
    if (status < 0) {
        return status;
    }
    if (rename(f->part, f->path) < 0) {
        return error_set(TUTTI_EIO, "%s: cannot rename %s to it: %s", f->path, f->part, strerror(errno));
    }
    f->done = true;
    own_part(f, false);
    return 0;
}

const char *precoder_file_keep(precoder_file_t *f)
{
    if (finish(f) < 0) {
        return NULL;
    }
    f->done = true;
    own_part(f, false);
    return f->part;
}

void precoder_file_destroy(precoder_file_t *f)
{
    if (!f) {
        return;
    }
    h5file_close(f->h5);
    if (f->fd >= 0 && !f->done) {
        unlink(f->part);
        own_part(f, false);
    }
    if (f->fd >= 0) {
        close(f->fd);
    }
    free(f->wide);
    free(f);
}
