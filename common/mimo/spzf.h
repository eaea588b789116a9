/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Phase-only zero-forcing (PZF) of artificial noise: unit phasors b_n = exp(j theta_n) with
 *
 *     sum_n h_kn b_n = 0   for every user k = 0 .. K-1                                            (spzf (11))
 *
 * so that one RF chain behind a bank of phase shifters sends noise that no legitimate user hears. Solved by successive
 * partition (SPZF: closed form, microseconds) with a numerical fallback (Levenberg-Marquardt).
 *
 * Convention: rows h_k multiply with a PLAIN TRANSPOSE, y_k = sum_n h_kn x_n, as in [Hong 2025]. Whoever works with
 * y_k = h_k^H x passes the same h_k and conjugates the beam: sum h b = 0 is the same as sum conj(h) conj(b) = 0.
 *
 * Quality of an answer (dimensionless, scale invariant), acceptance limit SPZF_RESIDUAL_LIMIT:
 *     check(H, b) = max_k |sum_n h_kn b_n| / sum_n |h_kn|, a zero row counting 0.
 *
 * Every input gives an answer: zero entries, zero rows, equal magnitudes, any range of magnitudes, N < 3^K, infeasible
 * channels. Where no exact answer was found the outage bits say so and the beam is the least residual found. Never NaN.
 * Create allocates; execute does not allocate, lock or block. One handle per thread. Same seed, same answers.
 *
 * Cost of PLUS on one 2.5 GHz core (bench_spzf): two users, N = 16 about 1 us, N = 128 about 7 us; three users, N = 64
 * about 6 us. A channel that has no solution (1 in 10^4 at N = 9, none seen from N = 11 on) runs through every try and
 * the certificate: up to 0.2 ms at N = 9. n_bases, n_plans and n_starts bound that. More than eight users go to LM at
 * once, which near its least N = 2K + 1 takes milliseconds (16 users, N = 33: 6 ms; 63 users, N = 128: 0.4 s):
 * spzf_limit bounds it. */
#ifndef TUTTI_MIMO_SPZF_H
#define TUTTI_MIMO_SPZF_H

#include "base/types.h"

enum {
    SPZF_MAX_ANT = 2048,
    SPZF_MAX_USER = 64, /* numerical methods */
    SPZF_MAX_STEPS = 8  /* users the partition methods accept: 3^7 > SPZF_MAX_ANT already */
};

#define SPZF_RESIDUAL_LIMIT 1e-12

/* How antennas are put into sets, or LM. The first four are those of [Hong 2025]; the others are better and cheaper. */
enum spzf_method {
    SPZF_RANDOM,       /* balanced random sets                     O(K N) */
    SPZF_ITERATIVE,    /* moves antennas until the sets close      O(I (N log N + P N)), I <= 50 */
    SPZF_ITERATIVE_FC, /* swaps antennas, sizes stay               O(I N^2) */
    SPZF_GENETIC,      /* a genetic search                         O(10 N^2) per generation, 20 N^2 words */
    SPZF_PAIR_FILL,    /* neighbours in length, then fill the gaps O(N log N + N P) */
    SPZF_BEST_FIT,     /* depth-first search of tight triples; for N near 3 P */
    SPZF_PLUS,         /* best of PAIR_FILL and BEST_FIT with mirrors, several plans and bases */
    SPZF_LM            /* damped Gauss-Newton from random starts   O(K^2 N) per iteration, needs N >= 2K + 1 */
};

struct spzf_settings {
    enum spzf_method method;
    int n_ant,
        n_user;   /* N in 2..SPZF_MAX_ANT; K in 1..SPZF_MAX_USER, partition methods other than PLUS 1..SPZF_MAX_STEPS */
    int n_sets;   /* sets of the first step (P_1); 0 = default plan of spzf_plan. PLUS tries this one first */
    bool mirrors; /* choose between the two forms of each polygon */
    bool uniform_start; /* ITERATIVE only: uniform instead of balanced start */
    bool fallback;      /* after an outage: LM from the partition's phases, then random starts */
    int n_plans;        /* PLUS: plans tried per basis, 1..4 */
    int n_bases;        /* PLUS: bases tried, 1..64 */
    int n_starts;       /* LM and fallback: random starts, 0..1000 (LM at least 1) */
    int node_budget;    /* BEST_FIT and PLUS: triples tried before giving up, at least 1 */
    uint64_t seed;
};

/* Outage bits; 0 = every user is nulled to SPZF_RESIDUAL_LIMIT or better. */
enum {
    SPZF_E1 = 1,         /* a set cannot close its polygon, or is empty (31) */
    SPZF_E2 = 2,         /* the last polygon cannot close (32) */
    SPZF_UNSOLVED = 4,   /* the answer's residual is above SPZF_RESIDUAL_LIMIT */
    SPZF_INFEASIBLE = 8, /* proved: no phases exist (6.5); residual_bound says how far off any must be */
    SPZF_BAD_INPUT = 16, /* a channel entry is not finite; the beam is all ones */
    SPZF_DEADLINE = 32   /* stopped before it was solved, see spzf_limit */
};

