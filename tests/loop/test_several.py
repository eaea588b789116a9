# SPDX-License-Identifier: GPL-3.0-or-later
"""Two central nodes with four access points each (examples/two-cpus.yaml). Each solves with its own access points alone and records them; users
are told to both. kill -9 of the second one: the first one's users go on without a missing block, the second one's access points send fresh, then
stale precoders, then beams of their own, then nothing, and the second life goes on in the recording of the first. Users in between are combined
by both, and sent to by both, weighted: predicted, and 1 dB better up and down than
by their homes alone; whoever walks over is handed over once, without a code block lost."""
import os
import re
import subprocess

import numpy as np
import yaml
from network import BIN, SHORT, THREADS, Network, check, db, finish, skip

EXAMPLE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../examples/two-cpus.yaml")
OWN = [range(0, 4), range(4, 8)]  # access points of each
BEFORE, AWAY, AFTER, TAIL = (30, 35, 30, 10) if SHORT else (60, 35, 60, 20)
STALE, MUTE = 4, 12
FEW = ["frame.schedule=B G P6 U2 G D14 G", "frame.block_us=2000"] if SHORT else []


# Users 4 and 5, as near to one as to the other, walk away from their homes (deterministic: 4 at the first one, 5 at the second).
WALK_FROM, WALK_TO, STEP_DB, END, SETTLED, CUT_END = (60, 110, 9, 190, 20, 60) if not THREADS else (40, 60, 9, 90, 20, 40)
HOLD = ["partners.hysteresis_blocks=10"] if THREADS else []
HOMED, FIRST_WEIGHTS = 16, 28  # blocks from which on users have homes (decided at 8, 8 ahead), and helpers' weights (learnt in 20, 8 ahead)
WALKED = {4: (0, 1), 5: (1, 0)}
BETWEEN = ["frame.schedule=B G P6 U4 G D14 G", "frame.block_us=2000", "uplink.mode=central", "uplink.modulation=qam4"]


class Example(Network):
    def __init__(self, *sets, n_blocks=0):
        super().__init__(args=["--keep-going"])
        self.command[self.command.index("--config") + 1] = EXAMPLE
        for s in [f"network.n_blocks={n_blocks}", f"engine.stale_blocks={STALE}", f"engine.mute_blocks={MUTE}", *FEW, *sets]:
            self.command += ["--set", s]


def events(f, what):
    return [int(b) for b, t in zip(f["events/block"][:], f["events/text"][:]) if t.decode().startswith(what)]


def first_lives(net):
    """What both recorded before anything happened to either; returns the blocks of both."""
    n = min(net.blocks_done(f"run.cpu{c}.h5") for c in range(2))
    for c in range(2):
        with net.file(f"run.cpu{c}.h5") as f:
            used, solved, W = f["block/ap_used"][:n], f["block/solved"][:n], f["W"][:n]
        others = [ap for ap in range(8) if ap not in OWN[c]]
        check(solved.all() and used[:, OWN[c]].all() and not used[:, others].any(),
              f"cpu{c} solved {n} of {n} blocks with APs {OWN[c][0]} to {OWN[c][-1]} alone")
        check(np.abs(W[:, :, OWN[c]]).max(axis=(1, 2, 3, 4)).all() and not W[:, :, others].any(), f"cpu{c} has precoders for these alone")
    return n


def user_gone(net):
    """Users report to the first central node, which tells the second one."""
    net.kill_node("tutti-ue", 3)
    def is_left_out(name):
        try:
            with net.file(name) as f:
                return f["block/user_used"].shape[0] > 0 and not f["block/user_used"][-1, 3]
        except (OSError, KeyError):
            return False
    for c in range(2):
        net.wait_until(lambda: is_left_out(f"run.cpu{c}.h5"), f"cpu{c} leaves user 3 out")
    check(True, "a user that is gone is left out of both solves")
    net.start_node("tutti-ue", "--id", "3")
    net.wait_until(lambda: not any(is_left_out(f"run.cpu{c}.h5") for c in range(2)), "both serve user 3 again")
    check(True, "and taken back into both")


def lose_and_return(net):
    net.kill_node("tutti-cpu", 1)
    net.wait_past("CPU-DOWN cpu=1", AWAY, "run.cpu0.h5")
    missing = [n for n in [("tutti-cpu", 0), *[("tutti-ap", i) for i in range(8)], *[("tutti-ue", i) for i in range(6)]] if not net.pid_of(*n)]
    check(not missing, f"cpu1 killed: nobody else exits {missing}")
    net.start_node("tutti-cpu", "--id", "1")
    net.wait_for_log("cpu0.log", "CPU-UP cpu=1", 2)
    net.wait_past("CPU-UP cpu=1", 0, "run.cpu0.h5")
    net.wait_for_block(net.blocks_done("run.cpu0.h5") + AFTER + TAIL, "run.cpu0.h5")
    net.wait_until(lambda: net.blocks_done("run.cpu1.h5") >= net.blocks_done("run.cpu0.h5") - TAIL, "cpu1 records again")
    def is_shared():
        with net.file("run.cpu0.h5") as f:
            return (np.abs(f["parts/weight"][-1, 4:]) < 0.95).all()
    net.wait_until(is_shared, "with cpu1 learnt anew both send to users in between")
    net.process.terminate()
    net.wait()


