/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "channel/channel.h"

#include "base/error.h"
#include "channel/played.h"
#include "channel/random.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

double channel_noise_dbm(double bandwidth_hz, double noise_figure_db)
{
    return CHANNEL_THERMAL_DBM_PER_HZ + 10 * log10(bandwidth_hz) + noise_figure_db;
}

static double snr_scale(const struct config *config, double tx_power_dbm, double noise_figure_db)
{
    const double spacing_hz = config->frame.sample_rate_hz / config->frame.fft_size;
    const double power_dbm = tx_power_dbm - 10 * log10(config->frame.n_used_subcarriers);
    return pow(10, (power_dbm - channel_noise_dbm(spacing_hz, noise_figure_db)) / 10);
}

double channel_downlink_snr_scale(const struct config *config)
{
    return snr_scale(config, config->radio.ap.tx_power_dbm, config->radio.ue.noise_figure_db);
}

double channel_ap_snr_scale(const struct config *config)
{
    return snr_scale(config, config->radio.ap.tx_power_dbm, config->radio.ap.noise_figure_db);
}

double channel_uplink_snr_scale(const struct config *config)
{
    return snr_scale(config, config->radio.ue.tx_power_dbm, config->radio.ap.noise_figure_db);
}

double channel_eve_downlink_snr_scale(const struct config *config)
{
    return snr_scale(config, config->radio.ap.tx_power_dbm, config->radio.eve.noise_figure_db);
}

double channel_eve_uplink_snr_scale(const struct config *config)
{
    return snr_scale(config, config->radio.eve.tx_power_dbm, config->radio.ap.noise_figure_db);
}

double channel_umi_db(double distance_m)
{
    return channel_log_distance_db(distance_m, -30.5, 3.67);
}

enum { THREE_SLOPE_NEAR_M = 10, THREE_SLOPE_FAR_M = 50 };

double channel_three_slope_db(double distance_m)
{
    const double loss_db = 140.7, far_km = THREE_SLOPE_FAR_M / 1000.0, near_km = THREE_SLOPE_NEAR_M / 1000.0;
    const double km = distance_m / 1000;
    if (distance_m > THREE_SLOPE_FAR_M) {
        return -loss_db - 35 * log10(km);
    }
    return -loss_db - 15 * log10(far_km) - 20 * log10(fmax(km, near_km));
}

double channel_log_distance_db(double distance_m, double reference_db, double exponent)
{
    return reference_db - 10 * exponent * log10(fmax(distance_m, 1));
}

/* Seeds of parts: 0 is the network's. */
static uint64_t seed_or(uint64_t own, const struct config *config)
{
    return own ? own : config->network.seed;
}

static void place(uint64_t seed, enum random_purpose purpose, const struct config_row *given, unsigned n_given, int n,
                  double area_m, double height_m, double *position_m)
{
    for (int i = 0; i < n; i++) {
        const uint64_t key = random_key(seed, purpose, (uint64_t)i, 0, 0);
        double *p = position_m + 3 * i;
        if ((unsigned)i < n_given) {
            p[0] = given[i].value[0], p[1] = given[i].value[1], p[2] = given[i].value[2];
        } else {
            p[0] = area_m * random_uniform(key, 0), p[1] = area_m * random_uniform(key, 1), p[2] = height_m;
        }
    }
}

void channel_positions(const struct config *config, double *ap_m, double *ue_m)
{
    const struct config_gains *gains = &config->air.large_scale;
    const uint64_t seed = seed_or(gains->drop_seed, config);
    place(seed, RANDOM_POSITION_AP, gains->ap_positions_m, gains->ap_positions_m_count, config->network.n_ap,
          gains->area_m, gains->ap_height_m, ap_m);
    place(seed, RANDOM_POSITION_UE, gains->ue_positions_m, gains->ue_positions_m_count, config->network.n_ue,
          gains->area_m, gains->ue_height_m, ue_m);
}

