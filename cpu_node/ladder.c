/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The deadline ladder: the best scheme whose expected solve time fits what is left of the block's budget. The rungs are
 * in the table of base/schemes.h; the scheme asked for is the top one. */
#include "base/clock.h"
#include "cpu_node/cpu.h"

uint64_t ladder_deadline_ns(const struct cpu *cpu, const struct cpu_block *block)
{
    const double budget_us = cpu->config->engine.block_budget_us;
    return budget_us > 0 ? block->first_arrival_ns + (uint64_t)(budget_us * 1e3) : 0;
}

void ladder_choose(struct cpu *cpu, struct cpu_block *block)
{
    enum mimo_scheme scheme = cpu->config->precoding.scheme;
    const uint64_t deadline_ns = ladder_deadline_ns(cpu, block), now_ns = clock_mono_ns();
    if (deadline_ns > 0) {
        const double left_ns = now_ns < deadline_ns ? (double)(deadline_ns - now_ns) : 0;
        const int n_each = (cpu->frame.n_sb + cpu->solver.n_workers - 1) / cpu->solver.n_workers;
        while (scheme != mimo_scheme_below(scheme) && cpu->ladder.subband_ns[scheme] * n_each > left_ns) {
            scheme = mimo_scheme_below(scheme);
        }
    }
    block->scheme = (int)scheme;
    block->stepped_down = scheme != cpu->config->precoding.scheme;
}

/* Moving average; a scheme that was left out is forgiven slowly, so one slow block does not ban it for ever. */
void ladder_learn(struct cpu *cpu, const struct cpu_block *block)
{
    static const double WEIGHT = 0.1, FORGIVENESS = 0.99;
    const int n_each = (cpu->frame.n_sb + cpu->solver.n_workers - 1) / cpu->solver.n_workers;
    const double took_ns = (double)(block->solve_end_ns - block->solve_start_ns) / n_each;
    for (int s = 0; s < MIMO_N_SCHEMES; s++) {
        double *cost = &cpu->ladder.subband_ns[s];
        if (s == block->scheme) {
            *cost += *cost > 0 ? WEIGHT * (took_ns - *cost) : took_ns;
        } else {
            *cost *= FORGIVENESS;
        }
    }
}
