/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tools/report/plots.h"

#include "fronthaul/wire.h"

#include <inttypes.h>
#include <math.h>

/* A line never has more points than this, whatever the length of the run: blocks are averaged. */
enum { LINE_POINTS = 300, SHARE_BINS = 80, HIST_PER_OCTAVE = 8 };

/* SINR ----------------------------------------------------------------------------------------------------------- */

static double mean_db(const double *sinr, const struct recording *r, int user, uint64_t first, uint64_t n)
{
    double sum = 0;
    uint64_t count = 0;
    for (uint64_t b = first; b < first + n && b < r->n_block; b++) {
        const double value = sinr[(size_t)b * (size_t)r->n_ue + (size_t)user];
        if (value > 0 && recording_user_counts(r, b, user)) {
            sum += 10 * log10(value);
            count++;
        }
    }
    return count ? sum / (double)count : NAN;
}

static int write_series(FILE *out, const char *name, const double *sinr, const struct recording *r, int user,
                        double range_db[2])
{
    const uint64_t step = (r->n_block + LINE_POINTS - 1) / LINE_POINTS;
    int n = 0;
    fprintf(out, "$%s << EOD\n", name);
    for (uint64_t b = 0; b < r->n_block; b += step) {
        const double db = mean_db(sinr, r, user, b, step);
        if (isnan(db)) {
            fputs("\n", out); /* a gap in the line */
            continue;
        }
        fprintf(out, "%.1f %.3f\n", (double)b + 0.5 * (double)(step - 1), db);
        range_db[0] = fmin(range_db[0], db);
        range_db[1] = fmax(range_db[1], db);
        n++;
    }
    fputs("EOD\n", out);
    return n;
}

/* All users share one scale, so that they can be compared. */
static void sinr_range(const struct recording *r, double range_db[2])
{
    const uint64_t step = (r->n_block + LINE_POINTS - 1) / LINE_POINTS;
    range_db[0] = INFINITY;
    range_db[1] = -INFINITY;
    for (int k = 0; k < r->n_ue; k++) {
        for (uint64_t b = 0; b < r->n_block; b += step) {
            const double db[2] = {mean_db(r->sinr_measured, r, k, b, step), mean_db(r->sinr_predicted, r, k, b, step)};
            for (int i = 0; i < 2; i++) {
                if (!isnan(db[i])) {
                    range_db[0] = fmin(range_db[0], db[i]);
                    range_db[1] = fmax(range_db[1], db[i]);
                }
            }
        }
    }
    range_db[0] = floor((range_db[0] - 0.5) / 2) * 2;
    range_db[1] = ceil((range_db[1] + 0.5) / 2) * 2;
}

static int draw_sinr(plot_t *plot, const struct recording *r, int user, const double range_db[2])
{
    if (!(range_db[0] < range_db[1])) {
        return -1;
    }
    double drawn[2] = {INFINITY, -INFINITY};
    const int number = plot_begin(plot, 500, 230);
    FILE *out = plot_script(plot);
    const int n_predicted = write_series(out, "predicted", r->sinr_predicted, r, user, drawn);
    const int n_measured = write_series(out, "measured", r->sinr_measured, r, user, drawn);
    fprintf(out,
            "set xrange [0:%" PRIu64 "]\nset yrange [%.1f:%.1f]\nset xlabel 'block' offset 0,0.4\n"
            "set ylabel 'SINR, dB' offset 1,0\nset lmargin 8\nset rmargin 3\nset tmargin 0.7\nset bmargin 3.2\nplot ",
            r->n_block, range_db[0], range_db[1]);
    const char *const kind = r->n_block < 60 ? "linespoints pt 7 ps 0.4" : "lines"; /* a lone block is no line */
    if (n_predicted) {
        fprintf(out, "$predicted with %s lw 2.4 lc rgb '" REPORT_ORANGE "'", kind);
    }
    if (n_measured) {
        fprintf(out, "%s$measured with %s lw 1.1 lc rgb '" REPORT_BLUE "'", n_predicted ? ", " : "", kind);
    }
    if (!n_predicted && !n_measured) {
        fputs("NaN", out);
    }
    fputc('\n', out);
    return number;
}

/* Constellations -------------------------------------------------------------------------------------------------- */

static bool is_point(tutti_cf32 z)
{
    return isfinite(crealf(z)) && isfinite(cimagf(z));
}

