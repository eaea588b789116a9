/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Whether clocks of two hosts mean the same: a daemon that disciplines this one, and by how much it is off. */
#include "node/host/look.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const double FAR_OFF_US = 1000;

struct daemons {
    const struct host_question *question;
    bool ptp, ntp;
};

static bool look_at_process(void *context, const char *name)
{
    static const char *const ntp[] = {"chronyd", "ntpd", "systemd-timesyn", "ntpsec", "openntpd"};
    struct daemons *const d = context;
    char line[LOOK_LINE_ROOM];
    if (!isdigit((unsigned char)name[0]) || !look_line(d->question, line, "/proc/%.20s/comm", name)) {
        return false;
    }
    d->ptp |= strcmp(line, "ptp4l") == 0 || strcmp(line, "phc2sys") == 0;
    for (size_t i = 0; i < sizeof ntp / sizeof ntp[0]; i++) {
        d->ntp |= strcmp(line, ntp[i]) == 0;
    }
    return d->ptp;
}

/* In us, NAN: nobody tells. chronyc says "System time : 0.000012 seconds fast of NTP time", pmc "offsetFromMaster 12.0"
 * in ns. */
static double clock_offset_us(const struct host_question *question, bool ptp)
{
    char text[4096];
    if (ptp && look_program(question, "pmc -u -b 0 'GET CURRENT_DATA_SET' 2>/dev/null", text, sizeof text)) {
        const char *const at = strstr(text, "offsetFromMaster");
        return at ? fabs(strtod(at + strlen("offsetFromMaster"), NULL)) / 1e3 : NAN;
    }
    if (!ptp && look_program(question, "chronyc -n tracking 2>/dev/null", text, sizeof text)) {
        const char *const at = strstr(text, "System time");
        const char *const colon = at ? strchr(at, ':') : NULL;
        return colon ? fabs(strtod(colon + 1, NULL)) * 1e6 : NAN;
    }
    return NAN;
}

void look_at_clock(const struct host_question *question, struct host_finding *f)
{
    struct daemons d = {.question = question};
    char source[LOOK_LINE_ROOM] = "?", path[LOOK_LINE_ROOM], offset_text[64] = "";
    look_each(question, "/proc", look_at_process, &d);
    look_line(question, source, "/sys/devices/system/clocksource/clocksource0/current_clocksource");
    look_path(question, path, sizeof path, "/dev/ptp0");
    const double offset_us = d.ptp || d.ntp ? clock_offset_us(question, d.ptp) : NAN;
    if (!isnan(offset_us)) {
        snprintf(offset_text, sizeof offset_text, ", %.1f us off", offset_us);
    }
    host_found(f, (d.ptp || d.ntp) && !(offset_us > FAR_OFF_US) ? HOST_GOOD : HOST_COSTS, "%s%s%s; clock source %.40s",
               d.ptp   ? "PTP daemon running"
               : d.ntp ? "NTP daemon running (tens to hundreds of us between hosts)"
                       : "no PTP or NTP daemon",
               offset_text, access(path, F_OK) == 0 ? ", /dev/ptp0 is there" : "", source);
}
