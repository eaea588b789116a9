# SPDX-License-Identifier: GPL-3.0-or-later
"""tutti power: what it says of its powers against the closed forms computed here from a file's geometry, and no powers drawn at
random near them, or anywhere, are better than they may be.

usage: test_power_command.py PATH_OF_TUTTI"""
import json
import math
import os
import subprocess
import sys
import tempfile
import unittest

import numpy as np

TUTTI = ""
APS = [[0, 0, 10], [200, 0, 10], [0, 200, 10], [200, 200, 10], [100, 100, 10]]
USERS = [[50, 150, 1.5], [170, 60, 1.5], [90, 30, 1.5]]
EVE = [[60, 140, 1.5]]
CONFIG = f"""
network: {{n_ap: 5, n_ant: 4, n_ue: 3, n_eve: 1}}
eve: {{attack: pilot, target_user: 1, from_block: 10}}
resilience: {{r_des: 6, s_des: 4}}
precoding: {{scheme: ppzf, power: equal, upsilon: 0.9}}
air:
  large_scale: {{model: geometry, shadowing_db: 0, ap_positions_m: {APS}, ue_positions_m: {USERS}, eve_positions_m: {EVE}}}
"""
M, N, K, TARGET = 5, 4, 3, 1
NOISE_DBM = -174 + 10 * math.log10(15e3) + 9
RHO = 10 ** ((23 - 10 * math.log10(72) - NOISE_DBM) / 10)
A = 10 ** ((20 - 10 * math.log10(72) - NOISE_DBM) / 10) * 4 * 12 / RHO  # pilot power in units of beta: 4 P, 12 subcarriers
OMEGA = 34 / 70  # 38 D less 4 pilots of 70 symbols


def gain(p, q):
    return RHO * 10 ** ((-30.5 - 36.7 * math.log10(max(math.dist(p, q), 1))) / 10)


BETA = np.array([[gain(a, u) for u in USERS] for a in APS])
BETA_EVE = np.array([gain(a, EVE[0]) for a in APS])


def strong(beta):
    """The fewest of largest gain with 0.9 of the sum, at most N - 1."""
    marks = np.zeros((M, K), bool)
    for m in range(M):
        held = 0
        for k in sorted(range(K), key=lambda k: -beta[m][k])[:N - 1]:
            if held >= 0.9 * beta[m].sum() * (1 - 1e-12):
                break
            marks[m, k] = True
            held += beta[m][k]
    return marks


def gap(eta):
    """[Yu 2026] (3) to (7), the target attacked with the users' pilot power; eta [M][K] in users' order."""
    contaminated = A * BETA + 1
    contaminated[:, TARGET] += A * BETA_EVE
    gamma = A * BETA ** 2 / contaminated
    gamma_eve = A * BETA_EVE ** 2 / contaminated[:, TARGET]
    marks = strong(BETA)
    free = N - marks.sum(axis=1)
    total = eta.sum(axis=1)
    rate = []
    for k in range(K):
        x = np.sum(np.sqrt(free * gamma[:, k] * eta[:, k]))
        y = 1 + np.sum((BETA[:, k] - marks[:, k] * gamma[:, k]) * total)
        rate.append(OMEGA * math.log2(1 + x * x / y))
    leak = BETA_EVE - marks[:, TARGET] * gamma_eve
    own = eta[:, TARGET]
    heard = np.sum(np.sqrt(free * gamma_eve * own)) ** 2 + np.sum(leak * own)
    rate_eve = OMEGA * math.log2(1 + heard / (1 + np.sum(leak * (total - own))))
    secrecy = max(rate[TARGET] - rate_eve, 0)
    psi = 0.5 * max(1 - secrecy / 4, 0) ** 2 + 0.5 * np.mean([max(1 - r / 6, 0) ** 2 for r in rate])
    return psi, np.array(rate), rate_eve


def cb_sinr(eta):
    """Hardening bound of conjugate beams; eta as shares of the budget."""
    gamma = A * BETA ** 2 / (A * BETA + 1)
    sinr = []
    for k in range(K):
        x = np.sum(np.sqrt(N * gamma[:, k] * eta[:, k]))
        sinr.append(x * x / (1 + np.sum(BETA[:, k] * eta.sum(axis=1))))
    return np.array(sinr)


