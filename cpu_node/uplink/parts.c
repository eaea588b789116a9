/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cpu_node/uplink/parts.h"

#include "base/error.h"
#include "fronthaul/encoding.h"
#include "linalg/cmplx.h"
#include "linalg/kernel.h"
#include "mimo/fuse.h"

#include <stdlib.h>
#include <string.h>

struct uplink_parts {
    struct uplink_parts_settings settings;
    struct wire_header encoding;            /* of our messages, and their shape but for the columns */
    struct parts_block place[PARTS_WINDOW]; /* block b in place b mod PARTS_WINDOW */
    bool started;
    uint64_t newest; /* of those opened as our own */
    struct uplink_parts_counters counters;
    fuse_t *fuse;
    /* of the block that is decoded */
    const struct parts_block *block;
    double complex *g, *a; /* [n_cpu][n_ue], [n_cpu] */
    double *f;             /* [n_cpu] */
    tutti_cf32 *W;         /* [n_ue][n_sb][n_cpu] */
    double *sinr;          /* [n_ue][n_sb] */
    /* a message */
    float *statistic;    /* [n_statistic] */
    tutti_cf32 *columns; /* [n_ul][n_sb][n_column][sc_per_sb] */
    tutti_cf32 *user;    /* [n_ul][n_sc] one user's */
    tutti_cf32 *one_g;   /* [n_sb][n_ue] */
    float *one_f;        /* [n_sb] */
    double *one_sinr;    /* [n_sb] */
};

static size_t n_symbols(const struct uplink_shape *s)
{
    return (size_t)s->frame->n_ul * (size_t)s->frame->n_sc;
}

static uint32_t n_statistics(const struct uplink_shape *s, int n_column)
{
    return (uint32_t)(n_column * (1 + s->frame->n_sb * (1 + 2 * s->n_ue)));
}

/* Life ------------------------------------------------------------------------------------------------------------- */

static struct wire_header header_of(const struct uplink_shape *s, const struct config *config, int n_column)
{
    struct wire_header header = {.type = WIRE_UPLINK,
                                 .n_sb = (uint16_t)(s->frame->n_ul * s->frame->n_sb),
                                 .n_ant = (uint16_t)n_column,
                                 .n_stream = (uint16_t)s->frame->sc_per_sb};
    encoding_of_uplink(&header, config);
    return header;
}

size_t uplink_parts_bytes(const struct uplink_shape *s, const struct config *config)
{
    const struct wire_header header = header_of(s, config, s->n_ue);
    return wire_array_bytes(&header, n_statistics(s, s->n_ue));
}

static bool create_block(struct parts_block *b, const struct uplink_parts_settings *settings)
{
    const struct uplink_shape *s = &settings->shape;
    const size_t n_ue = (size_t)s->n_ue, n_cpu = (size_t)settings->n_cpu, n_sb = (size_t)s->frame->n_sb;
    b->user_here = calloc(n_ue, 1);
    b->home = calloc(n_ue, sizeof *b->home);
    b->expected = calloc(n_cpu, 1);
    b->got = calloc(n_cpu, 1);
    b->has = calloc(n_cpu * n_ue, 1);
    b->values = calloc(n_cpu * n_ue * n_symbols(s), sizeof *b->values);
    b->g = calloc(n_cpu * n_ue * n_sb * n_ue, sizeof *b->g);
    b->f = calloc(n_cpu * n_ue * n_sb, sizeof *b->f);
    b->bytes = calloc(n_cpu, sizeof *b->bytes);
    b->ap_used = calloc((size_t)s->n_ap, 1);
    b->ap_bytes = calloc((size_t)s->n_ap, sizeof *b->ap_bytes);
    return b->user_here && b->home && b->expected && b->got && b->has && b->values && b->g && b->f && b->bytes &&
           b->ap_used && b->ap_bytes;
}

