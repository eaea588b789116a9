/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Another radio of any manners at both sockets of one antenna: requests and replies of any number of bytes and parts,
 * too early, twice, never, and the port begun anew at any time. Never more samples than were asked for or are there,
 * none twice, none out of order, and who behaves afterwards is served. */
#include "base/error.h"
#include "fuzz.h"
#include "hw/zmq_port.h"

#include <stdbool.h>
#include <string.h>

enum { N = 64, MOST_OPS = 64, ROOM = 16 * 8 * N };
enum kind { ASK, ASK_PARTS, GIVE, GIVE_ODD, GIVE_PARTS, TURN, LISTEN, RESTART, N_KIND };

static void *context, *asker, *giver;
static zmq_port_t *port;
static tutti_cf32 out[N], in[N];
static float next_in; /* of the samples that the giver sends */
static uint64_t n_ops, n_requests, n_replies, n_done, n_refused, n_restart;

static void *open_socket(const char *endpoint, int type, bool bind)
{
    const int none = 0;
    void *const s = zmq_socket(context, type);
    MUST(s && zmq_setsockopt(s, ZMQ_LINGER, &none, sizeof none) == 0);
    MUST((bind ? zmq_bind(s, endpoint) : zmq_connect(s, endpoint)) == 0);
    return s;
}

static void begin(void)
{
    zmq_port_begin(port, out, in, N);
}

static void open_all(void)
{
    context = zmq_ctx_new();
    MUST(context);
    giver = open_socket("inproc://take", ZMQ_ROUTER, true);
    const struct zmq_port_settings settings = {context, "inproc://give", "inproc://take", N};
    MUST(zmq_port_create(&port, &settings) == 0);
    asker = open_socket("inproc://give", ZMQ_DEALER, false);
    for (int i = 0; i < N; i++) {
        out[i] = (float)i;
    }
    begin();
}

static void ask(size_t n, bool parts)
{
    static const char zeros[64];
    zmq_send(asker, "", 0, ZMQ_DONTWAIT | ZMQ_SNDMORE);
    if (parts) {
        zmq_send(asker, zeros, n, ZMQ_DONTWAIT | ZMQ_SNDMORE);
    }
    n_requests += zmq_send(asker, zeros, n, ZMQ_DONTWAIT) >= 0;
}

/* Who asked and with which number is kept for the answer: two frames, then the empty one and the question. */
static void give(size_t n_bytes, bool parts)
{
    static tutti_cf32 samples[ROOM / 8];
    char frame[16];
    int more = 1;
    size_t size = sizeof more;
    for (int i = 0; i < 2; i++) {
        const int n = zmq_recv(giver, frame, sizeof frame, ZMQ_DONTWAIT);
        if (n < 0) {
            return;
        }
        zmq_send(giver, frame, (size_t)n, ZMQ_DONTWAIT | ZMQ_SNDMORE);
    }
    zmq_send(giver, "", 0, ZMQ_DONTWAIT | ZMQ_SNDMORE);
    while (zmq_getsockopt(giver, ZMQ_RCVMORE, &more, &size) == 0 && more) {
        zmq_recv(giver, frame, sizeof frame, ZMQ_DONTWAIT);
    }
    for (size_t i = 0; i < (n_bytes + 7) / 8; i++) {
        samples[i] = next_in++;
    }
    if (parts) {
        zmq_send(giver, samples, 8, ZMQ_DONTWAIT | ZMQ_SNDMORE);
    }
    n_replies += zmq_send(giver, samples, n_bytes, ZMQ_DONTWAIT) >= 0;
}

/* What the port gave: pieces of `out`, whole samples. */
static void listen(void)
{
    static tutti_cf32 got[2 * N];
    for (int n; (n = zmq_recv(asker, got, sizeof got, ZMQ_DONTWAIT)) >= 0;) {
        MUST(n % 8 == 0 && n <= 8 * N);
        for (int i = 1; i < n / 8; i++) {
            MUST(crealf(got[i]) == crealf(got[i - 1]) + 1);
        }
    }
}

static void restart(void)
{
    MUST(zmq_port_restart(port) == 0);
    begin();
    n_restart++;
}

static void turn(void)
{
    const int status = zmq_port_turn(port);
    MUST(zmq_port_given(port) <= N && zmq_port_taken(port) <= N);
    for (int i = 1; i < zmq_port_taken(port); i++) {
        MUST(crealf(in[i]) > crealf(in[i - 1])); /* a refused reply's are missing */
    }
    if (status < 0) {
        MUST(*error_text() && !strchr(error_text(), '\n'));
        n_refused++;
        restart();
    } else if (zmq_port_done(port)) {
        n_done++;
        begin();
    }
}

static void operate(enum kind kind, size_t size)
{
    switch (kind) {
    case ASK:
    case ASK_PARTS:
        ask(size % 9, kind == ASK_PARTS);
        break;
    case GIVE:
    case GIVE_PARTS:
        give(8 * (size % (3 * N)), kind == GIVE_PARTS);
        break;
    case GIVE_ODD:
        give(size, false);
        break;
    case LISTEN:
        listen();
        break;
    case RESTART:
        restart();
        break;
    default:
        turn();
    }
    n_ops++;
}

/* As those who own ports do: libzmq looks for news of its sockets when it is asked. */
static void look(void)
{
    zmq_pollitem_t items[ZMQ_PORT_ITEMS];
    zmq_poll(items, zmq_port_items(port, items), 0);
}

/* The end of every input: one who asks and gives as it should is through with the next N samples. */
static void behave(void)
{
    const uint64_t before = n_done;
    restart();
    next_in = 0;
    for (int i = 0; i < 100 && n_done < before + 2; i++) {
        look();
        turn();
        give(8 * 16, false);
        look();
        turn();
        listen();
        ask(1, false);
    }
    MUST(n_done >= before + 2);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes)
{
    if (!context) {
        open_all();
    }
    for (size_t i = 0; i + 1 < n_bytes && i < 2 * MOST_OPS; i += 2) {
        operate(data[i] % (N_KIND + 4) < N_KIND ? (enum kind)(data[i] % (N_KIND + 4)) : TURN, data[i + 1]);
    }
    behave();
    return 0;
}

int fuzz_report(void)
{
    printf("%10llu operations, %llu requests, %llu replies, %llu pieces through, %llu refused, %llu begun anew\n",
           (unsigned long long)n_ops, (unsigned long long)n_requests, (unsigned long long)n_replies,
           (unsigned long long)n_done, (unsigned long long)n_refused, (unsigned long long)n_restart);
    return !n_requests || !n_replies || !n_done || !n_refused;
}
