/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tutti run: a whole network on this machine from one configuration. */
#include "base/clock.h"
#include "base/error.h"
#include "base/rt.h"
#include "tools/contained.h"
#include "tools/report/clusters.h"
#include "tools/report/eve.h"
#include "tools/report/parts.h"
#include "tools/report/recovery.h"
#include "tools/report/report.h"
#include "tools/report/schedule.h"
#include "tools/report/sensing.h"
#include "tools/report/uplink.h"
#include "tools/results/join.h"
#include "tools/run/children.h"
#include "tools/run/host.h"
#include "tools/run/progress.h"
#include "tools/run/run_directory.h"
#include "tools/tool.h"
#include "tools/words.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char help[] =
    "Usage: tutti run [--config] FILE [options]\n"
    "\n"
    "Starts a whole network on this machine (emulated medium, CPU node, access points, users), shows its progress,\n"
    "stops it and reports.\n"
    "\n"
    "  --config FILE      network file (YAML); see `tutti config show --defaults`\n"
    "  --set KEY=VALUE    override one key, e.g. --set network.n_blocks=100 (repeatable)\n"
    "  --out DIR          directory of the run (default: ./run-<name>-<UTC time>)\n"
    "  --force            overwrite a recording that is already there\n"
    "  --check            exit 1 unless every block has its precoder and every user's report without a wrong code "
    "block\n"
    "                     (of the blocks the user was served in)\n"
    "  --keep-going       go on when a process dies (to restart nodes by hand)\n"
    "  --start-limit S    end when no block was solved so many seconds after the start (default: 60 and half a second\n"
    "                     per node; 0: wait for ever)\n"
    "  --without NODES    do not start these (eve0,ue1): somebody else takes their places, `tutti gate` or another "
    "host\n"
    "  --dashboard        show the network as a live page meanwhile; its address is printed\n"
    "  --listen ADDRESS   where the page is served (default 127.0.0.1:8080; port 0: any free one)\n"
    "  --no-report        do not write report.html\n"
    "  --quiet            no progress, no tables\n"
    "  --help             this text\n"
    "\n"
    "The programs are looked for in $TUTTI_BIN_DIR, beside this program and on PATH. Restart a node of a running "
    "network\n"
    "with e.g. `tutti-ap --config DIR/config.yaml --id 2`. Ctrl-C stops the network and reports what there is.\n";

struct run_options {
    struct config_options common;
    const char *out;
    double start_limit_s; /* negative: the default */
    const char *listen, *without;
    bool force, check, keep_going, dashboard, no_report, quiet;
};

struct run {
    const struct run_options *options;
    struct run_directory *directory;
    children_t *children;
    progress_t *progress;
    bool failed;
    uint64_t start_ns;
    uint64_t looked_ns;    /* when messages and ended children were last looked for */
    uint64_t cpu_ended_ns; /* 0 while the CPU node has not ended the run */
};

/* A node may leave just before the CPU node is seen to have ended the run; one that had been gone for this long when
 * that was last looked for has left by itself. */
static const uint64_t leave_grace_ns = 3000000000u;
/* How long nodes may take to stop after the CPU node has ended the run. */
static const uint64_t stop_grace_ns = 10000000000u;

/* Command line --------------------------------------------------------------------------------------------------- */

static int take_limit(void *context, const char *value)
{
    struct run_options *const options = context;
    char *end;
    options->start_limit_s = strtod(value, &end);
    return end != value && !*end && options->start_limit_s >= 0
               ? 0
               : tool_usage_error("run", "--start-limit needs a number of seconds");
}

