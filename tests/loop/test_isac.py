# SPDX-License-Identifier: GPL-3.0-or-later
"""Sensing in the running network: what probes measure in the zones against the true channels and the vectors that were pushed, block by
block; the mean of many blocks against closed forms, non-coherent with fresh phases, coherent with fixed ones; users decode; a zone that
moves changes the modes.

usage: test_isac.py [short | CASE...]   cases: flat tdl fixed users sp moved; without one: short, as ctest runs it
"""
import os
import re
import subprocess
import sys

import numpy as np
from network import BIN, LIGHT, Network, check, db, finish

ZONES = [[80, 60, 1.5], [230, 210, 1.5]]
CONFIG = """
frame: {n_dl_pilot_symbols: 6}
pilots: {large_scale: known}
payload: {modulation: qam4}
precoding: {scheme: cb, power: maxmin, subband: flat}
eve: {n_ant: 1}
sensing: {live: true, zones_m: [[80, 60, 1.5], [230, 210, 1.5]], kappa_db: 2, qos_db: 8}
"""
GEOMETRY = ["air.large_scale.model=geometry", "air.large_scale.area_m=300", "network.n_eve=2"]
# Five independent fades in the band, for which the prefix must be longer; subbands so narrow that an estimate's mean over one loses little of
# the channel's power
TDL = ["frame.n_cp_samples=18", "frame.block_us=5500", "frame.subcarriers_per_subband=2", "air.fading.model=tdl",
       "air.fading.tap_delays_samples=[0, 2, 4, 6, 8]", "air.fading.tap_powers_db=[0, 0, 0, 0, 0]"]
FIRST = 12  # the first decision holds from here on at the latest


class Recorded:
    """What a run and its truth file have, from block `first` on."""

    def __init__(self, net, first=FIRST):
        with net.file("run.h5") as run, net.file("truth.h5") as truth:
            n = min(len(run["block/solved"]), len(truth["H"]))
            part = slice(first, n)
            self.n, self.first = n, first
            self.W, self.V = run["W"][part], run["sensing/V"][part]  # [b][s][a][n][u], [b][z][s][a][n]
            self.He, self.H = truth["eve/H"][part], truth["H"][part]
            self.zeta = truth["eve/beta"][:]
            self.measured = {name: run["zone/" + name][part] for name in ("communication", "own", "cross", "noise", "total")}
            self.share, self.eta_s = run["sensing/share"][part], run["sensing/eta_s"][part]
            self.theta, self.mode = run["sensing/theta_rad"][part], run["sensing/mode"][part]
            self.masr, self.sinr_eve, self.sinr = run["sensing/masr"][part], run["sensing/sinr_eve"][part], run["sensing/sinr"][part]
            self.block_errors, self.code_blocks = run["user/code_block_errors"][part], run["user/code_blocks"][part]
            self.user_sinr, self.expected = run["user/sinr_measured"][part], run["sinr_expected"][part]
            self.kind, self.scaled = run["applied/kind"][part], run["applied/scaled"][part]
            self.events = list(zip(run["events/block"][:], [t.decode() if isinstance(t, bytes) else t for t in run["events/text"][:]]))

    def powers(self):
        """C, own, cross [block][zone] of the pushed vectors over the true channels, mean over subbands, noise 1."""
        data = np.einsum("bsanz,bsanu->bszu", self.He.conj(), self.W)
        sensing = np.einsum("bsanz,blsan->bszl", self.He.conj(), self.V)
        communication = (np.abs(data) ** 2).sum(-1).mean(1)
        each = (np.abs(sensing) ** 2).mean(1)
        own = np.stack([each[:, z, z] for z in range(each.shape[1])], -1)
        return communication, own, each.sum(-1) - own

    def closed(self, phase=None):
        """MASR and eavesdroppers' SINR [zone] by the closed forms of the last block's powers, here computed by themselves: sum of zeta times the
        APs' power for data; of zone l's stream at zone z sum zeta eta_s |a_z^H a_l|^2, with `phase` [ap][zone] the amplitudes' sum."""
        n_ant = self.W.shape[3]
        theta, zeta, eta_s = self.theta[-1], self.zeta, self.eta_s[-1]
        a = np.exp(1j * np.pi * np.arange(n_ant)[:, None, None] * np.sin(theta))  # [n][ap][zone]
        inner = np.einsum("naz,nal->azl", a.conj(), a)
        amplitude = np.sqrt(zeta[:, :, None] * eta_s[:, None, :])
        if phase is None:
            S = (amplitude ** 2 * np.abs(inner) ** 2).sum(0)
        else:
            S = np.abs((amplitude * np.exp(-1j * phase)[:, :, None] * inner).sum(0)) ** 2
        C = (zeta * self.share[-1].sum(1)[:, None]).sum(0)
        own = np.diag(S)
        cross = S.sum(1) - own
        return own / (C + cross), C / (own + cross + 1)

    def phase(self):
        """Of the true lines of sight: He = root zeta exp(j phi) a(theta), element 0's."""
        return np.angle(self.He[-1, 0, :, 0, :])


