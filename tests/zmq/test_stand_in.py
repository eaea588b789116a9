# SPDX-License-Identifier: GPL-3.0-or-later
"""The outside medium with a stand-in for GNU Radio: every dialect, empty and one-sample answers, a flowgraph that is killed, a node that is killed,
samples held back, two central nodes. What the network then measures is what it measures on its own medium, and to the last bit whatever the dialect."""
import os
import signal
import subprocess
import sys

import numpy as np

from network import BIN, SHORT, check, db, fewer, finish
from outside import Flowgraph, links_of, on_own_medium, outside_network, real_time, results

STAND_IN = sys.argv[1]


def run_with(options, what, sets=(), act=None):
    with outside_network(sets=sets, args=["--keep-going"] if act else []) as net:
        net.start()
        with Flowgraph([STAND_IN, links_of(net), *options]) as graph:
            if act:
                act(net, graph)
            if net.wait(200):
                net.fail(f"{what}: exit status {net.process.returncode}")
        check(" not_finite=0" in net.log("air.log"), f"{what}: {real_time(net)}")
        return results(net), net.log("air.log")


def test_dialects():
    first, own_db = None, None if SHORT else on_own_medium()
    for options in fewer((["--dialect", "u32"], ["--dialect", "ff"], ["--dialect", "00", "--empty"], ["--piece", "777"])):
        result, _ = run_with(options, " ".join(options))
        check(result[2:] == (0, 0, 80), f"{options}: {result}")
        first = first or result
        check((SHORT or abs(result[0] - own_db) < 0.1) and abs(result[0] - result[1]) < 0.3, f"{options}: {result[0]:.2f} dB, predicted {result[1]:.2f} dB")
        # The stand-in's noise depends on port and sample only: the same results, however the samples were cut.
        check(result == first, f"{options}: {result[0]:.6f} dB as with u32, {first[0]:.6f} dB")


def test_killed_flowgraph():
    def act(net, graph):
        net.wait_for_block(20)
        graph.kill()
        graph.start()

    result, log = run_with([], "killed flowgraph", act=act)
    check(result[2:] == (0, 0, 80), f"every block reported, no errors: {result}")
    check("AIR-OUTSIDE-RESTART" in log and "restarts=1" in log.split("OUTSIDE ")[-1], "the restart is counted")


def test_killed_node():
    def act(net, _):
        net.wait_for_block(20)
        os.kill(net.pid_of("tutti-ap", 1), signal.SIGKILL)
        net.wait_for_log("cpu.log", "AP-DOWN")
        net.again = net.start_node("tutti-ap", "--id", "1")
        net.wait_for_log("cpu.log", "AP-UP", 3)

    # Until stopped: how many blocks pass before it is back is the machine's business.
    with outside_network(sets=["network.n_blocks=0"], args=["--keep-going"]) as net:
        net.start()
        with Flowgraph([STAND_IN, links_of(net)]):
            act(net, None)
            net.wait_for_block(net.blocks_done() + 30)
            net.process.terminate()
            net.wait(100)
            net.again.wait(60)
        with net.file("run.h5") as f:
            used = f["block/ap_used"][()]
        gone = np.flatnonzero(used[:, 1] == 0)
        check(gone.size and gone[0] >= 20 and used[-10:].all() and used[:, 0].all(),
              f"the access point was missed for {gone.size} of {len(used)} blocks and is back: {used[-10:].tolist()}")


def test_held_back():
    with outside_network(sets=["air.zmq.stall_ms=300"], args=["--check", "--start-limit", "12"]) as net:
        net.start()
        with Flowgraph([STAND_IN, links_of(net), "--hold", "8"]):
            status = net.wait(200)
        log = net.log("air.log")
        check(status == 1, f"exit status {status}")
        stalls = [line.split("AIR-OUTSIDE-STALL ")[1] for line in log.splitlines() if "AIR-OUTSIDE-STALL" in line]
        check(any(line.startswith("rx=ap0/0 short_samples=8 chunk=0:") for line in stalls), f"the line names the port and what is missing: {stalls}")


def test_several():
    """Two central nodes: what both parts together are predicted to give is measured."""
    with outside_network(sets=["cpus=[{aps: [0]}, {aps: [1]}]", "precoding.scheme=rzf"]) as net:
        net.start()
        with Flowgraph([STAND_IN, links_of(net)]):
            if net.wait(200):
                net.fail(f"two central nodes: exit status {net.process.returncode}")
        with net.file("run.cpu0.h5") as first, net.file("run.cpu1.h5") as second:
            wrong, measured = first["user/code_block_errors"][()], first["user/sinr_measured"][30:]
            gain, error = (first[name][30:80] + second[name][30:80] for name in ("parts/gain", "parts/error"))
            weights = np.abs([f["parts/weight"][30:80] for f in (first, second)])
    power = np.abs(gain) ** 2 + error
    own = np.einsum("bskk->bsk", power)
    predicted = own.sum(axis=1) / (1 + power.sum(axis=-1) - own).sum(axis=1)
    gap = db(measured / predicted).mean(axis=0)
    check((weights > 0.5).all() and not wrong.any(), f"two central nodes: both send to both users, {wrong.sum()} code blocks wrong")
    check((abs(gap) < 0.3).all(), f"two central nodes: measured less predicted {gap.round(2)} dB")


def test_refusals():
    for sets, word in ((["air.mode=paced"], "lockstep"), (["air.truth=t.h5"], "true channels"), (["air.impairments.ap.cfo_hz=1"], "impairments"),
                       (["air.zmq.tx=tcp://127.0.0.1:65533"], "65535"), (["air.zmq.rx=ipc:///tmp/x"], "tcp://ADDRESS:PORT")):
        with outside_network() as net:
            words = [w for s in ("air.truth=", "air.medium=zmq", *sets) for w in ("--set", s)]
            answer = subprocess.run([os.path.join(BIN, "tutti"), "config", "show", net.config, *words], capture_output=True, text=True)
            check(answer.returncode == 1 and word in answer.stderr, f"{sets}: {answer.stderr.strip()}")


test_refusals()
test_dialects()
test_several()
test_killed_flowgraph()
test_held_back()
test_killed_node()
finish()
