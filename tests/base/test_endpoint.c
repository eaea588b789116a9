/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/endpoint.h"
#include "base/error.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void test_what_is_an_endpoint(void **state)
{
    (void)state;
    static const struct {
        const char *text, *host;
        int port;
        bool any, ipv6;
    } good[] = {{"tcp://10.0.0.1:1", "10.0.0.1", 1, false, false},
                {"tcp://localhost:65535", "localhost", 65535, false, false},
                {"tcp://central-1.lab_x.example.org:5555", "central-1.lab_x.example.org", 5555, false, false},
                {"tcp://eth0:80", "eth0", 80, false, false},
                {"tcp://*:5555", "*", 5555, true, false},
                {"tcp://[::1]:5555", "::1", 5555, false, true},
                {"tcp://[2001:db8::10.0.0.1]:5555", "2001:db8::10.0.0.1", 5555, false, true}};
    static const char *const bad[] = {"",
                                      "ipc://x",
                                      "tcp://",
                                      "tcp://:5555",
                                      "tcp://host",
                                      "tcp://host:",
                                      "tcp://host:0",
                                      "tcp://host:65536",
                                      "tcp://host:99999",
                                      "tcp://host:100000",
                                      "tcp://host:+5",
                                      "tcp://host: 5",
                                      "tcp://host:5 ",
                                      "tcp://host:5x",
                                      "tcp://my host:5555",
                                      "tcp://::1:5555",
                                      "tcp://[::1]",
                                      "tcp://[::1]5555",
                                      "tcp://[::1:5555",
                                      "tcp://[10.0.0.1]:5555",
                                      "tcp://[fe80::1%eth0]:5555",
                                      "tcp://10.0.0:5555",
                                      "tcp://256.0.0.1:5555",
                                      "tcp://-x:5555",
                                      "tcp://.:5555",
                                      "tcp://**:5555",
                                      "tcp://a;b:5555"};
    struct endpoint_tcp tcp;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_true(endpoint_parse_tcp(good[i].text, &tcp));
        assert_string_equal(tcp.host, good[i].host);
        assert_int_equal(tcp.port, good[i].port);
        assert_true(tcp.any == good[i].any && tcp.ipv6 == good[i].ipv6);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (endpoint_parse_tcp(bad[i], &tcp)) {
            fail_msg("accepted: %s", bad[i]);
        }
        assert_false(endpoint_is_loopback(bad[i]));
    }
    char longest[300] = "tcp://";
    memset(longest + 6, 'a', 256);
    memcpy(longest + 262, ":1", 3);
    assert_false(endpoint_parse_tcp(longest, &tcp));
    memcpy(longest + 261, ":1", 3);
    assert_true(endpoint_parse_tcp(longest, &tcp));
}

static int resolve(const char *text, bool listening, char *address, bool *ipv6)
{
    struct endpoint_tcp tcp;
    assert_true(endpoint_parse_tcp(text, &tcp));
    return endpoint_resolve(&tcp, listening, address, ENDPOINT_HOST_ROOM, ipv6);
}

/* Without a network: what every host has. */
static void test_ports_in_a_row(void **state)
{
    (void)state;
    static const char *const cases[][2] = {{"tcp://127.0.0.1:2000", "tcp://127.0.0.1:2003"},
                                           {"tcp://*:9", "tcp://*:12"},
                                           {"tcp://[::1]:80", "tcp://[::1]:83"},
                                           {"ipc:///tmp/x", ""}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[64];
        endpoint_tcp_at(text, sizeof text, cases[i][0], 3);
        assert_string_equal(text, cases[i][1]);
    }
}

static void test_what_it_stands_for(void **state)
{
    (void)state;
    char address[ENDPOINT_HOST_ROOM];
    bool ipv6;
    for (int listening = 0; listening < 2; listening++) {
        assert_int_equal(resolve("tcp://localhost:1", listening, address, &ipv6), TUTTI_OK);
        assert_string_equal(address, "127.0.0.1");
        assert_false(ipv6);
        assert_int_equal(resolve("tcp://lo:1", listening, address, &ipv6), TUTTI_OK);
        assert_string_equal(address, "127.0.0.1");
        assert_int_equal(resolve("tcp://10.1.2.3:1", listening, address, &ipv6), TUTTI_OK);
        assert_string_equal(address, "10.1.2.3");
        assert_int_equal(resolve("tcp://[::1]:1", listening, address, &ipv6), TUTTI_OK);
        assert_string_equal(address, "::1");
        assert_true(ipv6);
    }
    assert_int_equal(resolve("tcp://*:1", true, address, &ipv6), TUTTI_OK);
    assert_string_equal(address, "*");
    assert_int_equal(resolve("tcp://*:1", false, address, &ipv6), TUTTI_OK);
    assert_string_equal(address, "127.0.0.1");
    assert_int_equal(resolve("tcp://no-such-host.invalid:1", true, address, &ipv6), TUTTI_EIO);
    assert_non_null(strstr(error_text(), "no-such-host.invalid: neither a network interface"));
    assert_true(endpoint_is_interface("lo"));
    assert_false(endpoint_is_interface("localhost"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_what_is_an_endpoint),
                                       cmocka_unit_test(test_ports_in_a_row),
                                       cmocka_unit_test(test_what_it_stands_for)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
