/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Powers as tables and as JSON. */
#include "base/schemes.h"
#include "tools/json_file.h"
#include "tools/power/allocation.h"
#include "tools/terminal/table.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_COLUMNS = 12 };

static void print_users(const struct allocation *a)
{
    static const char *const headers[] = {"user", "rate, equal powers", "rate", "share of all power", "best AP's share",
                                          NULL};
    table_t *const table = table_create(a->measured ? "\nUsers (rates in bit/s/Hz of data symbols)"
                                                    : "\nUsers (rates in bit/s/Hz with the frame's overhead)",
                                        headers);
    for (int k = 0; k < a->n_ue; k++) {
        double sum = 0, all = 0, most = 0;
        for (int m = 0; m < a->n_ap; m++) {
            sum += a->eta[m * a->n_ue + k];
            most = fmax(most, a->eta[m * a->n_ue + k]);
            for (int j = 0; j < a->n_ue; j++) {
                all += a->eta[m * a->n_ue + j];
            }
        }
        table_cell(table, "%d", k);
        table_number(table, 3, a->rate_equal[k]);
        table_number(table, 3, a->rate[k]);
        table_number(table, 3, all > 0 ? sum / all : NAN);
        table_number(table, 3, most);
    }
    table_print(table, stdout);
    table_destroy(table);
}

static void print_aps(const struct allocation *a)
{
    static const char *const users[MOST_COLUMNS] = {"user 0", "user 1", "user 2", "user 3", "user 4",  "user 5",
                                                    "user 6", "user 7", "user 8", "user 9", "user 10", "user 11"};
    const int n = a->n_ue < MOST_COLUMNS ? a->n_ue : MOST_COLUMNS;
    const char *headers[MOST_COLUMNS + 3] = {"AP", "in use"};
    memcpy(headers + 2, users, (size_t)n * sizeof *headers);
    table_t *const table = table_create("\nShares of an access point's budget", headers);
    for (int m = 0; m < a->n_ap; m++) {
        double sum = 0;
        for (int k = 0; k < a->n_ue; k++) {
            sum += a->eta[m * a->n_ue + k];
        }
        table_cell(table, "%d", m);
        table_number(table, 3, sum);
        for (int k = 0; k < n; k++) {
            table_number(table, 3, a->eta[m * a->n_ue + k]);
        }
    }
    table_print(table, stdout);
    table_destroy(table);
    if (n < a->n_ue) {
        printf("The first %d of %d users; --json has all.\n", n, a->n_ue);
    }
}

static void print_verdict(const struct allocation *a)
{
    const struct config_precoding *const p = &a->config->precoding;
    printf("\n%s, power: %s. ", mimo_scheme_name((int)p->scheme), mimo_power_name((int)p->power));
    switch (a->kind) {
    case ALLOCATION_GAP:
        printf(
            "Gap to the targets %.6f, at equal powers %.6f; eavesdropper's rate %.3f, at equal powers %.3f.\n"
            "%d Newton steps, then %d steps of the convex approximation: the last one won %.1e. That is a point where "
            "the conditions of the optimum hold, not a bound: the problem is not convex.\n",
            a->value, a->value_equal, a->rate_eve, a->rate_eve_equal, a->iterations, a->n_draw, a->bound);
        break;
    case ALLOCATION_MAXMIN:
        printf(
            "Least SINR %.4f (%.2f dB), at equal shares %.4f; no powers give all users more than %.4f: within %.2f %% "
            "of the optimum, %d iterations.\n",
            a->value, 10 * log10(a->value), a->value_equal, a->bound, 100 * (1 - a->value / a->bound), a->iterations);
        break;
    default:
        printf("Mean over %d channels: sum rate %.3f bit/s/Hz, %+.3f(%.3f) against equal powers of the same beams.\n",
               a->n_draw, a->value, a->value - a->value_equal, a->value_se);
    }
}

void allocation_print(const struct allocation *a)
{
    print_aps(a);
    print_users(a);
    print_verdict(a);
}

/* JSON ------------------------------------------------------------------------------------------------------------- */

int allocation_json(const struct allocation *a, const char *path)
{
    static const char *const kinds[] = {"gap", "maxmin", "rlspa"};
    const int pairs = a->n_ap * a->n_ue;
    json_t *const root = json_pack(
        "{s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "kind", kinds[a->kind], "scheme",
        mimo_scheme_name((int)a->config->precoding.scheme), "power", mimo_power_name((int)a->config->precoding.power),
        "value", json_file_number(a->value), "value_equal", json_file_number(a->value_equal), "bound",
        json_file_number(a->bound), "rate_eve", json_file_number(a->rate_eve), "value_se",
        json_file_number(a->value_se), "beta", json_file_numbers(a->beta, pairs), "gamma",
        json_file_numbers(a->gamma, pairs), "beta_eve", json_file_numbers(a->beta_eve, a->n_ap), "eta",
        json_file_numbers(a->eta, pairs), "eta_equal", json_file_numbers(a->eta_equal, pairs), "rate",
        json_file_numbers(a->rate, a->n_ue), "rate_equal", json_file_numbers(a->rate_equal, a->n_ue));
    return json_file_write(path, root);
}
