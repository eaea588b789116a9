/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The schedule as the block thread has it: new rosters out to access points and users, places and soundings of a block.
 */
#include "base/clock.h"
#include "base/log.h"
#include "base/rt.h"
#include "cpu_node/cpu.h"

#include <inttypes.h>
#include <string.h>

static const uint64_t PATIENCE_NS = 10000000000u;
/* A replay tells rosters so many blocks before they are needed: an AP hears of one before it has this block's answer.
 */
enum { REPLAY_AHEAD_BLOCKS = 2 };

void cpu_tell_roster(struct cpu *cpu, int ap)
{
    char text[RECORDER_ROSTER_BYTES];
    roster_serve(cpu->roster, cpu->next_serves + (size_t)ap * (size_t)cpu->shape.n_ue);
    if (cpu->roster->n_place > 0 && roster_write(cpu->roster, text, sizeof text) >= 0) {
        fh_hub_send_control(cpu->hub, FH_ROLE_AP, ap, text);
    }
}

/* In lock-step nothing may depend on how long a word is under way. Access points hear it before the precoders that
 * follow, users say that they have. */
static void wait_for_users(struct cpu *cpu)
{
    const uint64_t start_ns = clock_mono_ns();
    while (!cpu->rosters_stuck && !recorder_roster_heard(cpu->recorder, cpu->roster->from_block) &&
           !rt_stop_requested()) {
        if (clock_mono_ns() - start_ns > PATIENCE_NS) {
            cpu->rosters_stuck = true;
            log_write(LOG_WARNING, "block", "ROSTER-NOT-HEARD from_block=%" PRIu64 ": users follow when they follow",
                      cpu->roster->from_block);
        }
    }
}

static size_t n_links(const struct cpu *cpu)
{
    return (size_t)cpu->shape.n_ap * (size_t)cpu->shape.n_ue;
}

static void tell(struct cpu *cpu, const struct roster *roster)
{
    memcpy(cpu->roster, roster, roster_bytes(cpu->config));
    roster_book_add(cpu->rosters, roster);
    if (cpu->shape.n_pilot > 0) {
        memcpy(cpu->next_serves, slow_roster_serves(cpu->slow, roster), n_links(cpu));
        cpu->serves_from = roster->from_block;
    }
    for (int ap = 0; ap < cpu->shape.n_ap; ap++) {
        if (fh_hub_alive(cpu->hub, FH_ROLE_AP, ap)) {
            cpu_tell_roster(cpu, ap);
        }
    }
    recorder_roster(cpu->recorder, roster);
    if (cpu->lockstep) {
        wait_for_users(cpu);
    }
}

/* Those of the downlink that this block's precoders are for. */
static void follow_clusters(struct cpu *cpu, struct cpu_block *block, const struct roster *roster)
{
    if (cpu->shape.n_pilot == 0) {
        return;
    }
    if (block->number + (uint64_t)cpu->frame.lag_blocks >= cpu->serves_from) {
        memcpy(cpu->serves, cpu->next_serves, n_links(cpu));
    }
    memcpy(block->serves, cpu->serves, n_links(cpu));
    for (int k = 0; k < cpu->shape.n_ue; k++) {
        block->pilot[k] = roster_downlink(roster, k);
    }
}

void cpu_follow_schedule(struct cpu *cpu, struct cpu_block *block)
{
    for (const struct roster *next; (next = slow_roster(cpu->slow)) != NULL; slow_roster_taken(cpu->slow)) {
        tell(cpu, next);
    }
    const uint64_t ahead = block->number + (uint64_t)cpu->frame.lag_blocks + REPLAY_AHEAD_BLOCKS;
    for (const struct roster *next; cpu->replay && (next = replay_roster(cpu->replay, ahead)) != NULL;) {
        tell(cpu, next);
    }
    const struct roster *roster = roster_book_at(cpu->rosters, block->number);
    block->roster_from = roster->from_block;
    for (int k = 0; k < cpu->shape.n_ue; k++) {
        block->seat[k] = roster_place(roster, k);
        block->sequence[k] = roster_sequence(cpu->config, &cpu->frame, roster, k, block->number);
        if (block->sequence[k] >= 0) {
            cpu->sounded[k] = block->number + 1;
        }
        block->age_blocks[k] = cpu->sounded[k] ? (int32_t)(block->number + 1 - cpu->sounded[k]) : -1;
    }
    /* its precoders are for the downlink that comes lag_blocks later; who has no pilot in it yet waits a block more */
    roster = roster_book_at(cpu->rosters, block->number + (uint64_t)cpu->frame.lag_blocks);
    follow_clusters(cpu, block, roster);
    for (int k = 0; k < cpu->shape.n_ue; k++) {
        block->place[k] = block->age_blocks[k] == 0 ? roster_place(roster, k) : -1;
    }
}
