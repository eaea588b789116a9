/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cpu_node/recovery.h"

#include "base/error.h"
#include "mimo/ppzf.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SILENT_BLOCKS = 3, BLOCKED_WINDOW = 8, REFERENCE_BLOCKS = 64, LEAST_REFERENCE = 32, LAG_BLOCKS = 16 };
static const double BLOCKED_RATIO = 0.25; /* 6 dB */
static const double HEARD = 4;            /* least mean pilot power over noise of a link whose loss can be told */

enum phase { IDLE, AVERAGING, STEPPING };

struct recovery {
    struct recovery_settings set;
    double *beta_eve;
    struct recovery_onset *onsets;
    enum phase phase;
    bool attacked, started;
    /* [n_ap][n_ue] */
    double *frozen, *newer, *sum, *reference, *now, *best;
    int *n_sum, *n_reference;
    uint8_t *blocked;
    double *window; /* [BLOCKED_WINDOW][n_ap][n_ue] */
    /* [n_ap] */
    uint64_t *missing_since;
    int *n_missing;
    uint8_t *lost;
    double *noise;
    /* the problem: users in its order, the target first */
    int *order, n_served;          /* [n_ue] */
    double *beta, *group, *eta;    /* [n_ap][n_served] */
    double *model_eve, *P, *pilot; /* [n_ap], [n_ap], [n_ue] */
    gap_t *gap;
    double gap_now;
    /* the disruption */
    struct recovery_note about;
    struct resilience score;
    uint64_t averaged_until, deployed_block;
    int n, deployed;
};

const char *recovery_kind_name(enum recovery_kind kind)
{
    static const char *const names[] = {"start", "pilot-attack", "ap-lost", "ap-back", "blockage"};
    return names[kind];
}

static int copy_settings(struct recovery *r, const struct recovery_settings *s)
{
    const size_t n_ap = (size_t)s->n_ap;
    r->set = *s;
    r->onsets = calloc((size_t)s->n_onset + 1, sizeof *r->onsets);
    r->beta_eve = s->beta_eve ? calloc(n_ap, sizeof *r->beta_eve) : NULL;
    if (!r->onsets || (s->beta_eve && !r->beta_eve)) {
        return TUTTI_ENOMEM;
    }
    for (int i = 0; i < s->n_onset; i++) {
        r->onsets[i] = s->onsets[i];
    }
    if (s->beta_eve) {
        memcpy(r->beta_eve, s->beta_eve, n_ap * sizeof *r->beta_eve);
    }
    return 0;
}

static int allocate(struct recovery *r)
{
    const size_t m = (size_t)r->set.n_ap, k = (size_t)r->set.n_ue, pairs = m * k;
    double **const arrays[] = {&r->frozen, &r->sum, &r->reference, &r->newer,     &r->now, &r->best, &r->beta,
                               &r->group,  &r->eta, &r->noise,     &r->model_eve, &r->P,   &r->pilot};
    const size_t sizes[] = {pairs, pairs, pairs, pairs, pairs, pairs, pairs, pairs, pairs, m, m, m, k};
    bool ok = true;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        ok = (*arrays[i] = calloc(sizes[i], sizeof(double))) && ok;
    }
    ok = (r->window = calloc(BLOCKED_WINDOW * pairs, sizeof(double))) && ok;
    ok = (r->n_sum = calloc(pairs, sizeof(int))) && ok;
    ok = (r->n_reference = calloc(pairs, sizeof(int))) && ok;
    ok = (r->blocked = calloc(pairs, 1)) && ok;
    ok = (r->missing_since = calloc(m, sizeof(uint64_t))) && ok;
    ok = (r->n_missing = calloc(m, sizeof(int))) && ok;
    ok = (r->lost = calloc(m, 1)) && ok;
    ok = (r->order = calloc(k, sizeof(int))) && ok;
    return ok ? gap_create(&r->gap, r->set.n_ap, r->set.n_ue) : TUTTI_ENOMEM;
}

