/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Gathering: estimates of up to CPU_WINDOW blocks may be in flight; blocks close in order, when every AP that takes
 * part has reported or the wait is over. An AP that is silent is left out and taken back with its next report. */
#include "base/clock.h"
#include "base/log.h"
#include "cpu_node/cpu.h"

#include <string.h>

static struct cpu_block *slot_of(struct cpu *cpu, uint64_t number)
{
    return &cpu->window[number % CPU_WINDOW];
}

static void open_block(struct cpu *cpu, struct cpu_block *block, uint64_t number)
{
    block->number = number;
    block->open = true;
    block->n_gathered = 0;
    block->first_arrival_ns = clock_mono_ns();
    memset(block->gathered, 0, sizeof block->gathered);
    memset(block->excused, 0, sizeof block->excused);
    memset(block->capture_end_ns, 0, sizeof block->capture_end_ns);
    memset(block->csi_sent_ns, 0, sizeof block->csi_sent_ns);
    memset(block->csi_received_ns, 0, sizeof block->csi_received_ns);
    memset(block->precoder_sent_ns, 0, sizeof block->precoder_sent_ns);
    memset(block->previous, 0, sizeof block->previous);
    const size_t n_sb = (size_t)cpu->frame.n_sb, n_ant = (size_t)cpu->shape.n_ant;
    const size_t n_ap = (size_t)cpu->shape.n_ap, n_ue = (size_t)cpu->shape.n_ue;
    memset(block->H_hat, 0, n_sb * n_ap * n_ant * n_ue * sizeof *block->H_hat);
    memset(block->error_variance, 0, n_ap * n_ue * sizeof *block->error_variance);
    memset(block->beta, 0, n_ap * n_ue * sizeof *block->beta);
}

/* One AP's coefficients [n_sb][n_ant][n_ue] into the block's [n_sb][n_ap][n_ant][n_ue]. */
static void scatter(const struct cpu *cpu, struct cpu_block *block, int ap, const tutti_cf32 *coefficients)
{
    const size_t row = (size_t)cpu->shape.n_ant * (size_t)cpu->shape.n_ue;
    for (size_t sb = 0; sb < (size_t)cpu->frame.n_sb; sb++) {
        memcpy(block->H_hat + (sb * (size_t)cpu->shape.n_ap + (size_t)ap) * row, coefficients + sb * row,
               row * sizeof *coefficients);
    }
}

static void store(struct cpu *cpu, struct cpu_block *block, int ap, const struct wire_header *header,
                  const struct wire_csi_meta *meta)
{
    const size_t n_ue = (size_t)cpu->shape.n_ue;
    scatter(cpu, block, ap, cpu->unpack);
    memcpy(block->error_variance + (size_t)ap * n_ue, meta->error_variance, n_ue * sizeof(float));
    memcpy(block->beta + (size_t)ap * n_ue, meta->beta, n_ue * sizeof(float));
    block->noise_power[ap] = meta->noise_power;
    block->capture_end_ns[ap] = meta->capture_end_ns;
    block->csi_sent_ns[ap] = header->send_time_ns;
    block->csi_received_ns[ap] = clock_wall_ns();
    block->previous[ap] = meta->previous;
    memcpy(block->radio_events[ap], meta->radio_events, sizeof meta->radio_events);
    if (!block->gathered[ap]) {
        block->n_gathered++;
    }
    block->gathered[ap] = 1;
    if (meta->previous.arrival < 4) {
        atomic_fetch_add_explicit(&cpu->arrivals[meta->previous.arrival], 1, memory_order_relaxed);
    }
}

static bool fits(const struct cpu *cpu, const struct wire_header *header, int ap)
{
    return header->node == ap && header->session == cpu->welcome.session && header->n_sb == cpu->frame.n_sb &&
           header->n_ant == cpu->shape.n_ant && header->n_stream == cpu->shape.n_ue;
}

