/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A plain driver for a fuzz target: reads the seeds of a folder, feeds them, then n deterministic mutations of them,
 * each in memory of exactly its size, and fails unless every outcome was seen. Usage: mutate_x FOLDER N [FIRST]. A
 * mutation depends on its number alone, from FIRST (0) on, so that a long run can be had in parts, and a finding again.
 * SIGTERM ends it with what was seen by then; when it ends by a signal of its own, it says at which mutation.
 */
#include "fuzz.h"

#include <dirent.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_SEEDS = 64, MAX_BYTES = 64 * 1024 };

struct seed {
    uint8_t data[MAX_BYTES];
    size_t n_bytes;
};

static struct seed seeds[MAX_SEEDS];
static size_t n_seeds;
static uint64_t state;
static volatile sig_atomic_t stopped;
static uint64_t current; /* mutation */

/* SplitMix64 of a mutation's number. */
static uint64_t state_of(uint64_t number)
{
    uint64_t z = (number + 1) * 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (z ^ (z >> 31)) | 1;
}

static size_t below(size_t n)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (size_t)((state >> 11) % n);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int read_seeds(const char *folder)
{
    struct dirent **entries = NULL;
    const int n = scandir(folder, &entries, NULL, by_name);
    for (int i = 0; i < n; i++) {
        char path[1024];
        snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name);
        FILE *file = entries[i]->d_name[0] != '.' && n_seeds < MAX_SEEDS ? fopen(path, "rb") : NULL;
        if (file) {
            seeds[n_seeds].n_bytes = fread(seeds[n_seeds].data, 1, MAX_BYTES, file);
            n_seeds++;
            fclose(file);
        }
        free(entries[i]);
    }
    free(entries);
    return n_seeds ? 0 : -1;
}

static void change_bytes(struct seed *s)
{
    static const uint8_t interesting[] = {0, 1, 0x7f, 0x80, 0xff, '"', '{', '}', '\\', '9', ','};
    const size_t at = below(s->n_bytes);
    switch (below(5)) {
    case 0:
        s->data[at] ^= (uint8_t)(1 << below(8));
        break;
    case 1:
        s->data[at] = (uint8_t)below(256);
        break;
    case 2:
        s->data[at] = interesting[below(sizeof interesting)];
        break;
    case 3:
        s->data[at] = (uint8_t)(s->data[at] + (below(2) ? 1 : -1));
        break;
    default: /* four in a row: a length, a float */
        for (size_t i = at; i < s->n_bytes && i < at + 4; i++) {
            s->data[i] = interesting[below(5)];
        }
    }
}

static void change_length(struct seed *s)
{
    const struct seed *other = &seeds[below(n_seeds)];
    const size_t at = below(s->n_bytes), from = below(other->n_bytes);
    size_t n = other->n_bytes - from;
    switch (below(3)) {
    case 0: /* cut */
        s->n_bytes = at;
        break;
    case 1: /* the tail of another */
        n = n < MAX_BYTES - at ? n : MAX_BYTES - at;
        memcpy(s->data + at, other->data + from, n);
        s->n_bytes = at + n;
        break;
    default: /* repeat the tail */
        n = s->n_bytes - at < MAX_BYTES - s->n_bytes ? s->n_bytes - at : MAX_BYTES - s->n_bytes;
        memmove(s->data + s->n_bytes, s->data + at, n);
        s->n_bytes += n;
    }
}

static int feed(const struct seed *s)
{
    uint8_t *exact = malloc(s->n_bytes ? s->n_bytes : 1);
    if (!exact) {
        return -1;
    }
    memcpy(exact, s->data, s->n_bytes);
    LLVMFuzzerTestOneInput(exact, s->n_bytes);
    free(exact);
    return 0;
}

static int feed_mutation(uint64_t number)
{
    static struct seed s;
    state = state_of(number);
    const struct seed *from = &seeds[below(n_seeds)];
    memcpy(s.data, from->data, from->n_bytes);
    s.n_bytes = from->n_bytes;
    for (size_t k = 1 + below(4); k > 0 && s.n_bytes; k--) {
        below(4) ? change_bytes(&s) : change_length(&s);
    }
    return feed(&s);
}

static void stop(int number)
{
    (void)number;
    stopped = 1;
}

/* Once: the signal then does what it does. */
static void name_the_mutation(int number)
{
    char text[64];
    const int n = snprintf(text, sizeof text, "at mutation %" PRIu64 "\n", current);
    if (write(STDERR_FILENO, text, (size_t)n) == n) {
        signal(number, SIG_DFL);
    }
    raise(number);
}

int main(int argc, char **argv)
{
    if (argc < 3 || argc > 4 || read_seeds(argv[1])) {
        fprintf(stderr, "usage: %s FOLDER_WITH_SEEDS N [FIRST]\n", argv[0]);
        return 2;
    }
    for (size_t i = 0; i < n_seeds; i++) {
        feed(&seeds[i]);
    }
    const uint64_t first = argc > 3 ? strtoull(argv[3], NULL, 10) : 0, n = strtoull(argv[2], NULL, 10);
    signal(SIGTERM, stop);
    signal(SIGABRT, name_the_mutation);
    for (current = first; current < first + n && !stopped; current++) {
        if (feed_mutation(current)) {
            return 2;
        }
    }
    if (stopped) {
        printf("stopped before mutation %" PRIu64 "\n", current);
    }
    return fuzz_report() ? 1 : 0;
}
