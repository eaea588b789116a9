/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tools/report/report.h"

#include "base/error.h"
#include "fronthaul/wire.h"
#include "tools/report/clusters.h"
#include "tools/report/eve.h"
#include "tools/report/host.h"
#include "tools/report/parts.h"
#include "tools/report/plots.h"
#include "tools/report/recovery.h"
#include "tools/report/schedule.h"
#include "tools/report/sensing.h"
#include "tools/report/uplink.h"
#include "tools/terminal/html.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const char style[] =
    "<style>\n"
    ":root{color-scheme:light "
    "dark;--bg:#f4f6f8;--card:#fff;--line:#dfe4e9;--text:#1c2733;--soft:#4a545e;--bad:#b02a2a}\n"
    "@media screen and (prefers-color-scheme:dark){"
    ":root{--bg:#12171c;--card:#1b2229;--line:#313b45;--text:#e3e9ee;--soft:#a7b3be;--bad:#ff8080}"
    "svg,.key i{filter:invert(1) hue-rotate(180deg)}}\n" /* drawings: dark for light, colours kept */
    "*{box-sizing:border-box}\n"
    "body{margin:0;background:var(--bg);color:var(--text);font:15px/1.5 system-ui,-apple-system,'Segoe "
    "UI',Roboto,sans-serif}\n"
    "main{max-width:1180px;margin:0 auto;padding:20px 16px 48px}\n"
    "h1{font-size:1.6rem;margin:.2em 0}h2{font-size:1.15rem;margin:0 0 .6em}h3{font-size:1rem;margin:1em 0 .4em}\n"
    "section{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:16px;margin:14px 0}\n"
    "p{margin:.4em 0}.note{color:var(--soft);font-size:.88rem}\n"
    ".tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(130px,1fr));gap:10px;margin:14px 0}\n"
    ".tile{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:10px 14px}\n"
    ".tile b{display:block;font-size:1.3rem;font-variant-numeric:tabular-nums}.tile "
    "span{color:var(--soft);font-size:.85rem}\n"
    ".tile.bad b,p.bad{color:var(--bad)}p.bad{font-weight:600}\n"
    ".scroll{overflow-x:auto}\n"
    "table{border-collapse:collapse;font-variant-numeric:tabular-nums;font-size:.9rem;white-space:nowrap;width:100%}\n"
    "th,td{padding:5px 8px;text-align:right;border-bottom:1px solid var(--line)}\n"
    "th{color:var(--soft);font-weight:600}.l{text-align:left}\n"
    ".grid{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,400px),1fr));gap:12px}\n"
    ".grid.small{grid-template-columns:repeat(auto-fill,minmax(165px,1fr))}\n"
    "figure{margin:0}figcaption{font-size:.88rem;color:var(--text);font-weight:600}\n"
    "figcaption span{font-weight:400;color:var(--soft)}\n"
    "svg{width:100%;height:auto;display:block}svg text{font-family:inherit}\n"
    ".key{font-size:.88rem;color:var(--soft);display:flex;flex-wrap:wrap;gap:4px 16px;margin:0 0 8px}\n"
    ".key i{display:inline-block;width:14px;height:10px;border-radius:2px;margin-right:6px}\n"
    "pre{overflow-x:auto;background:var(--bg);border-radius:6px;padding:12px;font-size:.8rem;line-height:1.4}\n"
    "summary{cursor:pointer;font-weight:600}\n"
    "</style>\n";

struct page {
    FILE *out;
    const char *source;
    const struct recording *recording;
    const struct summary *summary;
    struct report_plots plots;
    struct report_eve eve;
    struct report_recovery recovery;
    struct report_schedule schedule;
    struct report_uplink uplink;
    struct report_sensing sensing;
    plot_t *plot;
    bool has_plots;
};

/* Pieces ---------------------------------------------------------------------------------------------------------- */

static void tile(FILE *out, bool bad, const char *value, const char *what)
{
    fprintf(out, "<div class=\"tile%s\"><b>", bad ? " bad" : "");
    html_text(out, value);
    fputs("</b><span>", out);
    html_text(out, what);
    fputs("</span></div>\n", out);
}

static bool figure_begin(const struct page *page, int number)
{
    if (!page->has_plots || !plot_svg(page->plot, number)) {
        return false;
    }
    fputs("<figure><figcaption>", page->out);
    return true;
}

