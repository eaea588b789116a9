/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "isac/power.h"

#include "base/error.h"
#include "isac/rows.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_LEVELS = 200 };
static const double STRIDE = 0.9;         /* of the way from the level to what is reached */
static const double CONVERGED = 1e-7;     /* relative change of the level */
static const double OBJECTIVE_WEIGHT = 4; /* of all objective rows over that of all others */

struct isac_power {
    struct isac_rows rows;
    struct isac_newton newton;
    unsigned char *sends, *senses, *nobody;
    int steps;
};

int isac_power_create(isac_power_t **power, int n_ap, int n_ue, int n_zone)
{
    isac_power_t *const p = *power = calloc(1, sizeof *p);
    if (!p) {
        return error_set(TUTTI_ENOMEM, "no memory for the powers of %d APs", n_ap);
    }
    if (n_ap < 1 || n_ue < 1 || n_zone < 1) {
        return error_set(TUTTI_EINVAL, "sensing needs an AP, a user and a zone, not %d, %d and %d", n_ap, n_ue, n_zone);
    }
    const size_t n = (size_t)n_ap;
    p->sends = calloc(n, 1);
    p->senses = calloc(n, 1);
    p->nobody = calloc(n, 1);
    if (!p->sends || !p->senses || !p->nobody) {
        return error_set(TUTTI_ENOMEM, "no memory for the modes of %d APs", n_ap);
    }
    const int status = isac_rows_create(&p->rows, n_ap, n_ue, n_zone);
    return status ? status : isac_newton_create(&p->newton, n_ap, n_ue, n_zone);
}

void isac_power_destroy(isac_power_t *power)
{
    if (power) {
        isac_rows_destroy(&power->rows);
        isac_newton_destroy(&power->newton);
        free(power->sends);
        free(power->senses);
        free(power->nobody);
        free(power);
    }
}

/* Weight of each of n objective rows: together OBJECTIVE_WEIGHT times all other terms of the barrier. */
static double weight_of(const struct isac_rows *rows, int n)
{
    const int others = isac_rows_size(rows) + rows->n_ap + rows->n_ue + 2 * rows->n_zone;
    return OBJECTIVE_WEIGHT * others / n;
}

/* Everything that may sense does: a start for the zones' rows. */
static void sense_equally(struct isac_rows *rows)
{
    for (int i = 0; i < isac_rows_size(rows); i++) {
        rows->x[i] = 0.5 / rows->n_zone;
    }
    isac_rows_evaluate(rows, rows->x);
}

/* Raises the MASR that all zones reach, nobody sending to users, until it is enough or does not rise. x holds the
 * sensing powers. */
static double raise_masr(isac_power_t *p, double enough)
{
    struct isac_rows *const rows = &p->rows;
    isac_rows_choose(rows, p->nobody, p->senses);
    if (isac_rows_size(rows) == 0) {
        return 0;
    }
    sense_equally(rows);
    struct isac_barrier barrier = {.masr_weight = weight_of(rows, rows->n_zone)};
    double reached = isac_least_masr(rows);
    for (int i = 0; i < MAX_LEVELS && reached < enough; i++) {
        const double before = barrier.masr_level;
        barrier.masr_level += STRIDE * (reached - before);
        if (barrier.masr_level - before <= CONVERGED * barrier.masr_level) {
            break;
        }
        p->steps += isac_centre(rows, &barrier, &p->newton);
        reached = isac_least_masr(rows);
    }
    return reached;
}

/* Adds the users' powers, so small that every row keeps to its limit. x holds the sensing powers of all that sense and
 * holds both afterwards. */
static void add_small_powers(isac_power_t *p, const struct isac_limits *limits)
{
    struct isac_rows *const rows = &p->rows;
    double *const r = p->newton.trial; /* free between Newton steps */
    memcpy(r, rows->x, (size_t)isac_rows_size(rows) * sizeof *r);
    isac_rows_choose(rows, p->sends, p->senses);
    for (double small = 0.25 / rows->n_ue; small > 0; small *= 0.25) {
        const double *next = r;
        for (int m = 0; m < rows->n_ap; m++) {
            for (int i = rows->first[m]; i < rows->first[m + 1]; i++) {
                const bool sending = i - rows->first[m] < rows->n_p[m];
                rows->x[i] = sending ? small : *next++;
            }
        }
        isac_rows_evaluate(rows, rows->x);
        bool inside = isac_least_masr(rows) > limits->kappa * (1 + 1e-9) && isac_largest_eve(rows) < limits->nu;
        for (int m = 0; m < rows->n_ap; m++) {
            inside = inside && rows->slack[m] > 0;
        }
        if (inside) {
            return;
        }
    }
}

