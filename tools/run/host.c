/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tools/run/host.h"

#include "tools/doctor/doctor.h"

#include <stdio.h>
#include <stdlib.h>

static void write_table(const struct doctor_table *table, const char *folder)
{
    char *path = NULL;
    json_t *const json = host_json(table->findings, table->n);
    if (json && asprintf(&path, "%s/host.json", folder) >= 0) {
        json_dump_file(json, path, JSON_INDENT(2));
        free(path);
    }
    json_decref(json);
}

void run_look_at_host(const struct config *config, const char *folder)
{
    const struct host_question question = {
        .root = "", .config = config, .role = HOST_ROLE_ANY, .id = -1, .folder = folder};
    struct doctor_table table;
    if (doctor_examine(&question, &table) < 0) {
        return;
    }
    write_table(&table, folder);
    const struct host_finding *const worst = host_worst(table.findings, table.n);
    if (!config_is_repeatable(config) && worst && worst->verdict >= HOST_COSTS) {
        fprintf(stderr, "tutti run: host: %s: %s (%s); `tutti doctor` has the rest\n", worst->title, worst->found,
                worst->cost);
    }
    doctor_free(&table);
}
