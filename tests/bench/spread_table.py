#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole networks whose delays differ inside subbands or between access points, at several widths of subbands: SINR measured, predicted and
expected, bytes of coefficients per block and access point (both ways), held flat and smooth; beside it what a prototype with the true channel and 40 dB
without spread came to by the better of straight lines and cubics, and that with the noise of this network's estimates instead. With --even the prototype's
conditions instead: the SNR is first set so that the network without spread measures 40 dB at each width, and the smooth figures stand beside the
prototype's own; exit status 1 if one is out of bounds. usage: spread_table.py [--even] [BLOCKS [CASES]], CASES a regular expression of their names
(TUTTI_BIN_DIR as for the loop tests)"""
import argparse
import os
import re
import sys
import tempfile

import h5py
import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "loop"))
from network import Network, db  # noqa: E402

WIDTHS = 12, 6, 4, 1
SKIP = 24
CALIBRATED = 66  # block by which windows have followed clocks that were calibrated at the start
IDEAL_DB, REFERENCE_DB = 40.0, 0.1  # what the prototype had without spread, how near --even comes to it
BELOW_PROTOTYPE_DB, EXPECTED_DB = 1.0, 0.5  # bounds of --even
TDL = "air.fading.model=tdl"
LONG = ["frame.n_cp_samples=18", "frame.schedule=B G P4 U19 G D38 G"]  # a prefix twice as long as 8 samples
CLOCK = ["frame.schedule=B G P4 U20 C4 G D38 G", "air.impairments.ap.timing_offset_samples="]


def clocks(samples, calibrated):
    return [CLOCK[0], CLOCK[1] + str(samples), f"calibration.at_start={calibrated}"]


def delays(*samples):
    """Of the channels to each access point, by a file: one normal tap per antenna, another in every block."""
    path = os.path.join(tempfile.mkdtemp(prefix="tutti-test-"), "delays.h5")
    draw = np.random.default_rng(5).normal(size=(2, 64, len(samples), 4, 4)) / np.sqrt(2)
    taps = np.zeros((64, max(samples) + 1, len(samples), 4, 4), complex)
    for ap, delay in enumerate(samples):
        taps[:, delay, ap] = draw[0, :, ap] + 1j * draw[1, :, ap]
    with h5py.File(path, "w") as f:
        f["taps"] = taps
    return ["air.fading.model=file", f"air.fading.file={path}"]


# name: settings, first block that counts, what the prototype came to at 12, 6 and 4 subcarriers
CASES = {
    "no spread": ([], SKIP, {}),
    "APs' delays 0, 2, 1, 2 samples": (delays(0, 2, 1, 2), SKIP, dict(zip(WIDTHS, (40, 40, 40)))),
    "APs' delays 0, 8, 4, 6 samples": ([*LONG, *delays(0, 8, 4, 6)], SKIP, dict(zip(WIDTHS, (39.7, 39.7, 39.7)))),
    "APs' clocks up to 1 sample off": (clocks(1, "false"), SKIP, {}),
    "clocks up to 1 off, calibrated": (clocks(1, "true"), CALIBRATED, dict(zip(WIDTHS, (40, 40, 40)))),
    "APs' clocks up to 4 samples off": (clocks(4, "false"), SKIP, {}),
    "clocks up to 4 off, calibrated": (clocks(4, "true"), CALIBRATED, dict(zip(WIDTHS, (39.7, 39.7, 39.7)))),
    "taps 0, 2 (0, -3 dB)": ([TDL, "air.fading.tap_delays_samples=[0, 2]", "air.fading.tap_powers_db=[0, -3]"], SKIP, dict(zip(WIDTHS, (26.1, 38.7, 39.9)))),
    "taps 0, 2, 4 (0, -3, -6 dB)": ([TDL, "air.fading.tap_delays_samples=[0, 2, 4]", "air.fading.tap_powers_db=[0, -3, -6]", "frame.n_cp_samples=9"], SKIP,
                                    dict(zip(WIDTHS, (19.6, 30.2, 38.4)))),
    "users' clocks up to 2 samples off": (["air.impairments.ue.timing_offset_samples=2"], SKIP, {}),
    "users' clocks up to 4 samples off": (["air.impairments.ue.timing_offset_samples=4"], SKIP, {}),
    "delay 3 samples": (["air.delay_samples=3"], SKIP, {}),
}


def harmonic(sinr):
    return -db((1 / np.maximum(sinr, 1e-3)).mean())


def run(sets, skip, n_blocks):
    n_blocks += skip - SKIP
    with Network(sets=sets, n_blocks=n_blocks) as net, net.run().file("run.h5") as f:
        measured, predicted = f["user/sinr_measured"][skip:n_blocks], f["sinr_predicted"][skip:n_blocks]
        expected = f["sinr_expected"][skip:n_blocks]
        n_sb, n_ap, n_ant, n_ue = f["H_hat"].shape[1:]
    return measured, harmonic(1 / (1 / predicted).mean(axis=1)), harmonic(expected), 2 * 8 * n_sb * n_ant * n_ue


def subbands(width, subband):
    return [f"frame.subcarriers_per_subband={width}", f"precoding.subband={subband}"]


def chosen(wanted):
    return [(name, *case) for name, case in CASES.items() if re.search(wanted, name)]


def raw_table(n_blocks, wanted):
    alone = {}  # measured without spread
    print("case                             width  subband  measured  predicted  expected  difference  prototype  with noise  bytes/block/AP")
    for name, sets, skip, prototype in [("no spread", *CASES["no spread"]), *(c for c in chosen(wanted) if c[0] != "no spread")]:
        for width in WIDTHS:
            for subband in "flat", "smooth":
                m, p, e, n_bytes = run([*sets, *subbands(width, subband)], skip, n_blocks)
                m = harmonic(m)
                alone.setdefault(width, m)
                told = prototype.get(width, np.nan) if subband == "smooth" else np.nan
                noisy = -db(10 ** (-told / 10) - 1e-4 + 10 ** (-alone[width] / 10))
                print(f"{name:32s}{width:6d}  {subband:7s}  {m:8.2f}  {p:9.2f}  {e:8.2f}  {e - m:10.2f}  {told:9.2f}  {noisy:10.2f}  {n_bytes:14d}", flush=True)
    return 0


def chance(sinr):
    """Standard error in dB of a harmonic mean, channels being new in every block."""
    error = (1 / np.maximum(sinr, 1e-3)).mean(axis=1)
    return db(1 + error.std(ddof=1) / error.mean() / np.sqrt(len(error)))


def even_snr(width, n_blocks):
    """air.large_scale.snr_db at which the network without spread measures 40 dB, within 0.1 dB; what it then measures."""
    snr_db, measured = 31.0, 0.0
    for _ in range(4):
        measured = harmonic(run([*subbands(width, "smooth"), f"air.large_scale.snr_db={snr_db:.2f}"], SKIP, n_blocks)[0])
        if abs(measured - IDEAL_DB) <= REFERENCE_DB:
            return round(snr_db, 2), measured
        snr_db += IDEAL_DB - measured
    sys.exit(f"spread_table: {IDEAL_DB} dB were not reached at {width} subcarriers per subband: {measured:.2f} dB; take more blocks")


def even_row(name, sets, skip, told, width, snr_db, n_blocks):
    """Prints one row; its name if it is out of bounds."""
    sinr, p, e, n_bytes = run([*sets, *subbands(width, "smooth"), f"air.large_scale.snr_db={snr_db}"], skip, n_blocks)
    m = harmonic(sinr)
    print(f"{name:32s}{width:6d}  {snr_db:6.2f}  {m:8.2f}  {chance(sinr):6.2f}  {e:8.2f}  {p:9.2f}  {told:9.1f}  {m - told:10.2f}  {e - m:19.2f}  {n_bytes:14d}", flush=True)
    return [f"{name}, {width} subcarriers"] if m - told < -BELOW_PROTOTYPE_DB or not abs(e - m) <= EXPECTED_DB else []


def even_table(n_blocks, wanted):
    snr = {}
    for width in WIDTHS:
        snr[width], measured = even_snr(width, n_blocks)
        print(f"without spread, {width:2d} subcarriers per subband: {measured:.2f} dB at air.large_scale.snr_db {snr[width]:.2f}", flush=True)
    print("\ncase                             width  snr_db  measured  chance  expected  predicted  prototype  difference  expected - measured  bytes/block/AP")
    outside = []
    for name, sets, skip, prototype in chosen(wanted):
        for width in WIDTHS if prototype else ():
            # where every subcarrier has its own beam nothing is interpolated, so spread should cost nothing
            outside += even_row(name, sets, skip, prototype.get(width, IDEAL_DB), width, snr[width], n_blocks)
    print("out of bounds: " + ("; ".join(outside) or "none"))
    return 1 if outside else 0


def main():
    parser = argparse.ArgumentParser(description="SINR with delays inside subbands and between access points")
    parser.add_argument("--even", action="store_true", help="set the SNR so that 40 dB are measured without spread at every width")
    parser.add_argument("blocks", nargs="?", type=int, default=124)
    parser.add_argument("cases", nargs="?", default="")
    options = parser.parse_args()
    return (even_table if options.even else raw_table)(options.blocks, options.cases)


sys.exit(main())
