/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cpu_node/record/rows.h"

#include "base/error.h"
#include "cpu_node/sync_watch.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

int record_rows_create(struct record_rows **rows, run_file_t *file, const struct record_shape *s)
{
    struct record_rows *r = *rows = calloc(1, sizeof *r);
    if (!r) {
        return error_set(TUTTI_ENOMEM, "out of memory for the recorder");
    }
    r->file = file;
    r->shape = *s;
    r->wide = malloc((size_t)s->n_sb * (size_t)(s->n_ap + 1) * (size_t)s->n_ue * sizeof *r->wide);
    r->counts = calloc((size_t)s->n_ap * 5, sizeof *r->counts);
    r->learnt = calloc((size_t)s->n_ap, sizeof *r->learnt);
    r->mode = calloc((size_t)s->n_ap, sizeof *r->mode);
    const int status = ledger_create(&r->ledger, s->n_ap);
    if (status < 0) {
        return status;
    }
    return r->wide && r->counts && r->learnt && r->mode ? TUTTI_OK
                                                        : error_set(TUTTI_ENOMEM, "out of memory for the recorder");
}

void record_rows_destroy(struct record_rows *r)
{
    if (!r) {
        return;
    }
    ledger_destroy(r->ledger);
    free(r->wide);
    free(r->counts);
    free(r->learnt);
    free(r->mode);
    free(r);
}

/* As doubles, `times` times over (the channel file wants error variances for every subband). */
static const double *widen(struct record_rows *r, const float *values, size_t n, size_t times)
{
    for (size_t t = 0; t < times; t++) {
        for (size_t i = 0; i < n; i++) {
            r->wide[t * n + i] = (double)values[i];
        }
    }
    return r->wide;
}

/* NaN where everybody got the same. */
static const double *powers_of(struct record_rows *r, const struct cpu_block *block)
{
    for (int i = 0; i < r->shape.n_ap * r->shape.n_ue; i++) {
        r->wide[i] = block->powered ? block->power[i] : NAN;
    }
    return r->wide;
}

/* This central node's part of the downlink. */
static void write_part(struct record_rows *r, const struct cpu_block *block)
{
    const struct block_part *const part = block->part;
    if (part) {
        run_file_put(r->file, R_PARTS_GAIN, block->number, part->sent);
        run_file_put(r->file, R_PARTS_ERROR, block->number, part->error);
        run_file_put(r->file, R_PARTS_WEIGHT, block->number, part->sent_by);
    }
}

static void write_solution(struct record_rows *r, const struct cpu_block *block)
{
    const size_t n_sb = (size_t)r->shape.n_sb, n_ue = (size_t)r->shape.n_ue;
    const double solve_s = 1e-9 * (double)block->solve_ns;
    const int32_t scheme = block->scheme;
    const uint8_t solved = 1;
    int32_t reason = 0;
    for (size_t sb = 0; sb < n_sb; sb++) {
        reason = block->reason[sb] > reason ? block->reason[sb] : reason;
    }
    run_file_t *f = r->file;
    const uint64_t b = block->number;
    run_file_put(f, R_W, b, block->streams->W);
    if (r->shape.noise_vectors) {
        run_file_put(f, R_AN, b, block->streams->extra);
    }
    run_file_put(f, R_POWER, b, powers_of(r, block));
    run_file_put(f, R_AN_SHARE, b, &block->an_share);
    run_file_put(f, R_SINR_PREDICTED, b, widen(r, block->sinr, n_sb * n_ue, 1));
    run_file_put(f, R_SINR_BOUND, b, block->bound);
    run_file_put(f, R_SOLVE_TIME, b, &solve_s);
    run_file_put(f, R_SCHEME, b, &scheme);
    run_file_put(f, R_REASON, b, &reason);
    run_file_put(f, R_SOLVED, b, &solved);
}

void record_rows_joined(struct record_rows *r, int ap)
{
    r->learnt[ap] = 0;
}

