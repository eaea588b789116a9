/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Another radio of any manners at one antenna, as fuzz_zmq.c has it, but without its sockets and threads: the functions
 * of libzmq that a port calls are here, give it whatever the input says, and fail when it says so. A thousand times as
 * fast. Every sample goes where it should, once, in order; no answer is longer than asked for; and who behaves
 * afterwards is served. */
#include "base/error.h"
#include "fuzz.h"
#include "hw/zmq_port.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

enum { N = 64, MOST_OPS = 64, QUEUE = 16, MOST_BYTES = 8 * 3 * N };

/* libzmq ----------------------------------------------------------------------------------------------------------- */

struct frame {
    uint8_t *bytes; /* exactly as many as it has */
    size_t n;
    bool more;
};

/* There are three kinds of sockets; a port has one of each, and a second watch. */
static struct end {
    int type;
    bool open, begun; /* begun: a request was heard or sent that waits for its answer */
    struct frame queue[QUEUE];
    size_t n_frame;
    unsigned n_notice; /* of one that watches */
} give, take, watch[2];
static unsigned n_stuck, n_lacking; /* calls that fail from here on */
static int lacking;                 /* why */
static const void *expected;        /* where answers begin */
static size_t asked_samples;        /* UINT32_MAX: as many as there are */
static bool endless;                /* somebody asks faster than he is answered */
static unsigned n_heard;
static bool against_the_rules; /* something that was heard */
static uint64_t n_answer, n_failed;

static bool fails(void)
{
    if (n_lacking == 0) {
        return false;
    }
    n_lacking--;
    n_failed++;
    errno = lacking;
    return true;
}

static void forget(struct end *e)
{
    for (size_t i = 0; i < e->n_frame; i++) {
        free(e->queue[i].bytes);
    }
    e->n_frame = 0;
}

void *zmq_socket(void *context, int type)
{
    (void)context;
    struct end *const e = type == ZMQ_REP ? &give : type == ZMQ_REQ ? &take : watch[0].open ? &watch[1] : &watch[0];
    if (fails()) {
        return NULL;
    }
    MUST(!e->open);
    *e = (struct end){.type = type, .open = true};
    return e;
}

int zmq_close(void *socket)
{
    struct end *const e = socket;
    MUST(e && e->open);
    forget(e);
    e->open = false;
    return 0;
}

int zmq_setsockopt(void *socket, int option, const void *value, size_t n_bytes)
{
    (void)option, (void)value, (void)n_bytes;
    MUST(((struct end *)socket)->open);
    return fails() ? -1 : 0;
}

int zmq_bind(void *socket, const char *endpoint)
{
    (void)endpoint;
    MUST(((struct end *)socket)->open);
    return fails() ? -1 : 0;
}

int zmq_connect(void *socket, const char *endpoint)
{
    return zmq_bind(socket, endpoint);
}

int zmq_socket_monitor(void *socket, const char *endpoint, int events)
{
    (void)events;
    MUST(((struct end *)socket)->open);
    return endpoint && fails() ? -1 : 0;
}

const char *zmq_strerror(int number)
{
    return number == EMFILE ? "too many" : "no";
}

/* What a message has in it. */
static struct frame *frame_of(zmq_msg_t *message)
{
    _Static_assert(sizeof(struct frame) <= sizeof *message, "room");
    return (struct frame *)(void *)message;
}

int zmq_msg_init(zmq_msg_t *message)
{
    *frame_of(message) = (struct frame){0};
    return 0;
}

int zmq_msg_close(zmq_msg_t *message)
{
    free(frame_of(message)->bytes);
    return 0;
}

size_t zmq_msg_size(const zmq_msg_t *message)
{
    return ((const struct frame *)(const void *)message)->n;
}

void *zmq_msg_data(zmq_msg_t *message)
{
    return frame_of(message)->bytes;
}

int zmq_msg_more(const zmq_msg_t *message)
{
    return ((const struct frame *)(const void *)message)->more;
}

/* Samples are numbered as they are heard, so that none can be missing. */
static float next_in;

static void number(const struct frame *f)
{
    for (size_t i = 0; i < f->n / 8; i++) {
        const tutti_cf32 sample = next_in++;
        memcpy(f->bytes + 8 * i, &sample, 8);
    }
}

