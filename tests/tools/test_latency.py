#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""`tutti latency` as a person uses it, in short runs. How long things take is the machine's affair and not tested here; what
is counted, what adds up, and what is refused is.

usage: test_latency.py PATH_OF_TUTTI PATH_OF_LATE_WAKE SANITIZERS
"""
import csv
import glob
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

TUTTI = LATE_WAKE = SANITIZERS = ""
WARM_UP = 20
LONGER = (1, 4, 16)


class Latency(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="tutti-test-")
        self.left_over = set(glob.glob("/tmp/tutti-latency-*"))

    def tearDown(self):
        shutil.rmtree(self.folder)

    def path(self, name):
        return os.path.join(self.folder, name)

    def tutti(self, *arguments, env=None):
        return subprocess.run([TUTTI, "latency", *arguments], capture_output=True, text=True, cwd=self.folder, timeout=60,
                              env={**os.environ, **(env or {})})

    def probe(self, *arguments, env=None):
        for longer in LONGER:  # a machine that sleeps over every block answers none: then blocks come more slowly
            given = [*arguments, *(() if "--interval-us" in arguments else ("--interval-us", "5000"))]
            at = given.index("--interval-us") + 1
            given[at] = str(longer * int(given[at]))
            answer = self.tutti("probe", *given, "--quiet", "--json", "out.json", "--csv", "out.csv", env=env)
            if "no block was answered" not in answer.stderr:
                break
        self.assertEqual(answer.returncode, 0, answer.stderr)
        with open(self.path("out.json")) as file:
            self.result = json.load(file)
        with open(self.path("out.csv")) as file:
            self.bins = list(csv.DictReader(file))
        return answer

    def check_counts(self, aps, blocks):
        r = self.result
        self.assertEqual(r["sent"] + r["skipped"], aps * blocks)
        self.assertEqual(r["sent"] + r["skipped"], r["early"] + r["on_time"] + r["late"] + r["nof_dropped_messages"])
        self.assertGreaterEqual(r["late"], r["skipped"])
        answered = r["sent"] - r["nof_dropped_messages"]
        self.assertEqual(r["bytes_down"], answered * r["message_down_bytes"])
        self.assertEqual(r["bytes_up"], r["sent"] * r["message_up_bytes"])
        self.assertEqual(r["series"]["block"]["never_answered"], r["nof_dropped_messages"] + r["skipped"])
        for name in ("wake", "pack", "uplink", "gather", "downlink", "round_trip", "block"):
            self.assertEqual(r["series"][name]["count"], answered, name)
            s = r["series"][name]
            known = [s[key] for key in ("min_us", "p50_us", "p90_us", "p99_us", "p999_us") if s[key] is not None] + [s["max_us"]]
            self.assertEqual(known, sorted(known), s)
            self.assertTrue(name == "block" and s["never_answered"] or len(known) == 6, s)
            counted = sum(int(row["count"]) for row in self.bins if row["series"] == name)
            self.assertEqual(counted, answered, name)

    def test_own_server(self):
        answer = self.probe("--aps", "3", "--antennas", "2", "--users", "5", "--subbands", "7", "--blocks", "60",
                            "--interval-us", "5000", "--plot", "out.svg")
        self.check_counts(3, 60)
        # header 72, CSI meta 40 + 8 per user, precoder meta 32 + 8 per stream, 8 bytes per coefficient
        self.assertEqual(self.result["message_up_bytes"], 72 + 40 + 8 * 5 + 8 * 2 * 5 * 7)
        self.assertEqual(self.result["message_down_bytes"], 72 + 32 + 8 * 5 + 8 * 2 * 5 * 7)
        means = {name: s["mean_us"] for name, s in self.result["series"].items()}
        self.assertTrue(self.result["clock"]["same_clock"])
        # two clocks, read one after the other
        self.assertAlmostEqual(means["uplink"] + means["gather"] + means["downlink"], means["round_trip"],
                               delta=1 + 0.05 * means["round_trip"])
        self.assertAlmostEqual(means["wake"] + means["pack"] + means["round_trip"], means["block"], delta=0.01)
        self.assertGreater(self.result["server_cpu_s"], 0)
        self.assertIn("p99.9", answer.stdout)
        self.assertIn("same clock", answer.stdout)
        with open(self.path("out.svg")) as file:
            drawing = file.read()
        self.assertTrue(all(words in drawing for words in (">99 %<", ">round trip<", ">budget<")))
        self.assertTrue(drawing.rstrip().endswith("</svg>"))
        self.assertEqual(set(glob.glob("/tmp/tutti-latency-*")) - self.left_over, set())

    def test_shape_and_encodings_of_a_network_file(self):
        with open(self.path("net.yaml"), "w") as file:
            file.write("network: {n_ap: 2, n_ant: 4, n_ue: 3}\nfronthaul: {uplink_encoding: bfp, downlink_encoding: sc16}\n")
        self.probe("--config", "net.yaml", "--blocks", "60")
        self.check_counts(2, 60)
        self.assertEqual((self.result["uplink_encoding"], self.result["downlink_encoding"]), ("bfp9", "sc16"))
        rows = 6 * 4  # subbands x antennas of the default frame
        self.assertEqual(self.result["message_up_bytes"], 72 + 40 + 24 + rows * (1 + -(-2 * 3 * 9 // 8)))
        self.assertEqual(self.result["message_down_bytes"], 72 + 32 + 24 + 6 * (4 + 4 * 4 * 3))
        # 24 uplink and one guard symbol of 137 samples at 1.92 MS/s, less tx_lead_us
        self.assertAlmostEqual(self.result["budget_us"], (self.result["budget_us"] + 400) // (137 / 1.92) * 137 / 1.92 - 400,
                               delta=75)
        self.assertEqual(self.result["interval_us"], 5000)

    def test_verdicts_follow_the_budget(self):
        self.probe("--aps", "1", "--blocks", "40", "--interval-us", "5000", "--budget-us", "1")
        self.assertEqual(self.result["late"], 40 - self.result["nof_dropped_messages"])
        self.probe("--aps", "1", "--blocks", "40", "--interval-us", "2000", "--budget-us", "10000000")
        self.assertEqual(self.result["early"], self.result["sent"] - self.result["nof_dropped_messages"])
        self.assertEqual(self.result["late"], self.result["skipped"])

    def late_wake(self, us):
        if SANITIZERS:
            print(f"SKIPPED: test_latency: late wake-ups: a library cannot be preloaded before the sanitizers {SANITIZERS}")
            self.skipTest("sanitizers")
        return {"LD_PRELOAD": LATE_WAKE, "LATE_WAKE_US": str(us)}

    def test_a_host_that_wakes_late_is_late(self):
        """Measured from when a block was due: nothing is early when every wake-up takes longer than the budget."""
        for longer in LONGER:  # until half of the blocks are answered, whatever else the machine does
            self.probe("--aps", "2", "--blocks", "40", "--interval-us", str(20000 * longer), "--budget-us", "1384",
                       env=self.late_wake(2000))
            self.check_counts(2, 40)
            r = self.result
            self.assertEqual((r["early"], r["on_time"]), (0, 0))
            if r["series"]["block"]["p50_us"] is not None:
                break
        self.assertGreaterEqual(r["series"]["wake"]["p50_us"], 2000)  # one that was awake for another reason may be sooner
        self.assertGreaterEqual(r["series"]["block"]["p50_us"], 2000)

    def test_blocks_slept_over_are_late(self):
        answer = self.probe("--aps", "1", "--blocks", "60", "--interval-us", "5000", "--budget-us", "10000000",
                            env=self.late_wake(18000))
        self.check_counts(1, 60)
        r = self.result
        self.assertGreater(r["skipped"], 20)
        self.assertEqual(r["late"], r["skipped"])
        self.assertIsNone(r["series"]["block"]["p99_us"])
        self.assertIn("slept over a whole block", answer.stdout)
        self.assertRegex(answer.stdout, r"(?m)^block .*>10000000\.0")

    def test_where_and_with_what_it_was_measured(self):
        self.probe("--aps", "1", "--blocks", "5", "--interval-us", "1000")
        context = self.result["context"]
        self.assertEqual(context["host"], os.uname().nodename)
        self.assertEqual(context["kernel"], os.uname().release)
        self.assertEqual(context["processors"], os.cpu_count())
        self.assertEqual(context["arguments"][:3], ["probe", "--aps", "1"])
        self.assertRegex(context["date"], r"^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
        self.assertRegex(context["libzmq"], r"^\d+\.\d+\.\d+$")
        self.assertRegex(context["tutti"], r"^\d+\.\d+")
        self.assertEqual(len(context["load"]), 3)
        self.assertTrue(context["processor"])

    def test_compare(self):
        """A block's budget of two and of none: all late in one, none in the other; times with the same options may differ by chance."""
        for longer in LONGER:  # blocks slept over are late in both
            answer = self.tutti("compare", "--aps", "1", "--blocks", "30", "--interval-us", str(5000 * longer), "--repeats", "3",
                                "--quiet", "--json", "out.json", "--a", "--budget-us 10000000", "--b", "--budget-us 1")
            if answer.returncode != 0:
                self.assertIn("failed", answer.stderr)
                continue
            with open(self.path("out.json")) as file:
                result = json.load(file)
            if all(row["median_a"] == 0 for row in result["comparison"] if "late" in row["what"]):
                break
        self.assertEqual(answer.returncode, 0, answer.stderr)
        rows = {row["what"]: row for row in result["comparison"]}
        self.assertEqual(len(rows), 5)
        for what, row in rows.items():
            self.assertIn(row["verdict"], ("differs", "does not differ", "not judged"))
            self.assertIn(what, answer.stdout)
            if row["low"] is not None and "late" not in what:
                self.assertTrue(row["low"] <= row["b_against_a"] <= row["high"])
                self.assertEqual(row["verdict"] == "differs", not row["low"] <= 1 <= row["high"])
        late = rows["late or lost, % (b - a)"]
        self.assertEqual((late["verdict"], late["median_b"]), ("differs", 100))
        for wrong, words in (((), "--a OPTIONS"), (("--a", "x"), "--b OPTIONS"), (("--a", "x", "--b", "y", "--repeats", "1"), "2..64")):
            answer = self.tutti("compare", *wrong)
            self.assertEqual(answer.returncode, 2)
            self.assertIn(words, answer.stderr)
        answer = self.tutti("compare", "--quiet", "--a", "--aps 0", "--b", "")
        self.assertEqual(answer.returncode, 1)
        self.assertIn("the probe with the options of --a failed", answer.stderr)

    def test_probes_of_given_size_over_tcp(self):
        self.probe("--aps", "2", "--bytes", "1000", "--blocks", "40", "--transport", "tcp", "--busy-poll-us", "300")
        self.check_counts(2, 40)
        self.assertEqual(self.result["message_up_bytes"], 1072)
        self.assertEqual(self.result["message_down_bytes"], 1072)

    def start_server(self):
        endpoint = "ipc://" + self.path("link")
        server = subprocess.Popen([TUTTI, "latency", "serve", endpoint], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                  text=True)
        self.assertIn(endpoint, server.stdout.readline())
        return server, endpoint

    def test_a_server_serves_one_probe_after_the_other(self):
        server, endpoint = self.start_server()
        for _ in range(2):
            self.probe(endpoint, "--aps", "2", "--blocks", "60")
            self.check_counts(2, 60)
            self.assertIsNone(self.result["server_cpu_s"])
        server.send_signal(signal.SIGTERM)
        self.assertEqual(server.communicate(timeout=10)[1], "")
        self.assertEqual(server.returncode, 0)

    def test_server_goes_away(self):
        server, endpoint = self.start_server()
        probe = subprocess.Popen([TUTTI, "latency", "probe", endpoint, "--duration", "30", "--quiet"],
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        time.sleep(1.5)
        server.send_signal(signal.SIGTERM)
        out, err = probe.communicate(timeout=15)
        server.communicate(timeout=10)
        self.assertEqual(probe.returncode, 1)
        self.assertRegex(err, r"the server (has stopped|is gone)")

    def test_interrupt_reports_what_there_is(self):
        probe = subprocess.Popen([TUTTI, "latency", "probe", "--duration", "60", "--quiet"], stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE, text=True)
        time.sleep(2)  # enough for the warm-up
        probe.send_signal(signal.SIGINT)
        out, err = probe.communicate(timeout=15)
        self.assertEqual(probe.returncode, 0, err)
        self.assertIn("verdict", out)

    def test_refusals(self):
        for arguments, words in (
                (("probe", "--encoding", "bfp8"), "bfp9 to bfp14"),
                (("probe", "--aps", "513"), "1..512"),
                (("probe", "--aps"), "--aps needs a number"),
                (("probe", "--interval-us", "fast"), "'fast' is not a number"),
                (("probe", "--users", "129"), "1..128"),
                (("probe", "--transport", "udp"), "not ipc or tcp"),
                (("probe", "--set", "network.n_ap=0"), "network.n_ap"),
                (("probe", "a", "b"), "unknown argument b"),
                (("serve",), "serve needs an ENDPOINT"),
                (("hosts", "--fix"), "--fix"),
                (("measure",), "unknown command measure"),
                ((), "is missing")):
            answer = self.tutti(*arguments)
            self.assertEqual(answer.returncode, 2, arguments)
            self.assertIn(words, answer.stderr)
            self.assertEqual(answer.stderr.count("\n"), 1, answer.stderr)
        answer = self.tutti("probe", "ipc:///nowhere/link", "--keys", "/nowhere", "--quiet")
        self.assertEqual(answer.returncode, 1)
        self.assertIn("/nowhere", answer.stderr)
        answer = self.tutti("serve", "tcp://127.0.0.1:99999")
        self.assertEqual(answer.returncode, 1)
        self.assertIn("1 to 65535", answer.stderr)

    def test_help(self):
        for arguments, name in ((("--help",), "latency"), (("probe", "--help"), "latency"), (("serve", "--help"), "latency"),
                                (("hosts", "--help"), "doctor")):
            answer = self.tutti(*arguments)
            self.assertEqual(answer.returncode, 0)
            self.assertTrue(answer.stdout.startswith("Usage: tutti " + name), answer.stdout)

    def test_hosts_is_the_doctor(self):
        answer = self.tutti("hosts", "--quick")
        self.assertIn(answer.returncode, (0, 1, 2), answer.stderr)  # which of them is this machine's affair
        for word in ("governor", "idle states", "SMT", "priority", "locked memory", "isolated", "hypervisor"):
            self.assertIn(word, answer.stdout)


if __name__ == "__main__":
    TUTTI, LATE_WAKE, SANITIZERS = os.path.abspath(sys.argv.pop(1)), os.path.abspath(sys.argv.pop(1)), sys.argv.pop(1)
    unittest.main()
