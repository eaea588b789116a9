/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ap_node/rows.h"

#include "base/error.h"

#include <math.h>
#include <stdlib.h>

static int n_sc(const struct rows *r)
{
    return r->flat->n_sc;
}

int rows_create(struct rows *r, const struct frame *frame, int n_ant, int room, bool smooth)
{
    *r = (struct rows){.simd = simd_get(), .n_ant = n_ant, .room = room};
    const size_t subcarriers = (size_t)frame->n_sc, n_sb = (size_t)frame->n_sb;
    int status = interpolate_create(&r->flat, frame, INTERPOLATE_FLAT);
    status =
        status < 0 ? status : interpolate_create(&r->smooth, frame, smooth ? INTERPOLATE_PRECODERS : INTERPOLATE_FLAT);
    if (status < 0) {
        return status;
    }
    r->slope = calloc(subcarriers, sizeof *r->slope);
    r->centre = calloc(n_sb, sizeof *r->centre);
    r->row = calloc(subcarriers, sizeof *r->row);
    r->work = calloc(n_sb, sizeof *r->work);
    r->zeros = calloc(subcarriers, sizeof *r->zeros);
    r->factor = calloc((size_t)n_ant * (size_t)room * 4 * subcarriers, sizeof *r->factor);
    return r->slope && r->centre && r->row && r->work && r->zeros && r->factor
               ? TUTTI_OK
               : error_set(TUTTI_ENOMEM, "out of memory for the precoders of %d subcarriers", frame->n_sc);
}

void rows_destroy(struct rows *r)
{
    interpolate_destroy(r->flat);
    interpolate_destroy(r->smooth);
    free(r->slope);
    free(r->centre);
    free(r->row);
    free(r->work);
    free(r->zeros);
    free(r->factor);
    *r = (struct rows){0};
}

static float *factor_of(const struct rows *r, int a, int stream)
{
    return r->factor + (size_t)(a * r->room + stream) * 4 * (size_t)n_sc(r);
}

static void store(const struct rows *r, float *direct)
{
    float *const crossed = direct + 2 * n_sc(r);
    for (int i = 0; i < n_sc(r); i++) {
        direct[2 * i] = direct[2 * i + 1] = crealf(r->row[i]);
        crossed[2 * i] = -cimagf(r->row[i]);
        crossed[2 * i + 1] = cimagf(r->row[i]);
    }
}

static float power_of(int n, const tutti_cf32 *x, size_t stride)
{
    float sum = 0;
    for (size_t i = 0; i < (size_t)n * stride; i += stride) {
        sum += crealf(x[i]) * crealf(x[i]) + cimagf(x[i]) * cimagf(x[i]);
    }
    return sum;
}

static void make_stream(struct rows *r, const struct streams *s, int stream)
{
    const bool data = s->list[stream].kind == WIRE_STREAM_DATA;
    const struct interpolate *const table = data ? r->smooth : r->flat;
    const size_t stride = (size_t)(r->n_ant * s->n_stream);
    for (int a = 0; a < r->n_ant; a++) {
        const tutti_cf32 *const vector = s->V + a * s->n_stream + stream;
        interpolate_row(table, vector, stride, r->slope, r->centre, r->work, r->row);
        store(r, factor_of(r, a, stream));
        if (data && table->n_tap > 1) {
            r->told += (double)(power_of(table->n_sb, vector, stride) * (float)table->sc_per_sb);
            r->made += (double)power_of(table->n_sc, r->row, 1);
        }
    }
}

/* The vectors keep the AP's limits; what lies between them, and beyond the last, may be longer than they are. */
static bool keep_power(struct rows *r, const struct streams *s)
{
    if (!(r->made > r->told)) {
        return false;
    }
    const float amplitude = (float)sqrt(r->told / r->made);
    for (int i = 0; i < s->n_stream; i++) {
        for (int a = 0; a < r->n_ant && s->list[i].kind == WIRE_STREAM_DATA; a++) {
            float *const factor = factor_of(r, a, i);
            for (int f = 0; f < 4 * n_sc(r); f++) {
                factor[f] *= amplitude;
            }
        }
    }
    return r->made > r->told * (1 + STREAM_POWER_ROUNDING);
}

/* Precoders follow the conjugate of the physical channel. */
bool rows_prepare(struct rows *r, const struct streams *s, double delay_samples)
{
    r->told = r->made = 0;
    interpolate_slope(r->flat, -delay_samples, r->slope, r->centre);
    for (int i = 0; i < s->n_stream; i++) {
        make_stream(r, s, i);
    }
    return keep_power(r, s);
}

void rows_renew(struct rows *r, const struct streams *s)
{
    for (int i = 0; s->fresh_every_symbol && i < s->n_stream; i++) {
        if (s->list[i].kind == WIRE_STREAM_AN && s->list[i].source == WIRE_SOURCE_LOCAL) {
            make_stream(r, s, i);
        }
    }
}

void rows_apply(const struct rows *r, int n_stream, const tutti_cf32 *const *symbols, tutti_cf32 *x)
{
    for (int a = 0; a < r->n_ant; a++) {
        float *const out = (float *)(x + (size_t)a * (size_t)n_sc(r));
        const float *base = (const float *)r->zeros;
        for (int i = 0; i < n_stream; i++) {
            const float *const direct = factor_of(r, a, i);
            r->simd->rows_scale_add(n_sc(r), direct, direct + 2 * n_sc(r), (const float *)symbols[i], base, out);
            base = out;
        }
    }
}
