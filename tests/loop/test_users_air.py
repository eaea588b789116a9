#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Users that begin without time and carrier: they find the reference access point's beacon, are served as if there were no offsets, lose it and come back."""
from network import SHORT, Network, blocks, check, db, finish, skip

BLOCKS = blocks(232)
SKIP = 32  # carriers are averaged over 16 blocks, gains are learnt
FRAME = ["frame.schedule=B3 G P4 U22 G D38 G", "air.large_scale.snr_db=11", "sync.mode=air"]
OFF = ["air.impairments.ue.cfo_hz=200", "air.impairments.ue.timing_offset_samples=38"]  # 20 us


def run(*sets, n_blocks=BLOCKS):
    with Network(sets=[*FRAME, *sets], n_blocks=n_blocks) as net, net.run().file("run.h5") as f:
        measured = f["user/sinr_measured"][:n_blocks]
        errors, total = f["user/code_block_errors"][:n_blocks], f["user/code_blocks"][:n_blocks]
        return measured, errors, total, [t.decode() for t in f["events/text"][:]]


def harmonic(sinr):
    return -db((1 / sinr[SKIP:]).mean())


def offsets():
    measured, errors, total, events = run(*OFF)
    found = [e for e in events if e.startswith("SYNC-ACQUIRED ue=")]
    check(len(found) == 4 and not any("SYNC-LOST ue=" in e for e in events), f"every user found the beacon once: {found[0] if found else events}")
    check(total[SKIP:].min() > 0 and errors[SKIP:].sum() == 0, f"{errors[SKIP:].sum()} of {total[SKIP:].sum()} code blocks wrong")
    if not SHORT:
        own, ideal = harmonic(measured), harmonic(run()[0])
        check(18.5 < ideal < 21.5 and own > ideal - 0.3, f"users off by up to 200 Hz and 20 us: {own:.2f} dB, without offsets {ideal:.2f} dB")


def lost_and_found():
    if SHORT:
        skip("a user that loses the reference", "runs are short here")
        return
    event = "air.events=[{kind: blockage, block: 40, to_block: 170, ap: [0, 1, 2, 3], ue: [2], loss_db: 60}]"
    _, errors, total, events = run(*OFF, event, n_blocks=240)
    of_user = [e.split()[0] for e in events if e.startswith("SYNC-") and "ue=2 " in e + " "]
    check(of_user == ["SYNC-ACQUIRED", "SYNC-LOST", "SYNC-ACQUIRED"], f"user 2 behind 60 dB: {of_user}")
    check(total[200:, 2].min() > 0 and errors[200:].sum() == 0, "and is served again afterwards")


offsets()
lost_and_found()
finish()
