/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The words of a command line: those common to all programs (base/config.h), --help, and the command's own by a table.
 */
#ifndef TUTTI_TOOLS_WORDS_H
#define TUTTI_TOOLS_WORDS_H

#include "base/config.h"

/* One of flag, text and take is given: the word stands alone, or has a value. */
struct tool_word {
    const char *name;
    bool *flag;
    const char **text;
    int (*take)(void *context, const char *value); /* 0, or TOOL_USAGE when it has said what is wrong with it */
    void *context;
    const char *needs; /* for "NAME needs ...", NULL: a value */
};

struct tool_words {
    const char *command, *help;
    struct config_options *common;
    const char **rest; /* one word without dashes, NULL: none; a network file's place is common->path */
    const struct tool_word *word;
    size_t n;
};
/* 0 go on; 1 help was asked for, and is printed; TOOL_USAGE. */
int tool_words_take(const struct tool_words *words, int argc, char **argv);

#endif
