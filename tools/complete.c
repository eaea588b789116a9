/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tools/complete.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

enum { MAX_DEPTH = 8, KEY_ROOM = 256 };

static size_t option_length(const char *word)
{
    size_t n = 2;
    while (islower((unsigned char)word[n]) || isdigit((unsigned char)word[n]) ||
           (word[n] == '-' && word[n - 1] != '-')) {
        n++;
    }
    return word[n - 1] == '-' ? 0 : n;
}

/* Whether the same word stood before `end`. */
static bool stood_before(const char *help, const char *end, size_t n)
{
    for (const char *at = help; (at = strstr(at, "--")) && at < end; at += 2) {
        if (option_length(at) == n && strncmp(at, end, n) == 0) {
            return true;
        }
    }
    return false;
}

void complete_options(const char *help, FILE *out)
{
    for (const char *at = help; (at = strstr(at, "--")); at += 2) {
        const size_t n = option_length(at);
        if (n > 2 && !stood_before(help, at, n)) {
            fprintf(out, "%.*s\n", (int)n, at);
        }
    }
}

/* A line "    name: value" is a key; one with keys below has no value of its own and is not printed. */
static bool parse_key(const char *line, int *depth, char key[KEY_ROOM], bool *leaf)
{
    const size_t indent = strspn(line, " "), n = strspn(line + indent, "abcdefghijklmnopqrstuvwxyz_0123456789");
    const char *const rest = line + indent + n + 1;
    if (n == 0 || line[indent + n] != ':' || indent % 2 || indent / 2 >= MAX_DEPTH || n >= KEY_ROOM) {
        return false;
    }
    const char first = rest[strspn(rest, " ")];
    *depth = (int)(indent / 2);
    *leaf = first != '\n' && first != '#' && first != '\0';
    memcpy(key, line + indent, n);
    key[n] = '\0';
    return true;
}

void complete_keys(const char *yaml, FILE *out)
{
    char path[MAX_DEPTH][KEY_ROOM];
    for (const char *line = yaml; *line; line += strcspn(line, "\n"), line += *line == '\n') {
        char key[KEY_ROOM];
        int depth;
        bool leaf;
        if (!parse_key(line, &depth, key, &leaf)) {
            continue;
        }
        memcpy(path[depth], key, sizeof key);
        for (int i = 0; leaf && i <= depth; i++) {
            fprintf(out, "%s%c", path[i], i < depth ? '.' : '\n');
        }
    }
}
