/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tutti-ue: the user daemon, or an eavesdropper. This loop is its table of contents. */
#include "base/error.h"
#include "base/rt.h"
#include "node/host/host.h"
#include "node/program.h"
#include "ue_node/ue.h"

/* Blocks after which every buffer and library has been used once; from here on the slot path must not allocate. */
enum { WARM_UP_BLOCKS = 3 };

static int loop(struct ue *ue)
{
    while (!rt_stop_requested()) {
        slot_prepare(ue);
        const int status = slot_receive(ue);
        if (status < 0) {
            return status;
        }
        slot_hear_notes(ue);
        slot_capture_downlink(ue);
        if (ue->counters.blocks == WARM_UP_BLOCKS && !rt_hot()) {
            rt_hot_enter();
        }
    }
    return TUTTI_ESTOPPED;
}

static int check_id(const struct config *config, const struct node_options *options)
{
    if (options->eve && config->network.n_eve == 0) {
        return error_set(TUTTI_EINVAL, "--role eve: this network has no eavesdroppers (network.n_eve: 0)");
    }
    return options->eve ? node_check_id(options->id, config->network.n_eve, "eavesdroppers")
                        : node_check_id(options->id, config->network.n_ue, "users");
}

static int run(const struct config *config, const struct node_options *options)
{
    static struct ue ue; /* zeroed: ue_destroy handles any stage */
    int status = check_id(config, options);
    if (status >= 0) {
        status = ue_create(&ue, config, options->eve ? UE_EVE : UE_USER, options->id);
    }
    if (status >= 0) {
        host_log_worst(config, options->eve ? HOST_ROLE_EVE : HOST_ROLE_UE, options->id);
        status = ue_join(&ue);
    }
    if (status >= 0) {
        status = loop(&ue);
        rt_hot_leave();
        decode_stop(&ue);
        ue_log_counters(&ue);
    }
    ue_destroy(&ue);
    return status;
}

int main(int argc, char **argv)
{
    static const struct node_program program = {
        .name = "tutti-ue",
        .usage =
            "Usage: tutti-ue --config NET.yaml [--role user|eve] --id N [--set KEY=VALUE]... [--log LEVEL]\n"
            "The user daemon: sends pilots, receives its stream, reports SINR, EVM, BER and BLER over the lab link.\n"
            "As an eavesdropper: listens to every user's stream with eve.n_ant antennas; with eve.attack: pilot it "
            "also\nsends the target user's pilot.\n"
            "  --config FILE     network file (see `tutti config show --defaults`)\n"
            "  --role ROLE       user (the default) or eve\n"
            "  --id N            which user, or which eavesdropper, of the network this is, from 0\n"
            "  --set KEY=VALUE   override a key of the file\n"
            "  --log LEVEL       error, warning, info or debug\n"
            "  --version         print the version",
        .takes = NODE_TAKES_ID | NODE_TAKES_ROLE,
        .run = run,
    };
    return node_main(&program, argc, argv);
}
