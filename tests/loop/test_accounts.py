# SPDX-License-Identifier: GPL-3.0-or-later
"""What was sent, not what was meant to be: in a paced network whose access points stand still now and then, every block of every
access point has exactly one account, the recording says the same as the access point's own counters, and those the same as its
radio's."""
import os
import re
import signal
import time

import numpy as np
from network import SHORT, Network, check, finish

N = 200 if SHORT else 400  # the stalls below take 140
KINDS = ("fresh", "stale", "local_cb", "mute", "tx_late", "tx_cut", "missed")  # enum wire_sent from 1 on
FRESH, LATE, MISSED = 1, 5, 7


def counters(net, log, context):
    text = open(os.path.join(net.out, "logs", log)).read()
    line = next(l for l in text.splitlines() if f"[{context}] COUNTERS" in l)
    return {k: int(v) for k, v in re.findall(r"(\w+)=(-?\d+)", line)}


def test_stalls():
    with Network(n_blocks=N, sets=["air.mode=paced", "payload.modulation=qam4"]) as net:
        net.start()
        net.wait_for_block(20)
        for i in range(30):
            pid = net.pid_of("tutti-ap", i % 2)
            if pid is None:
                break
            os.kill(pid, signal.SIGSTOP)
            time.sleep(0.002 + 0.0007 * i)
            os.kill(pid, signal.SIGCONT)
            time.sleep(0.01)
        if net.wait() != 0:
            net.fail(f"exit status {net.process.returncode}")
        with net.file("run.h5") as f:
            kind, chosen, received = (f[k][:N] for k in ("applied/kind", "applied/chosen", "hops/precoder_received_ns"))
        slots = [counters(net, f"ap{m}.log", "slot") for m in range(4)]
        radios = [counters(net, f"ap{m}.log", "radio") for m in range(4)]
        record = counters(net, "cpu.log", "record")
    check(kind.shape == (N, 4) and (kind > 0).all(), f"every AP-block has its account: {(kind == 0).sum()} have none")
    for m in range(4):
        told = [int((kind[:, m] == k + 1).sum()) for k in range(len(KINDS))]
        own = [slots[m][k] for k in KINDS]
        check(sum(told) == N and all(t <= o for t, o in zip(told, own)),
              f"AP {m}: recorded {dict(zip(KINDS, told))}, its own counters (to the end of the run) {own}")
        check(slots[m]["tx_late"] + slots[m]["tx_cut"] <= radios[m]["L"] + radios[m]["U"] + radios[m]["bursts_refused"],
              f"AP {m}: no burst is late that its radio did not tell of: L={radios[m]['L']} U={radios[m]['U']}")
    late = kind == LATE
    print(f"late {late.sum()}, of these chosen fresh {(chosen[late] == FRESH).sum()}; missed {(kind == MISSED).sum()}")
    check(not np.isin(kind[late], (FRESH,)).any() and (chosen[late] > 0).all(), "late is late, whatever was chosen")
    check((received[kind == FRESH] > 0).all(), "a fresh precoder has its arrival stamp")
    check(record.get("accounts_twice", 0) == 0, "no account is counted twice")


def test_a_stall_at_the_end():
    """Who stands still while the run ends tells of all that it slept over before the recording is closed."""
    n = 200
    with Network(n_blocks=n, sets=["air.mode=paced", "payload.modulation=qam4"]) as net:
        net.start()
        net.wait_for_block(n - 40)
        pid = net.pid_of("tutti-ap", 0)
        os.kill(pid, signal.SIGSTOP)
        time.sleep(0.9)  # 180 blocks: alive still, and well beyond the end
        os.kill(pid, signal.SIGCONT)
        if net.wait() != 0:
            net.fail(f"exit status {net.process.returncode}")
        with net.file("run.h5") as f:
            kind = f["applied/kind"][:n]
    check((kind > 0).all(), f"every AP-block has its account: {(kind == 0).sum(axis=0)} have none")
    check((kind[:, 0] == MISSED).any(), f"AP 0 slept over {(kind[:, 0] == MISSED).sum()} blocks")


test_stalls()
test_a_stall_at_the_end()
finish()
