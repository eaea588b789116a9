/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tutti-ap: the access-point daemon. This loop is its table of contents. */
#include "ap_node/ap.h"
#include "base/error.h"
#include "base/log.h"
#include "base/rt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Blocks after which every buffer and library has been used once; from here on the slot path must not allocate. */
enum { WARM_UP_BLOCKS = 3 };

static int run(struct ap *ap)
{
    while (!rt_stop_requested()) {
        const int status = slot_receive(ap);
        if (status < 0) {
            return status;
        }
        if (ap->at.symbol == 0) {
            slot_prepare(ap);
        }
        switch (ap->frame.letter[ap->at.symbol]) {
        case 'P':
            slot_capture_pilot(ap);
            break;
        case 'G':
            slot_measure_noise(ap);
            break;
        default: /* B, U, D, C and the tail: nothing for this AP to receive */
            break;
        }
        if (slot_must_decide(ap)) {
            slot_transmit(ap);
        }
        cursor_advance(&ap->at);
        if (ap->counters.blocks == WARM_UP_BLOCKS && !rt_hot()) {
            rt_hot_enter();
        }
    }
    return TUTTI_ESTOPPED;
}

static void usage(void)
{
    puts("Usage: tutti-ap --config NET.yaml --id N [--set KEY=VALUE]... [--log LEVEL]\n"
         "The access-point daemon: captures pilots, reports channel estimates to the CPU node, transmits precoded "
         "slots.\n"
         "  --config FILE     network file (see `tutti config show --defaults`)\n"
         "  --id N            which AP of the network this is, from 0\n"
         "  --set KEY=VALUE   override a key of the file, e.g. --set radio.ap.args=addr=192.168.10.2\n"
         "  --log LEVEL       error, warning, info or debug\n"
         "  --version         print the version");
}

static int parse(int argc, char **argv, struct config_options *options, int *id)
{
    for (int i = 1; i < argc;) {
        const int taken = config_options_take(options, argc, argv, &i);
        if (taken < 0) {
            return taken;
        }
        if (taken) {
            continue;
        }
        if (strcmp(argv[i], "--id") == 0 && i + 1 < argc) {
            char *end;
            *id = (int)strtol(argv[i + 1], &end, 10);
            if (*end || end == argv[i + 1]) {
                return error_set(TUTTI_EINVAL, "--id: '%s' is not a number", argv[i + 1]);
            }
            i += 2;
        } else {
            return error_set(TUTTI_EINVAL, "unknown argument '%s' (see --help)", argv[i]);
        }
    }
    return options->path ? TUTTI_OK : error_set(TUTTI_EINVAL, "--config is missing (see --help)");
}

static int fail(void)
{
    fprintf(stderr, "tutti-ap: %s\n", error_text());
    return EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        return usage(), EXIT_SUCCESS;
    }
    if (argc == 2 && strcmp(argv[1], "--version") == 0) {
        return puts("tutti-ap " TUTTI_VERSION), EXIT_SUCCESS;
    }
    struct config_options options = {0};
    int id = -1;
    if (parse(argc, argv, &options, &id) < 0) {
        return fail();
    }
    struct config *config = NULL;
    if (config_load(&config, options.path, options.overrides, options.n_overrides) < 0) {
        return fail();
    }
    if (id < 0 || id >= config->network.n_ap) {
        error_set(TUTTI_EINVAL, "--id %d: this network has APs 0 to %d", id, config->network.n_ap - 1);
        config_free(config);
        return fail();
    }
    static struct ap ap; /* zeroed: ap_destroy handles any stage */
    int status = rt_stop_install();
    if (status >= 0) {
        status = ap_create(&ap, config, id);
    }
    if (status >= 0) {
        status = run(&ap);
    }
    rt_hot_leave();
    if (status == TUTTI_ESTOPPED || rt_stop_requested()) {
        status = TUTTI_OK;
    }
    if (status < 0) {
        fail();
    }
    link_stop(&ap);
    ap_print_counters(&ap);
    ap_destroy(&ap);
    config_free(config);
    return status < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
