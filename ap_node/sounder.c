/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ap_node/sounder.h"

#include "base/error.h"
#include "channel/hardware.h"
#include "node/pilots.h"
#include "phy/pilot.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { PLANS = 4 };
static const double TWO_PI = 6.28318530717958647692;

static int create_buffers(struct sounder *s)
{
    const struct frame *f = s->frame;
    const size_t n_ap = (size_t)s->n_ap, n_ant = (size_t)s->n_ant, n_sb = (size_t)f->n_sb, n_sc = (size_t)f->n_sc;
    s->sequence = calloc(n_sc, sizeof *s->sequence);
    s->x = calloc(n_sc, sizeof *s->x);
    s->burst = calloc(n_ant * (size_t)f->n_symbol_samples, sizeof *s->burst);
    s->Y = calloc(n_ant * n_sc, sizeof *s->Y);
    s->sum = calloc(n_ap * n_ant * n_ant * n_sc, sizeof *s->sum);
    s->count = calloc(n_ap * n_ant * n_sc, sizeof *s->count);
    s->shift = calloc(n_ap, sizeof *s->shift);
    s->place = calloc(n_sc, sizeof *s->place);
    s->centre = calloc(n_sb, sizeof *s->centre);
    s->statistic = calloc(3 + n_sb * n_ant, sizeof *s->statistic);
    s->values = calloc(n_sb * n_ant * n_ant, sizeof *s->values);
    s->buffers = calloc(n_ant, sizeof *s->buffers);
    return s->sequence && s->x && s->burst && s->Y && s->sum && s->count && s->shift && s->place && s->centre &&
                   s->statistic && s->values && s->buffers
               ? TUTTI_OK
               : error_set(TUTTI_ENOMEM, "out of memory for sounding %d access points", s->n_ap);
}

int sounder_create(struct sounder *s, const struct config *config, const struct config_radio *radio,
                   const struct frame *frame, int id)
{
    *s = (struct sounder){.frame = frame,
                          .n_ap = config->network.n_ap,
                          .n_ant = config->network.n_ant,
                          .id = id,
                          .tx_scale = node_tx_scale(frame, radio->tx_power_dbm, radio->tx_full_scale_dbm)};
    if (config->calibration.power == CONFIG_CALIBRATION_EACH) {
        s->tx_scale *= sqrtf((float)s->n_ant); /* on every n_ant-th subcarrier */
    }
    if (config_has_emulated(config)) {
        s->known_delay = hardware_common_delay_samples(config, CONFIG_ROLE_AP, CONFIG_ROLE_AP);
    }
    int status = create_buffers(s);
    status = status < 0 ? status : ring_create(&s->plans, PLANS, sizeof(struct sounder_plan));
    status = status < 0 ? status : ofdm_create(&s->ofdm, frame);
    if (status < 0) {
        return status;
    }
    pilot_beacon(frame->n_sc, s->sequence);
    for (int i = 0; i < frame->n_sc; i++) {
        s->place[i] = rint(frame_sc_hz(frame, i) / (frame->sample_rate_hz / frame->fft_size));
        s->centre[i / frame->sc_per_sb] += s->place[i] / frame->sc_per_sb;
    }
    return TUTTI_OK;
}

void sounder_destroy(struct sounder *s)
{
    ring_destroy(s->plans);
    ofdm_destroy(s->ofdm);
    free(s->sequence);
    free(s->x);
    free(s->burst);
    free(s->Y);
    free(s->sum);
    free(s->count);
    free(s->shift);
    free(s->place);
    free(s->centre);
    free(s->statistic);
    free(s->values);
    free(s->buffers);
    *s = (struct sounder){0};
}

void sounder_order(struct sounder *s, const struct sounder_plan *plan)
{
    struct sounder_plan *slot = ring_write_slot(s->plans);
    if (slot) { /* else the slot thread stands still, and so does the run */
        *slot = *plan;
        ring_push(s->plans);
    }
}

void sounder_follow(struct sounder *s)
{
    const struct frame *f = s->frame;
    const size_t n_ap = (size_t)s->n_ap, n_ant = (size_t)s->n_ant, n_sc = (size_t)f->n_sc;
    for (const struct sounder_plan *plan; (plan = ring_peek(s->plans, 0)) != NULL; ring_pop(s->plans)) {
        s->plan = *plan;
        s->n_to_tell = s->n_ap;
        memset(s->sum, 0, n_ap * n_ant * n_ant * n_sc * sizeof *s->sum);
        memset(s->count, 0, n_ap * n_ant * n_sc * sizeof *s->count);
        for (size_t ap = 0; ap < n_ap; ap++) {
            s->shift[ap] = s->known_delay;
        }
    }
}

static bool is_of_run(const struct sounder *s, uint64_t block)
{
    return block >= s->plan.from_block && block < s->plan.to_block;
}

bool sounder_listens(const struct sounder *s, uint64_t block)
{
    return is_of_run(s, block) || (block > 0 && is_of_run(s, block - 1));
}

