/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The report thread: decodes captured blocks and sends what it measured over the lab link: a user a `report` of its
 * stream, an eavesdropper an `eve_report` with the same figures of everybody's. */
#include "base/error.h"
#include "base/log.h"
#include "base/rt.h"
#include "ue_node/ue.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>

enum { CONSTELLATION_EVERY = 16 }; /* blocks */

/* Evenly spread over the block's data symbols. */
static json_t *constellation(const struct ue *ue)
{
    json_t *points = json_array();
    const int n = ue->config->record.constellation_points;
    for (int p = 0; p < n; p++) {
        const tutti_cf32 v = ue->receiver.equalised[(size_t)p * (size_t)ue->frame.n_data_re / (size_t)n];
        json_array_append_new(points, json_real((double)crealf(v)));
        json_array_append_new(points, json_real((double)cimagf(v)));
    }
    return points;
}

static json_t *figures(const struct ue_measurement *m)
{
    return json_pack("{s:f, s:f, s:i, s:i, s:i, s:i, s:i, s:i}", "sinr", isfinite(m->sinr) ? m->sinr : 0.0, "evm",
                     isfinite(m->evm) ? m->evm : 1e9, "bits", m->payload.bits, "bit_errors", m->payload.bit_errors,
                     "coded_bits", m->payload.coded_bits, "coded_bit_errors", m->payload.coded_bit_errors,
                     "code_blocks", m->payload.code_blocks, "code_block_errors", m->payload.code_block_errors);
}

static json_t *user_report(const struct ue *ue, uint64_t block, const struct ue_measurement *m)
{
    json_t *root = figures(m);
    json_object_set_new(root, "type", json_string("report"));
    json_object_set_new(root, "block", json_integer((json_int_t)block));
    if (ue->config->record.constellation_points > 0 && block % CONSTELLATION_EVERY == 0) {
        json_object_set_new(root, "constellation", constellation(ue));
    }
    return root;
}

static json_t *eve_report(const struct ue *ue, uint64_t block, const struct ue_measurement *m)
{
    json_t *users = json_array();
    for (int i = 0; i < ue->n_wanted; i++) {
        json_array_append_new(users, figures(&m[i]));
    }
    return json_pack("{s:s, s:I, s:o}", "type", "eve_report", "block", (json_int_t)block, "users", users);
}

static void send_report(struct ue *ue, uint64_t block, const struct ue_measurement *m)
{
    json_t *root = ue->role == UE_EVE ? eve_report(ue, block, m) : user_report(ue, block, m);
    char *text = root ? json_dumps(root, JSON_COMPACT | JSON_REAL_PRECISION(9)) : NULL;
    if (text) {
        fh_peer_send_control(ue->lab, text); /* not welcomed or full: counted by the peer */
    }
    free(text);
    json_decref(root);
}

/* One block at a time: the lab link must be served even when decoding is the bottleneck. */
static void process_capture(struct ue *ue)
{
    rt_event_wait(ue->capture_event, 0);
    const struct ue_capture *capture = ring_peek(ue->captures, 0);
    if (!capture) {
        return;
    }
    struct ue_measurement m[TUTTI_MAX_UE];
    receiver_execute(&ue->receiver, capture->block, capture->Y, ue->n_wanted, ue->wanted, m);
    send_report(ue, capture->block, m);
    for (int i = 0; i < ue->n_wanted; i++) {
        ue->counters.code_blocks += (uint64_t)m[i].payload.code_blocks;
        ue->counters.code_block_errors += (uint64_t)m[i].payload.code_block_errors;
    }
    ring_pop(ue->captures);
    rt_event_signal(ue->room_event);
    if (ring_count(ue->captures) > 0) {
        rt_event_signal(ue->capture_event);
    }
}

static void *report_main(void *argument)
{
    struct ue *ue = argument;
    struct fh_event event;
    while (!rt_stop_requested() && fh_peer_wait(ue->lab, ue->capture_event, -1, &event) >= 0) {
        switch (event.kind) {
        case FH_EVENT_FD:
            process_capture(ue);
            break;
        case FH_EVENT_UP:
            log_write(LOG_INFO, "lab", "CPU-UP session=%u", event.welcome.session);
            break;
        case FH_EVENT_DOWN:
            log_write(LOG_WARNING, "lab", "CPU-DOWN reconnecting");
            break;
        case FH_EVENT_REFUSED:
            log_write(LOG_ERROR, "lab", "REFUSED %s", error_text());
            rt_stop_request();
            break;
        case FH_EVENT_STOP:
            rt_stop_request();
            break;
        default:
            break;
        }
    }
    return NULL;
}

int report_start(struct ue *ue)
{
    if (pthread_create(&ue->thread, NULL, report_main, ue) != 0) {
        return error_set(TUTTI_ENOMEM, "cannot start the report thread");
    }
    ue->running = true;
    return TUTTI_OK;
}

void report_stop(struct ue *ue)
{
    if (!ue->running) {
        return;
    }
    rt_stop_request();
    rt_event_signal(ue->capture_event);
    pthread_join(ue->thread, NULL);
    ue->running = false;
}
