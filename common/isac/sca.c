/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "isac/sca.h"

#include "base/error.h"
#include "isac/sca_step.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { FREE_STEPS = 12, STAGE_STEPS = 5, START_STEPS = 40, MOST_SHRINKS = 200, SMALL_NETWORK = 12, WINDOW = 4 };
static const double PENALTIES[] = {0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 20};
enum { N_PENALTY = sizeof PENALTIES / sizeof *PENALTIES };
static const double SETTLED = 1e-3;    /* relative change of the objective that ends a stage */
static const double BINARY = 1e-3;     /* mean a (1 - a) that ends the run */
static const double FLOOR = 1e-3;      /* of a: (21d) holds an AP at nothing once a is 0 */
static const double LAST_FLOOR = 1e-6; /* in the last stage */
static const double SHRINK = 0.8, SLACK = 0.01, SERVED = 1.02;

struct isac_sca {
    struct isac_rows rows;
    isac_power_t *power;
    struct sca_point at, next;
    double *eta_c, *eta_s; /* of the point shown, and of a rounding */
    int *order;
    unsigned char *candidate;
    uint64_t state;
};

/* Of one run. */
struct sca_run {
    isac_sca_t *sca;
    const struct isac_scene *scene;
    enum isac_objective objective;
    struct sca_step step;
    isac_sca_seen_t *seen;
    void *context;
    struct isac_sca_result *result;
};

static int point_create(struct sca_point *point, size_t m, size_t k, size_t l)
{
    const struct {
        double **at;
        size_t n;
    } parts[] = {{&point->a, m}, {&point->p, m * k}, {&point->r, m * l}, {&point->root, k},
                 {&point->D, k}, {&point->C, l},     {&point->S, l},     {&point->O, l}};
    bool ok = true;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        ok = (*parts[i].at = calloc(parts[i].n, sizeof(double))) && ok;
    }
    return ok ? 0 : error_set(TUTTI_ENOMEM, "no memory for the approximations of %zu APs", m);
}

static void point_destroy(struct sca_point *point)
{
    double *const parts[] = {point->a, point->p, point->r, point->root, point->D, point->C, point->S, point->O};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        free(parts[i]);
    }
}

int isac_sca_create(isac_sca_t **sca, int n_ap, int n_ue, int n_zone)
{
    isac_sca_t *const s = *sca = calloc(1, sizeof *s);
    if (!s) {
        return error_set(TUTTI_ENOMEM, "no memory for the approximations of %d APs", n_ap);
    }
    int status = isac_power_create(&s->power, n_ap, n_ue, n_zone); /* checks the sizes */
    if (status) {
        return status;
    }
    const size_t m = (size_t)n_ap, k = (size_t)n_ue, l = (size_t)n_zone;
    s->eta_c = calloc(m * k, sizeof(double));
    s->eta_s = calloc(m * l, sizeof(double));
    s->order = calloc(m, sizeof(int));
    s->candidate = calloc(m, 1);
    status = s->eta_c && s->eta_s && s->order && s->candidate
                 ? isac_rows_create(&s->rows, n_ap, n_ue, n_zone)
                 : error_set(TUTTI_ENOMEM, "no memory for the approximations of %d APs", n_ap);
    status = status ? status : point_create(&s->at, m, k, l);
    return status ? status : point_create(&s->next, m, k, l);
}

void isac_sca_destroy(isac_sca_t *sca)
{
    if (sca) {
        isac_power_destroy(sca->power);
        isac_rows_destroy(&sca->rows);
        point_destroy(&sca->at);
        point_destroy(&sca->next);
        free(sca->eta_c);
        free(sca->eta_s);
        free(sca->order);
        free(sca->candidate);
        free(sca);
    }
}

static void add_ap(const struct isac_rows *rows, int m, struct sca_point *point)
{
    const int n_k = rows->n_ue, n_l = rows->n_zone;
    const double a = point->a[m], *const p = point->p + m * n_k, *const r = point->r + m * n_l;
    double sent = 0;
    for (int k = 0; k < n_k; k++) {
        sent += a * p[k];
        point->root[k] += rows->g[m * n_k + k] * sqrt(a * p[k]);
    }
    double all = sent;
    for (int l = 0; l < n_l; l++) {
        all += (1 - a) * r[l];
    }
    for (int k = 0; k < n_k; k++) {
        point->D[k] += rows->b[m * n_k + k] * all;
    }
    for (int l = 0; l < n_l; l++) {
        const double *const s = rows->s + (m * n_l + l) * n_l;
        point->C[l] += rows->z[m * n_l + l] * sent;
        point->O[l] += (1 - a) * s[l] * r[l];
        for (int other = 0; other < n_l; other++) {
            point->S[l] += (1 - a) * s[other] * r[other];
        }
    }
}