int64_t report_constellation_row(const struct recording *r, int user)
{
    for (int64_t row = (int64_t)r->n_constellation - 1; r->constellation && row >= 0; row--) {
        if (16 * (uint64_t)row < r->n_block && !recording_user_counts(r, 16 * (uint64_t)row, user)) {
            continue;
        }
        for (int p = 0; p < r->n_point; p++) {
            if (is_point(r->constellation[((size_t)row * (size_t)r->n_ue + (size_t)user) * (size_t)r->n_point +
                                          (size_t)p])) {
                return row;
            }
        }
    }
    return -1;
}

static int draw_constellation(plot_t *plot, const struct recording *r, int user)
{
    const int64_t row = report_constellation_row(r, user);
    if (row < 0) {
        return -1;
    }
    return report_draw_points(
        plot, r->constellation + ((size_t)row * (size_t)r->n_ue + (size_t)user) * (size_t)r->n_point, r->n_point);
}

int report_draw_points(plot_t *plot, const tutti_cf32 *points, int n_point)
{
    float extent = 1.3f;
    const int number = plot_begin(plot, 240, 240);
    FILE *out = plot_script(plot);
    fputs("$points << EOD\n", out);
    for (int p = 0; p < n_point; p++) {
        if (is_point(points[p])) {
            fprintf(out, "%.4f %.4f\n", (double)crealf(points[p]), (double)cimagf(points[p]));
            extent = fmaxf(extent, 1.05f * fmaxf(fabsf(crealf(points[p])), fabsf(cimagf(points[p]))));
        }
    }
    fprintf(out,
            "EOD\nset size square\nset xrange [-%.2f:%.2f]\nset yrange [-%.2f:%.2f]\nset xtics 1\nset ytics 1\n"
            "set border 15\nset lmargin 3\nset rmargin 1\nset tmargin 0.7\nset bmargin 1.5\n"
            "plot $points with points pt 7 ps 0.28 lc rgb '" REPORT_BLUE "'\n",
            (double)extent, (double)extent, (double)extent, (double)extent);
    return number;
}

/* Latency --------------------------------------------------------------------------------------------------------- */

/* Edges of the drawn bins, a fixed number per octave, from 1/8 us; the histogram's own bins are finer. */
static double drawn_edge_us(int bin)
{
    return exp2(-3 + (double)bin / HIST_PER_OCTAVE);
}

static int drawn_bin(double value_us)
{
    const double bin = floor((log2(fmax(value_us, 0.125)) + 3) * HIST_PER_OCTAVE);
    return (int)fmin(bin, 63 * HIST_PER_OCTAVE);
}

static void hop_range(const struct summary *s, double range_us[2])
{
    range_us[0] = INFINITY;
    range_us[1] = 0;
    for (int hop = 0; hop < SUMMARY_N_HOP; hop++) {
        if (s->hop[hop].count) {
            range_us[0] = fmin(range_us[0], 1e-3 * (double)s->hop[hop].min);
            range_us[1] = fmax(range_us[1], 1e-3 * (double)s->hop[hop].max);
        }
    }
    range_us[0] = pow(10, floor(log10(fmax(range_us[0], 0.125)) * 2) / 2);
    range_us[1] = pow(10, ceil(log10(fmax(range_us[1], 1)) * 2) / 2);
}

/* The step of about four tics up to max: 1, 2 or 5 times a power of ten. */
static double tic_step(double max)
{
    const double power = pow(10, floor(log10(max / 4))), mantissa = max / 4 / power;
    return power * (mantissa < 1.5 ? 1 : mantissa < 3.5 ? 2 : mantissa < 7.5 ? 5 : 10);
}

/* Returns the largest share, in per cent. */
static double write_hist(FILE *out, const struct stats_hist *hist)
{
    static const int n_drawn = 63 * HIST_PER_OCTAVE + 1;
    double share[63 * HIST_PER_OCTAVE + 1] = {0};
    for (int bin = 0; bin < STATS_HIST_BINS; bin++) {
        if (hist->bin[bin]) {
            share[drawn_bin(1e-3 * (double)stats_hist_edge(bin))] +=
                100.0 * (double)hist->bin[bin] / (double)hist->count;
        }
    }
    fputs("$hist << EOD\n", out);
    for (int bin = 0; bin < n_drawn; bin++) {
        if (share[bin] > 0) {
            fprintf(out, "%.5g %.5g %.5g %.5g\n", sqrt(drawn_edge_us(bin) * drawn_edge_us(bin + 1)), share[bin],
                    drawn_edge_us(bin), drawn_edge_us(bin + 1));
        }
    }
    fputs("EOD\n", out);
    double max = 0;
    for (int bin = 0; bin < n_drawn; bin++) {
        max = fmax(max, share[bin]);
    }
    return max;
}

