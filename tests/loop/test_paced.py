# SPDX-License-Identifier: GPL-3.0-or-later
"""Paced mode: real lateness, the stale policy, no crash; every block of every AP is accounted for."""
import numpy as np
from network import Network, blocks, check, finish


def main():
    n = blocks(400)
    with Network(n_blocks=n, sets=["air.mode=paced", "payload.modulation=qam4"]) as net:
        net.start()
        check(net.wait() == 0, "the run ends by itself and well")
        print(net.text[-2500:])
        with net.file("run.h5") as run:
            kind, arrival = run["applied/kind"][:n], run["applied/arrival"][:n]
        counts = {name: int((kind == i).sum()) for i, name in enumerate(["unknown", "fresh", "stale", "local CB", "mute"])}
        late = int((arrival == 3).sum())
        print("applied:", counts, "late:", late)
        check(counts["fresh"] > 0, "fresh precoders are applied")
        check(((arrival == 3) <= np.isin(kind, (2, 3, 4))).all(), "a late precoder gives a stale, local or muted block")
    finish()


main()
