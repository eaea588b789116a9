/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tools/report/recovery.h"

#include "base/frame.h"
#include "tools/terminal/html.h"
#include "tools/terminal/table.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MEAN_BLOCKS = 20, KIND_ROOM = 16 };

/* The time line ---------------------------------------------------------------------------------------------------- */

enum line_kind { LINE_OTHER, LINE_BEGIN, LINE_ABSORBED, LINE_CANDIDATE, LINE_END };

static enum line_kind kind_of(const char *text)
{
    static const char *const names[] = {"", "BEGIN ", "ABSORBED ", "CANDIDATE ", "END "};
    if (strncmp(text, "RESILIENCE-", 11) != 0) {
        return LINE_OTHER;
    }
    for (int i = LINE_BEGIN; i <= LINE_END; i++) {
        if (strncmp(text + 11, names[i], strlen(names[i])) == 0) {
            return (enum line_kind)i;
        }
    }
    return LINE_OTHER;
}

/* The number after " key=", NaN without one. */
static double number_of(const char *text, const char *key)
{
    const size_t n = strlen(key);
    for (const char *at = text; (at = strchr(at, ' ')) != NULL; at++) {
        if (strncmp(at + 1, key, n) == 0 && at[1 + n] == '=') {
            return strtod(at + 2 + n, NULL);
        }
    }
    return NAN;
}

static void word_of(const char *text, const char *key, char word[KIND_ROOM])
{
    char wanted[32];
    snprintf(wanted, sizeof wanted, " %s=", key);
    const char *const at = strstr(text, wanted);
    const size_t length = at ? strcspn(at + strlen(wanted), " ") : 0;
    snprintf(word, KIND_ROOM, "%.*s", (int)length, at ? at + strlen(wanted) : "");
}

/* Rates ------------------------------------------------------------------------------------------------------------ */

/* Share of a block that is data; NaN when the configuration is not known. */
static double omega_of(const struct recording *r)
{
    struct frame frame;
    return r->config && frame_init(&frame, r->config) == 0
               ? (double)(frame.n_dl - frame.n_dl_pilot) / (double)frame.n_symbol
               : NAN;
}

/* The mean of the blocks' rates; the rate of the mean SINR would be more than a code over all of them can carry. */
static double user_rate(const struct recording *r, double omega, int k, uint64_t first, uint64_t n)
{
    double sum = 0;
    int count = 0;
    for (uint64_t b = first; b < first + n && b < r->n_block; b++) {
        const double sinr = r->sinr_measured[b * (uint64_t)r->n_ue + (uint64_t)k];
        if (recording_user_counts(r, b, k) && !isnan(sinr)) {
            sum += log2(1 + sinr);
            count++;
        }
    }
    return count ? omega * sum / count : NAN;
}

/* Of user k's stream at the eavesdropper that hears it best; 0 without one. */
static double eve_rate(const struct recording *r, double omega, int k, uint64_t first, uint64_t n)
{
    double highest = 0;
    for (int e = 0; e < r->n_eve; e++) {
        double sum = 0;
        int count = 0;
        for (uint64_t b = first; b < first + n && b < r->n_block; b++) {
            const double sinr = r->eve_sinr[(b * (uint64_t)r->n_eve + (uint64_t)e) * (uint64_t)r->n_ue + (uint64_t)k];
            sum += isnan(sinr) ? 0 : log2(1 + sinr);
            count += !isnan(sinr);
        }
        highest = fmax(highest, count ? omega * sum / count : 0);
    }
    return highest;
}

static double short_of(double value, double wanted)
{
    const double missing = fmax(1 - value / wanted, 0);
    return missing * missing;
}

struct report_rates report_recovery_rates(const struct recording *r, uint64_t first, uint64_t n)
{
    struct report_rates rates = {NAN, NAN, NAN};
    const double omega = omega_of(r);
    double sum = 0, missing = 0;
    int count = 0;
    if (isnan(omega)) {
        return rates;
    }
    const struct config_resilience *const c = &r->config->resilience;
    const int target = r->config->eve.target_user;
    for (int k = 0; k < r->n_ue; k++) {
        const double rate = user_rate(r, omega, k, first, n);
        if (isnan(rate)) {
            continue;
        }
        sum += rate;
        missing += short_of(rate, c->r_des);
        count++;
        rates.secrecy = k == target ? fmax(rate - eve_rate(r, omega, k, first, n), 0) : rates.secrecy;
    }
    rates.mean = count ? sum / count : NAN;
    rates.gap = c->w_sec * short_of(rates.secrecy, c->s_des) + c->w_qos * (count ? missing / count : NAN);
    return rates;
}

