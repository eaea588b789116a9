/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cpu_node/record/secrecy.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "channel/channel.h"
#include "control/attack.h"
#include "mimo/ppzf.h"
#include "phy/pilot.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N_PHASES = 2 /* before and during the attack */, SAME_ONSET_BLOCKS = 16 };

struct secrecy {
    const struct config *config;
    const struct frame *frame;
    run_file_t *file;
    int n_ap, n_ant, n_ue, n_eve;
    attack_t *attack;
    double *score, *rate;      /* [n_ue] */
    uint8_t *suspected;        /* [n_ue] */
    uint64_t *suspected_until; /* [n_ue] last suspected block + 1; 0 = never */
    double *predicted;         /* [N_PHASES][n_ue] */
    int *pilot_of_user;        /* [n_ue] */
    uint64_t attack_block;     /* first block of phase 1 */
    uint64_t n_wild;           /* estimates passed over, of users that have joined again */
};

/* The attack detector --------------------------------------------------------------------------------------------- */

/* Effective pilot power a = S tau rho of estimate.h in downlink units of a transmitter with these SNR scales. */
static double pilot_power(const struct secrecy *s, double uplink_scale, double downlink_scale)
{
    return s->frame->sc_per_sb * (double)s->frame->n_pilot * uplink_scale / downlink_scale;
}

static double user_pilot_power(const struct secrecy *s)
{
    return pilot_power(s, channel_uplink_snr_scale(s->config), channel_downlink_snr_scale(s->config));
}

static int create_attack(struct secrecy *s)
{
    struct attack_settings settings = {
        .n_sb = s->frame->n_sb,
        .n_ap = s->n_ap,
        .n_ant = s->n_ant,
        .n_ue = s->n_ue,
        .pilot_of_user = s->pilot_of_user,
        .pilot_power = user_pilot_power(s),
    };
    const struct config *c = s->config;
    attack_settings_default(&settings);
    settings.false_alarm = attack_false_alarm(c->engine.attack_alarms_per_hour, c->frame.block_us, s->n_ue);
    log_write(LOG_INFO, "secrecy", "ATTACK-DETECTOR false_alarms_per_hour=%g threshold=%.2f",
              c->engine.attack_alarms_per_hour, -log10(settings.false_alarm));
    return attack_create(&s->attack, &settings);
}

/* Said once per onset: a suspicion that comes back within a window of blocks is the same one. */
static void tell_onset(struct secrecy *s, uint64_t block, int user, double score)
{
    const uint64_t until = s->suspected_until[user];
    s->suspected_until[user] = block + 1;
    if (until == 0 || block >= until + SAME_ONSET_BLOCKS) {
        char text[RUN_FILE_EVENT_BYTES];
        snprintf(text, sizeof text, "PILOT-ATTACK-SUSPECTED ue=%d score=%.1f", user, score);
        run_file_event(s->file, clock_wall_ns(), block, text);
        log_write(LOG_WARNING, "secrecy", "PILOT-ATTACK-SUSPECTED ue=%d block=%llu score=%.1f", user,
                  (unsigned long long)block, score);
    }
}

/* Prediction ------------------------------------------------------------------------------------------------------ */

static bool own_pilots(const struct secrecy *s)
{
    for (int k = 0; k < s->n_ue; k++) {
        for (int j = 0; j < k; j++) {
            if (s->pilot_of_user[j] == s->pilot_of_user[k]) {
                return false;
            }
        }
    }
    return true;
}

/* On the emulated air, whose gains the configuration knows. */
static bool is_emulated(const struct config *c)
{
    return config_radio_args(c, config_radio_of(c, CONFIG_ROLE_AP, 0)) == c->air.endpoint;
}

/* The closed forms are of Rayleigh fading, local zero-forcing with equal powers and single-antenna eavesdroppers whose
 * large-scale gains are known. */
static bool predictable(const struct secrecy *s)
{
    const struct config *c = s->config;
    const enum mimo_scheme scheme = c->precoding.scheme;
    const enum config_fading fading = c->air.fading.model;
    return s->n_eve > 0 && c->eve.n_ant == 1 && is_emulated(c) && mimo_scheme_is_local((int)scheme) &&
           scheme != MIMO_CB && c->precoding.power == MIMO_POWER_EQUAL && c->precoding.an != CONFIG_AN_PHASE_ONLY &&
           (fading == CONFIG_FADING_RAYLEIGH || fading == CONFIG_FADING_TDL) && own_pilots(s);
}

/* Large-scale gains in downlink units. */
struct gains {
    double *beta; /* [n_ap][n_ue] */
    double *eve;  /* [n_ap][n_eve] */
};

