/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tools/report/clusters.h"

#include "tools/terminal/table.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static bool is_shown(const struct recording *r)
{
    return r->n_block > 0 && r->config && r->config->cluster.enabled && r->serves && r->pilot;
}

static const uint8_t *serves_of(const struct recording *r, uint64_t b)
{
    return r->serves + b * (uint64_t)r->n_ap * (uint64_t)r->n_ue;
}

static uint64_t n_changes(const struct recording *r)
{
    const size_t links = (size_t)r->n_ap * (size_t)r->n_ue, users = (size_t)r->n_ue;
    uint64_t n = 0;
    for (uint64_t b = 1; b < r->n_block; b++) {
        n += memcmp(serves_of(r, b), serves_of(r, b - 1), links) != 0 ||
             memcmp(r->pilot + b * users, r->pilot + (b - 1) * users, users * sizeof *r->pilot) != 0;
    }
    return n;
}

static void write_words(const struct recording *r, FILE *out)
{
    fprintf(out, "%d users share %d pilots; pilots or clusters changed %" PRIu64 " times. As they were at the end:\n",
            r->n_ue, r->config->cluster.pilots, n_changes(r));
}

/* The access points of user k in the last block, as text; returns how many. */
static int list_aps(const struct recording *r, int k, FILE *out)
{
    const uint8_t *const serves = serves_of(r, r->n_block - 1);
    int n = 0;
    for (int m = 0; m < r->n_ap; m++) {
        if (serves[m * r->n_ue + k]) {
            fprintf(out, "%s%d", n ? " " : "", m);
            n++;
        }
    }
    return n;
}

static table_t *make_table(const struct recording *r)
{
    static const char *const headers[] = {"user", "pilot", "access points", "which", NULL};
    table_t *const table = table_create("Clusters", headers);
    for (int k = 0; k < r->n_ue; k++) {
        char *text = NULL;
        size_t length;
        FILE *const list = open_memstream(&text, &length);
        const int n = list ? list_aps(r, k, list) : 0;
        if (list) {
            fclose(list);
        }
        table_cell(table, "%d", k);
        table_cell(table, "%d", r->pilot[(r->n_block - 1) * (uint64_t)r->n_ue + (uint64_t)k]);
        table_cell(table, "%d", n);
        table_cell(table, "%s", text ? text : "");
        free(text);
    }
    return table;
}

void report_clusters_print(const struct recording *r, FILE *out)
{
    if (!is_shown(r)) {
        return;
    }
    table_t *const table = make_table(r);
    fputc('\n', out);
    write_words(r, out);
    table_print(table, out);
    table_destroy(table);
}

void report_clusters_write(const struct recording *r, FILE *out)
{
    if (!is_shown(r)) {
        return;
    }
    table_t *const table = make_table(r);
    fputs("<section>\n<h2>Clusters</h2>\n<p>", out);
    write_words(r, out);
    fputs("</p>\n<div class=\"scroll\">\n", out);
    table_html(table, out);
    fputs("</div>\n</section>\n", out);
    table_destroy(table);
}
