/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tools/report/parts.h"

#include "tools/terminal/table.h"

#include <inttypes.h>
#include <math.h>

static void write_words(const struct recording *r, FILE *out)
{
    fprintf(out,
            "%d central nodes. Predicted SINRs are those of all parts together, in the %" PRIu64 " of %" PRIu64
            " blocks that all of them solved; alone: of one central node's part of all users, nobody else sending.\n",
            r->parts.n_part, r->parts.n_joined, r->n_block);
}

static table_t *make_table(const struct recording *r, const struct summary *s)
{
    static const char *const headers[] = {"user",     "central node", "blocks",      "weight",
                                          "alone dB", "together dB",  "measured dB", NULL};
    table_t *const table = table_create("Parts", headers);
    for (int k = 0; k < r->n_ue; k++) {
        for (int c = 0; c < r->parts.n_part; c++) {
            if (isnan(r->parts.alone_db[c * r->n_ue + k])) {
                continue;
            }
            table_cell(table, "%d", k);
            table_cell(table, "%d", c);
            table_cell(table, "%" PRIu64, r->parts.n_sent[c * r->n_ue + k]);
            table_number(table, 3, r->parts.weight[c * r->n_ue + k]);
            table_number(table, 2, r->parts.alone_db[c * r->n_ue + k]);
            table_number(table, 2, s->user[k].sinr_predicted_db);
            table_number(table, 2, s->user[k].sinr_measured_db);
        }
    }
    return table;
}

void report_parts_print(const struct recording *r, const struct summary *s, FILE *out)
{
    if (r->parts.n_part == 0) {
        return;
    }
    table_t *const table = make_table(r, s);
    fputc('\n', out);
    write_words(r, out);
    table_print(table, out);
    table_destroy(table);
}

void report_parts_write(const struct recording *r, const struct summary *s, FILE *out)
{
    if (r->parts.n_part == 0) {
        return;
    }
    table_t *const table = make_table(r, s);
    fputs("<section>\n<h2>Central nodes</h2>\n<p>", out);
    write_words(r, out);
    fputs("</p>\n<div class=\"scroll\">\n", out);
    table_html(table, out);
    fputs("</div>\n</section>\n", out);
    table_destroy(table);
}
