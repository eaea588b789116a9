/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "hw/air/links.h"

#include "base/error.h"
#include "base/log.h"
#include "channel/channel.h"
#include "channel/hardware.h"
#include "channel/random.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Hardware ------------------------------------------------------------------------------------------------------ */

static int set_hardware(struct links_radio *r, const struct config *config)
{
    const enum config_role role = links_role(r);
    const struct config_impairments *imp = hardware_of(config, role);
    const double rate_hz = config->frame.sample_rate_hz;
    r->tx_gain = calloc((size_t)r->n_ant, sizeof *r->tx_gain);
    r->rx_gain = calloc((size_t)r->n_ant, sizeof *r->rx_gain);
    r->tx_drawn = calloc((size_t)r->n_ant, sizeof *r->tx_drawn);
    r->drift_rad = calloc((size_t)r->n_ant, sizeof *r->drift_rad);
    if (!r->tx_gain || !r->rx_gain || !r->tx_drawn || !r->drift_rad) {
        return error_set(TUTTI_ENOMEM, "no memory for %d antennas", r->n_ant);
    }
    for (int a = 0; a < r->n_ant; a++) {
        hardware_gains(config, role, r->id, a, &r->tx_drawn[a], &r->rx_gain[a]);
        r->tx_gain[a] = r->tx_drawn[a];
    }
    r->cfo_turns = hardware_cfo_hz(config, role, r->id) / rate_hz;
    /* a Wiener phase of linewidth B has increments of variance 2 pi B / rate */
    r->phase_step_rad = sqrt(6.28318530717958647692 * imp->phase_noise_linewidth_hz / rate_hz);
    r->timing_samples = hardware_timing_samples(config, role, r->id);
    r->whole_clock = hardware_clock_is_whole(config, role);
    r->late_samples = hardware_timing_fraction(config, role, r->id);
    r->clock_rate = hardware_clock_rate(config, role, r->id);
    r->most_drift_samples = hardware_drift_samples(config, role);
    r->reach = hardware_reach_samples(config, role);
    r->drift_step_rad = sqrt(imp->phase_drift_rad2_per_s * config->frame.block_us * 1e-6);
    r->clip = imp->clip;
    r->adc_bits = imp->adc_bits;
    return TUTTI_OK;
}

static void set_levels(struct links_radio *r, const struct config *config)
{
    const enum config_role role = links_role(r);
    const struct config_radio *own = config_radio_of(config, role, r->id);
    const struct config_radio *common = r->is_ap    ? &config->radio.ap
                                        : r->is_eve ? &config->radio.eve
                                                    : &config->radio.ue;
    const double noise_dbm = channel_noise_dbm(config->frame.sample_rate_hz, own->noise_figure_db);
    r->tx_full_scale_dbm = own->tx_full_scale_dbm;
    r->rx_full_scale_dbm = own->rx_full_scale_dbm;
    r->noise_sigma = (float)sqrt(0.5 * pow(10, (noise_dbm - own->rx_full_scale_dbm) / 10));
    r->tx_power_offset_db = own->tx_power_dbm - common->tx_power_dbm;
    r->noise_offset_db = own->noise_figure_db - common->noise_figure_db;
}

static int set_radio(struct links_radio *r, const struct config *config, int index)
{
    const int n_ap = config->network.n_ap, n_ue = config->network.n_ue;
    r->is_ap = index < n_ap;
    r->is_eve = index >= n_ap + n_ue;
    r->id = r->is_ap ? index : r->is_eve ? index - n_ap - n_ue : index - n_ap;
    r->code = hardware_code(links_role(r), r->id);
    r->n_ant = r->is_ap ? config->network.n_ant : r->is_eve ? config->eve.n_ant : 1;
    set_levels(r, config);
    return set_hardware(r, config);
}

/* Links --------------------------------------------------------------------------------------------------------- */

/* What the file has to play between these two. */
static void choose_played(const struct links *l, struct links_pair *pair)
{
    const struct links_radio *other = &l->radio[pair->second];
    if (!l->played || pair->between_aps) {
        return;
    }
    const struct played_links *played = other->is_eve ? &l->played->eve : &l->played->user;
    pair->played = played->n_column > 0 ? played : NULL;
    pair->played_column = other->is_eve ? other->id * other->n_ant : other->id;
}

