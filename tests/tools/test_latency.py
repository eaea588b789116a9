#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""`tutti latency` as a person uses it, in short runs. How long things take is the machine's affair and not tested here; what
is counted, what adds up, and what is refused is.

usage: test_latency.py PATH_OF_TUTTI
"""
import csv
import glob
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

TUTTI = ""
WARM_UP = 20


class Latency(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="tutti-test-")
        self.left_over = set(glob.glob("/tmp/tutti-latency-*"))

    def tearDown(self):
        shutil.rmtree(self.folder)

    def path(self, name):
        return os.path.join(self.folder, name)

    def tutti(self, *arguments):
        return subprocess.run([TUTTI, "latency", *arguments], capture_output=True, text=True, cwd=self.folder, timeout=60)

    def probe(self, *arguments):
        answer = self.tutti("probe", *arguments, "--quiet", "--json", "out.json", "--csv", "out.csv")
        self.assertEqual(answer.returncode, 0, answer.stderr)
        with open(self.path("out.json")) as file:
            self.result = json.load(file)
        with open(self.path("out.csv")) as file:
            self.bins = list(csv.DictReader(file))
        return answer

    def check_counts(self, aps, blocks):
        r = self.result
        self.assertEqual(r["sent"] + r["skipped"], aps * blocks)
        self.assertEqual(r["sent"], r["early"] + r["on_time"] + r["late"] + r["nof_dropped_messages"])
        self.assertGreater(r["sent"], 0.5 * aps * blocks)
        answered = r["sent"] - r["nof_dropped_messages"]
        self.assertEqual(r["bytes_down"], answered * r["message_down_bytes"])
        self.assertEqual(r["bytes_up"], r["sent"] * r["message_up_bytes"])
        for name in ("uplink", "gather", "downlink", "round_trip", "block"):
            self.assertEqual(r["series"][name]["count"], answered, name)
            s = r["series"][name]
            self.assertTrue(s["min_us"] <= s["p50_us"] <= s["p90_us"] <= s["p99_us"] <= s["p999_us"] <= s["max_us"], s)
            counted = sum(int(row["count"]) for row in self.bins if row["series"] == name)
            self.assertEqual(counted, answered, name)

    def test_own_server(self):
        answer = self.probe("--aps", "3", "--antennas", "2", "--users", "5", "--subbands", "7", "--blocks", "60",
                            "--interval-us", "5000", "--plot", "out.svg")
        self.check_counts(3, 60)
        # header 64, CSI meta 80 + 8 per user, precoder 8 per stream, 8 bytes per coefficient
        self.assertEqual(self.result["message_up_bytes"], 64 + 80 + 8 * 5 + 8 * 2 * 5 * 7)
        self.assertEqual(self.result["message_down_bytes"], 64 + 8 * 5 + 8 * 2 * 5 * 7)
        means = {name: s["mean_us"] for name, s in self.result["series"].items()}
        self.assertTrue(self.result["clock"]["same_clock"])
        self.assertAlmostEqual(means["uplink"] + means["gather"] + means["downlink"], means["round_trip"], delta=0.01)
        self.assertAlmostEqual(means["pack"] + means["round_trip"], means["block"],
                               delta=0.01 + 0.2 * means["pack"])  # pack counts what was sent, block what was answered
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
        self.probe("--config", "net.yaml", "--blocks", "30")
        self.check_counts(2, 30)
        self.assertEqual((self.result["uplink_encoding"], self.result["downlink_encoding"]), ("bfp9", "sc16"))
        rows = 6 * 4  # subbands x antennas of the default frame
        self.assertEqual(self.result["message_up_bytes"], 64 + 80 + 24 + rows * (1 + -(-2 * 3 * 9 // 8)))
        self.assertEqual(self.result["message_down_bytes"], 64 + 24 + 6 * (4 + 4 * 4 * 3))
        # 24 uplink and one guard symbol of 137 samples at 1.92 MS/s, less tx_lead_us
        self.assertAlmostEqual(self.result["budget_us"], (self.result["budget_us"] + 400) // (137 / 1.92) * 137 / 1.92 - 400,
                               delta=75)
        self.assertEqual(self.result["interval_us"], 5000)

    def test_verdicts_follow_the_budget(self):
        self.probe("--aps", "1", "--blocks", "40", "--interval-us", "2000", "--budget-us", "1")
        self.assertEqual(self.result["late"], self.result["sent"] - self.result["nof_dropped_messages"])
        self.probe("--aps", "1", "--blocks", "40", "--interval-us", "2000", "--budget-us", "10000000")
        self.assertEqual(self.result["early"], self.result["sent"] - self.result["nof_dropped_messages"])

    def test_probes_of_given_size_over_tcp(self):
        self.probe("--aps", "2", "--bytes", "1000", "--blocks", "40", "--transport", "tcp", "--busy-poll-us", "300")
        self.check_counts(2, 40)
        self.assertEqual(self.result["message_up_bytes"], 1064)
        self.assertEqual(self.result["message_down_bytes"], 1064)

    def start_server(self):
        endpoint = "ipc://" + self.path("link")
        server = subprocess.Popen([TUTTI, "latency", "serve", endpoint], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                  text=True)
        self.assertIn(endpoint, server.stdout.readline())
        return server, endpoint

    def test_a_server_serves_one_probe_after_the_other(self):
        server, endpoint = self.start_server()
        for _ in range(2):
            self.probe(endpoint, "--aps", "2", "--blocks", "30")
            self.check_counts(2, 30)
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
                (("probe", "--aps", "129"), "1..128"),
                (("probe", "--aps"), "--aps needs a number"),
                (("probe", "--interval-us", "fast"), "'fast' is not a number"),
                (("probe", "--users", "65"), "1..64"),
                (("probe", "--transport", "udp"), "not ipc or tcp"),
                (("probe", "--set", "network.n_ap=0"), "network.n_ap"),
                (("probe", "a", "b"), "unknown argument b"),
                (("serve",), "serve needs an ENDPOINT"),
                (("hosts", "--fix"), "unknown argument --fix"),
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
        for arguments in (("--help",), ("probe", "--help"), ("serve", "--help"), ("hosts", "--help")):
            answer = self.tutti(*arguments)
            self.assertEqual(answer.returncode, 0)
            self.assertTrue(answer.stdout.startswith("usage: tutti latency"))

    def test_hosts_only_reports(self):
        answer = self.tutti("hosts")
        self.assertEqual(answer.returncode, 0, answer.stderr)
        for word in ("governor", "idle states", "SMT", "priority", "locked memory", "rmem_max", "isolated", "clock",
                     "hypervisor"):
            self.assertIn(word, answer.stdout)
        costs = len(re.findall(r"^COSTS", answer.stdout, re.M))
        self.assertEqual(costs, answer.stdout.count("->"))
        tune = self.tutti("hosts", "--tune")
        self.assertEqual(tune.returncode, 0)
        self.assertIn("Nothing has been changed", tune.stdout)


if __name__ == "__main__":
    TUTTI = os.path.abspath(sys.argv.pop(1))
    unittest.main()
