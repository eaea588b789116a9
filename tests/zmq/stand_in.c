/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Stands in for a flowgraph: asks for what every port transmits, applies links.json's matrix and noise, answers who
 * asks for what arrives. Single-threaded, with sockets of its own and none of the project's code.
 *
 *   zmq_stand_in LINKS.json [--dialect u32|ff|00] [--piece N] [--hold N] [--empty] [--scale X]
 *
 * dialect: how it asks: GNU Radio's number of items, srsRAN's one byte FF or 00. piece: answers with at most so many
 * samples, but all at once to one-byte habits. hold: keeps so many samples back, as an fft_filter does. empty: every
 * second answer has no samples. scale: of what arrives. */
#include <complex.h>
#include <jansson.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

enum { ROOM = 1 << 16 };

struct port {
    void *ask, *answer; /* REQ to where samples are handed out, REP where received ones are asked for */
    int asked, wanted, answers;
    float complex *in, *out; /* [ROOM] not yet used; not yet given */
    int n_in, n_out;
};

struct options {
    const char *links, *dialect;
    int piece, hold, empty;
    double scale;
};

static void die(const char *what)
{
    fprintf(stderr, "zmq_stand_in: %s\n", what);
    exit(1);
}

static struct options parse(int argc, char **argv)
{
    struct options o = {.dialect = "u32", .piece = ROOM, .scale = 1};
    for (int i = 1; i < argc; i++) {
        const char *const value = i + 1 < argc ? argv[i + 1] : "";
        if (strcmp(argv[i], "--empty") == 0) {
            o.empty = 1;
        } else if (strncmp(argv[i], "--", 2)) {
            o.links = argv[i];
        } else {
            i++;
            if (strcmp(argv[i - 1], "--dialect") == 0) {
                o.dialect = value;
            } else if (strcmp(argv[i - 1], "--piece") == 0) {
                o.piece = atoi(value);
            } else if (strcmp(argv[i - 1], "--hold") == 0) {
                o.hold = atoi(value);
            } else if (strcmp(argv[i - 1], "--scale") == 0) {
                o.scale = atof(value);
            } else {
                die("unknown option");
            }
        }
    }
    return o;
}

static void *open_socket(void *context, int type, const char *endpoint)
{
    void *const s = zmq_socket(context, type);
    const int none = 0;
    zmq_setsockopt(s, ZMQ_LINGER, &none, sizeof none);
    if ((type == ZMQ_REP ? zmq_bind(s, endpoint) : zmq_connect(s, endpoint))) {
        die(endpoint);
    }
    return s;
}

static void ask(struct port *p, const struct options *o)
{
    const uint32_t items = 4096;
    const unsigned char byte = strcmp(o->dialect, "ff") == 0 ? 0xff : 0;
    if (!p->asked && p->n_in < ROOM / 2) {
        p->asked = strcmp(o->dialect, "u32") == 0 ? zmq_send(p->ask, &items, sizeof items, ZMQ_DONTWAIT) >= 0
                                                  : zmq_send(p->ask, &byte, 1, ZMQ_DONTWAIT) >= 0;
    }
    const int n = p->asked ? zmq_recv(p->ask, p->in + p->n_in, (size_t)(ROOM - p->n_in) * 8, ZMQ_DONTWAIT) : -1;
    if (n >= 0) {
        p->asked = 0;
        p->n_in += n / 8;
    }
}

static void answer(struct port *p, const struct options *o)
{
    unsigned char request[16];
    const int n = p->wanted ? -1 : zmq_recv(p->answer, request, sizeof request, ZMQ_DONTWAIT);
    uint32_t items = 0;
    if (n > 0) {
        memcpy(&items, request, n >= 4 ? 4 : (size_t)n);
        p->wanted = n >= 4 ? (int)items : ROOM;
    }
    const int left = p->n_out - o->hold;
    if (p->wanted && left > 0) {
        const int most = o->piece < left ? o->piece : left, give = o->empty && p->answers++ % 2 == 0 ? 0 : most;
        const int m = give < p->wanted ? give : p->wanted;
        if (zmq_send(p->answer, p->out, (size_t)m * 8, ZMQ_DONTWAIT) >= 0) {
            p->wanted = 0;
            p->n_out -= m;
            memmove(p->out, p->out + m, (size_t)p->n_out * 8);
        }
    }
}

