# SPDX-License-Identifier: GPL-3.0-or-later
"""What the encodings of the fronthaul cost in SINR: the same network and seed with cf32, with block floating point of nine bits
both ways and with sc16. The loss is taken from the true channel and the precoder as the APs applied it, and from what the users
measured, in a network whose users have a SINR of about 30 dB."""
import numpy as np
from network import Network, blocks, check, db, fewer, finish, true_sinr

BLOCKS, SKIP = blocks(120), 20


def run(encoding):
    sets = [f"fronthaul.uplink_encoding={encoding}", f"fronthaul.downlink_encoding={encoding}", "payload.modulation=qam4"]
    with Network(sets=sets, snr_db=21, n_blocks=BLOCKS) as net:
        net.run()
        with net.file("run.h5") as run_file, net.file("truth.h5") as truth:
            check((run_file["applied/kind"][:BLOCKS] == 1).all(), f"{encoding}: every block precoded fresh")
            sinr = true_sinr(truth["H"][:BLOCKS], run_file["W"][:BLOCKS])[SKIP:]
            return truth["H"][:BLOCKS], run_file["H_hat"][:BLOCKS], sinr, run_file["user/sinr_measured"][:BLOCKS][SKIP:]


def main():
    H, H_hat, sinr, measured = run("cf32")
    check(np.abs(db(sinr).mean(axis=0) - 30).max() < 2, f"cf32: SINR {np.round(db(sinr).mean(axis=0), 1)} dB")
    for encoding in fewer(("bfp", "sc16")):
        H2, H_hat2, sinr2, measured2 = run(encoding)
        check(np.array_equal(H, H2), f"{encoding}: the same channels")
        evm = db((np.abs(H_hat2 - H_hat) ** 2).sum() / (np.abs(H_hat) ** 2).sum())
        least, most = (-60, -45) if encoding == "bfp" else (-110, -80)
        check(least < evm < most, f"{encoding}: the estimates did travel encoded, {evm:.1f} dB")
        for name, a, b in (("true channel", sinr, sinr2), ("measured", measured, measured2)):
            loss = (db(a) - db(b)).mean(axis=0)
            check(np.abs(loss).max() <= 0.1, f"{encoding} both ways against cf32, {name}: loss {np.round(loss, 3)} dB "
                  f"of {np.round(db(a).mean(axis=0), 1)} dB")
    finish()


main()
