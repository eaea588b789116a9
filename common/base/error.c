/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static _Thread_local char sentence[512];

const char *error_name(int code)
{
    switch (code) {
#define ERROR_CASE(name, value, text)                                                                                  \
    case name:                                                                                                         \
        return text;
        TUTTI_ERROR_MAP(ERROR_CASE)
#undef ERROR_CASE
    default:
        return "unknown error";
    }
}

/* Names and texts of files and peers go into sentences: one line, nothing that a terminal obeys, no half character at
 * the end where it was cut. */
static void make_one_line(char *text)
{
    size_t n = 0, lead = 0; /* lead: where the last character begins */
    for (; text[n]; n++) {
        const unsigned char c = (unsigned char)text[n];
        text[n] = c < 0x20 || c == 0x7f ? ' ' : text[n];
        lead = (c & 0xc0) == 0x80 ? lead : n;
    }
    const unsigned char first = (unsigned char)text[lead];
    const size_t wanted = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc0 ? 2 : 1;
    if (n > 0 && n - lead < wanted) {
        text[lead] = '\0';
    }
}

int error_set(int code, const char *format, ...)
{
    /* Formatted aside first: callers wrap the previous sentence, `error_set(code, "%s: %s", file, error_text())`. */
    char fresh[sizeof sentence];
    va_list args;
    va_start(args, format);
    const int n = vsnprintf(fresh, sizeof fresh, format, args);
    va_end(args);
    if (n < 0) {
        fresh[0] = '\0';
    }
    make_one_line(fresh);
    memcpy(sentence, fresh, strlen(fresh) + 1);
    return code;
}

const char *error_text(void)
{
    return sentence;
}
