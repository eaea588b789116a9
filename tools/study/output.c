/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/error.h"
#include "tools/study/study_run.h"
#include "tools/terminal/html.h"
#include "tools/terminal/plot.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PANEL_WIDTH = 560, PANEL_HEIGHT = 380, LINE = 17, LETTERS = 130, MOST_PRINTED = 20 };

static FILE *open_file(const struct study_run *run, const char *folder, const char *ending)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s.%s", folder, run->study->name, ending);
    FILE *const out = fopen(path, "w");
    if (!out) {
        error_set(TUTTI_EIO, "study: %s: %s", path, strerror(errno));
    }
    return out;
}

static int close_file(FILE *out, const char *what)
{
    const bool broken = ferror(out) != 0;
    if (fclose(out) != 0 || broken) {
        return error_set(TUTTI_EIO, "study: %s cannot be written: %s", what, strerror(errno));
    }
    return 0;
}

static const char *text(const json_t *object, const char *key)
{
    const char *const value = json_string_value(json_object_get(object, key));
    return value ? value : "";
}

static double number(const json_t *point, size_t i)
{
    return json_number_value(json_array_get(point, i));
}

static int write_csv(const struct study_run *run, const char *folder)
{
    FILE *const out = open_file(run, folder, "csv");
    size_t i, j, k;
    json_t *panel, *series, *point;
    if (!out) {
        return TUTTI_EIO;
    }
    fputs("panel,series,x,y,se,lo,hi,n\n", out);
    json_array_foreach(run->panels, i, panel)
    {
        json_array_foreach(json_object_get(panel, "series"), j, series)
        {
            json_array_foreach(json_object_get(series, "points"), k, point)
            {
                const double y = number(point, 1), se = number(point, 2);
                if (!json_is_true(json_object_get(series, "measured"))) {
                    fprintf(out, "\"%s\",\"%s\",%.9g,%.9g,%.3g,%.9g,%.9g,%d\n", text(panel, "title"),
                            text(series, "name"), number(point, 0), y, se, y - 1.96 * se, y + 1.96 * se,
                            (int)number(point, 3));
                }
            }
        }
    }
    return close_file(out, "the CSV");
}

static json_t *scenario(const struct study_run *run)
{
    json_t *const list = json_array();
    for (int i = 0; run->study->parameters[i].key; i++) {
        const struct study_parameter *const p = &run->study->parameters[i];
        const char letter[2] = {p->provenance, '\0'};
        json_array_append_new(list, json_pack("{s:s, s:f, s:s, s:s}", "key", p->key, "value", run->value[i],
                                              "provenance", letter, "note", p->note));
    }
    return list;
}

static json_t *strings(const char *const *list)
{
    json_t *const array = json_array();
    for (; list && *list; list++) {
        json_array_append_new(array, json_string(*list));
    }
    return array;
}

static int write_json(const struct study_run *run, const char *folder)
{
    FILE *const out = open_file(run, folder, "json");
    if (!out) {
        return TUTTI_EIO;
    }
    json_t *const all =
        json_pack("{s:s, s:s, s:s, s:I, s:i, s:i, s:b, s:f, s:o, s:O, s:O, s:O, s:o, s:s}", "study", run->study->name,
                  "item", run->study->item, "version", TUTTI_VERSION, "seed", (json_int_t)run->seed, "drops",
                  run->n_kept, "wanted", run->n_drop, "quick", run->quick, "seconds", run->seconds, "scenario",
                  scenario(run), "panels", run->panels, "checks", run->checks, "notes", run->notes, "caveats",
                  strings(run->study->caveats), "page", study_page(run->study), "counterpart", run->study->counterpart);
    if (!all || json_dumpf(all, out, JSON_INDENT(1) | JSON_REAL_PRECISION(12)) != 0) {
        errno = EIO;
        clearerr(out);
    }
    json_decref(all);
    return close_file(out, "the JSON");
}

/* gnuplot's strings end at a quote. */
static void quoted(FILE *out, const char *s)
{
    fputc('"', out);
    for (; *s; s++) {
        fputc(*s == '"' || *s == '\\' || *s == '`' ? '\'' : *s, out);
    }
    fputc('"', out);
}

