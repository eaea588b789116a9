/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Work on a file that may be damaged or hostile, in a child process: the HDF5 library crashes on some such files and
 * does not come back from others (docs/security.md). Whatever becomes of the child, the command has a defined end. */
#ifndef TUTTI_TOOLS_CONTAINED_H
#define TUTTI_TOOLS_CONTAINED_H

/* A call into HDF5 that reads may take so long; the largest is one block or some 16 MB. */
enum { CONTAINED_CALL_LIMIT_S = 60 };

struct contained {
    const char *command, *path;     /* for the sentences: the subcommand, the file */
    int (*body)(void *context);     /* in the child; returns the exit status, 0..255 */
    void (*crashed)(void *context); /* in the parent, when the child crashed or hung (not: was killed); may be NULL */
    void *context;
    unsigned limit_s; /* of a call; 0 = CONTAINED_CALL_LIMIT_S */
};

/* Returns what body returned. If the child ended otherwise, one line on stderr and TOOL_FAILED. SIGINT, SIGTERM and
 * SIGHUP are passed on to the child, which is waited for; if it died of them, so does this process. The child dies with
 * this process. To be called while there is one thread. */
int contained_run(const struct contained *contained);

#endif
