/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "channel/hardware.h"

#include "channel/random.h"

#include <math.h>

enum {
    USER_CODE = 0x10000,
    EVE_CODE = 0x20000,
    FILTER_SAMPLES = 6, /* of the air's delays by parts of a sample (hw/air/resample.h), and one to spare */
    MORE_BLOCKS = 1000
};
static const double LONG_S = 20;

uint64_t hardware_code(enum config_role role, int id)
{
    return (uint64_t)(role == CONFIG_ROLE_AP ? id : role == CONFIG_ROLE_EVE ? EVE_CODE + id : USER_CODE + id);
}

const struct config_impairments *hardware_of(const struct config *config, enum config_role role)
{
    static const struct config_impairments none = {0};
    return role == CONFIG_ROLE_AP   ? &config->air.impairments.ap
           : role == CONFIG_ROLE_UE ? &config->air.impairments.ue
                                    : &none;
}

static tutti_cf32 draw_mismatch(const struct config_impairments *imp, uint64_t key, uint64_t counter)
{
    float z, unused;
    double re, im;
    random_normal(key, 2 * counter, &z, &unused);
    const double amplitude = pow(10, imp->gain_mismatch_db * (double)z / 20);
    random_phasor(imp->phase_mismatch_deg / 360 * (2 * random_uniform(key, 2 * counter + 1) - 1), &re, &im);
    return __builtin_complex((float)(amplitude * re), (float)(amplitude * im));
}

void hardware_gains(const struct config *config, enum config_role role, int id, int antenna, tutti_cf32 *tx,
                    tutti_cf32 *rx)
{
    const struct config_impairments *imp = hardware_of(config, role);
    const uint64_t key =
        random_key(config->network.seed, RANDOM_HARDWARE, hardware_code(role, id), 1, (uint64_t)antenna);
    *tx = draw_mismatch(imp, key, 0);
    *rx = draw_mismatch(imp, key, 1);
}

static uint64_t radio_key(const struct config *config, enum config_role role, int id)
{
    return random_key(config->network.seed, RANDOM_HARDWARE, hardware_code(role, id), 0, 0);
}

double hardware_cfo_hz(const struct config *config, enum config_role role, int id)
{
    return hardware_of(config, role)->cfo_hz * (2 * random_uniform(radio_key(config, role, id), 0) - 1);
}

int hardware_timing_samples(const struct config *config, enum config_role role, int id)
{
    const int most = hardware_of(config, role)->timing_offset_samples;
    return (int)(random_uniform(radio_key(config, role, id), 1) * (2 * most + 1)) - most;
}

double hardware_timing_fraction(const struct config *config, enum config_role role, int id)
{
    const double most = hardware_of(config, role)->timing_fraction_samples;
    return most * (2 * random_uniform(radio_key(config, role, id), 2) - 1);
}

/* 0: there is nothing for a sample clock to be off by. With a shared clock nobody's could be made up for. */
static double carrier_hz(const struct config *config, enum config_role role)
{
    if (config->sync.mode == CONFIG_SYNC_SHARED) {
        return 0;
    }
    return role == CONFIG_ROLE_AP ? config->radio.ap.freq_hz : config->radio.ue.freq_hz;
}

double hardware_clock_rate(const struct config *config, enum config_role role, int id)
{
    const double carrier = carrier_hz(config, role);
    return carrier > 0 ? hardware_cfo_hz(config, role, id) / carrier : 0;
}

bool hardware_clock_is_whole(const struct config *config, enum config_role role)
{
    const struct config_impairments *imp = hardware_of(config, role);
    return !(imp->timing_fraction_samples > 0) && !(imp->cfo_hz > 0 && carrier_hz(config, role) > 0);
}

double hardware_drift_samples(const struct config *config, enum config_role role)
{
    const double n_blocks = (double)config->network.n_blocks, block_s = 1e-6 * config->frame.block_us;
    const double run_s = n_blocks > 0 ? (n_blocks + MORE_BLOCKS) * block_s : LONG_S, carrier = carrier_hz(config, role);
    return carrier > 0 ? hardware_of(config, role)->cfo_hz / carrier * run_s * config->frame.sample_rate_hz : 0;
}

int hardware_reach_samples(const struct config *config, enum config_role role)
{
    const double most = hardware_of(config, role)->timing_fraction_samples + hardware_drift_samples(config, role);
    return hardware_clock_is_whole(config, role) ? 0 : FILTER_SAMPLES + (int)ceil(most);
}

int hardware_common_delay_samples(const struct config *config, enum config_role one, enum config_role other)
{
    const enum config_role roles[] = {one, other};
    int sum = 0;
    for (int i = 0; i < 2; i++) {
        const enum config_role role = roles[i] == CONFIG_ROLE_AP ? CONFIG_ROLE_AP : CONFIG_ROLE_UE;
        sum += hardware_of(config, role)->timing_offset_samples + hardware_reach_samples(config, role);
    }
    return sum;
}
