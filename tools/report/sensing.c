/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tools/report/sensing.h"

#include "channel/channel.h"
#include "tools/terminal/html.h"
#include "tools/terminal/table.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { WINDOWS = 30 /* points of a line over blocks */ };

/* Numbers ---------------------------------------------------------------------------------------------------------- */

static double in_db(double x)
{
    return x > 0 ? 10 * log10(x) : NAN;
}

static bool is_decided(const struct recording *r, uint64_t b)
{
    const struct recording_sensing *const s = &r->sensing;
    return isfinite(s->sinr[b * (uint64_t)r->n_ue]) && s->sinr[b * (uint64_t)r->n_ue] > 0;
}

static bool is_same(const struct recording *r, uint64_t b, uint64_t before)
{
    const struct recording_sensing *const s = &r->sensing;
    const size_t m = (size_t)r->n_ap, l = m * (size_t)s->n_zone;
    return memcmp(s->mode + b * m, s->mode + before * m, m) == 0 &&
           memcmp(s->eta_s + b * l, s->eta_s + before * l, l * sizeof(double)) == 0;
}

/* Returns how many decisions there were; the last ones in told. */
static int find_decisions(const struct recording *r, struct report_decision *told, int *n_told)
{
    int n = 0;
    *n_told = 0;
    for (uint64_t b = 0; b < r->n_block; b++) {
        if (!is_decided(r, b)) {
            continue;
        }
        if (b > 0 && is_decided(r, b - 1) && is_same(r, b, b - 1)) {
            told[*n_told - 1].n++;
            continue;
        }
        if (*n_told == REPORT_MAX_DECISIONS) {
            memmove(told, told + 1, (REPORT_MAX_DECISIONS - 1) * sizeof *told);
            (*n_told)--;
        }
        told[(*n_told)++] = (struct report_decision){b, 1};
        n++;
    }
    return n;
}

static size_t probe_at(const struct recording *r, uint64_t b, int zone)
{
    return b * (size_t)r->n_eve + (size_t)zone;
}

/* Numerator and denominator of one block. */
static void parts_of(const struct recording *r, uint64_t b, int zone, bool masr, double *over, double *under)
{
    const struct recording_sensing *const s = &r->sensing;
    const size_t at = probe_at(r, b, zone);
    *over = masr ? s->own[at] : s->communication[at];
    *under = masr ? s->communication[at] + s->cross[at] : s->own[at] + s->cross[at] + s->noise[at];
}

static struct report_ratio ratio_of(const struct recording *r, struct report_decision d, int zone, bool masr)
{
    double x = 0, y = 0, square = 0, over, under;
    int n = 0;
    for (uint64_t b = d.first; b < d.first + d.n && zone < r->n_eve; b++) {
        parts_of(r, b, zone, masr, &over, &under);
        if (isfinite(over + under)) {
            x += over;
            y += under;
            n++;
        }
    }
    for (uint64_t b = d.first; n > 1 && b < d.first + d.n; b++) {
        parts_of(r, b, zone, masr, &over, &under);
        const double off = n * (over / x - under / y);
        square += isfinite(off) ? off * off : 0;
    }
    const double se = n > 1 ? sqrt(square / (n - 1.0) / n) : NAN;
    return (struct report_ratio){n ? in_db(x / y) : NAN, 10 / log(10) * se};
}

struct report_ratio report_sensing_masr(const struct recording *r, struct report_decision d, int zone)
{
    return ratio_of(r, d, zone, true);
}

struct report_ratio report_sensing_eve(const struct recording *r, struct report_decision d, int zone)
{
    return ratio_of(r, d, zone, false);
}

static int n_sensing(const struct recording *r, uint64_t b)
{
    int n = 0;
    for (int m = 0; m < r->n_ap; m++) {
        n += !r->sensing.mode[b * (size_t)r->n_ap + (size_t)m];
    }
    return n;
}

static double mean_user_sinr(const struct recording *r, struct report_decision d, int k)
{
    double sum = 0;
    int n = 0;
    for (uint64_t b = d.first; b < d.first + d.n; b++) {
        const double v = r->sinr_measured[b * (size_t)r->n_ue + (size_t)k];
        if (isfinite(v) && recording_user_counts(r, b, k)) {
            sum += v;
            n++;
        }
    }
    return n ? sum / n : NAN;
}

