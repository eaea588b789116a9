/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/error.h"
#include "tools/doctor/doctor.h"

#include <stdlib.h>

int doctor_examine(const struct host_question *question, struct doctor_table *table)
{
    *table = (struct doctor_table){0};
    table->findings = calloc((size_t)host_n_checks() + DOCTOR_N_NETWORK_CHECKS, sizeof *table->findings);
    if (!table->findings) {
        return error_set(TUTTI_ENOMEM, "out of memory");
    }
    table->n = doctor_examine_network(question, table->findings);
    table->n += host_examine(question, table->findings + table->n);
    return TUTTI_OK;
}

void doctor_free(struct doctor_table *table)
{
    free(table->findings);
    *table = (struct doctor_table){0};
}
