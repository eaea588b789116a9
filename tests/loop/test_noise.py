# SPDX-License-Identifier: GPL-3.0-or-later
"""Artificial noise at the users: where it is nulled it costs them its power share and next to nothing more."""
import sys

import numpy as np
from network import SHORT, Network, blocks, fewer, check, db, finish, true_sinr

BLOCKS = int(sys.argv[1]) if len(sys.argv) > 1 else blocks(200)
SKIP = 20


def run(*sets):
    with Network(sets=["payload.modulation=qam4", *sets], n_blocks=BLOCKS) as net:
        net.run()
        with net.file("run.h5") as f, net.file("truth.h5") as t:
            H, W = t["H"][SKIP:BLOCKS], f["W"][SKIP:BLOCKS]
            beta, beta_u = t["beta"][()], t["beta_uplink_snr"][()]
            return f["user/sinr_measured"][SKIP:BLOCKS], true_sinr(H, W), beta / (12 * 4 * beta_u + 1), H, W


def leakage_db(error, share, H, W):
    """What nulled noise still costs: every AP's noise meets a user's estimation error, share * e_mk per AP, on top of the receiver
    noise and the data's own interference."""
    b, sb = H.shape[:2]
    g = np.abs(np.einsum("bslk,bslj->bskj", H.reshape(b, sb, -1, H.shape[-1]).conj(), W.reshape(b, sb, -1, W.shape[-1]))) ** 2
    disturbance = (g.sum(-1) - np.einsum("bskk->bsk", g)).mean(axis=(0, 1)) + 1
    return db(1 + share * error.sum(axis=0) / disturbance)


def main():
    three = ["network.n_ue=3", "frame.n_dl_pilot_symbols=3", "precoding.upsilon=1"]  # every AP nulls all three users
    for name, sets in (("zf, phase-only", ["precoding.scheme=zf", "precoding.an=phase_only"]),
                       ("ppzf, null space", ["precoding.scheme=ppzf", "precoding.an=nullspace", *three])):
        for share in fewer((0.2, 0.5)):
            measured, noiseless, error, H, W = run(*sets, f"precoding.an_share={share}")
            loss = db(noiseless).mean(axis=0) - db(measured).mean(axis=0)
            theory = leakage_db(error, share, H, W)
            check(np.abs(loss - theory).max() <= (0.15 if SHORT else 0.05), f"{name}, share {share}: {np.round(db(measured).mean(axis=0), 2)} dB, loss to the "
                  f"noise's leakage {np.round(loss, 3)} dB, theory {np.round(theory, 3)}")
            check(share > 0.2 or loss.max() <= 0.3, f"{name}, share {share}: at most 0.3 dB")
    finish()


main()
