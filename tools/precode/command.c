/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tutti precode: the precoders of the central node, offline on a channel file. */
#include "base/clock.h"
#include "base/error.h"
#include "base/rt.h"
#include "tools/contained.h"
#include "tools/file_kind.h"
#include "tools/precode/precoder_file.h"
#include "tools/precode/summary.h"
#include "tools/precode/workers.h"
#include "tools/results/channel_file.h"
#include "tools/terminal/bar.h"
#include "tools/tool.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static const char help_usage[] =
    "Usage: tutti precode --channel IN.h5 --scheme NAME --out OUT.h5 [options]\n"
    "\n"
    "Computes the precoders of every block and subband of a channel file, or of the run.h5 of a run, with the solvers "
    "of\n"
    "the central node. docs/files.md describes both files.\n"
    "\n"
    "  --channel FILE     /H_hat, /error_variance; optional /H (truth), /beta; attribute ap_power (default 1)\n"
    "  --layout NAME      order of its dimensions: rows (block first, user last), columns (reversed, as MATLAB, "
    "Octave\n"
    "                     and Julia write arrays whose indices are block to user), auto (default: what the writer or "
    "the\n"
    "                     shapes say; rows where both would do)\n";

static const char help_options[] =
    "  --out FILE         precoder file; grows as FILE.part and gets its name when it is whole\n"
    "  --upsilon X        pzf, ppzf: share of the large-scale gain the strong users hold, 0 to 1 (default 0.95)\n"
    "  --gap X            ob: stop within this fraction of the bound, 1e-6 to 0.5 (default 0.01)\n"
    "  --an NAME          artificial noise, into /an; data has the rest of the power, its SINRs leave the noise out\n"
    "                     none        (default)\n"
    "                     nullspace   each AP in the null space of its strong users' estimates (--upsilon). APs draw a "
    "new\n"
    "                                 vector for every symbol: /an is one draw as an example\n"
    "                     phase-only  one vector over all antennas, of equal power at those of an AP, nulled at every\n"
    "                                 user; zeros in a subband where no such phases were found\n"
    "  --an-share X       share of each AP's power for the noise, 0 to 0.99 (default 0.2)\n"
    "  --seed N           of the noise (default 1)\n"
    "  --blocks A:B       blocks A to B-1 only, as Python counts; either may be left out\n"
    "  --threads N        1 to 256 (default: one per core); the precoders do not depend on it\n"
    "  --force            overwrite FILE\n"
    "  --quiet            no progress, no table\n"
    "  --help             this text\n"
    "\n"
    "Ctrl-C (or SIGTERM) ends FILE.part after the last finished block, keeps it and says so: it is a readable "
    "precoder\n"
    "file with fewer blocks. After kill -9 it reads with h5py.File(name, \"r\", swmr=True). The next start overwrites "
    "it.\n";

/* "equal_received for zf, ..." */
static void write_what_equal_is(FILE *out)
{
    const char *before = "";
    for (int p = 1; p < MIMO_N_POWERS; p++) {
        const char *between = "";
        for (int s = 0; s < MIMO_N_SCHEMES; s++) {
            if (mimo_power_meant(s, false, MIMO_POWER_EQUAL) == (enum mimo_power)p) {
                if (!*between) {
                    fprintf(out, "%s%s for", before, mimo_power_name(p));
                    before = ", ";
                }
                fprintf(out, "%s %s", between, mimo_scheme_name(s));
                between = " and";
            }
        }
    }
    fputc('\n', out);
}

/* The schemes and power rules are those of the table (base/schemes.h). */
static void write_help(FILE *out)
{
    static const char *const powers[] = {
#define ABOUT_POWER(id, name, number, about) about,
        MIMO_POWER_MAP(ABOUT_POWER)
#undef ABOUT_POWER
    };
    fputs(help_usage, out);
    for (int s = 0; s < MIMO_N_SCHEMES; s++) {
        fprintf(out, "  %-18s %-7s %s\n", s ? "" : "--scheme NAME", mimo_scheme_name(s), mimo_scheme_row(s)->about);
    }
    for (int p = 0; p < MIMO_N_POWERS; p++) {
        fprintf(out, "  %-18s %-14s %s%s\n", p ? "" : "--power NAME", mimo_power_name(p), powers[p],
                p == MIMO_POWER_MAXMIN ? " (default)" : "");
        if (p == MIMO_POWER_EQUAL) {
            fprintf(out, "  %-18s %-14s ", "", "");
            write_what_equal_is(out);
        }
    }
    fputs(help_options, out);
}

