/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Hostile control messages through the parser of peer and hub, and what a hello says of its configuration through the
 * comparison with ours. */
#include "base/config.h"
#include "fronthaul/control.h"
#include "fuzz.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t n_refused, n_accepted[CONTROL_OTHER + 1], n_agree, n_differ;

static void check_printable(const char *text, size_t size)
{
    MUST(memchr(text, 0, size));
    for (; *text; text++) {
        MUST(isprint((unsigned char)*text));
    }
}

static void compare(const char *theirs)
{
    static const char ours[] = "network.n_ap: 4\nnetwork.seed: 1\nframe.schedule: BGPPGDDG\n";
    char sentence[64], back[64];
    const bool differs = config_agreement_differs(ours, theirs, sentence, sizeof sentence);
    MUST(differs == config_agreement_differs(theirs, ours, back, sizeof back));
    MUST(!differs || (memchr(sentence, 0, sizeof sentence) && memchr(back, 0, sizeof back)));
    n_agree += !differs;
    n_differ += differs;
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
    MUST(control.type == CONTROL_HELLO || !control.agreement);
    if (control.agreement) {
        compare(control.agreement);
    }
    control_forget(&control);
    return 0;
}

int fuzz_report(void)
{
    int n_unseen = (n_refused == 0) + (n_agree == 0) + (n_differ == 0);
    printf("%10llu agree, %llu differ\n", (unsigned long long)n_agree, (unsigned long long)n_differ);
    printf("%10llu refused\n", (unsigned long long)n_refused);
    for (int t = 0; t <= CONTROL_OTHER; t++) {
        printf("%10llu accepted of type %d\n", (unsigned long long)n_accepted[t], t);
        n_unseen += n_accepted[t] == 0;
    }
    return n_unseen;
}
