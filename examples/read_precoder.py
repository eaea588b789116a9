#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Channels from numpy, precoders from `tutti precode`, the least SINR from both. usage: read_precoder.py [PATH_OF_TUTTI]"""
import subprocess
import sys
import tempfile

import h5py
import numpy as np

tutti = sys.argv[1] if len(sys.argv) > 1 else "build/release/bin/tutti"
rng = np.random.default_rng(1)
shape = (10, 3, 4, 4, 6)  # block, subband, ap, antenna, user; noise and power of an AP are 1
H = (rng.standard_normal(shape) + 1j * rng.standard_normal(shape)).astype(np.complex64)
with tempfile.TemporaryDirectory() as folder:
    with h5py.File(f"{folder}/channel.h5", "w") as file:
        file["H_hat"], file["error_variance"] = H, np.zeros((4, 6))
    for scheme in "zf", "ob":
        out = f"{folder}/{scheme}.h5"
        subprocess.run([tutti, "precode", "--channel", f"{folder}/channel.h5", "--scheme", scheme, "--out", out, "--quiet"],
                       check=True)
        with h5py.File(out) as file:
            W, predicted = file["W"][:], file["sinr_predicted"][:]
        gain = abs(np.einsum("bsmak,bsmaj->bskj", H.conj(), W)) ** 2  # |h_k^H w_j|^2
        own = np.einsum("bskk->bsk", gain)
        sinr = own / (gain.sum(axis=3) - own + 1)
        print(f"{scheme}: least SINR {10 * np.log10(sinr.min()):.3f} dB, tutti says {10 * np.log10(predicted.min()):.3f} dB")
