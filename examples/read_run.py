#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads a run from Python: what every user got, and, where samples were recorded (record.iq), what every antenna received.

usage: read_run.py RUN        (the folder that `tutti run --out` made; it may still be running)
"""
import glob
import json
import os
import sys

import h5py
import numpy as np


def db(x):
    return 10 * np.log10(x)


def users(run):
    """Of the blocks in which a user was served and has reported."""
    sinr, used = run["user/sinr_measured"][:], run["block/user_used"][:].astype(bool)
    n = min(len(sinr), len(used))
    errors, blocks = (run[f"user/code_block{name}"][:n].sum(0) for name in ("_errors", "s"))
    for k in range(sinr.shape[1]):
        of_user = sinr[:n, k][used[:n, k] & np.isfinite(sinr[:n, k])]
        median = db(np.median(of_user)) if of_user.size else np.nan
        print(f"user {k}: {of_user.size} blocks, median SINR {median:.2f} dB, {errors[k]} of {blocks[k]} code blocks wrong")


def estimates(run):
    H = run["H_hat"]  # [block][subband][ap][antenna][user]
    print(f"estimates: {H.shape}, mean power {db(np.mean(np.abs(H[-20:]) ** 2)):.2f} dB over the last blocks")


def samples(path):
    """One recording: samples as complex numbers, and the tick of the first one of every segment."""
    meta = json.load(open(path))
    g = meta["global"]
    x = np.fromfile(path[:-len("meta")] + "data", {"cf32_le": "<c8", "ci16_le": "<i2"}[g["core:datatype"]])
    if g["core:datatype"] == "ci16_le":
        x = (x[0::2] + 1j * x[1::2]) * g["tutti:step"]
    ticks = [c["core:global_index"] for c in meta["captures"]]
    print(f"{g['tutti:role']}{g['tutti:node']} antenna {g['tutti:antenna']}: {x.size} samples in {len(ticks)} segments from tick "
          f"{ticks[0] if ticks else '-'}, {db(np.mean(np.abs(x) ** 2)) if x.size else np.nan:.2f} dBFS")


def main(folder):
    with h5py.File(os.path.join(folder, "run.h5"), "r", swmr=True) as run:
        users(run)
        if "H_hat" in run:
            estimates(run)
    for path in sorted(glob.glob(os.path.join(folder, "iq", "*.sigmf-meta"))):
        samples(path)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