static bool create_work(struct uplink_parts *p)
{
    const struct uplink_shape *s = &p->settings.shape;
    const size_t n_ue = (size_t)s->n_ue, n_cpu = (size_t)p->settings.n_cpu, n_sb = (size_t)s->frame->n_sb;
    p->g = calloc(n_cpu * n_ue, sizeof *p->g);
    p->a = calloc(n_cpu, sizeof *p->a);
    p->f = calloc(n_cpu, sizeof *p->f);
    p->W = calloc(n_ue * n_sb * n_cpu, sizeof *p->W);
    p->sinr = calloc(n_ue * n_sb, sizeof *p->sinr);
    p->statistic = calloc(n_statistics(s, s->n_ue), sizeof *p->statistic);
    p->columns = calloc(n_ue * n_symbols(s), sizeof *p->columns);
    p->user = calloc(n_symbols(s), sizeof *p->user);
    p->one_g = calloc(n_sb * n_ue, sizeof *p->one_g);
    p->one_f = calloc(n_sb, sizeof *p->one_f);
    p->one_sinr = calloc(n_sb, sizeof *p->one_sinr);
    bool good = p->g && p->a && p->f && p->W && p->sinr && p->statistic && p->columns && p->user && p->one_g &&
                p->one_f && p->one_sinr;
    for (int i = 0; good && i < PARTS_WINDOW; i++) {
        good = create_block(&p->place[i], &p->settings);
    }
    return good;
}

int uplink_parts_create(uplink_parts_t **parts, const struct uplink_parts_settings *settings)
{
    const struct uplink_shape *s = &settings->shape;
    struct uplink_parts *p = *parts = calloc(1, sizeof *p);
    if (!p) {
        return error_set(TUTTI_ENOMEM, "out of memory for other central nodes' streams");
    }
    p->settings = *settings;
    if (uplink_parts_bytes(s, settings->config) == 0) {
        return error_set(TUTTI_ECONFIG,
                         "cpus: the combined streams of network.n_ue = %d users in %d subbands do not fit one message "
                         "between central nodes: fewer users, or uplink.mode none",
                         s->n_ue, s->frame->n_sb);
    }
    p->encoding = header_of(s, settings->config, s->n_ue);
    p->encoding.node = (uint16_t)(WIRE_NODE_CPU + settings->self);
    if (!create_work(p)) {
        return error_set(TUTTI_ENOMEM, "out of memory for other central nodes' streams");
    }
    return fuse_create(&p->fuse, settings->n_cpu, s->n_ue);
}

static void destroy_block(struct parts_block *b)
{
    void *const owned[] = {b->user_here, b->home, b->expected, b->got,     b->has,     b->values,
                           b->g,         b->f,    b->bytes,    b->ap_used, b->ap_bytes};
    for (size_t i = 0; i < sizeof owned / sizeof *owned; i++) {
        free(owned[i]);
    }
}

void uplink_parts_destroy(uplink_parts_t *p)
{
    if (!p) {
        return;
    }
    for (int i = 0; i < PARTS_WINDOW; i++) {
        destroy_block(&p->place[i]);
    }
    void *const owned[] = {p->g,       p->a,    p->f,     p->W,     p->sinr,    p->statistic,
                           p->columns, p->user, p->one_g, p->one_f, p->one_sinr};
    for (size_t i = 0; i < sizeof owned / sizeof *owned; i++) {
        free(owned[i]);
    }
    fuse_destroy(p->fuse);
    free(p);
}

/* Where central node c's stream of user k is. */
static tutti_cf32 *values_of(const struct uplink_parts *p, const struct parts_block *b, int c, int k)
{
    return b->values + ((size_t)c * (size_t)p->settings.shape.n_ue + (size_t)k) * n_symbols(&p->settings.shape);
}

static tutti_cf32 *g_of(const struct uplink_parts *p, const struct parts_block *b, int c, int k)
{
    const struct uplink_shape *s = &p->settings.shape;
    return b->g + ((size_t)c * (size_t)s->n_ue + (size_t)k) * (size_t)s->frame->n_sb * (size_t)s->n_ue;
}

static float *f_of(const struct uplink_parts *p, const struct parts_block *b, int c, int k)
{
    const struct uplink_shape *s = &p->settings.shape;
    return b->f + ((size_t)c * (size_t)s->n_ue + (size_t)k) * (size_t)s->frame->n_sb;
}

/* The window ------------------------------------------------------------------------------------------------------- */

static struct parts_block *place_of(struct uplink_parts *p, uint64_t number)
{
    const struct uplink_parts_settings *s = &p->settings;
    struct parts_block *const b = &p->place[number % PARTS_WINDOW];
    if (!b->open || b->number != number) {
        b->number = number;
        b->open = true;
        b->own = false;
        memset(b->got, 0, (size_t)s->n_cpu);
        memset(b->has, 0, (size_t)s->n_cpu * (size_t)s->shape.n_ue);
        memset(b->bytes, 0, (size_t)s->n_cpu * sizeof *b->bytes);
    }
    return b;
}

struct parts_block *uplink_parts_open(uplink_parts_t *p, uint64_t number)
{
    for (int i = 0; i < PARTS_WINDOW && p->started && number <= p->newest; i++) {
        p->place[i].open = false; /* time began anew */
    }
    p->started = true;
    p->newest = number;
    struct parts_block *const b = place_of(p, number);
    b->own = true;
    return b;
}

