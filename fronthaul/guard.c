/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fronthaul/guard.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/rt.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#define LOG_PERIOD_NS 1000000000u

/* Frames of a request: version, request id, domain, address, identity, mechanism, credentials (RFC 27). */
enum { FRAME_ID = 1, FRAME_ADDRESS = 3, FRAME_MECHANISM = 5, FRAME_KEY = 6, N_FRAMES = 7, FRAME_ROOM = 256 };

struct request {
    int n_frames;
    size_t size[N_FRAMES];
    char frame[N_FRAMES][FRAME_ROOM + 1];
};

struct guard {
    void *socket;
    pthread_t thread;
    bool running;
    struct key_list list;
    char *endpoint;
    uint64_t last_log_ns, n_refused;
};

/* false: the context is gone. */
static bool receive(void *socket, struct request *request)
{
    int more = 1;
    size_t size = sizeof more;
    for (request->n_frames = 0; more; request->n_frames++) {
        char *frame = request->frame[request->n_frames < N_FRAMES ? request->n_frames : N_FRAMES - 1];
        int n;
        while ((n = zmq_recv(socket, frame, FRAME_ROOM, 0)) < 0) {
            if (errno != EINTR) {
                return false;
            }
        }
        if (request->n_frames < N_FRAMES) {
            request->size[request->n_frames] = (size_t)n; /* longer ones tell their whole size, and fit nowhere */
            frame[n < FRAME_ROOM ? n : FRAME_ROOM] = '\0';
        }
        if (zmq_getsockopt(socket, ZMQ_RCVMORE, &more, &size)) {
            return false;
        }
    }
    return true;
}

static const struct key_pin *judge(const guard_t *g, const struct request *request)
{
    const bool curve = request->n_frames == N_FRAMES && request->size[FRAME_KEY] == KEY_BYTES &&
                       strcmp(request->frame[FRAME_MECHANISM], "CURVE") == 0;
    return curve ? keys_find_key(&g->list, (const uint8_t *)request->frame[FRAME_KEY]) : NULL;
}

static bool answer(void *socket, const struct request *request, const struct key_pin *pin)
{
    const char *id = request->n_frames > FRAME_ID ? request->frame[FRAME_ID] : "";
    const size_t id_size =
        request->n_frames > FRAME_ID && request->size[FRAME_ID] <= FRAME_ROOM ? request->size[FRAME_ID] : 0;
    const char *status = pin ? "200" : "400", *text = pin ? "OK" : "unknown key", *user = pin ? pin->name : "";
    return zmq_send(socket, "1.0", 3, ZMQ_SNDMORE) >= 0 && zmq_send(socket, id, id_size, ZMQ_SNDMORE) >= 0 &&
           zmq_send(socket, status, 3, ZMQ_SNDMORE) >= 0 && zmq_send(socket, text, strlen(text), ZMQ_SNDMORE) >= 0 &&
           zmq_send(socket, user, strlen(user), ZMQ_SNDMORE) >= 0 && zmq_send(socket, "", 0, 0) >= 0;
}

static void tell(guard_t *g, struct request *request)
{
    const uint64_t now_ns = clock_mono_ns();
    g->n_refused++;
    if (g->last_log_ns && now_ns - g->last_log_ns < LOG_PERIOD_NS) {
        return;
    }
    g->last_log_ns = now_ns;
    char *address = request->frame[FRAME_ADDRESS];
    for (char *c = address; request->n_frames > FRAME_ADDRESS && *c; c++) {
        *c = isgraph((unsigned char)*c) ? *c : '?';
    }
    log_write(LOG_WARNING, "guard", "UNKNOWN-KEY address=%.64s endpoint=%s total=%" PRIu64,
              request->n_frames > FRAME_ADDRESS && *address ? address : "local", g->endpoint, g->n_refused);
}

static void *guard_main(void *argument)
{
    guard_t *g = argument;
    struct request request;
    while (receive(g->socket, &request)) {
        const struct key_pin *pin = judge(g, &request);
        if (!answer(g->socket, &request, pin) && errno == ETERM) {
            break;
        }
        if (!pin) {
            tell(g, &request);
        }
    }
    if (errno != ETERM) { /* nobody new could come in any more */
        log_write(LOG_ERROR, "guard", "GUARD-ENDED endpoint=%s reason=\"%s\"", g->endpoint, zmq_strerror(errno));
        rt_stop_request();
    }
    zmq_close(g->socket);
    return NULL;
}

static int copy_list(struct key_list *to, const struct key_list *from)
{
    to->pin = malloc(((size_t)from->n + 1) * sizeof *to->pin);
    if (!to->pin) {
        return error_set(TUTTI_ENOMEM, "no memory for the public keys");
    }
    memcpy(to->pin, from->pin, (size_t)from->n * sizeof *to->pin);
    to->n = from->n;
    return TUTTI_OK;
}

int guard_create(guard_t **guard, void *context, const struct key_list *list, const char *endpoint)
{
    const int linger_ms = 0;
    guard_t *g = *guard = calloc(1, sizeof *g);
    if (!g || !(g->endpoint = strdup(endpoint))) {
        return error_set(TUTTI_ENOMEM, "%s: no memory for its guard", endpoint);
    }
    if (copy_list(&g->list, list)) {
        return TUTTI_ENOMEM;
    }
    void *socket = zmq_socket(context, ZMQ_REP);
    if (!socket || zmq_setsockopt(socket, ZMQ_LINGER, &linger_ms, sizeof linger_ms) ||
        zmq_bind(socket, "inproc://zeromq.zap.01")) {
        const int error = error_set(TUTTI_EIO, "%s: cannot make its guard: %s", endpoint, zmq_strerror(errno));
        if (socket) {
            zmq_close(socket);
        }
        return error;
    }
    g->socket = socket;
    if (pthread_create(&g->thread, NULL, guard_main, g)) {
        zmq_close(socket);
        return error_set(TUTTI_ENOMEM, "%s: cannot start the guard's thread", endpoint);
    }
    g->running = true;
    return TUTTI_OK;
}

void guard_destroy(guard_t *g)
{
    if (!g) {
        return;
    }
    if (g->running) {
        pthread_join(g->thread, NULL);
    }
    keys_free_list(&g->list);
    free(g->endpoint);
    free(g);
}