int zmq_msg_recv(zmq_msg_t *message, void *socket, int flags)
{
    struct end *const e = socket;
    (void)flags;
    errno = EAGAIN;
    if (e->type == ZMQ_PAIR) {
        return e->n_notice ? (int)--e->n_notice : -1;
    }
    if (endless && e == &give && e->n_frame == 0) {
        e->queue[e->n_frame++] = (struct frame){calloc(1, 1), 1, false};
        MUST(n_heard++ < 100000);
    }
    if (e->n_frame == 0 || e->begun == (e->type == ZMQ_REP)) {
        return -1; /* nothing there, or not its turn */
    }
    struct frame *const f = frame_of(message);
    *f = e->queue[0];
    memmove(e->queue, e->queue + 1, --e->n_frame * sizeof *f);
    if (e->type == ZMQ_REQ) {
        number(f);
    }
    against_the_rules |= f->more || (e->type == ZMQ_REQ ? f->n % 8 != 0 : f->n == 0);
    if (!f->more) {
        e->begun = e->type == ZMQ_REP;
        asked_samples = UINT32_MAX;
        if (e->type == ZMQ_REP && f->n == 4) {
            uint32_t n;
            memcpy(&n, f->bytes, 4);
            asked_samples = n;
        }
    }
    return (int)f->n;
}

int zmq_send(void *socket, const void *bytes, size_t n_bytes, int flags)
{
    struct end *const e = socket;
    MUST(e && e->open && flags == ZMQ_DONTWAIT);
    if (e->type == ZMQ_REP && !e->begun) {
        errno = EFSM;
        return -1;
    }
    if (e->type == ZMQ_REQ && n_stuck > 0) { /* nobody is there; an answer to nobody is simply dropped */
        n_stuck--;
        errno = EAGAIN;
        return -1;
    }
    if (e->type == ZMQ_REP) {
        MUST(n_bytes % 8 == 0 && n_bytes / 8 <= asked_samples);
        MUST(n_bytes == 0 || bytes == expected);
        expected = (const uint8_t *)expected + n_bytes;
        n_answer++;
    } else {
        MUST(n_bytes == 4);
        forget(e); /* of an earlier question */
    }
    e->begun = e->type == ZMQ_REQ;
    return (int)n_bytes;
}

/* A port that waits for libzmq does not wait here. */
int clock_nanosleep(clockid_t clock, int flags, const struct timespec *until, struct timespec *left)
{
    (void)clock, (void)flags, (void)until, (void)left;
    return 0;
}

/* The other radio -------------------------------------------------------------------------------------------------- */

enum kind { ASK, ASK_FOR, ASK_PARTS, GIVE, GIVE_ODD, GIVE_PARTS, LEAVE, RESTART, STUCK, LACK, BEGIN, ENDLESS, N_KIND };

static zmq_port_t *port;
static tutti_cf32 out[N], in[N];
static int piece; /* samples of it */
static bool wanted;
static float before_in; /* number of the sample before this piece's first */
static uint64_t n_done, n_refused, n_closed, n_dead;

static void put(struct end *e, const void *bytes, size_t n, bool more)
{
    if (!e->open || e->n_frame == QUEUE || (e->type == ZMQ_REQ && !e->begun)) {
        return; /* libzmq hands nobody an answer to no question */
    }
    struct frame *const f = &e->queue[e->n_frame++];
    *f = (struct frame){malloc(n + !n), n, more};
    MUST(f->bytes);
    bytes ? memcpy(f->bytes, bytes, n) : memset(f->bytes, 0, n);
}

static void begin(int n, bool gives, bool takes)
{
    piece = n;
    wanted = takes;
    expected = out;
    zmq_port_begin(port, gives ? out : NULL, takes ? in : NULL, n);
}

/* One after the other, from where the last piece ended. */
static void look_at_samples(void)
{
    const int taken = zmq_port_taken(port);
    MUST(zmq_port_given(port) <= piece && taken <= piece);
    for (int i = 0; wanted && i < taken; i++) {
        MUST(crealf(in[i]) == before_in + (float)(i + 1));
    }
}

