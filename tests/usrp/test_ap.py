# SPDX-License-Identifier: GPL-3.0-or-later
"""tutti-ap on two boards of two channels with a common pulse, through libuhd. First without faults: what it recorded is what the devices
heard, sample for sample at its tick, and what the devices sent lies where the frame has it. Then every fault once, in the same network: its
counter, its block, its message, and that it is back in service, or ends cleanly; a table of them.
argv: the emulator's program; how many blocks without faults (60)."""
import glob
import json
import os
import socket
import subprocess
import sys
import tempfile
import time

import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "loop"))
from emulator import Emulator, skip
from network import BIN, Network, check, fewer, finish

SYMBOL, BLOCK, CHUNK = 137, 9600, 480
D_FIRST, D_END = 31 * SYMBOL, 69 * SYMBOL
BOARDS, CHANNELS = 2, 2
SETTLED = 25  # blocks: everybody has begun
NETWORK = """
network: {{name: boards, n_ap: 1, n_ant: 4, n_ue: 2, n_blocks: 0}}
engine: {{gather_deadline_us: 1000000, lockstep_timeout_ms: 2000}}
record: {{iq: {{dir: iq, nodes: [ap0]}}}}
radio:
  ap: {{backend: uhd, master_clock_rate_hz: 1920000, clock_source: external, time_source: external}}
  ap_list: [{{id: 0, args: "addr0={0},addr1={1},elastic=1"}}]
  ue: {{backend: uhd, master_clock_rate_hz: 1920000, clock_source: external, time_source: external}}
  ue_list: [{{id: 0, args: "addr={2},elastic=1"}}, {{id: 1, args: "addr={3},elastic=1"}}]
air: {{large_scale: {{model: uniform, snr_db: 30}}, fading: {{variation: jakes, doppler_hz: 0}}}}
"""
KINDS = {1: "fresh", 2: "stale", 3: "local", 4: "mute", 5: "LATE", 6: "CUT", 7: "MISSED", 8: "LOST"}


def ask(address, text):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(10)
        s.sendto(text.encode(), (address, 49600))
        return s.recv(1000).decode()


class Run:
    """The network under way; blocks are rows of its recording."""

    def __init__(self, program, folder):
        self.folder = folder
        self.said = os.path.join(folder, "devices.log")
        self.net = Network()
        open(self.net.config, "w").write(NETWORK.format(*["127.0.0.1"] * 4))
        self.devices = Emulator(program, "--config", self.net.config, "--keep", folder, "--verbose", devices=0)

    def __enter__(self):
        with open(self.said, "w") as log:
            self.devices.__enter__(stderr=log)
        open(self.net.config, "w").write(NETWORK.format(*self.devices.devices))
        self.net.command += ["--keep-going"]
        self.net.start()
        return self

    def __exit__(self, *_):
        self.devices.__exit__()
        self.net.__exit__()

    def rows(self, *names):
        with self.net.file("run.h5") as f:
            n = min(f[name].shape[0] for name in names)
            return [f[name][:n] for name in names]

    def first_tick(self):
        """Of row 0."""
        with self.net.file("run.h5") as f:
            return int(f["block/tick"][SETTLED]) - SETTLED * BLOCK

    def wait(self, n):
        self.net.wait_for_block(self.net.blocks_done() + n)

    def fault(self, board, text):
        answer = ask(self.devices.devices[board], "FAULT " + text)
        check(answer == "OK", f"FAULT {text}: {answer}") if answer != "OK" else None

    def end(self):
        self.net.process.terminate()
        self.net.wait(60)


# Samples ----------------------------------------------------------------------------------------------------------------


def kept(run, way, board):
    """{tick: [channel][CHUNK][2]}, from the file of one board; the file may still grow."""
    return np.fromfile(os.path.join(run.folder, f"{way}{board}"), [("tick", "<u8"), ("x", "<i2", (CHANNELS, CHUNK, 2))])


