#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""What calibration must reach, by whole networks (demo network, chains of any phase and up to 1 dB of gain; SNR such that ideal radios have about 40.8 dB):
not calibrated; access points that hear each other at 25 and 10 dB per subcarrier, after one and sixteen C symbols each; the same radios calibrated as good
as without noise; a run that reads the file of another; transmitters whose phases walk. Losses are of harmonic means over users and blocks. Exit status 1 if
one is out of bounds. usage: calibration_table.py [SEEDS] (TUTTI_BIN_DIR as for the loop tests)"""
import os
import sys

import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "loop"))
from network import Network, check, db, finish  # noqa: E402

BASE = ["frame.schedule=B G P4 U23 C G D38 G", "air.large_scale.snr_db=31.5"]
CHAINS = ["air.impairments.ap.gain_mismatch_db=1", "air.impairments.ap.phase_mismatch_deg=180"]
START, SETTLE, JUDGED = 16, 10, 120  # blocks left out without a calibration, after one; judged
# name: settings; least and most of what it loses to ideal radios, in the mean over seeds
AT_START = "calibration.at_start=true"
NOISELESS = [AT_START, "calibration.n_repeats=16", "air.large_scale.ap_snr_db=50"]
CASES = {
    "as good as without noise": (NOISELESS, -0.5, 0.5),
    "25 dB, one run": ([AT_START, "calibration.n_repeats=1", "air.large_scale.ap_snr_db=25"], -0.5, 0.7),
    "10 dB, one run": ([AT_START, "calibration.n_repeats=1", "air.large_scale.ap_snr_db=10"], 3.2, 4.6),
    "10 dB, 16 runs": ([AT_START, "calibration.n_repeats=16", "air.large_scale.ap_snr_db=10"], -0.5, 0.7),
}


def harmonic(sinr):
    return -db((1 / np.maximum(sinr, 1e-3)).mean())


def events(f, n):
    return [(int(b), t.decode()) for b, t in zip(f["events/block"][:], f["events/text"][:]) if t.startswith(b"CALIB") and b < n]


def run(*sets, seed, n):
    """SINR [block][user], number of the calibration in force [block], events."""
    with Network(sets=[*BASE, *sets], seed=seed, n_blocks=n) as net, net.run().file("run.h5") as f:
        return f["user/sinr_measured"][:n], f["block/calibration"][:n], events(f, n)


def measure(*sets, seed):
    calibrated = AT_START in sets
    n = JUDGED + (60 if calibrated and "calibration.n_repeats=1" in sets else 120 if calibrated else START)
    sinr, number, _ = run(*sets, seed=seed, n=n)
    first = int(np.argmax(number == 1)) + SETTLE if calibrated else START
    return harmonic(sinr[first:first + JUDGED])


def accuracy(seeds):
    rows = []
    print("seed   ideal   none   " + "   ".join(CASES))
    for seed in seeds:
        ideal, none = measure(seed=seed), measure(*CHAINS, seed=seed)
        rows.append([ideal, none, *(ideal - measure(*CHAINS, *case[0], seed=seed) for case in CASES.values())])
        print(f"{seed:4d}   {ideal:5.2f}   {none:6.2f}   " + "   ".join(f"{r:{len(c)}.2f}" for r, c in zip(rows[-1][2:], CASES)), flush=True)
    mean, rows = np.mean(rows, axis=0), np.array(rows)
    check(mean[1] < 0, f"not calibrated: {mean[1]:.2f} dB in the mean")
    for i, (name, (_, least, most)) in enumerate(CASES.items()):
        error = rows[:, 2 + i].std(ddof=1) / np.sqrt(len(rows)) if len(rows) > 1 else np.nan
        check(least <= mean[2 + i] <= most, f"{name}: loses {mean[2 + i]:.2f} dB (standard error {error:.2f}), {least} to {most} allowed")
        if i > 0:
            beyond = rows[:, 2 + i] - rows[:, 2]  # the same radios: what noise in C costs
            print(f"      of it by noise, seed by seed: {beyond.min():.2f} to {beyond.max():.2f} dB")


def file_again(seed):
    """From where both have the same coefficients on: the same estimates and precoders, bit by bit. Users still remember a little of what they heard before."""
    n, file = 90, "calibration.file=table.h5"
    with Network(sets=[*BASE, *CHAINS, AT_START, "calibration.n_repeats=4", file], seed=seed, n_blocks=n) as net, net.run().file("run.h5") as f:
        table = os.path.join(net.dir, "table.h5")
        with Network(sets=[*BASE, *CHAINS, f"calibration.file={table}"], seed=seed, n_blocks=n) as again, again.run().file("run.h5") as g:
            first = int(np.argmax(f["block/calibration"][:n] == 1))
            check((g["block/calibration"][2:n] == 1).all() and 0 < first < n - 20, f"calibrated at block {first}; read from the file by block 2")
            same = all((f[name][first:n] == g[name][first:n]).all() for name in ("H_hat", "error_variance", "W"))
            check(same, f"file reloaded: estimates and precoders of {n - first} blocks the same bit by bit")
            off = np.abs(db(f["user/sinr_measured"][first + 1:n] / g["user/sinr_measured"][first + 1:n])).max()
            check(off < 0.02, f"file reloaded: SINRs the same within {off:.4f} dB")


def drift(seed):
    """Against the same radios standing still, block by block: the same channels."""
    n, rate = 900, 1e-4  # rad^2/s: 1 dB in some 250 blocks
    good = [*CHAINS, *NOISELESS]
    still, number, _ = run(*good, seed=seed, n=n)
    walked, renewed, told = run(*good, f"air.impairments.ap.phase_drift_rad2_per_s={rate}", "calibration.when_stale=true", seed=seed, n=n)
    stale = [b for b, t in told if t.startswith("CALIB-STALE")]
    check(len(stale) >= 1, f"CALIB-STALE at blocks {stale}")
    for b in stale:
        lost = harmonic(still[b - 25:b]) - harmonic(walked[b - 25:b])
        check(0.5 < lost < 1.5, f"lost when it was told at block {b}: {lost:.2f} dB of 1.5")
    for k in range(2, 2 + len(stale)):
        if (renewed == k).sum() > 40:
            first = int(np.argmax(renewed == k))
            lost = harmonic(still[first + 1:first + 41]) - harmonic(walked[first + 1:first + 41])
            check(lost < 0.7, f"again at block {first}: {lost:.2f} dB lost, 0.7 allowed")
    check((renewed > 1).any(), "calibrated again")


n_seed = int(sys.argv[1]) if len(sys.argv) > 1 else 8
accuracy(range(7, 7 + n_seed))
file_again(7)
drift(7)
finish()