static int load_gains(const struct secrecy *s, struct gains *g)
{
    const struct config *c = s->config;
    const int n_user = s->n_ap * s->n_ue, n_eve = s->n_ap * s->n_eve;
    g->beta = calloc((size_t)n_user, sizeof *g->beta);
    g->eve = calloc((size_t)n_eve, sizeof *g->eve);
    if (!g->beta || !g->eve) {
        return error_set(TUTTI_ENOMEM, "out of memory for the large-scale gains");
    }
    int status = channel_large_scale(c, g->beta);
    status = status ? status : channel_eve_large_scale(c, g->eve);
    for (int i = 0; i < n_user; i++) {
        g->beta[i] = channel_downlink_snr_scale(c) * pow(10, g->beta[i] / 10);
    }
    for (int i = 0; i < n_eve; i++) {
        g->eve[i] = channel_eve_downlink_snr_scale(c) * pow(10, g->eve[i] / 10);
    }
    return status;
}

/* Inputs of the closed forms for one user and one eavesdropper; their user 0 is the one listened to, so `user` goes
 * first. */
struct terms {
    double *beta, *eta;        /* [n_ap][n_ue] */
    double *beta_eve, *eta_an; /* [n_ap] */
    double *power, *sinr;      /* [n_ue] */
};

static void fill_terms(const struct secrecy *s, const struct gains *g, int user, int eve, struct terms *t)
{
    const struct config_precoding *p = &s->config->precoding;
    const double noise_share = p->an == CONFIG_AN_NULLSPACE ? p->an_share : 0;
    for (int m = 0; m < s->n_ap; m++) {
        t->beta_eve[m] = g->eve[m * s->n_eve + eve];
        t->eta_an[m] = noise_share;
        for (int k = 0; k < s->n_ue; k++) {
            const int from = k == 0 ? user : k <= user ? k - 1 : k;
            t->beta[m * s->n_ue + k] = g->beta[m * s->n_ue + from];
            t->eta[m * s->n_ue + k] = (1 - noise_share) / s->n_ue;
        }
    }
    for (int k = 0; k < s->n_ue; k++) {
        t->power[k] = user_pilot_power(s) / s->frame->n_pilot;
    }
}

/* [log2(1 + SINR_k) - log2(1 + SINR_E)]^+; NaN where the closed forms do not apply. */
static double predict(const struct secrecy *s, const struct gains *g, int user, int eve, bool attacked, struct terms *t)
{
    const struct config *c = s->config;
    if (c->precoding.an != CONFIG_AN_NONE && c->precoding.an_policy == CONFIG_AN_ADAPTIVE) {
        return NAN; /* the share follows the estimates */
    }
    fill_terms(s, g, user, eve, t);
    const double eve_power =
        pilot_power(s, channel_eve_uplink_snr_scale(c), channel_eve_downlink_snr_scale(c)) / s->frame->n_pilot;
    const struct ppzf_network network = {
        .n_ap = s->n_ap,
        .n_ant = s->n_ant,
        .n_ue = s->n_ue,
        .tau = s->frame->n_pilot,
        .beta = t->beta,
        .beta_eve = t->beta_eve,
        .pilot_power = t->power,
        .eve_pilot_power = attacked ? eve_power : 0,
        .upsilon = c->precoding.upsilon,
        .scheme = c->precoding.scheme,
    };
    struct ppzf_tables *tables = NULL;
    if (ppzf_tables_create(&tables, &network) < 0) {
        return NAN;
    }
    ppzf_sinr(tables, t->eta, t->eta_an, t->sinr);
    const double rate = log2(1 + t->sinr[0]) - log2(1 + ppzf_sinr_eve(tables, t->eta, t->eta_an));
    ppzf_tables_destroy(tables);
    return fmax(rate, 0);
}

/* During an attack the closed forms know one eavesdropper, and its rate of the attacked user only. */
static void predict_with(struct secrecy *s, const struct gains *g, double *work)
{
    const size_t n_ap = (size_t)s->n_ap, n_ue = (size_t)s->n_ue;
    struct terms t = {.beta = work, .eta = work + n_ap * n_ue, .beta_eve = work + 2 * n_ap * n_ue};
    t.eta_an = t.beta_eve + n_ap;
    t.power = t.eta_an + n_ap;
    t.sinr = t.power + n_ue;
    for (int k = 0; k < s->n_ue; k++) {
        double least = INFINITY;
        for (int e = 0; e < s->n_eve; e++) {
            least = fmin(least, predict(s, g, k, e, false, &t));
        }
        s->predicted[k] = least;
        if (k == s->config->eve.target_user && s->n_eve == 1) {
            s->predicted[s->n_ue + k] = predict(s, g, k, 0, true, &t);
        }
    }
}

