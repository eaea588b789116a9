# SPDX-License-Identifier: GPL-3.0-or-later
"""Two lock-step runs with one seed give identical estimates, precoders and user metrics, even if an access point and the CPU node get
no processor time for a while in one of them; another seed gives others."""
import os
import signal
import time

import numpy as np
from network import LIGHT, Network, blocks, check, finish

BLOCKS = blocks(120)

SAME = ["H_hat", "error_variance", "W", "sinr_predicted", "reason", "scheme", "block/tick", "block/ap_used", "block/user_used", "block/beta",
        "user/sinr_measured", "user/evm", "user/bits", "user/bit_errors", "user/coded_bit_errors", "user/constellation", "applied/kind"]


STALL_S = 2.5  # beyond what would be dead in real time (engine.peer_timeout_ms)


def stall(net):
    net.wait_for_block(20)
    for program, node_id in (("tutti-ap", 1), ("tutti-cpu", None)):
        pid = net.pid_of(program, node_id)
        os.kill(pid, signal.SIGSTOP)
        time.sleep(STALL_S)
        os.kill(pid, signal.SIGCONT)


def run(seed, stalled=False):
    with Network(seed=seed, n_blocks=BLOCKS, snr_db=12, extra="", sets=["air.fading.model=rician", *LIGHT]) as net:
        net.start()
        if stalled:
            stall(net)
        if net.wait() != 0:
            net.fail(f"exit status {net.process.returncode}")
        with net.file("run.h5") as f, net.file("truth.h5") as t:
            return {name: f[name][:BLOCKS] if name != "user/constellation" else f[name][()] for name in SAME} | {"truth": t["H"][:BLOCKS]}


def main():
    first, second, other = run(3), run(3, stalled=True), run(4)
    for name in first:
        check(first[name].tobytes() == second[name].tobytes(), f"{name} identical ({first[name].nbytes} bytes)")
    for name in ("H_hat", "W", "user/sinr_measured", "truth"):
        check(not np.array_equal(first[name], other[name]), f"{name} differs with another seed")
    finish()


main()
