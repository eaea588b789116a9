# SPDX-License-Identifier: GPL-3.0-or-later
"""Every scheme over the loop: measured SINR against the one of the true channel; the optimum beats zero-forcing for the worst user and
keeps its certificate; with a budget the ladder is used and every block says why it got what it got."""
import sys

import numpy as np
from network import examine_power, Network, blocks, fewer, check, check_long, db, finish, true_sinr

BLOCKS = int(sys.argv[1]) if len(sys.argv) > 1 else blocks(140)
SKIP = 20
CB, ZF, PPZF, OB = 0, 1, 4, 6
LADDER = 7


def run(scheme, *sets, **keys):
    with Network(sets=[f"precoding.scheme={scheme}", "payload.modulation=qam4", *sets], n_blocks=BLOCKS, **keys) as net:
        net.run()
        with net.file("run.h5") as f, net.file("truth.h5") as t:
            return {"sinr": f["user/sinr_measured"][:BLOCKS], "true": true_sinr(t["H"][:BLOCKS], f["W"][:BLOCKS]),
                    "predicted": f["sinr_predicted"][:BLOCKS], "bound": f["sinr_bound"][:BLOCKS], "scheme": f["scheme"][:BLOCKS],
                    "reason": f["reason"][:BLOCKS], "W": f["W"][:BLOCKS], "kind": f["applied/kind"][:BLOCKS]}


def main():
    worst = {}
    for scheme in fewer(("ob", "zf", "ppzf", "cb")):
        r = run(scheme)
        gap = db(r["sinr"][SKIP:]).mean(axis=0) - db(r["true"][SKIP:]).mean(axis=0)
        worst[scheme] = db(r["predicted"][SKIP:].min(axis=(1, 2))).mean()
        check(np.abs(gap).max() <= 0.3, f"{scheme}: measured {np.round(db(r['sinr'][SKIP:]).mean(axis=0), 2)} dB, gap to the true channel's "
              f"{np.round(gap, 3)}")
        check((r["kind"] == 1).all() and (r["scheme"] == {"cb": CB, "ppzf": PPZF, "zf": ZF, "ob": OB}[scheme]).all(),
              f"{scheme}: fresh in every block, never another scheme")
        examine_power(r["W"], scheme, scheme)
        if scheme == "ob":
            least = r["predicted"].min(axis=2)
            ratio = (least / r["bound"])[SKIP:]
            check((ratio <= 1 + 1e-6).all() and ratio.min() > 0.985, f"ob: least SINR over its bound {ratio.min():.4f} to {ratio.max():.6f}")
    check_long(len(worst) == 4 and worst["ob"] > worst["zf"] > worst["cb"], "worst user: " + ", ".join(f"{s} {w:.2f} dB" for s, w in worst.items()))
    budget = ["engine.block_budget_us=1000", "frame.subcarriers_per_subband=2"]  # 36 subbands: too much for the optimum
    r = run("ob", *budget, n_ap=8)
    used = {name: int((r["scheme"] == s).sum()) for name, s in (("ob", OB), ("zf", ZF), ("ppzf", PPZF), ("cb", CB))}
    check(sum(used.values()) == BLOCKS and used["ob"] < BLOCKS, f"1 ms for gathering and solving: blocks by scheme {used}")
    stepped = (r["scheme"] != OB)
    check((r["reason"][stepped] == LADDER).all(), "every block that was stepped down says so")
    print("reasons:", dict(zip(*[a.tolist() for a in np.unique(r["reason"], return_counts=True)])))
    finish()


main()
