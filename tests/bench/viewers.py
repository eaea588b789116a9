# SPDX-License-Identifier: GPL-3.0-or-later
"""What viewers of the live page cost the network: one paced run in which 64 viewers come and go in pairs of turns, with and without and the other
way round (ABBA), so that both kinds of seconds see the same machine. Of every pair the ratio of the solve's 50th, 90th and 99th percentile; of
these the median and between which it lies with 95 %; the same for pairs without any viewer (--null), which is what the machine does by itself;
and the memory of the page and of the central node from turn to turn. One of the viewers never reads. A figure, no verdict:
/usr/bin/python3 tests/bench/viewers.py [--null] [pairs, 12] [seconds a turn, 1.5]"""
import math
import os
import re
import socket
import sys
import threading
import time

import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "loop"))
from network import Network  # noqa: E402

N_VIEWERS = 64


class Viewer(threading.Thread):
    """Reads until told to stop, or never reads."""

    def __init__(self, port, reads=True):
        super().__init__(daemon=True)
        self.reads, self.bytes, self.over = reads, 0, False
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.socket.connect(("127.0.0.1", port))
        self.socket.sendall(b"GET /events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        self.socket.settimeout(0.5)
        self.start()

    def run(self):
        while self.reads and not self.over:
            try:
                got = len(self.socket.recv(65536))
            except socket.timeout:
                continue
            except OSError:
                break
            self.bytes += got
            if got == 0:
                break

    def leave(self):
        self.over = True
        self.join()
        self.socket.close()


def rss_kb(pid):
    with open(f"/proc/{pid}/status") as f:
        return int(re.search(r"VmRSS:\s+(\d+)", f.read()).group(1))


def page_of(net):
    """Where the page is, and its process: `tutti run` and it are both called tutti."""
    told = ""
    while "http://" not in told:
        line = net.process.stdout.readline()
        if not line:
            sys.exit(f"tutti run did not say where the page is: {told}")
        told += line
    children = open(f"/proc/{net.process.pid}/task/{net.process.pid}/children").read().split()
    page = [int(c) for c in children if b"dashboard" in open(f"/proc/{c}/cmdline", "rb").read()]
    return int(re.search(r"127\.0\.0\.1:(\d+)", told).group(1)), page[0]


def between(ratios):
    """The median, and an interval that has it with 95 %: order statistics, whatever the distribution."""
    x, n = np.sort(ratios), len(ratios)
    below = np.cumsum([math.comb(n, k) for k in range(n)]) / 2.0 ** n
    least = int(np.searchsorted(below, 0.025))
    return np.median(x), x[max(least - 1, 0)], x[min(n - least, n - 1)]


def turn_of(net, page, n_viewers, port, seconds):
    """Blocks of one turn, first and end; memory; bytes that viewers read."""
    viewers = [Viewer(port, reads=i > 0) for i in range(n_viewers)]
    time.sleep(0.4)
    first = net.blocks_done()
    time.sleep(seconds)
    end = net.blocks_done()
    memory = rss_kb(page), rss_kb(net.pid_of("tutti-cpu"))
    for viewer in viewers:
        viewer.over = True
    for viewer in viewers:
        viewer.leave()
    return (first, end), memory, sum(v.bytes for v in viewers)


def main():
    words = [w for w in sys.argv[1:] if w != "--null"]
    null, pairs, seconds = "--null" in sys.argv, int((words + ["12"])[0]), float((words + ["12", "1.5"])[1])
    turns = {"without": [], "with": []}
    memory, read = [], 0
    with Network(n_blocks=0, args=["--dashboard", "--listen", "127.0.0.1:0", "--quiet"], sets=["air.mode=paced", "air.truth="]) as net:
        net.start()
        port, page = page_of(net)
        net.wait_for_block(100)
        for pair in range(pairs):
            for kind in ("without", "with") if pair % 2 == 0 else ("with", "without"):
                blocks, used, n_bytes = turn_of(net, page, N_VIEWERS if kind == "with" and not null else 0, port, seconds)
                turns[kind].append(blocks)
                memory.append((kind, *used))
                read += n_bytes
        net.process.terminate()
        net.wait(60)
        with net.file("run.h5") as f:
            solve = 1e6 * f["solve_time_s"][()]
    for kind, each in turns.items():
        x = np.concatenate([solve[a:b] for a, b in each])
        x = x[np.isfinite(x)]
        print(f"{kind:8s}: {len(x)} solved blocks, p50 {np.percentile(x, 50):.1f} p90 {np.percentile(x, 90):.1f} p99 {np.percentile(x, 99):.1f} us")
    for q in (50, 90, 99):
        each = {kind: np.array([np.nanpercentile(solve[a:b], q) for a, b in blocks]) for kind, blocks in turns.items()}
        middle, low, high = between(each["with"] / each["without"])
        print(f"p{q} with {0 if null else N_VIEWERS} viewers over p{q} without, {pairs} pairs: median {middle:.3f}, 95 % between {low:.3f} and {high:.3f}")
    for i, what in ((1, "page"), (2, "central node")):
        print(f"memory of the {what}, kB, from turn to turn: {' '.join(str(m[i]) for m in memory)}")
    print(f"{read / 1e6:.1f} MB read")


main()
