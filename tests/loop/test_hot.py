# SPDX-License-Identifier: GPL-3.0-or-later
"""No malloc-family call and no lock wait on the AP slot path and the CPU solve path of the real daemons."""
import os
import re

from network import BIN, Network, check, finish


def main():
    library = os.environ["TUTTI_HOTCHECK_LIBRARY"]
    with Network(n_blocks=80, sets=["engine.n_workers=2", "payload.modulation=qam4"]) as net:
        log = os.path.join(net.dir, "hot.txt")
        net.env.update(LD_PRELOAD=library, TUTTI_HOTCHECK=log)
        net.run()
        lines = [l for l in open(log) if re.search(r"tutti-(ap|cpu)", l)]
        print("".join(lines))
        check(len(lines) == 5, "four APs and the CPU node were watched")
        for line in lines:
            field = dict(w.split("=", 1) for w in line.split() if "=" in w)
            check(int(field["malloc"]) == 0 and int(field["lock_wait"]) == 0, line.strip())
            entries = int(field.get("hot_entries", field.get("entries", 0)))
            check(entries > 0, f"the path was entered {entries} times")
    finish()


main()
