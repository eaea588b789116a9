#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""`tutti precode` against numpy: what it writes, what it refuses, what is left after an interruption.

usage: test_precode.py PATH_OF_TUTTI SANITIZERS [TEST..]; under them each way through the code is taken once
"""
import fcntl
import os
import pty
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

import h5py
import numpy as np

TUTTI = SANITIZERS = ""
# power rules and the schemes that have them, besides maxmin, maxmin_user and, short for one of these, equal
WORDS = {"equal_received": ("zf", "rzf"), "equal_sent": ("zf", "rzf", "analog"), "equal_shares": ("cb", "fzf", "pzf", "ppzf"), "by_strength": ("cb",)}
SCHEMES = {}  # name: number, as --help lists them


def gaussian(rng, shape):
    return ((rng.standard_normal(shape) + 1j * rng.standard_normal(shape)) / np.sqrt(2)).astype(np.complex64)


def make(n_block=3, n_sb=2, n_ap=4, n_ant=3, n_ue=2, error=0.02, seed=1):
    """Contents of a channel file: large-scale gains over 20 dB, truth = estimate + error."""
    rng = np.random.default_rng(seed)
    beta = 10 ** rng.uniform(0, 2, (n_ap, n_ue))
    variance = error * beta * rng.uniform(0.5, 1.5, (n_ap, n_ue))
    shape = (n_block, n_sb, n_ap, n_ant, n_ue)
    H_hat = gaussian(rng, shape) * np.sqrt(beta - variance)[:, None, :].astype(np.float32)
    H = H_hat + gaussian(rng, shape) * np.sqrt(variance)[:, None, :].astype(np.float32)
    return {"H_hat": H_hat, "error_variance": variance, "H": H, "beta": beta}


def write(path, data, attributes=(), on="/"):
    with h5py.File(path, "w") as file:
        for name, value in data.items():
            file[name] = value
        for name, value in attributes:
            file[on].attrs[name] = value


def sinr(H, W, variance):
    """Instantaneous SINR [user] of one subband: H, W [ap][antenna][user], variance [ap][user]."""
    H, W = H.astype(complex), W.astype(complex)
    gain = abs(np.einsum("mak,maj->kj", H.conj(), W)) ** 2
    own = np.diag(gain)
    unknown = np.einsum("mk,m->k", variance, (abs(W) ** 2).sum(axis=(1, 2)))
    return own / (gain.sum(axis=1) - own + unknown + 1)


def all_sinr(H, W, variance):
    """[block][subband][user]; variance [ap][user] or [block][subband][ap][user]."""
    variance = np.broadcast_to(variance, H.shape[:3] + H.shape[4:])
    return np.array([[sinr(H[b, s], W[b, s], variance[b, s]) for s in range(H.shape[1])] for b in range(H.shape[0])])


def zf_maxmin(H, variance, power):
    """The largest common SINR t of zero-forcing with one power per user. With beams A, h_k^H a_k = 1, the powers that
    give everybody t solve p = t (1 + F p) with F the leak through the estimation errors; each AP's power grows with t."""
    n_ap, n_ant, n_ue = H.shape
    flat = H.reshape(-1, n_ue).astype(complex)
    A = np.linalg.pinv(flat.conj().T).reshape(H.shape)
    B = (abs(A) ** 2).sum(axis=1)
    F = variance.T @ B
    low, high = 0.0, 1e9
    for _ in range(200):
        t = (low + high) / 2
        feasible = t * max(abs(np.linalg.eigvals(F))) < 1
        if feasible:
            p = t * np.linalg.solve(np.eye(n_ue) - t * F, np.ones(n_ue))
            feasible = bool(np.all(B @ p <= power))
        low, high = (t, high) if feasible else (low, t)
    return low


def fewer(cases, n=1):
    """The first n of them for sanitized programs, whose start alone takes a tenth of a second."""
    return cases[:n] if SANITIZERS else cases


