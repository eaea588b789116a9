#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole networks whose channels differ inside subbands, whose users' oscillators are off, and whose links are blocked for a while."""
import numpy as np
from network import SHORT, Network, blocks, check, db, finish, skip

BLOCKS = blocks(80)
SKIP = 16  # gains and delays are learnt


def run(*sets, n_blocks=BLOCKS):
    with Network(sets=sets, n_blocks=n_blocks) as net, net.run().file("run.h5") as f:
        measured, predicted, expected = f["user/sinr_measured"][:n_blocks], f["sinr_predicted"][:n_blocks], f["sinr_expected"][:n_blocks]
        wrong = f["user/code_block_errors"][SKIP:n_blocks].sum() / f["user/code_blocks"][SKIP:n_blocks].sum()
    return measured, 1 / (1 / predicted).mean(axis=1), wrong, expected


def harmonic(sinr):
    return -db((1 / sinr[SKIP:]).mean())


def flat_cap(delay, power, width, n_fft=128, antennas=16, users=4):
    """Error over signal of everything held flat over a subband, docs/expected.md."""
    p = np.array([1, power]) / (1 + power)
    d = np.array([0, delay])
    i = np.arange(width) - (width - 1) / 2
    kept = np.array([np.exp(-2j * np.pi * i * x / n_fft).mean().real for x in d])
    e = np.exp(-2j * np.pi * np.outer(d, i) / n_fft) - kept[:, None]
    q = np.abs(((p * kept)[:, None] * e).sum(axis=0)) ** 2
    a = (p * kept**2).sum()
    return q.mean() / a**2 + users * ((p[:, None] * np.abs(e) ** 2).sum(axis=0) - q / a).mean() / (a * (antennas - users))


def spread():
    taps = ["air.fading.model=tdl", "air.fading.tap_delays_samples=[0, 2]", "air.fading.tap_powers_db=[0, -3]", "frame.subcarriers_per_subband=6"]
    if SHORT:
        skip("a spread channel held flat, oscillators not followed", "runs are short here")
        _, _, wrong, _ = run(*taps)
        check(wrong == 0, "interpolated: every code block is right")
        return
    ideal = harmonic(run("frame.subcarriers_per_subband=6")[0])
    flat, _, _, told = run(*taps, "precoding.subband=flat")
    flat, told = harmonic(flat), harmonic(told)
    check(abs(flat - told) < 0.5, f"taps 0 and 2, flat: {flat:.2f} dB, expected {told:.2f} dB")
    formula = -db(10 ** (-ideal / 10) + flat_cap(2, 10**-0.3, 6))
    check(abs(flat - formula) < 0.4, f"taps 0 and 2, flat: {flat:.2f} dB, formula {formula:.2f} dB")
    measured, predicted, wrong, _ = run(*taps)
    smooth, told = harmonic(measured), harmonic(predicted)
    check(smooth > flat + 12, f"interpolated: {smooth:.2f} dB, without spread {ideal:.2f} dB")
    check(abs(told - smooth) < 1.2 and wrong == 0, f"predicted {told:.2f} dB")


def oscillators():
    cfo = ["air.impairments.ue.cfo_hz=40", "payload.modulation=qam64"]
    measured, _, wrong, _ = run(*cfo)
    check(wrong == 0 and harmonic(measured) > 34, f"users off by up to 40 Hz: {harmonic(measured):.2f} dB, wrong code blocks {wrong:.3f}")
    lost, _, wrong_untracked, _ = run(*cfo, "sync.track_phase=false")
    check(wrong_untracked > 0.2, f"not followed: {harmonic(lost):.2f} dB, wrong code blocks {wrong_untracked:.3f}")


def blockage():
    event = "air.events=[{kind: blockage, block: 30, to_block: 50, ap: [0, 1, 2, 3], ue: [2], loss_db: 20}]"
    measured, _, _, _ = run(event, "precoding.power=equal", "precoding.scheme=cb", n_blocks=70)
    noise_limited = measured[SKIP:30, 2].mean(), measured[32:50, 2].mean(), measured[52:, 2].mean()
    check(noise_limited[1] < noise_limited[0] / 2, f"user 2 behind 20 dB: SINR {np.round(noise_limited, 2)} before, meanwhile, after")
    check(abs(db(noise_limited[2] / noise_limited[0])) < 3, "and as before afterwards")


def losses():
    """What users measure is what is expected of them, with everything at once."""
    sets = ["precoding.subband=flat", "sync.track_phase=false", "air.fading.variation=jakes", "air.fading.doppler_hz=4",
            "air.impairments.ue.cfo_hz=10", "air.impairments.ue.phase_noise_linewidth_hz=0.1", "air.impairments.ap.phase_mismatch_deg=2"]
    n = blocks(160)
    with Network(sets=sets, n_blocks=n) as net, net.run().file("run.h5") as f:
        measured, expected = harmonic(f["user/sinr_measured"][:n]), harmonic(f["sinr_expected"][:n])
        predicted, loss = harmonic(1 / (1 / f["sinr_predicted"][:n]).mean(axis=1)), f["loss_db"][SKIP:n].mean(axis=0)
        text = net.text
    # fading differs from seed to seed: interference of few users at few instants
    check(abs(measured - expected) < 0.8, f"everything at once: measured {measured:.2f} dB, expected {expected:.2f} dB, without losses {predicted:.2f} dB")
    check(predicted > measured + 8 and loss.argmax() == 0 and loss[4] > 3 and loss[3] == loss[5] == 0, f"losses by cause {np.round(loss, 2)} dB")
    check("Largest loss: ageing" in text, "and the table says so")


spread()
losses()
if SHORT:
    skip("users' oscillators alone, a blockage", "runs are short here")
else:
    oscillators()
    blockage()
finish()
