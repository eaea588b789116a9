# SPDX-License-Identifier: GPL-3.0-or-later
"""More users than are served: whoever is served decodes its stream whatever its number, those that wait stay and are sounded as
planned, the choice follows the gains, it beats a random one, the same run gives the same choices, and all this
works by the wall clock."""
import re
import sys

import numpy as np
from network import SHORT, Network, check as say, check_long, db, finish, skip

N_AP, N_UE, N_SERVED, EVERY, WINDOW, LEAD = 3, 8, 2, 5, 5, 4
BLOCKS = 80 if SHORT else 180
STRONG, WEAK = 30, 12  # dB over the noise
# 23 dBm over 72 subcarriers, noise of 15 kHz and 9 dB at 290 K
SNR_OF_GAIN = 23 - db(72) - (-174 + db(15000) + 9)
# users 6 and 7 are strong everywhere, until all links of 7 are blocked
GAINS = "[" + ", ".join("[" + ", ".join(f"{(STRONG if k > 5 else WEAK) - SNR_OF_GAIN:.2f}" for k in range(N_UE)) + "]" for _ in range(N_AP)) + "]"
BLOCKED = 50
# Whom a block serves does not depend on its length: 28 symbols instead of 52 where runs are short.
ALL = ['frame.schedule="B G P8 U2 G D14 G"', "frame.block_us=2000"] if SHORT else ['frame.schedule="B G P8 U10 G D30 G"']
TURNS = ['frame.schedule="B G P4 U6 G D14 G"', "frame.block_us=2000"] if SHORT else ['frame.schedule="B G P4 U14 G D30 G"']
TURNS = [*TURNS, "scheduler.sounding=rotate"]
PERIOD = 3  # six wait, two sequences are left
SETS = [f"scheduler.n_served={N_SERVED}", "frame.n_dl_pilot_symbols=2", f"scheduler.blocks={EVERY}", "precoding.power=equal",
        f"scheduler.average_blocks={WINDOW}", "pilots.tracking_blocks=20", "air.large_scale.model=explicit",
        f"air.large_scale.gain_db={GAINS}", "air.fading.model=rayleigh",
        f"air.events=[{{kind: blockage, block: {BLOCKED}, ap: [0, 1, 2], ue: [7], loss_db: 25}}]"]


def check(what, value, least, most):
    say(least <= value <= most, f"{what}: {value:.4g} (from {least} to {most})")


def run(metric, sets):
    with Network(sets=SETS + sets + [f"scheduler.metric={metric}"], n_ap=N_AP, n_ue=N_UE, n_blocks=BLOCKS) as net:
        with net.run().file("run.h5") as f:
            names = ["user/sinr_measured", "user/code_block_errors", "block/user_used", "schedule/place", "schedule/age_blocks", "W",
                     "sinr_predicted", "block/beta"]
            return {name: f[name][:BLOCKS] for name in names}


