# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole system against theory: measured SINR against the SINR of the true channel and the applied precoder, and the
estimation error against the MMSE formula, in networks of 30, 10 and 0 dB, for every way of precoding; the same with a channel of its own in every subband;
the predicted SINR computed again; pilot contamination with a shared pilot."""
import sys

import numpy as np
from network import SHORT, examine_power, Network, blocks, fewer, check, check_long, db, finish, true_sinr

BLOCKS = int(sys.argv[1]) if len(sys.argv) > 1 else blocks(130)
SKIP = 20  # blocks in which large-scale fading and noise are still being learnt
S, TAU_RHO_SCALE = 12, 4  # subcarriers averaged, pilot length
TRACKING, NOISE_VALUES = 100, 3 * 72 * 4  # moving average of so many blocks; noise values of a block: guards, subcarriers, antennas
GAP_DB = 0.1  # a block's SINR is of 2448 symbols, so known to 2 %; the mean of 20 blocks to 0.02 dB: five times that


def mmse(beta_u, pilots):
    """Error variance relative to beta of each (ap, user), formula of [Zhou 2020] with effective pilot power S tau rho beta."""
    a = S * TAU_RHO_SCALE * beta_u
    shared = np.array([[pilots[j] == pilots[k] for j in range(len(pilots))] for k in range(len(pilots))])
    return 1 - a / (a @ shared.T.astype(float) + 1)


def noise_variance(n):
    """Relative variance of an AP's noise estimate in each of n blocks: a plain mean first, a moving one after TRACKING blocks."""
    variance, at = [], 0
    for b in range(n):
        w = max(1 / (b + 1), 1 / TRACKING)
        at = (1 - w) ** 2 * at + w ** 2 / NOISE_VALUES
        variance.append(at)
    return np.array(variance)


def predicted_again(H_hat, W, e):
    """[block][subband][user], the formula of [Zhou 2020]: whatever an AP sends meets a user's estimation error."""
    b, sb, ap, ant, ue = H_hat.shape
    g = np.abs(np.einsum("bslk,bslj->bskj", H_hat.reshape(b, sb, -1, ue).conj(), W.reshape(b, sb, -1, ue))) ** 2
    own, leak = np.einsum("bskk->bsk", g), np.einsum("bsmk,bsm->bsk", e, (np.abs(W) ** 2).sum(axis=(3, 4)))
    return own / (g.sum(-1) - own + leak + 1)


def seen_by_users(H_hat, W, e):
    """[block][user], what a user that learns its gain should measure: its own stream's part of the estimation error is signal."""
    b, sb, ap, ant, ue = H_hat.shape
    g = np.abs(np.einsum("bslk,bslj->bskj", H_hat.reshape(b, sb, -1, ue).conj(), W.reshape(b, sb, -1, ue))) ** 2
    g += np.einsum("bsmk,bsmj->bskj", e, (np.abs(W) ** 2).sum(axis=3))
    own = np.einsum("bskk->bsk", g)
    return own.sum(axis=1) / (g.sum(-1) - own + 1).sum(axis=1)


def examine_prediction(run, scheme, snr_db, n, flat=True):
    H_hat, W, e, predicted = (run[name][:n][SKIP:] for name in ("H_hat", "W", "error_variance", "sinr_predicted"))
    off = db(predicted) - db(predicted_again(H_hat, W, e))
    check(np.abs(off).max() <= 0.05, f"{scheme} {snr_db} dB: predicted SINR as of its own estimates and precoder, to {np.abs(off).max():.4f} dB")
    seen = (db(run["user/sinr_measured"][:n][SKIP:]) - db(seen_by_users(H_hat, W, e))).mean(axis=0)
    if flat:
        check(np.abs(seen).max() <= (0.3 if SHORT else GAP_DB),
              f"{scheme} {snr_db} dB: measured less what a user should see {np.round(seen, 3)} dB")
    examine_power(run["W"][:n], scheme, f"{scheme} {snr_db} dB")
    return predicted


