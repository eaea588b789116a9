# SPDX-License-Identifier: GPL-3.0-or-later
"""examples/read_run.m and read_run.py say the same of a recording, to the values: Octave's own reader makes zeros of complex numbers named r and
i. A recording is made up for it, no network runs."""
import os
import re
import shutil
import subprocess
import sys
import tempfile

import h5py
import numpy as np

EXAMPLES = os.path.abspath(sys.argv[1])


def write(path):
    """What the examples look at, with random contents."""
    rng = np.random.default_rng(5)
    n_block, n_ue = 24, 3
    with h5py.File(path, "w") as f:
        f["H_hat"] = (rng.normal(size=(n_block, 5, 4, 2, n_ue)) + 1j * rng.normal(size=(n_block, 5, 4, 2, n_ue))).astype("c8")
        f["block/user_used"] = (rng.random((n_block, n_ue)) < 0.8).astype("u1")
        f["user/sinr_measured"] = np.where(rng.random((n_block, n_ue)) < 0.9, 10 ** rng.uniform(1, 3, (n_block, n_ue)), np.nan)
        f["user/code_blocks"] = rng.integers(1, 9, (n_block, n_ue))
        f["user/code_block_errors"] = rng.integers(0, 2, (n_block, n_ue))
        return f["H_hat"][9, 1, 0, 0, 0]


def main():
    for program, package in (("octave-cli", "octave"), ("h5dump", "hdf5-tools")):
        if not shutil.which(program):
            print(f"SKIPPED: test_octave.py: a recording in Octave: no {program} (Debian: {package})")
            sys.exit(77)
    with tempfile.TemporaryDirectory() as folder:
        value = write(os.path.join(folder, "run.h5"))
        octave = subprocess.run(["octave-cli", "--no-gui", "--quiet", "--no-init-file", "--path", EXAMPLES, "--eval", f"read_run('{folder}')"],
                                capture_output=True, text=True, timeout=300)
        python = subprocess.run(["/usr/bin/python3", os.path.join(EXAMPLES, "read_run.py"), folder], capture_output=True, text=True, timeout=300)
    print(octave.stdout, octave.stderr, python.stdout, python.stderr, sep="\n")
    said, wanted = ([re.findall(r"-?\d+(?:\.\d+)?", line) for line in text.splitlines() if line] for text in (octave.stdout, python.stdout))
    if octave.returncode or python.returncode or len(wanted) != 4 or said[:4] != wanted:
        sys.exit("FAILED: Octave and Python do not say the same")
    words = [float(w) for w in re.findall(r"[-+]\d+\.\d+|\d+\.\d+", octave.stdout.splitlines()[4].split("=")[1])]
    if abs(complex(*words) - value) > 1e-5:
        sys.exit(f"FAILED: Octave reads {words}, Python {value}")


main()
