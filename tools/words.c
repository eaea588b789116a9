/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tools/words.h"

#include "base/error.h"
#include "tools/tool.h"

#include <stdio.h>
#include <string.h>

static const struct tool_word *find(const struct tool_words *words, const char *name)
{
    for (size_t i = 0; i < words->n; i++) {
        if (strcmp(name, words->word[i].name) == 0) {
            return &words->word[i];
        }
    }
    return NULL;
}

/* A word that is not in the table. */
static int take_rest(const struct tool_words *words, const char *name)
{
    if (name[0] == '-' || !words->rest || *words->rest) {
        return tool_usage_error(words->command, "unknown argument %s", name);
    }
    *words->rest = name;
    return 0;
}

static int take_value(const struct tool_words *words, const struct tool_word *word, const char *value)
{
    if (!value) {
        return tool_usage_error(words->command, "%s needs %s", word->name, word->needs ? word->needs : "a value");
    }
    if (word->take) {
        return word->take(word->context, value);
    }
    *word->text = value;
    return 0;
}

/* How many words of argv were taken, or TOOL_USAGE negated. */
static int take_own(const struct tool_words *words, const char *name, const char *value)
{
    const struct tool_word *const word = find(words, name);
    if (word && word->flag) {
        *word->flag = true;
        return 1;
    }
    const int status = word ? take_value(words, word, value) : take_rest(words, name);
    return status ? -status : word ? 2 : 1;
}

int tool_words_take(const struct tool_words *words, int argc, char **argv)
{
    for (int i = 1; i < argc;) {
        int taken = config_options_take(words->common, argc, argv, &i);
        if (taken < 0) {
            return tool_usage_error(words->command, "%s", error_text());
        }
        if (taken) {
            continue;
        }
        if (strcmp(argv[i], "--help") == 0) {
            fputs(words->help, stdout);
            return 1;
        }
        taken = take_own(words, argv[i], i + 1 < argc ? argv[i + 1] : NULL);
        if (taken < 0) {
            return -taken;
        }
        i += taken;
    }
    return 0;
}
