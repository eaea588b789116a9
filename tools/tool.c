/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tools/tool.h"

#include "base/error.h"
#include "base/output.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

int tool_usage_error(const char *command, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "tutti %s: ", command);
    vfprintf(stderr, format, arguments);
    fprintf(stderr, "; see `tutti %s --help`\n", command);
    va_end(arguments);
    return TOOL_USAGE;
}

int tool_fault(const char *command)
{
    fprintf(stderr, "tutti %s: %s\n", command, error_text());
    return TOOL_FAILED;
}

int tool_write_new(const char *path, const char *text)
{
    char name[4096];
    const int status = output_begin(path, name, sizeof name);
    FILE *const out = status ? NULL : fopen(name, "w");
    if (status) {
        return status;
    }
    const bool written = out && fputs(text, out) >= 0;
    if ((out && fclose(out)) || !written) {
        return error_set(TUTTI_EIO, "cannot write %s: %s", name, strerror(errno));
    }
    printf("%s written\n", name);
    return TUTTI_OK;
}

int tool_end(const char *command, int status)
{
    const bool earlier = ferror(stdout) != 0;
    if (fflush(stdout) == 0 && !earlier) {
        return status;
    }
    if (errno != EPIPE) { /* who closed the pipe knows */
        fprintf(stderr, "tutti %s: cannot write to standard output: %s\n", command, strerror(errno ? errno : EIO));
    }
    return status == TOOL_OK ? TOOL_FAILED : status;
}

const char *tool_printable(const char *text, char *out, size_t n)
{
    size_t i = 0;
    for (; text[i] && i + 1 < n; i++) {
        out[i] = iscntrl((unsigned char)text[i]) ? '?' : text[i];
    }
    out[i] = '\0';
    return out;
}

int tool_make_folders(const char *path, mode_t mode)
{
    char part[PATH_MAX];
    if (snprintf(part, sizeof part, "%s", path) >= (int)sizeof part) {
        return error_set(TUTTI_EIO, "%s: path too long", path);
    }
    for (char *slash = part + (*part == '/');; slash++) {
        const char at = *slash;
        if (at != '/' && at != '\0') {
            continue;
        }
        *slash = '\0';
        if (mkdir(part, mode) < 0 && errno != EEXIST) {
            return error_set(TUTTI_EIO, "cannot make %s: %s", part, strerror(errno));
        }
        *slash = at;
        if (at == '\0') {
            return TUTTI_OK;
        }
    }
}