/* Drawings --------------------------------------------------------------------------------------------------------- */

static void write_frame(FILE *out, const struct recording *r, const char *label)
{
    fprintf(out,
            "set xrange [0:%" PRIu64 "]\nset yrange [0:*]\nset xlabel 'block' offset 0,0.4\nset ylabel '%s' offset "
            "1,0\nset lmargin 8\nset rmargin 3\nset tmargin 0.7\nset bmargin 3.2\n",
            r->n_block, label);
    for (uint64_t i = 0; i < r->n_event; i++) {
        const char *const text = r->event[i].text;
        const bool begins = kind_of(text) == LINE_BEGIN;
        const bool deployed = kind_of(text) == LINE_CANDIDATE && number_of(text, "deployed") > 0;
        const double at = number_of(text, begins ? "onset" : "block");
        if ((begins || deployed) && isfinite(at)) {
            fprintf(out, "set arrow from first %.0f, graph 0 to first %.0f, graph %s nohead lw 1 dt %d lc rgb '%s'\n",
                    at, at, begins ? "1" : "0.12", begins ? 2 : 1, begins ? REPORT_RED : REPORT_GREEN);
        }
    }
}

/* What the controller says of the powers on the air: constant between its words. */
static int write_predicted(FILE *out, const struct recording *r)
{
    double gap = NAN;
    int n = 0;
    fputs("$predicted << EOD\n", out);
    for (uint64_t i = 0; i < r->n_event; i++) {
        const char *const text = r->event[i].text;
        const enum line_kind kind = kind_of(text);
        const bool new_gap =
            kind == LINE_ABSORBED || kind == LINE_END || (kind == LINE_CANDIDATE && number_of(text, "deployed") > 0);
        if (!new_gap || isnan(number_of(text, "gap"))) {
            continue;
        }
        const double at = kind == LINE_CANDIDATE ? number_of(text, "block") : (double)r->event[i].block;
        if (!isnan(gap)) {
            fprintf(out, "%.0f %.4f\n", at, gap);
        }
        gap = number_of(text, "gap");
        fprintf(out, "%.0f %.4f\n", at, gap);
        n++;
    }
    if (n) {
        fprintf(out, "%" PRIu64 " %.4f\n", r->n_block, gap);
    }
    fputs("EOD\n", out);
    return n;
}

enum figure { GAP, SECRECY, MEAN_RATE };

static int write_measured(FILE *out, const char *name, const struct recording *r, enum figure figure)
{
    int n = 0;
    fprintf(out, "$%s << EOD\n", name);
    for (uint64_t b = 0; b + MEAN_BLOCKS <= r->n_block; b += MEAN_BLOCKS / 2) {
        const struct report_rates rates = report_recovery_rates(r, b, MEAN_BLOCKS);
        const double value = figure == GAP ? rates.gap : figure == SECRECY ? rates.secrecy : rates.mean;
        if (isnan(value)) {
            fputs("\n", out);
        } else {
            fprintf(out, "%.1f %.4f\n", (double)b + 0.5 * MEAN_BLOCKS, value);
        }
        n += !isnan(value);
    }
    fputs("EOD\n", out);
    return n;
}

static int draw_gap(plot_t *plot, const struct recording *r)
{
    const int number = plot_begin(plot, 1020, 260);
    FILE *const out = plot_script(plot);
    const int n_measured = write_measured(out, "measured", r, GAP), n_predicted = write_predicted(out, r);
    write_frame(out, r, "gap");
    fputs("plot ", out);
    if (n_predicted) {
        fputs("$predicted with lines lw 2 lc rgb '" REPORT_ORANGE "'", out);
    }
    if (n_measured) {
        fprintf(out, "%s$measured with lines lw 1.4 lc rgb '" REPORT_BLUE "'", n_predicted ? ", " : "");
    }
    fputs(n_measured || n_predicted ? "\nunset arrow\n" : "NaN\nunset arrow\n", out);
    return n_measured || n_predicted ? number : -1;
}

static int draw_rates(plot_t *plot, const struct recording *r)
{
    const int number = plot_begin(plot, 1020, 260);
    FILE *const out = plot_script(plot);
    const int n_secrecy = write_measured(out, "secrecy", r, SECRECY),
              n_rate = write_measured(out, "rate", r, MEAN_RATE);
    write_frame(out, r, "bit/s/Hz");
    if (!n_secrecy || !n_rate) {
        fputs("plot NaN\nunset arrow\n", out);
        return -1;
    }
    fputs("plot $rate with lines lw 1.4 lc rgb '" REPORT_BLUE "', $secrecy with lines lw 1.4 lc rgb '" REPORT_GREEN
          "'\nunset arrow\n",
          out);
    return number;
}

