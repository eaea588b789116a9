/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tutti-cpu: the central node. This loop is its table of contents. */
#include "base/error.h"
#include "base/log.h"
#include "base/rt.h"
#include "cpu_node/cpu.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int run(struct cpu *cpu)
{
    while (!rt_stop_requested() && !atomic_load(&cpu->recorder.complete)) {
        struct cpu_block *block = gather_block(cpu); /* all live APs, or the deadline */
        if (!block) {
            continue;
        }
        rt_hot_enter();
        solve_block(cpu, block);
        rt_hot_leave();
        push_block(cpu, block);
        account_block(cpu, block);
    }
    return TUTTI_OK;
}

static void usage(void)
{
    puts("Usage: tutti-cpu --config NET.yaml [--set KEY=VALUE]... [--log LEVEL]\n"
         "The central node: gathers the APs' channel estimates every block, solves, pushes precoders, records.\n"
         "Ends after network.n_blocks blocks (0 = runs until stopped) and then ends the APs and users too.\n"
         "  --config FILE     network file (see `tutti config show --defaults`)\n"
         "  --set KEY=VALUE   override a key of the file\n"
         "  --log LEVEL       error, warning, info or debug\n"
         "  --version         print the version");
}

static int parse(int argc, char **argv, struct config_options *options)
{
    for (int i = 1; i < argc;) {
        const int taken = config_options_take(options, argc, argv, &i);
        if (taken < 0) {
            return taken;
        }
        if (!taken) {
            return error_set(TUTTI_EINVAL, "unknown argument '%s' (see --help)", argv[i]);
        }
    }
    return options->path ? TUTTI_OK : error_set(TUTTI_EINVAL, "--config is missing (see --help)");
}

static int fail(void)
{
    fprintf(stderr, "tutti-cpu: %s\n", error_text());
    return EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        return usage(), EXIT_SUCCESS;
    }
    if (argc == 2 && strcmp(argv[1], "--version") == 0) {
        return puts("tutti-cpu " TUTTI_VERSION), EXIT_SUCCESS;
    }
    struct config_options options = {0};
    struct config *config = NULL;
    if (parse(argc, argv, &options) < 0 ||
        config_load(&config, options.path, options.overrides, options.n_overrides) < 0) {
        return fail();
    }
    static struct cpu cpu; /* zeroed: cpu_destroy handles any stage */
    int status = rt_stop_install();
    if (status >= 0) {
        status = cpu_create(&cpu, config);
    }
    if (status >= 0) {
        status = run(&cpu);
    }
    if (status < 0) {
        fail();
    }
    cpu_stop(&cpu);
    if (status >= 0 && files_errors(cpu.recorder.files) > 0) {
        status = error_set(TUTTI_EIO, "recording %s is incomplete: %llu writes failed", config->record.file,
                           (unsigned long long)files_errors(cpu.recorder.files));
        fail();
    }
    cpu_print_counters(&cpu);
    cpu_destroy(&cpu);
    config_free(config);
    return status < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