void uplink_parts_keep(uplink_parts_t *p, struct parts_block *b, const uplink_weights_t *weights, int k)
{
    const int self = p->settings.self;
    uplink_weights_apply(weights, k, values_of(p, b, self, k), p->one_sinr);
    uplink_weights_part(weights, k, g_of(p, b, self, k), f_of(p, b, self, k));
    b->has[self * p->settings.shape.n_ue + k] = 1;
}

void uplink_parts_gone(uplink_parts_t *p, int cpu)
{
    for (int i = 0; i < PARTS_WINDOW; i++) {
        p->counters.lost += p->place[i].open && p->place[i].own && p->place[i].expected[cpu] && !p->place[i].got[cpu];
        p->place[i].expected[cpu] = 0;
    }
}

static bool is_complete(const struct uplink_parts *p, const struct parts_block *b)
{
    for (int c = 0; c < p->settings.n_cpu; c++) {
        if (b->expected[c] && !b->got[c]) {
            return false;
        }
    }
    return true;
}

struct parts_block *uplink_parts_due(uplink_parts_t *p, uint64_t upto)
{
    const uint64_t newest = upto > p->newest ? upto : p->newest;
    const uint64_t patience = p->settings.lockstep ? PARTS_WINDOW : PARTS_PATIENCE;
    struct parts_block *oldest = NULL;
    for (int i = 0; i < PARTS_WINDOW; i++) {
        struct parts_block *const b = &p->place[i];
        if (b->open && b->own && (!oldest || b->number < oldest->number)) {
            oldest = b;
        }
    }
    return oldest && (is_complete(p, oldest) || oldest->number + patience <= newest) ? oldest : NULL;
}

void uplink_parts_close(uplink_parts_t *p, struct parts_block *b)
{
    for (int c = 0; c < p->settings.n_cpu; c++) {
        p->counters.lost += b->expected[c] && !b->got[c];
    }
    b->open = false;
}

struct uplink_parts_counters uplink_parts_counters(const uplink_parts_t *p)
{
    return p->counters;
}

/* Messages --------------------------------------------------------------------------------------------------------- */

/* A user's [n_ul][n_sb][sc_per_sb] and the columns of a message [n_ul][n_sb][n_column][sc_per_sb]. */
static void copy_column(const struct uplink_shape *s, int n_column, int column, tutti_cf32 *columns, tutti_cf32 *user,
                        bool into_user)
{
    const size_t n = (size_t)s->frame->sc_per_sb;
    for (size_t row = 0; row < (size_t)(s->frame->n_ul * s->frame->n_sb); row++) {
        tutti_cf32 *const in = columns + (row * (size_t)n_column + (size_t)column) * n;
        if (into_user) {
            memcpy(user + row * n, in, n * sizeof *in);
        } else {
            memcpy(in, user + row * n, n * sizeof *in);
        }
    }
}

static void put_user(struct uplink_parts *p, const uplink_weights_t *weights, int n_column, int column, int k)
{
    const struct uplink_shape *s = &p->settings.shape;
    const size_t n_sb = (size_t)s->frame->n_sb, n_ue = (size_t)s->n_ue, n = (size_t)n_column, at = (size_t)column;
    uplink_weights_apply(weights, k, p->user, p->one_sinr);
    uplink_weights_part(weights, k, p->one_g, p->one_f);
    copy_column(s, n_column, column, p->columns, p->user, false);
    float *const f = p->statistic + n, *const g = f + n_sb * n;
    p->statistic[at] = (float)k;
    for (size_t sb = 0; sb < n_sb; sb++) {
        f[sb * n + at] = p->one_f[sb];
        for (size_t i = 0; i < n_ue; i++) {
            g[2 * ((sb * n + at) * n_ue + i)] = crealf(p->one_g[sb * n_ue + i]);
            g[2 * ((sb * n + at) * n_ue + i) + 1] = cimagf(p->one_g[sb * n_ue + i]);
        }
    }
}