int recovery_create(recovery_t **recovery, const struct recovery_settings *settings)
{
    struct recovery *const r = *recovery = calloc(1, sizeof *r);
    if (!r) {
        return error_set(TUTTI_ENOMEM, "out of memory for the resilience controller");
    }
    if (settings->n_ap < 1 || settings->n_ue < 1 || settings->target < 0 || settings->target >= settings->n_ue ||
        settings->n_max < 1 || settings->average_blocks < 1 || settings->step_blocks < 0 ||
        !(settings->pilot_power > 0)) {
        return error_set(TUTTI_EINVAL,
                         "the resilience controller: %d APs, %d users, target %d, n_max %d, "
                         "average_blocks %d, step_blocks %d: out of range",
                         settings->n_ap, settings->n_ue, settings->target, settings->n_max, settings->average_blocks,
                         settings->step_blocks);
    }
    const int status = copy_settings(r, settings);
    if (status || allocate(r)) {
        return error_set(TUTTI_ENOMEM, "out of memory for the resilience controller");
    }
    r->gap_now = NAN;
    return 0;
}

void recovery_destroy(recovery_t *r)
{
    if (!r) {
        return;
    }
    void *const memory[] = {r->beta_eve,      r->onsets,    r->frozen,    r->sum,         r->reference, r->newer,
                            r->now,           r->best,      r->n_sum,     r->n_reference, r->blocked,   r->window,
                            r->missing_since, r->n_missing, r->lost,      r->noise,       r->order,     r->beta,
                            r->group,         r->eta,       r->model_eve, r->P,           r->pilot};
    for (size_t i = 0; i < sizeof memory / sizeof *memory; i++) {
        free(memory[i]);
    }
    gap_destroy(r->gap);
    free(r);
}

double recovery_gap(const recovery_t *r)
{
    return r->gap_now;
}

/* Detectors ------------------------------------------------------------------------------------------------------- */

/* The scripted onset that this detection tells of: the newest one that is not after it. */
static bool scripted(const struct recovery *r, enum recovery_kind kind, int ap, int user, uint64_t detected,
                     uint64_t *onset)
{
    bool found = false;
    for (int i = 0; i < r->set.n_onset; i++) {
        const struct recovery_onset *const o = &r->onsets[i];
        if (o->kind == kind && (o->ap < 0 || o->ap == ap) && (o->user < 0 || o->user == user) && o->block <= detected &&
            (!found || o->block > *onset)) {
            *onset = o->block;
            found = true;
        }
    }
    return found;
}

static void begin(struct recovery *r, enum recovery_kind kind, int ap, int user, uint64_t onset, uint64_t detected)
{
    r->about = (struct recovery_note){.note = RECOVERY_NOTE_BEGIN,
                                      .kind = kind,
                                      .ap = ap,
                                      .user = user,
                                      .onset = onset,
                                      .detected = detected,
                                      .block = detected};
    r->about.onset_known = scripted(r, kind, ap, user, detected, &r->about.onset);
    r->about.ms = (double)(detected - r->about.onset) * r->set.block_ms;
    r->phase = AVERAGING;
    r->averaged_until = detected + (uint64_t)r->set.average_blocks;
    r->n = r->deployed = 0;
    const size_t pairs = (size_t)(r->set.n_ap * r->set.n_ue);
    memset(r->sum, 0, pairs * sizeof *r->sum);
    memset(r->n_sum, 0, pairs * sizeof *r->n_sum);
    r->set.note(r->set.context, &r->about);
}

/* The target's gains as tracked before an attack that has not been noticed yet can have got into them: kept for one to
 * two spans of LAG_BLOCKS. */
static void keep_gains(struct recovery *r, const struct recovery_input *in)
{
    const int K = r->set.n_ue, k = r->set.target;
    for (int m = 0; in->block % LAG_BLOCKS == 0 && m < r->set.n_ap; m++) {
        const int pair = m * K + k;
        if (in->ap_present[m]) {
            r->frozen[pair] = r->newer[pair] > 0 ? r->newer[pair] : (double)in->beta[pair];
            r->newer[pair] = (double)in->beta[pair];
        }
    }
}

static void look_for_attack(struct recovery *r, const struct recovery_input *in)
{
    if (r->attacked) {
        return;
    }
    if (in->suspected[r->set.target]) {
        r->attacked = true;
        begin(r, RECOVERY_ATTACK, -1, r->set.target, in->block, in->block);
    } else {
        keep_gains(r, in);
    }
}