class Power(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="tutti-power-")
        self.config = os.path.join(self.folder.name, "net.yaml")
        with open(self.config, "w") as f:
            f.write(CONFIG)

    def tearDown(self):
        self.folder.cleanup()

    def run_it(self, *args, status=0):
        done = subprocess.run([TUTTI, "power", "--config", self.config, *args], capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return done

    def solve(self, *sets):
        path = os.path.join(self.folder.name, f"out{len(sets)}.json")
        self.run_it("--json", path, *(word for s in sets for word in ("--set", s)))
        with open(path) as f:
            out = json.load(f)
        for name in ("eta", "eta_equal", "beta"):
            out[name] = np.array(out[name]).reshape(M, K)
        np.testing.assert_allclose(out["beta"], BETA, rtol=1e-9)
        self.assertTrue((out["eta"] >= 0).all())
        return out

    def test_gap(self):
        out = self.solve()
        psi, rate, rate_eve = gap(out["eta"])
        self.assertAlmostEqual(out["value"], psi, delta=1e-9)
        np.testing.assert_allclose(out["rate"], rate, rtol=1e-9)
        self.assertAlmostEqual(out["rate_eve"], rate_eve, delta=1e-9)
        self.assertAlmostEqual(out["value_equal"], gap(np.full((M, K), 1 / K))[0], delta=1e-9)
        self.assertLessEqual(out["eta"].sum(axis=1).max(), 1 + 1e-9)
        self.assertLess(psi, out["value_equal"] - 0.01)
        random = np.random.default_rng(1)
        for i in range(4000):  # near it, and anywhere
            near = np.sqrt(out["eta"]) + 10 ** random.uniform(-4, -1) * random.standard_normal((M, K))
            q = np.maximum(near, 0) if i % 2 else random.exponential(size=(M, K)) ** 2
            eta = q ** 2 / np.maximum((q ** 2).sum(axis=1, keepdims=True), 1)
            self.assertGreater(gap(eta)[0], psi - 2e-5)

    def test_max_min_has_a_bound(self):
        out = self.solve("precoding.scheme=cb", "precoding.power=maxmin")
        sinr = cb_sinr(out["eta"])
        self.assertAlmostEqual(out["value"] / sinr.min(), 1, delta=1e-9)
        self.assertAlmostEqual(out["value_equal"] / cb_sinr(np.full((M, K), 1 / K)).min(), 1, delta=1e-9)
        self.assertLessEqual(out["eta"].sum(axis=1).max(), 1 + 1e-9)
        self.assertTrue(sinr.min() <= out["bound"] <= sinr.min() * 1.0011)
        random = np.random.default_rng(2)
        for i in range(4000):
            near = np.maximum(np.sqrt(out["eta"]) + 10 ** random.uniform(-4, -1) * random.standard_normal((M, K)), 0)
            q = near ** 2 if i % 2 else random.exponential(size=(M, K)) ** 2
            self.assertLessEqual(cb_sinr(q / q.sum(axis=1, keepdims=True)).min(), out["bound"] * (1 + 1e-12))

    def test_robust_least_squares(self):
        for power in ("rlspa_wc", "rlspa_wiener"):
            out = self.solve("precoding.scheme=zf", f"precoding.power={power}", "eve.attack=passive")
            self.assertLessEqual(out["eta"].sum(axis=1).max(), 1 + 1e-6)
            self.assertAlmostEqual(out["value"], sum(out["rate"]), delta=1e-9)
            self.assertLess(abs(out["value"] / out["value_equal"] - 1), 0.02)

    def test_what_has_no_problem_is_refused(self):
        self.assertIn("maxmin", self.run_it("--set", "precoding.scheme=zf", "--set", "precoding.power=maxmin", status=1).stderr)
        self.run_it("--nonsense", status=2)


if __name__ == "__main__":
    TUTTI = sys.argv.pop(1)
    unittest.main()