static void figure_end(const struct page *page, int number)
{
    fprintf(page->out, "</figcaption>\n%s\n</figure>\n", plot_svg(page->plot, number));
}

static void utc_text(uint64_t wall_ns, char *text, size_t n)
{
    const time_t seconds = (time_t)(wall_ns / 1000000000u);
    struct tm utc;
    strftime(text, n, "%Y-%m-%d %H:%M:%S UTC", gmtime_r(&seconds, &utc));
}

/* Sections -------------------------------------------------------------------------------------------------------- */

static void write_head(const struct page *page)
{
    const struct recording *r = page->recording;
    const char *name = r->config ? r->config->network.name : "run";
    char when[64] = "";
    for (uint64_t b = 0; b < r->n_block && !when[0]; b++) {
        if (r->solve_start_ns[b]) {
            utc_text(r->solve_start_ns[b], when, sizeof when);
        }
    }
    fputs("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
          "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>Tutti run: ",
          page->out);
    html_text(page->out, name);
    fprintf(page->out, "</title>\n%s</head>\n<body>\n<main>\n<h1>", style);
    html_text(page->out, name);
    fputs("</h1>\n<p class=\"note\">", page->out);
    html_format(page->out, "%s%stutti %s, %s", when, when[0] ? ", " : "", r->version ? r->version : "?", page->source);
    fputs("</p>\n", page->out);
}

static uint64_t sum_errors(const struct summary *s, uint64_t *n_code_block)
{
    uint64_t errors = *n_code_block = 0;
    for (int k = 0; k < s->n_ue; k++) {
        errors += s->user[k].code_block_errors;
        *n_code_block += s->user[k].code_blocks;
    }
    return errors;
}

static double mean_measured_db(const struct summary *s)
{
    double sum = 0;
    int n = 0;
    for (int k = 0; k < s->n_ue; k++) {
        if (!isnan(s->user[k].sinr_measured_db)) {
            sum += s->user[k].sinr_measured_db;
            n++;
        }
    }
    return n ? sum / n : NAN;
}

static void write_tiles(const struct page *page)
{
    const struct summary *s = page->summary;
    char value[64];
    uint64_t n_code_block;
    const uint64_t errors = sum_errors(s, &n_code_block), late = s->arrival[WIRE_ARRIVAL_LATE];
    fputs("<div class=\"tiles\">\n", page->out);
    snprintf(value, sizeof value, "%d + %d", s->n_ap, s->n_ue);
    tile(page->out, false, value, "access points + users");
    snprintf(value, sizeof value, "%" PRIu64, s->n_block);
    tile(page->out, false, value, "coherence blocks");
    const double sinr_db = mean_measured_db(s);
    snprintf(value, sizeof value, isnan(sinr_db) ? "-" : "%.1f dB", sinr_db);
    tile(page->out, false, value, "measured SINR, mean of users");
    snprintf(value, sizeof value, "%" PRIu64 " of %" PRIu64, errors, n_code_block);
    tile(page->out, errors > 0, value, "code blocks wrong");
    snprintf(value, sizeof value, "%" PRIu64, late);
    tile(page->out, late > 0, value, "late precoders");
    snprintf(value, sizeof value, isnan(s->realtime_factor) ? "-" : "%.2f \xc3\x97", s->realtime_factor);
    tile(page->out, s->fell_behind, value,
         s->fell_behind ? "real time: did not keep up" : "real time (above 1 is faster)");
    fputs("</div>\n", page->out);
}