def network(n, sets=(), **keys):
    return Network(CONFIG, sets=[*GEOMETRY, *LIGHT, *sets], n_ap=8, n_ue=3, n_blocks=n, name="isac", **keys)


def each_block(r, what):
    """(a) Every block: powers by the probe's pilots are those of the truth."""
    unit = r.measured["noise"].mean(0)  # the receivers' noise is 1 in the truth file
    gaps = {}
    for name, true in zip(("communication", "own", "cross"), r.powers()):
        loud = true > 1  # above the noise, where a block's pilots can tell
        gap = db(np.where(loud, r.measured[name] / unit, 1)) - db(np.where(loud, true, 1))
        gaps[name] = np.abs(gap).max()
        check(loud.mean() > 0.9, f"{what}: {name} is above the noise in {loud.mean():.0%} of the blocks")
    check(max(gaps.values()) <= 0.3, f"{what}: in every block within {', '.join(f'{k} {v:.3f}' for k, v in gaps.items())} dB of the truth")
    whole = sum(r.measured[name] for name in ("communication", "own", "cross", "noise"))
    gap = db(r.measured["total"].mean(0)) - db(whole.mean(0))
    check(np.abs(gap).max() <= 0.2, f"{what}: the data symbols' power is that of all streams and noise, {np.round(gap, 3)} dB")
    check((r.kind == 1).all() and not r.scaled.any(), f"{what}: every AP sent what was pushed, none had to scale it down")


def ratio(numerator, denominator):
    """Mean over mean, and three standard errors of its dB by the delta method, per zone."""
    x, y = numerator.mean(0), denominator.mean(0)
    relative = numerator / x - denominator / y
    return x / y, 3 * 10 / np.log(10) * relative.std(0, ddof=1) / np.sqrt(len(relative))


def on_average(r, what, phase=None):
    """(b) and (c): averaged first, divided then, against the closed forms."""
    m = r.measured
    masr, masr_error = ratio(m["own"], m["communication"] + m["cross"])
    eve, eve_error = ratio(m["communication"], m["own"] + m["cross"] + m["noise"])
    want_masr, want_eve = r.closed(phase)
    for name, measured, error, want in (("MASR", masr, masr_error, want_masr), ("Eve's SINR", eve, eve_error, want_eve)):
        gap = db(measured) - db(want)
        check(np.abs(gap).max() <= 0.5 and error.max() <= 0.5,
              f"{what}, {len(m['own'])} blocks: {name} {np.round(db(measured), 2)} dB, closed form {np.round(db(want), 2)}, "
              f"gap {np.round(gap, 3)}, three standard errors {np.round(error, 3)}")
    return masr, eve


def users_decode(r, what, limit=0.04, judge=True):
    """judge: the channel is flat in a subband, so that it is known what users should measure."""
    bad = (r.block_errors > 0).mean()
    expected = db(r.expected.mean(0))
    gap = db(r.user_sinr.mean(0)) - expected
    check(bad <= limit, f"{what}: {bad:.1%} of the users' blocks have errors; SINR {np.round(db(r.user_sinr.mean(0)), 2)} dB, "
          f"expected {np.round(expected, 2)}, closed form {np.round(db(r.sinr[-1]), 2)}")
    if judge:
        check(np.abs(gap).max() <= 0.5, f"{what}: users measure what is expected, sensing streams included, gap {np.round(gap, 2)} dB")


def decided(r):
    told = [(int(b), t) for b, t in r.events if t.startswith("SENSING ")]
    print("\n".join(f"   block {b}: {t}" for b, t in told))
    return told


def told_by_report(net, r):
    """The report's numbers of the last decision are those of the recording."""
    subprocess.run([os.path.join(BIN, "tutti"), "report", net.out], check=True, capture_output=True, timeout=120)
    with open(os.path.join(net.out, "report.html"), encoding="utf-8") as file:
        page = file.read()
    page = page[page.index("<h2>Sensing</h2>"):]
    page = page[:page.index("</section>")]
    cells = [[re.sub("<[^>]*>", "", cell) for cell in re.findall("<td[^>]*>.*?</td>", row)] for row in re.findall("<tr>.*?</tr>", page, re.S)]
    zones = [row for row in cells if len(row) == 10][-2:]
    begin, end = (int(b) - r.first for b in zones[0][0].split(" to "))
    m = {name: values[begin:end + 1].mean(0) for name, values in r.measured.items()}
    want = np.stack([db(r.masr[-1]), db(m["own"] / (m["communication"] + m["cross"])), db(r.sinr_eve[-1]),
                     db(m["communication"] / (m["own"] + m["cross"] + m["noise"]))], -1)
    told = np.array([[float(row[i]) for i in (3, 4, 6, 7)] for row in zones])
    check(np.abs(told - want).max() < 0.006, f"the report tells the last decision's MASR and Eve's SINR, closed and measured: {told.tolist()}")
    check(page.count("<figure>") == 3, f"two maps and MASR over blocks are drawn: {page.count('<figure>')}")