/* Whose turn it is in a block, and the how manieth time its t-th C symbol is. */
static int sender_of(const struct sounder *s, uint64_t block)
{
    return (int)((block - s->plan.from_block) % (uint64_t)s->n_ap);
}

static int repeat_of(const struct sounder *s, uint64_t block, int t)
{
    return (int)((block - s->plan.from_block) / (uint64_t)s->n_ap) * s->frame->n_cal + t;
}

/* The antenna that sends on a subcarrier. */
static int antenna_of(const struct sounder *s, int i, int repeat)
{
    return (i + repeat) % s->n_ant;
}

/* Sending ---------------------------------------------------------------------------------------------------------- */

void sounder_send(struct sounder *s, struct node_radio *radio, uint64_t block)
{
    const struct frame *f = s->frame;
    const bool ours = is_of_run(s, block) && sender_of(s, block) == s->id;
    for (int t = 0; ours && t < f->n_cal; t++) {
        const int repeat = repeat_of(s, block, t);
        const tutti_tick tick = node_radio_tick(radio, block, f->cal_symbol[t]);
        for (int a = 0; a < s->n_ant; a++) {
            tutti_cf32 *out = s->burst + (size_t)a * (size_t)f->n_symbol_samples;
            for (int i = 0; i < f->n_sc; i++) {
                s->x[i] = antenna_of(s, i, repeat) == a ? s->sequence[i] : 0;
            }
            slave_delay(s->slave, false, 1, s->x);
            ofdm_modulate(s->ofdm, s->x, s->tx_scale, out);
            slave_turn(s->slave, tick, 1, f->n_symbol_samples, &out);
            s->buffers[a] = out;
        }
        node_radio_burst(radio, s->buffers, f->n_symbol_samples, tick, NODE_TAG_OTHER | block);
    }
}

/* Hearing ---------------------------------------------------------------------------------------------------------- */

/* Delay by the turn between neighbours `step` apart, summed over `n` rows; counts [n_sc], NULL: all are there. */
static double complex turn_of(const struct sounder *s, const tutti_cf32 *y, const float *count, int step)
{
    const int n_sc = s->frame->n_sc, dc = n_sc / 2;
    double complex turn = 0;
    for (int i = 0; i + step < n_sc; i++) {
        const bool across = i < dc && i + step >= dc; /* the carrier: one spacing more */
        if (!across && (!count || (count[i] > 0 && count[i + step] > 0))) {
            turn += (double complex)(conjf(y[i]) * y[i + step]);
        }
    }
    return turn;
}

static double delay_of(const struct sounder *s, double complex turn, int step)
{
    return -carg(turn) * s->frame->fft_size / (TWO_PI * step);
}

/* One symbol of all antennas with the window moved by `shift`, to Y; false: not all of it is there. */
static bool demodulate(struct sounder *s, const struct node_span *span, tutti_tick tick, int shift)
{
    const struct frame *f = s->frame;
    const tutti_tick begin = (tutti_tick)((int64_t)tick + shift);
    if (!node_span_has(span, begin, f->n_symbol_samples)) {
        return false;
    }
    for (int q = 0; q < s->n_ant; q++) {
        tutti_cf32 *const y = s->Y + (size_t)q * (size_t)f->n_sc;
        ofdm_demodulate(s->ofdm, node_span_at(span, q, begin), y);
        for (int i = 0; i < f->n_sc; i++) {
            y[i] *= conjf(s->sequence[i]);
        }
    }
    slave_delay(s->slave, true, s->n_ant, s->Y);
    return true;
}

/* Where in its window the symbol lies that is in Y: the same antenna is heard n_ant subcarriers further. */
static double delay_in_window(const struct sounder *s)
{
    double complex turn = 0;
    for (int q = 0; q < s->n_ant; q++) {
        turn += turn_of(s, s->Y + (size_t)q * (size_t)s->frame->n_sc, NULL, s->n_ant);
    }
    return delay_of(s, turn, s->n_ant);
}

/* Adds what is in Y; what the window's shift turned is turned back, but for the delay that is known and the same both
 * ways: delays are told apart to half an FFT window only. */
static void add_symbol(struct sounder *s, int from, int repeat, float unit)
{
    const struct frame *f = s->frame;
    const size_t n_sc = (size_t)f->n_sc, n = (size_t)s->n_ant;
    for (size_t i = 0; i < n_sc; i++) {
        const double angle = -TWO_PI * s->place[i] * (s->shift[from] - s->known_delay) / f->fft_size;
        const tutti_cf32 back = unit * CMPLXF((float)cos(angle), (float)sin(angle));
        const size_t p = (size_t)antenna_of(s, (int)i, repeat);
        for (size_t q = 0; q < n; q++) {
            s->sum[(((size_t)from * n + q) * n + p) * n_sc + i] += s->Y[q * n_sc + i] * back;
        }
        s->count[((size_t)from * n + p) * n_sc + i] += 1;
    }
}

