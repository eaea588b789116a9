/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Where links meet and whom they meet: every kind of endpoint the network file may name, folders and keys that others
 * could exchange, few descriptors, other configurations, a new session in mid-run. Peer and hub run in one thread, a
 * little of each in turn. */
#include "base/clock.h"
#include "base/config.h"
#include "base/error.h"
#include "fronthaul/hub.h"
#include "fronthaul/keys.h"
#include "scratch.h"
#include "skip.h" /* after cmocka.h */

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { PATIENCE_MS = 20000, SOMEBODY = 65534 };

static fh_hub_t *try_hub(const char *where, const char *agreement, uint64_t fingerprint)
{
    const struct fh_hub_settings settings = {.endpoint = where,
                                             .n_ap = 2,
                                             .observers = true,
                                             .fingerprint = fingerprint,
                                             .agreement = agreement,
                                             .welcome = {.session = 7, .epoch = 100},
                                             .peer_timeout_ms = 10000};
    fh_hub_t *hub = NULL;
    if (fh_hub_create(&hub, &settings)) {
        fh_hub_destroy(hub);
        return NULL;
    }
    return hub;
}

static fh_peer_t *try_peer(const char *where, int id, const char *agreement, uint64_t fingerprint)
{
    const struct fh_hello hello = {.role = FH_ROLE_AP, .id = id, .fingerprint = fingerprint, .agreement = agreement};
    fh_peer_t *peer = NULL;
    if (fh_peer_create(&peer, where, &hello, 10000)) {
        fh_peer_destroy(peer);
        return NULL;
    }
    return peer;
}

/* Turns both until the peer has an event of this kind; NULL hub: only the peer. */
static struct fh_event await(fh_hub_t *hub, fh_peer_t *peer, enum fh_event_kind kind)
{
    const uint64_t start_ns = clock_mono_ns();
    struct fh_event event;
    for (;;) {
        if (hub) {
            assert_int_equal(fh_hub_wait(hub, -1, 500, &event), TUTTI_OK);
        }
        assert_int_equal(fh_peer_wait(peer, -1, 500, &event), TUTTI_OK);
        if (event.kind == kind) {
            return event;
        }
        if (clock_mono_ns() - start_ns > PATIENCE_MS * 1000000ull) {
            fail_msg("gave up waiting for event %d", (int)kind);
        }
    }
}

/* Endpoints ------------------------------------------------------------------------------------------------------- */

static int free_port(int family)
{
    const int fd = socket(family, SOCK_STREAM, 0);
    struct sockaddr_storage address = {.ss_family = (sa_family_t)family};
    socklen_t size = family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
    if (family == AF_INET6) {
        ((struct sockaddr_in6 *)&address)->sin6_addr = in6addr_loopback;
    }
    const bool good = fd >= 0 && bind(fd, (struct sockaddr *)&address, size) == 0 &&
                      getsockname(fd, (struct sockaddr *)&address, &size) == 0;
    close(fd);
    return !good               ? -1
           : family == AF_INET ? ntohs(((struct sockaddr_in *)&address)->sin_port)
                               : ntohs(((struct sockaddr_in6 *)&address)->sin6_port);
}

/* The same text at both ends: one file for all hosts. */
static void expect_meeting(const char *format, int port)
{
    char where[128];
    snprintf(where, sizeof where, format, port);
    fh_hub_t *hub = try_hub(where, NULL, 1);
    if (!hub) {
        fail_msg("%s: hub: %s", where, error_text());
    }
    fh_peer_t *peer = try_peer(where, 0, NULL, 1);
    if (!peer) {
        fail_msg("%s: peer: %s", where, error_text());
    }
    assert_int_equal(await(hub, peer, FH_EVENT_UP).welcome.session, 7);
    fh_peer_destroy(peer);
    fh_hub_destroy(hub);
}

