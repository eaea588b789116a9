# SPDX-License-Identifier: GPL-3.0-or-later
"""No malloc-family call and no lock wait on the AP slot path and the CPU solve path of the real daemons."""
import os
import re

from network import Network, check, finish


CASES = [["precoding.scheme=zf", "engine.n_workers=2"], ["precoding.scheme=ob", "precoding.an=phase_only"],
         ["precoding.scheme=ppzf", "precoding.an=nullspace"], ["precoding.scheme=ppzf", "precoding.local=true", "precoding.power=equal"]]


def watch(sets):
    with Network(n_blocks=60, sets=["payload.modulation=qam4", *sets]) as net:
        log = os.path.join(net.dir, "hot.txt")
        net.env.update(LD_PRELOAD=os.environ["TUTTI_HOTCHECK_LIBRARY"], TUTTI_HOTCHECK=log)
        net.run()
        lines = [l for l in open(log) if re.search(r"tutti-(ap|cpu)", l)]
        check(len(lines) == 5, f"{sets}: four APs and the CPU node were watched")
        for line in lines:
            field = dict(w.split("=", 1) for w in line.split() if "=" in w)
            check(int(field["malloc"]) == 0 and int(field["lock_wait"]) == 0 and int(field["hot_entries"]) > 0, line.strip())


for case in CASES:
    watch(case)
finish()
