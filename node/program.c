/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "node/program.h"

#include "base/error.h"
#include "base/log.h"
#include "base/rt.h"
#include "node/thread.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int fail(const struct node_program *program)
{
    log_flush(200); /* the sentence is the last line */
    fprintf(stderr, "%s: %s\n", program->name, error_text());
    return EXIT_FAILURE;
}

/* To standard output, which may be full or closed. */
static int print(const struct node_program *program, const char *text)
{
    if (puts(text) == EOF || fflush(stdout) == EOF) {
        fprintf(stderr, "%s: cannot write to standard output\n", program->name);
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}

static int live(const struct node_program *program, const struct config *config, const struct node_options *options)
{
    int status = rt_stop_install();
    if (status >= 0) {
        status = program->run(config, options);
    }
    const int failure = node_failure(); /* the cause; the loop only saw the stop */
    return failure < 0 ? failure : status == TUTTI_ESTOPPED ? TUTTI_OK : status;
}

int node_main(const struct node_program *program, int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        return print(program, program->usage);
    }
    if (argc == 2 && strcmp(argv[1], "--version") == 0) {
        char version[64];
        snprintf(version, sizeof version, "%s %s", program->name, TUTTI_VERSION);
        return print(program, version);
    }
    struct node_options options;
    struct config *config = NULL;
    int status = node_options_parse(&options, program->takes, argc, argv);
    if (status >= 0) {
        status = config_load(&config, options.config.path, options.config.overrides, options.config.n_overrides);
    }
    if (status >= 0) {
        status = live(program, config, &options);
    }
    config_free(config);
    config_options_free(&options.config);
    return status < 0 ? fail(program) : EXIT_SUCCESS;
}
