/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tools/power/allocation.h"

#include "base/error.h"
#include "base/frame.h"
#include "channel/channel.h"
#include "control/maxmin_cb.h"
#include "mimo/ppzf.h"
#include "mimo/precoder.h"
#include "mimo/splitmix.h"
#include "tools/results/channel_file.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { DRAWS = 200, CB_ITERATIONS = 2000, MOST_STEPS = 60 };
static const double CB_TOLERANCE = 1e-3, STEP_TOLERANCE = 1e-5;

/* The network ------------------------------------------------------------------------------------------------------ */

static int allocate(struct allocation *a)
{
    const size_t pairs = (size_t)(a->n_ap * a->n_ue), n_ue = (size_t)a->n_ue;
    a->beta = calloc(pairs, sizeof *a->beta);
    a->gamma = calloc(pairs, sizeof *a->gamma);
    a->beta_eve = calloc((size_t)a->n_ap, sizeof *a->beta_eve);
    a->P = calloc((size_t)a->n_ap, sizeof *a->P);
    a->eta = calloc(pairs, sizeof *a->eta);
    a->eta_equal = calloc(pairs, sizeof *a->eta_equal);
    a->rate = calloc(n_ue, sizeof *a->rate);
    a->rate_equal = calloc(n_ue, sizeof *a->rate_equal);
    const bool whole = a->beta && a->gamma && a->beta_eve && a->P && a->eta && a->eta_equal && a->rate && a->rate_equal;
    return whole ? TUTTI_OK : error_set(TUTTI_ENOMEM, "out of memory for the powers");
}

/* Gains in downlink units, as access points report them. */
static int load_gains(struct allocation *a)
{
    const struct config *const c = a->config;
    const int n_eve = c->network.n_eve;
    double *const eve = calloc((size_t)(a->n_ap * n_eve) + 1, sizeof *eve);
    int status = eve ? channel_large_scale(c, a->beta) : error_set(TUTTI_ENOMEM, "out of memory for the gains");
    for (int i = 0; status >= 0 && i < a->n_ap * a->n_ue; i++) {
        a->beta[i] = channel_downlink_snr_scale(c) * pow(10, a->beta[i] / 10);
    }
    status = status < 0 || n_eve == 0 ? status : channel_eve_large_scale(c, eve);
    for (int m = 0; status >= 0 && n_eve > 0 && m < a->n_ap; m++) {
        a->beta_eve[m] = channel_eve_downlink_snr_scale(c) * pow(10, eve[m * n_eve] / 10);
    }
    free(eve);
    return status;
}

/* Effective pilot power a of phy/estimate.h, in units of beta. */
static double pilot_power(const struct frame *f, double uplink_scale, double downlink_scale)
{
    return f->sc_per_sb * (double)f->n_pilot * uplink_scale / downlink_scale;
}

static void estimate_quality(struct allocation *a, double power)
{
    for (int i = 0; i < a->n_ap * a->n_ue; i++) {
        a->gamma[i] = power * a->beta[i] * a->beta[i] / (power * a->beta[i] + 1);
    }
}

static double omega_of(const struct frame *f)
{
    return (double)(f->n_dl - f->n_dl_pilot) / f->n_symbol;
}

/* Towards targets -------------------------------------------------------------------------------------------------- */

/* The target first: the order of the closed forms. order [n_ue]. */
static void put_target_first(const struct allocation *a, int *order)
{
    int n = 0;
    order[n++] = a->config->eve.target_user;
    for (int k = 0; k < a->n_ue; k++) {
        if (k != order[0]) {
            order[n++] = k;
        }
    }
}

struct problem {
    int *order;
    double *beta, *gamma, *pilot, *eta, *noise, *rate;
    struct ppzf_tables *tables;
    gap_t *gap;
};

static void problem_free(struct problem *p)
{
    ppzf_tables_destroy(p->tables);
    gap_destroy(p->gap);
    free(p->order);
    free(p->beta);
    free(p->pilot);
    free(p->gamma);
    free(p->eta);
    free(p->noise);
    free(p->rate);
}