def judge_loss(net, first):
    with net.file("run.cpu0.h5") as f:
        down, back = events(f, "CPU-DOWN cpu=1")[0], events(f, "CPU-UP cpu=1")[-1]
        n = f["block/solved"].shape[0] - TAIL
        solved, used = f["block/solved"][:n], f["block/ap_used"][:n]
        bits, wrong = f["user/bits"][first:n], f["user/code_block_errors"][first:n]
        sent = (np.abs(f["W"][:n]) ** 2).sum(axis=(1, 2, 3)) > 0  # [block][user]
        decoded, parts, home = ~np.isnan(f["uplink/sinr_measured"][:n]), f["uplink/part_used"][:n, 1], f["uplink/home"][:n]
        weight = f["parts/weight"][:n]
    check(n > back > down, f"cpu1 missed at block {down}, back at block {back} of {n}")
    check(solved.all() and used[:, OWN[0]].all(), "cpu0 solved every block with all its APs")
    check((bits[:, :2] > 0).all() and not wrong[:, :2].any(), f"users 0 and 1, at cpu0: {wrong[:, :2].sum()} code blocks wrong, none missing")
    last = np.flatnonzero(parts[:back, 4])[-1]  # block that both still combined
    check(decoded[SETTLED:, 0].all() and decoded[last + 10:back, 4:].all() and (home[last + 10:back, 4:] == 0).all(),
          f"cpu1's last stream is of block {last}; from 10 blocks later on cpu0 decodes the data of all that it hears")
    check(sent[down + 10:back, 4:].all(), "users in between have cpu0's part in every block from 10 after the loss on")
    check(parts[back:, 4].any(), "with cpu1 back it helps again")
    alone = np.abs(weight[last + 10:back])
    check(alone.size > 0 and (abs(alone - 1) < 1e-6).all(), "and it sends to all of them by itself, with weight 1")
    quiet = last + 10 + STALE + MUTE - first  # of wrong: from here on cpu1's access points are mute
    check(quiet < back - first and not wrong[quiet:back - first, 4:].any(), f"with those of cpu1 mute users in between have {wrong[quiet:back - first, 4:].sum()} code blocks wrong")
    with net.file("run.cpu1.h5") as f:
        solved, used, kind, session = (f[p][:n] for p in ("block/solved", "block/ap_used", "applied/kind", "block/session"))
    check(not used[:, OWN[0]].any(), "cpu1 never had an AP of cpu0's")
    lives = [int(s) for s in dict.fromkeys(session[session != 0].tolist())]
    out = np.flatnonzero(solved == 0)
    check(len(lives) == 2 and out.size > STALE + MUTE and np.array_equal(out, np.arange(out[0], out[-1] + 1)),
          f"two lives of cpu1 in one recording, {out.size} blocks between them without a solve")
    order = kind[out[0]:out[-1] + 1, OWN[1]]  # 0: beyond the 256 accounts that an AP keeps
    steps = [list(dict.fromkeys(order[order[:, i] > 0, i].tolist())) for i in range(order.shape[1])]
    check(all(step and step == [1, 2, 3, 4][-len(step):] for step in steps),
          f"its APs sent, in this order: {steps[0]} (1 fresh, 2 stale, 3 beams of their own, 4 nothing)")
    for ap in OWN[1]:
        line = [line for line in net.log(f"ap{ap}.log").splitlines() if "COUNTERS" in line and "local_cb=" in line][-1]
        counts = {k: int(re.search(rf" {k}=(\d+)", line).group(1)) for k in ("stale", "local_cb")}
        check(counts == {"stale": STALE, "local_cb": MUTE}, f"AP {ap} by its own count: {counts}")
    # how soon an access point has connected again is the clock's affair; from then on it is in every block
    returned = {ap: out[-1] + 1 + int(np.argmax(used[out[-1] + 1:, ap])) for ap in OWN[1]}
    left_out, others = ([(int(b), ap) for ap, at in returned.items() for b in at + 10 + np.flatnonzero(which[at + 10:, ap])]
                        for which in (used == 0, kind != 1))
    check(used[n - 1, OWN[1]].all() and max(returned.values()) + 10 < n and not left_out and not others,
          f"back in blocks {list(returned.values())} of {n}, with fresh precoders to the end; (block, AP) left out {left_out[:8]}, with others {others[:8]}")