void channel_eve_positions(const struct config *config, const double *ue_m, double *eve_m)
{
    const struct config_gains *gains = &config->air.large_scale;
    const double *centre = ue_m + 3 * config->eve.target_user;
    for (int e = 0; e < config->network.n_eve; e++) {
        const uint64_t key = random_key(seed_or(gains->drop_seed, config), RANDOM_POSITION_EVE, (uint64_t)e, 0, 0);
        double *p = eve_m + 3 * e, c, s;
        if (e < config_n_zone(config)) {
            const double *zone = config->sensing.zones_m[e].value;
            p[0] = zone[0], p[1] = zone[1], p[2] = zone[2];
            continue;
        }
        if ((unsigned)e < gains->eve_positions_m_count) {
            const double *given = gains->eve_positions_m[e].value;
            p[0] = given[0], p[1] = given[1], p[2] = given[2];
            continue;
        }
        const double radius_m = gains->eve_radius_m * sqrt(random_uniform(key, 0)); /* uniform over the area */
        random_phasor(random_uniform(key, 1), &c, &s);
        p[0] = centre[0] + radius_m * c, p[1] = centre[1] + radius_m * s, p[2] = centre[2];
    }
}

/* Rows are given for all or for none, and each has the right length. */
static int check_rows(const char *key, const struct config_row *rows, unsigned n_rows, int n_expected, int n_columns)
{
    if (n_rows != (unsigned)n_expected) {
        return error_set(TUTTI_ECONFIG, "%s: %u rows found, %d expected", key, n_rows, n_expected);
    }
    for (unsigned i = 0; i < n_rows; i++) {
        if (rows[i].value_count != (unsigned)n_columns) {
            return error_set(TUTTI_ECONFIG, "%s: row %u has %u numbers, %d expected", key, i, rows[i].value_count,
                             n_columns);
        }
    }
    return TUTTI_OK;
}

enum shadowed { SHADOWED_USER, SHADOWED_EVE };

static double path_gain_db(const struct config_gains *gains, double distance_m)
{
    switch (gains->path_loss) {
    case CONFIG_PL_THREE_SLOPE:
        return channel_three_slope_db(distance_m);
    case CONFIG_PL_LOG_DISTANCE:
        return channel_log_distance_db(distance_m, gains->reference_db, gains->exponent);
    case CONFIG_PL_UMI:
    default:
        return channel_umi_db(distance_m);
    }
}

static double distance_between_m(const double *p, const double *q)
{
    return sqrt((p[0] - q[0]) * (p[0] - q[0]) + (p[1] - q[1]) * (p[1] - q[1]) + (p[2] - q[2]) * (p[2] - q[2]));
}

/* Between two points; the shadowing is that of the AP with user or eavesdropper `other`. */
static double gain_at(const struct config *config, const double *p, const double *q, uint64_t ap, uint64_t other,
                      enum shadowed kind)
{
    const struct config_gains *gains = &config->air.large_scale;
    const double distance_m = distance_between_m(p, q);
    const uint64_t key =
        random_key(seed_or(gains->shadowing_seed, config), RANDOM_SHADOWING, ap, other, (uint64_t)kind);
    float z, unused;
    random_normal(key, 0, &z, &unused);
    const bool near = gains->path_loss == CONFIG_PL_THREE_SLOPE && distance_m <= THREE_SLOPE_FAR_M;
    return path_gain_db(gains, distance_m) + (near ? 0 : gains->shadowing_db * (double)z);
}

static int check_positions(const struct config *config)
{
    const struct config_gains *gains = &config->air.large_scale;
    const int n_ap = config->network.n_ap, n_ue = config->network.n_ue, n_eve = config->network.n_eve;
    int status = TUTTI_OK;
    if (gains->ap_positions_m_count > 0) {
        status =
            check_rows("air.large_scale.ap_positions_m", gains->ap_positions_m, gains->ap_positions_m_count, n_ap, 3);
    }
    if (!status && gains->ue_positions_m_count > 0) {
        status =
            check_rows("air.large_scale.ue_positions_m", gains->ue_positions_m, gains->ue_positions_m_count, n_ue, 3);
    }
    if (!status && gains->eve_positions_m_count > 0) {
        status = check_rows("air.large_scale.eve_positions_m", gains->eve_positions_m, gains->eve_positions_m_count,
                            n_eve, 3);
    }
    return status;
}

