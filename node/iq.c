/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "node/iq.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/rt.h"
#include "node/iq_state.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The ring: a second, which a disk or a busy machine may take, but bounded. */
enum { PIECE_SAMPLES = 2048, MAX_RING_BYTES = 32 << 20, MIN_SLOTS = 16 };
#define RING_SECONDS 1.0

/* Start-up --------------------------------------------------------------------------------------------------------- */

/* A name that may be a file's. */
static char *file_name_of(const char *text)
{
    char *name = strdup(*text && *text != '.' ? text : "tutti");
    for (char *c = name; c && *c; c++) {
        *c = isalnum((unsigned char)*c) || strchr("_-.", *c) ? *c : '_';
    }
    return name;
}

static int create_ring(struct node_iq *iq)
{
    const size_t bytes = sizeof(struct iq_piece) + (size_t)iq->n_ant * PIECE_SAMPLES * sizeof(tutti_cf32);
    const double wanted = iq->settings.info.rate_hz * RING_SECONDS / PIECE_SAMPLES;
    const size_t most = MAX_RING_BYTES / bytes;
    size_t n = wanted < (double)most ? (size_t)wanted : most;
    n = n < MIN_SLOTS ? MIN_SLOTS : n;
    iq->piece_samples = PIECE_SAMPLES;
    iq->event = rt_event_create();
    iq->room_event = rt_event_create();
    return iq->event < 0 || iq->room_event < 0 ? TUTTI_EIO : ring_create(&iq->ring, n, bytes);
}

static int create_buffers(struct node_iq *iq)
{
    const struct config *c = iq->settings.config;
    const size_t n = (size_t)iq->n_ant;
    iq->dir = config_file_path(c, c->record.iq.dir);
    iq->name = file_name_of(c->network.name);
    iq->config_text = config_to_yaml(c);
    iq->meta = calloc(n, sizeof *iq->meta);
    iq->fd = calloc(n, sizeof *iq->fd);
    iq->hash = calloc(n, sizeof *iq->hash);
    iq->integers = calloc(2 * PIECE_SAMPLES, sizeof *iq->integers);
    for (size_t a = 0; iq->fd && a < n; a++) {
        iq->fd[a] = -1;
    }
    return iq->dir && iq->name && iq->config_text && iq->meta && iq->fd && iq->hash && iq->integers
               ? create_ring(iq)
               : error_set(TUTTI_ENOMEM, "out of memory for the recording of samples");
}

static void set_range(struct node_iq *iq)
{
    const struct config_iq *c = &iq->settings.config->record.iq;
    const uint64_t block = (uint64_t)iq->settings.frame->n_block_samples;
    iq->from = iq->settings.epoch + c->from_block * block;
    iq->to = c->n_blocks ? iq->from + c->n_blocks * block : 0;
}

int node_iq_create(node_iq_t **out, const struct node_iq_settings *settings)
{
    *out = NULL;
    if (!config_records_iq(settings->config, settings->role, settings->id)) {
        return TUTTI_OK;
    }
    struct node_iq *iq = *out = calloc(1, sizeof *iq);
    if (!iq) {
        return error_set(TUTTI_ENOMEM, "out of memory for the recording of samples");
    }
    iq->event = iq->room_event = -1;
    iq->settings = *settings;
    iq->history_left = IQ_HISTORY_BLOCKS;
    iq->n_ant = settings->info.n_ant;
    int status = create_buffers(iq);
    status = status < 0 ? status : iq_files_open(iq);
    if (status >= 0) {
        set_range(iq);
        iq->thread = (struct node_thread){.name = "iq",
                                          .duty = NODE_DUTY_BACKGROUND,
                                          .engine = &settings->config->engine,
                                          .core = -1,
                                          .body = iq_writer,
                                          .argument = iq};
        status = node_thread_start(&iq->thread);
    }
    return status;
}