/* 0, 1 after --help, or TOOL_USAGE. */
static int parse(struct run_options *o, int argc, char **argv)
{
    const struct tool_word own[] = {
        {.name = "--force", .flag = &o->force},
        {.name = "--check", .flag = &o->check},
        {.name = "--keep-going", .flag = &o->keep_going},
        {.name = "--dashboard", .flag = &o->dashboard},
        {.name = "--no-report", .flag = &o->no_report},
        {.name = "--quiet", .flag = &o->quiet},
        {.name = "--out", .text = &o->out, .needs = "a directory"},
        {.name = "--listen", .text = &o->listen, .needs = "HOST:PORT"},
        {.name = "--without", .text = &o->without, .needs = "nodes, such as eve0,ue1"},
        {.name = "--start-limit", .take = take_limit, .context = o, .needs = "a number of seconds"}};
    const struct tool_words words = {.command = "run",
                                     .help = help,
                                     .common = &o->common,
                                     .rest = &o->common.path,
                                     .word = own,
                                     .n = sizeof own / sizeof own[0]};
    const int status = tool_words_take(&words, argc, argv);
    return status || o->common.path ? status : tool_usage_error("run", "--config FILE is missing");
}

/* Starting ------------------------------------------------------------------------------------------------------- */

/* Names of --without, one after the other: the next one's length, 0 behind the last. */
static size_t next_left_out(const char **names)
{
    *names += strspn(*names, ", ");
    return strcspn(*names, ", ");
}

static bool is_left_out(const struct run *run, enum config_role role, int id)
{
    const char *name = run->options->without ? run->options->without : "";
    char own[24];
    snprintf(own, sizeof own, "%s%d", config_role_name(role), id);
    for (size_t n; (n = next_left_out(&name)) > 0; name += n) {
        if (n == strlen(own) && strncmp(name, own, n) == 0) {
            return true;
        }
    }
    return false;
}

static int check_left_out(const struct run *run)
{
    const char *name = run->options->without ? run->options->without : "";
    for (size_t n; (n = next_left_out(&name)) > 0; name += n) {
        char node[24];
        snprintf(node, sizeof node, "%.*s", (int)(n < sizeof node ? n : sizeof node - 1), name);
        if (!config_has_node(run->directory->config, node)) {
            return error_set(TUTTI_EINVAL, "--without %s: no node of this network: ap0 to ap%d, ue0, ..., eve0, ...",
                             node, run->directory->config->network.n_ap - 1);
        }
    }
    return 0;
}

static int start_node(struct run *run, enum child_kind kind, const char *program, int id)
{
    char number[16];
    snprintf(number, sizeof number, "%d", id);
    const char *const argv[] = {program, "--config", "config.yaml", "--id", number, NULL};
    return children_start(run->children, kind, id, argv);
}

static int start_eve(struct run *run, int id)
{
    char number[16];
    snprintf(number, sizeof number, "%d", id);
    const char *const argv[] = {"tutti-ue", "--config", "config.yaml", "--role", "eve", "--id", number, NULL};
    return children_start(run->children, CHILD_EVE, id, argv);
}

static int start_nodes(struct run *run)
{
    const struct config_network *network = &run->directory->config->network;
    int status = 0;
    for (int m = 0; status == 0 && m < network->n_ap; m++) {
        status = is_left_out(run, CONFIG_ROLE_AP, m) ? 0 : start_node(run, CHILD_AP, "tutti-ap", m);
    }
    for (int k = 0; status == 0 && k < network->n_ue; k++) {
        status = is_left_out(run, CONFIG_ROLE_UE, k) ? 0 : start_node(run, CHILD_UE, "tutti-ue", k);
    }
    for (int e = 0; status == 0 && e < network->n_eve; e++) {
        status = is_left_out(run, CONFIG_ROLE_EVE, e) ? 0 : start_eve(run, e);
    }
    return status;
}

/* The page's address is known when it listens. A page that cannot be shown is no fault of the network. */
static int start_page(struct run *run)
{
    static const uint64_t LOOK_EVERY_NS = 20000000u, LIMIT_NS = 10000000000u;
    const char *const listen = run->options->listen ? run->options->listen : "127.0.0.1:8080";
    const char *const argv[] = {"tutti", "dashboard", "--config", "config.yaml", "--listen", listen, NULL};
    const int status = children_start(run->children, CHILD_PAGE, -1, argv);
    const struct child *const page = children_get(run->children, children_count(run->children) - 1);
    const uint64_t until_ns = clock_mono_ns() + LIMIT_NS;
    char address[64];
    while (status == 0 && page->pid > 0 && clock_mono_ns() < until_ns) {
        if (child_word(page, "http://", address, sizeof address)) {
            printf("dashboard  %s\n", address);
            fflush(stdout);
            break;
        }
        clock_sleep_until_ns(clock_mono_ns() + LOOK_EVERY_NS);
        children_reap(run->children);
    }
    return status;
}

