# SPDX-License-Identifier: GPL-3.0-or-later
"""kill -9 of an AP, a user and the CPU node in mid-run: nobody else exits, the others go on, the returned node is used again
within 10 blocks."""
import os
import signal
import time

import numpy as np
from network import SHORT, Network, check, db, finish

BLOCKS = 240 if SHORT else 1500


def others_alive(net, but):
    nodes = [("tutti-air", None), ("tutti-cpu", None)] + [("tutti-ap", i) for i in range(4)] + [("tutti-ue", i) for i in range(4)]
    return [n for n in nodes if n != but and net.pid_of(*n) is None]


def kill_and_return(net, program, node_id, pause_s=0.3):
    at = net.blocks_done()
    os.kill(net.pid_of(program, node_id), signal.SIGKILL)
    time.sleep(pause_s)
    missing = others_alive(net, (program, node_id))
    check(not missing, f"{program} {node_id} killed at block {at}: nobody else exits {missing}")
    net.start_node(program, *([] if node_id is None else ["--id", str(node_id)]))
    return at


def first_block_after(log, net, tag):
    """Block at which the CPU node logged that a node was back (the last one)."""
    lines = [l for l in open(os.path.join(net.out, "logs", log)) if tag in l]
    return int(lines[-1].split("block=")[1].split()[0])


def test_ap():
    with Network(n_blocks=BLOCKS, args=["--keep-going"], sets=["payload.modulation=qam4"]) as net:
        net.start()
        net.wait_for_block(40 if SHORT else 150)
        at = kill_and_return(net, "tutti-ap", 2)
        net.wait()
        with net.file("run.h5") as f:
            used, sinr = f["block/ap_used"][:BLOCKS], f["user/sinr_measured"][:BLOCKS]
            bits = f["user/bits"][:BLOCKS]
        gone = np.flatnonzero(used[:, 2] == 0)
        check(gone.size > 0, f"AP 2 was out of the solve for {gone.size} blocks")
        back = first_block_after("cpu.log", net, "AP-UP ap=2")
        again = np.flatnonzero(used[back:, 2])
        check(again.size > 0 and again[0] <= 10, f"AP 2 said hello at block {back}, used again {again[0] if again.size else 'never'} blocks later")
        check(used[:, [0, 1, 3]].all() and len(used) == BLOCKS, "the other APs were used in every block")
        check((bits > 0).all(), "every user reported every block")
        with_gap, whole = db(sinr[gone[2:]]).mean(), db(sinr[back + 20:]).mean()
        # Back, an AP has heard its noise in three symbols a block: to 1.1 % after ten blocks, which costs 0.1 dB, and 1.2 dB at five times that.
        soon = db(sinr[back + 10:back + 20]).mean()
        check(soon > whole - 1.5, f"SINR {soon:.1f} dB in the second ten blocks with it")
        check(gone.size < 20 or whole - 6 < with_gap < whole, f"SINR {with_gap:.1f} dB with three APs, {whole:.1f} dB with four")


def test_user():
    with Network(n_blocks=BLOCKS, args=["--keep-going"], sets=["payload.modulation=qam4"]) as net:
        net.start()
        net.wait_for_block(40 if SHORT else 150)
        kill_and_return(net, "tutti-ue", 1, pause_s=1.0)
        net.wait()
        with net.file("run.h5") as f:
            used, bits, sinr = f["block/user_used"][:BLOCKS], f["user/bits"][:BLOCKS], f["user/sinr_measured"][:BLOCKS]
        silent = np.flatnonzero(bits[:, 1] == 0)
        check(silent.size > 0 and bits[-5:, 1].all(), f"user 1 was silent for {silent.size} blocks and came back")
        check((bits[:, [0, 2, 3]] > 0).all(), "the other users reported every block")
        left_out = np.flatnonzero(used[:, 1] == 0)
        check(left_out.size > 0, f"user 1 was left out of the solve for {left_out.size} blocks")
        returned = silent[-1] + 1
        served = np.flatnonzero(used[returned:, 1])
        check(served[0] <= 10, f"first report at block {returned}, served {served[0]} blocks later")
        check(db(sinr[-50:, :]).min() > 15, f"all users well served at the end: {np.round(db(sinr[-50:]).mean(axis=0), 1)} dB")


def test_cpu():
    with Network(n_blocks=BLOCKS, args=["--keep-going"], sets=["payload.modulation=qam4", "record.file=second.h5"]) as net:
        net.start()
        time.sleep(2.0)
        os.kill(net.pid_of("tutti-cpu"), signal.SIGKILL)
        time.sleep(0.1)
        missing = others_alive(net, ("tutti-cpu", None))
        check(not missing, f"CPU node killed: nobody else exits {missing}")
        again = net.start_node("tutti-cpu")
        check(again.wait(timeout=200) == 0, "the second CPU node ended the run")
        net.wait()
        with net.file("second.h5") as f:
            used = f["block/ap_used"][()]
            start = int(np.flatnonzero(used.any(axis=1))[0])
            kind = f["applied/kind"][start:BLOCKS]
            sinr = f["user/sinr_measured"][BLOCKS - 50:BLOCKS]
        check(used[start + 10:].all(), f"the second CPU node started at block {start}; all APs in use within 10 blocks")
        check((kind[10:] == 1).all(), "and every AP applies fresh precoders again")
        check(db(sinr).min() > 15, f"users well served at the end: {np.round(db(sinr).mean(axis=0), 1)} dB")


test_ap()
test_user()
test_cpu()
finish()