static void test_every_kind_of_endpoint(void **state)
{
    (void)state;
    expect_meeting("tcp://127.0.0.1:%d", free_port(AF_INET));
    expect_meeting("tcp://localhost:%d", free_port(AF_INET));
    expect_meeting("tcp://lo:%d", free_port(AF_INET));
    expect_meeting("tcp://*:%d", free_port(AF_INET));
}

static void test_the_hosts_own_name(void **state)
{
    (void)state;
    char host[64], format[96];
    struct addrinfo *found = NULL;
    assert_int_equal(gethostname(host, sizeof host), 0); /* often 127.0.1.1 to itself */
    const int status = getaddrinfo(host, NULL, NULL, &found);
    if (status != 0) { /* containers without a line in /etc/hosts: nobody finds the host by that name */
        SKIP_BECAUSE("this host does not know its own name %s: %s", host, gai_strerror(status));
    }
    freeaddrinfo(found);
    snprintf(format, sizeof format, "tcp://%s:%%d", host);
    expect_meeting(format, free_port(AF_INET));
}

static void test_ipv6(void **state)
{
    (void)state;
    const int port = free_port(AF_INET6);
    if (port < 0) {
        SKIP_BECAUSE("this host has no IPv6");
    }
    expect_meeting("tcp://[::1]:%d", port);
}

static void test_endpoints_of_other_hosts(void **state)
{
    (void)state;
    assert_null(try_hub("tcp://192.0.2.1:5555", NULL, 1)); /* RFC 5737: nobody's */
    assert_non_null(strstr(error_text(), "not an address of this host"));
    assert_null(try_hub("tcp://no-such-host.invalid:5555", NULL, 1));
    assert_non_null(strstr(error_text(), "no-such-host.invalid: neither a network interface of this host nor a name"));
    assert_null(try_peer("tcp://host:99999", 0, NULL, 1));
    assert_non_null(strstr(error_text(), "not an endpoint"));
    fh_peer_t *peer = try_peer("tcp://no-such-host.invalid:5555", 0, NULL, 1); /* may be known later */
    assert_non_null(peer);
    fh_peer_destroy(peer);
}

/* Folders and keys ------------------------------------------------------------------------------------------------- */

static void test_sockets_in_folders_of_others(void **state)
{
    (void)state;
    char where[200];
    snprintf(where, sizeof where, "ipc://%s", in("fine/link"));
    fh_hub_t *hub = try_hub(where, NULL, 1);
    assert_non_null(hub);
    struct stat status;
    assert_int_equal(stat(in("fine"), &status), 0);
    assert_int_equal(status.st_mode & 07777, 0700);
    fh_hub_destroy(hub);
    assert_int_equal(chmod(in("fine"), 0777), 0);
    assert_null(try_hub(where, NULL, 1));
    assert_non_null(strstr(error_text(), "may be written by others (mode 0777)"));
    assert_null(try_peer(where, 0, NULL, 1));
    assert_non_null(strstr(error_text(), "may be written by others (mode 0777)"));
    snprintf(where, sizeof where, "ipc://%s", in("made_by_peer/link")); /* before anybody else can make it */
    fh_peer_t *peer = try_peer(where, 0, NULL, 1);
    assert_non_null(peer);
    assert_int_equal(stat(in("made_by_peer"), &status), 0);
    assert_int_equal(status.st_mode & 07777, 0700);
    fh_peer_destroy(peer);
}

static void test_folders_of_other_users(void **state)
{
    (void)state;
    char where[200];
    assert_int_equal(mkdir(in("theirs"), 0700), 0);
    if (chown(in("theirs"), SOMEBODY, SOMEBODY)) {
        SKIP_BECAUSE("needs root");
    }
    snprintf(where, sizeof where, "ipc://%s", in("theirs/link"));
    assert_null(try_hub(where, NULL, 1));
    assert_non_null(strstr(error_text(), "who could exchange what lies in it"));
    assert_null(try_peer(where, 0, NULL, 1));
    assert_non_null(strstr(error_text(), "who could exchange what lies in it"));
}