def short():
    with network(60, sets=["air.events=[{kind: move, block: 40, zone: 1, to_m: [60, 250, 1.5]}]"]) as net:
        r = Recorded(net.run())
        told_by_report(net, r)
    each_block(r, "short")
    told = decided(r)
    users_decode(r, "short", limit=0.1)
    before, after = r.mode[40 - FIRST - 1], r.mode[-1]
    check(len(told) == 2 and told[1][0] <= 45, f"decided at the start and within five blocks of the move: {[b for b, _ in told]}")
    check((r.theta[40 - FIRST - 1, :, 1] != r.theta[-1, :, 1]).all() and (r.theta[40 - FIRST - 1, :, 0] == r.theta[-1, :, 0]).all(),
          "beams go to where the zone is now, the other zone's stay")
    check((before == 0).any() and (before == 1).any() and (after == 0).any(), f"modes before {before}, after {after}")
    check(not (r.W[:, :, :, :, :][np.broadcast_to((r.mode == 0)[:, None, :, None, None], r.W.shape)]).any(), "who senses carries no data")
    check(not (r.V[np.broadcast_to((r.mode == 1)[:, None, None, :, None], r.V.shape)]).any(), "who serves does not illuminate")


def flat(n=600, what="flat Rayleigh", sets=("air.fading.model=rayleigh",), seed=28):
    with network(n + FIRST, sets=sets, seed=seed) as net:
        r = Recorded(net.run(timeout=600))
    decided(r)
    each_block(r, what)
    on_average(r, what)
    users_decode(r, what, judge=sets is not TDL)


def tdl():
    flat(120, "tapped delay line", TDL)


def fixed():
    """With seed 28 two access points illuminate one zone, so that it matters how they add."""
    with network(600 + FIRST, sets=["sensing.phases=fixed", "air.fading.model=rayleigh"], seed=28) as net:
        r = Recorded(net.run(timeout=600))
    decided(r)
    each_block(r, "fixed phases")
    coherent, _ = r.closed(r.phase())
    other, _ = r.closed()
    on_average(r, "fixed phases", r.phase())
    check(np.abs(db(other) - db(coherent)).max() > 1,
          f"(12), the non-coherent form, would be off by {np.round(db(other) - db(coherent), 2)} dB here")


def sp():
    for qos in (4, 8):
        with network(200 + FIRST, sets=["sensing.objective=sp", f"sensing.qos_db={qos}", "air.fading.model=rayleigh"]) as net:
            r = Recorded(net.run(timeout=600))
        decided(r)
        each_block(r, f"sp, {qos} dB")
        bad = (r.block_errors > 0).mean()
        print(f"   sp with qos_db {qos}: {bad:.1%} of the users' blocks have errors: every user is held at {qos} dB on average")
        check(np.allclose(db(r.sinr[-1]), qos, atol=1e-3), f"every user has {qos} dB by the closed form: {db(r.sinr[-1])}")


def moved(n=600, at=300):
    with network(n, sets=[f"air.events=[{{kind: move, block: {at}, zone: 1, to_m: [60, 250, 1.5]}}]"]) as net:
        r = Recorded(net.run(timeout=600))
    told = decided(r)
    each_block(r, "moved")
    check(len(told) == 2 and at <= told[1][0] <= at + 5, f"decided anew within five blocks: {told[-1][0]}")
    now = at + 6 - FIRST
    check((r.mode[at - FIRST - 1] != r.mode[now]).any(), f"modes change: {r.mode[at - FIRST - 1]} {r.mode[now]}")
    own = r.measured["own"]
    gone, back = own[at - FIRST:at - FIRST + 4, 1].mean(), own[now:, 1].mean()
    print(f"   zone 1's own illumination: {db(own[:at - FIRST, 1].mean() / gone):.1f} dB less while beams go to where it was, then "
          f"{db(back / gone):.1f} dB more")


if __name__ == "__main__":
    for case in sys.argv[1:] or ["short"]:
        globals()[case]()
    finish()
