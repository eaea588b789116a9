/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a shell may complete: `tutti __complete commands|options COMMAND|keys`, one word a line. Options are those that
 * a command's own --help names, keys those of the defaults: nothing is written twice. */
#ifndef TUTTI_TOOLS_COMPLETE_H
#define TUTTI_TOOLS_COMPLETE_H

#include <stdio.h>

/* Words of a text that begin with "--", each once, in order. */
void complete_options(const char *help, FILE *out);
/* Paths of all keys of a YAML document such as the defaults: "network.n_ap". */
void complete_keys(const char *yaml, FILE *out);

#endif
