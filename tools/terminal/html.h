/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Text in a web page. Whatever is not this program's own markup goes through here: names, versions, paths and
 * configurations come out of files that anybody may have written. */
#ifndef TUTTI_TOOLS_TERMINAL_HTML_H
#define TUTTI_TOOLS_TERMINAL_HTML_H

#include <stdio.h>

/* Text that stands for itself, between tags or in a quoted attribute: & < > " ' are written as entities, bytes that are
 * not valid UTF-8 or that a page must not have (control characters) as U+FFFD. NULL: nothing. */
void html_text(FILE *out, const char *text);
/* What printf would print, as such text. */
void html_format(FILE *out, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* What n colours of a drawing stand for. */
void html_key(FILE *out, int n, const char *const *colour, const char *const *text);

#endif
