#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""`tutti sweep`: figures are those of the recordings, killed and resumed the table is the same, other settings are refused, a run that
fails does not stop the others; `tutti watch` sees a network that somebody else started.

usage: test_sweep.py BIN_DIR
"""
import csv
import os
import re
import resource
import signal
import subprocess
import sys
import tempfile
import time
import unittest

import h5py
import numpy as np

BIN = ""
SCHEMES = ("zf",) if float(os.environ.get("TUTTI_LOOP_SCALE", "1")) < 1 else ("zf", "cb")
NET = """
network: {name: small, n_ap: 2, n_ant: 2, n_ue: 2, n_blocks: 20}
frame: {schedule: B G P4 U2 G D14 G, block_us: 2000}
air: {large_scale: {snr_db: 12}}
"""
# What does not depend on the machine's speed.
SAME = ["run", "precoding.scheme", "network.seed", "blocks", "solved", "sinr_measured_db", "sinr_worst_db", "sinr_predicted_db",
        "sinr_expected_db", "bler", "throughput_bps", "fresh"]
WITHOUT_REPORTS = ["run", "precoding.scheme", "network.seed", "blocks", "solved", "fresh"]


class Sweep(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.net = os.path.join(self.folder, "net.yaml")
        with open(self.net, "w", encoding="utf-8") as file:
            file.write(NET)

    def command(self, out, *more):
        return [os.path.join(BIN, "tutti"), "sweep", self.net, "--out", os.path.join(self.folder, out), "--vary",
                "precoding.scheme=" + ",".join(SCHEMES), "--seeds", "1..2", *more]

    def sweep(self, *arguments):
        return subprocess.run(self.command(*arguments), capture_output=True, text=True, check=False, timeout=200)

    def rows(self, out):
        with open(os.path.join(self.folder, out, "sweep.csv"), encoding="utf-8") as file:
            return list(csv.DictReader(file))

    def killed(self, out):
        """Begun, killed without a chance to tidy up when the first row is there, with half a row written."""
        table = os.path.join(self.folder, out, "sweep.csv")
        with subprocess.Popen(self.command(out, "--quiet")) as process:
            while not os.path.exists(table) or len(self.rows(out)) < 1:
                self.assertIsNone(process.poll())
                time.sleep(0.02)
            process.send_signal(signal.SIGKILL)
        done = len(self.rows(out))
        with open(table, "a", encoding="utf-8") as file:
            file.write(f"{2 * len(SCHEMES) - 1},{SCHEMES[-1]},2,20")
        return done

    def test_table(self):
        answer = self.sweep("a", "--keep", "--quiet")
        self.assertEqual(answer.returncode, 0, answer.stderr)
        whole = self.rows("a")
        self.assertEqual([(r["run"], r["precoding.scheme"], r["network.seed"]) for r in whole],
                         [(str(2 * i + j), scheme, str(j + 1)) for i, scheme in enumerate(SCHEMES) for j in range(2)])
        for row in whole:
            with h5py.File(os.path.join(self.folder, "a", "runs", f"{int(row['run']):06}", "run.h5"), "r") as run:
                used = run["block/learning"][:] == 0
                user = 10 * np.log10(run["user/sinr_measured"][used]).mean(axis=0)
                told = run["user/code_blocks"][:]
                missing = (told == 0).sum()  # the last report of a user may come too late on a busy machine; what is missing is wrong
                wrong = (run["user/code_block_errors"][:].sum() + missing * told.max()) / (told.max() * told.size)
                self.assertIn(f"scheme: {row['precoding.scheme']}\n", run["config"][()].decode())
            self.assertAlmostEqual(float(row["sinr_measured_db"]), user.mean(), places=3)
            self.assertAlmostEqual(float(row["sinr_worst_db"]), user.min(), places=3)
            self.assertEqual(int(row["missing"]), missing)
            self.assertAlmostEqual(float(row["bler"]), wrong, places=5)
            self.assertEqual((row["blocks"], row["solved"], float(row["fresh"])), ("20", "20", 1))
        self.assertLess(self.killed("b"), len(whole))
        answer = self.sweep("b", "--quiet")
        self.assertEqual(answer.returncode, 0, answer.stderr)
        again = sorted(self.rows("b"), key=lambda r: int(r["run"]))
        self.assertEqual([r["run"] for r in again], [r["run"] for r in whole])
        for a, b in zip(again, whole):
            names = SAME if a["missing"] == b["missing"] == "0" else WITHOUT_REPORTS
            self.assertEqual([a[k] for k in names], [b[k] for k in names])
        self.assertEqual(os.listdir(os.path.join(self.folder, "b", "runs")), [])
        before = self.rows("b")
        self.assertEqual(self.sweep("b").returncode, 0)
        self.assertEqual(self.rows("b"), before, "a finished sweep is not run again")
        answer = self.sweep("b", "--set", "network.n_blocks=30")
        self.assertEqual(answer.returncode, 1)
        self.assertIn("another sweep", answer.stderr)

    def test_a_full_disk(self):
        """A row that does not fit is not there in part, and what comes later is not written behind it."""
        limit = 1 << 20  # of any file: a table of nearly that size stands for a disk that is nearly full
        out = os.path.join(self.folder, "e")
        table = os.path.join(out, "sweep.csv")
        command = [os.path.join(BIN, "tutti"), "sweep", self.net, "--out", out, "--seeds", "1..2", "--quiet"]
        os.mkdir(out)
        with open(table, "w", encoding="utf-8") as file:
            file.write(" " * (limit - 61) + "\n")
        answer = subprocess.run(command, capture_output=True, text=True, check=False, timeout=200,
                                preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)))
        self.assertEqual(answer.returncode, 1, answer.stderr)
        self.assertIn("sweep.csv: ", answer.stderr)
        self.assertIn("0 of 2 runs are done", answer.stderr)
        self.assertEqual(os.path.getsize(table), limit - 60)
        answer = subprocess.run(command, capture_output=True, text=True, check=False, timeout=200)
        self.assertEqual(answer.returncode, 0, answer.stderr)
        with open(table, encoding="utf-8") as file:
            rows = file.read().splitlines()[1:]
        self.assertEqual([(r.split(",")[0], r.count(",")) for r in rows], [("0", 16), ("1", 16)])

    def test_a_run_that_fails(self):
        played = os.path.join(self.folder, "none.h5")
        answer = subprocess.run([os.path.join(BIN, "tutti"), "sweep", self.net, "--out", os.path.join(self.folder, "new/c"), "--set",
                                 f"air.fading.file={played}", "--vary", "air.fading.model=file,none"], capture_output=True,
                                text=True, check=False, timeout=200)
        self.assertEqual(answer.returncode, 1)
        self.assertIn("run 0 failed", answer.stderr)
        self.assertIn("1 of 2 runs are done", answer.stderr)
        self.assertEqual([r["air.fading.model"] for r in self.rows("new/c")], ["none"])
        with open(os.path.join(self.folder, "new/c", "runs", "000000.log"), encoding="utf-8") as log:
            self.assertIn("none.h5", log.read())

    def test_what_is_asked_for(self):
        answer = self.sweep("d", "--list", "--vary", 'air.fading.tap_delays_samples=[0],[0,2]')
        self.assertEqual(answer.returncode, 0, answer.stderr)
        self.assertEqual(len(answer.stdout.splitlines()), 1 + 4 * len(SCHEMES))
        self.assertTrue(answer.stdout.endswith(f'{4 * len(SCHEMES) - 1},{SCHEMES[-1]},2,"[0,2]"\n'))
        for more, sentence in (("precoding.power=equal,sometimes", "sometimes"), ("precoding.scheme=zf", "varied twice"),
                               ("precoding.power", "is not KEY="), ("precoding.power=equal,", "empty value")):
            answer = self.sweep("d", "--vary", more)
            self.assertNotEqual(answer.returncode, 0)
            self.assertIn(sentence, answer.stderr)
        self.assertFalse(os.path.exists(os.path.join(self.folder, "d")), "nothing begins before everything is checked")

    def test_watch(self):
        out = os.path.join(self.folder, "run")
        tutti = os.path.join(BIN, "tutti")
        with subprocess.Popen([tutti, "run", self.net, "--set", "network.n_blocks=0", "--out", out, "--quiet", "--no-report"]) as run:
            while not os.path.exists(os.path.join(out, "config.yaml")):
                self.assertIsNone(run.poll())
                time.sleep(0.02)
            watch = [tutti, "watch", os.path.join(out, "config.yaml")]
            once = subprocess.run([*watch, "--once"], capture_output=True, text=True, check=False, timeout=100)
            self.assertRegex(once.stdout, r"block \d+  SINR .* APs [0-2]/2  users [0-2]/2")
            with subprocess.Popen(watch, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as to_the_end:
                self.assertIn("small is there", to_the_end.stderr.readline())
                self.assertIsNone(to_the_end.poll())
                run.send_signal(signal.SIGTERM)
                last = to_the_end.communicate(timeout=60)[0]
            self.assertEqual(to_the_end.returncode, 0)
            self.assertTrue(last == "" or re.search(r"block \d+", last), last)


if __name__ == "__main__":
    BIN = sys.argv.pop(1)
    unittest.main()