/* CP from a point inside: raises the users' level until it is enough or does not rise; eves: with their limit. */
static double raise_users(isac_power_t *p, const struct isac_limits *limits, bool eves, double enough)
{
    struct isac_rows *const rows = &p->rows;
    struct isac_barrier barrier = {.users = true,
                                   .eves = eves,
                                   .eve_level = limits->nu,
                                   .masr_level = limits->kappa,
                                   .user_weight = weight_of(rows, rows->n_ue),
                                   .eve_weight = 1,
                                   .masr_weight = 1};
    double reached = isac_least_sinr(rows);
    for (int i = 0; i < MAX_LEVELS && reached < enough; i++) {
        const double before = barrier.user_level;
        barrier.user_level += STRIDE * (reached - before);
        if (barrier.user_level - before <= CONVERGED * barrier.user_level) {
            break;
        }
        p->steps += isac_centre(rows, &barrier, &p->newton);
        reached = isac_least_sinr(rows);
    }
    return reached;
}

/* SP from a point inside: lowers the eavesdroppers' level as far as it goes. */
static double lower_eves(isac_power_t *p, const struct isac_limits *limits)
{
    struct isac_rows *const rows = &p->rows;
    double reached = isac_largest_eve(rows);
    struct isac_barrier barrier = {.users = true,
                                   .eves = true,
                                   .user_level = limits->qos,
                                   .masr_level = limits->kappa,
                                   .eve_level = 2 * reached,
                                   .user_weight = 1,
                                   .masr_weight = 1,
                                   .eve_weight = weight_of(rows, rows->n_zone)};
    for (int i = 0; i < MAX_LEVELS; i++) {
        const double before = barrier.eve_level;
        barrier.eve_level -= STRIDE * (before - reached);
        if (before - barrier.eve_level <= CONVERGED * barrier.eve_level) {
            break;
        }
        p->steps += isac_centre(rows, &barrier, &p->newton);
        reached = isac_largest_eve(rows);
    }
    return reached;
}

/* Powers of x as coefficients. */
static void hand_out(const isac_power_t *p, const struct isac_scene *scene, double *eta_c, double *eta_s)
{
    const struct isac_rows *const rows = &p->rows;
    for (int m = 0; m < rows->n_ap; m++) {
        const double *const x = rows->x + rows->first[m];
        const int n_p = rows->n_p[m], n_x = rows->first[m + 1] - rows->first[m];
        for (int k = 0; k < n_p; k++) {
            const double gamma = scene->gamma[m * rows->n_ue + k];
            eta_c[m * rows->n_ue + k] = gamma > 0 ? x[k] / (scene->n_ant * gamma) : 0;
        }
        for (int l = 0; l < n_x - n_p; l++) {
            eta_s[m * rows->n_zone + l] = x[n_p + l] / scene->n_ant;
        }
    }
}

static void allow(isac_power_t *p, const unsigned char *mode)
{
    for (int m = 0; m < p->rows.n_ap; m++) {
        p->sends[m] = mode[m] != ISAC_SENSING;
        p->senses[m] = mode[m] != ISAC_COMMUNICATION;
    }
}

/* The verdict; x holds the powers when feasible. */
static enum isac_verdict solve(isac_power_t *p, const struct isac_limits *limits, enum isac_objective objective,
                               struct isac_solution *solution)
{
    solution->reachable = raise_masr(p, 1.5 * limits->kappa);
    if (!(solution->reachable > limits->kappa * (1 + 1e-6))) {
        return ISAC_MASR_UNREACHABLE;
    }
    add_small_powers(p, limits);
    const bool served = isac_least_sinr(&p->rows) > 0; /* an AP that may send knows every user */
    if (objective == ISAC_CP) {
        solution->reachable = served ? raise_users(p, limits, true, INFINITY) : 0;
        solution->objective = served ? solution->reachable : NAN;
        return served ? ISAC_FEASIBLE : ISAC_QOS_UNREACHABLE;
    }
    solution->reachable = served ? raise_users(p, limits, false, 1.05 * limits->qos) : 0;
    if (!(solution->reachable > limits->qos * (1 + 1e-6))) {
        return ISAC_QOS_UNREACHABLE;
    }
    solution->objective = lower_eves(p, limits);
    return ISAC_FEASIBLE;
}

void isac_power_solve(isac_power_t *p, const struct isac_scene *scene, const struct isac_limits *limits,
                      enum isac_objective objective, const unsigned char *mode, double *eta_c, double *eta_s,
                      struct isac_solution *solution)
{
    *solution = (struct isac_solution){.objective = NAN};
    memset(eta_c, 0, (size_t)(p->rows.n_ap * p->rows.n_ue) * sizeof *eta_c);
    memset(eta_s, 0, (size_t)(p->rows.n_ap * p->rows.n_zone) * sizeof *eta_s);
    isac_rows_load(&p->rows, scene);
    allow(p, mode);
    p->steps = 0;
    solution->verdict = solve(p, limits, objective, solution);
    solution->steps = p->steps;
    if (solution->verdict == ISAC_FEASIBLE) {
        hand_out(p, scene, eta_c, eta_s);
    }
}

double isac_power_largest_masr(isac_power_t *p, const struct isac_scene *scene, const unsigned char *mode)
{
    isac_rows_load(&p->rows, scene);
    allow(p, mode);
    p->steps = 0;
    return raise_masr(p, INFINITY);
}
