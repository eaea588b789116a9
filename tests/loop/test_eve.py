# SPDX-License-Identifier: GPL-3.0-or-later
"""Eavesdroppers in the running network: what a passive one hears against theory from the true channels and the applied precoders; that
it changes nothing for the users; that a pilot attack is detected, soon, for the attacked user only; the secrecy rate."""
import os
import re
import subprocess

import numpy as np
from network import BIN, SHORT, Network, check, db, finish, skip, true_sinr

SKIP = 20  # blocks in which large-scale fading and noise are still being learnt
ONSET, ATTACKED_BLOCKS = 100, 170 if SHORT else 220
AUDIBLE = 0.1  # below this a block's SINR is near what its symbols can tell, and may be measured as 0


def eve_sinr(He, W, n_each):
    """Of every eavesdropper and stream: [block][eve][user], from He [block][subband][ap][antenna][all eves' antennas]. MMSE over the
    eavesdropper's antennas, unit-norm combiners, signal and disturbance powers summed over subbands as for the users."""
    b, sb = He.shape[:2]
    he = He.reshape(b, sb, -1, He.shape[-1] // n_each, n_each)
    w = W.reshape(b, sb, -1, W.shape[-1])
    g = np.einsum("bslea,bslk->bseka", he.conj(), w)  # [b][sb][eve][stream][antenna]
    whole = np.einsum("bseka,bsekc->bseac", g, g.conj()) + np.eye(n_each)
    signal, disturbance = [], []
    for k in range(w.shape[-1]):
        gk = g[..., k, :]
        R = whole - np.einsum("bsea,bsec->bseac", gk, gk.conj())
        v = np.linalg.solve(R, gk[..., None])[..., 0]
        v /= np.linalg.norm(v, axis=-1, keepdims=True)
        signal.append(np.abs(np.einsum("bsea,bsea->bse", v.conj(), gk)) ** 2)
        disturbance.append(np.einsum("bsea,bseac,bsec->bse", v.conj(), R, v).real)
        direct = np.einsum("bsea,bsea->bse", gk.conj(), np.linalg.solve(R, gk[..., None])[..., 0]).real
        assert np.allclose(direct, signal[-1] / disturbance[-1], rtol=1e-3), "g^H R^-1 g is the combiner's SINR"
    return (np.stack(signal, -1).sum(1) / np.stack(disturbance, -1).sum(1))


def compare(what, measured, theory, n_ant):
    """Means within 0.3 dB; besides, a combiner from a covariance of 44 samples loses up to (46 - n) / 45 [Reed 1974]."""
    loss = -db((46 - n_ant) / 45)
    gap = db(measured.mean(axis=0)) - db(theory.mean(axis=0))
    check(gap.max() <= 0.3 and gap.min() >= -0.3 - loss,
          f"{what}: heard {np.round(db(measured.mean(axis=0)), 2)} dB, theory {np.round(db(theory.mean(axis=0)), 2)} dB, gap {np.round(gap, 3)}")
    heard, told = np.where(theory > AUDIBLE, measured, np.nan), np.where(theory > AUDIBLE, theory, np.nan)
    each = db(heard) - db(told)
    gap = np.nanmean(each, axis=0)
    check((np.isfinite(each).sum(axis=0) >= 20).all() and gap.max() <= 0.3 and gap.min() >= -0.3 - loss,
          f"{what}: mean of the dB of audible blocks apart {np.round(gap, 3)}, one block {np.nanmean(np.abs(each)):.3f} dB")


def passive(n_ant, n_eve=1, n=140, sets=()):
    sets = [f"eve.n_ant={n_ant}", f"network.n_eve={n_eve}", "payload.modulation=qam4",
            "precoding.subband=flat", *sets]  # the theory's eavesdropper has one combiner per subband
    with Network(sets=sets, n_blocks=n) as net:
        with net.run().file("run.h5") as run, net.file("truth.h5") as truth:
            measured, users = run["eve/sinr_measured"][:n], run["user/sinr_measured"][:n]
            H, He, W = truth["H"][:n], truth["eve/H"][:n], run["W"][:n]
            rate, predicted = run["secrecy/rate_measured"][:n], run["secrecy/rate_predicted"][:n]
            genie, safe_rate = run["eve/sinr_genie"][:n], run["secrecy/rate_genie"][:n]
            check(not run["attack/suspected"][:n].any(), f"{n_ant} antennas, passive: no attack is suspected")
            check((run["eve/bits"][:n] > 0).all() and (run["eve/code_blocks"][:n] > 0).all(), "every block reported by every eavesdropper")
            errors = run["eve/bit_errors"][:n].sum() / run["eve/bits"][:n].sum()
        check(os.path.exists(os.path.join(net.out, "logs", "eve0.log")), "it has its log")
    check(measured.shape == (n, n_eve, 4) and He.shape[-1] == n_eve * n_ant, "shapes as documented")
    theory = eve_sinr(He, W, n_ant)
    compare(f"{n_ant} antennas", measured[SKIP:], theory[SKIP:], n_ant)
    want = np.maximum(np.log2(1 + users) - np.log2(1 + measured.max(axis=1)), 0)
    check(np.allclose(rate, want), f"secrecy rate {rate.mean(axis=0).round(2)} bit/s/Hz")
    # no loss of the receiver in it, and no bias either: a block's 204 or more degrees of freedom and six subbands leave 0.02 dB
    gap = db(genie[SKIP:].mean(axis=0)) - db(theory[SKIP:].mean(axis=0))
    check(np.abs(gap).max() <= 0.1, f"{n_ant} antennas: a genie hears the theory's and {np.round(gap, 3)} dB")
    check(np.allclose(safe_rate, np.maximum(np.log2(1 + users) - np.log2(1 + genie.max(axis=1)), 0)),
          f"secrecy rate against a genie {safe_rate.mean(axis=0).round(2)} bit/s/Hz")
    return H, W, rate, predicted, errors, theory


def test_passive():
    H1, W1, *_, errors1, _ = passive(1)
    H2, W2, *_, errors2, _ = passive(2)
    *_, errors4, _ = passive(4, sets=["air.large_scale.eve_snr_db=40"])
    check(0.2 < errors1 < 0.6 and errors4 < 0.5 * errors2,
          f"bit error rate with 1, 2, 4 antennas: {errors1:.3f} {errors2:.3f} {errors4:.3f}")
    n = len(H1)
    with Network(n_blocks=n, sets=["payload.modulation=qam4", "precoding.subband=flat"]) as net:
        with net.run().file("run.h5") as run, net.file("truth.h5") as truth:
            H0, W0 = truth["H"][:n], run["W"][:n]
            check("eve" not in truth and "eve" not in run and "secrecy" not in run, "without an eavesdropper no such datasets")
            check("attack" in run and not run["attack/suspected"][:n].any(), "the detector works all the same and finds nothing")
    check(np.array_equal(H0, H1) and np.array_equal(H0, H2), "users' channels are the same with and without an eavesdropper")
    check(np.array_equal(W0, W1) and np.array_equal(W0, W2), "and so are the precoders")


def test_two_eves():
    _, _, _, _, _, theory = passive(1, n_eve=2, sets=["air.large_scale.model=explicit", "air.large_scale.gain_db=[[-90, -92, -94, -96], "
                            "[-92, -90, -96, -94], [-94, -96, -90, -92], [-96, -94, -92, -90]]",
                            "air.large_scale.eve_gain_db=[[-90, -128], [-90, -128], [-90, -128], [-90, -128]]"])
    check((theory.mean(axis=0)[0] > 1.3 * theory.mean(axis=0)[1]).all(), "the near one hears more than the far one")


def test_predicted():
    """Closed forms of [Yu 2026] against what was measured: they are an ergodic bound for the users."""
    _, _, rate, predicted, _, _ = passive(1, sets=["precoding.scheme=ppzf", "precoding.power=equal", "network.n_ant=8"])
    check(np.isfinite(predicted).all() and np.abs(rate.mean(axis=0) - predicted.mean(axis=0)).max() < 1.0,
          f"secrecy rate measured {rate.mean(axis=0).round(2)}, predicted {predicted.mean(axis=0).round(2)} bit/s/Hz")
    # Four antennas, four users alike: three are strong at an AP, and which is chance. The hardening bound of the users is 0.3 to 0.9 bit low
    _, _, rate, predicted, _, _ = passive(1, sets=["precoding.scheme=ppzf", "precoding.power=equal"])
    below = rate[SKIP:].mean() - predicted[SKIP:].mean()
    check(0 < below < 1.2, f"users alike: secrecy rate measured {rate.mean(axis=0).round(2)}, predicted {predicted.mean(axis=0).round(2)} bit/s/Hz")
    n = 120
    sets = ["precoding.scheme=ppzf", "precoding.power=equal", "network.n_ant=8", "network.n_eve=1", "eve.attack=pilot", "eve.target_user=2",
            "radio.eve.tx_power_dbm=5"]
    with Network(sets=sets, n_blocks=n) as net, net.run().file("run.h5") as run:
        rate, predicted = run["secrecy/rate_measured"][:n], run["secrecy/rate_predicted"][:n]
    check(abs(rate[SKIP:, 2].mean() - predicted[SKIP:, 2].mean()) < 1.5 and np.isnan(predicted[:, [0, 1, 3]]).all(),
          f"the attacked user's {rate[SKIP:, 2].mean():.2f}, predicted {predicted[SKIP:, 2].mean():.2f}; of the others nothing is predicted")



def test_attack():
    n = ATTACKED_BLOCKS
    per_hour = 1e-6
    sets = ["network.n_eve=1", "eve.attack=pilot", f"eve.from_block={ONSET}", "payload.modulation=qam4",
            f"engine.attack_alarms_per_hour={per_hour}"]
    with Network(sets=sets, n_blocks=n) as net:
        with net.run().file("run.h5") as run, net.file("truth.h5") as truth:
            suspected, score = run["attack/suspected"][:n], run["attack/score"][:n]
            measured, W, rate = run["user/sinr_measured"][:n], run["W"][:n], run["secrecy/rate_measured"][:n]
            heard, H, He = run["eve/sinr_measured"][:n], truth["H"][:n], truth["eve/H"][:n]
        page = os.path.join(net.dir, "report.html")
        subprocess.run([os.path.join(BIN, "tutti"), "report", os.path.join(net.out, "run.h5"), "--out", page], check=True, capture_output=True)
        html = open(page).read()
        check(all(t in html for t in ("<h2>Secrecy</h2>", "Secrecy rate over blocks", "Pilot attack score")), "the report has its section")
        threshold = -np.log10(per_hour / (720000 * 4))  # blocks of 5 ms in an hour, users
        check(f"score above {threshold:.2f} (engine.attack_alarms_per_hour)" in html, "and says what an alarm is")
        check(re.search(r"^eve  *user  *heard dB  *genie dB", net.text, re.M) and len(re.findall(r"^0  *[0-3] .* %d/%d$" % (n, n), net.text, re.M)) >= 4 and
              re.search(r"^Pilot attack on user 0 suspected", net.text, re.M), "tutti run prints a line per eavesdropper and user")
        lines = [l for l in open(os.path.join(net.out, "logs", "cpu.log")) if "PILOT-ATTACK-SUSPECTED" in l]
    first = np.flatnonzero(suspected[:, 0])
    check(first.size > 0 and ONSET <= first[0] < ONSET + 32, f"attack from block {ONSET} suspected at block {first[0] if first.size else 'never'}")
    told = np.isfinite(score)
    between = ((score > 6) & (score < threshold))[told].sum()
    check(np.array_equal(suspected[told], score[told] > threshold) and between > 0,
          f"an alarm is a score above {threshold:.2f}; {between} were above 6 only")
    check(suspected[ONSET + 32:, 0].all(), "and from then on")
    check(not suspected[:, 1:].any() and not suspected[:ONSET].any(), f"for nobody else; scores of the others up to {np.nanmax(score[:, 1:]):.1f}")
    check(len(lines) == 1 and f"ue=0 block={first[0]} " in lines[0] and " [W] [secrecy] " in lines[0], f"one line in the log: {lines}")
    sinr, eve = true_sinr(H, W), eve_sinr(He, W, 1)
    for phase, blocks in (("before", slice(SKIP, ONSET)), ("during", slice(ONSET, n))):
        gap = db(measured[blocks]).mean(axis=0) - db(sinr[blocks]).mean(axis=0)
        check(np.abs(gap).max() <= 0.3, f"users {phase}: {np.round(db(measured[blocks]).mean(axis=0), 2)} dB, gap {np.round(gap, 3)}")
        compare(f"heard {phase}", heard[blocks], eve[blocks], 1)
    check(db(heard[ONSET:, 0, 0]).mean() > db(heard[SKIP:ONSET, 0, 0].mean()) + 3, "the attack pays: user 0's stream is heard far better")
    check(rate[ONSET:, 0].mean() < 0.5 * rate[SKIP:ONSET, 0].mean(), f"secrecy rate of user 0 {rate[SKIP:ONSET, 0].mean():.2f} -> {rate[ONSET:, 0].mean():.2f}")


if SHORT:
    skip("passive eavesdroppers, two of them, the prediction", "runs are short here")
else:
    test_passive()
    test_two_eves()
    test_predicted()
test_attack()
finish()
