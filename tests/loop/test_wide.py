# SPDX-License-Identifier: GPL-3.0-or-later
"""The 20 MHz configuration in lock-step, shortened."""
import numpy as np
from network import Network, check, db, finish, true_sinr

EXTRA = """
frame: {sample_rate_hz: 30720000, fft_size: 2048, n_used_subcarriers: 1200, n_cp_samples: 144, schedule: "B G P2 U24 G D40 G",
        n_dl_pilot_symbols: 2}
fronthaul: {uplink_encoding: sc16, downlink_encoding: sc16}
"""


def main():
    n = 12
    with Network(extra=EXTRA, n_ant=2, n_ue=2, n_blocks=n) as net:
        net.run()
        with net.file("run.h5") as run, net.file("truth.h5") as truth:
            check(run["W"].shape[1] == 100, "100 subbands")
            check(run["user/code_block_errors"][:n].sum() == 0 and (run["user/bits"][:n] > 0).all(), "every code block right")
            gap = db(run["user/sinr_measured"][:n]) - db(true_sinr(truth["H"][:n], run["W"][:n]))
            check(np.abs(gap.mean(axis=0)).max() < 0.3, f"SINR gap {np.round(gap.mean(axis=0), 3)} dB")
        print([l for l in net.text.splitlines() if "real-time" in l.lower()])
    finish()


main()
