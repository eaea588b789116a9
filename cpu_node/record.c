/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The record thread: files and the lab link. It may be slow; the block thread never waits for it on a radio or in paced
 * mode (a full ring drops the record, counted) and waits for room in lock-step, where nothing may depend on the
 * machine. */
#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/rt.h"
#include "cpu_node/cpu.h"

#include <jansson.h>
#include <stdlib.h>

static const uint64_t STATUS_PERIOD_NS = 250000000u, FLUSH_PERIOD_NS = 500000000u, LAST_REPORTS_NS = 3000000000u;
enum { TRAILING_BLOCKS = 2 }; /* the stamps of block b travel with the estimates of block b + 1 or b + 2 */

void account_block(struct cpu *cpu, struct cpu_block *block)
{
    struct cpu_recorder *r = &cpu->recorder;
    void *slot = ring_write_slot(r->ring);
    while (!slot && cpu->lockstep && !rt_stop_requested() && !atomic_load(&r->complete)) {
        rt_event_wait(r->space, 100000);
        slot = ring_write_slot(r->ring);
    }
    if (!slot) {
        cpu->counters.record_dropped++;
        return;
    }
    block_pack(cpu, block, slot);
    ring_push(r->ring);
    rt_event_signal(r->event);
}

/* One block at a time: the lab link must be served even when writing is the bottleneck. */
static bool write_block(struct cpu *cpu)
{
    struct cpu_recorder *r = &cpu->recorder;
    rt_event_wait(r->event, 0);
    const void *slot = ring_peek(r->ring, 0);
    if (!slot) {
        return false;
    }
    struct cpu_block view;
    block_view(cpu, slot, &view);
    files_write_block(r->files, cpu, &view);
    r->recorded = view.number + 1;
    ring_pop(r->ring);
    rt_event_signal(r->space);
    if (ring_count(r->ring) > 0) {
        rt_event_signal(r->event);
    }
    return true;
}

static void handle(struct cpu *cpu, const struct fh_event *event)
{
    struct cpu_recorder *r = &cpu->recorder;
    if (event->kind == FH_EVENT_UP || event->kind == FH_EVENT_DOWN) {
        const bool up = event->kind == FH_EVENT_UP;
        if (event->role == FH_ROLE_EVE) {
            log_write(LOG_INFO, "lab", "%s eve=%d", up ? "EVE-UP" : "EVE-DOWN", event->id);
        }
        if (event->role != FH_ROLE_UE) {
            return;
        }
        log_write(up ? LOG_INFO : LOG_WARNING, "lab", "%s ue=%d", up ? "UE-UP" : "UE-DOWN", event->id);
        if (up) {
            atomic_store(&cpu->user_since[event->id], atomic_load(&cpu->last_block));
            files_user_joined(r->files, event->id);
        }
    } else if (event->kind == FH_EVENT_CONTROL && event->role == FH_ROLE_OBSERVER) {
        r->bad_reports += !faults_command(cpu, event->id, (const char *)event->data);
    } else if (event->kind == FH_EVENT_CONTROL && event->role == FH_ROLE_UE) {
        uint64_t block;
        if (files_write_report(r->files, cpu, event->id, (const char *)event->data, &block) < 0) {
            r->bad_reports++;
        } else if (block + 1 > atomic_load(&r->last_report[event->id])) {
            atomic_store(&r->last_report[event->id], block + 1);
        }
    } else if (event->kind == FH_EVENT_CONTROL && event->role == FH_ROLE_EVE) {
        uint64_t block;
        if (files_write_eve_report(r->files, cpu, event->id, (const char *)event->data, &block) < 0) {
            r->bad_reports++;
        } else if (block + 1 > r->last_eve_report[event->id]) {
            r->last_eve_report[event->id] = block + 1;
        }
    }
}

