/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fronthaul/hub_route.h"

#include "fronthaul/bytes.h"

#include <string.h>

/* ROUTER makes identities of a zero byte and four more. */
enum { IDENTITY_BYTES = 5 };

uint64_t hub_route_of_frame(struct link *link)
{
    const uint8_t *identity = zmq_msg_data(&link->frame);
    return zmq_msg_size(&link->frame) == IDENTITY_BYTES && identity[0] == 0 ? UINT64_C(1) << 32 | get_u32(identity + 1)
                                                                            : 0;
}

int hub_route_send(struct link *link, uint64_t route, const void *data, size_t n_bytes)
{
    uint8_t identity[IDENTITY_BYTES] = {0};
    put_u32(identity + 1, (uint32_t)route);
    const int error = link_send_part(link, identity, sizeof identity, true);
    return error ? error : link_send(link, data, n_bytes);
}

void hub_route_send_text(struct link *link, uint64_t route, const char *text)
{
    hub_route_send(link, route, text, strlen(text));
}
