# SPDX-License-Identifier: GPL-3.0-or-later
"""Artificial noise against a passive and an attacking eavesdropper: what she hears against theory from the true channels, the secrecy
rate with and without noise, and what two antennas do to a single noise stream."""
import sys

import numpy as np
from network import SHORT, Network, blocks, check, db, fewer, finish, skip

BLOCKS = int(sys.argv[1]) if len(sys.argv) > 1 else blocks(200)
SKIP = 20
SHARE = 0.4
GAP_DB = 0.1  # 0.04 of it is what four directions per AP in the pilots cost the measurement, beyond theory
LONGER = 2  # null-space noise: blocks differ by a fifth of their SINR, the mean of 380 is known to 0.03 dB
THREE = ["network.n_ue=3", "frame.n_dl_pilot_symbols=3", "precoding.upsilon=1"]  # every AP's noise is off all three users
CASES = {"ppzf + null-space": ["precoding.scheme=ppzf", *THREE], "zf + phase-only": ["precoding.scheme=zf", *THREE]}
KIND = {"ppzf + null-space": "nullspace", "zf + phase-only": "phase_only"}


def run(sets, n_blocks=BLOCKS):
    with Network(sets=["network.n_eve=1", "payload.modulation=qam4", *sets], n_blocks=n_blocks) as net:
        with net.run().file("run.h5") as f, net.file("truth.h5") as t:
            data = {name: f[path][:n_blocks][SKIP:] for name, path in
                    (("W", "W"), ("H_hat", "H_hat"), ("user", "user/sinr_measured"), ("eve", "eve/sinr_measured"), ("rate", "secrecy/rate_measured"),
                     ("predicted", "secrecy/rate_predicted"))}
            data["an"] = f["an"][:n_blocks][SKIP:] if "an" in f else None
            data["share"] = f["an_share"][:n_blocks][SKIP:] if "an_share" in f else None
            data["He"] = t["eve/H"][:n_blocks][SKIP:]
            return data


def noise_at_eve(d, kind, share):
    """Covariance of the noise between the eavesdropper's antennas, [block][subband][antenna][antenna]. Null space: every AP's unit
    vector v is isotropic in the complement of its estimates, so E vv^H = P / (antennas left). Phase-only: one known vector over all APs."""
    G = d["He"]  # [b][sb][ap][ant][eve's antenna]
    if kind == "phase_only":
        u = np.einsum("bsmae,bsma->bse", G.conj(), d["an"])
        return np.einsum("bse,bsf->bsef", u, u.conj())
    q, _ = np.linalg.qr(d["H_hat"])  # [b][sb][ap][ant][ue]
    outside = G - np.einsum("bsmak,bsmck,bsmce->bsmae", q, q.conj(), G)
    return share / (q.shape[-2] - q.shape[-1]) * np.einsum("bsmae,bsmaf->bsef", outside.conj(), outside)


def theory(d, kind, share):
    """MMSE over the eavesdropper's antennas, signal and disturbance summed over subbands."""
    b, sb, _, _, n = d["He"].shape
    g = np.einsum("bsla,bslk->bska", d["He"].reshape(b, sb, -1, n).conj(), d["W"].reshape(b, sb, -1, d["W"].shape[-1]))
    R = np.einsum("bska,bskc->bsac", g, g.conj()) + np.eye(n) + (noise_at_eve(d, kind, share) if kind else 0)
    R = R[:, :, None] - np.einsum("bska,bskc->bskac", g, g.conj())  # without the stream itself
    v = np.linalg.solve(R, g[..., None])[..., 0]
    v /= np.linalg.norm(v, axis=-1, keepdims=True)
    signal = np.abs(np.einsum("bska,bska->bsk", v.conj(), g)) ** 2
    return signal.sum(1) / np.einsum("bska,bskac,bskc->bsk", v.conj(), R, v).real.sum(1)


