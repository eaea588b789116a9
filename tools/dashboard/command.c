/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tutti dashboard: a live page and metrics of a running network, in a process of their own. */
#include "base/error.h"
#include "base/rt.h"
#include "tools/dashboard/metrics.h"
#include "tools/dashboard/server.h"
#include "tools/observer.h"
#include "tools/tool.h"
#include "tools/words.h"

#include <stdio.h>
#include <stdlib.h>

static const char help[] = "Usage: tutti dashboard --config FILE [options]\n\n"
                           "Watches a running network and shows it as a page (/) and as metrics for Prometheus "
                           "(/metrics), on this machine only.\n"
                           "It waits for a network that is not there yet and goes on when one ends. From elsewhere: "
                           "ssh -L 8080:127.0.0.1:8080 HOST.\n\n"
                           "  --config FILE        the network's file: of a run by `tutti run`, DIR/config.yaml\n"
                           "  --set KEY=VALUE      as the network was started with\n"
                           "  --listen HOST:PORT   default 127.0.0.1:8080; port 0 takes a free one\n"
                           "  --metrics            print what /metrics has, as a page of documentation\n";

enum { TURN_US = 20000 };

struct dashboard {
    struct dashboard_state state;
    dashboard_server_t *server;
    fh_peer_t *peer;
    bool ended; /* the central node has ended its run: the next one is a new link */
};

static void tell(struct dashboard *d, char *event)
{
    if (event) {
        dashboard_server_tell(d->server, event);
    }
    free(event);
}

static void handle(struct dashboard *d, const struct fh_event *event)
{
    switch (event->kind) {
    case FH_EVENT_UP:
    case FH_EVENT_DOWN:
        tell(d, dashboard_state_link(&d->state, event->kind == FH_EVENT_UP, false));
        break;
    case FH_EVENT_CONTROL:
        tell(d, dashboard_state_take(&d->state, (const char *)event->data));
        break;
    case FH_EVENT_STOP:
        d->ended = !rt_stop_requested();
        tell(d, dashboard_state_link(&d->state, false, d->ended));
        break;
    default:
        break;
    }
}

static int serve(const struct config *config, const char *listen)
{
    struct dashboard d = {0};
    int status = dashboard_state_create(&d.state, config);
    status = status ? status : dashboard_server_create(&d.server, listen, &d.state);
    status = status ? status : observer_create(&d.peer, config);
    if (!status) {
        printf("dashboard of %s: http://127.0.0.1:%d/\n", config->network.name, dashboard_server_port(d.server));
        fflush(stdout);
    }
    while (status >= 0 && !rt_stop_requested()) {
        struct fh_event event;
        status = fh_peer_wait(d.peer, -1, TURN_US, &event);
        if (status == TUTTI_EREFUSED || (status >= 0 && event.kind == FH_EVENT_REFUSED)) {
            status = TUTTI_EREFUSED;
        } else if (status >= 0) {
            handle(&d, &event);
        }
        if (status >= 0 && d.ended) {
            d.ended = false;
            fh_peer_destroy(d.peer);
            d.peer = NULL;
            status = observer_create(&d.peer, config);
        }
        dashboard_server_turn(d.server);
    }
    fh_peer_destroy(d.peer);
    dashboard_server_destroy(d.server);
    dashboard_state_destroy(&d.state);
    return status < 0 ? tool_fault("dashboard") : TOOL_OK;
}

/* 0, 1: what was asked for is printed, or TOOL_USAGE. */
static int parse(struct config_options *common, const char **listen, int argc, char **argv)
{
    bool metrics = false;
    const struct tool_word own[] = {{.name = "--metrics", .flag = &metrics},
                                    {.name = "--listen", .text = listen, .needs = "HOST:PORT"}};
    const struct tool_words words = {
        .command = "dashboard", .help = help, .common = common, .word = own, .n = sizeof own / sizeof own[0]};
    const int status = tool_words_take(&words, argc, argv);
    if (!status && metrics) {
        metrics_document(stdout);
        return 1;
    }
    return status || common->path ? status : tool_usage_error("dashboard", "--config FILE is missing");
}

int tool_dashboard(int argc, char **argv)
{
    struct config_options common = {0};
    struct config *config = NULL;
    const char *listen = "127.0.0.1:8080";
    int status = parse(&common, &listen, argc, argv);
    if (status == 1) {
        status = TOOL_OK;
    } else if (status == 0 && config_load(&config, common.path, common.overrides, common.n_overrides)) {
        status = tool_fault("dashboard");
    } else if (status == 0) {
        status = rt_stop_install() ? tool_fault("dashboard") : serve(config, listen);
    }
    config_free(config);
    config_options_free(&common);
    return status;
}