enum { MAX_THREADS = 256, JOBS_PER_THREAD = 4, BATCH_BYTES = 1 << 26 };
static const uint64_t FLUSH_PERIOD_NS = 500000000u;

struct precode_options {
    const char *channel, *layout, *scheme, *out, *power, *upsilon, *gap, *an, *an_share, *seed, *blocks, *threads;
    bool force, quiet;
    bool *owns_part; /* shared with the parent, see tidy_up */
    struct precode_job job;
    enum channel_layout order;
    int n_threads;
    uint64_t first, end; /* end UINT64_MAX = all */
};

struct precode {
    const struct precode_options *options;
    const struct channel_file_info *info;
    uint64_t first, end;
    int room;
    channel_file_t *input;
    struct channel_batch *batch;
    precode_workers_t *workers;
    struct precode_result *result;
    precode_summary_t *summary;
    precoder_file_t *output;
    uint64_t done; /* blocks written */
};

/* Command line ---------------------------------------------------------------------------------------------------- */

static bool take_number(const char *text, double least, double most, double *value)
{
    char *end = NULL;
    if (!text) {
        return true;
    }
    *value = strtod(text, &end);
    return end != text && *end == '\0' && *value >= least && *value <= most;
}

/* Digits only; empty leaves the value. */
static bool take_block(const char *text, size_t n, uint64_t *value)
{
    if (n == 0) {
        return true;
    }
    if (n > 18 || strspn(text, "0123456789") < n) {
        return false;
    }
    *value = strtoull(text, NULL, 10);
    return true;
}

static bool take_blocks(struct precode_options *o)
{
    o->first = 0;
    o->end = UINT64_MAX;
    if (!o->blocks) {
        return true;
    }
    const char *const colon = strchr(o->blocks, ':');
    return colon && take_block(o->blocks, (size_t)(colon - o->blocks), &o->first) &&
           take_block(colon + 1, strlen(colon + 1), &o->end) && o->first < o->end;
}

static const char *const layouts[CHANNEL_N_LAYOUTS] = {"auto", "rows", "columns"};

static bool take_layout(struct precode_options *o)
{
    while (o->layout && o->order < CHANNEL_N_LAYOUTS && strcmp(o->layout, layouts[o->order]) != 0) {
        o->order++;
    }
    return o->order < CHANNEL_N_LAYOUTS;
}

static int check_noise(struct precode_options *o)
{
    struct precode_noise_settings *const noise = &o->job.noise;
    *noise = (struct precode_noise_settings){PRECODE_AN_NONE, 0.2, o->job.settings.upsilon, 1};
    while (o->an && noise->an < PRECODE_AN_PHASE_ONLY && strcmp(o->an, precode_an_name(noise->an)) != 0) {
        noise->an++;
    }
    if (o->an && strcmp(o->an, precode_an_name(noise->an)) != 0) {
        return tool_usage_error("precode", "--an %s is unknown; allowed are none, nullspace, phase-only", o->an);
    }
    if ((o->an_share || o->seed) && noise->an == PRECODE_AN_NONE) {
        return tool_usage_error("precode", "%s needs --an nullspace or --an phase-only",
                                o->an_share ? "--an-share" : "--seed");
    }
    if (!take_number(o->an_share, 0, 0.99, &noise->share)) {
        return tool_usage_error("precode", "--an-share %s; allowed are numbers 0 to 0.99", o->an_share);
    }
    if (o->seed && (!*o->seed || !take_block(o->seed, strlen(o->seed), &noise->seed))) {
        return tool_usage_error("precode", "--seed %s; allowed are whole numbers of up to 18 digits", o->seed);
    }
    return 0;
}