def examine(what, d, kind):
    """The rate is of what was measured; data and noise share every AP's power as asked."""
    want = np.maximum(np.log2(1 + d["user"]) - np.log2(1 + d["eve"][:, 0]), 0)
    check(np.allclose(d["rate"], want), f"{what}: secrecy rate {want.mean(axis=0).round(2)} bit/s/Hz")
    share = SHARE if kind else 0
    power = (np.abs(d["W"]) ** 2).sum(axis=(3, 4)).max()
    check(power <= 1 - share + 1e-6, f"{what}: largest data power of an AP {power:.6f}, its noise {share}")
    if kind:
        check(np.allclose(d["share"], share), f"{what}: the share of noise is recorded")
    if kind == "phase_only":
        check(np.allclose((np.abs(d["an"]) ** 2).sum(axis=3), share, rtol=1e-4), f"{what}: every AP's noise has its share of the power")


def examine_prediction():
    """The closed form [Yu 2026] bounds the users' rate from below and what a weak Eve hears from above, so the rate is not below it;
    with the gain of eight antennas hardened it is not far above it either."""
    sets = ["precoding.scheme=ppzf", "precoding.power=equal", "network.n_ant=8", "precoding.upsilon=1", "air.large_scale.eve_snr_db=40",
            "precoding.an=nullspace", f"precoding.an_share={SHARE}"]
    d = run(sets)
    above = d["rate"].mean(axis=0) - d["predicted"].mean(axis=0)
    check(above.min() > -0.1 and above.max() < 0.4, f"8 antennas with noise: secrecy rate {d['rate'].mean(axis=0).round(2)}, predicted "
          f"{d['predicted'].mean(axis=0).round(2)} bit/s/Hz")


def main():
    if SHORT:
        skip("the prediction, two antennas, the noise on a passive Eve", "runs are short here")
    else:
        examine_prediction()
    rows = []
    for name, sets in CASES.items():
        for attack in fewer(("passive", "pilot")):
            for kind in fewer((KIND[name], None)):
                extra = [f"eve.attack={attack}", "eve.target_user=0"]
                extra += [f"precoding.an={kind}", f"precoding.an_share={SHARE}"] if kind else []
                d = run([*sets, *extra], BLOCKS * LONGER if kind == "nullspace" and attack == "passive" and not SHORT else BLOCKS)
                examine(f"{name}, {attack}, noise {kind}", d, kind)
                heard, want = d["eve"][:, 0].mean(axis=0), theory(d, kind, SHARE).mean(axis=0)
                check(np.abs(db(heard) - db(want)).max() <= (1.0 if SHORT else GAP_DB),
                      f"{name}, {attack}, noise {kind}: Eve hears {np.round(db(heard), 2)} dB, theory {np.round(db(want), 2)} dB")
                two = run([*sets, *extra, "eve.n_ant=2"]) if attack == "passive" and not SHORT else None
                if two:
                    # A combiner from n samples of the disturbance loses up to (n + 2 - 2) / (n + 1) [Reed 1974]: 44 of them,
                    # but the noise of four APs has only four directions each in the pilots.
                    n = 16 if kind == "nullspace" else 44
                    gap = db(two["eve"][:, 0].mean(axis=0)) - db(theory(two, kind, SHARE).mean(axis=0))
                    check(gap.max() <= GAP_DB and gap.min() >= -GAP_DB + db(n / (n + 1)),
                          f"{name}, noise {kind}: with two antennas she hears the theory's and {np.round(gap, 3)} dB")
                rows.append((name, attack, kind or "none", db(d["user"]).mean(axis=0)[0], db(heard)[0], d["rate"][:, 0].mean(),
                             two["rate"][:, 0].mean() if two else np.nan))
    print("\nsecrecy of user 0 (mean over blocks; noise share %.1f)" % SHARE)
    print(f"{'precoder':18} {'Eve':8} {'noise':11} {'user dB':>8} {'Eve dB':>8} {'rate bit/s/Hz':>14} {'with 2 antennas':>16}")
    for r in rows:
        print(f"{r[0]:18} {r[1]:8} {r[2]:11} {r[3]:8.2f} {r[4]:8.2f} {r[5]:14.2f} {r[6]:16.2f}")
    for passive_noise, passive_none, *_ in () if SHORT else (rows[0:4], rows[4:8]):
        check(passive_noise[4] < passive_none[4], f"{passive_noise[0]}: noise lowers what a passive Eve hears")
    finish()


main()
