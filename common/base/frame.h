/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The TDD frame: what each OFDM symbol of a coherence block is for, and where it lies on the sample clock. Plain data,
 * computed once; see docs/frame.md. Block b starts at tick epoch + b * n_block_samples on every node; symbol s of a
 * block starts at s * n_symbol_samples, CP first. Samples after the last symbol are silent. The rules of a frame stand
 * here and nowhere else: what a configuration may say is what the programs take. */
#ifndef TUTTI_BASE_FRAME_H
#define TUTTI_BASE_FRAME_H

#include "base/config.h"
#include "base/types.h"

enum { FRAME_MAX_LAG = 4 }; /* blocks */

struct frame {
    double sample_rate_hz;
    int fft_size, n_cp, n_sc, n_sb, sc_per_sb; /* n_sc = used subcarriers = n_sb * sc_per_sb */
    int n_symbol_samples, n_block_samples, n_symbol;
    char letter[TUTTI_MAX_SYMBOL + 1];           /* [n_symbol], NUL-terminated, one of B P U G D C */
    int n_pilot, pilot_symbol[TUTTI_MAX_SYMBOL]; /* symbol index of the t-th P; n_pilot = tau_p */
    int n_ul, ul_symbol[TUTTI_MAX_SYMBOL];       /* symbol index of the t-th U */
    int n_dl, dl_symbol[TUTTI_MAX_SYMBOL];       /* symbol index of the t-th D; contiguous */
    int n_dl_pilot;                              /* first of them that carry precoded pilots */
    int n_guard, guard_symbol[TUTTI_MAX_SYMBOL]; /* G symbols surely silent, used to measure noise: not after C or B2 */
    int n_beacon, beacon_symbol[TUTTI_MAX_SYMBOL];
    int reference_ap; /* sync.mode air: whom the others and users follow; -1: nobody follows */
    int beacon_ap;    /* it alone sends the first two B, all others the rest; -1: all send every B */
    int n_cal, cal_symbol[TUTTI_MAX_SYMBOL]; /* C symbols: access points sound each other in turn */
    int gap_samples;   /* end of the last P to the start of the first D: the longest chunk that keeps causality */
    int chunk_samples; /* of the emulated air; divides n_block_samples, <= gap_samples and half a block */
    int lag_blocks;    /* block b's precoder is applied in block b + this: engine.lag_blocks, or more where
                        * engine.tx_lead_us is longer than what the frame leaves */
    int n_data_re;     /* data resource elements of one user in one block: (n_dl - n_dl_pilot) * n_sc */
};

/* What is wrong with a frame, for whoever knows where the keys stand. */
struct frame_fault {
    char keys[160]; /* those that meet in the rule, the first the most to blame, blanks between them */
    char text[320];
};

/* TUTTI_ECONFIG with the fault filled in. */
int frame_plan(struct frame *frame, const struct config *config, struct frame_fault *fault);
/* The same with the error set ("frame.schedule: ..."). */
int frame_init(struct frame *frame, const struct config *config);

/* Index into the FFT (0..fft_size-1) of used subcarrier i (0..n_sc-1): -n_sc/2..-1, +1..+n_sc/2 around DC, low to high.
 */
int frame_fft_index(const struct frame *frame, int i);
/* Frequency of used subcarrier i from the carrier. */
double frame_sc_hz(const struct frame *frame, int i);

/* Whether an AP sends the b-th B symbol. */
static inline bool frame_sends_beacon(const struct frame *frame, int ap, int b)
{
    return frame->beacon_ap < 0 || (ap == frame->beacon_ap) == (b < 2);
}

/* From an AP's last pilot sample being there to the moment its downlink is due, in us of the sample clock, if its radio
 * gives and takes pieces of so many samples, each beginning at a multiple of it (1 = any sample): what an AP has for
 * estimating, waiting and precoding in the same block. */
double frame_lead_window_us(const struct frame *frame, int piece_samples);
/* How many blocks later a precoder is applied whose burst must be handed over lead_us before it is due: the fewest that
 * leave a wait. */
int frame_lag_of(const struct frame *frame, int piece_samples, double lead_us);

/* tick must not lie before the epoch. */
static inline uint64_t frame_block_of(const struct frame *frame, tutti_tick epoch, tutti_tick tick)
{
    return (tick - epoch) / (uint64_t)frame->n_block_samples;
}
static inline tutti_tick frame_symbol_tick(const struct frame *frame, tutti_tick epoch, uint64_t block, int symbol)
{
    return epoch + block * (uint64_t)frame->n_block_samples + (uint64_t)symbol * (uint64_t)frame->n_symbol_samples;
}

#endif
