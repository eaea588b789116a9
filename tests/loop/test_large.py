# SPDX-License-Identifier: GPL-3.0-or-later
"""128 access points of 4 antennas and 64 users: 194 processes in lock-step for a few blocks. Every AP takes part in every block, every
user is served and decodes, and what was measured is what the true channel gives."""
import numpy as np
from network import Network, check, db, finish, true_sinr

BLOCKS, SKIP = 6, 3
EXTRA = """
frame: {schedule: "B G P64 U2 G D72 G", n_dl_pilot_symbols: 64, block_us: 11000, subcarriers_per_subband: 12}
payload: {modulation: qam4}
engine: {lockstep_timeout_ms: 120000}
"""


def main():
    # the true channel with the recorded W is what flat subbands give
    sets = ["air.radio_timeout_ms=120000", "precoding.subband=flat"]
    with Network(extra=EXTRA, sets=sets, n_ap=128, n_ant=4, n_ue=64, n_blocks=BLOCKS, snr_db=10) as net:
        net.run(timeout=280)
        with net.file("run.h5") as run, net.file("truth.h5") as truth:
            check(run["W"].shape[1:] == (6, 128, 4, 64), f"precoders of shape {run['W'].shape}")
            check((run["block/ap_used"][:BLOCKS] == 1).all(), "every AP in every block")
            check((run["applied/kind"][:BLOCKS] == 1).all(), "every AP sent the precoder of every block")
            check((run["block/user_used"][:BLOCKS] == 1).all(), "every user served")
            measured = run["user/sinr_measured"][:BLOCKS]
            true = true_sinr(truth["H"][:BLOCKS], run["W"][:BLOCKS])
        gap = db(measured[SKIP:]).mean(axis=0) - db(true[SKIP:]).mean(axis=0)
        check(np.isfinite(gap).all() and abs(gap.mean()) <= 0.1 and np.abs(gap).max() <= 0.5,
              f"SINR {db(measured[SKIP:]).mean():.2f} dB, mean gap to the true channel {gap.mean():.3f} dB, largest {np.abs(gap).max():.3f}")
    finish()


main()