static double strongest_eve(const struct recording *r, uint64_t b)
{
    double strongest = 0;
    for (int l = 0; l < r->sensing.n_zone; l++) {
        strongest = fmax(strongest, r->sensing.sinr_eve[b * (size_t)r->sensing.n_zone + (size_t)l]);
    }
    return strongest;
}

/* Words ------------------------------------------------------------------------------------------------------------ */

static table_t *zone_table(const struct recording *r, const struct report_decision *told, int n_told, const char *title)
{
    static const char *const headers[] = {"blocks",        "zone",     "APs sensing", "MASR dB",  "measured", "s.e.",
                                          "Eve's SINR dB", "measured", "s.e.",        "her rate", NULL};
    table_t *table = table_create(title, headers);
    for (int i = 0; i < n_told; i++) {
        for (int l = 0; l < r->sensing.n_zone; l++) {
            const size_t at = told[i].first * (size_t)r->sensing.n_zone + (size_t)l;
            const struct report_ratio masr = report_sensing_masr(r, told[i], l),
                                      eve = report_sensing_eve(r, told[i], l);
            table_cell(table, "%" PRIu64 " to %" PRIu64, told[i].first, told[i].first + told[i].n - 1);
            table_cell(table, "%d", l);
            table_cell(table, "%d of %d", n_sensing(r, told[i].first), r->n_ap);
            table_number(table, 2, in_db(r->sensing.masr[at]));
            table_number(table, 2, masr.db);
            table_number(table, 2, masr.se_db);
            table_number(table, 2, in_db(r->sensing.sinr_eve[at]));
            table_number(table, 2, eve.db);
            table_number(table, 2, eve.se_db);
            table_number(table, 2, log2(1 + r->sensing.sinr_eve[at]));
        }
    }
    return table;
}

static table_t *user_table(const struct recording *r, struct report_decision d, const char *title)
{
    static const char *const headers[] = {"user", "SINR dB", "measured", "rate", "secrecy", NULL};
    table_t *table = table_create(title, headers);
    const double lost = log2(1 + strongest_eve(r, d.first));
    for (int k = 0; k < r->n_ue; k++) {
        const double sinr = r->sensing.sinr[d.first * (size_t)r->n_ue + (size_t)k];
        table_cell(table, "%d", k);
        table_number(table, 2, in_db(sinr));
        table_number(table, 2, in_db(mean_user_sinr(r, d, k)));
        table_number(table, 2, log2(1 + sinr));
        table_number(table, 2, fmax(log2(1 + sinr) - lost, 0));
    }
    return table;
}

/* What was asked, and with phases that stand still by how much (12) is off: the largest gap of a zone. */
static void write_words(const struct recording *r, const struct report_decision *told, int n_told, int n, FILE *out)
{
    const struct config_sensing *const c = r->config ? &r->config->sensing : NULL;
    if (c && c->objective == CONFIG_SENSING_SP) {
        fprintf(out, "Security prioritised: every user at %.1f dB, every zone's MASR at least %.1f dB. ", c->qos_db,
                c->kappa_db);
    } else if (c) {
        fprintf(out, "Communication prioritised: Eve's SINR at most %.2f, every zone's MASR at least %.1f dB. ", c->nu,
                c->kappa_db);
    }
    fprintf(out, "%d decision%s. ", n, n == 1 ? "" : "s");
    if (!c || c->phases != CONFIG_PHASES_FIXED) {
        return;
    }
    double off = 0;
    for (int i = 0; i < n_told; i++) {
        for (int l = 0; l < r->sensing.n_zone; l++) {
            const double gap = report_sensing_masr(r, told[i], l).db -
                               in_db(r->sensing.masr[told[i].first * (size_t)r->sensing.n_zone + (size_t)l]);
            off = isfinite(gap) && fabs(gap) > fabs(off) ? gap : off;
        }
    }
    fprintf(out,
            "The phases stand still, so that amplitudes of access points add: the closed forms here, which add powers, "
            "are off by up to %.2f dB in MASR. ",
            fabs(off));
}