static int problem_set(struct problem *p, const struct allocation *a, const struct frame *f)
{
    const struct config *const c = a->config;
    const double user = a->measured ? 1 : pilot_power(f, channel_uplink_snr_scale(c), channel_downlink_snr_scale(c));
    const bool attacked = !a->measured && c->network.n_eve > 0 && c->eve.attack == CONFIG_ATTACK_PILOT;
    put_target_first(a, p->order);
    for (int m = 0; m < a->n_ap; m++) {
        for (int i = 0; i < a->n_ue; i++) {
            p->beta[m * a->n_ue + i] = a->beta[m * a->n_ue + p->order[i]];
            p->gamma[m * a->n_ue + i] = a->gamma[m * a->n_ue + p->order[i]];
            p->pilot[i] = user;
        }
    }
    const struct ppzf_network network = {
        .n_ap = a->n_ap,
        .n_ant = a->n_ant,
        .n_ue = a->n_ue,
        .tau = 1,
        .beta = p->beta,
        .beta_eve = a->beta_eve,
        .pilot_power = p->pilot,
        .gamma = a->measured ? p->gamma : NULL,
        .eve_pilot_power =
            attacked ? pilot_power(f, channel_eve_uplink_snr_scale(c), channel_eve_downlink_snr_scale(c)) : 0,
        .upsilon = c->precoding.upsilon,
        .scheme = c->precoding.scheme};
    const struct config_resilience *const r = &c->resilience;
    const struct gap_targets targets = {
        .r_min = r->r_min, .r_des = r->r_des, .s_des = r->s_des, .w_sec = r->w_sec, .w_qos = r->w_qos};
    int status = ppzf_tables_create(&p->tables, &network);
    if (!status) {
        const struct gap_model model = ppzf_gap_model(p->tables, a->P, a->omega);
        status = gap_create(&p->gap, a->n_ap, a->n_ue);
        status = status ? status : gap_set(p->gap, &model, &targets);
    }
    return status;
}

static void take(const struct allocation *a, const struct problem *p, double *eta, double *rate)
{
    for (int i = 0; i < a->n_ue; i++) {
        rate[p->order[i]] = p->rate[i];
        for (int m = 0; m < a->n_ap; m++) {
            eta[m * a->n_ue + p->order[i]] = a->P[m] > 0 ? p->eta[m * a->n_ue + i] / a->P[m] : 0;
        }
    }
}

/* Equal powers, then the optimum, then steps of the convex approximation until they win nothing more: at a point from
 * which one of them still wins something the problem is not solved. */
static void solve_gap(struct allocation *a, struct problem *p)
{
    struct gap_metrics metrics;
    struct gap_result result;
    gap_equal_power(p->gap, false, p->eta, p->noise);
    gap_metrics(p->gap, p->eta, p->noise, p->rate, &metrics);
    take(a, p, a->eta_equal, a->rate_equal);
    a->value_equal = metrics.psi_metric;
    a->rate_eve_equal = metrics.rate_eve;
    gap_solve(p->gap, &GAP_OPTIONS_DEFAULT, p->eta, p->noise, &result);
    a->iterations = result.iterations;
    do {
        gap_sca_step(p->gap, &GAP_OPTIONS_DEFAULT, p->eta, p->noise, &result, NULL);
        a->bound = result.start.merit - result.end.merit;
    } while (++a->n_draw < MOST_STEPS && a->bound > STEP_TOLERANCE * fmax(result.start.merit, 1e-4));
    gap_metrics(p->gap, p->eta, p->noise, p->rate, &metrics);
    take(a, p, a->eta, a->rate);
    a->value = metrics.psi_metric;
    a->rate_eve = metrics.rate_eve;
}

static int towards_targets(struct allocation *a, const struct frame *f)
{
    const size_t n_ap = (size_t)a->n_ap, n_ue = (size_t)a->n_ue;
    struct problem p = {.order = calloc(n_ue, sizeof *p.order),
                        .beta = calloc(n_ap * n_ue, sizeof *p.beta),
                        .pilot = calloc(n_ue, sizeof *p.pilot),
                        .gamma = calloc(n_ap * n_ue, sizeof *p.gamma),
                        .eta = calloc(n_ap * n_ue, sizeof *p.eta),
                        .noise = calloc(n_ap, sizeof *p.noise),
                        .rate = calloc(n_ue, sizeof *p.rate)};
    const bool whole = p.order && p.beta && p.pilot && p.gamma && p.eta && p.noise && p.rate;
    const int status = whole ? problem_set(&p, a, f) : error_set(TUTTI_ENOMEM, "out of memory for the powers");
    if (!status) {
        solve_gap(a, &p);
    }
    problem_free(&p);
    return status;
}

