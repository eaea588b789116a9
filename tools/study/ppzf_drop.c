/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tools/study/ppzf_drop.h"

#include "base/error.h"
#include "channel/channel.h"
#include "channel/random.h"

#include <math.h>
#include <stdlib.h>

const struct ppzf_scenario PPZF_SCENARIO = {.n_ap = 32,
                                            .n_ant = 8,
                                            .n_ue = 8,
                                            .tau = 8,
                                            .tau_c = 200,
                                            .area_m = 1000,
                                            .eve_radius_m = 100,
                                            .height_m = 10,
                                            .ap_dbm = 23.0103, /* 200 mW */
                                            .pilot_dbm = 20,
                                            .eve_dbm = 20,
                                            .noise_dbm = -92,
                                            .upsilon = 0.95};

static const double UMI_SHADOW_DB = 4, THREE_SLOPE_SHADOW_DB = 8, THREE_SLOPE_NEAR_M = 50;

int ppzf_drop_create(struct ppzf_drop **drop, const struct ppzf_scenario *scenario)
{
    *drop = calloc(1, sizeof **drop);
    if (!*drop) {
        return error_set(TUTTI_ENOMEM, "study: out of memory");
    }
    struct ppzf_drop *const d = *drop;
    const size_t m = (size_t)scenario->n_ap, k = (size_t)scenario->n_ue;
    d->scenario = *scenario;
    d->beta = calloc(m * k, sizeof *d->beta);
    d->beta_eve = calloc(m, sizeof *d->beta_eve);
    d->pilot_power = calloc(k, sizeof *d->pilot_power);
    d->P = calloc(m, sizeof *d->P);
    if (!d->beta || !d->beta_eve || !d->pilot_power || !d->P) {
        return error_set(TUTTI_ENOMEM, "study: out of memory for %zu APs and %zu users", m, k);
    }
    return 0;
}

void ppzf_drop_destroy(struct ppzf_drop *drop)
{
    if (!drop) {
        return;
    }
    free(drop->beta);
    free(drop->beta_eve);
    free(drop->pilot_power);
    free(drop->P);
    free(drop);
}

struct place {
    double x, y;
};

static struct place uniform_place(const struct ppzf_drop *d, uint64_t seed, uint64_t index, enum random_purpose what,
                                  int i)
{
    const uint64_t key = random_key(seed, what, index, (uint64_t)i, 0);
    return (struct place){d->scenario.area_m * random_uniform(key, 0), d->scenario.area_m * random_uniform(key, 1)};
}

static struct place eve_place(const struct ppzf_drop *d, uint64_t seed, uint64_t index, struct place target)
{
    const uint64_t key = random_key(seed, RANDOM_POSITION_EVE, index, 0, 0);
    const double radius_m = d->scenario.eve_radius_m * sqrt(random_uniform(key, 0));
    double c, s;
    random_phasor(random_uniform(key, 1), &c, &s);
    return (struct place){target.x + radius_m * c, target.y + radius_m * s};
}

static double gain(const struct ppzf_drop *d, struct place a, struct place b, uint64_t key)
{
    const double distance_m =
        sqrt((a.x - b.x) * (a.x - b.x) + (a.y - b.y) * (a.y - b.y) + d->scenario.height_m * d->scenario.height_m);
    float z, unused;
    random_normal(key, 0, &z, &unused);
    const double shadow_db =
        d->scenario.three_slope ? distance_m > THREE_SLOPE_NEAR_M ? THREE_SLOPE_SHADOW_DB : 0 : UMI_SHADOW_DB;
    const double mean_db = d->scenario.three_slope ? channel_three_slope_db(distance_m) : channel_umi_db(distance_m);
    return pow(10, (mean_db + shadow_db * (double)z) / 10);
}

static double over_noise(const struct ppzf_drop *d, double dbm)
{
    return pow(10, (dbm - d->scenario.noise_dbm) / 10);
}

void ppzf_drop_fill(struct ppzf_drop *drop, uint64_t seed, uint64_t index)
{
    const struct ppzf_scenario *const s = &drop->scenario;
    const struct place eve = eve_place(drop, seed, index, uniform_place(drop, seed, index, RANDOM_POSITION_UE, 0));
    for (int m = 0; m < s->n_ap; m++) {
        const struct place ap = uniform_place(drop, seed, index, RANDOM_POSITION_AP, m);
        for (int k = 0; k < s->n_ue; k++) {
            const struct place user = uniform_place(drop, seed, index, RANDOM_POSITION_UE, k);
            const uint64_t key = random_key(seed, RANDOM_SHADOWING, index, (uint64_t)m, (uint64_t)k + 1);
            drop->beta[m * s->n_ue + k] = gain(drop, ap, user, key);
        }
        drop->beta_eve[m] = gain(drop, ap, eve, random_key(seed, RANDOM_SHADOWING, index, (uint64_t)m, 0));
        drop->P[m] = over_noise(drop, s->ap_dbm);
    }
    for (int k = 0; k < s->n_ue; k++) {
        drop->pilot_power[k] = over_noise(drop, s->pilot_dbm);
    }
}

int ppzf_drop_tables(const struct ppzf_drop *drop, enum mimo_scheme scheme, struct ppzf_tables **tables)
{
    const struct ppzf_scenario *const s = &drop->scenario;
    const struct ppzf_network network = {.n_ap = s->n_ap,
                                         .n_ant = s->n_ant,
                                         .n_ue = s->n_ue,
                                         .tau = s->tau,
                                         .beta = drop->beta,
                                         .beta_eve = drop->beta_eve,
                                         .pilot_power = drop->pilot_power,
                                         .eve_pilot_power = over_noise(drop, s->eve_dbm),
                                         .upsilon = s->upsilon,
                                         .scheme = scheme};
    return ppzf_tables_create(tables, &network);
}

double ppzf_drop_omega(const struct ppzf_drop *drop)
{
    return 1 - (double)drop->scenario.tau / drop->scenario.tau_c;
}