void node_iq_destroy(node_iq_t *iq)
{
    if (!iq) {
        return;
    }
    int goes_on = IQ_GOES_ON;
    atomic_compare_exchange_strong(&iq->end, &goes_on, IQ_CLOSED);
    if (iq->event >= 0) {
        rt_event_signal(iq->event);
    }
    node_thread_join(&iq->thread);
    iq_files_close(iq);
    ring_destroy(iq->ring);
    if (iq->event >= 0) {
        close(iq->event);
    }
    if (iq->room_event >= 0) {
        close(iq->room_event);
    }
    free(iq->dir);
    free(iq->name);
    free(iq->config_text);
    free(iq->meta);
    free(iq->fd);
    free(iq->hash);
    free(iq->integers);
    free(iq);
}

/* The slot thread -------------------------------------------------------------------------------------------------- */

bool node_iq_wants(const node_iq_t *iq)
{
    return !atomic_load_explicit(&iq->over, memory_order_relaxed) &&
           atomic_load_explicit(&iq->end, memory_order_relaxed) == IQ_GOES_ON;
}

/* The samples end here; the writer writes what is in the ring and closes. */
static void end(struct node_iq *iq, enum iq_end reason)
{
    atomic_store(&iq->end, reason);
    rt_event_signal(iq->event);
}

/* A free slot; where time waits, so does the slot thread. */
static struct iq_piece *claim_slot(struct node_iq *iq)
{
    struct iq_piece *piece = ring_write_slot(iq->ring);
    if (piece || !iq->settings.info.repeatable) {
        return piece;
    }
    atomic_store(&iq->slot_waits, true);
    rt_event_signal(iq->event);
    while (!(piece = ring_write_slot(iq->ring)) && node_iq_wants(iq) && !rt_stop_requested()) {
        rt_event_wait(iq->room_event, 100000);
    }
    atomic_store(&iq->slot_waits, false);
    return piece;
}

static void push(struct node_iq *iq)
{
    ring_push(iq->ring);
}

/* Room again after samples were dropped: first the news of it. */
static struct iq_piece *claim(struct node_iq *iq)
{
    struct iq_piece *piece = claim_slot(iq);
    if (piece && iq->dropped_from < iq->dropped_to) {
        piece->kind = IQ_DROPPED;
        piece->n = 0;
        piece->tick = iq->dropped_from;
        piece->n_gone = iq->n_dropped;
        piece->n_after = iq->dropped_to - iq->dropped_from;
        iq->n_dropped = 0;
        iq->dropped_from = iq->dropped_to;
        push(iq);
        piece = claim_slot(iq);
    }
    return piece;
}

static void drop(struct node_iq *iq, tutti_tick from, tutti_tick to, int n_kept)
{
    iq->dropped_from = iq->dropped_from < iq->dropped_to ? iq->dropped_from : from;
    iq->dropped_to = to;
    iq->n_dropped += (uint64_t)n_kept;
    iq->history_left = IQ_HISTORY_BLOCKS;
}

static void take_piece(struct node_iq *iq, tutti_cf32 *const *samples, size_t offset, tutti_tick tick, int n,
                       uint64_t wall_ns)
{
    struct iq_piece *piece = claim(iq);
    if (!piece) {
        drop(iq, tick, tick + (tutti_tick)n, n);
        return;
    }
    piece->kind = IQ_SAMPLES;
    piece->n = n;
    piece->tick = tick;
    piece->wall_ns = wall_ns;
    for (int a = 0; a < iq->n_ant; a++) {
        memcpy(piece->samples + (size_t)a * (size_t)iq->piece_samples, samples[a] + offset,
               (size_t)n * sizeof **samples);
    }
    push(iq);
}

static bool is_kept(const struct node_iq *iq, char letter)
{
    return iq->settings.config->record.iq.symbols == CONFIG_IQ_ALL || letter == 'P' || letter == 'G';
}