/* A function of port and sample alone, nearly normal, variance 1: the sum of twelve uniform numbers less its mean. */
static float noise(uint64_t port, uint64_t sample)
{
    double sum = -6;
    for (uint64_t i = 0; i < 12; i++) {
        uint64_t z = (port << 48) + sample * 12 + i + 0x9e3779b97f4a7c15u;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
        sum += (double)((z ^ (z >> 31)) >> 11) * 0x1p-53;
    }
    return (float)sum;
}

/* As many samples as all ports have. */
static void mix(struct port *port, int n_port, const float complex *h, const float *sigma)
{
    static uint64_t n_mixed;
    int n = ROOM;
    for (int i = 0; i < n_port; i++) {
        n = port[i].n_in < n ? port[i].n_in : n;
        n = ROOM - port[i].n_out < n ? ROOM - port[i].n_out : n;
    }
    for (int i = 0; i < n_port; i++) {
        for (int t = 0; t < n; t++) {
            const uint64_t sample = 2 * (n_mixed + (uint64_t)t);
            float complex sum = sigma[i] * (noise((uint64_t)i, sample) + noise((uint64_t)i, sample + 1) * I);
            for (int j = 0; j < n_port; j++) {
                sum += h[i * n_port + j] * port[j].in[t];
            }
            port[i].out[port[i].n_out + t] = sum;
        }
        port[i].n_out += n;
    }
    n_mixed += (uint64_t)n;
    for (int i = 0; i < n_port; i++) {
        port[i].n_in -= n;
        memmove(port[i].in, port[i].in + n, (size_t)port[i].n_in * 8);
    }
}

static float complex *read_matrix(const json_t *links, int n_port, double scale)
{
    float complex *const h = calloc((size_t)(n_port * n_port), sizeof *h);
    for (int i = 0; i < n_port; i++) {
        for (int j = 0; j < n_port; j++) {
            const json_t *const x = json_array_get(json_array_get(json_object_get(links, "h"), (size_t)i), (size_t)j);
            h[i * n_port + j] = (float)(scale * json_number_value(json_array_get(x, 0))) +
                                (float)(scale * json_number_value(json_array_get(x, 1))) * I;
        }
    }
    return h;
}

int main(int argc, char **argv)
{
    const struct options o = parse(argc, argv);
    json_t *const links = json_load_file(o.links ? o.links : "", 0, NULL);
    const json_t *const ports = json_object_get(links, "ports");
    const int n_port = (int)json_array_size(ports);
    struct port *const port = calloc((size_t)n_port + 1, sizeof *port);
    zmq_pollitem_t *const items = calloc(2 * (size_t)n_port + 1, sizeof *items);
    void *const context = zmq_ctx_new();
    if (n_port == 0) {
        die("no ports in the links file");
    }
    for (int i = 0; i < n_port; i++) {
        const json_t *const p = json_array_get(ports, (size_t)i);
        port[i].ask = open_socket(context, ZMQ_REQ, json_string_value(json_object_get(p, "tx")));
        port[i].answer = open_socket(context, ZMQ_REP, json_string_value(json_object_get(p, "rx")));
        port[i].in = calloc(ROOM, sizeof *port[i].in);
        port[i].out = calloc(ROOM, sizeof *port[i].out);
        items[2 * i] = (zmq_pollitem_t){.socket = port[i].ask, .events = ZMQ_POLLIN};
        items[2 * i + 1] = (zmq_pollitem_t){.socket = port[i].answer, .events = ZMQ_POLLIN};
    }
    const float complex *const h = read_matrix(links, n_port, o.scale);
    float *const sigma = calloc((size_t)n_port, sizeof *sigma);
    for (int i = 0; i < n_port; i++) {
        sigma[i] = (float)json_number_value(json_array_get(json_object_get(links, "sigma"), (size_t)i));
    }
    for (;;) {
        for (int i = 0; i < n_port; i++) {
            ask(&port[i], &o);
        }
        mix(port, n_port, h, sigma);
        for (int i = 0; i < n_port; i++) {
            answer(&port[i], &o);
        }
        zmq_poll(items, 2 * n_port, 5);
    }
}
