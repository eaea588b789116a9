/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Small texts of any bytes through their readers, the first byte says which: endpoints, lists of public keys, key
 * files, rows of a study. */
#include "base/endpoint.h"
#include "base/error.h"
#include "fronthaul/keys.h"
#include "fuzz.h"
#include "tools/study/study_run.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ENDPOINT, LIST, PAIR, ROWS, N_KINDS };
static uint64_t n_taken[N_KINDS], n_refused[N_KINDS];
static char folder[64];

static void put(const char *name, const uint8_t *data, size_t n_bytes)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    MUST(fd >= 0 && write(fd, data, n_bytes) == (ssize_t)n_bytes);
    close(fd);
}

static bool read_endpoint(const uint8_t *data, size_t n_bytes)
{
    char text[512];
    struct endpoint_tcp tcp;
    snprintf(text, sizeof text, "%.*s", (int)(n_bytes < 500 ? n_bytes : 500), (const char *)data);
    endpoint_is_loopback(text);
    if (!endpoint_parse_tcp(text, &tcp)) {
        return false;
    }
    MUST(tcp.port >= 1 && tcp.port <= 65535 && memchr(tcp.host, '\0', sizeof tcp.host) && tcp.host[0]);
    MUST(strncmp(text, "tcp://", 6) == 0 && strstr(text, tcp.host));
    return true;
}

static bool read_list(const uint8_t *data, size_t n_bytes)
{
    struct key_list list = {0};
    put("public.keys", data, n_bytes);
    if (keys_read_list(&list, folder) < 0) {
        MUST(!strchr(error_text(), '\n'));
        return false;
    }
    for (int i = 0; i < list.n; i++) {
        MUST(keys_find_name(&list, list.pin[i].name) == &list.pin[i]);
        MUST(keys_find_key(&list, list.pin[i].public_key) == &list.pin[i]);
    }
    keys_free_list(&list);
    return true;
}

static bool read_pair(const uint8_t *data, size_t n_bytes)
{
    struct key_pair pair;
    put("ap0.key", data, n_bytes);
    if (keys_read_pair(&pair, folder, "ap0") < 0) {
        MUST(!strchr(error_text(), '\n'));
        return false;
    }
    MUST(strlen(pair.public_key) == KEY_TEXT_ROOM - 1 && strlen(pair.secret_key) == KEY_TEXT_ROOM - 1);
    return true;
}

static bool read_rows(const uint8_t *data, size_t n_bytes)
{
    static const struct study_parameter none = {.key = NULL};
    static const struct study study = {.name = "fuzz", .n_value = 3, .parameters = &none};
    struct study_run run = {0};
    char path[128];
    snprintf(path, sizeof path, "%s/rows", folder);
    put("rows", data, n_bytes);
    MUST(study_run_create(&run, &study, 20) == 0);
    run.seed = 1;
    const bool good = study_run_take(&run, path) >= 0;
    MUST(good || !strchr(error_text(), '\n'));
    for (int d = 0; d < run.n_drop; d++) {
        MUST(run.done[d] <= 1 && (good || !run.done[d]));
    }
    study_run_destroy(&run);
    return good;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes)
{
    static bool (*const readers[N_KINDS])(const uint8_t *, size_t) = {read_endpoint, read_list, read_pair, read_rows};
    if (!folder[0]) {
        snprintf(folder, sizeof folder, "/dev/shm/tutti-fuzz-text-%d", (int)getpid());
        MUST(mkdir(folder, 0700) == 0);
    }
    if (n_bytes > 0) {
        const int kind = data[0] % N_KINDS;
        *(readers[kind](data + 1, n_bytes - 1) ? &n_taken[kind] : &n_refused[kind]) += 1;
    }
    return 0;
}

int fuzz_report(void)
{
    static const char *const names[N_KINDS] = {"endpoints", "lists of keys", "key files", "rows of studies"};
    static const char *const files[] = {"public.keys", "ap0.key", "rows"};
    int missing = 0;
    for (int k = 0; k < N_KINDS; k++) {
        printf("%10llu %s taken, %llu refused\n", (unsigned long long)n_taken[k], names[k],
               (unsigned long long)n_refused[k]);
        missing |= n_taken[k] == 0 || n_refused[k] == 0;
    }
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        char path[128];
        snprintf(path, sizeof path, "%s/%s", folder, files[i]);
        unlink(path);
    }
    rmdir(folder);
    return missing;
}
