/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tutti-ue: the user daemon. This loop is its table of contents. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/log.h"
#include "base/rt.h"
#include "ue_node/ue.h"

static int run(struct ue *ue)
{
    slot_send_pilots(ue, ue->at.block);
    while (!rt_stop_requested()) {
        if (ue->at.symbol == 0) {
            ue->counters.blocks++;
            slot_send_pilots(ue, ue->at.block + 1);
        }
        const int status = slot_receive(ue);
        if (status < 0)
            return status;
        if (ue->frame.letter[ue->at.symbol] == 'D')
            slot_capture_downlink(ue);
        cursor_advance(&ue->at);
    }
    return TUTTI_ESTOPPED;
}

static void usage(void)
{
    puts("Usage: tutti-ue --config NET.yaml --id N [--set KEY=VALUE]... [--log LEVEL]\n"
         "The user daemon: sends pilots, receives its stream, reports SINR, EVM, BER and BLER over the lab link.\n"
         "  --config FILE     network file (see `tutti config show --defaults`)\n"
         "  --id N            which user of the network this is, from 0\n"
         "  --set KEY=VALUE   override a key of the file\n"
         "  --log LEVEL       error, warning, info or debug\n"
         "  --version         print the version");
}

static int parse(int argc, char **argv, struct config_options *options, int *id)
{
    for (int i = 1; i < argc;) {
        const int taken = config_options_take(options, argc, argv, &i);
        if (taken < 0)
            return taken;
        if (taken)
            continue;
        if (strcmp(argv[i], "--id") == 0 && i + 1 < argc) {
            char *end;
            *id = (int)strtol(argv[i + 1], &end, 10);
            if (*end || end == argv[i + 1])
                return error_set(TUTTI_EINVAL, "--id: '%s' is not a number", argv[i + 1]);
            i += 2;
        } else {
            return error_set(TUTTI_EINVAL, "unknown argument '%s' (see --help)", argv[i]);
        }
    }
    return options->path ? TUTTI_OK : error_set(TUTTI_EINVAL, "--config is missing (see --help)");
}

static int fail(void)
{
    fprintf(stderr, "tutti-ue: %s\n", error_text());
    return EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--help") == 0)
        return usage(), EXIT_SUCCESS;
    if (argc == 2 && strcmp(argv[1], "--version") == 0)
        return puts("tutti-ue " TUTTI_VERSION), EXIT_SUCCESS;
    struct config_options options = {0};
    int id = -1;
    if (parse(argc, argv, &options, &id) < 0)
        return fail();
    struct config *config = NULL;
    if (config_load(&config, options.path, options.overrides, options.n_overrides) < 0)
        return fail();
    if (id < 0 || id >= config->network.n_ue) {
        error_set(TUTTI_EINVAL, "--id %d: this network has users 0 to %d", id, config->network.n_ue - 1);
        config_free(config);
        return fail();
    }
    static struct ue ue; /* zeroed: ue_destroy handles any stage */
    int status = rt_stop_install();
    if (status >= 0)
        status = ue_create(&ue, config, id);
    if (status >= 0)
        status = run(&ue);
    if (status == TUTTI_ESTOPPED || rt_stop_requested())
        status = TUTTI_OK;
    if (status < 0)
        fail();
    ue_print_counters(&ue);
    ue_destroy(&ue);
    config_free(config);
    return status < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