static int check(struct precode_options *o)
{
    char list[256];
    const int scheme = o->scheme ? mimo_scheme_find(o->scheme) : -1;
    const int power = mimo_power_find(o->power ? o->power : mimo_power_name(MIMO_POWER_MAXMIN));
    double threads = (double)sysconf(_SC_NPROCESSORS_ONLN);
    if (!o->channel || !o->scheme || !o->out) {
        return tool_usage_error("precode", "%s is missing",
                                !o->channel  ? "--channel FILE"
                                : !o->scheme ? "--scheme NAME"
                                             : "--out FILE");
    }
    if (scheme < 0) {
        return tool_usage_error("precode", "--scheme %s is unknown; allowed are %s", o->scheme,
                                mimo_scheme_list(list, sizeof list));
    }
    precoder_settings_default(&o->job.settings);
    o->job.scheme = (enum mimo_scheme)scheme;
    if (!mimo_scheme_allows(scheme, power)) {
        return tool_usage_error("precode", "--power %s does not go with --scheme %s; allowed are %s", o->power,
                                o->scheme, mimo_power_list(scheme, list, sizeof list));
    }
    o->job.power = mimo_power_meant(scheme, false, (enum mimo_power)power);
    if (!take_number(o->upsilon, 0, 1, &o->job.settings.upsilon)) {
        return tool_usage_error("precode", "--upsilon %s; allowed are numbers 0 to 1", o->upsilon);
    }
    if (!take_number(o->gap, 1e-6, 0.5, &o->job.settings.ob_tolerance)) {
        return tool_usage_error("precode", "--gap %s; allowed are numbers 1e-6 to 0.5", o->gap);
    }
    if (!take_number(o->threads, 1, MAX_THREADS, &threads) || (double)(int)threads != threads) {
        return tool_usage_error("precode", "--threads %s; allowed are whole numbers 1 to %d", o->threads, MAX_THREADS);
    }
    o->n_threads = threads < 1 ? 1 : threads > MAX_THREADS ? MAX_THREADS : (int)threads;
    if (!take_layout(o)) {
        return tool_usage_error("precode", "--layout %s is unknown; allowed are auto, rows, columns", o->layout);
    }
    if (!take_blocks(o)) {
        return tool_usage_error("precode", "--blocks %s; allowed is A:B with A < B, e.g. 0:100", o->blocks);
    }
    return check_noise(o);
}

/* 0 go on, 1 help was asked for, TOOL_USAGE wrong. */
static int parse(struct precode_options *o, int argc, char **argv)
{
    const struct {
        const char *name;
        const char **value;
    } values[] = {{"--channel", &o->channel}, {"--layout", &o->layout}, {"--scheme", &o->scheme},
                  {"--out", &o->out},         {"--power", &o->power},   {"--upsilon", &o->upsilon},
                  {"--gap", &o->gap},         {"--an", &o->an},         {"--an-share", &o->an_share},
                  {"--seed", &o->seed},       {"--blocks", &o->blocks}, {"--threads", &o->threads}};
    for (int i = 1; i < argc; i++) {
        size_t v = 0;
        if (strcmp(argv[i], "--help") == 0) {
            return 1;
        }
        if (strcmp(argv[i], "--force") == 0 || strcmp(argv[i], "--quiet") == 0) {
            *(argv[i][2] == 'f' ? &o->force : &o->quiet) = true;
            continue;
        }
        while (v < sizeof values / sizeof values[0] && strcmp(argv[i], values[v].name) != 0) {
            v++;
        }
        if (v == sizeof values / sizeof values[0]) {
            return tool_usage_error("precode", "unknown argument %s", argv[i]);
        }
        if (i + 1 == argc) {
            return tool_usage_error("precode", "%s needs a value", argv[i]);
        }
        *values[v].value = argv[++i];
    }
    return check(o);
}

/* The job --------------------------------------------------------------------------------------------------------- */

static int check_scheme(const struct precode *p)
{
    const struct mimo_shape s = p->info->shape;
    if (mimo_scheme_check_antennas((int)p->options->job.scheme, s.n_ap, s.n_ant, s.n_ue) < 0) {
        return error_set(TUTTI_EINVAL, "%s: scheme %s", p->info->path, error_text());
    }
    if (p->options->job.noise.an == PRECODE_AN_PHASE_ONLY && s.n_ap * s.n_ant < 2) {
        return error_set(TUTTI_EINVAL, "%s: --an phase-only needs at least two antennas in all; /H_hat has one",
                         p->info->path);
    }
    return 0;
}

static int choose_blocks(struct precode *p)
{
    const struct precode_options *const o = p->options;
    p->first = o->first;
    p->end = o->end == UINT64_MAX ? p->info->n_block : o->end;
    if (p->first < p->end && p->end <= p->info->n_block) {
        return 0;
    }
    return error_set(TUTTI_EINVAL, "%s: --blocks %s; the file has blocks 0:%" PRIu64, p->info->path, o->blocks,
                     p->info->n_block);
}