static void write_users(const struct page *page)
{
    static const char *const colour[] = {REPORT_BLUE, REPORT_ORANGE};
    static const char *const text[] = {"measured by the user", "predicted by the CPU node"};
    const struct summary *s = page->summary;
    fputs("<section>\n<h2>Users</h2>\n", page->out);
    summary_html_users(s, page->out);
    fputs("<p class=\"note\">SINR: mean over blocks of the SINR in dB, over blocks with both values. Both are signal "
          "power "
          "summed over subbands over error power summed over subbands; the prediction is from the channel estimates, "
          "their "
          "error variances and the precoders.",
          page->out);
    if (page->recording->n_predicted_exact < s->n_block) {
        fprintf(page->out,
                " (In %" PRIu64 " blocks, where these are not recorded or artificial noise was sent, it is the "
                "mean of the subbands' predicted SINR.)",
                s->n_block - page->recording->n_predicted_exact);
    }
    fputs(
        " Median and 5 % quantile: of all reports, those of SINR 0 among them. EVM: median. Raw BER before, BER after "
        "decoding, of the blocks reported; BLER of code blocks: those of a missing report count as wrong. Blocks "
        "solved "
        "without a user are left out of its figures; served: blocks solved with it. Mbit/s: bits of right code blocks "
        "over the whole run.</p>\n<p class=\"note\">",
        page->out);
    summary_write_losses(s, page->out);
    fputs("</p>\n<h3>SINR over blocks</h3>\n", page->out);
    html_key(page->out, 2, colour, text);
    fputs("<div class=\"grid\">\n", page->out);
    for (int k = 0; k < page->plots.n_user; k++) {
        if (figure_begin(page, page->plots.sinr[k])) {
            fprintf(page->out, "User %d <span>measured %.2f dB, predicted %.2f dB</span>", k,
                    s->user[k].sinr_measured_db, s->user[k].sinr_predicted_db);
            figure_end(page, page->plots.sinr[k]);
        }
    }
    fputs("</div>\n<h3>Constellations</h3>\n<p class=\"note\">Equalised data symbols of the last recorded block the "
          "user was served in.</p>\n"
          "<div class=\"grid small\">\n",
          page->out);
    for (int k = 0; k < page->plots.n_user; k++) {
        if (figure_begin(page, page->plots.constellation[k])) {
            fprintf(page->out, "User %d <span>block %" PRId64 "</span>", k,
                    16 * report_constellation_row(page->recording, k));
            figure_end(page, page->plots.constellation[k]);
        }
    }
    fputs("</div>\n", page->out);
    if (page->plots.n_user < s->n_ue) {
        fprintf(page->out, "<p class=\"note\">Drawn: the first %d of %d users.</p>\n", page->plots.n_user, s->n_ue);
    }
    fputs("</section>\n", page->out);
}

static void write_latency(const struct page *page)
{
    static const char *const colour[] = {REPORT_GREEN, REPORT_RED};
    static const char *const text[] = {"median", "99 %"};
    fputs("<section>\n<h2>Latency per hop, \xc2\xb5s</h2>\n", page->out);
    if (page->summary->fell_behind) {
        fputs("<p class=\"bad\">This paced run did not keep up with real time: these are the times of an overloaded "
              "machine.</p>\n",
              page->out);
    }
    summary_html_hops(page->summary, page->out);
    fputs("<h3>Distributions</h3>\n", page->out);
    html_key(page->out, 2, colour, text);
    fputs("<div class=\"grid\">\n", page->out);
    for (int hop = 0; hop < SUMMARY_N_HOP; hop++) {
        if (figure_begin(page, page->plots.hop[hop])) {
            html_format(page->out, "%s ", summary_hop_text(hop));
            fputs("<span>", page->out);
            html_text(page->out, summary_hop_meaning(hop));
            fputs("</span>", page->out);
            figure_end(page, page->plots.hop[hop]);
        }
    }
    fputs("</div>\n</section>\n", page->out);
}

static void write_schemes(const struct page *page)
{
    static const char *const colour[] = {REPORT_GREEN, REPORT_ORANGE};
    static const char *const text[] = {"as asked", "for another reason"};
    fputs("<section>\n<h2>Precoders</h2>\n", page->out);
    summary_html_schemes(page->summary, page->out);
    if (figure_begin(page, page->plots.scheme)) {
        fputs("Scheme over blocks <span>height: share of the blocks drawn as one</span>", page->out);
        html_key(page->out, 2, colour, text);
        figure_end(page, page->plots.scheme);
    }
    fputs("</section>\n", page->out);
}

static void write_precoders(const struct page *page)
{
    static const char *const arrival_colour[] = {REPORT_GREEN, REPORT_BLUE, REPORT_RED};
    static const char *const arrival_text[] = {"early", "on time", "late"};
    static const char *const applied_colour[] = {REPORT_GREEN, REPORT_ORANGE, REPORT_RED, REPORT_GREY};
    static const char *const applied_text[] = {"fresh", "stale", "local", "mute"};
    fputs("<section>\n<h2>Precoders at the access points</h2>\n", page->out);
    summary_html_counts(page->summary, page->out);
    fputs("<div class=\"grid\">\n", page->out);
    if (figure_begin(page, page->plots.arrival)) {
        fputs("Arrival over blocks", page->out);
        html_key(page->out, 3, arrival_colour, arrival_text);
        figure_end(page, page->plots.arrival);
    }
    if (figure_begin(page, page->plots.applied)) {
        fputs("Applied over blocks", page->out);
        html_key(page->out, 4, applied_colour, applied_text);
        figure_end(page, page->plots.applied);
    }
    fputs("</div>\n</section>\n", page->out);
}