static int connect_direction(struct links *l, const struct config *config, int tx, int rx, int pair, double beta_db,
                             int common_delay)
{
    struct link *link = &l->link[tx * l->n_radio + rx];
    const struct links_radio *t = &l->radio[tx], *r = &l->radio[rx];
    link->active = true;
    link->pair = pair;
    link->between_aps = l->pair[pair].between_aps;
    link->forward = l->pair[pair].first == tx;
    link->amplitude = (float)pow(10, (t->tx_full_scale_dbm - r->rx_full_scale_dbm + beta_db) / 20);
    link->delay = config->air.delay_samples + common_delay + t->timing_samples - r->timing_samples;
    link->gain = calloc((size_t)(l->n_tap * r->n_ant * t->n_ant), sizeof *link->gain);
    for (int tap = 0; tap < l->n_tap; tap++) {
        const int delay = link->delay + l->tap_delay[tap];
        l->max_delay = delay > l->max_delay ? delay : l->max_delay;
    }
    return link->gain ? TUTTI_OK : error_set(TUTTI_ENOMEM, "no memory for link coefficients");
}

static int connect_pair(struct links *l, const struct config *config, int first, int second, double beta_db)
{
    struct links_pair *pair = &l->pair[l->n_pair];
    const struct links_radio *a = &l->radio[first], *b = &l->radio[second];
    struct config_fading_model model = config->air.fading;
    pair->between_aps = a->is_ap && b->is_ap;
    model.variation = pair->between_aps ? CONFIG_VARIATION_BLOCK : model.variation; /* and drawn once */
    const struct fading_settings settings = {
        .model = &model,
        .seed = config->air.fading.seed ? config->air.fading.seed : config->network.seed,
        .link = a->code << 32 | b->code,
        .n_first = a->n_ant,
        .n_second = b->n_ant,
        .doppler_turns_per_sample = config->air.fading.doppler_hz / config->frame.sample_rate_hz,
        .n_symbol_samples = l->n_symbol_samples,
        .n_block_samples = l->n_block_samples,
    };
    pair->first = first, pair->second = second;
    choose_played(l, pair);
    int status = fading_create(&pair->fading, &settings);
    pair->g = calloc((size_t)(l->n_tap * a->n_ant * b->n_ant), sizeof *pair->g);
    l->n_pair++;
    if (status || !pair->g) {
        return error_set(TUTTI_ENOMEM, "no memory for link coefficients");
    }
    const int common =
        hardware_common_delay_samples(config, CONFIG_ROLE_AP, b->is_ap ? CONFIG_ROLE_AP : CONFIG_ROLE_UE) - a->reach -
        b->reach;
    pair->blocked = 1;
    pair->zone = b->is_eve && b->id < l->n_zone ? b->id : -1;
    if (pair->between_aps) {
        fading_execute(pair->fading, 0, 0, pair->g);
    }
    status = connect_direction(l, config, first, second, l->n_pair - 1, beta_db, common);
    return status ? status : connect_direction(l, config, second, first, l->n_pair - 1, beta_db, common);
}

/* Blockages ------------------------------------------------------------------------------------------------------- */

/* Pairs are in order: APs with users, then APs with eavesdroppers. */
static void block_pairs(const struct links *l, const struct config_event *event, uint8_t *pair)
{
    for (unsigned a = 0; a < event->ap_count; a++) {
        for (unsigned k = 0; k < event->ue_count; k++) {
            pair[event->ap[a] * l->n_ue + event->ue[k]] = 1;
        }
        for (unsigned e = 0; e < event->eve_count; e++) {
            pair[l->n_ap * l->n_ue + event->ap[a] * l->n_eve + event->eve[e]] = 1;
        }
    }
}

static int set_blockages(struct links *l, const struct config *config)
{
    const unsigned n = config->air.events_count;
    l->blockage = calloc(n + 1, sizeof *l->blockage);
    for (unsigned i = 0; l->blockage && i < n; i++) {
        const struct config_event *event = &config->air.events[i];
        struct links_blockage *b = &l->blockage[l->n_blockage];
        if (event->kind != CONFIG_EVENT_BLOCKAGE) {
            continue;
        }
        b->pair = calloc((size_t)l->n_pair, 1);
        if (!b->pair) {
            return error_set(TUTTI_ENOMEM, "no memory for the events of the air");
        }
        l->n_blockage++;
        b->from_block = event->block;
        b->to_block = event->to_block ? event->to_block : UINT64_MAX;
        b->factor = (float)pow(10, -event->loss_db / 20);
        block_pairs(l, event, b->pair);
    }
    return l->blockage ? TUTTI_OK : error_set(TUTTI_ENOMEM, "no memory for the events of the air");
}