size_t uplink_parts_pack(uplink_parts_t *p, const uplink_weights_t *weights, const uint8_t *which,
                         const struct wire_header *from, uint8_t *out, size_t capacity)
{
    const struct uplink_shape *s = &p->settings.shape;
    int n_column = 0, column = 0;
    for (int k = 0; k < s->n_ue; k++) {
        n_column += which[k] != 0;
    }
    struct wire_header header = p->encoding;
    header.session = from->session;
    header.block = from->block;
    header.tick = from->tick;
    if (n_column == 0) {
        header.encoding = WIRE_NONE;
        header.mantissa_bits = 0;
        header.n_sb = header.n_ant = header.n_stream = 1;
        return wire_pack_array(out, capacity, &header, &(struct wire_array_meta){.kind = 1}, p->columns);
    }
    header.n_ant = (uint16_t)n_column;
    for (int k = 0; k < s->n_ue; k++) {
        if (which[k]) {
            put_user(p, weights, n_column, column++, k);
        }
    }
    const struct wire_array_meta meta = {.kind = 1,
                                         .subject = (uint16_t)s->frame->n_ul,
                                         .n_statistic = n_statistics(s, n_column),
                                         .statistic = p->statistic};
    return wire_pack_array(out, capacity, &header, &meta, p->columns);
}

static bool fits(const struct uplink_parts *p, int cpu, const struct wire_header *h)
{
    const struct uplink_shape *s = &p->settings.shape;
    const bool empty = h->encoding == WIRE_NONE && h->n_sb == 1 && h->n_ant == 1 && h->n_stream == 1;
    return h->type == WIRE_UPLINK && h->node == WIRE_NODE_CPU + cpu &&
           (empty || (h->encoding != WIRE_NONE && h->n_sb == s->frame->n_ul * s->frame->n_sb && h->n_ant <= s->n_ue &&
                      h->n_stream == s->frame->sc_per_sb));
}

/* What no combiner can say of its stream: negative noise, users that are not, or one twice. */
static bool is_possible(const struct uplink_parts *p, const struct wire_array_meta *meta, int n_column)
{
    const struct uplink_shape *s = &p->settings.shape;
    float last = -1;
    for (int i = 0; i < n_column; i++) {
        const float k = meta->statistic[i];
        if (k <= last || k >= (float)s->n_ue || k != (float)(int)k) {
            return false;
        }
        last = k;
    }
    for (int i = 0; i < n_column * s->frame->n_sb; i++) {
        if (meta->statistic[n_column + i] < 0) {
            return false;
        }
    }
    return true;
}

static void take_user(struct uplink_parts *p, struct parts_block *b, int cpu, int n_column, int column)
{
    const struct uplink_shape *s = &p->settings.shape;
    const size_t n_sb = (size_t)s->frame->n_sb, n_ue = (size_t)s->n_ue, n = (size_t)n_column, at = (size_t)column;
    const int k = (int)p->statistic[at];
    const float *const f = p->statistic + n, *const g = f + n_sb * n;
    tutti_cf32 *const to_g = g_of(p, b, cpu, k);
    for (size_t sb = 0; sb < n_sb; sb++) {
        f_of(p, b, cpu, k)[sb] = f[sb * n + at];
        for (size_t i = 0; i < n_ue; i++) {
            const float *const one = g + 2 * ((sb * n + at) * n_ue + i);
            to_g[sb * n_ue + i] = CMPLXF(one[0], one[1]);
        }
    }
    copy_column(s, n_column, column, p->columns, values_of(p, b, cpu, k), true);
    b->has[cpu * s->n_ue + k] = 1;
}

static int refuse(struct uplink_parts *p, int error)
{
    p->counters.refused++;
    return error;
}

/* Another block has the place, or this one has gone by. */
static bool is_too_late(const struct uplink_parts *p, uint64_t number)
{
    const struct parts_block *const b = &p->place[number % PARTS_WINDOW];
    return b->open ? b->number != number && (b->own || b->number > number) : p->started && number <= p->newest;
}

static bool is_too_early(const struct uplink_parts *p, uint64_t number)
{
    return p->started && number > p->newest && number - p->newest > PARTS_WINDOW;
}