/* All nodes have opened their radios and wait for the CPU node, or one of them has ended. */
static bool nodes_settled(struct run *run)
{
    bool all = true;
    children_reap(run->children);
    for (int i = 0; i < children_count(run->children); i++) {
        const struct child *child = children_get(run->children, i);
        if (child->pid == 0) {
            return true;
        }
        all =
            all && (child->kind == CHILD_AIR || child->kind == CHILD_PAGE || child_has_said(child, "WAITING-FOR-CPU"));
    }
    return all;
}

/* A radio's opening takes seconds, not the same with each: the network begins when all of them are there. The emulated
 * air waits by itself. */
static void wait_for_nodes(struct run *run)
{
    static const uint64_t LOOK_EVERY_NS = 100000000u, LIMIT_NS = 45000000000u;
    const uint64_t until_ns = clock_mono_ns() + LIMIT_NS;
    while (!nodes_settled(run) && clock_mono_ns() < until_ns && !rt_stop_requested()) {
        clock_sleep_until_ns(clock_mono_ns() + LOOK_EVERY_NS);
    }
}

static int start_cpus(struct run *run)
{
    static const char *const alone[] = {"tutti-cpu", "--config", "config.yaml", NULL};
    const struct config *const config = run->directory->config;
    if (config->cpus_count == 0) {
        return children_start(run->children, CHILD_CPU, -1, alone);
    }
    int status = 0;
    for (int c = 0; status == 0 && c < config_n_cpu(config); c++) {
        status = start_node(run, CHILD_CPU, "tutti-cpu", c);
    }
    return status;
}

static int start_all(struct run *run)
{
    static const char *const air[] = {"tutti-air", "--config", "config.yaml", "--exit-when-empty", NULL};
    const bool emulated = config_has_emulated(run->directory->config);
    /* Every node is one thread of linear algebra; the solver's workers are its own. */
    setenv("OPENBLAS_NUM_THREADS", "1", 1);
    int status = 0;
    if (emulated) {
        status = children_start(run->children, CHILD_AIR, -1, air);
        status = status ? status : start_cpus(run);
        return status ? status : start_nodes(run);
    }
    status = start_nodes(run);
    if (status == 0) {
        wait_for_nodes(run);
        status = start_cpus(run);
    }
    return status;
}

/* Watching ------------------------------------------------------------------------------------------------------- */

static void report_death(struct run *run, struct child *child, const char *why)
{
    char status[128];
    progress_clear(run->progress);
    fprintf(stderr, "tutti run: %s %s: %s; its log ends (%s):\n", child->name, why,
            child_status_text(child, status, sizeof status), child->log_path);
    child_print_log_tail(child, 8);
    run->failed = run->failed || !run->options->keep_going;
    child->judged = true;
}

static void report_page_end(struct run *run, struct child *child)
{
    const bool failed = run->failed;
    report_death(run, child, "ended, the network goes on");
    run->failed = failed;
}

/* A child that has ended: as it should, or a fault of the run? */
static void judge(struct run *run, struct child *child)
{
    const bool over = run->cpu_ended_ns != 0 || progress_stop_seen(run->progress);
    if (child->kind == CHILD_PAGE) {
        report_page_end(run, child);
    } else if (!child_ended_well(child)) {
        report_death(run, child, "died");
    } else if (child->kind == CHILD_CPU) {
        run->cpu_ended_ns = child->ended_ns;
        child->judged = true;
    } else if (over) {
        child->judged = true;
    } else if (run->looked_ns > child->ended_ns + leave_grace_ns) {
        report_death(run, child, "left while the run goes on");
    }
}

/* The CPU node first, because its end explains the others'. */
static void judge_all(struct run *run)
{
    for (int pass = 0; pass < 2; pass++) {
        for (int i = 0; i < children_count(run->children); i++) {
            struct child *child = children_get(run->children, i);
            if (child->pid == 0 && !child->judged && (child->kind == CHILD_CPU) == (pass == 0)) {
                judge(run, child);
            }
        }
    }
}

