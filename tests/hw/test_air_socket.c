/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Endpoints, what may be deleted at one, and descriptors that travel. */
#include "hw/air_socket.h"
#include "hw_test.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static void test_endpoints(void **state)
{
    (void)state;
    assert_int_equal(air_socket_connect("ipc:///tmp/x"), TUTTI_ECONFIG);
    assert_int_equal(air_socket_connect("unix://relative"), TUTTI_ECONFIG);
    assert_int_equal(air_socket_connect("tcp://nowhere"), TUTTI_ECONFIG);
    assert_int_equal(air_socket_connect(NULL), TUTTI_ECONFIG);
    assert_int_equal(air_socket_connect("unix:///tmp/tutti-no-such-socket"), TUTTI_EIO);
    assert_non_null(strstr(error_text(), "tutti-no-such-socket"));
}

static void test_listen(void **state)
{
    (void)state;
    char endpoint[80], path[64];
    snprintf(path, sizeof path, "/tmp/tutti-link-%d.sock", (int)getpid());
    snprintf(endpoint, sizeof endpoint, "unix://%s", path);
    const int first = air_socket_listen(endpoint);
    assert_true(first >= 0);
    assert_int_equal(air_socket_accept(first), TUTTI_EAGAIN);
    assert_int_equal(air_socket_listen(endpoint), TUTTI_EIO); /* in use */
    assert_non_null(strstr(error_text(), "in use"));
    close(first); /* as after kill -9: the file stays */
    struct stat info;
    assert_int_equal(stat(path, &info), 0);
    const int second = air_socket_listen(endpoint), client = air_socket_connect(endpoint);
    assert_true(second >= 0 && client >= 0);
    const int served = air_socket_accept(second);
    assert_true(served >= 0);
    close(served), close(client), close(second);
    air_socket_remove(endpoint);
    assert_int_not_equal(stat(path, &info), 0);
}

/* Whatever lies at the path and is not a dead socket stays, and says so. */
static void test_spares_files(void **state)
{
    (void)state;
    char endpoint[80], path[64];
    struct stat info;
    snprintf(path, sizeof path, "/tmp/tutti-spared-%d", (int)getpid());
    snprintf(endpoint, sizeof endpoint, "unix://%s", path);
    FILE *file = fopen(path, "w");
    fputs("precious", file);
    fclose(file);
    assert_int_equal(air_socket_listen(endpoint), TUTTI_EIO);
    assert_non_null(strstr(error_text(), "not a socket"));
    air_socket_remove(endpoint);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_size, 8);
    unlink(path);
    assert_int_equal(mkfifo(path, 0600), 0); /* must not block either */
    assert_int_equal(air_socket_listen(endpoint), TUTTI_EIO);
    assert_int_equal(lstat(path, &info), 0);
    unlink(path);
    assert_int_equal(symlink("/tmp", path), 0);
    assert_int_equal(air_socket_listen(endpoint), TUTTI_EIO);
    assert_int_equal(lstat(path, &info), 0);
    unlink(path);
}

static void test_descriptors_travel(void **state)
{
    (void)state;
    int pair[2], fds[AIR_SOCKET_MAX_FDS], source[2];
    char text[16];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    assert_int_equal(pipe(source), 0);
    air_socket_send(pair[0], "ab", 2, "cd", 2, source, 2);
    assert_int_equal(air_socket_receive(pair[1], text, sizeof text, fds), 4);
    assert_memory_equal(text, "abcd", 4);
    assert_true(fds[0] >= 0 && fds[1] >= 0 && fds[0] != source[0]);
    assert_int_equal(write(fds[1], "x", 1), 1); /* the same pipe */
    assert_int_equal(read(source[0], text, 1), 1);
    air_socket_send(pair[0], "e", 1, NULL, 0, NULL, 0);
    close(fds[0]), close(fds[1]);
    assert_int_equal(air_socket_receive(pair[1], text, sizeof text, fds), 1);
    assert_true(fds[0] == -1 && fds[1] == -1);
    assert_true(air_socket_receive(pair[1], text, sizeof text, fds) < 0); /* does not wait */
    close(pair[0]), close(pair[1]), close(source[0]), close(source[1]);
}

/* A lost host is noticed; on one host the socket's end tells that. */
static void test_keepalive(void **state)
{
    (void)state;
    char endpoint[80];
    int listener = -1, on = 0;
    for (int port = 20000 + (int)getpid() % 10000; listener < 0 && port < 31000; port++) {
        snprintf(endpoint, sizeof endpoint, "tcp://[::1]:%d", port);
        listener = air_socket_listen(endpoint);
        if (listener < 0) {
            snprintf(endpoint, sizeof endpoint, "tcp://127.0.0.1:%d", port);
            listener = air_socket_listen(endpoint);
        }
    }
    const int client = air_socket_connect(endpoint);
    assert_true(listener >= 0 && client >= 0);
    const int served = air_socket_accept(listener);
    socklen_t length = sizeof on;
    for (int i = 0; i < 2; i++) {
        on = 0;
        assert_int_equal(getsockopt(i ? served : client, SOL_SOCKET, SO_KEEPALIVE, &on, &length), 0);
        assert_true(on);
        assert_false(air_socket_is_local(i ? served : client));
    }
    close(served), close(client), close(listener);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_endpoints), cmocka_unit_test(test_listen),
                                       cmocka_unit_test(test_spares_files), cmocka_unit_test(test_descriptors_travel),
                                       cmocka_unit_test(test_keepalive)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