static float blocked_now(const struct links *l, int pair)
{
    float factor = 1;
    for (int i = 0; i < l->n_blockage; i++) {
        const struct links_blockage *b = &l->blockage[i];
        factor *= b->pair[pair] && l->block >= b->from_block && l->block < b->to_block ? b->factor : 1;
    }
    return factor;
}

/* Gains that change ------------------------------------------------------------------------------------------------ */

static int set_walk(struct links *l, const struct config *config)
{
    const struct config_gains *const gains = &config->air.large_scale;
    const int n = l->n_ap * l->n_ue;
    if (gains->gain_db_end_count == 0) {
        return TUTTI_OK;
    }
    l->walk_db = calloc((size_t)n, sizeof *l->walk_db);
    if (!l->walk_db) {
        return error_set(TUTTI_ENOMEM, "no memory for %d gains", n);
    }
    for (int i = 0; i < n; i++) {
        l->walk_db[i] = gains->gain_db_end[i / l->n_ue].value[i % l->n_ue] - l->beta_db[i];
    }
    l->walk_from = gains->gain_db_end_from_block;
    l->walk_to = gains->gain_db_end_to_block;
    return TUTTI_OK;
}

/* Amplitude of a pair's gain now over that of the beginning. */
static float walked_now(const struct links *l, int pair)
{
    if (!l->walk_db || pair >= l->n_ap * l->n_ue || l->block <= l->walk_from) {
        return 1;
    }
    const double way = (double)(l->block - l->walk_from) / (double)(l->walk_to - l->walk_from);
    return (float)pow(10, fmin(way, 1) * l->walk_db[pair] / 20);
}

/* Lines of sight -------------------------------------------------------------------------------------------------- */

static int set_sight(struct links *l, const struct config *config, uint64_t block)
{
    const int n = l->n_ap * l->n_zone;
    struct links_sight *const s = &l->sight[l->n_sight];
    s->from_block = block;
    s->ratio = calloc((size_t)n, sizeof *s->ratio);
    s->theta_rad = calloc((size_t)n, sizeof *s->theta_rad);
    l->n_sight++;
    if (!s->ratio || !s->theta_rad) {
        return error_set(TUTTI_ENOMEM, "no memory for %d lines of sight", n);
    }
    const int status = channel_zones(config, block, s->ratio, s->theta_rad);
    for (int i = 0; !status && i < n; i++) { /* links have the amplitude of the first */
        const int zone = i % l->n_zone;
        const double first_db = zone < l->n_eve ? l->eve_beta_db[i / l->n_zone * l->n_eve + zone] : 0;
        s->ratio[i] = sqrt(s->ratio[i]) * pow(10, -first_db / 20);
    }
    return status;
}

static int by_block(const void *a, const void *b)
{
    const uint64_t x = ((const struct links_sight *)a)->from_block, y = ((const struct links_sight *)b)->from_block;
    return (x > y) - (x < y);
}

/* Zones without a receiver need none. */
static int set_sights(struct links *l, const struct config *config)
{
    if (l->n_zone == 0) {
        return TUTTI_OK;
    }
    l->sight = calloc(config->air.events_count + 1, sizeof *l->sight);
    l->sight_phase_rad = calloc((size_t)(l->n_ap * l->n_zone), sizeof *l->sight_phase_rad);
    if (!l->sight || !l->sight_phase_rad) {
        return error_set(TUTTI_ENOMEM, "no memory for %d zones", l->n_zone);
    }
    for (int i = 0; i < l->n_ap * l->n_zone; i++) {
        const uint64_t ap = (uint64_t)(i / l->n_zone), zone = (uint64_t)(i % l->n_zone);
        l->sight_phase_rad[i] =
            6.28318530717958647692 * random_uniform(random_key(l->seed, RANDOM_SIGHT, ap, zone, 0), 0);
    }
    int status = set_sight(l, config, 0);
    for (unsigned i = 0; !status && i < config->air.events_count; i++) {
        const struct config_event *const e = &config->air.events[i];
        status = e->kind == CONFIG_EVENT_MOVE ? set_sight(l, config, e->block) : TUTTI_OK;
    }
    qsort(l->sight, (size_t)l->n_sight, sizeof *l->sight, by_block);
    return status;
}