void report_sensing_print(const struct recording *r, FILE *out)
{
    struct report_decision told[REPORT_MAX_DECISIONS];
    int n_told;
    if (!r->sensing.there) {
        return;
    }
    const int n = find_decisions(r, told, &n_told);
    fputs("\nSensing: ", out);
    write_words(r, told, n_told, n, out);
    if (n == 0) {
        fputs("Nothing was illuminated.\n", out);
        return;
    }
    fputs("Closed forms, and what was measured.\n", out);
    table_t *const zones = zone_table(r, told, n_told, NULL), *const users = user_table(r, told[n_told - 1], NULL);
    table_print(zones, out);
    table_print(users, out);
    table_destroy(zones);
    table_destroy(users);
}

/* Drawings --------------------------------------------------------------------------------------------------------- */

static void write_points(FILE *out, const char *name, const double *at_m, int n, const uint8_t *mode, int wanted)
{
    fprintf(out, "$%s << EOD\n", name);
    for (int i = 0; i < n; i++) {
        if (!mode || mode[i] == wanted) {
            fprintf(out, "%.2f %.2f %d\n", at_m[3 * i], at_m[3 * i + 1], i);
        }
    }
    fputs("nan nan 0\nEOD\n", out); /* never empty */
}

/* Where everybody is and what access points do in a block; the zones where they were decided to be. */
static int draw_map(plot_t *plot, const struct recording *r, uint64_t b)
{
    const size_t n = (size_t)(r->n_ap + r->n_ue + r->sensing.n_zone);
    double *const at_m = calloc(3 * n, sizeof *at_m), *const ue_m = at_m + 3 * r->n_ap;
    if (!at_m) {
        return -1;
    }
    const uint8_t *const mode = r->sensing.mode + b * (size_t)r->n_ap;
    const int number = plot_begin(plot, 500, 500);
    FILE *const out = plot_script(plot);
    channel_positions(r->config, at_m, ue_m);
    channel_zone_positions(r->config, b, ue_m + 3 * r->n_ue);
    write_points(out, "serves", at_m, r->n_ap, mode, 1);
    write_points(out, "senses", at_m, r->n_ap, mode, 0);
    write_points(out, "users", ue_m, r->n_ue, NULL, 0);
    write_points(out, "zones", ue_m + 3 * r->n_ue, r->sensing.n_zone, NULL, 0);
    fputs(
        "set size ratio -1\nset offsets graph 0.08, graph 0.08, graph 0.08, graph 0.08\nset xlabel 'x, m'\nset ylabel "
        "'y, m'\nunset key\nplot $zones using 1:2 with points pt 7 ps 5 lc rgb '#f3d3d3' notitle, $zones using 1:2:3 "
        "with labels tc rgb '" REPORT_RED
        "' notitle, $serves using 1:2:3 with labels point pt 5 ps 1 lc rgb '" REPORT_BLUE
        "' offset 1,0.6, $senses using 1:2:3 with labels point pt 9 ps 1.6 lc rgb '" REPORT_ORANGE
        "' offset 1,0.6, $users using 1:2:3 with labels point pt 7 ps 0.8 lc rgb '" REPORT_GREEN "' offset 1,0.6\n",
        out);
    free(at_m);
    return number;
}

/* MASR of every zone in windows of blocks: averaged first, divided then. From the first decision told on. */
static int draw_masr(plot_t *plot, const struct recording *r, uint64_t first)
{
    static const char *const colours[] = {REPORT_BLUE, REPORT_ORANGE, REPORT_GREEN, REPORT_RED, REPORT_GREY};
    const uint64_t each = (r->n_block + WINDOWS - 1) / WINDOWS;
    const int number = plot_begin(plot, 1020, 240),
              n_zone = r->n_eve < r->sensing.n_zone ? r->n_eve : r->sensing.n_zone;
    FILE *const out = plot_script(plot);
    for (int l = 0; l < n_zone; l++) {
        fprintf(out, "$masr%d << EOD\n", l);
        for (uint64_t b = first; b < r->n_block; b += each) {
            const uint64_t n = b + each < r->n_block ? each : r->n_block - b;
            const struct report_ratio v = report_sensing_masr(r, (struct report_decision){b, n}, l);
            fprintf(out, isfinite(v.db) ? "%.1f %.3f\n" : "\n", (double)b + 0.5 * (double)n, v.db);
        }
        fputs("EOD\n", out);
    }
    fprintf(out,
            "set xrange [0:%" PRIu64
            "]\nset xlabel 'block' offset 0,0.4\nset ylabel 'MASR, dB' offset 1,0\nset lmargin "
            "8\nset rmargin 3\nset tmargin 0.7\nset bmargin 3.2\nset yrange [-20<*:*]\nplot %g with lines dt 2 lc rgb "
            "'" REPORT_GREY "'",
            r->n_block, r->config ? r->config->sensing.kappa_db : 0);
    for (int l = 0; l < n_zone; l++) {
        fprintf(out, ", $masr%d with linespoints pt 7 ps 0.4 lw 1.4 lc rgb '%s'", l, colours[l % 5]);
    }
    fputc('\n', out);
    return n_zone > 0 ? number : -1;
}