void sca_evaluate(const struct isac_rows *rows, enum sca_kind kind, struct sca_point *point)
{
    memset(point->root, 0, (size_t)rows->n_ue * sizeof(double));
    memcpy(point->D, rows->noise, (size_t)rows->n_ue * sizeof(double));
    for (int l = 0; l < rows->n_zone; l++) {
        point->C[l] = point->S[l] = point->O[l] = 0;
    }
    for (int m = 0; m < rows->n_ap; m++) {
        add_ap(rows, m, point);
    }
    point->t = kind == SCA_SP ? 0 : INFINITY;
    for (int k = 0; k < rows->n_ue && kind != SCA_SP; k++) {
        point->t = fmin(point->t, point->root[k] * point->root[k] / point->D[k]);
    }
    for (int l = 0; l < rows->n_zone && kind == SCA_SP; l++) {
        point->t = fmax(point->t, point->C[l] / (point->S[l] + rows->zone_noise[l]));
    }
}

/* Start ----------------------------------------------------------------------------------------------------------- */

/* splitmix64: a start depends on its seed alone. */
static double uniform(isac_sca_t *sca)
{
    uint64_t z = sca->state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return ((double)((z ^ (z >> 31)) >> 11) + 0.5) / 9007199254740992.0;
}

/* n shares of a whole, uniform over all that add up to it. */
static void draw_shares(isac_sca_t *sca, int n, double whole, double *x)
{
    double sum = 0;
    for (int i = 0; i < n; i++) {
        sum += x[i] = -log(uniform(sca));
    }
    for (int i = 0; i < n; i++) {
        x[i] *= whole / sum;
    }
}

static void draw_start(isac_sca_t *sca)
{
    for (int m = 0; m < sca->rows.n_ap; m++) {
        const double a = sca->at.a[m] = 0.4 + 0.4 * uniform(sca);
        draw_shares(sca, sca->rows.n_ue, 0.9 * a * a, sca->at.p + m * sca->rows.n_ue);
        draw_shares(sca, sca->rows.n_zone, 0.9 * (1 - a * a), sca->at.r + m * sca->rows.n_zone);
    }
}

/* MASR and, in CP, the eavesdroppers' SINR, at users' powers times scale. */
static bool has_slack(const struct isac_rows *rows, const struct sca_point *point, const struct isac_limits *limits,
                      bool eves, double scale)
{
    bool ok = true;
    for (int l = 0; l < rows->n_zone; l++) {
        const double C = scale * point->C[l], other = C + point->S[l] - point->O[l];
        ok = ok && point->O[l] > (1 + SLACK) * limits->kappa * other;
        ok = ok && (!eves || C < (1 - SLACK) * limits->nu * (point->S[l] + rows->zone_noise[l]));
    }
    return ok;
}

/* Sensing powers whose MASR is above kappa whatever the modes: those of the relaxation for more than kappa, divided by
 * 1 - a, so that what is sent is theirs times a common factor. */
static void sense_by_relaxation(struct sca_run *run, double largest)
{
    isac_sca_t *const s = run->sca;
    const struct isac_limits more = {fmin(1.5 * run->step.limits.kappa, sqrt(run->step.limits.kappa * largest)),
                                     run->step.limits.nu, run->step.limits.qos};
    const int n_l = s->rows.n_zone;
    struct isac_solution unused;
    double room = INFINITY;
    memset(s->candidate, ISAC_EITHER, (size_t)s->rows.n_ap);
    isac_power_solve(s->power, run->scene, &more, ISAC_CP, s->candidate, s->eta_c, s->eta_s, &unused);
    for (int m = 0; m < s->rows.n_ap; m++) {
        const double a = s->at.a[m];
        double R = 0;
        for (int l = 0; l < n_l; l++) {
            R += s->at.r[m * n_l + l] = run->scene->n_ant * s->eta_s[m * n_l + l] / (1 - a);
        }
        room = R > 0 ? fmin(room, 0.9 * (1 - a * a) / R) : room;
    }
    for (int i = 0; i < s->rows.n_ap * n_l; i++) {
        s->at.r[i] *= room;
    }
}

