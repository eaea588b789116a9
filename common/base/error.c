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
    memcpy(sentence, fresh, strlen(fresh) + 1);
    return code;
}

const char *error_text(void)
{
    return sentence;
}
