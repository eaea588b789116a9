# SPDX-License-Identifier: GPL-3.0-or-later
"""A running, encrypted network under siege: strangers of every kind (test_strangers besiege: no ZeroMQ, plain ZeroMQ, a key nobody
knows, 200 handshakes held open) come and go at the CPU node's port. Each is counted, nothing of theirs is looked at, nobody inside loses
the link, and what the network does in the besieged blocks is bit for bit what it does without them. What a siege costs in time is
printed by bench_siege."""
import os
import socket
import struct
import subprocess
import sys

from network import BIN, LIGHT, SHORT, Network, check, finish

N_AP = 2
TURNS, TURN_BLOCKS = (1, 45) if SHORT else (5, 60)
PER_ROUND, HALF_OPEN = 22, 200  # tests/fronthaul/strangers.h
SAME = ["H_hat", "W", "block/ap_used", "user/sinr_measured", "user/bits", "applied/kind"]


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


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


def run(besieged):
    """The recorded blocks of a run, siege and quiet in turn if besieged."""
    endpoint, rounds = f"tcp://127.0.0.1:{free_port()}", 0
    sets = ["payload.modulation=qam4", f"fronthaul.endpoint={endpoint}", "fronthaul.security=curve", *LIGHT]
    with Network(n_ap=N_AP, n_ue=2, n_blocks=0, sets=sets) as net:
        keys = os.path.join(net.dir, "keys")
        subprocess.run([os.path.join(BIN, "tutti"), "keygen", "--out", keys, "--config", net.config], check=True, stdout=subprocess.DEVNULL)
        net.start()
        net.wait_for_block(TURN_BLOCKS)
        siege = Siege(keys, endpoint.rsplit(":", 1)[1])
        for _ in range(TURNS if besieged else 0):
            siege.begin()
            begun = net.blocks_done()
            net.wait_for_block(begun + TURN_BLOCKS)
            rounds += siege.stop()
            net.wait_for_block(net.blocks_done() + TURN_BLOCKS // 2)
        siege.close()
        net.wait_for_block((2 * TURNS + 1) * TURN_BLOCKS)
        n = net.blocks_done() - 20  # the last ones are not all reported
        net.process.terminate()
        check(net.wait() == 0, "the run ends well when told to")
        with net.file("run.h5") as f:
            data = {name: f[name][:n] for name in SAME}
        return data, counters(net, "cpu", endpoint), PER_ROUND * rounds + (HALF_OPEN * TURNS if besieged else 0)


def main():
    data, hub, strangers = run(True)
    print(f"{strangers} strangers, {hub}")
    check(strangers > TURNS * HALF_OPEN and hub["handshake_refused"] >= 0.95 * strangers, "the strangers are counted")
    check(hub["unknown_peer"] == 0 and hub["bad_control"] == 0, "nothing of theirs is looked at")
    check(hub["reconnects"] == 0, "no access point lost its link")
    check(data["block/ap_used"].all() and (data["applied/kind"] == 1).all(), "every access point is heard and sends what it is told, in every block")
    check((data["user/bits"] > 0).all(), "every user receives every block")
    quiet = run(False)[0]
    n = min(len(data["W"]), len(quiet["W"]))
    for name in SAME:
        check(n > 100 and data[name][:n].tobytes() == quiet[name][:n].tobytes(), f"{name} is the same in {n} blocks without a siege")
    finish()


main()
