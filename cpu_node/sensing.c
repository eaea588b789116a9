/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cpu_node/sensing.h"

#include "base/error.h"
#include "channel/channel.h"
#include "isac/modes.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Exchanges of two APs' modes are looked at up to this size; above, single flips: seconds count. */
enum { SWAPS_UP_TO = 12, FIRST_TRACKED = 2 };
static const double CHANGE = 1.9952623149688795; /* 3 dB */
static const double COUNTS = 0.05;               /* of a user's largest gain: a weaker one decides nothing */
static const double ABSENT = 1e-9;               /* of an absent AP's gains */

struct sensing {
    const struct config *config;
    struct sensing_shape shape;
    isac_modes_t *modes;
    int n_served; /* for which modes was made */
    int *user;    /* [n_served] */
    bool decided;
    double *beta, *gamma;             /* [n_ap][n_served] */
    double *zeta, *theta;             /* [n_ap][n_zone] */
    double *eta_c, *eta_s, *a, *sinr; /* sinr [n_served] */
    unsigned char *mode;
    /* of the last decision */
    float *beta_then;
    uint8_t *present_then, *served_then;
    double *zone_then_m, *zone_now_m;
    double *memory;
    struct sensing_plan plan; /* in memory */
};

size_t sensing_plan_doubles(const struct sensing_shape *s)
{
    return (size_t)(s->n_ap * (s->n_ue + 2 * s->n_zone + 1) + s->n_ue + 2 * s->n_zone);
}

struct sensing_plan sensing_plan_in(double *memory, const struct sensing_shape *s)
{
    const int users = s->n_ap * s->n_ue, zones = s->n_ap * s->n_zone;
    double *const theta = memory + users + zones, *const sinr = theta + zones + s->n_ap;
    return (struct sensing_plan){.share = memory,
                                 .eta_s = memory + users,
                                 .theta_rad = theta,
                                 .mode = theta + zones,
                                 .sinr = sinr,
                                 .masr = sinr + s->n_ue,
                                 .sinr_eve = sinr + s->n_ue + s->n_zone};
}

static void *room(size_t n, size_t bytes, bool *ok)
{
    void *const p = calloc(n + 1, bytes);
    *ok = *ok && p;
    return p;
}

int sensing_create(sensing_t **sensing, const struct config *config)
{
    sensing_t *const s = *sensing = calloc(1, sizeof *s);
    if (!s) {
        return error_set(TUTTI_ENOMEM, "out of memory for sensing");
    }
    s->config = config;
    s->shape = (struct sensing_shape){config->network.n_ap, config->network.n_ue, config_n_zone(config)};
    const size_t n_ap = (size_t)s->shape.n_ap, n_ue = (size_t)s->shape.n_ue, n_zone = (size_t)s->shape.n_zone;
    bool ok = true;
    s->user = room(n_ue, sizeof *s->user, &ok);
    s->beta = room(n_ap * n_ue, sizeof *s->beta, &ok);
    s->gamma = room(n_ap * n_ue, sizeof *s->gamma, &ok);
    s->zeta = room(n_ap * n_zone, sizeof *s->zeta, &ok);
    s->theta = room(n_ap * n_zone, sizeof *s->theta, &ok);
    s->eta_c = room(n_ap * n_ue, sizeof *s->eta_c, &ok);
    s->eta_s = room(n_ap * n_zone, sizeof *s->eta_s, &ok);
    s->sinr = room(n_ue, sizeof *s->sinr, &ok);
    s->a = room(n_ap, sizeof *s->a, &ok);
    s->mode = room(n_ap, 1, &ok);
    s->beta_then = room(n_ap * n_ue, sizeof *s->beta_then, &ok);
    s->present_then = room(n_ap, 1, &ok);
    s->served_then = room(n_ue, 1, &ok);
    s->zone_then_m = room(3 * n_zone, sizeof *s->zone_then_m, &ok);
    s->zone_now_m = room(3 * n_zone, sizeof *s->zone_now_m, &ok);
    s->memory = room(sensing_plan_doubles(&s->shape), sizeof *s->memory, &ok);
    if (!ok) {
        return error_set(TUTTI_ENOMEM, "out of memory for sensing");
    }
    s->plan = sensing_plan_in(s->memory, &s->shape);
    return TUTTI_OK;
}