/* Max-min of conjugate beams --------------------------------------------------------------------------------------- */

/* What conjugate beams at equal shares of a budget would give: eta N gamma K = 1. */
static void cb_equal(struct allocation *a)
{
    for (int i = 0; i < a->n_ap * a->n_ue; i++) {
        a->eta_equal[i] = a->gamma[i] > 0 ? a->P[i / a->n_ue] / (a->n_ant * a->gamma[i] * a->n_ue) : 0;
    }
}

static double rates_of(const double *sinr, int n_ue, double omega, double *rate)
{
    double least = INFINITY;
    for (int k = 0; k < n_ue; k++) {
        rate[k] = omega * log2(1 + sinr[k]);
        least = fmin(least, sinr[k]);
    }
    return least;
}

static int maxmin(struct allocation *a)
{
    double *const sinr = calloc((size_t)a->n_ue, sizeof *sinr);
    maxmin_cb_t *solver = NULL;
    struct maxmin_cb_result result;
    int status = sinr ? maxmin_cb_create(&solver, a->n_ap, a->n_ant, a->n_ue) : TUTTI_ENOMEM;
    if (status < 0) {
        free(sinr);
        return error_set(status, "out of memory for the powers");
    }
    const struct maxmin_cb_network network = {
        .n_ap = a->n_ap, .n_ant = a->n_ant, .n_ue = a->n_ue, .beta = a->beta, .gamma = a->gamma, .P = a->P};
    cb_equal(a);
    maxmin_cb_sinr(&network, a->eta_equal, sinr);
    a->value_equal = rates_of(sinr, a->n_ue, a->omega, a->rate_equal);
    maxmin_cb_execute(solver, &network, CB_TOLERANCE, CB_ITERATIONS, a->eta, &result);
    maxmin_cb_sinr(&network, a->eta, sinr);
    a->value = rates_of(sinr, a->n_ue, a->omega, a->rate);
    a->bound = result.upper;
    a->iterations = result.iterations;
    for (int i = 0; i < a->n_ap * a->n_ue; i++) { /* as shares of the budget */
        const double budget = a->P[i / a->n_ue], share = budget > 0 ? a->n_ant * a->gamma[i] / budget : 0;
        a->eta[i] *= share;
        a->eta_equal[i] *= share;
    }
    maxmin_cb_destroy(solver);
    free(sinr);
    return TUTTI_OK;
}

/* Robust least squares --------------------------------------------------------------------------------------------- */

struct drawn {
    tutti_cf32 *H, *W;
    float *error_variance, *ap_power, *beta, *sinr;
    uint8_t *ap_active, *ue_active;
    precoder_t *precoder;
};

static void drawn_free(struct drawn *d)
{
    precoder_destroy(d->precoder);
    free(d->H);
    free(d->W);
    free(d->error_variance);
    free(d->ap_power);
    free(d->beta);
    free(d->sinr);
    free(d->ap_active);
    free(d->ue_active);
}