static void see(const struct links *l, struct links_pair *pair)
{
    const struct links_sight *now = l->sight;
    const int n_ant = l->radio[pair->first].n_ant, at = pair->first * l->n_zone + pair->zone;
    for (int i = 1; i < l->n_sight && l->sight[i].from_block <= l->block; i++) {
        now = &l->sight[i];
    }
    for (int i = n_ant; i < l->n_tap * n_ant; i++) {
        pair->g[i] = 0;
    }
    const double step = 6.28318530717958647692 * l->d_over_lambda * sin(now->theta_rad[at]);
    for (int a = 0; a < n_ant; a++) {
        pair->g[a] = (tutti_cf32)(now->ratio[at] * cexp(-I * (l->sight_phase_rad[at] + a * step)));
    }
}

static int allocate(struct links *l)
{
    l->radio = calloc((size_t)l->n_radio, sizeof *l->radio);
    const int n_between = l->n_ap * (l->n_ap - 1) / 2;
    l->pair = calloc((size_t)(l->n_ap * (l->n_ue + l->n_eve) + n_between), sizeof *l->pair);
    l->link = calloc((size_t)(l->n_radio * l->n_radio), sizeof *l->link);
    l->beta_db = calloc((size_t)(l->n_ap * l->n_ue), sizeof *l->beta_db);
    l->eve_beta_db = calloc((size_t)(l->n_ap * l->n_eve + 1), sizeof *l->eve_beta_db);
    l->tap_delay = calloc((size_t)l->n_tap, sizeof *l->tap_delay);
    l->ap_beta_db = calloc((size_t)(l->n_ap * l->n_ap), sizeof *l->ap_beta_db);
    return l->radio && l->pair && l->link && l->beta_db && l->eve_beta_db && l->tap_delay && l->ap_beta_db
               ? TUTTI_OK
               : error_set(TUTTI_ENOMEM, "no memory for %d radios", l->n_radio);
}

/* Runs of symbols in which APs hear each other, whatever the sender's clock: one that follows another's sends by that
 * one's time. A single beacon is sent by all of them at once: nobody listens. */
static int set_windows(struct links *l, const struct config *config, const struct frame *frame)
{
    const int slack = hardware_common_delay_samples(config, CONFIG_ROLE_AP, CONFIG_ROLE_AP);
    l->window = calloc((size_t)frame->n_symbol, sizeof *l->window);
    for (int s = 0; l->window && s < frame->n_symbol; s++) {
        const int from = s * frame->n_symbol_samples;
        if (frame->letter[s] != 'C' && (frame->letter[s] != 'B' || frame->n_beacon < 2)) {
            continue;
        }
        if (l->n_window == 0 || l->window[l->n_window - 1].to < from - slack) {
            l->window[l->n_window++].from = from - slack;
        }
        l->window[l->n_window - 1].to = from + frame->n_symbol_samples + slack;
    }
    return l->window ? TUTTI_OK : error_set(TUTTI_ENOMEM, "no memory for the frame's symbols");
}

static void set_tap_delays(struct links *l, const struct config *config)
{
    for (int tap = 0; tap < l->n_tap; tap++) {
        l->tap_delay[tap] = l->played ? l->played->user.delay[tap] : fading_tap_delay(&config->air.fading, tap);
    }
}