static void write_events(const struct page *page)
{
    if (page->summary->n_event) {
        fputs("<section>\n<h2>Time line</h2>\n", page->out);
        summary_html_events(page->summary, page->out);
        fputs("</section>\n", page->out);
    }
}

static void write_config(const struct page *page)
{
    fputs("<section>\n<details><summary>Configuration</summary>\n<pre>", page->out);
    html_text(page->out, page->recording->config_yaml ? page->recording->config_yaml : "(not in the recording)");
    fputs("</pre></details>\n</section>\n</main>\n</body>\n</html>\n", page->out);
}

static void write_page(const struct page *page)
{
    write_head(page);
    if (!page->has_plots) {
        fputs("<section><p>gnuplot was not found or failed, so this report has no plots. Install it (Debian: <code>apt "
              "install gnuplot-nox</code>) and run <code>tutti report</code> again.</p></section>\n",
              page->out);
    }
    write_tiles(page);
    write_users(page);
    report_uplink_write(&page->uplink, page->has_plots ? page->plot : NULL, page->recording, page->out);
    report_sensing_write(&page->sensing, page->has_plots ? page->plot : NULL, page->recording, page->out);
    report_eve_write(&page->eve, page->has_plots ? page->plot : NULL, page->recording, page->out);
    report_recovery_write(&page->recovery, page->has_plots ? page->plot : NULL, page->recording, page->out);
    report_schedule_write(&page->schedule, page->has_plots ? page->plot : NULL, page->recording, page->out);
    report_clusters_write(page->recording, page->out);
    report_parts_write(page->recording, page->summary, page->out);
    write_latency(page);
    write_schemes(page);
    write_precoders(page);
    write_events(page);
    report_host_write(page->source, page->out);
    write_config(page);
}

static int cannot_write(const char *path)
{
    return error_set(TUTTI_EIO, "cannot write %s: %s", path, strerror(errno));
}

static int write_to(struct page *page, FILE *out, const char *path)
{
    page->out = out;
    write_page(page);
    const bool bad = ferror(out) != 0;
    return fclose(out) != 0 || bad ? cannot_write(path) : 0;
}

/* Beside its place, then into it, so that an old report stays until the new one is whole. A device or a pipe is written
 * as it is. */
static int write_file(struct page *page, const char *path)
{
    struct stat info;
    char *part = NULL;
    if (stat(path, &info) == 0 && !S_ISREG(info.st_mode)) {
        FILE *out = fopen(path, "w");
        return out ? write_to(page, out, path) : cannot_write(path);
    }
    if (asprintf(&part, "%s.XXXXXX", path) < 0) {
        return error_set(TUTTI_ENOMEM, "out of memory");
    }
    const mode_t mask = umask(0);
    umask(mask);
    const int fd = mkstemp(part);
    FILE *out = fd < 0 || fchmod(fd, 0666 & ~mask) ? NULL : fdopen(fd, "w");
    int status = out ? write_to(page, out, path) : cannot_write(path);
    if (status == 0 && rename(part, path) != 0) {
        status = cannot_write(path);
    }
    if (!out && fd >= 0) {
        close(fd);
    }
    if (status < 0 && fd >= 0) {
        unlink(part);
    }
    free(part);
    return status;
}

int report_write(const char *path, const char *source, const struct recording *recording, const struct summary *summary,
                 bool *has_plots)
{
    struct page page = {.source = source, .recording = recording, .summary = summary};
    int status = plot_create(&page.plot);
    if (status == 0) {
        report_plots_collect(&page.plots, page.plot, recording, summary);
        report_eve_collect(&page.eve, page.plot, recording);
        report_recovery_collect(&page.recovery, page.plot, recording);
        report_schedule_collect(&page.schedule, page.plot, recording);
        report_uplink_collect(&page.uplink, page.plot, recording);
        report_sensing_collect(&page.sensing, page.plot, recording);
        page.has_plots = *has_plots = plot_draw(page.plot) == 0;
        status = write_file(&page, path);
    }
    plot_destroy(page.plot);
    return status;
}
