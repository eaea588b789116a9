# SPDX-License-Identifier: GPL-3.0-or-later
"""The fronthaul over a real, bad network: the APs in one network namespace, the CPU node in another, encrypted TCP in between with
5 % packet loss, 20 ms jitter, a partition of argv[1] seconds. The wire is a veth pair with netem, or, on a kernel without netem,
two TUN devices with a relay of this test between them. Namespaces, addresses and devices are this test's own; the radios'
samples travel over a local socket. Needs root and iproute2."""
import ctypes
import fcntl
import heapq
import os
import random
import re
import select
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import time

import h5py
import numpy as np
from network import BIN, check, finish

PARTITION_S = float(sys.argv[1]) if len(sys.argv) > 1 else 10
N_AP, BLOCK_US, STALE_BLOCKS = 2, 50000, 4
CPU_NS, AP_NS = f"tutti-test-cpu-{os.getpid()}", f"tutti-test-ap-{os.getpid()}"
CPU_ADDRESS, AP_ADDRESS = "192.0.2.1", "192.0.2.2"

CONFIG = f"""
network: {{name: netns, seed: 7, n_ap: {N_AP}, n_ant: 2, n_ue: 2, n_blocks: 0, runtime_dir: %s}}
frame: {{block_us: {BLOCK_US}, schedule: "B G P4 U300 G D38 G"}}
payload: {{modulation: qam4}}
engine: {{gather_deadline_us: 5000, stale_blocks: {STALE_BLOCKS}, peer_timeout_ms: 800}}
fronthaul: {{endpoint: "tcp://{CPU_ADDRESS}:5555"}}
air: {{mode: paced}}
"""


def skip(why):
    print("SKIPPED: " + why)
    sys.exit(77)


