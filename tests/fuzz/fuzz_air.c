/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Messages to the emulated medium of any bytes: what is taken is written as the same bytes again, says how long its
 * payload is within bounds, and a hello's and a welcome's payload survive the way there and back. */
#include "base/error.h"
#include "fuzz.h"
#include "hw/air_message.h"

#include <string.h>

static uint64_t n_refused, n_version, n_taken[AIR_N_TYPE];

static void must_survive(const uint8_t *payload, size_t n_bytes, int type)
{
    uint8_t hello[AIR_HELLO_BYTES], welcome[AIR_WELCOME_BYTES];
    struct air_hello h;
    if (type == AIR_HELLO && n_bytes >= sizeof hello) {
        air_message_unpack_hello(&h, payload);
        air_message_pack_hello(hello, &h);
        MUST(memcmp(hello, payload, sizeof hello) == 0);
    }
    if (type == AIR_WELCOME && n_bytes >= sizeof welcome) {
        air_message_pack_welcome(welcome, air_message_unpack_welcome(payload));
        MUST(memcmp(welcome, payload, sizeof welcome) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes)
{
    uint8_t bytes[AIR_HEADER_BYTES] = {0}, again[AIR_HEADER_BYTES];
    struct air_header h;
    memcpy(bytes, data, n_bytes < sizeof bytes ? n_bytes : sizeof bytes);
    const int status = air_message_unpack(&h, bytes);
    if (status < 0) {
        MUST(*error_text() && !strchr(error_text(), '\n'));
        n_version += status == TUTTI_EVERSION;
        n_refused++;
        return 0;
    }
    MUST(h.type > 0 && h.type < AIR_N_TYPE && h.role < AIR_N_ROLE && h.n_samples <= AIR_MAX_CHUNK);
    MUST(h.payload_bytes <= (uint64_t)AIR_MAX_CHUNK * TUTTI_MAX_ANT * sizeof(tutti_cf32));
    MUST(h.type != AIR_HELLO || h.payload_bytes == AIR_HELLO_BYTES);
    MUST(h.type != AIR_WELCOME || h.payload_bytes == AIR_WELCOME_BYTES);
    MUST(h.type != AIR_REFUSE || h.payload_bytes <= AIR_MAX_TEXT);
    air_message_pack(again, &h);
    MUST(memcmp(again, bytes, sizeof bytes) == 0);
    must_survive(data + sizeof bytes, n_bytes > sizeof bytes ? n_bytes - sizeof bytes : 0, h.type);
    n_taken[h.type]++;
    return 0;
}

int fuzz_report(void)
{
    int missing = n_refused == 0 || n_version == 0;
    printf("%10llu refused, %llu of them of other versions\n", (unsigned long long)n_refused,
           (unsigned long long)n_version);
    for (int t = 1; t < AIR_N_TYPE; t++) {
        printf("%10llu of type %d\n", (unsigned long long)n_taken[t], t);
        missing |= n_taken[t] == 0;
    }
    return missing;
}
