/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How much of the power becomes artificial noise in a block: a fixed share, or what the users can spare. With a share s
 * the data keep 1 - s of their power and every user at least that part of its SINR (interference falls with it), so s =
 * 1 - target / worst predicted SINR leaves the target to everybody (the policy of Goel and Negi: data first, the rest
 * is noise). */
#include "cpu_node/cpu.h"

#include <math.h>

static double spare_share(const struct cpu *cpu, const struct cpu_block *block)
{
    const struct config_precoding *p = &cpu->config->precoding;
    double worst = INFINITY;
    for (int sb = 0; sb < cpu->frame.n_sb; sb++) {
        for (int k = 0; k < cpu->shape.n_ue; k++) {
            if (block->user_used[k]) {
                worst = fmin(worst, (double)block->sinr[sb * cpu->shape.n_ue + k]);
            }
        }
    }
    const double spare = 1.0 - pow(10.0, p->an_target_sinr_db / 10.0) / worst;
    return fmin(fmax(spare, 0.0), p->an_share); /* a worst user at zero gives -infinity, so no noise */
}

/* The precoders were solved for all of the power: data keep 1 - share, predictions follow. */
static void scale_data(struct cpu *cpu, struct cpu_block *block)
{
    const size_t n_ue = (size_t)cpu->shape.n_ue;
    const size_t one = (size_t)cpu->shape.n_ap * (size_t)cpu->shape.n_ant * n_ue, n_sb = (size_t)cpu->frame.n_sb;
    const float amplitude = (float)sqrt(1.0 - block->an_share);
    for (size_t i = 0; i < n_sb * one; i++) {
        block->W[i] *= amplitude;
    }
    for (int w = 0; w < cpu->solver.n_workers; w++) {
        const size_t first = (size_t)w * n_sb / (size_t)cpu->solver.n_workers;
        const size_t last = (size_t)(w + 1) * n_sb / (size_t)cpu->solver.n_workers;
        for (size_t sb = first; sb < last; sb++) {
            mimo_sinr(&cpu->shape, &cpu->solver.worker[w].channel[sb], block->W + sb * one, block->sinr + sb * n_ue);
        }
    }
}

void share_noise(struct cpu *cpu, struct cpu_block *block)
{
    const struct config_precoding *p = &cpu->config->precoding;
    const bool phases = p->an == CONFIG_AN_PHASE_ONLY;
    const bool possible = p->an != CONFIG_AN_NONE && (!phases || block->an_solved);
    const bool adaptive = possible && p->an_policy == CONFIG_AN_ADAPTIVE;
    block->an_share = !possible ? 0 : adaptive ? spare_share(cpu, block) : p->an_share;
    if (adaptive && block->an_share > 0) {
        scale_data(cpu, block);
    }
    if (!phases) {
        return;
    }
    const float amplitude = (float)sqrt(block->an_share / cpu->shape.n_ant);
    const size_t n = (size_t)cpu->frame.n_sb * (size_t)cpu->shape.n_ap * (size_t)cpu->shape.n_ant;
    for (size_t i = 0; i < n; i++) {
        block->an[i] *= amplitude; /* unit modulus as solved */
    }
}
