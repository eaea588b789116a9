/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What `tutti run` found about its host, as a section of the report: a late block is asked about there first. */
#ifndef TUTTI_TOOLS_REPORT_HOST_H
#define TUTTI_TOOLS_REPORT_HOST_H

#include <stdio.h>

/* Reads host.json in the folder of the recording; writes nothing when there is none, or when it is something else. */
void report_host_write(const char *recording_path, FILE *out);

#endif
