# SPDX-License-Identifier: GPL-3.0-or-later
"""Every reading of the wall clock, in every program, is a millisecond before the last one: what takes time is measured on another clock, so
nothing becomes late, no scheme too slow, and no duration absurd."""
import os

import numpy as np

from network import Network, check, finish

OB = 6  # enum mimo_scheme

if __name__ == "__main__":
    sets = ["precoding.scheme=ob", "precoding.power=maxmin", "engine.block_budget_us=100000000"]
    env = {"LD_PRELOAD": os.environ["TUTTI_CLOCKSHIFT_LIBRARY"], "TUTTI_CLOCKBACK_NS": "1000000"}
    with Network(n_blocks=60, sets=sets, env=env) as net:
        net.run()
        with net.file("run.h5") as f:
            scheme, took_s, solved = f["scheme"][()], f["solve_time_s"][()], f["block/solved"][()]
            arrived = f["hops/precoder_received_ns"][()].astype(np.int64)
            check(len(scheme) == 60 and (solved == 1).all(), f"{int(solved.sum())} of {len(solved)} blocks were solved")
            check((np.diff(arrived[:, 0][arrived[:, 0] > 0]) < 0).all(), "the wall clock went back all the time")
            check((scheme == OB).all(), f"{int((scheme == OB).sum())} of {len(scheme)} with the scheme that was asked for")
            check((0 < took_s).all() and (took_s < 100).all(), f"a solve took {took_s.min():.2g} to {took_s.max():.2g} s")
            check(not (f["applied/arrival"][()] == 3).any(), "no precoder was called late")
    finish()