static int from_geometry(const struct config *config, enum shadowed kind, double *beta_db)
{
    const int n_ap = config->network.n_ap, n_ue = config->network.n_ue, n_eve = config->network.n_eve;
    const int n = kind == SHADOWED_EVE ? n_eve : n_ue, n_position = n_ap + n_ue + n_eve;
    const int status = check_positions(config);
    if (status) {
        return status;
    }
    double *ap_m = calloc((size_t)n_position * 3, sizeof *ap_m);
    if (!ap_m) {
        return error_set(TUTTI_ENOMEM, "no memory for %d positions", n_position);
    }
    double *const ue_m = ap_m + 3 * n_ap, *const eve_m = ue_m + 3 * n_ue;
    channel_positions(config, ap_m, ue_m);
    channel_eve_positions(config, ue_m, eve_m);
    const double *const other_m = kind == SHADOWED_EVE ? eve_m : ue_m;
    for (int a = 0; a < n_ap; a++) {
        for (int i = 0; i < n; i++) {
            beta_db[a * n + i] = gain_at(config, ap_m + 3 * a, other_m + 3 * i, (uint64_t)a, (uint64_t)i, kind);
        }
    }
    free(ap_m);
    return TUTTI_OK;
}

static int from_list(const char *key, const struct config_row *rows, unsigned n_rows, int n_ap, int n, double *beta_db)
{
    const int status = check_rows(key, rows, n_rows, n_ap, n);
    for (int i = 0; !status && i < n_ap * n; i++) {
        beta_db[i] = rows[i / n].value[i % n];
    }
    return status;
}

static int uniform(double gain_db, int n, double *beta_db)
{
    for (int i = 0; i < n; i++) {
        beta_db[i] = gain_db;
    }
    return TUTTI_OK;
}

/* A file that has no eavesdroppers leaves theirs to the settings. */
static int from_file(const struct config *config, enum shadowed kind, double *beta_db)
{
    const bool eve = kind == SHADOWED_EVE;
    const int n = eve ? config->network.n_eve : config->network.n_ue;
    const double snr_scale = config->air.large_scale.file_units == CONFIG_UNITS_GAIN ? 1
                             : eve ? channel_eve_downlink_snr_scale(config)
                                   : channel_downlink_snr_scale(config);
    struct frame frame;
    struct played *played = NULL;
    int status = frame_init(&frame, config);
    status = status ? status : played_try(config, &frame);
    status = status ? status : played_open(&played, config, &frame);
    if (!status && eve && played->eve.n_column == 0) {
        uniform(config->air.large_scale.eve_snr_db - 10 * log10(channel_eve_downlink_snr_scale(config)),
                config->network.n_ap * n, beta_db);
    } else if (!status) {
        played_gains(played, eve ? &played->eve : &played->user, n, snr_scale, beta_db);
    }
    played_close(played);
    return status;
}

int channel_large_scale(const struct config *config, double *beta_db)
{
    const struct config_gains *gains = &config->air.large_scale;
    const int n_ap = config->network.n_ap, n_ue = config->network.n_ue;
    switch (gains->model) {
    case CONFIG_GAIN_EXPLICIT:
        return from_list("air.large_scale.gain_db", gains->gain_db, gains->gain_db_count, n_ap, n_ue, beta_db);
    case CONFIG_GAIN_GEOMETRY:
        return from_geometry(config, SHADOWED_USER, beta_db);
    case CONFIG_GAIN_FILE:
        return from_file(config, SHADOWED_USER, beta_db);
    case CONFIG_GAIN_UNIFORM:
    default:
        return uniform(gains->snr_db - 10 * log10(channel_downlink_snr_scale(config)), n_ap * n_ue, beta_db);
    }
}

/* Who stands in a zone is in the line of sight. */
static int in_zones(const struct config *config, double *beta_db)
{
    const int n_zone = config_n_zone(config), n_ap = config->network.n_ap, n_eve = config->network.n_eve;
    double *const zeta = calloc(2 * (size_t)(n_ap * n_zone) + 1, sizeof *zeta);
    const int status = zeta ? n_zone > 0 ? channel_zones(config, 0, zeta, zeta + n_ap * n_zone) : TUTTI_OK
                            : error_set(TUTTI_ENOMEM, "no memory for %d zones", n_zone);
    for (int i = 0; !status && i < n_ap * n_zone; i++) {
        if (i % n_zone < n_eve) {
            beta_db[i / n_zone * n_eve + i % n_zone] = 10 * log10(zeta[i]);
        }
    }
    free(zeta);
    return status;
}

