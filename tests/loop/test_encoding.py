# SPDX-License-Identifier: GPL-3.0-or-later
"""What the encodings of the fronthaul cost in SINR: the same network and seed with cf32, with block floating point of nine bits
both ways and with sc16, in a network whose users have a SINR of about 30 dB. The loss is taken from the true channel and the precoder
as solved, which is that of the estimates, and from what the users measured, which is that of both ways. What travels is coded here
again, after docs/wire.md: the estimates that arrive and the SINR that the coded precoder gives must be those."""
import os
import re

import numpy as np
from network import Network, blocks, check, db, fewer, finish, true_sinr

BLOCKS, SKIP = blocks(120), 20


def halves(x):
    """[..][antenna][2 stream]: real and imaginary parts in turn."""
    return np.ascontiguousarray(x.astype(np.complex64)).view(np.float32)


def bfp(x, bits=9):
    """One exponent per antenna and subband, so that the largest value fills the mantissa; the nearest mantissa."""
    v = halves(x)
    step = 2.0 ** (np.frexp(np.abs(v).max(axis=-1, keepdims=True))[1] - (bits - 1))
    most = 2 ** (bits - 1) - 1
    return (np.clip(np.rint(v / step), -most, most) * step).astype(np.float32).view(np.complex64)


def sc16(x):
    v = halves(x)
    scale = np.abs(v).max(axis=(-2, -1), keepdims=True) / 32767
    return (np.rint(v / scale) * scale).astype(np.float32).view(np.complex64)


def run(encoding):
    sets = [f"fronthaul.uplink_encoding={encoding}", f"fronthaul.downlink_encoding={encoding}", "payload.modulation=qam4"]
    with Network(sets=sets, snr_db=21, n_blocks=BLOCKS) as net:
        net.run()
        log = open(os.path.join(net.out, "logs", "cpu.log")).read()
        n_bytes = np.array([int(re.search(f"bytes_{d}=(\\d+)", log).group(1)) for d in ("up", "down")])
        with net.file("run.h5") as run_file, net.file("truth.h5") as truth:
            check((run_file["applied/kind"][:BLOCKS] == 1).all(), f"{encoding}: every block precoded fresh")
            H, W = truth["H"][:BLOCKS], run_file["W"][:BLOCKS]
            coded = W if encoding == "cf32" else {"bfp": bfp, "sc16": sc16}[encoding](W)
            measured = run_file["user/sinr_measured"][:BLOCKS][SKIP:]
            gap = (db(measured) - db(true_sinr(H, coded)[SKIP:])).mean(axis=0)
            return H, run_file["H_hat"][:BLOCKS], true_sinr(H, W)[SKIP:], measured, gap, n_bytes


def main():
    H, H_hat, sinr, measured, gap, n_bytes = run("cf32")
    check(np.abs(db(sinr).mean(axis=0) - 30).max() < 2, f"cf32: SINR {np.round(db(sinr).mean(axis=0), 1)} dB")
    for encoding in fewer(("bfp", "sc16")):
        H2, H_hat2, sinr2, measured2, gap2, n_bytes2 = run(encoding)
        check(np.array_equal(H, H2), f"{encoding}: the same channels")
        evm = db((np.abs(H_hat2 - H_hat) ** 2).sum() / (np.abs(H_hat) ** 2).sum())
        least, most = (-60, -45) if encoding == "bfp" else (-110, -80)
        check(least < evm < most, f"{encoding}: the estimates did travel encoded, {evm:.1f} dB")
        # sc16's scale is no power of two, so a part half-way between two integers may go either way: one step
        again = {"bfp": bfp, "sc16": sc16}[encoding](H_hat)
        off = np.abs(halves(H_hat2) - halves(again)).max() / np.abs(halves(H_hat)).max()
        check(off <= (0 if encoding == "bfp" else 1.1 / 32767), f"{encoding}: they arrive as coded here, to {off:.1e}")
        check(np.abs(gap2 - gap).max() <= 0.01, f"{encoding}: measured SINR as of the precoder coded here, to {np.round(gap2 - gap, 4)} dB")
        saved = 6 * 4 * 4 * 8 - {"bfp": 6 * 4 * (1 + 9), "sc16": 6 * (4 + 4 * 4 * 4)}[encoding]  # bytes of a message, docs/wire.md
        ratio = (n_bytes - n_bytes2) / (4 * BLOCKS * saved)  # a few messages more are under way when the run ends
        check((ratio > 0.95).all() and (ratio < 1.15).all(), f"{encoding}: bytes saved up and down over those of the format {np.round(ratio, 3)}")
        for name, a, b in (("true channel", sinr, sinr2), ("measured", measured, measured2)):
            loss = (db(a) - db(b)).mean(axis=0)
            check(np.abs(loss).max() <= 0.1, f"{encoding} both ways against cf32, {name}: loss {np.round(loss, 3)} dB "
                  f"of {np.round(db(a).mean(axis=0), 1)} dB")
    finish()


main()
