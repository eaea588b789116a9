/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the studies of communication and sensing share: random drops (model A: users in non-line-of-sight UMi with 4 dB,
 * zones in line of sight), and a job's solvers. A drop depends on seed and index alone. */
#ifndef TUTTI_TOOLS_STUDY_ISAC_WORKER_H
#define TUTTI_TOOLS_STUDY_ISAC_WORKER_H

#include "isac/modes.h"
#include "tools/study/study.h"

struct isac_worker {
    struct isac_scene scene;
    double *beta, *gamma, *zeta, *theta, *eta_c, *eta_s, *a, *sinr, *masr, *sinr_eve, *rate, *secrecy;
    double *stream;                              /* [zone][ue] SINR of an eavesdropper that wants one stream */
    double (*ap_m)[2], (*ue_m)[2], (*zone_m)[2]; /* places of the drop */
    unsigned char *mode;
    isac_modes_t *modes;
    int n_ap, n_ue, n_zone; /* for which modes is made */
    double rate_eve;        /* of the last evaluation */
};

int isac_worker_open(const struct study_run *run, void **worker);
void isac_worker_close(void *worker);
/* Another drop; no sizes above the parameters'. 0 or a negative code. */
struct isac_sizes {
    int n_ap, n_ue, n_zone;
};
struct isac_sizes isac_sizes(const struct study_run *run); /* the parameters' */
int isac_worker_draw(struct isac_worker *w, const struct study_run *run, uint64_t drop, struct isac_sizes sizes);
/* Modes and powers; metrics and rates of them are in the worker afterwards. */
struct isac_decision isac_worker_decide(struct isac_worker *w, const struct study_run *run,
                                        enum isac_objective objective, enum isac_effort effort,
                                        const struct isac_limits *limits);
/* Metrics and rates of the powers and modes that the worker holds; the mean secrecy rate over the users. */
double isac_worker_rates(struct isac_worker *w, const struct study_run *run);
/* Mean over the users of what is left of their rates when an eavesdropper wants their stream alone. */
double isac_worker_stream_secrecy(struct isac_worker *w, const struct study_run *run);
double isac_worker_prelog(const struct isac_worker *w, const struct study_run *run);
double isac_worker_mean_rate(const struct isac_worker *w); /* of the users */
/* A random half of the APs senses. */
void isac_worker_random_half(struct isac_worker *w, const struct study_run *run, uint64_t drop);

struct isac_limits isac_limits_of(const struct study_run *run, double kappa_db, double qos);
#define ISAC_QOS_4_DB 2.51188643150958
/* What is printed with every figure; from ISAC_CAVEATS + ISAC_CAVEATS_SEARCH on, with the mode search. */
enum { ISAC_CAVEATS_SEARCH = 5 };
extern const char *const ISAC_CAVEATS[];

#define ISAC_PARAMETERS                                                                                                \
    {"side_m", 500, 'T', "square, APs, users, zones uniform"}, {"height_m", 10, 'A', "height difference"},             \
        {"n_ant", 8, 'T', "N per AP"}, {"noise_dbm", -92, 'A', "20 MHz, noise figure 9 dB"},                           \
        {"data_dbm", 30, 'T', "1 W"}, {"pilot_dbm", 23.9794, 'T', "0.25 W"}, {"tau", 200, 'T', "tau_t = K + L"},       \
        {"nu", 0.5, 'T', "largest SINR of an eavesdropper"},                                                           \
    {                                                                                                                  \
        "kappa_db", 2, 'T', "least MASR"                                                                               \
    }
#define ISAC_COUNTERPART "tutti run examples/isac.yaml"

#endif