static int drawn_make(struct drawn *d, const struct allocation *a)
{
    const size_t pairs = (size_t)(a->n_ap * a->n_ue), n = pairs * (size_t)a->n_ant;
    const size_t most = (size_t)(a->n_ap + a->n_ue);
    const struct mimo_shape shape = {.n_ap = a->n_ap, .n_ant = a->n_ant, .n_ue = a->n_ue};
    d->H = calloc(n, sizeof *d->H);
    d->W = calloc(n, sizeof *d->W);
    d->error_variance = calloc(pairs, sizeof *d->error_variance);
    d->beta = calloc(pairs, sizeof *d->beta);
    d->ap_power = calloc(most, sizeof *d->ap_power);
    d->sinr = calloc(most, sizeof *d->sinr);
    d->ap_active = calloc(most, 1);
    d->ue_active = calloc(most, 1);
    if (!d->H || !d->W || !d->error_variance || !d->beta || !d->ap_power || !d->sinr || !d->ap_active ||
        !d->ue_active) {
        return error_set(TUTTI_ENOMEM, "out of memory for the channels");
    }
    for (size_t i = 0; i < pairs; i++) {
        d->beta[i] = (float)a->beta[i];
        d->error_variance[i] = (float)(a->beta[i] - a->gamma[i]);
    }
    for (size_t i = 0; i < most; i++) {
        d->ap_power[i] = i < (size_t)a->n_ap ? (float)a->P[i] : 0;
        d->ap_active[i] = d->ue_active[i] = 1;
    }
    return precoder_create(&d->precoder, &shape);
}

/* Estimates with their variance; a number per AP, antenna and user of a draw, the same for all rules. */
static void draw_estimates(struct drawn *d, const struct allocation *a, int draw)
{
    struct splitmix random = splitmix_make(a->config->network.seed, 0x90ED0000u + (uint64_t)draw);
    for (int i = 0; i < a->n_ap * a->n_ant * a->n_ue; i++) {
        const int pair = i / (a->n_ant * a->n_ue) * a->n_ue + i % a->n_ue;
        double re, im;
        splitmix_normal(&random, &re, &im);
        d->H[i] = (tutti_cf32)(sqrt(a->gamma[pair]) * CMPLX(re, im));
    }
}

/* Adds what a rule gives in this draw; returns the sum rate. */
static double add_draw(struct drawn *d, const struct allocation *a, enum mimo_power power, double omega, double *eta,
                       double *rate)
{
    const struct mimo_channel channel = {.H_hat = d->H,
                                         .error_variance = d->error_variance,
                                         .ap_power = d->ap_power,
                                         .ap_active = d->ap_active,
                                         .ue_active = d->ue_active,
                                         .beta = d->beta};
    struct mimo_solution solution = {.W = d->W, .sinr = d->sinr};
    double sum = 0;
    precoder_execute(d->precoder, a->config->precoding.scheme, power, &channel, &solution);
    for (int i = 0; i < a->n_ap * a->n_ant * a->n_ue; i++) {
        const double budget = a->P[i / (a->n_ant * a->n_ue)], re = (double)crealf(d->W[i]),
                     im = (double)cimagf(d->W[i]);
        eta[i / (a->n_ant * a->n_ue) * a->n_ue + i % a->n_ue] += budget > 0 ? (re * re + im * im) / budget : 0;
    }
    for (int k = 0; k < a->n_ue; k++) {
        const double one = omega * log2(1 + (double)d->sinr[k]);
        rate[k] += one;
        sum += one;
    }
    return sum;
}

/* A draw that is in d, with the rule's powers and with equal ones. */
static void add_both(struct drawn *d, struct allocation *a, double *square)
{
    const double ours = add_draw(d, a, a->config->precoding.power, a->omega, a->eta, a->rate);
    const double equal = add_draw(d, a, MIMO_POWER_EQUAL_SENT, a->omega, a->eta_equal, a->rate_equal);
    a->value += ours;
    a->value_equal += equal;
    *square += (ours - equal) * (ours - equal);
    a->n_draw++;
}

/* Sums over the draws become means. */
static void take_means(struct allocation *a, double square)
{
    const int n = a->n_draw > 0 ? a->n_draw : 1;
    for (int i = 0; i < a->n_ap * a->n_ue; i++) {
        a->eta[i] /= n;
        a->eta_equal[i] /= n;
    }
    for (int k = 0; k < a->n_ue; k++) {
        a->rate[k] /= n;
        a->rate_equal[k] /= n;
    }
    a->value /= n;
    a->value_equal /= n;
    const double mean = a->value - a->value_equal;
    a->value_se = n > 1 ? sqrt(fmax(square / n - mean * mean, 0) / (n - 1)) : NAN;
    a->bound = NAN;
}