/* 1 if an AP of the solve has not tracked for long. */
static uint8_t count_learning(struct record_rows *r, const struct cpu_block *block)
{
    uint8_t learning = 0;
    for (int ap = 0; ap < r->shape.n_ap; ap++) {
        if (block->gathered[ap] && r->learnt[ap] < RECORD_LEARN_BLOCKS) {
            r->learnt[ap]++;
            learning = 1;
        }
    }
    return learning;
}

/* Zeros in blocks before the first decision. */
static void write_sensing(struct record_rows *r, const struct cpu_block *block)
{
    const struct sensing_shape shape = {r->shape.n_ap, r->shape.n_ue, r->shape.n_zone};
    const struct sensing_plan p = sensing_plan_in(block->plan, &shape);
    const uint64_t b = block->number;
    run_file_t *f = r->file;
    if (!block->planned) {
        memset(block->plan, 0, sensing_plan_doubles(&shape) * sizeof *block->plan);
    }
    for (int m = 0; m < r->shape.n_ap; m++) {
        r->mode[m] = !block->planned || p.mode[m] != 0;
    }
    run_file_put(f, R_SENSING_V, b, block->streams->extra);
    run_file_put(f, R_SENSING_MODE, b, r->mode);
    run_file_put(f, R_SENSING_SHARE, b, p.share);
    run_file_put(f, R_SENSING_ETA_S, b, p.eta_s);
    run_file_put(f, R_SENSING_THETA, b, p.theta_rad);
    run_file_put(f, R_SENSING_SINR, b, p.sinr);
    run_file_put(f, R_SENSING_MASR, b, p.masr);
    run_file_put(f, R_SENSING_EVE, b, p.sinr_eve);
}

static void write_inputs(struct record_rows *r, const struct cpu_block *block)
{
    const size_t n_sb = (size_t)r->shape.n_sb, n_ue = (size_t)r->shape.n_ue, n_ap = (size_t)r->shape.n_ap;
    const uint64_t b = block->number, tick = block->tick, session = block->session;
    const uint8_t learning = count_learning(r, block);
    const int32_t calibration = (int32_t)block->calibration;
    for (size_t i = 0; i < n_ap * 5; i++) {
        r->counts[i] = block->radio_events[i / 5][i % 5];
    }
    run_file_t *f = r->file;
    run_file_put(f, R_H_HAT, b, block->H_hat);
    run_file_put(f, R_ERROR_VARIANCE, b, widen(r, block->error_variance, n_ap * n_ue, n_sb));
    run_file_put(f, R_TICK, b, &tick);
    run_file_put(f, R_SESSION, b, &session);
    run_file_put(f, R_LEARNING, b, &learning);
    run_file_put(f, R_CALIBRATION, b, &calibration);
    run_file_put(f, R_AP_USED, b, block->gathered);
    run_file_put(f, R_USER_USED, b, block->user_used);
    run_file_put(f, R_PLACE, b, block->place);
    run_file_put(f, R_AGE, b, block->age_blocks);
    run_file_put(f, R_SEAT, b, block->seat);
    run_file_put(f, R_ROSTER_FROM, b, &block->roster_from);
    run_file_put(f, R_CLUSTER_SERVES, b, block->serves);
    run_file_put(f, R_CLUSTER_PILOT, b, block->pilot);
    run_file_put(f, R_BETA, b, widen(r, block->beta, n_ap * n_ue, 1));
    run_file_put(f, R_NOISE_POWER, b, widen(r, block->noise_power, n_ap, 1));
    run_file_put(f, R_EVENTS, b, r->counts);
}

static void write_sync(struct record_rows *r, const struct cpu_block *block)
{
    static const enum record_dataset figures[SYNC_WATCH_FIGURES] = {R_SYNC_CFO, R_SYNC_ERROR, R_SYNC_SNR, R_SYNC_DELAY,
                                                                    R_SYNC_DRIFT};
    run_file_put(r->file, R_SYNC_STATE, block->number, block->sync_state);
    for (int i = 0; i < SYNC_WATCH_FIGURES; i++) {
        run_file_put(r->file, figures[i], block->number, block->sync_figures + i * r->shape.n_ap);
    }
}