static bool any_word(const struct recording *r)
{
    for (uint64_t i = 0; i < r->n_event; i++) {
        if (kind_of(r->event[i].text) != LINE_OTHER) {
            return true;
        }
    }
    return false;
}

static bool is_shown(const struct recording *r)
{
    const struct config *const c = r->config;
    return r->n_block > 0 && c &&
           (c->resilience.controller || any_word(r) || (c->network.n_eve > 0 && c->eve.attack == CONFIG_ATTACK_PILOT));
}

void report_recovery_collect(struct report_recovery *recovery, plot_t *plot, const struct recording *r)
{
    *recovery = (struct report_recovery){.shown = is_shown(r), .gap = -1, .rates = -1};
    if (recovery->shown) {
        recovery->gap = draw_gap(plot, r);
        recovery->rates = draw_rates(plot, r);
    }
}

/* Tables ----------------------------------------------------------------------------------------------------------- */

static void place_cell(table_t *table, const char *text)
{
    const double ap = number_of(text, "ap"), ue = number_of(text, "ue");
    if (ap >= 0 && ue >= 0) {
        table_cell(table, "AP %.0f, user %.0f", ap, ue);
    } else if (ap >= 0 || ue >= 0) {
        table_cell(table, ap >= 0 ? "AP %.0f" : "user %.0f", ap >= 0 ? ap : ue);
    } else {
        table_cell(table, "-");
    }
}

/* The next line of a kind after event `from`, before the next disruption; n_event: none. */
static uint64_t next_line(const struct recording *r, uint64_t from, enum line_kind wanted)
{
    for (uint64_t i = from + 1; i < r->n_event; i++) {
        const enum line_kind kind = kind_of(r->event[i].text);
        if (kind == wanted) {
            return i;
        }
        if (kind == LINE_BEGIN) {
            break;
        }
    }
    return r->n_event;
}

/* The candidate that went on the air last, after event `from`; n_event: none. */
static uint64_t last_deployed(const struct recording *r, uint64_t from)
{
    uint64_t found = r->n_event;
    for (uint64_t i = next_line(r, from, LINE_CANDIDATE); i < r->n_event; i = next_line(r, i, LINE_CANDIDATE)) {
        found = number_of(r->event[i].text, "deployed") > 0 ? i : found;
    }
    return found;
}

static void recovery_cells(table_t *table, const struct recording *r, uint64_t begin)
{
    const char *const text = r->event[begin].text, *const none = "";
    const uint64_t absorbed = next_line(r, begin, LINE_ABSORBED), end = next_line(r, begin, LINE_END);
    const uint64_t last = last_deployed(r, begin);
    const char *const said = last < r->n_event ? r->event[last].text : none;
    table_number(table, 4, absorbed < r->n_event ? number_of(r->event[absorbed].text, "gap") : NAN);
    table_number(table, 4, absorbed < r->n_event ? number_of(r->event[absorbed].text, "r_abs") : NAN);
    table_number(table, 4, number_of(said, "r_ada"));
    table_number(table, 4, number_of(said, "r_rec"));
    table_number(table, 4, number_of(said, "score"));
    table_number(table, 0, number_of(said, "block") - number_of(text, "onset"));
    table_number(table, 1, number_of(said, "ms"));
    if (end < r->n_event) {
        table_number(table, 4, number_of(r->event[end].text, "gap"));
    } else {
        table_cell(table, "not over");
    }
}

static table_t *disruptions(const struct recording *r, const char *title)
{
    static const char *const headers[] = {"disruption", "where",     "onset", "detected", "gap absorbed",
                                          "r_abs",      "r_ada",     "r_rec", "score",    "recovery, blocks",
                                          "ms",         "gap after", NULL};
    table_t *const table = table_create(title, headers);
    table_align_left(table, 2);
    for (uint64_t i = 0; i < r->n_event; i++) {
        const char *const text = r->event[i].text;
        char kind[KIND_ROOM];
        if (kind_of(text) != LINE_BEGIN) {
            continue;
        }
        word_of(text, "kind", kind);
        table_cell(table, "%s", kind);
        place_cell(table, text);
        table_cell(table, "%.0f%s", number_of(text, "onset"), number_of(text, "onset_known") > 0 ? "" : "?");
        table_number(table, 0, number_of(text, "detected"));
        recovery_cells(table, r, i);
    }
    return table;
}

