/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tools/dashboard/server.h"

#include "base/clock.h"
#include "base/error.h"
#include "tools/dashboard/metrics.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <event2/listener.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

/* page.html and page.js, embedded by the build */
extern const unsigned char dashboard_page[], dashboard_script[];

enum { MAX_HEADER_BYTES = 8192, IDLE_S = 30 };
static const uint64_t FULL_NS = 200000000;

/* A request does not know its connection any more when that ends: the connection is kept beside it. */
struct viewer {
    struct evhttp_request *request; /* NULL: a free seat */
    struct evhttp_connection *connection;
};

struct dashboard_server {
    const struct dashboard_state *state;
    struct event_base *base;
    struct evhttp *http;
    struct viewer viewer[DASHBOARD_VIEWERS];
    uint64_t n_event;
    int port;
    struct evconnlistener *listener;
    uint64_t listen_again_ns; /* no connections until then; 0: open */
    bool said_full;
};

static bool is_loopback(const char *host)
{
    return strcmp(host, "localhost") == 0 || strncmp(host, "127.", 4) == 0 || strcmp(host, "::1") == 0 ||
           strcmp(host, "[::1]") == 0;
}

static void add_headers(struct evhttp_request *request, const char *type)
{
    struct evkeyvalq *const headers = evhttp_request_get_output_headers(request);
    evhttp_add_header(headers, "Content-Type", type);
    evhttp_add_header(headers, "Cache-Control", "no-store");
    evhttp_add_header(headers, "X-Content-Type-Options", "nosniff");
    evhttp_add_header(
        headers, "Content-Security-Policy",
        "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; frame-ancestors 'none'");
}

static void reply(struct evhttp_request *request, const char *type, const char *text, size_t n)
{
    struct evbuffer *const body = evbuffer_new();
    if (!body || evbuffer_add(body, text, n)) {
        evhttp_send_error(request, HTTP_INTERNAL, NULL);
    } else {
        add_headers(request, type);
        evhttp_send_reply(request, HTTP_OK, "OK", body);
    }
    if (body) {
        evbuffer_free(body);
    }
}

/* The host that a request names: a page of another site that has its name resolve to us names its own. */
static bool is_ours(struct evhttp_request *request)
{
    const char *const host = evhttp_request_get_host(request);
    if (host && is_loopback(host)) {
        return true;
    }
    evhttp_send_error(request, 403, "only for this machine: use http://127.0.0.1 or an ssh tunnel");
    return false;
}

static void serve_page(struct evhttp_request *request, void *unused)
{
    (void)unused;
    if (is_ours(request)) {
        reply(request, "text/html; charset=utf-8", (const char *)dashboard_page, strlen((const char *)dashboard_page));
    }
}

static void serve_script(struct evhttp_request *request, void *unused)
{
    (void)unused;
    if (is_ours(request)) {
        reply(request, "text/javascript; charset=utf-8", (const char *)dashboard_script,
              strlen((const char *)dashboard_script));
    }
}

static void serve_icon(struct evhttp_request *request, void *unused)
{
    static const char icon[] =
        "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'><circle cx='8' cy='8' r='3' "
        "fill='#2a6fb0'/><circle cx='8' cy='8' r='6.5' fill='none' stroke='#2a6fb0'/></svg>";
    (void)unused;
    if (is_ours(request)) {
        reply(request, "image/svg+xml", icon, sizeof icon - 1);
    }
}

static void serve_state(struct evhttp_request *request, void *argument)
{
    const struct dashboard_server *const s = argument;
    if (is_ours(request)) {
        char *const text = dashboard_state_all(s->state);
        reply(request, "application/json", text ? text : "{}", text ? strlen(text) : 2);
        free(text);
    }
}

static void serve_metrics(struct evhttp_request *request, void *argument)
{
    const struct dashboard_server *const s = argument;
    char *text = NULL;
    size_t n = 0;
    FILE *const out = is_ours(request) ? open_memstream(&text, &n) : NULL;
    if (out) {
        metrics_print(s->state, out);
        fclose(out);
        reply(request, "text/plain; version=0.0.4; charset=utf-8", text, n);
    }
    free(text);
}

