#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""A precoder of one's own on the channels of a run, beside Tutti's: what every user would have had on the true channel.

usage: own_precoder.py RUN W.h5...      (RUN was made with air.truth: truth.h5; W.h5 by `tutti precode --channel RUN/run.h5`)
"""
import os
import sys

import h5py
import numpy as np


def own_precoder(H):
    """Yours goes here. H: [antenna of all APs][user], W the same; no AP may send more than 1. This one is zero-forcing with one power for all
    users: the access point that sends most sets it."""
    W = H @ np.linalg.inv(H.conj().T @ H)
    return W


def within_budget(W, n_ap):
    return W / np.sqrt((np.abs(W.reshape(n_ap, -1)) ** 2).sum(axis=1).max())


def sinr(H, W):
    """[block][subband][ap][antenna][user] both; receiver noise is 1; powers are summed over subbands."""
    gain = np.abs(np.einsum("bsmak,bsmaj->bskj", H.conj(), W)) ** 2
    own = np.einsum("bskk->bsk", gain)
    return own.sum(axis=1) / (gain.sum(axis=3) - own + 1).sum(axis=1)


def main(folder, files):
    with h5py.File(os.path.join(folder, "run.h5")) as run, h5py.File(os.path.join(folder, "truth.h5")) as truth:
        H_hat, used = run["H_hat"][:], run["block/user_used"][:].all(axis=1)
        H = truth["H"][:len(H_hat)]
    rows = np.flatnonzero(used[:len(H)])[16:]  # access points learn gains and noise in their first 16 blocks
    n_sb, n_ap, n_ant, n_ue = H_hat.shape[1:]
    W = np.zeros_like(H_hat)
    for b in rows:
        for s in range(n_sb):
            W[b, s] = within_budget(own_precoder(H_hat[b, s].reshape(-1, n_ue)), n_ap).reshape(n_ap, n_ant, n_ue)
    results = {"own": W}
    for name in files:
        with h5py.File(name) as f:
            results[os.path.basename(name)[:-3]] = f["W"][:]
    for name, W in results.items():
        s = 10 * np.log10(sinr(H[rows], W[rows]))
        print(f"{name:10} worst user {s.min(axis=1).mean():6.2f} dB, all {s.mean():6.2f} dB")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2:])
