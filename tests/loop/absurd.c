/* SPDX-License-Identifier: GPL-3.0-or-later */
/* absurd --config FILE --id N [--ms M] [--seed S]: takes the place of AP N and sends what no access point would, every
 * checksum right: other blocks, other nodes, other shapes, values that are absurd, messages of the other direction,
 * accounts of blocks that never were, bytes, and control texts of all kinds; to the lab link it sends reports nobody
 * could have made. Its last line says how much it sent and between which blocks. Status 1 if it was not let in. */
#include "base/clock.h"
#include "base/config.h"
#include "base/error.h"
#include "fronthaul/peer.h"
#include "tests/fronthaul/messages.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROOM = 1 << 20, N_DATA_KINDS = 14 };

struct absurd {
    struct config *config;
    fh_peer_t *ap, *lab; /* in an AP's place; an observer, who hears which block it is */
    struct fh_welcome welcome;
    int id;
    uint64_t random, block, first_block, n_data, n_control, n_refused;
    uint8_t *bytes;
};

static int join(struct absurd *a, fh_peer_t **peer, enum fh_role role, int id, const char *endpoint)
{
    char *agreement = config_agreement(a->config);
    const struct fh_hello hello = {.role = role,
                                   .id = id,
                                   .fingerprint = role == FH_ROLE_AP ? config_fingerprint(a->config) : 0,
                                   .agreement = agreement,
                                   .key_dir = config_key_dir(a->config, endpoint)};
    const int status = fh_peer_create(peer, endpoint, &hello, config_peer_timeout_ms(a->config));
    free(agreement);
    return status;
}

/* What has come; 1 when it was a welcome, negative when refused. */
static int hear(struct absurd *a, fh_peer_t *peer, int64_t timeout_us)
{
    struct fh_event event;
    const int status = fh_peer_wait(peer, -1, timeout_us, &event);
    if (status < 0 || event.kind == FH_EVENT_REFUSED) {
        return status < 0 ? status : TUTTI_EREFUSED;
    }
    if (event.kind == FH_EVENT_UP && peer == a->ap) {
        a->welcome = event.welcome;
    }
    const char *at = event.kind == FH_EVENT_CONTROL ? strstr((const char *)event.data, "\"block\":") : NULL;
    if (at) {
        a->block = strtoull(at + strlen("\"block\":"), NULL, 10);
    }
    return event.kind == FH_EVENT_UP;
}

static int enter(struct absurd *a)
{
    const uint64_t until_ns = clock_mono_ns() + 15000000000u;
    int status = join(a, &a->ap, FH_ROLE_AP, a->id, a->config->fronthaul.endpoint);
    status = status < 0 ? status : join(a, &a->lab, FH_ROLE_OBSERVER, 20000 + a->id, a->config->fronthaul.lab_endpoint);
    bool in = false;
    while (status >= 0 && !(in && a->block > 0)) {
        if (clock_mono_ns() > until_ns) {
            return error_set(TUTTI_EDEVICE, "not welcomed, or no status, in 15 s");
        }
        status = hear(a, a->ap, 20000);
        in = in || status > 0;
        status = status < 0 ? status : hear(a, a->lab, 20000);
    }
    a->first_block = a->block;
    return status < 0 ? status : 0;
}

/* Data ------------------------------------------------------------------------------------------------------------ */

static uint64_t pick(struct absurd *a, const uint64_t *values, int n)
{
    return values[random_u64(&a->random) % (uint64_t)n];
}

static uint64_t absurd_block(struct absurd *a)
{
    const uint64_t now = a->block, values[] = {now,      now + 1,    now - 1,           now - 70,
                                               now + 64, now + 1000, now + 1000000000u, 0,
                                               1,        UINT64_MAX, UINT64_MAX / 9600, random_u64(&a->random)};
    return pick(a, values, (int)(sizeof values / sizeof *values));
}

static float absurd_value(struct absurd *a)
{
    static const float values[] = {0, 1e-38f, 1e-20f, 1, 1e6f, 1e15f, 1e30f, 3e38f, -1, -1e30f};
    return values[random_u64(&a->random) % (sizeof values / sizeof *values)];
}

static void spoil_values(struct absurd *a, struct message *m, int kind)
{
    for (size_t i = 0; kind == 3 && i < m->n_coefficients; i++) {
        m->coefficients[i] = CMPLXF(absurd_value(a), absurd_value(a));
    }
    for (int k = 0; kind >= 3 && kind <= 4 && k < m->header.n_stream; k++) {
        m->csi.beta[k] = absurd_value(a);
        m->csi.error_variance[k] = absurd_value(a);
    }
    if (kind == 5) {
        m->csi.noise_power = absurd_value(a);
    }
    m->csi.n_account = kind == 6 ? WIRE_MAX_ACCOUNTS : 0;
    for (int i = 0; i < m->csi.n_account; i++) {
        m->csi.account[i].block = absurd_block(a);
    }
}

static enum wire_type type_of(int kind)
{
    static const enum wire_type others[] = {WIRE_PRECODER, WIRE_UPLINK, WIRE_CALIBRATION, WIRE_SENSING};
    return kind >= 9 && kind < 13 ? others[kind - 9] : WIRE_CSI;
}