static void look_for_lost_aps(struct recovery *r, const struct recovery_input *in)
{
    for (int m = 0; m < r->set.n_ap; m++) {
        if (in->ap_present[m]) {
            r->n_missing[m] = 0;
            if (r->lost[m]) {
                r->lost[m] = 0;
                begin(r, RECOVERY_AP_BACK, m, -1, in->block, in->block);
            }
            continue;
        }
        if (r->n_missing[m]++ == 0) {
            r->missing_since[m] = in->block;
        }
        if (r->n_missing[m] == SILENT_BLOCKS) {
            r->lost[m] = 1;
            begin(r, RECOVERY_AP_LOST, m, -1, r->missing_since[m], in->block);
        }
    }
}

/* Mean of the last blocks against the long one, which stands still while something is wrong. */
static bool link_is_blocked(struct recovery *r, int pair, double power, double *in_window)
{
    double mean = 0;
    const size_t pairs = (size_t)(r->set.n_ap * r->set.n_ue);
    *in_window = power;
    for (size_t i = 0; i < BLOCKED_WINDOW; i++) {
        mean += r->window[i * pairs + (size_t)pair] / BLOCKED_WINDOW;
    }
    const bool known = r->n_reference[pair] >= LEAST_REFERENCE && r->reference[pair] > HEARD;
    if (known && mean < BLOCKED_RATIO * r->reference[pair]) {
        r->reference[pair] = mean;
        return true;
    }
    const double share = 1.0 / (r->n_reference[pair] < REFERENCE_BLOCKS ? ++r->n_reference[pair] : REFERENCE_BLOCKS);
    r->reference[pair] += share * (power - r->reference[pair]);
    return false;
}

static void look_for_blockage(struct recovery *r, const struct recovery_input *in)
{
    const size_t pairs = (size_t)(r->set.n_ap * r->set.n_ue);
    double *const window = r->window + (size_t)(in->block % BLOCKED_WINDOW) * pairs;
    int ap = -1, user = -1;
    for (int m = 0; m < r->set.n_ap; m++) {
        for (int k = 0; k < r->set.n_ue; k++) {
            const int pair = m * r->set.n_ue + k;
            const bool usable = in->ap_present[m] && in->user_served[k] && in->power[pair] > 0;
            if (!usable || (r->attacked && k == r->set.target)) {
                window[pair] = r->reference[pair]; /* says nothing */
            } else if (link_is_blocked(r, pair, in->power[pair], &window[pair])) {
                r->blocked[pair] = 1;
                ap = m;
                user = k;
            }
        }
    }
    const bool same = r->phase == AVERAGING && r->about.kind == RECOVERY_BLOCKAGE; /* further links of one event */
    if (ap >= 0 && !same) {
        begin(r, RECOVERY_BLOCKAGE, ap, user, in->block, in->block);
    }
}

/* The problem ----------------------------------------------------------------------------------------------------- */

static void order_users(struct recovery *r, const struct recovery_input *in)
{
    r->order[0] = r->set.target;
    r->n_served = 1;
    for (int k = 0; k < r->set.n_ue; k++) {
        if (k != r->set.target && in->user_served[k]) {
            r->order[r->n_served++] = k;
        }
    }
}

/* beta of a link: frozen for the attacked user, the average for a blocked link, else as tracked. */
static double link_beta(const struct recovery *r, const struct recovery_input *in, int m, int k)
{
    const int pair = m * r->set.n_ue + k;
    if (r->attacked && k == r->set.target) {
        return r->frozen[pair];
    }
    if (r->blocked[pair] && r->n_sum[pair] > 0) {
        return fmax(r->sum[pair] / r->n_sum[pair] - 1, 0) / r->set.pilot_power;
    }
    return in->ap_present[m] ? (double)in->beta[pair] : 0;
}

/* The attacker's gain, if known or from the excess energy (only its product with the attacker's pilot power shows). */
static double eve_beta(const struct recovery *r, int m)
{
    const int pair = m * r->set.n_ue + r->set.target;
    if (r->beta_eve) {
        return r->beta_eve[m];
    }
    if (!r->attacked || r->n_sum[pair] == 0) {
        return 0;
    }
    const double excess = r->sum[pair] / r->n_sum[pair] - (r->set.pilot_power * r->frozen[pair] + 1);
    return fmax(excess, 0) / r->set.eve_pilot_power;
}

/* Keeps the attacker's gain that was estimated while averages of later disruptions are made. */
static void keep_eve(struct recovery *r)
{
    const bool fresh = r->about.kind == RECOVERY_ATTACK || r->beta_eve;
    for (int m = 0; m < r->set.n_ap; m++) {
        if (fresh) {
            r->model_eve[m] = eve_beta(r, m);
        }
    }
}

