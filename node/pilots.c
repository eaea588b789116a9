/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "node/pilots.h"

#include "base/error.h"
#include "phy/pilot.h"

#include <math.h>
#include <stdlib.h>

/* What makes a pilot: sequences of length tau and the scrambling. */
struct known {
    tutti_cf32 *phi, *scrambling, *symbol;
};

static void known_free(struct known *k)
{
    free(k->phi);
    free(k->scrambling);
    free(k->symbol);
}

static int known_make(struct known *k, int tau, int n_sc)
{
    k->phi = calloc((size_t)tau * (size_t)tau, sizeof *k->phi);
    k->scrambling = calloc((size_t)n_sc, sizeof *k->scrambling);
    k->symbol = calloc((size_t)n_sc, sizeof *k->symbol);
    if (!k->phi || !k->scrambling || !k->symbol) {
        return error_set(TUTTI_ENOMEM, "out of memory for the pilots");
    }
    pilot_sequences(tau, k->phi);
    pilot_scrambling(n_sc, k->scrambling);
    return TUTTI_OK;
}

int node_pilots_downlink(const struct frame *frame, int n, tutti_cf32 *out)
{
    const int tau = frame->n_dl_pilot;
    struct known known = {0};
    const int status = known_make(&known, tau, frame->n_sc);
    for (int k = 0; status >= 0 && k < n; k++) {
        for (int t = 0; t < tau; t++) {
            pilot_symbol(tau, k, t, frame->n_sc, known.phi, known.scrambling,
                         out + (size_t)(k * tau + t) * (size_t)frame->n_sc);
        }
    }
    known_free(&known);
    return status;
}

int node_pilots_uplink(const struct frame *frame, int sequence, float scale, ofdm_t *ofdm, tutti_cf32 *out)
{
    const int tau = frame->n_pilot;
    struct known known = {0};
    const int status = known_make(&known, tau, frame->n_sc);
    if (status >= 0) {
        for (int t = 0; t < tau; t++) {
            pilot_symbol(tau, sequence, t, frame->n_sc, known.phi, known.scrambling, known.symbol);
            ofdm_modulate(ofdm, known.symbol, scale, out + (size_t)t * (size_t)frame->n_symbol_samples);
        }
    }
    known_free(&known);
    return status;
}

float node_tx_scale(const struct frame *frame, double power_dbm, double full_scale_dbm)
{
    const double backoff_db = full_scale_dbm - power_dbm;
    return (float)(sqrt((double)frame->fft_size / frame->n_sc) * pow(10.0, -backoff_db / 20.0));
}
