/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cpu_node/partners.h"

#include "base/error.h"
#include "base/log.h"
#include "base/ring.h"
#include "base/rt.h"
#include "cpu_node/homes.h"
#include "fronthaul/control.h"
#include "node/realtime.h"
#include "node/thread.h"

#include <inttypes.h>
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CONTROL_SLOTS = 32, DATA_SLOTS = 16, IN_SLOTS = 32, FULL_WAIT_US = 1000, LOOK_US = 100000 };

enum what { CAME, WENT, ENDED, LINE, DATA };
struct message {
    enum what what;
    size_t n_bytes;
    uint8_t bytes[]; /* a line with its NUL */
};

/* The way to one partner. */
struct way {
    partners_t *all;
    int cpu;
    fh_peer_t *peer; /* NULL: it calls, through the hub */
    struct node_thread thread;
    char name[24];
    int wake;             /* of the thread: something is to be sent */
    ring_t *lines, *data; /* to be sent, of block and uplink thread */
    ring_t *in;           /* thread -> block thread */
    _Atomic bool alive;
    bool known; /* was there once */
    bool told;  /* gains are its own */
    double *gains;
    _Atomic uint64_t dropped;
};

struct partners {
    struct partners_settings settings;
    int n_cpu, n_ue;
    size_t line_bytes, in_bytes;
    fh_hub_t *hub;
    int event; /* of the block thread: something has come, or waits for the hub */
    bool over;
    struct way *way; /* [n_cpu], its own is unused but for the gains */
    struct schedule_user *user;
    char *text; /* [line_bytes] */
    uint64_t bad;
};

/* Life ------------------------------------------------------------------------------------------------------------- */

static int create_peer(partners_t *p, struct way *way)
{
    const struct config *const c = p->settings.config;
    const char *const endpoint = config_cpu_endpoint(c, way->cpu);
    const struct fh_hello hello = {.role = FH_ROLE_CPU,
                                   .id = p->settings.id,
                                   .cpu = way->cpu,
                                   .fingerprint = config_fingerprint(c),
                                   .agreement = p->settings.agreement,
                                   .key_dir = config_key_dir(c, endpoint),
                                   .io_priority = node_priority(&c->engine, NODE_DUTY_LINK)};
    way->wake = rt_event_create();
    const int status =
        way->wake < 0 ? way->wake : ring_create(&way->in, IN_SLOTS, sizeof(struct message) + p->in_bytes);
    return status < 0 ? status : fh_peer_create(&way->peer, endpoint, &hello, config_peer_timeout_ms(c));
}

static int create_way(partners_t *p, int cpu)
{
    struct way *const way = &p->way[cpu];
    *way = (struct way){.all = p, .cpu = cpu, .wake = -1};
    way->gains = calloc((size_t)p->n_ue, sizeof *way->gains);
    if (!way->gains) {
        return error_set(TUTTI_ENOMEM, "out of memory for the other central nodes");
    }
    atomic_store(&way->alive, cpu == p->settings.id);
    way->known = cpu == p->settings.id;
    if (way->known) {
        return TUTTI_OK;
    }
    int status = ring_create(&way->lines, CONTROL_SLOTS, sizeof(struct message) + p->line_bytes);
    if (status >= 0 && p->settings.data_bytes > 0) {
        status = ring_create(&way->data, DATA_SLOTS, sizeof(struct message) + p->settings.data_bytes);
    }
    return status < 0 || cpu > p->settings.id ? status : create_peer(p, way);
}