/* Fails only if libzmq does, again and again: then the port is made anew. */
static void restart(void)
{
    static const struct zmq_port_settings settings = {out, "inproc://give", "inproc://take", N};
    if (port && zmq_port_restart(port) < 0) {
        MUST(*error_text() && lacking == ENOMEM); /* what passes is waited for */
        zmq_port_destroy(port);
        port = NULL;
        n_dead++;
    }
    while (!port) {
        if (zmq_port_create(&port, &settings) < 0) {
            zmq_port_destroy(port);
            port = NULL;
        }
    }
    against_the_rules = false;
    before_in = next_in - 1; /* what was heard by then is forgotten */
    begin(N, true, true);
}

static void turn(void)
{
    const int status = zmq_port_turn(port);
    look_at_samples();
    MUST(status < 0 || !against_the_rules);
    if (status < 0) {
        MUST(*error_text() && !strchr(error_text(), '\n'));
        n_refused += status == TUTTI_EFORMAT;
        n_closed += status == TUTTI_ECLOSED;
        restart();
    } else if (zmq_port_done(port)) {
        before_in += wanted ? (float)piece : 0;
        n_done++;
        begin(1 + (int)next_in * 7 % N, true, true); /* of another length, as nobody's is, but may be */
        look_at_samples();
    }
}

static void fail_next(size_t size)
{
    n_lacking = (unsigned)(size / 2 % 16);
    lacking = size % 2 ? ENOMEM : EMFILE;
}

static void operate(enum kind kind, size_t size)
{
    const uint32_t samples = (uint32_t)size;
    switch (kind) {
    case ASK:
        put(&give, NULL, size % 9, false);
        break;
    case ASK_FOR:
        put(&give, &samples, sizeof samples, false);
        break;
    case ASK_PARTS:
        put(&give, NULL, size % 9, true);
        put(&give, NULL, size % 7, false);
        break;
    case GIVE:
        put(&take, NULL, 8 * (size % (3 * N)), false);
        break;
    case GIVE_ODD:
        put(&take, NULL, size, false);
        break;
    case GIVE_PARTS:
        put(&take, NULL, 8, true);
        put(&take, NULL, 8 * (size % N), false);
        break;
    case LEAVE:
        watch[size % 2].n_notice = 1 + (unsigned)(size / 2 % 3);
        break;
    case RESTART:
        restart();
        break;
    case ENDLESS:
        endless = size % 8 == 0; /* rarely: it takes long */
        n_heard = 0;
        restart();
        endless = false;
        break;
    case STUCK:
        n_stuck = (unsigned)(size % 8);
        break;
    case LACK:
        fail_next(size);
        break;
    case BEGIN: /* a piece of another length, or one way only, in the middle of one: as who leaves does */
        restart();
        begin(1 + (int)(size % N), size<171, size> 85);
        break;
    default:
        turn();
    }
}

/* The end of every input: one who asks and gives as it should is through with the next two pieces. */
static void behave(void)
{
    const uint64_t before = n_done;
    n_stuck = n_lacking = watch[0].n_notice = watch[1].n_notice = 0;
    restart();
    forget(&give);
    for (int i = 0; i < 40 && n_done < before + 2; i++) {
        turn();
        put(&take, NULL, (size_t)8 * 16, false);
        put(&give, NULL, 1, false);
    }
    MUST(n_done >= before + 2);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes)
{
    next_in = 0;
    restart();
    for (size_t i = 0; i + 1 < n_bytes && i < 2 * MOST_OPS; i += 2) {
        const int kind = data[i] % (N_KIND + 6);
        operate(kind < N_KIND ? (enum kind)kind : N_KIND, data[i + 1]);
    }
    behave();
    return 0;
}

int fuzz_report(void)
{
    printf(
        "%10llu answers, %llu pieces through, %llu refused, %llu left, %llu calls of libzmq failed, %llu ports died\n",
        (unsigned long long)n_answer, (unsigned long long)n_done, (unsigned long long)n_refused,
        (unsigned long long)n_closed, (unsigned long long)n_failed, (unsigned long long)n_dead);
    return !n_answer || !n_done || !n_refused || !n_closed || !n_failed || !n_dead;
}
