/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The dashboard's server through real sockets: who may read, how many may watch, who does not read is put out; what a
 * status may be and what becomes of it. */
#include "base/error.h"
#include "tools/dashboard/metrics.h"
#include "tools/dashboard/server.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

struct scene {
    struct config *config;
    struct dashboard_state state;
    dashboard_server_t *server;
};

static void begin(struct scene *s)
{
    assert_int_equal(config_load(&s->config, NULL, NULL, 0), 0);
    assert_int_equal(dashboard_state_create(&s->state, s->config), 0);
    assert_int_equal(dashboard_server_create(&s->server, "127.0.0.1:0", &s->state), 0);
}

static void end(struct scene *s)
{
    dashboard_server_destroy(s->server);
    dashboard_state_destroy(&s->state);
    config_free(s->config);
}

static int ask(const struct scene *s, const char *request)
{
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    const struct sockaddr_in to = {.sin_family = AF_INET,
                                   .sin_port = htons((uint16_t)dashboard_server_port(s->server)),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_int_equal(connect(fd, (const struct sockaddr *)&to, sizeof to), 0);
    assert_int_equal(write(fd, request, strlen(request)), (ssize_t)strlen(request));
    assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    return fd;
}

/* Turns the server until the answer has `wanted` in it; the answer so far. */
static const char *answer(const struct scene *s, int fd, const char *wanted)
{
    static char text[65536];
    size_t n = 0;
    text[0] = '\0';
    for (int turn = 0; turn < 100000 && !strstr(text, wanted); turn++) {
        dashboard_server_turn(s->server);
        const ssize_t got = read(fd, text + n, sizeof text - 1 - n);
        n += got > 0 ? (size_t)got : 0;
        text[n] = '\0';
    }
    if (!strstr(text, wanted)) {
        fail_msg("no %s in: %.300s", wanted, text);
    }
    return text;
}

static void expect(const struct scene *s, const char *request, const char *wanted)
{
    const int fd = ask(s, request);
    answer(s, fd, wanted);
    close(fd);
}

static void only_this_machine_and_only_reading(void **state)
{
    (void)state;
    struct scene s = {0};
    begin(&s);
    expect(&s, "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", "<title>Tutti</title>");
    expect(&s, "GET / HTTP/1.1\r\nHost: localhost:8080\r\n\r\n", "default-src 'self'");
    expect(&s, "GET /page.js HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", "EventSource");
    expect(&s, "GET /state HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", "\"n_ap\":4");
    expect(&s, "GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", "tutti_central_node_up 0");
    expect(&s, "GET /state HTTP/1.1\r\nHost: elsewhere.example\r\n\r\n", "HTTP/1.1 403");
    expect(&s, "GET /events HTTP/1.1\r\nHost: elsewhere.example\r\n\r\n", "HTTP/1.1 403");
    expect(&s, "DELETE /state HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", "HTTP/1.1 501");
    expect(&s, "GET /../etc/passwd HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", "HTTP/1.1 404");
    expect(&s, "nonsense\r\n\r\n", "HTTP/1.1 400");
    end(&s);
    dashboard_server_t *server;
    assert_int_equal(dashboard_server_create(&server, "0.0.0.0:0", &s.state), TUTTI_EINVAL);
    assert_non_null(strstr(error_text(), "ssh -L"));
    dashboard_server_destroy(server);
    assert_int_equal(dashboard_server_create(&server, "127.0.0.1", &s.state), TUTTI_EINVAL);
    dashboard_server_destroy(server);
}

static void a_taken_port_is_said(void **state)
{
    (void)state;
    struct scene s = {0};
    char listen[32];
    dashboard_server_t *second;
    begin(&s);
    snprintf(listen, sizeof listen, "127.0.0.1:%d", dashboard_server_port(s.server));
    assert_int_equal(dashboard_server_create(&second, listen, &s.state), TUTTI_EIO);
    assert_non_null(strstr(error_text(), "in use"));
    dashboard_server_destroy(second);
    end(&s);
}

/* Standard error meanwhile goes to memory; how much was said. */
static long turn_and_listen(const struct scene *s, int n)
{
    char text[4096];
    const int fd = memfd_create("stderr", MFD_CLOEXEC), before = dup(STDERR_FILENO);
    assert_true(fd >= 0 && before >= 0 && dup2(fd, STDERR_FILENO) >= 0);
    close(fd);
    for (int i = 0; i < n; i++) {
        dashboard_server_turn(s->server);
    }
    const long said = (long)pread(STDERR_FILENO, text, sizeof text, 0);
    dup2(before, STDERR_FILENO);
    close(before);
    return said;
}

/* More connections than descriptors: one line, not one per try, and when they are gone it serves again. */
static void few_descriptors(void **state)
{
    (void)state;
    enum { FEW = 12, MANY = 2 * FEW };
    struct scene s = {0};
    struct rlimit before;
    int fd[MANY];
    begin(&s);
    for (int i = 0; i < MANY; i++) {
        fd[i] = ask(&s, "");
    }
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    const struct rlimit few = {(rlim_t)fd[MANY - 1] + FEW, before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    assert_in_range(turn_and_listen(&s, 500), 10, 200);
    for (int i = 0; i < MANY; i++) {
        close(fd[i]);
    }
    usleep(300000); /* longer than it waits */
    expect(&s, "GET /state HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", "\"n_ap\":4");
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    end(&s);
}

static const char WATCH[] = "GET /events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";

static void seats_are_counted_and_given_back(void **state)
{
    (void)state;
    struct scene s = {0};
    int fd[DASHBOARD_VIEWERS];
    begin(&s);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < DASHBOARD_VIEWERS; i++) {
            fd[i] = ask(&s, WATCH);
            answer(&s, fd[i], "\"type\":\"network\"");
        }
        assert_int_equal(dashboard_server_viewers(s.server), DASHBOARD_VIEWERS);
        expect(&s, WATCH, "HTTP/1.1 503");
        for (int i = 0; i < DASHBOARD_VIEWERS; i++) {
            close(fd[i]);
        }
        for (int turn = 0; turn < 100000 && dashboard_server_viewers(s.server) > 0; turn++) {
            dashboard_server_turn(s.server);
        }
        assert_int_equal(dashboard_server_viewers(s.server), 0);
    }
    end(&s);
}