def sum_rate(data):
    """Per schedule, from the reports."""
    rate = np.nansum(np.where(data["block/user_used"] > 0, np.log2(1 + data["user/sinr_measured"]), 0), axis=1)
    return rate[24:24 + (BLOCKS - 24) // EVERY * EVERY].reshape(-1, EVERY).mean(axis=1)


def decodes(name, data):
    used, sinr = data["block/user_used"] > 0, data["user/sinr_measured"]
    check(f"{name}: served every block", used.sum(axis=1).min(), N_SERVED, N_SERVED)
    check(f"{name}: a place for each of them", np.mean(np.sort(data["schedule/place"], axis=1)[:, -2:] == [0, 1]), 1, 1)
    check(f"{name}: places are of those served", np.mean((data["schedule/place"] >= 0) == used), 1, 1)
    check(f"{name}: reports missing", np.isnan(sinr[used]).sum(), 0, 0)
    check(f"{name}: reports of those that wait", (~np.isnan(sinr[~used])).sum(), 0, 0)
    late = np.arange(BLOCKS) >= 20
    check(f"{name}: code block errors", data["user/code_block_errors"][late].sum(), 0, 0)
    gap = db(np.mean(sinr[late][used[late]])) - db(np.mean(data["sinr_predicted"].mean(axis=1)[late][used[late]]))
    check(f"{name}: measured against predicted, dB", gap, -1, 1)


def follows(name, data):
    used = data["block/user_used"] > 0
    begun = EVERY + LEAD + (WINDOW if name == "all" else WINDOW * PERIOD)
    check(f"{name}: both strong users served", used[begun + EVERY:BLOCKED, 6:].mean(), 1, 1)
    # the window of the weaker ones does not matter: it is the blocked one that is looked at in every block
    latest = BLOCKED + EVERY + WINDOW + LEAD
    check(f"{name}: the blocked one makes room", used[latest:, 7].mean(), 0, 0)
    check(f"{name}: the other one stays", used[latest:, 6].mean(), 1, 1)


def sounded_as_planned(data):
    """Ages from the places alone: two sequences for six users, in order, in turn."""
    place, age = data["schedule/place"], data["schedule/age_blocks"]
    heard, wrong = np.full(N_UE, -1), 0
    for b in range(BLOCKS):
        waiting = [k for k in range(N_UE) if place[b, k] < 0]
        heard[[k for k in range(N_UE) if place[b, k] >= 0]] = b
        for turn, k in enumerate(waiting):
            if turn // 2 == b % PERIOD:
                heard[k] = b
        wrong += np.sum(age[b] != np.where(heard < 0, -1, b - heard))
    check("rotate: ages that are not as planned", wrong, 0, 0)
    # gains of those that wait are tracked all the same: 20 soundings are 60 blocks
    weak = data["block/beta"][-1][:, :6]
    check("rotate: tracked gain of the weak, dB", db(weak.mean()), WEAK - 1, WEAK + 1)


def by_the_wall_clock():
    """Paced, in turns, at a tenth of the default rate, so that a word has 300 ms: sets change on the air as they were told."""
    n = 60
    sets = ["air.mode=paced", "frame.sample_rate_hz=192000", "frame.block_us=50000", "payload.modulation=qam4", "scheduler.metric=random",
            "scheduler.n_served=2", "frame.n_dl_pilot_symbols=2", "scheduler.blocks=5", "scheduler.average_blocks=2", *TURNS]
    with Network(n_ap=2, n_ue=6, n_blocks=n, sets=sets) as net:
        with net.run().file("run.h5") as f:
            solved = f["block/solved"][:n] > 0
            text = [t.decode() for t in f["events/text"][:]]
            decided = f["events/block"][:][[t.startswith("SCHEDULE") for t in text]]
            begins = np.array([int(re.search(r"from_block=(\d+)", t)[1]) for t in text if t.startswith("SCHEDULE")])
            names = ["block/user_used", "schedule/seat", "schedule/from_block", "user/sinr_measured", "schedule/age_blocks"]
            data = {name: f[name][:n][solved] for name in names}
    used, seat = data["block/user_used"] > 0, data["schedule/seat"]
    check("paced: sets", len(np.unique(data["schedule/from_block"])), 2, 12)
    check("paced: blocks from a choice to its first one", np.unique(begins - decided.astype(int)).max(), LEAD + 2, LEAD + 2)
    check("paced: ... and least", np.unique(begins - decided.astype(int)).min(), LEAD + 2, LEAD + 2)
    told = {0: 0, **dict(zip(begins, begins))}
    expected = [max(b for b in told if b <= block) for block in np.flatnonzero(solved)]
    check("paced: rosters hold from their block on", np.mean(data["schedule/from_block"] == expected), 1, 1)
    check("paced: nobody without a seat is served", (used & (seat < 0)).sum(), 0, 0)
    check("paced: whoever is served was sounded in the block", data["schedule/age_blocks"][used].max(), 0, 0)
    heard = (~np.isnan(data["user/sinr_measured"]))[used].mean()
    check_long(heard > 0.8, f"paced: {100 * heard:.0f} % of what was served was decoded by whom it was for")


every, turns = run("cesg", ALL), run("cesg", TURNS)
for name, data in (("all", every), ("rotate", turns)):
    decodes(name, data)
    follows(name, data)
check("all: age of estimates", every["schedule/age_blocks"].max(), 0, 0)
sounded_as_planned(turns)
if SHORT: # a short run has too few sets
    skip("sum rate above random sets, the same choices again, sets by the wall clock", "runs are short here")
    finish()
    sys.exit(0)
random = run("random", TURNS)
decodes("random", random)
best, chance = sum_rate(turns), sum_rate(random)
error = np.hypot(best.std(ddof=1) / np.sqrt(len(best)), chance.std(ddof=1) / np.sqrt(len(chance)))
print(f"sum rate {best.mean():.2f} against {chance.mean():.2f} bit/s/Hz, standard error {error:.2f}")
check("sum rate above random sets, standard errors", (best.mean() - chance.mean()) / error, 3, 1000)
again = run("random", TURNS)
check("the same choices", float(np.array_equal(again["schedule/place"], random["schedule/place"])), 1, 1)
check("the same precoders", float(np.array_equal(again["W"], random["W"])), 1, 1)
by_the_wall_clock()
finish()
