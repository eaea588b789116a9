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

/* Of the closed forms, in their order of users. */
struct terms {
    double *beta, *beta_group, *eta; /* [n_ap][n_ue] */
    double *beta_eve, *eta_an;       /* [n_ap] */
    double *power, *rate;            /* [n_ue] */
};

struct secrecy {
    const struct config *config;
    const struct frame *frame;
    run_file_t *file;
    int n_ap, n_ant, n_ue, n_eve;
    attack_t *attack;
    double *score, *rate;      /* [n_ue] */
    uint8_t *suspected;        /* [n_ue] */
    uint64_t *suspected_until; /* [n_ue] last suspected block + 1; 0 = never */
    bool predictable, have_predicted;
    double *predicted;         /* [N_PHASES][n_ue] */
    double *beta, *beta_group; /* [n_ap][n_ue] as the configuration has them, as the APs track them */
    double *beta_eve;          /* [n_ap][n_eve] */
    uint8_t *strong, *group;   /* [n_ap][n_ue] of the prediction; [n_ue] */
    struct terms terms;
    int *pilot_of_user;    /* [n_ue] */
    uint64_t attack_block; /* first block of phase 1 */
    uint64_t n_wild;       /* estimates passed over, of users that have joined again */
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
           scheme != MIMO_CB && (c->precoding.an == CONFIG_AN_NONE || c->precoding.an_policy == CONFIG_AN_FIXED) &&
           c->precoding.power == MIMO_POWER_EQUAL_SHARES && c->precoding.an != CONFIG_AN_PHASE_ONLY &&
           (fading == CONFIG_FADING_RAYLEIGH || fading == CONFIG_FADING_TDL) && own_pilots(s);
}

/* Downlink units. */
static int load_gains(struct secrecy *s)
{
    const struct config *c = s->config;
    const int n_user = s->n_ap * s->n_ue, n_eve = s->n_ap * s->n_eve;
    int status = channel_large_scale(c, s->beta);
    status = status ? status : channel_eve_large_scale(c, s->beta_eve);
    for (int i = 0; i < n_user; i++) {
        s->beta[i] = channel_downlink_snr_scale(c) * pow(10, s->beta[i] / 10);
    }
    for (int i = 0; i < n_eve; i++) {
        s->beta_eve[i] = channel_eve_downlink_snr_scale(c) * pow(10, s->beta_eve[i] / 10);
    }
    return status;
}

/* Inputs of the closed forms, whose user 0 is the one listened to: `first` goes there, the others keep their order. */
static void fill_terms(const struct secrecy *s, int first, int eve)
{
    const struct config_precoding *p = &s->config->precoding;
    const double noise_share = p->an == CONFIG_AN_NULLSPACE ? p->an_share : 0;
    const struct terms *t = &s->terms;
    for (int m = 0; m < s->n_ap; m++) {
        t->beta_eve[m] = s->beta_eve[m * s->n_eve + eve];
        t->eta_an[m] = noise_share;
        for (int k = 0; k < s->n_ue; k++) {
            const int from = m * s->n_ue + (k == 0 ? first : k <= first ? k - 1 : k), to = m * s->n_ue + k;
            t->beta[to] = s->beta[from];
            t->beta_group[to] = s->beta_group[from];
            t->eta[to] = (1 - noise_share) / s->n_ue;
        }
    }
    for (int k = 0; k < s->n_ue; k++) {
        t->power[k] = user_pilot_power(s) / s->frame->n_pilot;
    }
}

/* Rates log2(1 + SINR) of the users into terms.rate, and of the eavesdropper listening to the first. */
static int closed_forms(struct secrecy *s, int first, int eve, bool attacked, double *rate_eve)
{
    const struct config *c = s->config;
    const struct terms *t = &s->terms;
    fill_terms(s, first, eve);
    const double eve_power =
        pilot_power(s, channel_eve_uplink_snr_scale(c), channel_eve_downlink_snr_scale(c)) / s->frame->n_pilot;
    const struct ppzf_network network = {
        .n_ap = s->n_ap,
        .n_ant = s->n_ant,
        .n_ue = s->n_ue,
        .tau = s->frame->n_pilot,
        .beta = t->beta,
        .beta_group = t->beta_group,
        .beta_eve = t->beta_eve,
        .pilot_power = t->power,
        .eve_pilot_power = attacked ? eve_power : 0,
        .upsilon = c->precoding.upsilon,
        .scheme = c->precoding.scheme,
    };
    struct ppzf_tables *tables = NULL;
    const int status = ppzf_tables_create(&tables, &network);
    if (status < 0) {
        return status;
    }
    ppzf_sinr(tables, t->eta, t->eta_an, t->rate);
    for (int k = 0; k < s->n_ue; k++) {
        t->rate[k] = log2(1 + t->rate[k]);
    }
    *rate_eve = log2(1 + ppzf_sinr_eve(tables, t->eta, t->eta_an));
    ppzf_tables_destroy(tables);
    return TUTTI_OK;
}

/* [R_k - R_E]^+ with the strong users that beta_group gives. A passive eavesdropper hears all users alike: every AP
 * splits its power equally. During an attack the closed forms know one eavesdropper, and its rate of the attacked user
 * only. */
