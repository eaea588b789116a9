# SPDX-License-Identifier: GPL-3.0-or-later
"""A lead longer than the frame's gap: the precoder of a block is applied in a later one. Without fading nothing is lost by it; with Jakes'
fading the users lose what the report says they do."""
import re

import numpy as np

from network import SHORT, Network, blocks, check, db, finish, skip

N_BLOCKS = blocks(240)
SETTLED = 20
DOPPLER_HZ = 3


def run(lag, **fading):
    sets = ["precoding.scheme=zf", f"engine.lag_blocks={lag}", *(f"air.fading.{k}={v}" for k, v in fading.items())]
    with Network(sets=sets, n_blocks=N_BLOCKS) as net:
        text = net.run().text
        with net.file("run.h5") as f:
            kind, sinr = f["applied/kind"][:], f["user/sinr_measured"][SETTLED:]
            wrong = f["user/code_block_errors"][max(lag, SETTLED):]
    return text, kind, sinr, wrong


def aged(text):
    """What the table says: users' predicted SINR with ageing, and ageing alone, dB."""
    line = next(l for l in text.splitlines() if l.startswith("Precoders went out"))
    return line, [float(x) for x in re.findall(r"user \d+ (-?[\d.]+) dB", line)]


def test_nothing_changes():
    text, kind, sinr, wrong = run(2, model="none")
    line, _ = aged(text)
    check("2 blocks after" in line and "stand still" in line, line)
    check(np.all(kind[SETTLED:-4] == 1), "every precoder was applied as the block's own")
    check(not np.any(wrong), "users decode")
    if SHORT:
        skip("what standing channels yield two blocks later", "runs are short here")
        return
    a, b = db(np.mean(sinr)), db(np.mean(run(0, model="none")[2]))
    check(abs(a - b) < 0.1, f"a channel that stands still: SINR {a:.2f} dB two blocks later, {b:.2f} dB at once")


def test_ageing():
    if SHORT:
        skip("what ageing costs", "runs are short here")
        return
    text, kind, sinr, _ = run(1, variation="jakes", doppler_hz=DOPPLER_HZ)
    line, said = aged(text)
    print(line)
    check(np.all(kind[SETTLED:-4] == 1), "every precoder was applied as the block's own")
    # Harmonic means, as the errors add up; 200 blocks of 5 ms at 3 Hz are about six independent channels, so 1 dB.
    measured = -db(np.mean(1 / sinr))
    expected = -db(np.mean([10 ** (-0.1 * s) for s in said]))
    check(abs(measured - expected) < 1, f"one block late: {measured:.2f} dB measured, {expected:.2f} dB said")
    at_once = -db(np.mean(1 / run(0, variation="jakes", doppler_hz=DOPPLER_HZ)[2]))
    check(at_once > measured + 3, f"without the lag {at_once:.2f} dB")


if __name__ == "__main__":
    test_nothing_changes()
    test_ageing()
    finish()
