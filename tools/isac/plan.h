/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A plan of `tutti isac`: the gains of a network file's geometry, the modes and powers chosen for them, what they give;
 * as tables, as JSON, as a map. */
#ifndef TUTTI_TOOLS_ISAC_PLAN_H
#define TUTTI_TOOLS_ISAC_PLAN_H

#include "base/config.h"
#include "isac/modes.h"

struct isac_plan {
    const struct config *config;
    struct isac_scene scene;
    struct isac_limits limits;
    enum isac_objective objective;
    struct isac_decision decision;
    double largest_masr; /* that all zones reach together */
    double *position_m;  /* [n_ap + n_ue][3] */
    double *beta, *gamma, *zeta, *theta, *eta_c, *eta_s;
    double *a, *sinr, *masr, *sinr_eve, *power;
    unsigned char *mode;
};

/* Gains and limits of the network file; the config stays the caller's and must outlive the plan. */
int isac_plan_create(struct isac_plan *plan, const struct config *config);
void isac_plan_destroy(struct isac_plan *plan);
/* Searches modes, or takes those of modes, "0" sensing and "1" communication per AP; then fills in the metrics. */
int isac_plan_solve(struct isac_plan *plan, enum isac_effort effort, const char *modes);
void isac_plan_print(const struct isac_plan *plan);
int isac_plan_json(const struct isac_plan *plan, const char *path);
int isac_plan_map(const struct isac_plan *plan, const char *path); /* SVG by gnuplot */

#endif
