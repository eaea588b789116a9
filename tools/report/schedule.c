/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tools/report/schedule.h"

#include "base/frame.h"
#include "tools/terminal/html.h"

#include <inttypes.h>
#include <math.h>

static bool is_shown(const struct recording *r)
{
    return r->n_block > 0 && r->config && r->config->scheduler.n_served > 0;
}

/* Numbers ---------------------------------------------------------------------------------------------------------- */

/* Averages settle in this time: the first choice and one after. */
static uint64_t settled(const struct recording *r)
{
    return 2 * (uint64_t)r->config->scheduler.blocks;
}

static double block_rate(const struct recording *r, uint64_t b)
{
    double sum = 0;
    int n = 0;
    for (int k = 0; k < r->n_ue; k++) {
        const size_t at = b * (size_t)r->n_ue + (size_t)k;
        if (r->user_used[at] && !isnan(r->sinr_measured[at])) {
            sum += log2(1 + r->sinr_measured[at]);
            n++;
        }
    }
    return n ? sum : NAN;
}

static double mean_rate(const struct recording *r, uint64_t first, uint64_t n)
{
    double sum = 0;
    int count = 0;
    for (uint64_t b = first; b < first + n && b < r->n_block; b++) {
        const double rate = block_rate(r, b);
        sum += isnan(rate) ? 0 : rate;
        count += !isnan(rate);
    }
    return count ? sum / count : NAN;
}

struct report_sum_rate report_schedule_rate(const struct recording *r, uint64_t first)
{
    const uint64_t each = r->config ? (uint64_t)r->config->scheduler.blocks : 1;
    double sum = 0, square = 0;
    int n = 0;
    for (uint64_t b = first; b + each <= r->n_block; b += each) {
        const double mean = mean_rate(r, b, each);
        if (!isnan(mean)) {
            sum += mean;
            square += mean * mean;
            n++;
        }
    }
    const double mean = n ? sum / n : NAN;
    const double variance = n > 1 ? fmax(square / n - mean * mean, 0) / (n - 1) : NAN;
    return (struct report_sum_rate){.mean = mean, .se = sqrt(variance), .n = n};
}

/* Of estimates of users that wait. */
static void find_ages(const struct recording *r, double *mean, int *oldest)
{
    double sum = 0;
    uint64_t n = 0;
    *oldest = 0;
    for (uint64_t i = settled(r) * (uint64_t)r->n_ue; i < r->n_block * (uint64_t)r->n_ue; i++) {
        if (r->place[i] >= 0 || r->age_blocks[i] < 0) {
            continue;
        }
        sum += r->age_blocks[i];
        n++;
        *oldest = r->age_blocks[i] > *oldest ? r->age_blocks[i] : *oldest;
    }
    *mean = n ? sum / (double)n : NAN;
}

static uint64_t n_choices(const struct recording *r)
{
    uint64_t n = 0;
    for (uint64_t b = 1; b < r->n_block; b++) {
        bool changed = false;
        for (int k = 0; k < r->n_ue; k++) {
            changed = changed || r->place[b * (uint64_t)r->n_ue + (uint64_t)k] !=
                                     r->place[(b - 1) * (uint64_t)r->n_ue + (uint64_t)k];
        }
        n += changed;
    }
    return n;
}

/* Words ------------------------------------------------------------------------------------------------------------ */

static void write_words(const struct recording *r, FILE *out)
{
    static const char *const metrics[] = {"cesg", "strongest", "random"};
    const struct config_scheduler *const s = &r->config->scheduler;
    const struct report_sum_rate rate = report_schedule_rate(r, settled(r));
    struct frame frame;
    double age;
    int oldest;
    find_ages(r, &age, &oldest);
    fprintf(out, "%d of %d users served at a time, chosen by %s every %d blocks; the set changed %" PRIu64 " times. ",
            s->n_served, r->n_ue, metrics[s->metric], s->blocks, n_choices(r));
    fprintf(out,
            "Sum rate measured from block %" PRIu64 " on: %.2f bit/s/Hz of the data symbols, standard error %.2f (%d "
            "times %d blocks). ",
            settled(r), rate.mean, rate.se, rate.n, s->blocks);
    if (frame_init(&frame, r->config) == 0) {
        fprintf(out, "Sounding %s takes %d uplink and %d downlink pilot symbols of %d",
                config_rotates(r->config) ? "in turns" : "everybody", frame.n_pilot, frame.n_dl_pilot, frame.n_symbol);
    }
    fprintf(out, "; estimates of users that wait are %.1f blocks old in the mean, %d at most.\n", age, oldest);
}