static int draw_hop(plot_t *plot, const struct summary *s, int hop, const double range_us[2])
{
    const struct stats_hist *hist = &s->hop[hop];
    if (hist->count == 0) {
        return -1;
    }
    const double p50_us = 1e-3 * (double)stats_hist_quantile(hist, 0.5);
    const double p99_us = 1e-3 * (double)stats_hist_quantile(hist, 0.99);
    const int number = plot_begin(plot, 500, 200);
    FILE *out = plot_script(plot);
    const double max = write_hist(out, hist);
    fprintf(out, "set ytics %.4g\nset yrange [0:%.4g]\n", tic_step(max), 1.05 * max);
    fprintf(out,
            "set logscale x\nset xrange [%.4g:%.4g]\nset format x '%%g'\nset xlabel 'us' offset 0,0.4\n"
            "set ylabel '%% of samples' offset 1,0\nset lmargin 8\nset rmargin 3\nset tmargin 0.7\nset bmargin 3.2\n"
            "set style fill solid 0.75 noborder\n"
            "set arrow from %.5g, graph 0 to %.5g, graph 1 nohead lw 2 lc rgb '" REPORT_GREEN "' front\n"
            "set arrow from %.5g, graph 0 to %.5g, graph 1 nohead lw 2 lc rgb '" REPORT_RED "' front\n"
            "plot $hist using 1:($2/2):3:4:(0):2 with boxxyerrorbars lc rgb '" REPORT_BLUE "'\n",
            range_us[0], range_us[1], fmax(p50_us, range_us[0]), fmax(p50_us, range_us[0]), fmax(p99_us, range_us[0]),
            fmax(p99_us, range_us[0]));
    return number;
}

/* Shares over blocks ---------------------------------------------------------------------------------------------- */

struct share {
    const uint8_t *kind; /* [n_block][n_ap] */
    int n;               /* kinds drawn, from the bottom up */
    uint8_t value[4];
    const char *colour[4];
};

static int write_shares(FILE *out, const struct recording *r, const struct share *share)
{
    const uint64_t step = (r->n_block + SHARE_BINS - 1) / SHARE_BINS;
    int n = 0;
    fputs("$share << EOD\n", out);
    for (uint64_t b = 0; b < r->n_block; b += step) {
        const uint64_t end = b + step < r->n_block ? b + step : r->n_block;
        uint64_t count[256] = {0};
        for (size_t i = (size_t)b * (size_t)r->n_ap; i < (size_t)end * (size_t)r->n_ap; i++) {
            count[share->kind[i]]++;
        }
        double sum = 0;
        fprintf(out, "%" PRIu64 " %" PRIu64, b, end);
        for (int i = 0; i < share->n; i++) {
            sum += 100.0 * (double)count[share->value[i]] / (double)((end - b) * (uint64_t)r->n_ap);
            fprintf(out, " %.4f", sum);
            n += count[share->value[i]] != 0;
        }
        fputc('\n', out);
    }
    fputs("EOD\n", out);
    return n;
}

/* Stacked bars: the tallest sum is painted first, each smaller one over it. */
static int draw_shares(plot_t *plot, const struct recording *r, const struct share *share)
{
    FILE *out = plot_script(plot);
    const int number = plot_begin(plot, 500, 220);
    const int n = write_shares(out, r, share);
    fprintf(out,
            "set xrange [0:%" PRIu64 "]\nset yrange [0:100]\nset xlabel 'block' offset 0,0.4\n"
            "set ylabel '%% of AP-blocks' offset 1,0\nset lmargin 8\nset rmargin 3\nset tmargin 0.7\nset bmargin 3.2\n"
            "set style fill solid 0.85 noborder\nplot ",
            r->n_block);
    for (int i = share->n - 1; i >= 0; i--) {
        fprintf(out, "$share using (($1+$2)/2):($%d/2):1:2:(0):%d with boxxyerrorbars lc rgb '%s'%s", i + 3, i + 3,
                share->colour[i], i ? ", " : "\n");
    }
    return n ? number : -1;
}

/* Schemes over blocks --------------------------------------------------------------------------------------------- */

