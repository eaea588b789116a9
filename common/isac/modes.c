/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "isac/modes.h"

#include "base/error.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SMALL_NETWORK = 12, NEIGHBOURS = 8 };
static const double SHARE = 0.05;      /* from this sensing share on an AP counts as sensing in the relaxation */
static const double WORTHWHILE = 1e-7; /* relative improvement that keeps the descent going */

struct isac_modes {
    int n_ap, n_ue, n_zone;
    isac_power_t *power;
    double *share;                   /* [ap] of its power that an AP spends on sensing in the relaxation */
    int *order;                      /* [ap] by share, largest first */
    double *eta_c, *eta_s;           /* of the candidate */
    unsigned char *candidate, *base; /* [ap] */
    bool *near;                      /* [ap] takes part in flips and swaps */
};

/* One search: what is asked and the best so far. */
struct search {
    isac_modes_t *modes;
    const struct isac_scene *scene;
    const struct isac_limits *limits;
    enum isac_objective objective;
    unsigned char *mode;
    double *eta_c, *eta_s;
    struct isac_decision *decision;
};

int isac_modes_create(isac_modes_t **modes, int n_ap, int n_ue, int n_zone)
{
    isac_modes_t *const s = *modes = calloc(1, sizeof *s);
    if (!s) {
        return error_set(TUTTI_ENOMEM, "no memory for the modes of %d APs", n_ap);
    }
    const int status = isac_power_create(&s->power, n_ap, n_ue, n_zone);
    if (status) {
        return status;
    }
    const size_t n = (size_t)n_ap;
    *s = (struct isac_modes){.n_ap = n_ap,
                             .n_ue = n_ue,
                             .n_zone = n_zone,
                             .power = s->power,
                             .share = calloc(n, sizeof(double)),
                             .order = calloc(n, sizeof(int)),
                             .eta_c = calloc(n * (size_t)n_ue, sizeof(double)),
                             .eta_s = calloc(n * (size_t)n_zone, sizeof(double)),
                             .candidate = calloc(n, 1),
                             .base = calloc(n, 1),
                             .near = calloc(n, sizeof(bool))};
    const bool ok = s->share && s->order && s->eta_c && s->eta_s && s->candidate && s->base && s->near;
    return ok ? 0 : error_set(TUTTI_ENOMEM, "no memory for the modes of %d APs", n_ap);
}

void isac_modes_destroy(isac_modes_t *modes)
{
    if (modes) {
        isac_power_destroy(modes->power);
        free(modes->share);
        free(modes->order);
        free(modes->eta_c);
        free(modes->eta_s);
        free(modes->candidate);
        free(modes->base);
        free(modes->near);
        free(modes);
    }
}

static bool better(enum isac_objective objective, double value, double than)
{
    return objective == ISAC_CP ? value > than * (1 + WORTHWHILE) : value < than * (1 - WORTHWHILE);
}

/* Powers for the candidate's modes; keeps it when it is the best. Returns whether it was. */
static bool try_candidate(struct search *s, double *objective)
{
    isac_modes_t *const m = s->modes;
    struct isac_solution solution;
    isac_power_solve(m->power, s->scene, s->limits, s->objective, m->candidate, m->eta_c, m->eta_s, &solution);
    s->decision->solves++;
    s->decision->solution.steps += solution.steps;
    *objective = solution.objective;
    const bool first = s->decision->solution.verdict != ISAC_FEASIBLE;
    if (solution.verdict != ISAC_FEASIBLE ||
        !(first || better(s->objective, solution.objective, s->decision->solution.objective))) {
        return false;
    }
    solution.steps = s->decision->solution.steps;
    s->decision->solution = solution;
    memcpy(s->mode, m->candidate, (size_t)m->n_ap);
    memcpy(s->eta_c, m->eta_c, (size_t)(m->n_ap * m->n_ue) * sizeof(double));
    memcpy(s->eta_s, m->eta_s, (size_t)(m->n_ap * m->n_zone) * sizeof(double));
    return true;
}

/* Sensing share of every AP in the relaxation. SP leaves most of the users' power unused, so that it counts more. */
static void sort_by_share(struct search *s)
{
    isac_modes_t *const m = s->modes;
    const double scale = s->objective == ISAC_SP ? 30 : 1;
    for (int ap = 0; ap < m->n_ap; ap++) {
        double data = 0, sensing = 0;
        for (int k = 0; k < m->n_ue; k++) {
            data += m->eta_c[ap * m->n_ue + k] * s->scene->gamma[ap * m->n_ue + k];
        }
        for (int l = 0; l < m->n_zone; l++) {
            sensing += m->eta_s[ap * m->n_zone + l];
        }
        m->share[ap] = sensing > 0 ? sensing / (sensing + scale * data) : 0;
        int at = ap;
        for (; at > 0 && m->share[m->order[at - 1]] < m->share[ap]; at--) {
            m->order[at] = m->order[at - 1];
        }
        m->order[at] = ap;
    }
}