/* Points with error bars; a curve of many points as a line in a band. */
static void draw_series(FILE *out, const json_t *series, bool scattered, int panel, int number_of)
{
    const int color = number_of + 1;
    if (!scattered && json_array_size(json_object_get(series, "points")) > MOST_PRINTED) {
        fprintf(out,
                "$p%d_%d using 1:($2-$3):($2+$3) with filledcurves lc %d fs transparent solid 0.2 noborder notitle, "
                "$p%d_%d using 1:2 with lines lc %d title ",
                panel, number_of, color, panel, number_of, color);
    } else {
        fprintf(out, "$p%d_%d using 1:2:3 with %s lc %d pt 7 title ", panel, number_of,
                scattered ? "yerrorbars ps 0.7" : "yerrorlines ps 0.4", color);
    }
    quoted(out, text(series, "name"));
}

static void draw_panel(FILE *out, const json_t *panel, int number_of)
{
    size_t j, k;
    json_t *series, *point;
    json_array_foreach(json_object_get(panel, "series"), j, series)
    {
        fprintf(out, "$p%d_%zu << EOD\n", number_of, j);
        json_array_foreach(json_object_get(series, "points"), k, point)
        {
            fprintf(out, "%.9g %.9g %.9g\n", number(point, 0), number(point, 1), 1.96 * number(point, 2));
        }
        fputs("EOD\n", out);
    }
    fputs("set title ", out);
    quoted(out, text(panel, "title"));
    fputs("\nset xlabel ", out);
    quoted(out, text(panel, "x"));
    fputs("\nset ylabel ", out);
    quoted(out, text(panel, "y"));
    fputs("\nset key outside below font ',9' maxcols 3\nset grid\nset offsets graph 0.03, graph 0.03, graph 0.05, "
          "graph 0.05\nplot ",
          out);
    json_array_foreach(json_object_get(panel, "series"), j, series)
    {
        fputs(j ? ", " : "", out);
        draw_series(out, series, json_is_true(json_object_get(panel, "scattered")), number_of, (int)j);
    }
    fputs("\n", out);
}

/* The caption: assumed parameters, caveats, notes, counterpart. */
static json_t *caption(const struct study_run *run)
{
    char line[1024] = "assumed (A) or inferred (I):";
    json_t *const lines = json_array();
    size_t used = strlen(line), i;
    json_t *note;
    for (int p = 0; run->study->parameters[p].key; p++) {
        if (run->study->parameters[p].provenance != 'T' && used < sizeof line) {
            const int n = snprintf(line + used, sizeof line - used, " %s=%g (%c)", run->study->parameters[p].key,
                                   run->value[p], run->study->parameters[p].provenance);
            used += n > 0 ? (size_t)n : 0;
        }
    }
    json_array_append_new(lines, json_string(line));
    for (const char *const *c = run->study->caveats; c && *c; c++) {
        json_array_append_new(lines, json_string(*c));
    }
    json_array_foreach(run->notes, i, note)
    {
        json_array_append(lines, note);
    }
    snprintf(line, sizeof line,
             "%d drops, error bars 95 %%; arithmetical study on the formulas of %s; sample-level counterpart: %s",
             run->n_kept, study_page(run->study), run->study->counterpart);
    json_array_append_new(lines, json_string(line));
    return lines;
}

/* Text under the drawing, broken at blanks. Returns how many lines; draws nothing without out. */
static int write_caption(FILE *out, const json_t *lines, int top)
{
    size_t i;
    json_t *line;
    int n = 0;
    json_array_foreach(lines, i, line)
    {
        const char *at = json_string_value(line);
        while (at && *at) {
            size_t length = strlen(at);
            if (length > LETTERS) {
                length = LETTERS;
                while (length > 1 && at[length] != ' ') {
                    length--;
                }
            }
            if (out) {
                fprintf(out, "<text x=\"10\" y=\"%d\" font-family=\"sans-serif\" font-size=\"11\">", top + LINE * n);
                html_format(out, "%.*s", (int)length, at);
                fputs("</text>\n", out);
            }
            at += length + (at[length] == ' ');
            n++;
        }
    }
    return n;
}