void report_sensing_collect(struct report_sensing *sensing, plot_t *plot, const struct recording *r)
{
    *sensing = (struct report_sensing){.shown = r->sensing.there, .map_first = -1, .map_last = -1, .masr = -1};
    if (!sensing->shown) {
        return;
    }
    sensing->n_decision = find_decisions(r, sensing->told, &sensing->n_told);
    const bool has_places = r->config && (int)r->config->sensing.zones_m_count == r->sensing.n_zone &&
                            r->config->network.n_ap == r->n_ap && r->config->network.n_ue == r->n_ue &&
                            r->config->air.large_scale.model == CONFIG_GAIN_GEOMETRY;
    if (sensing->n_told > 0 && has_places) {
        sensing->map_first = draw_map(plot, r, sensing->told[0].first);
        sensing->map_last = sensing->n_told > 1 ? draw_map(plot, r, sensing->told[sensing->n_told - 1].first) : -1;
    }
    sensing->masr = sensing->n_told > 0 ? draw_masr(plot, r, sensing->told[0].first) : -1;
}

static void write_figure(const plot_t *plot, int number, struct report_decision d, FILE *out)
{
    const char *const svg = plot && number >= 0 ? plot_svg(plot, number) : NULL;
    if (svg) {
        fprintf(out, "<figure><figcaption>Blocks %" PRIu64 " to %" PRIu64 "</figcaption>\n%s\n</figure>\n", d.first,
                d.first + d.n - 1, svg);
    }
}

static void write_drawings(const struct report_sensing *s, const plot_t *plot, FILE *out)
{
    static const char *const colour[] = {REPORT_BLUE, REPORT_ORANGE, REPORT_GREEN, REPORT_RED};
    static const char *const text[] = {"access point that serves", "access point that senses", "user", "sensing zone"};
    const char *const masr = plot && s->masr >= 0 ? plot_svg(plot, s->masr) : NULL;
    if (plot && s->map_first >= 0) {
        fputs("<h3>Map</h3>\n", out);
        html_key(out, 4, colour, text);
        fputs("<div class=\"grid\">\n", out);
        write_figure(plot, s->map_first, s->told[0], out);
        write_figure(plot, s->map_last, s->told[s->n_told - 1], out);
        fputs("</div>\n", out);
    }
    if (masr) {
        fprintf(
            out,
            "<h3>MASR measured in every zone</h3>\n<p class=\"note\">Powers averaged over some blocks, then divided; "
            "dashed: what is asked.</p>\n<figure>%s</figure>\n",
            masr);
    }
}

void report_sensing_write(const struct report_sensing *s, const plot_t *plot, const struct recording *r, FILE *out)
{
    if (!s->shown) {
        return;
    }
    fputs("<section>\n<h2>Sensing</h2>\n<p class=\"note\">", out);
    write_words(r, s->told, s->n_told, s->n_decision, out);
    if (s->n_decision == 0) {
        fputs("Nothing was illuminated.</p>\n</section>\n", out);
        return;
    }
    fputs("MASR: a zone's own illumination over all else that arrives there. Closed forms of the decision, and what "
          "was measured: powers averaged over the decision's blocks, then divided; standard errors by the delta "
          "method. A user's closed form counts the fading of its own channel as noise, so that it measures more. Rates "
          "in bit/s/Hz of a data symbol; secrecy: less the strongest eavesdropper's, all streams wanted."
          "</p>\n",
          out);
    table_t *const zones = zone_table(r, s->told, s->n_told, NULL);
    table_html(zones, out);
    table_destroy(zones);
    fputs("<h3>Users under the last decision</h3>\n", out);
    table_t *const users = user_table(r, s->told[s->n_told - 1], NULL);
    table_html(users, out);
    table_destroy(users);
    write_drawings(s, plot, out);
    fputs("</section>\n", out);
}
