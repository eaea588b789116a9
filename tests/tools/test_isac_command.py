# SPDX-License-Identifier: GPL-3.0-or-later
"""tutti isac: the plan of a network file against the closed forms computed here from the file's geometry; what cannot be had is
said with a number that can be tried; nothing is overwritten.

usage: test_isac_command.py PATH_OF_TUTTI"""
import json
import math
import os
import subprocess
import sys
import tempfile
import unittest

TUTTI = ""
CONFIG = """
network: {n_ap: 5, n_ant: 4, n_ue: 2}
sensing: {zones_m: [[60, 40, 1.5], [150, 160, 1.5]]}
air:
  large_scale:
    model: geometry
    ap_positions_m: [[0, 0, 10], [200, 0, 10], [0, 200, 10], [200, 200, 10], [100, 100, 10]]
    ue_positions_m: [[50, 150, 1.5], [170, 60, 1.5]]
    shadowing_db: 0
"""
APS = [[0, 0, 10], [200, 0, 10], [0, 200, 10], [200, 200, 10], [100, 100, 10]]
USERS = [[50, 150, 1.5], [170, 60, 1.5]]
ZONES = [[60, 40, 1.5], [150, 160, 1.5]]
M, N, K, L = 5, 4, 2, 2
NOISE_DBM = -174 + 10 * math.log10(15e3) + 9  # of one subcarrier
RHO = 10 ** ((23 - 10 * math.log10(72) - NOISE_DBM) / 10)
PILOT = 10 ** ((20 - 10 * math.log10(72) - NOISE_DBM) / 10) * 4 * 12


def gain(p, q, at_1m_db, exponent):
    return 10 ** ((at_1m_db - 10 * exponent * math.log10(max(math.dist(p, q), 1))) / 10)


BETA = [[gain(a, u, -30.5, 3.67) for u in USERS] for a in APS]
ZETA = [[gain(a, z, -34, 2.2) for z in ZONES] for a in APS]
GAMMA = [[PILOT * b * b / (PILOT * b + 1) for b in row] for row in BETA]


def inner(m, l, o):
    angle = [math.pi * math.sin(math.atan2(ZONES[i][1] - APS[m][1], ZONES[i][0] - APS[m][0])) for i in (l, o)]
    return abs(sum(complex(math.cos(n * (angle[1] - angle[0])), math.sin(n * (angle[1] - angle[0]))) for n in range(N))) ** 2


def metrics(plan):
    """SINR of users, MASR and eavesdropper's SINR of zones, power of APs."""
    ec = [plan["eta_c"][m * K:(m + 1) * K] for m in range(M)]
    es = [plan["eta_s"][m * L:(m + 1) * L] for m in range(M)]
    data = [N * sum(ec[m][k] * GAMMA[m][k] for k in range(K)) for m in range(M)]
    power = [data[m] + N * sum(es[m]) for m in range(M)]
    sinr = [RHO * (N * sum(math.sqrt(ec[m][k]) * GAMMA[m][k] for m in range(M))) ** 2
            / (RHO * sum(BETA[m][k] * power[m] for m in range(M)) + 1) for k in range(K)]
    masr, eve = [], []
    for l in range(L):
        c = sum(ZETA[m][l] * data[m] for m in range(M))
        own, other = (sum(ZETA[m][l] * es[m][o] * inner(m, l, o) for m in range(M)) for o in (l, 1 - l))
        masr.append(own / (c + other))
        eve.append(RHO * c / (RHO * (own + other) + 1))
    return sinr, masr, eve, power