static void report_stragglers(struct run *run)
{
    progress_clear(run->progress);
    for (int i = 0; i < children_count(run->children); i++) {
        const struct child *child = children_get(run->children, i);
        if (child->pid > 0) {
            fprintf(stderr, "tutti run: %s did not stop when the run ended\n", child->name);
        }
    }
    run->failed = run->failed || !run->options->keep_going;
}

static double start_limit_s(const struct run *run)
{
    const double given = run->options->start_limit_s;
    return given >= 0 ? given : 60 + 0.5 * children_count(run->children);
}

/* Nodes that cannot meet would wait for each other for ever. */
static bool has_not_started(const struct run *run)
{
    const double limit_s = start_limit_s(run);
    return limit_s > 0 && !progress_latest(run->progress)->started && !run->cpu_ended_ns &&
           (double)(clock_mono_ns() - run->start_ns) * 1e-9 > limit_s;
}

static void report_no_start(struct run *run)
{
    const struct progress_status *s = progress_latest(run->progress);
    const struct config *config = run->directory->config;
    progress_clear(run->progress);
    if (s->known) {
        fprintf(
            stderr,
            "tutti run: no block was solved in %.0f s: %d of %d access points and %d of %d users have found the CPU "
            "node (%s, %s); their logs in %s/logs say why\n",
            start_limit_s(run), s->aps_alive, config->network.n_ap, s->users_alive, config->network.n_ue,
            config->fronthaul.endpoint, config->fronthaul.lab_endpoint, run->directory->path);
    } else {
        fprintf(
            stderr,
            "tutti run: no block was solved in %.0f s, and the CPU node was not heard on %s; the logs in %s/logs say "
            "why\n",
            start_limit_s(run), config->fronthaul.lab_endpoint, run->directory->path);
    }
    run->failed = true;
}

static void watch(struct run *run)
{
    while (children_running(run->children) > 0 && !run->failed && !rt_stop_requested()) {
        run->looked_ns = clock_mono_ns(); /* whatever holds this process up behind it is nobody's fault */
        progress_wait(run->progress, children_fd(run->children), 200000);
        children_reap(run->children);
        judge_all(run);
        if (!run->failed && has_not_started(run)) {
            report_no_start(run);
            break;
        }
        if (run->cpu_ended_ns && clock_mono_ns() - run->cpu_ended_ns > stop_grace_ns &&
            children_running(run->children) > 0) {
            report_stragglers(run);
            break;
        }
    }
    judge_all(run);
    progress_clear(run->progress);
    if (children_running(run->children) > 0) {
        children_stop(run->children);
    }
}

/* Afterwards ----------------------------------------------------------------------------------------------------- */

static void print_places(const struct run *run, bool has_report, bool has_record)
{
    if (has_report) {
        printf("report     %s\n", run->directory->report_path);
    }
    if (has_record) {
        printf("recording  %s\n", run->directory->record_path);
    }
    for (int c = 1; has_record && c < config_n_cpu(run->directory->config); c++) {
        char *name = config_record_name(run->directory->config, c);
        printf("           %s/%s\n", run->directory->path, name ? name : "");
        free(name);
    }
    printf("logs       %s/logs\n", run->directory->path);
}

static int write_report(const struct run *run, const struct recording *recording, const struct summary *summary)
{
    bool has_plots = false;
    const int status =
        report_write(run->directory->report_path, run->directory->record_path, recording, summary, &has_plots);
    if (status == 0 && !has_plots) {
        fprintf(stderr,
                "tutti run: gnuplot not found or failed: the report has no plots (Debian: apt install gnuplot-nox)\n");
    }
    return status;
}

static int check(const struct run *run, const struct recording *recording)
{
    const uint64_t asked = run->directory->config->network.n_blocks;
    if (summary_check(recording, asked ? asked : recording->n_block) < 0) {
        fprintf(stderr, "tutti run: check failed: %s\n", error_text());
        return TOOL_FAILED;
    }
    if (!run->options->quiet) {
        printf("check      passed: every block has its precoder and every user's report, every code block is right\n");
    }
    return TOOL_OK;
}