static int predict_all(struct secrecy *s)
{
    struct gains g = {0};
    double *work = calloc((size_t)(2 * (s->n_ap + 1) * (s->n_ue + 1)), sizeof *work);
    const int status = work ? load_gains(s, &g) : error_set(TUTTI_ENOMEM, "out of memory for the large-scale gains");
    if (status == 0) {
        predict_with(s, &g, work);
    }
    free(g.beta);
    free(g.eve);
    free(work);
    return status;
}

static void write_predicted(struct secrecy *s, const struct cpu_block *block)
{
    bool whole = !block->stepped_down;
    for (int m = 0; m < s->n_ap; m++) {
        whole = whole && block->gathered[m];
    }
    for (int k = 0; k < s->n_ue; k++) {
        whole = whole && block->user_used[k];
    }
    const double *rate = s->predicted + (block->number >= s->attack_block ? s->n_ue : 0);
    for (int k = 0; k < s->n_ue; k++) {
        s->rate[k] = whole ? rate[k] : NAN;
    }
    run_file_put(s->file, R_RATE_PREDICTED, block->number, s->rate);
}

/* Life ------------------------------------------------------------------------------------------------------------ */

static bool allocate(struct secrecy *s)
{
    const size_t n_ue = (size_t)s->n_ue;
    s->score = calloc(n_ue, sizeof *s->score);
    s->rate = calloc(n_ue, sizeof *s->rate);
    s->suspected = calloc(n_ue, 1);
    s->suspected_until = calloc(n_ue, sizeof *s->suspected_until);
    s->predicted = calloc(N_PHASES * n_ue, sizeof *s->predicted);
    s->pilot_of_user = calloc(n_ue, sizeof *s->pilot_of_user);
    return s->score && s->rate && s->suspected && s->suspected_until && s->predicted && s->pilot_of_user;
}

int secrecy_create(struct secrecy **secrecy, const struct config *config, const struct frame *frame, run_file_t *file)
{
    struct secrecy *s = *secrecy = calloc(1, sizeof *s);
    if (!s) {
        return error_set(TUTTI_ENOMEM, "out of memory for the recorder");
    }
    s->config = config;
    s->frame = frame;
    s->file = file;
    s->n_ap = config->network.n_ap;
    s->n_ant = config->network.n_ant;
    s->n_ue = config->network.n_ue;
    s->n_eve = config->network.n_eve;
    s->attack_block = config->eve.attack == CONFIG_ATTACK_PILOT ? config->eve.from_block : UINT64_MAX;
    if (!allocate(s)) {
        return error_set(TUTTI_ENOMEM, "out of memory for the recorder");
    }
    for (int i = 0; i < N_PHASES * s->n_ue; i++) {
        s->predicted[i] = NAN;
    }
    pilot_assignment(config, frame, s->pilot_of_user);
    const int status = predictable(s) ? predict_all(s) : TUTTI_OK;
    return status < 0 ? status : create_attack(s);
}

void secrecy_destroy(struct secrecy *s)
{
    if (!s) {
        return;
    }
    free(s->score);
    free(s->rate);
    free(s->suspected);
    free(s->suspected_until);
    free(s->predicted);
    free(s->pilot_of_user);
    attack_destroy(s->attack);
    free(s);
}

void secrecy_block(struct secrecy *s, const struct cpu_block *block)
{
    const struct attack_block in = {
        .H_hat = block->H_hat, .beta = block->beta, .ap_present = block->gathered, .user_present = block->user_used};
    attack_execute(s->attack, &in, s->score, s->suspected);
    run_file_put(s->file, R_ATTACK_SCORE, block->number, s->score);
    run_file_put(s->file, R_ATTACK_SUSPECTED, block->number, s->suspected);
    for (int k = 0; k < s->n_ue; k++) {
        if (s->suspected[k]) {
            tell_onset(s, block->number, k, s->score[k]);
        }
    }
    if (s->n_eve > 0) {
        write_predicted(s, block);
    }
}

void secrecy_log_counters(const struct secrecy *s)
{
    uint64_t n_wild = s->n_wild;
    for (int k = 0; k < s->n_ue; k++) {
        n_wild += attack_passed_over(s->attack, k);
    }
    log_write(LOG_INFO, "secrecy", "COUNTERS wild_estimates=%llu", (unsigned long long)n_wild);
}

void secrecy_user_joined(struct secrecy *s, int user)
{
    s->n_wild += attack_passed_over(s->attack, user); /* the detector forgets them */
    attack_reset(s->attack, user);
    s->suspected_until[user] = 0;
}
