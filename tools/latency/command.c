/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tutti latency: serve, probe, hosts. */
#include "base/error.h"
#include "base/rt.h"
#include "tools/latency/latency.h"
#include "tools/tool.h"

#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static const char help[] =
    "Usage: tutti latency probe [ENDPOINT] [options]   measure what a block costs on a fronthaul\n"
    "       tutti latency serve ENDPOINT [options]     the other end, on the CPU node's host\n"
    "       tutti latency compare --a OPTIONS --b OPTIONS [--repeats N] [options]   two ways in turn: do they differ?\n"
    "       tutti latency hosts                        older name of tutti doctor\n"
    "\n"
    "The probe stands for all APs of a network, each with a link of its own; at block cadence each sends its "
    "estimates,\n"
    "the server gathers those of a block and answers each AP with a precoder of the same shape. Without ENDPOINT\n"
    "(tcp://address:port or ipc://path) the probe starts its own server process on this host.\n"
    "\n"
    "  --config FILE       network file: shape, block length, encodings, budget (default: the built-in defaults)\n"
    "  --set KEY=VALUE     override one of its keys (repeatable)\n"
    "  --aps N --antennas N --users N --subbands N\n"
    "  --encoding E        cf32, sc16, bfp9 to bfp14: both ways\n"
    "  --bytes N           timing probes of so many bytes instead of estimates and precoders, answered at once\n"
    "  --interval-us X     block cadence (default: the config's block)\n"
    "  --budget-us X       from a block's due time to its precoder (default: last pilot to first downlink symbol less\n"
    "                      engine.tx_lead_us; the solver's time is part of it, so take that off)\n"
    "  --duration S        seconds to measure (default 10); --blocks N: blocks instead\n"
    "  --busy-poll-us X    look for messages so long before sleeping, both ends (default: fronthaul.busy_poll_us)\n"
    "  --transport ipc|tcp of the own server (default ipc; tcp: loopback)\n"
    "  --keys DIR          encrypt with the keys of `tutti keygen`; the same at both ends\n"
    "  --endpoint ENDPOINT as ENDPOINT\n"
    "  --json FILE --csv FILE --plot FILE.svg\n"
    "  --quiet --help\n"
    "\n"
    "A block is early, on_time or late by its precoder's arrival, counted from when the block was due; one that an "
    "AP's\n"
    "thread slept over altogether is skipped and counts as late. `compare` runs the probe with the options of --a and "
    "of\n"
    "--b in turn, --repeats times each (default 6), every run a process of its own, and prints ratios with their 95 %\n"
    "intervals: tutti latency compare --duration 5 --a '--busy-poll-us 0' --b '--busy-poll-us 300'\n";

/* Serve ------------------------------------------------------------------------------------------------------------ */

static int serve(int argc, char **argv)
{
    struct latency_options options;
    if (latency_options_parse(&options, argc, argv) < 0) {
        latency_options_free(&options);
        return tool_usage_error("latency", "%s", error_text());
    }
    int status = TOOL_OK;
    if (options.help) {
        fputs(help, stdout);
    } else if (!options.endpoint) {
        status = tool_usage_error("latency", "serve needs an ENDPOINT such as tcp://0.0.0.0:5599");
    } else {
        printf("serving %s until stopped\n", options.endpoint);
        fflush(stdout);
        if (rt_stop_install() < 0 || latency_serve(&options, options.endpoint, -1) < 0) {
            status = tool_fault("latency");
        }
    }
    latency_options_free(&options);
    return status;
}

/* Probe ------------------------------------------------------------------------------------------------------------ */

struct own_server {
    pid_t pid;
    char directory[32], endpoint[64];
};

/* A port nobody uses now. */
static int free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int port = 0;
    if (fd >= 0 && bind(fd, (const struct sockaddr *)&address, sizeof address) == 0 &&
        getsockname(fd, (struct sockaddr *)&address, &size) == 0) {
        port = ntohs(address.sin_port);
    }
    if (fd >= 0) {
        close(fd);
    }
    return port;
}