def line_up(records):
    """A function of (first tick, n): the samples [channel][n][2]; None where some were not kept."""
    ticks = records["tick"].astype(np.int64)

    def at(tick, n):
        i = np.searchsorted(ticks, tick, "right") - 1
        j = np.searchsorted(ticks, tick + n - 1, "right") - 1
        if i < 0 or ticks[j] - ticks[i] != (j - i) * CHUNK or tick + n > ticks[j] + CHUNK:
            return None
        x = np.concatenate(records["x"][i:j + 1], axis=1)
        return x[:, tick - ticks[i]:tick - ticks[i] + n]
    return at


def compare_received(run):
    """Recorded by the access point against what the boards heard; returns samples compared and wrong."""
    n_compared = n_wrong = 0
    for a in range(BOARDS * CHANNELS):
        heard = line_up(kept(run, "rx", a // CHANNELS))
        stem = glob.glob(os.path.join(run.net.out, "iq", f"ap0_ant{a}.sigmf-meta"))[0]
        starts = json.load(open(stem))["captures"]
        data = np.fromfile(stem.replace("-meta", "-data"), "<i2").reshape(-1, 2)
        for here, after in zip(starts, starts[1:] + [{"core:sample_start": len(data)}]):
            x = data[here["core:sample_start"]:after["core:sample_start"]]
            truth = heard(here["core:global_index"], len(x))
            n_compared += len(x)
            n_wrong += len(x) if truth is None else int(np.count_nonzero(np.any(truth[a % CHANNELS] != x, axis=1)))
    return n_compared, n_wrong


def compare_sent(run, rows):
    """Bursts on the air against the frame: the downlink's samples, silence besides it and the beacon (of antenna 0)."""
    n_wrong, begin = 0, run.first_tick()
    for board in range(BOARDS):
        sent = line_up(kept(run, "tx", board))
        for row in rows:
            x = sent(begin + row * BLOCK, BLOCK)
            loud = np.any(x != 0, axis=2) if x is not None else np.zeros((CHANNELS, BLOCK), bool)
            for c in range(CHANNELS):
                first, last = np.argmax(loud[c, SYMBOL:]) + SYMBOL, BLOCK - 1 - np.argmax(loud[c, ::-1])
                # a sample may be 0 on the wire by chance
                good = D_FIRST <= first < D_FIRST + 4 and D_END - 5 < last < D_END
                good = good and np.any(loud[c, :SYMBOL]) == (board == 0 and c == 0)
                n_wrong += not good
    return n_wrong


# Faults -----------------------------------------------------------------------------------------------------------------


# What is done to which boards; letters of U O D S L that must count, which others may (S of packets lost long ago comes when libuhd waits for
# room in the device); what a block must become, None: anything; the device's message.
FAULTS = [
    ("bursts late", [(1, "late 2")], "L", "S", {5}, "event 2"),  # a beacon and a downlink
    ("bursts cut", [(0, "underrun 2")], "U", "S", {6}, "event 1"),
    ("packets lost on the way out", [(1, "lose-tx 8")], "", "LUS", {5, 6}, "lost a packet"),  # of two blocks, last ones among them
    ("packet to the host lost", [(0, "lose-rx 1")], "D", "S", None, ""),
    # a device that does not stream does not wait for its host: the burst on its way may come too late
    ("overrun of a board", [(0, "overrun")], "O", "DSL", None, "event 2"),
    ("overrun of both boards", [(0, "overrun"), (1, "overrun")], "O", "DSL", None, "event 2"),
    ("overrun, restart too late", [(0, "late-start 1"), (0, "overrun")], "O", "DSL", None, "event 1"),
    ("no answer to calls for 1 s", [(0, "deaf 1")], "", "S", set(), ""),
]


def try_fault(run, name, todo, must, may, kinds, message):
    run.wait(2)
    said = os.path.getsize(run.said)
    [events, kind] = run.rows("radio/events", "applied/kind")
    first, before = len(kind), events[-1, 0].astype(int)
    for board, text in todo:
        run.fault(board, text)
    least = 12 if must or kinds else 30
    limit = time.monotonic() + 60
    done = False
    while not done and time.monotonic() < limit:
        time.sleep(0.1)
        [events, kind] = run.rows("radio/events", "applied/kind")
        rest, counted = kind[first - 3:-4, 0], events[-1, 0].astype(int) - before
        told = all(counted["UODSL".index(l)] > 0 for l in must) and (not kinds or np.any(rest != 1))
        done = told and len(rest) > least and np.all(rest[-8:] == 1)
    bad = [(first - 3 + i, int(k)) for i, k in enumerate(rest) if k != 1]
    letters = "".join(f"{l}{n} " for l, n in zip("UODSL", counted) if n)
    device = open(run.said).read()[said:]
    good = all(counted["UODSL".index(l)] > 0 for l in must)
    good = good and all(n == 0 or l in must + may for l, n in zip("UODSL", counted))
    good = good and np.all(rest[-8:] == 1) and message in device
    good = good and (kinds is None or (bool(bad) == bool(kinds) and {k for _, k in bad} <= kinds))
    blocks = f"{bad[0][0]}: {', '.join(KINDS.get(k, 'none') for k in dict.fromkeys(k for _, k in bad))} ({len(bad)})" if bad else "all fresh"
    print(f"| {name} | {letters or '-'} | {blocks} | {'back in service' if np.all(rest[-8:] == 1) else 'NOT BACK'} |")
    check(good, f"{name}: {letters}; {bad[:12]}")
    return bad, device


def test_vanish(run):
    pid = run.net.pid_of("tutti-ap", 0)
    others = [run.net.pid_of("tutti-ue", k) for k in range(2)]
    run.fault(1, "vanish")
    limit = time.time() + 60
    while time.time() < limit and run.net.pid_of("tutti-ap", 0) == pid:
        time.sleep(0.1)
    gone = run.net.pid_of("tutti-ap", 0) is None
    sentence = [l for l in run.net.log("ap0.log").splitlines() if "does not answer any more" in l]
    alive = [run.net.pid_of("tutti-ue", k) for k in range(2)] == others
    print(f"| a board vanishes | - | from then on | {'ends with a sentence, the users go on' if gone and sentence and alive else 'WRONG'} |")
    check(gone and len(sentence) == 1 and alive, f"a board vanishes: {sentence}")


def test_exact(run, n_blocks):
    run.net.wait_for_block(SETTLED + n_blocks + 4)
    [events, kind] = run.rows("radio/events", "applied/kind")
    judged = kind[SETTLED:SETTLED + n_blocks, 0]
    check(np.all(judged == 1), f"{np.count_nonzero(judged == 1)} of {n_blocks} downlinks were fresh and sent")
    check(not np.any(events[-1]), f"U O D S L: {events[-1, 0].tolist()}")
    n_wrong = compare_sent(run, range(SETTLED, SETTLED + n_blocks))
    check(n_wrong == 0, f"{n_wrong} of {n_blocks * BOARDS * CHANNELS} bursts of antennas lay elsewhere than the frame has them")


def main():
    program, n_blocks = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 60
    with tempfile.TemporaryDirectory(prefix="tutti-usrp-") as folder, Run(program, folder) as run:
        test_exact(run, n_blocks)
        print("| fault | counters of the access point | first block that was not fresh, what they were | end |")
        print("|---|---|---|---|")
        for fault in fewer(FAULTS, 4):
            try_fault(run, *fault)
        test_vanish(run)
        run.end()
        n, n_wrong = compare_received(run)
        check(n > 0 and n_wrong == 0, f"{n} samples recorded by the access point, through all faults: {n_wrong} are not what the device heard at that tick")


if __name__ == "__main__":
    if not os.access(sys.argv[1], os.X_OK):
        skip("no emulated USRPs in this build: install libmsgpack-dev")
    example = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "examples", "usrp.yaml")
    if subprocess.run([os.path.join(BIN, "tutti"), "config", "check", example], capture_output=True).returncode:
        skip("this build has no libuhd")
    main()
    finish()
