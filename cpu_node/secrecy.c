/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cpu_node/secrecy.h"

#include "base/error.h"
#include "base/log.h"
#include "channel/channel.h"
#include "control/attack.h"
#include "cpu_node/files.h"
#include "mimo/ppzf.h"
#include "phy/pilot.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 64, N_COUNTS = 4, N_PHASES = 2 /* before and during the attack */ };

static const char *const COUNT_NAMES[N_COUNTS] = {"bits", "bit_errors", "code_blocks", "code_block_errors"};

/* Per block, until it leaves the window. */
struct row {
    uint64_t block;
    bool used, dirty;
    double *user;             /* [n_ue] SINR the users reported, NaN = not yet */
    double *sinr;             /* [n_eve][n_ue] the eavesdroppers' */
    int64_t *count[N_COUNTS]; /* same shape */
};

struct secrecy {
    int n_eve, n_ue;
    attack_t *attack;
    uint64_t suspected_until[TUTTI_MAX_UE]; /* last suspected block + 1; 0 = never */
    double predicted[N_PHASES][TUTTI_MAX_UE];
    uint64_t attack_block; /* first block of phase 1 */
    struct row rows[ROWS];
    int sinr, count[N_COUNTS], rate_measured, rate_predicted, score, suspected;
};

/* The attack detector --------------------------------------------------------------------------------------------- */

/* Effective pilot power a = S tau rho of estimate.h in downlink units of a transmitter with these SNR scales. */
static double pilot_power(const struct cpu *cpu, double uplink_scale, double downlink_scale)
{
    return cpu->frame.sc_per_sb * (double)cpu->frame.n_pilot * uplink_scale / downlink_scale;
}

static double user_pilot_power(const struct cpu *cpu)
{
    return pilot_power(cpu, channel_uplink_snr_scale(cpu->config), channel_downlink_snr_scale(cpu->config));
}

static int create_attack(struct secrecy *s, const struct cpu *cpu)
{
    int pilot_of_user[TUTTI_MAX_UE];
    pilot_assignment(cpu->config, &cpu->frame, pilot_of_user);
    struct attack_settings settings = {
        .n_sb = cpu->frame.n_sb,
        .n_ap = cpu->shape.n_ap,
        .n_ant = cpu->shape.n_ant,
        .n_ue = cpu->shape.n_ue,
        .pilot_of_user = pilot_of_user,
        .pilot_power = user_pilot_power(cpu),
    };
    attack_settings_default(&settings);
    return attack_create(&s->attack, &settings);
}

/* Said once per onset: a suspicion that comes back within a window of blocks is the same one. */
static void tell_onset(struct secrecy *s, uint64_t block, int user, double score)
{
    enum { SAME_ONSET_BLOCKS = 16 };
    const uint64_t until = s->suspected_until[user];
    s->suspected_until[user] = block + 1;
    if (until == 0 || block >= until + SAME_ONSET_BLOCKS) {
        log_write(LOG_WARNING, "secrecy", "PILOT-ATTACK-SUSPECTED ue=%d block=%llu score=%.1f", user,
                  (unsigned long long)block, score);
    }
}

/* Prediction ------------------------------------------------------------------------------------------------------ */

static bool own_pilots(const struct cpu *cpu)
{
    int pilot[TUTTI_MAX_UE];
    pilot_assignment(cpu->config, &cpu->frame, pilot);
    for (int k = 0; k < cpu->shape.n_ue; k++) {
        for (int j = 0; j < k; j++) {
            if (pilot[j] == pilot[k]) {
                return false;
            }
        }
    }
    return true;
}

/* The closed forms are of Rayleigh fading, local zero-forcing with equal powers and single-antenna eavesdroppers whose
 * large-scale gains are known, as they are in emulation. */
static bool predictable(const struct cpu *cpu)
{
    const struct config *c = cpu->config;
    const enum mimo_scheme scheme = c->precoding.scheme;
    const enum config_fading fading = c->air.fading.model;
    return c->network.n_eve > 0 && c->eve.n_ant == 1 && strcmp(c->radio.ap.backend, "air") == 0 &&
           mimo_scheme_is_local((int)scheme) && scheme != MIMO_CB && c->precoding.power == MIMO_POWER_EQUAL &&
           c->precoding.an != CONFIG_AN_PHASE_ONLY &&
           (fading == CONFIG_FADING_RAYLEIGH || fading == CONFIG_FADING_TDL) && own_pilots(cpu);
}