int partners_create(partners_t **partners, const struct partners_settings *settings)
{
    *partners = NULL;
    if (settings->config->cpus_count == 0) {
        return TUTTI_OK;
    }
    partners_t *const p = *partners = calloc(1, sizeof *p);
    if (!p) {
        return error_set(TUTTI_ENOMEM, "out of memory for the other central nodes");
    }
    p->settings = *settings;
    p->n_cpu = config_n_cpu(settings->config);
    p->n_ue = settings->config->network.n_ue;
    const size_t wanted = 4096 + 48 * (size_t)p->n_ue * (size_t)p->n_ue; /* a complex number per pair of users */
    p->line_bytes = (wanted < CONTROL_MAX_BYTES ? wanted : CONTROL_MAX_BYTES) + 1;
    p->in_bytes = settings->data_bytes > p->line_bytes ? settings->data_bytes : p->line_bytes;
    p->event = rt_event_create();
    p->way = calloc((size_t)p->n_cpu, sizeof *p->way);
    p->user = calloc((size_t)p->n_ue, sizeof *p->user);
    p->text = malloc(p->line_bytes);
    if (p->event < 0 || !p->way || !p->user || !p->text) {
        return error_set(TUTTI_ENOMEM, "out of memory for the other central nodes");
    }
    int status = TUTTI_OK;
    for (int cpu = 0; status >= 0 && cpu < p->n_cpu; cpu++) {
        status = create_way(p, cpu);
    }
    return status;
}

static void send_all(struct way *way);

void partners_stop(partners_t *p)
{
    for (int cpu = 0; p && p->way && cpu < p->n_cpu; cpu++) {
        if (p->way[cpu].thread.running) {
            rt_event_signal(p->way[cpu].wake);
            node_thread_join(&p->way[cpu].thread);
        }
        if (p->hub && cpu != p->settings.id) { /* the last block's parts, too: somebody waits for them */
            send_all(&p->way[cpu]);
        }
    }
}

static void destroy_way(struct way *way)
{
    if (!way->all) {
        return; /* never made */
    }
    fh_peer_destroy(way->peer);
    ring_destroy(way->lines);
    ring_destroy(way->data);
    ring_destroy(way->in);
    free(way->gains);
    if (way->wake >= 0) {
        close(way->wake);
    }
}

void partners_destroy(partners_t *p)
{
    if (!p) {
        return;
    }
    partners_stop(p);
    for (int cpu = 0; p->way && cpu < p->n_cpu; cpu++) {
        destroy_way(&p->way[cpu]);
    }
    if (p->event > 0) {
        close(p->event);
    }
    free(p->way);
    free(p->user);
    free(p->text);
    free(p);
}

/* Sending ---------------------------------------------------------------------------------------------------------- */

static void put(struct message *message, enum what what, const void *bytes, size_t n_bytes)
{
    message->what = what;
    message->n_bytes = n_bytes;
    memcpy(message->bytes, bytes, n_bytes);
}

static int send_one(const struct way *way, const struct message *m)
{
    return way->peer ? fh_peer_send(way->peer, m->bytes, m->n_bytes)
                     : fh_hub_send(way->all->hub, FH_ROLE_CPU, way->cpu, m->bytes, m->n_bytes);
}

static void send_lines(struct way *way)
{
    for (const struct message *m; (m = ring_peek(way->lines, 0)) != NULL; ring_pop(way->lines)) {
        atomic_fetch_add(&way->dropped, send_one(way, m) < 0);
    }
}

/* Whoever owns the socket: all that waits. What was told before a data message was handed over goes before it. */
static void send_all(struct way *way)
{
    const struct message *m;
    do {
        m = way->data ? ring_peek(way->data, 0) : NULL;
        send_lines(way);
        if (m) {
            atomic_fetch_add(&way->dropped, send_one(way, m) < 0);
            ring_pop(way->data);
        }
    } while (m);
}

static int hand_over(struct way *way, ring_t *ring, enum what what, const void *bytes, size_t n_bytes)
{
    struct message *const slot = atomic_load(&way->alive) && ring ? ring_write_slot(ring) : NULL;
    if (!slot) {
        atomic_fetch_add(&way->dropped, 1);
        return TUTTI_EAGAIN;
    }
    put(slot, what, bytes, n_bytes);
    ring_push(ring);
    rt_event_signal(way->peer ? way->wake : way->all->event);
    return TUTTI_OK;
}

int partners_tell(partners_t *p, int cpu, const char *json)
{
    const size_t n_bytes = strlen(json);
    if (n_bytes >= p->line_bytes || n_bytes > CONTROL_MAX_BYTES) {
        return error_set(TUTTI_EINVAL, "a line of %zu bytes to cpu%d is too long", n_bytes, cpu);
    }
    return hand_over(&p->way[cpu], p->way[cpu].lines, LINE, json, n_bytes);
}