void sensing_destroy(sensing_t *s)
{
    if (!s) {
        return;
    }
    isac_modes_destroy(s->modes);
    void *const owned[] = {s->user,         s->sinr,        s->beta,        s->gamma,     s->zeta,   s->theta,
                           s->eta_c,        s->eta_s,       s->a,           s->mode,      s->memory, s->beta_then,
                           s->present_then, s->served_then, s->zone_then_m, s->zone_now_m};
    for (size_t i = 0; i < sizeof owned / sizeof *owned; i++) {
        free(owned[i]);
    }
    free(s);
}

/* When ------------------------------------------------------------------------------------------------------------- */

static bool gains_changed(const sensing_t *s, const struct sensing_input *in)
{
    const int n_ue = s->shape.n_ue;
    for (int k = 0; k < n_ue; k++) {
        double largest = 0;
        for (int m = 0; m < s->shape.n_ap; m++) {
            largest = fmax(largest, (double)s->beta_then[m * n_ue + k]);
        }
        for (int m = 0; m < s->shape.n_ap; m++) {
            const double now = (double)in->beta[m * n_ue + k], then = (double)s->beta_then[m * n_ue + k];
            const bool counts = in->ap_present[m] && in->user_served[k] && fmax(now, then) > COUNTS * largest;
            if (counts && (now > CHANGE * then || then > CHANGE * now)) {
                return true;
            }
        }
    }
    return false;
}

/* Why a decision is due; NULL: none is. */
static const char *due(sensing_t *s, const struct sensing_input *in)
{
    const size_t n_ap = (size_t)s->shape.n_ap, n_ue = (size_t)s->shape.n_ue;
    const bool known = s->config->pilots.large_scale == CONFIG_LS_KNOWN;
    channel_zone_positions(s->config, in->block, s->zone_now_m);
    if (!memchr(in->ap_present, 1, n_ap) || !memchr(in->user_served, 1, n_ue) ||
        (!known && in->block < (uint64_t)(FIRST_TRACKED * s->config->pilots.tracking_blocks))) {
        return NULL;
    }
    if (!s->decided) {
        return "start";
    }
    if (memcmp(s->zone_now_m, s->zone_then_m, 3 * (size_t)s->shape.n_zone * sizeof *s->zone_now_m) != 0) {
        return "zone";
    }
    if (memcmp(in->ap_present, s->present_then, n_ap) != 0) {
        return "ap";
    }
    return memcmp(in->user_served, s->served_then, n_ue) != 0 ? "user" : gains_changed(s, in) ? "fading" : NULL;
}

static void remember(sensing_t *s, const struct sensing_input *in)
{
    const size_t n_ap = (size_t)s->shape.n_ap, n_ue = (size_t)s->shape.n_ue;
    s->decided = true;
    memcpy(s->zone_then_m, s->zone_now_m, 3 * (size_t)s->shape.n_zone * sizeof *s->zone_now_m);
    memcpy(s->present_then, in->ap_present, n_ap);
    memcpy(s->served_then, in->user_served, n_ue);
    memcpy(s->beta_then, in->beta, n_ap * n_ue * sizeof *in->beta);
}

/* What ------------------------------------------------------------------------------------------------------------- */

/* The search has room for those served; made anew when their number changes. */
static int fit_users(sensing_t *s, const struct sensing_input *in)
{
    int n = 0;
    for (int k = 0; k < s->shape.n_ue; k++) {
        if (in->user_served[k]) {
            s->user[n++] = k;
        }
    }
    if (n == s->n_served) {
        return TUTTI_OK;
    }
    isac_modes_destroy(s->modes);
    s->modes = NULL;
    const int status = isac_modes_create(&s->modes, s->shape.n_ap, n, s->shape.n_zone);
    s->n_served = status ? 0 : n;
    return status;
}

/* Gains in units of the receivers' noise: then rho is 1. An AP that is not there is heard by nobody. */
static int fill_scene(sensing_t *s, const struct sensing_input *in, struct isac_scene *scene)
{
    const int n = s->n_served, n_zone = s->shape.n_zone;
    const double unit = channel_eve_downlink_snr_scale(s->config);
    const int status = channel_zones(s->config, in->block, s->zeta, s->theta);
    for (int i = 0; !status && i < s->shape.n_ap * n; i++) {
        const int at = i / n * s->shape.n_ue + s->user[i % n];
        const double factor = in->ap_present[i / n] ? 1 : ABSENT;
        s->beta[i] = factor * fmax((double)in->beta[at], 1e-12);
        s->gamma[i] =
            fmin(fmax(factor * ((double)in->beta[at] - (double)in->error_variance[at]), 1e-6 * s->beta[i]), s->beta[i]);
    }
    for (int i = 0; !status && i < s->shape.n_ap * n_zone; i++) {
        s->zeta[i] *= in->ap_present[i / n_zone] ? unit : unit * ABSENT;
    }
    *scene = (struct isac_scene){.n_ap = s->shape.n_ap,
                                 .n_ant = s->config->network.n_ant,
                                 .n_ue = n,
                                 .n_zone = n_zone,
                                 .rho = 1,
                                 .d_over_lambda = s->config->sensing.d_over_lambda,
                                 .beta = s->beta,
                                 .gamma = s->gamma,
                                 .zeta = s->zeta,
                                 .theta = s->theta};
    return status;
}