void sounder_hear(struct sounder *s, const struct node_span *span, tutti_tick epoch, uint64_t block, double noise_power)
{
    const struct frame *f = s->frame;
    if (!is_of_run(s, block) || sender_of(s, block) == s->id || !(noise_power > 0)) {
        return;
    }
    const int from = sender_of(s, block);
    for (int t = 0; t < f->n_cal; t++) {
        const tutti_tick tick = frame_symbol_tick(f, epoch, block, f->cal_symbol[t]);
        if (!demodulate(s, span, tick, s->shift[from])) {
            continue;
        }
        const int off = (int)lrint(delay_in_window(s));
        if (off > 1 || off < -1) { /* the first time, as a rule */
            s->shift[from] += off;
        }
        if ((off <= 1 && off >= -1) || demodulate(s, span, tick, s->shift[from])) {
            add_symbol(s, from, repeat_of(s, block, t), (float)(1 / sqrt(noise_power)));
        }
    }
}

/* Telling ---------------------------------------------------------------------------------------------------------- */

static struct wire_header header_of(const struct sounder *s, uint64_t block, uint32_t session)
{
    return (struct wire_header){.type = WIRE_CALIBRATION,
                                .encoding = WIRE_CF32,
                                .node = (uint16_t)s->id,
                                .session = session,
                                .block = block,
                                .n_sb = (uint16_t)s->frame->n_sb,
                                .n_ant = (uint16_t)s->n_ant,
                                .n_stream = (uint16_t)s->n_ant};
}

static uint32_t n_statistic(const struct sounder *s)
{
    return 3 + (uint32_t)(s->frame->n_sb * s->n_ant);
}

size_t sounder_message_bytes(const struct sounder *s)
{
    const struct wire_header header = header_of(s, 0, 0);
    return wire_array_bytes(&header, n_statistic(s));
}

/* Sums to means; the delay of what AP `from` sends. */
static double find_delay(struct sounder *s, int from)
{
    const size_t n_sc = (size_t)s->frame->n_sc, n = (size_t)s->n_ant;
    const int near =
        s->plan.to_block - s->plan.from_block >= n * (size_t)s->n_ap / (size_t)s->frame->n_cal ? 1 : s->n_ant;
    double complex turn = 0;
    for (size_t row = 0; row < n * n; row++) {
        tutti_cf32 *const sum = s->sum + ((size_t)from * n * n + row) * n_sc;
        const float *const count = s->count + ((size_t)from * n + row % n) * n_sc;
        for (size_t i = 0; i < n_sc; i++) {
            sum[i] = count[i] > 0 ? sum[i] / count[i] : 0;
        }
        turn += turn_of(s, sum, count, near);
    }
    return delay_of(s, turn, near);
}

/* Subband means of one row of subcarriers about the centres, each as often as it was heard. */
static void average(struct sounder *s, int from, int q, int p, double delay)
{
    const struct frame *f = s->frame;
    const size_t n = (size_t)s->n_ant, n_sc = (size_t)f->n_sc;
    const tutti_cf32 *const mean = s->sum + (((size_t)from * n + (size_t)q) * n + (size_t)p) * n_sc;
    const float *const count = s->count + ((size_t)from * n + (size_t)p) * n_sc;
    for (int sb = 0; sb < f->n_sb; sb++) {
        tutti_cf32 sum = 0;
        float all = 0;
        for (int i = sb * f->sc_per_sb; i < (sb + 1) * f->sc_per_sb; i++) {
            const double angle = TWO_PI * (s->place[i] - s->centre[sb]) * delay / f->fft_size;
            sum += count[i] * mean[i] * CMPLXF((float)cos(angle), (float)sin(angle));
            all += count[i];
        }
        s->values[((size_t)sb * n + (size_t)q) * n + (size_t)p] = all > 0 ? sum / all : 0;
        s->statistic[3 + (size_t)sb * n + (size_t)p] = all;
    }
}

/* All there is of AP `from`. */
static void conclude(struct sounder *s, int from)
{
    const double delay = find_delay(s, from);
    s->statistic[0] = (float)s->plan.run;
    s->statistic[1] = (float)delay;
    s->statistic[2] = (float)s->shift_samples;
    for (int row = 0; row < s->n_ant * s->n_ant; row++) {
        average(s, from, row / s->n_ant, row % s->n_ant, delay);
    }
}

size_t sounder_tell(struct sounder *s, uint64_t block, uint32_t session, uint8_t *out, size_t room)
{
    if (s->n_to_tell == 0 || block < s->plan.to_block || session == 0) {
        return 0;
    }
    const int from = s->n_ap - s->n_to_tell--;
    if (from == s->id) {
        return sounder_tell(s, block, session, out, room);
    }
    conclude(s, from);
    const struct wire_header header = header_of(s, block, session);
    const struct wire_array_meta meta = {
        .subject = (uint16_t)from, .n_statistic = n_statistic(s), .statistic = s->statistic};
    return wire_pack_array(out, room, &header, &meta, s->values);
}