void partners_tell_all(partners_t *p, const char *json)
{
    for (int cpu = 0; p && cpu < p->n_cpu; cpu++) {
        if (cpu != p->settings.id && partners_alive(p, cpu)) {
            partners_tell(p, cpu, json);
        }
    }
}

int partners_send(partners_t *p, int cpu, const uint8_t *data, size_t n_bytes)
{
    if (n_bytes > p->settings.data_bytes) {
        return error_set(TUTTI_EINVAL, "a data message of %zu bytes to cpu%d is too long", n_bytes, cpu);
    }
    return hand_over(&p->way[cpu], p->way[cpu].data, DATA, data, n_bytes);
}

/* A partner's thread ----------------------------------------------------------------------------------------------- */

static void hand_in(struct way *way, enum what what, const void *bytes, size_t n_bytes)
{
    struct message *const slot = ring_write_slot(way->in);
    if (!slot || n_bytes > way->all->in_bytes) {
        atomic_fetch_add(&way->dropped, 1);
        return;
    }
    put(slot, what, bytes ? bytes : "", n_bytes);
    ring_push(way->in);
    rt_event_signal(way->all->event);
}

static int take(struct way *way, const struct fh_event *event)
{
    switch (event->kind) {
    case FH_EVENT_FD:
        rt_event_wait(way->wake, 0);
        break;
    case FH_EVENT_UP:
        atomic_store(&way->alive, true);
        hand_in(way, CAME, NULL, 0);
        break;
    case FH_EVENT_DOWN:
        atomic_store(&way->alive, false);
        hand_in(way, WENT, NULL, 0);
        break;
    case FH_EVENT_STOP:
        if (!rt_stop_requested()) {
            hand_in(way, ENDED, NULL, 0);
        }
        break;
    case FH_EVENT_DATA:
        hand_in(way, DATA, event->data, event->n_bytes);
        break;
    case FH_EVENT_CONTROL:
        hand_in(way, LINE, event->data, event->n_bytes);
        break;
    case FH_EVENT_REFUSED:
        return TUTTI_EREFUSED;
    default:
        break;
    }
    return TUTTI_OK;
}

/* While the block thread is behind, nothing is read: the link holds it. */
static int body(void *argument)
{
    struct way *const way = argument;
    int status = TUTTI_OK;
    while (status >= 0 && !rt_stop_requested()) {
        struct fh_event event;
        send_all(way);
        if (ring_count(way->in) >= IN_SLOTS) {
            rt_event_wait(way->wake, FULL_WAIT_US);
            continue;
        }
        status = fh_peer_wait(way->peer, way->wake, LOOK_US, &event);
        status = status < 0 ? status : take(way, &event);
    }
    return status;
}

int partners_start(partners_t *p, fh_hub_t *hub)
{
    int status = TUTTI_OK;
    if (p) {
        p->hub = hub;
    }
    for (int cpu = 0; p && status >= 0 && cpu < p->settings.id; cpu++) {
        struct way *const way = &p->way[cpu];
        snprintf(way->name, sizeof way->name, "partner%d", cpu);
        way->thread = (struct node_thread){.name = way->name,
                                           .duty = NODE_DUTY_LINK,
                                           .engine = &p->settings.config->engine,
                                           .core = -1,
                                           .body = body,
                                           .argument = way};
        status = node_thread_start(&way->thread);
    }
    return status;
}

/* Hearing ---------------------------------------------------------------------------------------------------------- */

/* A list of n_ue numbers, none below 0. */
static bool is_list(const json_t *list, int n_ue)
{
    bool good = json_is_array(list) && json_array_size(list) == (size_t)n_ue;
    for (int k = 0; good && k < n_ue; k++) {
        const json_t *const entry = json_array_get(list, (size_t)k);
        good = json_is_null(entry) || (json_is_number(entry) && json_number_value(entry) >= 0);
    }
    return good;
}

static void pass_gains(const partners_t *p, const struct way *way, uint64_t block)
{
    if (p->settings.handlers.gains) {
        p->settings.handlers.gains(p->settings.handlers.context, way->cpu, block, way->gains);
    }
}