static void test_keys_of_other_users(void **state)
{
    (void)state;
    const struct keys_network network = {.n_ap = 1};
    struct key_list list;
    struct key_pair pair;
    assert_int_equal(keys_generate(in("keys"), &network), TUTTI_OK);
    assert_int_equal(keys_read_list(&list, in("keys")), TUTTI_OK);
    keys_free_list(&list);
    assert_int_equal(chmod(in("keys"), 0777), 0);
    assert_int_not_equal(keys_read_list(&list, in("keys")), TUTTI_OK);
    assert_non_null(strstr(error_text(), "fronthaul.key_dir: "));
    assert_non_null(strstr(error_text(), "may be written by others"));
    assert_int_equal(chmod(in("keys"), 0700), 0);
    if (chown(in("keys/public.keys"), SOMEBODY, SOMEBODY) || chown(in("keys/ap0.key"), SOMEBODY, SOMEBODY)) {
        SKIP_BECAUSE("needs root");
    }
    assert_int_not_equal(keys_read_list(&list, in("keys")), TUTTI_OK);
    assert_non_null(strstr(error_text(), "public.keys: belongs to user 65534, not to this one"));
    assert_int_not_equal(keys_read_pair(&pair, in("keys"), "ap0"), TUTTI_OK);
    assert_non_null(strstr(error_text(), "ap0.key: belongs to user 65534, not to this one"));
}

/* Descriptors ------------------------------------------------------------------------------------------------------ */

/* In a child, for the limit cannot be raised again. Exit status: 0 a link, 1 a sentence about the limit, 2 another. */
static int with_descriptors(rlim_t n, const char *where)
{
    const pid_t child = fork();
    if (child == 0) {
        const struct rlimit limit = {n, n};
        setrlimit(RLIMIT_NOFILE, &limit);
        fh_hub_t *hub = try_hub(where, NULL, 1);
        fh_peer_t *peer = hub ? try_peer(where, 0, NULL, 1) : NULL;
        const bool told = strstr(error_text(), "ulimit -n") != NULL;
        if (hub && peer) {
            await(hub, peer, FH_EVENT_UP);
        }
        _exit(hub && peer ? 0 : told ? 1 : 2);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status)); /* and not aborted inside libzmq */
    return WEXITSTATUS(status);
}

static void test_few_descriptors(void **state)
{
    (void)state;
    char where[200];
    int n_told = 0, n_link = 0;
    for (rlim_t n = 4; n <= 160; n += n < 40 ? 1 : 20) {
        snprintf(where, sizeof where, "ipc://%s%d", in("few"), (int)n);
        const int outcome = with_descriptors(n, where);
        assert_true(outcome == 0 || outcome == 1);
        n_link += outcome == 0;
        n_told += outcome == 1;
        assert_true(n_link == 0 || outcome == 0); /* enough is enough */
    }
    assert_true(n_told > 20 && n_link > 0);
}

/* Agreement -------------------------------------------------------------------------------------------------------- */

static void expect_refusal(fh_hub_t *hub, const char *where, const char *agreement, uint64_t fingerprint,
                           const char *reason)
{
    fh_peer_t *peer = try_peer(where, 0, agreement, fingerprint);
    assert_non_null(peer);
    await(hub, peer, FH_EVENT_REFUSED);
    if (!strstr(error_text(), reason)) {
        fail_msg("\"%s\" lacks \"%s\"", error_text(), reason);
    }
    fh_peer_destroy(peer);
}

static void expect_welcome(fh_hub_t *hub, const char *where, const char *agreement, uint64_t fingerprint)
{
    fh_peer_t *peer = try_peer(where, 0, agreement, fingerprint);
    assert_non_null(peer);
    await(hub, peer, FH_EVENT_UP);
    fh_peer_destroy(peer);
    struct fh_event event;
    while (fh_hub_alive(hub, FH_ROLE_AP, 0)) {
        assert_int_equal(fh_hub_wait(hub, -1, 500, &event), TUTTI_OK);
    }
}