def examine(net, scheme, snr_db, pilots):
    with net.file("run.h5") as run, net.file("truth.h5") as truth:
        n = net.keys["n_blocks"]
        H, Hu = truth["H"][:n], truth["H_uplink"][:n]
        W, H_hat = run["W"][:n], run["H_hat"][:n]
        measured = run["user/sinr_measured"][:n]
        assert (run["applied/kind"][:n] == 1).all(), "a block was not precoded fresh"
        beta, beta_u = truth["beta"][()], truth["beta_uplink_snr"][()]
        reported = run["error_variance"][:n].mean(axis=1)[SKIP:].mean(axis=0)
        predicted, evm = examine_prediction(run, scheme, snr_db, n), run["user/evm"][:n][SKIP:]
    check(np.allclose(beta, 10 ** (snr_db / 10)), f"{scheme} {snr_db} dB: that is the large-scale gain")
    sinr = true_sinr(H, W)
    gap = db(measured[SKIP:]).mean(axis=0) - db(sinr[SKIP:]).mean(axis=0)
    check(np.isfinite(gap).all() and np.abs(gap).max() <= GAP_DB,
          f"{scheme} {snr_db} dB: measured {np.round(db(measured[SKIP:]).mean(axis=0), 2)} dB, from the true channel "
          f"{np.round(db(sinr[SKIP:]).mean(axis=0), 2)} dB, gap {np.round(gap, 3)}")
    error = (np.abs(H_hat - Hu)[SKIP:] ** 2).mean(axis=(0, 1, 3))
    want = mmse(beta_u, pilots) * beta
    # Each AP scales by its measured noise: a relative error delta of that costs beta delta^2 / 4 more. One AP's delta hardly changes in a
    # run, so the mean over the APs scatters by sqrt(2 / n_ap) of itself.
    scale = beta.mean() * noise_variance(n)[SKIP:].mean() / 4
    limit = 0.02 * want.mean() + 3 * np.sqrt(2 / len(beta)) * scale
    check_long(abs(error.mean() - want.mean() - scale) <= limit, f"{scheme} {snr_db} dB: estimation error variance {error.mean():.4g}, MMSE formula "
          f"{want.mean():.4g} and {scale:.2g} for the noise's own error, ratio {error.mean() / (want.mean() + scale):.4f}")
    check_long(abs(reported.mean() / (want.mean() + scale) - 1) <= 0.02, f"{scheme} {snr_db} dB: error variance the APs report {reported.mean():.4g}")
    if len(set(pilots)) == len(pilots):  # the prediction counts a user's own beam through the estimation error as disturbance: a little low
        gap = db(measured[SKIP:]).mean(axis=0) - db(predicted.mean(axis=1)).mean(axis=0)
        check(np.abs(gap).max() <= 0.3, f"{scheme} {snr_db} dB: measured against predicted {np.round(gap, 3)} dB")
    if scheme == "zf" and snr_db >= 10:  # below, the equaliser's gain is so uncertain that its inverse adds to the EVM
        # The equaliser's gain is of 48 pilots, so its error vector has 1/48 of the noise more than the SINR's.
        ratio = (evm ** 2 * measured[SKIP:]).mean(axis=0)
        check(np.abs(ratio - 1 - 1 / 48).max() <= 0.01, f"{scheme} {snr_db} dB: squared EVM times SINR {np.round(ratio, 4)}")
        spread = (predicted.max(axis=2) / predicted.min(axis=2)).max()
        check(spread <= 1.001, f"{scheme} {snr_db} dB: max-min gives all users one SINR, to {spread - 1:.1e}")
    return error, want


def selective():
    """Two taps one sample apart: every subband has a channel of its own and a slope inside. The taps are found again from the true
    channels at the subbands' centres, so signal and disturbance are known at every subcarrier."""
    snr_db = 20
    sets = ["air.fading.model=tdl", "air.fading.tap_delays_samples=[0, 1]", "air.fading.tap_powers_db=[0, 0]", "payload.modulation=qam4",
            "precoding.subband=flat"]
    with Network(sets=sets, n_blocks=BLOCKS, snr_db=snr_db) as net, net.run().file("run.h5") as run, net.file("truth.h5") as truth:
        H = truth["H"][:BLOCKS][SKIP:]
        W, H_hat, measured = (run[name][:BLOCKS][SKIP:] for name in ("W", "H_hat", "user/sinr_measured"))
        beta, beta_u = truth["beta"][()], truth["beta_uplink_snr"][()]
        examine_prediction(run, "zf, two taps,", snr_db, BLOCKS, flat=False)  # what changes inside a subband is not predicted
    f = np.r_[-36:0, 1:37]  # used subcarriers around an empty one; 128 samples of 15 kHz
    turns = lambda f: np.exp(2j * np.pi * np.outer(f, [0, 1]) / 128)  # H is the conjugate of the response
    taps = np.einsum("ts,bsmak->btmak", np.linalg.pinv(turns(f.reshape(6, 12).mean(axis=1))), H)
    check(np.allclose(np.einsum("st,btmak->bsmak", turns(f.reshape(6, 12).mean(axis=1)), taps), H, atol=1e-3), "two taps explain the true channels")
    h = np.einsum("ft,btmak->bfmak", turns(f), taps).reshape(len(H), 6, 12, -1, 4)
    g = np.einsum("bsilk,bslj->bsikj", h.conj(), W.reshape(len(H), 6, -1, 4))
    signal = np.abs(np.einsum("bsikk->bsik", g).mean(axis=2)) ** 2
    sinr = signal.sum(axis=1) / ((np.abs(g) ** 2).sum(-1).mean(axis=2) - signal + 1).sum(axis=1)
    gap = db(measured).mean(axis=0) - db(sinr).mean(axis=0)
    check(np.abs(gap).max() <= GAP_DB, f"two taps: measured {np.round(db(measured).mean(axis=0), 2)} dB, gap to the true channel's {np.round(gap, 3)}")
    error = np.abs(H_hat.reshape(len(H), 6, -1, 4) - h.mean(axis=2)) ** 2
    want = (mmse(beta_u, [0, 1, 2, 3]) * beta).mean()
    ratio = error.mean(axis=(0, 2, 3)) / want
    check_long(np.abs(ratio - 1).max() <= 0.05, f"two taps: estimation error of each subband over the MMSE formula {np.round(ratio, 3)}")


def main():
    for scheme in fewer(("zf", "cb", "ppzf", "rzf", "ob")):
        for snr_db in fewer((30, 10, 0)):
            with Network(sets=[f"precoding.scheme={scheme}", "payload.modulation=qam4"], snr_db=snr_db, n_blocks=BLOCKS) as net:
                examine(net.run(), scheme, snr_db, [0, 1, 2, 3])
    selective()
    shared = [0, 0, 1, 2]
    sets = ["pilots.assignment=[0, 0, 1, 2]", "pilots.large_scale=known", "payload.modulation=qam4"]
    with Network(sets=sets, n_blocks=BLOCKS) as net:
        error, want = examine(net.run(), "zf, users 0 and 1 on one pilot,", 30, shared)
    per_user, formula = error.mean(axis=0), want.mean(axis=0)
    text = f"contamination: error of users 0..3 {np.round(per_user, 3)}, formula {np.round(formula, 3)}"
    check_long(np.abs(per_user[:2] / formula[:2] - 1).max() <= 0.1, text)
    check(per_user[:2].min() > 20 * per_user[2:].max(), text)
    finish()


main()
