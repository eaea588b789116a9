/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tutti: the tool. One file per subcommand; this one only finds it. */
#include "base/config.h"
#include "tools/complete.h"
#include "tools/tool.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct command {
    const char *name, *summary;
    int (*run)(int argc, char **argv);
} commands[] = {
    {"run", "start a whole network from one configuration, watch it, report", tool_run},
    {"watch", "the progress of a network that runs, started by hand or not", tool_watch},
    {"sweep", "a run for every combination of settings, as rows of one table", tool_sweep},
    {"config", "check a configuration, show the effective one or the defaults", tool_config},
    {"replay", "play recorded samples to the access points, solve again, compare", tool_replay},
    {"report", "write the report of a recorded run as one HTML file", tool_report},
    {"radio", "probe a USRP, check it for events, measure its lead", tool_radio},
    {"keygen", "make the key pairs of a network's nodes", tool_keygen},
    {"sync-check", "how access points stand to the network's time and phase, and what to do", tool_sync_check},
    {"calibrate", "calibrate the access points of a running network against each other", tool_calibrate},
    {"fault", "inject faults into the fronthaul of a running network", tool_fault_command},
    {"latency", "measure what a block costs on a fronthaul; check a host", tool_latency},
    {"inspect", "list what is in an HDF5 file or a recording of samples", tool_inspect},
    {"study", "compute figures of the source papers, with uncertainty and checks", tool_study},
    {"precode", "compute the precoders of a channel file offline", tool_precode},
    {"dashboard", "a running network as a live page and as metrics", tool_dashboard},
    {"doctor", "check this host: what costs a network time or samples, what makes it impossible", tool_doctor},
    {"flowgraph", "print a GNU Radio flowgraph that is the air of a network", tool_flowgraph},
    {"gate", "let a GNU Radio or srsRAN radio take a seat in the emulated air", tool_gate},
    {"isac", "plan which access points serve users and which illuminate zones", tool_isac},
    {"power", "the powers that a network file's scheme gets, with what they yield and a bound", tool_power},
};
enum { N_COMMAND = sizeof commands / sizeof commands[0] };

static void print_help(FILE *out)
{
    fputs("Usage: tutti COMMAND [options]\n\n", out);
    for (int i = 0; i < N_COMMAND; i++) {
        fprintf(out, "  %-10s %s\n", commands[i].name, commands[i].summary);
    }
    fputs("\n`tutti COMMAND --help` explains a command; `tutti --version` prints the version.\n", out);
}

/* What a command's help names, by asking it. */
static int complete_command(const struct command *command)
{
    char *text = NULL, *const argv[] = {(char *)(uintptr_t)command->name, (char *)(uintptr_t) "--help", NULL};
    size_t n;
    FILE *const terminal = stdout, *const memory = open_memstream(&text, &n);
    if (!memory) {
        return TOOL_FAILED;
    }
    stdout = memory;
    command->run(2, (char **)(uintptr_t)argv);
    stdout = terminal;
    fclose(memory);
    complete_options(text, stdout);
    free(text);
    return TOOL_OK;
}

/* For shells: packaging/tutti.bash. */
static int complete(const char *what, const char *name)
{
    int status = TOOL_USAGE;
    if (strcmp(what, "keys") == 0) {
        complete_keys(config_defaults_yaml(), stdout);
        status = TOOL_OK;
    }
    for (int i = 0; i < N_COMMAND; i++) {
        if (strcmp(what, "commands") == 0) {
            puts(commands[i].name);
            status = TOOL_OK;
        } else if (strcmp(what, "options") == 0 && strcmp(commands[i].name, name) == 0) {
            status = complete_command(&commands[i]);
        }
    }
    return tool_end("__complete", status);
}

static int run_command(const struct command *command, int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--version") == 0) {
        printf("tutti %s (tutti) %s\n", command->name, TUTTI_VERSION);
        return tool_end(command->name, TOOL_OK);
    }
    return tool_end(command->name, command->run(argc, argv));
}

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN); /* a closed pipe is an error to handle, not a death */
    if (argc < 2) {
        print_help(stderr);
        return TOOL_USAGE;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("tutti %s\n", TUTTI_VERSION);
        return tool_end("--version", TOOL_OK);
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0) {
        print_help(stdout);
        return tool_end("--help", TOOL_OK);
    }
    if (strcmp(argv[1], "__complete") == 0) {
        return complete(argc > 2 ? argv[2] : "", argc > 3 ? argv[3] : "");
    }
    for (int i = 0; i < N_COMMAND; i++) {
        if (strcmp(argv[1], commands[i].name) == 0) {
            return run_command(&commands[i], argc - 1, argv + 1);
        }
    }
    fprintf(stderr, "tutti: unknown command %s; see `tutti --help`\n", argv[1]);
    return TOOL_USAGE;
}