static int fill(struct links *l, const struct config *config)
{
    int status = allocate(l);
    status = status ? status : channel_large_scale(config, l->beta_db);
    status = status ? status : channel_eve_large_scale(config, l->eve_beta_db);
    status = status ? status : channel_ap_large_scale(config, l->ap_beta_db);
    if (status) {
        return status;
    }
    set_tap_delays(l, config);
    for (int r = 0; !status && r < l->n_radio; r++) {
        status = set_radio(&l->radio[r], config, r);
        l->drifts = l->drifts || l->radio[r].drift_step_rad > 0;
        l->max_reach = l->radio[r].reach > l->max_reach ? l->radio[r].reach : l->max_reach;
    }
    for (int i = 0; !status && i < l->n_ap * l->n_ue; i++) {
        status = connect_pair(l, config, i / l->n_ue, l->n_ap + i % l->n_ue, l->beta_db[i]);
    }
    for (int i = 0; !status && i < l->n_ap * l->n_eve; i++) {
        status = connect_pair(l, config, i / l->n_eve, l->n_ap + l->n_ue + i % l->n_eve, l->eve_beta_db[i]);
    }
    for (int i = 0; !status && i < l->n_ap * l->n_ap; i++) {
        if (i / l->n_ap < i % l->n_ap) {
            status = connect_pair(l, config, i / l->n_ap, i % l->n_ap, l->ap_beta_db[i]);
        }
    }
    status = status ? status : set_sights(l, config);
    status = status ? status : set_walk(l, config);
    return status ? status : set_blockages(l, config);
}

/* Users and eavesdroppers of a file share one set of taps. */
static int play(struct links *l, const struct config *config, const struct frame *frame)
{
    int status = played_try(config, frame);
    status = status ? status : played_open(&l->played, config, frame);
    if (status) {
        return status;
    }
    const struct played_links *u = &l->played->user, *e = &l->played->eve;
    if (e->n_column > 0 &&
        (e->n_tap != u->n_tap || memcmp(e->delay, u->delay, (size_t)u->n_tap * sizeof *u->delay) != 0)) {
        return error_set(TUTTI_ECONFIG, "air.fading.file: /eve must have the taps or subbands that the users have");
    }
    log_write(LOG_INFO, "air", "PLAY file=%s blocks=%llu taps=%d eavesdroppers=%s left_over_db=%.1f",
              config->air.fading.file, (unsigned long long)u->n_row, u->n_tap, e->n_column > 0 ? "played" : "drawn",
              10 * log10(fmax(u->left_over, 1e-12)));
    return TUTTI_OK;
}

int links_create(struct links **links, const struct config *config, const struct frame *frame)
{
    struct links *l = calloc(1, sizeof *l);
    *links = l;
    if (!l) {
        return error_set(TUTTI_ENOMEM, "no memory for the links");
    }
    l->n_ap = config->network.n_ap, l->n_ue = config->network.n_ue, l->n_eve = config->network.n_eve;
    l->n_radio = l->n_ap + l->n_ue + l->n_eve;
    l->row_blocks = config->air.fading.row_blocks;
    int status = config->air.fading.model == CONFIG_FADING_FILE ? play(l, config, frame) : TUTTI_OK;
    l->n_tap = l->played ? l->played->user.n_tap : fading_n_tap(&config->air.fading);
    l->n_block_samples = frame->n_block_samples, l->n_symbol_samples = frame->n_symbol_samples;
    l->changes_in_block =
        config->air.fading.variation == CONFIG_VARIATION_JAKES && config->air.fading.model != CONFIG_FADING_NONE;
    l->symbol = -1;
    l->seed = config->network.seed;
    l->n_zone = l->n_eve > 0 ? config_n_zone(config) : 0;
    l->d_over_lambda = config->sensing.d_over_lambda;
    status = status ? status : set_windows(l, config, frame);
    status = status ? status : fill(l, config);
    if (status) {
        links_destroy(l);
        *links = NULL;
    }
    return status;
}

void links_destroy(struct links *l)
{
    if (!l) {
        return;
    }
    for (int p = 0; l->pair && p < l->n_pair; p++) {
        fading_destroy(l->pair[p].fading);
        free(l->pair[p].g);
    }
    for (int i = 0; l->link && i < l->n_radio * l->n_radio; i++) {
        free(l->link[i].gain);
    }
    for (int r = 0; l->radio && r < l->n_radio; r++) {
        free(l->radio[r].tx_gain);
        free(l->radio[r].rx_gain);
        free(l->radio[r].tx_drawn);
        free(l->radio[r].drift_rad);
    }
    for (int i = 0; i < l->n_blockage; i++) {
        free(l->blockage[i].pair);
    }
    played_close(l->played);
    for (int i = 0; l->sight && i < l->n_sight; i++) {
        free(l->sight[i].ratio);
        free(l->sight[i].theta_rad);
    }
    free(l->sight);
    free(l->sight_phase_rad);
    free(l->walk_db);
    free(l->blockage);
    free(l->tap_delay);
    free(l->window);
    free(l->ap_beta_db);
    free(l->beta_db);
    free(l->eve_beta_db);
    free(l->link);
    free(l->pair);
    free(l->radio);
    free(l);
}