static int build(struct recovery *r, const struct recovery_input *in)
{
    order_users(r, in);
    keep_eve(r);
    const int n = r->n_served;
    for (int m = 0; m < r->set.n_ap; m++) {
        r->P[m] = r->lost[m] ? 0 : 1;
        for (int i = 0; i < n; i++) {
            const int k = r->order[i];
            r->beta[m * n + i] = link_beta(r, in, m, k);
            r->group[m * n + i] = in->ap_present[m] ? (double)in->beta[m * r->set.n_ue + k] : 0;
            r->pilot[i] = r->set.pilot_power;
        }
    }
    const struct ppzf_network network = {.n_ap = r->set.n_ap,
                                         .n_ant = r->set.n_ant,
                                         .n_ue = n,
                                         .tau = 1,
                                         .beta = r->beta,
                                         .beta_group = r->group,
                                         .beta_eve = r->model_eve,
                                         .pilot_power = r->pilot,
                                         .eve_pilot_power = r->attacked ? r->set.eve_pilot_power : 0,
                                         .upsilon = r->set.upsilon,
                                         .scheme = r->set.scheme};
    struct ppzf_tables *tables = NULL;
    int status = ppzf_tables_create(&tables, &network);
    if (!status) {
        const struct gap_model model = ppzf_gap_model(tables, r->P, r->set.omega);
        status = gap_set(r->gap, &model, &r->set.targets);
    }
    ppzf_tables_destroy(tables);
    return status;
}

/* Powers between all users and the users of the problem. */
static void to_problem(const struct recovery *r, const double *all, double *eta)
{
    for (int m = 0; m < r->set.n_ap; m++) {
        for (int i = 0; i < r->n_served; i++) {
            eta[m * r->n_served + i] = all[m * r->set.n_ue + r->order[i]] * r->P[m];
        }
    }
}

static void from_problem(const struct recovery *r, const double *eta, double *all)
{
    memset(all, 0, (size_t)(r->set.n_ap * r->set.n_ue) * sizeof *all);
    for (int m = 0; m < r->set.n_ap; m++) {
        for (int i = 0; i < r->n_served; i++) {
            all[m * r->set.n_ue + r->order[i]] = eta[m * r->n_served + i];
        }
    }
}

/* Until powers have been chosen the block path gives everybody the same. */
static void equal_now(struct recovery *r)
{
    gap_equal_power(r->gap, false, r->eta, r->noise);
    from_problem(r, r->eta, r->now);
    r->started = true;
}

/* Steps ----------------------------------------------------------------------------------------------------------- */

/* The figures of the disrupted network are there: what is left with the powers in use. */
static bool absorb(struct recovery *r, const struct recovery_input *in)
{
    struct gap_metrics found;
    if (build(r, in)) {
        r->phase = IDLE;
        return false;
    }
    if (!r->started) {
        equal_now(r);
    }
    to_problem(r, r->now, r->eta);
    memset(r->noise, 0, (size_t)r->set.n_ap * sizeof *r->noise);
    gap_metrics(r->gap, r->eta, r->noise, NULL, &found);
    r->gap_now = found.psi_metric;
    resilience_begin(&r->score, &r->set.weights, r->set.desired_recovery_ms, found.psi_metric);
    r->about.note = RECOVERY_NOTE_ABSORBED;
    r->about.gap = found.psi_metric;
    r->about.absorption = r->score.absorption;
    r->about.block = in->block;
    r->about.ms = (double)(in->block - r->about.onset) * r->set.block_ms;
    r->set.note(r->set.context, &r->about);
    if (r->set.start_equal) {
        gap_equal_power(r->gap, false, r->eta, r->noise);
    }
    r->phase = STEPPING;
    return true;
}

static void deploy(struct recovery *r, const double *all, double gap, int n, uint64_t block)
{
    memcpy(r->now, all, (size_t)(r->set.n_ap * r->set.n_ue) * sizeof *r->now);
    r->gap_now = gap;
    r->deployed = n;
    r->deployed_block = block;
}

static void end(struct recovery *r)
{
    r->about.note = RECOVERY_NOTE_END;
    r->about.n = r->deployed;
    r->about.block = r->deployed ? r->deployed_block : r->about.onset;
    r->about.ms = (double)(r->about.block - r->about.onset) * r->set.block_ms;
    r->about.gap = r->gap_now;
    r->about.score = r->score.best;
    r->set.note(r->set.context, &r->about);
    r->phase = IDLE;
}