void report_schedule_print(const struct recording *r, FILE *out)
{
    if (is_shown(r)) {
        fputs("\nSchedule: ", out);
        write_words(r, out);
    }
}

/* Drawings --------------------------------------------------------------------------------------------------------- */

static void write_frame(FILE *out, const struct recording *r, const char *label)
{
    fprintf(out,
            "set xrange [0:%" PRIu64 "]\nset xlabel 'block' offset 0,0.4\nset ylabel '%s' offset 1,0\nset lmargin 8\n"
            "set rmargin 3\nset tmargin 0.7\nset bmargin 3.2\n",
            r->n_block, label);
}

/* A line from the first to the last block of every stretch in which a user was served. */
static int draw_served(plot_t *plot, const struct recording *r)
{
    const int number = plot_begin(plot, 1020, 300);
    FILE *const out = plot_script(plot);
    fputs("$served << EOD\n", out);
    for (int k = 0; k < r->n_ue; k++) {
        for (uint64_t b = 0, from = 0; b <= r->n_block; b++) {
            const bool here = b < r->n_block && r->place[b * (uint64_t)r->n_ue + (uint64_t)k] >= 0;
            const bool before = b > 0 && r->place[(b - 1) * (uint64_t)r->n_ue + (uint64_t)k] >= 0;
            from = here && !before ? b : from;
            if (before && !here) {
                fprintf(out, "%" PRIu64 " %d\n%" PRIu64 " %d\n\n", from, k, b, k);
            }
        }
    }
    fputs("EOD\n", out);
    write_frame(out, r, "user");
    fprintf(out, "set yrange [-0.5:%d.5]\nplot $served with lines lw 3 lc rgb '" REPORT_BLUE "'\n", r->n_ue - 1);
    return number;
}

static int draw_rate(plot_t *plot, const struct recording *r)
{
    const uint64_t each = (uint64_t)r->config->scheduler.blocks;
    const int number = plot_begin(plot, 1020, 220);
    FILE *const out = plot_script(plot);
    int n = 0;
    fputs("$rate << EOD\n", out);
    for (uint64_t b = 0; b + each <= r->n_block; b += each) {
        const double rate = mean_rate(r, b, each);
        if (!isnan(rate)) {
            fprintf(out, "%" PRIu64 " %.3f\n%" PRIu64 " %.3f\n", b, rate, b + each, rate);
            n++;
        }
    }
    fputs("EOD\n", out);
    write_frame(out, r, "bit/s/Hz");
    fprintf(out, "set yrange [0:*]\nplot %s\n", n ? "$rate with lines lw 1.4 lc rgb '" REPORT_BLUE "'" : "NaN");
    return n ? number : -1;
}

void report_schedule_collect(struct report_schedule *schedule, plot_t *plot, const struct recording *r)
{
    *schedule = (struct report_schedule){.shown = is_shown(r), .served = -1, .rate = -1};
    if (schedule->shown) {
        schedule->served = draw_served(plot, r);
        schedule->rate = draw_rate(plot, r);
    }
}

void report_schedule_write(const struct report_schedule *schedule, const plot_t *plot, const struct recording *r,
                           FILE *out)
{
    static const char *const titles[] = {"Who is served", "Sum rate measured, means of one choice's blocks"};
    const int numbers[] = {schedule->served, schedule->rate};
    if (!schedule->shown) {
        return;
    }
    fputs("<section>\n<h2>Schedule</h2>\n<p>", out);
    write_words(r, out);
    fputs("</p>\n", out);
    for (int i = 0; i < 2; i++) {
        const char *const svg = plot ? plot_svg(plot, numbers[i]) : NULL;
        if (svg) {
            fprintf(out, "<figure><figcaption>%s</figcaption>\n%s\n</figure>\n", titles[i], svg);
        }
    }
    fputs("</section>\n", out);
}
