/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tools/report/eve.h"

#include "control/attack.h"
#include "tools/results/outage.h"
#include "tools/terminal/html.h"
#include "tools/terminal/table.h"

#include <inttypes.h>
#include <math.h>

enum { LINE_POINTS = 300 }; /* of a line, whatever the length of the run */

/* Numbers --------------------------------------------------------------------------------------------------------- */

static size_t user_at(const struct recording *r, uint64_t b, int k)
{
    return (size_t)b * (size_t)r->n_ue + (size_t)k;
}

static size_t eve_at(const struct recording *r, uint64_t b, int e, int k)
{
    return ((size_t)b * (size_t)r->n_eve + (size_t)e) * (size_t)r->n_ue + (size_t)k;
}

static double in_db(double x)
{
    return x > 0 ? 10 * log10(x) : NAN;
}

enum figure { USER_DB, EVE_DB /* the strongest */, RATE, RATE_GENIE, RATE_PREDICTED, SCORE };

static double value_of(const struct recording *r, enum figure figure, uint64_t b, int k)
{
    double strongest = NAN;
    if (!recording_user_counts(r, b, k)) {
        return NAN;
    }
    switch (figure) {
    case USER_DB:
        return in_db(r->sinr_measured[user_at(r, b, k)]);
    case EVE_DB:
        for (int e = 0; e < r->n_eve; e++) {
            strongest = fmax(strongest, r->eve_sinr[eve_at(r, b, e, k)]);
        }
        return in_db(strongest);
    case RATE:
        return r->secrecy_measured[user_at(r, b, k)];
    case RATE_GENIE:
        return r->secrecy_genie[user_at(r, b, k)];
    case RATE_PREDICTED:
        return r->secrecy_predicted[user_at(r, b, k)];
    default:
        return r->attack_score[user_at(r, b, k)];
    }
}

static double mean_of(const struct recording *r, enum figure figure, int k, uint64_t first, uint64_t n)
{
    double sum = 0;
    uint64_t count = 0;
    for (uint64_t b = first; b < first + n && b < r->n_block; b++) {
        const double value = value_of(r, figure, b, k);
        if (isfinite(value)) {
            sum += value;
            count++;
        }
    }
    return count ? sum / (double)count : NAN;
}

/* 10 log10 of the mean of the SINR (eve_sinr, eve_genie) of one eavesdropper; single blocks may read 0, which has no
 * dB.
 */
static double heard_db(const struct recording *r, const double *sinr, int e, int k, uint64_t *n_report)
{
    double sum = 0;
    *n_report = 0;
    for (uint64_t b = 0; b < r->n_block; b++) {
        const double value = sinr[eve_at(r, b, e, k)];
        if (isnan(value) || !recording_user_counts(r, b, k)) {
            continue;
        }
        sum += value;
        (*n_report)++;
    }
    return *n_report ? in_db(sum / (double)*n_report) : NAN;
}

static uint64_t total(const struct recording *r, const int64_t *count, int e, int k)
{
    uint64_t sum = 0;
    for (uint64_t b = 0; b < r->n_block; b++) {
        sum += recording_user_counts(r, b, k) ? (uint64_t)count[eve_at(r, b, e, k)] : 0;
    }
    return sum;
}

/* Suspected blocks of a user, and the first; n_block when there is none. */
static uint64_t suspicion(const struct recording *r, int k, uint64_t *first)
{
    uint64_t n = 0;
    *first = r->n_block;
    for (uint64_t b = 0; b < r->n_block; b++) {
        if (r->attack_suspected[user_at(r, b, k)] && n++ == 0) {
            *first = b;
        }
    }
    return n;
}

static bool any_suspicion(const struct recording *r)
{
    uint64_t first, n = 0;
    for (int k = 0; k < r->n_ue; k++) {
        n += suspicion(r, k, &first);
    }
    return n > 0;
}

/* Table ----------------------------------------------------------------------------------------------------------- */

static double outage_percent(const struct recording *r, int k)
{
    struct outage outage;
    const double share = outage_create(&outage, r, k) < 0 ? NAN : outage.share;
    outage_destroy(&outage);
    return 100 * share;
}

static void ratio_cell(table_t *table, uint64_t part, uint64_t whole)
{
    if (whole == 0) {
        table_cell(table, "-");
    } else {
        table_cell(table, part ? "%.2e" : "0", (double)part / (double)whole);
    }
}

