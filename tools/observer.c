/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tools/observer.h"

#include "base/clock.h"
#include "base/error.h"

#include <unistd.h>

static const uint64_t PATIENCE_NS = 5000000000u;

uint64_t observer_deadline_ns(void)
{
    return clock_mono_ns() + PATIENCE_NS;
}

int observer_create(fh_peer_t **peer, const struct config *config)
{
    const char *const endpoint = config->fronthaul.lab_endpoint;
    const struct fh_hello hello = {
        .role = FH_ROLE_OBSERVER, .id = (int)(getpid() % 30000), .key_dir = config_key_dir(config, endpoint)};
    return fh_peer_create(peer, endpoint, &hello, config->engine.peer_timeout_ms);
}

static int converse(fh_peer_t *peer, struct observer_question *q, const char *endpoint)
{
    struct fh_event event;
    bool sent = false;
    for (int answer = 0; answer == 0;) {
        if (clock_mono_ns() > q->deadline_ns) {
            return error_set(TUTTI_ETIMEOUT, "%s: no answer from a CPU node", endpoint);
        }
        if (fh_peer_wait(peer, -1, 100000, &event) < 0 || event.kind == FH_EVENT_REFUSED) {
            return TUTTI_EREFUSED;
        }
        if (event.kind == FH_EVENT_STOP) {
            return error_set(TUTTI_ECLOSED, "%s: the run has ended", endpoint);
        }
        if (event.kind == FH_EVENT_UP && !sent) {
            sent = fh_peer_send_control(peer, q->text) == TUTTI_OK;
        }
        answer = event.kind == FH_EVENT_CONTROL ? q->hear(q->context, (const char *)event.data) : 0;
        if (answer < 0) {
            return answer;
        }
    }
    return TUTTI_OK;
}

int observer_ask(struct observer_question *question, const struct config *config)
{
    fh_peer_t *peer = NULL;
    int status = observer_create(&peer, config);
    status = status < 0 ? status : converse(peer, question, config->fronthaul.lab_endpoint);
    fh_peer_destroy(peer);
    return status;
}
