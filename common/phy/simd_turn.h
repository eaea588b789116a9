/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Turning a row, and how far the points of a square constellation are turned, by decisions; included by simd_impl.h
 * after the rows, whose halves (direct, crossed) are summed here too. Every variant adds up the same ANGLE_LANES
 * partial sums, so all give the same bits. */

/* The number in every place of a vector, and its imaginary part with the signs of a product: c x = same x + other
 * exchanged(x). */
static inline void spread_number(const float *number, floats *same, floats *other)
{
    const floats zero = {0}, minus = zero - number[1], plus = zero + number[1];
    *same = zero + number[0];
    *other = __builtin_shufflevector(minus, plus, LOW_FLOATS);
}

static void rows_turn(int n_sc, const float *turn, float *y)
{
    floats same, other;
    int i = 0;
    spread_number(turn, &same, &other);
    for (; i + FLOATS <= 2 * n_sc; i += FLOATS) {
        const floats a = floats_load(y + i);
        floats_store(y + i, same * a + other * exchanged(a));
    }
    for (; i < 2 * n_sc; i += 2) {
        const float re = y[i], im = y[i + 1];
        y[i] = turn[0] * re + -turn[1] * im;
        y[i + 1] = turn[0] * im + turn[1] * re;
    }
}

enum { ANGLE_LANES = 2 * SIMD_BYTES_MAX / 4, ANGLE_VECTORS = ANGLE_LANES / FLOATS };

struct angle {
    floats same, other;                                   /* the turn, see spread_number */
    floats direct[ANGLE_VECTORS], crossed[ANGLE_VECTORS]; /* sums */
    float unit, per_unit, most;                           /* most: level number of the outermost points */
};

/* The nearest level to x; levels are odd multiples of the unit. The sum with 1.5 2^23 rounds to a whole number. */
static inline floats nearest_level(const struct angle *a, floats x)
{
    const float whole = 0x1.8p23f;
    const floats u = floats_below(x * a->per_unit, a->most), cut = floats_above(u, -a->most);
    return a->unit * (2.0f * (((cut - 1.0f) * 0.5f + whole) - whole) + 1.0f);
}

static inline void angle_add_some(struct angle *a, int v, floats weight, const float *y)
{
    const floats x = floats_load(y + v * FLOATS), t = a->same * x + a->other * exchanged(x);
    const floats d = weight * nearest_level(a, t);
    a->direct[v] += t * d;
    a->crossed[v] += t * exchanged(d);
}

/* ANGLE_LANES / 2 subcarriers; a vector of weights is for two of samples. */
static inline void angle_add(struct angle *a, const float *weight, const float *y)
{
    for (int v = 0; v < ANGLE_VECTORS; v += 2) {
        const floats w = floats_load(weight + v * FLOATS / 2);
        angle_add_some(a, v, __builtin_shufflevector(w, w, LOW_FLOATS), y);
        angle_add_some(a, v + 1, __builtin_shufflevector(w, w, HIGH_FLOATS), y);
    }
}

/* Of crossed the imaginary parts of t met the real parts of d in odd places. */
static inline void angle_sums(const struct angle *a, double *sums)
{
    float direct[ANGLE_LANES], crossed[ANGLE_LANES];
    memcpy(direct, a->direct, sizeof direct);
    memcpy(crossed, a->crossed, sizeof crossed);
    sums[0] = sums[1] = 0;
    for (int i = 0; i < ANGLE_LANES; i += 2) {
        sums[0] += (double)direct[i] + (double)direct[i + 1];
        sums[1] += (double)crossed[i + 1] - (double)crossed[i];
    }
}

static void qam_angle(int axis_bits, int n_sc, float unit, const float *turn, const float *weight, const float *y,
                      double *sums)
{
    enum { STEP = ANGLE_LANES / 2 };
    struct angle a = {.unit = unit, .per_unit = 1.0f / unit, .most = (float)((1 << axis_bits) - 1)};
    float equal[STEP], weight_end[STEP] = {0}, y_end[2 * STEP] = {0};
    int i = 0;
    spread_number(turn, &a.same, &a.other);
    for (int k = 0; k < STEP; k++) {
        equal[k] = 1.0f;
    }
    for (; i + STEP <= n_sc; i += STEP) {
        angle_add(&a, weight ? weight + i : equal, y + 2 * i);
    }
    if (i < n_sc) {
        const size_t left = (size_t)(n_sc - i);
        memcpy(weight_end, weight ? weight + i : equal, sizeof *weight * left);
        memcpy(y_end, y + 2 * i, sizeof *y * 2 * left);
        angle_add(&a, weight_end, y_end);
    }
    angle_sums(&a, sums);
}
