# SPDX-License-Identifier: GPL-3.0-or-later
"""Payload over the loop: no block errors at high SNR with every modulation; a BLER curve that falls with the SNR."""
import numpy as np
from network import Network, blocks, check, fewer, finish


def bler(snr_db, modulation, n_blocks):
    with Network(sets=[f"payload.modulation={modulation}"], snr_db=snr_db, n_blocks=n_blocks) as net:
        with net.run().file("run.h5") as run:
            blocks, wrong = run["user/code_blocks"][:n_blocks], run["user/code_block_errors"][:n_blocks]
            check((blocks > 0).all(), f"{modulation} {snr_db} dB: every block reported")
            return wrong.sum() / blocks.sum()


def main():
    for modulation, snr_db in fewer((("qam256", 40), ("qam64", 35), ("qam16", 30))):
        value = bler(snr_db, modulation, blocks(100))
        check(value == 0, f"{modulation} at {snr_db} dB: BLER {value:.4f}")
    snrs = fewer([10, -6, -2, 2, 6], 2)
    snrs.sort(reverse=True)
    curve = [bler(s, "qam16", blocks(60)) for s in snrs]
    print("qam16 BLER:", ", ".join(f"{s} dB {v:.3f}" for s, v in zip(snrs, curve)))
    check(all(a <= b for a, b in zip(curve, curve[1:])), "the curve falls monotonically with the SNR")
    check(curve[0] < 0.1 and curve[-1] > 0.9, "it spans from near 0 to near 1")
    finish()


main()
