/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tools/run/progress.h"

#include "base/error.h"
#include "base/rt.h"
#include "tools/observer.h"
#include "tools/terminal/status_line.h"

#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

struct progress {
    const struct config *config;
    fh_peer_t *peer; /* NULL when the link is over */
    struct progress_status status;
    struct status_line line;
    bool stop_seen, link_over;
    bool linked; /* the CPU node is there now */
};

int progress_create(progress_t **out, const struct config *config, bool quiet)
{
    *out = NULL;
    progress_t *p = calloc(1, sizeof *p);
    if (!p) {
        return error_set(TUTTI_ENOMEM, "out of memory");
    }
    *out = p;
    p->config = config;
    status_line_begin(&p->line, quiet);
    return observer_create(&p->peer, config);
}

void progress_destroy(progress_t *p)
{
    if (!p) {
        return;
    }
    if (p->line.drawn) {
        fputc('\n', stderr);
    }
    fh_peer_destroy(p->peer);
    free(p);
}

void progress_clear(progress_t *p)
{
    status_line_clear(&p->line);
}

bool progress_stop_seen(const progress_t *p)
{
    return p->stop_seen;
}

bool progress_linked(const progress_t *p)
{
    return p->linked;
}

bool progress_over(const progress_t *p)
{
    return p->link_over;
}

const struct progress_status *progress_latest(const progress_t *p)
{
    return &p->status;
}

static uint64_t count_of(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return json_is_integer(value) && json_integer_value(value) > 0 ? (uint64_t)json_integer_value(value) : 0;
}

static double mean_of_numbers(const json_t *array)
{
    double sum = 0;
    int n = 0;
    for (size_t i = 0; i < json_array_size(array); i++) {
        const json_t *value = json_array_get(array, i);
        if (json_is_number(value)) {
            sum += json_number_value(value);
            n++;
        }
    }
    return n ? sum / n : NAN;
}

bool progress_parse(struct progress_status *status, const char *json)
{
    json_t *root = json_loads(json, 0, NULL);
    const char *type = json_string_value(json_object_get(root, "type"));
    const bool is_status = type && strcmp(type, "status") == 0;
    if (is_status) {
        status->known = true;
        status->block = count_of(root, "block");
        status->started = status->started || status->block > 0;
        status->n_blocks = count_of(root, "n_blocks");
        status->early = count_of(root, "early");
        status->on_time = count_of(root, "on_time");
        status->late = count_of(root, "late");
        status->aps_alive = (int)count_of(root, "aps_alive");
        status->users_alive = (int)count_of(root, "users_alive");
        status->block_errors = count_of(root, "block_errors");
        status->elapsed_s = json_number_value(json_object_get(root, "elapsed_s"));
        status->sinr_db = mean_of_numbers(json_object_get(root, "sinr_db"));
    }
    json_decref(root);
    return is_status;
}

void progress_format(const struct progress_status *s, const struct config *config, char *line, int width)
{
    char text[STATUS_LINE_ROOM], bar[STATUS_LINE_CELLS + 1], total[32] = "", sinr[32] = "-", factor[32] = "-";
    if (!s->known) {
        snprintf(line, (size_t)width + 1, "waiting for the nodes");
        return;
    }
    status_line_cells(bar, s->block, s->n_blocks);
    if (s->n_blocks) {
        snprintf(total, sizeof total, "/%" PRIu64, s->n_blocks);
    }
    if (!isnan(s->sinr_db)) {
        snprintf(sinr, sizeof sinr, "%.1f", s->sinr_db);
    }
    if (s->elapsed_s > 0) {
        snprintf(factor, sizeof factor, "%.2f", (double)s->block * config->frame.block_us * 1e-6 / s->elapsed_s);
    }
    snprintf(text, sizeof text,
             "%s%s%sblock %" PRIu64 "%s  SINR %s dB  late %" PRIu64
             "  x%s real time  APs %d/%d  users %d/%d  block errors %" PRIu64,
             s->n_blocks ? "[" : "", s->n_blocks ? bar : "", s->n_blocks ? "] " : "", s->block, total, sinr, s->late,
             factor, s->aps_alive, config->network.n_ap, s->users_alive, config->network.n_ue, s->block_errors);
    snprintf(line, (size_t)width + 1, "%s", text);
}

static void draw(progress_t *p)
{
    char line[STATUS_LINE_ROOM];
    if (status_line_due(&p->line)) {
        progress_format(&p->status, p->config, line, STATUS_LINE_ROOM - 1);
        status_line_show(&p->line, line);
    }
}

void progress_wait(progress_t *p, int fd, int64_t timeout_us)
{
    if (p->link_over) { /* a stopped link answers at once for ever: wait without it */
        struct pollfd watch[] = {{.fd = fd, .events = POLLIN}, {.fd = rt_stop_fd(), .events = POLLIN}};
        poll(watch, rt_stop_requested() ? 1 : 2, (int)(timeout_us / 1000));
        return;
    }
    struct fh_event event;
    const int status = fh_peer_wait(p->peer, fd, timeout_us, &event);
    if (status >= 0 && (event.kind == FH_EVENT_UP || event.kind == FH_EVENT_DOWN)) {
        p->linked = event.kind == FH_EVENT_UP;
    }
    if (status < 0 || event.kind == FH_EVENT_REFUSED) {
        p->link_over = true; /* the run does not need its spectator */
    } else if (event.kind == FH_EVENT_STOP) {
        p->stop_seen = p->stop_seen || !rt_stop_requested();
        p->link_over = true;
    } else if (event.kind == FH_EVENT_CONTROL) {
        progress_parse(&p->status, (const char *)event.data);
    }
    if (p->link_over) { /* says goodbye: the CPU node waits for it at the end of a run */
        fh_peer_destroy(p->peer);
        p->peer = NULL;
    }
    draw(p);
}