static bool shrink_users(struct sca_run *run)
{
    isac_sca_t *const s = run->sca;
    double scale = 1;
    sca_evaluate(&s->rows, SCA_CP, &s->at);
    for (int i = 0; i < MOST_SHRINKS; i++, scale *= SHRINK) {
        if (has_slack(&s->rows, &s->at, &run->step.limits, run->objective == ISAC_CP, scale)) {
            for (int j = 0; j < s->rows.n_ap * s->rows.n_ue; j++) {
                s->at.p[j] *= scale;
            }
            return true;
        }
    }
    return false;
}

static bool is_binary(const struct sca_run *run)
{
    double sum = 0;
    for (int m = 0; m < run->sca->rows.n_ap; m++) {
        sum += run->sca->at.a[m] * (1 - run->sca->at.a[m]);
    }
    run->result->fractional = sum;
    return sum < BINARY * run->sca->rows.n_ap;
}

/* One SCA step. Returns the relative change of the objective, 0 when Ipopt does not finish, negative without memory. */
static double advance(struct sca_run *run)
{
    isac_sca_t *const s = run->sca;
    const double before = s->at.t;
    const int status = sca_solve(&run->step, &s->next);
    if (status) {
        return status == TUTTI_ENOMEM ? -1 : 0;
    }
    const struct sca_point old = s->at;
    s->at = s->next;
    s->next = old;
    sca_evaluate(&s->rows, run->step.kind, &s->at);
    return fabs(s->at.t - before) / before;
}

/* SP's start serves everybody: CP's steps without the eavesdroppers' rows lead there. */
static int serve(struct sca_run *run)
{
    isac_sca_t *const s = run->sca;
    const double enough = SERVED * run->step.limits.qos;
    double change = 1;
    run->step.kind = SCA_START;
    sca_evaluate(&s->rows, SCA_START, &s->at);
    for (int i = 0; i < START_STEPS && s->at.t < enough && change > SETTLED; i++) {
        change = advance(run);
    }
    if (s->at.t < enough) {
        run->result->verdict = ISAC_QOS_UNREACHABLE;
        run->result->reachable = s->at.t;
    }
    return change < 0 ? TUTTI_ENOMEM : 0;
}

static int find_start(struct sca_run *run)
{
    isac_sca_t *const s = run->sca;
    draw_start(s);
    if (!shrink_users(run)) {
        memset(s->candidate, ISAC_EITHER, (size_t)s->rows.n_ap);
        const double largest = isac_power_largest_masr(s->power, run->scene, s->candidate);
        run->result->reachable = largest;
        if (largest > run->step.limits.kappa) {
            sense_by_relaxation(run, largest);
        }
        if (!(largest > run->step.limits.kappa) || !shrink_users(run)) {
            run->result->verdict = ISAC_MASR_UNREACHABLE;
            return 0;
        }
    }
    const int status = run->objective == ISAC_SP ? serve(run) : 0;
    run->step.kind = run->objective == ISAC_SP ? SCA_SP : SCA_CP;
    sca_evaluate(&s->rows, run->step.kind, &s->at);
    return status;
}

/* Iteration ------------------------------------------------------------------------------------------------------- */

static void show(const struct sca_run *run)
{
    isac_sca_t *const s = run->sca;
    const int n_ant = run->scene->n_ant;
    for (int i = 0; i < s->rows.n_ap * s->rows.n_ue; i++) {
        s->eta_c[i] = run->scene->gamma[i] > 0 ? s->at.p[i] / (n_ant * run->scene->gamma[i]) : 0;
    }
    for (int i = 0; i < s->rows.n_ap * s->rows.n_zone; i++) {
        s->eta_s[i] = s->at.r[i] / n_ant;
    }
    if (run->seen) {
        const struct isac_sca_view view = {run->result->n_step, run->step.lambda, s->at.a, s->eta_c, s->eta_s, s->at.t};
        run->seen(run->context, &view);
    }
}

static int run_stage(struct sca_run *run, double lambda, int n_step)
{
    run->step.lambda = lambda;
    for (int i = 0; i < n_step; i++) {
        const double change = advance(run);
        if (change < 0) {
            return TUTTI_ENOMEM;
        }
        if (change == 0) { /* Ipopt did not finish, or nothing moves */
            return 0;
        }
        run->result->n_step++;
        show(run);
        if (change < SETTLED) {
            return 0;
        }
    }
    return 0;
}

