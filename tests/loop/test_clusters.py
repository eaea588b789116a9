# SPDX-License-Identifier: GPL-3.0-or-later
"""Users that share pilots, each served by some access points: what access points estimate per pilot becomes users' estimates as good as they say,
clusters are those of the rule, nothing is sent outside them, users measure what is expected with every scheme of clusters, with gains that are known
or learnt, and an access point whose program is killed, or comes back, changes the clusters of its own users only.

usage: test_clusters.py [BLOCKS]
"""
import os
import sys

import numpy as np
from network import BIN, SHORT, Network, blocks, check, check_long, db, fewer, finish, skip

BLOCKS = int(sys.argv[1]) if len(sys.argv) > 1 else max(50, blocks(100))
LEAD = 4  # blocks from a decision to its first block
FIRST = 2 * 8 + LEAD  # two users on a pilot, alone 8 times each
SKIP = FIRST + 20
EXAMPLE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../examples/clusters.yaml")
KILLED, KILL_AFTER, TAIL = 5, 40, 20
NAMES = ["H_hat", "W", "sinr_predicted", "error_variance", "block/user_used", "block/ap_used", "user/sinr_measured", "sinr_expected", "cluster/serves", "cluster/pilot"]


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


def over_subbands(power, errors):
    """Of every user what comes of its own stream and of everything else, sums over subbands, with their variances: errors are the
    same in all of them, for they are other users' channels, flat ones; a power is |known + Gaussian error|^2."""
    p, e = power.sum(axis=1), errors.sum(axis=1)
    own = np.eye(p.shape[-1], dtype=bool)
    variance = e * (e + 2 * p)
    signal, its = (np.where(own, x, 0).sum(-1) for x in (p + e, variance))
    others, theirs = (np.where(own, 0, x).sum(-1) for x in (p + e, variance))
    return signal, its, power.shape[1] + others, theirs


def predictions(what, d):
    used = d["user_used"][SKIP:] > 0
    H, W, E = d["H_hat"][SKIP:], d["W"][SKIP:], d["error_variance"][SKIP:]
    known, errors = np.abs(np.einsum("bsanu,bsanv->bsuv", H.conj(), W)) ** 2, np.einsum("bsau,bsav->bsuv", E, (np.abs(W) ** 2).sum(3))
    power = known + errors
    own = np.einsum("bsuu->bsu", power)
    again = own / (1 + power.sum(-1) - own)
    told = d["sinr_predicted"][SKIP:]
    wrong = np.abs(told / np.maximum(again, 1e-30) - 1)[np.broadcast_to(used[:, None], told.shape)].max()
    check(wrong < 1e-3, f"{what}: predictions are those of estimates and errors, off by {wrong:.1e} at most")
    # What a user measures is one block's ratio of powers: its mean in dB is not the ratio of the mean powers.
    signal, its, disturbance, theirs = over_subbands(known, errors)
    mean = signal / disturbance
    right = mean * np.exp((theirs / disturbance**2 - its / np.maximum(signal, 1e-30) ** 2) / 2)
    expected, measured = d["sinr_expected"][SKIP:], d["sinr_measured"][SKIP:]
    wrong = np.abs(expected / np.maximum(right, 1e-30) - 1)[used].max()
    check(wrong < 1e-3, f"{what}: so are what users are expected to measure, off by {wrong:.1e} at most")
    check(not np.isnan(measured[used]).any() and np.isnan(d["sinr_measured"][d["user_used"] == 0]).all(), f"{what}: who is served reports, nobody else does")
    gap = np.where(used, db(measured) - db(np.where(used, expected, 1)), np.nan)
    of_block = np.nanmean(gap, axis=1)
    chance = of_block.std(ddof=1) / np.sqrt(len(of_block))
    plain = np.nanmean(db(measured[used]) - db(mean[used]))
    check_long(abs(gap[used].mean()) <= 0.3 + chance,
               f"{what}: measured less expected {gap[used].mean():+.3f} dB (chance {chance:.3f}), less the ratio of mean powers {plain:+.3f}")


def rate_of(d, users, first, last):
    used = d["user_used"][first:last] > 0
    return np.nanmean(np.log2(1 + np.where(used, d["sinr_measured"][first:last], np.nan))[:, users])


def newest(net, name):
    try:
        with net.file("run.h5") as f:
            return f[name][-1]
    except (OSError, KeyError, IndexError, ValueError):
        return None


def serves_somebody(net, ap):
    serves = newest(net, "cluster/serves")
    return None if serves is None else bool(serves[ap].any())


def only_its_users(what, before, after, pilots, ap):
    """Clusters changed between two blocks: those of users that the access point served, or serves."""
    its = (before[ap] | after[ap]) > 0
    changed = (before != after).any(axis=0)
    check((pilots[0] == pilots[1]).all(), f"{what}: no pilot moved")
    check(changed.any() and (~its).any() and not changed[~its].any(), f"{what}: {changed.sum()} clusters changed, of {its.sum()} users of its; {(~its).sum()} others stay")
    return ~its


def one_is_killed():
    """kill -9 of an access point's program, with known gains: what changes then is it alone. It comes back."""
    with Example(["pilots.large_scale=known"], 0) as net:
        net.command.append("--keep-going")
        net.start()
        net.wait_until(lambda: serves_somebody(net, KILLED), "clusters with it")
        net.wait_for_block(SKIP + KILL_AFTER)
        at = net.blocks_done()
        net.kill_node("tutti-ap", KILLED)
        net.wait_until(lambda: serves_somebody(net, KILLED) is False, "clusters without it")
        net.wait_for_block(net.blocks_done() + KILL_AFTER)
        back = net.blocks_done()
        net.start_node("tutti-ap", "--id", str(KILLED))
        net.wait_until(lambda: serves_somebody(net, KILLED), "clusters with it again")
        net.wait_for_block(net.blocks_done() + KILL_AFTER + TAIL)
        n = net.blocks_done() - TAIL
        net.process.terminate()
        net.wait()
        with net.file("run.h5") as f:
            d = {name.split("/")[-1]: f[name][:n] for name in NAMES}
    table, pilot, used = d["serves"], d["pilot"], d["ap_used"][:, KILLED] > 0
    left = at + int(np.flatnonzero(~table[at:, KILLED].any(axis=-1))[0])
    again = left + int(np.flatnonzero(table[left:, KILLED].any(axis=-1))[0])
    check(used[FIRST:at].all() and not used[left:back].any() and used[again], f"killed after block {at}, without clusters from {left}, with them again from {again}")
    others = only_its_users("killed", table[at - 1], table[left], pilot[[at - 1, left]], KILLED)
    only_its_users("back", table[again - 1], table[again], pilot[[again - 1, again]], KILLED)
    kept = rate_of(d, others, left, back) / rate_of(d, others, FIRST, at)
    check_long(kept > 0.8, f"killed: the others keep {kept:.3f} of their rate")
    predictions("p_mmse, known gains, before the kill", {name: x[:at] for name, x in d.items()})


for scheme in fewer(["p_mmse", "p_rzf", "lp_mmse"]):
    data = run([f"precoding.scheme={scheme}"])
    clusters(scheme, data)
    estimates(scheme, data)
    predictions(scheme, data)
if SHORT:
    skip("known gains, and an access point that is killed", "runs are short here")
else:
    for scheme in ["p_rzf", "lp_mmse"]:
        predictions(f"{scheme}, known gains", run([f"precoding.scheme={scheme}", "pilots.large_scale=known"]))
    one_is_killed()
finish()