static char *agreement_of(const char *override)
{
    struct config *config;
    assert_int_equal(config_load(&config, NULL, &override, 1), TUTTI_OK);
    char *const text = config_agreement(config);
    config_free(config);
    assert_non_null(text);
    return text;
}

static void test_a_refusal_names_the_key(void **state)
{
    (void)state;
    char where[200];
    snprintf(where, sizeof where, "ipc://%s", in("agree/link"));
    char *const ours = agreement_of("network.name=a"), *const other =
                                                           agreement_of("precoding={local: true, scheme: cb, "
                                                                        "power: equal}");
    fh_hub_t *hub = try_hub(where, ours, 1);
    assert_non_null(hub);
    expect_welcome(hub, where, ours, 1);
    expect_welcome(hub, where, ours, 2); /* the text says it all */
    expect_refusal(
        hub, where, other, 1,
        "ap 0 has another configuration; seen from the CPU node, precoding.local: 'true' there, 'false' here");
    expect_refusal(hub, where, "network.n_ap: \"4\\x", 1, "network.n_ap: '?4?x' there, '4' here");
    expect_welcome(hub, where, NULL, 1); /* without a text by fingerprint */
    expect_refusal(hub, where, NULL, 2, "fingerprint 0000000000000002, the CPU node has 0000000000000001");
    char *const huge = malloc(70000); /* too long for a control message: by fingerprint, too */
    assert_non_null(huge);
    memset(huge, 'x', 69999);
    huge[69999] = '\0';
    expect_welcome(hub, where, huge, 1);
    free(huge);
    free(ours);
    free(other);
    fh_hub_destroy(hub);
}

static void test_a_new_session_in_mid_run(void **state)
{
    (void)state;
    char where[200];
    snprintf(where, sizeof where, "ipc://%s", in("again/link"));
    fh_hub_t *hub = try_hub(where, NULL, 1);
    fh_peer_t *peer = try_peer(where, 0, NULL, 1), *other = try_peer(where, 1, NULL, 1);
    assert_true(hub && peer && other);
    assert_int_equal(await(hub, peer, FH_EVENT_UP).welcome.session, 7);
    assert_int_equal(await(hub, other, FH_EVENT_UP).welcome.session, 7);
    const struct fh_welcome fresh = {.session = 8, .epoch = 200};
    fh_hub_rewelcome(hub, &fresh);
    await(NULL, peer, FH_EVENT_DOWN);
    const struct fh_event up = await(NULL, peer, FH_EVENT_UP);
    assert_int_equal(up.welcome.session, 8);
    assert_int_equal(up.welcome.epoch, 200);
    assert_int_equal(await(NULL, other, FH_EVENT_UP).welcome.session, 8);
    assert_true(fh_hub_alive(hub, FH_ROLE_AP, 0) && fh_hub_alive(hub, FH_ROLE_AP, 1));
    fh_peer_destroy(peer);
    peer = try_peer(where, 0, NULL, 1); /* who comes now, too */
    assert_non_null(peer);
    assert_int_equal(await(hub, peer, FH_EVENT_UP).welcome.session, 8);
    fh_peer_destroy(peer);
    fh_peer_destroy(other);
    fh_hub_destroy(hub);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_kind_of_endpoint),
        cmocka_unit_test(test_the_hosts_own_name),
        cmocka_unit_test(test_ipv6),
        cmocka_unit_test(test_endpoints_of_other_hosts),
        cmocka_unit_test(test_sockets_in_folders_of_others),
        cmocka_unit_test(test_folders_of_other_users),
        cmocka_unit_test(test_keys_of_other_users),
        cmocka_unit_test(test_few_descriptors),
        cmocka_unit_test(test_a_refusal_names_the_key),
        cmocka_unit_test(test_a_new_session_in_mid_run),
    };
    return skip_status(cmocka_run_group_tests(tests, setup, teardown));
}
