# SPDX-License-Identifier: GPL-3.0-or-later
"""What viewers of the live page cost the network: one paced run in which 64 viewers come and go in turns, so that both kinds of seconds see the
same machine; the 99th percentile of the solve with and without them, and the memory of the page and of the central node. One of the viewers
never reads. A figure, no verdict: /usr/bin/python3 tests/bench/viewers.py [turns, 8] [seconds each, 3]"""
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


def main():
    turns, seconds = int((sys.argv + ["8"])[1]), float((sys.argv + ["8", "3"])[2 if len(sys.argv) > 2 else 3])
    with Network(n_blocks=0, args=["--dashboard", "--listen", "127.0.0.1:0", "--quiet"], sets=["air.mode=paced", "air.truth="]) as net:
        net.start()
        port, page = page_of(net)
        net.wait_for_block(100)
        cpu, marks, memory, read = net.pid_of("tutti-cpu"), [], [], 0
        for turn in range(2 * turns):
            viewers = [Viewer(port, reads=i > 0) for i in range(N_VIEWERS)] if turn % 2 else []
            time.sleep(0.5)
            first = net.blocks_done()
            time.sleep(seconds)
            marks.append((turn % 2, first, net.blocks_done()))
            memory.append((rss_kb(page), rss_kb(cpu)))
            for viewer in viewers:
                viewer.leave()
                read += viewer.bytes
        net.process.terminate()
        net.wait(60)
        with net.file("run.h5") as f:
            solve = 1e6 * f["solve_time_s"][()]
    for what in (0, 1):
        x = np.concatenate([solve[a:b] for kind, a, b in marks if kind == what])
        x = x[np.isfinite(x)]
        print(f"{what * N_VIEWERS:2d} viewers: {len(x)} solved blocks, solve p50 {np.percentile(x, 50):.1f} p99 {np.percentile(x, 99):.1f} us")
    each = [np.nanpercentile(solve[a:b], 99) for _, a, b in marks]
    ratio = np.array(each[1::2]) / np.array(each[0::2])
    print(f"p99 of a turn with viewers over the turn before it: median {np.median(ratio):.3f}, from {ratio.min():.3f} to {ratio.max():.3f}")
    print(f"memory with viewers, first and last turn: page {memory[1][0]} and {memory[-1][0]} kB, central node {memory[1][1]} and {memory[-1][1]} kB; "
          f"{read / 1e6:.1f} MB read")


main()
