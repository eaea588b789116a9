#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Channels from numpy, precoders from `tutti precode`, the least SINR from both. usage: read_precoder.py [PATH_OF_TUTTI]"""
import os
import subprocess
import sys
import tempfile

import h5py
import numpy as np

tutti = sys.argv[1] if len(sys.argv) > 1 else "build/release/bin/tutti"
rng = np.random.default_rng(1)
shape = (10, 3, 4, 4, 6)  # block, subband, ap, antenna, user
H = (rng.standard_normal(shape) + 1j * rng.standard_normal(shape)).astype(np.complex64)  # noise and AP power are 1
os.chdir(tempfile.mkdtemp()) if os.path.isabs(tutti) else None
with h5py.File("channel.h5", "w") as file:
    file["H_hat"], file["error_variance"] = H, np.zeros((4, 6))
