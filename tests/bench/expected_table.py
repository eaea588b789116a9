#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""What imperfections cost in whole networks against /sinr_expected, row by row: harmonic means in dB over users, blocks and seeds, what
chance leaves of their difference (standard error, from seed to seed), and whether it is within the bound of the row. usage: expected_table.py [PART OF A ROW'S NAME] (TUTTI_BIN_DIR as for the loop tests)"""
import os
import sys

import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "loop"))
from network import Network, db  # noqa: E402

SKIP, BOUND_DB = 24, 0.3
STILL = ["sync.track_phase=false", "precoding.subband=flat"]  # users that do not follow, subbands held flat
AP, UE = "air.impairments.ap.", "air.impairments.ue."
TDL = "air.fading.model=tdl"


def jakes(hz):
    return ["air.fading.variation=jakes", f"air.fading.doppler_hz={hz}"]


def taps(last, width):
    return [TDL, f"air.fading.tap_delays_samples=[0, {last}]", "air.fading.tap_powers_db=[0, -3]", f"frame.subcarriers_per_subband={width}"]


# name, settings, seeds, blocks [from, to), bound
ROWS = [
    *((f"ageing, Jakes {hz} Hz", jakes(hz), 24, (SKIP, 84), BOUND_DB) for hz in (2, 10, 30)),
    *((f"users' offsets up to {hz} Hz", [UE + f"cfo_hz={hz}"], 2, (SKIP, 64), BOUND_DB) for hz in (3.6, 8.3, 16.6, 41.6, 83.2)),
    *((f"users' linewidth {hz} Hz", [UE + f"phase_noise_linewidth_hz={hz}"], 4, (SKIP, 84), BOUND_DB) for hz in (0.01, 0.1, 1, 10)),
    *((f"APs' offsets up to 0.1 Hz, block {b}", [AP + "cfo_hz=0.1"], 4, (b - 1, b + 2), BOUND_DB) for b in (20, 100, 150)),
    *((f"APs' linewidth 0.001 Hz, blocks {b} to {b + 15}", [AP + "phase_noise_linewidth_hz=0.001"], 96, (b, b + 15), 0.5) for b in (15, 30, 45)),
    ("phases of chains up to 5 degrees", [AP + "phase_mismatch_deg=5"], 4, (SKIP, 64), BOUND_DB),
    *((f"taps 0, {last} (0, -3 dB), {width} subcarriers", taps(last, width), 3, (SKIP, 64), BOUND_DB) for last in (1, 2) for width in (12, 6, 3)),
    ("Jakes 4 Hz, offsets 10 Hz, linewidth 0.1 Hz, chains 2 degrees at once",
     [*jakes(4), UE + "cfo_hz=10", UE + "phase_noise_linewidth_hz=0.1", AP + "phase_mismatch_deg=2"], 8, (SKIP, 84), 0.5),
]


def ratios(sets, seed, n_blocks, cache={}):
    """Error over signal [block][user], measured and expected."""
    key = (tuple(sets), seed)
    if key not in cache or len(cache[key][0]) < n_blocks:
        with Network(sets=[*STILL, *sets], seed=seed, n_blocks=n_blocks) as net, net.run().file("run.h5") as f:
            cache[key] = 1 / f["user/sinr_measured"][:n_blocks], 1 / f["sinr_expected"][:n_blocks]
    return cache[key]


def phase_ratios(n_draws=3000):
    """Power that users hear of the others' streams per variance of the access points' (of the antennas') phases, over their own: draws of channels
    and zero-forcing against (K - 1)(1 - 1/L)/(M - K) and (K - 1)(1 - 1/M)/(M - K). True if all are within 2 %."""
    random, held = np.random.default_rng(3), True
    for n_ap, n_ant, n_ue in ((4, 4, 4), (8, 4, 8), (4, 4, 8)):
        n, others, drawn = n_ap * n_ant, ~np.eye(n_ue, dtype=bool), np.zeros(2)
        for _ in range(n_draws):
            H = (random.normal(size=(n, n_ue)) + 1j * random.normal(size=(n, n_ue))) / np.sqrt(2)
            each = H.conj()[:, :, None] * (H @ np.linalg.inv(H.conj().T @ H))[:, None, :]  # [antenna][user][stream], own gains 1
            together = each.reshape(n_ap, n_ant, n_ue, n_ue).sum(axis=1)
            drawn += [(np.abs(part) ** 2).sum(axis=0)[others].sum() / n_ue / n_draws for part in (together, each)]
        told = np.array([(n_ue - 1) * (1 - 1 / m) / (n - n_ue) for m in (n_ap, n)])
        held = held and bool((np.abs(drawn / told - 1) < 0.02).all())
        print(f"phases, {n_ap} x {n_ant}, {n_ue} users: per AP {drawn[0]:.4f} drawn, {told[0]:.4f} told; per antenna {drawn[1]:.4f}, {told[1]:.4f}", flush=True)
    return held


def main():
    wanted = sys.argv[1] if len(sys.argv) > 1 else ""
    longest = {}
    for name, sets, _, (_, last), _ in ROWS:
        longest[tuple(sets)] = max(longest.get(tuple(sets), 0), last)
    wrong = 0 if wanted and "phases" not in wanted else not phase_ratios()
    print(f"{'':72s}seeds  measured  expected  difference  chance  bound")
    for name, sets, seeds, (first, last), bound in (row for row in ROWS if wanted in row[0]):
        runs = [ratios(sets, 1 + seed, longest[tuple(sets)]) for seed in range(seeds)]
        mean = np.array([[r[i][first:last].mean() for i in (0, 1)] for r in runs])  # [seed][measured, expected]
        measured, expected = -db(mean.mean(axis=0))
        chance = db(1 + (mean[:, 0] - mean[:, 1]).std(ddof=1) / np.sqrt(seeds) / mean[:, 1].mean())
        held = abs(expected - measured) <= bound
        wrong += not held
        print(f"{name:72s}{seeds:5d}  {measured:8.2f}  {expected:8.2f}  {expected - measured:10.2f}  {chance:6.2f}  {bound:5.1f}{'' if held else '  DOES NOT HOLD'}",
              flush=True)
    sys.exit(1 if wrong else 0)


main()