def ip(*words, may_fail=False):
    done = subprocess.run(["ip", *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode and not may_fail:
        raise RuntimeError(f"ip {' '.join(words)}: {done.stdout.strip()}")
    return done


class Netem:
    """A veth pair and the kernel's own network emulation."""

    def __init__(self):
        ip("-n", CPU_NS, "link", "add", "wire", "type", "veth", "peer", "name", "wire", "netns", AP_NS)

    def set(self, loss=0.0, delay_ms=0.0, jitter_ms=0.0):
        """The same in both directions. Returns the wall-clock time in ns when it has begun."""
        words = ["delay", f"{delay_ms}ms", f"{jitter_ms}ms"] if delay_ms else []
        for ns in (CPU_NS, AP_NS):
            ip("netns", "exec", ns, "tc", "qdisc", "replace", "dev", "wire", "root", "netem", *words, "loss", f"{100 * loss}%")
        return time.time_ns()

    def close(self):
        pass


class Relay:
    """A TUN device in each namespace; packets are carried across, lost and delayed by a thread of this process."""

    def __init__(self):
        self.fds = [self.open_tun(ns) for ns in (CPU_NS, AP_NS)]
        self.random, self.queue, self.serial, self.running = random.Random(7), [], 0, True
        self.settings = (0.0, 0.0, 0.0)
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    @staticmethod
    def open_tun(ns):
        """The device belongs to the namespace the thread is in; the descriptor works from anywhere."""
        tun_set_iff, tun_without_header, clone_newnet = 0x400454CA, 0x1001, 0x40000000
        libc = ctypes.CDLL(None, use_errno=True)
        with open("/proc/thread-self/ns/net") as home, open("/var/run/netns/" + ns) as place:
            if libc.setns(place.fileno(), clone_newnet):
                raise OSError(ctypes.get_errno(), "setns")
            try:
                fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
                fcntl.ioctl(fd, tun_set_iff, struct.pack("16sH22x", b"wire", tun_without_header))
            finally:
                libc.setns(home.fileno(), clone_newnet)
        return fd

    def set(self, loss=0.0, delay_ms=0.0, jitter_ms=0.0):
        self.settings = (loss, delay_ms * 1e-3, jitter_ms * 1e-3)
        return time.time_ns()

    def take(self, fd, to):
        loss, delay_s, jitter_s = self.settings
        try:
            packet = os.read(fd, 65536)
        except OSError:
            return
        if self.random.random() >= loss:
            self.serial += 1
            due = time.monotonic() + delay_s + self.random.uniform(-jitter_s, jitter_s)
            heapq.heappush(self.queue, (due, self.serial, to, packet))

    def run(self):
        while self.running:
            wait = max(0.0, self.queue[0][0] - time.monotonic()) if self.queue else 0.05
            for fd in select.select(self.fds, [], [], min(wait, 0.05))[0]:
                self.take(fd, self.fds[1 - self.fds.index(fd)])
            while self.queue and self.queue[0][0] <= time.monotonic():
                _, _, to, packet = heapq.heappop(self.queue)
                try:
                    os.write(to, packet)
                except OSError:
                    pass

    def close(self):
        self.running = False
        self.thread.join()
        for fd in self.fds:
            os.close(fd)


def make_wire():
    try:
        ip("netns", "add", CPU_NS)
        ip("netns", "add", AP_NS)
        try:
            wire = Netem()
            wire.set()
        except RuntimeError as error:
            print(f"no netem here ({str(error)[-60:]}): the test's own relay instead")
            remove_namespaces()
            ip("netns", "add", CPU_NS)
            ip("netns", "add", AP_NS)
            wire = Relay()
        for ns, address in ((CPU_NS, CPU_ADDRESS), (AP_NS, AP_ADDRESS)):
            ip("-n", ns, "address", "add", address + "/24", "dev", "wire")
            ip("-n", ns, "link", "set", "wire", "up")
            ip("-n", ns, "link", "set", "lo", "up")
        return wire
    except (RuntimeError, OSError) as error:
        remove_namespaces()
        skip(str(error))


def remove_namespaces():
    for ns in (CPU_NS, AP_NS):
        ip("netns", "del", ns, may_fail=True)


class Nodes:
    def __init__(self, directory):
        self.directory, self.processes = directory, {}

    def start(self, name, ns, *words):
        log = open(os.path.join(self.directory, name + ".log"), "w")
        prefix = ["ip", "netns", "exec", ns] if ns else []
        self.processes[name] = subprocess.Popen(
            prefix + [os.path.join(BIN, words[0]), "--config", "net.yaml", *words[1:]], cwd=self.directory, stdout=log, stderr=log)

    def log(self, name):
        with open(os.path.join(self.directory, name + ".log")) as f:
            return f.read()

    def dead(self):
        return [n for n, p in self.processes.items() if p.poll() is not None]

    def stop(self):
        """The nodes, then the air they need. Returns those that did not end well."""
        bad = self.dead()
        for names in ([n for n in self.processes if n != "air"], ["air"]):
            for name in names:
                if self.processes[name].poll() is None:
                    self.processes[name].send_signal(signal.SIGTERM)
            for name in names:
                try:
                    if self.processes[name].wait(timeout=15) != 0:
                        bad.append(name)
                except subprocess.TimeoutExpired:
                    self.processes[name].kill()
                    self.processes[name].wait()
                    bad.append(name + " (hung)")
        return bad


def blocks_done(directory):
    try:
        with h5py.File(os.path.join(directory, "run.h5"), "r", swmr=True) as f:
            return f["block/tick"].shape[0]
    except OSError:
        return 0


def run_phases(nodes, wire):
    """The wall-clock times in ns at which each phase began."""
    end = time.time() + 60
    while blocks_done(nodes.directory) < 20 and time.time() < end and not nodes.dead():
        time.sleep(0.2)
    begin = {"clean": time.time_ns()}
    time.sleep(1.5)
    begin["loss"] = wire.set(loss=0.05)
    time.sleep(3)
    begin["jitter"] = wire.set(delay_ms=20, jitter_ms=20)
    time.sleep(2)
    begin["pause"] = wire.set()
    time.sleep(1.5)
    begin["partition"] = wire.set(loss=1)
    time.sleep(PARTITION_S)
    begin["healed"] = wire.set()
    time.sleep(2.5)
    begin["end"] = time.time_ns()
    return begin


def judge(nodes, begin):
    with h5py.File(os.path.join(nodes.directory, "run.h5"), "r", swmr=True) as f:
        capture, kind = f["hops/capture_end_ns"][()], f["applied/kind"][()]
    rows = min(len(capture), len(kind))
    capture, kind = capture[:rows].astype(np.int64), kind[:rows]
    names = list(begin)
    for m in range(N_AP):
        for phase, after in zip(names, names[1:]):
            inside = (capture[:, m] >= begin[phase]) & (capture[:, m] < begin[after])
            print(f"AP {m} {phase:9}: " + ", ".join(f"{word} {int((kind[inside, m] == i).sum())}" for i, word in
                                                   enumerate(["unknown", "fresh", "stale", "local CB", "mute"])))
        clean = (capture[:, m] >= begin["clean"]) & (capture[:, m] < begin["loss"])
        check((kind[clean, m] == 1).mean() > 0.5, f"AP {m}: fresh precoders on the clean network")
        fresh = np.flatnonzero((capture[:, m] >= begin["healed"]) & (kind[:, m] == 1))
        check(fresh.size > 0, f"AP {m}: fresh precoders again after the partition")
        if fresh.size:
            blocks = (capture[fresh[0], m] - begin["healed"]) / (BLOCK_US * 1e3)
            check(blocks <= 10, f"AP {m}: the first {blocks:.1f} blocks after the partition's end")
        log = nodes.log(f"ap{m}")
        counted = {k: int(v) for k, v in re.findall(r"(\w+)=(\d+)", log[log.index("[slot] COUNTERS"):].splitlines()[0])}
        before = np.flatnonzero((capture[:, m] > 0) & (capture[:, m] < begin["partition"]) & (kind[:, m] == 1))
        # rows are blocks; nothing arrives in the partition, but for two blocks' worth on the way when it begins
        cut = int(fresh[0] - before[-1] - 1) if fresh.size and before.size else 0
        check(cut * BLOCK_US * 1e-6 > 0.5 * PARTITION_S, f"AP {m}: cut off for {cut} blocks, the partition was {PARTITION_S:g} s")
        check(counted["local_cb"] + counted["mute"] >= cut - STALE_BLOCKS - 2,
              f"AP {m}: old precoders for at most {STALE_BLOCKS} of {cut} blocks cut off, then its own: "
              f"{counted['local_cb']} blocks of local CB, {counted['mute']} muted, {counted['stale']} stale in the whole run")
        check(counted["fresh"] + counted["stale"] + counted["local_cb"] + counted["mute"] > 0.9 * counted["blocks"],
              f"AP {m}: every block was decided: {counted['blocks']}")
    check("AP-DOWN ap=0" in nodes.log("cpu"), "the CPU node noticed the partition")


def main():
    if os.geteuid() != 0:
        skip("only root may make network namespaces")
    if not shutil.which("ip") or not shutil.which("tc"):
        skip("iproute2 (ip, tc) is not installed")
    wire = make_wire()
    directory = tempfile.mkdtemp(prefix="tutti-netns-")
    try:
        with open(os.path.join(directory, "net.yaml"), "w") as f:
            f.write(CONFIG % directory)
        subprocess.run([os.path.join(BIN, "tutti"), "keygen", "--out", "keys", "--config", "net.yaml"], cwd=directory, check=True)
        nodes = Nodes(directory)
        nodes.start("air", None, "tutti-air")
        nodes.start("cpu", CPU_NS, "tutti-cpu")
        for m in range(N_AP):
            nodes.start(f"ap{m}", AP_NS, "tutti-ap", "--id", str(m))
        for k in range(2):
            nodes.start(f"ue{k}", None, "tutti-ue", "--id", str(k))
        begin = run_phases(nodes, wire)
        bad = nodes.stop()
        check(not bad, f"no crash {bad}")
        if bad:
            for name in nodes.processes:
                print("---", name, "\n" + nodes.log(name)[-1500:])
        judge(nodes, begin)
    finally:
        for process in nodes.processes.values() if "nodes" in locals() else []:
            if process.poll() is None:
                process.kill()
        wire.close()
        remove_namespaces()
        shutil.rmtree(directory, ignore_errors=True)
    finish()


main()