/* One iterate and what becomes of it; on the air from `block` on. True if powers change. */
static bool candidate(struct recovery *r, uint64_t block)
{
    struct gap_result result;
    const double ms = (double)(block - r->about.onset) * r->set.block_ms;
    gap_sca_step(r->gap, &GAP_OPTIONS_DEFAULT, r->eta, r->noise, &result, NULL);
    const double gap = result.end.psi_metric;
    r->n++;
    r->about.note = RECOVERY_NOTE_CANDIDATE;
    const bool best = resilience_candidate(&r->score, gap, ms, &r->about.score);
    bool deployed = best && gap < r->gap_now && !r->set.deploy_final;
    if (best) {
        from_problem(r, r->eta, r->best);
    }
    if (deployed) {
        deploy(r, r->best, gap, r->n, block);
    }
    if (r->set.deploy_final && r->n == r->set.n_max && 1 - r->score.best.adaptation < r->gap_now) {
        deploy(r, r->best, 1 - r->score.best.adaptation, r->score.best_index + 1, block);
        deployed = true;
    }
    r->about.n = r->n;
    r->about.block = block;
    r->about.ms = ms;
    r->about.gap = gap;
    r->about.deployed = deployed;
    r->set.note(r->set.context, &r->about);
    if (r->n == r->set.n_max) {
        end(r);
    }
    return deployed;
}

/* Candidates whose block is the next one. */
static bool step(struct recovery *r, const struct recovery_input *in, uint64_t *from_block)
{
    bool changed = false;
    while (r->phase == STEPPING) {
        const uint64_t due = r->averaged_until + (uint64_t)(r->n + 1) * (uint64_t)r->set.step_blocks;
        if (due > in->block + 1) {
            break;
        }
        *from_block = due > in->block ? due : in->block + 1;
        changed = candidate(r, *from_block) || changed;
    }
    return changed;
}

/* Powers while nothing is disrupted, on the air from `from_block` on. */
static bool optimise(struct recovery *r, const struct recovery_input *in, uint64_t from_block)
{
    struct gap_result result;
    if (build(r, in)) {
        return false;
    }
    equal_now(r);
    memset(r->noise, 0, (size_t)r->set.n_ap * sizeof *r->noise);
    gap_solve(r->gap, &GAP_OPTIONS_DEFAULT, r->eta, r->noise, &result);
    from_problem(r, r->eta, r->now);
    r->gap_now = result.end.psi_metric;
    const struct recovery_note note = {.note = RECOVERY_NOTE_END,
                                       .kind = RECOVERY_START,
                                       .ap = -1,
                                       .user = -1,
                                       .n = 1,
                                       .onset = in->block,
                                       .detected = in->block,
                                       .block = from_block,
                                       .gap = r->gap_now,
                                       .absorption = 1 - result.start.psi_metric,
                                       .score.adaptation = 1 - r->gap_now};
    r->set.note(r->set.context, &note);
    return true;
}

/* The first powers, before anything has happened. */
static bool optimise_once(struct recovery *r, const struct recovery_input *in, uint64_t *from_block)
{
    if (r->started || r->phase != IDLE || in->block < r->set.first_block) {
        return false;
    }
    *from_block = in->block + 1;
    return optimise(r, in, *from_block);
}

bool recovery_is_busy(const recovery_t *r)
{
    return r->phase != IDLE;
}

bool recovery_serve(recovery_t *r, const struct recovery_input *in, uint64_t from_block, const double **eta)
{
    *eta = r->now;
    return r->started && r->phase == IDLE && optimise(r, in, from_block);
}

bool recovery_block(recovery_t *r, const struct recovery_input *in, const double **eta, uint64_t *from_block)
{
    bool changed = false;
    look_for_attack(r, in);
    look_for_lost_aps(r, in);
    look_for_blockage(r, in);
    if (r->phase == AVERAGING) {
        for (int i = 0; i < r->set.n_ap * r->set.n_ue; i++) {
            if (in->ap_present[i / r->set.n_ue] && in->power[i] > 0) {
                r->sum[i] += in->power[i];
                r->n_sum[i]++;
            }
        }
        if (in->block + 1 >= r->averaged_until) {
            absorb(r, in);
        }
    }
    changed = step(r, in, from_block) || optimise_once(r, in, from_block);
    *eta = r->now;
    return changed;
}
