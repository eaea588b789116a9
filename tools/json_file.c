/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tools/json_file.h"

#include "base/error.h"
#include "tools/tool.h"

#include <math.h>
#include <stdlib.h>

json_t *json_file_number(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

json_t *json_file_numbers(const double *values, int n)
{
    json_t *const array = json_array();
    for (int i = 0; i < n; i++) {
        json_array_append_new(array, json_file_number(values[i]));
    }
    return array;
}

int json_file_write(const char *path, json_t *root)
{
    char *const text = root ? json_dumps(root, JSON_INDENT(1)) : NULL;
    const int status = text ? tool_write_new(path, text) : error_set(TUTTI_ENOMEM, "no memory for %s", path);
    json_decref(root);
    free(text);
    return status;
}