static table_t *heard_table(const struct recording *r, const char *title)
{
    static const char *const headers[] = {
        "eve",        "user",      "heard dB", "genie dB",         "BER",     "BLER", "rate",
        "genie rate", "predicted", "outage %", "suspected blocks", "reports", NULL};
    table_t *table = table_create(title, headers);
    for (int e = 0; e < r->n_eve; e++) {
        for (int k = 0; k < r->n_ue; k++) {
            uint64_t n_report, first;
            const double genie = heard_db(r, r->eve_genie, e, k, &n_report);
            const double heard = heard_db(r, r->eve_sinr, e, k, &n_report);
            table_cell(table, "%d", e);
            table_cell(table, "%d", k);
            table_number(table, 2, heard);
            table_number(table, 2, genie);
            ratio_cell(table, total(r, r->eve_bit_errors, e, k), total(r, r->eve_bits, e, k));
            ratio_cell(table, total(r, r->eve_code_block_errors, e, k), total(r, r->eve_code_blocks, e, k));
            table_number(table, 2, mean_of(r, RATE, k, 0, r->n_block));
            table_number(table, 2, mean_of(r, RATE_GENIE, k, 0, r->n_block));
            table_number(table, 2, mean_of(r, RATE_PREDICTED, k, 0, r->n_block));
            table_number(table, 1, outage_percent(r, k));
            table_cell(table, "%" PRIu64, suspicion(r, k, &first));
            table_cell(table, "%" PRIu64 "/%" PRIu64, n_report, r->n_block);
        }
    }
    return table;
}

void report_eve_print(const struct recording *r, FILE *out)
{
    if (r->n_eve > 0) {
        table_t *table = heard_table(
            r, "\nEavesdroppers (heard: dB of the mean SINR; genie: the same with channels and noise known, "
               "no linear receiver has more; secrecy rates in bit/s/Hz, mean over blocks)");
        table_print(table, out);
        table_destroy(table);
    }
    for (int k = 0; k < r->n_ue; k++) {
        uint64_t first;
        const uint64_t n = suspicion(r, k, &first);
        if (n) {
            fprintf(out, "Pilot attack on user %d suspected in %" PRIu64 " blocks, the first is block %" PRIu64 ".\n",
                    k, n, first);
        }
    }
}

/* Drawings -------------------------------------------------------------------------------------------------------- */

static uint64_t bin_blocks(const struct recording *r)
{
    return (r->n_block + LINE_POINTS - 1) / LINE_POINTS;
}

/* Of some blocks: an alarm of one block must be seen at its height. */
static double highest_score(const struct recording *r, int k, uint64_t first, uint64_t n)
{
    double highest = NAN;
    for (uint64_t b = first; b < first + n && b < r->n_block; b++) {
        highest = fmax(highest, value_of(r, SCORE, b, k)); /* fmax passes over NaN */
    }
    return highest;
}

static int write_line(FILE *out, const char *name, const struct recording *r, enum figure figure, int k)
{
    const uint64_t step = bin_blocks(r);
    int n = 0;
    fprintf(out, "$%s << EOD\n", name);
    for (uint64_t b = 0; b < r->n_block; b += step) {
        const double value = figure == SCORE ? highest_score(r, k, b, step) : mean_of(r, figure, k, b, step);
        if (isnan(value)) {
            fputs("\n", out); /* a gap in the line */
        } else {
            fprintf(out, "%.1f %.3f\n", (double)b + 0.5 * (double)(step - 1), value);
        }
        n += !isnan(value);
    }
    fputs("EOD\n", out);
    return n;
}

static void write_frame(FILE *out, const struct recording *r, const char *label)
{
    fprintf(out,
            "set xrange [0:%" PRIu64 "]\nset xlabel 'block' offset 0,0.4\nset ylabel '%s' offset 1,0\nset lmargin 8\n"
            "set rmargin 3\nset tmargin 0.7\nset bmargin 3.2\n",
            r->n_block, label);
}

/* Two lines of one user, or one if the other has nothing. */
static int draw_pair(plot_t *plot, const struct recording *r, int k, const enum figure figures[2],
                     const char *const colours[2], const char *label)
{
    static const char *const names[2] = {"first", "second"};
    FILE *out = plot_script(plot);
    const int number = plot_begin(plot, 500, 220);
    int n[2];
    for (int i = 0; i < 2; i++) {
        n[i] = write_line(out, names[i], r, figures[i], k);
    }
    write_frame(out, r, label);
    if (figures[0] != USER_DB) {
        fputs("set yrange [0:*]\n", out); /* a rate */
    }
    const char *between = "plot ";
    for (int i = 0; i < 2; i++) {
        if (n[i]) {
            fprintf(out, "%s$%s with lines lw 1.4 lc rgb '%s'", between, names[i], colours[i]);
            between = ", ";
        }
    }
    fputs(n[0] || n[1] ? "\n" : "set yrange [0:1]\nplot NaN\n", out);
    return n[0] || n[1] ? number : -1;
}

