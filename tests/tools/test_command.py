#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The `tutti` command as a person uses it. `tutti run` is tried with stand-ins for the programs of a network, so that what
they do (end, die, hang) is known; whole networks are tried in tests/loop.

usage: test_command.py PATH_OF_TUTTI SANITIZERS; under them what many names and many commands have in common is done with few
"""
import contextlib
import glob
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

import h5py
import numpy as np

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import synthetic_run  # noqa: E402

TUTTI = SANITIZERS = ""
ENVIRONMENT = dict(os.environ)
PROGRAMS = ("air", "cpu", "ap", "ue")
# A stand-in notes who it is, then does what the test asks; without a word it waits to be stopped.
STAND_IN = """#!/bin/sh
name=$(basename "$0"); id=
while [ $# -gt 0 ]; do [ "$1" = --id ] && id=$2; shift; done
echo "$$ $OPENBLAS_NUM_THREADS $PWD" > pid.$name$id
echo "hello from $name$id"; echo "to stderr" >&2
%s
"""


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def wait_for(condition, timeout_s=10.0):
    end = time.monotonic() + timeout_s
    while not condition() and time.monotonic() < end:
        time.sleep(0.02)
    return condition()


class Command(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="tutti-test-")
        self.config = os.path.join(self.folder, "net.yaml")
        with open(self.config, "w") as file:
            file.write("network:\n  name: trial\n  n_ap: 2\n  n_ue: 2\n  n_blocks: 30\n")

    def tearDown(self):
        shutil.rmtree(self.folder)

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def tutti(self, *arguments, env=None):
        return subprocess.run([TUTTI, *arguments], capture_output=True, text=True, cwd=self.folder,
                              env={**ENVIRONMENT, **(env or {})}, timeout=60)

    def read(self, *names):
        with open(self.path(*names)) as file:
            return file.read()

    def recording(self, perfect=True, n_block=30):
        path = self.path("made.h5")
        synthetic_run.write(path, self.read("net.yaml"), n_block, perfect, n_ap=2, n_ue=2)
        return path

    # config, help, errors

    def test_help_and_version(self):
        self.assertIn("Usage: tutti", self.tutti("--help").stdout)
        self.assertRegex(self.tutti("--version").stdout, r"^tutti \d+\.\d+\.\d+\n$")
        for command in ("run", "config", "report", "inspect"):
            answer = self.tutti(command, "--help")
            self.assertEqual(answer.returncode, 0)
            self.assertIn(f"Usage: tutti {command}", answer.stdout)
        for wrong in ([], ["nonsense"], ["run"], ["run", "--config", "net.yaml", "--nonsense"], ["config", "polish"],
                      ["inspect"], ["report"], ["report", "a", "--nonsense"]):
            answer = self.tutti(*wrong)
            self.assertEqual(answer.returncode, 2, wrong)
            self.assertTrue(answer.stderr)

    # Words of a command's source that it gives to other programs.
    OTHERS = {"run": {"--exit-when-empty", "--role"}, "sweep": {"--force", "--no-report"}, "replay": {"--config", "--id", "--own-scheme", "--replay"},
              "study": {"--version"}}

    def test_help_names_every_option(self):
        """And so do the manual pages and completion, which are made from it."""
        tools = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tools")
        commands = self.tutti("__complete", "commands").stdout.split()
        self.assertGreater(len(commands), 15)
        for command in commands:
            name = command.replace("-", "_")
            places = {"watch": ["run/watch.c"], "run": ["run/command.c"]}.get(command, [f"{name}/*.c", f"cmd_{name}.c"])
            source = "".join(open(path).read() for place in places for path in glob.glob(os.path.join(tools, place)))
            self.assertTrue(source, command)
            takes = set(re.findall(r'"(--[a-z][a-z-]*)"', source)) - self.OTHERS.get(command, set()) - {"--help"}
            takes |= {"--set"} if "config_options_take" in source else set()
            told = set(re.findall(r"--[a-z][a-z-]*", self.tutti(command, "--help").stdout))
            self.assertEqual(takes - told, set(), command)
            offered = set(self.tutti("__complete", "options", command).stdout.split())
            self.assertEqual(takes - offered, set(), command)

    def test_config(self):
        with open(self.path("bad.yaml"), "w") as file:
            file.write("network:\n  n_app: 3\n")
        good = self.tutti("config", "check", "net.yaml")
        self.assertEqual((good.returncode, good.stdout), (0, "net.yaml: ok\n"))
        bad = self.tutti("config", "check", "net.yaml", "bad.yaml")
        self.assertEqual((bad.returncode, bad.stdout), (1, "net.yaml: ok\n"))
        self.assertEqual(len(bad.stderr.strip().splitlines()), 1)
        self.assertIn("n_app", bad.stderr)
        with open(self.path("spread.yaml"), "w") as file:  # delays that six subbands of a resource block do not bear
            file.write("network: {n_ap: 4, n_ant: 4, n_ue: 4}\nprecoding: {subband: smooth}\n"
                       "air: {fading: {model: tdl, tap_delays_samples: [0, 2], tap_powers_db: [0, -3]}}\n")
        spread = self.tutti("config", "check", "spread.yaml")
        self.assertEqual(spread.returncode, 0, spread.stderr)
        self.assertRegex(spread.stdout, r"subcarriers_per_subband: 12; for 40 dB they ask for 4, .*4608 bytes.*not 1536\)\n$")
        shown = self.tutti("config", "show", "net.yaml", "--set", "network.seed=77").stdout
        self.assertRegex(shown, r"seed: 77\b")
        self.assertRegex(shown, r"n_ap: 2\b")
        with open(self.path("shown.yaml"), "w") as file:
            file.write(shown)
        self.assertEqual(self.tutti("config", "show", "shown.yaml").stdout, shown)
        self.assertIn("# access points", self.tutti("config", "show", "--defaults").stdout)

    # report, inspect

    def test_report_is_one_file(self):
        record = self.recording(perfect=True, n_block=90)
        out = self.path("page.html")
        answer = self.tutti("report", record, "--out", out)
        self.assertEqual(answer.returncode, 0, answer.stderr)
        page = self.read("page.html")
        self.assertTrue(page.rstrip().endswith("</html>"))
        # 2 users: SINR and constellation each; 8 hops; schemes; 2 of shares.
        self.assertEqual(page.count("<svg"), 2 + 2 + 8 + 1 + 2)
        self.assertEqual(page.count("<svg"), page.count("</svg>"))
        for link in re.findall(r'(?:src|href|url)\s*[=(]\s*["\']?([^"\')\s>]+)', page):
            self.assertTrue(link.startswith("#"), link)
        self.assertIn("n_blocks: 30", page)
        self.assertIn("0.1.0-synthetic", page)

    def test_report_of_a_recovery(self):
        """The time line's words as tables: what was absorbed, tried, deployed; onset to deployment counted."""
        config = ("network: {name: trial, n_ap: 2, n_ue: 2, n_eve: 1, n_blocks: 90}\nprecoding: {scheme: ppzf, power: equal}\n"
                  "eve: {attack: pilot, from_block: 20}\nresilience: {controller: true, step_blocks: %d}\n")
        lines = [
            (31, "RESILIENCE-BEGIN kind=pilot-attack ap=-1 ue=0 onset=20 onset_known=1 detected=31"),
            (40, "RESILIENCE-ABSORBED kind=pilot-attack gap=0.543210 r_abs=0.456790"),
            (41, "RESILIENCE-CANDIDATE kind=pilot-attack n=1 block=51 ms=155.000 gap=0.310000 r_ada=0.690000 r_rec=0.900000 "
                 "score=0.760000 deployed=1"),
            (50, "RESILIENCE-CANDIDATE kind=pilot-attack n=2 block=61 ms=205.000 gap=0.290000 r_ada=0.710000 r_rec=0.700000 "
                 "score=0.701234 deployed=0"),
            (51, "RESILIENCE-END kind=pilot-attack n=1 block=51 blocks=31 ms=155.000 gap=0.310000 r_abs=0.456790"),
            (70, "RESILIENCE-BEGIN kind=ap-lost ap=1 ue=-1 onset=68 onset_known=0 detected=70"),
            (71, "RESILIENCE-MADE-UP kind=<script>"),
        ]
        for step in (10, 0):
            path = self.path("made.h5")
            synthetic_run.write(path, config % step, 90, True, n_ap=2, n_ue=2)
            with h5py.File(path, "r+") as f:
                f["events/block"] = np.array([block for block, _ in lines], np.uint64)
                f["events/wall_ns"] = np.zeros(len(lines), np.uint64)
                f["events/text"] = np.array([text.encode() for _, text in lines], "S160")
            answer = self.tutti("report", path, "--out", self.path("page.html"))
            self.assertEqual(answer.returncode, 0, answer.stderr)
            page = self.read("page.html")
            rows = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in re.findall(r"<tr>(.*?)</tr>", page, re.S)]
            self.assertIn(["pilot-attack", "user 0", "20", "31", "0.5432", "0.4568", "0.6900", "0.9000", "0.7600", "31",
                           "155.0", "0.3100"], rows)
            self.assertIn(["ap-lost", "AP 1", "68?", "70", "-", "-", "-", "-", "-", "-", "-", "not over"], rows)
            self.assertIn(["pilot-attack", "2", "61", "205.0", "0.2900", "0.7100", "0.7000", "0.7012", "no"], rows)
            self.assertEqual("change nothing" in page, step == 0)
            self.assertNotIn("<script>", page)

    def test_report_of_a_schedule(self):
        """Sum rate of those served with its error over sets, ages of those that wait."""
        config = ("network: {name: trial, n_ap: 2, n_ue: 4, n_blocks: 90}\n"
                  "scheduler: {n_served: 2, blocks: 10, sounding: rotate, metric: strongest}\nframe: {schedule: 'B G P4 U24 G D38 G'}\n")
        path, n = self.path("made.h5"), 90
        synthetic_run.write(path, config, n, True, n_ap=2, n_ue=4)
        with h5py.File(path, "r+") as f:
            first = np.arange(n) // 10 % 3  # users 0, 1, then 1, 2, then 2, 3
            place = np.full((n, 4), -1)
            place[np.arange(n), first], place[np.arange(n), first + 1] = 0, 1
            age = np.where(place >= 0, 0, (np.arange(n)[:, None] + np.arange(4)) % 3)
            f["schedule/place"], f["schedule/age_blocks"] = place.astype(np.int32), age.astype(np.int32)
            f["block/user_used"][...] = place >= 0
            rate = np.where(place >= 0, np.log2(1 + f["user/sinr_measured"][:]), 0).sum(axis=1)[20:].reshape(-1, 10).mean(axis=1)
        answer = self.tutti("report", path, "--out", self.path("page.html"))
        self.assertEqual(answer.returncode, 0, answer.stderr)
        page = self.read("page.html")
        self.assertIn("2 of 4 users served at a time, chosen by strongest every 10 blocks; the set changed 8 times.", page)
        self.assertIn(f"{rate.mean():.2f} bit/s/Hz of the data symbols, standard error {rate.std(ddof=1) / 7 ** 0.5:.2f} (7 times",
                      page)
        self.assertIn(f"{age[20:][place[20:] < 0].mean():.1f} blocks old in the mean, 2 at most", page)

    def test_report_of_clusters(self):
        """Pilots and access points of every user at the end, how often they changed."""
        config = ("network: {name: trial, n_ap: 3, n_ue: 4, n_blocks: 40}\nframe: {schedule: 'B G P2 U26 G D38 G'}\n"
                  "cluster: {enabled: true, pilots: 2}\n")
        path, n = self.path("made.h5"), 40
        synthetic_run.write(path, config, n, True, n_ap=3, n_ue=4)
        with h5py.File(path, "r+") as f:
            serves, pilot = np.ones((n, 3, 4), np.uint8), np.tile(np.int32([0, 1, 0, 1]), (n, 1))
            serves[10:, 1, 2] = serves[20:, 0, 3] = serves[20:, 2, 3] = 0
            pilot[25:, 0] = 1
            f["cluster/serves"], f["cluster/pilot"] = serves, pilot
        answer = self.tutti("report", path, "--out", self.path("page.html"))
        self.assertEqual(answer.returncode, 0, answer.stderr)
        page = self.read("page.html")
        self.assertIn("4 users share 2 pilots; pilots or clusters changed 3 times.", page)
        rows = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in re.findall(r"<tr>(.*?)</tr>", page, re.S)]
        for row in (["0", "1", "3", "0 1 2"], ["2", "0", "2", "0 2"], ["3", "1", "1", "1"]):
            self.assertIn(row, rows)

    def test_report_without_gnuplot(self):
        record = self.recording()
        answer = self.tutti("report", record, env={"PATH": self.folder})
        self.assertEqual(answer.returncode, 0)
        self.assertIn("gnuplot", answer.stderr)
        page = self.read("report.html")
        self.assertNotIn("<svg", page)
        self.assertIn("gnuplot", page)
        self.assertIn("<table>", page)

    def test_report_of_hostile_texts(self):
        """Every text of a recording, its path and its attributes among them, shows as text."""
        evil = "x<script>alert('1')</script>\"'&"
        path = self.path("a<script>b.h5")
        synthetic_run.write(path, "network:\n  name: '" + evil.replace("'", "''") + "'\n", 20, True, n_ap=1, n_ue=1)
        with h5py.File(path, "r+") as run:
            del run["version"]
            run["version"] = evil
            texts = [name for name in run if isinstance(run[name], h5py.Dataset) and run[name].shape == () and run[name].dtype.kind == "O"]
            self.assertEqual(sorted(texts), ["config", "version"])
            for name in run:
                run[name].attrs["note"] = evil
        self.assertEqual(self.tutti("report", path).returncode, 0)
        page = self.read("report.html")
        self.assertNotIn("<script", page)
        self.assertEqual(page.count("tutti x&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&quot;&#39;&amp;"), 1)  # version
        self.assertEqual(page.count("x&lt;script&gt;alert(&#39;&#39;1&#39;&#39;)"), 1)  # configuration
        self.assertIn("a&lt;script&gt;b.h5", page)

    def test_report_of_texts_that_are_no_text(self):
        path = self.path("made.h5")
        synthetic_run.write(path, self.read("net.yaml"), 20, True, n_ap=1, n_ue=1)
        with h5py.File(path, "r+") as run:
            del run["version"]
            run["version"] = np.bytes_(b"1\xe9\x01\xc0\xbcb>")
        self.assertEqual(self.tutti("report", path).returncode, 0)
        with open(self.path("report.html"), "rb") as file:
            page = file.read().decode("utf-8")  # must be valid
        self.assertNotIn("\x01", page)

    def test_inspect(self):
        answer = self.tutti("inspect", self.recording())
        self.assertEqual(answer.returncode, 0, answer.stderr)
        rows = {line.split()[0]: line for line in answer.stdout.splitlines() if line.startswith("/")}
        self.assertRegex(rows["/H_hat"], r"c64\s+\[30 6 2 2 2\]")
        self.assertRegex(rows["/sinr_bound"], r"-\s+-\s+-\s+100\.0")
        self.assertRegex(rows["/block/tick"], r"0\s+134400\s+278400\s+0\.0")
        self.assertRegex(rows["/block/ap_used"], r"1: 60\s*$")
        self.assertIn("made_up = 42", answer.stdout)
        self.assertIn("A run of 30 blocks, 2 access points, 2 users", answer.stdout)
        self.assertEqual(self.tutti("inspect", self.config).returncode, 1)

    def test_predicted_sinr_is_comparable_with_the_measured(self):
        record = self.recording(n_block=40)
        with h5py.File(record, "r") as run:
            signal, error = synthetic_run.powers_seen(run["H_hat"][:], run["W"][:], run["error_variance"][:])
            recorded = run["sinr_predicted"][:]
            measured = 10 * np.log10(run["user/sinr_measured"][:]).mean(axis=0)
        predicted = 10 * np.log10(signal.sum(axis=1) / error.sum(axis=1)).mean(axis=0)
        mean_of_ratios = 10 * np.log10(recorded.mean(axis=1)).mean(axis=0)
        self.assertTrue((np.abs(predicted - mean_of_ratios) > 0.02).all(), "the test would not see the difference")
        words = self.user_rows(record)
        for k in range(2):
            self.assertAlmostEqual(float(words[k][1]), measured[k], delta=0.0051)
            self.assertAlmostEqual(float(words[k][2]), predicted[k], delta=0.0051)
        with h5py.File(record, "r+") as run:  # artificial noise that W does not show: the recorded prediction is lower
            run["sinr_predicted"][...] *= 0.5
        words = self.user_rows(record)
        for k in range(2):
            self.assertAlmostEqual(float(words[k][2]), mean_of_ratios[k] + 10 * np.log10(0.5), delta=0.0051)

    def user_rows(self, record):
        lines = self.tutti("inspect", record).stdout.split("Users (")[1].splitlines()
        return [line.split() for line in lines[2:4]]

    # 200 blocks: 55 of the optimum as asked, 60 of zf and 85 of cb stepped down but for 2 singular ones.
    def test_schemes(self):
        record = self.recording(n_block=200)
        scheme = np.random.default_rng(3).permutation(np.repeat([6, 1, 0], [55, 60, 85]))
        reason = np.where(scheme == 6, 0, 7)
        reason[np.flatnonzero(scheme == 0)[:2]] = 1
        gap = np.random.default_rng(4).exponential(0.01, (200, 6))
        gap[scheme != 6] = np.nan
        synthetic_run.use_schemes(record, scheme, reason, gap)
        text = self.tutti("inspect", record).stdout
        self.assertIn("\nSchemes: ob 55 blocks, zf 60, cb 85 (143 stepped down for lack of time).\n", text)
        self.assertIn("Solver: 2 of 200 blocks: channel matrix singular, fell back to CB.\n", text)
        shown = re.search(r"median gap of the least SINR to the bound (\S+) % \((\d+) subbands\)", text)
        self.assertAlmostEqual(float(shown.group(1)), 100 * np.nanmedian(gap), delta=0.0051)
        self.assertEqual(shown.group(2), "330")
        self.assertEqual(self.tutti("report", record).returncode, 0)
        section = self.read("report.html").split("<h2>Precoders</h2>")[1].split("</section>")[0]
        rows = [re.findall(r"<td[^>]*>(.*?)</td>", row) for row in re.findall(r"<tr>(.*?)</tr>", section, re.S)]
        late = "too little time left for the scheme asked for, stepped down"
        self.assertEqual([row for row in rows if row],
                         [["ob", "as asked", "55", "27.50"], ["zf", late, "60", "30.00"],
                          ["cb", "channel matrix singular, fell back to CB", "2", "1.00"], ["cb", late, "83", "41.50"]])
        drawing = section[section.index("<svg"):]
        names = re.findall(r"<tspan[^>]*>(ob|zf|cb)\s*</tspan>|>(ob|zf|cb)\s*</text>", drawing)
        self.assertEqual(sorted(a or b for a, b in names), ["cb", "ob", "zf"])
        self.assertIn(shown.group(0), section)

    def test_no_word_of_time_or_bound_without_them(self):
        text = self.tutti("inspect", self.recording()).stdout
        self.assertIn("\nSchemes: zf 30 blocks.\n", text)
        self.assertNotIn("to the bound", text)

    def test_users_served_in_turn(self):
        record = self.recording()
        used = synthetic_run.serve_in_turn(record)
        with h5py.File(record, "r") as run:
            measured = 10 * np.log10(run["user/sinr_measured"][:])
        for k, words in enumerate(self.user_rows(record)):
            self.assertAlmostEqual(float(words[1]), measured[used[:, k], k].mean(), delta=0.0051)
            self.assertEqual(words[6:13], ["0", "0", "0", "0/30", "0", "15/30", "30/30"])
        arguments = ("run", "--config", "net.yaml", "--out", "out", "--force", "--no-report", "--check")
        env = self.stand_ins(cpu=f"cp {record} run.h5; touch over; exit 0", ap=self.LEAVE, ue=self.LEAVE, air=self.LEAVE)
        answer = self.tutti(*arguments, env=env)
        self.assertEqual(answer.returncode, 0, answer.stderr)
        with h5py.File(record, "r+") as run:
            run["user/code_block_errors"][7, 1] = 1  # served there
        os.unlink(self.path("out", "over"))
        answer = self.tutti(*arguments, env=env)
        self.assertEqual(answer.returncode, 1)
        self.assertIn("user 1 decoded 1 code blocks wrong, the first in block 7", answer.stderr)
        self.assertEqual(self.user_rows(record)[1][9], "1/30")

    def test_missing_reports_are_wrong_blocks(self):
        record = self.recording(n_block=100)
        with h5py.File(record, "r+") as run:  # nobody solves 20 blocks, and one user reports nothing of them
            for name in ("hops/solve_start_ns", "hops/solve_end_ns", "hops/precoder_sent_ns"):
                run[name][40:60] = 0
            for name in ("bits", "coded_bits", "code_blocks"):
                run["user/" + name][40:60, 0] = 0
            for name in ("sinr_measured", "evm"):
                run["user/" + name][40:60, 0] = np.nan
        text = self.tutti("inspect", record).stdout
        rows = self.user_rows(record)
        self.assertEqual((rows[0][8], rows[0][9], rows[0][10]), ("2.00e-01", "40/200", "20"))
        self.assertEqual((rows[1][8], rows[1][9], rows[1][10]), ("0", "0/200", "0"))
        self.assertAlmostEqual(float(rows[0][13]), 0.8 * float(rows[1][13]), delta=0.001)
        self.assertIn("80 of 100 blocks solved", text)

    def test_a_paced_run_that_does_not_keep_up(self):
        with open(self.config, "a") as file:
            file.write("air: {mode: paced}\n")
        for slower, behind in ((1, False), (3, True)):
            record = self.recording(n_block=60)
            with h5py.File(record, "r+") as run:
                first = run["hops/capture_end_ns"][0, 0]
                for name in run["hops"]:
                    run["hops"][name][...] = first + (run["hops"][name][...] - first) * np.uint64(slower)
            text = self.tutti("inspect", record).stdout
            self.assertEqual(text.count("DID NOT KEEP UP: paced, but only 0.3"), 2 * behind)
            self.assertEqual("of a run that DID NOT KEEP UP" in text, behind)
            self.assertEqual(self.tutti("report", record).returncode, 0)
            page = self.read("report.html")
            self.assertEqual("did not keep up" in page, behind)
            self.assertEqual(bool(re.search(r'class="tile bad"><b>0\.3\d', page)), behind)

    def test_time_line(self):
        record = self.recording(n_block=60)
        self.assertNotIn("Time line", self.tutti("report", record).stdout + self.read("report.html"))
        with h5py.File(record, "r+") as run:
            run["events/wall_ns"] = np.array([10**18, 10**18 + 2 * 10**9], np.uint64)
            run["events/block"] = np.array([20, 30], np.uint64)
            run["events/text"] = np.array([b"AP-DOWN ap=1", b"<b>AP-UP</b> ap=1"], "S160")
        text = self.tutti("inspect", record).stdout
        self.assertIn("Events:\n  block 20: AP-DOWN ap=1\n  block 30: <b>AP-UP</b> ap=1\n", text)
        self.assertEqual(self.tutti("report", record).returncode, 0)
        page = self.read("report.html").split("<h2>Time line</h2>")[1]
        self.assertIn('<td class="l">30</td><td class="l">2.00</td><td class="l">&lt;b&gt;AP-UP&lt;/b&gt; ap=1</td>', page)

    # run

    def stand_ins(self, **actions):
        os.makedirs(self.path("bin"), exist_ok=True)
        for name in PROGRAMS:
            path = self.path("bin", f"tutti-{name}")
            with open(path, "w") as file:
                file.write(STAND_IN % actions.get(name, "exec sleep 60"))
            os.chmod(path, 0o755)
        return {"TUTTI_BIN_DIR": self.path("bin")}

    def pids(self):
        found = {}
        for name in os.listdir(self.path("out")):
            if name.startswith("pid."):
                words = self.read("out", name).split()
                if words:
                    found[name[4:]] = int(words[0])
        return found

    # The others leave when the CPU node has gone, as the programs do.
    LEAVE = "while [ ! -e over ]; do sleep 0.05; done; exit 0"

    def good_run(self):
        record = self.recording()
        end = f"sleep 0.5; cp {record} run.h5; touch over; exit 0"
        return self.stand_ins(cpu=end, ap=self.LEAVE, ue=self.LEAVE, air=self.LEAVE)

    def test_run(self):
        env = self.good_run()
        answer = self.tutti("run", "--config", "net.yaml", "--set", "network.seed=5", "--out", "out", "--check", env=env)
        self.assertEqual(answer.returncode, 0, answer.stderr + answer.stdout)
        self.assertEqual(set(self.pids()), {"tutti-air", "tutti-cpu", "tutti-ap0", "tutti-ap1", "tutti-ue0", "tutti-ue1"})
        self.assertEqual(self.read("out", "pid.tutti-ap1").split()[1:], ["1", os.path.realpath(self.path("out"))])
        self.assertEqual(self.read("out", "logs", "ue1.log"), "hello from tutti-ue1\nto stderr\n")
        self.assertIn("check      passed", answer.stdout)
        self.assertIn("downlink", answer.stdout)
        self.assertTrue(os.path.exists(self.path("out", "report.html")))
        self.assertFalse(os.path.exists(self.path("out", "sock")))
        config = self.read("out", "config.yaml")
        self.assertRegex(config, r"seed: 5\b")
        self.assertNotIn("endpoint: auto", config)
        self.assertNotIn("runtime_dir: auto", config)
        self.assertIn(self.path("out", "sock"), config)
        self.assertEqual(self.tutti("config", "show", "out/config.yaml").stdout, config)
        again = self.tutti("run", "--config", "net.yaml", "--out", "out", env=env)
        self.assertEqual(again.returncode, 1)
        self.assertIn("--force", again.stderr)
        self.assertEqual(self.tutti("run", "--config", "net.yaml", "--out", "out", "--force", env=env).returncode, 0)

    def test_any_name_of_a_directory_is_taken_literally(self):
        """Two at once whose names YAML would cut at the same place: each has its own sockets and its own end."""
        env = self.good_run()
        names = [b"job #1", b"job #2", b"a: b", b"[x", b"'q' \"d\" \\", b"- *star & !bang", b"caf\xe9", "café €".encode()]
        names = names[::4] if SANITIZERS else names
        for name in names:
            out = os.path.join(os.fsencode(self.folder), name)
            answer = subprocess.run([TUTTI, "run", "net.yaml", "--out", name, "--no-report", "--quiet"], cwd=self.folder,
                                    env={**ENVIRONMENT, **env}, capture_output=True, timeout=60)
            self.assertEqual(answer.returncode, 0, (name, answer.stderr))
            shown = subprocess.run([TUTTI, "config", "show", os.path.join(out, b"config.yaml")], capture_output=True, timeout=60)
            self.assertEqual(shown.returncode, 0, shown.stderr)
            place = re.search(rb"runtime_dir: (.*)", shown.stdout).group(1)
            if name[:3] == b"job":
                self.assertIn(b"/" + name + b"/sock", place)
            self.assertFalse(os.path.exists(os.path.join(out, b"sock")))
        self.assertEqual(sorted(os.listdir(os.fsencode(self.folder))), sorted(names + [b"bin", b"made.h5", b"net.yaml"]))

    def test_what_is_not_a_dead_socket_of_ours_stays(self):
        os.makedirs(self.path("out", "sock", "folder"))
        with open(self.path("out", "sock", "thesis.tex"), "w") as file:
            file.write("precious")
        os.symlink(self.path("net.yaml"), self.path("out", "sock", "link"))
        dead, living = socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX)
        dead.bind(self.path("out", "sock", "dead"))
        dead.close()
        living.bind(self.path("out", "sock", "living"))
        living.listen()
        answer = self.tutti("run", "--config", "net.yaml", "--out", "out", "--no-report", "--quiet", env=self.good_run())
        self.assertEqual(answer.returncode, 0, answer.stderr)
        self.assertEqual(sorted(os.listdir(self.path("out", "sock"))), ["folder", "link", "living", "thesis.tex"])
        self.assertEqual(self.read("out", "sock", "thesis.tex"), "precious")
        living.close()

    def test_long_directory_gets_short_sockets(self):
        env = self.good_run()
        out = self.path("long" * 25)
        answer = self.tutti("run", "--config", "net.yaml", "--out", out, "--no-report", "--quiet", env=env)
        self.assertEqual(answer.returncode, 0, answer.stderr)
        with open(os.path.join(out, "config.yaml")) as file:
            place = re.search(r"runtime_dir: (\S+)", file.read()).group(1)
        self.assertRegex(place, r"^/tmp/tutti-\w{6}$")
        self.assertFalse(os.path.exists(place))

    def test_check_fails_on_a_faulty_run(self):
        record = self.recording(perfect=False, n_block=100)
        env = self.stand_ins(cpu=f"cp {record} run.h5; touch over; exit 0", ap=self.LEAVE, ue=self.LEAVE, air=self.LEAVE)
        arguments = ("run", "--config", "net.yaml", "--set", "network.n_blocks=100", "--out", "out", "--force")
        self.assertEqual(self.tutti(*arguments, env=env).returncode, 0)
        os.unlink(self.path("out", "over"))
        answer = self.tutti(*arguments, "--check", env=env)
        self.assertEqual(answer.returncode, 1)
        self.assertIn("check failed: 1 of 100 blocks have no precoder, the first is block 99", answer.stderr)

    def test_a_recording_that_crashes_its_reader(self):
        record = os.path.join(os.path.dirname(os.path.abspath(__file__)), "data", "crashes_libhdf5_report")
        env = self.stand_ins(cpu=f"cp {record} run.h5; touch over; exit 0", ap=self.LEAVE, ue=self.LEAVE, air=self.LEAVE)
        env["ASAN_OPTIONS"] = "handle_segv=0:detect_leaks=0"
        answer = self.tutti("run", "--config", "net.yaml", "--out", "out", env=env)
        self.assertEqual(answer.returncode, 1)
        self.assertRegex(answer.stderr, "tutti run: .*" + os.path.realpath(self.path("out", "run.h5")))  # an HDF5 that does not crash refuses
        self.assertRegex(answer.stdout, r"(?m)^logs  ")
        if h5py.version.hdf5_version == "1.10.8":
            self.assertIn("damaged: the HDF5 library crashed on it (SIG", answer.stderr)
        self.assertFalse(os.path.exists(self.path("out", "sock")))

    def test_a_death_ends_the_run(self):
        action = 'if [ "$id" = 1 ]; then for i in 1 2 3 4 5 6 7 8 9; do echo "line $i"; done; sleep 0.3; kill -SEGV $$; fi; exec sleep 60'
        start = time.monotonic()
        answer = self.tutti("run", "--config", "net.yaml", "--out", "out", env=self.stand_ins(ap=action))
        self.assertLess(time.monotonic() - start, 8)
        self.assertEqual(answer.returncode, 1)
        self.assertIn("ap1 died: killed by signal 11", answer.stderr)
        self.assertIn("    line 9\n", answer.stderr)
        self.assertNotIn("line 1\n", answer.stderr)
        self.assertFalse([name for name, pid in self.pids().items() if alive(pid)])

    def test_an_early_leaver_ends_the_run(self):
        answer = self.tutti("run", "--config", "net.yaml", "--out", "out", env=self.stand_ins(ue="exit 0"))
        self.assertEqual(answer.returncode, 1)
        self.assertRegex(answer.stderr, r"ue[01] left while the run goes on: exit status 0")

    def test_whoever_left_while_the_run_was_held_up(self):
        """A terminal that takes no more words holds `tutti run` up for longer than a node may leave early; the central node ends the run
        meanwhile. Who left shortly before that did so rightly."""
        record = self.recording()
        leave = "while [ ! -e now ]; do sleep 0.05; done; exit 0"
        die = ('while [ ! -e now ] || kill -0 $(cut -d" " -f1 pid.tutti-ue0) 2>/dev/null; do sleep 0.02; done; [ "$id" = 1 ] && exit 3; ' + self.LEAVE)
        end = f"while [ ! -e end ]; do sleep 0.05; done; cp {record} run.h5; touch over; exit 0"
        env = {**ENVIRONMENT, **self.stand_ins(ue=f'[ "$id" = 0 ] || {{ {self.LEAVE}; }}; {leave}', ap=die, cpu=end, air=self.LEAVE)}
        mouth, words = os.pipe()
        run = subprocess.Popen([TUTTI, "run", "net.yaml", "--out", "out", "--no-report", "--quiet", "--keep-going"], cwd=self.folder, env=env,
                               stdout=subprocess.DEVNULL, stderr=words)
        self.assertTrue(wait_for(lambda: os.path.exists(self.path("out")) and len(self.pids()) == 6, 60))
        pids = self.pids()
        full = os.open(f"/proc/self/fd/{words}", os.O_WRONLY | os.O_NONBLOCK)
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(full, b".")
        os.close(full)
        os.close(words)
        self.assertIsNone(run.poll())
        open(self.path("out", "now"), "w").close()
        self.assertTrue(wait_for(lambda: not os.path.exists(f"/proc/{pids['tutti-ap1']}"), 60))  # seen by the run, which is to say so
        time.sleep(4)
        open(self.path("out", "end"), "w").close()
        self.assertTrue(wait_for(lambda: not alive(pids["tutti-cpu"]), 60))
        self.assertTrue(os.path.exists(f"/proc/{pids['tutti-cpu']}"))  # held up: it has not looked
        with os.fdopen(mouth) as file:
            told = file.read().lstrip(".")
        self.assertEqual(run.wait(60), 0)
        self.assertIn("ap1 died: exit status 3", told)
        self.assertNotIn("left while the run goes on", told)

    def test_a_start_that_does_not_come_about(self):
        for how in ((), ("--keep-going",)):
            start = time.monotonic()
            answer = self.tutti("run", "--config", "net.yaml", "--out", "out", "--start-limit", "1", *how, env=self.stand_ins())
            self.assertEqual(answer.returncode, 1)
            self.assertGreater(time.monotonic() - start, 1)
            self.assertRegex(answer.stderr, r"no block was solved in 1 s, and the CPU node was not heard on ipc://.*/sock/lab")
            self.assertFalse([name for name, pid in self.pids().items() if alive(pid)])
        for wrong in ("soon", "-1"):
            self.assertEqual(self.tutti("run", "net.yaml", "--start-limit", wrong).returncode, 2)

    def test_runs_started_at_once_have_folders_of_their_own(self):
        env = {**ENVIRONMENT, **self.good_run()}
        runs = [subprocess.Popen([TUTTI, "run", "net.yaml", "--no-report", "--quiet"], cwd=self.folder, env=env,
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(3 if SANITIZERS else 6)]
        for run in runs:
            self.assertEqual(run.communicate(timeout=60)[1], b"")
            self.assertEqual(run.returncode, 0)
        folders = [name for name in os.listdir(self.folder) if name.startswith("run-trial-")]
        self.assertEqual(len(folders), len(runs))
        self.assertTrue(all(os.path.exists(self.path(name, "run.h5")) for name in folders))

    def test_output_that_cannot_be_written(self):
        record = self.recording()
        for words in (("--help",), ("--version",), ("config", "show", "net.yaml"), ("inspect", record), ("run", "--help"),
                      ("report", record), ("latency", "hosts"), ("precode", "--help")):
            with open("/dev/full", "w") as full:
                answer = subprocess.run([TUTTI, *words], stdout=full, stderr=subprocess.PIPE, text=True, cwd=self.folder,
                                        env=ENVIRONMENT, timeout=60)
            self.assertEqual(answer.returncode, 1, words)
            self.assertIn("cannot write to standard output: No space left", answer.stderr)
            self.assertEqual(len(answer.stderr.strip().splitlines()), 1, answer.stderr)

    def test_a_report_is_whole_or_not_there(self):
        record = self.recording()
        os.makedirs(self.path("there"))
        with open(self.path("there", "report.html"), "w") as file:
            file.write("the old one")
        limit = lambda: (signal.signal(signal.SIGXFSZ, signal.SIG_IGN), resource.setrlimit(resource.RLIMIT_FSIZE, (2048, 2048)))
        answer = subprocess.run([TUTTI, "report", record, "--out", "there/report.html"], cwd=self.folder, preexec_fn=limit,
                                env={**ENVIRONMENT, "PATH": self.folder}, capture_output=True, text=True, timeout=60)
        self.assertEqual(answer.returncode, 1)
        self.assertIn("cannot write there/report.html", answer.stderr)
        self.assertEqual(self.read("there", "report.html"), "the old one")
        self.assertEqual(os.listdir(self.path("there")), ["report.html"])
        self.assertEqual(self.tutti("report", record, "--out", "there/report.html").returncode, 0)
        self.assertIn("</html>", self.read("there", "report.html"))
        self.assertEqual(os.listdir(self.path("there")), ["report.html"])

    def test_gnuplots_own_start_up_file_is_not_ours(self):
        record = self.recording()
        with open(self.path(".gnuplot"), "w") as file:
            file.write("exit status 1\n")
        self.assertEqual(self.tutti("report", record, env={"HOME": self.folder}).returncode, 0)
        self.assertEqual(self.read("report.html").count("<svg"), 2 + 2 + 8 + 1 + 2)

    def test_keep_going(self):
        record = self.recording()
        env = self.stand_ins(cpu=f"sleep 1; cp {record} run.h5; touch over; exit 0", air=self.LEAVE, ue=self.LEAVE,
                             ap=f'[ "$id" = 0 ] && exit 3; {self.LEAVE}')
        answer = self.tutti("run", "--config", "net.yaml", "--out", "out", "--keep-going", env=env)
        self.assertEqual(answer.returncode, 0, answer.stderr)
        self.assertIn("ap0 died: exit status 3", answer.stderr)

    def test_missing_program(self):
        env = self.stand_ins()
        os.unlink(self.path("bin", "tutti-ue"))
        answer = self.tutti("run", "--config", "net.yaml", "--out", "out", env=env)
        self.assertEqual(answer.returncode, 1)
        self.assertIn("cannot start tutti-ue", answer.stderr)
        self.assertFalse([name for name, pid in self.pids().items() if alive(pid)])

    def start(self, env, *arguments, before=None):
        run = subprocess.Popen([TUTTI, "run", "--config", "net.yaml", "--out", "out", *arguments], cwd=self.folder,
                               env={**ENVIRONMENT, **env}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                               preexec_fn=before)
        self.assertTrue(wait_for(lambda: os.path.isdir(self.path("out")) and len(self.pids()) == 6))
        return run

    def test_interrupt_stops_all_and_collects(self):
        record = self.recording()
        finish = f"trap 'cp {record} run.h5; exit 0' TERM; while :; do sleep 0.05; done"
        run = self.start(self.stand_ins(cpu=finish))
        pids = self.pids()
        self.assertEqual(int(self.read("out", "logs", "ap1.pid")), pids["tutti-ap1"])
        run.send_signal(signal.SIGINT)
        out, err = run.communicate(timeout=20)
        self.assertEqual(run.returncode, 0, err)
        self.assertIn("Latency per hop", out)
        self.assertFalse([name for name in os.listdir(self.path("out", "logs")) if name.endswith(".pid")])
        self.assertFalse([name for name, pid in pids.items() if alive(pid)])

    def test_a_lost_terminal_stops_all_and_collects(self):
        record = self.recording()
        finish = f"trap 'cp {record} run.h5; exit 0' TERM; while :; do sleep 0.05; done"
        run = self.start(self.stand_ins(cpu=finish))
        pids = self.pids()
        run.send_signal(signal.SIGHUP)
        out, err = run.communicate(timeout=20)
        self.assertEqual(run.returncode, 0, err)
        self.assertTrue(os.path.exists(self.path("out", "report.html")))
        self.assertFalse(os.path.exists(self.path("out", "sock")))
        self.assertFalse([name for name, pid in pids.items() if alive(pid)])

    def test_nohup_is_respected(self):
        run = self.start(self.stand_ins(), before=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
        run.send_signal(signal.SIGHUP)
        time.sleep(0.5)
        self.assertIsNone(run.poll())
        run.terminate()
        run.communicate(timeout=20)

    def test_a_pid_file_goes_with_its_process(self):
        run = self.start(self.stand_ins(ap='[ "$id" = 1 ] && sleep 1 && exit 3; exec sleep 60'), "--keep-going")
        self.assertTrue(wait_for(lambda: os.path.exists(self.path("out", "logs", "ap1.pid"))))
        self.assertTrue(wait_for(lambda: not os.path.exists(self.path("out", "logs", "ap1.pid"))))
        self.assertIsNone(run.poll())
        self.assertTrue(os.path.exists(self.path("out", "logs", "ap0.pid")))
        run.terminate()
        run.communicate(timeout=20)

    def test_a_deaf_child_is_killed(self):
        run = self.start(self.stand_ins(ap="trap '' TERM INT; while :; do sleep 0.05; done"))
        pids = self.pids()
        start = time.monotonic()
        run.send_signal(signal.SIGTERM)
        run.communicate(timeout=20)
        self.assertLess(time.monotonic() - start, 10)
        self.assertFalse([name for name, pid in pids.items() if alive(pid)])

    def test_no_child_outlives_a_killed_tool(self):
        run = self.start(self.stand_ins())
        pids = self.pids()
        self.assertTrue(all(alive(pid) for pid in pids.values()))
        run.kill()
        run.communicate(timeout=20)
        self.assertTrue(wait_for(lambda: not any(alive(pid) for pid in pids.values()), 5))


if __name__ == "__main__":
    TUTTI, SANITIZERS = os.path.abspath(sys.argv.pop(1)), sys.argv.pop(1)
    unittest.main()
