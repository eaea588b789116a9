# SPDX-License-Identifier: GPL-3.0-or-later
"""Starts whole networks of real processes for the loop tests and reads what they recorded. Nothing here uses Tutti's own
arithmetic: SINRs and error variances are computed again from the recorded truth."""
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import h5py
import numpy as np

BIN = os.environ.get("TUTTI_BIN_DIR", os.path.join(os.getcwd(), "bin"))

BASE = """
network: {{name: {name}, seed: {seed}, n_ap: {n_ap}, n_ant: {n_ant}, n_ue: {n_ue}, n_blocks: {n_blocks}}}
air: {{truth: truth.h5, large_scale: {{model: uniform, snr_db: {snr_db}}}}}
"""
DEFAULTS = dict(name="test", seed=7, n_ap=4, n_ant=4, n_ue=4, n_blocks=200, snr_db=30)


# Sanitized programs are several times slower: their runs are shorter, and what needs many blocks to be judged is not judged.
SCALE = float(os.environ.get("TUTTI_LOOP_SCALE", "1"))
SHORT = SCALE < 1
# The thread sanitizer looks at threads that meet: what meets in the same way again is left to the address sanitizer.
THREADS = os.environ.get("TUTTI_LOOP_SANITIZER") == "thread"
# Where processes and messages are looked at and not samples, blocks of 24 symbols will do instead of 70.
LIGHT = ["frame.schedule=B G P4 U2 G D14 G", "frame.block_us=2000"] if SHORT else []


def blocks(n):
    return max(40, int(n * SCALE))


def fewer(cases, n=1):
    """The first n of a list of cases when runs are to be short."""
    return list(cases)[:n] if SHORT else list(cases)


def db(x):
    return 10 * np.log10(x)


def is_gone(pid):
    """Dead with all its threads, reaped or not: its sockets are closed."""
    try:
        tasks = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return True
    for task in tasks:
        try:
            with open(f"/proc/{pid}/task/{task}/stat") as f:
                if f.read().rpartition(")")[2].split()[0] not in "ZX":
                    return False
        except OSError:
            continue
    return True


