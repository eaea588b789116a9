# SPDX-License-Identifier: GPL-3.0-or-later
"""Paced mode: precoders that are on time are applied, late ones are not, and the recording says which. Whether they are late is decided
by the test and not by the machine: at a tenth of the default rate there is ten times the time, and a link that delays every message
by more than all of it leaves none."""
import numpy as np
from network import Network, check, check_long, finish

N, RATE_HZ, BLOCK_US = 60, 192000, 50000  # 50 ms of air in a block, 17.8 ms from the pilots' end to the downlink
KINDS = ["unknown", "fresh", "stale", "local CB", "mute"]
FRESH, STALE, LOCAL_CB, MUTE = 1, 2, 3, 4
EARLY, ON_TIME, LATE = 1, 2, 3


def run(*more):
    sets = ["air.mode=paced", "payload.modulation=qam4", f"frame.sample_rate_hz={RATE_HZ}", f"frame.block_us={BLOCK_US}", *more]
    with Network(n_blocks=N, sets=sets) as net:
        net.start()
        check(net.wait() == 0, "the run ends by itself and well")
        print(net.text[-2500:])
        with net.file("run.h5") as f:
            kind, arrival = f["applied/kind"][:N], f["applied/arrival"][:N]
    print("applied:", {name: int((kind == i).sum()) for i, name in enumerate(KINDS)}, "late:", int((arrival == LATE).sum()))
    known = kind != 0
    check(not ((arrival == LATE) & (kind == FRESH)).any(), "no late precoder is applied as a fresh one")
    check(not (np.isin(arrival, (EARLY, ON_TIME)) & np.isin(kind, (STALE, LOCAL_CB, MUTE))).any(), "nor one on time left lying")
    return kind, known


def main():
    kind, known = run()
    check_long((kind == FRESH).any(), f"with time enough, {100 * (kind[known] == FRESH).mean():.0f} % of the precoders are applied")
    kind, known = run("fronthaul.faults.delay_us=30000")
    check(known.any() and not (kind == FRESH).any(), "with a link slower than the block has time, none is")
    check_long((kind[known] == LOCAL_CB).any(), "the APs form their own beams instead")
    finish()


main()
