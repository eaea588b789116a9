# SPDX-License-Identifier: GPL-3.0-or-later
"""A paced network for minutes while access points are killed and come back: memory and descriptors stay flat, every block of every AP
that lived is accounted for. Not part of ctest: soak.py [MINUTES] [SECONDS BETWEEN KILLS], TUTTI_BIN_DIR set."""
import os
import re
import signal
import sys
import time

import numpy as np
from network import Network, check, finish

MINUTES = float(sys.argv[1]) if len(sys.argv) > 1 else 10
PERIOD_S = float(sys.argv[2]) if len(sys.argv) > 2 else 20
WATCHED = [("tutti-cpu", None), ("tutti-air", None), ("tutti-ap", 0), ("tutti-ue", 0)]


def usage(pid):
    """Resident KiB and open descriptors."""
    with open(f"/proc/{pid}/status") as f:
        rss = next(int(line.split()[1]) for line in f if line.startswith("VmRSS"))
    return rss, len(os.listdir(f"/proc/{pid}/fd"))


def main():
    blocks = int(MINUTES * 60 * 200)
    sets = ["air.mode=paced", "payload.modulation=qam4", "record.constellation_points=0"]
    with Network(n_blocks=blocks, sets=sets, args=["--keep-going"]) as net:
        # truth of ten minutes is of no use here
        net.command += ["--set", "air.truth="]
        net.start()
        net.wait_for_block(400)
        pids = {node: net.pid_of(*node) for node in WATCHED}
        series, victims, kills, start = {node: [] for node in WATCHED}, [], 0, time.time()
        while net.process.poll() is None and time.time() - start < MINUTES * 60 + 60:
            time.sleep(PERIOD_S / 2)
            for node, pid in pids.items():
                if os.path.exists(f"/proc/{pid}"):
                    try:
                        series[node].append(usage(pid))
                    except (OSError, StopIteration):
                        pass
            if net.process.poll() is not None or time.time() - start > MINUTES * 60 - PERIOD_S:
                continue
            victim = 1 + kills % 3
            pid = net.pid_of("tutti-ap", victim)
            if pid:
                os.kill(pid, signal.SIGKILL)
                kills += 1
            time.sleep(PERIOD_S / 2)
            victims.append(net.start_node("tutti-ap", "--id", str(victim)))
        net.wait(120)
        for v in victims:
            v.poll()
        for node, values in series.items():
            v = np.array(values)
            half = v[len(v) // 2:]
            growth = half[-1, 0] - half[0, 0]
            print(f"{node}: resident {v[0, 0]} -> {half[0, 0]} -> {v[-1, 0]} KiB, descriptors {v[0, 1]} -> {v[-1, 1]}, {len(v)} samples")
            check(abs(growth) < 0.02 * half[0, 0] + 512, f"{node}: memory flat in the second half ({growth} KiB)")
            check(v[:, 1].max() - v[:, 1].min() <= 4, f"{node}: descriptors flat")
        with net.file("run.h5") as f:
            n = f["block/ap_used"].shape[0]
            used, kind, tick = f["block/ap_used"][()], f["applied/kind"][()], f["block/tick"][()]
        log = open(os.path.join(net.out, "logs", "cpu.log")).read()
        print(re.findall(r"\[block\] (COUNTERS.*)", log)[-1])
        print(f"{kills} kills, {n} blocks recorded, {int((tick == 0).sum()) - 1} missing; AP 0 used in {used[:, 0].mean():.4f} of them")
        names = ["unknown", "fresh", "stale", "local CB", "mute"]
        for ap in range(4):
            print(f"AP {ap}: " + ", ".join(f"{name} {int((kind[:, ap] == i).sum())}" for i, name in enumerate(names)))
        check(kills >= MINUTES * 60 / PERIOD_S / 2 - 1, f"{kills} kills")
        late = re.search(r"csi_late=(\d+) csi_refused=(\d+) csi_foreign=(\d+)", log)
        check(late and int(late.group(2)) == 0 and int(late.group(3)) == 0, "no estimate refused or foreign")
        # AP 0 was never killed: each of its blocks is fresh, stale, local or mute, or its stamps were lost with late estimates.
        lost = int((kind[:n - 2, 0] == 0).sum())
        unused = int((used[:n - 2, 0] == 0).sum())
        check(lost <= unused + int(late.group(1)) + 4, f"AP 0: {lost} blocks without stamps, {unused} without its estimates, {late.group(1)} late")
    finish()


main()