static void who_does_not_read_is_put_out(void **state)
{
    (void)state;
    struct scene s = {0};
    begin(&s);
    const int deaf = ask(&s, WATCH), reader = ask(&s, WATCH);
    answer(&s, reader, "\"type\":\"network\"");
    while (dashboard_server_viewers(s.server) < 2) {
        dashboard_server_turn(s.server);
    }
    char *const event = malloc(32769);
    memset(event, 'x', 32768);
    event[32768] = '\0';
    char bin[65536];
    for (int i = 0; i < 2000 && dashboard_server_viewers(s.server) == 2; i++) {
        dashboard_server_tell(s.server, event);
        for (int turn = 0; turn < 4; turn++) {
            dashboard_server_turn(s.server);
            while (read(reader, bin, sizeof bin) > 0) {
                continue;
            }
        }
    }
    assert_int_equal(dashboard_server_viewers(s.server), 1);
    dashboard_server_tell(s.server, "{\"still\":1}");
    answer(&s, reader, "{\"still\":1}");
    free(event);
    close(deaf);
    close(reader);
    end(&s);
}

static void what_is_no_status_changes_nothing(void **state)
{
    (void)state;
    struct scene s = {0};
    begin(&s);
    static const char *const NONE[] = {"",    "[1,2]",     "{\"type\":\"report\"}", "{\"type\":5}", "null",
                                       "{{{", "\"status\""};
    for (size_t i = 0; i < sizeof NONE / sizeof *NONE; i++) {
        assert_null(dashboard_state_take(&s.state, NONE[i]));
    }
    /* well-formed and absurd: slices beyond the network, counts that are texts */
    static const char HOPS[] =
        "{\"type\":\"status\",\"ap_from\":0,\"ap\":[7,null,{\"sent\":\"many\",\"noise_dbfs\":\"loud\"}],"
        "\"hops\":[1],\"scheme\":3,\"reason\":{\"a\\\"b\\nc\":2}}";
    static const char *const ABSURD[] = {
        "{\"type\":\"status\",\"ap_from\":1000000,\"ap\":[{\"up\":true}]}",
        "{\"type\":\"status\",\"ap_from\":-5,\"ap\":[{\"up\":true}]}",
        "{\"type\":\"status\",\"ap_from\":3,\"ap\":[{\"up\":true},{\"up\":true}],\"user\":{\"a\":1}}", HOPS};
    for (size_t i = 0; i < sizeof ABSURD / sizeof *ABSURD; i++) {
        char *const event = dashboard_state_take(&s.state, ABSURD[i]);
        assert_non_null(event);
        assert_null(strchr(event, '\n'));
        free(event);
    }
    assert_int_equal(json_array_size(s.state.ap), 4);
    char *text = NULL;
    size_t n;
    FILE *const out = open_memstream(&text, &n);
    metrics_print(&s.state, out);
    fclose(out);
    assert_non_null(strstr(text, "tutti_block_reason_total{reason=\"a\\\"b\\nc\"} 2"));
    assert_non_null(strstr(text, "tutti_ap_up{ap=\"3\"} 1"));
    assert_null(strstr(text, "tutti_ap_up{ap=\"4\"}"));
    free(text);
    end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_this_machine_and_only_reading),
        cmocka_unit_test(few_descriptors),
        cmocka_unit_test(a_taken_port_is_said),
        cmocka_unit_test(seats_are_counted_and_given_back),
        cmocka_unit_test(who_does_not_read_is_put_out),
        cmocka_unit_test(what_is_no_status_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