class Isac(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="tutti-isac-")
        self.config = os.path.join(self.folder.name, "net.yaml")
        self.json = os.path.join(self.folder.name, "plan.json")
        with open(self.config, "w") as f:
            f.write(CONFIG)

    def tearDown(self):
        self.folder.cleanup()

    def isac(self, *arguments):
        return subprocess.run([TUTTI, "isac", "--config", self.config, *arguments], capture_output=True, text=True, timeout=60)

    def plan(self, *arguments):
        if os.path.exists(self.json):
            os.remove(self.json)
        answer = self.isac("--json", self.json, *arguments)
        self.assertEqual(answer.returncode, 0, answer.stderr + answer.stdout)
        with open(self.json) as f:
            return json.load(f), answer.stdout

    def test_plan_is_what_the_closed_forms_say(self):
        for sets in ((), ("--set", "sensing.objective=sp", "--set", "sensing.qos_db=5")):
            plan, text = self.plan(*sets)
            sinr, masr, eve, power = metrics(plan)
            for mine, theirs in ((sinr, plan["sinr"]), (masr, plan["masr"]), (eve, plan["sinr_eve"]), (power, plan["power"])):
                for a, b in zip(mine, theirs):
                    self.assertAlmostEqual(a / b, 1, delta=1e-3)  # gains: constants rounded to 0.001 dB
            self.assertLessEqual(max(power), 1 + 1e-6)
            self.assertGreaterEqual(min(masr), 10 ** 0.2 * (1 - 1e-5))
            for m in range(M):
                unused = plan["eta_c"][m * K:(m + 1) * K] if plan["mode"][m] == 0 else plan["eta_s"][m * L:(m + 1) * L]
                self.assertEqual(unused, [0] * len(unused), "an AP has one mode")
            if sets:
                self.assertTrue(all(abs(10 * math.log10(s) - 5) < 1e-3 for s in sinr), sinr)
                self.assertIn("Security prioritised", text)
            else:
                self.assertLessEqual(max(eve), 0.5 * (1 + 1e-5))
                self.assertLessEqual(plan["value"], plan["bound"] * (1 + 1e-6))
                self.assertIn("Communication prioritised", text)

    def test_given_modes_are_no_better_than_those_found(self):
        best = self.plan()[0]["value"]
        tried = 0
        for i in range(32):
            answer = self.isac("--modes", f"{i:05b}", "--json", os.path.join(self.folder.name, f"m{i}.json"))
            if answer.returncode == 0:
                with open(os.path.join(self.folder.name, f"m{i}.json")) as f:
                    self.assertLessEqual(json.load(f)["value"], best * (1 + 1e-5))
                tried += 1
        self.assertGreater(tried, 5)

    def test_what_cannot_be_had(self):
        answer = self.isac("--set", "sensing.kappa_db=90")
        self.assertEqual(answer.returncode, 1)
        most = float(answer.stdout.split("together reach ")[1].split()[0])
        self.assertEqual(self.isac("--set", f"sensing.kappa_db={most - 0.02}").returncode, 0)
        self.assertEqual(self.isac("--set", f"sensing.kappa_db={most + 0.02}").returncode, 1)
        answer = self.isac("--set", "sensing.objective=sp", "--set", "sensing.qos_db=60")
        most = float(answer.stdout.split("together reach ")[1].split()[0])
        self.assertEqual(self.isac("--set", "sensing.objective=sp", "--set", f"sensing.qos_db={most + 0.02}").returncode, 1)

    def test_words(self):
        self.assertIn("sensing.zones_m is empty", self.isac("--set", "sensing.zones_m=[]").stderr)
        self.assertIn("must be geometry", self.isac("--set", "air.large_scale.model=uniform").stderr)
        for wrong in (("--modes", "01"), ("--modes", "01x10")):
            self.assertIn("5 letters are needed", self.isac(*wrong).stderr)
        for wrong in (("--effort", "much"), ("--json",), ("--what",)):
            self.assertEqual(self.isac(*wrong).returncode, 2)
        self.assertEqual(self.isac("--help").returncode, 0)

    def test_nothing_is_overwritten(self):
        with open(self.json, "w") as f:
            f.write("mine")
        answer = self.isac("--json", self.json)
        with open(self.json) as f:
            self.assertEqual(f.read(), "mine")
        self.assertIn("plan.2.json written", answer.stdout)


if __name__ == "__main__":
    TUTTI = os.path.abspath(sys.argv.pop(1))
    unittest.main()