class Precode(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="tutti-precode-")
        self.input, self.out = self.path("in.h5"), self.path("out.h5")

    def tearDown(self):
        shutil.rmtree(self.folder)

    def path(self, name):
        return os.path.join(self.folder, name)

    def leave_out(self, why):
        print(f"\nSKIPPED: test_precode.py: {self._testMethodName}: {why}", flush=True)  # test.sh counts such lines
        self.skipTest(why)

    def arguments(self, scheme, *more):
        return [TUTTI, "precode", "--channel", self.input, "--scheme", scheme, "--out", self.out, *more]

    def run_tool(self, scheme, *more):
        return subprocess.run(self.arguments(scheme, *more), capture_output=True, text=True, timeout=60)

    def solve(self, scheme, *more):
        answer = self.run_tool(scheme, "--force", *more)
        self.assertEqual(answer.returncode, 0, answer.stderr)
        with h5py.File(self.out) as file:
            result = {}
            file.visititems(lambda name, item: result.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None)
        self.assertFalse(os.path.exists(self.out + ".part"))
        return result, answer.stdout

    # what is written

    def check_result(self, data, result, scheme, power=1.0, mean_power=False, all_used=True):
        W, H_hat = result["W"], data["H_hat"]
        n_block, n_sb, n_ap, n_ant, n_ue = H_hat.shape
        self.assertEqual((W.shape, W.dtype), (H_hat.shape, np.complex64))
        use = (abs(W.astype(complex)) ** 2).sum(axis=(3, 4)) / power
        if mean_power:  # holds on average, within 3 dB
            self.assertLessEqual(use.max(), 10 ** 0.3 + 1e-9)
            self.assertGreater(use.max(axis=2).min(), 0.1)
        else:
            self.assertLessEqual(use.max(), 1 + 1e-9)
            self.assertGreater(use.max(axis=2).min(), 1 - 1e-4 if all_used else 0.3)  # somebody is at the limit
        np.testing.assert_allclose(result["sinr_predicted"], all_sinr(H_hat, W, data["error_variance"]), rtol=1e-4)
        if "H" in data:
            np.testing.assert_allclose(result["sinr_true"], all_sinr(data["H"], W, np.zeros((n_ap, n_ue))), rtol=1e-4)
        else:
            self.assertNotIn("sinr_true", result)
        self.assertEqual(result["an"].shape, H_hat.shape[:4])
        self.assertTrue(np.all(result["an"] == 0))
        self.assertTrue(np.all(result["scheme"] == SCHEMES[scheme]))
        self.assertEqual(result["reason"].shape, (n_block,))
        self.assertTrue(np.all(result["reason"] == 0))
        self.assertTrue(np.all(result["subband/solve_time_s"] > 0))
        np.testing.assert_allclose(result["solve_time_s"], result["subband/solve_time_s"].sum(axis=1))
        self.assertEqual(np.isnan(result["sinr_bound"]).all(), scheme != "ob")

    def test_every_scheme(self):
        data = make()
        write(self.input, data)
        for number, scheme in enumerate(SCHEMES):
            for rule, power in enumerate(("equal", "maxmin", "maxmin_user", *WORDS)):
                if SANITIZERS and power in ("equal", "maxmin", "maxmin_user") and scheme != "ob" and rule != number % 3:
                    continue
                if (scheme == "ob" and power != "maxmin") or (power in WORDS and scheme not in WORDS[power]):
                    continue
                with self.subTest(scheme=scheme, power=power):
                    mean_power = (power == "equal" and scheme in ("fzf", "pzf", "ppzf")) or (power, scheme) == ("maxmin", "cb") or power == "equal_shares"
                    all_used = scheme not in ("p_mmse", "p_rzf") or power not in ("equal", "fractional")  # (7.43) bounds each AP's sum
                    self.check_result(data, self.solve(scheme, "--power", power)[0], scheme, 1.0, mean_power, all_used)

    def test_equal_is_short_for_a_word(self):
        """What is solved with `equal` is what is solved with the word, and the table says the word."""
        write(self.input, make())
        for scheme, word in fewer((("zf", "equal_received"), ("rzf", "equal_sent"), ("ppzf", "equal_shares"), ("cb", "by_strength"),
                                   ("p_mmse", "fractional"), ("lp_mmse", "fractional_ap"))):
            with self.subTest(scheme=scheme):
                short, said = self.solve(scheme, "--power", "equal")
                exact, _ = self.solve(scheme, "--power", word)
                np.testing.assert_array_equal(short["W"], exact["W"])
                self.assertIn(f"{scheme}, {word} power", said)

    def test_zf_maxmin(self):
        data = make(n_sb=3, error=0.05, seed=2)
        write(self.input, data)
        result = self.solve("zf")[0]
        self.check_result(data, result, "zf")
        for b in range(3):
            for s in range(3):
                best = zf_maxmin(data["H_hat"][b, s], data["error_variance"], 1.0)
                np.testing.assert_allclose(result["sinr_predicted"][b, s], best, rtol=1e-3)
                leak = np.einsum("mak,maj->kj", data["H_hat"][b, s].conj(), result["W"][b, s])
                np.testing.assert_allclose(leak - np.diag(np.diag(leak)), 0, atol=1e-3)

    def test_ob_bound(self):
        data = make(n_ue=5, seed=3)
        write(self.input, data)
        zf = self.solve("zf")[0]["sinr_predicted"].min(axis=2)
        for gap in (0.1, 1e-3):
            result, text = self.solve("ob", "--gap", str(gap))
            self.check_result(data, result, "ob")
            least, bound = all_sinr(data["H_hat"], result["W"], data["error_variance"]).min(axis=2), result["sinr_bound"]
            self.assertTrue(np.all(least <= bound * (1 + 1e-5)))
            self.assertTrue(np.all(least >= bound * (1 - gap - 1e-5)))
            self.assertTrue(np.all(zf <= bound * (1 + 1e-5)))
            shown = re.search(r"gap to the bound, %\s+mean ([\d.]+), largest ([\d.]+)", text)
            np.testing.assert_allclose([float(x) for x in shown.groups()],
                                       [100 * np.mean(1 - least / bound), 100 * np.max(1 - least / bound)], atol=2e-3)

    def test_cb_and_fzf(self):
        data = make(seed=4)
        write(self.input, data)
        W = self.solve("cb", "--power", "equal")[0]["W"]
        H = data["H_hat"].astype(complex)
        np.testing.assert_allclose(W, H / np.sqrt((abs(H) ** 2).sum(axis=(3, 4), keepdims=True)), rtol=1e-5, atol=1e-7)
        W = self.solve("fzf")[0]["W"]
        local = np.einsum("bsmak,bsmaj->bsmkj", H.conj(), W)  # at each AP alone
        own = abs(np.einsum("bsmkk->bsmk", local))
        self.assertLess(abs(local - np.einsum("bsmk,kj->bsmkj", np.einsum("bsmkk->bsmk", local), np.eye(2))).max(),
                        1e-4 * own.max())

    def test_powers_and_variances(self):
        """ap_power for all and per AP, on the root and on /H_hat; error variances per subband; complex128; no truth."""
        data = make(seed=5)
        del data["H"], data["beta"]
        for attribute, on in ((4.0, "/"), (np.array([1.0, 2.0, 0.5, 3.0]), "/H_hat")):
            write(self.input, data, [("ap_power", attribute)], on)
            result = self.solve("zf")[0]
            self.check_result(data, result, "zf", np.broadcast_to(attribute, 4))
            best = zf_maxmin(data["H_hat"][1, 1], data["error_variance"], attribute)
            np.testing.assert_allclose(result["sinr_predicted"][1, 1], best, rtol=1e-3)
            W = self.solve("cb", "--power", "equal")[0]["W"]  # every AP at its budget
            used = (abs(W.astype(complex)) ** 2).sum(axis=(3, 4))
            np.testing.assert_allclose(used, np.broadcast_to(attribute, used.shape), rtol=1e-5)
        scale = np.random.default_rng(6).uniform(0.1, 3, (3, 2, 4, 2))
        data["error_variance"] = data["error_variance"] * scale
        write(self.input, {**data, "H_hat": data["H_hat"].astype(np.complex128)})
        result = self.solve("zf")[0]
        self.check_result(data, result, "zf")
        for b, s in ((0, 0), (2, 1)):
            best = zf_maxmin(data["H_hat"][b, s], data["error_variance"][b, s], 1.0)
            np.testing.assert_allclose(result["sinr_predicted"][b, s], best, rtol=1e-3)

    def test_beta_and_upsilon_reach_the_local_schemes(self):
        data = make(seed=7)
        write(self.input, data)
        W = {share: self.solve("pzf", "--upsilon", share)[0]["W"] for share in ("0.3", "1")}
        self.assertGreater(abs(W["0.3"] - W["1"]).max(), 1e-3)
        data["beta"] = np.where(np.arange(2) == 0, data["beta"] * 1e4, data["beta"])
        write(self.input, data)
        self.assertGreater(abs(self.solve("pzf", "--upsilon", "0.3")[0]["W"] - W["0.3"]).max(), 1e-3)

    def test_threads_and_blocks(self):
        write(self.input, make(n_block=11, seed=8))
        one, text = self.solve("ob", "--threads", "1")
        self.assertRegex(text, r"blocks\s+11 \(0:11\)")
        many = self.solve("ob", "--threads", "5")[0]
        part = self.solve("ob", "--blocks", "3:7")[0]
        tail = self.solve("ob", "--blocks", "9:")[0]
        for name in ("W", "sinr_predicted", "sinr_true", "sinr_bound"):
            np.testing.assert_array_equal(one[name], many[name])
            np.testing.assert_array_equal(one[name][3:7], part[name])
            np.testing.assert_array_equal(one[name][9:], tail[name])
        with h5py.File(self.out) as file:
            self.assertEqual(file.attrs["first_block"], 9)

    def check_powers(self, result, text, share, power):
        """Data within the rest, both within the budget, somebody's data at its limit; the table says the same."""
        data = (abs(result["W"].astype(complex)) ** 2).sum(axis=(3, 4)) / power
        both = data + (abs(result["an"].astype(complex)) ** 2).sum(axis=3) / power
        self.assertLessEqual(data.max(), 1 - share + 1e-6)
        self.assertGreater(data.max(axis=2).min(), (1 - share) * (1 - 1e-4))
        self.assertLessEqual(both.max(), 1 + 1e-6)
        self.assertAlmostEqual(float(re.search(r"power use of an AP\s+(\S+)", text).group(1)), both.max(), delta=1e-6)

    @staticmethod
    def heard(H, an):
        """Largest |h^H an| / (||h|| ||an||); H [...][antenna][user], an [...][antenna]."""
        H, an = H.astype(complex), an.astype(complex)
        loud = abs(np.einsum("...nk,...n->...k", H.conj(), an))
        return (loud / (np.linalg.norm(H, axis=-2) * np.linalg.norm(an, axis=-1)[..., None])).max()

    def test_phase_only_noise(self):
        data = make(n_block=5, n_sb=3, n_ap=8, n_ue=3, seed=12)
        for power in (np.ones(8), np.tile([1.0, 2.0, 0.5, 3.0], 2)):
            write(self.input, data, [("ap_power", power)])
            for scheme, share in (("zf", 0.3), ("cb", 0.05)):
                noise = ("--an", "phase-only", "--an-share", str(share), "--power", "maxmin_user")
                result, text = self.solve(scheme, *noise, "--threads", "1")
                an = result["an"]
                self.check_powers(result, text, share, power)
                np.testing.assert_allclose(abs(an), np.broadcast_to(np.sqrt(share * power / 3)[:, None], an.shape), rtol=1e-5)
                self.assertLess(self.heard(data["H_hat"].reshape(5, 3, 24, 3), an.reshape(5, 3, 24)), 1e-6)
                self.assertRegex(text, rf"artificial noise\s+phase-only, {share} of each AP's power\n")
                self.assertRegex(text, r"subbands without noise: no phases null all users\s+0\n")
                np.testing.assert_allclose(result["sinr_predicted"],
                                           all_sinr(data["H_hat"], result["W"], data["error_variance"]), rtol=1e-4)
        self.assertIn(b"an: phase-only\nan_share: 0.05\nseed: 1\n", result["settings"])
        np.testing.assert_array_equal(self.solve("cb", *noise, "--threads", "3")[0]["an"], an)
        np.testing.assert_array_equal(self.solve("cb", *noise, "--blocks", "2:4")[0]["an"], an[2:4])

    def test_noise_without_a_null(self):
        """Two antennas, one user: phases exist where both are equally loud, nowhere else."""
        H = np.ones((3, 1, 2, 1, 1), np.complex64)
        H[1, 0, 0] = 3
        H[2, 0, 1] = 2j
        write(self.input, {"H_hat": H, "error_variance": np.zeros((2, 1))})
        result, text = self.solve("cb", "--an", "phase-only")
        self.assertTrue(np.all(result["an"][1:] == 0))
        np.testing.assert_allclose(abs(result["an"][0]), np.sqrt(0.2), rtol=1e-6)
        self.assertLess(abs(result["an"][0].sum()), 1e-6)
        self.assertRegex(text, r"subbands without noise: no phases null all users\s+2\n")
        # With budgets 1 and 9 the two are equally loud where the first is three times the other.
        write(self.input, {"H_hat": H, "error_variance": np.zeros((2, 1))}, [("ap_power", np.array([1.0, 9.0]))])
        result, text = self.solve("cb", "--an", "phase-only")
        self.assertEqual([bool(np.any(an)) for an in result["an"]], [False, True, False])
        self.assertRegex(text, r"subbands without noise: no phases null all users\s+2\n")
        write(self.input, {"H_hat": H[:, :, :1], "error_variance": np.zeros((1, 1))})
        os.unlink(self.out)
        self.refuse(["--an phase-only", "two antennas"], "cb", ["--an", "phase-only"])

    def test_nullspace_noise(self):
        data = make(n_block=5, n_sb=3, n_ant=4, n_ue=3, seed=13)
        power = np.array([1.0, 2.0, 0.5, 3.0])
        write(self.input, data, [("ap_power", power)])
        noise = ("--an", "nullspace", "--an-share", "0.4", "--upsilon")
        for upsilon in ("1", "0.6"):
            result, text = self.solve("rzf", *noise, upsilon, "--threads", "1")
            an = result["an"]
            self.check_powers(result, text, 0.4, power)
            np.testing.assert_allclose((abs(an) ** 2).sum(axis=3), np.broadcast_to(0.4 * power, (5, 3, 4)), rtol=1e-5)
            self.assertNotIn("no phases", text)
            n_weak = 0
            for m, beta in enumerate(data["beta"]):
                order = np.argsort(-beta)
                n = int(np.searchsorted(np.cumsum(beta[order]), float(upsilon) * beta.sum() * (1 - 1e-12))) + 1
                self.assertLess(self.heard(data["H_hat"][:, :, m][..., order[:n]], an[:, :, m]), 1e-5)
                if n < 3:
                    n_weak += 1
                    self.assertGreater(self.heard(data["H_hat"][:, :, m][..., order[n:]], an[:, :, m]), 0.1)
            self.assertEqual(n_weak > 0, upsilon != "1")
        np.testing.assert_array_equal(self.solve("rzf", *noise, upsilon, "--threads", "3")[0]["an"], an)
        np.testing.assert_array_equal(self.solve("rzf", *noise, upsilon, "--blocks", "2:4")[0]["an"], an[2:4])
        other = self.solve("rzf", *noise, upsilon, "--seed", "2")[0]["an"]
        self.assertGreater(abs(an - other).max(axis=3).min(), 1e-3)
        flat = an.reshape(15, 4, 4) / np.sqrt(0.4 * power)[:, None]
        alike = abs(np.einsum("iman,jman->ijm", flat[:, :, None].conj(), flat[:, :, None]))
        self.assertLess(alike[~np.eye(15, dtype=bool)].max(), 1 - 1e-6)  # no vector comes twice

    def test_noise_and_masks(self):
        """Absent access points send none, absent users are not looked at, nobody served means no noise."""
        data = make(n_block=4, n_ant=4, seed=14)
        del data["H"], data["beta"]
        aps, users = np.ones((4, 4), np.uint8), np.full((4, 2), 255, np.uint8)
        aps[1, 2] = users[2, 1] = 0
        aps[3] = 0
        data["H_hat"][1, :, 2] = data["H_hat"][2, ..., 1] = data["H_hat"][3] = np.nan
        write(self.input, {**data, "block/ap_used": aps, "block/user_used": users})
        for an_name in ("phase-only", "nullspace"):
            an = self.solve("zf", "--an", an_name, "--upsilon", "1")[0]["an"]
            self.assertTrue(np.all(an[1, :, 2] == 0) and np.all(an[3] == 0))
            power = (abs(an) ** 2).sum(axis=3)
            np.testing.assert_allclose(power[np.arange(4) != 3][np.broadcast_to(aps[:3, None], (3, 2, 4)) == 1], 0.2, rtol=1e-5)
            H = np.nan_to_num(data["H_hat"])
            if an_name == "phase-only":
                H, an = H.reshape(4, 2, 16, 2), an.reshape(4, 2, 16)
            else:
                H, an = H[:, :, [0, 1, 3]], an[:, :, [0, 1, 3]]
            self.assertLess(max(self.heard(H[:2], an[:2]), self.heard(H[2:3, ..., :1], an[2:3])), 1e-5)
        users[:] = 0
        data["H_hat"] = make(n_block=4, n_ant=4, seed=14)["H_hat"]
        write(self.input, {**data, "block/user_used": users})
        for an_name in ("phase-only", "nullspace"):
            self.assertTrue(np.all(self.solve("zf", "--an", an_name)[0]["an"] == 0))

    def test_recording(self):
        """Only what was used is solved and looked at; a recording cut off between datasets has its common blocks."""
        data = make(n_block=4, seed=9)
        del data["H"], data["beta"]
        aps, users = np.ones((4, 4), np.uint8), np.ones((4, 2), np.uint8)
        aps[1, 2] = 0
        users[2, 1] = 0
        aps[3] = 0
        data["H_hat"][1, :, 2] = np.nan
        data["H_hat"][2, ..., 1] = np.nan
        data["H_hat"][3] = np.nan
        data["error_variance"] = np.broadcast_to(data["error_variance"], (4, 2, 4, 2)).copy()
        data["error_variance"][3] = np.nan
        beta = np.broadcast_to(make(seed=9)["beta"], (4, 4, 2))
        masks = {"block/ap_used": aps, "block/user_used": users, "block/beta": beta}
        write(self.input, {**data, **masks})
        for scheme in ("zf", "ppzf"):
            result, text = self.solve(scheme)
            W = result["W"]
            self.assertTrue(np.isfinite(W).all())
            self.assertTrue(np.all(W[1, :, 2] == 0) and np.all(W[2, ..., 1] == 0) and np.all(W[3] == 0))
            self.assertTrue(np.all(W[1, :, [0, 1, 3]] != 0) and np.all(W[2, ..., 0] != 0))
            np.testing.assert_array_equal(result["reason"], [0, 0, 0, 3])
            self.assertRegex(text, r"subbands: as asked\s+6\n")
            self.assertRegex(text, r"subbands: no active AP\s+2\n")
            self.assertTrue(np.all(result["sinr_predicted"][2, :, 1] == 0))
            used = sinr(data["H_hat"][1, 0][[0, 1, 3]], W[1, 0][[0, 1, 3]], data["error_variance"][1, 0][[0, 1, 3]])
            np.testing.assert_allclose(result["sinr_predicted"][1, 0], used, rtol=1e-4)
        write(self.input, {**data, **masks, "block/ap_used": aps[:2]})
        self.assertEqual(self.solve("zf")[0]["W"].shape[0], 2)

    def test_table(self):
        data = make(n_block=40, seed=10)
        write(self.input, data)
        result, text = self.solve("rzf")
        worst = {name: 10 * np.log10(result[name].min(axis=2)) for name in ("sinr_predicted", "sinr_true")}
        for word, name in (("predicted", "sinr_predicted"), ("true", "sinr_true")):
            mean, low = re.search(word + r" SINR of the worst user, dB\s+mean (\S+), 5 % quantile (\S+)", text).groups()
            self.assertAlmostEqual(float(mean), worst[name].mean(), delta=0.006)
            self.assertAlmostEqual(float(low), np.sort(worst[name].ravel())[3], delta=0.011)  # 5 % of 80
        median, p99 = re.search(r"median (\S+), p99 (\S+)", text).groups()
        times = np.sort(result["subband/solve_time_s"].ravel()) * 1e6
        self.assertAlmostEqual(float(median) / times[39], 1, delta=0.05)
        self.assertAlmostEqual(float(p99) / times[79], 1, delta=0.05)
        use = (abs(result["W"].astype(complex)) ** 2).sum(axis=(3, 4)).max()
        self.assertAlmostEqual(float(re.search(r"power use of an AP\s+(\S+)", text).group(1)), use, delta=1e-6)
        self.assertEqual(self.run_tool("rzf", "--force", "--quiet").stdout, "")

    def test_example(self):
        script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "examples", "read_precoder.py")
        answer = subprocess.run([sys.executable, script, TUTTI], capture_output=True, text=True, timeout=60)
        self.assertEqual(answer.returncode, 0, answer.stderr)
        shown = re.findall(r"^(\w+): least SINR (\S+) dB, tutti says (\S+) dB$", answer.stdout, re.M)
        self.assertEqual([line[0] for line in shown], ["zf", "ob"])
        for _, ours, theirs in shown:
            self.assertAlmostEqual(float(ours), float(theirs), delta=0.0015)
        self.assertGreater(float(shown[1][1]), float(shown[0][1]))

    # what is refused

    def refuse(self, words, scheme="zf", more=(), status=1):
        answer = self.run_tool(scheme, *more)
        self.assertEqual(answer.returncode, status, answer.stderr)
        self.assertEqual(len(answer.stderr.strip().splitlines()), 1, answer.stderr)
        for word in words:
            self.assertIn(word, answer.stderr)
        self.assertEqual(answer.stdout, "")
        self.assertFalse(os.path.exists(self.out) or os.path.exists(self.out + ".part"))

    def test_bad_values(self):
        good = make()
        index = {"H_hat": (2, 1, 3, 1, 0), "H": (2, 1, 3, 1, 0)}
        for name in ("H_hat", "H"):
            for value, shown in fewer(((2e10, "2e+10"), (np.nan, "nan"), (np.inf, "inf"), (-1j * np.inf, "inf")), 2):
                data = {key: array.copy() for key, array in good.items()}
                data[name][index[name]] = value
                write(self.input, data)
                self.refuse([self.input, f"/{name} at block 2, subband 1, ap 3, antenna 1, user 0 is", shown,
                             "0 to 1e+10"])
        for value, shown in fewer(((np.nan, "nan"), (-1e-9, "-1e-09"), (np.inf, "inf"), (1e300, "1e+300")), 2):
            for name in ("error_variance", "beta"):
                data = {key: array.copy() for key, array in good.items()}
                data[name][3, 1] = value
                write(self.input, data)
                self.refuse([self.input, f"/{name} at ap 3, user 1 is {shown}; allowed are finite values 0 to"])
            data = dict(good, error_variance=np.full((3, 2, 4, 2), 0.1))
            data["error_variance"][1, 0, 2, 1] = value
            write(self.input, data)
            self.refuse([f"/error_variance at block 1, subband 0, ap 2, user 1 is {shown}"])
        data = dict(good, H_hat=good["H_hat"].astype(np.complex128))
        data["H_hat"][0, 0, 0, 2, 1] = 1e200
        write(self.input, data)
        self.refuse(["/H_hat at block 0, subband 0, ap 0, antenna 2, user 1 is inf"])
        data = make(n_block=200)
        data["H_hat"][199, 1, 3, 2, 1] = np.nan
        write(self.input, data)  # said before anything is solved: no line of progress
        self.refuse(["/H_hat at block 199, subband 1, ap 3, antenna 2, user 1 is nan"], more=["--threads", "1"])

    def test_bad_shapes(self):
        good = make()

        def bad(words, **changes):
            data = {key: value for key, value in {**good, **changes}.items() if value is not None}
            write(self.input, data)
            self.refuse([self.input, *words])

        bad(["/H_hat is missing", "[block][subband][ap][antenna][user]"], H_hat=None)
        bad(["/error_variance is missing", "[ap][user]"], error_variance=None)
        bad(["/H_hat has rank 4, shape [2 4 3 2]", "rank 5"], H_hat=good["H_hat"][0])
        bad(["/H_hat", "rank 7"], H_hat=good["H_hat"][None, None])
        bad(["/H_hat holds real numbers", "complex"], H_hat=good["H_hat"].real)
        bad(["/error_variance holds complex numbers", "real"], error_variance=good["error_variance"] + 0j)
        bad(["/H_hat holds text"], H_hat="text")
        bad(["/error_variance has shape [2 4]", "[3 2 4 2] or [4 2]"], error_variance=good["error_variance"].T)
        bad(["/error_variance has shape [2 2 4 2]"], error_variance=np.ones((2, 2, 4, 2)))
        bad(["/error_variance has shape []"], error_variance=0.1)
        bad(["/H has shape [2 2 4 3 2]", "[3 2 4 3 2]"], H=good["H"][:2])
        bad(["/H has", "rank 7"], H=good["H"][None, None])
        bad(["/beta has shape [4 1]"], beta=good["beta"][:, :1])
        bad(["/block/ap_used has shape [3 2]", "[3 4]"], **{"block/ap_used": np.ones((3, 2), np.uint8)})
        for axis, (name, most) in enumerate((("block", 0), ("subband", 512), ("ap", 512), ("antenna", 64), ("user", 128))):
            for n, allowed in ((0, f"1 to {most}" if most else "at least 1"), (most + 1, f"1 to {most}")):
                if n and not most:
                    continue
                shape = [1] * 5
                shape[axis] = n
                bad([f"/H_hat, dimension {axis} ({name}) is {n}; allowed is {allowed}"],
                    H_hat=np.ones(shape, np.complex64))

    def test_bad_powers(self):
        for value, words in ((-1.0, ["-1 for ap 0"]), (np.nan, ["nan"]), (np.inf, ["inf"]), ("much", ["text"]),
                             (np.ones(3), ["3 value(s)", "one per access point (4)"]),
                             (np.array([1, 1, -2.0, 1]), ["-2 for ap 2"])):
            write(self.input, make(), [("ap_power", value)])
            self.refuse(["ap_power", self.input, *words])

    def test_scheme_rules(self):
        write(self.input, make(n_ap=1, n_ant=3, n_ue=4))
        self.refuse(["fzf", "more antennas", "3 antennas, 4 users"], "fzf")
        self.refuse(["zf", "at least as many antennas in all as users", "= 3, 4 users"], "zf")
        for scheme in ("pzf", "ppzf", "rzf", "ob", "cb"):
            self.solve(scheme)
        os.unlink(self.out)
        write(self.input, make(n_ant=2, n_ue=2))
        self.refuse(["fzf", "2 antennas, 2 users"], "fzf")

    def test_usage(self):
        write(self.input, make())
        for words, scheme, more in ((["--scheme mmse", ", ".join(SCHEMES)], "mmse", []),
                                    (["--an noise", "none, nullspace, phase-only"], "zf", ["--an", "noise"]),
                                    (["--an-share 1", "0 to 0.99"], "zf", ["--an", "nullspace", "--an-share", "1"]),
                                    (["--an-share", "--an nullspace"], "zf", ["--an-share", "0.1"]),
                                    (["--seed", "--an phase-only"], "zf", ["--an", "none", "--seed", "2"]),
                                    (["--seed -1"], "zf", ["--an", "nullspace", "--seed", "-1"]),
                                    (["--power big", "equal, maxmin"], "zf", ["--power", "big"]),
                                    (["--power equal_sent", "equal_shares, by_strength"], "cb", ["--power", "equal_sent"]),
                                    (["--power equal", "ob"], "ob", ["--power", "equal"]),
                                    (["--upsilon 2", "0 to 1"], "pzf", ["--upsilon", "2"]),
                                    (["--gap nan"], "ob", ["--gap", "nan"]),
                                    (["--threads 0"], "zf", ["--threads", "0"]),
                                    (["--blocks 5", "A:B"], "zf", ["--blocks", "5"]),
                                    (["--blocks 2:2"], "zf", ["--blocks", "2:2"]),
                                    (["--blocks -1:2"], "zf", ["--blocks", "-1:2"]),
                                    (["--nonsense"], "zf", ["--nonsense"]),
                                    (["--gap needs a value"], "zf", ["--gap"])):
            self.refuse(words, scheme, more, status=2)
        self.refuse(["--blocks 1:9", "0:3"], more=["--blocks", "1:9"])
        for missing in ("--channel", "--scheme", "--out"):
            arguments = self.arguments("zf")
            at = arguments.index(missing)
            answer = subprocess.run(arguments[:at] + arguments[at + 2:], capture_output=True, text=True)
            self.assertEqual(answer.returncode, 2)
            self.assertIn(f"{missing} ", answer.stderr)
        help_text = subprocess.run([TUTTI, "precode", "--help"], capture_output=True, text=True)
        self.assertEqual(help_text.returncode, 0)
        self.assertIn("Usage: tutti precode", help_text.stdout)

    @staticmethod
    def bytes_of(path):
        with open(path, "rb") as file:
            return file.read()

    def test_files(self):
        self.refuse([self.input, "No such file"])
        with open(self.input, "w") as file:
            file.write("not HDF5")
        self.refuse([self.input])
        write(self.input, make())
        os.truncate(self.input, os.path.getsize(self.input) // 2)
        self.refuse([self.input])
        write(self.input, make())
        before = self.bytes_of(self.input)
        self.solve("zf")
        answer = self.run_tool("cb")
        self.assertEqual(answer.returncode, 1)
        self.assertIn("--force", answer.stderr)
        with h5py.File(self.out) as file:
            self.assertEqual(file["scheme"][0], 1)
        os.unlink(self.out)
        os.link(self.input, self.out)  # another name of the input
        for path in (self.input, self.out):
            answer = subprocess.run(self.arguments("zf", "--force")[:-2] + [path, "--force"], capture_output=True, text=True)
            self.assertEqual((answer.returncode, answer.stderr.count("\n")), (1, 1), answer.stderr)
            self.assertIn("the output is the input", answer.stderr)
        os.unlink(self.out)
        os.link(self.input, self.out + ".part")
        answer = self.run_tool("zf", "--force")
        self.assertEqual(answer.returncode, 1)
        self.assertIn("choose another", answer.stderr)
        os.unlink(self.out + ".part")
        self.assertEqual(self.bytes_of(self.input), before)
        self.out = self.path("none/out.h5")
        self.refuse([self.out, "No such file or directory"])
        self.out = self.folder
        answer = self.run_tool("zf", "--force")
        self.assertEqual((answer.returncode, answer.stderr.count("\n")), (1, 1))
        self.assertIn("not a file", answer.stderr)

    def test_force_replaces_files_and_nothing_else(self):
        """Links, pipes, and what a running program writes, also where the output grows."""
        write(self.input, make())
        victim = self.path("victim")
        with open(victim, "w", encoding="utf-8") as file:
            file.write("mine")
        for place in (self.out, self.out + ".part"):
            for target in (victim, self.path("nowhere")):
                os.symlink(target, place)
                self.refuse_forced(place)
                self.assertTrue(os.path.islink(place))
                os.unlink(place)
            os.mkfifo(place)
            self.refuse_forced(place)
            os.unlink(place)
        with open(victim, encoding="utf-8") as file:
            self.assertEqual(file.read(), "mine")
        shutil.copy(self.input, self.out)
        before = self.bytes_of(self.out)
        with open(self.out + ".lock", "w", encoding="utf-8") as lock:  # as tutti-cpu holds it while it records
            fcntl.flock(lock, fcntl.LOCK_EX)
            self.refuse_forced("being written by a running tutti-cpu")
        self.assertEqual(self.bytes_of(self.out), before)
        self.solve("zf")  # the lock is nobody's any more
        self.assertNotEqual(self.bytes_of(self.out), before)

    def refuse_forced(self, words):
        answer = self.run_tool("zf", "--force")
        self.assertEqual((answer.returncode, answer.stderr.count("\n")), (1, 1), answer.stderr)
        self.assertIn(words, answer.stderr)

    # progress and interruption

    def start_long(self):
        """A job that is sure to be interrupted in its middle; returns when some blocks have been written."""
        data = make(n_block=300, n_sb=2, n_ap=96, n_ant=1, n_ue=40, seed=11)
        write(self.input, {name: data[name] for name in ("H_hat", "error_variance")})
        tool = subprocess.Popen(self.arguments("ob", "--gap", "1e-6", "--threads", "1"), stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True,
                                env={**os.environ, "ASAN_OPTIONS": "handle_segv=0", "TSAN_OPTIONS": "handle_segv=0"})
        self.addCleanup(tool.kill)
        self.addCleanup(tool.stdout.close)
        self.addCleanup(tool.stderr.close)
        end = time.monotonic() + 20
        while time.monotonic() < end and tool.poll() is None and self.blocks_in_part() < 3:
            time.sleep(0.1)
        self.assertIsNone(tool.poll())
        return tool

    def blocks_in_part(self):
        try:
            with h5py.File(self.out + ".part", "r", swmr=True) as file:
                return int(np.isfinite(file["sinr_predicted"][:, 0, 0]).sum())
        except (OSError, KeyError, ValueError):
            return 0

    def check_part(self, swmr):
        part = self.out + ".part"
        with h5py.File(part, "r", swmr=swmr) as file, h5py.File(self.input) as source:
            n = file["W"].shape[0]
            self.assertGreater(n, 0)
            self.assertLess(n, 300)
            W = file["W"][:]
            done = np.isfinite(W).all(axis=(1, 2, 3, 4))
            self.assertTrue(done.any())
            last = int(np.flatnonzero(done)[-1])
            self.assertTrue(done[:last].all())
            np.testing.assert_allclose(sinr(source["H_hat"][last, 1], W[last, 1], source["error_variance"][:]),
                                       file["sinr_predicted"][last, 1], rtol=1e-3)
            return n

    def test_stop_signals(self):
        for number in fewer((signal.SIGTERM, signal.SIGINT)):
            tool = self.start_long()
            other = self.run_tool("cb")  # nobody else may write there meanwhile
            self.assertEqual(other.returncode, 1)
            self.assertIn("another process is writing", other.stderr)
            asked = time.monotonic()
            tool.send_signal(number)
            err = tool.communicate(timeout=20)[1]
            self.assertLess(time.monotonic() - asked, 5)
            self.assertEqual(tool.returncode, 1)
            last = err.strip().splitlines()[-1]
            self.assertIn(f"interrupted; {self.out}.part is kept and readable", last)
            self.assertFalse(os.path.exists(self.out))
            self.assertIn(f"with {self.check_part(swmr=False)} of 300 blocks", last)
            os.unlink(self.out + ".part")

    def test_kill(self):
        if SANITIZERS:
            self.leave_out("a killed process is the same in every build")
        tool = self.start_long()
        tool.kill()
        tool.communicate(timeout=20)
        self.assertFalse(os.path.exists(self.out))
        self.check_part(swmr=True)
        self.solve("cb")  # the next one takes the place of the part

    def test_crash(self):
        tool = self.start_long()
        with open(f"/proc/{tool.pid}/task/{tool.pid}/children") as children:
            child = int(children.read().split()[0])
        os.kill(child, signal.SIGSEGV)
        err = tool.communicate(timeout=20)[1]
        self.assertEqual(tool.returncode, 1)
        self.assertRegex(err.splitlines()[-1], rf"^tutti precode: {self.input}: crashed at work on it \(SIGSEGV\)")
        self.assertEqual(os.listdir(self.folder), ["in.h5"])

    def test_full_disk(self):
        write(self.input, make(n_block=200, n_sb=4, n_ap=8, n_ant=4))

        def limit():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, n_bytes))

        for n_bytes in (0, 1000, 30_000, 200_000):
            answer = subprocess.run(self.arguments("zf", "--quiet"), capture_output=True, text=True, preexec_fn=limit)
            self.assertEqual((answer.returncode, answer.stderr.count("\n")), (1, 1), answer.stderr)
            self.assertIn(f"{self.out}.part: ", answer.stderr)
            self.assertEqual(os.listdir(self.folder), ["in.h5"])

    def test_progress(self):
        write(self.input, make(n_block=1000, n_sb=1))
        answer = self.run_tool("zf")
        lines = answer.stderr.splitlines()
        self.assertEqual(answer.returncode, 0)
        self.assertTrue(9 <= len(lines) <= 12, answer.stderr)
        self.assertNotIn("\r", answer.stderr)
        self.assertIn("1000/1000", lines[-1])
        try:
            master, slave = pty.openpty()
        except OSError as error:
            self.skipTest(f"no terminal to be had here: {error}")
        tool = subprocess.Popen(self.arguments("zf", "--force"), stdout=subprocess.DEVNULL, stderr=slave)
        os.close(slave)
        text = b""
        try:
            while chunk := os.read(master, 4096):
                text += chunk
        except OSError:
            pass  # the terminal is gone with its program
        os.close(master)
        self.assertEqual(tool.wait(), 0)
        self.assertIn(b"\r[", text)
        self.assertNotIn(b"\n", text)

    def test_memory_stays_flat(self):
        if SANITIZERS:
            self.leave_out("a sanitizer's allocator is not the one that is looked at")
        # A process is charged with the memory of the one that starts it: a small one does, not this one with its arrays.
        starter = "import os, subprocess, sys; _, status, usage = os.wait4(subprocess.Popen(sys.argv[1:]).pid, 0); print(status, usage.ru_maxrss)"
        used = []
        for n_block in (40, 1600):
            write(self.input, make(n_block=n_block, n_sb=4, n_ap=8, n_ant=4, n_ue=8))
            command = self.arguments("cb", "--force", "--quiet", "--threads", "2")
            told = subprocess.run([sys.executable, "-I", "-c", starter, *command], capture_output=True, text=True, timeout=60)
            status, kib = (int(word) for word in told.stdout.split())
            self.assertEqual(status, 0, told.stderr)
            used.append(kib)
        self.assertLess(used[1] - used[0], 8 * 1024, used)  # the longer file is 13 MB per dataset


