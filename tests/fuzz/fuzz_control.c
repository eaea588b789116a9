/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Hostile control messages through the parser of peer and hub. */
#include "fronthaul/control.h"
#include "fuzz.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t n_refused, n_accepted[CONTROL_OTHER + 1];

static void check_printable(const char *text, size_t size)
{
    MUST(memchr(text, 0, size));
    for (; *text; text++) {
        MUST(isprint((unsigned char)*text));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes)
{
    struct control control;
    memset(&control, 0xa5, sizeof control);
    if (control_parse((const char *)data, n_bytes, &control)) {
        n_refused++;
        return 0;
    }
    MUST(n_bytes <= CONTROL_MAX_BYTES && memchr(data, 0, n_bytes) == NULL);
    MUST(control.type >= CONTROL_HELLO && control.type <= CONTROL_OTHER);
    MUST(control.hello.role >= FH_ROLE_AP && control.hello.role < FH_N_ROLE);
    MUST(control.hello.id >= 0 && control.wire_version >= 0 && control.welcome.epoch <= INT64_MAX);
    check_printable(control.reason, sizeof control.reason);
    check_printable(control.program, sizeof control.program);
    n_accepted[control.type]++;
    return 0;
}

int fuzz_report(void)
{
    int n_unseen = n_refused == 0;
    printf("%10llu refused\n", (unsigned long long)n_refused);
    for (int t = 0; t <= CONTROL_OTHER; t++) {
        printf("%10llu accepted of type %d\n", (unsigned long long)n_accepted[t], t);
        n_unseen += n_accepted[t] == 0;
    }
    return n_unseen;
}
