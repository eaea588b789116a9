# SPDX-License-Identifier: GPL-3.0-or-later
"""tutti power: what it says of its powers against the closed forms computed here from a file's geometry or a channel file, and no powers drawn at
random near them, or anywhere, are better than they may be.

usage: test_power_command.py PATH_OF_TUTTI"""
import json
import math
import os
import subprocess
import sys
import tempfile
import unittest

import h5py
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

    def channel(self, columns=False):
        """Estimates of three blocks and two subbands; gains and variances with no common law; budgets that differ."""
        random = np.random.default_rng(4)
        c = {"beta": 10 ** random.uniform(0, 3, (M, K)), "power": random.uniform(0.5, 2, M)}
        c["error"] = c["beta"] * random.uniform(0.01, 0.3, (M, K))
        c["gamma"] = c["beta"] - c["error"]
        shape = (3, 2, M, N, K)
        c["H"] = (random.standard_normal(shape) + 1j * random.standard_normal(shape)) * np.sqrt(c["gamma"] / 2)[:, None, :]
        self.input = os.path.join(self.folder.name, f"channel{columns}.h5")
        with h5py.File(self.input, "w") as f:
            for name, values in (("H_hat", c["H"]), ("error_variance", c["error"]), ("beta", c["beta"])):
                f[name] = values.T if columns else values
            f.attrs["ap_power"] = c["power"]
        return c

    def on_channel(self, *args, status=0):
        path = os.path.join(self.folder.name, f"channel{len(os.listdir(self.folder.name))}.json")
        done = subprocess.run([TUTTI, "power", "--channel", self.input, "--json", path, *args], capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        if status:
            return done
        with open(path) as f:
            out = json.load(f)
        for name in ("eta", "eta_equal", "beta", "gamma"):
            out[name] = np.array(out[name]).reshape(M, K)
        self.assertLessEqual(out["eta"].sum(axis=1).max(), 1 + 1e-6)
        return out

    def test_gains_of_a_channel_file(self):
        c = self.channel()
        out = self.on_channel("--scheme", "cb")
        np.testing.assert_allclose(out["beta"], c["beta"], rtol=1e-6)
        np.testing.assert_allclose(out["gamma"], c["gamma"], rtol=1e-6)

        def sinr(share):
            power = share * c["power"][:, None]
            x = np.sqrt(N * c["gamma"] * power).sum(axis=0)
            return x * x / (1 + (c["beta"] * power.sum(axis=1, keepdims=True)).sum(axis=0))
        self.assertAlmostEqual(out["value"] / sinr(out["eta"]).min(), 1, delta=1e-5)
        self.assertTrue(sinr(out["eta"]).min() * (1 - 1e-5) <= out["bound"] <= sinr(out["eta"]).min() * 1.0011)
        self.assertAlmostEqual(out["value_equal"] / sinr(np.full((M, K), 1 / K)).min(), 1, delta=1e-5)
        np.testing.assert_allclose(out["rate"], np.log2(1 + sinr(out["eta"])), rtol=1e-5)
        turned = self.channel(columns=True)
        np.testing.assert_array_equal(turned["H"], c["H"])
        np.testing.assert_allclose(self.on_channel("--scheme", "cb", "--layout", "columns")["eta"], out["eta"], atol=1e-9)

    def test_targets_on_a_channel_file(self):
        c = self.channel()
        out = self.on_channel("--scheme", "ppzf", "--set", "precoding.upsilon=0.9", "--set", "resilience.r_des=6", "--set", "resilience.s_des=4")
        marks = strong(c["beta"])
        free = N - marks.sum(axis=1)

        def gap_here(share):
            power = share * c["power"][:, None]
            x = np.sqrt(free[:, None] * c["gamma"] * power).sum(axis=0)
            y = 1 + ((c["beta"] - marks * c["gamma"]) * power.sum(axis=1, keepdims=True)).sum(axis=0)
            rate = np.log2(1 + x * x / y)
            return 0.5 * max(1 - rate[0] / 4, 0) ** 2 + 0.5 * np.mean(np.maximum(1 - rate / 6, 0) ** 2), rate
        psi, rate = gap_here(out["eta"])
        self.assertAlmostEqual(out["value"], psi, delta=1e-6)
        np.testing.assert_allclose(out["rate"], rate, rtol=1e-5)
        self.assertEqual(out["rate_eve"], 0)
        self.assertAlmostEqual(out["value_equal"], gap_here(np.full((M, K), 1 / K))[0], delta=1e-6)

    def test_robust_least_squares_on_a_channel_file(self):
        """One block by hand: powers of docs/power.md on zero-forcing beams, the worst access point at its budget."""
        c = self.channel()
        out = self.on_channel("--scheme", "zf", "--power", "rlspa_wc", "--blocks", "1:2")
        shares, rate = np.zeros((M, K)), np.zeros(K)
        for H in c["H"][1]:
            flat = H.reshape(-1, K)
            W = np.linalg.pinv(flat.conj().T)
            W /= np.linalg.norm(W, axis=0)
            B = flat.conj().T @ W
            p = B.diagonal().real / ((abs(B) ** 2).sum(axis=0) + N * c["error"].sum())
            W = (W * p).reshape(M, N, K)
            used = (abs(W) ** 2).sum(axis=1) / c["power"][:, None]
            W /= np.sqrt(used.sum(axis=1).max())
            shares += (abs(W) ** 2).sum(axis=1) / c["power"][:, None] / 2
            gain = abs(np.einsum("mak,maj->kj", H.conj(), W)) ** 2
            own = gain.diagonal()
            rate += np.log2(1 + own / (gain.sum(axis=1) - own + c["error"].T @ (abs(W) ** 2).sum(axis=(1, 2)) + 1)) / 2
        np.testing.assert_allclose(out["eta"], shares, rtol=1e-4)
        np.testing.assert_allclose(out["rate"], rate, rtol=1e-4)
        self.assertIn("--blocks", self.on_channel("--scheme", "zf", "--blocks", "2:9", status=1).stderr)
        self.on_channel("--scheme", "zf", "--layout", "sideways", status=2)

    def test_what_has_no_problem_is_refused(self):
        self.assertIn("maxmin", self.run_it("--set", "precoding.scheme=zf", "--set", "precoding.power=maxmin", status=1).stderr)
        self.run_it("--nonsense", status=2)


if __name__ == "__main__":
    TUTTI = sys.argv.pop(1)
    unittest.main()
