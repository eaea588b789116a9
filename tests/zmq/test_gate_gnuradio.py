# SPDX-License-Identifier: GPL-3.0-or-later
"""GNU Radio in the seat of an eavesdropper (`tutti gate --as eve0`) of a network whose other nodes are Tutti's own: it decodes nothing, but sees
every symbol of the frame at its place, and nobody else notices who sits there."""
import os
import signal
import subprocess
import sys

import numpy as np

from network import BIN, Network, check, db, finish
from outside import free_ports

if subprocess.run(["/usr/bin/python3", "-c", "from gnuradio import zeromq"], capture_output=True).returncode:
    print("SKIPPED: test_gate_gnuradio.py: GNU Radio as an eavesdropper: not installed (Debian: gnuradio)")
    sys.exit(77)
from gnuradio import blocks, gr, zeromq

BLOCK, SYMBOL, SEEN = 9600, 137, 40  # samples; blocks that are looked at
LETTERS = "BG" + "P" * 4 + "U" * 24 + "G" + "D" * 38 + "G"


def listen(first):
    """A flowgraph that sends silence and keeps what arrives, as far as SEEN blocks go."""
    graph = gr.top_block()
    silence, give = blocks.null_source(8), zeromq.rep_sink(8, 1, f"tcp://127.0.0.1:{first}", 100, False, -1)
    take = zeromq.req_source(8, 1, f"tcp://127.0.0.1:{first + 1}", 100, False, -1)
    head, sink = blocks.head(8, SEEN * BLOCK), blocks.vector_sink_c()
    for block in (give, take):
        block.set_blkd_input_timer_value(1)
    graph.connect(silence, give)
    graph.connect(take, head, sink)
    return graph, head, sink


def start_gate(net, first):
    config = os.path.join(net.out, "config.yaml")
    net.wait_until(lambda: os.path.exists(config) and os.path.exists(os.path.join(net.out, "logs", "air.log")) and "READY" in net.log("air.log"),
                   "the medium")
    log = open(os.path.join(net.out, "logs", "gate.log"), "w")
    gate = subprocess.Popen([os.path.join(BIN, "tutti"), "gate", "--config", config, "--as", "eve0", "--tx", f"tcp://127.0.0.1:{first}",
                             "--rx", f"tcp://127.0.0.1:{first + 1}"], cwd=net.out, stdout=log, stderr=log)
    net.nodes.append(gate)


def examine(samples, tick):
    """Power of every symbol in dB of full scale, and where the downlink begins to the sample."""
    start = -tick % BLOCK
    whole = samples[start:start + (len(samples) - start) // BLOCK * BLOCK].reshape(-1, BLOCK)
    power = db(np.mean(np.abs(whole[:, :SYMBOL * len(LETTERS)].reshape(len(whole), len(LETTERS), SYMBOL)) ** 2, axis=(0, 2)))
    level = {letter: power[[i for i, other in enumerate(LETTERS) if other == letter]] for letter in "BDPUG"}
    print("      dB of full scale:", ", ".join(f"{letter} {p.min():.1f} to {p.max():.1f}" for letter, p in level.items()))
    noise = level["G"].mean()
    check(level["D"].min() > noise + 15 and level["B"].min() > noise + 15, f"beacon and {len(level['D'])} downlink symbols stand out of {noise:.1f} dB")
    check(np.ptp(level["G"]) < 1.5, "guards are noise alone")
    for name, at in (("beacon", 0), ("downlink", LETTERS.index("D"))):
        edge = db(np.mean(np.abs(np.roll(whole, 32 - at * SYMBOL, axis=1)[:, :64]) ** 2, axis=0))
        before, after = db(np.mean(10 ** (edge[16:32] / 10))), db(np.mean(10 ** (edge[32:48] / 10)))
        check(before < noise + 3 < noise + 10 < after, f"the {name} begins at its sample: {before:.1f}, then {after:.1f} dB")


def main():
    first = free_ports(4)
    with Network(n_ap=2, n_ant=2, n_ue=2, seed=4, args=["--without", "eve0"],
                 sets=["network.n_eve=1", "network.n_blocks=0", "air.truth="]) as net:
        net.start()
        start_gate(net, first)
        graph, head, sink = listen(first)
        graph.start()
        net.wait_until(lambda: head.nitems_written(0) == SEEN * BLOCK, f"{SEEN} blocks seen by GNU Radio")
        graph.stop()
        graph.wait()
        net.process.send_signal(signal.SIGINT)
        net.wait(60)
        tick = int(net.log("gate.log").split("GATE-JOIN tick=")[1].split(":")[0])
        examine(np.array(sink.data(), np.complex64), tick)
        with net.file("run.h5") as f:
            known = f["block/learning"][()] == 0
            measured, predicted = db(f["user/sinr_measured"][known]), db(f["sinr_predicted"][known].mean(axis=1))
            wrong, heard = f["user/code_block_errors"][()].clip(0).sum(), f["eve/sinr_measured"][()]
        loss = np.nanmean(measured) - np.mean(predicted[np.isfinite(measured).all(axis=1)])
        check(np.isfinite(measured).sum() > 0 and abs(loss) < 0.5 and wrong == 0, f"users: {np.nanmean(measured):.2f} dB, {loss:+.2f} dB, no errors")
        check(np.isnan(heard).all(), "the eavesdropper reports nothing")
    finish()


main()