/* The first run of samples to keep in from..to-1; false: none. Symbols side by side are one run. */
static bool next_run(const struct node_iq *iq, tutti_tick from, tutti_tick to, tutti_tick run[2])
{
    const struct frame *f = iq->settings.frame;
    from = from > iq->from ? from : iq->from;
    to = iq->to && to > iq->to ? iq->to : to;
    run[0] = from;
    run[1] = to;
    if (from >= to || iq->settings.config->record.iq.symbols == CONFIG_IQ_ALL) {
        return from < to;
    }
    bool found = false;
    for (tutti_tick tick = from; tick < to;) {
        const uint64_t in_block = (tick - iq->settings.epoch) % (uint64_t)f->n_block_samples;
        const uint64_t symbol = in_block / (uint64_t)f->n_symbol_samples;
        const bool last = symbol >= (uint64_t)f->n_symbol; /* the silent rest of a block */
        const tutti_tick after =
            tick - in_block + (last ? (uint64_t)f->n_block_samples : (symbol + 1) * (uint64_t)f->n_symbol_samples);
        const bool kept = !last && is_kept(iq, f->letter[symbol]);
        if (found && !kept) {
            return true;
        }
        run[0] = kept && !found ? tick : run[0];
        run[1] = after < to ? after : to;
        found = found || kept;
        tick = after;
    }
    return found;
}

static void take_runs(struct node_iq *iq, tutti_cf32 *const *samples, const struct radio_got *got)
{
    const tutti_tick end_tick = got->tick + (tutti_tick)got->n;
    const double ns = 1e9 / iq->settings.info.rate_hz;
    const uint64_t wall_ns = clock_wall_ns() - (clock_mono_ns() - got->host_ns);
    tutti_tick run[2], tick = got->tick;
    while (next_run(iq, tick, end_tick, run)) {
        for (tick = run[0]; tick < run[1];) {
            const tutti_tick left = run[1] - tick;
            const int n = left < (tutti_tick)iq->piece_samples ? (int)left : iq->piece_samples;
            take_piece(iq, samples, (size_t)(tick - got->tick), tick, n,
                       wall_ns - (uint64_t)((double)(end_tick - tick) * ns));
            tick += (tutti_tick)n;
        }
    }
}

/* The radio lost samples inside the recorded range. */
static void take_loss(struct node_iq *iq, const struct radio_got *got)
{
    if (got->tick <= iq->from || (iq->to && iq->next >= iq->to)) {
        return;
    }
    struct iq_piece *piece = claim(iq);
    if (!piece) {
        drop(iq, iq->next, got->tick, 0);
        return;
    }
    piece->kind = IQ_LOST;
    piece->n = 0;
    piece->tick = iq->next;
    piece->n_gone = got->tick - iq->next;
    piece->n_after = (uint64_t)got->n;
    push(iq);
}

void node_iq_take(node_iq_t *iq, tutti_cf32 *const *samples, const struct radio_got *got, tutti_tick epoch)
{
    if (!node_iq_wants(iq)) {
        return;
    }
    if (epoch != iq->settings.epoch || (iq->begun && got->tick < iq->next)) {
        end(iq, IQ_TIME_CHANGED);
        return;
    }
    if (iq->begun && got->tick > iq->next) {
        take_loss(iq, got);
    }
    take_runs(iq, samples, got);
    iq->begun = true;
    iq->next = got->tick + (tutti_tick)got->n;
    if (iq->to && iq->next >= iq->to) {
        end(iq, IQ_COMPLETE);
    }
}

void node_iq_history(node_iq_t *iq, uint64_t block, const double *values, int n)
{
    const bool room = (size_t)n * sizeof *values <= (size_t)iq->n_ant * (size_t)iq->piece_samples * sizeof(tutti_cf32);
    if (iq->history_left == 0 || iq->next <= iq->from || !room || !node_iq_wants(iq)) {
        return;
    }
    struct iq_piece *piece = claim(iq);
    if (piece) {
        piece->kind = IQ_HISTORY;
        piece->n = 0;
        piece->tick = block;
        piece->n_gone = (uint64_t)n;
        memcpy(piece->samples, values, (size_t)n * sizeof *values);
        push(iq);
        iq->history_left--;
    }
}
