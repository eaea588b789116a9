# SPDX-License-Identifier: GPL-3.0-or-later
"""Priorities on purpose: with engine.realtime_priority the threads of every program have the policy and priority that
docs/architecture.md says, as the kernel tells in /proc/PID/task/TID/stat."""
import os
import sys

from network import Network, check, finish

PRIORITY = 20
FIFO, OTHER = 1, 0
# Thread name: priority; a name that is not here is not allowed to be real-time.
WANTED = {
    "tutti-ap": {"main": PRIORITY, "log": 0, "link": PRIORITY - 1, "ZMQbg/IO/0": PRIORITY - 1, "ZMQbg/Reaper": PRIORITY - 1},
    "tutti-ue": {"main": PRIORITY, "log": 0, "decode": 0, "ZMQbg/IO/0": 0, "ZMQbg/Reaper": 0},
}


def allowed():
    try:
        before = os.sched_getparam(0)
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(PRIORITY))
        os.sched_setscheduler(0, os.SCHED_OTHER, before)
        return True
    except PermissionError:
        return False


def threads(pid):
    """(name, policy, priority) of every thread."""
    for tid in os.listdir(f"/proc/{pid}/task"):
        text = open(f"/proc/{pid}/task/{tid}/stat").read()
        name, rest = text[text.index("(") + 1:text.rindex(")")], text[text.rindex(")") + 2:].split()
        yield "main" if tid == str(pid) else name, int(rest[41 - 3]), int(rest[40 - 3])


def test_priorities():
    with Network(n_blocks=100000, sets=["payload.modulation=qam4", f"engine.realtime_priority={PRIORITY}"]) as net:
        net.start()
        net.wait_for_block(20)
        for program, wanted in WANTED.items():
            seen = {n: (policy, priority) for n, policy, priority in threads(net.pid_of(program, 1))}
            check(set(seen) == set(wanted), f"{program}: threads {sorted(seen)}")
            for name, priority in wanted.items():
                policy = FIFO if priority else OTHER
                check(seen.get(name) == (policy, priority), f"{program} {name}: policy, priority {seen.get(name)}, wanted {(policy, priority)}")
        cpu = list(threads(net.pid_of("tutti-cpu")))
        fifo = {n: p for n, policy, p in cpu if policy == FIFO}
        print("tutti-cpu", cpu)
        check(all(p <= PRIORITY - 1 for p in fifo.values()), f"tutti-cpu: solve and link below the slot threads: {fifo}")
        check(not [n for n in fifo if "record" in n or "lab" in n or "log" in n], "tutti-cpu: who records is not real-time")
        net.process.terminate()
        net.wait(60)


if not allowed():
    print("SKIPPED: real-time priorities are not allowed here")
    sys.exit(77)
test_priorities()
finish()
