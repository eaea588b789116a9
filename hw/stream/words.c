/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "hw/stream/words.h"

#include "base/error.h"

#include <ctype.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_TICKS = 1 << 20 };

int stream_words_channels(const char *text, int n_ant, size_t channel[TUTTI_MAX_ANT])
{
    int n = 0;
    for (const char *at = text ? text : ""; *at;) {
        char *end = NULL;
        const long number = isdigit((unsigned char)*at) ? strtol(at, &end, 10) : -1;
        const bool more = end && *end == ',';
        if (number < 0 || number >= TUTTI_MAX_ANT || n == n_ant || (*end && !more) || (more && !end[1])) {
            return error_set(TUTTI_ECONFIG, "channels: '%s' found, %d channel numbers with commas expected (\"0,1\")",
                             text, n_ant);
        }
        for (int i = 0; i < n; i++) {
            if (channel[i] == (size_t)number) {
                return error_set(TUTTI_ECONFIG, "channels: '%s' has channel %ld twice", text, number);
            }
        }
        channel[n++] = (size_t)number;
        at = end + more;
    }
    for (int i = 0; n == 0 && i < n_ant; i++) {
        channel[i] = (size_t)i;
    }
    return n == 0 || n == n_ant
               ? TUTTI_OK
               : error_set(TUTTI_ECONFIG, "channels: '%s' are %d, the node has %d antennas", text, n, n_ant);
}

const char *stream_words_find(const char *args, const char *key)
{
    const size_t length = strlen(key);
    for (const char *at = args; at && *at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL) {
        at += strspn(at, " ");
        if (strncmp(at, key, length) == 0 && at[length] == '=') {
            return at + length + 1;
        }
    }
    return NULL;
}

int stream_words_number(const char *args, const char *key, int otherwise)
{
    const char *value = stream_words_find(args, key);
    const long number = value && isdigit((unsigned char)*value) ? strtol(value, NULL, 10) : otherwise;
    return number < INT_MAX ? (int)number : INT_MAX;
}

int stream_words_multiple(const char *args, int *multiple)
{
    *multiple = stream_words_number(args, "tick_multiple", 1);
    return *multiple >= 1 && *multiple <= MOST_TICKS
               ? TUTTI_OK
               : error_set(TUTTI_ECONFIG, "args: tick_multiple=%d found, 1 to %d expected", *multiple, MOST_TICKS);
}

bool stream_words_is_shared(const char *source)
{
    return source && *source && strcmp(source, "internal") != 0 && strcmp(source, "none") != 0;
}

bool stream_words_is_passing(const char *complaint)
{
    return strstr(complaint, "No CHDR connection available") || strstr(complaint, "No devices found") ||
           strstr(complaint, "Failure to create rfnoc_graph"); /* what it says of most answers that did not come */
}