/* Share of the blocks whose secrecy rate is below the value on the axis; a step per block, thinned out. */
static int write_outage(FILE *out, const char *name, const struct recording *r, int k)
{
    struct outage outage;
    const int status = outage_create(&outage, r, k);
    const uint64_t n = status < 0 ? 0 : outage.n, step = 1 + n / LINE_POINTS;
    fprintf(out, "$%s << EOD\n", name);
    for (uint64_t i = 0; i < n; i += step) {
        fprintf(out, "%.4f %.5f\n", outage.rate[i], (double)i / (double)n);
    }
    if (n) {
        fprintf(out, "%.4f 1\n", outage.rate[n - 1]);
    }
    fputs("EOD\n", out);
    outage_destroy(&outage);
    return n > 0;
}

static int draw_outage(plot_t *plot, const struct recording *r, int n_user)
{
    static const char *const colours[] = {REPORT_BLUE, REPORT_ORANGE, REPORT_RED, REPORT_GREY};
    FILE *out = plot_script(plot);
    const int number = plot_begin(plot, 1020, 240);
    const char *between = "plot ";
    bool drawn[REPORT_MAX_USERS];
    char name[16];
    int n = 0;
    for (int k = 0; k < n_user; k++) {
        snprintf(name, sizeof name, "outage%d", k);
        n += drawn[k] = write_outage(out, name, r, k);
    }
    write_frame(out, r, "share of blocks");
    fputs("set xrange [0:*]\nset yrange [0:1]\nset xlabel 'secrecy rate, bit/s/Hz' offset 0,0.4\nset key left top\n",
          out);
    for (int k = 0; k < n_user; k++) {
        if (drawn[k]) {
            fprintf(out, "%s$outage%d with steps lw 1.4 dt %d lc rgb '%s' title 'user %d'", between, k, 1 + k / 4,
                    colours[k % 4], k);
            between = ", ";
        }
    }
    fputs(n ? "\nunset key\n" : "plot NaN\n", out);
    return n ? number : -1;
}

/* Of the score, as the configuration has it. */
static double threshold_of(const struct recording *r)
{
    struct attack_settings settings;
    attack_settings_default(&settings);
    if (r->config) {
        settings.false_alarm =
            attack_false_alarm(r->config->engine.attack_alarms_per_hour, r->config->frame.block_us, r->n_ue);
    }
    return -log10(settings.false_alarm);
}

/* Everybody's score, those suspected in red, the threshold, and where a suspicion begins. */
static int draw_score(plot_t *plot, const struct recording *r)
{
    FILE *out = plot_script(plot);
    const int number = plot_begin(plot, 1020, 240);
    int n = 0;
    for (int k = 0; k < r->n_ue; k++) {
        char name[16];
        snprintf(name, sizeof name, "user%d", k);
        n += write_line(out, name, r, SCORE, k);
    }
    write_frame(out, r, "score");
    fputs("set yrange [0:*]\n", out); /* alarms at full height */
    for (int k = 0; k < r->n_ue; k++) {
        uint64_t first;
        if (suspicion(r, k, &first)) {
            fprintf(out,
                    "set arrow from first %" PRIu64 ", graph 0 to first %" PRIu64
                    ", graph 1 nohead lw 1 dt 2 lc rgb '" REPORT_RED "'\n",
                    first, first);
        }
    }
    fprintf(out, "plot %.2f with lines dt 3 lw 1.2 lc rgb '" REPORT_ORANGE "'", threshold_of(r));
    for (int k = 0; k < r->n_ue; k++) {
        uint64_t first;
        const bool suspected = suspicion(r, k, &first) > 0;
        fprintf(out, ", $user%d with lines lw %s lc rgb '%s'", k, suspected ? "1.6" : "1",
                suspected ? REPORT_RED : REPORT_GREY);
    }
    fputc('\n', out);
    return n ? number : -1;
}

