/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Text in a web page, byte by byte; and the two ways of showing how far a job is. */
#include "tools/terminal/html.h"
#include "tools/terminal/status_line.h"
#include "tools/terminal/table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static char *written(void (*write)(FILE *, const void *), const void *what)
{
    char *text = NULL;
    size_t n = 0;
    FILE *out = open_memstream(&text, &n);
    assert_non_null(out);
    write(out, what);
    fclose(out);
    return text;
}

static void write_text(FILE *out, const void *text)
{
    html_text(out, text);
}

static void test_text(void **state)
{
#define BAD "\xef\xbf\xbd"
    (void)state;
    const struct {
        const char *text, *page;
    } cases[] = {
        {NULL, ""},
        {"", ""},
        {"plain 1.5 \t\n", "plain 1.5 \t\n"},
        {"<script>alert(\"1\" & '2')</script>", "&lt;script&gt;alert(&quot;1&quot; &amp; &#39;2&#39;)&lt;/script&gt;"},
        {"caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80", "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80"},
        {"caf\xe9", "caf" BAD},                               /* Latin-1 */
        {"\xc0\xbcscript\xc0\xbe", BAD BAD "script" BAD BAD}, /* overlong < > */
        {"\xe0\x80\xbc|\xf0\x80\x80\xbc", BAD BAD BAD "|" BAD BAD BAD BAD},
        {"\xed\xa0\x80|\xf4\x90\x80\x80", BAD BAD BAD "|" BAD BAD BAD BAD}, /* a surrogate, beyond U+10FFFF */
        {"\xe2\x82", BAD BAD},                                              /* cut off */
        {"\xe2<b>", BAD "&lt;b&gt;"},
        {"\x01\x1b[31m\x7f", BAD BAD "[31m" BAD},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *page = written(write_text, cases[i].text);
        assert_string_equal(page, cases[i].page);
        free(page);
    }
}

static void write_all(FILE *out, const void *text)
{
    const char *const hostile = text, *const headers[] = {hostile, hostile, NULL}, *const colour[] = {"#000"};
    table_t *table = table_create(hostile, headers);
    table_cell(table, "%s", hostile);
    table_cell(table, "%s", hostile);
    table_html(table, out);
    table_destroy(table);
    html_format(out, "%d %s", 5, hostile);
    html_key(out, 1, colour, &hostile);
}

static void test_whatever_writes_text_escapes_it(void **state)
{
    (void)state;
    char *page = written(write_all, "<img src=x onerror='alert(1)'>");
    assert_null(strstr(page, "<img"));
    int n = 0;
    for (const char *at = page; (at = strstr(at, "&lt;img src=x onerror=&#39;alert(1)&#39;&gt;")) != NULL; at++) {
        n++;
    }
    assert_int_equal(n, 7);
    free(page);
}

static void test_cells(void **state)
{
    (void)state;
    char cells[STATUS_LINE_CELLS + 1];
    status_line_cells(cells, 0, 0);
    assert_string_equal(cells, "....................");
    status_line_cells(cells, 99, 400);
    assert_string_equal(cells, "####................");
    status_line_cells(cells, 500, 400);
    assert_string_equal(cells, "####################");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_text),
                                       cmocka_unit_test(test_whatever_writes_text_escapes_it),
                                       cmocka_unit_test(test_cells)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
