# SPDX-License-Identifier: GPL-3.0-or-later
"""A running, encrypted network in real time under siege: strangers of every kind (test_strangers besiege: no ZeroMQ, plain ZeroMQ, a
key nobody knows, 200 handshakes held open) come and go at the CPU node's port. Nothing of theirs is looked at, nobody inside loses the
link, and the precoders are not later than in the quiet blocks of the same run. Needs real-time priority to judge the last: the
strangers here take the CPU node's own cores, which those on a network do not."""
import os
import resource
import socket
import struct
import subprocess
import sys
import time

import numpy as np
from network import BIN, Network, check, finish

N_AP, TURNS, TURN_BLOCKS = 2, 12, 150
PRIORITY = 20


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def may_be_realtime():
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
        return True
    except PermissionError:
        return resource.getrlimit(resource.RLIMIT_RTPRIO)[0] >= PRIORITY


class Siege:
    """The strangers; quiet until told."""

    def __init__(self, keys, port):
        self.end, other = socket.socketpair()
        self.process = subprocess.Popen([os.path.join(BIN, "test_strangers"), "besiege", keys, str(port)], stdin=other)
        other.close()

    def begin(self):
        self.end.send(b"b")

    def stop(self):
        self.end.send(b"e")
        return struct.unpack("i", self.end.recv(4))[0]

    def close(self):
        self.end.close()
        check(self.process.wait(10) == 0, "the strangers end well")


def counters(net, node, endpoint):
    for line in open(os.path.join(net.out, "logs", node + ".log")):
        if "[fronthaul] COUNTERS" in line and endpoint in line:
            return {k: int(v) for k, v in (w.split("=") for w in line.split() if "=" in w and not w.startswith("endpoint"))}
    sys.exit(f"FAILED: no counters of {endpoint} in {node}.log")


def main():
    realtime, endpoint = may_be_realtime(), f"tcp://127.0.0.1:{free_port()}"
    sets = ["air.mode=paced", "payload.modulation=qam4", f"fronthaul.endpoint={endpoint}", "fronthaul.security=curve",
            "engine.gather_deadline_us=800", f"engine.realtime_priority={PRIORITY if realtime else 0}"]
    besieged = []
    with Network(n_ap=N_AP, n_ue=2, n_blocks=0, sets=sets) as net:
        keys = os.path.join(net.dir, "keys")
        subprocess.run([os.path.join(BIN, "tutti"), "keygen", "--out", keys, "--config", net.config], check=True, stdout=subprocess.DEVNULL)
        net.start()
        net.wait_for_block(100)
        siege, rounds = Siege(keys, endpoint.rsplit(":", 1)[1]), 0
        first = net.blocks_done()
        for turn in range(TURNS):
            net.wait_for_block(first + (2 * turn + 1) * TURN_BLOCKS)
            siege.begin()
            begun = net.blocks_done()
            net.wait_for_block(begun + TURN_BLOCKS)
            besieged.append((begun, net.blocks_done()))
            rounds += siege.stop()
        siege.close()
        last = net.blocks_done()
        net.process.terminate()
        check(net.wait() == 0, "the run ends well when told to")
        with net.file("run.h5") as run:
            late = run["applied/arrival"][:last] == 3
            up = run["applied/kind"][:last] != 0
        hub = counters(net, "cpu", endpoint)
    strangers = 22 * rounds + 200 * TURNS
    print(f"{rounds} rounds, {strangers} strangers, {hub}")
    under = np.zeros(last, bool)
    for a, b in besieged:
        under[a:b] = True
    quiet = ~under & (np.arange(last) >= first)
    shares = late[quiet].mean(), late[under].mean()
    print(f"late precoders: {100 * shares[0]:.2f} % of {quiet.sum()} quiet blocks, {100 * shares[1]:.2f} % of {under.sum()} besieged ones")
    check(hub["handshake_refused"] >= 0.95 * strangers, "the strangers are counted")
    check(hub["unknown_peer"] == 0 and hub["bad_control"] == 0, "nothing of theirs is looked at")
    check(hub["reconnects"] == 0, "no access point lost its link")
    check(up[first:].mean() > 0.99, "the access points precode and report throughout")
    if realtime:
        check(shares[1] <= shares[0] + 0.01, "a siege does not make precoders late")
    else:
        print("NOT JUDGED: lateness; that needs real-time priority (ulimit -r)")
    finish()


main()
