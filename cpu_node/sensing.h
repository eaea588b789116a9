/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which access point serves and which illuminates zones, and with what powers: decided on the slow clock from
 * large-scale figures (isac/modes.h), anew when a zone moves, an access point or user comes or goes, or a gain that
 * counts has changed by more than 3 dB. The slow thread's; it may allocate, and a decision takes milliseconds to
 * seconds. */
#ifndef TUTTI_CPU_NODE_SENSING_H
#define TUTTI_CPU_NODE_SENSING_H

#include "base/config.h"

#include <stddef.h>

struct sensing_shape {
    int n_ap, n_ue, n_zone;
};

/* A decision as one array of doubles, so that it goes through rings as a whole; these are its parts. With powers 1 is
 * an AP's budget per subcarrier, with gains the unit the receiver's noise. */
struct sensing_plan {
    double *share;           /* [n_ap][n_ue] of the budget for a user's data, N gamma eta_c; 0 where an AP senses */
    double *eta_s;           /* [n_ap][n_zone] of steering vectors; 0 where an AP communicates */
    double *theta_rad;       /* [n_ap][n_zone] */
    double *mode;            /* [n_ap] 1 serves, 0 senses */
    double *sinr;            /* [n_ue] by the closed forms, non-coherent; 0 of users that are not served */
    double *masr, *sinr_eve; /* [n_zone] */
};
size_t sensing_plan_doubles(const struct sensing_shape *shape);
struct sensing_plan sensing_plan_in(double *memory, const struct sensing_shape *shape);

struct sensing_input {
    uint64_t block;
    const float *beta, *error_variance; /* [n_ap][n_ue] */
    const uint8_t *ap_present;          /* [n_ap] */
    const uint8_t *user_served;         /* [n_ue] */
};
enum { SENSING_TEXT_BYTES = 160 };
typedef struct sensing sensing_t;

int sensing_create(sensing_t **sensing, const struct config *config);
void sensing_destroy(sensing_t *sensing); /* NULL and half-built allowed */
/* One block's figures. True: something was decided; `text` says what, without its first block. *plan is the decision
 * [sensing_plan_doubles], or NULL: infeasible, and what was decided last stays. Valid until the next call. */
bool sensing_hear(sensing_t *sensing, const struct sensing_input *input, const double **plan,
                  char text[SENSING_TEXT_BYTES]);

#endif