static int robust(struct allocation *a)
{
    struct drawn d = {0};
    double square = 0;
    const int status = drawn_make(&d, a);
    for (int draw = 0; status >= 0 && draw < DRAWS; draw++) {
        draw_estimates(&d, a, draw);
        add_both(&d, a, &square);
    }
    take_means(a, square);
    drawn_free(&d);
    return status;
}

/* Channel files ---------------------------------------------------------------------------------------------------- */

struct reading {
    channel_file_t *file;
    const struct channel_file_info *info;
    struct channel_batch *batch; /* one block */
    uint64_t first, end;
};

static int reading_open(struct reading *r, const struct allocation_channel *c)
{
    int status = channel_file_open(&r->file, c->path, (enum channel_layout)c->layout);
    if (status < 0) {
        return status;
    }
    r->info = channel_file_info(r->file);
    r->first = c->first;
    r->end = c->end < r->info->n_block ? c->end : r->info->n_block;
    if (r->first >= r->end || (c->end != UINT64_MAX && c->end > r->info->n_block)) {
        return error_set(TUTTI_EINVAL, "%s: it has blocks 0:%llu, --blocks asks for others", c->path,
                         (unsigned long long)r->info->n_block);
    }
    return channel_batch_create(&r->batch, r->info, 1);
}

static void reading_close(struct reading *r)
{
    channel_batch_destroy(r->batch);
    channel_file_close(r->file);
}

/* Adds a block's gains and what of them its estimates have; n [n_ap][n_ue] counts. */
static void add_gains(struct allocation *a, const struct reading *r, int *n)
{
    const struct channel_batch *const b = r->batch;
    const int pairs = a->n_ap * a->n_ue, n_sb = r->info->n_sb;
    for (int i = 0; i < pairs; i++) {
        const int m = i / a->n_ue, k = i % a->n_ue;
        double energy = 0, error = 0;
        for (int sb = 0; sb < n_sb; sb++) {
            error += (double)b->error_variance[sb * pairs + i] / n_sb;
            for (int l = 0; l < a->n_ant; l++) {
                const tutti_cf32 h = b->H_hat[((sb * a->n_ap + m) * a->n_ant + l) * a->n_ue + k];
                energy += (double)(crealf(h) * crealf(h) + cimagf(h) * cimagf(h)) / (n_sb * a->n_ant);
            }
        }
        if (b->ap_active[m] && b->ue_active[k]) {
            const double beta = b->beta ? (double)b->beta[i] : energy + error;
            a->beta[i] += beta;
            a->gamma[i] += fmax(beta - error, 0);
            n[i]++;
        }
    }
}

static int read_gains(struct allocation *a, const struct reading *r)
{
    int *const n = calloc((size_t)(a->n_ap * a->n_ue), sizeof *n);
    int status = n ? TUTTI_OK : error_set(TUTTI_ENOMEM, "out of memory for the gains");
    for (uint64_t block = r->first; status >= 0 && block < r->end; block++) {
        status = channel_file_read(r->file, block, 1, r->batch);
        if (status >= 0) {
            add_gains(a, r, n);
        }
    }
    for (int i = 0; status >= 0 && i < a->n_ap * a->n_ue; i++) {
        a->beta[i] /= n[i] > 0 ? n[i] : 1;
        a->gamma[i] /= n[i] > 0 ? n[i] : 1;
    }
    free(n);
    return status;
}

static int robust_on(struct allocation *a, const struct reading *r)
{
    const size_t pairs = (size_t)(a->n_ap * a->n_ue), one = pairs * (size_t)a->n_ant;
    struct drawn d = {0};
    double square = 0;
    int status = drawn_make(&d, a);
    for (uint64_t block = r->first; status >= 0 && block < r->end; block++) {
        status = channel_file_read(r->file, block, 1, r->batch);
        for (int sb = 0; status >= 0 && sb < r->info->n_sb; sb++) {
            memcpy(d.H, r->batch->H_hat + (size_t)sb * one, one * sizeof *d.H);
            memcpy(d.error_variance, r->batch->error_variance + (size_t)sb * pairs, pairs * sizeof *d.error_variance);
            memcpy(d.ap_active, r->batch->ap_active, (size_t)a->n_ap);
            memcpy(d.ue_active, r->batch->ue_active, (size_t)a->n_ue);
            add_both(&d, a, &square);
        }
    }
    take_means(a, square);
    drawn_free(&d);
    return status;
}