static void keep(sensing_t *s, const struct isac_scene *scene)
{
    struct sensing_plan *const p = &s->plan;
    const int n_ue = s->shape.n_ue;
    memset(s->memory, 0, sensing_plan_doubles(&s->shape) * sizeof *s->memory);
    for (int m = 0; m < s->shape.n_ap; m++) {
        s->a[m] = p->mode[m] = s->mode[m];
    }
    isac_evaluate(scene, s->a, s->eta_c, s->eta_s, NULL,
                  &(struct isac_metrics){.sinr = s->sinr, .masr = p->masr, .sinr_eve = p->sinr_eve});
    for (int i = 0; i < s->shape.n_ap * s->n_served; i++) {
        p->share[i / s->n_served * n_ue + s->user[i % s->n_served]] = scene->n_ant * s->gamma[i] * s->eta_c[i];
    }
    for (int j = 0; j < s->n_served; j++) {
        p->sinr[s->user[j]] = s->sinr[j];
    }
    memcpy(p->eta_s, s->eta_s, (size_t)(s->shape.n_ap * s->shape.n_zone) * sizeof *p->eta_s);
    memcpy(p->theta_rad, s->theta, (size_t)(s->shape.n_ap * s->shape.n_zone) * sizeof *p->theta_rad);
}

static double db(double x)
{
    return 10 * log10(x);
}

static void tell(const sensing_t *s, const struct isac_decision *d, const char *why, char text[SENSING_TEXT_BYTES])
{
    const struct config_sensing *const c = &s->config->sensing;
    if (d->solution.verdict == ISAC_MASR_UNREACHABLE) {
        snprintf(text, SENSING_TEXT_BYTES,
                 "SENSING-INFEASIBLE why=%s sensing.kappa_db=%g: all zones together reach %.2f dB", why, c->kappa_db,
                 db(d->solution.reachable));
        return;
    }
    if (d->solution.verdict == ISAC_QOS_UNREACHABLE) {
        snprintf(text, SENSING_TEXT_BYTES, "SENSING-INFEASIBLE why=%s sensing.qos_db=%g: all users reach %.2f dB", why,
                 c->qos_db, db(d->solution.reachable));
        return;
    }
    size_t at =
        (size_t)snprintf(text, SENSING_TEXT_BYTES, "SENSING why=%s value_db=%.2f bound_db=%.2f solves=%d aps=", why,
                         db(d->solution.objective), db(d->bound), d->solves);
    const char *comma = "";
    for (int m = 0; m < s->shape.n_ap && at < SENSING_TEXT_BYTES; m++) { /* a long list is cut, /sensing/mode has it */
        if (s->mode[m] == ISAC_SENSING) {
            at += (size_t)snprintf(text + at, SENSING_TEXT_BYTES - at, "%s%d", comma, m);
            comma = ",";
        }
    }
}

bool sensing_hear(sensing_t *s, const struct sensing_input *in, const double **plan, char text[SENSING_TEXT_BYTES])
{
    const struct config_sensing *const c = &s->config->sensing;
    const char *const why = due(s, in);
    struct isac_scene scene;
    if (!why) {
        return false;
    }
    remember(s, in);
    *plan = NULL;
    if (fit_users(s, in) || fill_scene(s, in, &scene)) {
        snprintf(text, SENSING_TEXT_BYTES, "SENSING-FAILED why=%s %.100s", why, error_text());
        return true;
    }
    const struct isac_limits limits = {pow(10, c->kappa_db / 10), c->nu, pow(10, c->qos_db / 10)};
    struct isac_decision decision;
    isac_modes_search(s->modes, &scene, &limits, c->objective == CONFIG_SENSING_SP ? ISAC_SP : ISAC_CP,
                      s->shape.n_ap <= SWAPS_UP_TO ? ISAC_SWAPS : ISAC_FLIPS, s->mode, s->eta_c, s->eta_s, &decision);
    if (decision.solution.verdict == ISAC_FEASIBLE) {
        keep(s, &scene);
        *plan = s->memory;
    }
    tell(s, &decision, why, text);
    return true;
}