int channel_eve_large_scale(const struct config *config, double *beta_db)
{
    const struct config_gains *gains = &config->air.large_scale;
    const int n_ap = config->network.n_ap, n_eve = config->network.n_eve;
    if (n_eve == 0) {
        return TUTTI_OK;
    }
    int status;
    switch (gains->model) {
    case CONFIG_GAIN_EXPLICIT:
        return from_list("air.large_scale.eve_gain_db", gains->eve_gain_db, gains->eve_gain_db_count, n_ap, n_eve,
                         beta_db);
    case CONFIG_GAIN_GEOMETRY:
        status = from_geometry(config, SHADOWED_EVE, beta_db);
        return status ? status : in_zones(config, beta_db);
    case CONFIG_GAIN_FILE:
        return from_file(config, SHADOWED_EVE, beta_db);
    case CONFIG_GAIN_UNIFORM:
    default:
        return uniform(gains->eve_snr_db - 10 * log10(channel_eve_downlink_snr_scale(config)), n_ap * n_eve, beta_db);
    }
}

static int ap_geometry(const struct config *config, double *beta_db)
{
    const int n_ap = config->network.n_ap, status = check_positions(config);
    if (status) {
        return status;
    }
    double *const ap_m = calloc((size_t)(n_ap + config->network.n_ue) * 3, sizeof *ap_m);
    if (!ap_m) {
        return error_set(TUTTI_ENOMEM, "no memory for %d positions", n_ap);
    }
    channel_positions(config, ap_m, ap_m + 3 * n_ap);
    for (int i = 0; i < n_ap * n_ap; i++) {
        const double distance_m = distance_between_m(ap_m + 3 * (i / n_ap), ap_m + 3 * (i % n_ap));
        beta_db[i] = path_gain_db(&config->air.large_scale, distance_m);
    }
    free(ap_m);
    return TUTTI_OK;
}

int channel_ap_large_scale(const struct config *config, double *beta_db)
{
    const struct config_gains *gains = &config->air.large_scale;
    const int n_ap = config->network.n_ap;
    return gains->model == CONFIG_GAIN_GEOMETRY
               ? ap_geometry(config, beta_db)
               : uniform(gains->ap_snr_db - 10 * log10(channel_ap_snr_scale(config)), n_ap * n_ap, beta_db);
}

void channel_zone_positions(const struct config *config, uint64_t block, double *zone_m)
{
    for (unsigned l = 0; l < config->sensing.zones_m_count; l++) {
        const double *at = config->sensing.zones_m[l].value;
        uint64_t since = 0;
        for (unsigned i = 0; i < config->air.events_count; i++) {
            const struct config_event *const e = &config->air.events[i];
            if (e->kind == CONFIG_EVENT_MOVE && (unsigned)e->zone == l && e->block <= block && e->block >= since) {
                at = e->to_m;
                since = e->block;
            }
        }
        memcpy(zone_m + 3 * l, at, 3 * sizeof *zone_m);
    }
}

int channel_zones(const struct config *config, uint64_t block, double *zeta, double *theta_rad)
{
    const int n_ap = config->network.n_ap, n_zone = (int)config->sensing.zones_m_count;
    double *const ap_m = calloc((size_t)(n_ap + config->network.n_ue + n_zone) * 3, sizeof *ap_m);
    if (!ap_m) {
        return error_set(TUTTI_ENOMEM, "no memory for %d positions", n_ap);
    }
    double *const ue_m = ap_m + 3 * n_ap, *const zone_m = ue_m + 3 * config->network.n_ue;
    channel_positions(config, ap_m, ue_m);
    channel_zone_positions(config, block, zone_m);
    for (int m = 0; m < n_ap; m++) {
        for (int l = 0; l < n_zone; l++) {
            const double *const ap = ap_m + 3 * m, *const zone = zone_m + 3 * l;
            const double distance_m = fmax(distance_between_m(ap, zone), 1);
            zeta[m * n_zone + l] = pow(10, (-34 - 22 * log10(distance_m)) / 10);
            theta_rad[m * n_zone + l] = atan2(zone[1] - ap[1], zone[0] - ap[0]);
        }
    }
    free(ap_m);
    return TUTTI_OK;
}