/* Lines "first end row share share-as-asked", several blocks put together. */
static void write_scheme_bins(FILE *out, const struct recording *r, const int row_of[SUMMARY_N_SCHEME])
{
    const uint64_t step = (r->n_block + LINE_POINTS - 1) / LINE_POINTS;
    fputs("$scheme << EOD\n", out);
    for (uint64_t b = 0; b < r->n_block; b += step) {
        uint64_t all[SUMMARY_N_SCHEME] = {0}, asked[SUMMARY_N_SCHEME] = {0};
        const uint64_t end = b + step < r->n_block ? b + step : r->n_block;
        for (uint64_t i = b; i < end; i++) {
            if (r->solve_start_ns[i] == 0) {
                continue;
            }
            const int scheme = r->scheme[i] >= 0 && r->scheme[i] < MIMO_N_SCHEMES ? r->scheme[i] : MIMO_N_SCHEMES;
            all[scheme]++;
            asked[scheme] += r->reason[i] == MIMO_REASON_ASKED;
        }
        for (int s = 0; s < SUMMARY_N_SCHEME; s++) {
            if (all[s]) {
                const double n_blocks = (double)(end - b);
                fprintf(out, "%" PRIu64 " %" PRIu64 " %d %.4f %.4f\n", b, end, row_of[s], (double)all[s] / n_blocks,
                        (double)asked[s] / n_blocks);
            }
        }
    }
    fputs("EOD\n", out);
}

/* One row per scheme that occurs. A box's height is the scheme's share of the blocks it stands for: its lower part as
 * asked, the rest for another reason. */
static int draw_schemes(plot_t *plot, const struct recording *r, const struct summary *s)
{
    int row_of[SUMMARY_N_SCHEME], n = 0;
    bool occurs[SUMMARY_N_SCHEME] = {false};
    for (int scheme = 0; scheme < SUMMARY_N_SCHEME; scheme++) {
        for (int reason = 0; reason < SUMMARY_N_REASON; reason++) {
            occurs[scheme] |= s->scheme[scheme][reason] != 0;
        }
        row_of[scheme] = n;
        n += occurs[scheme];
    }
    if (n == 0) {
        return -1;
    }
    const int number = plot_begin(plot, 1000, 110 + 40 * n);
    FILE *out = plot_script(plot);
    write_scheme_bins(out, r, row_of);
    fprintf(out,
            "set xrange [0:%" PRIu64 "]\nset yrange [-0.1:%d]\nset xlabel 'block' offset 0,0.4\nset lmargin 9\n"
            "set rmargin 3\nset tmargin 0.7\nset bmargin 3.2\nset style fill solid 0.85 noborder\nset ytics (",
            r->n_block, n);
    for (int scheme = 0; scheme < SUMMARY_N_SCHEME; scheme++) {
        if (occurs[scheme]) {
            fprintf(out, "%s'%s' %.1f", row_of[scheme] ? ", " : "",
                    scheme < MIMO_N_SCHEMES ? mimo_scheme_name(scheme) : "unknown", row_of[scheme] + 0.4);
        }
    }
    fputs(")\nplot $scheme using (($1+$2)/2):($3+0.4*$4):1:2:3:($3+0.8*$4) with boxxyerrorbars lc rgb '" REPORT_ORANGE
          "', $scheme using (($1+$2)/2):($3+0.4*$5):1:2:3:($3+0.8*$5) with boxxyerrorbars lc rgb '" REPORT_GREEN "'\n",
          out);
    return number;
}

void report_plots_collect(struct report_plots *plots, plot_t *plot, const struct recording *r, const struct summary *s)
{
    double range_db[2], range_us[2];
    plots->n_user = r->n_ue < REPORT_MAX_USERS ? r->n_ue : REPORT_MAX_USERS;
    sinr_range(r, range_db);
    for (int k = 0; k < plots->n_user; k++) {
        plots->sinr[k] = draw_sinr(plot, r, k, range_db);
    }
    for (int k = 0; k < plots->n_user; k++) {
        plots->constellation[k] = draw_constellation(plot, r, k);
    }
    hop_range(s, range_us);
    for (int hop = 0; hop < SUMMARY_N_HOP; hop++) {
        plots->hop[hop] = draw_hop(plot, s, hop, range_us);
    }
    const struct share arrival = {r->arrival,
                                  3,
                                  {WIRE_ARRIVAL_EARLY, WIRE_ARRIVAL_ON_TIME, WIRE_ARRIVAL_LATE},
                                  {REPORT_GREEN, REPORT_BLUE, REPORT_RED}};
    const struct share applied = {r->applied,
                                  4,
                                  {WIRE_SENT_FRESH, WIRE_SENT_STALE, WIRE_SENT_LOCAL_CB, WIRE_SENT_MUTE},
                                  {REPORT_GREEN, REPORT_ORANGE, REPORT_RED, REPORT_GREY}};
    plots->arrival = plots->applied = -1;
    plots->scheme = draw_schemes(plot, r, s);
    if (r->n_block) {
        plots->arrival = draw_shares(plot, r, &arrival);
        plots->applied = draw_shares(plot, r, &applied);
    }
}