class Network:
    """One `tutti run` in a fresh directory. extra: more YAML; sets: list of key=value."""

    def __init__(self, extra="", sets=(), args=(), env=None, **keys):
        self.keys = {**DEFAULTS, **keys}
        self.dir = tempfile.mkdtemp(prefix="tutti-test-")
        self.out = os.path.join(self.dir, "out")
        self.config = os.path.join(self.dir, "net.yaml")
        with open(self.config, "w") as f:
            f.write(BASE.format(**self.keys) + extra)
        self.command = [os.path.join(BIN, "tutti"), "run", "--config", self.config, "--out", self.out, "--no-report"]
        for s in sets:
            self.command += ["--set", s]
        self.command += list(args)
        self.env = {**os.environ, **(env or {})}
        self.process, self.nodes = None, []  # nodes: started by hand, so nobody else ends them

    def start(self):
        self.process = subprocess.Popen(self.command, env=self.env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        return self

    def wait(self, timeout=300):
        try:
            self.text, _ = self.process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            self.process.terminate()
            self.text, _ = self.process.communicate(timeout=20)
            self.fail("the run did not end in %d s" % timeout)
        return self.process.returncode

    def run(self, timeout=300):
        """To the end; must succeed."""
        self.start()
        if self.wait(timeout) != 0:
            self.fail("exit status %d" % self.process.returncode)
        return self

    def fail(self, why):
        print(self.text)
        for name in sorted(os.listdir(os.path.join(self.out, "logs"))):
            print("---", name)
            print(open(os.path.join(self.out, "logs", name)).read()[-1500:])
        sys.exit("FAILED: " + why)

    def file(self, name):
        return h5py.File(os.path.join(self.out, name), "r", swmr=True)

    def remove(self):
        shutil.rmtree(self.dir, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in [self.process, *self.nodes]:
            if process and process.poll() is None:
                process.terminate()
                try:
                    process.wait(timeout=20)
                except subprocess.TimeoutExpired:
                    process.kill()
        self.remove()

    # helpers for tests that touch single processes -------------------------------------------------------------------
    def pid_of(self, program, node_id=None):
        """Process id of a running node of this network."""
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as f:  # anybody's processes: their words need not be UTF-8
                    words = [os.fsdecode(word) for word in f.read().split(b"\0")]
                cwd = os.readlink(f"/proc/{pid}/cwd")
            except OSError:
                continue
            if os.path.basename(words[0]) == program and os.path.realpath(cwd) == os.path.realpath(self.out):
                if node_id is None or str(node_id) in words:
                    return int(pid)
        return None

    def kill_node(self, program, node_id=None):
        """Ends a node as a crash would, and waits for its end: whoever comes in its place before that is refused, rightly."""
        pid = self.pid_of(program, node_id)
        os.kill(pid, signal.SIGKILL)
        self.wait_until(lambda: is_gone(pid), f"{program} killed")

    def start_node(self, program, *args):
        """Start one node again, as a person would, from the run's own configuration."""
        log = open(os.path.join(self.out, "logs", "again.log"), "a")
        node = subprocess.Popen([os.path.join(BIN, program), "--config", "config.yaml", *args], cwd=self.out, stdout=log,
                                stderr=log, env=self.env)
        self.nodes.append(node)
        return node

    def blocks_done(self, name="run.h5"):
        try:
            with self.file(name) as f:
                return f["block/tick"].shape[0]
        except (OSError, KeyError):
            return 0

    def wait_until(self, condition, what, timeout=240):
        """Until it is so, however slow the machine; the timeout only ends a test that hangs."""
        end = time.monotonic() + timeout
        while not condition():
            if time.monotonic() > end:
                self.process.terminate()
                self.wait(20)
                self.fail(f"not in {timeout} s: {what}")
            time.sleep(0.05)

    def wait_for_block(self, number, name="run.h5"):
        self.wait_until(lambda: self.blocks_done(name) >= number, f"block {number} of {name}")

    def wait_for_log(self, log, text, n=1):
        """Until a log has a text n times."""
        self.wait_until(lambda: self.log(log).count(text) >= n, f"'{text}' in {log}")

    def wait_past(self, event, n, file="run.h5"):
        """Until n blocks after an event are recorded; a log is ahead of the recording by what the machine likes."""
        def is_past():
            try:
                with self.file(file) as f:
                    blocks = [int(b) for b, t in zip(f["events/block"][:], f["events/text"][:]) if t.decode().startswith(event)]
                    return blocks and f["block/tick"].shape[0] >= blocks[0] + n
            except (OSError, KeyError):
                return False
        self.wait_until(is_past, f"{n} blocks after '{event}'")

    def log(self, name):
        with open(os.path.join(self.out, "logs", name)) as f:
            return f.read()


def true_sinr(H, W):
    """Per block and user from the true channel [b][sb][ap][ant][ue] and the precoder actually applied; the signal and disturbance
    powers are summed over subbands, receiver noise is 1 ([Zhou 2020], with perfect knowledge)."""
    b, sb = H.shape[:2]
    h = H.reshape(b, sb, -1, H.shape[-1])
    w = W.reshape(b, sb, -1, W.shape[-1])
    g = np.abs(np.einsum("bslk,bslj->bskj", h.conj(), w)) ** 2
    signal = np.einsum("bskk->bsk", g)
    disturbance = g.sum(-1) - signal + 1
    return signal.sum(1) / disturbance.sum(1)


def check(condition, text):
    print(("ok    " if condition else "WRONG ") + text)
    if not condition:
        check.failed = True


check.failed = False


def check_long(condition, text):
    """A check that only a run of full length can judge; where runs are short it is a skip, which test.sh counts."""
    if SHORT:
        skip(text, "runs are short here")
    else:
        check(condition, text)


def skip(what, why):
    print(f"SKIPPED: {os.path.basename(sys.argv[0])}: {what}: {why}")
    skip.count += 1


skip.count = 0


def examine_power(W, scheme, what):
    """Powers from closed forms hold the budget in the mean, with a cap of 3 dB; all others in every block and subband."""
    power = (np.abs(W) ** 2).sum(axis=(3, 4))
    if scheme == "cb":
        check(power.max() <= 2 * (1 + 1e-6) and power.mean(axis=(0, 1)).max() <= 1.02,
              f"{what}: largest AP power {power.max():.4f}, in the mean {power.mean(axis=(0, 1)).max():.4f}")
    else:
        check(power.max() <= 1 + 1e-6, f"{what}: largest AP power {power.max():.7f}")


def finish():
    sys.exit(1 if check.failed else 0)
