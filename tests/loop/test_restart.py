# SPDX-License-Identifier: GPL-3.0-or-later
"""kill -9 of an AP, a user and the CPU node in mid-run: nobody else exits, the others go on, the returned node is used again
within 10 blocks. The networks run until the test has seen enough, on any machine."""
import os

import numpy as np
from network import LIGHT, SHORT, THREADS, Network, check, db, finish, skip

BEFORE, AFTER = (40, 60) if SHORT else (150, 150)
TAIL = 20  # blocks at the end that not everybody has reported yet


def others_alive(net, but):
    nodes = [("tutti-air", None), ("tutti-cpu", None)] + [("tutti-ap", i) for i in range(4)] + [("tutti-ue", i) for i in range(4)]
    return [n for n in nodes if n != but and net.pid_of(*n) is None]


def kill_and_return(net, program, node_id, away_blocks):
    """Kill it, start it again after so many blocks without it, go on for a while; ends the network. Returns the blocks recorded."""
    at = net.blocks_done()
    net.kill_node(program, node_id)
    net.wait_for_block(at + away_blocks)
    missing = others_alive(net, (program, node_id))
    check(not missing, f"{program} {node_id} killed at block {at}: nobody else exits {missing}")
    net.start_node(program, "--id", str(node_id))
    what = "AP" if program == "tutti-ap" else "UE"
    net.wait_for_log("cpu.log", f"{what}-UP {what.lower()}={node_id}", 2)
    return go_on_and_end(net)


def go_on_and_end(net, name="run.h5"):
    net.wait_for_block(net.blocks_done(name) + AFTER + TAIL, name)
    n = net.blocks_done(name) - TAIL
    net.process.terminate()
    net.wait()
    return n


def first_block_after(log, net, tag):
    """Block at which the CPU node logged that a node was back (the last one)."""
    lines = [line for line in net.log(log).splitlines() if tag in line]
    return int(lines[-1].split("block=")[1].split()[0])


def endless(*sets):
    return Network(n_blocks=0, args=["--keep-going"], sets=["payload.modulation=qam4", *LIGHT, *sets])


def test_ap():
    with endless() as net:
        net.start()
        net.wait_for_block(BEFORE)
        n = kill_and_return(net, "tutti-ap", 2, 30)
        with net.file("run.h5") as f:
            used, sinr = f["block/ap_used"][:n], f["user/sinr_measured"][:n]
            bits, learning = f["user/bits"][:n], np.flatnonzero(f["block/learning"][:n])
        gone = np.flatnonzero(used[:, 2] == 0)
        check(gone.size > 0, f"AP 2 was out of the solve for {gone.size} blocks")
        back = first_block_after("cpu.log", net, "AP-UP ap=2")
        again = np.flatnonzero(used[back:, 2])
        check(again.size > 0 and again[0] <= 10, f"AP 2 said hello at block {back}, used again {again[0] if again.size else 'never'} blocks later")
        check(np.array_equal(learning[:16], np.arange(16)) and learning.size == 32 and used[learning[16:], 2].all() and
              learning[16] == np.flatnonzero(used[:, 2] & (np.arange(n) > gone[0]))[0],
              f"blocks of learning: the first 16, and 16 of AP 2 from block {learning[16] if learning.size > 16 else 'never'}")
        check(used[:, [0, 1, 3]].all(), "the other APs were used in every block")
        check((bits > 0).all(), "every user reported every block")
        with_gap, whole = db(sinr[gone[2:]]).mean(), db(sinr[back + 20:]).mean()
        # Back, an AP has heard its noise in three symbols a block: to 1.1 % after ten blocks, which costs 0.1 dB, and 1.2 dB at five times that.
        soon = db(sinr[back + 10:back + 20]).mean()
        check(soon > whole - 1.5, f"SINR {soon:.1f} dB in the second ten blocks with it")
        check(gone.size >= 20 and whole - 6 < with_gap < whole, f"SINR {with_gap:.1f} dB with three APs, {whole:.1f} dB with four")


