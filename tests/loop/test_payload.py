# SPDX-License-Identifier: GPL-3.0-or-later
"""Payload over the loop: no block errors at high SNR with every modulation; a BLER curve that falls with the SNR; bit errors before and
after decoding against theory at the SINR that was measured."""
from math import erfc, sqrt

import numpy as np
from network import SHORT, Network, blocks, check, fewer, finish, skip


def bler(snr_db, modulation, n_blocks):
    with Network(sets=[f"payload.modulation={modulation}"], snr_db=snr_db, n_blocks=n_blocks) as net:
        with net.run().file("run.h5") as run:
            blocks, wrong = run["user/code_blocks"][:n_blocks], run["user/code_block_errors"][:n_blocks]
            check((blocks > 0).all(), f"{modulation} {snr_db} dB: every block reported")
            return wrong.sum() / blocks.sum()


# Error events of the code (171, 133) at distance 10, 12, ... from the right path.
EVENTS = (11, 38, 193, 1331, 7275, 40406, 234969)
q = np.vectorize(lambda x: 0.5 * erfc(x / sqrt(2)))


def counts(snr_db, modulation, n_blocks):
    with Network(sets=[f"payload.modulation={modulation}"], snr_db=snr_db, n_blocks=n_blocks) as net, net.run().file("run.h5") as run:
        names = "bits", "bit_errors", "coded_bits", "coded_bit_errors", "code_blocks", "code_block_errors", "sinr_measured"
        data = [run["user/" + name][:n_blocks] for name in names]
        points = np.sign(run["user/constellation"][:n_blocks // 16].real)  # [every 16th block][user][point]
    for what, same in (("blocks", points[1:] == points[:-1]), ("users", points[:, 1:] == points[:, :-1])):
        check(abs(same.mean() - 0.5) < 0.07, f"{modulation} {snr_db} dB: payloads of different {what} have {same.mean():.3f} of their bits in common")
    return data


def theory():
    """Noise-like disturbance of the measured SINR; the equaliser's gain, from 48 pilots, adds 1/48 of it."""
    *_, coded, wrong, _, _, sinr = counts(2, "qam16", blocks(60))
    x = np.sqrt(sinr / (1 + 1 / 48) / 5)
    rate, want = wrong.sum() / coded.sum(), ((3 * q(x) + 2 * q(3 * x) - q(5 * x)) / 4).mean()
    check(abs(rate / want - 1) <= 0.03, f"qam16 at 2 dB: {rate:.5f} of the coded bits wrong, Gray labels at this SINR {want:.5f}")
    bits, *_, wrong, sinr = counts(-4, "qam4", blocks(60))
    snr = sinr / (1 + 1 / 48)
    bound = np.minimum(bits * sum(a * q(np.sqrt((10 + 2 * i) * snr)) for i, a in enumerate(EVENTS)), 1).sum()
    check(wrong.sum() <= bound + 5 * sqrt(bound), f"qam4 at -4 dB: {wrong.sum()} wrong code blocks, union bound of soft decisions {bound:.1f}")
    bits, errors, _, _, code_blocks, wrong, _ = counts(-6, "qam256", blocks(60))
    rate = errors.sum() / bits.sum()
    check((code_blocks > 1).all() and (wrong == code_blocks).all() and 0.45 < rate < 0.51,
          f"qam256 at -6 dB, far beyond the code: every one of a block's code blocks wrong, {rate:.3f} of the bits, a guess")


def main():
    for modulation, snr_db in fewer((("qam256", 40), ("qam64", 35), ("qam16", 30))):
        value = bler(snr_db, modulation, blocks(100))
        check(value == 0, f"{modulation} at {snr_db} dB: BLER {value:.4f}")
    snrs = fewer([-6, 10, -2, 2, 6])
    snrs.sort(reverse=True)
    curve = [bler(s, "qam16", blocks(60)) for s in snrs]
    print("qam16 BLER:", ", ".join(f"{s} dB {v:.3f}" for s, v in zip(snrs, curve)))
    check(all(a <= b for a, b in zip(curve, curve[1:])), "the curve falls monotonically with the SNR")
    check(curve[-1] > 0.9 and (SHORT or curve[0] < 0.1), "it spans from near 0 to near 1")
    if SHORT:
        skip("error rates against theory", "runs are short here")
    else:
        theory()
    finish()


main()