static bool hear_gains(partners_t *p, struct way *way, const json_t *root)
{
    const json_t *const sum = json_object_get(root, "sum"), *const block = json_object_get(root, "block");
    if (!is_list(sum, p->n_ue) || !json_is_integer(block) || json_integer_value(block) < 0) {
        return false;
    }
    for (int k = 0; k < p->n_ue; k++) {
        way->gains[k] = json_number_value(json_array_get(sum, (size_t)k));
    }
    way->told = true;
    pass_gains(p, way, (uint64_t)json_integer_value(block));
    return true;
}

/* No user has reported a block that was not: it would be taken to be there for ever. */
static bool have_been(const json_t *heard, const json_t *block)
{
    bool good = json_is_integer(block) && json_integer_value(block) >= 0;
    for (size_t k = 0; good && k < json_array_size(heard); k++) {
        const json_int_t reported = json_integer_value(json_array_get(heard, k));
        good = reported <= json_integer_value(block) || reported - json_integer_value(block) <= HOMES_AHEAD_BLOCKS;
    }
    return good;
}

/* Only the first one's word counts: it has the lab link. */
static bool hear_alive(partners_t *p, const struct way *way, const json_t *root)
{
    const json_t *const heard = json_object_get(root, "heard");
    if (way->cpu != 0 || !is_list(heard, p->n_ue) || !have_been(heard, json_object_get(root, "block"))) {
        return false;
    }
    for (int k = 0; k < p->n_ue; k++) {
        const json_t *const block = json_array_get(heard, (size_t)k);
        p->user[k] =
            (struct schedule_user){.alive = json_is_integer(block), .heard_block = (uint64_t)json_integer_value(block)};
    }
    return true;
}

static void hear_line(partners_t *p, struct way *way, const char *text, size_t n_bytes)
{
    json_t *const root = json_loadb(text, n_bytes, 0, NULL);
    const char *const type = json_string_value(json_object_get(root, "type"));
    if (!type) {
        p->bad++;
    } else if (strcmp(type, "gains") == 0) {
        p->bad += !hear_gains(p, way, root);
    } else if (strcmp(type, "alive") == 0) {
        p->bad += !hear_alive(p, way, root);
    } else {
        p->settings.handlers.control(p->settings.handlers.context, way->cpu, type, root);
    }
    json_decref(root);
}

static void change(partners_t *p, struct way *way, bool up)
{
    atomic_store(&way->alive, up);
    way->known |= up;
    way->told = false;
    if (way->cpu == 0) {
        memset(p->user, 0, (size_t)p->n_ue * sizeof *p->user);
    }
    p->settings.handlers.change(p->settings.handlers.context, way->cpu, up);
}

static void hear_message(partners_t *p, struct way *way, const struct message *m)
{
    if (m->what == CAME || m->what == WENT) {
        change(p, way, m->what == CAME);
    } else if (m->what == ENDED) {
        p->over |= way->cpu == 0;
    } else if (m->what == DATA) {
        p->settings.handlers.data(p->settings.handlers.context, way->cpu, m->bytes, m->n_bytes);
    } else {
        hear_line(p, way, (const char *)m->bytes, m->n_bytes);
    }
}

void partners_turn(partners_t *p)
{
    if (!p) {
        return;
    }
    rt_event_wait(p->event, 0);
    for (int cpu = 0; cpu < p->n_cpu; cpu++) {
        struct way *const way = &p->way[cpu];
        for (const struct message *m; way->in && (m = ring_peek(way->in, 0)) != NULL; ring_pop(way->in)) {
            hear_message(p, way, m);
        }
        if (cpu > p->settings.id) {
            send_all(way);
        }
    }
}

void partners_hear(partners_t *p, const struct fh_event *event)
{
    struct way *const way = &p->way[event->id];
    if (event->kind == FH_EVENT_UP || event->kind == FH_EVENT_DOWN) {
        change(p, way, event->kind == FH_EVENT_UP);
    } else if (event->kind == FH_EVENT_DATA) {
        p->settings.handlers.data(p->settings.handlers.context, event->id, event->data, event->n_bytes);
    } else if (event->kind == FH_EVENT_CONTROL) {
        hear_line(p, way, (const char *)event->data, strlen((const char *)event->data));
    }
}

