# SPDX-License-Identifier: GPL-3.0-or-later
"""Artificial noise against a passive and an attacking eavesdropper: what she hears against theory from the true channels, the secrecy
rate with and without noise, and what two antennas do to a single noise stream."""
import sys

import numpy as np
from network import SHORT, Network, blocks, check, db, fewer, finish

BLOCKS = int(sys.argv[1]) if len(sys.argv) > 1 else blocks(200)
SKIP = 20
SHARE = 0.4
THREE = ["network.n_ue=3", "frame.n_dl_pilot_symbols=3", "precoding.upsilon=1"]  # every AP's noise is off all three users
CASES = {"ppzf + null-space": ["precoding.scheme=ppzf", *THREE], "zf + phase-only": ["precoding.scheme=zf", *THREE]}
KIND = {"ppzf + null-space": "nullspace", "zf + phase-only": "phase_only"}


def run(sets):
    with Network(sets=["network.n_eve=1", "payload.modulation=qam4", *sets], n_blocks=BLOCKS) as net:
        with net.run().file("run.h5") as f, net.file("truth.h5") as t:
            data = {name: f[path][:BLOCKS][SKIP:] for name, path in
                    (("W", "W"), ("H_hat", "H_hat"), ("user", "user/sinr_measured"), ("eve", "eve/sinr_measured"), ("rate", "secrecy/rate_measured"))}
            data["an"] = f["an"][:BLOCKS][SKIP:] if "an" in f else None
            data["He"] = t["eve/H"][:BLOCKS][SKIP:]
            return data


def noise_at_eve(d, kind, share):
    """Mean noise power at a one-antenna eavesdropper, [block][subband]. Null space: every AP's unit vector is isotropic in the complement
    of its estimates, so E|g^H v|^2 = |P g|^2 / (antennas left). Phase-only: one known vector over all APs."""
    g = d["He"][..., 0]  # [b][sb][ap][ant]
    if kind == "phase_only":
        return np.abs(np.einsum("bsma,bsma->bs", g.conj(), d["an"])) ** 2
    q, _ = np.linalg.qr(d["H_hat"])  # [b][sb][ap][ant][ue]
    along = np.einsum("bsmak,bsma->bsmk", q.conj(), g)
    outside = (np.abs(g) ** 2).sum(-1) - (np.abs(along) ** 2).sum(-1)
    return share * (outside / (q.shape[-2] - q.shape[-1])).sum(-1)


def theory(d, kind, share):
    b, sb = d["He"].shape[:2]
    g = d["He"].reshape(b, sb, -1)
    w = d["W"].reshape(b, sb, -1, d["W"].shape[-1])
    power = np.abs(np.einsum("bsl,bslk->bsk", g.conj(), w)) ** 2
    disturbance = power.sum(-1, keepdims=True) - power + 1 + (noise_at_eve(d, kind, share)[..., None] if kind else 0)
    return power.sum(1) / disturbance.sum(1)


def main():
    rows = []
    for name, sets in CASES.items():
        for attack in fewer(("passive", "pilot")):
            for kind in fewer((KIND[name], None)):
                extra = [f"eve.attack={attack}", "eve.target_user=0"]
                extra += [f"precoding.an={kind}", f"precoding.an_share={SHARE}"] if kind else []
                d = run([*sets, *extra])
                heard, want = d["eve"][:, 0].mean(axis=0), theory(d, kind, SHARE).mean(axis=0)
                check(np.abs(db(heard) - db(want)).max() <= (1.0 if SHORT else 0.3),
                      f"{name}, {attack}, noise {kind}: Eve hears {np.round(db(heard), 2)} dB, theory {np.round(db(want), 2)} dB")
                two = run([*sets, *extra, "eve.n_ant=2"]) if attack == "passive" and not SHORT else None
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