static int write_svg(const struct study_run *run, const char *folder)
{
    plot_t *plot = NULL;
    const int n = (int)json_array_size(run->panels), across = n > 1 ? 2 : 1, down = (n + across - 1) / across;
    const int width = PANEL_WIDTH * across, height = PANEL_HEIGHT * down;
    int status = plot_create(&plot);
    if (!status) {
        const int drawing = plot_begin(plot, width, height);
        FILE *const script = plot_script(plot);
        fprintf(script, "set multiplot layout %d,%d\n", down, across);
        for (int i = 0; i < n; i++) {
            draw_panel(script, json_array_get(run->panels, (size_t)i), i);
        }
        fputs("unset multiplot\n", script);
        status = plot_draw(plot);
        FILE *const out = status ? NULL : open_file(run, folder, "svg");
        if (out) {
            json_t *const lines = caption(run);
            fprintf(out, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\">\n",
                    width < 760 ? 760 : width, height + LINE * (write_caption(NULL, lines, 0) + 2));
            fputs("<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n", out);
            /* gnuplot's element takes all the room there is */
            fprintf(out, "<svg width=\"%d\" height=\"%d\">%s</svg>\n", width, height,
                    plot_svg(plot, drawing) ? plot_svg(plot, drawing) : "");
            write_caption(out, lines, height + LINE);
            fputs("</svg>\n", out);
            json_decref(lines);
            status = close_file(out, "the drawing");
        }
    }
    plot_destroy(plot);
    return status;
}

int study_output(const struct study_run *run, const char *folder)
{
    int status = write_csv(run, folder);
    status = status ? status : write_json(run, folder);
    const int drawn = status || run->n_kept == 0 ? 0 : write_svg(run, folder);
    if (drawn) {
        fprintf(stderr, "study %s: no drawing: %s\n", run->study->name, error_text());
    }
    return status;
}

/* All points of a short curve, some of a long one. */
static void print_points(const json_t *points)
{
    const size_t n = json_array_size(points), step = n > MOST_PRINTED ? (n + MOST_PRINTED - 1) / MOST_PRINTED : 1;
    for (size_t i = (n - 1) % step; i < n; i += step) {
        const json_t *const point = json_array_get(points, i);
        printf(" %g:%.4g(%.1g)", number(point, 0), number(point, 1), number(point, 2));
    }
    puts("");
}

void study_print(const struct study_run *run)
{
    size_t i, j;
    json_t *panel, *series, *check, *note;
    printf("%s: %s, %d of %d drops, %.1f s\n", run->study->name, run->study->item, run->n_kept, run->n_drop,
           run->seconds);
    json_array_foreach(run->panels, i, panel)
    {
        printf("  %s; %s: %s\n", text(panel, "title"), text(panel, "x"), text(panel, "y"));
        json_array_foreach(json_object_get(panel, "series"), j, series)
        {
            printf("    %-32s", text(series, "name"));
            print_points(json_object_get(series, "points"));
        }
    }
    json_array_foreach(run->checks, i, check)
    {
        printf("  check %s %s\n", json_is_true(json_object_get(check, "pass")) ? "pass" : "FAIL", text(check, "what"));
    }
    json_array_foreach(run->notes, i, note)
    {
        printf("  note: %s\n", json_string_value(note));
    }
    for (const char *const *c = run->study->caveats; c && *c; c++) {
        printf("  caveat: %s\n", *c);
    }
}

static void index_row(FILE *out, const char *folder, const struct study *study)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s.json", folder, study->name);
    json_t *const result = json_load_file(path, 0, NULL);
    if (!result) {
        return;
    }
    size_t i;
    json_t *check;
    int failed = 0;
    json_array_foreach(json_object_get(result, "checks"), i, check)
    {
        failed += !json_is_true(json_object_get(check, "pass"));
    }
    html_format(out, "%s: %s", study->name, study->item);
    fprintf(out, "<br>%d drops, %zu checks, %d failed, <a href=\"%s.csv\">CSV</a> <a href=\"%s.json\">JSON</a>",
            (int)json_integer_value(json_object_get(result, "drops")), i, failed, study->name, study->name);
    fprintf(out, "<br><img src=\"%s.svg\" alt=\"\"><hr>\n", study->name);
    json_decref(result);
}

int study_index(const char *folder)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/index.html", folder);
    FILE *const out = fopen(path, "w");
    if (!out) {
        return error_set(TUTTI_EIO, "study: %s: %s", path, strerror(errno));
    }
    fputs("<!DOCTYPE html><html><head><meta charset=\"utf-8\"><title>Tutti studies</title></head><body>\n", out);
    for (const struct study *const *s = study_table(); *s; s++) {
        index_row(out, folder, *s);
    }
    fputs("</body></html>\n", out);
    return close_file(out, "index.html");
}
