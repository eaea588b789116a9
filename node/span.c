/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "node/span.h"

#include "base/error.h"

#include <stdlib.h>
#include <string.h>

int node_span_create(struct node_span *span, int n_ant, int room)
{
    *span = (struct node_span){.room = room};
    span->samples = calloc((size_t)n_ant, sizeof *span->samples);
    span->into = calloc((size_t)n_ant, sizeof *span->into);
    if (!span->samples || !span->into) {
        return error_set(TUTTI_ENOMEM, "out of memory for the sample buffers");
    }
    for (int a = 0; a < n_ant; a++, span->n_ant++) {
        span->samples[a] = calloc((size_t)room, sizeof **span->samples);
        if (!span->samples[a]) {
            return error_set(TUTTI_ENOMEM, "out of memory for the sample buffers");
        }
    }
    return TUTTI_OK;
}

void node_span_destroy(struct node_span *span)
{
    for (int a = 0; a < span->n_ant; a++) {
        free(span->samples[a]);
    }
    free(span->samples);
    free(span->into);
    *span = (struct node_span){0};
}

void node_span_start(struct node_span *span, tutti_tick first)
{
    span->from = span->next = span->whole_from = span->whole_to = first;
}

/* Nothing that was received is of use: go on from `tick`. */
static void give_up(struct node_span *span, tutti_tick tick)
{
    span->from = span->next = span->whole_from = span->whole_to = tick;
}

/* The samples at `next` belong to a later tick: move them there, or give them up where they pass the span's end. */
static void close_gap(struct node_span *span, const struct radio_got *got, tutti_tick to)
{
    const tutti_tick end = got->tick + (tutti_tick)got->n;
    if (got->tick < span->next || got->tick >= to) {
        give_up(span, end);
        return;
    }
    const size_t here = (size_t)(span->next - span->from), there = (size_t)(got->tick - span->from);
    const size_t keep = (size_t)((end < to ? end : to) - got->tick);
    for (int a = 0; a < span->n_ant; a++) {
        memmove(span->samples[a] + there, span->samples[a] + here, keep * sizeof **span->samples);
    }
    span->next = end;
    span->whole_from = got->tick;
    span->whole_to = end < to ? end : to;
}

int node_span_receive(struct node_span *span, struct node_radio *radio, tutti_tick to)
{
    span->from = span->whole_from = span->whole_to = span->next;
    if (to > span->from + (tutti_tick)span->room) {
        return error_set(TUTTI_EINVAL, "a span of %llu samples, %d fit", (unsigned long long)(to - span->from),
                         span->room);
    }
    while (span->next < to) {
        struct radio_got got = {0};
        for (int a = 0; a < span->n_ant; a++) {
            span->into[a] = span->samples[a] + (span->next - span->from);
        }
        const int status = radio_recv(radio->radio, span->into, (int)(to - span->next), &got);
        if (status < 0) {
            return status;
        }
        span->got = got;
        if (radio->iq) {
            node_iq_take(radio->iq, span->into, &got, radio->epoch);
        }
        if (got.tick == span->next) {
            span->next += (tutti_tick)got.n;
            span->whole_to = span->next;
            continue;
        }
        const bool back = got.tick < span->next;
        radio->counters.gaps++;
        radio->counters.lost += back ? 0 : got.tick - span->next;
        close_gap(span, &got, to);
        if (back) { /* `to` means nothing any more */
            return TUTTI_OK;
        }
    }
    return TUTTI_OK;
}

void node_span_want(const struct node_span *span, struct node_radio *radio, tutti_tick to, const char *letters)
{
    const struct frame *f = radio->frame;
    tutti_tick cursor = span->next;
    if (radio->iq && node_iq_wants(radio->iq)) {
        return;
    }
    const tutti_tick epoch = node_radio_epoch(radio);
    uint64_t block = (int64_t)(cursor - epoch) < 0 ? 0 : frame_block_of(f, epoch, cursor);
    for (; (int64_t)(frame_symbol_tick(f, epoch, block, 0) - to) < 0; block++) {
        for (int s = 0; s < f->n_symbol; s++) {
            const tutti_tick begin = frame_symbol_tick(f, epoch, block, s);
            const tutti_tick end = begin + (tutti_tick)f->n_symbol_samples;
            if (strchr(letters, f->letter[s]) && end > cursor && begin < to) {
                radio_unwanted(radio->radio, cursor, begin);
                cursor = end;
            }
        }
    }
    radio_unwanted(radio->radio, cursor, to);
}

bool node_span_has(const struct node_span *span, tutti_tick tick, int n)
{
    /* no sum: a tick before the first one is near the end of all ticks */
    return tick >= span->whole_from && tick <= span->whole_to && span->whole_to - tick >= (tutti_tick)n;
}

const tutti_cf32 *node_span_at(const struct node_span *span, int a, tutti_tick tick)
{
    return span->samples[a] + (tick - span->from);
}
