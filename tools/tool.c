/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tools/tool.h"

#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>

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