/* The run is over when the last block is on disk with its stamps and the users' reports of it (or they do not come). */
static bool is_complete(struct cpu *cpu)
{
    struct cpu_recorder *r = &cpu->recorder;
    const uint64_t n_blocks = cpu->config->network.n_blocks;
    if (n_blocks == 0 || r->recorded < n_blocks + TRAILING_BLOCKS) {
        return false;
    }
    if (r->ended_ns == 0) {
        r->ended_ns = clock_mono_ns();
    }
    if (clock_mono_ns() - r->ended_ns > LAST_REPORTS_NS) {
        return true;
    }
    for (int k = 0; k < cpu->shape.n_ue; k++) {
        if (fh_hub_alive(r->lab, FH_ROLE_UE, k) && atomic_load(&r->last_report[k]) < n_blocks) {
            return false;
        }
    }
    for (int e = 0; e < cpu->config->network.n_eve; e++) {
        if (fh_hub_alive(r->lab, FH_ROLE_EVE, e) && r->last_eve_report[e] < n_blocks) {
            return false;
        }
    }
    return true;
}

static void tell_observers(struct cpu *cpu)
{
    char *json = files_status(cpu->recorder.files, cpu);
    if (json) {
        fh_hub_broadcast_control(cpu->recorder.lab, FH_ROLE_OBSERVER, json);
    }
    free(json);
}

static void *record_main(void *argument)
{
    struct cpu *cpu = argument;
    struct cpu_recorder *r = &cpu->recorder;
    uint64_t next_status_ns = 0, next_flush_ns = 0;
    while (!rt_stop_requested() && !atomic_load(&r->complete)) {
        struct fh_event event;
        if (fh_hub_wait(r->lab, r->event, 100000, &event) < 0) {
            break;
        }
        if (event.kind == FH_EVENT_FD) {
            write_block(cpu);
        } else {
            handle(cpu, &event);
        }
        const uint64_t now_ns = clock_mono_ns();
        if (now_ns >= next_flush_ns) {
            files_flush(r->files);
            next_flush_ns = now_ns + FLUSH_PERIOD_NS;
        }
        if (now_ns >= next_status_ns) {
            tell_observers(cpu);
            next_status_ns = now_ns + STATUS_PERIOD_NS;
        }
        if (is_complete(cpu)) {
            atomic_store(&r->complete, true);
        }
    }
    while (write_block(cpu)) {
        continue;
    }
    files_flush(r->files);
    tell_observers(cpu);
    rt_event_signal(r->space);
    return NULL;
}

int recorder_create(struct cpu *cpu)
{
    struct cpu_recorder *r = &cpu->recorder;
    const struct fh_hub_settings settings = {
        .endpoint = cpu->config->fronthaul.lab_endpoint,
        .n_ue = cpu->shape.n_ue,
        .n_eve = cpu->config->network.n_eve,
        .observers = true,
        .fingerprint = config_fingerprint(cpu->config),
        .welcome = cpu->welcome,
        .peer_timeout_ms = config_peer_timeout_ms(cpu->config),
        .key_dir = config_key_dir(cpu->config, cpu->config->fronthaul.lab_endpoint),
    };
    r->event = rt_event_create();
    r->space = rt_event_create();
    if (r->event < 0 || r->space < 0) {
        return error_set(TUTTI_EIO, "cannot create a wake-up descriptor");
    }
    int status = ring_create(&r->ring, CPU_RECORD_SLOTS, block_bytes(cpu));
    if (status >= 0) {
        status = files_create(&r->files, cpu);
    }
    if (status >= 0) {
        status = fh_hub_create(&r->lab, &settings);
    }
    if (status < 0) {
        return status;
    }
    if (pthread_create(&r->thread, NULL, record_main, cpu) != 0) {
        return error_set(TUTTI_ENOMEM, "cannot start the record thread");
    }
    r->running = true;
    return TUTTI_OK;
}

void recorder_stop(struct cpu *cpu)
{
    struct cpu_recorder *r = &cpu->recorder;
    if (!r->running) {
        return;
    }
    rt_stop_request();
    rt_event_signal(r->event);
    pthread_join(r->thread, NULL);
    r->running = false;
    if (atomic_load(&r->complete)) {
        fh_hub_broadcast_stop(r->lab);
    }
}

void recorder_destroy(struct cpu *cpu)
{
    struct cpu_recorder *r = &cpu->recorder;
    fh_hub_destroy(r->lab);
    files_destroy(r->files);
    ring_destroy(r->ring);
}
