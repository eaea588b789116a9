/* SPDX-License-Identifier: GPL-3.0-or-later */
/* From one user's combined uplink symbols to figures: the phase is followed from symbol to symbol (an oscillator's
 * offset turns a user's stream as a whole, so nothing is lost by following it behind the combiner), then they are
 * decoded and measured against the known payload. Within a symbol an offset of eps subcarriers spreads (pi eps)^2 / 3
 * of a carrier's power over the others; where that counts the symbol is turned sample by sample, which behind the
 * combiner is as good as before it. Create allocates; the rest does not, and neither blocks nor locks. One handle per
 * thread; what is remembered of a user is the caller's. */
#ifndef TUTTI_PHY_UPSTREAM_H
#define TUTTI_PHY_UPSTREAM_H

#include "phy/payload.h"

typedef struct upstream upstream_t;

struct upstream_settings {
    const struct config_payload *payload; /* read at create only; modulation: the uplink's */
    uint64_t seed;                        /* of the payload */
    bool track_phase;
};
/* Of a user's oscillator, radians per symbol; all 0 at first. */
struct upstream_memory {
    double frequency_rad; /* where its last block ended */
    double offset_rad;    /* the same of the last block of which something was decoded: its decisions were right */
};
struct upstream_figures {
    double sinr; /* linear: signal power over error power of the symbols, bias of the fit removed */
    double evm;  /* fraction */
    struct payload_result payload;
};

/* Errors: TUTTI_ECONFIG (payload), TUTTI_ENOMEM; *upstream is NULL then. The frame is kept, not copied. */
int upstream_create(upstream_t **upstream, const struct frame *frame, const struct upstream_settings *settings);
void upstream_destroy(upstream_t *upstream); /* NULL allowed */
/* symbols [n_ul][n_sc] with gain 1 and, in every subband, the SINR of sinr [n_sb] (linear); turned in place. Gains are
 * those of the middle of the pilots. */
void upstream_execute(upstream_t *upstream, int user, uint64_t block, tutti_cf32 *symbols, const double *sinr,
                      struct upstream_memory *memory, struct upstream_figures *figures);

#endif
