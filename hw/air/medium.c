/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/rt.h"
#include "hw/air/medium_state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum {
    IDLE_WAIT_MS = 100,
    MAX_UNVISITED = 32 /* chunks that may pass without a look at the sockets when nobody needs waiting for */
};

/* The clock ----------------------------------------------------------------------------------------------------- */

static uint64_t due_ns(const medium_t *m)
{
    return m->start_ns + (uint64_t)((double)m->tick * 1e9 / m->set.sample_rate_hz);
}

static void set_timer(const medium_t *m)
{
    const uint64_t due = due_ns(m);
    const struct itimerspec at = {.it_value = {(time_t)(due / 1000000000u), (long)(due % 1000000000u)}};
    timerfd_settime(m->timer_fd, TFD_TIMER_ABSTIME, &at, NULL);
}

static int count_present(const medium_t *m, bool handed_only)
{
    int n = 0;
    for (int r = 0; r < m->n_radio; r++) {
        n += handed_only ? seat_handed(&m->seat[r], m->tick) : m->seat[r].present;
    }
    return n;
}

void medium_start_clock(medium_t *m)
{
    if (m->running || (m->set.wait_for_all && count_present(m, false) < m->n_radio)) {
        return;
    }
    m->running = true;
    m->start_ns = clock_mono_ns();
    m->stalled_ns = 0;
    if (m->set.paced) {
        set_timer(m);
    }
    log_write(LOG_INFO, "air", "CLOCK-START mode=%s", m->set.paced ? "paced" : "lockstep");
}

static bool chunk_ready(const medium_t *m, uint64_t now_ns)
{
    if (!m->running) {
        return false;
    }
    if (m->set.paced) {
        return now_ns >= due_ns(m);
    }
    const int present = count_present(m, false);
    return present > 0 && present == count_present(m, true);
}

/* Asks the radios in shared memory that have not handed in to ring once the last of them has. False if that has
 * happened meanwhile; true also when there is none to ask. Every radio asked holds one count of the board, this side
 * all others until the end; one who has handed in before it saw the question gives its count back here. A count too
 * few, from a radio that was asked before and counts down late, or from a hostile one, at worst wakes too early. */
static bool ask_missing(medium_t *m)
{
    const int32_t all = m->n_radio + 1;
    int32_t n_asked = 0;
    bool back = false;
    atomic_store(&m->board->missing, all);
    for (int r = 0; r < m->n_radio; r++) {
        const struct seat *seat = &m->seat[r];
        if (!seat->present || !seat->shared || seat_handed(seat, m->tick)) {
            continue;
        }
        atomic_store(&seat->share.words->needed, m->tick);
        if (seat_handed(seat, m->tick) && atomic_exchange(&seat->share.words->needed, AIR_NEVER) != AIR_NEVER) {
            back = true;
        } else {
            n_asked++;
        }
    }
    const int32_t own = all - n_asked;
    return atomic_fetch_sub(&m->board->missing, own) != own || (n_asked == 0 && !back);
}

/* Who has handed in nothing for too long while others wait is put out. */
static void enforce(medium_t *m, uint64_t now_ns)
{
    const int n_handed = m->running && !m->set.paced ? count_present(m, true) : 0;
    if (n_handed == 0) {
        m->stalled_ns = 0;
    } else if (m->stalled_ns == 0) {
        m->stalled_ns = now_ns;
    }
    const uint64_t limit_ns = (uint64_t)(m->set.radio_timeout_ms * 1e6);
    peers_enforce(m, now_ns, m->stalled_ns && now_ns > m->stalled_ns + limit_ns);
}

/* One chunk ----------------------------------------------------------------------------------------------------- */

/* Chunks handed in since the last look whose time had passed. */
static void count_late(medium_t *m, struct seat *seat)
{
    const tutti_tick chunk = (tutti_tick)m->set.chunk, handed = atomic_load(&seat->share.words->handed);
    const tutti_tick end = handed < m->tick ? handed : m->tick;
    for (int i = 0; i < seat->share.n_cell && seat->seen < end; i++, seat->seen += chunk) {
        const struct air_cell *cell = air_share_cell(&seat->share, seat->seen);
        m->counters.late += atomic_load(&cell->filled) == seat->seen + 1;
    }
    seat->seen = m->tick > seat->seen ? m->tick : seat->seen;
}

/* What a radio says of its chunk is only believed as far as it does no harm. */
static struct mixer_input take_input(const medium_t *m, const struct seat *seat)
{
    struct air_cell *cell = air_share_cell(&seat->share, m->tick);
    struct mixer_input in = {0};
    atomic_store(&cell->taken, m->tick + 1);
    if (atomic_load(&cell->filled) == m->tick + 1) {
        in.samples = air_share_tx(&seat->share, m->tick);
        air_share_read_extent(atomic_load(&cell->extent), m->set.chunk, &in.from, &in.to);
    }
    return in;
}

/* All of the chunk, unless the radio has said in time that it wants less, and nobody else wants more. */
static struct mixer_output give_output(const medium_t *m, const struct seat *seat, bool handed)
{
    const bool needed = m->set.needed && m->set.needed[seat - m->seat];
    struct mixer_output out = {air_share_rx(&seat->share, m->tick), 0, m->set.chunk};
    if (handed && seat->shared && !needed) {
        const struct air_cell *cell = air_share_cell(&seat->share, m->tick);
        air_share_read_extent(atomic_load(&cell->wanted), m->set.chunk, &out.from, &out.to);
    }
    return out;
}