class Between:
    """A run of BETWEEN: what both central nodes recorded of users' data, and of what they sent."""
    def __init__(self, n, *sets, report=False):
        with Example(*BETWEEN, *sets, n_blocks=n) as net:
            self.text = net.run().text
            self.files, self.parts, both = [], [], [os.path.join(net.out, f"run.cpu{c}.h5") for c in range(2)]
            if report:
                self.report = subprocess.run([os.path.join(BIN, "tutti"), "report", *both, "--out", "/dev/stdout"], capture_output=True, text=True).stdout
            for c in range(2):
                with net.file(f"run.cpu{c}.h5") as f:
                    self.files.append({name: f["uplink/" + name][:] for name in ["sinr_measured", "sinr_predicted", "code_block_errors",
                                                                                    "home", "part_used", "part_bytes"]})
                    self.parts.append({name: f[name][:n] for name in ["parts/gain", "parts/error", "parts/weight", "H_hat", "W"]})
                    if c == 0:
                        self.measured, self.learning = f["user/sinr_measured"][:n], f["block/learning"][:n] > 0
        self.decoded = np.array([~np.isnan(f["sinr_measured"]) for f in self.files])  # [central node][block][user]

    def of_home(self, name):
        """[block][user], by whoever decoded it."""
        return np.where(self.decoded[0], self.files[0][name], self.files[1][name])

    def sinr_db(self, name, users, to):
        return np.array([db(self.of_home(name)[SETTLED:to, k]).mean() for k in users])


def walk():
    with open(EXAMPLE) as f:
        gains = np.array(yaml.safe_load(f)["air"]["large_scale"]["gain_db"], dtype=float)
    for user, (home, to) in WALKED.items():
        gains[OWN[home], user] -= STEP_DB
        gains[OWN[to], user] += STEP_DB
    return Between(END, f"air.large_scale.gain_db_end={gains.tolist()}", f"air.large_scale.gain_db_end_from_block={WALK_FROM}",
                   f"air.large_scale.gain_db_end_to_block={WALK_TO}", *HOLD, report=True)