/* Large-scale gains in downlink units. */
struct gains {
    double *beta; /* [n_ap][n_ue] */
    double *eve;  /* [n_ap][n_eve] */
};

static int load_gains(const struct cpu *cpu, struct gains *g)
{
    const struct config *c = cpu->config;
    const int n_user = cpu->shape.n_ap * cpu->shape.n_ue, n_eve = cpu->shape.n_ap * c->network.n_eve;
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

/* [log2(1 + SINR_k) - log2(1 + SINR_E)]^+ of user k and one eavesdropper; the closed forms' user 0 is the one listened
 * to, so user k goes first. Work arrays of n_ap * n_ue: beta, eta; of n_ap: eve, eta_an. NaN if they do not apply. */
static double predict(const struct cpu *cpu, const struct gains *g, int user, int eve, bool attacked, double *work)
{
    const struct config *c = cpu->config;
    const int n_ap = cpu->shape.n_ap, n_ue = cpu->shape.n_ue, tau = cpu->frame.n_pilot;
    double *beta = work, *eta = beta + n_ap * n_ue, *beta_eve = eta + n_ap * n_ue, *eta_an = beta_eve + n_ap;
    double power[TUTTI_MAX_UE], sinr[TUTTI_MAX_UE];
    if (c->precoding.an != CONFIG_AN_NONE && c->precoding.an_policy == CONFIG_AN_ADAPTIVE) {
        return NAN; /* the share follows the estimates: no closed form */
    }
    const double noise_share = c->precoding.an == CONFIG_AN_NULLSPACE ? c->precoding.an_share : 0;
    for (int m = 0; m < n_ap; m++) {
        beta_eve[m] = g->eve[m * c->network.n_eve + eve];
        eta_an[m] = noise_share;
        for (int k = 0; k < n_ue; k++) {
            const int from = k == 0 ? user : k <= user ? k - 1 : k;
            beta[m * n_ue + k] = g->beta[m * n_ue + from];
            eta[m * n_ue + k] = (1 - noise_share) / n_ue;
        }
    }
    for (int k = 0; k < n_ue; k++) {
        power[k] = user_pilot_power(cpu) / tau;
    }
    const double eve_power = pilot_power(cpu, channel_eve_uplink_snr_scale(c), channel_eve_downlink_snr_scale(c)) / tau;
    const struct ppzf_network network = {
        .n_ap = n_ap,
        .n_ant = cpu->shape.n_ant,
        .n_ue = n_ue,
        .tau = tau,
        .beta = beta,
        .beta_eve = beta_eve,
        .pilot_power = power,
        .eve_pilot_power = attacked ? eve_power : 0,
        .upsilon = c->precoding.upsilon,
        .scheme = c->precoding.scheme,
    };
    struct ppzf_tables *tables = NULL;
    if (ppzf_tables_create(&tables, &network) < 0) {
        return NAN;
    }
    ppzf_sinr(tables, eta, eta_an, sinr);
    const double rate = log2(1 + sinr[0]) - log2(1 + ppzf_sinr_eve(tables, eta, eta_an));
    ppzf_tables_destroy(tables);
    return fmax(rate, 0);
}

/* During an attack the closed forms know one eavesdropper, and its rate of the attacked user only. */
static int predict_all(struct secrecy *s, const struct cpu *cpu)
{
    const struct config *c = cpu->config;
    struct gains g = {0};
    double *work = calloc((size_t)(2 * cpu->shape.n_ap * (cpu->shape.n_ue + 1)), sizeof *work);
    const int status = work ? load_gains(cpu, &g) : error_set(TUTTI_ENOMEM, "out of memory for the large-scale gains");
    for (int k = 0; status == 0 && k < s->n_ue; k++) {
        double least = INFINITY;
        for (int e = 0; e < s->n_eve; e++) {
            least = fmin(least, predict(cpu, &g, k, e, false, work));
        }
        s->predicted[0][k] = least;
        if (k == c->eve.target_user && s->n_eve == 1) {
            s->predicted[1][k] = predict(cpu, &g, k, 0, true, work);
        }
    }
    free(g.beta);
    free(g.eve);
    free(work);
    return status;
}

static void write_predicted(const struct secrecy *s, struct recorder_files *files, const struct cpu *cpu,
                            const struct cpu_block *block)
{
    double rate[TUTTI_MAX_UE];
    bool whole = !block->stepped_down;
    for (int m = 0; m < cpu->shape.n_ap; m++) {
        whole = whole && block->gathered[m];
    }
    for (int k = 0; k < s->n_ue; k++) {
        whole = whole && block->user_used[k];
    }
    for (int k = 0; k < s->n_ue; k++) {
        rate[k] = whole ? s->predicted[block->number >= s->attack_block][k] : NAN;
    }
    files_write_row(files, s->rate_predicted, block->number, rate);
}

/* Life ------------------------------------------------------------------------------------------------------------ */

static int create_rows(struct secrecy *s)
{
    const size_t n_ue = (size_t)s->n_ue, pairs = (size_t)s->n_eve * n_ue;
    for (int r = 0; s->n_eve > 0 && r < ROWS; r++) {
        struct row *row = &s->rows[r];
        row->user = calloc(n_ue, sizeof *row->user);
        row->sinr = calloc(pairs, sizeof *row->sinr);
        bool good = row->user && row->sinr;
        for (int i = 0; i < N_COUNTS; i++) {
            row->count[i] = calloc(pairs, sizeof *row->count[i]);
            good = good && row->count[i];
        }
        if (!good) {
            return error_set(TUTTI_ENOMEM, "out of memory for the eavesdroppers' reports");
        }
    }
    return TUTTI_OK;
}

int secrecy_create(struct secrecy **secrecy, const struct cpu *cpu)
{
    struct secrecy *s = *secrecy = calloc(1, sizeof *s);
    if (!s) {
        return error_set(TUTTI_ENOMEM, "out of memory for the recorder");
    }
    const struct config *c = cpu->config;
    s->n_eve = c->network.n_eve;
    s->n_ue = cpu->shape.n_ue;
    s->attack_block = c->eve.attack == CONFIG_ATTACK_PILOT ? c->eve.from_block : UINT64_MAX;
    for (int phase = 0; phase < N_PHASES; phase++) {
        for (int k = 0; k < s->n_ue; k++) {
            s->predicted[phase][k] = NAN;
        }
    }
    int status = create_rows(s);
    if (status >= 0 && predictable(cpu)) {
        status = predict_all(s, cpu);
    }
    return status < 0 ? status : create_attack(s, cpu);
}

void secrecy_destroy(struct secrecy *s)
{
    if (!s) {
        return;
    }
    for (int r = 0; r < ROWS; r++) {
        free(s->rows[r].user);
        free(s->rows[r].sinr);
        for (int i = 0; i < N_COUNTS; i++) {
            free(s->rows[r].count[i]);
        }
    }
    attack_destroy(s->attack);
    free(s);
}

void secrecy_declare(struct secrecy *s, struct recorder_files *files)
{
    const size_t n_ue = (size_t)s->n_ue, n_eve = (size_t)s->n_eve;
    s->score = files_declare(files, "/attack/score", H5_F64, n_ue, 0, 0, 0, 0);
    s->suspected = files_declare(files, "/attack/suspected", H5_U8, n_ue, 0, 0, 0, 0);
    s->sinr = s->rate_measured = s->rate_predicted = -1;
    if (n_eve == 0) {
        return;
    }
    s->sinr = files_declare(files, "/eve/sinr_measured", H5_F64, n_eve, n_ue, 0, 0, 0);
    for (int i = 0; i < N_COUNTS; i++) {
        char path[64];
        snprintf(path, sizeof path, "/eve/%s", COUNT_NAMES[i]);
        s->count[i] = files_declare(files, path, H5_I64, n_eve, n_ue, 0, 0, 0);
    }
    s->rate_measured = files_declare(files, "/secrecy/rate_measured", H5_F64, n_ue, 0, 0, 0, 0);
    s->rate_predicted = files_declare(files, "/secrecy/rate_predicted", H5_F64, n_ue, 0, 0, 0, 0);
}

/* Blocks and reports ---------------------------------------------------------------------------------------------- */

void secrecy_block(struct secrecy *s, struct recorder_files *files, const struct cpu *cpu,
                   const struct cpu_block *block)
{
    double score[TUTTI_MAX_UE];
    uint8_t suspected[TUTTI_MAX_UE];
    const struct attack_block in = {
        .H_hat = block->H_hat, .beta = block->beta, .ap_present = block->gathered, .user_present = block->user_used};
    attack_execute(s->attack, &in, score, suspected);
    files_write_row(files, s->score, block->number, score);
    files_write_row(files, s->suspected, block->number, suspected);
    for (int k = 0; k < s->n_ue; k++) {
        if (suspected[k]) {
            tell_onset(s, block->number, k, score[k]);
        }
    }
    if (s->n_eve > 0) {
        write_predicted(s, files, cpu, block);
    }
}

void secrecy_user_joined(struct secrecy *s, int user)
{
    attack_reset(s->attack, user);
    s->suspected_until[user] = 0;
}

/* Both ends of a rate have reported, or NaN. */
static void measured_rate(const struct secrecy *s, const struct row *row, double *rate)
{
    for (int k = 0; k < s->n_ue; k++) {
        double worst = NAN;
        for (int e = 0; e < s->n_eve; e++) {
            worst = fmax(worst, row->sinr[e * s->n_ue + k]); /* fmax passes over NaN */
        }
        const bool both = !isnan(worst) && !isnan(row->user[k]);
        rate[k] = both ? fmax(log2(1 + row->user[k]) - log2(1 + worst), 0) : NAN;
    }
}

static void write_row(const struct secrecy *s, struct recorder_files *files, struct row *row)
{
    double rate[TUTTI_MAX_UE];
    if (!row->used || !row->dirty) {
        return;
    }
    row->dirty = false;
    measured_rate(s, row, rate);
    files_write_row(files, s->sinr, row->block, row->sinr);
    for (int i = 0; i < N_COUNTS; i++) {
        files_write_row(files, s->count[i], row->block, row->count[i]);
    }
    files_write_row(files, s->rate_measured, row->block, rate);
}

/* The block's row, NULL when it has left the window. */
static struct row *row_of(struct secrecy *s, struct recorder_files *files, uint64_t block)
{
    struct row *row = &s->rows[block % ROWS];
    if (row->used && row->block >= block) {
        return row->block == block ? row : NULL;
    }
    write_row(s, files, row);
    const size_t n_ue = (size_t)s->n_ue, pairs = (size_t)s->n_eve * n_ue;
    row->block = block;
    row->used = true;
    for (size_t k = 0; k < n_ue; k++) {
        row->user[k] = NAN;
    }
    for (size_t i = 0; i < pairs; i++) {
        row->sinr[i] = NAN;
    }
    for (int i = 0; i < N_COUNTS; i++) {
        memset(row->count[i], 0, pairs * sizeof *row->count[i]);
    }
    return row;
}

void secrecy_user(struct secrecy *s, struct recorder_files *files, uint64_t block, int user, double sinr)
{
    struct row *row = s->n_eve > 0 ? row_of(s, files, block) : NULL;
    if (!row) {
        return;
    }
    row->user[user] = sinr;
    row->dirty = true;
}

int secrecy_eve(struct secrecy *s, struct recorder_files *files, uint64_t block, int eve, const json_t *users)
{
    if (!json_is_array(users) || json_array_size(users) != (size_t)s->n_ue || eve >= s->n_eve) {
        return TUTTI_EFORMAT;
    }
    struct row *row = row_of(s, files, block);
    if (!row) {
        return TUTTI_OK;
    }
    for (int k = 0; k < s->n_ue; k++) {
        const int at = eve * s->n_ue + k;
        json_int_t count[N_COUNTS];
        double sinr;
        if (json_unpack(json_array_get(users, (size_t)k), "{s:F, s:I, s:I, s:I, s:I}", "sinr", &sinr, COUNT_NAMES[0],
                        &count[0], COUNT_NAMES[1], &count[1], COUNT_NAMES[2], &count[2], COUNT_NAMES[3],
                        &count[3]) != 0) {
            return TUTTI_EFORMAT;
        }
        row->sinr[at] = sinr;
        for (int i = 0; i < N_COUNTS; i++) {
            row->count[i][at] = count[i];
        }
    }
    row->dirty = true;
    return TUTTI_OK;
}

void secrecy_flush(struct secrecy *s, struct recorder_files *files)
{
    for (int r = 0; r < ROWS; r++) {
        write_row(s, files, &s->rows[r]);
    }
}