static void try_prefix(struct search *s, int n_sensing)
{
    isac_modes_t *const m = s->modes;
    double unused;
    for (int i = 0; i < m->n_ap; i++) {
        m->candidate[m->order[i]] = i < n_sensing ? ISAC_SENSING : ISAC_COMMUNICATION;
    }
    try_candidate(s, &unused);
}

static void try_prefixes(struct search *s)
{
    const isac_modes_t *const m = s->modes;
    if (s->objective == ISAC_SP) { /* 1, 2, 3, 4, 6, 9, 14, 21, ... */
        for (int j = 1; j < m->n_ap; j = j < 4 ? j + 1 : j + j / 2) {
            try_prefix(s, j);
        }
        return;
    }
    int n = 0;
    while (n < m->n_ap && m->share[m->order[n]] > SHARE) {
        n++;
    }
    for (int j = n - 3 > 1 ? n - 3 : 1; j <= n + 1 && j < m->n_ap; j++) {
        try_prefix(s, j);
    }
}

/* In large networks the sensing APs and those that came next in the relaxation. */
static void choose_near(struct search *s)
{
    isac_modes_t *const m = s->modes;
    int n = 0;
    for (int i = 0; i < m->n_ap; i++) {
        const int ap = m->order[i];
        const bool sensing = m->base[ap] == ISAC_SENSING;
        m->near[ap] = sensing || m->n_ap <= SMALL_NETWORK || n < NEIGHBOURS;
        n += !sensing;
    }
}

/* The best of all single flips and, if asked, of all swaps of a sensing and a communicating AP. Returns whether it is
 * better than what was there. */
static bool improve(struct search *s, enum isac_effort effort)
{
    isac_modes_t *const m = s->modes;
    double unused;
    bool improved = false;
    memcpy(m->base, s->mode, (size_t)m->n_ap);
    choose_near(s);
    for (int i = 0; i < m->n_ap; i++) {
        memcpy(m->candidate, m->base, (size_t)m->n_ap);
        m->candidate[i] = !m->base[i];
        improved |= m->near[i] && try_candidate(s, &unused);
        for (int j = 0; j < m->n_ap && effort == ISAC_SWAPS; j++) {
            if (m->near[i] && m->near[j] && m->base[i] == ISAC_SENSING && m->base[j] == ISAC_COMMUNICATION) {
                m->candidate[j] = ISAC_SENSING;
                improved |= try_candidate(s, &unused);
                m->candidate[j] = ISAC_COMMUNICATION;
            }
        }
    }
    return improved;
}

static struct search begin(isac_modes_t *modes, const struct isac_scene *scene, const struct isac_limits *limits,
                           enum isac_objective objective, unsigned char *mode, double *eta_c, double *eta_s,
                           struct isac_decision *decision)
{
    const struct search s = {modes, scene, limits, objective, mode, eta_c, eta_s, decision};
    *decision = (struct isac_decision){.bound = NAN};
    memset(eta_c, 0, (size_t)(modes->n_ap * modes->n_ue) * sizeof(double));
    memset(eta_s, 0, (size_t)(modes->n_ap * modes->n_zone) * sizeof(double));
    memset(mode, ISAC_COMMUNICATION, (size_t)modes->n_ap);
    /* The relaxation: its powers stay in eta_c and eta_s of the candidate. */
    memset(modes->candidate, ISAC_EITHER, (size_t)modes->n_ap);
    isac_power_solve(modes->power, scene, limits, objective, modes->candidate, modes->eta_c, modes->eta_s,
                     &decision->solution);
    decision->solves = 1;
    decision->bound = decision->solution.objective;
    return s;
}

/* From here on the decision's verdict is that of modes: what they reach is not known yet. */
static void forget_relaxation(struct isac_decision *decision)
{
    decision->solution.verdict = ISAC_QOS_UNREACHABLE;
    decision->solution.objective = NAN;
}

void isac_modes_search(isac_modes_t *modes, const struct isac_scene *scene, const struct isac_limits *limits,
                       enum isac_objective objective, enum isac_effort effort, unsigned char *mode, double *eta_c,
                       double *eta_s, struct isac_decision *decision)
{
    struct search s = begin(modes, scene, limits, objective, mode, eta_c, eta_s, decision);
    if (decision->solution.verdict != ISAC_FEASIBLE) {
        return;
    }
    sort_by_share(&s);
    forget_relaxation(decision);
    try_prefixes(&s);
    while (effort >= ISAC_FLIPS && improve(&s, effort)) {
        continue;
    }
}

void isac_modes_exhaust(isac_modes_t *modes, const struct isac_scene *scene, const struct isac_limits *limits,
                        enum isac_objective objective, double *objective_of, unsigned char *mode, double *eta_c,
                        double *eta_s, struct isac_decision *decision)
{
    struct search s = begin(modes, scene, limits, objective, mode, eta_c, eta_s, decision);
    const unsigned n = 1u << modes->n_ap;
    forget_relaxation(decision);
    for (unsigned i = 0; i < n; i++) {
        double value;
        for (int m = 0; m < modes->n_ap; m++) {
            modes->candidate[m] = (i >> (modes->n_ap - 1 - m)) & 1;
        }
        try_candidate(&s, &value);
        if (objective_of) {
            objective_of[i] = value;
        }
    }
}
