/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tools/latency/offset.h"

static uint64_t not_negative(int64_t ns)
{
    return ns > 0 ? (uint64_t)ns : 0;
}

uint64_t exchange_ways_ns(const struct exchange *e)
{
    return not_negative((int64_t)(e->t4 - e->t1) - (int64_t)(e->t3 - e->t2));
}

struct offset offset_estimate(const struct exchange *exchanges, int n)
{
    const struct exchange *quickest = exchanges;
    for (int i = 1; i < n; i++) {
        if (exchange_ways_ns(&exchanges[i]) < exchange_ways_ns(quickest)) {
            quickest = &exchanges[i];
        }
    }
    const int64_t there = (int64_t)(quickest->t2 - quickest->t1), back = (int64_t)(quickest->t3 - quickest->t4);
    return (struct offset){.ns = there / 2 + back / 2 + (there % 2 + back % 2) / 2,
                           .uncertainty_ns = (exchange_ways_ns(quickest) + 1) / 2};
}

uint64_t exchange_up_ns(const struct exchange *e, int64_t offset_ns)
{
    return not_negative((int64_t)(e->t2 - e->t1) - offset_ns);
}

uint64_t exchange_down_ns(const struct exchange *e, int64_t offset_ns)
{
    return not_negative((int64_t)(e->t4 - e->t3) + offset_ns);
}