static void write_hops(struct record_rows *r, const struct cpu_block *block)
{
    run_file_t *f = r->file;
    const uint64_t b = block->number;
    run_file_put(f, R_CAPTURE_END, b, block->capture_end_ns);
    run_file_put(f, R_CSI_SENT, b, block->csi_sent_ns);
    run_file_put(f, R_CSI_RECEIVED, b, block->csi_received_ns);
    run_file_put(f, R_PRECODER_SENT, b, block->precoder_sent_ns);
    run_file_put(f, R_SOLVE_START, b, &block->solve_start_ns);
    run_file_put(f, R_SOLVE_END, b, &block->solve_end_ns);
    run_file_put(f, R_FAULTS, b, block->faults);
}

/* Accounts ----------------------------------------------------------------------------------------------------------
 */

static void write_lost(void *context, int ap, uint64_t block)
{
    static const uint8_t KIND = WIRE_SENT_LOST;
    const struct record_rows *r = context;
    run_file_put_cell(r->file, R_KIND, block, (uint64_t)ap, &KIND);
}

/* What an earlier life of this node left open is owed still: its APs tell again, or it is lost. */
static void owe_earlier(struct record_rows *r, const struct run_file_earlier *e)
{
    const size_t n_ap = (size_t)r->shape.n_ap;
    for (size_t b = 0; b < e->n; b++) {
        ledger_owe(r->ledger, e->first + b, e->ap_used + b * n_ap, write_lost, r);
        for (int ap = 0; ap < r->shape.n_ap; ap++) {
            const uint8_t kind = e->kind[b * n_ap + (size_t)ap];
            if (kind != WIRE_SENT_UNKNOWN && kind != WIRE_SENT_LOST) {
                ledger_take(r->ledger, ap, e->first + b, write_lost, r);
            }
        }
    }
}

void record_rows_begin(struct record_rows *r, uint64_t block)
{
    struct run_file_earlier earlier;
    run_file_take_earlier(r->file, &earlier);
    ledger_begin(r->ledger, earlier.n > 0 ? earlier.first : block);
    owe_earlier(r, &earlier);
    free(earlier.ap_used);
    free(earlier.kind);
}

void record_rows_lose(struct record_rows *r, int ap)
{
    ledger_lose(r->ledger, ap, write_lost, r);
}

void record_rows_block(struct record_rows *r, const struct cpu_block *block)
{
    ledger_owe(r->ledger, block->number, block->gathered, write_lost, r);
    write_inputs(r, block);
    write_sync(r, block);
    write_solution(r, block);
    write_part(r, block);
    if (r->shape.n_zone > 0) {
        write_sensing(r, block);
    }
    write_hops(r, block);
}

bool record_rows_account(struct record_rows *r, int ap, const struct wire_account *a)
{
    const uint64_t cell = (uint64_t)ap;
    if (!ledger_take(r->ledger, ap, a->block, write_lost, r)) {
        r->n_accounts_twice++; /* the acknowledgement was under way: the first one stands */
        return false;
    }
    r->n_accounts++;
    r->arrivals[a->arrival < 4 ? a->arrival : 0]++;
    r->sent[a->sent < WIRE_SENT_LOST ? a->sent : 0]++;
    r->scaled += a->scaled;
    run_file_put_cell(r->file, R_PRECODER_RECEIVED, a->block, cell, &a->precoder_received_ns);
    run_file_put_cell(r->file, R_APPLIED_NS, a->block, cell, &a->applied_ns);
    run_file_put_cell(r->file, R_KIND, a->block, cell, &a->sent);
    run_file_put_cell(r->file, R_CHOSEN, a->block, cell, &a->chosen);
    run_file_put_cell(r->file, R_ARRIVAL, a->block, cell, &a->arrival);
    run_file_put_cell(r->file, R_SCALED, a->block, cell, &a->scaled);
    if (r->file && a->capture_end_ns > 0) {
        const uint64_t *capture = run_file_peek(r->file, R_CAPTURE_END, a->block);
        if (!capture || capture[ap] == 0) { /* its estimates never came: only the account knows */
            run_file_put_cell(r->file, R_CAPTURE_END, a->block, cell, &a->capture_end_ns);
        }
    }
    return true;
}