static int run_stages(struct sca_run *run)
{
    show(run);
    int status = run_stage(run, 0, FREE_STEPS);
    for (int i = 0; i < N_PENALTY && !status && !is_binary(run); i++) {
        run->step.floor = i == N_PENALTY - 1 ? LAST_FLOOR : FLOOR;
        status = run_stage(run, PENALTIES[i], STAGE_STEPS);
    }
    is_binary(run);
    run->result->relaxed = run->sca->at.t;
    return status;
}

/* Rounding -------------------------------------------------------------------------------------------------------- */

static struct isac_solution solve_candidate(const struct sca_run *run)
{
    isac_sca_t *const s = run->sca;
    struct isac_solution solution;
    isac_power_solve(s->power, run->scene, &run->step.limits, run->objective, s->candidate, s->eta_c, s->eta_s,
                     &solution);
    return solution;
}

static int sort_by_mode(const struct sca_run *run)
{
    isac_sca_t *const s = run->sca;
    int n_below = 0;
    for (int m = 0; m < s->rows.n_ap; m++) {
        int at = m;
        for (; at > 0 && s->at.a[s->order[at - 1]] > s->at.a[m]; at--) {
            s->order[at] = s->order[at - 1];
        }
        s->order[at] = m;
        n_below += s->at.a[m] < 0.5;
    }
    return n_below;
}

/* All prefixes of a small network; of a large one those up to some APs more than have a below 0.5. */
static void round_modes(struct sca_run *run, unsigned char *mode, double *eta_c, double *eta_s)
{
    isac_sca_t *const s = run->sca;
    const int n_ap = s->rows.n_ap, n_below = sort_by_mode(run);
    const int last = n_ap <= SMALL_NETWORK || n_below + WINDOW >= n_ap ? n_ap - 1 : n_below + WINDOW;
    struct isac_solution *const best = &run->result->prefix;
    for (int m = 0; m < n_ap; m++) {
        s->candidate[m] = s->at.a[m] >= 0.5 ? ISAC_COMMUNICATION : ISAC_SENSING;
    }
    run->result->threshold = solve_candidate(run);
    for (int j = 1; j <= last; j++) {
        for (int i = 0; i < n_ap; i++) {
            s->candidate[s->order[i]] = i < j ? ISAC_SENSING : ISAC_COMMUNICATION;
        }
        const struct isac_solution found = solve_candidate(run);
        const bool better =
            run->objective == ISAC_CP ? found.objective > best->objective : found.objective < best->objective;
        if (found.verdict == ISAC_FEASIBLE && (run->result->n_sensing == 0 || better)) {
            *best = found;
            run->result->n_sensing = j;
            memcpy(mode, s->candidate, (size_t)n_ap);
            memcpy(eta_c, s->eta_c, (size_t)(n_ap * s->rows.n_ue) * sizeof(double));
            memcpy(eta_s, s->eta_s, (size_t)(n_ap * s->rows.n_zone) * sizeof(double));
        }
    }
}

int isac_sca_run(isac_sca_t *sca, const struct isac_scene *scene, const struct isac_limits *limits,
                 enum isac_objective objective, uint64_t seed, isac_sca_seen_t *seen, void *context,
                 unsigned char *mode, double *eta_c, double *eta_s, struct isac_sca_result *result)
{
    struct sca_run run = {.sca = sca, .scene = scene, .objective = objective, .seen = seen, .context = context};
    const struct isac_solution none = {.verdict = ISAC_QOS_UNREACHABLE, .objective = NAN};
    *result = (struct isac_sca_result){.relaxed = NAN, .threshold = none, .prefix = none};
    run.result = result;
    run.step = (struct sca_step){.rows = &sca->rows, .limits = *limits, .floor = FLOOR, .at = &sca->at};
    memset(mode, ISAC_COMMUNICATION, (size_t)sca->rows.n_ap);
    memset(eta_c, 0, (size_t)(sca->rows.n_ap * sca->rows.n_ue) * sizeof(double));
    memset(eta_s, 0, (size_t)(sca->rows.n_ap * sca->rows.n_zone) * sizeof(double));
    isac_rows_load(&sca->rows, scene);
    sca->state = seed;
    int status = find_start(&run);
    if (!status && result->verdict == ISAC_FEASIBLE) {
        status = run_stages(&run);
        if (!status) {
            round_modes(&run, mode, eta_c, eta_s);
        }
    }
    result->n_ipopt = run.step.n_ipopt;
    return status;
}
