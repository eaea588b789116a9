# SPDX-License-Identifier: GPL-3.0-or-later
"""Injected faults in lock-step: every lost message is accounted for exactly, in the recording, in the CPU node's counters and in
what the APs applied; two runs lose the same ones; a silent AP is back at once; nobody waits for what was dropped."""
import os
import re
import subprocess
import time

import numpy as np
from network import LIGHT, SHORT, BIN, Network, check, db, finish, skip

CSI_LOST, PRECODER_LOST, SILENT = 1, 2, 64
STALE_BLOCKS = 4


def counters(net, log, context):
    """key=value pairs of the COUNTERS lines of one context in one log, a list of dicts."""
    with open(os.path.join(net.out, "logs", log)) as f:
        return [{k: int(v) for k, v in re.findall(r"(\w+)=(-?\d+)", line)} for line in f
                if f"[{context}] COUNTERS" in line]


def log_name(net, start):
    names = [n for n in os.listdir(os.path.join(net.out, "logs")) if n.startswith(start)]
    assert len(names) == 1, names
    return names[0]


def expected_kinds(missing):
    """What an AP must apply, from the blocks [b] whose precoder it did not get: the policy of the specification, anew."""
    kinds, age = [], None
    for gone in missing:
        age = 0 if not gone else (None if age is None else age + 1)
        kinds.append(1 if not gone else 2 if age is not None and age <= STALE_BLOCKS else 3)
    return np.array(kinds)


def run_lossy(n, to_block):
    """Nobody waits for what was dropped: one wait for a timeout would outlast the test."""
    sets = ["fronthaul.faults.loss=0.05", f"fronthaul.faults.to_block={to_block}", "engine.lockstep_timeout_ms=250000", *LIGHT]
    with Network(n_blocks=n, sets=sets) as net:
        net.run()
        with net.file("run.h5") as f:
            data = {k: f[k][:n] for k in ("faults/injected", "applied/kind", "user/sinr_measured", "W", "block/ap_used", "user/bits",
                                          "hops/precoder_received_ns")}
        cpu = counters(net, log_name(net, "cpu"), "faults")
        block = counters(net, log_name(net, "cpu"), "block")[0]
        aps = [counters(net, log_name(net, f"ap{m}" if os.path.exists(os.path.join(net.out, "logs", f"ap{m}.log"))
                                      else f"ap-{m}"), "slot")[0] for m in range(4)]
        return data, cpu, block, aps


def test_loss():
    n, end = (100, 90) if SHORT else (300, 290)
    data, cpu, block, aps = run_lossy(n, end)
    mask, kind = data["faults/injected"], data["applied/kind"]
    n_lost = int((mask != 0).sum())
    check(0.06 < n_lost / (4 * end) < 0.14, f"about 1 - 0.95^2 of blocks and APs hit: {n_lost} of {4 * end}")
    check(not mask[end:].any() and not (mask & ~(CSI_LOST | PRECODER_LOST)).any(), "only what was asked for, only where")
    check(not ((mask & CSI_LOST != 0) & (mask & PRECODER_LOST != 0)).any(), "an AP that was not heard is sent nothing")
    for m in range(4):
        line = next(c for c in cpu if c["ap"] == m)
        recorded = [int((mask[:, m] & bit != 0).sum()) for bit in (CSI_LOST, PRECODER_LOST)]
        check([line["csi_lost"], line["precoder_lost"]] == recorded, f"AP {m}: counted {recorded} as recorded")
        want = expected_kinds(mask[:, m] != 0)
        check((kind[:, m] == want).all(), f"AP {m}: fresh or stale exactly as injected, every block accounted for")
        stale, want_stale, more = aps[m]["stale"], int((want == 2).sum()), aps[m]["blocks"] - n
        check(0 <= more <= 20 and want_stale <= stale <= want_stale + more and aps[m]["local_cb"] == aps[m]["mute"] == 0,
              f"AP {m}: its own counters: {stale} stale, {want_stale} as injected, at most {more} as the run was ended")
        check(np.array_equal(data["block/ap_used"][:, m] == 0, mask[:, m] & CSI_LOST != 0), f"AP {m}: left out when not heard")
    check(block["incomplete"] == 0 and block["push_failed"] == 0, "nothing else went missing")
    check((data["user/bits"] > 0).all(), "every user received every block")
    check(db(data["user/sinr_measured"][end:]).min() > 15, "all is well when the faults are over")
    if SHORT:
        skip("the same messages lost in a second run", "runs are short here")
        return
    again = run_lossy(n, end)[0]
    for name in data:
        if not name.startswith("hops"):
            check(data[name].tobytes() == again[name].tobytes(), f"{name} identical in a second run")


