/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "phy/pilot.h"

#include <math.h>

static tutti_cf32 unit_phasor(double turns)
{
    return (tutti_cf32)cexp(2.0 * I * M_PI * turns);
}

void pilot_sequences(int tau, tutti_cf32 *phi)
{
    const float amplitude = (float)(1.0 / sqrt(tau));
    for (int p = 0; p < tau; p++) {
        for (int t = 0; t < tau; t++) {
            phi[p * tau + t] = amplitude * unit_phasor(-(double)((p * t) % tau) / tau);
        }
    }
}

/* A chirp over the band, phase pi i^2 / n_sc, rounded to quarter turns: QPSK, and the energy of the symbol is spread
 * over its whole length as that of a Zadoff-Chu sequence is. */
void pilot_scrambling(int n_sc, tutti_cf32 *scrambling)
{
    static const tutti_cf32 quarter[4] = {1.0f, 1.0f * I, -1.0f, -1.0f * I};
    for (int i = 0; i < n_sc; i++) {
        const long long turns_4n = (2LL * i * i) % (4LL * n_sc); /* quarter turns times n_sc */
        scrambling[i] = quarter[((2 * turns_4n + n_sc) / (2LL * n_sc)) % 4];
    }
}

void pilot_symbol(int tau, int p, int t, int n_sc, const tutti_cf32 *phi, const tutti_cf32 *scrambling, tutti_cf32 *out)
{
    const tutti_cf32 chip = sqrtf((float)tau) * phi[p * tau + t];
    for (int i = 0; i < n_sc; i++) {
        out[i] = chip * scrambling[i];
    }
}

void pilot_assignment(const struct config *config, const struct frame *frame, int *pilot_of_user)
{
    const struct config_pilots *p = &config->pilots;
    for (int k = 0; k < config->network.n_ue; k++) {
        pilot_of_user[k] = ((unsigned)k < p->assignment_count ? p->assignment[k] : k) % frame->n_pilot;
    }
}

static int coprime(int a, int b)
{
    while (b) {
        const int r = a % b;
        a = b;
        b = r;
    }
    return a == 1;
}

/* Zadoff-Chu: exp(-j pi u i (i + (n mod 2)) / n), u coprime with n. The root is near 0.45 n so that the chirp crosses
 * the band many times and the beacon is unlike the pilots' scrambling, whose root is 1. */
void pilot_beacon(int n_sc, tutti_cf32 *out)
{
    int u = (int)lround(0.45 * n_sc);
    while (u < 1 || !coprime(u, n_sc)) {
        u++;
    }
    for (int i = 0; i < n_sc; i++) {
        const long long turns_2n = ((long long)u * i * (i + n_sc % 2)) % (2LL * n_sc);
        out[i] = unit_phasor(-(double)turns_2n / (2.0 * n_sc));
    }
}