def judge_handover(run):
    once = run.decoded[:, SETTLED:].sum(axis=0)
    errors = run.of_home("code_block_errors")[SETTLED:]
    check((once == 1).all() and not errors.any(), f"all data of {once.shape[0]} blocks decoded at one central node each, {errors.sum()} code blocks wrong")
    for f in run.files:
        home = f["home"][SETTLED:]
        for user in range(6):
            changes = np.flatnonzero(np.diff(home[:, user]))
            expected = WALKED.get(user, (user // 2, user // 2))
            check(changes.size == (user in WALKED) and (home[0, user], home[-1, user]) == expected,
                  f"user {user}: home cpu{home[0, user]}, at the end cpu{home[-1, user]}, {changes.size} handovers at {changes + SETTLED + 1}")
    check(np.array_equal(run.files[0]["home"][SETTLED:], run.files[1]["home"][SETTLED:]), "both change it at the same block")


def judge_uplink(run, cut):
    users = list(WALKED)
    measured, predicted = (run.sinr_db("sinr_" + what, users, CUT_END) for what in ("measured", "predicted"))
    alone = cut.sinr_db("sinr_measured", users, CUT_END)
    check((measured - alone >= 1).all(), f"combined by both {measured.round(2)} dB, by the home alone {alone.round(2)} dB")
    check((abs(measured - predicted) <= 0.5).all(), f"predicted {predicted.round(2)} dB")
    helped = [run.files[home]["part_used"][SETTLED:CUT_END, 1 - home, user].all() for user, (home, _) in WALKED.items()]
    check(all(helped), "a helper's stream in every block")
    check(not any(f["part_used"][:, 1 - c].any() for c, f in enumerate(cut.files)), "none where there are no helpers")
    sent = [f["part_bytes"][SETTLED:CUT_END, 1 - c].mean() for c, f in enumerate(run.files)]
    check(all(80 < n for n in sent) and all((f["part_bytes"][SETTLED:, 1 - c] == 80).all() for c, f in enumerate(cut.files)),
          f"{np.round(sent)} bytes a block between them, 80 without helpers")
    rows = [line.split() for line in run.text.split("Uplink data")[1].splitlines()[2:8]]
    recorded = [db(run.of_home("sinr_measured")[:, k][np.any(run.decoded[:, :, k], axis=0)]).mean() for k in range(6)]
    check(all(abs(float(row[1]) - recorded[int(row[0])]) < 0.006 for row in rows), f"the run's table has those of all files: {np.round(recorded, 2)}")


def predicted(run):
    """[block][user] of all parts together: what errors add to a user's own stream it learns with its gain."""
    power = np.abs(sum(p["parts/gain"] for p in run.parts)) ** 2 + sum(p["parts/error"] for p in run.parts)
    own = np.einsum("bskk->bsk", power)
    return own.sum(axis=1) / (1 + power.sum(axis=-1) - own).sum(axis=1)


def judge_downlink(run, cut):
    users, weighed = list(WALKED), slice(FIRST_WEIGHTS, CUT_END)
    both, alone = (db(r.measured[weighed][:, users]).mean(axis=0) for r in (run, cut))
    check((both - alone >= 1).all(), f"downlink of both {both.round(2)} dB, of the home alone {alone.round(2)} dB")
    for name, r in (("both", run), ("the home alone", cut)):
        gap = db(r.measured[SETTLED:] / predicted(r)[SETTLED:]).mean(axis=0)
        check((abs(gap) <= 0.5).all(), f"downlink of {name}: measured less predicted of the network {gap.round(2)} dB")
    weights = np.abs(np.array([p["parts/weight"] for p in run.parts]))  # [central node][block][user]
    first = min(np.flatnonzero(weights[1 - home, :, user][HOMED:])[0] + HOMED for user, (home, _) in WALKED.items())
    check(first == FIRST_WEIGHTS, f"helpers send from block {first} on")
    check((weights[:, weighed, 4:] > 0.5).all() and not weights[1, HOMED:, :2].any() and not weights[0, HOMED:, 2:4].any(),
          f"to users in between by weights {weights[:, CUT_END - 1, 4:].round(2).tolist()}, to nobody who is far")
    for c, p in enumerate([{name: x[SETTLED:] for name, x in p.items()} for p in run.parts]):
        heard = np.einsum("bsanu,bsanv->bsuv", p["H_hat"].conj(), p["W"])
        power = (np.abs(p["W"]) ** 2).sum(axis=(3, 4))
        check(np.abs(heard - p["parts/gain"]).max() < 1e-3 * np.abs(heard).max(), f"cpu{c}: gains are those of estimates and precoders")
        check(power.max() <= 1 + 1e-6 and power[:, :, OWN[c]].max(axis=2).min() > 0.999, f"cpu{c}: in every subband its most loaded AP is at its budget")
    table = [line.split() for line in run.text.split("Parts\n")[1].split("\n\n")[0].splitlines()[1:]]
    told = {int(row[0]): float(row[5]) for row in table}
    again = db(predicted(run)[~run.learning]).mean(axis=0)
    check(all(abs(told[k] - again[k]) < 0.02 for k in range(6)), f"the run's table of parts has these predictions: {told}")
    rows = run.report.split("<h2>Central nodes</h2>")[-1].split("</table>")[0]
    check(run.report != rows and all(f">{told[k]:.2f}<" in rows for k in range(6)), "and so has the report of both files")


def eavesdropped(n=60):
    """Who listens hears both parts, and is recorded by the first central node alone; users get what they are predicted."""
    with Example("network.n_eve=1", "air.large_scale={model: uniform, snr_db: 20}", n_blocks=n) as net:
        net.run()
        with net.file("run.cpu0.h5") as f, net.file("run.cpu1.h5") as g:
            heard, genie, measured = (f[name][:n] for name in ("eve/sinr_measured", "eve/sinr_genie", "user/sinr_measured"))
            power = np.abs(f["parts/gain"][:n] + g["parts/gain"][:n]) ** 2 + f["parts/error"][:n] + g["parts/error"][:n]
            there = not np.isfinite(g["eve/sinr_measured"][:]).any()
    own = np.einsum("bskk->bsk", power)
    gap = db(measured / (own.sum(axis=1) / (1 + power.sum(axis=-1) - own).sum(axis=1)))[FIRST_WEIGHTS:].mean(axis=0)
    check(np.isfinite(heard).all() and there, f"an eavesdropper reported {np.isfinite(heard).sum()} of {heard.size} streams, all to the first central node")
    lost = db(genie[FIRST_WEIGHTS:].mean() / heard[FIRST_WEIGHTS:].mean())
    check(abs(lost) < 0.5 and heard.mean() < 0.1 * measured.mean(), f"it hears {db(heard.mean()):.2f} dB, {lost:.2f} dB less than is there")
    check((abs(gap) <= 0.5).all(), f"users' measured less predicted {gap.round(2)} dB")


if __name__ == "__main__":
    run = walk()
    judge_handover(run)
    if SHORT:
        skip("what helpers bring", "a second network for the sake of its figures")
    else:
        cut = Between(CUT_END, "partners.helpers=false")
        judge_uplink(run, cut)
        judge_downlink(run, cut)
        eavesdropped()
    with Example("uplink.mode=central", "uplink.modulation=qam4") as net:
        net.start()
        for c in range(2):
            net.wait_for_block(BEFORE, f"run.cpu{c}.h5")
        first = first_lives(net)
        user_gone(net)
        lose_and_return(net)
        judge_loss(net, first)
    finish()