int partners_event(const partners_t *p)
{
    return p ? p->event : -1;
}

/* What is known ---------------------------------------------------------------------------------------------------- */

bool partners_alive(const partners_t *p, int cpu)
{
    return p && atomic_load(&p->way[cpu].alive);
}

bool partners_complete(const partners_t *p)
{
    bool all = true;
    for (int cpu = 0; p && cpu < p->n_cpu; cpu++) {
        all = all && p->way[cpu].known;
    }
    return all;
}

bool partners_over(const partners_t *p)
{
    return p && p->over;
}

const double *partners_gains(const partners_t *p, int cpu)
{
    return p && p->way[cpu].told ? p->way[cpu].gains : NULL;
}

void partners_users(const partners_t *p, struct schedule_user *user)
{
    memcpy(user, p->user, (size_t)p->n_ue * sizeof *user);
}

/* Telling ---------------------------------------------------------------------------------------------------------- */

static void add_gains(struct way *own, const struct cpu_block *block)
{
    const int n_ue = block->shape.n_ue;
    memset(own->gains, 0, (size_t)n_ue * sizeof *own->gains);
    for (int ap = 0; ap < block->shape.n_ap; ap++) {
        for (int k = 0; block->gathered[ap] && k < n_ue; k++) {
            own->gains[k] += (double)block->beta[ap * n_ue + k];
        }
    }
    own->told = true;
}

static void tell_gains(partners_t *p, const double *gains, uint64_t block)
{
    size_t n = (size_t)snprintf(p->text, p->line_bytes, "{\"type\":\"gains\",\"block\":%" PRIu64 ",\"sum\":[", block);
    for (int k = 0; k < p->n_ue; k++) {
        n += (size_t)snprintf(p->text + n, p->line_bytes - n, "%s%.9g", k > 0 ? "," : "", fmin(gains[k], 1e300));
    }
    snprintf(p->text + n, p->line_bytes - n, "]}");
    partners_tell_all(p, p->text);
}

static void tell_users(partners_t *p, const struct schedule_user *user, uint64_t block)
{
    size_t n = (size_t)snprintf(p->text, p->line_bytes, "{\"type\":\"alive\",\"block\":%" PRIu64 ",\"heard\":[", block);
    for (int k = 0; k < p->n_ue; k++) {
        const char *const separator = k > 0 ? "," : "";
        if (user[k].alive) {
            n += (size_t)snprintf(p->text + n, p->line_bytes - n, "%s%" PRIu64, separator, user[k].heard_block);
        } else {
            n += (size_t)snprintf(p->text + n, p->line_bytes - n, "%snull", separator);
        }
    }
    snprintf(p->text + n, p->line_bytes - n, "]}");
    partners_tell_all(p, p->text);
}

void partners_block(partners_t *p, const struct cpu_block *block, const struct schedule_user *user)
{
    if (!p) {
        return;
    }
    add_gains(&p->way[p->settings.id], block);
    if (block->number % PARTNERS_EVERY_BLOCKS == 0) {
        tell_gains(p, p->way[p->settings.id].gains, block->number);
        pass_gains(p, &p->way[p->settings.id], block->number);
        if (p->settings.id == 0) {
            tell_users(p, user, block->number);
        }
    }
    partners_turn(p);
}

uint64_t partners_refused(const partners_t *p)
{
    return p->bad;
}

void partners_log_counters(const partners_t *p)
{
    for (int cpu = 0; p && cpu < p->n_cpu; cpu++) {
        struct way *const way = &p->way[cpu];
        if (cpu != p->settings.id) {
            log_write(LOG_INFO, "partners", "COUNTERS cpu=%d dropped=%" PRIu64 " bad=%" PRIu64, cpu,
                      atomic_load(&way->dropped), p->bad);
        }
        if (way->peer) {
            struct fh_counters counters;
            fh_peer_counters(way->peer, &counters);
            fh_counters_log(&counters, config_cpu_endpoint(p->settings.config, cpu));
        }
    }
}