class FromElsewhere(unittest.TestCase):
    """Files as other programs write them: read, or a sentence that says what it is and what to do."""

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="tutti-test-")

    def tearDown(self):
        shutil.rmtree(self.folder)

    def path(self, name):
        return os.path.join(self.folder, name)

    def tutti(self, *arguments):
        return subprocess.run([TUTTI, *arguments], capture_output=True, text=True, cwd=self.folder, timeout=60)

    def compound(self, values, names, real=np.float64):
        out = np.empty(values.shape, [(names[0], real), (names[1], real)])
        out[names[0]], out[names[1]] = values.real, values.imag
        return out

    def test_complex_as_others_name_it(self):
        data = make()
        write(self.path("ours.h5"), data)
        self.assertEqual(self.tutti("precode", "--scheme", "zf", "--channel", "ours.h5", "--out", "ours.W.h5", "--quiet").returncode, 0)
        with h5py.File(self.path("ours.W.h5"), "r") as file:
            expected = file["W"][:]
        for names in (("real", "imag"), ("r", "i")):
            theirs = {**data, "H_hat": self.compound(data["H_hat"], names), "H": self.compound(data["H"], names)}
            write(self.path("theirs.h5"), theirs)
            answer = self.tutti("precode", "--scheme", "zf", "--channel", "theirs.h5", "--out", "theirs.W.h5", "--quiet", "--force")
            self.assertEqual(answer.returncode, 0, answer.stderr)
            with h5py.File(self.path("theirs.W.h5"), "r") as file:
                self.assertTrue(np.array_equal(file["W"][:], expected))
            self.assertRegex(self.tutti("inspect", "theirs.h5").stdout, r"(?m)^/H_hat +c64")

    def solved(self, name, data, *more, scheme="ppzf"):
        """W, predicted and true SINR of a file with this content, and what was said."""
        write(self.path(name + ".h5"), data)
        answer = self.tutti("precode", "--scheme", scheme, "--channel", name + ".h5", "--out", name + ".W.h5", "--force", *more)
        self.assertEqual(answer.returncode, 0, answer.stderr)
        with h5py.File(self.path(name + ".W.h5"), "r") as file:
            return [file[k][:] for k in ("W", "sinr_predicted", "sinr_true")], answer.stderr

    def turned(self, data, trailing_ones=False):
        """The same arrays as MATLAB writes them: reversed, and without ones at the end of its own order if there are more than two."""
        out = {}
        for name, value in data.items():
            value = np.asarray(value)
            while trailing_ones and value.ndim > 2 and value.shape[-1] == 1:
                value = value[..., 0]
            out[name] = np.ascontiguousarray(value.T)
        return out

    def assert_same(self, ours, theirs):
        for a, b in zip(ours, theirs):
            self.assertTrue(np.array_equal(a, b))

    def test_dimensions_in_reverse_order(self):
        for n_block in (3, 130):  # more blocks than there may be users, too
            data = make(n_block=n_block)
            ours, told = self.solved("ours", data)
            self.assertNotIn("reverse order", told)
            theirs, told = self.solved("theirs", self.turned(data))
            self.assert_same(ours, theirs)
            self.assertIn("theirs.h5: dimensions in reverse order", told)
            part, _ = self.solved("theirs", self.turned(data), "--blocks", "1:3")  # from the middle
            self.assert_same([a[1:3] for a in ours], part)
        masks = {"block/ap_used": np.array([[1, 1, 0, 1], [1, 1, 1, 1], [1, 0, 1, 1]], np.uint8),
                 "block/user_used": np.array([[1, 1], [1, 0], [1, 1]], np.uint8), "block/beta": np.full((3, 4, 2), 3.0)}
        data = {**make(), **masks, "error_variance": np.random.default_rng(2).uniform(0.1, 0.2, (3, 2, 4, 2))}
        self.assert_same(self.solved("ours", data)[0], self.solved("theirs", self.turned(data))[0])

    def test_reverse_order_as_writers_tell_or_leave_out(self):
        data = make(n_ue=1)  # MATLAB keeps no ones at the end
        left_out = self.turned(data, trailing_ones=True)
        self.assertEqual((left_out["H_hat"].ndim, left_out["error_variance"].ndim), (4, 2))
        self.assert_same(self.solved("ours", data)[0], self.solved("theirs", left_out)[0])
        data = make(n_block=2, n_sb=3, n_ap=2, n_ant=3, n_ue=2)  # both orders would do
        ours, told = self.solved("ours", data)
        self.assertNotIn("reverse order", told)
        self.assert_same(ours, self.solved("theirs", self.turned(data), "--layout", "columns")[0])
        self.assert_same(ours, self.solved("ours", data, "--layout", "rows")[0])
        self.assertFalse(np.array_equal(ours[0], self.solved("theirs", self.turned(data))[0][0]))  # auto takes rows then
        write(self.path("matlab.h5"), self.turned(data), [("MATLAB_class", np.bytes_("double"))], on="H_hat")
        octave = {f"{name}/value": value for name, value in self.turned(data).items()}
        write(self.path("octave.h5"), octave)
        for name in ("matlab", "octave"):
            answer = self.tutti("precode", "--scheme", "ppzf", "--channel", name + ".h5", "--out", name + ".W.h5")
            self.assertEqual(answer.returncode, 0, answer.stderr)
            with h5py.File(self.path(name + ".W.h5"), "r") as file:
                self.assertTrue(np.array_equal(file["W"][:], ours[0]))

    def test_orders_that_do_not_go_together(self):
        data = make()
        mixed = {"H_hat": data["H_hat"], "error_variance": np.ascontiguousarray(data["error_variance"].T)}
        for name, content, more, words in (("mixed", mixed, (), "in another order than those of /H_hat"),
                                           ("rows", self.turned(data), ("--layout", "rows"), "needs"),
                                           ("columns", data, ("--layout", "columns"), "needs")):
            write(self.path(name + ".h5"), content)
            answer = self.tutti("precode", "--scheme", "zf", "--channel", name + ".h5", "--out", "W.h5", *more)
            self.assertEqual(answer.returncode, 1)
            self.assertIn(words, answer.stderr)
            self.assertEqual(len(answer.stderr.strip().splitlines()), 1)
        self.assertIn("--layout diagonal is unknown",
                      self.tutti("precode", "--scheme", "zf", "--channel", "rows.h5", "--out", "W.h5", "--layout", "diagonal").stderr)

    def test_what_is_no_hdf5(self):
        cases = {"m.mat": (b"MATLAB 5.0 MAT-file, Platform: GLNXA64".ljust(200), "-v7.3"), "h.h5.gz": (b"\x1f\x8b\x08" + bytes(50), "gunzip"),
                 "empty.h5": (b"", "is empty"), "a.npy": (b"\x93NUMPY\x01" + bytes(90), "h5py"), "s.sigmf-meta": (b'{"global": {}}', "SigMF"),
                 "o.txt": (b"# Created by Octave 7.3.0, Mon\n", "save -hdf5"), "noise": (bytes(range(200)), "")}
        for name, (content, words) in cases.items():
            with open(self.path(name), "wb") as file:
                file.write(content)
            for command in fewer((("precode", "--scheme", "zf", "--channel", name, "--out", "W.h5"), ("inspect", name), ("report", name)),
                                 3 if name == "m.mat" else 1):
                answer = self.tutti(*command)
                self.assertEqual(answer.returncode, 1, command)
                # inspect reads recordings of samples: it says what is wrong with this one
                self.assertIn("core:version" if (command[0], words) == ("inspect", "SigMF") else words, answer.stderr)
                self.assertEqual(len(answer.stderr.strip().splitlines()), 1)
        os.mkfifo(self.path("pipe"))
        for command in (("precode", "--scheme", "zf", "--channel", "pipe", "--out", "W.h5"), ("inspect", "pipe"), ("report", "pipe")):
            self.assertIn("is a pipe", self.tutti(*command).stderr)  # and does not wait for a writer
        self.assertIn("is a folder", self.tutti("inspect", ".").stderr)

    def test_inspect_names_what_it_cannot_read(self):
        with h5py.File(self.path("odd.h5"), "w") as file:
            file["fine"] = np.arange(3.0)
            file["group/pairs"] = np.zeros(2, [("x", np.float32), ("y", np.int32), ("z", np.int32)])
            file["deep"] = np.zeros((1,) * 8)
            file.create_dataset("nothing", data=h5py.Empty("f4"))
        answer = self.tutti("inspect", "odd.h5")
        listed, unreadable = answer.stdout.split("Not readable here\n")
        self.assertIn("/fine", listed)
        for name, why in (("/group/pairs", "unknown type"), ("/deep", "rank 8"), ("/nothing", "type")):
            self.assertRegex(unreadable, rf"(?m)^{name}  \(.*{why}")

    def test_raw_path_gains_get_a_hint(self):
        data = make()
        write(self.path("good.h5"), data)
        write(self.path("raw.h5"), {"H_hat": data["H_hat"] * np.float32(1e-6), "error_variance": data["error_variance"] * 1e-12})
        good, raw = (self.tutti("precode", "--scheme", "zf", "--channel", name + ".h5", "--out", name + ".W.h5") for name in ("good", "raw"))
        self.assertEqual((good.returncode, raw.returncode), (0, 0))
        self.assertNotIn("hint", good.stderr)
        self.assertIn("sqrt(transmit power / noise power)", raw.stderr)


if __name__ == "__main__":
    TUTTI, SANITIZERS = os.path.abspath(sys.argv.pop(1)), sys.argv.pop(1)
    helped = subprocess.run([TUTTI, "precode", "--help"], capture_output=True, text=True).stdout
    lines = helped.partition("\n  --scheme NAME")[2].partition("\n  --power NAME")[0].split("\n")
    SCHEMES.update({line.split()[0]: number for number, line in enumerate(lines)})
    unittest.main()