void report_eve_collect(struct report_eve *eve, plot_t *plot, const struct recording *r)
{
    static const enum figure sinr[2] = {USER_DB, EVE_DB}, rate[2] = {RATE_PREDICTED, RATE};
    static const char *const sinr_colour[2] = {REPORT_BLUE, REPORT_RED}, *const rate_colour[2] = {REPORT_ORANGE,
                                                                                                  REPORT_BLUE};
    *eve =
        (struct report_eve){.shown = r->n_block > 0 && (r->n_eve > 0 || any_suspicion(r)), .score = -1, .outage = -1};
    if (!eve->shown) {
        return;
    }
    eve->score = draw_score(plot, r);
    eve->n_user = r->n_eve == 0 ? 0 : r->n_ue < REPORT_MAX_USERS ? r->n_ue : REPORT_MAX_USERS;
    if (eve->n_user) {
        eve->outage = draw_outage(plot, r, eve->n_user);
    }
    for (int k = 0; k < eve->n_user; k++) {
        eve->sinr[k] = draw_pair(plot, r, k, sinr, sinr_colour, "SINR, dB");
        eve->rate[k] = draw_pair(plot, r, k, rate, rate_colour, "bit/s/Hz");
    }
}

/* Section --------------------------------------------------------------------------------------------------------- */

static void write_figures(const plot_t *plot, const int *number, int n_user, FILE *out)
{
    fputs("<div class=\"grid\">\n", out);
    for (int k = 0; k < n_user; k++) {
        const char *svg = plot ? plot_svg(plot, number[k]) : NULL;
        if (svg) {
            fprintf(out, "<figure><figcaption>User %d</figcaption>\n%s\n</figure>\n", k, svg);
        }
    }
    fputs("</div>\n", out);
}

static void write_heard(const struct report_eve *eve, const plot_t *plot, const struct recording *r, FILE *out)
{
    static const char *const sinr_colour[] = {REPORT_BLUE, REPORT_RED}, *const rate_colour[] = {REPORT_BLUE,
                                                                                                REPORT_ORANGE};
    static const char *const sinr_text[] = {"at the user", "at the strongest eavesdropper"};
    static const char *const rate_text[] = {"measured", "predicted from large-scale fading"};
    table_t *table = heard_table(r, NULL);
    table_html(table, out);
    table_destroy(table);
    fputs("<p class=\"note\">Heard: mean SINR of the user's stream at the eavesdropper, which knows all pilots and "
          "codes and combines "
          "its antennas for the highest SINR. Genie: what the same antennas would have had with all channels and the "
          "noise's covariance known; no linear receiver has more, so the rate against it is the safe one. Secrecy "
          "rate: log2(1 + SINR of the user) less log2(1 + the highest of "
          "the eavesdroppers), not below 0, bit/s/Hz, mean over blocks. Outage: blocks whose rate was below the "
          "predicted one.</p>\n<h3>SINR over blocks</h3>\n",
          out);
    html_key(out, 2, sinr_colour, sinr_text);
    write_figures(plot, eve->sinr, eve->n_user, out);
    fputs("<h3>Secrecy rate over blocks</h3>\n", out);
    html_key(out, 2, rate_colour, rate_text);
    write_figures(plot, eve->rate, eve->n_user, out);
    const char *svg = plot ? plot_svg(plot, eve->outage) : NULL;
    if (svg) {
        fprintf(out,
                "<h3>Secrecy outage</h3>\n<p class=\"note\">Share of the blocks whose secrecy rate was below the "
                "rate on the axis.</p>\n<figure>%s</figure>\n",
                svg);
    }
}

static void write_attack(const struct report_eve *eve, const plot_t *plot, const struct recording *r, FILE *out)
{
    static const char *const colour[] = {REPORT_RED, REPORT_GREY, REPORT_ORANGE};
    static const char *const text[] = {"a user under suspicion, from the dashed line on", "the other users",
                                       "threshold"};
    const char *svg = plot ? plot_svg(plot, eve->score) : NULL;
    fprintf(
        out,
        "<h3>Pilot attack score</h3>\n<p class=\"note\">-log10 of the probability that the power on the user's pilot "
        "is as high as it is without anybody else sending it. An alarm is a score above %.2f%s.</p>\n",
        threshold_of(r), r->config ? " (engine.attack_alarms_per_hour)" : "");
    for (int k = 0; k < r->n_ue; k++) {
        uint64_t first;
        const uint64_t n = suspicion(r, k, &first);
        if (n) {
            fprintf(out, "<p>User %d: attack suspected in %" PRIu64 " blocks, the first is block %" PRIu64 ".</p>\n", k,
                    n, first);
        }
    }
    if (!svg) {
        return;
    }
    html_key(out, 3, colour, text);
    fprintf(out, "<figure>%s</figure>\n", svg);
}

void report_eve_write(const struct report_eve *eve, const plot_t *plot, const struct recording *r, FILE *out)
{
    if (!eve->shown) {
        return;
    }
    fputs("<section>\n<h2>Secrecy</h2>\n", out);
    if (r->n_eve > 0) {
        write_heard(eve, plot, r, out);
    }
    write_attack(eve, plot, r, out);
    fputs("</section>\n", out);
}
