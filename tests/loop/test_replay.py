# SPDX-License-Identifier: GPL-3.0-or-later
"""A recorded network replayed by other processes gives the run's estimates and precoders bit by bit: from all samples, from pilots and
guards alone, with users' data in the U symbols, with powers and schedules of the slow clock, with messages lost, access points silent and schemes stepped down by the clock, through killed and lost samples. A sample
that is changed is found."""
import glob
import json
import os
import re
import shutil
import signal
import subprocess
import time

import numpy as np
from network import BIN, SHORT, Network, blocks, check, finish, skip

SYMBOL, BLOCK = 137, 9600
INPUTS = ["H_hat", "error_variance", "block/ap_used", "block/user_used", "block/beta", "block/tick"]
SAME = [*INPUTS, "W", "sinr_predicted", "reason", "scheme"]


def network(iq, sets=(), n=60, **more):
    return Network(sets=["air.fading.model=rician", f"record.iq={{dir: iq, {iq}}}", *sets], **{**dict(n_ap=2, n_ant=2, n_ue=2, n_blocks=n, snr_db=12), **more})


def replay(net, *args, name="again"):
    command = [os.path.join(BIN, "tutti"), "replay", net.out, "--iq", os.path.join(net.out, "iq"), "--out", os.path.join(net.dir, name), *args]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200)
    return done.returncode, done.stdout + done.stderr


def check_identical(net, what, least, name="again", clock=False):
    """The tool's word, and the files compared here by themselves."""
    status, text = replay(net, name=name)
    found = re.search(r"replay: (\d+) of (\d+) blocks identical", text)
    check(status == 0 and found and found[1] == found[2] and int(found[1]) >= least, f"{what}: {text.strip()}")
    with net.file("run.h5") as a, net.file(os.path.join(net.dir, name, "run.h5")) as b:
        solved = np.flatnonzero(a["block/solved"][:])
        first = [int(f.attrs["first_block"]) if "first_block" in f.attrs else 0 for f in (a, b)]
        rows = [r for r in solved if 0 <= r + first[0] - first[1] < b["block/solved"].shape[0] and b["block/solved"][r + first[0] - first[1]]]
        cut = [r for r in rows if a["reason"][r] in (5, 6) and clock]  # the clock had a part in what came out
        bad = [d for d in SAME if d in a and any(a[d][r].tobytes() != b[d][r + first[0] - first[1]].tobytes() for r in rows
                                                 if r not in cut or d in INPUTS)]
        check(len(rows) >= least and not bad, f"{what}: {len(rows)} blocks, the same here, too {bad}")
        return a["scheme"][:][solved], a["block/ap_used"][:][solved]


