# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole system against theory: measured SINR against the SINR of the true channel and the applied precoder, and the
estimation error against the MMSE formula, in networks of 30 and 10 dB, CB and ZF; pilot contamination with a shared pilot."""
import sys

import numpy as np
from network import SHORT, Network, blocks, fewer, check, db, finish, true_sinr

BLOCKS = int(sys.argv[1]) if len(sys.argv) > 1 else blocks(200)
SKIP = 20  # blocks in which large-scale fading and noise are still being learnt
S, TAU_RHO_SCALE = 12, 4  # subcarriers averaged, pilot length


def mmse(beta_u, pilots):
    """Error variance relative to beta of each (ap, user), formula of spec ob with effective pilot power S tau rho beta."""
    a = S * TAU_RHO_SCALE * beta_u
    shared = np.array([[pilots[j] == pilots[k] for j in range(len(pilots))] for k in range(len(pilots))])
    return 1 - a / (a @ shared.T.astype(float) + 1)


def examine(net, scheme, snr_db, pilots):
    with net.file("run.h5") as run, net.file("truth.h5") as truth:
        n = net.keys["n_blocks"]
        H, Hu = truth["H"][:n], truth["H_uplink"][:n]
        W, H_hat = run["W"][:n], run["H_hat"][:n]
        measured = run["user/sinr_measured"][:n]
        assert (run["applied/kind"][:n] == 1).all(), "a block was not precoded fresh"
        beta, beta_u = truth["beta"][()], truth["beta_uplink_snr"][()]
        reported = run["error_variance"][:n].mean(axis=1)[SKIP:].mean(axis=0)
    sinr = true_sinr(H, W)
    gap = db(measured[SKIP:]).mean(axis=0) - db(sinr[SKIP:]).mean(axis=0)
    check(np.isfinite(gap).all() and np.abs(gap).max() <= 0.3,
          f"{scheme} {snr_db} dB: measured {np.round(db(measured[SKIP:]).mean(axis=0), 2)} dB, from the true channel "
          f"{np.round(db(sinr[SKIP:]).mean(axis=0), 2)} dB, gap {np.round(gap, 3)}")
    error = (np.abs(H_hat - Hu)[SKIP:] ** 2).mean(axis=(0, 1, 3))
    want = mmse(beta_u, pilots) * beta
    ratio = error.mean() / want.mean()
    check(SHORT or abs(ratio - 1) <= 0.05, f"{scheme} {snr_db} dB: estimation error variance {error.mean():.4g}, MMSE formula {want.mean():.4g}, "
          f"ratio {ratio:.4f}")
    check(SHORT or abs(reported.mean() / want.mean() - 1) <= 0.05, f"{scheme} {snr_db} dB: error variance the APs report {reported.mean():.4g}")
    return error, want


def main():
    for scheme in fewer(("zf", "cb")):
        for snr_db in fewer((30, 10)):
            with Network(sets=[f"precoding.scheme={scheme}", "payload.modulation=qam4"], snr_db=snr_db, n_blocks=BLOCKS) as net:
                examine(net.run(), scheme, snr_db, [0, 1, 2, 3])
    shared = [0, 0, 1, 2]
    sets = ["pilots.assignment=[0, 0, 1, 2]", "pilots.large_scale=known", "payload.modulation=qam4"]
    with Network(sets=sets, n_blocks=BLOCKS) as net:
        error, want = examine(net.run(), "zf, users 0 and 1 on one pilot,", 30, shared)
    per_user, formula = error.mean(axis=0), want.mean(axis=0)
    check((SHORT or np.abs(per_user[:2] / formula[:2] - 1).max() <= 0.1) and per_user[:2].min() > 20 * per_user[2:].max(),
          f"contamination: error of users 0..3 {np.round(per_user, 3)}, formula {np.round(formula, 3)}")
    finish()


main()
