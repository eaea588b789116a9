/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tools/terminal/html.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */

/* Bytes of the UTF-8 character that begins here; 0 if there is none (RFC 3629: no overlong forms, no surrogates). */
static size_t character_bytes(const char *text)
{
    const unsigned char *c = (const unsigned char *)text;
    const size_t n = c[0] < 0x80 ? 1 : c[0] < 0xC2 ? 0 : c[0] < 0xE0 ? 2 : c[0] < 0xF0 ? 3 : c[0] < 0xF5 ? 4 : 0;
    for (size_t i = 1; i < n; i++) {
        if ((c[i] & 0xC0) != 0x80) {
            return 0;
        }
    }
    const bool wrong = (c[0] == 0xE0 && c[1] < 0xA0) || (c[0] == 0xED && c[1] > 0x9F) ||
                       (c[0] == 0xF0 && c[1] < 0x90) || (c[0] == 0xF4 && c[1] > 0x8F);
    return wrong ? 0 : n;
}

static const char *entity(char c)
{
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    default:
        return (unsigned char)c < 0x20 && !strchr("\t\n\r", c) ? REPLACEMENT : c == 0x7f ? REPLACEMENT : NULL;
    }
}

void html_text(FILE *out, const char *text)
{
    while (text && *text) {
        const size_t n = character_bytes(text);
        const char *instead = n == 0 ? REPLACEMENT : n == 1 ? entity(*text) : NULL;
        if (instead) {
            fputs(instead, out);
        } else {
            fwrite(text, 1, n, out);
        }
        text += n ? n : 1;
    }
}

void html_format(FILE *out, const char *format, ...)
{
    char *text = NULL;
    va_list arguments;
    va_start(arguments, format);
    const int n = vasprintf(&text, format, arguments);
    va_end(arguments);
    html_text(out, n < 0 ? "(out of memory)" : text);
    if (n >= 0) {
        free(text);
    }
}

void html_key(FILE *out, int n, const char *const *colour, const char *const *text)
{
    fputs("<div class=\"key\">", out);
    for (int i = 0; i < n; i++) {
        fprintf(out, "<span><i style=\"background:%s\"></i>", colour[i]);
        html_text(out, text[i]);
        fputs("</span>", out);
    }
    fputs("</div>\n", out);
}
