/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/endpoint.h"

#include "base/error.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static bool parse_port(const char *text, int *port)
{
    const size_t digits = strspn(text, "0123456789");
    *port = digits >= 1 && digits <= 5 && text[digits] == '\0' ? atoi(text) : 0;
    return *port >= 1 && *port <= 65535;
}

static bool parse_ipv6(const char *text, struct endpoint_tcp *tcp)
{
    const char *const close = strchr(text, ']');
    struct in6_addr number;
    if (!close || close[1] != ':' || (size_t)(close - text) >= sizeof tcp->host) {
        return false;
    }
    snprintf(tcp->host, sizeof tcp->host, "%.*s", (int)(close - text), text);
    tcp->ipv6 = inet_pton(AF_INET6, tcp->host, &number) == 1;
    return tcp->ipv6 && parse_port(close + 2, &tcp->port);
}

/* Names that are all digits and dots must be addresses: nobody means a host called 10.0.0. */
static bool possible_host(const char *host)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._";
    struct in_addr number;
    return *host && strspn(host, allowed) == strlen(host) && *host != '-' && *host != '.' &&
           (strspn(host, "0123456789.") != strlen(host) || inet_pton(AF_INET, host, &number) == 1);
}

bool endpoint_parse_tcp(const char *endpoint, struct endpoint_tcp *tcp)
{
    *tcp = (struct endpoint_tcp){.port = 0};
    if (strncmp(endpoint, "tcp://", 6) != 0) {
        return false;
    }
    const char *const text = endpoint + 6;
    if (*text == '[') {
        return parse_ipv6(text + 1, tcp);
    }
    const char *const colon = strrchr(text, ':');
    if (!colon || (size_t)(colon - text) >= sizeof tcp->host) {
        return false;
    }
    snprintf(tcp->host, sizeof tcp->host, "%.*s", (int)(colon - text), text);
    tcp->any = strcmp(tcp->host, "*") == 0;
    return (tcp->any || possible_host(tcp->host)) && parse_port(colon + 1, &tcp->port);
}

bool endpoint_is_loopback(const char *endpoint)
{
    struct endpoint_tcp tcp;
    struct in_addr number;
    struct in6_addr number6;
    if (!endpoint_parse_tcp(endpoint, &tcp)) {
        return false;
    }
    if (tcp.ipv6) {
        return inet_pton(AF_INET6, tcp.host, &number6) == 1 && IN6_IS_ADDR_LOOPBACK(&number6);
    }
    return strcmp(tcp.host, "localhost") == 0 ||
           (inet_pton(AF_INET, tcp.host, &number) == 1 && ntohl(number.s_addr) >> 24 == 127);
}

void endpoint_tcp_at(char *text, size_t room, const char *endpoint, int ports)
{
    struct endpoint_tcp tcp;
    *text = '\0';
    if (endpoint_parse_tcp(endpoint, &tcp)) {
        snprintf(text, room, tcp.ipv6 ? "tcp://[%s]:%d" : "tcp://%s:%d", tcp.any ? "*" : tcp.host, tcp.port + ports);
    }
}

/* IPv4 before IPv6, in both lookups: the other end may have only that. */
static bool find_interface(const char *name, int family, char *address, size_t room)
{
    struct ifaddrs *all = NULL;
    bool found = false;
    if (getifaddrs(&all)) {
        return false;
    }
    for (const struct ifaddrs *i = all; i && !found; i = i->ifa_next) {
        if (i->ifa_addr && i->ifa_addr->sa_family == family && strcmp(i->ifa_name, name) == 0) {
            const size_t size = family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
            found = getnameinfo(i->ifa_addr, (socklen_t)size, address, (socklen_t)room, NULL, 0, NI_NUMERICHOST) == 0;
        }
    }
    freeifaddrs(all);
    return found;
}

bool endpoint_is_interface(const char *host)
{
    char address[ENDPOINT_HOST_ROOM];
    return find_interface(host, AF_INET, address, sizeof address) ||
           find_interface(host, AF_INET6, address, sizeof address);
}

static int look_up(const char *name, int family, char *address, size_t room)
{
    struct addrinfo *all = NULL;
    const struct addrinfo hints = {.ai_family = family, .ai_socktype = SOCK_STREAM};
    int failed = getaddrinfo(name, NULL, &hints, &all);
    if (!failed) {
        failed = getnameinfo(all->ai_addr, all->ai_addrlen, address, (socklen_t)room, NULL, 0, NI_NUMERICHOST);
        freeaddrinfo(all);
    }
    return failed;
}

int endpoint_resolve(const struct endpoint_tcp *tcp, bool listening, char *address, size_t room, bool *ipv6)
{
    *ipv6 = tcp->ipv6;
    if (tcp->ipv6 || tcp->any) {
        snprintf(address, room, "%s", tcp->ipv6 ? tcp->host : listening ? "*" : "127.0.0.1");
        return TUTTI_OK;
    }
    if (find_interface(tcp->host, AF_INET, address, room)) {
        return TUTTI_OK;
    }
    const int failed = look_up(tcp->host, AF_INET, address, room);
    if (!failed) {
        if (listening && strncmp(address, "127.", 4) == 0 && strcmp(tcp->host, "localhost") != 0) {
            snprintf(address, room, "*"); /* Debian's /etc/hosts: a host's own name is 127.0.1.1 to itself */
        }
        return TUTTI_OK;
    }
    *ipv6 = true;
    if (find_interface(tcp->host, AF_INET6, address, room) || look_up(tcp->host, AF_INET6, address, room) == 0) {
        return TUTTI_OK;
    }
    return error_set(TUTTI_EIO, "%s: neither a network interface of this host nor a name it can look up: %s", tcp->host,
                     gai_strerror(failed));
}