def test_all_samples():
    n = blocks(120)
    with network("nodes: [ap0, ap1]", ["precoding.scheme=ob"], n) as net:
        net.run()
        check_identical(net, "all samples", n)
        examine_change(net, n // 2)
        status, text = replay(net, "--scheme", "rzf", name="rzf")
        check(status == 0 and "estimates of" in text, f"another scheme: {text.strip().splitlines()[0]}")
        with net.file(os.path.join(net.dir, "rzf", "run.h5")) as f, net.file("run.h5") as g:
            check((f["scheme"][:n] != g["scheme"][:n]).all() and not np.array_equal(f["W"][:n], g["W"][:n]), "and its precoders are others")
        examine_refusals(net)


def examine_change(net, block):
    """One sample of one pilot symbol, a hundredth larger."""
    path = os.path.join(net.out, "iq", "ap1_ant0.sigmf-data")
    x = np.memmap(path, "<c8", "r+")
    at = block * BLOCK + 3 * SYMBOL + 40
    before = x[at]
    x[at] = before * 1.01
    x.flush()
    status, text = replay(net, name="changed")
    check(status == 1 and f"first difference: block {block}, /" in text and f"{block} of " in text, f"a changed sample: {' '.join(text.split())}")
    x[at] = before
    x.flush()


def examine_refusals(net):
    def refused(what, words, change):
        keep = os.path.join(net.dir, "keep")
        shutil.copytree(os.path.join(net.out, "iq"), keep)
        change(os.path.join(net.out, "iq"))
        status, text = replay(net, "--force", name="refused")
        check(status == 1 and words in text, f"{what}: {text.strip().splitlines()[-1] if text.strip() else ''}")
        shutil.rmtree(os.path.join(net.out, "iq"))
        os.rename(keep, os.path.join(net.out, "iq"))

    def edit(pattern, by):
        def change(folder):
            path = os.path.join(folder, "ap1_ant1.sigmf-meta")
            text = open(path).read()
            open(path, "w").write(re.sub(pattern, by, text, count=1))
        return change

    def drop_stream(folder):
        path = glob.glob(os.path.join(folder, "*.sigmf-collection"))[0]
        c = json.load(open(path))
        c["collection"]["core:streams"] = [s for s in c["collection"]["core:streams"] if s["name"] != "ap1_ant1"]
        json.dump(c, open(path, "w"))

    if SHORT:
        skip("other refusals of the samples", "runs are short here")
        refused("another type", "core:datatype: cf32_le or ci16_le expected", edit("cf32_le", "cf32le"))
        return
    refused("a missing antenna", "no recording of antenna 1 of ap1", drop_stream)
    refused("another rate", "was recorded at 2000000 Hz", edit(r'"core:sample_rate": [\d.]+', '"core:sample_rate": 2000000.0'))
    refused("another type", "core:datatype: cf32_le or ci16_le expected", edit("cf32_le", "cf32le"))
    refused("an unknown field of the core", "core:samplerate", edit('"core:hw"', '"core:samplerate": 1, "core:hw"'))
    refused("no collection", "0 collections", lambda folder: [os.remove(p) for p in glob.glob(os.path.join(folder, "*.sigmf-collection"))])


def test_pilots_and_guards():
    n = blocks(60)
    with network("nodes: [ap0, ap1], symbols: PG", n=n) as net:
        net.run()
        check_identical(net, "pilots and guards", n)


def test_users_data():
    """What was combined and decoded of the U symbols, where messages were lost and users have offsets, which the blocks before tell."""
    names = ["ap_used", "bits", "coded_bit_errors", "sinr_predicted", "sinr_measured"]
    with network("nodes: [ap0, ap1]", ["uplink.mode=central", "fronthaul.faults.loss=0.15", "air.impairments.ue.cfo_hz=100"], 40, snr_db=27) as net:
        net.run()
        check_identical(net, "users' data", 36)
        _, text = replay(net, name="once_more")
        found = re.search(r"users' data of (\d+) of (\d+) blocks identical", text)
        check(found and found[1] == found[2] and int(found[1]) >= 30, f"users' data: {found and found[0]}")
        with net.file("run.h5") as a, net.file(os.path.join(net.dir, "again", "run.h5")) as b:
            a, b = a["uplink"], b["uplink"]
            rows = np.flatnonzero(a["ap_used"][: b["ap_used"].shape[0]].any(1) & b["ap_used"][: a["ap_used"].shape[0]].any(1))
            bad = [d for d in names if a[d][:][rows].tobytes() != b[d][:][rows].tobytes()]
            some = (a["ap_used"][:][rows].sum(1) == 1).sum()
            check(rows.size >= 30 and some > 0 and not bad, f"users' data of {rows.size} blocks, {some} of one access point, the same here, too {bad}")


def wait_until_used(net, ap, n, seconds=120):
    """Until the last n blocks recorded all have the access point, after one that had not."""
    end = time.time() + seconds
    while time.time() < end:
        with net.file("run.h5") as f:
            used = f["block/ap_used"][()][:, ap] if f["block/ap_used"].shape[0] > n else np.ones(1)
        if used[-n:].all() and not used.all():
            return
        time.sleep(0.1)
    net.fail(f"access point {ap} was not used for {n} blocks on end in {seconds} s")


def test_later_and_again():
    """A recording that begins in the middle of the run, and an access point that is killed and comes back: averages so far are in it."""
    with network("nodes: [ap0, ap1], from_block: 25, n_blocks: 20") as net:
        net.run()
        check_identical(net, "from block 25", 20)
    with network("nodes: [ap0, ap1]", n=0, n_ant=1, args=["--keep-going"]) as net:
        net.start()
        net.wait_for_block(60)
        net.kill_node("tutti-ap", 0)
        again = net.start_node("tutti-ap", "--id", "0")
        net.wait_for_log("cpu.log", "AP-UP ap=0", 2)
        wait_until_used(net, 0, 40)  # how soon that is after its hello is the clock's affair
        net.process.terminate()
        net.wait()
        again.terminate()
        again.wait(60)
        status, text = replay(net)
        with net.file("run.h5") as a, net.file(os.path.join(net.dir, "again", "run.h5")) as b:
            used, n = a["block/ap_used"][:, 0], b["block/solved"].shape[0]
            gone = np.flatnonzero(np.diff(used.astype(int)) < 0)[0] + 1
            back = gone + np.flatnonzero(used[gone:])[0]
            bad = [r for r in range(n) if a["block/solved"][r] and any(a[d][r].tobytes() != b[d][r].tobytes() for d in SAME)]
            ring = 938 // 5 + 2  # blocks that can be under way to the disk: 938 pieces, five to a block
            check(n >= back + 20 and all(gone - ring <= r < gone for r in bad),
                  f"access point 0 gone from block {gone} to {back}: all {n} blocks identical but {len(bad)} whose samples were not written yet")


def test_what_the_clock_did():
    """Paced: messages lost and late, an access point that stands still and loses samples, a scheme that the budget steps down."""
    sets = ["air.mode=paced", "precoding.scheme=ob", "precoding.ob_gap=1e-6", "engine.block_budget_us=300", "fronthaul.faults.loss=0.1",
            "precoding.an=nullspace", "payload.modulation=qam4"]
    with network("symbols: PG, nodes: [ap0, ap1, ap2]", sets, 150 if SHORT else 300, n_ap=3, args=["--keep-going"]) as net:
        net.start()
        net.wait_for_block(60)
        pid = net.pid_of("tutti-ap", 1)
        os.kill(pid, signal.SIGSTOP)
        time.sleep(0.25)
        os.kill(pid, signal.SIGCONT)
        net.wait()
        scheme, used = check_identical(net, "paced", 20, clock=True)
        check((~used.astype(bool)).any(), f"{(~used.astype(bool)).sum()} of {used.size} reports were not in a solve")
        print(f"schemes of the run: {dict(zip(*np.unique(scheme, return_counts=True)))}")


def test_what_the_slow_clock_did():
    """Powers and who is served come from the run, in turns whose pilot was which too, even from the middle of it on."""
    uneven = ["air.large_scale.model=geometry", "air.large_scale.area_m=200"]
    served = ["scheduler.n_served=2", "scheduler.blocks=5", "scheduler.average_blocks=2", 'frame.schedule="B G P4 U14 G D30 G"',
              "frame.n_dl_pilot_symbols=2", "pilots.tracking_blocks=10"]
    cases = [("max-min of conjugate beams", ["precoding.scheme=cb", *uneven], ", n_blocks: 0", {}, 0),
             ("averaged least squares", ["precoding.power=rlspa_wc", "precoding.average_blocks=8"], ", n_blocks: 0", {}, 0),
             ("powers towards targets, in turns", ["precoding.scheme=ppzf", "precoding.power=equal", "resilience.controller=true",
                                                   "scheduler.always=[0]", "scheduler.metric=random", "scheduler.sounding=rotate", *served, *uneven], ", from_block: 26",
              dict(n_ue=7, n_ant=4), 26)]
    for what, sets, part, more, first in cases[2:] if SHORT else cases:
        n = 50
        with network("symbols: PG, nodes: [ap0, ap1]" + part, sets, n, **more) as net:
            net.run()
            check_identical(net, what, n - first)
            with net.file("run.h5") as f:
                power = f["power"][:n]
                given = ~np.isnan(power[:, 0, 0])
                check(given[-1] and len(np.unique(power[given], axis=0)) > 1, f"{what}: powers in {given.sum()} of {n} blocks, changing")
                check((power[given].sum(axis=2) < 1 + 1e-9).all(), f"{what}: within the budgets")
                if first:
                    seats = len(np.unique(f["schedule/seat"][:n], axis=0))
                    check(seats > 2 and (f["schedule/from_block"][first:n] > 0).all(), f"{what}: {seats} schedules")
                    waits = np.broadcast_to(f["schedule/seat"][:n][:, None] < 0, power.shape)
                    check((power[given][waits[given]] == 0).all(), "nothing for those that wait")


test_all_samples()
if SHORT:
    skip("pilots and guards alone, slow powers without turns", "runs are short here")
else:
    test_pilots_and_guards()
test_users_data()
test_later_and_again()
test_what_the_slow_clock_did()
test_what_the_clock_did()
finish()