/* judged: its faults are behind it. */
static void receive(struct cpu *cpu, int ap, const uint8_t *data, size_t n_bytes, bool judged)
{
    struct wire_header header;
    struct wire_csi_meta meta;
    const size_t room = (size_t)cpu->frame.n_sb * (size_t)cpu->shape.n_ant * (size_t)cpu->shape.n_ue;
    cpu->counters.bytes_up += n_bytes;
    const int error = wire_unpack_csi(data, n_bytes, &header, &meta, cpu->unpack, room);
    if (error != WIRE_OK) {
        cpu->counters.csi_refused[error]++;
        return;
    }
    if (!fits(cpu, &header, ap)) {
        cpu->counters.csi_foreign++;
        return;
    }
    const enum cpu_verdict verdict = judged ? CPU_PASS : faults_judge_csi(cpu, ap, header.block, data, n_bytes);
    if (verdict != CPU_PASS && !cpu->lockstep) {
        return;
    }
    if (!cpu->started) { /* the first estimate of this session says where in time we are */
        cpu->started = true;
        cpu->next = header.block;
    }
    cpu->reporting[ap] = 1;
    if (header.block < cpu->next) {
        cpu->counters.csi_late++;
        return;
    }
    if (header.block >= cpu->next + CPU_WINDOW) { /* far ahead of everybody: give up what is open, follow it */
        cpu->counters.jumped++;
        for (int i = 0; i < CPU_WINDOW; i++) {
            cpu->window[i].open = false;
        }
        cpu->next = header.block;
    }
    struct cpu_block *block = slot_of(cpu, header.block);
    if (!block->open || block->number != header.block) {
        open_block(cpu, block, header.block);
    }
    if (verdict == CPU_LOST) {
        block->excused[ap] = 1;
    } else {
        store(cpu, block, ap, &header, &meta);
    }
}

static void receive_late(struct cpu *cpu, int ap, const uint8_t *data, size_t n_bytes)
{
    receive(cpu, ap, data, n_bytes, true);
}

/* At the very start of an emulated network every configured AP is waited for; later only those that take part. */
static bool expected(const struct cpu *cpu, uint64_t number, int ap)
{
    if (number == 0 && cpu->lockstep && cpu->config->air.wait_for_all) {
        return true;
    }
    return cpu->reporting[ap] && fh_hub_alive(cpu->hub, FH_ROLE_AP, ap);
}

static bool complete(const struct cpu *cpu, const struct cpu_block *block)
{
    for (int ap = 0; ap < cpu->shape.n_ap; ap++) {
        if (!block->gathered[ap] && !block->excused[ap] && expected(cpu, block->number, ap)) {
            return false;
        }
    }
    return true;
}

static int64_t time_left_us(const struct cpu *cpu, const struct cpu_block *block)
{
    const double limit_us =
        cpu->lockstep ? cpu->config->engine.lockstep_timeout_ms * 500.0 : cpu->config->engine.gather_deadline_us;
    const uint64_t age_ns = clock_mono_ns() - block->first_arrival_ns;
    return (int64_t)limit_us - (int64_t)(age_ns / 1000u);
}

static struct cpu_block *close_block(struct cpu *cpu, struct cpu_block *block)
{
    for (int ap = 0; ap < cpu->shape.n_ap; ap++) {
        if (block->gathered[ap] || block->excused[ap] || !cpu->reporting[ap]) {
            continue;
        }
        cpu->reporting[ap] = 0;
        cpu->counters.incomplete++;
    }
    block->open = false;
    cpu->next = block->number + 1;
    return block;
}

/* The oldest open block, if any. */
static struct cpu_block *oldest(struct cpu *cpu)
{
    for (uint64_t b = cpu->next; cpu->started && b < cpu->next + CPU_WINDOW; b++) {
        struct cpu_block *block = slot_of(cpu, b);
        if (block->open && block->number == b) {
            return block;
        }
    }
    return NULL;
}

static void handle(struct cpu *cpu, const struct fh_event *event)
{
    if (event->kind == FH_EVENT_DATA) {
        receive(cpu, event->id, event->data, event->n_bytes, false);
        return;
    }
    if (event->kind != FH_EVENT_UP && event->kind != FH_EVENT_DOWN) {
        return;
    }
    const bool up = event->kind == FH_EVENT_UP;
    cpu->reporting[event->id] = 0;
    int alive = 0;
    for (int ap = 0; ap < cpu->shape.n_ap; ap++) {
        alive += fh_hub_alive(cpu->hub, FH_ROLE_AP, ap);
    }
    atomic_store(&cpu->aps_alive, alive);
    log_write(up ? LOG_INFO : LOG_WARNING, "gather", "%s ap=%d block=%llu", up ? "AP-UP" : "AP-DOWN", event->id,
              (unsigned long long)cpu->next);
}

struct cpu_block *gather_block(struct cpu *cpu)
{
    faults_turn(cpu, receive_late);
    struct cpu_block *block = oldest(cpu);
    int64_t wait_us = 50000; /* look at the end of the run now and then */
    if (block) {
        const int64_t left_us = time_left_us(cpu, block);
        if (complete(cpu, block) || left_us <= 0) {
            return close_block(cpu, block);
        }
        wait_us = left_us < wait_us ? left_us : wait_us;
    }
    const int64_t held_us = faults_next_us(cpu);
    wait_us = held_us < wait_us ? held_us : wait_us;
    struct fh_event event;
    if (fh_hub_wait(cpu->hub, -1, wait_us, &event) < 0) {
        return NULL;
    }
    handle(cpu, &event);
    return NULL;
}