def test_silence():
    n, first, end = (110, 40, 80) if SHORT else (200, 100, 150)
    local = 20  # blocks of its own beams before it mutes (engine.mute_blocks)
    sets = ["fronthaul.faults.silent_ap=2", f"fronthaul.faults.from_block={first}", f"fronthaul.faults.to_block={end}", f"engine.mute_blocks={local}", *LIGHT]
    with Network(n_blocks=n, sets=sets) as net:
        net.run()
        slot = counters(net, log_name(net, "ap2"), "slot")[0]
        with net.file("run.h5") as f:
            used, mask, kind, sinr = (f[k][:n] for k in ("block/ap_used", "faults/injected", "applied/kind", "user/sinr_measured"))
    check(not used[first:end, 2].any() and used[:first].all() and used[end:].all(), "left out while silent, back at once")
    more = slot["blocks"] - n  # as the run was ended
    check(STALE_BLOCKS <= slot["stale"] <= STALE_BLOCKS + more and slot["local_cb"] == local and slot["mute"] == end - first - STALE_BLOCKS - local,
          f"its blocks: {slot['stale']} stale, then {slot['local_cb']} with its own beams, then {slot['mute']} mute")
    check((mask[first:end, 2] == SILENT).all() and mask.sum() == SILENT * (end - first), "recorded as silence, nothing else")
    check((kind[end + 10:] == 1).all(), "fresh precoders within 10 blocks")
    silent = [2] * STALE_BLOCKS + [3] * local + [4] * (end - first - STALE_BLOCKS - local)
    check(kind[first:end, 2].tolist() == silent, "and the silent AP's accounts, told afterwards, say the same")
    check(db(sinr[end + 10:]).min() > 15, f"users well again: {db(sinr[end + 10:]).min():.1f} dB")
    check(used[first:end, [0, 1, 3]].all(), "the other APs go on")


def test_nothing_arrives():
    n = 60
    sets = ["fronthaul.faults.loss=1", "fronthaul.faults.from_block=20", "fronthaul.faults.to_block=30"]
    with Network(n_blocks=n, sets=sets) as net:
        net.run()
        with net.file("run.h5") as f:
            used, mask, sinr = (f[k][:n] for k in ("block/ap_used", "faults/injected", "user/sinr_measured"))
            W = f["W"][20:30]
    check((mask[20:30] == CSI_LOST).all() and not used[20:30].any() and used[30:].all(), "all estimates of ten blocks lost, then back")
    check(not np.abs(W).any(), "no AP known: nothing to send")
    check(db(sinr[40:]).min() > 15, "users well again")


def test_paced():
    n = 200
    faults = "{delay_us: 300, jitter_us: 100, reorder: 0.1, loss: 0.05}"
    with Network(n_blocks=n, extra=f"fronthaul: {{faults: {faults}}}\n", sets=["air.mode=paced", "payload.modulation=qam4"]) as net:
        net.run()
        with net.file("run.h5") as f:
            mask, sent, received, used = (f[k][:n] for k in ("faults/injected", "hops/csi_sent_ns", "hops/csi_received_ns",
                                                             "block/ap_used"))
        cpu = counters(net, log_name(net, "cpu"), "faults")
    delay_us = (received[used == 1].astype(float) - sent[used == 1]) * 1e-3
    check(delay_us.size > 0 and delay_us.min() > 195, f"every estimate was late by at least 200 us: {delay_us.min():.0f} us")
    for bit, name in enumerate(("csi_lost", "precoder_lost", "csi_delayed", "precoder_delayed", "csi_reordered",
                                "precoder_reordered")):
        counted, recorded = sum(c[name] for c in cpu), int((mask & (1 << bit) != 0).sum())
        check(counted > 0 and recorded <= counted, f"{name}: {counted} counted, {recorded} in recorded blocks")


def tell(net, *words):
    return subprocess.run([os.path.join(BIN, "tutti"), "fault", "--config", os.path.join(net.out, "config.yaml"), *words],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60)


def wait_for_silence(net, n, timeout=60):
    """Until the recording, which is behind the network, has n blocks in which AP 1 was silent."""
    end = time.time() + timeout
    while time.time() < end:
        with net.file("run.h5") as f:
            if (f["faults/injected"][()][:, 1] & SILENT != 0).sum() >= n:
                return
        time.sleep(0.05)
    net.fail(f"AP 1 was not silent for {n} blocks in {timeout} s")


def test_command():
    n = 3000
    with Network(n_blocks=n, sets=["fronthaul.faults.allow_command=true"]) as net:
        net.start()
        net.wait_for_block(20)
        wrong = [tell(net, w) for w in ("loss=2", "delay_us=5", "silent_ap=4", "hail=1", "silent_ap=1.5")]
        told = tell(net, "silent_ap=1", "loss=0.01")
        check(told.returncode == 0 and "silent_ap=1" in told.stdout and "loss=0.01" in told.stdout, f"obeyed: {told.stdout.strip()}")
        wait_for_silence(net, 30)
        check(tell(net, "silent_ap=-1", "loss=0").returncode == 0, "taken back")
        net.wait_for_block(net.blocks_done() + 30)
        with net.file("run.h5") as f:
            mask = f["faults/injected"][()]
        net.process.terminate()
        net.wait(60)
    check(all(w.returncode == 1 for w in wrong) and "lock-step" in wrong[1].stdout, f"wrong ones refused: {wrong[1].stdout.strip()}")
    silent = np.flatnonzero(mask[:, 1] & SILENT)
    check(silent.size >= 20 and (np.diff(silent) == 1).all(), f"AP 1 was silent for {silent.size} blocks on end")
    with Network(n_blocks=n) as net:
        net.start()
        net.wait_for_block(5)
        told = tell(net, "loss=1")
        check(told.returncode == 1 and "allow_command" in told.stdout, f"not allowed by default: {told.stdout.strip()}")
        net.process.terminate()
        net.wait(60)


test_loss()
test_silence()
if SHORT:
    skip("nothing arrives, paced, the command", "runs are short here")
else:
    test_nothing_arrives()
    test_paced()
    test_command()
finish()