/* Viewers ---------------------------------------------------------------------------------------------------------- */

/* libevent parts a connection that ends from a reply that has not: the request is ours to end, and freed by that. */
static void viewer_left(struct evhttp_connection *connection, void *argument)
{
    struct dashboard_server *const s = argument;
    for (int i = 0; i < DASHBOARD_VIEWERS; i++) {
        if (s->viewer[i].connection == connection) {
            struct evhttp_request *const request = s->viewer[i].request;
            s->viewer[i] = (struct viewer){0};
            evhttp_send_reply_end(request);
        }
    }
}

static void send_event(struct evhttp_request *request, uint64_t id, const char *json)
{
    struct evbuffer *const chunk = evbuffer_new();
    if (chunk) {
        evbuffer_add_printf(chunk, "id: %" PRIu64 "\ndata: %s\n\n", id, json);
        evhttp_send_reply_chunk(request, chunk);
        evbuffer_free(chunk);
    }
}

static void serve_events(struct evhttp_request *request, void *argument)
{
    struct dashboard_server *const s = argument;
    struct evhttp_connection *const connection = evhttp_request_get_connection(request);
    int seat = 0;
    if (!is_ours(request)) {
        return;
    }
    while (seat < DASHBOARD_VIEWERS && s->viewer[seat].request) {
        seat++;
    }
    if (seat == DASHBOARD_VIEWERS) {
        evhttp_send_error(request, HTTP_SERVUNAVAIL, "there are as many viewers as can be");
        return;
    }
    add_headers(request, "text/event-stream");
    s->viewer[seat] = (struct viewer){request, connection};
    evhttp_connection_set_closecb(connection, viewer_left, s);
    bufferevent_set_timeouts(evhttp_connection_get_bufferevent(connection), NULL, NULL);
    evhttp_send_reply_start(request, HTTP_OK, "OK");
    char *const all = dashboard_state_all(s->state);
    if (all) {
        send_event(request, s->n_event, all);
    }
    free(all);
}

void dashboard_server_tell(dashboard_server_t *s, const char *json)
{
    s->n_event++;
    for (int i = 0; i < DASHBOARD_VIEWERS; i++) {
        struct evhttp_connection *const connection = s->viewer[i].connection;
        if (!connection) {
            continue;
        }
        struct bufferevent *const link = evhttp_connection_get_bufferevent(connection);
        if (evbuffer_get_length(bufferevent_get_output(link)) > DASHBOARD_BACKLOG_BYTES) {
            s->viewer[i] = (struct viewer){0};
            evhttp_connection_set_closecb(connection, NULL, NULL);
            evhttp_connection_free(connection); /* and its request: it does not read */
        } else {
            send_event(s->viewer[i].request, s->n_event, json);
        }
    }
}

int dashboard_server_viewers(const dashboard_server_t *s)
{
    int n = 0;
    for (int i = 0; i < DASHBOARD_VIEWERS; i++) {
        n += s->viewer[i].request != NULL;
    }
    return n;
}

/* Life ------------------------------------------------------------------------------------------------------------- */

static _Thread_local struct dashboard_server *turning; /* a listener's error brings no word of ours with it */

/* No descriptor is left for one more: those in the queue wait a little, and nobody is told of each. */
static void no_room(struct evconnlistener *listener, void *libevents)
{
    struct dashboard_server *const s = turning;
    (void)libevents;
    if (!s->said_full) {
        fprintf(stderr, "tutti dashboard: no more connections for now: %s\n", strerror(errno));
    }
    s->said_full = true;
    s->listen_again_ns = clock_mono_ns() + FULL_NS;
    evconnlistener_disable(listener);
}

