/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "phy/interleave.h"

#include "base/error.h"
#include "phy/code.h"

#include <stdlib.h>

/* Fisher-Yates with a fixed seed. */
static void shuffle(uint32_t *at, int n)
{
    uint64_t state = 0x7475747469u;
    for (int i = n - 1; i > 0; i--) {
        const uint32_t k = (uint32_t)((code_random(&state) >> 32) * (uint64_t)(i + 1) >> 32), kept = at[i];
        at[i] = at[k];
        at[k] = kept;
    }
}

int interleave_create(struct interleave *il, int axis_bits, int n_axis, int stride)
{
    const int n_run = n_axis / SIMD_RUN, n_over = n_axis % SIMD_RUN;
    *il = (struct interleave){.simd = simd_get(), .n_column = axis_bits * n_run, .n_rest = axis_bits * n_over};
    il->at = calloc((size_t)il->n_column + 1, sizeof *il->at);
    il->rest = calloc((size_t)il->n_rest + 1, sizeof *il->rest);
    if (!il->at || !il->rest) {
        return error_set(TUTTI_ENOMEM, "out of memory for an interleaver of %d bits", axis_bits * n_axis);
    }
    for (int c = 0; c < il->n_column; c++) {
        il->at[c] = (uint32_t)(c / n_run * stride + c % n_run * SIMD_RUN);
    }
    for (int i = 0; i < il->n_rest; i++) {
        il->rest[i] = (uint32_t)(i / n_over * stride + n_run * SIMD_RUN + i % n_over);
    }
    shuffle(il->at, il->n_column);
    return TUTTI_OK;
}

void interleave_destroy(struct interleave *il)
{
    free(il->at);
    free(il->rest);
    *il = (struct interleave){0};
}

static int n_in_rows(const struct interleave *il)
{
    return SIMD_RUN * il->n_column;
}

uint32_t interleave_place(const struct interleave *il, int j)
{
    return j < n_in_rows(il) ? il->at[j % il->n_column] + (uint32_t)(j / il->n_column) : il->rest[j - n_in_rows(il)];
}

void interleave_to_air(const struct interleave *il, const uint8_t *coded, uint8_t *planes)
{
    il->simd->runs_scatter(il->n_column, il->at, coded, planes);
    for (int i = 0; i < il->n_rest; i++) {
        planes[il->rest[i]] = coded[n_in_rows(il) + i];
    }
}

void interleave_from_air(const struct interleave *il, const int8_t *planes, int8_t *coded)
{
    il->simd->runs_gather(il->n_column, il->at, planes, coded);
    for (int i = 0; i < il->n_rest; i++) {
        coded[n_in_rows(il) + i] = planes[il->rest[i]];
    }
}
