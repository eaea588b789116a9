/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Results as JSON. */
#ifndef TUTTI_TOOLS_JSON_FILE_H
#define TUTTI_TOOLS_JSON_FILE_H

#include <jansson.h>

/* JSON has no infinity: null where a value is not finite. */
json_t *json_file_number(double value);
json_t *json_file_numbers(const double *values, int n);
/* Into a new file, as tool_write_new; releases root, NULL: TUTTI_ENOMEM. */
int json_file_write(const char *path, json_t *root);

#endif
