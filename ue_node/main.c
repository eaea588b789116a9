/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tutti-ue: the user daemon, or an eavesdropper. This loop is its table of contents. */
#include "base/error.h"
#include "base/log.h"
#include "base/rt.h"
#include "ue_node/ue.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int run(struct ue *ue)
{
    slot_send_pilots(ue, ue->at.block);
    while (!rt_stop_requested()) {
        if (ue->at.symbol == 0) {
            ue->counters.blocks++;
            slot_send_pilots(ue, ue->at.block + 1);
        }
        const int status = slot_receive(ue);
        if (status < 0) {
            return status;
        }
        if (ue->frame.letter[ue->at.symbol] == 'D') {
            slot_capture_downlink(ue);
        }
        cursor_advance(&ue->at);
    }
    return TUTTI_ESTOPPED;
}

static void usage(void)
{
    puts("Usage: tutti-ue --config NET.yaml [--role user|eve] --id N [--set KEY=VALUE]... [--log LEVEL]\n"
         "The user daemon: sends pilots, receives its stream, reports SINR, EVM, BER and BLER over the lab link.\n"
         "As an eavesdropper: listens to every user's stream with eve.n_ant antennas; with eve.attack: pilot it also\n"
         "sends the target user's pilot.\n"
         "  --config FILE     network file (see `tutti config show --defaults`)\n"
         "  --role ROLE       user (the default) or eve\n"
         "  --id N            which user, or which eavesdropper, of the network this is, from 0\n"
         "  --set KEY=VALUE   override a key of the file\n"
         "  --log LEVEL       error, warning, info or debug\n"
         "  --version         print the version");
}

static int parse(int argc, char **argv, struct config_options *options, enum ue_role *role, int *id)
{
    for (int i = 1; i < argc;) {
        const int taken = config_options_take(options, argc, argv, &i);
        if (taken < 0) {
            return taken;
        }
        if (taken) {
            continue;
        }
        if (strcmp(argv[i], "--role") == 0 && i + 1 < argc) {
            const bool eve = strcmp(argv[i + 1], "eve") == 0;
            if (!eve && strcmp(argv[i + 1], "user") != 0) {
                return error_set(TUTTI_EINVAL, "--role: '%s' found, user or eve expected", argv[i + 1]);
            }
            *role = eve ? UE_EVE : UE_USER;
            i += 2;
        } else if (strcmp(argv[i], "--id") == 0 && i + 1 < argc) {
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

static int check_id(const struct config *config, enum ue_role role, int id)
{
    const bool eve = role == UE_EVE;
    const int n = eve ? config->network.n_eve : config->network.n_ue;
    if (id >= 0 && id < n) {
        return TUTTI_OK;
    }
    return n == 0 ? error_set(TUTTI_EINVAL, "--role eve: this network has no eavesdroppers (network.n_eve: 0)")
                  : error_set(TUTTI_EINVAL, "--id %d: this network has %s 0 to %d", id, eve ? "eavesdroppers" : "users",
                              n - 1);
}

static int fail(void)
{
    fprintf(stderr, "tutti-ue: %s\n", error_text());
    return EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        return usage(), EXIT_SUCCESS;
    }
    if (argc == 2 && strcmp(argv[1], "--version") == 0) {
        return puts("tutti-ue " TUTTI_VERSION), EXIT_SUCCESS;
    }
    struct config_options options = {0};
    enum ue_role role = UE_USER;
    int id = -1;
    if (parse(argc, argv, &options, &role, &id) < 0) {
        return fail();
    }
    struct config *config = NULL;
    if (config_load(&config, options.path, options.overrides, options.n_overrides) < 0) {
        return fail();
    }
    if (check_id(config, role, id) < 0) {
        config_free(config);
        return fail();
    }
    static struct ue ue; /* zeroed: ue_destroy handles any stage */
    int status = rt_stop_install();
    if (status >= 0) {
        status = ue_create(&ue, config, role, id);
    }
    if (status >= 0) {
        status = run(&ue);
    }
    if (status == TUTTI_ESTOPPED || rt_stop_requested()) {
        status = TUTTI_OK;
    }
    if (status < 0) {
        fail();
    }
    report_stop(&ue);
    ue_print_counters(&ue);
    ue_destroy(&ue);
    config_free(config);
    return status < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