static int bind_to(struct dashboard_server *s, const char *listen)
{
    char host[64];
    const char *const colon = strrchr(listen, ':');
    char *end = NULL;
    const long port = colon ? strtol(colon + 1, &end, 10) : -1;
    if (!colon || colon[1] == '\0' || *end || port < 0 || port > 65535 || (size_t)(colon - listen) >= sizeof host) {
        return error_set(TUTTI_EINVAL, "listen %s: HOST:PORT is needed, such as 127.0.0.1:8080", listen);
    }
    snprintf(host, sizeof host, "%.*s", (int)(colon - listen), listen);
    if (!is_loopback(host)) {
        return error_set(TUTTI_EINVAL,
                         "listen %s: only addresses of this machine, 127.0.0.1 or [::1]; from elsewhere use ssh -L "
                         "8080:127.0.0.1:8080",
                         listen);
    }
    const char *const bare = host[0] == '[' ? "::1" : strcmp(host, "localhost") == 0 ? "127.0.0.1" : host;
    struct evhttp_bound_socket *const bound = evhttp_bind_socket_with_handle(s->http, bare, (uint16_t)port);
    if (!bound) {
        return error_set(TUTTI_EIO, "cannot listen at %s: %s; another --listen HOST:PORT may be free", listen,
                         evutil_socket_error_to_string(EVUTIL_SOCKET_ERROR()));
    }
    s->listener = evhttp_bound_socket_get_listener(bound);
    evconnlistener_set_error_cb(s->listener, no_room);
    struct sockaddr_storage address;
    socklen_t length = sizeof address;
    getsockname(evhttp_bound_socket_get_fd(bound), (struct sockaddr *)&address, &length);
    s->port = ntohs(address.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&address)->sin6_port
                                                  : ((struct sockaddr_in *)&address)->sin_port);
    return 0;
}

int dashboard_server_create(dashboard_server_t **server, const char *listen, const struct dashboard_state *state)
{
    dashboard_server_t *const s = *server = calloc(1, sizeof *s);
    if (!s) {
        return error_set(TUTTI_ENOMEM, "no memory for the dashboard");
    }
    s->state = state;
    s->base = event_base_new();
    s->http = s->base ? evhttp_new(s->base) : NULL;
    if (!s->http) {
        return error_set(TUTTI_ENOMEM, "no memory for the dashboard's server");
    }
    evhttp_set_allowed_methods(s->http, EVHTTP_REQ_GET);
    evhttp_set_max_headers_size(s->http, MAX_HEADER_BYTES);
    evhttp_set_max_body_size(s->http, 0);
    evhttp_set_timeout(s->http, IDLE_S);
    evhttp_set_cb(s->http, "/", serve_page, s);
    evhttp_set_cb(s->http, "/page.js", serve_script, s);
    evhttp_set_cb(s->http, "/favicon.ico", serve_icon, s);
    evhttp_set_cb(s->http, "/state", serve_state, s);
    evhttp_set_cb(s->http, "/metrics", serve_metrics, s);
    evhttp_set_cb(s->http, "/events", serve_events, s);
    return bind_to(s, listen);
}

void dashboard_server_destroy(dashboard_server_t *server)
{
    if (!server) {
        return;
    }
    for (int i = 0; i < DASHBOARD_VIEWERS; i++) {
        if (server->viewer[i].connection) {
            evhttp_connection_set_closecb(server->viewer[i].connection, NULL, NULL);
        }
    }
    if (server->http) {
        evhttp_free(server->http);
    }
    if (server->base) {
        event_base_free(server->base);
    }
    free(server);
}

int dashboard_server_port(const dashboard_server_t *server)
{
    return server->port;
}

void dashboard_server_turn(dashboard_server_t *server)
{
    if (server->listen_again_ns && clock_mono_ns() > server->listen_again_ns) {
        server->listen_again_ns = 0;
        evconnlistener_enable(server->listener);
    }
    turning = server;
    event_base_loop(server->base, EVLOOP_NONBLOCK);
}
