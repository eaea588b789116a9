/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Counter-based random numbers (SplitMix64): the i-th number of a key is a hash of both, so equal keys give equal
 * sequences on every machine and a sequence can be restarted or jumped. Plain data, no lock; about 1 ns per number. */
#ifndef TUTTI_MIMO_SPLITMIX_H
#define TUTTI_MIMO_SPLITMIX_H

#include <math.h>
#include <stdint.h>

struct splitmix {
    uint64_t key, counter;
};

static inline uint64_t splitmix_hash(uint64_t z)
{
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

/* Independent sequences for every (seed, stream). */
static inline struct splitmix splitmix_make(uint64_t seed, uint64_t stream)
{
    struct splitmix rng = {splitmix_hash(splitmix_hash(seed + 0x9E3779B97F4A7C15u) ^ (stream * 0xD1342543DE82EF95u)),
                           0};
    return rng;
}

static inline uint64_t splitmix_next(struct splitmix *rng)
{
    return splitmix_hash(rng->key + ++rng->counter * 0x9E3779B97F4A7C15u);
}

/* 0 .. n-1; the bias n / 2^32 is far below anything a simulation can see. */
static inline int splitmix_below(struct splitmix *rng, int n)
{
    return (int)(((splitmix_next(rng) >> 32) * (uint64_t)(uint32_t)n) >> 32);
}

/* Uniform in (0, 1]: safe under a logarithm. */
static inline double splitmix_uniform(struct splitmix *rng)
{
    return ((double)(splitmix_next(rng) >> 11) + 1.0) * 0x1p-53;
}

/* CN(0,1): variance 1/2 per part (Box-Muller). */
static inline void splitmix_normal(struct splitmix *rng, double *re, double *im)
{
    double radius = sqrt(-log(splitmix_uniform(rng)));
    double angle = 6.283185307179586 * splitmix_uniform(rng);
    *re = radius * cos(angle);
    *im = radius * sin(angle);
}

#endif