static void predict(struct secrecy *s)
{
    const int target = s->config->eve.target_user;
    double rate_eve, most = 0;
    for (int i = 0; i < N_PHASES * s->n_ue; i++) {
        s->predicted[i] = NAN;
    }
    for (int e = 0; e < s->n_eve; e++) {
        if (closed_forms(s, 0, e, false, &rate_eve) < 0) {
            return;
        }
        most = fmax(most, rate_eve);
    }
    for (int k = 0; k < s->n_ue; k++) {
        s->predicted[k] = fmax(s->terms.rate[k] - most, 0);
    }
    if (s->attack_block != UINT64_MAX && s->n_eve == 1 && closed_forms(s, target, 0, true, &rate_eve) == 0) {
        s->predicted[s->n_ue + target] = fmax(s->terms.rate[0] - rate_eve, 0);
    }
}

/* The APs choose their strong users by what they have tracked, and near ties another block has others: the prediction
 * is of those of this block. */
static void follow_groups(struct secrecy *s, const float *beta)
{
    const struct config_precoding *p = &s->config->precoding;
    bool changed = false;
    for (int m = 0; m < s->n_ap; m++) {
        const size_t at = (size_t)m * (size_t)s->n_ue, n = (size_t)s->n_ue;
        for (size_t k = 0; k < n; k++) {
            s->beta_group[at + k] = (double)beta[at + k];
        }
        ppzf_group((enum mimo_scheme)p->scheme, s->n_ant, s->n_ue, s->beta_group + at, p->upsilon, s->group);
        changed = changed || memcmp(s->group, s->strong + at, n) != 0;
        memcpy(s->strong + at, s->group, n);
    }
    if (changed || !s->have_predicted) {
        predict(s);
        s->have_predicted = true;
    }
}

static void write_predicted(struct secrecy *s, const struct cpu_block *block)
{
    bool whole = s->predictable && !block->stepped_down;
    for (int m = 0; m < s->n_ap; m++) {
        whole = whole && block->gathered[m];
    }
    for (int k = 0; k < s->n_ue; k++) {
        whole = whole && block->user_used[k];
    }
    if (whole) {
        follow_groups(s, block->beta);
    }
    const double *rate = s->predicted + (block->number >= s->attack_block ? s->n_ue : 0);
    for (int k = 0; k < s->n_ue; k++) {
        s->rate[k] = whole ? rate[k] : NAN;
    }
    run_file_put(s->file, R_RATE_PREDICTED, block->number, s->rate);
}

/* Life ------------------------------------------------------------------------------------------------------------ */

static bool allocate_terms(struct secrecy *s)
{
    const size_t n_ue = (size_t)s->n_ue, n_ap = (size_t)s->n_ap;
    struct terms *t = &s->terms;
    double **const mk[] = {&s->beta, &s->beta_group, &t->beta, &t->beta_group, &t->eta};
    bool ok = true;
    for (size_t i = 0; i < sizeof mk / sizeof *mk; i++) {
        ok = (*mk[i] = calloc(n_ap * n_ue, sizeof **mk)) && ok;
    }
    s->beta_eve = calloc(n_ap * (size_t)s->n_eve + 1, sizeof *s->beta_eve);
    s->strong = calloc(n_ap * n_ue, 1);
    s->group = calloc(n_ue, 1);
    t->beta_eve = calloc(n_ap, sizeof *t->beta_eve);
    t->eta_an = calloc(n_ap, sizeof *t->eta_an);
    t->power = calloc(n_ue, sizeof *t->power);
    t->rate = calloc(n_ue, sizeof *t->rate);
    return ok && s->beta_eve && s->strong && s->group && t->beta_eve && t->eta_an && t->power && t->rate;
}

static bool allocate(struct secrecy *s)
{
    const size_t n_ue = (size_t)s->n_ue;
    s->score = calloc(n_ue, sizeof *s->score);
    s->rate = calloc(n_ue, sizeof *s->rate);
    s->suspected = calloc(n_ue, 1);
    s->suspected_until = calloc(n_ue, sizeof *s->suspected_until);
    s->predicted = calloc(N_PHASES * n_ue, sizeof *s->predicted);
    s->pilot_of_user = calloc(n_ue, sizeof *s->pilot_of_user);
    return allocate_terms(s) && s->score && s->rate && s->suspected && s->suspected_until && s->predicted &&
           s->pilot_of_user;
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
    pilot_assignment(config, frame, s->pilot_of_user);
    for (int k = 0; config_rotates(config) && k < s->n_ue; k++) {
        s->pilot_of_user[k] = k; /* in turns nobody shares one */
    }
    s->predictable = predictable(s);
    const int status = s->predictable ? load_gains(s) : TUTTI_OK;
    return status < 0 ? status : create_attack(s);
}

void secrecy_destroy(struct secrecy *s)
{
    if (!s) {
        return;
    }
    void *const memory[] = {
        s->score,         s->rate,        s->suspected,        s->suspected_until, s->predicted,
        s->pilot_of_user, s->beta,        s->beta_group,       s->beta_eve,        s->strong,
        s->group,         s->terms.beta,  s->terms.beta_group, s->terms.eta,       s->terms.beta_eve,
        s->terms.eta_an,  s->terms.power, s->terms.rate};
    for (size_t i = 0; i < sizeof memory / sizeof *memory; i++) {
        free(memory[i]);
    }
    attack_destroy(s->attack);
    free(s);
}

void secrecy_block(struct secrecy *s, const struct cpu_block *block)
{
    const struct attack_block in = {
        .H_hat = block->H_hat, .beta = block->beta, .ap_present = block->gathered, .user_present = block->user_used};
    if (block->shape.n_pilot == 0) { /* several users on a pilot are what an attack looks like */
        attack_execute(s->attack, &in, s->score, s->suspected);
    }
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

const double *secrecy_power(const struct secrecy *s)
{
    return attack_power(s->attack);
}

const uint8_t *secrecy_suspected(const struct secrecy *s)
{
    return s->suspected;
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
