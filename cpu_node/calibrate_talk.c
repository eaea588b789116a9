/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cpu_node/calibrate_talk.h"

#include "base/error.h"

#include <math.h>
#include <string.h>

bool calibrate_command(calibrate_t *calibrate, const char *json, char **answer)
{
    json_t *root = json_loads(json, 0, NULL);
    const char *type = json_string_value(json_object_get(root, "type"));
    const bool ours = type && strcmp(type, "calibrate") == 0;
    *answer = NULL;
    if (ours) {
        const int64_t run = calibrate_request(calibrate);
        json_t *reply = run < 0 ? json_pack("{s:s, s:s}", "type", "calibrate_answer", "error", error_text())
                                : json_pack("{s:s, s:I}", "type", "calibrate_answer", "run", (json_int_t)run);
        *answer = reply ? json_dumps(reply, JSON_COMPACT) : NULL;
        json_decref(reply);
    }
    json_decref(root);
    return ours;
}

static json_t *real_or_null(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

void calibrate_tell(calibrate_t *calibrate, json_t *status)
{
    static const char *const names[] = {"none", "asked", "sounding", "solving", "done", "failed"};
    struct calibrate_report report;
    calibrate_report(calibrate, &report);
    json_object_set_new(status, "calibration",
                        json_pack("{s:I, s:s, s:f, s:o, s:o, s:s}", "run", (json_int_t)report.run, "state",
                                  names[report.state], "done", report.done, "error_rad", real_or_null(report.error_rad),
                                  "misfit", real_or_null(report.residual_ratio), "sentence", report.sentence));
}
