# SPDX-License-Identifier: GPL-3.0-or-later
"""Somebody else's radios in our air through `tutti gate`: an access point and a user that are both foreign hear each other's samples at their
ticks, in every dialect; one that is killed leaves its seat silent, and comes back at another tick without anybody noticing."""
import os
import re
import subprocess
import sys
import tempfile
import time

import numpy as np

from network import BIN, check, fewer, finish
from outside import free_ports

RADIO = sys.argv[1]
NET = """
network: {name: gates, n_ap: 1, n_ant: 1, n_ue: 1}
air: {large_scale: {snr_db: 40}, fading: {model: none}}
"""


def chirp(k):
    k = np.asarray(k, np.uint64)
    return 0.1 * np.exp(1e-4j * k.astype(float) * (k % 5000).astype(float))


class Air:
    """The medium and two gates."""

    def __init__(self, folder):
        self.folder, self.all = folder, []
        self.config = os.path.join(folder, "net.yaml")
        with open(self.config, "w") as f:
            f.write(NET)
        self.ports = free_ports(4)
        self.start([os.path.join(BIN, "tutti-air"), "--config", self.config, "--set", f"network.runtime_dir={folder}"], "air")
        for i, seat in enumerate(("ap0", "ue0")):
            self.start([os.path.join(BIN, "tutti"), "gate", "--config", self.config, "--set", f"network.runtime_dir={folder}", "--as", seat,
                        "--tx", self.at(2 * i), "--rx", self.at(2 * i + 1)], seat)

    def at(self, i):
        return f"tcp://127.0.0.1:{self.ports + i}"

    def start(self, command, name):
        log = open(os.path.join(self.folder, name + ".log"), "w")
        self.all.append(subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT))
        return self.all[-1]

    def radio(self, i, dialect, n, name):
        return self.start([RADIO, self.at(2 * i), self.at(2 * i + 1), dialect, str(n), os.path.join(self.folder, name)], name)

    def log(self, name):
        return open(os.path.join(self.folder, name + ".log")).read()

    def wait_for(self, name, text, n=1):
        end = time.monotonic() + 60
        while self.log(name).count(text) < n:
            if time.monotonic() > end or any(p.poll() is not None for p in self.all[:3]):
                sys.exit(f"FAILED: '{text}' in the log of {name}:\n{self.log(name)}\n{self.log('air')}")
            time.sleep(0.02)

    def wait_for_samples(self, name, n):
        end = time.monotonic() + 60
        while os.path.getsize(os.path.join(self.folder, name)) < 8 * n:
            if time.monotonic() > end:
                sys.exit(f"FAILED: {n} samples of {name}:\n{self.log('air')}")
            time.sleep(0.02)

    def joined(self, name):
        return [int(t) for t in re.findall(r"GATE-JOIN tick=(\d+)", self.log(name))]

    def samples(self, name):
        return np.fromfile(os.path.join(self.folder, name), np.complex64)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in self.all[::-1]:
            process.terminate()
            process.wait(timeout=20)


def examine(received, at, sender_at, what):
    """Received from tick `at` on: a gain times what was sent at the same ticks, and next to nothing else."""
    first = max(at, sender_at) + 20000 - at  # both there, and settled
    k = np.arange(first, len(received))
    sent = chirp(k + at - sender_at)
    g = np.vdot(sent, received[k]) / np.vdot(sent, sent)
    rest = received[k] - g * sent
    ratio_db = 10 * np.log10(np.mean(np.abs(g * sent) ** 2) / np.mean(np.abs(rest) ** 2))
    check(ratio_db > 15, f"{what}: {len(k)} samples at their ticks, {ratio_db:.1f} dB above what is left")


def test_dialects():
    for dialect in fewer(("ff", "00", "u32")):
        with tempfile.TemporaryDirectory() as folder, Air(folder) as air:
            radios = [air.radio(0, dialect, 10**9, "ap"), air.radio(1, dialect, 10**9, "ue")]
            air.wait_for("ap0", "GATE-JOIN")
            air.wait_for("ue0", "GATE-JOIN")
            ap, ue = air.joined("ap0")[0], air.joined("ue0")[0]
            air.wait_for_samples("ue", max(ap - ue, 0) + 120000)
            for radio in radios:
                radio.terminate()
                radio.wait(timeout=60)
            examine(air.samples("ue")[:max(ap - ue, 0) + 120000], ue, ap, f"{dialect}: user hears access point")


def test_killed():
    with tempfile.TemporaryDirectory() as folder, Air(folder) as air:
        first, other = air.radio(0, "ff", 10**9, "first"), air.radio(1, "ff", 10**9, "other")
        air.wait_for("ap0", "GATE-JOIN")
        air.wait_for("ue0", "GATE-JOIN")
        first.kill()
        air.wait_for("ap0", "GATE-GONE")
        again = air.radio(0, "00", 120000, "again")
        air.wait_for("ap0", "GATE-JOIN", 2)
        again.wait(timeout=60)
        other.terminate()
        one, two = air.joined("ap0")
        check(two > one and len(air.joined("ue0")) == 1, f"back at tick {two}, first at {one}; the other did not notice")
        examine(air.samples("again"), two, air.joined("ue0")[0], "after coming back")


def test_refusals():
    with tempfile.TemporaryDirectory() as folder:
        config = os.path.join(folder, "net.yaml")
        with open(config, "w") as f:
            f.write(NET)
        for more, sentence in ((["--as", "eve0"], "is no node of this network"), (["--as", "ap1"], "is no node"), (["--as", "ap0x"], "is no node"),
                               (["--as", "ap0", "--tx", "tcp://127.0.0.1:2,tcp://127.0.0.1:3"], "1 antenna"),
                               (["--as", "ap0", "--set", "air.mode=paced"], "lockstep"), (["--as", "ap0", "--gone-ms", "x"], "no time")):
            done = subprocess.run([os.path.join(BIN, "tutti"), "gate", "--config", config, "--tx", "tcp://127.0.0.1:2", "--rx",
                                   "tcp://127.0.0.1:3", *more], capture_output=True, text=True, timeout=60)
            check(done.returncode == 1 and sentence in done.stderr, f"refused: {' '.join(more)}")
        done = subprocess.run([os.path.join(BIN, "tutti"), "run", config, "--out", os.path.join(folder, "out"), "--without", "ap0,eve0"],
                              capture_output=True, text=True, timeout=60)
        check(done.returncode == 1 and "--without eve0" in done.stderr, f"nobody to leave out: {done.stderr.strip()}")


test_refusals()
test_dialects()
test_killed()
finish()