static int choose_endpoint(struct own_server *server, bool tcp)
{
    if (tcp) {
        const int port = free_port();
        snprintf(server->endpoint, sizeof server->endpoint, "tcp://127.0.0.1:%d", port);
        return port ? TUTTI_OK : error_set(TUTTI_EIO, "no free tcp port on loopback: %s", strerror(errno));
    }
    snprintf(server->directory, sizeof server->directory, "/tmp/tutti-latency-XXXXXX");
    if (!mkdtemp(server->directory)) {
        server->directory[0] = '\0';
        return error_set(TUTTI_EIO, "cannot make a directory in /tmp: %s", strerror(errno));
    }
    snprintf(server->endpoint, sizeof server->endpoint, "ipc://%s/link", server->directory);
    return TUTTI_OK;
}

static void run_own_server(const struct latency_options *options, const struct own_server *server, int ready_fd,
                           pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) {
        _exit(1);
    }
    bool failed = rt_stop_install() < 0;
    signal(SIGINT, SIG_IGN); /* Ctrl-C is the probe's, who stops us */
    failed = failed || latency_serve(options, server->endpoint, ready_fd) < 0;
    if (failed && write(ready_fd, error_text(), strlen(error_text())) < 0) {
        _exit(1);
    }
    _exit(0);
}

/* Before any thread, for only the thread that forks is in the child. */
static int start_own_server(struct own_server *server, const struct latency_options *options)
{
    int fd[2], status = choose_endpoint(server, options->tcp);
    if (status < 0) {
        return status;
    }
    if (pipe(fd)) {
        return error_set(TUTTI_EIO, "no pipe: %s", strerror(errno));
    }
    const pid_t parent = getpid();
    server->pid = fork();
    if (server->pid == 0) {
        close(fd[0]);
        run_own_server(options, server, fd[1], parent);
    }
    close(fd[1]);
    char text[256] = "";
    const ssize_t n = server->pid > 0 ? read(fd[0], text, sizeof text - 1) : -1;
    close(fd[0]);
    if (n == 1 && text[0] == 'r') {
        return TUTTI_OK;
    }
    return error_set(TUTTI_EIO, "own server: %s", n > 0 ? text : "did not start");
}

static void stop_own_server(struct own_server *server, double *cpu_s)
{
    if (server->pid > 0) {
        struct rusage usage = {0};
        kill(server->pid, SIGTERM);
        while (wait4(server->pid, NULL, 0, &usage) < 0 && errno == EINTR) {
            continue;
        }
        *cpu_s = latency_cpu_s(&usage);
    }
    if (server->directory[0]) {
        unlink(server->endpoint + strlen("ipc://"));
        rmdir(server->directory);
    }
}

static int measure(const struct latency_options *options, struct latency_result *result)
{
    struct own_server server = {0};
    int status = options->endpoint ? TUTTI_OK : start_own_server(&server, options);
    if (status == TUTTI_OK) {
        status = rt_stop_install(); /* after the fork: a stop of ours is not the server's */
    }
    if (status == TUTTI_OK) {
        status = latency_probe(options, options->endpoint ? options->endpoint : server.endpoint, result);
    }
    stop_own_server(&server, &result->server_cpu_s);
    return status;
}

static int probe(int argc, char **argv)
{
    static struct latency_result result;
    struct latency_options options;
    int status = TOOL_OK;
    if (latency_options_parse(&options, argc, argv) < 0) {
        status = tool_usage_error("latency", "%s", error_text());
    } else if (options.help) {
        fputs(help, stdout);
    } else if (measure(&options, &result) < 0) {
        status = tool_fault("latency");
    } else {
        latency_print(&options, &result);
        status = latency_write_files(&options, &result) < 0 ? tool_fault("latency") : TOOL_OK;
    }
    latency_options_free(&options);
    return status;
}

int tool_latency(int argc, char **argv)
{
    const char *const what = argc > 1 ? argv[1] : "";
    if (strcmp(what, "--help") == 0) {
        fputs(help, stdout);
        return TOOL_OK;
    }
    if (strcmp(what, "hosts") == 0) {
        return tool_doctor(argc - 1, argv + 1); /* its older name */
    }
    if (strcmp(what, "compare") == 0) {
        return latency_compare(argc - 1, argv + 1);
    }
    if (strcmp(what, "probe") == 0) {
        return probe(argc - 1, argv + 1);
    }
    if (strcmp(what, "serve") == 0) {
        return serve(argc - 1, argv + 1);
    }
    return tool_usage_error("latency", *what ? "unknown command %s" : "probe, serve, compare or hosts is missing",
                            what);
}
