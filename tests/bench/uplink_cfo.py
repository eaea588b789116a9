#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""What oscillator offsets of users and access points leave of the uplink's SINR on the demo network, computed with NumPy alone, without any
of Tutti's code: uplink_cfo.py [DRAWS]. Four pilots in a row, DFT sequences, despread as if nobody had an offset, or with offsets known;
carriers of a user's own symbol leaking into each other, or turned back sample by sample (docs/uplink.md). Its turn of phase from symbol
to symbol is taken off perfectly behind the combiner."""
import sys

import numpy as np

L, N, K, TAU, N_SB, SC = 4, 4, 4, 4, 6, 12       # access points, antennas, users, pilots, subbands, subcarriers in one
SYMBOL_S = 137 / 1.92e6
P, U = np.arange(2, 6), np.arange(6, 30)          # symbols of "B G P4 U24 G D38 G"
RHO = 10 ** 2.7                                   # SNR of a subcarrier at one antenna
PHI = np.exp(-2j * np.pi * np.outer(np.arange(K), np.arange(TAU)) / TAU)


def gauss(rng, *shape):
    return (rng.standard_normal(shape) + 1j * rng.standard_normal(shape)) / np.sqrt(2)


def turn(hz, symbols):
    """[..., symbol] phase of an offset against the middle of the pilots."""
    return np.exp(2j * np.pi * np.asarray(hz)[..., None] * (symbols - P.mean()) * SYMBOL_S)


def estimates(rng, g, seen, known):
    """seen [L][K][TAU]: every user's pilot as it comes; known [K][TAU]: as the despreader takes it to come."""
    y = np.sqrt(RHO) * np.einsum("slnk,lkt->slnt", g, seen) + gauss(rng, N_SB, L, N, TAU) / np.sqrt(SC)
    z = np.einsum("slnt,tk->slnk", y, np.linalg.pinv(known)) / np.sqrt(RHO)
    return z / (1 + 1 / (SC * TAU * RHO))


SPACING_HZ = 1.92e6 / 128


def one(rng, ue_hz, ap_hz, pilots, carriers):
    """Mean SINR in dB over users: MMSE over all antennas, [Demir 2021] (5.11), then the error of the data symbols behind it."""
    g = gauss(rng, N_SB, L, N, K)
    own, others = turn(ue_hz, P), turn(ap_hz, P)
    G = estimates(rng, g, PHI * own * others[:, None], PHI * (own if pilots else 1)).reshape(N_SB, L * N, K) * np.sqrt(RHO)
    z = 1 + K / (SC * TAU)
    v = np.linalg.solve(np.einsum("smi,sni->smn", G, G.conj()) + z * np.eye(L * N), G)
    seen = np.sqrt(RHO) * np.einsum("slnk,kd,ld->slnkd", g, turn(ue_hz, U), turn(ap_hz, U)).reshape(N_SB, L * N, K, U.size)
    a = np.einsum("smk,smid->skid", v.conj(), seen)
    a = a * turn(ue_hz, U).conj()[:, None, :] / np.einsum("smk,smk->sk", v.conj(), G)[:, :, None, None]
    noise = np.sum(np.abs(v) ** 2, 1) / np.abs(np.einsum("smk,smk->sk", v.conj(), G)) ** 2
    own_gain = np.einsum("skkd->skd", a)
    common = own_gain / np.abs(own_gain).mean((0,), keepdims=True)
    phase = np.exp(-1j * np.angle(common.mean(0, keepdims=True)))   # of a symbol, over all subcarriers: what following takes off
    left = np.abs(own_gain * phase - (own_gain * phase).mean(2, keepdims=True)) ** 2
    error = left + np.sum(np.abs(a) ** 2, 2) - np.abs(own_gain) ** 2 + noise[..., None]
    leak = 0 if carriers else (np.pi * np.asarray(ue_hz) / SPACING_HZ) ** 2 / 3      # others' leaks are nulled with them
    return np.mean(10 * np.log10(1 / (error.mean((0, 2)) + leak)))


def mean(n, ue=0.0, ap=0.0, pilots=False, carriers=False):
    rng = np.random.default_rng(1)
    return np.mean([one(rng, rng.uniform(-ue, ue, K), rng.uniform(-ap, ap, L), pilots, carriers) for _ in range(n)])


def main():
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 400
    d = 2 * np.pi * 100 * SYMBOL_S
    leak = [abs(np.mean(np.exp(1j * (d + 2 * np.pi * q / TAU) * (np.arange(TAU) - 1.5)))) ** 2 for q in (1, 2, 3)]
    print(f"100 Hz: the other three estimates take up {leak[0]:.1e}, {leak[1]:.1e}, {leak[2]:.1e} of a pilot's power")
    print(f"no offset                        {mean(n):6.2f} dB")
    for hz in (5, 20, 50, 100, 200):
        print(f"users up to +-{hz:3d} Hz: nothing undone {mean(n, ue=hz):6.2f} dB, pilots {mean(n, ue=hz, pilots=True):6.2f} dB, "
              f"carriers too {mean(n, ue=hz, pilots=True, carriers=True):6.2f} dB")
    for hz in (1, 5, 20, 50):
        print(f"access points up to +-{hz:2d} Hz    {mean(n, ap=hz):6.2f} dB")


main()
