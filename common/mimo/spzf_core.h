/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Inside of spzf_*.c: what the polygon, partition and numerical kernels share. Arrays of complex numbers are split into
 * re and im so that the loops vectorise. Nothing here allocates but the two _init functions. */
#ifndef TUTTI_MIMO_SPZF_CORE_H
#define TUTTI_MIMO_SPZF_CORE_H

#include "mimo/splitmix.h"
#include "mimo/spzf.h"

/* The absolute part covers reduced channels that are zero but for rounding (rows have L1 norm 1). */
#define SPZF_DIST_TOLERANCE 1e-12
#define SPZF_DIST_FLOOR 1e-14

/* CMPLX, which older clang with glibc lacks. */
static inline double complex spzf_complex(double re, double im)
{
    return __builtin_complex(re, im);
}

/* fmax and fmin are library calls at this -march; these are one instruction. */
static inline double spzf_larger(double a, double b)
{
    return a > b ? a : b;
}

static inline bool spzf_closes(double sum, double dist)
{
    return dist >= -SPZF_DIST_TOLERANCE * sum;
}

/* Phasors (c, s)[3] of the three sides of a triangle so that sum side * phasor is least; (1, 0) for side 0 (2.3). */
void spzf_triangle(const double side[3], double c[3], double s[3]);

/* Partition ------------------------------------------------------------------------------------------------------ */

/* Running sums of one set; top and second are its two largest magnitudes. */
struct spzf_set {
    double sum, top, second;
    int count;
};

struct spzf_work {
    int n_max, budget;
    uint64_t *key, *key_spare; /* [n_max] sort keys */
    int *order;                /* [n_max] indices by descending magnitude */
    double *sorted;            /* [n_max] magnitudes in that order */
    uint8_t *used;             /* [n_max] */
    int *count;                /* [n_max] antennas per set */
    int *rank;                 /* [n_max] failing sets of an epoch; labels by rank of the depth-first search */
    int *member;               /* [n_max] antennas of one set */
    double *gap;               /* [n_max] */
    struct spzf_set *set;      /* [n_max] */
    uint16_t *genes[2];        /* [10 n_max][n_max] two generations; NULL unless genetic */
    double *loss[2];           /* [10 n_max] */
    int *elite;                /* [10 n_max] */
};

int spzf_work_init(struct spzf_work *work, int n_max, int budget,
                   bool genetic); /* TUTTI_ENOMEM: free it all the same */
void spzf_work_free(struct spzf_work *work);

/* Sets of r [n]: labels [n] in 0..n_sets-1. */
struct spzf_input {
    int n, n_sets;
    const double *r;
};
void spzf_sort(struct spzf_work *work, int n, const double *r); /* fills order and sorted, relative precision 2^-41 */
void spzf_part_random(const struct spzf_input *in, struct spzf_work *work, struct splitmix *rng, int *labels);
void spzf_part_uniform(const struct spzf_input *in, struct splitmix *rng, int *labels);
void spzf_part_pair_fill(const struct spzf_input *in, struct spzf_work *work, int *labels); /* after spzf_sort */
bool spzf_part_best_fit(const struct spzf_input *in, struct spzf_work *work,
                        int *labels); /* after spzf_sort; false: gave up */
void spzf_part_iterate(const struct spzf_input *in, struct spzf_work *work, int *labels); /* improves labels; sorts */
void spzf_part_iterate_fc(const struct spzf_input *in, struct spzf_work *work,
                          int *labels); /* improves labels; sorts */
void spzf_part_genetic(const struct spzf_input *in, struct spzf_work *work, struct splitmix *rng, int *labels);

/* Numerical ------------------------------------------------------------------------------------------------------ */

/* Rows g [n_user][n_ant], L1 norm 1. */
struct spzf_rows {
    int n_user, n_ant;
    const double *re, *im;
};

/* When to stop: before the deadline by as long as the last step took, and half of it. */
struct spzf_limit {
    uint64_t deadline_ns, last_ns; /* monotonic; deadline 0 = none */
    bool over;                     /* it stopped something */
};
void spzf_limit_begin(struct spzf_limit *limit);
/* Before each step; reads the clock only if there is a deadline. */
bool spzf_limit_reached(struct spzf_limit *limit);

struct spzf_lm {
    double *z_re, *z_im;         /* [K][N] g b */
    double *gram, *factor;       /* [2K][2K] */
    double *f, *y;               /* [2K] */
    double *trial_re, *trial_im; /* [N] */
    int *pivot;                  /* [2K] */
    struct spzf_limit limit;
};

int spzf_lm_init(struct spzf_lm *lm, int n_user, int n_ant);
void spzf_lm_free(struct spzf_lm *lm);
/* Improves b in place; *iterations is added to. */
void spzf_lm_solve(struct spzf_lm *lm, const struct spzf_rows *g, double *b_re, double *b_im, int *iterations);
/* At most two undamped steps; keeps the better of before and after (7 c). */
void spzf_lm_polish(struct spzf_lm *lm, const struct spzf_rows *g, double *b_re, double *b_im);
/* H [n_user][n_ant] to rows of L1 norm 1, zero rows left out; returns how many are kept, or -1 if an entry is not
 * finite. Safe at both ends of the number range. */
int spzf_scale_rows(int n_user, int n_ant, const double complex *H, double *re, double *im);
/* A proved lower bound over a fixed list of combinations and a short refinement. */
double spzf_rows_bound(const struct spzf_rows *g);
/* max_k |sum_n g_kn b_n|. */
double spzf_rows_check(const struct spzf_rows *g, const double *b_re, const double *b_im);

#endif
