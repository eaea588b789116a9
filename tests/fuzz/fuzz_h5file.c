/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Recordings of any bytes: whatever h5file_open takes can be listed, described and read in part, or is refused with one
 * line. */
#include "fuzz.h"

#include "base/error.h"
#include "base/h5file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_VALUES = 1 << 16, VALUE_BYTES = 8 };

static uint64_t n_refused, n_opened, n_read, n_unread;

#define MUST(condition)                                                                                                \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "violated: %s\n", #condition);                                                             \
            abort();                                                                                                   \
        }                                                                                                              \
    } while (0)

static void note(int status)
{
    const char *text = error_text();
    MUST(status >= 0 || (*text && !strchr(text, '\n')));
    n_read += status >= 0;
    n_unread += status < 0;
}

/* In memory of exactly the size the description tells. */
static void visit(void *context, const char *path, const struct h5_info *info)
{
    h5file_t *file = context;
    double number;
    MUST(info->rank >= 0 && info->rank <= H5FILE_MAX_RANK);
    if (info->type == H5_STRING) {
        char *text = h5file_read_text(file, path);
        note(text ? 0 : TUTTI_EFORMAT);
        free(text);
        return;
    }
    size_t per_row = 1;
    for (int d = 1; d < info->rank; d++) {
        if (info->dims[d] > MAX_VALUES || per_row * info->dims[d] > MAX_VALUES) {
            return;
        }
        per_row *= info->dims[d];
    }
    const size_t n = info->rank > 0 && info->dims[0] < 3 ? info->dims[0] : info->rank > 0 ? 3 : 1;
    void *values = malloc(n * per_row * VALUE_BYTES + 1);
    MUST(values);
    if (info->rank > 0) {
        note(h5file_read_rows(file, path, info->type, 0, n, values));
        note(h5file_read_rows(file, path, info->type, info->dims[0] - n, n, values));
    } else {
        note(h5file_read(file, path, info->type, values));
    }
    free(values);
    h5file_attribute(file, path, "ap_power", &number);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes)
{
    static char path[64];
    h5file_t *file;
    if (!path[0]) {
        snprintf(path, sizeof path, "/tmp/tutti-fuzz-%d.h5", (int)getpid());
    }
    FILE *out = fopen(path, "wb");
    MUST(out && fwrite(data, 1, n_bytes, out) == n_bytes);
    fclose(out);
    if (h5file_open(&file, path) < 0) {
        MUST(*error_text());
        n_refused++;
    } else {
        n_opened++;
        note(h5file_list(file, visit, file));
    }
    h5file_close(file);
    unlink(path);
    return 0;
}

int fuzz_report(void)
{
    printf("%10llu refused\n%10llu opened\n%10llu read\n%10llu not read\n", (unsigned long long)n_refused,
           (unsigned long long)n_opened, (unsigned long long)n_read, (unsigned long long)n_unread);
    return (n_refused == 0) + (n_opened == 0) + (n_read == 0) + (n_unread == 0);
}