int uplink_parts_store(uplink_parts_t *p, int cpu, const uint8_t *data, size_t n_bytes)
{
    const struct uplink_shape *s = &p->settings.shape;
    struct wire_header header;
    int error = wire_unpack_header(data, n_bytes, &header);
    error = error == WIRE_OK && !fits(p, cpu, &header) ? WIRE_BAD_SHAPE : error;
    if (error != WIRE_OK) {
        return refuse(p, error);
    }
    const bool early = is_too_early(p, header.block);
    if (early || is_too_late(p, header.block)) {
        p->counters.early += early;
        p->counters.late += !early;
        return WIRE_OK;
    }
    struct wire_array_meta meta = {.statistic = p->statistic, .statistic_room = n_statistics(s, s->n_ue)};
    error = wire_unpack_array(data, n_bytes, &header, &meta, p->columns, (size_t)s->n_ue * n_symbols(s));
    const int n_column = header.encoding == WIRE_NONE ? 0 : header.n_ant;
    const bool right = meta.kind == 1 && meta.subject == (n_column > 0 ? s->frame->n_ul : 0) &&
                       meta.n_statistic == n_statistics(s, n_column);
    error = error == WIRE_OK && !right ? WIRE_BAD_SHAPE : error;
    error = error == WIRE_OK && !is_possible(p, &meta, n_column) ? WIRE_BAD_VALUE : error;
    if (error != WIRE_OK) {
        return refuse(p, error);
    }
    struct parts_block *const b = place_of(p, header.block);
    memset(b->has + cpu * s->n_ue, 0, (size_t)s->n_ue);
    for (int column = 0; column < n_column; column++) {
        take_user(p, b, cpu, n_column, column);
    }
    b->got[cpu] = 1;
    b->bytes[cpu] = (int64_t)n_bytes;
    return WIRE_OK;
}

/* Fusion ----------------------------------------------------------------------------------------------------------- */

/* One subband of user k: g, f of all streams, f 0 where there is none. */
static void take_statistics(struct uplink_parts *p, const struct parts_block *b, int k, int sb)
{
    const size_t n_ue = (size_t)p->settings.shape.n_ue;
    for (int c = 0; c < p->settings.n_cpu; c++) {
        const bool has = b->has[(size_t)c * n_ue + (size_t)k];
        const tutti_cf32 *const g = g_of(p, b, c, k) + (size_t)sb * n_ue;
        p->f[c] = has ? (double)f_of(p, b, c, k)[sb] : 0;
        for (size_t i = 0; i < n_ue; i++) {
            p->g[(size_t)c * n_ue + i] = has ? (double complex)g[i] : 0;
        }
    }
}

static void weigh(struct uplink_parts *p, int k, int sb)
{
    const int n_cpu = p->settings.n_cpu, n_ue = p->settings.shape.n_ue;
    const size_t row = (size_t)k * (size_t)p->settings.shape.frame->n_sb + (size_t)sb;
    double complex gain = 0;
    const int status = fuse_instant(p->fuse, k, p->g, p->f, p->a);
    for (int c = 0; c < n_cpu; c++) {
        gain += cmplx_product_double(conj(p->a[c]), p->g[c * n_ue + k]);
    }
    const bool heard = status == 0 && gain != 0;
    p->sinr[row] = heard ? fuse_sinr(p->fuse, k, p->g, p->f, p->a) : 0;
    for (int c = 0; c < n_cpu; c++) {
        p->W[row * (size_t)n_cpu + (size_t)c] = heard ? (tutti_cf32)(conj(p->a[c]) / gain) : 0;
    }
}

void uplink_parts_make(uplink_parts_t *p, const struct parts_block *b)
{
    p->block = b;
    for (int k = 0; k < p->settings.shape.n_ue; k++) {
        for (int sb = 0; b->user_here[k] && sb < p->settings.shape.frame->n_sb; sb++) {
            take_statistics(p, b, k, sb);
            weigh(p, k, sb);
        }
    }
}

void uplink_parts_apply(const uplink_parts_t *p, int k, tutti_cf32 *symbols, double *sinr)
{
    const struct uplink_shape *s = &p->settings.shape;
    const struct kernel_ops *const ops = kernel_get();
    const size_t n_sb = (size_t)s->frame->n_sb, n = (size_t)s->frame->sc_per_sb, n_cpu = (size_t)p->settings.n_cpu;
    const tutti_cf32 *from[WIRE_MAX_CPU]; /* those that have a stream */
    size_t which[WIRE_MAX_CPU];
    int n_stream = 0;
    for (size_t c = 0; c < n_cpu; c++) {
        if (p->block->has[c * (size_t)s->n_ue + (size_t)k]) {
            which[n_stream] = c;
            from[n_stream++] = values_of(p, p->block, (int)c, k);
        }
    }
    for (size_t row = 0; row < (size_t)s->frame->n_ul * n_sb; row++) {
        tutti_cf32 weights[WIRE_MAX_CPU];
        for (int i = 0; i < n_stream; i++) {
            weights[i] = p->W[((size_t)k * n_sb + row % n_sb) * n_cpu + which[i]];
        }
        ops->combine((int)n, n_stream, weights, from, row * n, symbols + row * n);
    }
    memcpy(sinr, p->sinr + (size_t)k * n_sb, n_sb * sizeof *sinr);
}