/* Clocks ---------------------------------------------------------------------------------------------------------- */

double links_late_samples(const struct links *l, int radio, tutti_tick tick)
{
    const struct links_radio *r = &l->radio[radio];
    const double drift = r->clock_rate * (double)(tick - l->origin), most = r->most_drift_samples;
    return r->late_samples - fmax(-most, fmin(most, drift));
}

double links_delay_samples(const struct links *l, int tx, int rx, tutti_tick tick)
{
    return links_between(l, tx, rx)->delay + l->radio[tx].reach + links_late_samples(l, tx, tick) + l->radio[rx].reach -
           links_late_samples(l, rx, tick);
}

/* Now ----------------------------------------------------------------------------------------------------------- */

static void combine(const struct links *l, int tx, int rx)
{
    const struct link *link = links_between(l, tx, rx);
    const struct links_radio *t = &l->radio[tx], *r = &l->radio[rx];
    const struct links_pair *pair = &l->pair[link->pair];
    const int n_second = l->radio[pair->second].n_ant, n_pair_ant = t->n_ant * r->n_ant;
    for (int tap = 0; tap < l->n_tap; tap++) {
        for (int q = 0; q < r->n_ant; q++) {
            for (int p = 0; p < t->n_ant; p++) {
                const int at = link->forward ? p * n_second + q : q * n_second + p;
                link->gain[(tap * r->n_ant + q) * t->n_ant + p] =
                    link->amplitude * pair->blocked * pair->g[tap * n_pair_ant + at] * t->tx_gain[p] * r->rx_gain[q];
            }
        }
    }
}

/* Every antenna's transmitter takes a step; numbers of blocks that nobody computed are not made up for. */
static void drift(struct links *l, uint64_t block)
{
    for (int r = 0; l->drifts && r < l->n_radio; r++) {
        struct links_radio *radio = &l->radio[r];
        for (int a = 0; radio->drift_step_rad > 0 && a < radio->n_ant; a++) {
            const uint64_t key = random_key(l->seed, RANDOM_DRIFT, radio->code, (uint64_t)a, 0);
            float z, unused;
            random_normal(key, block, &z, &unused);
            radio->drift_rad[a] += radio->drift_step_rad * (double)z;
            radio->tx_gain[a] = radio->tx_drawn[a] * (tutti_cf32)cexp(I * radio->drift_rad[a]);
        }
    }
}

/* Links between APs change only with their hardware. */
static void update_pair(struct links *l, int p, bool first_time)
{
    struct links_pair *pair = &l->pair[p];
    if (pair->between_aps && !first_time && !l->drifts) {
        return;
    }
    if (pair->played) {
        const uint64_t row = played_row(pair->played, l->block, l->row_blocks);
        played_copy(l->played, pair->played, row, pair->first, pair->played_column, l->radio[pair->second].n_ant,
                    pair->g);
    } else if (pair->zone >= 0) {
        see(l, pair);
    } else if (!pair->between_aps) {
        fading_execute(pair->fading, l->block, l->symbol, pair->g);
    }
    if (!pair->between_aps) {
        pair->blocked = blocked_now(l, p) * walked_now(l, p);
    }
    combine(l, pair->first, pair->second);
    combine(l, pair->second, pair->first);
}

tutti_tick links_update(struct links *l, tutti_tick tick)
{
    const tutti_tick block_samples = (tutti_tick)l->n_block_samples;
    const uint64_t block = tick / block_samples;
    const int offset = (int)(tick % block_samples), symbol = l->changes_in_block ? offset / l->n_symbol_samples : 0;
    if (l->symbol != symbol || l->block != block) {
        const bool first_time = l->symbol < 0;
        if (first_time || l->block != block) {
            drift(l, block);
        }
        l->block = block;
        l->symbol = symbol;
        for (int p = 0; p < l->n_pair; p++) {
            update_pair(l, p, first_time);
        }
    }
    const int next = (symbol + 1) * l->n_symbol_samples;
    const bool more = l->changes_in_block && next < l->n_block_samples;
    return block * block_samples + (tutti_tick)(more ? next : l->n_block_samples);
}
