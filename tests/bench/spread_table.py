#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole networks whose delays differ inside subbands, at several widths of subbands: SINR measured and predicted, bytes on the fronthaul,
held flat and smooth. usage: spread_table.py [BLOCKS] (TUTTI_BIN_DIR as for the loop tests)"""
import os
import sys

import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "loop"))
from network import Network, db  # noqa: E402

WIDTHS = 12, 6, 4, 1
SKIP = 24
TDL = "air.fading.model=tdl"
CASES = {
    "no spread": [],
    "taps 0, 2 (0, -3 dB)": [TDL, "air.fading.tap_delays_samples=[0, 2]", "air.fading.tap_powers_db=[0, -3]"],
    "taps 0, 2, 4 (0, -3, -6 dB)": [TDL, "air.fading.tap_delays_samples=[0, 2, 4]", "air.fading.tap_powers_db=[0, -3, -6]",
                                    "frame.n_cp_samples=9"],
    "delay 3 samples": ["air.delay_samples=3"],
}


def harmonic(sinr):
    return -db((1 / sinr).mean())


def run(sets, n_blocks):
    with Network(sets=sets, n_blocks=n_blocks) as net, net.run().file("run.h5") as f:
        measured, predicted = f["user/sinr_measured"][SKIP:n_blocks], f["sinr_predicted"][SKIP:n_blocks]
        expected = f["sinr_expected"][SKIP:n_blocks]
        n_sb, n_ap, n_ant, n_ue = f["H_hat"].shape[1:]
    return harmonic(measured), harmonic(1 / (1 / predicted).mean(axis=1)), harmonic(expected), 2 * 8 * n_sb * n_ant * n_ue


def main():
    n_blocks = int(sys.argv[1]) if len(sys.argv) > 1 else 124
    print("case                          width  subband  measured  predicted  expected  difference  bytes/block/AP")
    for name, sets in CASES.items():
        for width in WIDTHS:
            for subband in "flat", "smooth":
                m, p, e, n_bytes = run([*sets, f"frame.subcarriers_per_subband={width}", f"precoding.subband={subband}"], n_blocks)
                print(f"{name:30s}{width:5d}  {subband:7s}  {m:8.2f}  {p:9.2f}  {e:8.2f}  {e - m:10.2f}  {n_bytes:14d}", flush=True)


main()