/* Enough blocks at a time to keep all threads busy, within a memory that does not depend on the file's length. */
static int choose_room(const struct precode *p)
{
    const struct mimo_shape s = p->info->shape;
    const size_t block_bytes =
        (size_t)p->info->n_sb * (size_t)(s.n_ap * s.n_ant) * (size_t)s.n_ue * 3 * sizeof(tutti_cf32);
    size_t room = (size_t)(JOBS_PER_THREAD * p->options->n_threads - 1) / (size_t)p->info->n_sb + 1;
    if (room > BATCH_BYTES / block_bytes) {
        room = BATCH_BYTES / block_bytes;
    }
    if (room > p->end - p->first) {
        room = (size_t)(p->end - p->first);
    }
    return room > 0 ? (int)room : 1;
}

static int prepare(struct precode *p)
{
    const struct precode_options *const o = p->options;
    char settings[512];
    int status = rt_stop_install();
    if (status >= 0) {
        status = channel_file_open(&p->input, o->channel, o->order);
    }
    if (status < 0) {
        return status;
    }
    p->info = channel_file_info(p->input);
    if (p->info->columns && !o->quiet) {
        fprintf(stderr, "%s: dimensions in reverse order, as MATLAB, Octave and Julia write them\n", o->channel);
    }
    status = check_scheme(p);
    if (status >= 0) {
        status = choose_blocks(p);
    }
    if (status < 0) {
        return status;
    }
    const struct precode_noise_settings *const noise = &o->job.noise;
    const int n = snprintf(settings, sizeof settings, "scheme: %s\npower: %s\nupsilon: %.9g\ngap: %.9g\nan: %s\n",
                           o->scheme, mimo_power_name((int)o->job.power), o->job.settings.upsilon,
                           o->job.settings.ob_tolerance, precode_an_name(noise->an));
    if (noise->an != PRECODE_AN_NONE) {
        snprintf(settings + n, sizeof settings - (size_t)n, "an_share: %.9g\nseed: %" PRIu64 "\n", noise->share,
                 noise->seed);
    }
    const struct precoder_file_info info = {.shape = p->info->shape,
                                            .n_sb = p->info->n_sb,
                                            .scheme = (int)o->job.scheme,
                                            .first_block = p->first,
                                            .has_truth = p->info->has_truth,
                                            .settings = settings,
                                            .owns_part = o->owns_part};
    status = precoder_file_create(&p->output, o->out, o->channel, o->force, &info);
    p->room = choose_room(p);
    if (status >= 0) {
        status = channel_batch_create(&p->batch, p->info, p->room);
    }
    if (status >= 0) {
        status = precode_result_create(&p->result, p->info, p->room);
    }
    if (status >= 0) {
        status = precode_workers_create(&p->workers, p->info, &o->job, o->n_threads);
    }
    p->summary = precode_summary_create();
    return status >= 0 && !p->summary ? error_set(TUTTI_ENOMEM, "no memory for the table") : status;
}

static int next_batch(const struct precode *p, uint64_t block)
{
    return p->end - block < (uint64_t)p->room ? (int)(p->end - block) : p->room;
}

/* All values are looked at before hours are spent on the first of them. */
static int check_values(struct precode *p)
{
    struct bar bar;
    int status = 0;
    bar_begin(&bar, "checking", "blocks", p->end - p->first, p->options->quiet || !isatty(STDERR_FILENO));
    for (uint64_t block = p->first; block < p->end && status >= 0; block += (uint64_t)p->room) {
        bar_update(&bar, block - p->first);
        status = channel_file_read(p->input, block, next_batch(p, block), p->batch);
        if (status >= 0 && rt_stop_requested()) {
            status = TUTTI_ESTOPPED;
        }
    }
    bar_end(&bar);
    return status;
}

static int write_blocks(struct precode *p, int n)
{
    const size_t s = (size_t)p->info->n_sb, k = (size_t)p->info->shape.n_ue;
    const size_t one = s * (size_t)p->info->shape.n_ap * (size_t)p->info->shape.n_ant * k;
    const struct precode_result *const r = p->result;
    for (size_t i = 0; i < (size_t)n; i++) {
        const struct precoder_file_row row = {.W = r->W + i * one,
                                              .sinr_predicted = r->sinr + i * s * k,
                                              .sinr_true = r->sinr_true ? r->sinr_true + i * s * k : NULL,
                                              .sinr_bound = r->bound + i * s,
                                              .solve_time_s = r->solve_time_s + i * s,
                                              .reason = r->reason + i * s,
                                              .an = r->an + i * (one / k)};
        const int status = precoder_file_write(p->output, &row);
        if (status < 0) {
            return status;
        }
    }
    p->done += (uint64_t)n;
    precode_summary_add(p->summary, p->info, r, n);
    return 0;
}

