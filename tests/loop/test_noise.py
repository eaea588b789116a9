# SPDX-License-Identifier: GPL-3.0-or-later
"""Artificial noise at the users: where it is nulled it costs them its power share and next to nothing more."""
import sys

import numpy as np
from network import SHORT, Network, blocks, check, db, fewer, finish, skip, true_sinr

BLOCKS = int(sys.argv[1]) if len(sys.argv) > 1 else blocks(200)
SKIP = 20


def run(*sets):
    # the theory's estimates are those of a subband, not interpolated ones, whose errors are smaller
    with Network(sets=["payload.modulation=qam4", "precoding.subband=flat", *sets], n_blocks=BLOCKS) as net:
        net.run()
        with net.file("run.h5") as f, net.file("truth.h5") as t:
            H, H_hat, W = t["H"][SKIP:BLOCKS], f["H_hat"][SKIP:BLOCKS], f["W"][SKIP:BLOCKS]
            # An AP's noise estimate, which scales its channel estimates, is off by a per cent or two for the first hundred blocks.
            # Noise in an AP's own null space does not meet that; phase-only noise, nulled over all APs together, does.
            error = (np.abs(H_hat - H) ** 2).mean(axis=(0, 1, 3))
            beta, beta_u = t["beta"][()], t["beta_uplink_snr"][()]
            least = beta / (12 * 4 * beta_u + 1)
            check((error > 0.95 * least).all() and error.mean() < 1.3 * least.mean(), f"estimates miss {np.round(error.mean() / least.mean(), 2)} "
                  "times what their receiver noise explains")
            return f["user/sinr_measured"][SKIP:BLOCKS], true_sinr(H, W), error if "precoding.an=phase_only" in sets else least, H, W


def leakage_db(error, share, H, W):
    """What nulled noise still costs: every AP's noise meets a user's estimation error, share * e_mk per AP, on top of the receiver
    noise and the data's own interference."""
    b, sb = H.shape[:2]
    g = np.abs(np.einsum("bslk,bslj->bskj", H.reshape(b, sb, -1, H.shape[-1]).conj(), W.reshape(b, sb, -1, W.shape[-1]))) ** 2
    disturbance = (g.sum(-1) - np.einsum("bskk->bsk", g)).mean(axis=(0, 1)) + 1
    return db(1 + share * error.sum(axis=0) / disturbance)


def adaptive(snr_db, kind, target_db=30.0, most=0.95):
    sets = ["precoding.scheme=zf", f"precoding.an={kind}", "precoding.an_policy=adaptive", f"precoding.an_share={most}",
            f"precoding.an_target_sinr_db={target_db}", "payload.modulation=qam4"]
    if kind == "nullspace":
        sets += ["network.n_ue=3", "frame.n_dl_pilot_symbols=3", "precoding.upsilon=1"]
    with Network(sets=sets, n_blocks=BLOCKS, snr_db=snr_db) as net, net.run().file("run.h5") as f:
        share, user = f["an_share"][SKIP:BLOCKS], f["user/sinr_measured"][SKIP:BLOCKS]
        power = (np.abs(f["W"][SKIP:BLOCKS]) ** 2).sum(axis=(3, 4)).max(axis=(1, 2))
    check((power + share <= 1 + 1e-6).all(), f"adaptive {kind}, {snr_db} dB: noise and data stay within every AP's power")
    if snr_db < 20:
        check((share == 0).all(), f"adaptive {kind}, {snr_db} dB: nothing to spare for {target_db} dB, no noise")
        return
    check((share > 0.5).all() and (share <= most).all(), f"adaptive {kind}, {snr_db} dB: noise share {share.min():.3f} to {share.max():.3f}")
    check(db(user.mean(axis=0)).min() > target_db - 0.8 and db(user.mean(axis=0)).max() < target_db + 3,
          f"adaptive {kind}: users keep about the target of {target_db} dB: {np.round(db(user.mean(axis=0)), 2)} dB")


def main():
    for kind in fewer(("phase_only", "nullspace")):
        for snr_db in fewer((30, 10)):
            adaptive(snr_db, kind)
    if SHORT:
        skip("what nulled noise costs", "runs are short here, and noise of a fixed share is sent in test_secrecy.py")
        finish()
    three = ["network.n_ue=3", "frame.n_dl_pilot_symbols=3", "precoding.upsilon=1"]  # every AP nulls all three users
    for name, sets in (("zf, phase-only", ["precoding.scheme=zf", "precoding.an=phase_only"]),
                       ("ppzf, null space", ["precoding.scheme=ppzf", "precoding.an=nullspace", *three])):
        for share in (0.2, 0.5):
            measured, noiseless, error, H, W = run(*sets, f"precoding.an_share={share}")
            loss = db(noiseless).mean(axis=0) - db(measured).mean(axis=0)
            theory = leakage_db(error, share, H, W)
            check(np.abs(loss - theory).max() <= 0.05, f"{name}, share {share}: {np.round(db(measured).mean(axis=0), 2)} dB, loss to the "
                  f"noise's leakage {np.round(loss, 3)} dB, theory {np.round(theory, 3)}")
            check(share > 0.2 or loss.max() <= 0.3, f"{name}, share {share}: at most 0.3 dB")
    finish()


main()
