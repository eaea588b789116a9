/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "isac/rows.h"

#include "base/error.h"

#include <math.h>
#include <stdlib.h>

int isac_rows_create(struct isac_rows *rows, int n_ap, int n_ue, int n_zone)
{
    *rows = (struct isac_rows){.n_ap = n_ap, .n_ue = n_ue, .n_zone = n_zone};
    const size_t m = (size_t)n_ap, k = (size_t)n_ue, l = (size_t)n_zone;
    const struct {
        double **at;
        size_t n;
    } parts[] = {{&rows->g, m * k},     {&rows->b, m * k},      {&rows->noise, k},       {&rows->z, m * l},
                 {&rows->s, m * l * l}, {&rows->zone_noise, l}, {&rows->x, m * (k + l)}, {&rows->root, k},
                 {&rows->D, k},         {&rows->C, l},          {&rows->S, l},           {&rows->O, l},
                 {&rows->slack, m}};
    bool ok = true;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        ok = (*parts[i].at = calloc(parts[i].n, sizeof(double))) && ok;
    }
    rows->first = calloc(m + 1, sizeof *rows->first);
    rows->n_p = calloc(m, sizeof *rows->n_p);
    return ok && rows->first && rows->n_p ? 0 : error_set(TUTTI_ENOMEM, "no memory for the powers of %d APs", n_ap);
}

void isac_rows_destroy(struct isac_rows *rows)
{
    double *const parts[] = {rows->g, rows->b,    rows->noise, rows->z, rows->s, rows->zone_noise, rows->x,
                             rows->D, rows->root, rows->C,     rows->S, rows->O, rows->slack};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        free(parts[i]);
    }
    free(rows->first);
    free(rows->n_p);
    *rows = (struct isac_rows){0};
}

static double column_sum(const double *a, int n_row, int n_column, int column)
{
    double sum = 0;
    for (int i = 0; i < n_row; i++) {
        sum += a[i * n_column + column];
    }
    return sum;
}

void isac_rows_load(struct isac_rows *rows, const struct isac_scene *scene)
{
    const int n_l = rows->n_zone;
    for (int k = 0; k < rows->n_ue; k++) {
        const double sum = column_sum(scene->beta, rows->n_ap, rows->n_ue, k);
        rows->noise[k] = 1 / (scene->rho * sum);
        for (int m = 0; m < rows->n_ap; m++) {
            const int i = m * rows->n_ue + k;
            rows->b[i] = scene->beta[i] / sum;
            rows->g[i] = sqrt(scene->n_ant * scene->gamma[i] / sum);
        }
    }
    for (int l = 0; l < n_l; l++) {
        const double sum = column_sum(scene->zeta, rows->n_ap, n_l, l);
        rows->zone_noise[l] = 1 / (scene->rho * sum);
        for (int m = 0; m < rows->n_ap; m++) {
            const double z = rows->z[m * n_l + l] = scene->zeta[m * n_l + l] / sum;
            for (int other = 0; other < n_l; other++) {
                const double complex inner = isac_inner(scene, m, l, other);
                const double gain = creal(inner) * creal(inner) + cimag(inner) * cimag(inner);
                rows->s[(m * n_l + l) * n_l + other] = z * gain / scene->n_ant;
            }
        }
    }
}

void isac_rows_choose(struct isac_rows *rows, const unsigned char *sends, const unsigned char *senses)
{
    rows->first[0] = 0;
    for (int m = 0; m < rows->n_ap; m++) {
        rows->n_p[m] = sends[m] ? rows->n_ue : 0;
        rows->first[m + 1] = rows->first[m] + rows->n_p[m] + (senses[m] ? rows->n_zone : 0);
    }
}

static void add_ap(struct isac_rows *rows, int m, const double *x)
{
    const int n_k = rows->n_ue, n_l = rows->n_zone, n_p = rows->n_p[m], n_x = rows->first[m + 1] - rows->first[m];
    const double *const own = x + rows->first[m], *const r = own + n_p;
    double P = 0, R = 0;
    for (int k = 0; k < n_p; k++) {
        P += own[k];
        rows->root[k] += rows->g[m * n_k + k] * sqrt(own[k]);
    }
    for (int i = n_p; i < n_x; i++) {
        R += own[i];
    }
    rows->slack[m] = 1 - P - R;
    for (int k = 0; k < n_k; k++) {
        rows->D[k] += rows->b[m * n_k + k] * (P + R);
    }
    for (int l = 0; l < n_l; l++) {
        rows->C[l] += rows->z[m * n_l + l] * P;
        const double *const s = rows->s + (m * n_l + l) * n_l;
        for (int other = 0; other < n_x - n_p; other++) {
            rows->S[l] += s[other] * r[other];
        }
        rows->O[l] += n_x > n_p ? s[l] * r[l] : 0;
    }
}

void isac_rows_evaluate(struct isac_rows *rows, const double *x)
{
    for (int k = 0; k < rows->n_ue; k++) {
        rows->root[k] = 0;
        rows->D[k] = rows->noise[k];
    }
    for (int l = 0; l < rows->n_zone; l++) {
        rows->C[l] = rows->S[l] = rows->O[l] = 0;
    }
    for (int m = 0; m < rows->n_ap; m++) {
        add_ap(rows, m, x);
    }
}

double isac_least_sinr(const struct isac_rows *rows)
{
    double least = INFINITY;
    for (int k = 0; k < rows->n_ue; k++) {
        least = fmin(least, isac_user_ratio(rows, k));
    }
    return least;
}

double isac_largest_eve(const struct isac_rows *rows)
{
    double largest = 0;
    for (int l = 0; l < rows->n_zone; l++) {
        largest = fmax(largest, rows->C[l] / (rows->S[l] + rows->zone_noise[l]));
    }
    return largest;
}

double isac_least_masr(const struct isac_rows *rows)
{
    double least = INFINITY;
    for (int l = 0; l < rows->n_zone; l++) {
        const double other = rows->C[l] + rows->S[l] - rows->O[l];
        least = fmin(least, other > 0 ? rows->O[l] / other : INFINITY);
    }
    return least;
}

/* -weight ln(row); a row that is not positive is outside. */
static double term(double weight, double row)
{
    return row > 0 ? -weight * log(row) : INFINITY;
}

double isac_barrier_value(const struct isac_rows *rows, const struct isac_barrier *barrier, const double *x)
{
    double sum = 0;
    for (int k = 0; barrier->users && k < rows->n_ue; k++) {
        sum += term(barrier->user_weight, rows->root[k] * rows->root[k] - barrier->user_level * rows->D[k]);
    }
    for (int l = 0; l < rows->n_zone; l++) {
        const double C = rows->C[l], S = rows->S[l], O = rows->O[l], level = barrier->masr_level;
        sum += term(barrier->masr_weight, (1 + level) * O - level * (C + S));
        if (barrier->eves) {
            sum += term(barrier->eve_weight, barrier->eve_level * (S + rows->zone_noise[l]) - C);
        }
    }
    for (int m = 0; m < rows->n_ap; m++) {
        sum += rows->first[m + 1] > rows->first[m] ? term(1, rows->slack[m]) : 0;
    }
    for (int i = 0; i < isac_rows_size(rows); i++) {
        sum += term(1, x[i]);
    }
    return sum;
}
