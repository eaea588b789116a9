/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sums of streams of a kernel variant: what an antenna sends. Included by kernel_impl.h. */

/* Twelve subcarriers, the default subband, are 24 floats: whole registers of 4 or 8 floats. */
#if KERNEL_BYTES >= 32
enum { COMBINE_LANES = 8 };
#define COMBINE_SWAP 1, 0, 3, 2, 5, 4, 7, 6
#define COMBINE_SIGN -1, 1, -1, 1, -1, 1, -1, 1
#else
enum { COMBINE_LANES = 4 };
#define COMBINE_SWAP 1, 0, 3, 2
#define COMBINE_SIGN -1, 1, -1, 1
#endif
enum { COMBINE_N = 12, COMBINE_VECTORS = 2 * COMBINE_N / COMBINE_LANES };
typedef float combine_vec __attribute__((vector_size(4 * COMBINE_LANES)));

/* i v for interleaved complex numbers: (re, im) -> (-im, re). */
static inline combine_vec times_i(combine_vec v)
{
    return __builtin_shufflevector(v, v, COMBINE_SWAP) * (combine_vec){COMBINE_SIGN};
}

/* The registers share each coefficient. The sum over Re v and over Im v are kept apart, so that the swap of real and
 * imaginary parts is done once at the end. */
static void combine12(int n_stream, const float *v, const tutti_cf32 *const *symbols, size_t first, float *x)
{
    combine_vec r[COMBINE_VECTORS] = {{0}}, i[COMBINE_VECTORS] = {{0}};
    for (int s = 0; s < n_stream; s++) {
        const float *in = (const float *)(symbols[s] + first);
        const float re = v[2 * s], im = v[2 * s + 1];
        KERNEL_UNROLL for (int j = 0; j < COMBINE_VECTORS; j++)
        {
            combine_vec a;
            memcpy(&a, in + j * COMBINE_LANES, sizeof a);
            r[j] += re * a;
            i[j] += im * a;
        }
    }
    KERNEL_UNROLL for (int j = 0; j < COMBINE_VECTORS; j++)
    {
        r[j] += times_i(i[j]);
        memcpy(x + j * COMBINE_LANES, &r[j], sizeof r[j]);
    }
}

static void combine1(int n_stream, const float *v, const tutti_cf32 *const *symbols, size_t first, float *x)
{
    float re = 0, im = 0;
    for (int s = 0; s < n_stream; s++) {
        const float *in = (const float *)(symbols[s] + first);
        re += v[2 * s] * in[0] - v[2 * s + 1] * in[1];
        im += v[2 * s] * in[1] + v[2 * s + 1] * in[0];
    }
    x[0] = re;
    x[1] = im;
}

static void combine(int n, int n_stream, const tutti_cf32 *v, const tutti_cf32 *const *symbols, size_t first,
                    tutti_cf32 *x)
{
    int i = 0;
    for (; i + COMBINE_N <= n; i += COMBINE_N) {
        combine12(n_stream, (const float *)v, symbols, first + (size_t)i, (float *)(x + i));
    }
    for (; i < n; i++) {
        combine1(n_stream, (const float *)v, symbols, first + (size_t)i, (float *)(x + i));
    }
}
