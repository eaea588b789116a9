/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Messages of the lab link of any bytes, as who watches a network reads them (the dashboard with its metrics, the
 * progress line) and as the central node takes commands for faults: nothing but whole lines come out of any. */
#include "base/log.h"
#include "cpu_node/faults.h"
#include "fuzz.h"
#include "tools/dashboard/metrics.h"
#include "tools/dashboard/state.h"
#include "tools/run/progress.h"

#include <string.h>

static uint64_t n_other, n_status, n_commands, n_said_no;
static struct config *config;
static struct dashboard_state state;
static struct faults *faults;

static void begin(void)
{
    MUST(config_load(&config, NULL, NULL, 0) == 0 && dashboard_state_create(&state, config) == 0);
    struct faults_settings settings = {.first = config->fronthaul.faults,
                                       .n_ap = config->network.n_ap,
                                       .seed = 1,
                                       .block_us = config->frame.block_us,
                                       .lockstep = true};
    settings.first.allow_command = true;
    log_set_level(LOG_ERROR); /* changes of the faults are said */
    MUST(faults_create(&faults, &settings) == 0);
}

/* Prometheus: a name, perhaps words in braces, a number; or a comment. */
static void must_be_metrics(void)
{
    char *text = NULL;
    size_t n = 0;
    FILE *out = open_memstream(&text, &n);
    MUST(out);
    metrics_print(&state, out);
    fclose(out);
    for (char *line = text, *end; *line; line = end + 1) {
        end = strchr(line, '\n');
        MUST(end);
        char *rest = NULL, *space = memrchr(line, ' ', (size_t)(end - line));
        MUST(strncmp(line, "# ", 2) == 0 || (strncmp(line, "tutti_", 6) == 0 && space));
        MUST(line[0] == '#' || (strtod(space + 1, &rest), rest == end));
    }
    free(text);
}

static void must_be_progress(const char *json)
{
    struct progress_status status = {0};
    char line[120];
    if (progress_parse(&status, json)) {
        progress_format(&status, config, line, (int)sizeof line - 1);
        MUST(memchr(line, '\0', sizeof line) && !strchr(line, '\n'));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes)
{
    char *text = malloc(n_bytes + 1), *answer = NULL;
    MUST(text);
    memcpy(text, data, n_bytes);
    text[n_bytes] = '\0';
    if (!config) {
        begin();
    }
    char *event = dashboard_state_take(&state, text);
    MUST(!event || !strchr(event, '\n'));
    n_status += event != NULL;
    n_other += event == NULL;
    char *all = event ? dashboard_state_all(&state) : NULL;
    MUST(!event || all);
    if (event) {
        must_be_metrics();
    }
    must_be_progress(text);
    if (faults_command(faults, text, &answer)) {
        MUST(answer && strncmp(answer, "{", 1) == 0);
        n_commands++;
        n_said_no += strstr(answer, "error") != NULL;
    }
    free(all);
    free(event);
    free(answer);
    free(text);
    return 0;
}

int fuzz_report(void)
{
    printf("%10llu of a status, %llu other; %llu commands, %llu of them refused\n", (unsigned long long)n_status,
           (unsigned long long)n_other, (unsigned long long)n_commands, (unsigned long long)n_said_no);
    return n_status == 0 || n_other == 0 || n_said_no == 0 || n_said_no == n_commands;
}