/* A message of this kind into bytes; its length. */
static size_t make(struct absurd *a, int kind)
{
    struct frame_shape {
        int n_sb, n_ant, n_ue;
    } s = {a->config->frame.n_used_subcarriers / a->config->frame.subcarriers_per_subband, a->config->network.n_ant,
           a->config->network.n_ue};
    if (kind == 7) {
        s = (struct frame_shape){1 + (int)(random_u64(&a->random) % 40), 1 + (int)(random_u64(&a->random) % 9),
                                 1 + (int)(random_u64(&a->random) % 9)};
    }
    struct message m = message_random(&a->random, type_of(kind), WIRE_CF32, 0, s.n_sb, s.n_ant, s.n_ue);
    m.header.node = (uint16_t)(kind == 8 ? random_u64(&a->random) : (uint64_t)a->id);
    m.header.session = kind == 2 ? (uint32_t)random_u64(&a->random) : a->welcome.session;
    m.header.block = kind == 0 || kind == 6 ? absurd_block(a) : a->block + 1;
    m.header.tick = kind == 1 ? random_u64(&a->random) : m.header.block * 9600;
    if (type_of(kind) == WIRE_CSI) {
        spoil_values(a, &m, kind);
    }
    size_t n = message_pack(&m, a->bytes, ROOM);
    message_free(&m);
    for (size_t i = 0; kind == 13 && i < 4; i++) { /* anything at all behind right checksums */
        a->bytes[8 + random_u64(&a->random) % (n - 8)] = (uint8_t)random_u64(&a->random);
    }
    if (kind == 13) {
        message_reseal(a->bytes, n);
    }
    return random_u64(&a->random) % 16 ? n : random_u64(&a->random) % (n + 1);
}

static void send_data(struct absurd *a)
{
    const size_t n = make(a, (int)(random_u64(&a->random) % N_DATA_KINDS));
    a->n_refused += fh_peer_send(a->ap, a->bytes, n) < 0;
    a->n_data++;
}

/* Control ---------------------------------------------------------------------------------------------------------- */

static const char *const TEXTS[] = {
    "{}",
    "[]",
    "null",
    "\"",
    "{\"type\":1}",
    "{\"type\":\"status\",\"block\":1e400}",
    "{\"type\":\"hello\",\"role\":\"ap\",\"id\":-1}",
    "{\"type\":\"hello\",\"role\":\"cpu\",\"id\":99999999999999999999}",
    "{\"type\":\"goodbye\",\"type\":\"goodbye\"}",
    "{\"type\":\"report\",\"block\":-5,\"sinr\":1e308,\"evm\":-1,\"bits\":9223372036854775807}",
    "{\"type\":\"eve_report\",\"block\":0,\"users\":[[[[]]]]}",
    "{\"type\":\"faults\",\"loss\":1}",
    "{\"type\":\"fault\",\"loss\":\"\\u0000\"}",
    "{\"type\":\"welcome\",\"session\":1,\"epoch\":0}",
    "{\"type\":\"stop\"}",
    "{\"type\":\"sync\",\"state\":\"acquired\",\"cfo_hz\":1e308,\"offset_samples\":-1e308,\"snr_db\":1e308}",
    "{\"type\":\"sync\",\"cfo_hz\":[[[]]],\"snr_db\":\"loud\",\"sync\":{}}",
    "{\"type\":\"roster_heard\",\"from_block\":18446744073709551615}",
    "{\"type\":\"calibrate\",\"run\":-1}",
};

static void send_text(struct absurd *a, fh_peer_t *peer)
{
    const size_t n = sizeof TEXTS / sizeof *TEXTS, i = (size_t)(random_u64(&a->random) % (n + 1));
    char *deep = i == n ? malloc(60001) : NULL;
    if (deep) {
        memset(deep, random_u64(&a->random) % 2 ? '[' : '{', 60000);
        deep[60000] = '\0';
    }
    a->n_refused += fh_peer_send_control(peer, deep ? deep : TEXTS[i % n]) < 0;
    a->n_control++;
    free(deep);
}

static int torment(struct absurd *a, int ms)
{
    const uint64_t until_ns = clock_mono_ns() + (uint64_t)ms * 1000000u;
    int status = 0;
    while (status >= 0 && clock_mono_ns() < until_ns) {
        for (int i = 0; i < 4; i++) {
            send_data(a);
        }
        if (random_u64(&a->random) % 8 == 0) {
            send_text(a, random_u64(&a->random) % 2 ? a->ap : a->lab);
        }
        status = hear(a, a->ap, 1000);
        status = status < 0 ? status : hear(a, a->lab, 1000);
    }
    return status;
}

static const char *option(int argc, char **argv, const char *name, const char *standard)
{
    for (int i = 1; i + 1 < argc; i++) {
        if (strcmp(argv[i], name) == 0) {
            return argv[i + 1];
        }
    }
    return standard;
}

int main(int argc, char **argv)
{
    struct absurd a = {.id = atoi(option(argc, argv, "--id", "0")),
                       .random = strtoull(option(argc, argv, "--seed", "1"), NULL, 10) | 1};
    a.bytes = malloc(ROOM);
    int status = config_load(&a.config, option(argc, argv, "--config", NULL), NULL, 0);
    status = status < 0 || !a.bytes ? TUTTI_ENOMEM : enter(&a);
    status = status < 0 ? status : torment(&a, atoi(option(argc, argv, "--ms", "2000")));
    printf("absurd: %llu data messages, %llu texts, %llu not taken by its own queue, blocks %llu to %llu%s%s\n",
           (unsigned long long)a.n_data, (unsigned long long)a.n_control, (unsigned long long)a.n_refused,
           (unsigned long long)a.first_block, (unsigned long long)a.block, status < 0 ? ": " : "",
           status < 0 ? error_text() : "");
    const bool let_in = a.n_data > 0;
    fh_peer_destroy(a.ap);
    fh_peer_destroy(a.lab);
    config_free(a.config);
    free(a.bytes);
    return !let_in;
}