def test_user():
    with endless() as net:
        net.start()
        net.wait_for_block(BEFORE)
        n = kill_and_return(net, "tutti-ue", 1, 60)  # beyond engine.user_silent_blocks
        with net.file("run.h5") as f:
            used, bits, sinr = f["block/user_used"][:n], f["user/bits"][:n], f["user/sinr_measured"][:n]
        silent = np.flatnonzero(bits[:, 1] == 0)
        check(silent.size > 0 and bits[-5:, 1].all(), f"user 1 was silent for {silent.size} blocks and came back")
        check((bits[:, [0, 2, 3]] > 0).all(), "the other users reported every block")
        left_out = np.flatnonzero(used[:, 1] == 0)
        check(left_out.size > 0, f"user 1 was left out of the solve for {left_out.size} blocks")
        returned = silent[-1] + 1
        served = np.flatnonzero(used[returned:, 1])
        check(served[0] <= 10, f"first report at block {returned}, served {served[0]} blocks later")
        check(db(sinr[-AFTER // 2:, :]).min() > 15, f"all users well served at the end: {np.round(db(sinr[-AFTER // 2:]).mean(axis=0), 1)} dB")


def test_cpu():
    """The second life goes on in the same recording: what the first one wrote stays, a row per block, the outage empty."""
    with endless() as net:
        net.start()
        net.wait_for_block(BEFORE)
        net.kill_node("tutti-cpu")
        missing = others_alive(net, ("tutti-cpu", None))
        check(not missing, f"CPU node killed: nobody else exits {missing}")
        written = net.blocks_done()
        with net.file("run.h5") as f:
            before = {k: f[k][:written] for k in ("H_hat", "W", "block/tick", "user/sinr_measured")}
        net.start_node("tutti-cpu")
        net.wait_for_block(written + 1)
        n = go_on_and_end(net)
        with net.file("run.h5") as f:
            for k, v in before.items():
                rows = written - TAIL if k.startswith("user") else written  # the last reports were on their way
                check(np.array_equal(f[k][:rows], v[:rows], equal_nan=True), f"{k}: all {rows} rows of the first life are there")
            used, session = f["block/ap_used"][:n], f["block/session"][:n]
            kind, sinr = f["applied/kind"][:n], f["user/sinr_measured"][n - 50:n]
            joined = [int(b) for t, b in zip(f["events/text"][()], f["events/block"][()]) if b"AP-UP" in bytes(t)]
        lives = np.unique(session[session != 0])
        start = int(np.flatnonzero(session == session[-1])[0])
        check(len(lives) == 2 and start >= written, f"{written} blocks of the first life, the second from block {start}")
        whole = max(start, max(joined)) + 10  # how soon an AP says hello again is the clock's affair
        check(n - whole > 20 and used[whole:].all(), f"all APs in use within 10 blocks of the last one's hello, block {max(joined)} of {n}")
        check((kind[whole:] == 1).all(), "and every AP sends fresh precoders again")
        check(kind.all(), f"every AP-block of both lives and of the outage between has its account: {(kind == 0).sum()} have none, "
              f"kinds in the outage {np.unique(kind[written:start])}")
        check(db(sinr).min() > 15, f"users well served at the end: {np.round(db(sinr).mean(axis=0), 1)} dB")


def test_refused():
    """A central node that comes back with another network: an AP and a user that are refused in mid-run say which key differs and do not
    end as if all were well."""
    with endless() as net:
        net.start()
        net.wait_for_block(20)
        nodes = {}
        for program in ("tutti-ap", "tutti-ue"):
            net.kill_node(program, 1)
            net.wait_for_block(net.blocks_done() + 10)
            nodes[program] = net.start_node(program, "--id", "1")
        net.wait_for_block(net.blocks_done() + 20)
        check(all(n.poll() is None for n in nodes.values()), "an AP and a user were started again")
        net.kill_node("tutti-cpu")
        other = net.start_node("tutti-cpu", "--set", "network.seed=8", "--set", "record.file=other.h5")
        for program, node in nodes.items():
            check(node.wait(timeout=60) == 1, f"{program} ends with status {node.returncode}")
        text = open(os.path.join(net.out, "logs", "again.log")).read()
        for program in nodes:
            words = [l for l in text.splitlines() if l.startswith(program + ":")]
            check(len(words) == 1 and "refused" in words[0] and "seed" in words[0], f"{words}")
        other.terminate()
        other.wait(20)
        net.process.terminate()
        net.wait(60)


test_ap()
test_user()
test_cpu()
if THREADS:
    skip("a central node of another network", "its threads are those of one that comes back")
else:
    test_refused()
finish()
