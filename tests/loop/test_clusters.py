# SPDX-License-Identifier: GPL-3.0-or-later
"""Users that share pilots, each served by some access points: what access points estimate per pilot becomes users' estimates as good as they say,
clusters are those of the rule, nothing is sent outside them, users measure what is predicted with every scheme of clusters, and an access
point that is gone changes the clusters of its own users only.

usage: test_clusters.py [BLOCKS]
"""
import os
import sys

import numpy as np
from network import BIN, SHORT, Network, blocks, check, check_long, db, fewer, finish, skip

BLOCKS = int(sys.argv[1]) if len(sys.argv) > 1 else max(50, blocks(120))
LEAD = 4  # blocks from a decision to its first block
FIRST = 2 * 8 + LEAD  # two users on a pilot, alone 8 times each
SKIP = FIRST + 20
EXAMPLE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../examples/clusters.yaml")
SILENT = 5
NAMES = ["H_hat", "W", "sinr_predicted", "error_variance", "block/user_used", "block/ap_used", "user/sinr_measured", "cluster/serves", "cluster/pilot"]


class Example(Network):
    def __init__(self, sets=(), n_blocks=BLOCKS):
        super().__init__()
        self.command = [os.path.join(BIN, "tutti"), "run", "--config", EXAMPLE, "--out", self.out, "--no-report"]
        for s in [f"network.n_blocks={n_blocks}", "air.truth=truth.h5", "cluster.every_blocks=25", *sets]:
            self.command += ["--set", s]


def run(sets, n_blocks=BLOCKS):
    with Example(sets, n_blocks) as net:
        with net.run().file("run.h5") as f, net.file("truth.h5") as t:
            data = {name.split("/")[-1]: f[name][:n_blocks] for name in NAMES}
            data["H"], data["beta"], data["heard"] = t["H"][:n_blocks], t["beta"][:], f["block/beta"][:n_blocks]
            return data


def clusters(what, d):
    """From the first assignment on."""
    used, serves, pilot = d["user_used"][FIRST:] > 0, d["serves"][FIRST:] > 0, d["pilot"][FIRST:]
    number = np.arange(FIRST, len(d["pilot"]))
    together = number % 10 != 0
    check(used[together].all(), f"{what}: everybody is served where all send pilots")
    alone = [len(set(p[u])) == u.sum() == len(set(p)) for p, u in zip(pilot[~together], used[~together])]
    check(len(alone) > 0 and all(alone), f"{what}: one user of every pilot is served where they are alone, {len(alone)} blocks")
    check(serves.any(axis=1).all() and (serves.sum(axis=1) <= 8).all(), f"{what}: every user has 1 to 8 access points")
    changes = [b for b in range(1, len(d["pilot"])) if (d["serves"][b] != d["serves"][b - 1]).any()]
    most = 0
    for b in changes:  # decided LEAD blocks before, by what was heard then
        best = np.arange(serves.shape[1])[:, None] == d["heard"][b - LEAD].argmax(axis=0)
        most = max(most, *[((d["pilot"][b] == q) & (d["serves"][b] > 0) & ~best).sum(axis=1).max() for q in set(d["pilot"][b])])
    check(changes and changes[0] == FIRST - 1, f"{what}: the first clusters come with block {changes[0]}, {len(changes)} changes")
    check(most == 1, f"{what}: besides those whose best it is an access point serves {most} of a pilot")
    check((np.abs(d["W"][FIRST:]).max(axis=(1, 3))[~serves] == 0).all(), f"{what}: nothing is sent outside clusters")
    power = (np.abs(d["W"]) ** 2).sum(axis=(3, 4)).max()
    check(power <= 1 + 1e-6, f"{what}: largest power of an access point {power:.7f}")


def estimates(what, d):
    used = np.broadcast_to((d["user_used"] > 0)[:, None, :], d["error_variance"][:, 0].shape)[SKIP:]
    error = (np.abs(d["H"] - d["H_hat"]) ** 2).mean(axis=(1, 3))[SKIP:]
    told = d["error_variance"][SKIP:, 0]
    ratio = error[used].sum() / told[used].sum()
    check(0.9 <= ratio <= 1.1, f"{what}: square of the estimates' errors over what is told {ratio:.3f}")
    shared = np.median(told[used] / np.broadcast_to(d["beta"], told.shape)[used])
    check(shared > 1e-3, f"{what}: pilots are shared: the median of the errors is {db(shared):.1f} dB of the gain")


def predictions(what, d):
    used = d["user_used"][SKIP:] > 0
    H, W, E = d["H_hat"][SKIP:], d["W"][SKIP:], d["error_variance"][SKIP:]
    power = np.abs(np.einsum("bsanu,bsanv->bsuv", H.conj(), W)) ** 2 + np.einsum("bsau,bsav->bsuv", E, (np.abs(W) ** 2).sum(3))
    own = np.einsum("bsuu->bsu", power)
    again = own / (1 + power.sum(-1) - own)
    told = d["sinr_predicted"][SKIP:]
    wrong = np.abs(told / np.maximum(again, 1e-30) - 1)[np.broadcast_to(used[:, None], told.shape)].max()
    check(wrong < 1e-3, f"{what}: predictions are those of estimates and errors, off by {wrong:.1e} at most")
    measured = np.where(used, d["sinr_measured"][SKIP:], np.nan)
    check(not np.isnan(measured[used]).any() and np.isnan(d["sinr_measured"][d["user_used"] == 0]).all(), f"{what}: who is served reports, nobody else does")
    told = np.where(used, told.mean(axis=1), np.nan)
    # disturbance over signal: its mean is what is predicted; the mean of the SINR is more where disturbance varies
    over, gap = (-db(np.nanmean(1 / np.maximum(x, 1e-3), axis=0)) for x in (measured, told))
    gap = over - gap
    mean = db(np.nanmean(measured, axis=0)) - db(np.nanmean(told, axis=0))
    check_long(abs(gap.mean()) <= 0.3, f"{what}: measured less predicted {gap.mean():+.3f} dB by disturbance over signal, {mean.mean():+.3f} by SINR")


def one_is_gone():
    """Known gains: what changes then is the access point alone."""
    at, n_blocks = 70, 120  # looks come at 15, 40, 65, 90
    d = run(["pilots.large_scale=known", f"fronthaul.faults={{silent_ap: {SILENT}, from_block: {at}}}"], n_blocks)
    before, after = d["serves"][at - 1] > 0, d["serves"][-1] > 0
    moved = (d["pilot"][at - 1] != d["pilot"][-1]).sum()
    others = ~before[SILENT]
    check(before[SILENT].any() and not after[SILENT].any() and not d["ap_used"][at + 1:, SILENT].any(), "one gone: it serves nobody")
    check(moved == 0, f"one gone: {moved} pilots moved")
    check(others.any() and (before == after)[:, others].all(), f"one gone: the clusters of {others.sum()} others stay")
    used = d["user_used"] > 0
    rate = np.log2(1 + np.where(used, d["sinr_measured"], np.nan))
    kept = np.nanmean(rate[at + 25:, others]) / np.nanmean(rate[FIRST:at, others])
    check_long(kept > 0.8, f"one gone: the others keep {kept:.3f} of their rate")


for scheme in fewer(["p_mmse", "p_rzf", "lp_mmse"]):
    data = run([f"precoding.scheme={scheme}"])
    clusters(scheme, data)
    estimates(scheme, data)
    predictions(scheme, data)
if SHORT:
    skip("an access point that is gone", "runs are short here")
else:
    one_is_gone()
finish()
