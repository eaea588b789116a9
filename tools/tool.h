/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The subcommands of `tutti`. argv[0] is the subcommand's name. Each returns the exit status of the program: 0 done,
 * 1 failed (one clear line is on stderr), 2 wrong usage. */
#ifndef TUTTI_TOOLS_TOOL_H
#define TUTTI_TOOLS_TOOL_H

#include <stddef.h>
#include <sys/types.h>

enum tool_status { TOOL_OK = 0, TOOL_FAILED = 1, TOOL_USAGE = 2 };

int tool_run(int argc, char **argv);
int tool_config(int argc, char **argv);
int tool_report(int argc, char **argv);
int tool_inspect(int argc, char **argv);
int tool_calibrate(int argc, char **argv);
int tool_sync_check(int argc, char **argv);
int tool_keygen(int argc, char **argv);
int tool_fault_command(int argc, char **argv); /* tutti fault */
int tool_precode(int argc, char **argv);
int tool_radio(int argc, char **argv);
int tool_replay(int argc, char **argv);
int tool_study(int argc, char **argv);
int tool_latency(int argc, char **argv);
int tool_dashboard(int argc, char **argv);
int tool_doctor(int argc, char **argv);
int tool_flowgraph(int argc, char **argv);
int tool_isac(int argc, char **argv);
int tool_power(int argc, char **argv);
int tool_gate(int argc, char **argv);
int tool_sweep(int argc, char **argv);
int tool_watch(int argc, char **argv);

/* Says on stderr what is wrong with the command line and where help is. Returns TOOL_USAGE. */
int tool_usage_error(const char *command, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Text of a file or of a peer as it may be shown: control characters, which would steer the terminal, are '?'. Returns
 * out, n bytes, cut where it is full. */
const char *tool_printable(const char *text, char *out, size_t n);
/* Makes a folder and the missing ones above it, as mkdir -p does. TUTTI_EIO with a sentence. */
int tool_make_folders(const char *path, mode_t mode);
/* A text into a new file: what is at path stays (base/output.h). Says on stdout which it was. TUTTI_EIO. */
int tool_write_new(const char *path, const char *text);
/* For the end of a process: `status`, or TOOL_FAILED with a line on stderr if standard output could not be written. */
int tool_end(const char *command, int status);
/* Puts the last error_text on stderr, with the command's name before it. Returns TOOL_FAILED. */
int tool_fault(const char *command);

#endif