/* Life ------------------------------------------------------------------------------------------------------------- */

static int choose_kind(struct allocation *a)
{
    const struct config_precoding *const p = &a->config->precoding;
    const bool closed = p->scheme == MIMO_FZF || p->scheme == MIMO_PZF || p->scheme == MIMO_PPZF;
    const bool rlspa = p->power == MIMO_POWER_RLSPA_WC || p->power == MIMO_POWER_RLSPA_WIENER;
    if (closed && p->power == MIMO_POWER_EQUAL_SHARES) {
        a->kind = ALLOCATION_GAP;
    } else if (p->scheme == MIMO_CB && p->power == MIMO_POWER_MAXMIN) {
        a->kind = ALLOCATION_MAXMIN;
    } else if (rlspa) {
        a->kind = ALLOCATION_RLSPA;
    } else {
        return error_set(
            TUTTI_ECONFIG,
            "precoding.scheme %s with precoding.power %s: there is no power problem of large-scale figures. "
            "There is one for ppzf, pzf and fzf with equal_shares (towards the targets of `resilience`), cb with "
            "maxmin, zf and rzf with rlspa_wc or rlspa_wiener",
            mimo_scheme_name((int)p->scheme), mimo_power_name((int)p->power));
    }
    return TUTTI_OK;
}

static int solve(struct allocation *a, const struct frame *f, const struct reading *r)
{
    return a->kind == ALLOCATION_GAP      ? towards_targets(a, f)
           : a->kind == ALLOCATION_MAXMIN ? maxmin(a)
           : r                            ? robust_on(a, r)
                                          : robust(a);
}

int allocation_create(struct allocation *a, const struct config *config)
{
    struct frame frame;
    *a = (struct allocation){
        .config = config, .n_ap = config->network.n_ap, .n_ant = config->network.n_ant, .n_ue = config->network.n_ue};
    int status = choose_kind(a);
    status = status < 0 ? status : frame_init(&frame, config);
    status = status < 0 ? status : allocate(a);
    for (int m = 0; status >= 0 && m < a->n_ap; m++) {
        a->P[m] = 1;
    }
    status = status < 0 ? status : load_gains(a);
    if (status < 0) {
        return status;
    }
    a->omega = omega_of(&frame);
    estimate_quality(a, pilot_power(&frame, channel_uplink_snr_scale(config), channel_downlink_snr_scale(config)));
    return solve(a, &frame, NULL);
}

static int take_shape(struct allocation *a, const struct reading *r)
{
    const struct mimo_shape s = r->info->shape;
    a->n_ap = s.n_ap;
    a->n_ant = s.n_ant;
    a->n_ue = s.n_ue;
    if (a->kind == ALLOCATION_GAP && a->config->eve.target_user >= s.n_ue) {
        return error_set(TUTTI_ECONFIG, "eve.target_user %d: %s has %d users", a->config->eve.target_user,
                         r->info->path, s.n_ue);
    }
    int status = mimo_scheme_check_antennas((int)a->config->precoding.scheme, s.n_ap, s.n_ant, s.n_ue);
    status = status < 0 ? status : allocate(a);
    for (int m = 0; status >= 0 && m < a->n_ap; m++) {
        a->P[m] = (double)r->info->ap_power[m];
    }
    return status;
}

int allocation_create_channel(struct allocation *a, const struct config *config, const struct allocation_channel *c)
{
    struct reading r = {0};
    *a = (struct allocation){.config = config, .measured = true, .omega = 1};
    int status = choose_kind(a);
    status = status < 0 ? status : reading_open(&r, c);
    status = status < 0 ? status : take_shape(a, &r);
    status = status < 0 ? status : read_gains(a, &r);
    status = status < 0 ? status : solve(a, NULL, &r);
    reading_close(&r);
    return status;
}

void allocation_destroy(struct allocation *a)
{
    free(a->beta);
    free(a->gamma);
    free(a->beta_eve);
    free(a->P);
    free(a->eta);
    free(a->eta_equal);
    free(a->rate);
    free(a->rate_equal);
    *a = (struct allocation){0};
}