static table_t *candidates(const struct recording *r, const char *title)
{
    static const char *const headers[] = {"disruption", "n",     "block", "ms after onset", "gap",
                                          "r_ada",      "r_rec", "score", "on the air",     NULL};
    table_t *const table = table_create(title, headers);
    for (uint64_t i = 0; i < r->n_event; i++) {
        const char *const text = r->event[i].text;
        char kind[KIND_ROOM];
        if (kind_of(text) != LINE_CANDIDATE) {
            continue;
        }
        word_of(text, "kind", kind);
        table_cell(table, "%s", kind);
        table_number(table, 0, number_of(text, "n"));
        table_number(table, 0, number_of(text, "block"));
        table_number(table, 1, number_of(text, "ms"));
        table_number(table, 4, number_of(text, "gap"));
        table_number(table, 4, number_of(text, "r_ada"));
        table_number(table, 4, number_of(text, "r_rec"));
        table_number(table, 4, number_of(text, "score"));
        table_cell(table, number_of(text, "deployed") > 0 ? "yes" : "no");
    }
    return table;
}

/* Section ---------------------------------------------------------------------------------------------------------- */

static const char *const AT_ONCE = "step_blocks is 0: all candidates come within one block, are all in time, and the "
                                   "weights of the score change nothing.";
static const char *const OFF =
    "There was no controller in this run (resilience.controller: false): the powers are those "
    "of before, and the gap stays where the disruption was absorbed.";

void report_recovery_print(const struct recording *r, FILE *out)
{
    if (!is_shown(r) || !any_word(r)) {
        return;
    }
    table_t *const table =
        disruptions(r, "\nDisruptions (onset and detection in blocks; r_ada, r_rec, score of what was "
                       "deployed last, detection and averaging counted)");
    table_print(table, out);
    table_destroy(table);
    if (r->config->resilience.controller && r->config->resilience.step_blocks == 0) {
        fprintf(out, "%s\n", AT_ONCE);
    }
}

static void write_figure(const plot_t *plot, int number, const char *title, FILE *out)
{
    const char *const svg = plot ? plot_svg(plot, number) : NULL;
    if (svg) {
        fprintf(out, "<figure><figcaption>%s</figcaption>\n%s\n</figure>\n", title, svg);
    }
}

static void write_tables(const struct recording *r, FILE *out)
{
    table_t *table = disruptions(r, NULL);
    fputs("<h3>Disruptions</h3>\n", out);
    table_html(table, out);
    table_destroy(table);
    fputs("<p class=\"note\">Onset: first block in which it acts on the air (? = taken for the detection's). r_abs: 1 "
          "- gap "
          "with the powers then in use; r_ada: 1 - gap predicted of what was deployed last; r_rec: 1 up to "
          "resilience.desired_recovery_ms, then falling with time; recovery: from onset to the last deployment, "
          "detection, averaging and solving counted.</p>\n<details><summary>Every candidate</summary>\n",
          out);
    table = candidates(r, NULL);
    table_html(table, out);
    table_destroy(table);
    fputs("</details>\n", out);
}

void report_recovery_write(const struct report_recovery *recovery, const plot_t *plot, const struct recording *r,
                           FILE *out)
{
    static const char *const gap_colour[] = {REPORT_BLUE, REPORT_ORANGE, REPORT_RED, REPORT_GREEN};
    static const char *const gap_text[] = {"measured, means of 20 blocks", "predicted by the controller",
                                           "a disruption", "new powers"};
    static const char *const rate_colour[] = {REPORT_BLUE, REPORT_GREEN};
    static const char *const rate_text[] = {"mean rate of those served", "secrecy rate of the protected user"};
    if (!recovery->shown) {
        return;
    }
    const struct config_resilience *const c = &r->config->resilience;
    fputs("<section>\n<h2>Powers and resilience</h2>\n", out);
    fprintf(out,
            "<p class=\"note\">Gap to the targets: %.3g (1 - SSE / %.3g)&sup2; + %.3g mean (1 - R / %.3g)&sup2;, where "
            "something is missing; rates in bit/s/Hz with the frame's overhead, users served alone.</p>\n",
            c->w_sec, c->s_des, c->w_qos, c->r_des);
    if (!c->controller) {
        fprintf(out, "<p>%s</p>\n", OFF);
    } else if (c->step_blocks == 0) {
        fprintf(out, "<p>%s</p>\n", AT_ONCE);
    }
    html_key(out, 4, gap_colour, gap_text);
    write_figure(plot, recovery->gap, "Gap over blocks", out);
    html_key(out, 2, rate_colour, rate_text);
    write_figure(plot, recovery->rates, "Rates over blocks", out);
    if (any_word(r)) {
        write_tables(r, out);
    }
    fputs("</section>\n", out);
}
