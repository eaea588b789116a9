# SPDX-License-Identifier: GPL-3.0-or-later
"""The example networks that stand beside the studies, for a few blocks: max-min optimum, zero-forcing and conjugate beams on the same channels
(prediction, the weakest user); phase-only noise with an analogue transmitter (the user's loss, an eavesdropper with one and two antennas); the
others begin and serve. What is predicted is computed again from the true channels.

usage: test_examples.py [BLOCKS]
"""
import os
import sys
import warnings

import numpy as np
from network import BIN, SHORT, Network, blocks, check, check_long, db, fewer, finish, skip

BLOCKS = int(sys.argv[1]) if len(sys.argv) > 1 else blocks(60)
SKIP = 20  # until noise and gains are known well
EXAMPLES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../examples")


class Example(Network):
    def __init__(self, name, sets=(), n_blocks=BLOCKS):
        super().__init__()
        self.command = [os.path.join(BIN, "tutti"), "run", "--config", os.path.join(EXAMPLES, name), "--out", self.out, "--no-report"]
        for s in [f"network.n_blocks={n_blocks}", "air.truth=truth.h5", *sets]:
            self.command += ["--set", s]


def read(name, sets, *paths):
    with Example(name, sets) as net:
        with net.run().file("run.h5") as run, net.file("truth.h5") as truth:
            files = {"run": run, "truth": truth}
            parts = [p.split(":") for p in paths]
            return [files[file][data][SKIP:BLOCKS] if data in files[file] else None for file, data in parts]


def campus():
    """[block] least SINR that W gives by the estimates and their errors, over subbands; least of the users measured."""
    least, worst = {}, {}
    for scheme in ["ob", "zf", "cb"]:
        H, E, W, measured, expected = read("ob-campus.yaml", [f"precoding.scheme={scheme}"], "run:H_hat", "run:error_variance", "run:W",
                                           "run:user/sinr_measured", "run:sinr_expected")
        gap = (db(measured) - db(expected)).mean()
        check_long(abs(gap) <= 0.3, f"ob-campus, {scheme}: measured {db(measured).mean():.2f} dB, {gap:+.3f} to what was expected")
        heard = np.abs(np.einsum("bsmnk,bsmnj->bskj", H.conj(), W)) ** 2
        power = (np.abs(W) ** 2).sum(axis=3)  # [b][s][m][user]
        own = np.einsum("bskk->bsk", heard)
        others = heard.sum(-1) - own + np.einsum("bsmk,bsmj->bsk", E, power) + 1
        least[scheme], worst[scheme] = (own / others).min(-1), db(measured).min(-1)
    lead = (least["ob"] / least["zf"]).min()
    check(lead >= 0.99, f"ob-campus: least SINR with ob over zf's in every block and subband by the estimates: least {lead:.4f}")
    difference = worst["ob"] - worst["zf"]
    check(difference.mean() > 0, f"ob-campus: the weakest user measures {worst['ob'].mean():.2f} dB with ob, {worst['zf'].mean():.2f} with zf")


def at_eve(H, W, noise):
    """SINR [block][user] of an MMSE receiver that knows all channels; analogue beams serve one user per block. Signal over error power, subbands
    summed with weights of unit gain each."""
    g = np.einsum("bsmne,bsmnk->bske", H.conj(), W)
    u = np.einsum("bsmne,bsmn->bse", H.conj(), noise)
    R = np.einsum("bse,bsf->bsef", u, u.conj()) + np.eye(H.shape[-1])
    solved = np.linalg.solve(R[:, :, None], g[..., None])[..., 0]
    v = solved / np.linalg.norm(solved, axis=-1, keepdims=True).clip(1e-30)
    signal = (np.abs((v.conj() * g).sum(-1)) ** 2).sum(1)
    return signal / np.einsum("bske,bsef,bskf->bk", v.conj(), R, v).real.clip(1e-30)


def analog():
    user, eve = {}, {}
    for n_ant, an in fewer([(1, "phase_only"), (1, "none"), (2, "phase_only")]):
        paths = ["run:W", "run:an", "run:user/sinr_measured", "run:eve/sinr_genie", "run:block/user_used", "truth:eve/H"]
        W, noise, measured, genie, used, H = read("analog-noise.yaml", [f"eve.n_ant={n_ant}", f"precoding.an={an}"], *paths)
        on = used == 1
        theory = db(at_eve(H, W, noise if an != "none" else np.zeros_like(W[..., 0]))[on]).mean()
        user[n_ant, an], eve[n_ant, an] = db(measured[on]).mean(), db(genie[:, 0][on]).mean()
        check(abs(eve[n_ant, an] - theory) <= 0.3, f"analog-noise, {an}, {n_ant} antennas: eavesdropper {eve[n_ant, an]:.2f} dB, {theory:.2f} by the channels")
    if SHORT:
        return
    loss = user[1, "none"] - user[1, "phase_only"]
    check(db(1 / 0.6) - 0.1 < loss < db(1 / 0.6) + 1, f"analog-noise: the user loses {loss:.2f} dB, its share of the power is {db(1 / 0.6):.2f}")
    gain = eve[1, "none"] - eve[1, "phase_only"]
    check(gain > 20, f"analog-noise: an eavesdropper with one antenna loses {gain:.1f} dB")
    two = eve[2, "phase_only"] - eve[1, "phase_only"]
    check(two > 20, f"analog-noise: a second antenna gives it {two:.1f} dB: it nulls the noise")


def others():
    for name in ["attack.yaml", "scheduling.yaml", "isac.yaml"]:
        with Example(name, n_blocks=30) as net:
            with net.run().file("run.h5") as run:
                solved, measured = run["block/solved"][:30], run["user/sinr_measured"][:30]
                served = np.isfinite(measured).any(axis=0).sum()
                check((solved == 1).all() and served >= 3, f"{name}: 30 of 30 blocks solved, {served} users measured")


def main():
    warnings.simplefilter("ignore", RuntimeWarning)
    analog()
    if SHORT:
        skip("ob-campus, attack, scheduling, isac", "the same code runs in other tests")
    else:
        campus()
        others()
    finish()


main()