static void expose(medium_t *m)
{
    for (int r = 0; r < m->n_radio; r++) {
        struct seat *seat = &m->seat[r];
        m->in[r] = (struct mixer_input){0};
        m->out[r] = (struct mixer_output){0};
        if (!seat->present) {
            continue;
        }
        count_late(m, seat);
        const bool handed = seat_handed(seat, m->tick);
        if (handed) {
            m->in[r] = take_input(m, seat);
            seat->seen = m->tick + (tutti_tick)m->set.chunk;
        }
        const tutti_tick fetched = atomic_load(&seat->share.words->fetched);
        const tutti_tick room = (tutti_tick)seat->share.n_cell * (tutti_tick)m->set.chunk;
        const bool full = fetched <= m->tick && m->tick - fetched >= room;
        m->out[r] = full ? m->out[r] : give_output(m, seat, handed);
        m->counters.overflow += full;
    }
}

/* How long the sockets may be waited for. */
static int wait_ms(medium_t *m, bool ready)
{
    if (ready || (m->running && !m->set.paced && !ask_missing(m))) {
        return 0;
    }
    return IDLE_WAIT_MS;
}

int medium_gather(medium_t *m)
{
    for (;;) {
        const uint64_t now_ns = clock_mono_ns();
        const bool ready = chunk_ready(m, now_ns); /* before the visit: what has arrived in time is taken in */
        if (ready && !m->set.paced && m->n_remote == 0 && ++m->n_unvisited < MAX_UNVISITED) {
            break;
        }
        m->n_unvisited = 0;
        const int status = peers_visit(m, wait_ms(m, ready));
        if (status) {
            return status;
        }
        if (rt_stop_requested()) {
            return MEDIUM_STOPPED;
        }
        if (m->set.exit_when_empty && m->ever_joined && count_present(m, false) == 0) {
            return MEDIUM_EMPTY;
        }
        if (ready && (m->set.paced || chunk_ready(m, now_ns))) { /* the visit may have shown somebody new */
            break;
        }
        enforce(m, now_ns);
    }
    expose(m);
    return MEDIUM_CHUNK;
}

tutti_tick medium_tick(const medium_t *m)
{
    return m->tick;
}

const struct mixer_input *medium_input(const medium_t *m)
{
    return m->in;
}

const struct mixer_output *medium_output(const medium_t *m)
{
    return m->out;
}

void medium_deliver(medium_t *m)
{
    const uint64_t now_ns = clock_mono_ns(), due = due_ns(m);
    const uint64_t chunk_ns = (uint64_t)((double)m->set.chunk * 1e9 / m->set.sample_rate_hz);
    const tutti_tick tick = m->tick;
    m->counters.behind += m->set.paced && now_ns > due + chunk_ns;
    m->counters.first_ns = m->counters.first_ns ? m->counters.first_ns : now_ns;
    m->counters.last_ns = now_ns;
    m->counters.chunks++;
    m->stalled_ns = 0;
    m->tick += (tutti_tick)m->set.chunk;
    if (m->set.paced) {
        set_timer(m);
    }
    for (int r = 0; r < m->n_radio; r++) {
        struct seat *seat = &m->seat[r];
        if (!seat->present) {
            continue;
        }
        if (m->out[r].samples) {
            struct air_cell *cell = air_share_cell(&seat->share, tick);
            atomic_store(&cell->host_ns, m->set.paced ? due : now_ns);
            atomic_store(&cell->there, tick + 1);
        }
        atomic_store(&seat->share.words->received, m->tick);
        peers_deliver(m, seat);
    }
}

const struct medium_counters *medium_counters(const medium_t *m)
{
    return &m->counters;
}

/* Create -------------------------------------------------------------------------------------------------------- */

static void make_seats(medium_t *m)
{
    for (int r = 0; r < m->n_radio; r++) {
        struct seat *seat = &m->seat[r];
        const int first_ue = m->set.n_ap, first_eve = m->set.n_ap + m->set.n_ue;
        seat->role = r < first_ue ? AIR_ROLE_AP : r < first_eve ? AIR_ROLE_UE : AIR_ROLE_EVE;
        seat->id = r < first_ue ? r : r < first_eve ? r - first_ue : r - first_eve;
        seat->n_ant = r < first_ue ? m->set.n_ant : r < first_eve ? 1 : m->set.n_eve_ant;
    }
}

int medium_create(medium_t **medium, const struct medium_settings *settings)
{
    medium_t *m = calloc(1, sizeof *m);
    *medium = m;
    if (!m) {
        return error_set(TUTTI_ENOMEM, "no memory for the medium");
    }
    m->set = *settings;
    m->listener = m->poll_fd = m->board_fd = -1;
    m->n_radio = settings->n_ap + settings->n_ue + settings->n_eve;
    m->seat = calloc((size_t)m->n_radio, sizeof *m->seat);
    m->in = calloc((size_t)m->n_radio, sizeof *m->in);
    m->out = calloc((size_t)m->n_radio, sizeof *m->out);
    m->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (!m->seat || !m->in || !m->out) {
        return error_set(TUTTI_ENOMEM, "no memory for %d radios", m->n_radio);
    }
    if (m->timer_fd < 0) {
        return error_set(TUTTI_EIO, "cannot make a timer: %s", strerror(errno));
    }
    make_seats(m);
    const int status = air_board_create(&m->board, &m->board_fd);
    return status ? status : peers_create(m);
}

void medium_destroy(medium_t *m)
{
    if (!m) {
        return;
    }
    peers_destroy(m);
    for (int r = 0; m->seat && r < m->n_radio; r++) {
        air_share_release(&m->seat[r].share);
    }
    air_board_release(m->board);
    if (m->board_fd >= 0) {
        close(m->board_fd);
    }
    if (m->timer_fd >= 0) {
        close(m->timer_fd);
    }
    free(m->seat);
    free(m->in);
    free(m->out);
    free(m);
}