enum spzf_source { SPZF_BY_PARTITION, SPZF_BY_LM, SPZF_BY_NOTHING };

struct spzf_result {
    unsigned outage;       /* of the answer given */
    double residual;       /* check(H, beam) */
    double residual_bound; /* no phases can do better than this; 0 unless SPZF_INFEASIBLE */
    enum spzf_source source;
    int n_tries;      /* partitions tried */
    int n_iterations; /* of LM, over all starts */
    int n_sets;       /* P_1 of the answer; 0 if LM did not start from a partition */
};

typedef struct spzf spzf_t;

/* The method's usual settings: those of [Hong 2025] plain (no mirrors, no fallback), PLUS with everything. */
struct spzf_settings spzf_settings_default(enum spzf_method method, int n_ant, int n_user);
/* 0, or TUTTI_EINVAL with the sentence naming the field. */
int spzf_settings_check(const struct spzf_settings *settings);

int spzf_create(spzf_t **spzf, const struct spzf_settings *settings);
void spzf_destroy(spzf_t *spzf); /* NULL and half-built allowed */
/* Restart the random numbers, e.g. with the block number, so that an execute depends on nothing that went before. */
void spzf_reset(spzf_t *spzf, uint64_t seed);

/* From here on every execute stops before this instant (clock_mono_ns; 0, the default: none) with the least residual it
 * has found, after one partition (microseconds) at least, or one start without steps where partitions are not for so
 * many users. Steps are not cut short: it may be late by one (tens of users: a millisecond). */
void spzf_limit(spzf_t *spzf, uint64_t deadline_mono_ns);

/* H [n_user][n_ant], ant fastest; beam [n_ant], |beam| = 1; result may be NULL. Returns 0, or TUTTI_ENUMERIC when
 * result->outage is not 0. */
int spzf_execute(spzf_t *spzf, const double complex *H, double complex *beam, struct spzf_result *result);
/* The same with the first step's sets given: labels [n_ant] in 0..n_sets-1 (TUTTI_EINVAL otherwise, beam all ones); one
 * try, the handle's method for further steps. Not for SPZF_LM handles. */
int spzf_execute_labels(spzf_t *spzf, const double complex *H, int n_sets, const int *labels, double complex *beam,
                        struct spzf_result *result);
/* One partition alone: magnitude [n], n <= n_ant, labels [n] out. Methods that need more workspace than the handle has
 * (GENETIC in a handle made for something else), PLUS and LM give TUTTI_EINVAL. */
int spzf_partition(spzf_t *spzf, enum spzf_method method, int n, const double *magnitude, int n_sets, int *labels);
/* Sets of step k = 0 .. K-2 of the default plan, n_sets [n_user - 1]; first = 0 lets it choose P_1 too. */
void spzf_plan(int n_ant, int n_user, int first, int *n_sets);

/* Stateless parts -------------------------------------------------------------------------------------------------- */

/* dist, [Hong 2025] (30): sum - 2 max; the polygon closes if it is >= 0. 0 for n = 0. O(n). */
double spzf_dist(int n, const double *magnitude);
/* Feasible by the numerical convention n > 0 and dist >= -1e-12 sum. */
bool spzf_feasible(int n, const double *magnitude);
/* Polygon for one user, phasor form: beam [n]; the least residual max(0, -dist) when infeasible. Returns
 * feasibility. O(n), no trigonometry. */
bool spzf_polygon(int n, const double complex *h, double complex *beam);
/* The same as angles by Kahan's formula: theta [n] in radians. */
bool spzf_polygon_angles(int n, const double complex *h, double *theta);
/* Angle opposite c of a triangle with sides a, b, c (Kahan; needle triangles keep full accuracy). */
double spzf_triangle_angle(double a, double b, double c);
/* Pseudo-loss, [Hong 2025] (41): sum of deficits, an empty set costing max magnitude. dists [n_sets] may be NULL. O(n
 * P) without memory; *e1 (may be NULL) tells whether any set is infeasible or empty. */
double spzf_pseudo_loss(int n, const double *magnitude, int n_sets, const int *labels, double *dists, bool *e1);
/* check(H, beam); infinity if anything is not finite. */
double spzf_check(int n_user, int n_ant, const double complex *H, const double complex *beam);
/* A proved lower bound of check over ALL phases, 0 when nothing is proved. O((K + N + 300) K N); allocates a
 * copy of H (0 if it cannot). */
double spzf_residual_bound(int n_user, int n_ant, const double complex *H);
/* theta [n_ant] = arg(beam), radians in (-pi, pi]. */
void spzf_phases(int n_ant, const double complex *beam, double *theta);

#endif
