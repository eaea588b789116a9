/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Complex rows of one OFDM symbol, interleaved; included by simd_impl.h. A product with a conjugate is kept as two
 * vectors: `direct` sums x y part by part, `crossed` sums x y with the parts of x exchanged; over the subcarriers of a
 * subband the sum of all of direct is Re sum x conj(y), and of crossed, even less odd entries, Im. A factor c is held
 * the other way round, direct = (Re c, Re c) and crossed = (-Im c, Im c), so that c x = direct x + crossed
 * exchanged(x): neither needs to know where a subband begins. */

#if SIMD_BYTES == 64
#define EXCHANGED 1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14
#elif SIMD_BYTES == 32
#define EXCHANGED 1, 0, 3, 2, 5, 4, 7, 6
#else
#define EXCHANGED 1, 0, 3, 2
#endif

static inline floats exchanged(floats x)
{
    return __builtin_shufflevector(x, x, EXCHANGED);
}

static inline void floats_store(float *p, floats v)
{
    memcpy(p, &v, sizeof v);
}

static void rows_dot(int n_sc, const float *x, const float *y, float *direct, float *crossed)
{
    int i = 0;
    for (; i + FLOATS <= 2 * n_sc; i += FLOATS) {
        const floats a = floats_load(x + i), b = floats_load(y + i);
        floats_store(direct + i, floats_load(direct + i) + a * b);
        floats_store(crossed + i, floats_load(crossed + i) + exchanged(a) * b);
    }
    for (; i < 2 * n_sc; i++) {
        direct[i] += x[i] * y[i];
        crossed[i] += x[i ^ 1] * y[i];
    }
}

static void rows_scale_add(int n_sc, const float *direct, const float *crossed, const float *x, const float *base,
                           float *out)
{
    int i = 0;
    for (; i + FLOATS <= 2 * n_sc; i += FLOATS) {
        const floats a = floats_load(x + i);
        floats_store(out + i,
                     floats_load(base + i) + (floats_load(direct + i) * a + floats_load(crossed + i) * exchanged(a)));
    }
    for (; i < 2 * n_sc; i++) {
        out[i] = base[i] + (direct[i] * x[i] + crossed[i] * x[i ^ 1]);
    }
}

static void rows_residual(int n_sc, const float *direct, const float *crossed, const float *x, const float *y,
                          float *energy)
{
    int i = 0;
    for (; i + FLOATS <= 2 * n_sc; i += FLOATS) {
        const floats a = floats_load(x + i);
        const floats e = floats_load(y + i) - (floats_load(direct + i) * a + floats_load(crossed + i) * exchanged(a));
        floats_store(energy + i, floats_load(energy + i) + e * e);
    }
    for (; i < 2 * n_sc; i++) {
        const float e = y[i] - (direct[i] * x[i] + crossed[i] * x[i ^ 1]);
        energy[i] += e * e;
    }
}
