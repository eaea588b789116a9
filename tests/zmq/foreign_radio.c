/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Somebody else's radio, as srsRAN's behaves: sends a chirp, a piece ahead of what it has received, and writes what
 * arrives to a file. Sockets of its own and none of the project's code.
 *
 *   foreign_radio TX_ADDRESS RX_ADDRESS u32|ff|00 N_SAMPLES FILE */
#include <complex.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

enum { PIECE = 1000, ROOM = 1 << 20 };

static float complex chirp(uint64_t k)
{
    const double phase = 1e-4 * (double)k * (double)(k % 5000);
    return 0.1F * (float complex)cexp(I * phase);
}

/* Whoever asks gets the next piece. */
static void answer(void *socket, uint64_t *sent)
{
    char request[16];
    float complex piece[PIECE];
    if (zmq_recv(socket, request, sizeof request, ZMQ_DONTWAIT) < 0) {
        return;
    }
    for (int i = 0; i < PIECE; i++) {
        piece[i] = chirp((*sent)++);
    }
    zmq_send(socket, piece, sizeof piece, 0);
}

static void ask(void *socket, const char *dialect)
{
    const uint32_t wanted = 777;
    const char one[] = {(char)(strcmp(dialect, "ff") == 0 ? 0xff : 0)};
    if (strcmp(dialect, "u32") == 0) {
        zmq_send(socket, &wanted, sizeof wanted, 0);
    } else {
        zmq_send(socket, one, 1, 0);
    }
}

int main(int argc, char **argv)
{
    static float complex arrived[ROOM];
    if (argc != 6) {
        return 2;
    }
    void *const context = zmq_ctx_new(), *const tx = zmq_socket(context, ZMQ_REP),
                *const rx = zmq_socket(context, ZMQ_REQ);
    const long wanted = strtol(argv[4], NULL, 10);
    FILE *const out = fopen(argv[5], "wb");
    uint64_t sent = 0;
    const int none = 0;
    zmq_setsockopt(tx, ZMQ_LINGER, &none, sizeof none);
    zmq_setsockopt(rx, ZMQ_LINGER, &none, sizeof none);
    if (!out || zmq_bind(tx, argv[1]) || zmq_connect(rx, argv[2])) {
        return 1;
    }
    ask(rx, argv[3]);
    for (long n = 0; n < wanted;) {
        zmq_pollitem_t items[] = {{.socket = tx, .events = ZMQ_POLLIN}, {.socket = rx, .events = ZMQ_POLLIN}};
        zmq_poll(items, 2, -1);
        answer(tx, &sent);
        const int got = zmq_recv(rx, arrived, sizeof arrived, ZMQ_DONTWAIT);
        if (got >= 0) {
            fwrite(arrived, 1, (size_t)got, out);
            n += got / (int)sizeof *arrived;
            ask(rx, argv[3]);
        }
    }
    fclose(out);
    zmq_close(tx);
    zmq_close(rx);
    zmq_ctx_term(context);
    return 0;
}