static int solve_values(struct precode *p)
{
    struct bar bar;
    int status = 0;
    uint64_t next_flush_ns = clock_mono_ns() + FLUSH_PERIOD_NS;
    bar_begin(&bar, "solving", "blocks", p->end - p->first, p->options->quiet);
    while (p->first + p->done < p->end && status >= 0) {
        const uint64_t block = p->first + p->done;
        const int n = next_batch(p, block);
        bar_update(&bar, p->done);
        status = channel_file_read(p->input, block, n, p->batch);
        if (status >= 0) {
            status = precode_workers_run(p->workers, block, p->batch, p->result);
        }
        if (status >= 0) {
            status = write_blocks(p, n);
        }
        if (status >= 0 && clock_mono_ns() >= next_flush_ns) {
            status = precoder_file_flush(p->output);
            next_flush_ns = clock_mono_ns() + FLUSH_PERIOD_NS;
        }
    }
    if (status >= 0) {
        bar_update(&bar, p->done);
    }
    bar_end(&bar);
    return status;
}

static int interrupted(struct precode *p)
{
    const char *const part = p->done ? precoder_file_keep(p->output) : NULL;
    if (p->done && !part) {
        return tool_fault("precode");
    }
    if (part) {
        fprintf(stderr,
                "tutti precode: interrupted; %s is kept and readable, with %" PRIu64 " of %" PRIu64 " blocks (%" PRIu64
                ":%" PRIu64 ")\n",
                part, p->done, p->end - p->first, p->first, p->first + p->done);
    } else {
        fputs("tutti precode: interrupted before the first block was finished; nothing is kept\n", stderr);
    }
    return TOOL_FAILED;
}

/* Nobody computes precoders for this on purpose. */
static const double HOPELESS_DB = -50;

static int finish(struct precode *p)
{
    char blocks[64];
    if (precoder_file_commit(p->output) < 0) {
        return tool_fault("precode");
    }
    const double mean_db = precode_summary_mean_db(p->summary);
    if (mean_db < HOPELESS_DB) {
        fprintf(
            stderr,
            "tutti precode: hint: the worst user's predicted SINR is %.0f dB in the mean. Is /H_hat in raw path gains? "
            "It must be in units of the receiver's noise: noise of variance 1, and an AP's power ap_power (1). "
            "Multiply it by sqrt(transmit power / noise power), and /error_variance by the square of that\n",
            mean_db);
    }
    if (p->options->quiet) {
        return TOOL_OK;
    }
    snprintf(blocks, sizeof blocks, "%" PRIu64 ":%" PRIu64, p->first, p->end);
    precode_summary_print(p->summary, p->info, &p->options->job, p->done, blocks);
    return TOOL_OK;
}

static int precode(void *context)
{
    struct precode p = {.options = context};
    int status = prepare(&p);
    if (status >= 0) {
        status = check_values(&p);
    }
    if (status >= 0) {
        status = solve_values(&p);
    }
    const int result = status >= 0 ? finish(&p) : status == TUTTI_ESTOPPED ? interrupted(&p) : tool_fault("precode");
    const bool disk_failed = precoder_file_failed(p.output);
    precode_workers_destroy(p.workers);
    precode_summary_destroy(p.summary);
    precode_result_destroy(p.result);
    channel_batch_destroy(p.batch);
    precoder_file_destroy(p.output);
    channel_file_close(p.input);
    if (disk_failed) {
        fflush(NULL);
        _exit(result); /* past HDF5's exit handler, which follows freed memory after a failed close */
    }
    return result;
}

/* The child crashed and could not remove what it was writing. */
static void tidy_up(void *context)
{
    const struct precode_options *const o = context;
    char part[PATH_MAX];
    if (*o->owns_part && snprintf(part, sizeof part, "%s.part", o->out) < PATH_MAX) {
        unlink(part);
    }
}

int tool_precode(int argc, char **argv)
{
    struct precode_options options = {0};
    const int parsed = parse(&options, argc, argv);
    if (parsed == 1) {
        write_help(stdout);
        return TOOL_OK;
    }
    if (parsed) {
        return parsed;
    }
    if (file_kind_check(options.channel) < 0) {
        return tool_fault("precode");
    }
    options.owns_part =
        mmap(NULL, sizeof *options.owns_part, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (options.owns_part == MAP_FAILED) {
        error_set(TUTTI_ENOMEM, "no memory: %s", strerror(errno));
        return tool_fault("precode");
    }
    return contained_run(&(struct contained){
        .command = "precode", .path = options.channel, .body = precode, .crashed = tidy_up, .context = &options});
}
