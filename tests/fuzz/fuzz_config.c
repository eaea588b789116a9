/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Network files of any bytes: refused with one line, or accepted, and then what is accepted can be written out and read
 * back to the same. */
#include "base/config.h"
#include "base/error.h"
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static uint64_t n_refused, n_accepted;

/* A file in memory, read by its name like any other; one for all inputs. */
static int load(struct config **config, const void *text, size_t n_bytes)
{
    static char path[64];
    static int fd = -1;
    if (fd < 0) {
        fd = memfd_create("net.yaml", MFD_CLOEXEC);
        MUST(fd >= 0);
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    }
    MUST(pwrite(fd, text, n_bytes, 0) == (ssize_t)n_bytes && ftruncate(fd, (off_t)n_bytes) == 0);
    return config_load(config, path, NULL, 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes)
{
    struct config *config, *again;
    if (load(&config, data, n_bytes) < 0) {
        const char *text = error_text();
        MUST(config == NULL && *text && !strchr(text, '\n'));
        n_refused++;
        return 0;
    }
    char *yaml = config_to_yaml(config);
    MUST(yaml);
    if (load(&again, yaml, strlen(yaml)) < 0) {
        fprintf(stderr, "not read back: %s\n", error_text());
        abort();
    }
    char *yaml_again = config_to_yaml(again);
    MUST(yaml_again && strcmp(yaml, yaml_again) == 0);
    MUST(config_fingerprint(config) == config_fingerprint(again));
    free(yaml);
    free(yaml_again);
    config_free(config);
    config_free(again);
    n_accepted++;
    return 0;
}

int fuzz_report(void)
{
    printf("%10llu refused\n%10llu accepted\n", (unsigned long long)n_refused, (unsigned long long)n_accepted);
    return (n_refused == 0) + (n_accepted == 0);
}
