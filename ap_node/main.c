/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tutti-ap: the access-point daemon. This loop is its table of contents. */
#include "ap_node/ap.h"
#include "base/error.h"
#include "base/log.h"
#include "base/rt.h"
#include "node/host/host.h"
#include "node/program.h"

/* Blocks after which every buffer and library has been used once; from here on the slot path must not allocate. */
enum { WARM_UP_BLOCKS = 3 };

static int loop(struct ap *ap)
{
    while (!rt_stop_requested()) {
        slot_prepare(ap);
        const int status = slot_receive(ap);
        if (status < 0) {
            return status;
        }
        slot_hear_notes(ap);
        if (!slot_in_time(ap)) {
            continue;
        }
        const bool whole = slot_estimate(ap);
        if (whole) {
            slot_report(ap);
        }
        slot_transmit(ap);
        slot_uplink(ap, whole);
        if (ap->blocks == WARM_UP_BLOCKS && !rt_hot()) {
            rt_hot_enter();
        }
    }
    return TUTTI_ESTOPPED;
}

static int run(const struct config *config, const struct node_options *options)
{
    static struct ap ap; /* zeroed: ap_destroy handles any stage */
    int status = node_check_id(options->id, config->network.n_ap, "APs");
    if (status >= 0) {
        status = ap_create(&ap, config, options->id);
    }
    if (status >= 0) {
        host_log_worst(config, HOST_ROLE_AP, options->id);
        status = ap_join(&ap);
    }
    if (status >= 0) {
        status = loop(&ap);
        rt_hot_leave();
        ap_link_stop(&ap.link);
        ap_log_counters(&ap);
    }
    ap_destroy(&ap);
    return status;
}

int main(int argc, char **argv)
{
    static const struct node_program program = {
        .name = "tutti-ap",
        .usage = "Usage: tutti-ap --config NET.yaml --id N [--set KEY=VALUE]... [--log LEVEL]\n"
                 "The access-point daemon: captures pilots, reports channel estimates to the CPU node, transmits "
                 "precoded\nblocks.\n"
                 "  --config FILE     network file (see `tutti config show --defaults`)\n"
                 "  --id N            which AP of the network this is, from 0\n"
                 "  --set KEY=VALUE   override a key of the file, e.g. --set radio.ap.args=addr=192.168.10.2\n"
                 "  --log LEVEL       error, warning, info or debug\n"
                 "  --version         print the version",
        .takes = NODE_TAKES_ID,
        .run = run,
    };
    return node_main(&program, argc, argv);
}
