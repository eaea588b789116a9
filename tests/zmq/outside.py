# SPDX-License-Identifier: GPL-3.0-or-later
"""A network whose air somebody else computes: what the two tests of it share."""
import os
import socket
import subprocess

import numpy as np

from network import Network, check, db

SHAPE = dict(n_ap=2, n_ant=2, n_ue=2, seed=4)
SETS = ["precoding.subband=flat", "air.fading.model=none", "air.truth=", "network.n_blocks=80"]


def free_ports(n):
    """A run of n free ports, below those that the system gives away by itself. Tests that run at once have processes with neighbouring
    numbers: each of them looks in 32 ports of its own first."""
    for first in range(20000 + os.getpid() % 370 * 32, 32000, n):
        sockets = []
        try:
            for port in range(first, first + n):
                sockets.append(socket.socket())
                sockets[-1].bind(("127.0.0.1", port))
            return first
        except OSError:
            continue
        finally:
            for s in sockets:
                s.close()
    raise SystemExit("FAILED: no free ports")


def outside_network(sets=(), args=()):
    first = free_ports(16)
    return Network(sets=[*SETS, "air.medium=zmq", f"air.zmq.tx=tcp://127.0.0.1:{first}", f"air.zmq.rx=tcp://127.0.0.1:{first + 8}", *sets],
                   args=args, **SHAPE)


def links_of(net):
    """links.json, which is whole as soon as it is there."""
    path = os.path.join(net.out, "links.json")
    net.wait_until(lambda: os.path.exists(path), "links.json", 60)
    return path


class Flowgraph:
    """A program that computes the air, killed at the end."""

    def __init__(self, command):
        self.command = command
        self.start()

    def start(self):
        self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def kill(self):
        self.process.kill()
        self.process.communicate()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is not None:
            print("the flowgraph ended:", self.process.communicate()[0])
        else:
            self.kill()


def results(net):
    """Mean measured and predicted SINR in dB behind the warm-up, wrong and missing code blocks, blocks solved."""
    with net.file("run.h5") as f:
        measured, predicted = f["user/sinr_measured"][20:], f["sinr_predicted"][20:]
        wrong = int(f["user/code_block_errors"][()].clip(0).sum())
        missing = int((f["user/code_blocks"][()] <= 0).sum())
        solved = int(f["block/solved"][()].sum())
    return np.nanmean(db(measured)), np.nanmean(db(predicted.mean(axis=1))), wrong, missing, solved


def judge(net, what, sinr_db=None, n_block=80):
    measured, predicted, wrong, missing, solved = results(net)
    check(abs(measured - predicted) < 0.3, f"{what}: measured {measured:.2f} dB, predicted {predicted:.2f} dB")
    check(wrong == 0 and missing == 0 and solved == n_block, f"{what}: {solved} of {n_block} blocks, {wrong} code blocks wrong, {missing} missing")
    if sinr_db is not None:
        check(abs(measured - sinr_db) < 0.1, f"{what}: {measured:.2f} dB, on the own medium {sinr_db:.2f} dB")
    return measured


def on_own_medium():
    with Network(sets=SETS, **SHAPE) as net:
        net.run()
        return judge(net, "own medium")


def real_time(net):
    line = [w for w in net.log("air.log").split() if w.startswith("real_time_factor=")]
    return line[-1] if line else "?"