/* Of several central nodes: predictions are those of all that have recorded. */
static void join_parts(const struct run *run, struct recording *recording)
{
    char **files;
    int n;
    if (recording_files(recording, run->directory->record_path, &files, &n) < 0 ||
        (n > 0 && recording_join(recording, n, (const char *const *)files) < 0)) {
        fprintf(stderr, "tutti run: predictions are those of one central node: %s\n", error_text());
    }
    recording_files_free(files, n);
}

/* In a child, as the recording may be damaged. */
static int conclude_from_recording(void *context)
{
    const struct run *const run = context;
    struct recording *recording = NULL;
    if (recording_load(&recording, run->directory->record_path) < 0) {
        fprintf(stderr, "tutti run: no results: %s\n", error_text());
        print_places(run, false, false);
        return TOOL_FAILED;
    }
    join_parts(run, recording);
    struct summary *summary = summary_create(recording);
    int status = summary ? TOOL_OK : TOOL_FAILED;
    if (summary && !run->options->quiet) {
        summary_print(summary, stdout);
        report_eve_print(recording, stdout);
        report_recovery_print(recording, stdout);
        report_schedule_print(recording, stdout);
        report_clusters_print(recording, stdout);
        report_parts_print(recording, summary, stdout);
        report_uplink_print(recording, stdout);
        report_sensing_print(recording, stdout);
        putchar('\n');
    }
    const bool wants_report = summary && !run->options->no_report;
    const int written = wants_report ? write_report(run, recording, summary) : 0;
    if (written < 0) {
        status = tool_fault("run");
    }
    print_places(run, wants_report && written == 0, true);
    if (run->options->check && status == TOOL_OK) {
        status = check(run, recording);
    }
    summary_free(summary);
    recording_free(recording);
    return run->failed ? TOOL_FAILED : status;
}

static void recording_crashed(void *context)
{
    print_places(context, false, false);
}

static int conclude(struct run *run)
{
    if (!run->directory->record_path) {
        fputs("tutti run: no results: record.file is empty\n", stderr);
        print_places(run, false, false);
        return run->failed || run->options->check ? TOOL_FAILED : TOOL_OK;
    }
    return contained_run(&(struct contained){.command = "run",
                                             .path = run->directory->record_path,
                                             .body = conclude_from_recording,
                                             .crashed = recording_crashed,
                                             .context = run});
}

static int go(struct run *run)
{
    const struct run_options *options = run->options;
    int status = run_directory_create(&run->directory, &options->common, options->out, options->force);
    status = status ? status : check_left_out(run);
    if (status == 0) {
        status = rt_stop_install();
    }
    if (status == 0) {
        const struct config_network *network = &run->directory->config->network;
        const int room = 2 + config_n_cpu(run->directory->config) + network->n_ap + network->n_ue + network->n_eve;
        status = children_create(&run->children, run->directory->path, room);
    }
    if (status == 0) {
        run_look_at_host(run->directory->config, run->directory->path);
        status = options->dashboard || options->listen ? start_page(run) : 0;
        status = status ? status : start_all(run); /* before the link's threads exist */
    }
    if (status == 0) {
        status = progress_create(&run->progress, run->directory->config, options->quiet);
    }
    if (status < 0) {
        return tool_fault("run");
    }
    watch(run);
    progress_destroy(run->progress); /* its threads must not be there when a child is made */
    run->progress = NULL;
    return conclude(run);
}

static int run_as(struct run_options *options, int argc, char **argv)
{
    const int parsed = parse(options, argc, argv);
    if (parsed != 0) {
        return parsed == 1 ? TOOL_OK : parsed;
    }
    struct run run = {.options = options, .start_ns = clock_mono_ns()};
    const int status = go(&run);
    progress_destroy(run.progress);
    if (run.children) {
        children_stop(run.children);
    }
    children_destroy(run.children);
    run_directory_destroy(run.directory);
    return status;
}

int tool_run(int argc, char **argv)
{
    struct run_options options = {.start_limit_s = -1};
    const int status = run_as(&options, argc, argv);
    config_options_free(&options.common);
    return status;
}
