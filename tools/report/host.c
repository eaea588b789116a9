/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tools/report/host.h"

#include "tools/terminal/html.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static json_t *load(const char *recording_path)
{
    const char *const slash = strrchr(recording_path, '/');
    char *path = NULL;
    if (asprintf(&path, "%.*shost.json", slash ? (int)(slash - recording_path) + 1 : 0, recording_path) < 0) {
        return NULL;
    }
    json_t *const host = json_load_file(path, 0, NULL);
    free(path);
    return host;
}

static void write_cell(FILE *out, const json_t *check, const char *key)
{
    fputs("<td class=\"l\" style=\"white-space:normal\">", out);
    html_text(out, json_string_value(json_object_get(check, key)));
    fputs("</td>", out);
}

void report_host_write(const char *recording_path, FILE *out)
{
    static const char *const columns[] = {"title", "verdict", "found", "wanted", "cost"};
    json_t *const host = load(recording_path);
    const json_t *const checks = json_object_get(host, "checks");
    size_t i;
    const json_t *check;
    if (json_array_size(checks) > 0) {
        fputs("<section>\n<details><summary>Host: ", out);
        html_text(out, json_string_value(json_object_get(host, "verdict")));
        fputs("</summary>\n<p class=\"note\">What could be seen at once when the run began; `tutti doctor` measures, "
              "too.</p>\n<div class=\"scroll\"><table>\n<tr><th class=\"l\">what</th><th class=\"l\">verdict</th>"
              "<th class=\"l\">found</th><th class=\"l\">wanted</th><th class=\"l\">otherwise</th></tr>\n",
              out);
        json_array_foreach(checks, i, check)
        {
            fputs("<tr>", out);
            for (size_t c = 0; c < sizeof columns / sizeof columns[0]; c++) {
                write_cell(out, check, columns[c]);
            }
            fputs("</tr>\n", out);
        }
        fputs("</table></div></details>\n</section>\n", out);
    }
    json_decref(host);
}
